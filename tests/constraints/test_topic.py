"""The positive part of a query and its excluded words."""

from __future__ import annotations

import pytest

from evalkit.constraints import Condition, Reference, Structure
from evalkit.constraints.parsing import RuleParser
from evalkit.constraints.topic import negated, topic

PARSER = RuleParser()


def parts(query: str) -> tuple[str, str]:
    structure = PARSER.parse([query])[0]
    return topic(query, structure), negated(query, structure)


@pytest.mark.parametrize(
    ("query", "positive", "negative"),
    [
        ("Black jacket without a hood", "Black jacket", "hood"),
        ("sulfate and paraben free shampoo", "shampoo", "sulfate paraben"),
        ("dress in any colour but black, linen", "dress linen", "black"),
        ("no bluetooth mp3 player", "mp3 player", "bluetooth"),
        ("headphones without wires but with a microphone", "headphones microphone", "wires"),
        ("kettle under $40", "kettle", ""),
        ("red mug", "red mug", ""),
    ],
)
def test_negations_and_prices_are_cut_out(query: str, positive: str, negative: str) -> None:
    assert parts(query) == (positive, negative)


def test_the_reference_is_cut_out_where_a_kind_stays() -> None:
    assert parts("sunglasses like Ray-Ban Wayfarer under 40") == ("sunglasses", "")


def test_a_query_that_is_only_a_reference_keeps_its_name() -> None:
    assert parts("Dyson Airwrap dupe under 100") == ("dyson airwrap", "")


def test_a_property_with_a_negation_word_stays() -> None:
    assert parts("non stick pan without teflon") == ("non stick pan", "teflon")


def test_a_structure_that_excludes_nothing_keeps_the_negation() -> None:
    assert topic("shirt without sleeves", Structure("general", ("shirt",))) == (
        "shirt without sleeves"
    )


def test_what_only_a_model_found_is_cut_out_too() -> None:
    structure = Structure("negative", ("shirt",), excluded=(Condition(None, ("scratchy",)),))
    assert topic("shirt, scratchy makes me itch", structure) == "shirt makes me itch"


def test_a_thing_without_values_is_named_by_its_attribute() -> None:
    structure = Structure("negative", excluded=(Condition("small_parts"),))
    assert negated("toys for babies", structure) == "small parts"


def test_where_nothing_is_left_the_structure_speaks() -> None:
    structure = Structure(
        "negative", ("jacket",), (Condition("colour", ("black",)),), (Condition(None, ("hood",)),)
    )
    assert topic("no hood", structure) == "jacket black"
    assert topic("", Structure("general")) == ""


def test_a_reference_that_is_not_in_the_query_does_no_harm() -> None:
    structure = Structure("alternative", reference=Reference("bose qc", "Bose"))
    assert topic("headphones for flights", structure) == "headphones for flights"


@pytest.mark.parametrize(
    ("query", "excluded", "positive"),
    [
        ("shopping for a charger that lacks a cable", "cable", "charger"),
        ("mattress where there's no springs", "springs", "mattress"),
        (
            "30 piece building bricks, trying to avoid plastic",
            "plastic",
            "30 piece building bricks",
        ),
        ("trying to find headphones without wires", "wires", "headphones"),
    ],
)
def test_words_of_wishing_go_with_what_they_led_to(
    query: str, excluded: str, positive: str
) -> None:
    structure = Structure("negative", excluded=(Condition(None, (excluded,)),))
    assert topic(query, structure) == positive


def test_where_only_words_of_wishing_are_left_the_structure_speaks() -> None:
    structure = Structure(
        "alternative",
        ("smartphone",),
        (Condition("colour", ("black",)),),
        reference=Reference("aurion platine", "Aurion"),
    )
    assert topic("love the aurion platine but can't afford it", structure) == "smartphone black"
    assert topic("aurion platine alternative", structure) == "smartphone black"
