"""How varied a set of queries is: openings, distinct n-grams, self-BLEU.

- openings: distinct first two words, as a share of the queries.
- distinct-n: distinct n-grams as a share of all (Li et al., "A Diversity-Promoting Objective
  Function for Neural Conversation Models", 2016).
- self-BLEU: the mean BLEU of each query against all others (Zhu et al., "Texygen", 2018); high
  means that queries repeat each other. BLEU is that of Papineni et al. (2002): the geometric mean
  of the clipped n-gram precisions, n = 1 to 4, times exp(1 - r / c) where the query (c words) is
  shorter than the closest reference (r words). A precision without a match counts 0.1 matches
  (Chen and Cherry, 2014, smoothing 1); orders that a short query does not have are left out.

All three depend on how many queries there are, so sets are compared on samples of one size.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Variety", "bleu", "measure_variety", "self_bleu"]

_ORDERS = (1, 2, 3, 4)
_SMOOTHING = 0.1
_WORD = re.compile(r"[^\s,.;:!?()\"]+")


@dataclass(frozen=True)
class Variety:
    """How varied a sample of queries is.

    Attributes:
        queries: size of the sample.
        words: mean number of words.
        openings: distinct first two words as a share of the queries.
        distinct_1: distinct words as a share of all.
        distinct_2: distinct pairs of words as a share of all.
        distinct_3: distinct triples of words as a share of all.
        self_bleu: mean BLEU of each against all others, 0 to 1; low is varied.
    """

    queries: int
    words: float
    openings: float
    distinct_1: float
    distinct_2: float
    distinct_3: float
    self_bleu: float


def measure_variety(texts: Sequence[str], *, sample: int = 200, seed: int = 0) -> Variety | None:
    """Measure a sample of queries; None where there are not two.

    Args:
        texts: queries.
        sample: how many are drawn; all where there are fewer.
        seed: of the draw.
    """
    split = [_split(text) for text in texts]
    split = [words for words in split if words]
    if len(split) < 2:
        return None
    if len(split) > sample:
        drawn = np.random.default_rng(seed).choice(len(split), sample, replace=False)
        split = [split[place] for place in np.sort(drawn)]
    shares = []
    for order in _ORDERS[:3]:
        grams = [gram for words in split for gram in _grams(words, order)]
        shares.append(len(set(grams)) / len(grams) if grams else 0.0)
    return Variety(
        len(split),
        sum(map(len, split)) / len(split),
        len({tuple(words[:2]) for words in split}) / len(split),
        shares[0],
        shares[1],
        shares[2],
        self_bleu(split),
    )


def self_bleu(texts: Sequence[Sequence[str]]) -> float:
    """Return the mean BLEU of each text, given as words, against all others."""
    return sum(
        bleu(words, [other for place, other in enumerate(texts) if place != number])
        for number, words in enumerate(texts)
    ) / len(texts)


def bleu(words: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Return the BLEU of one text against references; see the module.

    Example:
        >>> round(bleu("red boots no laces".split(), ["red boots without laces".split()]), 4)
        0.188
    """
    logs = []
    for order in _ORDERS:
        found = Counter(_grams(words, order))
        total = sum(found.values())
        if not total:
            break
        most: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            for gram, times in Counter(_grams(reference, order)).items():
                if gram in found:
                    most[gram] = max(most[gram], times)
        clipped = sum(min(times, most[gram]) for gram, times in found.items())
        logs.append(math.log((clipped or _SMOOTHING) / total))
    if not logs:
        return 0.0
    closest = min(
        (len(reference) for reference in references),
        key=lambda length: (abs(length - len(words)), length),
    )
    penalty = 1.0 if len(words) > closest else math.exp(1 - closest / len(words))
    return penalty * math.exp(sum(logs) / len(logs))


def _split(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _grams(words: Sequence[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + order]) for place in range(len(words) - order + 1)]
