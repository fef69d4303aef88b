"""Reading queries with what they ask for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from evalkit.constraints import Condition, Structure, TypedQuery, read_typed_queries
from evalkit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

NO_LEATHER = Structure("negative", ("jacket",), excluded=(Condition("material", ("leather",)),))


def read(folder: Path, rows: list[dict[str, Any]], **chosen: Any) -> list[TypedQuery]:
    path = folder / "queries.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with duckdb.connect() as connection:
        return read_typed_queries(path, connection, **chosen)


def test_structure_and_family_are_those_of_the_table(tmp_path: Path) -> None:
    rows = [
        {"query_id": "b", "query": "x", "structure": NO_LEATHER.to_json(), "family": "f1"},
        {"query_id": "a", "query": "y", "structure": NO_LEATHER.to_json(), "family": None},
    ]
    assert read(tmp_path, rows) == [
        TypedQuery("a", "y", NO_LEATHER),
        TypedQuery("b", "x", NO_LEATHER, "f1"),
    ]


def test_what_the_table_does_not_state_is_read_by_rules(tmp_path: Path) -> None:
    rows = [
        {"query_id": "a", "query": "jacket without leather", "structure": None},
        {"query_id": "b", "query": "x", "structure": NO_LEATHER.to_json()},
    ]
    found = read(tmp_path, rows)
    assert [query.structure.query_type for query in found] == ["negative", "negative"]
    assert found[0].structure.excluded[0].values == ("leather",)


def test_queries_without_a_stated_structure_can_be_left_out(tmp_path: Path) -> None:
    rows = [
        {"query_id": "a", "query": "jacket without leather", "structure": " "},
        {"query_id": "b", "query": "x", "structure": NO_LEATHER.to_json()},
    ]
    assert [query.query_id for query in read(tmp_path, rows, stated=True)] == ["b"]
    with pytest.raises(InputError, match=r"no column structure.*evalkit parse queries"):
        read(tmp_path, [{"query_id": "a", "query": "x"}], stated=True)


def test_the_column_query_type_overrules_the_structure(tmp_path: Path) -> None:
    row = {"query_id": "a", "query": "x", "structure": NO_LEATHER.to_json()}
    found = read(tmp_path, [{**row, "query_type": "knowledge"}])
    assert found[0].structure.query_type == "knowledge"
    assert read(tmp_path, [{**row, "query_type": "?"}])[0].structure.query_type == "negative"


def test_all_structures_that_are_not_understood_are_named(tmp_path: Path) -> None:
    rows = [
        {"query_id": "a", "query": "x", "structure": "{}"},
        {"query_id": "b", "query": "x", "structure": NO_LEATHER.to_json()},
        {"query_id": "c", "query": "x", "structure": "no JSON"},
    ]
    with pytest.raises(InputError, match=r"(?s)query 'a': query_type is None.*query 'c'") as found:
        read(tmp_path, rows)
    assert found.value.total == 2


def test_queries_without_words_are_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, [{"query_id": "a", "query": " "}]) == []
