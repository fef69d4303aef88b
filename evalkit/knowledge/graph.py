"""The graph of a catalogue: kind —attribute→ value, brand —tier→ price, kind —compatible with→.

Everything is counted from what the products state; a product without an attribute counts neither
for nor against it. Words that mean the same, needs and a user's own facts come on top.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from evalkit.knowledge.catalogue import normalise
from evalkit.knowledge.counting import LONG, Counts, count_statements
from evalkit.knowledge.needs import Need, known_needs
from evalkit.knowledge.settings import TIERS
from evalkit.knowledge.words import Words, read_words, stem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evalkit.knowledge.catalogue import Catalogue
    from evalkit.knowledge.triples import Triple

__all__ = ["Graph", "build_graph"]

_COMPATIBILITY = re.compile(
    r"(^|_)(compatib\w*|compatible_with|fits|suits|suitable_for|for_use_with)(_|$)"
)
_MANY = 30  # things that a kind goes with, of which the kinds are looked up
_MODEL = re.compile(r"\w\W+\w|[a-z]+[0-9]|[0-9]+[a-z]")  # several words, or letters and digits
_FEW = 5  # priced products without which a kind has no price tiers


@dataclass(frozen=True, eq=False)
class Graph:
    """What is known about the kinds and brands of a catalogue; see `build_graph`.

    Attributes:
        catalogue: what it was built from.
        words: the tables of words.
        triples: the user's facts.
        needs: the needs that this catalogue can answer.
        names: all attributes, sorted; their place is their number.
        brands: all brands, lower case, sorted; their place is their number.
        brand: number of each product's brand, int64[n]; -1 where it has none.
        sizes: products of each kind, int64[kinds].
        counts: what the products of each kind state.
    """

    catalogue: Catalogue
    words: Words
    triples: tuple[Triple, ...]
    names: tuple[str, ...]
    brands: tuple[str, ...]
    brand: NDArray[np.int64] = field(repr=False)
    sizes: NDArray[np.int64] = field(repr=False)
    counts: Counts = field(repr=False)
    needs: tuple[Need, ...] = ()

    # --- kinds and words

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds, those with most products first."""
        order = np.lexsort((np.arange(len(self.sizes)), -self.sizes))
        return tuple(self.catalogue.kinds[place] for place in order)

    def kinds_named(self, word: str) -> tuple[str, ...]:
        """Return the kinds that a word names, the closest first; all kinds for an empty word.

        These are the kind itself or its synonym; else kinds of which it is the broader word
        ("shoes": sneakers, boots), or whose last words it is ("cable": network cable).
        """
        if not word.strip():
            return self.kinds()
        wanted = stem(word)
        same = {wanted, *(stem(name) for name in self.words.synonyms(word))}
        for meaning in self.words.meanings(word):
            same |= {stem(meaning), *(stem(name) for name in self.words.synonyms(meaning))}
        narrower = {stem(name) for name in self.words.family(word)}
        found: dict[str, int] = {}
        for kind in self.kinds():
            key = stem(kind)
            if key in same:
                found[kind] = 0 if key == wanted else 1
            elif key in narrower:
                found[kind] = 2
            elif _ends_with(kind, same):
                found[kind] = 3
        for rank in (0, 1):
            if rank in found.values():
                # "toner" the kind is no toner cartridge, nor "speaker" every kind of speaker
                return tuple(kind for kind, place in found.items() if place == rank)
        return tuple(sorted(found, key=lambda kind: found[kind]))

    def kind_words(self, kind: str) -> tuple[str, ...]:
        """Return the words for a kind: itself and its synonyms."""
        return tuple(dict.fromkeys((kind, *self.words.synonyms(kind))))

    def says(self, value: str, wanted: str) -> bool:
        """Tell whether a value states a word; see `evalkit.knowledge.words.says`."""
        return self.words.says(value, wanted)

    # --- attributes and values

    def attributes(self, kind: str) -> tuple[str, ...]:
        """Return the attributes worth asking for in a kind, the most useful first.

        Usefulness is the share of the kind's products that state it, times the chance that two
        of those differ in it, times the share of statements that are short and not unique (bare
        numbers count half).
        Constant, unique and technical ones (weight of the package, EAN) are left out.
        """
        rows = self._usage(kind)
        good = rows[self.counts.usefulness[rows] > 0]
        order = np.lexsort((good, -self.counts.usefulness[good]))
        return tuple(
            self.names[self.counts.usage_key[row] % len(self.names)] for row in good[order]
        )

    def all_attributes(self, kind: str) -> tuple[str, ...]:
        """Return everything that products of a kind state, sorted by name."""
        return tuple(
            self.names[self.counts.usage_key[row] % len(self.names)] for row in self._usage(kind)
        )

    def usefulness(self, kind: str, attribute: str) -> float:
        """Return the usefulness of an attribute in a kind, 0 to 1; 0 where nobody states it."""
        row = self._usage_row(kind, attribute)
        return float(self.counts.usefulness[row]) if row is not None else 0.0

    def coverage(self, kind: str, attribute: str) -> float:
        """Return the share of the kind's products that state an attribute, 0 to 1."""
        row = self._usage_row(kind, attribute)
        if row is None:
            return 0.0
        return float(self.counts.stated[row] / self.sizes[self.catalogue.kinds.index(kind)])

    def values(self, kind: str, attribute: str) -> dict[str, int]:
        """Return the values that products of a kind state, with counts, the most frequent first."""
        key = self._key(kind, attribute)
        if key is None:
            return {}
        start, end = np.searchsorted(self.counts.key, [key, key + 1])
        known = self.catalogue.attributes[attribute].values
        return {
            known[value]: count
            for value, count in zip(
                self.counts.value[start:end].tolist(),
                self.counts.count[start:end].tolist(),
                strict=True,
            )
        }

    def siblings(self, kind: str, attribute: str, value: str) -> dict[str, int]:
        """Return what products of a kind are instead: the other values of an attribute.

        Counted are products that state the attribute and none of whose values says `value`; a
        value of which `value` is a kind is left out too, since it may be that one.

        Returns:
            Values with counts, the most frequent first.
        """
        stated = self.values(kind, attribute)
        wanted = normalise(value)
        excluded = {name for name in stated if self.says(name, wanted)}
        vague = {name for name in stated if self.says(wanted, name)} - excluded
        if not excluded:
            return {name: count for name, count in stated.items() if name not in vague}
        known = self.catalogue.attributes[attribute]
        bad = np.array([name in excluded for name in known.values])
        inside = self.catalogue.kind[known.product] == self.catalogue.kinds.index(kind)
        barred = np.unique(known.product[inside & bad[known.value]])
        kept = inside & ~np.isin(known.product, barred)
        counts = np.bincount(known.value[kept], minlength=len(known.values))
        # `stated` is the order of falling counts of all products; count again those that are kept
        places = {name: place for place, name in enumerate(known.values)}
        found = {
            name: int(counts[places[name]])
            for name in stated
            if name not in vague and counts[places[name]]
        }
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def values_named(self, word: str, kind: str | None = None) -> tuple[tuple[str, str], ...]:
        """Return the (attribute, value) pairs that say a word, in a kind or anywhere, sorted."""
        known = self.catalogue.attributes
        found = []
        for name in self.names if kind is None else self.all_attributes(kind):
            stated = known[name].values if kind is None else self.values(kind, name)
            found += [(name, value) for value in stated if self.says(value, word)]
        return tuple(sorted(found))

    # --- brands and prices

    def brands_of(self, kind: str | None = None) -> dict[str, int]:
        """Return the brands of a kind with their numbers of products, the largest first."""
        chosen = self.brand[self._rows(kind)]
        counts = np.bincount(chosen[chosen >= 0], minlength=len(self.brands))
        order = np.lexsort((np.arange(len(counts)), -counts))
        return {self.brands[place]: int(counts[place]) for place in order if counts[place]}

    def brand_median(self, brand: str, kind: str | None = None) -> float | None:
        """Return the median price of a brand in a kind (None: in all); None where unknown."""
        prices = self._prices(kind, brand)
        return float(np.median(prices)) if len(prices) else None

    def price_quantiles(
        self, kind: str, shares: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9)
    ) -> tuple[float, ...]:
        """Return the prices below which these shares of a kind's products lie; () if unknown."""
        prices = self._prices(kind)
        return tuple(float(price) for price in np.quantile(prices, shares)) if len(prices) else ()

    def tier(self, brand: str, kind: str | None = None) -> str | None:
        """Return the price tier of a brand: one of `TIERS`, or None where it cannot be told.

        The settings and the triples come first. Else it is where the brand's median price stands
        among the prices of the kind (half of those equal to it count as below), by
        `CatalogueSettings.tier_quantiles`. Without a kind, the mean place over its kinds.
        """
        name = normalise(brand)
        for subject, tier in self.catalogue.settings.brand_tiers.items():
            if normalise(subject) == name:
                return tier
        for triple in self.triples:
            if triple.relation == "tier" and triple.subject == name:
                return triple.object
        if name not in self.brands:
            return None
        if kind is not None:
            place = self._place(name, kind)
        else:
            rows = np.flatnonzero(self.brand == self.brands.index(name))
            numbers, counts = np.unique(self.catalogue.kind[rows], return_counts=True)
            places = [
                (found, count)
                for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
                if number >= 0
                and (found := self._place(name, self.catalogue.kinds[number])) is not None
            ]
            total = sum(count for _, count in places)
            place = sum(found * count for found, count in places) / total if total else None
        if place is None:
            return None
        return TIERS[int(np.searchsorted(self.catalogue.settings.tier_quantiles, place))]

    def cheaper_brands(self, kind: str, brand: str) -> tuple[str, ...]:
        """Return the brands of a kind whose median price is below a brand's, the largest first."""
        limit = self.brand_median(brand, kind)
        if limit is None:
            return ()
        medians = {name: self.brand_median(name, kind) for name in self.brands_of(kind)}
        return tuple(
            name for name, median in medians.items() if median is not None and median < limit
        )

    # --- compatibility

    def compatible_with(self, kind: str) -> dict[str, int]:
        """Return what products of a kind say they go with, with counts, the most frequent first."""
        found: dict[str, int] = {}
        for name in self.all_attributes(kind):
            if _COMPATIBILITY.search(name):
                for value, count in self.values(kind, name).items():
                    if len(value) <= LONG and value not in ("yes", "no", "none"):
                        found[value] = found.get(value, 0) + count
        for triple in self.triples:
            if triple.relation == "compatible with" and kind in self.kinds_named(triple.subject):
                found.setdefault(triple.object, 0)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def compatible_kinds(self, kind: str) -> tuple[str, ...]:
        """Return the kinds of the catalogue that a kind goes with, sorted.

        These are kinds that its products name; and where they name a model ("orbix nova 12"), the
        kind of which most titles have that name.
        """
        found: dict[str, None] = {}
        for text in list(self.compatible_with(kind))[:_MANY]:
            named = self.kinds_named(text)
            if not named and _MODEL.search(text):
                named = self._kind_of_model(text, kind)
            found.update(dict.fromkeys(named))
        for triple in self.triples:
            if triple.relation == "compatible with" and kind in self.kinds_named(triple.object):
                found.update(dict.fromkeys(self.kinds_named(triple.subject)))
        return tuple(sorted(name for name in found if name != kind))

    # --- needs

    def needs_of(self, kind: str) -> tuple[Need, ...]:
        """Return the needs that products of a kind answer."""
        return tuple(
            need for need in self.needs if any(answer.kind == kind for answer in need.answers)
        )

    # --- helpers

    def _kind_of_model(self, text: str, kind: str) -> tuple[str, ...]:
        whole = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")
        rows = [
            row for row, title in enumerate(self.catalogue.titles) if whole.search(title.lower())
        ]
        numbers = self.catalogue.kind[np.array(rows, dtype=np.int64)]
        numbers = numbers[(numbers >= 0) & (numbers != self.catalogue.kinds.index(kind))]
        if not len(numbers):
            return ()
        return (self.catalogue.kinds[int(np.argmax(np.bincount(numbers)))],)

    def _key(self, kind: str, attribute: str) -> int | None:
        if kind not in self.catalogue.kinds or attribute not in self.catalogue.attributes:
            return None
        return self.catalogue.kinds.index(kind) * len(self.names) + self.names.index(attribute)

    def _usage(self, kind: str) -> NDArray[np.int64]:
        if kind not in self.catalogue.kinds:
            return np.zeros(0, dtype=np.int64)
        number = self.catalogue.kinds.index(kind)
        start, end = np.searchsorted(
            self.counts.usage_key, [number * len(self.names), (number + 1) * len(self.names)]
        )
        return np.arange(start, end, dtype=np.int64)

    def _usage_row(self, kind: str, attribute: str) -> int | None:
        key = self._key(kind, attribute)
        if key is None:
            return None
        row = int(np.searchsorted(self.counts.usage_key, key))
        return (
            row if row < len(self.counts.usage_key) and self.counts.usage_key[row] == key else None
        )

    def _rows(self, kind: str | None) -> NDArray[np.int64]:
        if kind is None:
            return np.arange(len(self.catalogue), dtype=np.int64)
        return self.catalogue.of_kind(kind)

    def _prices(self, kind: str | None, brand: str | None = None) -> NDArray[np.float64]:
        rows = self._rows(kind)
        if brand is not None:
            name = normalise(brand)
            if name not in self.brands:
                return np.zeros(0)
            rows = rows[self.brand[rows] == self.brands.index(name)]
        prices = self.catalogue.prices[rows]
        return prices[np.isfinite(prices)]

    def _place(self, brand: str, kind: str) -> float | None:
        prices = self._prices(kind)
        median = self.brand_median(brand, kind)
        if median is None or len(prices) < _FEW:
            return None
        return float((np.sum(prices < median) + np.sum(prices == median) / 2) / len(prices))


def _ends_with(kind: str, names: set[str]) -> bool:
    """Tell whether a kind, or a part of "cases & clips", is one of these or ends with it."""
    parts = [f" {stem(part)}" for part in re.split(r"&|/|,|\band\b", kind)]
    return any(part.endswith(f" {name}") for part in parts for name in names)


def build_graph(catalogue: Catalogue, triples: Sequence[Triple] | None = None) -> Graph:
    """Count what the products of each kind state.

    Args:
        catalogue: from `read_catalogue`.
        triples: the user's own facts, from `read_triples`.
    """
    facts = tuple(triples or ())
    names = tuple(sorted(catalogue.attributes))
    of_kinds = catalogue.kind[catalogue.kind >= 0]
    sizes = np.bincount(of_kinds, minlength=len(catalogue.kinds)).astype(np.int64)
    brands = [normalise(brand) for brand in catalogue.brands]
    distinct = sorted({brand for brand in brands if brand})
    place = {brand: number for number, brand in enumerate(distinct)}
    graph = Graph(
        catalogue,
        read_words(facts),
        facts,
        names,
        tuple(distinct),
        np.fromiter((place.get(brand, -1) for brand in brands), np.int64, len(brands)),
        sizes,
        count_statements(catalogue, names, sizes),
    )
    return replace(graph, needs=known_needs(graph, facts))
