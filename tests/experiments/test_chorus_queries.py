"""The hand-written queries for the catalogue of Chorus; the catalogue itself is not needed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from evalkit.constraints.structure import QUERY_TYPES
from evalkit.constraints.typed_queries import TypedQuery, read_typed_queries
from evalkit.knowledge import read_settings

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "experiments" / "chorus_queries.jsonl"
SETTINGS = ROOT / "benchmarks" / "catalogues" / "chorus.yaml"


@pytest.fixture(scope="module")
def queries() -> list[TypedQuery]:
    with duckdb.connect() as connection:
        return read_typed_queries(FILE, connection, stated=True)


def test_every_line_is_a_query_with_a_structure(queries: list[TypedQuery]) -> None:
    assert len(queries) == len(FILE.read_text(encoding="utf-8").splitlines()) == 240


def test_there_are_sixty_queries_of_each_type(queries: list[TypedQuery]) -> None:
    assert Counter(query.structure.query_type for query in queries) == dict.fromkeys(
        QUERY_TYPES, 60
    )


def test_ids_are_unique_and_tell_the_type(queries: list[TypedQuery]) -> None:
    letters = {"n": "negative", "a": "alternative", "k": "knowledge", "g": "general"}
    wanted = {f"c{letter}{n:02d}": kind for letter, kind in letters.items() for n in range(1, 61)}
    assert {query.query_id: query.structure.query_type for query in queries} == wanted


def test_no_two_queries_have_the_same_words(queries: list[TypedQuery]) -> None:
    words = [" ".join(re.findall(r"\w+", query.query.lower())) for query in queries]
    assert len(set(words)) == len(words)
    assert all(words)


def test_each_structure_has_what_its_type_needs(queries: list[TypedQuery]) -> None:
    for query in queries:
        structure = query.structure
        kind = structure.query_type
        assert bool(structure.excluded) == (kind == "negative"), query
        assert (structure.reference is not None) == (kind == "alternative"), query
        assert (structure.need is not None) == (kind == "knowledge"), query
        if kind in ("knowledge", "general"):
            assert structure.kinds, query
            assert structure.required, query


def test_no_condition_is_about_an_attribute_that_is_left_out(queries: list[TypedQuery]) -> None:
    left_out = read_settings(SETTINGS).ignore
    for query in queries:
        for condition in (*query.structure.required, *query.structure.excluded):
            assert condition.attribute is not None, query
            assert condition.attribute not in left_out, query
            assert not condition.attribute.startswith(("t_", "n_", "b_")), query
            assert all(value == value.lower() for value in condition.values), query


def test_many_kinds_of_product_are_asked_for(queries: list[TypedQuery]) -> None:
    assert len({kind for query in queries for kind in query.structure.kinds}) >= 30
