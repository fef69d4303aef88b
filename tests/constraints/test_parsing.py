"""What queries ask for, read by rules without a catalogue: one rule a test."""

from __future__ import annotations

import json

import pytest

from evalkit.constraints import Condition, Structure
from evalkit.constraints.parsing import RuleParser

PARSER = RuleParser()


def read(query: str) -> Structure:
    return PARSER.parse([query])[0]


def words(conditions: tuple[Condition, ...]) -> list[str]:
    return [" ".join(condition.values) or str(condition.attribute) for condition in conditions]


def excluded(query: str) -> list[str]:
    return words(read(query).excluded)


@pytest.mark.parametrize(
    ("query", "things"),
    [
        ("belt without buckle", ["buckle"]),
        ("shoes w/o laces", ["lace"]),
        ("jacket minus hood", ["hood"]),
        ("puffer with no feathers", ["feather"]),
        ("non-pvc raincoat", ["pvc"]),
        ("no-alcohol toner", ["alcohol"]),
        ("sugar free gum", ["sugar"]),
        ("sugar-free gum", ["sugar"]),
        ("sunscreen free of oxybenzone", ["oxybenzone"]),
        ("shampoo free from parabens", ["paraben"]),
        ("milk except almond", ["almond"]),
        ("soap excluding lavender", ["lavender"]),
        ("anything but polyester blouse", ["polyester"]),
        ("socks other than wool", ["wool"]),
        ("boots that lack laces", ["lace"]),
        ("avoid latex gloves", ["latex"]),
        ("gloves, allergic to latex", ["latex"]),
        ("work gloves, latex allergy", ["latex"]),
        ("bread, hold the sesame", ["sesame"]),
        ("chair that doesn't have arms", ["arm"]),
        ("soundbar, dont want a subwoofer", ["subwoofer"]),
        ("i don't want a zipper on the hoodie", ["zipper"]),
        ("boots not made of leather", ["leather"]),
        ("toys not from china", ["china"]),
        ("charger that is not usb", ["usb"]),
        ("laundry soap not detergent", ["detergent"]),
        ("neither leather nor suede boots", ["leather", "suede"]),
        ("boots that are neither leather nor suede", ["leather", "suede"]),
        ("speaker no alexa no microphone", ["alexa", "microphone"]),
        ("jacket -leather", ["leather"]),
        ("-leather jacket !wool", ["leather", "wool"]),
        ("sweater -crew-neck red", ["crew-neck"]),
        ('jacket -"faux leather" red', ["faux leather"]),
    ],
)
def test_every_way_to_say_no_excludes(query: str, things: list[str]) -> None:
    assert excluded(query) == things
    assert read(query).query_type == "negative"


@pytest.mark.parametrize(
    ("query", "things", "wished"),
    [
        ("headphones without wires but with a microphone", ["wire"], "microphone"),
        ("kettle without plastic, red", ["plastic"], "red"),
        ("faucet without overflow brass", ["overflow"], "brass"),
        ("sandals leather free but with arch support", ["leather"], "arch support"),
        ("hose reel without hose for garden", ["hose"], "garden"),
        ("dress not silk, machine washable", ["silk"], "machine washable"),
    ],
)
def test_a_negation_ends_where_another_wish_begins(
    query: str, things: list[str], wished: str
) -> None:
    structure = read(query)
    assert words(structure.excluded) == things
    assert wished in words(structure.required)


@pytest.mark.parametrize(
    ("query", "things"),
    [
        ("sunscreen free of oxybenzone and octinoxate", ["oxybenzone", "octinoxate"]),
        ("jeans without rips or holes", ["rip", "hole"]),
        ("snack bar, nothing with gluten, nuts or soy", ["gluten", "nut", "soy"]),
        ("sulfate and paraben free shampoo", ["sulfate", "paraben"]),
        ("sulfate free, paraben free shampoo", ["sulfate", "paraben"]),
        ("building blocks, avoid magnets and small parts", ["magnet", "small part"]),
    ],
)
def test_a_list_is_excluded_as_a_whole(query: str, things: list[str]) -> None:
    assert excluded(query) == things


def test_words_before_a_thing_belong_to_it() -> None:
    assert excluded("tube pan without removable bottom") == ["removable bottom"]
    assert excluded("face shield without nose piece") == ["nose piece"]


@pytest.mark.parametrize(
    "query", ["t-shirt", "jacket - leather", "sale! leather jacket", "rug -40 c"]
)
def test_other_hyphens_and_exclamation_marks_exclude_nothing(query: str) -> None:
    assert excluded(query) == []


def test_the_product_after_a_negation_is_not_excluded() -> None:
    structure = read("no bluetooth mp3 player")
    assert structure.kinds == ("mp3 player",)
    assert words(structure.excluded) == ["bluetooth"]


@pytest.mark.parametrize(
    "query",
    [
        "oh no not you again mug",
        "not your average joe t-shirt",
        "make love not war shirt",
        "listen without prejudice shirt",
        "why not me book",
        "the body is not an apology",
        "rebel without a suit",
        "with or without you",
        "to meme or not to meme",
        "it's not summer without you",
        "city adventures, no. 3",
        "whatnot shelf",
        "free shipping phone case",
        "shelf that is not only red",
        "watch the game not your phone tshirt",
    ],
)
def test_titles_slogans_and_names_exclude_nothing(query: str) -> None:
    assert excluded(query) == []
    assert read(query).query_type == "general"


@pytest.mark.parametrize(
    ("query", "wished"),
    [
        ("cruelty free foundation", "cruelty free"),
        ("non stick frying pan", "non stick"),
        ("no show socks", "no show"),
        ("no-iron shirt", "no-iron"),
        ("touch free soap dispenser", "touch free"),
    ],
)
def test_a_property_with_a_negation_word_is_required(query: str, wished: str) -> None:
    structure = read(query)
    assert not structure.excluded
    assert wished in words(structure.required)


@pytest.mark.parametrize(
    ("query", "least", "highest"),
    [
        ("kettle under $40", None, 40.0),
        ("kettle below 40 dollars", None, 40.0),
        ("kettle less than 40 bucks", None, 40.0),
        ("kettle up to 40 euros", None, 40.0),
        ("kettle max 40", None, 40.0),
        ("kettle 40 max", None, 40.0),
        ("kettle cheaper than $40", None, 40.0),
        ("kettle for 40 dollars", None, 40.0),
        ("$40 kettle", None, 40.0),
        ("kettle under 40", None, 40.0),
        ("kettle price lower than 40.00 dollars", None, 40.0),
        ("kettle not over $1,290.50", None, 1290.5),
        ("sofa less than 1.000 €", None, 1000.0),
        ("sofa under 1,000 euros", None, 1000.0),
        ("sofa under 1.234.500,50 €", None, 1234500.5),
        ("kettle under €100,50", None, 100.5),
        ("sofa between 1.000 and 2.500,00 €", 1000.0, 2500.0),
        ("kettle under 2.5 litres", None, None),
        ("kettle between $20 and $40", 20.0, 40.0),
        ("kettle $20-$40", 20.0, 40.0),
        ("kettle over 50 dollars", 50.0, None),
        ("free movies", None, 0.0),
        ("desk under 30 inches", None, None),
        ("dumbbell less than 5 lbs", None, None),
        ("$30 gift card", None, None),
        ("sugar free samples", None, None),
    ],
)
def test_price_clauses_are_limits_and_measures_are_not(
    query: str, least: float | None, highest: float | None
) -> None:
    structure = read(query)
    assert (structure.price_min, structure.price_max) == (least, highest)


@pytest.mark.parametrize(
    ("query", "share"),
    [
        ("half the price of a Dyson Airwrap", 0.5),
        ("Airwrap lookalike for a third of the price", 1 / 3),
        ("30% of the price of the Vitamix", 0.3),
    ],
)
def test_a_share_of_a_price_is_a_share(query: str, share: float) -> None:
    structure = read(query)
    assert structure.price_share == pytest.approx(share)
    assert structure.query_type == "alternative"
    assert structure.price_max is None


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("cheaper than Bose headphones", "bose"),
        ("dupe for Airwrap", "airwrap"),
        ("Dyson Airwrap dupe", "dyson airwrap"),
        ("poor man's KitchenAid mixer", "kitchenaid"),
        ("alternative to Tupperware", "tupperware"),
        ("something like AirPods but cheaper", "airpods"),
        ("sunglasses like Ray-Ban Wayfarer", "ray-ban wayfarer"),
        ("knock off of Yeezy sneakers", "yeezy"),
    ],
)
def test_a_name_beside_a_cue_is_a_reference(query: str, text: str) -> None:
    structure = read(query)
    assert structure.reference is not None
    assert structure.reference.text == text
    assert structure.query_type == "alternative"


@pytest.mark.parametrize(
    "query", ["oat milk alternative", "pillowcase like silk", "looks like leather jacket"]
)
def test_things_that_shops_sell_are_no_reference(query: str) -> None:
    assert read(query).reference is None


@pytest.mark.parametrize(
    ("query", "need"),
    [
        ("shoes for nurse on her feet all day", "nurse on her feet all day"),
        ("my back hurts at work", "my back hurts at work"),
        ("what to wear to a beach wedding", "what to wear to a beach wedding"),
        ("toy for a 4 year old who cries when she loses", "a 4 year old who cries when she loses"),
    ],
)
def test_a_need_is_told_in_the_query_s_words(query: str, need: str) -> None:
    structure = read(query)
    assert (structure.query_type, structure.need) == ("knowledge", need)


def test_a_request_for_a_product_is_no_need() -> None:
    structure = read("i need a cordless mower for my garden")
    assert (structure.query_type, structure.need) == ("general", None)
    assert read("i need to hang a shelf on a brick wall").query_type == "knowledge"


@pytest.mark.parametrize("query", ["toys for 1 year old", "diamond wedding band", "mens boots"])
def test_ages_and_words_of_occasions_in_a_product_s_name_are_no_need(query: str) -> None:
    assert read(query).need is None


def test_an_exclusion_makes_a_query_negative_whatever_else_it_says() -> None:
    structure = read("cheaper than Bose headphones without microphone under $50")
    assert structure.query_type == "negative"
    assert structure.price_max == 50.0
    assert structure.reference is not None


def test_the_kind_is_the_product_and_not_what_comes_with_it() -> None:
    assert read("phone case with a card slot").kinds == ("phone case",)
    assert read("knife block without knives").kinds == ("knife block",)
    assert read("charger for a laptop").kinds == ("charger",)


def test_named_attributes_and_measures_are_conditions() -> None:
    required = read("i want a shirt in navy blue color, size 16").required
    assert Condition("colour", ("navy blue",)) in required
    assert Condition("size", ("16",)) in required
    assert words(read("10 oz mug").required) == ["10 oz"]


def test_an_attribute_named_beside_a_cue_is_kept() -> None:
    assert read("any color but pink backpack").excluded == (Condition("colour", ("pink",)),)


@pytest.mark.parametrize(
    "query", ["", " ", "!!!", "no", "not", "without", "free", "non", "$", "-", '-"', "-'a"]
)
def test_a_query_that_says_nothing_has_an_empty_structure(query: str) -> None:
    assert read(query) == Structure("general")


def test_every_structure_survives_json() -> None:
    queries = ["belt without buckle under $5", "cheaper than Bose", "my feet hurt", "red mug"]
    for structure in PARSER.parse(queries):
        assert Structure.from_json(structure.to_json()) == structure
        assert next(iter(json.loads(structure.to_json()))) == "query_type"


def test_the_same_query_gets_the_same_structure() -> None:
    query = "vegan boots, no leather, no suede, under 80 dollars"
    assert RuleParser().parse([query]) == RuleParser().parse([query])
