"""Grades that the catalogue states itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from conftest import QUERIES

from evalkit.constraints import Condition, Structure
from evalkit.constraints.checking import Checker
from evalkit.knowledge import build_graph, read_catalogue
from evalkit.rewriting import TypedQuery
from evalkit.training.weak_labels import weak_judgments

if TYPE_CHECKING:
    from conftest import Shop

WINDOW = Structure("negative", ("jacket",), required=(Condition("material", ("cotton",)),),
                   excluded=(Condition("colour", ("red",)),))  # fmt: skip


@pytest.fixture(scope="module")
def known(shop: Shop) -> tuple[Any, Checker]:
    catalogue = read_catalogue(shop.products, duckdb.connect())
    return catalogue, Checker(catalogue, build_graph(catalogue))


def graded(
    known: tuple[Any, Checker], asking: dict[str, tuple[str, Structure]], **more: Any
) -> tuple[dict[str, str], dict[str, dict[float, set[str]]]]:
    """Return the text of each query, and its products by grade."""
    typed = [TypedQuery(key, text, structure) for key, (text, structure) in asking.items()]
    asked, judgments = weak_judgments(typed, *known, **more)
    found: dict[str, dict[float, set[str]]] = {}
    for row in judgments.to_pylist():
        assert row["source"] == "catalogue"
        products = found.setdefault(row["query_id"], {}).setdefault(row["grade"], set())
        assert row["product_id"] not in products
        products.add(row["product_id"])
    return {row["query_id"]: row["query"] for row in asked.to_pylist()}, found


def test_the_kind_and_the_conditions_make_the_grade(known: tuple[Any, Checker]) -> None:
    texts, grades = graded(known, {"red": QUERIES["kettle"]}, a_grade=100)
    assert texts == {"red": "red kettle"}
    assert grades["red"][2.0] == {"k1", "k2"}
    assert grades["red"][1.0] == {"k3", "k4", "k5", "k6", "k7", "k8"}
    others = {each for each in grades["red"][0.0] if each[0] in "bjl"}
    assert others == grades["red"][0.0]
    assert len(others) == 21


def test_a_query_is_asked_and_graded_without_what_it_excludes(known: tuple[Any, Checker]) -> None:
    queries = {"cotton": ("cotton jacket that is not red", WINDOW)}
    texts, grades = graded(known, queries, a_grade=100)
    assert texts == {"cotton": "cotton jacket"}
    assert grades["cotton"][2.0] == {"j4", "j5"}  # j4 is red
    assert grades["cotton"][1.0] == {"j1", "j2", "j3", "j6", "j7", "j8"}


def test_what_the_catalogue_does_not_tell_has_no_grade(known: tuple[Any, Checker]) -> None:
    _, grades = graded(known, {"cotton": ("cotton jacket that is not red", WINDOW)}, a_grade=100)
    assert not any("j9" in products for products in grades["cotton"].values())


def test_a_query_is_graded_without_its_price(known: tuple[Any, Checker]) -> None:
    cheap = replace(QUERIES["kettle"][1], price_max=31.0)
    texts, grades = graded(known, {"red": ("red kettle under 31", cheap)}, a_grade=100)
    assert texts == {"red": "red kettle"}
    assert grades["red"][2.0] == {"k1", "k2"}  # the text says nothing of k2's 32


def test_needs_and_references_and_queries_that_nothing_answers_are_left_out(
    known: tuple[Any, Checker],
) -> None:
    nothing = Structure("general", ("kettle",), required=(Condition("colour", ("pink",)),))
    queries = {
        "need": QUERIES["tea"],
        "reference": QUERIES["lamp"],
        "pink": ("pink kettle", nothing),
        "anything": ("something red", Structure("general", (), QUERIES["kettle"][1].required)),
    }
    assert graded(known, queries) == ({}, {})


def test_a_text_is_asked_once(known: tuple[Any, Checker]) -> None:
    texts, _ = graded(known, {"one": QUERIES["kettle"], "two": QUERIES["kettle"]})
    assert len(texts) == 1


def test_there_are_as_many_as_asked_for(known: tuple[Any, Checker]) -> None:
    queries = {
        colour: (
            f"{colour} kettle",
            Structure("general", ("kettle",), required=(Condition("colour", (colour,)),)),
        )
        for colour in ("red", "blue", "black", "white", "green", "yellow")
    }
    texts, grades = graded(known, queries, queries=4, a_grade=2)
    assert len(texts) == 4
    assert grades.keys() == texts.keys()
    for colour, found in grades.items():
        assert len(found[2.0]) == (2 if colour in ("red", "blue") else 1)
        assert len(found[1.0]) == len(found[0.0]) == 2
    assert graded(known, queries, queries=4, a_grade=2) == (texts, grades)
    backwards = dict(reversed(queries.items()))
    assert graded(known, backwards, queries=4, a_grade=2) == (texts, grades)
    drawn = [graded(known, queries, queries=4, a_grade=2, seed=seed) for seed in (1, 2, 3)]
    assert any(found[0].keys() != texts.keys() for found in drawn)
    assert all(found[1] != grades for found in drawn)
