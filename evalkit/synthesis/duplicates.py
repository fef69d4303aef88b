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

__all__ = ["near_duplicates", "word_set"]

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
    if not 0 < threshold <= 1:
        raise SettingsError(f"The threshold is {threshold}; it must be above 0 and at most 1.")
    sets = [word_set(text) for text in texts]
    frequency = Counter(word for words in sets for word in words)
    result = np.full(len(texts), -1, dtype=np.int64)
    holders: dict[str, list[int]] = {}
    for number, words in enumerate(sets):
        ordered = sorted(words, key=lambda word: (frequency[word], word))
        # Two sets that are similar enough share a word among the first of either.
        prefix = ordered[: len(ordered) - math.ceil(threshold * len(ordered) - 1e-9) + 1]
        nearby = sorted({other for word in prefix for other in holders.get(word, ())})
        for other in nearby:
            shared = len(words & sets[other])
            if shared >= threshold * (len(words) + len(sets[other]) - shared) - 1e-9:
                result[number] = other
                break
        if result[number] < 0:
            for word in prefix:
                holders.setdefault(word, []).append(number)
    return result
