"""Rewriting at query time: a query's text and its rewrites search, and their lists become one.

Lists of a query are fused by reciprocal ranks (`evalkit.retrieval.fusion`), the query's own list
among them, all with the same weight. A query without rewrites keeps the order of its own list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.errors import SettingsError
from evalkit.retrieval.fusion import RRF_K, fuse_lists

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.retrieval.retriever import Retriever

__all__ = ["RewritingRetriever", "SearchedRewrites", "read_rewrites"]

_SEARCHING = 2  # raised when the same rewrites may give another run, for manifests
_BATCH = 500  # queries whose lists are fused at once


@dataclass(frozen=True)
class SearchedRewrites:
    """Which rewrites search beside their query.

    Attributes:
        path: their table: query_id and rewrite; place orders them, and where there is a column
            accepted only accepted ones count.
        n: how many of a query at most, the best first; None takes all.
    """

    path: str | os.PathLike[str]
    n: int | None = None

    def check(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            SettingsError: says which.
        """
        if self.n is not None and self.n < 1:
            raise SettingsError(f"--rewrites-n is {self.n}; it must be 1 or more.")

    def to_manifest(self) -> dict[str, Any]:
        """Return the settings that a manifest records."""
        return {"rewrites": {"n": self.n, "rrf_k": RRF_K, "searching": _SEARCHING}}


@dataclass(frozen=True)
class RewritingRetriever:
    """Finds products by the text of a query and by its rewrites.

    Attributes:
        retriever: what searches for each text.
        rewrites: by query_id, the best first.
        connection: fuses.
    """

    retriever: Retriever
    rewrites: Mapping[str, Sequence[str]]
    connection: DuckDBPyConnection

    def search(
        self,
        queries: pa.Table,
        k: int,
        *,
        system: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> pa.Table:
        """Return a run, by query_id; see `evalkit.retrieval.retriever.Retriever.search`.

        Every text is searched for k products. Progress counts texts, not queries.
        """
        import pyarrow as pa

        parts = []
        for start in range(0, max(1, queries.num_rows), _BATCH):
            texts = self._texts(queries.slice(start, _BATCH))
            found = self.retriever.search(texts, k, system="list", progress=progress)
            parts.append(fuse_lists(found, self.connection, k, system or "rewrites"))
        return pa.concat_tables(parts).combine_chunks()

    def _texts(self, queries: pa.Table) -> pa.Table:
        """Return a row for each query and each of its rewrites, all under the query's id."""
        import pyarrow as pa

        rows = [
            (query_id, text)
            for query_id, query in zip(
                queries.column("query_id").to_pylist(),
                queries.column("query").to_pylist(),
                strict=True,
            )
            for text in (query, *self.rewrites.get(query_id, ()))
        ]
        return pa.table(
            {
                "query_id": pa.array([row[0] for row in rows], pa.string()),
                "query": pa.array([row[1] for row in rows], pa.string()),
            }
        )


def read_rewrites(
    settings: SearchedRewrites, queries: pa.Table, connection: DuckDBPyConnection
) -> tuple[dict[str, list[str]], dict[str, int]]:
    """Read the rewrites of queries, best first, and count them.

    A rewrite that says the same as its query, or as a rewrite before it, is left out: its list is
    there already, and would count twice.

    Args:
        settings: which.
        queries: query_id and query.
        connection: for reading.

    Returns:
        Rewrites by query_id, and the counts `rewrites` (that search), `queries_rewritten` and
        `rewrites_of_other_queries`.

    Raises:
        InputError: the file cannot be used.
    """
    from evalkit.tables import read

    table = read("rewrites", settings.path, connection)
    rows = table.relation
    if "accepted" in table.columns:
        rows = rows.filter("CAST(accepted AS BOOLEAN)")
    order = "query_id, place, rewrite" if "place" in table.columns else "query_id, rewrite"
    asked = dict(
        zip(
            queries.column("query_id").to_pylist(),
            queries.column("query").to_pylist(),
            strict=True,
        )
    )
    found: dict[str, list[str]] = {}
    said = {query_id: {_plain(query)} for query_id, query in asked.items()}
    others = 0
    for query_id, rewrite in rows.order(order).select("query_id, rewrite").fetchall():
        if query_id not in asked:
            others += 1
        elif _plain(rewrite) not in said[query_id]:
            said[query_id].add(_plain(rewrite))
            found.setdefault(query_id, []).append(rewrite)
    found = {query_id: texts[: settings.n] for query_id, texts in found.items()}
    return found, {
        "rewrites": sum(map(len, found.values())),
        "queries_rewritten": len(found),
        "rewrites_of_other_queries": others,
    }


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
