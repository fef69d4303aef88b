"""The stage behind `evalkit train retriever`: labelled pairs make a better encoder.

The folder is a sentence-transformers model, so `evalkit index --model` takes it. Beside the weights
it holds `retriever.json` (what dev queries found before and after) and `log.jsonl`.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import numpy as np

from evalkit.engines import open_engine
from evalkit.errors import SettingsError
from evalkit.models import locate_encoder
from evalkit.progress import say
from evalkit.training.loop import check_run, require_trainer
from evalkit.training.model_folder import Trained, fill_model_folder, planned
from evalkit.training.processes import is_main, wait_for_all
from evalkit.training.retriever_data import pool_fingerprint, read_pairs
from evalkit.training.retriever_evaluating import (
    MEAN,
    check_products,
    dev_queries,
    steering,
    summary,
)
from evalkit.training.retriever_examples import known_good, make_examples
from evalkit.training.retriever_teacher import judges_behind, teacher_margins

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.knowledge import CatalogueFiles
    from evalkit.manifest import Manifest
    from evalkit.training.retriever_data import LabelledPairs
    from evalkit.training.retriever_evaluating import CheckedProducts
    from evalkit.training.retriever_fitting import Fitted

__all__ = ["LOG_FILE", "RETRIEVER_FILE", "HowRetrieverTrained", "RetrieverSettings",
           "train_retriever"]  # fmt: skip

RETRIEVER_FILE = "retriever.json"
LOG_FILE = "log.jsonl"
_TRAINING = 3  # raised when the same pairs and settings may give another model, for manifests


@dataclass(frozen=True)
class RetrieverSettings:
    """How a retriever is trained.

    Attributes:
        epochs: passes over the pairs.
        learning_rate: at its highest; it rises over the warm-up and then falls to 0.
        batch_size: pairs a step; every product of a batch is a wrong one for the other queries,
            unless it is known to be good for them. Several processes each take a batch of this
            size, and the products of one are no wrong ones for the queries of another.
        cached: encode a batch in small pieces, so that memory does not limit it.
        mini_batch: texts of such a piece.
        max_length: tokens of a text that are read in training; None reads what the model reads.
        warmup: share of the steps over which the learning rate rises.
        temperature: of the cosines in the loss.
        hard_negatives: products with label 0 as wrong ones: `every` pair has one of its query's,
            in turn; `once` each is learnt with one pair, which costs less; `none`.
        general_share: share of the pairs that shall be of general queries; None leaves it.
        distil_weight: of the margins of a teacher, where there is one.
        pool: products of the catalogue that dev queries search; they do not depend on the seed.
        evaluations: how often dev queries are asked during the training; a checkpoint is saved
            each time.
        patience: evaluations without a better one before training stops; 0 trains to the end.
        seed: of the order of pairs, dropout and the draw of general pairs.
        device: where it runs.
    """

    epochs: int = 1
    learning_rate: float = 5e-5
    batch_size: int = 32
    cached: bool = False
    mini_batch: int = 32
    max_length: int | None = 128
    warmup: float = 0.1
    temperature: float = 0.05
    hard_negatives: Literal["every", "once", "none"] = "every"
    general_share: float | None = 0.2
    distil_weight: float = 1.0
    pool: int = 2000
    evaluations: int = 3
    patience: int = 0
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if min(self.epochs, self.mini_batch, self.evaluations, self.pool) < 1:
            raise SettingsError("--epochs, --mini-batch, --evaluations and --pool are 1 or more.")
        if self.batch_size < 2:
            raise SettingsError(
                f"--batch-size is {self.batch_size}; the products of other queries are what a "
                "query learns to leave, so it is 2 or more."
            )
        if not 0 < self.learning_rate < 1:
            raise SettingsError(f"--learning-rate is {self.learning_rate}; it is between 0 and 1.")
        if self.max_length is not None and not 8 <= self.max_length <= 8192:
            raise SettingsError(f"--max-length is {self.max_length}; it is from 8 to 8192 tokens.")
        if not 0 <= self.warmup < 1:
            raise SettingsError(f"--warmup is {self.warmup}; it is a share from 0 to below 1.")
        if not 0 < self.temperature <= 1:
            raise SettingsError(f"--temperature is {self.temperature}; it is above 0 and up to 1.")
        if self.general_share is not None and not 0 <= self.general_share < 1:
            raise SettingsError(
                f"--general-share is {self.general_share}; it is a share from 0 to below 1."
            )
        if self.hard_negatives not in ("every", "once", "none"):
            raise SettingsError(f"--hard-negatives {self.hard_negatives!r} is unknown.")
        if self.distil_weight < 0 or self.patience < 0:
            raise SettingsError("--distil-weight and --patience are 0 or more.")


class HowRetrieverTrained(TypedDict, total=False):
    """How a retriever is trained, whatever its pairs are.

    Attributes:
        settings: of the training; None takes the usual ones.
        model: folder or hub id of the encoder to begin with; None takes all-MiniLM-L6-v2.
        revision: of `model` on the hub.
        fields: columns that make a product's text; None takes the usual ones. Take those of the
            index that the model is for.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.
        force: train again in any case, and from the beginning.
        memory_limit: for reading and joining; 600MB unless given.
        threads: of DuckDB.
    """

    settings: RetrieverSettings | None
    model: str | None
    revision: str | None
    fields: Sequence[str] | None
    reading: Mapping[str, Mapping[str, Any]] | None
    force: bool
    memory_limit: str
    threads: int | None


def train_retriever(
    output: str | os.PathLike[str],
    pairs: Sequence[str | os.PathLike[str]],
    products: str | os.PathLike[str],
    *,
    queries: Sequence[str | os.PathLike[str]] = (),
    catalogue_settings: str | os.PathLike[str] | None = None,
    triples: str | os.PathLike[str] | None = None,
    distil: str | os.PathLike[str] | None = None,
    **how: Unpack[HowRetrieverTrained],
) -> Manifest:
    """Fine-tune an encoder on labelled pairs; see `evalkit train retriever --help`.

    Training that was interrupted goes on from the last checkpoint in `<output>.checkpoints`, which
    is removed when the model stands.

    Args:
        output: the model's folder; it appears when it is complete.
        pairs: tables with query_id, query, product_id, label and split.
        products: the catalogue.
        queries: typed queries of the pairs, with their structures. With them the catalogue decides
            which products are good for a query; without, the pairs alone do.
        catalogue_settings: YAML of what is special about the catalogue.
        triples: CSV of what else is known.
        distil: folder of a relevance classifier whose margins are learnt too.
        how: see `HowRetrieverTrained`.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit, or checkpoints of another run are in the way.
        ModelError: a model cannot be found, trusted or loaded.
    """
    from evalkit.constraints.checking import CHECKS
    from evalkit.knowledge import CatalogueFiles

    if not pairs:
        raise SettingsError("Give --pairs, as evalkit synthesize pairs writes them.")
    require_trainer("Training a retriever")
    settings = how.get("settings") or RetrieverSettings()
    base = locate_encoder(how.get("model"), revision=how.get("revision"))
    reading = {kind: dict(each) for kind, each in (how.get("reading") or {}).items()}
    fields = how.get("fields")
    shop = CatalogueFiles(products, catalogue_settings, triples, reading.get("products", {}))
    wanted = planned(
        "evalkit train retriever",
        {"pairs": list(pairs), "queries": list(queries), **shop.paths()},
        base,
        {
            "training": _TRAINING,
            "checks": CHECKS if queries else None,
            "fields": list(fields) if fields is not None else None,
            "distil": distil is not None,
            "reading": reading,
        },
        settings,
        others=judges_behind(distil, pairs, shop if queries else None),
    )
    target = Path(output)
    checkpoints = target.with_name(f"{target.name}.checkpoints")

    def train(folder: Path) -> Trained:
        if how.get("force") and is_main():
            shutil.rmtree(checkpoints, ignore_errors=True)
        wait_for_all()
        check_run(checkpoints, json.loads(json.dumps(wanted.identity())))
        with open_engine(how.get("memory_limit", "600MB"), how.get("threads")) as connection:
            read = read_pairs(
                connection,
                pairs,
                products,
                pool=settings.pool,
                fields=fields,
                reading=reading,
            )
            checked = _checked(read, queries, shop, connection, reading)
        for warning in read.warnings:
            say(f"Warning: {warning}")
        return _fit_and_write(folder, read, checked, base.id, distil, how, settings, checkpoints)

    done = fill_model_folder(
        output, wanted, train, device=settings.device, force=how.get("force", False)
    )
    if is_main():
        shutil.rmtree(checkpoints, ignore_errors=True)
    return done


def _checked(
    read: LabelledPairs,
    queries: Sequence[Any],
    shop: CatalogueFiles,
    connection: DuckDBPyConnection,
    reading: Mapping[str, Any],
) -> CheckedProducts | None:
    """Return what the catalogue says of the products, where the queries' structures are given."""
    if not queries:
        return None
    from evalkit.constraints import read_typed_queries
    from evalkit.constraints.checking import Checker

    say("Reading the catalogue for the constraints.")
    structures = {
        each.query_id: each.structure
        for path in queries
        for each in read_typed_queries(
            path, connection, reading=reading.get("queries"), stated=True
        )
    }
    return check_products(read, structures, Checker(*shop.open(connection)))


def _fit_and_write(
    folder: Path,
    read: LabelledPairs,
    checked: CheckedProducts | None,
    base: str,
    distil: Any,
    how: HowRetrieverTrained,
    settings: RetrieverSettings,
    checkpoints: Path,
) -> Trained:
    from evalkit.relevance.classifier import quiet_transformers
    from evalkit.retrieval import EncoderSettings, open_encoder
    from evalkit.training.retriever_fitting import fit_retriever

    examples = make_examples(
        read,
        hard_negatives=settings.hard_negatives,
        general_share=settings.general_share,
        seed=settings.seed,
    )
    dev = dev_queries(read, None if checked is None else checked.passed)
    counts = {
        **read.counts,
        "learned": len(examples),
        "learned_queries": len(np.unique(examples.query)),
        "learned_hard_negatives": int((examples.negative >= 0).sum()),
        "dev_queries": len(dev.queries),
        "dev_queries_left_out": len(read.of_split("dev")) - len(dev.queries),
        "dev_good": int(dev.good.sum()),
    }
    say(
        f"Training on {len(examples):,} pairs of {counts['learned_queries']:,} queries, "
        f"{counts['learned_hard_negatives']:,} with a hard negative; {len(dev.queries):,} dev "
        f"queries search {len(dev.texts):,} products."
    )
    warnings = list(read.warnings)
    if not dev.queries:
        warnings.append("There are no dev queries with a good product; the last weights are kept.")
        say(f"Warning: {warnings[-1]}")
    elif counts["dev_queries_left_out"]:
        warnings.append(
            f"{counts['dev_queries_left_out']:,} dev queries have no good product among the "
            f"{len(dev.texts):,} of the pool and are left out; --pool takes more."
        )
        say(f"Warning: {warnings[-1]}")
    encoder = open_encoder(
        how.get("model"), EncoderSettings(device=settings.device), revision=how.get("revision")
    )
    margins = None
    if distil is not None:
        margins = teacher_margins(distil, read, examples, settings.device)
    fitted = fit_retriever(
        encoder,
        read,
        examples,
        known_good(read, None if checked is None else checked.not_wrong()),
        dev,
        settings,
        margins=margins,
        checkpoints=checkpoints,
    )
    if not is_main():
        return Trained(counts, "")
    if fitted.resumed:
        say(f"Went on from the checkpoint of step {fitted.resumed:,}.")
    with quiet_transformers():
        encoder.model.save_pretrained(str(folder), create_model_card=False)
    (folder / LOG_FILE).write_text(
        "".join(json.dumps(row) + "\n" for row in fitted.log), "utf-8", newline="\n"
    )
    document = _document(fitted, base, settings, read, checked is not None)
    (folder / RETRIEVER_FILE).write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    counts |= {"steps": fitted.steps, "best_step": fitted.best_step}
    if not dev.queries:
        return Trained(counts, "It was not evaluated.", (), read.rows, tuple(warnings))
    before, after = document["dev"]["before"], document["dev"]["after"]
    if steering(after) <= steering(before):
        warnings.append("The dev queries find no more than before; other settings or pairs may.")
        say(f"Warning: {warnings[-1]}")
    lines = summary(before, after)
    return Trained(counts, lines[-1], tuple(lines[:-1]), read.rows, tuple(warnings))


def _document(
    fitted: Fitted, base: str, settings: RetrieverSettings, read: LabelledPairs, checked: bool
) -> dict[str, Any]:
    """Return what `retriever.json` holds."""
    plain = asdict(settings)
    plain.pop("device")
    found: dict[str, Any] = {
        "base": base,
        "settings": plain,
        "steps": fitted.steps,
        "best_step": fitted.best_step,
    }
    measured = {row["step"]: row["dev"] for row in fitted.log if "dev" in row}
    if measured:
        found["dev"] = {
            "good": "by the catalogue and the pairs" if checked else "by the pairs alone",
            "pool": {"products": len(read.pool), "fingerprint": pool_fingerprint(read)},
            "before": measured[0],
            "after": measured[fitted.best_step],
            "mean": MEAN,
        }
    return found
