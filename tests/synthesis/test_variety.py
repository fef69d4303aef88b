"""Openings, distinct n-grams and self-BLEU, worked out by hand."""

from __future__ import annotations

import math

import pytest

from evalkit.synthesis.variety import bleu, measure_variety, self_bleu


def split(text: str) -> list[str]:
    return text.split()


def test_bleu_is_the_geometric_mean_of_clipped_precisions() -> None:
    # 3 of 4 words, 1 of 3 pairs, no triple (0.1 of 2), no quadruple (0.1 of 1); equal lengths
    expected = (3 / 4 * 1 / 3 * 0.1 / 2 * 0.1 / 1) ** (1 / 4)
    found = bleu(split("red boots no laces"), [split("red boots without laces")])
    assert found == pytest.approx(expected)


def test_a_repeated_word_counts_as_often_as_the_reference_has_it() -> None:
    # "the the the": one of three words; no pair and no triple
    expected = (1 / 3 * 0.1 / 2 * 0.1 / 1) ** (1 / 3)
    assert bleu(split("the the the"), [split("the big cat")]) == pytest.approx(expected)


def test_a_text_shorter_than_the_closest_reference_is_penalised() -> None:
    # both words and the pair match; the closest reference has 3 words
    references = [split("red boots sale"), split("red boots for sale today")]
    assert bleu(split("red boots"), references) == pytest.approx(math.exp(1 - 3 / 2))


def test_copies_have_a_self_bleu_of_one_and_strangers_little() -> None:
    assert self_bleu([split("red boots no laces")] * 3) == pytest.approx(1)
    strangers = [split("red boots no laces"), split("kettle for gas stove")]
    assert self_bleu(strangers) == pytest.approx((0.1 / 4 * 0.1 / 3 * 0.1 / 2 * 0.1) ** (1 / 4))


def test_openings_and_distinct_grams_are_shares() -> None:
    found = measure_variety(["red boots sale", "red boots cheap", "blue hat"])
    assert found is not None
    assert found.openings == pytest.approx(2 / 3)
    assert found.distinct_1 == pytest.approx(6 / 8)
    assert found.distinct_2 == pytest.approx(4 / 5)
    assert found.distinct_3 == pytest.approx(1)
    assert found.words == pytest.approx(8 / 3)


def test_a_sample_is_drawn_by_its_seed() -> None:
    texts = [f"word{number} other{number} third" for number in range(50)]
    one = measure_variety(texts, sample=10, seed=1)
    assert one is not None
    assert one.queries == 10
    assert one == measure_variety(texts, sample=10, seed=1)


def test_a_single_query_has_no_variety() -> None:
    assert measure_variety(["red boots"]) is None
