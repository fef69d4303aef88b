"""The fingerprint of a query set: the same for the same queries, whatever they were written in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.tables import read
from evalkit.tables.query_sets import fingerprint_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS: list[dict[str, Any]] = [
    {"query_id": "q1", "query": "shoes, red", "weight": 2.0, "type": "plain", "tier": 1},
    {"query_id": "q10", "query": "boots", "weight": 1.5, "type": "negative", "tier": 2},
    {"query_id": "q2", "query": "größe 42", "weight": 1.0, "type": "", "tier": 1},
]


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(rows: Sequence[dict[str, Any]], name: str) -> str:
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(list(rows)), name)
    elif name.endswith(".jsonl"):
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        quoted = [",".join(f'"{value}"' for value in row.values()) for row in rows]
        Path(name).write_text("\n".join([",".join(rows[0]), *quoted]) + "\n")
    return name


def found(
    rows: Sequence[dict[str, Any]], name: str = "queries.csv", by: Sequence[str] = ("type", "tier")
) -> dict[str, Any]:
    connection = duckdb.connect()
    table = read("queries", write(rows, name), connection)
    ids = pa.chunked_array([sorted(row["query_id"] for row in rows)])
    return fingerprint_queries(ids, table, by)


@pytest.mark.parametrize("name", ["queries.parquet", "queries.jsonl"])
def test_the_format_of_the_file_says_nothing(name: str) -> None:
    assert found(ROWS, name) == found(ROWS)


def test_the_order_of_rows_and_of_columns_says_nothing() -> None:
    turned = [dict(reversed(list(row.items()))) for row in reversed(ROWS)]
    assert found(turned) == found(ROWS)
    assert found(ROWS, by=("tier", "type"))["fingerprint"] == found(ROWS)["fingerprint"]


def test_columns_that_no_figure_uses_say_nothing() -> None:
    assert found([{**row, "note": "seen"} for row in ROWS]) == found(ROWS)


def test_whole_numbers_are_the_same_in_any_type() -> None:
    floats = [{**row, "tier": float(row["tier"])} for row in ROWS]
    texts = [{**row, "tier": str(row["tier"])} for row in ROWS]
    assert found(floats, "a.parquet") == found(ROWS)
    assert found(texts, "b.parquet") == found(ROWS)


def test_a_missing_text_and_an_empty_one_are_the_same() -> None:
    rows = [{**row, "type": row["type"] or None} for row in ROWS]
    assert found(rows, "a.parquet") == found(ROWS)


CHANGED: dict[str, dict[str, Any]] = {
    "query_id": {"query_id": "q3"},
    "query": {"query": "size 42"},
    "weight": {"weight": 1.25},
    "type": {"type": "plain"},
    "tier": {"tier": 3},
}


@pytest.mark.parametrize("column", CHANGED)
def test_a_value_that_changed_changes_the_fingerprint_and_its_column(column: str) -> None:
    before, after = found(ROWS), found([*ROWS[:2], {**ROWS[2], **CHANGED[column]}])
    assert after["fingerprint"] != before["fingerprint"]
    changed = {name for name in CHANGED if after["columns"][name] != before["columns"][name]}
    assert changed == {column}


def test_a_query_added_changes_the_fingerprint() -> None:
    more = [*ROWS, {**ROWS[0], "query_id": "q3"}]
    assert found(more)["fingerprint"] != found(ROWS)["fingerprint"]


def test_values_that_move_to_the_neighbour_change_the_fingerprint() -> None:
    one = [{"query_id": "a", "query": "xy"}, {"query_id": "b", "query": "z"}]
    two = [{"query_id": "a", "query": "x"}, {"query_id": "b", "query": "yz"}]
    assert found(one, by=())["fingerprint"] != found(two, by=())["fingerprint"]


def test_without_a_file_the_ids_are_what_there_is() -> None:
    ids = pa.chunked_array([["q1", "q2"]])
    assert list(fingerprint_queries(ids)["columns"]) == ["query_id"]
    sliced = pa.chunked_array([["q0", "q1", "q2", "q3"]])[1:3]
    assert fingerprint_queries(sliced) == fingerprint_queries(ids)
