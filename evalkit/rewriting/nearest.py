"""Products whose words are nearest to a text: what answers a need that no table knows.

BM25 over titles, kinds, short values and descriptions (k1 1.5, b 0.75; Robertson and Zaragoza, The
Probabilistic Relevance Framework, 2009), with the title counted twice. A need's words occur in
descriptions ("for backs that complain after lunch"), so the kinds and values that the nearest
products share, and others lack, are what goes with the need.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from evalkit.rewriting.selection import is_absent
from evalkit.rewriting.wording import CONNECTORS, stems

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evalkit.knowledge import Catalogue

__all__ = ["FILLER", "Nearest", "shared_share"]

_K1 = 1.5
_B = 0.75
_MOST_VALUES = 200
_MANY = 4
_FILLER = """
    i me we you he she it they who what which when where how why is are was be been being do
    does did can could will would should have has had not no need want look looking something
    anything thing good best use used using like really very too so but if this these those
    there here am im dont cant get got go my our your his her their someone somebody people
    person all any some one also even just only please help find buy make made keep day time
"""
FILLER = frozenset(_FILLER.split())


class Nearest:
    """An inverted index of a catalogue's words; see the module."""

    def __init__(self, catalogue: Catalogue) -> None:
        texts = _texts(catalogue)
        rows: dict[str, list[int]] = defaultdict(list)
        counts: dict[str, list[int]] = defaultdict(list)
        lengths = np.zeros(len(texts))
        for number, text in enumerate(texts):
            said = Counter(word for word in stems(text) if word not in CONNECTORS)
            lengths[number] = said.total()
            for word, times in said.items():
                rows[word].append(number)
                counts[word].append(times)
        mean = float(lengths.mean()) if len(lengths) else 1.0
        self._norm = _K1 * (1 - _B + _B * lengths / max(mean, 1.0))
        self._size = len(texts)
        self._rows = {word: np.array(found, dtype=np.int64) for word, found in rows.items()}
        self._counts = {word: np.array(found, dtype=np.float64) for word, found in counts.items()}

    def asked(self, text: str) -> list[str]:
        """Return the stems of a text that count: those that products say, filler left out."""
        return [
            word
            for word in dict.fromkeys(stems(text))
            if word in self._rows
            and word not in FILLER
            and word not in CONNECTORS
            and not word.isdigit()
        ]

    def score(self, text: str) -> NDArray[np.float64]:
        """Return how near every product is to a text, float64[n]; 0 where no word is shared.

        The BM25 score times the number of the text's words that the product says; one word of
        four or more is chance.
        """
        scores, shared = np.zeros(self._size), np.zeros(self._size)
        asked = self.asked(text)
        for word in asked:
            rows = self._rows[word]
            shared[rows] += 1.0
            rarity = np.log1p((self._size - len(rows) + 0.5) / (len(rows) + 0.5))
            times = self._counts[word]
            scores[rows] += rarity * times * (_K1 + 1) / (times + self._norm[rows])
        # One rare word shared by chance shall not beat several that belong together.
        if len(asked) >= _MANY:
            scores[shared < 2] = 0.0
        return scores * shared

    def products(
        self, text: str, among: NDArray[np.int64] | None = None, most: int = 40
    ) -> NDArray[np.int64]:
        """Return the nearest products, best first, none that scores below half of the best."""
        scores = self.score(text)
        if among is not None:
            outside = np.ones(self._size, dtype=bool)
            outside[among] = False
            scores[outside] = 0.0
        order = np.lexsort((np.arange(self._size), -scores))[:most]
        if not len(order) or scores[order[0]] <= 0:
            return np.zeros(0, dtype=np.int64)
        near = order[scores[order] >= 0.5 * scores[order[0]]]
        return np.asarray(near, dtype=np.int64)


def shared_share(
    inside: NDArray[np.int64], having: NDArray[np.int64], among: NDArray[np.int64]
) -> float:
    """Return how much more often chosen products have something than all do, as a difference.

    Example:
        >>> chosen, having, everyone = np.array([1, 2]), np.array([1, 2, 3]), np.arange(10)
        >>> shared_share(chosen, having, everyone)
        0.7
    """
    if not len(inside) or not len(among):
        return 0.0
    here = len(np.intersect1d(inside, having)) / len(inside)
    return float(here - len(np.intersect1d(among, having)) / len(among))


def _texts(catalogue: Catalogue) -> list[str]:
    said: list[list[str]] = [[title, title] for title in catalogue.titles]
    for number, kind in enumerate(catalogue.kind.tolist()):
        if kind >= 0:
            said[number].append(catalogue.kinds[kind])
    for attribute in catalogue.attributes.values():
        if len(attribute.values) > _MOST_VALUES:
            continue
        name = attribute.name.replace("_", " ")
        texts = [
            "" if is_absent(value) else name if value == "yes" else value
            for value in attribute.values
        ]
        pairs = zip(attribute.product.tolist(), attribute.value.tolist(), strict=True)
        for product, value in pairs:
            if texts[value]:
                said[product].append(texts[value])
    return [
        " . ".join([*parts, description])
        for parts, description in zip(said, catalogue.descriptions, strict=True)
    ]
