"""Rewrites that ask for something else than their query although they break no rule of writing."""

from __future__ import annotations

import json

import duckdb
import pytest

from evalkit.constraints import Condition, Structure, TypedQuery
from evalkit.knowledge import Graph, build_graph, read_catalogue
from evalkit.rewriting.rules import filter_rule
from evalkit.rewriting.straying import strays


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    rows = [
        {
            "product_id": f"{toe}-{number}",
            "title": f"shoe {number}",
            "kind": "shoes",
            "attributes": {"toe": toe, "size": "12 cm"},
        }
        for toe in ("steel", "composite", "soft")
        for number in range(3)
    ]
    path = tmp_path_factory.mktemp("shop") / "products.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with duckdb.connect() as connection:
        return build_graph(read_catalogue(path, connection))


STEEL = TypedQuery(
    "q1", "steel toe shoes", Structure("general", ("shoes",), (Condition("toe", ("steel",)),))
)


def test_another_value_of_a_wanted_property_is_told(graph: Graph) -> None:
    assert "'composite' where" in strays(STEEL, "composite toe work shoes", graph)
    assert strays(STEEL, "steel toe work shoes", graph) == ""
    # both are said: which of them is meant cannot be told from the words
    assert strays(STEEL, "shoes with steel and composite toe", graph) == ""


def test_a_value_that_the_query_says_itself_is_no_other_value(graph: Graph) -> None:
    query = TypedQuery("q2", "soft shoes with steel toe", STEEL.structure)
    assert "where the query" not in strays(query, "soft shoes", graph)


def test_a_wanted_property_must_be_spoken_of(graph: Graph) -> None:
    assert strays(STEEL, "work shoes", graph) == "says nothing of 'steel', which the query wants"
    assert strays(STEEL, "work shoes")
    size = Structure("general", ("shoes",), (Condition("size", ("12 cm",)),))
    assert strays(TypedQuery("q3", "12 cm shoes", size), "shoes of 12cm", graph) == ""


def test_other_words_for_a_property_speak_of_it() -> None:
    leather = Structure("general", ("jacket",), (Condition("material", ("leather",)),))
    query = TypedQuery("q4", "leather jacket", leather)
    assert strays(query, "lambskin biker jacket") == ""
    assert strays(query, "cotton biker jacket")


def negative(attribute: str | None, value: str) -> TypedQuery:
    excluded = (Condition(attribute, (value,)),)
    return TypedQuery(
        "q5", f"pan without {value}", Structure("negative", ("pan",), excluded=excluded)
    )


@pytest.mark.parametrize("word", ["no", "without", "not"])
def test_a_denial_in_words_is_read_as_the_thing(word: str) -> None:
    query = negative("material", "aluminium")
    assert "denies 'aluminium'" in strays(query, f"steel pan {word} aluminium")
    assert strays(query, "aluminium-free steel pan") == ""
    assert strays(query, "steel pan without lid") == ""


def test_the_bare_positive_part_is_no_rewrite_unless_brands_are_excluded() -> None:
    assert "leaves the exclusion out" in strays(negative("material", "aluminium"), "pan")
    assert strays(negative("material", "aluminium"), "steel pan") == ""
    assert strays(negative("brand", "vantrel"), "pan") == ""


def test_the_filter_looks_at_both_kinds_of_rules(graph: Graph) -> None:
    rule = filter_rule(graph)
    assert rule("q1", STEEL.query, STEEL.structure, "steel toe shoes", ()) == "repeats the query"
    assert "composite" in rule("q1", STEEL.query, STEEL.structure, "composite toe shoes", ())
    assert rule("q1", STEEL.query, STEEL.structure, "safety shoes with steel toe", ()) == ""
