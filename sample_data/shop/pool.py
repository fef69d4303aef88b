"""Which products are judged for a query: its department, its kinds, and what words bring up.

The word search is a small BM25 in whole numbers, so that no rounding of a platform can change
the order. It is here to choose what to judge, not to be good at finding.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shop.catalogue import Product
    from shop.intents import Intent

DEPTH = 50
# Short on purpose: other searches keep words such as "my", and what those bring up is judged too.
_COMMON = frozenset(
    {"a", "an", "and", "at", "by", "for", "in", "is", "it", "of", "on", "that", "the", "to", "with"}
)


class WordSearch:
    """BM25 (k1 = 1.2, b = 0.75) over one text per product."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(words(text)) for text in texts]
        self._lengths = [sum(counts.values()) for counts in self._counts]
        self._mean = max(1, sum(self._lengths) // max(1, len(self._lengths)))
        holders = Counter(word for counts in self._counts for word in counts)
        total = len(texts)
        # Rounded to thousandths: the last bit of a logarithm may differ between platforms.
        self._rarity = {
            word: int(1000 * math.log(1 + (total - n + 0.5) / (n + 0.5)) + 0.5)
            for word, n in holders.items()
        }

    def best(self, query: str, depth: int) -> list[int]:
        """Positions of the best texts, best first; ties in the order of the texts."""
        wanted = [word for word in dict.fromkeys(words(query)) if word in self._rarity]
        positions = range(len(self._counts))
        scores = [(-self._score(position, wanted), position) for position in positions]
        return [position for score, position in sorted(scores)[:depth] if score < 0]

    def _score(self, position: int, wanted: Sequence[str]) -> int:
        counts = self._counts[position]
        base = 300 + 900 * self._lengths[position] // self._mean
        score = 0
        for word in wanted:
            if n := counts.get(word, 0):
                score += self._rarity[word] * 2200 * n // (1000 * n + base)
        return score


def words(text: str) -> list[str]:
    """Lower-case words without the commonest ones and without a plural s.

    >>> words("The Boots for hiking")
    ['boot', 'hiking']
    """
    found = re.findall(r"[^\W_]+", text.lower())
    return [
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in found
        if word not in _COMMON
    ]


def make_pools(intents: Sequence[Intent], products: Sequence[Product]) -> list[list[Product]]:
    """For every intent the products to judge, in the order of the catalogue."""
    pages = WordSearch([f"{product.title} {product.description}" for product in products])
    everything = WordSearch([_everything(product) for product in products])
    pools = []
    for intent in intents:
        kinds = {*intent.kinds, *intent.substitutes, *intent.near, *intent.confusable}
        chosen = {
            n
            for n, product in enumerate(products)
            if product.kind in kinds or product.department == intent.department
        }
        chosen.update(pages.best(intent.query, DEPTH))
        chosen.update(everything.best(intent.query, DEPTH))
        pools.append([products[n] for n in sorted(chosen)])
    return pools


def _everything(product: Product) -> str:
    values = (
        value if isinstance(value, str) else " ".join(value)
        for value in product.attributes.values()
    )
    return f"{product.title} {product.kind} {product.description} {' '.join(values)}"
