"""Queries that say nearly the same as an earlier one.

Two texts are near-duplicates when the Jaccard similarity of their sets of words reaches a
threshold. All pairs that can reach it are found with an inverted index over the rarest words of
each text (prefix filter: Bayardo, Ma and Srikant, "Scaling Up All Pairs Similarity Search", 2007),
so that a text is only compared with the few that share one of them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["near_duplicates", "repeated", "word_set"]

_WORD = re.compile(r"\d+(?:[.,]\d+)?|[^\W\d_]+(?:'[a-z]+)?", re.UNICODE)


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, without their plural ending.

    Example:
        >>> sorted(word_set("Rain boots, no laces"))
        ['boot', 'lace', 'no', 'rain']
    """
    return frozenset(
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in _WORD.findall(text.lower())
    )


def near_duplicates(texts: Sequence[str], threshold: float = 0.8) -> NDArray[np.int64]:
    """Return for each text the place of the first kept text that it repeats, or -1 if it is kept.

    Args:
        texts: in order of preference; an earlier one is kept.
        threshold: Jaccard similarity of the sets of words from which on two texts are one, above 0
            and at most 1.

    Raises:
        SettingsError: the threshold is not in that range.

    Example:
        >>> near_duplicates(["red boots no laces", "no laces red boot", "red boots"]).tolist()
        [-1, 0, -1]
    """
    index = _Nearby([word_set(text) for text in texts], threshold)
    result = np.full(len(texts), -1, dtype=np.int64)
    for number in range(len(texts)):
        result[number] = index.find(number)
        if result[number] < 0:
            index.add(number)
    return result


def repeated(
    texts: Sequence[str], others: Sequence[str], threshold: float = 0.8
) -> NDArray[np.int64]:
    """Return for each text the place of the first of other texts that it repeats, or -1.

    Args:
        texts: which may repeat something; they are not compared with each other.
        others: which may be repeated.
        threshold: as in `near_duplicates`.

    Raises:
        SettingsError: the threshold is not in that range.

    Example:
        >>> repeated(["blue boots", "red boot"], ["green boots", "red boots"]).tolist()
        [-1, 1]
    """
    index = _Nearby([word_set(text) for text in (*others, *texts)], threshold)
    for number in range(len(others)):
        index.add(number)
    found = [index.find(number) for number in range(len(others), len(others) + len(texts))]
    return np.array(found, dtype=np.int64)


class _Nearby:
    """Sets of words, of which those that were added are found by a similar one."""

    def __init__(self, sets: Sequence[frozenset[str]], threshold: float) -> None:
        if not 0 < threshold <= 1:
            raise SettingsError(f"The threshold is {threshold}; it must be above 0 and at most 1.")
        self.sets = sets
        self.threshold = threshold
        self.frequency = Counter(word for words in sets for word in words)
        self.holders: dict[str, list[int]] = {}

    def add(self, number: int) -> None:
        """Let a set be found."""
        for word in self._prefix(number):
            self.holders.setdefault(word, []).append(number)

    def find(self, number: int) -> int:
        """Return the first added set that is similar enough, or -1."""
        words = self.sets[number]
        nearby = {other for word in self._prefix(number) for other in self.holders.get(word, ())}
        for other in sorted(nearby):
            shared = len(words & self.sets[other])
            if shared >= self.threshold * (len(words) + len(self.sets[other]) - shared) - 1e-9:
                return other
        return -1

    def _prefix(self, number: int) -> list[str]:
        """The rarest words: two sets that are similar enough share one of either's."""
        words = self.sets[number]
        ordered = sorted(words, key=lambda word: (self.frequency[word], word))
        return ordered[: len(ordered) - math.ceil(self.threshold * len(ordered) - 1e-9) + 1]
