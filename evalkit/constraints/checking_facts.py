"""Masks over all products: which have a property, by attribute or by text; kept once made."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints.checking_finding import (
    ATTRIBUTE,
    NOWHERE,
    TEXT,
    Finding,
    any_of,
    nothing_known,
)
from evalkit.constraints.checking_offers import Offers
from evalkit.constraints.checking_reading import Reading
from evalkit.constraints.checking_senses import MADE_OF, speaks_of_something_else
from evalkit.constraints.checking_values import (
    asks_for_absence,
    denies_any,
    is_presence,
    quantity,
    states_any,
    states_thing,
    takes_larger,
)
from evalkit.knowledge.catalogue import normalise
from evalkit.knowledge.words import stem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints.structure import Condition
    from evalkit.knowledge.catalogue import Attribute, Catalogue
    from evalkit.knowledge.words import Words

__all__ = ["Facts"]

_BRAND_NAMES = ("brand", "manufacturer")
# Attributes that list what a product lacks, what it consists of, and what it is used with.
_LACKS = ("free_from", "free_of", "without", "does_not_contain")
_CONTENT = ("ingredients", "allergens", "contains", "composition")
_ABOUT_OTHERS = ("compatib", "suits", "fits", "suitable", "removes", "for_", "supported", "works")
# Products times kept findings, two bytes each; and how many keep their reasons at hand.
_MASKS = 1 << 28
_REASONS = 64


class Facts:
    """All masks of one catalogue under one way of checking."""

    def __init__(
        self,
        catalogue: Catalogue,
        words: Words,
        read_text: bool,
        ignored: frozenset[str],
        other: Reading | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.words = words
        self.size = len(catalogue)
        self.attributes = dict(catalogue.attributes)
        names = {catalogue.settings.attribute_name(name) or name for name in ignored} | ignored
        self.ignored = names
        self.reading = (other or Reading(catalogue, words)) if read_text else None
        titles = self.reading.titles if self.reading is not None else None
        self.offers = Offers(catalogue, words, titles)
        self._kept: OrderedDict[object, Finding] = OrderedDict()
        self._whole: OrderedDict[object, Finding] = OrderedDict()
        self._most = max(64, _MASKS // max(self.size, 1))
        self._whether: dict[str, list[str]] | None = None
        self._by_word: dict[str, dict[str, None]] | None = None

    # -- what is asked for ---------------------------------------------------------------------

    def required(self, condition: Condition) -> Finding:
        """Return whether products have one of the values, or the thing itself.

        A value that no product states may be a matter of which the attribute does not speak
        (`battery type: single-use`, asked for AA), so that saying something else is no answer.
        """
        name, values = self._asked(condition)
        return self._once(
            ("required", name, values),
            lambda: any_of([self._spoken_of(name, value) for value in values]),
        )

    def excluded(self, condition: Condition) -> Finding:
        """Return whether products have none of the values, or lack the thing itself.

        Other values of an attribute do not outweigh a text that speaks of the thing: a flavour of
        caramel does not answer for peanuts that the description states.
        """
        name, values = self._asked(condition)
        return self._once(
            ("excluded", name, values),
            lambda: any_of([self._undisputed(name, value) for value in values]).opposite(),
        )

    def kind(self, kinds: tuple[str, ...]) -> Finding:
        """Return whether products are of one of the kinds."""
        return self._once(("kind", kinds), lambda: self.offers.kind(kinds))

    # -- how it is decided ---------------------------------------------------------------------

    def _once(self, key: object, make: Callable[[], Finding]) -> Finding:
        """Return a finding made before; its reasons are made again where they are asked for."""
        found = self._kept.get(key)
        if found is None:
            whole = self._remember(key, make())

            def why(product: int) -> str:
                return (self._whole.get(key) or self._remember(key, make())).why(product)

            found = self._kept[key] = Finding(whole.verdict, whole.place, why)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return found

    def _remember(self, key: object, finding: Finding) -> Finding:
        """Keep the reasons of the last findings, which hold many more masks than the verdicts."""
        self._whole[key] = finding
        while len(self._whole) > _REASONS:
            self._whole.popitem(last=False)
        return finding

    def _asked(self, condition: Condition) -> tuple[str | None, tuple[str, ...]]:
        values = tuple(map(normalise, condition.values)) or ("",)
        return self._name(condition.attribute), values

    def _spoken_of(self, name: str | None, value: str) -> Finding:
        finding = self._has(name, value)
        if name is None or name in (*_BRAND_NAMES, *_LACKS, *_CONTENT) or not value:
            return finding
        if (finding.verdict == 1).any() or is_presence(value) or asks_for_absence(value):
            return finding
        if quantity(value) is not None:
            return finding
        return nothing_known(self.size)

    def _undisputed(self, name: str | None, value: str) -> Finding:
        finding = self._has(name, value)
        # of the rest, what is stated is the presence of the thing, or a list of what is absent
        of_values = name is None or (name not in (*_BRAND_NAMES, *_LACKS) and name[-5:] != "_free")
        whole = not value or asks_for_absence(value)
        whole = whole or (is_presence(value) and name not in (*_CONTENT, None))
        if self.reading is None or whole or not of_values:
            return finding
        other = (finding.verdict == -1) & (finding.place == ATTRIBUTE)
        if not other.any():
            return finding
        spoken = self.reading.speaks(name, value)
        return finding.without(other & spoken & ~self._explicitly_without(name, value))

    def _explicitly_without(self, name: str | None, value: str) -> NDArray[np.bool_]:
        """Return the products of which an attribute says in so many words that they lack it."""
        own = [name] if name in self.attributes else self._candidates(value)
        found = np.zeros(self.size, dtype=np.bool_)
        for other in own:
            if other is not None and other not in self.ignored and other not in _LACKS:
                found |= denies_any(
                    self.attributes[other], value, self.words, self.size, nothing=other == name
                )
        for other in self._telling(stem(value)):
            if other in self.ignored:
                continue
            attribute = self.attributes[other]
            if other in _LACKS:
                found |= states_any(attribute, value, self.words, self.size) == 1
            elif other in _CONTENT:
                found |= denies_any(attribute, value, self.words, self.size, nothing=True)
            else:
                there = states_thing(attribute, self.size)
                found |= there == (1 if other.endswith("_free") else -1)
        return found

    def _name(self, attribute: str | None) -> str | None:
        if attribute is None or attribute in self.attributes:
            return attribute
        plain = self.catalogue.settings.attribute_name(attribute)
        return plain if plain in self.attributes else attribute

    def _has(self, attribute: str | None, value: str) -> Finding:
        """Return whether products have a value of an attribute; an empty value is the thing."""
        name = attribute
        return self._once(("has", name, value), lambda: self._decide(name, value))

    def _decide(self, name: str | None, value: str) -> Finding:
        if name in _BRAND_NAMES:
            return self.offers.of_brand(value)
        if name is not None and asks_for_absence(value):
            return self._has(name, "").opposite()
        if name in _LACKS and value:
            return self._has(_CONTENT[0], value).opposite()
        if name is not None and name.endswith("_free") and name != "_free":
            finding = self._attribute(name, "")
            thing = name.removesuffix("_free").replace("_", " ")
            return finding.or_else(self._linked(None, thing).opposite()).or_else(
                self._in_text(thing).opposite()
            )
        thing = value
        if name is not None and is_presence(value) and name not in _CONTENT:
            thing = ""
        finding = self._attribute(name, value) if thing else self._attribute(name, "")
        wanted = thing or (name or "").replace("_", " ")
        if not wanted:
            return finding
        finding = finding.or_else(self._linked(name, wanted))
        if self.reading is None:
            return finding
        attribute = self.attributes.get(name) if name is not None else None
        verdict, proven, quote = self.reading.read(name, attribute, thing)
        text = Finding(verdict, np.where(verdict != 0, TEXT, NOWHERE).astype(np.int8), quote)
        # stated to be absent, and well said to be there: nobody knows
        disputed = (finding.verdict == -1) & proven & (attribute is not None)
        return finding.or_else(text).without(disputed)

    def _attribute(self, name: str | None, value: str) -> Finding:
        """Return what the attribute itself states; without one, what any attribute states."""
        if name is None or name not in self.attributes:
            return self._any_attribute(value or (name or "").replace("_", " "))
        if name in self.ignored:
            return nothing_known(self.size)
        attribute = self.attributes[name]
        if not value or is_presence(value):
            verdict = states_thing(attribute, self.size)
            if value and not _only_says_whether(attribute):
                stated = states_any(attribute, value, self.words, self.size)
                verdict = np.where(stated == 1, 1, verdict).astype(np.int8)
        elif _only_says_whether(attribute):
            # "bluetooth: yes", asked for the bluetooth of "bluetooth"
            same = stem(value) == stem(name.replace("_", " "))
            return (
                self._stated(name, states_thing(attribute, self.size))
                if same
                else nothing_known(self.size)
            )
        else:
            verdict = states_any(
                attribute, value, self.words, self.size, at_least=takes_larger(name)
            )
        return self._stated(name, verdict)

    def _linked(self, name: str | None, thing: str) -> Finding:
        """Return what attributes state that tell of the thing by their name or nature.

        `free_from` lists it; `gluten_free` and `latex` say yes or no; an allergen or ingredient
        is one for whoever asks for either.
        """
        verdict = np.zeros(self.size, dtype=np.int8)
        places: list[tuple[str, NDArray[np.int8]]] = []
        for other in self._telling(stem(thing)):
            if other == name or other in self.ignored:
                continue
            attribute = self.attributes[other]
            found: NDArray[np.int8] | None = None
            if other in _LACKS:
                found = np.minimum(-states_any(attribute, thing, self.words, self.size), 0)
            elif other in _CONTENT:
                found = states_any(attribute, thing, self.words, self.size)
                # a list that never names the thing does not speak of such things
                if not (found == 1).any() or not (name in _CONTENT or name is None):
                    found = None
            else:
                found = states_thing(attribute, self.size)
                if other.endswith("_free"):
                    found = -found
            if found is not None and found.any():
                places.append((other, found.astype(np.int8)))
        # what states it stands above what lists it as absent, above what does not list it
        order = sorted(places, key=lambda part: part[0] in _CONTENT)
        for _, found in order:
            verdict = np.where(verdict == 0, found, verdict).astype(np.int8)
        for _, found in places:
            verdict[found == 1] = 1

        def why(product: int) -> str:
            for other, found in [*order]:
                if found[product] == verdict[product]:
                    return self._says(other, product)
            return ""

        return Finding(verdict, np.where(verdict != 0, ATTRIBUTE, 0).astype(np.int8), why)

    def _telling(self, thing: str) -> list[str]:
        """Return the attributes that list contents, or say whether the thing (by stem) is there."""
        if self._whether is None:
            self._whether = {}
            for name, attribute in self.attributes.items():
                if _only_says_whether(attribute):
                    self._whether.setdefault(stem(name.replace("_", " ")), []).append(name)
        lists = [name for name in (*_LACKS, *_CONTENT) if name in self.attributes]
        return [*lists, *self._whether.get(thing, []), *self._whether.get(f"{thing} free", [])]

    def _any_attribute(self, value: str) -> Finding:
        """Return what any attribute states; the one that owns the value also says otherwise.

        Among products of a kind where several attributes state it, none says otherwise; where
        titles use the word in another sense, nothing is decided here.
        """
        if not value:
            return nothing_known(self.size)
        verdict = np.zeros(self.size, dtype=np.int8)
        parts = []
        for name in self._candidates(value):
            if name in self.ignored or name in _LACKS or name.startswith(_ABOUT_OTHERS):
                continue
            attribute = self.attributes[name]
            if _only_says_whether(attribute):
                continue
            found = states_any(attribute, value, self.words, self.size)
            if (found == 1).any():
                parts.append((name, found))
                verdict[found == 1] = 1
        total = sum(int((found == 1).sum()) for _, found in parts)
        several = self._several(parts)
        for _, found in parts:
            if int((found == 1).sum()) * 2 > total:
                verdict[(found == -1) & (verdict == 0) & ~several] = -1
        if self.reading is not None:
            titled = self.reading.titles.mention([value]).said
            kind = self.catalogue.kind
            for name, found in parts:
                verdict[speaks_of_something_else(name, value, found, titled, kind)] = 0

        def why(product: int) -> str:
            for name, found in parts:
                if found[product] == verdict[product]:
                    return self._says(name, product)
            return ""

        return Finding(verdict, np.where(verdict != 0, ATTRIBUTE, 0).astype(np.int8), why)

    def _several(self, parts: Sequence[tuple[str, NDArray[np.int8]]]) -> NDArray[np.bool_]:
        """Return the products of kinds where more than one attribute states something."""
        place = self.catalogue.kind + 1
        stating = np.zeros(int(place.max(initial=0)) + 1, dtype=np.int64)
        for name, found in parts:
            if name.rstrip("s") in MADE_OF:
                continue
            stating += np.bincount(place[found == 1], minlength=len(stating)) > 0
        several: NDArray[np.bool_] = (stating > 1)[place] & (place > 0)
        return several

    def _candidates(self, value: str) -> list[str]:
        """Return the attributes one of whose values has a word of the wanted one or its family."""
        if self._by_word is None:
            self._by_word = {}
            for name, attribute in self.attributes.items():
                for stated in attribute.values:
                    for word in stem(stated).split():
                        self._by_word.setdefault(word, {})[name] = None
        found: dict[str, None] = {}
        for name in (*self.words.names(value), *self.words.whole.get(stem(value), ())):
            first = stem(name).split()[:1]
            if first:
                found.update(self._by_word.get(first[0], {}))
        return sorted(found)

    def _in_text(self, thing: str) -> Finding:
        """Return what texts say of a thing that no attribute is named after."""
        if self.reading is None:
            return nothing_known(self.size)
        verdict, _, quote = self.reading.read(None, None, thing)
        return Finding(verdict, np.where(verdict != 0, TEXT, NOWHERE).astype(np.int8), quote)

    def _stated(self, name: str, verdict: NDArray[np.int8]) -> Finding:
        place = np.where(verdict != 0, ATTRIBUTE, NOWHERE).astype(np.int8)
        return Finding(verdict, place, lambda product: self._says(name, product))

    def _says(self, name: str, product: int) -> str:
        attribute = self.attributes[name]
        low, high = np.searchsorted(attribute.product, [product, product + 1])
        values = [attribute.values[place] for place in attribute.value[low:high]]
        return f"{name.replace('_', ' ')} states {', '.join(values)}"


def _only_says_whether(attribute: Attribute) -> bool:
    return all(value in ("yes", "no", "y", "n", "true", "false") for value in attribute.values)
