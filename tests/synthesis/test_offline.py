"""Searching with every rewrite, and fusing what is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from evalkit.synthesis.offline import Depth, search_offline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Lists:
    """A retriever whose results are written down."""

    def __init__(self, results: Mapping[str, Sequence[str]]) -> None:
        self.results = results

    def search(
        self,
        queries: pa.Table,
        k: int,
        *,
        system: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> pa.Table:
        rows = [
            (query_id, product, rank)
            for query_id, text in zip(
                queries.column("query_id").to_pylist(),
                queries.column("query").to_pylist(),
                strict=True,
            )
            for rank, product in enumerate(self.results.get(text, ())[:k], start=1)
        ]
        return pa.table(
            {
                "query_id": pa.array([row[0] for row in rows], pa.string()),
                "product_id": pa.array([row[1] for row in rows], pa.string()),
                "rank": pa.array([row[2] for row in rows], pa.int32()),
                "score": pa.array([1.0 / row[2] for row in rows], pa.float64()),
                "system": pa.array([system] * len(rows), pa.string()),
            }
        )


def asked(*rows: tuple[str, int, str]) -> pa.Table:
    return pa.table(
        {
            "query_id": [row[0] for row in rows],
            "place": pa.array([row[1] for row in rows], pa.int32()),
            "text": [row[2] for row in rows],
        }
    )


def search(depth: Depth = Depth()) -> list[dict[str, object]]:  # noqa: B008 - frozen
    words = Lists({"wool coat": ["a", "b"], "felt coat": ["b", "c"], "lamp": ["z"]})
    meaning = Lists({"wool coat": ["b", "a"], "felt coat": ["b"]})
    table = asked(("q1", 0, "wool coat"), ("q1", 1, "felt coat"), ("q2", 0, "lamp"))
    found = search_offline(table, {"bm25": words, "dense": meaning}, duckdb.connect(), depth)
    return found.to_pylist()


def test_reciprocal_ranks_are_added_over_rewrites_and_indexes() -> None:
    rows = {row["product_id"]: row for row in search() if row["query_id"] == "q1"}
    # b: second by words and first by meaning for "wool coat", first twice for "felt coat"
    assert rows["b"]["fused_score"] == pytest.approx(1 / 62 + 3 / 61, abs=1e-15)
    assert rows["a"]["fused_score"] == pytest.approx(1 / 61 + 1 / 62, abs=1e-15)
    assert rows["c"]["fused_score"] == pytest.approx(1 / 62, abs=1e-15)
    assert [rows[name]["fused_rank"] for name in "bac"] == [1, 2, 3]


def test_the_best_ranks_and_the_text_that_gave_them_are_kept() -> None:
    rows = {row["product_id"]: row for row in search() if row["query_id"] == "q1"}
    assert (rows["b"]["bm25_rank"], rows["b"]["dense_rank"], rows["b"]["place"]) == (1, 1, 0)
    assert (rows["c"]["bm25_rank"], rows["c"]["dense_rank"], rows["c"]["place"]) == (2, None, 1)


def test_queries_do_not_mix() -> None:
    assert [row["product_id"] for row in search() if row["query_id"] == "q2"] == ["z"]


def test_depth_cuts_each_list_and_the_fused_one() -> None:
    assert {row["product_id"] for row in search(Depth(each=1))} == {"a", "b", "z"}
    assert [row["product_id"] for row in search(Depth(fused=1))] == ["b", "z"]


def test_equal_scores_stand_by_product_id_descending() -> None:
    words = Lists({"x": ["k"], "y": ["m"]})
    found = search_offline(
        asked(("q", 0, "x"), ("q", 1, "y")), {"bm25": words}, duckdb.connect(), Depth()
    )
    assert found.column("product_id").to_pylist() == ["m", "k"]
