"""Near-duplicates by an inverted index, beside all pairs compared one by one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import SettingsError
from evalkit.synthesis.duplicates import near_duplicates, word_set

SAID = ["red", "blue", "boot", "hood", "no", "without", "wool", "lace"]
WORDS = st.lists(st.sampled_from(SAID), max_size=7)
TEXTS = st.lists(WORDS.map(" ".join), max_size=25)


def compared_one_by_one(texts: list[str], threshold: float) -> list[int]:
    found: list[int] = []
    for number, text in enumerate(texts):
        mine = word_set(text)
        repeats = -1
        for other in range(number):
            yours = word_set(texts[other])
            if found[other] < 0 and (
                mine and len(mine & yours) / len(mine | yours) >= threshold - 1e-9
            ):
                repeats = other
                break
        found.append(repeats)
    return found


@settings(deadline=None, max_examples=200)
@given(texts=TEXTS, threshold=st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_the_index_finds_what_comparing_all_pairs_finds(texts: list[str], threshold: float) -> None:
    texts = [text for text in texts if text]
    assert near_duplicates(texts, threshold).tolist() == compared_one_by_one(texts, threshold)


def test_order_and_plurals_make_no_difference() -> None:
    texts = ["jackets without hood", "hood without jacket", "jacket with hood"]
    assert near_duplicates(texts).tolist() == [-1, 0, -1]


def test_a_dropped_text_does_not_drop_others() -> None:
    # the third is near the second, which is gone, and not near the first
    texts = ["a b c d", "a b c d e", "a b c d e f g"]
    assert near_duplicates(texts, 0.7).tolist() == [-1, 0, -1]


@pytest.mark.parametrize("threshold", [0, -1, 1.01])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(SettingsError, match="above 0 and at most 1"):
        near_duplicates(["a"], threshold)
