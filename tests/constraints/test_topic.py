"""The positive part of a query and its excluded words."""

from __future__ import annotations

import pytest

from evalkit.constraints import Condition, Reference, Structure
from evalkit.constraints.parsing import RuleParser
from evalkit.constraints.topic import negated, topic, wanted

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
    assert topic("no hood", structure) == "black jacket"
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
    assert topic("love the aurion platine but can't afford it", structure) == "black smartphone"
    assert topic("aurion platine alternative", structure) == "black smartphone"


@pytest.mark.parametrize(
    ("query", "kind", "positive"),
    [
        ("i like the kantor k-50 but my limit is 180", "table", "table"),
        ("replacement for kantor k-50 that doesn't cost 180", "table", "table"),
        ("not spending 180 on kantor k-50, what's similar", "table", "table"),
        ("generic kantor k-50", "table", "table"),
        ("cheap kantor k-50 clone under 180", "table", "table"),
        ("what tables can i buy instead of kantor k-50 for 180?", "table", "tables"),
        ("kantor is out of my budget, other garden tables", "table", "garden tables"),
        ("kantor too expensive, what else is there in tables", "table", "tables"),
        ("tables without the kantor price tag", "table", "tables"),
        ("oak table like kantor, not paying 180", "table", "oak table"),
        ("oak table, half of what kantor costs", "table", "oak table"),
        ("oak table that won't cost as much as kantor", "table", "oak table"),
        ("oak table as good as kantor for less money", "table", "oak table"),
        ("kantor style table for less", "table", "table"),
        ("affordable table similar to kantor", "table", "table"),
        ("budget couch instead of kantor", "sofa", "couch"),
        ("larkfield in-ear headphones alternative", "headphones", "in-ear headphones"),
    ],
)
def test_talk_of_price_and_reference_goes_with_them(query: str, kind: str, positive: str) -> None:
    brand = "larkfield" if "larkfield" in query else "kantor"
    name = "kantor k-50" if "k-50" in query else brand
    structure = Structure("alternative", (kind,), price_max=180.0, reference=Reference(name, brand))
    assert topic(query, structure) == positive


@pytest.mark.parametrize(
    ("query", "excluded", "kind", "positive"),
    [
        ("kettle other than mains powered", "mains", "kettle", "kettle"),
        ("kettle, not the black one", "black", "kettle", "kettle"),
        ("kettles by other brands than tavola", "tavola", "kettle", "kettles"),
        ("do you sell kettles, anything but black", "black", "kettle", "kettles"),
        ("black doesn't suit me, steel kettle in a different colour", "black", "kettle",
         "steel kettle"),
        ("no black suncsreen", "black", "sunscreen", "sunscreen"),
        ("coat, no black", "black", "jacket", "coat"),
    ],
)  # fmt: skip
def test_talk_of_an_exclusion_goes_with_it(
    query: str, excluded: str, kind: str, positive: str
) -> None:
    structure = Structure("negative", (kind,), excluded=(Condition("x", (excluded,)),))
    assert topic(query, structure) == positive


def test_a_required_word_alone_gets_its_kind() -> None:
    structure = Structure("negative", ("bracket",), (Condition("material", ("metal",)),),
                          (Condition("colour", ("grey",)),))  # fmt: skip
    assert topic("metal, not grey", structure) == "metal bracket"
    assert topic("metal holder, not grey", structure) == "metal holder"


def test_a_need_keeps_its_own_words() -> None:
    structure = Structure("knowledge", ("planter",), (Condition("frost_proof", ("yes",)),),
                          price_max=55.0)  # fmt: skip
    query = "a balcony at minus ten under 55"
    assert topic(query, structure) == "balcony at minus ten"
    assert wanted(query, structure) == "frost proof planter"


def test_a_number_for_something_else_than_the_price_stays() -> None:
    structure = Structure("negative", ("puzzle",), excluded=(Condition("x", ("wood",)),),
                          price_max=20.0)  # fmt: skip
    assert topic("puzzle for 3 year olds for 20, no wood", structure) == "puzzle for 3 year olds"


def test_every_excluded_brand_goes() -> None:
    structure = Structure(
        "negative", ("chocolate",), excluded=(Condition("brand", ("basko", "fattoria lenta")),)
    )
    query = "chocolates except basko and fattoria lenta"
    assert topic(query, structure) == "chocolates"
    assert negated(query, structure).split() == ["basko", "fattoria", "lenta"]


def test_without_a_kind_the_topic_is_what_is_wanted() -> None:
    structure = Structure("negative", excluded=(Condition(None, ("hood",)),))
    assert wanted("jacket without a hood", structure) == "jacket"
