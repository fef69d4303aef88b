"""Offline retrieval: every rewrite of a query searches every index, and the lists become one.

Offline there is time to look deeper than serving can. Lists are fused by reciprocal ranks
(`evalkit.retrieval.fusion`): score = Σ 1 / (60 + rank) over all rewrites and indexes that
found the product. A product that several rewrites find, by words and by meaning, comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.retrieval.fusion import reciprocal_rank

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.retrieval import Retriever

__all__ = ["Depth", "search_offline"]


@dataclass(frozen=True)
class Depth:
    """How deep is searched.

    Attributes:
        each: products that each rewrite takes from each index.
        fused: products of a query that are looked at, after fusing.
    """

    each: int = 100
    fused: int = 300


def search_offline(
    asked: pa.Table,
    retrievers: Mapping[str, Retriever],
    connection: DuckDBPyConnection,
    depth: Depth,
) -> pa.Table:
    """Search for every text and fuse the results of each query.

    Args:
        asked: query_id, place (0 for the query's own positive part, then its rewrites) and text.
        retrievers: by name, `bm25` and `dense` usually.
        connection: a DuckDB connection that does the joining.
        depth: how deep.

    Returns:
        query_id, product_id, fused_rank, fused_score, bm25_rank, dense_rank (best rank over the
        rewrites in an index of that kind, else null) and place (of the text that ranked it best,
        the first on equal ranks), by query_id and fused_rank. Equal scores stand by product_id,
        descending.
    """
    import pyarrow as pa

    rows = pa.array([f"{number:09d}" for number in range(asked.num_rows)])
    connection.register("evalkit_asked", asked.append_column("row", rows))
    searched = pa.table({"query_id": rows, "query": asked.column("text")})
    parts: list[Any] = []
    for name, retriever in retrievers.items():
        found = retriever.search(searched, depth.each, system=name)
        parts.append(found.select(["query_id", "product_id", "rank", "system"]))
    connection.register("evalkit_found", pa.concat_tables(parts))
    try:
        return connection.execute(
            f"""
            WITH hits AS (
                SELECT asked.query_id, found.product_id, found.rank, found.system, asked.place
                FROM evalkit_found AS found JOIN evalkit_asked AS asked
                ON found.query_id = asked.row
            ),
            fused AS (
                SELECT query_id, product_id,
                    -- parts are added in order of size, so that the same parts give the same sum
                    list_sum(list_sort(list({reciprocal_rank("rank")}))) AS score,
                    min(rank) FILTER (system = 'bm25') AS bm25_rank,
                    min(rank) FILTER (system = 'dense') AS dense_rank,
                    arg_min(place, rank * 1000000 + place) AS place
                FROM hits GROUP BY query_id, product_id
            ),
            ranked AS (
                SELECT *, row_number() OVER (
                    PARTITION BY query_id ORDER BY score DESC, product_id DESC
                ) AS fused_rank FROM fused
            )
            SELECT query_id, product_id, CAST(fused_rank AS INTEGER) AS fused_rank,
                score AS fused_score, CAST(bm25_rank AS INTEGER) AS bm25_rank,
                CAST(dense_rank AS INTEGER) AS dense_rank, CAST(place AS INTEGER) AS place
            FROM ranked WHERE fused_rank <= ? ORDER BY query_id, fused_rank
            """,
            [depth.fused],
        ).to_arrow_table()
    finally:
        connection.unregister("evalkit_asked")
        connection.unregister("evalkit_found")
