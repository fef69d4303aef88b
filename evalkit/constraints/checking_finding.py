"""What is known of one property of all products, where it was decided, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = [
    "ATTRIBUTE",
    "BRAND",
    "KIND",
    "NOWHERE",
    "PLACES",
    "PRICE",
    "TEXT",
    "Finding",
    "any_of",
    "nothing_known",
]

PLACES = ("nowhere", "attribute", "price", "kind", "brand", "text")
NOWHERE, ATTRIBUTE, PRICE, KIND, BRAND, TEXT = range(len(PLACES))


@dataclass(frozen=True)
class Finding:
    """What is known of one property of all products.

    Attributes:
        verdict: 1 has it, -1 has it not, 0 unknown; int8[n].
        place: where that was decided, index of `PLACES`; int8[n].
        why: the reason in words for one product.
    """

    verdict: NDArray[np.int8]
    place: NDArray[np.int8]
    why: Callable[[int], str]

    def opposite(self) -> Finding:
        """Return what is known of not having the property."""
        return Finding(-self.verdict, self.place, self.why)

    def without(self, products: NDArray[np.bool_]) -> Finding:
        """Return this with nothing known of some products."""
        known = ~products
        return Finding(self.verdict * known, self.place * known, self.why)

    def or_else(self, other: Finding) -> Finding:
        """Return this where it knows, else the other."""
        here = self.verdict != 0

        def why(product: int) -> str:
            return self.why(product) if here[product] else other.why(product)

        return Finding(
            np.where(here, self.verdict, other.verdict),
            np.where(here, self.place, other.place),
            why,
        )


def any_of(findings: Sequence[Finding]) -> Finding:
    """Return whether one of several holds; all must be known not to hold to say that none."""
    if len(findings) == 1:
        return findings[0]
    verdicts = np.stack([finding.verdict for finding in findings])
    places = np.stack([finding.place for finding in findings])
    verdict = np.where(
        (verdicts == 1).any(axis=0), 1, np.where((verdicts == -1).all(axis=0), -1, 0)
    ).astype(np.int8)
    # the first that holds, or else the weakest that does not
    strength = np.where(verdicts == verdict, places, -1)
    chosen = np.where(verdict == 1, (verdicts == 1).argmax(axis=0), strength.argmax(axis=0))
    place = np.take_along_axis(places, chosen[None], axis=0)[0]
    place = np.where(verdict == 0, NOWHERE, place).astype(np.int8)
    return Finding(verdict, place, lambda product: findings[chosen[product]].why(product))


def nothing_known(products: int) -> Finding:
    """Return the finding of which nothing is known."""
    nothing = np.zeros(products, dtype=np.int8)
    return Finding(nothing, nothing, lambda _: "nothing is stated")
