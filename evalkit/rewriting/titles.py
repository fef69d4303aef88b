"""The language of product titles: what products are called once brands and model names are off.

"Norrvik Skarv quilted down jacket, regular fit, dark brown" says "quilted down jacket", "regular
fit" and "dark brown". A word is a name when only one brand uses it and always with a capital, or
when no title of a catalogue that writes words small writes it small.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from evalkit.rewriting.wording import CONNECTORS, TOKEN, fold, split, stems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evalkit.knowledge import Catalogue

__all__ = ["UNIT", "Phrase", "TitleLanguage"]

_SEGMENT = re.compile(r"\s[-–—|]\s|[,;()\[\]|:]")
UNIT = re.compile(
    r"mm|cm|m|km|g|kg|mg|l|ml|cl|w|kw|wh|v|mv|a|ah|mah|hz|khz|mhz|ghz|db|gb|tb|mb|kb|in|ft|oz|lbs?|"
    r"nm|rpm|ppm|dpi|h|min|s|c|f|x|(?:inch|piece|pack|page|cup|hour|minute|month|year|step|player|level|"
    r"comb|attachment|slot|shelf|shelve|drawer|speed|function|part|port|pixel|pc)(?:s|es)?"
)
_LONGEST = 6
_MOST_TITLES = 2000
_OFTEN = 0.34


@dataclass(frozen=True)
class Phrase:
    """What several titles of one kind say.

    Attributes:
        words: in the order of the titles.
        products: the numbers of the products whose titles say it, ascending.
        support: how many brands say it; products without a brand count one each.
    """

    words: tuple[str, ...]
    products: tuple[int, ...]
    support: int

    @property
    def text(self) -> str:
        """The words as one text."""
        return " ".join(self.words)


class TitleLanguage:
    """Titles of a catalogue without brands and model names; see the module."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._segments: dict[int, tuple[tuple[str, ...], ...]] = {}
        self._heads: dict[str, frozenset[str]] = {}
        self._shared_words: dict[str, frozenset[str]] = {}

    @cached_property
    def _usage(self) -> dict[str, tuple[int, int, int, int]]:
        """How often a word occurs, in small letters, in capitals or digits, and in how many brands.

        The number of brands is cut at two: one brand makes a word a name.
        """
        times: Counter[str] = Counter()
        small: Counter[str] = Counter()
        loud: Counter[str] = Counter()
        first: dict[str, str] = {}
        several: set[str] = set()
        catalogue = self._catalogue
        for number, (title, brand) in enumerate(
            zip(catalogue.titles, catalogue.brands, strict=True)
        ):
            who = brand or f"#{number}"
            # "Cordless drill Duo by Ostro": a capital says nothing there, unless the brand is first
            begins = bool(brand) and not title.lower().startswith(brand.lower())
            begins = begins and brand.lower() in title.lower()
            tokens = TOKEN.findall(_without(title, brand))
            for token in set(tokens):
                word = fold(token)
                times[word] += 1
                small[word] += token[0].islower() or (begins and token == tokens[0])
                loud[word] += sum(not letter.islower() for letter in token if letter.isalnum()) > 1
                if first.setdefault(word, who) != who:
                    several.add(word)
        return {
            word: (count, small[word], loud[word], 2 if word in several else 1)
            for word, count in times.items()
        }

    @cached_property
    def _writes_small(self) -> bool:
        total = sum(count for count, _, _, _ in self._usage.values())
        return sum(small for _, small, _, _ in self._usage.values()) > 0.5 * max(total, 1)

    @cached_property
    def _stated(self) -> frozenset[str]:
        """Words of kinds, attributes and their values: never names."""
        words: set[str] = set()
        for kind in self._catalogue.kinds:
            words.update(split(kind))
        for attribute in self._catalogue.attributes.values():
            words.update(split(attribute.name.replace("_", " ")))
            if len(attribute.values) <= 500:
                for value in attribute.values:
                    words.update(split(value))
        return frozenset(words)

    def is_name(self, word: str) -> bool:
        """Tell a brand's or model's word from a word for things."""
        word = fold(word)
        count, small, loud, brands = self._usage.get(word, (0, 0, 0, 0))
        if count == 0:
            return False
        if small:
            if any(letter.isdigit() for letter in word):
                return brands < 2
            # "Barista Grand" is a name although there is a barista oat drink
            return self._writes_small and small + loud < _OFTEN * count
        if word in self._stated:
            return False
        if brands < 2:
            return True
        return self._writes_small and loud < count

    def is_shared(self, word: str, kinds: Sequence[str]) -> bool:
        """Tell whether a word is no single brand's own in some kinds.

        It is shared when titles of two brands of one kind say it.
        """
        return any(fold(word) in self._shared(kind) for kind in kinds)

    def _shared(self, kind: str) -> frozenset[str]:
        found = self._shared_words.get(kind)
        if found is None:
            brands: dict[str, set[str]] = defaultdict(set)
            catalogue = self._catalogue
            for number in catalogue.of_kind(kind).tolist():
                who = catalogue.brands[number] or f"#{number}"
                for token in TOKEN.findall(_without(catalogue.titles[number], who)):
                    brands[fold(token)].add(who)
            found = frozenset(word for word, who in brands.items() if len(who) > 1)
            self._shared_words[kind] = found
        return found

    def is_of_the_shop(self, word: str) -> bool:
        """Tell whether titles, kinds, attributes or values use a word, and not as a name."""
        return self.knows(word) or fold(word) in self._stated

    def knows(self, word: str) -> bool:
        """Tell whether titles use a word, and not as a name."""
        word = fold(word)
        return any(
            form in self._usage and not self.is_name(form)
            for form in (word, word.removesuffix("s"), word + "s")
        )

    def segments(self, number: int) -> tuple[tuple[str, ...], ...]:
        """Return the parts of a product's title, as words without names."""
        found = self._segments.get(number)
        if found is None:
            catalogue = self._catalogue
            parts = []
            for part in _SEGMENT.split(
                _without(catalogue.titles[number], catalogue.brands[number])
            ):
                kept = self._kept([fold(token) for token in TOKEN.findall(part)])
                while kept and kept[-1] in CONNECTORS:
                    kept.pop()
                while kept and kept[0] in CONNECTORS:
                    kept.pop(0)
                if kept:
                    parts.append(tuple(kept))
            found = self._segments[number] = tuple(parts)
        return found

    def _kept(self, words: Sequence[str]) -> list[str]:
        """Leave out names, and numbers that only one brand uses; a number keeps its unit."""
        kept: list[str] = []
        place = 0
        while place < len(words):
            word = words[place]
            place += 1
            if word in ("no", "no.") and place < len(words) and words[place].isdigit():
                place += 1
                continue
            number = word.replace(".", "").replace(",", "").isdigit()
            unit = words[place] if number and place < len(words) else ""
            if UNIT.fullmatch(unit):
                place += 1
                if not self.is_name(word):
                    kept.append(f"{word} {unit}")
            elif not number and not self.is_name(word):
                kept.append(word)
        return kept

    def heads(self, kind: str) -> frozenset[str]:
        """Return the nouns by which titles call a kind: its own, and what other titles end in."""
        found = self._heads.get(kind)
        if found is None:
            own = set(stems(kind)[-1:])
            brands: dict[str, set[str]] = defaultdict(set)
            numbers = _some(self._catalogue.of_kind(kind))
            for number in numbers.tolist():
                segments = self.segments(number)
                if own & {part for words in segments for part in stems(" ".join(words))}:
                    continue
                if segments:
                    core = _before_connector(segments[0])
                    if len(core) > 1:
                        head = stems(core[-1])[-1]
                        brands[head].add(self._catalogue.brands[number] or f"#{number}")
            others = {
                word
                for word, who in brands.items()
                if len(who) >= 2 and not any(letter.isdigit() for letter in word)
            }
            found = self._heads[kind] = frozenset(own | others)
        return found

    def phrases(
        self, numbers: NDArray[np.int64], heads: frozenset[str], least: int = 2
    ) -> list[Phrase]:
        """Return what the titles of products have in common, most widely said first.

        A phrase ends where a part of a title does, before a `with`, or after a head; without a head
        it is a whole part. One that only occurs within a longer one, said as often, is left out.

        Args:
            numbers: products; of many, some at even distances are read.
            heads: stems of the nouns by which the products go.
            least: brands that must say it.
        """
        where: dict[tuple[str, ...], set[int]] = defaultdict(set)
        for number in _some(numbers).tolist():
            for words in self.segments(number):
                ends = [
                    end
                    for end in range(1, len(words) + 1)
                    if end == len(words)
                    or words[end] in CONNECTORS
                    or stems(words[end - 1])[-1] in heads
                ]
                for end in ends:
                    for start in range(max(0, end - _LONGEST), end):
                        part = words[start:end]
                        if part[0] in CONNECTORS or part[-1] in CONNECTORS:
                            continue
                        # "slim cut" is one thing; "cut" alone is none
                        if part == words or heads & set(stems(" ".join(part))):
                            where[part].add(number)
        brands = self._catalogue.brands
        found: dict[tuple[str, ...], Phrase] = {}
        for part, products in where.items():
            who = {brands[number] or f"#{number}" for number in products}
            if len(who) >= least:
                found[part] = Phrase(part, tuple(sorted(products)), len(who))
        shadowed = set()
        for part, phrase in found.items():
            for inner in (part[1:], part[:-1]):
                while inner and (inner[0] in CONNECTORS or inner[-1] in CONNECTORS):
                    inner = inner[1:] if inner[0] in CONNECTORS else inner[:-1]
                if inner in found and len(phrase.products) >= 0.8 * len(found[inner].products):
                    shadowed.add(inner)
        kept = [phrase for part, phrase in found.items() if part not in shadowed]
        return sorted(kept, key=lambda each: (-each.support, -len(each.products), each.words))


def _without(title: str, brand: str) -> str:
    """Take the brand, and the `by` before it, out of a title."""
    if not brand:
        return title
    return re.sub(rf"(\bby\s+)?(?<!\w){re.escape(brand)}(?!\w)", " ", title, flags=re.IGNORECASE)


def _before_connector(words: Sequence[str]) -> Sequence[str]:
    for place, word in enumerate(words):
        if word in CONNECTORS and place:
            return words[:place]
    return words


def _some(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at most `_MOST_TITLES`, at even distances."""
    if len(numbers) <= _MOST_TITLES:
        return numbers
    return numbers[np.linspace(0, len(numbers) - 1, _MOST_TITLES).astype(np.int64)]
