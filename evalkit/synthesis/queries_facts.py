"""What is true of a catalogue, fast: which products of a kind satisfy a structure.

Unknown is not satisfied: a product that does not state an attribute neither has a value of it nor
lacks one, and a product without a price is under no limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from evalkit.knowledge import says
from evalkit.synthesis.templates_grammar import read_wording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from evalkit.constraints import Condition, Structure
    from evalkit.knowledge import Catalogue

__all__ = ["BRAND", "Facts", "KindFacts", "Statements", "is_absent"]

BRAND = "brand"
_BETWEEN = re.compile(r"[\s,;()\[\]|\"™®]+")  # words of titles; see also `templates_references`


def is_absent(value: str) -> bool:
    """Whether a value says that the thing itself is not there.

    Example:
        >>> [is_absent(value) for value in ("no", "none, pre-seasoned", "detachable")]
        [True, True, False]
    """
    words: list[str] = read_wording("grammar")["absent"]
    return value in words or value.startswith("none")


@dataclass(frozen=True)
class Statements:
    """What the products of one kind state about one attribute.

    Attributes:
        name: the attribute.
        values: its distinct values in the whole catalogue.
        product: place of each statement's product among those of the kind, int64[s].
        value: index of `values`, int64[s].
        stated: bool[products of the kind], whether it is stated at all.
    """

    name: str
    values: tuple[str, ...]
    product: NDArray[np.int64]
    value: NDArray[np.int64]
    stated: NDArray[np.bool_]

    def counts(self) -> dict[str, int]:
        """Return how many products of the kind state each value, most frequent first."""
        found, times = np.unique(self.value, return_counts=True)
        order = np.lexsort((found, -times))
        return {self.values[found[place]]: int(times[place]) for place in order}

    def holds(self, fits: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Return bool[products of the kind]: some value fits."""
        present = np.unique(self.value)
        good = present[[fits(self.values[place]) for place in present]] if len(present) else present
        result = np.zeros(len(self.stated), dtype=bool)
        result[self.product[np.isin(self.value, good)]] = True
        return result


@dataclass(frozen=True)
class KindFacts:
    """The products of one kind and what they state.

    Attributes:
        kind: its name.
        products: their numbers in the catalogue, ascending, int64[m].
        prices: float64[m], NaN where unknown.
        brands: lower case, one each.
        statements: by attribute, the brand among them.
    """

    kind: str
    products: NDArray[np.int64]
    prices: NDArray[np.float64]
    brands: NDArray[np.object_]
    statements: Mapping[str, Statements]
    says: Callable[[str, str], bool]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", {})

    def has(self, condition: Condition) -> NDArray[np.bool_]:
        """Return bool[m]: the products that state the condition."""
        known: dict[Condition, NDArray[np.bool_]] = self.__dict__["_known"]
        if condition not in known:
            known[condition] = self._has(condition)
        return known[condition]

    def _has(self, condition: Condition) -> NDArray[np.bool_]:
        stated = self.statements.get(condition.attribute or "")
        if stated is None:
            return np.zeros(len(self.products), dtype=bool)
        if not condition.values:
            return stated.holds(lambda value: not is_absent(value))
        if condition.attribute == BRAND:
            return stated.holds(lambda value: value in condition.values)
        return stated.holds(
            lambda value: any(
                # 2.5 says 2 in words, and is another number
                value == wanted if wanted[:1].isdigit() else self.says(value, wanted)
                for wanted in condition.values
            )
        )

    def lacks(self, condition: Condition) -> NDArray[np.bool_]:
        """Return bool[m]: the products that state the attribute and not the condition."""
        stated = self.statements.get(condition.attribute or "")
        if stated is None:
            return np.zeros(len(self.products), dtype=bool)
        return stated.stated & ~self.has(condition)

    def satisfies(
        self,
        structure: Structure,
        *,
        reference_price: float | None = None,
        reference_number: int | None = None,
    ) -> NDArray[np.bool_]:
        """Return bool[m]: the products for which everything in the structure is known to hold.

        Args:
            structure: conditions, price limits and reference; its kinds are not looked at.
            reference_price: what the reference costs; products must cost less.
            reference_number: the reference itself, which is no answer; for a brand, all its
                products are none.
        """
        good = np.ones(len(self.products), dtype=bool)
        for condition in structure.required:
            good &= self.has(condition)
        for condition in structure.excluded:
            good &= self.lacks(condition)
        if structure.price_max is not None:
            good &= self.prices <= structure.price_max
        if structure.price_min is not None:
            good &= self.prices >= structure.price_min
        if structure.reference is not None:
            if reference_price is None:
                return np.zeros(len(self.products), dtype=bool)
            share = structure.price_share
            limit = reference_price if share is None else share * reference_price
            good &= (self.prices < limit) if share is None else (self.prices <= limit)
            if reference_number is not None:
                good &= self.products != reference_number
            elif structure.reference.brand is not None:
                good &= self.brands != structure.reference.brand.lower()
        return good


@dataclass(frozen=True)
class Facts:
    """A catalogue by kind; see the module.

    Attributes:
        catalogue: whose facts these are.
        says: whether a value states a word.
    """

    catalogue: Catalogue
    says: Callable[[str, str], bool] = says

    @cached_property
    def kinds(self) -> dict[str, KindFacts]:
        """All kinds, the largest first."""
        catalogue = self.catalogue
        sizes = np.bincount(catalogue.kind[catalogue.kind >= 0], minlength=len(catalogue.kinds))
        members = [np.flatnonzero(catalogue.kind == place) for place in range(len(sizes))]
        place_in_kind = np.zeros(len(catalogue), dtype=np.int64)
        for numbers in members:
            place_in_kind[numbers] = np.arange(len(numbers))
        found: list[dict[str, Statements]] = [{} for _ in members]
        for attribute in catalogue.attributes.values():
            kind = catalogue.kind[attribute.product]
            order = np.argsort(kind, kind="stable")
            cuts = np.flatnonzero(np.diff(kind[order]) > 0) + 1
            for rows in np.split(order, cuts) if len(order) else ():
                number = int(kind[rows[0]])
                if number < 0:
                    continue
                product = place_in_kind[attribute.product[rows]]
                stated = np.zeros(len(members[number]), dtype=bool)
                stated[product] = True
                found[number][attribute.name] = Statements(
                    attribute.name, attribute.values, product, attribute.value[rows], stated
                )
        brands = np.array([brand.lower() for brand in catalogue.brands], dtype=object)
        names, brand_of = np.unique(brands.astype(str), return_inverse=True)
        for number, numbers in enumerate(members):
            own = brands[numbers] != ""
            found[number].setdefault(
                BRAND,
                Statements(
                    BRAND,
                    tuple(str(name) for name in names),
                    np.flatnonzero(own),
                    brand_of[numbers][own].astype(np.int64),
                    own,
                ),
            )
        order = np.lexsort((np.arange(len(sizes)), -sizes))
        return {
            catalogue.kinds[number]: KindFacts(
                catalogue.kinds[number],
                members[number].astype(np.int64),
                catalogue.prices[members[number]],
                brands[members[number]],
                found[number],
                self.says,
            )
            for number in order.tolist()
            if sizes[number]
        }

    @cached_property
    def capitalised(self) -> bool:
        """Whether most words of the titles begin with a capital, not only names."""
        words = [
            word
            for title in self.catalogue.titles[:2000]
            for word in title.split()
            if len(word) > 3 and word.isalpha()
        ]
        return sum(word[0].isupper() for word in words) > 0.6 * len(words)

    def kinds_titled(self, words: str) -> tuple[str, ...]:
        """Return the kinds with a product whose title has all these words, sorted."""
        found: NDArray[np.int64] | None = None
        for word in _BETWEEN.split(words.lower()):
            titles = self._titles_with.get(word, np.zeros(0, dtype=np.int64))
            found = titles if found is None else np.intersect1d(found, titles)
        if found is None:
            return ()
        kinds = np.unique(self.catalogue.kind[found])
        return tuple(sorted(self.catalogue.kinds[kind] for kind in kinds.tolist() if kind >= 0))

    @cached_property
    def _titles_with(self) -> dict[str, NDArray[np.int64]]:
        """The products whose title has a word, by word."""
        import pyarrow as pa
        import pyarrow.compute as pc

        titles = pc.utf8_lower(pa.array(self.catalogue.titles, pa.string()))
        parts = pc.split_pattern_regex(titles, _BETWEEN.pattern)
        words = pc.list_flatten(parts).dictionary_encode()
        products = pc.list_parent_indices(parts).to_numpy()
        codes = words.indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        cuts = np.flatnonzero(np.diff(codes[order])) + 1
        several = np.split(products[order].astype(np.int64), cuts)
        return dict(zip(words.dictionary.to_pylist(), several, strict=True))

    def brand_price(self, kind: str, brand: str) -> float | None:
        """Return the median price of a brand's products of a kind, or None if unknown."""
        facts = self.kinds.get(kind)
        if facts is None:
            return None
        prices = facts.prices[facts.brands == brand.lower()]
        prices = prices[~np.isnan(prices)]
        return float(np.median(prices)) if len(prices) else None

    def satisfying(self, structure: Structure) -> NDArray[np.int64]:
        """Return the numbers of all products that satisfy a structure, ascending.

        A reference is looked up by its product_id, or by its brand within each kind.
        """
        number: int | None = None
        reference = structure.reference
        if reference is not None and reference.product_id is not None:
            number = int(self.catalogue.numbers_of([reference.product_id])[0])
            number = None if number < 0 else number
        found = []
        for kind in structure.kinds or tuple(self.kinds):
            facts = self.kinds.get(kind)
            if facts is None:
                continue
            price = None
            if number is not None:
                price = float(self.catalogue.prices[number])
            elif reference is not None and reference.brand is not None:
                price = self.brand_price(kind, reference.brand)
            good = facts.satisfies(structure, reference_price=price, reference_number=number)
            found.append(facts.products[good])
        return np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)

    def violating(self, structure: Structure) -> NDArray[np.int64]:
        """Return the products of the kinds that have an excluded thing, ascending."""
        found = []
        for kind in structure.kinds or tuple(self.kinds):
            facts = self.kinds.get(kind)
            if facts is None:
                continue
            bad = np.zeros(len(facts.products), dtype=bool)
            for condition in structure.excluded:
                bad |= facts.has(condition)
            found.append(facts.products[bad])
        return np.sort(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)
