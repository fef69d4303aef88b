"""Queries read with a catalogue at hand: its own words come first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest

from evalkit.constraints import Condition, Structure
from evalkit.constraints.parsing import RuleParser
from evalkit.knowledge import read_catalogue

if TYPE_CHECKING:
    from pathlib import Path

PRODUCTS = [
    ("Norrvik Polaris jacket, black", "Norrvik", "jacket", 900.0,
     {"material": "polyurethane on polyester", "hood": "none", "colour": "black"}),
    ("Kantor K-50 table", "Kantor", "table", 400.0, {"material": "oak"}),
    ("Kantor K-50 cube shelf", "Kantor", "bookcase", 150.0, {"material": "pine"}),
    ("Norrvik Fjell jacket, brown", "Norrvik", "jacket", 700.0,
     {"material": "cowhide leather", "hood": "fixed", "care": "specialist leather clean"}),
    ("Zippa rain jacket", "Zippa", "jacket", 40.0,
     {"material": "nylon", "hood": "fixed", "colour": "red", "warmth": "very warm"}),
    ("Steinbach & Kind brass kettle", "Steinbach & Kind", "kettle", 80.0,
     {"material": "brass", "capacity": "1.7 l", "free_from": ["bpa"]}),
    ("Volti curling iron", "Volti", "curling iron", 30.0, {"clamp": "no", "barrel": "ceramic"}),
    ("Volti clip curling iron", "Volti", "curling iron", 25.0, {"clamp": "yes"}),
    ("Volti power bank", "Volti", "power bank", 25.0, {"capacity": "20,000 mah"}),
    ("Case for Orbix Nova 12", "Schild", "phone case", 15.0,
     {"fits": "orbix nova 12", "colour": "green"}),
    ("Case for Orbix Nova 12 Pro", "Schild", "phone case", 15.0, {"fits": "orbix nova 12 pro"}),
    ("Orbix Nova 12", "Orbix", "smartphone", 700.0, {"ports": "usb-c"}),
    ("Volti trousers", "Volti", "trousers", 70.0, {"fit": "straight"}),
    ("Volti charger", "Volti", "charger", 20.0, {"ports": "round barrel plug"}),
    ("Steinbach & Kind steel kettle", "Steinbach & Kind", "kettle", 60.0,
     {"material": "steel", "inner": "plastic"}),
    *(
        (f"Aurion {name} wireless headphones", "Aurion", "headphones", 90.0,
         {"connection": "bluetooth", "charging": "usb-c cable"})
        for name in ("Alto", "Brio", "Coro")
    ),
    ("Aurion Duo headphones", "Aurion", "headphones", 99.0, {"charging": "wireless"}),
    ("Kantor office chair", "Kantor", "office chair", 200.0,
     {"armrests": "adjustable", "lumbar": "adjustable"}),
    ("Tessaro work shoes", "Tessaro", "work shoes", 90.0, {"material": "suede"}),
    ("Norrvik sneakers", "Norrvik", "sneakers", 70.0, {"material": "mesh", "sole": "rubber"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> RuleParser:
    path = tmp_path_factory.mktemp("shop") / "products.jsonl"
    return RuleParser(read_catalogue(write(path), duckdb.connect()))


def write(path: Path) -> Path:
    rows = [
        {"product_id": f"p{number}", "title": title, "brand": brand, "kind": kind, "price": price,
         "attributes": attributes}
        for number, (title, brand, kind, price, attributes) in enumerate(PRODUCTS)
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def read(parser: RuleParser, query: str) -> Structure:
    return parser.parse([query])[0]


def test_a_value_gets_the_attribute_that_states_it(parser: RuleParser) -> None:
    assert read(parser, "jacket without polyurethane").excluded == (
        Condition("material", ("polyurethane",)),
    )
    assert read(parser, "red jacket").required == (Condition("colour", ("red",)),)


def test_what_a_product_is_made_of_wins_over_other_attributes(parser: RuleParser) -> None:
    assert read(parser, "jacket, no leather").excluded == (Condition("material", ("leather",)),)


def test_a_thing_that_is_an_attribute_has_no_values(parser: RuleParser) -> None:
    assert read(parser, "jacket without a hood").excluded == (Condition("hood"),)


def test_a_word_that_ends_in_less_excludes_what_the_catalogue_knows(parser: RuleParser) -> None:
    assert read(parser, "clampless curling iron").excluded == (Condition("clamp"),)
    assert not read(parser, "wireless curling iron").excluded
    assert not RuleParser().parse(["clampless curling iron"])[0].excluded


def test_the_kind_has_the_catalogue_s_word(parser: RuleParser) -> None:
    assert read(parser, "coat in red").kinds == ("jacket",)
    assert read(parser, "leather jacket").kinds == ("jacket",)


def test_a_general_word_stands_for_every_kind_of_it(parser: RuleParser) -> None:
    found = read(parser, "shoes w/o laces")
    assert found.kinds == ("sneakers", "work shoes")
    assert found.excluded == (Condition(None, ("lace",)),)
    assert read(parser, "work shoes").kinds == ("work shoes",)


def test_a_misspelt_kind_is_known(parser: RuleParser) -> None:
    assert read(parser, "jackett without hood").kinds == ("jacket",)


def test_numbers_and_units_are_found_however_they_are_written(parser: RuleParser) -> None:
    assert read(parser, "20000mah power bank").required == (Condition("capacity", ("20,000 mah",)),)
    assert read(parser, "kettle 1.7l").required == (Condition("capacity", ("1.7 l",)),)


def test_an_attribute_that_lists_what_is_absent_decides_nothing(parser: RuleParser) -> None:
    assert read(parser, "kettle without bpa").excluded == (Condition(None, ("bpa",)),)


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        # titles call headphones wireless whose charging is not
        ("wireless headphones", Condition(None, ("wireless",))),
        ("headphones charging wireless", Condition("charging", ("wireless",))),
        ("adjustable office chair", Condition(None, ("adjustable",))),
        ("office chair with adjustable armrests", Condition("armrests", ("adjustable",))),
        # a kettle of plastic is more than one with plastic inside
        ("plastic kettle", Condition(None, ("plastic",))),
        ("steel kettle", Condition("material", ("steel",))),
        ("rubber sneakers", Condition(None, ("rubber",))),
        ("sneakers with rubber sole", Condition("sole", ("rubber",))),
    ],
)
def test_a_word_of_more_than_one_sense_has_no_attribute_unless_it_is_named(
    parser: RuleParser, query: str, condition: Condition
) -> None:
    assert condition in read(parser, query).required


def test_an_excluded_word_of_more_than_one_sense_has_none_either(parser: RuleParser) -> None:
    found = read(parser, "i don't want plastic kettle")
    assert (found.kinds, found.excluded) == (("kettle",), (Condition(None, ("plastic",)),))


def test_a_brand_can_be_wanted_and_excluded(parser: RuleParser) -> None:
    assert read(parser, "zippa jacket").required == (Condition("brand", ("zippa",)),)
    assert read(parser, "jacket not norrvik").excluded == (Condition("brand", ("norrvik",)),)
    assert read(parser, "jacket except norrvik and zippa").excluded == (
        Condition("brand", ("norrvik",)),
        Condition("brand", ("zippa",)),
    )


def test_a_value_that_begins_with_a_small_word_is_excluded_whole(parser: RuleParser) -> None:
    assert read(parser, "jacket but not very warm").excluded == (
        Condition("warmth", ("very warm",)),
    )


@pytest.mark.parametrize(
    ("query", "text", "brand", "product"),
    [
        ("norrvik polaris dupe", "norrvik polaris", "Norrvik", "p0"),
        ("jacket like the polaris by norrvik", "polaris by norrvik", "Norrvik", "p0"),
        ("cheaper than norrvik", "norrvik", "Norrvik", None),
        ("kettle without the steinbach price", "steinbach", "Steinbach & Kind", None),
        ("polaris lookalike", "polaris", "Norrvik", "p0"),
        ("cheaper than kantor k-50", "kantor k-50", "Kantor", None),
        ("table like kantor k-50 but cheaper", "kantor k-50", "Kantor", "p1"),
        ("jacket, norrvik is way over budget", "norrvik", "Norrvik", None),
    ],
)
def test_a_reference_names_brand_and_product(
    parser: RuleParser, query: str, text: str, brand: str, product: str | None
) -> None:
    structure = read(parser, query)
    assert structure.query_type == "alternative"
    assert structure.reference is not None
    found = structure.reference
    assert (found.text, found.brand, found.product_id) == (text, brand, product)


def test_a_brand_without_a_cue_is_no_reference(parser: RuleParser) -> None:
    assert read(parser, "norrvik polaris jacket").reference is None


FITS = Condition("fits", ("orbix nova 12",))


@pytest.mark.parametrize(
    ("query", "required"),
    [
        ("case for orbix nova 12 (not the pro)", (FITS,)),
        ("phone case for my orbix nova 12", (FITS,)),
        ("does any phone case fit orbix nova 12 for less than 20", (FITS,)),
        ("phone case for zippa", ()),
        ("straight trousers", (Condition("fit", ("straight",)),)),
        ("trousers straight into the meeting", (Condition(None, ("meeting",)),)),
        ("charger, round-edged", ()),
        ("green phone case", (Condition("colour", ("green",)),)),
        ("green tea", ()),
        ("my green tea always tastes bitter", ()),
    ],
)
def test_words_that_say_something_else_require_nothing(
    parser: RuleParser, query: str, required: tuple[Condition, ...]
) -> None:
    assert read(parser, query).required == required


def test_a_number_after_less_than_is_a_price(parser: RuleParser) -> None:
    structure = read(parser, "does any phone case fit orbix nova 12 for less than 20")
    assert (structure.query_type, structure.price_max) == ("general", 20.0)
    assert structure.reference is None


def test_conditions_of_a_need_stand_beside_the_kind(parser: RuleParser) -> None:
    found = read(parser, "straight trousers i can wear when i cycle, red or not")
    assert found.query_type == "knowledge"
    assert found.required == (Condition("fit", ("straight",)),)
    assert read(parser, "my trousers always go red, what do i do").kinds == ()


def test_what_shall_be_replaced_is_not_required(parser: RuleParser) -> None:
    assert read(parser, "leather jacket alternative without hood").required == ()


def test_what_one_cannot_afford_is_a_reference(parser: RuleParser) -> None:
    structure = read(parser, "love the norrvik polaris but can't afford it")
    assert structure.query_type == "alternative"
    assert structure.required == ()
