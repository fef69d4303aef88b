"""Stages before any training: indexes, queries with structures, and their rewrites."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evalkit.engines import open_engine
from evalkit.experiment.description import NONE
from evalkit.experiment.holding_out import leave_out
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import say

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.experiment.description import QuerySet
    from evalkit.experiment.folder import Work

__all__ = ["accept_rewrites", "index_base", "index_dense", "make_queries", "make_rewrites"]


def index_base(work: Work) -> None:
    """Index the catalogue by words, and by the meaning that the encoder sees untrained."""
    from evalkit.retrieval import LexicalSettings, index_products

    lexical, dense = work.base_indexes
    index_products(
        work.shop.products,
        lexical,
        LexicalSettings(),
        fields=work.fields,
        reading=work.shop.reading,
        **work.machine,
    )
    index_dense(work, dense, work.experiment.catalogue.model)


def index_dense(work: Work, output: Path, model: str | None) -> None:
    """Index the catalogue by the meaning that an encoder sees.

    Args:
        work: the experiment.
        output: the index.
        model: the encoder's folder or hub id; None is the default one.
    """
    from evalkit.retrieval import VectorIndexSettings, index_products, open_encoder

    index_products(
        work.shop.products,
        output,
        VectorIndexSettings(),
        encoder=open_encoder(model),
        fields=work.fields,
        reading=work.shop.reading,
        **work.machine,
    )


def make_queries(work: Work, name: str) -> None:
    """Write a set of queries with their structures: synthesized, read by rules, or as they are."""
    wanted = work.experiment.queries[name]
    output = work.all_queries(name)
    output.parent.mkdir(parents=True, exist_ok=True)
    if wanted.file is not None:
        _take_queries(work, wanted.file, dict(wanted.map), output)
    else:
        _synthesize(work, wanted, output)
    if wanted.held_out:
        leave_out(work, name, output)


def _synthesize(work: Work, wanted: QuerySet, output: Path) -> None:
    from evalkit.synthesis.queries import QuerySettings, synthesize_queries

    synthesize_queries(
        work.shop.products,
        output,
        settings=QuerySettings(
            per_type=wanted.per_type,
            min_products=wanted.min_products,
            per_family=wanted.per_family,
            seed=wanted.seed,
            part=wanted.part,
            test_share=wanted.test_share,
        ),
        catalogue_settings=work.catalogue_settings,
        triples=work.triples,
        report=output.with_suffix(".md"),
        reading=work.shop.reading,
        **work.machine,
    )


def _take_queries(work: Work, source: Path, mapping: dict[str, str], output: Path) -> None:
    """Read the structure of the queries of a file, or take the one that it states."""
    from evalkit.constraints.parsing_stage import parse_queries
    from evalkit.tables import read

    reading: dict[str, Any] = {"mapping": mapping} if mapping else {}
    with open_engine(work.memory_limit) as connection:
        columns = read("queries", source, connection, **reading).columns
    if "structure" not in columns:
        parse_queries(
            source,
            output,
            catalogue=work.shop,
            keep_type="query_type" in columns,
            reading=reading,
            **work.machine,
        )
        return
    _copy_queries(work, source, mapping, output)


def _copy_queries(work: Work, source: Path, mapping: dict[str, str], output: Path) -> None:
    import pyarrow as pa

    from evalkit.constraints.typed_queries import stated_structures
    from evalkit.tables import read, write

    started = time.monotonic()
    wanted = Manifest(
        command="evalkit run: queries",
        settings={"map": mapping},
        inputs=(Input("queries", str(source), fingerprint(source)),),
    )
    if not work.force and finished_before(output, wanted) is not None:
        say(f"{output} is up to date (same queries).")
        return
    with open_engine(work.memory_limit) as connection:
        table = read("queries", source, connection, mapping=mapping)
        rows = table.relation.order("query_id").to_arrow_table()
        ids = [str(each) for each in rows.column("query_id").to_pylist()]
        stated = stated_structures(ids, rows.column("structure").to_pylist(), table.path)
        if "query_type" not in rows.column_names:
            types = [stated[each].query_type if each in stated else None for each in ids]
            rows = rows.append_column("query_type", pa.array(types, pa.string()))
        write(rows, output, kind="queries", connection=connection)
    replace(wanted, counts={"queries": rows.num_rows}).write(output, started=started)
    say(f"Wrote {output}: {rows.num_rows:,} queries with the structures that they state.")


def make_rewrites(work: Work, queries: str, rewriter: str, n: int, seed: int) -> Path:
    """Rewrite a set of queries and return the table.

    Args:
        work: the experiment.
        queries: the set.
        rewriter: `catalogue`, `none`, or one of the experiment's.
        n: rewrites a query at most.
        seed: of choices between equals.
    """
    from evalkit.rewriting.rewriting import RewriteSettings, rewrite_queries

    output = work.rewrites(queries, rewriter, n, seed)
    output.parent.mkdir(parents=True, exist_ok=True)
    if rewriter == NONE:
        _repeat_queries(work, work.queries(queries), output)
        return output
    own = rewriter in work.experiment.rewriters
    rewrite_queries(
        work.queries(queries),
        work.shop.products,
        output,
        RewriteSettings(
            rewriter=str(work.rewriter(rewriter)) if own else rewriter,
            n=n,
            seed=seed,
            catalogue=work.catalogue_settings,
            triples=work.triples,
            reading={"products": work.shop.reading},
        ),
        **work.machine,
    )
    return output


def _repeat_queries(work: Work, queries: Path, output: Path) -> None:
    """Write a table of rewrites in which every query is its own, so that nothing is rewritten."""
    from evalkit.tables import read, write

    started = time.monotonic()
    wanted = Manifest(
        command="evalkit run: queries as rewrites",
        settings={},
        inputs=(Input("queries", str(queries), fingerprint(queries)),),
    )
    if not work.force and finished_before(output, wanted) is not None:
        say(f"{output} is up to date (same queries).")
        return
    with open_engine(work.memory_limit) as connection:
        table = read("queries", queries, connection)
        rows = (
            table.relation.select(
                "query_id, CAST(query AS VARCHAR) AS rewrite, CAST(1 AS BIGINT) AS place, "
                "'none' AS method, 'none' AS rewriter"
            )
            .filter("trim(rewrite) <> ''")
            .order("query_id")
            .to_arrow_table()
        )
        write(rows, output, kind="rewrites", connection=connection)
    replace(wanted, counts={"rewrites": rows.num_rows}).write(output, started=started)
    say(f"Wrote {output}: {rows.num_rows:,} queries, each as its only rewrite.")


def accept_rewrites(work: Work, queries: str, rewriter: str, n: int, seed: int) -> Path:
    """Filter the rewrites by the rules and the cosine, and return the table.

    Queries that stand for themselves (`none`) are not filtered: the rules refuse echoes.
    """
    from evalkit.relevance.rewrite_filter import filter_rewrites
    from evalkit.relevance.rewrite_scorers import TOPIC_THRESHOLD, open_topic_cosine
    from evalkit.rewriting.rules import RULES, filter_rule

    if rewriter == NONE:
        return work.rewrites(queries, rewriter, n, seed)
    cosine = open_topic_cosine(work.experiment.catalogue.model)
    with open_engine(work.memory_limit) as connection:
        _, graph = work.shop.open(connection)
    output = work.accepted(queries, rewriter, n, seed)
    filter_rewrites(
        output,
        work.rewrites(queries, rewriter, n, seed),
        work.queries(queries),
        rule=filter_rule(graph),
        model=cosine,
        models=(cosine.to_manifest("relevance"),),
        threshold=TOPIC_THRESHOLD,
        settings={"rules": RULES},
        inputs=work.shop.paths(),
        reading={"products": work.shop.reading},
        **work.machine,
    )
    return output
