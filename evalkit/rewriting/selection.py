"""Which products a structure asks for, as far as titles and attributes tell, and what they share.

This finds words for rewrites and decides about no pair: a product that slips in costs a word, not a
training example. The constraint checker, which does decide, is `evalkit.constraints.checking`.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from evalkit.rewriting.wording import ABSENT, stems

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints import Condition, Structure
    from evalkit.knowledge import Attribute, Catalogue
    from evalkit.knowledge.words import Words

__all__ = ["Selection", "is_absent"]


def is_absent(value: str) -> bool:
    """Tell whether a value of the catalogue says that the product lacks the thing.

    Example:
        >>> [is_absent(value) for value in ("none", "no", "none, pre-seasoned with oil", "nylon")]
        [True, True, True, False]
    """
    first = value.partition(",")[0].strip()
    return first in (*ABSENT, "n") or first.partition(" ")[0] in ("not", "no", "without", "none")


class Selection:
    """Finds products by what they state; see the module. Words found once are remembered."""

    def __init__(self, catalogue: Catalogue, words: Words) -> None:
        self._catalogue = catalogue
        self._words = words
        self._stating: dict[tuple[str | None, str], NDArray[np.bool_]] = {}

    @cached_property
    def _titles_with(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for number, title in enumerate(self._catalogue.titles):
            for word in set(stems(title)):
                found[word].append(number)
        return found

    @cached_property
    def _values_with(self) -> dict[str, list[tuple[str, int]]]:
        found: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, attribute in self._catalogue.attributes.items():
            for place, value in enumerate(attribute.values):
                for word in set(stems(value)):
                    found[word].append((name, place))
        return found

    def matching(
        self, structure: Structure, kinds: Sequence[str], *, known: bool = True
    ) -> NDArray[np.int64]:
        """Return the products of the kinds that satisfy a structure's conditions, ascending.

        Args:
            structure: its required and excluded conditions, and its price limits.
            kinds: all kinds if empty.
            known: leave out products that do not state an attribute which is excluded.
        """
        catalogue = self._catalogue
        fits = np.zeros(len(catalogue), dtype=bool)
        for kind in kinds:
            fits[catalogue.of_kind(kind)] = True
        if not kinds:
            fits[:] = True
        for condition in structure.required:
            fits &= self.having(condition)
        for condition in structure.excluded:
            fits &= ~self.having(condition)
            attribute = catalogue.attributes.get(condition.attribute or "")
            if known and attribute is not None:
                stated = np.zeros(len(catalogue), dtype=bool)
                stated[attribute.stated()] = True
                fits &= stated
        if structure.price_max is not None:
            fits &= catalogue.prices <= structure.price_max
        if structure.price_min is not None:
            fits &= catalogue.prices >= structure.price_min
        return np.flatnonzero(fits).astype(np.int64)

    def having(self, condition: Condition) -> NDArray[np.bool_]:
        """Tell which products state one of a condition's values, or have the thing itself."""
        values = [value for value in condition.values if value not in ("yes", "true")]
        found = np.zeros(len(self._catalogue), dtype=bool)
        if not values or len(values) < len(condition.values):
            found |= self._having_thing(condition.attribute)
        for value in values:
            found |= self._saying(condition.attribute, value)
        return found

    def _having_thing(self, name: str | None) -> NDArray[np.bool_]:
        found = np.zeros(len(self._catalogue), dtype=bool)
        if name is None:
            return found
        attribute = self._catalogue.attributes.get(name)
        if attribute is None:
            return self._saying(None, name.replace("_", " "))
        absent = np.array([is_absent(value) for value in attribute.values], dtype=bool)
        found[attribute.product[~absent[attribute.value]]] = True
        return found

    def _saying(self, name: str | None, value: str) -> NDArray[np.bool_]:
        key = (name, value)
        found = self._stating.get(key)
        if found is None:
            found = self._stating[key] = self._say(name, value)
        return found

    def _say(self, name: str | None, value: str) -> NDArray[np.bool_]:
        catalogue, says = self._catalogue, self._words.says
        found = np.zeros(len(catalogue), dtype=bool)
        if name == "brand":
            wanted = value.lower()
            found[:] = [brand.lower() == wanted for brand in catalogue.brands]
            return found
        named = catalogue.attributes.get(name or "")
        if named is not None and is_absent(value):
            lacking = [place for place, text in enumerate(named.values) if is_absent(text)]
            found[named.product[np.isin(named.value, lacking)]] = True
            return found
        firsts = {stems(word)[0] for word in self._words.names(value) if stems(word)}
        for first in sorted(firsts):
            titles = [n for n in self._titles_with.get(first, ()) if not found[n]]
            found[[n for n in titles if says(catalogue.titles[n], value)]] = True
            places: dict[str, list[int]] = defaultdict(list)
            for attribute_name, place in self._values_with.get(first, ()):
                if named is None or attribute_name == name:
                    places[attribute_name].append(place)
            for attribute_name, candidates in places.items():
                attribute = catalogue.attributes[attribute_name]
                saying = [p for p in candidates if says(attribute.values[p], value)]
                found[attribute.product[np.isin(attribute.value, saying)]] = True
        return found

    def values(self, numbers: NDArray[np.int64], attribute: Attribute) -> dict[str, int]:
        """Count an attribute's values among products, most frequent first."""
        inside = np.isin(attribute.product, numbers)
        counts = np.bincount(attribute.value[inside], minlength=len(attribute.values))
        found = [(attribute.values[place], int(counts[place])) for place in np.flatnonzero(counts)]
        return dict(sorted(found, key=lambda each: (-each[1], each[0])))

    def sharing(self, words: Iterable[str]) -> NDArray[np.int64]:
        """Count how many word stems each product's title shares with some, int64[n]."""
        found = np.zeros(len(self._catalogue), dtype=np.int64)
        for word in words:
            found[self._titles_with.get(word, [])] += 1
        return found
