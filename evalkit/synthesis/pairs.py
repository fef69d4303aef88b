"""The stage behind `evalkit synthesize pairs`: accepted rewrites become query–product pairs.

It reads queries, rewrites, catalogue, indexes and a classifier, lets `pairs_deciding` decide query
by query, in chunks that survive an interruption, and writes what `pairs_tables` makes of it.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.chunks import open_chunks
from evalkit.constraints.families import FAMILIES, families
from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import progress_bar, say
from evalkit.synthesis.pairs_deciding import AskedQuery, Judge, PairSettings, decide
from evalkit.synthesis.pairs_tables import count_pairs, settle, take_pairs
from evalkit.synthesis.reading import read_accepted, read_product_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.knowledge import Catalogue, Graph
    from evalkit.retrieval.retriever import DenseRetriever, LexicalRetriever

__all__ = ["PairSettings", "synthesize_pairs"]

_CHUNK = 100


def synthesize_pairs(
    queries: str | os.PathLike[str],
    rewrites: str | os.PathLike[str],
    products: str | os.PathLike[str],
    indexes: Sequence[str | os.PathLike[str]],
    classifier: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    candidates: str | os.PathLike[str] | None = None,
    held_out: str | os.PathLike[str] | None = None,
    catalogue_settings: str | os.PathLike[str] | None = None,
    triples: str | os.PathLike[str] | None = None,
    settings: PairSettings | None = None,
    fields: Sequence[str] | None = None,
    reading: Mapping[str, Any] | None = None,
    force: bool = False,
    memory_limit: str = "2GB",
    threads: int | None = None,
) -> Manifest:
    """Make training pairs; a stage that was interrupted goes on after its last chunk.

    Args:
        queries: typed queries (`evalkit synthesize queries`, `evalkit parse queries`).
        rewrites: their rewrites; where there is a column `accepted`, only the accepted ones.
        products: the catalogue.
        indexes: folders of indexes over it, words or meaning.
        classifier: folder of a query–product classifier (`evalkit train classifier`).
        output: the pairs; see docs/synthesis.md for the columns.
        candidates: where every product that was looked at goes, with its decision; None for
            nowhere.
        held_out: queries, such as those of the evaluation, that must not occur, nor others like
            them; see `evalkit.synthesis.held_out`.
        catalogue_settings: YAML file; see `evalkit.knowledge.settings`.
        triples: CSV file with what else is known; see `evalkit.knowledge.triples`.
        settings: what is kept.
        fields: columns that make a product's text; None takes the classifier's.
        reading: keyword arguments of `evalkit.tables.read` for the catalogue.
        force: make them again in any case.
        memory_limit: for reading and joining.
        threads: of DuckDB.

    Returns:
        The manifest; its counts say what became of queries, rewrites and products.

    Raises:
        InputError: a file cannot be used, or nothing would be kept.
        SettingsError: settings that do not fit.
        ModelError: a model cannot be opened.
    """
    from evalkit.constraints.as_judge import checker_as_judge
    from evalkit.constraints.checking import CHECKS, Checker
    from evalkit.constraints.parsing_stage import RULES
    from evalkit.constraints.topic import TOPIC
    from evalkit.knowledge import CatalogueFiles
    from evalkit.relevance import open_classifier
    from evalkit.retrieval.retriever import index_fingerprint
    from evalkit.synthesis.held_out import GUARD
    from evalkit.tables import write

    started = time.monotonic()
    chosen = settings or PairSettings()
    target = Path(output)
    judging = open_classifier(classifier, use="products")
    retrievers = _open_indexes(indexes, products)
    threshold = (
        judging.threshold(chosen.precision) if chosen.threshold is None else chosen.threshold
    )
    shop = CatalogueFiles(products, catalogue_settings, triples, reading or {})
    files = {"queries": queries, "rewrites": rewrites, "held_out": held_out}
    inputs = tuple(
        Input(role, str(path), fingerprint(path)) for role, path in files.items() if path
    )
    wanted = Manifest(
        command="evalkit synthesize pairs",
        settings=asdict(chosen)
        | {
            "threshold": threshold,
            "fields": list(fields) if fields is not None else None,
            "reading": dict(reading or {}),
            "rules": RULES,  # by which queries without a structure are read
            "checks": CHECKS,
            "topic": TOPIC,
            "families": FAMILIES,
            "guard": None if held_out is None else GUARD,
            "indexes": {
                name: index_fingerprint(retriever.manifest)
                for name, retriever in sorted(retrievers.items())
            },
        },
        inputs=(*inputs, *shop.inputs()),
        models=(
            judging.to_manifest("relevance"),
            *([checker_as_judge(shop)] if chosen.filters else []),
        ),
        seeds={"split": chosen.seed},
    )
    beside = None if candidates is None else Path(candidates)
    done = None if force else finished_before(target, wanted)
    if done is not None and (beside is None or finished_before(beside, wanted) is not None):
        say(f"{target} is up to date (same inputs and settings); --force makes it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        catalogue, graph = shop.open(connection)
        asked, warnings = _ask(
            queries,
            rewrites,
            held_out,
            connection,
            catalogue,
            graph,
            positive_part=chosen.positive_part,
        )
        texts = read_product_texts(
            products, connection, catalogue, fields or judging.fields, reading=reading
        )
        judge = Judge(catalogue, Checker(catalogue, graph), judging, threshold, texts)
        chunks = open_chunks(target, wanted, force=force)
        if chunks.reused:
            say(f"Going on after {chunks.reused} finished chunks of {_CHUNK} queries.")
        decided: list[pa.Table] = []
        with progress_bar(len(asked), "Searching and judging", "queries") as moved:
            for number, start in enumerate(range(0, len(asked), _CHUNK)):
                some = asked[start : start + _CHUNK]
                make = partial(decide, some, retrievers, judge, chosen, connection)
                decided.append(chunks.get(number, make))
                moved(len(some))
        looked_at = settle(decided, asked, judge, chosen, connection)
        pairs = take_pairs(looked_at, connection)
        counts = count_pairs(looked_at, pairs, asked, connection)
        if chosen.dev_share > 0:
            warnings += _without_dev(pairs)
        finished = replace(wanted, counts=counts, warnings=warnings)
        target.parent.mkdir(parents=True, exist_ok=True)
        if beside is not None:
            write(looked_at, beside, kind="pairs", connection=connection)
            finished.write(beside, started=started)
        if not pairs.num_rows:
            raise InputError(
                str(queries),
                [Problem("no pair was kept")],
                remedy="A lower --threshold or --precision keeps more; --candidates shows why.",
            )
        write(pairs, target, kind="pairs", connection=connection)
    finished.write(target, started=started)
    chunks.remove()
    say(
        f"Wrote {target}: {counts['pairs']:,} pairs and {counts['hard_negatives']:,} hard "
        f"negatives of {counts['queries_with_pairs']:,} of {len(asked):,} queries in "
        f"{time.monotonic() - started:.0f} s."
    )
    return finished


def _open_indexes(
    folders: Sequence[str | os.PathLike[str]], products: str | os.PathLike[str]
) -> dict[str, DenseRetriever | LexicalRetriever]:
    """Open the indexes by what they search with: `bm25` or `dense`, one of each at most."""
    from evalkit.retrieval import open_index

    found: dict[str, DenseRetriever | LexicalRetriever] = {}
    opened: dict[str, str] = {}
    for folder in folders:
        retriever = open_index(folder, products=products)
        lexical = retriever.manifest.settings["kind"] == "lexical"
        name, words = ("bm25", "words") if lexical else ("dense", "meaning")
        if name in found:
            raise SettingsError(
                f"--index {folder}: {opened[name]} is an index of {words} already; give one of "
                "words and one of meaning."
            )
        found[name], opened[name] = retriever, str(folder)
    if not found:
        raise SettingsError("There is no index to search; give --index, best twice.")
    return found


def _ask(
    queries: str | os.PathLike[str],
    rewrites: str | os.PathLike[str],
    held_out: str | os.PathLike[str] | None,
    connection: DuckDBPyConnection,
    catalogue: Catalogue,
    graph: Graph,
    *,
    positive_part: bool,
) -> tuple[list[AskedQuery], tuple[str, ...]]:
    """Read the queries and what is searched for each; also return the warnings that were said."""
    from evalkit.constraints import read_typed_queries
    from evalkit.constraints.topic import topic
    from evalkit.synthesis.held_out import HeldOut

    typed = read_typed_queries(queries, connection, catalogue, graph)
    accepted = read_accepted(rewrites, connection)
    if not accepted:
        raise InputError(
            str(rewrites),
            [Problem("there is no accepted rewrite")],
            remedy="Write some with evalkit rewrite, or filter them less strictly.",
        )
    warnings = _strangers(rewrites, accepted, {query.query_id for query in typed})
    outside = [""] * len(typed)
    if held_out is not None:
        reported = read_typed_queries(held_out, connection, catalogue, graph)
        outside = HeldOut(reported, catalogue, graph).reasons(typed)
    asked = []
    for query, reason in zip(typed, outside, strict=True):
        own = topic(query.query, query.structure).strip() if positive_part else ""
        texts = {0: own} if own else {}
        texts |= enumerate(accepted.get(query.query_id, ()), start=1)
        asked.append(AskedQuery(query, texts, families(query.structure, query.family), reason))
    return asked, warnings


def _strangers(
    path: str | os.PathLike[str], rewrites: Mapping[str, Sequence[str]], known: set[str]
) -> tuple[str, ...]:
    """Say which rewrites belong to no query; refuse when none does."""
    strangers = sorted(rewrites.keys() - known)
    if not strangers:
        return ()
    if len(strangers) == len(rewrites):
        raise InputError(
            str(path),
            [Problem("no rewrite belongs to any of the queries", query_id=strangers[0])],
            remedy="Give the queries that were rewritten.",
        )
    count = sum(len(rewrites[query_id]) for query_id in strangers)
    return _warn(
        f"{path}: {count:,} rewrites belong to {len(strangers):,} queries that are not among the "
        f"queries, such as {strangers[0]}; they are left out."
    )


def _without_dev(pairs: pa.Table) -> tuple[str, ...]:
    """Say which types of query have pairs for training and none for development."""
    drawn = pairs.select(["query_type", "split"]).group_by(["query_type", "split"]).aggregate([])
    found = {(row["query_type"], row["split"]) for row in drawn.to_pylist()}
    missing = sorted(
        kind for kind, split in found if split == "train" and (kind, "dev") not in found
    )
    if not missing:
        return ()
    return _warn(
        f"no pairs for development of the type{'s' if len(missing) > 1 else ''} "
        f"{', '.join(missing)}: too few families for --dev-share; make more queries, or raise it."
    )


def _warn(warning: str) -> tuple[str, ...]:
    say(f"Warning: {warning}")
    return (warning,)
