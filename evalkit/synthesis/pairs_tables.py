"""From products that were decided query by query to the tables of candidates and of pairs.

What holds over all queries is settled here: each belongs to one split or is left out, a product
stays in its most probable pairs only, and a query without a pair has no hard negatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.constraints.families import join_families, split_of
from evalkit.synthesis.pairs_deciding import searched_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.synthesis.pairs_deciding import AskedQuery, Judge, PairSettings

__all__ = ["count_pairs", "settle", "take_pairs"]


def settle(
    decided: Sequence[pa.Table],
    asked: Sequence[AskedQuery],
    judge: Judge,
    settings: PairSettings,
    connection: DuckDBPyConnection,
) -> pa.Table:
    """Add queries, texts and splits, and cap the products over all queries.

    Args:
        decided: tables of `pairs_deciding.decide`.
        asked: their queries.
        judge: who decided; it has the products' texts.
        settings: what is kept.
        connection: a DuckDB connection that does the joining.

    Returns:
        The candidates, by query_id and fused_rank; see docs/synthesis.md for the columns.
    """
    import pyarrow as pa

    connection.register("evalkit_typed", _queries(asked, settings))
    connection.register(
        "evalkit_places", searched_texts(asked).rename_columns(["query_id", "place", "rewrite"])
    )
    connection.register(
        "evalkit_product_texts",
        pa.table(
            {
                "product_id": pa.array(list(judge.catalogue.product_ids), pa.string()),
                "text": pa.array(list(judge.texts), pa.string()),
            }
        ),
    )
    connection.register("evalkit_looked_at", pa.concat_tables(decided))
    return connection.execute(
        """
        WITH counted AS (
            SELECT *, CASE WHEN decision = 'kept' AND split IN ('train', 'dev') THEN
                row_number() OVER (
                    PARTITION BY product_id, decision, split IN ('train', 'dev')
                    ORDER BY probability DESC, query_id
                ) END AS turn
            FROM evalkit_looked_at JOIN evalkit_typed USING (query_id)
        ), paired AS (
            SELECT *, bool_or(turn <= ?) OVER (PARTITION BY query_id) AS pair FROM counted
        )
        SELECT query_id, query, product_id, text, query_type, family, split, rewrite,
            place AS rewrite_place, fused_rank, fused_score, bm25_rank, dense_rank, probability,
            "check", violates,
            CASE WHEN decision = 'kept' AND turn <= ? OR decision = 'negative' AND pair
                THEN decision ELSE 'dropped' END AS decision,
            CASE WHEN decision <> 'kept' THEN reason
                WHEN split = 'held out' THEN held_out
                WHEN split = 'none' THEN 'the families fall into both splits'
                WHEN turn > ? THEN 'the product has ' || CAST(? AS VARCHAR) || ' pairs already'
                ELSE reason END AS reason
        FROM paired JOIN evalkit_places USING (query_id, place)
        JOIN evalkit_product_texts USING (product_id)
        ORDER BY query_id, fused_rank
        """,
        [settings.per_product] * 4,
    ).to_arrow_table()


def _queries(asked: Sequence[AskedQuery], settings: PairSettings) -> pa.Table:
    """Return the queries with their splits; those of an evaluation are `held out`."""
    import pyarrow as pa

    splits = [
        "held out"
        if query.held_out
        else split_of(query.families, dev_share=settings.dev_share, seed=settings.seed)
        for query in asked
    ]
    columns = {
        "query_id": [query.typed.query_id for query in asked],
        "query": [query.typed.query for query in asked],
        "query_type": [query.typed.structure.query_type for query in asked],
        "family": [join_families(query.families) for query in asked],
        "split": splits,
        "held_out": [query.held_out for query in asked],
    }
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})


def take_pairs(candidates: pa.Table, connection: DuckDBPyConnection) -> pa.Table:
    """Return the pairs and hard negatives among the candidates."""
    connection.register("evalkit_candidates", candidates)
    return connection.execute(
        """
        SELECT query_id, query, product_id, text, CAST(decision = 'kept' AS INTEGER) AS label,
            query_type, family, split, rewrite, rewrite_place, fused_rank, fused_score, bm25_rank,
            dense_rank, probability, "check", violates, reason
        FROM evalkit_candidates
        WHERE decision IN ('kept', 'negative')
        ORDER BY query_id, label DESC, fused_rank
        """
    ).to_arrow_table()


def count_pairs(
    candidates: pa.Table,
    pairs: pa.Table,
    asked: Sequence[AskedQuery],
    connection: DuckDBPyConnection,
) -> dict[str, int]:
    """Count what became of queries, rewrites and products."""
    connection.register("evalkit_candidates", candidates)
    connection.register("evalkit_pairs", pairs)
    row = connection.execute(
        """
        SELECT count(*), count(*) FILTER ("check" = 'pass'), count(*) FILTER ("check" = 'unknown'),
            count(*) FILTER ("check" = 'fail'), count(probability),
            count(*) FILTER (starts_with(reason, 'classifier'))
        FROM evalkit_candidates
        """
    ).fetchone()
    kept = connection.execute(
        "SELECT count(*) FILTER (label = 1), count(*) FILTER (label = 0), "
        "count(DISTINCT query_id), count(*) FILTER (label = 1 AND split = 'dev') "
        "FROM evalkit_pairs"
    ).fetchone()
    names = ("looked_at", "check_pass", "check_unknown", "check_fail", "judged", "doubted")
    ends = ("pairs", "hard_negatives", "queries_with_pairs", "dev_pairs")
    return {
        "queries": len(asked),
        "rewrites": sum(place > 0 for query in asked for place in query.texts),
        **dict(zip(names, row or (), strict=True)),
        **dict(zip(ends, kept or (), strict=True)),
    }
