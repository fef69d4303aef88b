"""Words in the form for comparing, and the lists of words of the package."""

from __future__ import annotations

import pytest

from evalkit.constraints.parsing_text import keys_of, singular_noun, tokenise
from evalkit.constraints.parsing_words import Phrases, cue_families, shop_words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("knives", "knife"), ("boxes", "box"), ("hoses", "hose"), ("batteries", "battery"),
        ("glasses", "glass"), ("shoes", "shoe"), ("ties", "tie"), ("women's", "woman"),
        ("colors", "colour"), ("Aluminum", "aluminium"), ("noise-cancelling", "noise cancelling"),
        ("20,000 mah", "20000mah"), ("crème", "creme"), ("1.7l", "1.7 l"),
    ],
)  # fmt: skip
def test_spellings_of_a_word_are_one(one: str, other: str) -> None:
    assert keys_of(one) == keys_of(other)


@pytest.mark.parametrize("word", ["glass", "bus", "gas", "lens", "tennis", "jeans", "us"])
def test_words_that_end_in_s_are_no_plurals(word: str) -> None:
    assert keys_of(word) == (word,)


def test_the_singular_keeps_the_spelling() -> None:
    assert [singular_noun(word) for word in ("sulfates", "colors")] == ["sulfate", "color"]


def test_tokens_know_their_places() -> None:
    query = "Ray-Ban’s ‘best’ 20cm glasses w/o case"
    plain = query.lower().translate(str.maketrans("’‘", "''"))
    assert len(tokenise(query)) > 5
    for token in tokenise(query):
        assert plain[token.start : token.end] == token.text


def test_capitals_count_unless_everything_is_capital() -> None:
    assert [token.capital for token in tokenise("like Bose")] == [False, True]
    assert [token.capital for token in tokenise("LIKE BOSE")] == [False, False]


def test_the_longest_phrase_wins_and_the_first_meaning_stays() -> None:
    index: Phrases[int] = Phrases()
    for number, phrase in enumerate(["knife", "knife block", "knives"]):
        index.add(phrase, number)
    assert index.at(("knife", "block"), 0) == (2, 1)
    assert index.at(("knife", "set"), 0) == (1, 0)
    assert index.at(("block",), 0) is None


def test_every_list_has_words_and_every_cue_a_family() -> None:
    for section in ("products", "parts", "substances", "colours", "fillers", "persons"):
        assert len(shop_words(section).meanings) > 20
    assert cue_families()["free of"] == "free of"
    assert cue_families()["believe it or not"] == "idle"
