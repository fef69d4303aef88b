"""Judging with a judge that does not always answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.manifest import read_manifest
from evalkit.relevance.judging import judge_results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest


@dataclass
class Moody:
    """A judge that finds everything good, if it answers."""

    answers: bool = False
    asked: list[int] = field(default_factory=list)
    source: str = "llm"
    name: str = "moody"
    lowest: float = 0.0
    models: tuple[Mapping[str, Any], ...] = ()

    def judge_pairs(self, pairs: pa.Table, progress: Callable[[int], object]) -> pa.Table:
        self.asked.append(pairs.num_rows)
        grades = [
            2.0 if self.answers or product_id == "p1" else None
            for product_id in pairs.column("product_id").to_pylist()
        ]
        return pa.table({"grade": pa.array(grades, pa.float64())})


def test_a_file_that_lacks_grades_is_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs, queries, products = (tmp_path / f"{name}.csv" for name in ("pairs", "queries", "shop"))
    pairs.write_text("query_id,product_id\nq1,p1\nq1,p2\n", "utf-8")
    queries.write_text("query_id,query\nq1,jacket\n", "utf-8")
    products.write_text("product_id,title\np1,red jacket\np2,blue jacket\n", "utf-8")
    judge, out = Moody(), tmp_path / "judgments.parquet"

    def run() -> list[str]:
        judge_results(out, judge, queries, products, pairs=pairs)
        return list(pq.read_table(out)["product_id"].to_pylist())

    assert run() == ["p1"]
    assert read_manifest(out).counts["not_judged"] == 1
    assert "no grade to 1 pairs; the same command judges again" in capsys.readouterr().err
    judge.answers = True
    assert run() == ["p1", "p2"]
    assert "lacks 1 pairs without a grade" in capsys.readouterr().err
    assert run() == ["p1", "p2"]
    assert judge.asked == [2, 2]
    assert "is up to date" in capsys.readouterr().err
