"""The stage behind `evalkit train classifier`: labelled pairs become a folder with a classifier.

Two uses, one recipe: query and product with a graded judgment, query and rewrite with a label. A
share of the queries is kept from training; on it the classifier is calibrated and measured, and
its thresholds are found.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.engines import open_engine
from evalkit.files import check_replaceable, replacing_folder
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.models import locate_encoder
from evalkit.progress import say
from evalkit.relevance.classifier import CALIBRATION_FILE, CALIBRATION_FORMAT, quiet_transformers
from evalkit.training.examples import (
    Made,
    read_judged_pairs,
    read_labelled_rewrites,
    rewrite_examples,
)
from evalkit.training.fitting import (
    ClassifierSettings,
    Examples,
    calibrate_model,
    fit_cross_encoder,
    split_groups,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.models import ModelFiles

__all__ = [
    "EXAMPLES_FILE",
    "train_classifier",
    "train_on_table",
    "train_rewrite_classifier",
]

EXAMPLES_FILE = "examples.parquet"


def train_classifier(
    output: str | os.PathLike[str],
    judgments: str | os.PathLike[str],
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    *,
    good: float = 1.0,
    gains: Mapping[str, float] | None = None,
    fields: Sequence[str] | None = None,
    settings: ClassifierSettings | None = None,
    model: str | None = None,
    revision: str | None = None,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
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
        settings: how it is trained.
        model: folder or hub id of an encoder or cross-encoder; None takes all-MiniLM-L6-v2.
        revision: of `model` on the hub.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
        force: train again in any case.
        memory_limit: for reading and joining.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used, or too few pairs have texts.
        SettingsError: settings that do not fit.
        ModelError: the model cannot be found, trusted or loaded.
    """
    files = {"judgments": judgments, "queries": queries, "products": products}

    def make(connection: DuckDBPyConnection) -> Made:
        return read_judged_pairs(
            connection,
            judgments,
            queries,
            products,
            good=good,
            gains=gains,
            fields=fields,
            reading=reading,
        )

    chosen = {
        "use": "products",
        "good": good,
        "gains": dict(gains) if gains else None,
        "fields": list(fields) if fields is not None else None,
        "reading": {kind: dict(each) for kind, each in (reading or {}).items()},
    }
    return _train(output, files, chosen, make, settings, model, revision, force, memory_limit,
                  threads)  # fmt: skip


def train_rewrite_classifier(
    output: str | os.PathLike[str],
    rewrites: str | os.PathLike[str],
    *,
    queries: str | os.PathLike[str] | None = None,
    settings: ClassifierSettings | None = None,
    model: str | None = None,
    revision: str | None = None,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> Manifest:
    """Train a query-rewrite classifier on labelled rewrites.

    Args:
        output: the classifier's folder.
        rewrites: query_id, rewrite and label (1 keeps the intent, 0 does not); query where
            `queries` is not given; family (or else the query) is not torn apart by the split.
        queries: query_id, query; family where it has one.
        settings: how it is trained.
        model: folder or hub id of an encoder or cross-encoder; None takes all-MiniLM-L6-v2.
        revision: of `model` on the hub.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
        force: train again in any case.
        memory_limit: for reading and joining.
        threads: of DuckDB.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit.
        ModelError: the model cannot be found, trusted or loaded.
    """
    files = {"rewrites": rewrites} | ({"queries": queries} if queries is not None else {})

    def make(connection: DuckDBPyConnection) -> Made:
        return read_labelled_rewrites(connection, rewrites, queries, reading=reading)

    chosen = {
        "use": "rewrites",
        "reading": {kind: dict(each) for kind, each in (reading or {}).items()},
    }
    return _train(output, files, chosen, make, settings, model, revision, force, memory_limit,
                  threads)  # fmt: skip


def train_on_table(
    output: str | os.PathLike[str],
    files: Mapping[str, str | os.PathLike[str]],
    chosen: Mapping[str, Any],
    make: Callable[[DuckDBPyConnection], tuple[pa.Table, Mapping[str, int]]],
    *,
    settings: ClassifierSettings | None = None,
    model: str | None = None,
    revision: str | None = None,
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> Manifest:
    """Train a query-rewrite classifier on examples that are constructed first.

    Args:
        output: the classifier's folder; the examples are kept in it as `examples.parquet`.
        files: what the examples are made from, by role.
        chosen: settings of their making, for the manifest.
        make: makes them: a table with query_id, query, rewrite, label, family; and counts.
        settings: how it is trained.
        model: see `train_rewrite_classifier`.
        revision: of `model`.
        force: train again in any case.
        memory_limit: for reading and joining.
        threads: of DuckDB.
    """

    def made(connection: DuckDBPyConnection) -> Made:
        table, counts = make(connection)
        found = rewrite_examples(table)
        return Made(found, counts, (), {}, {}, table)

    return _train(output, files, {"use": "rewrites", **chosen}, made, settings, model, revision,
                  force, memory_limit, threads)  # fmt: skip


def _train(
    output: str | os.PathLike[str],
    files: Mapping[str, str | os.PathLike[str]],
    chosen: Mapping[str, Any],
    make: Callable[[DuckDBPyConnection], Made],
    settings: ClassifierSettings | None,
    model: str | None,
    revision: str | None,
    force: bool,
    memory_limit: str,
    threads: int | None,
) -> Manifest:
    started = time.monotonic()
    target = Path(output)
    check_replaceable(target)
    training = settings or ClassifierSettings()
    base = locate_encoder(model, revision=revision)
    plain = asdict(training)
    wanted = Manifest(
        command="evalkit train classifier",
        # Where it is computed changes the last bits at most.
        settings={**chosen, **{name: plain[name] for name in plain if name != "device"}},
        inputs=tuple(Input(role, str(path), fingerprint(path)) for role, path in files.items()),
        models=(base.to_manifest("base"),),
        seeds={"training": training.seed},
    )
    done = None if force else finished_before(target, wanted)
    if done is not None:
        say(f"{target} is up to date (same inputs, model and settings); --force trains it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        made = make(connection)
    for warning in made.warnings:
        say(f"Warning: {warning}")
    kept, out = split_groups(made.examples.group, training.heldout, training.seed)
    learned, heldout = made.examples.take(kept), made.examples.take(out)
    say(
        f"Training on {len(learned):,} pairs of {len(set(learned.group)):,} queries; "
        f"{len(heldout):,} pairs of {len(set(heldout.group)):,} others are held out."
    )
    with replacing_folder(target) as partial:
        document = _fit_and_write(
            partial, base, learned, heldout, training, made, str(chosen["use"])
        )
        counts = {
            **made.counts,
            "learned": len(learned),
            "learned_groups": len(set(learned.group)),
            "heldout": len(heldout),
            "heldout_groups": len(set(heldout.group)),
        }
        finished = replace(
            wanted,
            inputs=tuple(replace(item, rows=made.rows.get(item.role)) for item in wanted.inputs),
            counts=counts,
            warnings=made.warnings,
        )
        finished.write(partial, started=started)
    agreement, reliable = document["agreement"], document["reliability"]["after"]
    say(
        f"Wrote {target} in {time.monotonic() - started:.0f} s. On held-out queries: kappa of good "
        f"{agreement['kappa_good']:.3f}, AUC {agreement['auc']:.3f}, Brier "
        f"{reliable['brier']:.3f}, ECE {reliable['ece']:.3f}."
    )
    for row in document["thresholds"]:
        if row["threshold"] is None:
            say(f"Warning: {row['note']}.")
        else:
            say(
                f"Precision {row['precision']:g} from probability {row['threshold']:.3f}: recall "
                f"{row['recall']:.3f}, {row['accepted']:,} of {row['pairs']:,} pairs accepted, "
                f"{row['reached']:.3f} of them good."
            )
    return finished


def _fit_and_write(
    folder: Path,
    base: ModelFiles,
    learned: Examples,
    heldout: Examples,
    settings: ClassifierSettings,
    made: Made,
    use: str,
) -> dict[str, Any]:
    from evalkit.relevance.classifier import open_classifier
    from evalkit.relevance.pair_features import encoder_beside, open_features

    features = open_features(encoder_beside(base), settings.device)
    # A wrong rewrite is near to its query, so nearness must not teach what a right one is.
    paired = features if use == "products" else None
    model = fit_cross_encoder(base, learned, settings, features=paired, watched=heldout)
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
    document["agreement"] = _agreement(opened.probabilities(heldout.pairs()), heldout, opened)
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return document


def _agreement(probabilities: Any, heldout: Examples, opened: Any) -> dict[str, Any]:
    """Return the held-out figures; the thresholds of `good` and of the grade are those of use."""
    from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score

    from metrics.annotators import grade_kappa

    truth = np.asarray(heldout.grades)[heldout.label]
    said = opened.grades_of(probabilities)
    good = heldout.is_good()
    labels = [str(grade) for grade in heldout.grades]
    named = [f"{grade}" for grade in truth.tolist()], [f"{grade}" for grade in said.tolist()]
    counts = confusion_matrix(*named, labels=labels)
    return {
        "pairs": len(heldout),
        "accuracy_good": float(accuracy_score(good, said >= heldout.good)),
        # two raters who both say one thing only agree as chance does: 0
        "kappa_good": grade_kappa(good.astype(int), (said >= heldout.good).astype(int), None)
        or 0.0,
        "kappa_grades_quadratic": grade_kappa(
            heldout.label, np.searchsorted(heldout.grades, said), "quadratic"
        )
        or 0.0,
        "auc": float(roc_auc_score(good, opened.good_of(probabilities))),
        "confusion": {"rows": "human grade", "grades": list(heldout.grades),
                      "pairs": counts.tolist()},
    }  # fmt: skip
