"""What a text says of a thing: the words around it decide."""

from __future__ import annotations

import pytest

from evalkit.constraints.checking_text import index_texts, split_text


def reading(text: str, thing: str) -> str:
    found = index_texts([text]).mention([thing])
    if found.doubtful[0] and not found.said[0]:
        return "doubtful"
    return {
        (True, False): "said",
        (False, True): "denied",
        (False, False): "",
        (True, True): "both",
    }[bool(found.said[0]), bool(found.denied[0])]


@pytest.mark.parametrize(
    "text",
    [
        "A leather-free bag",
        "leather free bag",
        "No leather, no fuss",
        "Made without leather",
        "free of leather",
        "Free from any real leather.",
        "It does not contain leather",
        "doesn't use leather",
        "non-leather upper",
        "never leather",
        "Vegan leather jacket",
        "faux leather trim",
        "imitation leather",
        "leather-look jacket",
        "leather style case",
        "PU leather",
        "cork instead of leather",
        "cork in place of leather",
        "No fur, wool or leather",
        "without silk, wool and leather",
        "a bag w/o leather",
        "Contains neither wool nor leather",
        "leather not included",
        "0% leather",
        "no genuine leather",
        "does not include any leather",
    ],
)
def test_absence_and_imitation_are_denials(text: str) -> None:
    assert reading(text, "leather") == "denied"


@pytest.mark.parametrize(
    "text",
    [
        "Leather jacket",
        "black/leather",
        "leathers from Tuscany",
        "No hood, leather sleeves",
        "Not only leather",
        "No lining but leather straps",
        "no plastic. Leather all over",
        "Not suede: leather",
        "without a lining, made of leather",
        "No. 4 leather jacket",
        "more than leather",
        "100% leather",
        "No fuss leather bag",
        "You will not regret this leather bag",
        "Lacks nothing, leather inside",
        "Non-slip leather bag",
    ],
)
def test_a_negation_ends_where_its_clause_does(text: str) -> None:
    assert reading(text, "leather") == "said"


@pytest.mark.parametrize(
    "text",
    [
        "Do not machine wash leather",
        "No-sew leather patch bag",
        "No stain leather",
        "never made from anything but leather",
        "made of nothing other than leather",
        "No pig leather",
    ],
)
def test_what_stands_behind_the_word_that_a_negation_denies_is_doubtful(text: str) -> None:
    assert reading(text, "leather") == "doubtful"


def test_a_doubtful_word_takes_the_denial_away() -> None:
    assert reading("No leather. Do not machine wash leather.", "leather") == "doubtful"


def test_to_deny_a_kind_leaves_the_thing_in_doubt_and_to_imitate_one_denies_it() -> None:
    index = index_texts(["No peanuts", "no nuts", "Faux suede", "no suede"])
    nuts = index.mention(["nuts", "peanuts"], kinds=["peanuts"])
    assert nuts.denied.tolist() == [False, True, False, False]
    assert nuts.doubtful.tolist() == [True, False, False, False]
    leather = index.mention(["leather", "suede"], kinds=["suede"])
    assert leather.denied.tolist() == [False, False, True, False]


def test_hoodless_and_unscented_deny() -> None:
    assert reading("Hoodless raincoat", "hood") == "denied"
    assert reading("An unscented soap", "scented") == "denied"


def test_vegan_chocolate_is_chocolate_and_vegan_leather_is_no_leather() -> None:
    assert reading("Vegan chocolate", "chocolate") == "said"
    assert reading("Vegan leather", "leather") == "denied"


def test_non_stick_is_one_word() -> None:
    assert reading("Non-stick pan", "non-stick") == "said"
    assert reading("No non-stick coating", "non-stick") == "denied"


def test_phrases_are_whole_words_in_order_within_a_clause() -> None:
    assert reading("Baking, soda water", "baking soda") == ""
    assert reading("with baking soda", "baking soda") == "said"
    assert reading("Buttoned shirt", "butt") == ""


def test_a_text_can_do_both() -> None:
    assert reading("Leather bag. No leather lining.", "leather") == "both"


def test_what_is_something_else_does_not_count() -> None:
    index = index_texts(["filled with wood wool", "wool socks"])
    assert index.mention(["wool"], ["wood wool"]).said.tolist() == [False, True]


def test_numbers_are_found_however_they_are_written() -> None:
    assert reading("5,000mAh pack", "5000 mah") == "said"
    assert reading("a 28cm pan", "28 cm") == "said"
    assert reading('17.30" screen', "17.3 inch") == "said"
    assert reading("128 cm", "28 cm") == ""


def test_tags_and_marks_are_no_words() -> None:
    assert split_text("Core™<br />i7®") == ("core", "i", "7")


def test_the_quotation_shows_the_words_around() -> None:
    index = index_texts(["A bag", "A fine bag made without leather or wool today"])
    assert index.quote(1, ["leather"]) == "made without leather or wool"
    assert index.quote(0, ["leather"]) == ""


def test_texts_may_be_empty() -> None:
    assert reading("", "leather") == ""
    assert index_texts([]).mention(["leather"]).said.tolist() == []
