"""Taking out of a run what breaks a query's constraints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from evalkit.constraints import Condition, Structure
from evalkit.constraints.checking import CHECKS, Checker
from evalkit.knowledge import read_catalogue
from evalkit.retrieval.constrained import ConstraintSettings
from evalkit.retrieval.filtering import filter_run

if TYPE_CHECKING:
    from pathlib import Path

NO_LEATHER = Structure("negative", excluded=(Condition("material", ("leather",)),))


@pytest.fixture
def checker(tmp_path: Path) -> Checker:
    rows = [
        {"product_id": "a", "title": "One", "attributes": {"material": "leather"}},
        {"product_id": "b", "title": "Two", "attributes": {"material": "cotton"}},
        {"product_id": "c", "title": "Three", "attributes": {}},
        {"product_id": "d", "title": "Four", "attributes": {"material": "wool"}},
    ]
    file = tmp_path / "products.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return Checker(read_catalogue(file, duckdb.connect()))


def run_of(rows: list[tuple[str, str, int, float]]) -> pa.Table:
    query, product, rank, score = zip(*rows, strict=True)
    return pa.table(
        {
            "query_id": list(query),
            "product_id": list(product),
            "rank": pa.array(rank, pa.int32()),
            "score": list(score),
            "system": ["s"] * len(rows),
        }
    )


ROWS = [
    ("q1", "a", 1, 0.9),
    ("q1", "b", 2, 0.8),
    ("q1", "c", 3, 0.7),
    ("q1", "d", 4, 0.6),
    ("q1", "elsewhere", 5, 0.5),
    ("q2", "a", 1, 0.4),
]


def test_a_filtered_run_is_made_again_when_the_rules_of_checking_change() -> None:
    assert ConstraintSettings(filter=True).to_manifest()["checks"] == CHECKS
    assert "checks" not in ConstraintSettings(weight=0.4).to_manifest()


def test_what_fails_goes_and_ranks_are_numbered_anew(checker: Checker) -> None:
    run, counts = filter_run(run_of(ROWS), {"q1": NO_LEATHER}, checker, 10)
    assert run.column("product_id").to_pylist() == ["b", "c", "d", "elsewhere", "a"]
    assert run.column("rank").to_pylist() == [1, 2, 3, 4, 1]
    assert run.column("score").to_pylist() == [0.8, 0.7, 0.6, 0.5, 0.4]
    assert counts == {"passed": 2, "unknown": 1, "failed": 1, "unchecked": 2, "rows": 5}


def test_the_places_of_what_failed_are_filled_from_below(checker: Checker) -> None:
    run, _ = filter_run(run_of(ROWS), {"q1": NO_LEATHER}, checker, 2)
    assert run.column("product_id").to_pylist() == ["b", "c", "a"]


def test_the_run_keeps_its_columns_and_types(checker: Checker) -> None:
    before = run_of(ROWS)
    run, _ = filter_run(before, {"q1": NO_LEATHER}, checker, 10)
    assert run.schema == before.schema


def test_an_empty_run_stays_empty(checker: Checker) -> None:
    run, counts = filter_run(run_of(ROWS).slice(0, 0), {"q1": NO_LEATHER}, checker, 10)
    assert run.num_rows == counts["rows"] == 0
