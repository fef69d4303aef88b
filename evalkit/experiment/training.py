"""Stages that train, and the pairs that they train on."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.engines import open_engine
from evalkit.errors import SettingsError
from evalkit.experiment.description import CATALOGUE
from evalkit.experiment.queries import accept_rewrites, index_dense, make_rewrites
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import say

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.experiment.folder import Work

__all__ = ["make_pairs", "train_classifier", "train_retriever", "train_rewriter"]


def train_classifier(work: Work, name: str) -> None:
    """Train a classifier of products on people's grades, or on what the catalogue states."""
    from evalkit.training.classifier import ClassifierSettings
    from evalkit.training.classifier import train_classifier as train
    from evalkit.training.weak_labels import WEAK_GOOD, label_weakly

    wanted = work.experiment.classifiers[name]
    folder = work.classifier(name)
    judgments, queries, good, paired_anew = (
        wanted.judgments,
        wanted.judged_queries,
        wanted.good,
        0.5,
    )
    if wanted.queries is not None:
        # People grade few queries, which are learnt by heart; what a catalogue states is of many.
        good, paired_anew = WEAK_GOOD, 0.0
        grades = folder.with_name(f"{name}-grades")
        grades.mkdir(parents=True, exist_ok=True)
        judgments, queries = label_weakly(
            work.queries(wanted.queries), work.shop, grades, seed=wanted.seed, **work.machine
        )
    if judgments is None or queries is None:
        return  # a folder that is there
    train(
        folder,
        judgments,
        queries,
        work.shop.products,
        good=good,
        fields=work.fields,
        settings=ClassifierSettings(
            epochs=wanted.epochs,
            max_length=wanted.max_length,
            paired_anew=paired_anew,
            seed=wanted.seed,
        ),
        model=work.experiment.catalogue.model,
        reading={"products": work.shop.reading},
        **work.machine,
    )


def train_rewriter(work: Work, name: str) -> None:
    """Train a policy on the accepted rewrites of the catalogue, and then by its rewards."""
    wanted = work.experiment.rewriters[name]
    make_rewrites(work, wanted.queries, CATALOGUE, wanted.rewrites, wanted.seed)
    accept_rewrites(work, wanted.queries, CATALOGUE, wanted.rewrites)
    raise SettingsError(f"rewriters.{name}: policies cannot be trained yet.")


def make_pairs(work: Work, name: str) -> None:
    """Rewrite the queries, filter the rewrites, and make pairs with their data card."""
    from evalkit.synthesis.pairs import PairSettings, synthesize_pairs

    wanted = work.experiment.training_data[name]
    make_rewrites(work, wanted.queries, wanted.rewriter, wanted.rewrites, wanted.seed)
    accepted = accept_rewrites(work, wanted.queries, wanted.rewriter, wanted.rewrites)
    output = work.pairs(name)
    output.parent.mkdir(parents=True, exist_ok=True)
    held_out = _hold_out(work, name, wanted.held_out)
    synthesize_pairs(
        work.queries(wanted.queries),
        accepted,
        work.shop.products,
        work.base_indexes,
        work.classifier(wanted.classifier),
        output,
        candidates=work.pairs(name, "candidates.parquet"),
        held_out=held_out,
        catalogue_settings=work.catalogue_settings,
        triples=work.triples,
        settings=PairSettings(
            precision=wanted.precision,
            threshold=wanted.threshold,
            per_query=wanted.per_query,
            negatives=wanted.negatives,
            per_product=wanted.per_product,
            dev_share=wanted.dev_share,
            seed=wanted.seed,
        ),
        fields=work.fields,
        reading=work.shop.reading,
        **work.machine,
    )
    _write_card(work, name, accepted)


def _hold_out(work: Work, data: str, sets: tuple[str, ...]) -> Path | None:
    """Write the queries of several sets as one table, with the set before their ids."""
    import pyarrow as pa

    from evalkit.tables import read, write

    if not sets:
        return None
    started = time.monotonic()
    output = work.held_out(data)
    files = {name: work.queries(name) for name in sets}
    wanted = Manifest(
        command="evalkit run: held-out queries",
        settings={"sets": list(sets)},
        inputs=tuple(Input("queries", str(path), fingerprint(path)) for path in files.values()),
    )
    if not work.force and finished_before(output, wanted) is not None:
        return output
    with open_engine(work.memory_limit) as connection:
        parts = []
        for name, path in files.items():
            rows = read("queries", path, connection).relation
            parts.append(
                rows.select(
                    f"'{name}:' || query_id AS query_id, CAST(query AS VARCHAR) AS query, "
                    "CAST(structure AS VARCHAR) AS structure, "
                    "CAST(query_type AS VARCHAR) AS query_type"
                )
                .order("query_id")
                .to_arrow_table()
            )
        table = pa.concat_tables(parts, promote_options="permissive")
        write(table, output, kind="queries", connection=connection)
    replace(wanted, counts={"queries": table.num_rows}).write(output, started=started)
    say(f"Wrote {output}: {table.num_rows:,} queries that must not occur in training.")
    return output


def _write_card(work: Work, name: str, accepted: Path) -> None:
    """Write the data card beside the pairs, unless it is newer than they are."""
    from evalkit.files import write_text
    from evalkit.reports.data_card import card_markdown, write_card_page
    from evalkit.synthesis.data_card import make_card

    wanted = work.experiment.training_data[name]
    pairs, candidates = work.pairs(name), work.pairs(name, "candidates.parquet")
    page, text = work.pairs(name, "card.html"), work.pairs(name, "card.md")
    made = pairs.stat().st_mtime_ns
    if (
        page.is_file()
        and text.is_file()
        and min(page.stat().st_mtime_ns, text.stat().st_mtime_ns) >= made
    ):
        return
    document = make_card(
        work.queries(wanted.queries), accepted, candidates, pairs, seed=wanted.seed
    )
    write_card_page(document, page)
    write_text(card_markdown(document), text)
    say(f"Wrote {page}: what the filters kept and dropped.")


def train_retriever(work: Work, name: str) -> None:
    """Train the catalogue's encoder on pairs, once a seed, and index the catalogue with it."""
    wanted = work.experiment.retrievers[name]
    for seed in wanted.seeds:
        output = work.retriever(name, seed)
        output.parent.mkdir(parents=True, exist_ok=True)
        raise SettingsError(f"retrievers.{name}: retrievers cannot be trained yet.")
        index_dense(work, work.index(name, seed), str(output))
