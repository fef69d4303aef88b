"""The stage behind `evalkit train classifier`: labelled pairs become a folder with a classifier.

Three sorts of examples, one recipe: query and product with a graded judgment, query and rewrite
with a label, and rewrites whose label follows from how they are made. A share of the queries is
kept from training; on it the classifier is calibrated and measured, and its thresholds are found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from evalkit.engines import open_engine
from evalkit.errors import SettingsError
from evalkit.models import locate_encoder
from evalkit.progress import say
from evalkit.relevance.calibrating import CALIBRATIONS
from evalkit.relevance.classifier import CALIBRATION_FILE, CALIBRATION_FORMAT, quiet_transformers
from evalkit.relevance.thresholds import THRESHOLDS
from evalkit.training.cross_encoder import fit_cross_encoder
from evalkit.training.examples import (
    Made,
    read_judged_pairs,
    read_labelled_rewrites,
    rewrite_examples,
)
from evalkit.training.held_out import agreement, calibrate_model, split_groups
from evalkit.training.model_folder import Trained, fill_model_folder, planned
from evalkit.training.processes import is_main

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection

    from evalkit.manifest import Manifest
    from evalkit.models import ModelFiles
    from evalkit.training.examples import Examples

__all__ = [
    "EXAMPLES_FILE",
    "ClassifierSettings",
    "HowTrained",
    "train_classifier",
    "train_on_constructed",
    "train_rewrite_classifier",
]

EXAMPLES_FILE = "examples.parquet"


@dataclass(frozen=True)
class ClassifierSettings:
    """How a classifier is trained.

    Attributes:
        epochs: passes over the examples.
        learning_rate: at its highest; it rises over the first tenth and then falls to 0.
        batch_size: pairs a step.
        max_length: tokens of a pair that are read.
        heldout: share of the pairs that is kept from training, whole queries only, for
            calibration, thresholds and figures.
        balance: `none`; `weights` weighs every grade's loss by its rarity; `sampling` draws every
            grade equally often.
        calibration: `auto` (which is `stacked`), `temperature`, `isotonic` or `none`.
        precisions: targets for which thresholds are sought.
        patience: epochs without a better held-out loss before training stops and the best epoch
            is taken; 0 trains all epochs.
        paired_anew: of queries and products: how many pairs that were not graded together are
            learnt beside each graded one (see `evalkit.training.soft_pairs`).
        seed: of fresh weights, the order of examples, dropout and what is held out.
        device: where it runs.
    """

    epochs: int = 1
    learning_rate: float = 1e-4
    batch_size: int = 16
    max_length: int = 128
    heldout: float = 0.2
    balance: Literal["none", "weights", "sampling"] = "none"
    calibration: str = "auto"
    precisions: tuple[float, ...] = (0.8, 0.9, 0.95)
    patience: int = 0
    paired_anew: float = 0.5
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.patience < 0:
            raise SettingsError("--epochs and --batch-size are 1 or more, --patience 0 or more.")
        if not 0 < self.learning_rate < 1:
            raise SettingsError(f"--learning-rate is {self.learning_rate}; it is between 0 and 1.")
        if not 8 <= self.max_length <= 8192:
            raise SettingsError(f"--max-length is {self.max_length}; it is from 8 to 8192 tokens.")
        if not 0 <= self.paired_anew <= 10:
            raise SettingsError(f"paired_anew is {self.paired_anew}; it is from 0 to 10.")
        if not 0 < self.heldout < 0.9:
            raise SettingsError(
                f"--held-out is {self.heldout}; it is a share above 0 and below 0.9."
            )
        if self.balance not in ("none", "weights", "sampling"):
            raise SettingsError(f"--balance {self.balance!r} is unknown.")
        if self.calibration not in CALIBRATIONS:
            raise SettingsError(f"--calibration is one of {', '.join(CALIBRATIONS)}.")
        if not self.precisions or not all(0 < each <= 1 for each in self.precisions):
            raise SettingsError("--precision holds numbers above 0 and up to 1.")


class HowTrained(TypedDict, total=False):
    """How a classifier is trained, whatever its examples are.

    Attributes:
        settings: of the training; None takes the usual ones.
        model: folder or hub id of an encoder or cross-encoder; None takes all-MiniLM-L6-v2.
        revision: of `model` on the hub.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
        force: train again in any case.
        memory_limit: for reading and joining; 600MB unless given.
        threads: of DuckDB.
    """

    settings: ClassifierSettings | None
    model: str | None
    revision: str | None
    reading: Mapping[str, Mapping[str, Any]] | None
    force: bool
    memory_limit: str
    threads: int | None


def train_classifier(
    output: str | os.PathLike[str],
    judgments: str | os.PathLike[str],
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    *,
    good: float = 1.0,
    gains: Mapping[str, float] | None = None,
    fields: Sequence[str] | None = None,
    **how: Unpack[HowTrained],
) -> Manifest:
    """Train a query-product classifier on graded judgments; see `evalkit train classifier --help`.

    Args:
        output: the classifier's folder; it appears when it is complete.
        judgments: query_id, product_id, grade.
        queries: query_id, query.
        products: the catalogue.
        good: products of this grade or more are good.
        gains: a number for each label, where grades are words.
        fields: columns that make a product's text; None takes the usual ones.
        how: see `HowTrained`.

    Raises:
        InputError: a file cannot be used, or too few pairs have texts.
        SettingsError: settings that do not fit.
        ModelError: the model cannot be found, trusted or loaded.
    """

    def make(connection: DuckDBPyConnection) -> Made:
        return read_judged_pairs(
            connection,
            judgments,
            queries,
            products,
            good=good,
            gains=gains,
            fields=fields,
            reading=how.get("reading"),
        )

    chosen = {
        "use": "products",
        "good": good,
        "gains": dict(gains) if gains else None,
        "fields": list(fields) if fields is not None else None,
    }
    files = {"judgments": judgments, "queries": queries, "products": products}
    return _train(output, files, chosen, make, how)


def train_rewrite_classifier(
    output: str | os.PathLike[str],
    rewrites: str | os.PathLike[str],
    *,
    queries: str | os.PathLike[str] | None = None,
    **how: Unpack[HowTrained],
) -> Manifest:
    """Train a query-rewrite classifier on labelled rewrites.

    Args:
        output: the classifier's folder.
        rewrites: query_id, rewrite and label (1 keeps the intent, 0 does not); query where
            `queries` is not given; family (or else the query) is not torn apart by the split.
        queries: query_id, query; family where it has one.
        how: see `HowTrained`.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit.
        ModelError: the model cannot be found, trusted or loaded.
    """

    def make(connection: DuckDBPyConnection) -> Made:
        return read_labelled_rewrites(connection, rewrites, queries, reading=how.get("reading"))

    files = {"rewrites": rewrites} | ({"queries": queries} if queries is not None else {})
    return _train(output, files, {"use": "rewrites"}, make, how)


def train_on_constructed(
    output: str | os.PathLike[str],
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    *,
    n: int = 4,
    catalogue_settings: str | os.PathLike[str] | None = None,
    triples: str | os.PathLike[str] | None = None,
    **how: Unpack[HowTrained],
) -> Manifest:
    """Construct labelled rewrites and train a query-rewrite classifier on them.

    Args:
        output: the classifier's folder; the rewrites are kept in it as `examples.parquet`.
        queries: typed queries: query_id, query, structure, family.
        products: the catalogue.
        n: right rewrites, and wrong ones, of a query at most.
        catalogue_settings: YAML of what is special about the catalogue.
        triples: CSV of what else is known.
        how: see `HowTrained`; the seed of its settings also chooses corruptions.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit, or no rewrite can be made.
        ModelError: the model cannot be found, trusted or loaded.
    """
    from evalkit.constraints import read_typed_queries
    from evalkit.knowledge import CatalogueFiles
    from evalkit.rewriting import open_rewriter
    from evalkit.training.rewrite_pairs import construct_rewrites

    settings = how.get("settings")
    seed = settings.seed if settings is not None else 0
    reading = how.get("reading") or {}
    shop = CatalogueFiles(products, catalogue_settings, triples, reading.get("products", {}))

    def make(connection: DuckDBPyConnection) -> Made:
        typed = read_typed_queries(queries, connection, reading=reading.get("queries"), stated=True)
        catalogue, graph = shop.open(connection)
        rewriter = open_rewriter("catalogue", catalogue=catalogue, graph=graph, seed=seed)
        say(f"Constructing rewrites of {len(typed):,} queries.")
        table, counts = construct_rewrites(typed, graph, rewriter, n=n, seed=seed)
        return Made(rewrite_examples(table), counts, (), {}, {}, table)

    chosen = {"use": "rewrites", "constructed": {"n": n, "rewriter": "catalogue"}}
    return _train(output, {"queries": queries, **shop.paths()}, chosen, make, how)


def _train(
    output: str | os.PathLike[str],
    files: Mapping[str, str | os.PathLike[str]],
    chosen: Mapping[str, Any],
    make: Callable[[DuckDBPyConnection], Made],
    how: HowTrained,
) -> Manifest:
    settings = how.get("settings") or ClassifierSettings()
    base = locate_encoder(how.get("model"), revision=how.get("revision"))
    read_so = {kind: dict(each) for kind, each in (how.get("reading") or {}).items()}
    wanted = planned(
        "evalkit train classifier",
        files,
        base,
        {**chosen, "reading": read_so, "thresholds": THRESHOLDS},
        settings,
    )

    def train(folder: Path) -> Trained:
        with open_engine(how.get("memory_limit", "600MB"), how.get("threads")) as connection:
            made = make(connection)
        for warning in made.warnings:
            say(f"Warning: {warning}")
        kept, out = split_groups(made.examples.group, settings.heldout, settings.seed)
        learned, heldout = made.examples.take(kept), made.examples.take(out)
        counts = {
            **made.counts,
            "learned": len(learned),
            "learned_groups": len(set(learned.group)),
            "heldout": len(heldout),
            "heldout_groups": len(set(heldout.group)),
        }
        say(
            f"Training on {len(learned):,} pairs of {counts['learned_groups']:,} queries; "
            f"{len(heldout):,} pairs of {counts['heldout_groups']:,} others are held out."
        )
        document = _fit_and_write(
            folder, base, learned, heldout, settings, made, str(chosen["use"])
        )
        if document is None:
            return Trained(counts, "")
        notes = _thresholds(document)
        if chosen["use"] == "products":
            notes = (
                *notes,
                f"The page of evalkit relevance agreement --classifier {output} plots the "
                "reliability on held-out pairs.",
            )
        return Trained(counts, _worth(document), notes, made.rows, made.warnings)

    return fill_model_folder(
        output, wanted, train, device=settings.device, force=how.get("force", False)
    )


def _worth(document: Mapping[str, Any]) -> str:
    agreed, reliable = document["agreement"], document["reliability"]["after"]
    return (
        f"On held-out queries: kappa of good {agreed['kappa_good']:.3f}, AUC {agreed['auc']:.3f}, "
        f"Brier {reliable['brier']:.3f}, ECE {reliable['ece']:.3f}."
    )


def _thresholds(document: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"Warning: {row['note']}."
        if row["threshold"] is None
        else f"Precision {row['precision']:g} from probability {row['threshold']:.3f}: recall "
        f"{row['recall']:.3f}, {row['accepted']:,} of {row['pairs']:,} pairs accepted, "
        f"{row['reached']:.3f} of them good."
        for row in document["thresholds"]
    )


def _fit_and_write(
    folder: Path,
    base: ModelFiles,
    learned: Examples,
    heldout: Examples,
    settings: ClassifierSettings,
    made: Made,
    use: str,
) -> dict[str, Any] | None:
    """Train, measure and write; in other processes than the main one only train."""
    from evalkit.relevance.classifier import open_classifier
    from evalkit.relevance.pair_features import encoder_beside, open_features

    features = open_features(encoder_beside(base), settings.device)
    # A wrong rewrite is near to its query, so nearness must not teach what a right one is.
    paired = features if use == "products" else None
    model = fit_cross_encoder(base, learned, settings, features=paired, watched=heldout)
    if not is_main():
        return None
    calibration = calibrate_model(model, heldout, settings, features, learned)
    with quiet_transformers():
        model.save_pretrained(str(folder), create_model_card=False)
    document = {
        "calibration": CALIBRATION_FORMAT,
        "use": use,
        "grades": list(heldout.grades),
        "good": heldout.good,
        "max_length": settings.max_length,
        **made.extra,
        **calibration,
    }
    file = folder / CALIBRATION_FILE
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if made.table is not None:
        import pyarrow.parquet as pq

        pq.write_table(made.table, folder / EXAMPLES_FILE, compression="zstd")
    # Measured as it will be used: opened from its files.
    opened = open_classifier(folder, device=settings.device, batch_size=settings.batch_size)
    document["agreement"] = agreement(opened, heldout)
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return document
