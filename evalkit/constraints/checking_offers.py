"""What a product is offered as: its kind, its brand, its price beside limits and a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints.checking_finding import (
    BRAND,
    KIND,
    NOWHERE,
    PRICE,
    TEXT,
    Finding,
)
from evalkit.knowledge.catalogue import normalise
from evalkit.knowledge.words import stem

if TYPE_CHECKING:
    from evalkit.constraints.checking_text import TextIndex
    from evalkit.constraints.structure import Reference
    from evalkit.knowledge.catalogue import Catalogue
    from evalkit.knowledge.words import Words

__all__ = ["Offers"]

# A kind that was read from a title with less confidence decides nothing.
_SURE_KIND = 0.6


class Offers:
    """Kinds, brands and prices of one catalogue.

    Args:
        catalogue: the catalogue.
        words: which words mean what.
        titles: the titles to read where the kind is not certain; None leaves them unread.
    """

    def __init__(self, catalogue: Catalogue, words: Words, titles: TextIndex | None) -> None:
        self.catalogue = catalogue
        self.words = words
        self.titles = titles
        self.size = len(catalogue)
        self.brands = np.array([normalise(brand) for brand in catalogue.brands], dtype=object)

    def price(self, low: float, high: float, strict: bool) -> Finding:
        """Return whether prices lie within limits; a limit that is NaN is unknown."""
        prices = self.catalogue.prices
        known = ~np.isnan(prices) & ~np.isnan(high)
        within = (prices >= low) & ((prices < high) if strict else (prices <= high))
        verdict = np.where(known, np.where(within, 1, -1), 0).astype(np.int8)
        limit = (
            f"at least {low:g}"
            if np.isinf(high)
            else f"{'below' if strict else 'at most'} {high:g}"
        )
        place = np.where(known, PRICE, NOWHERE).astype(np.int8)
        return Finding(
            verdict, place, lambda product: f"the price is {prices[product]:g}, wanted {limit}"
        )

    def another_than(self, reference: Reference) -> Finding:
        """Return whether products are none of the reference's: itself, or its brand."""
        catalogue = self.catalogue
        verdict = np.ones(self.size, dtype=np.int8)
        place = np.full(self.size, BRAND, dtype=np.int8)
        number = -1
        if reference.product_id is not None:
            number = int(catalogue.numbers_of([reference.product_id])[0])
        if number >= 0:
            verdict[number] = -1
        elif reference.brand is not None:
            same = self.brands == normalise(reference.brand)
            if stem(reference.text) != stem(reference.brand):
                # A product of that brand that is not known by its id: those that bear its name.
                wanted = set(stem(reference.text).split())
                for number in np.flatnonzero(same).tolist():
                    same[number] = wanted <= set(stem(catalogue.titles[number]).split())
            verdict[same] = -1
            verdict[self.brands == ""] = 0
            place[self.brands == ""] = NOWHERE
        else:
            verdict[:], place[:] = 0, NOWHERE

        def why(product: int) -> str:
            if verdict[product] < 0:
                return f"it is {reference.text} itself"
            return f"the brand is {catalogue.brands[product] or 'another'}"

        return Finding(verdict, place, why)

    def reference_price(self, reference: Reference, kinds: tuple[str, ...]) -> float:
        """Return the price of the reference, or its brand's median in the kinds; NaN if unknown."""
        prices = self.catalogue.prices
        if reference.product_id is not None:
            number = int(self.catalogue.numbers_of([reference.product_id])[0])
            if number >= 0:
                return float(prices[number])
        if reference.brand is None:
            return float("nan")
        chosen = (self.brands == normalise(reference.brand)) & ~np.isnan(prices)
        if kinds:
            chosen &= self.kind(kinds).verdict == 1
        return float(np.median(prices[chosen])) if chosen.any() else float("nan")

    def kind(self, kinds: tuple[str, ...]) -> Finding:
        """Decide by the kind, where it is certain enough; else by the words of the title.

        A kind that was itself read from the title (confidence below 1) does not exclude one that
        it is wider than (a `cable` may be a network cable), nor one that the title names too,
        unless as part of its own name (a `notebook case` is no notebook).
        """
        catalogue = self.catalogue
        names = list(dict.fromkeys(name for kind in kinds for name in self.words.names(kind)))
        stems = [stem(name) for name in names]
        own = [stem(kind) for kind in catalogue.kinds]
        fits = np.array([any(_ends_with(kind, name) for name in stems) for kind in own] + [False])
        wider = np.array([any(_ends_with(name, kind) for name in stems) for kind in own] + [False])
        inside = np.array(
            [any(f" {name} " in f" {kind} " for name in stems) for kind in own] + [False]
        )
        sure = (catalogue.kind >= 0) & (catalogue.kind_confidence >= _SURE_KIND)
        verdict = np.zeros(self.size, dtype=np.int8)
        if fits.any():
            stated = catalogue.kind_confidence >= 1
            other = sure & (stated | ~wider[catalogue.kind])
            verdict = np.where(sure & fits[catalogue.kind], 1, np.where(other, -1, 0))
            verdict = verdict.astype(np.int8)
        place = np.where(verdict != 0, KIND, NOWHERE).astype(np.int8)
        if self.titles is not None:
            titled = self.titles.mention(names).said
            if fits.any():
                doubtful = (verdict == -1) & ~stated & titled & ~inside[catalogue.kind]
                verdict[doubtful], place[doubtful] = 0, NOWHERE
                titled = titled & ~doubtful
            by_title = (verdict == 0) & titled & ~inside[catalogue.kind]
            verdict[by_title], place[by_title] = 1, TEXT

        def why(product: int) -> str:
            if place[product] == KIND:
                return f"the kind is {catalogue.kinds[catalogue.kind[product]]}"
            return f"the title says {catalogue.titles[product]}"

        return Finding(verdict, place, why)

    def of_brand(self, value: str) -> Finding:
        """Return whether products are of a brand, whose name may be part of the stated one.

        An empty value is any brand; a product that states none is unknown.
        """
        distinct = sorted(set(self.brands.tolist()))
        wanted = f" {stem(value)} "
        same = {
            brand: not value or wanted in f" {stem(brand)} " or brand == value for brand in distinct
        }
        verdict = np.fromiter(
            (0 if not brand else 1 if same[brand] else -1 for brand in self.brands),
            np.int8,
            self.size,
        )
        place = np.where(verdict != 0, BRAND, NOWHERE).astype(np.int8)
        return Finding(
            verdict, place, lambda product: f"the brand is {self.catalogue.brands[product]}"
        )


def _ends_with(kind: str, wanted: str) -> bool:
    return kind == wanted or kind.endswith(f" {wanted}")
