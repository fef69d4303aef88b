"""What the texts of a catalogue say of a thing: state it, deny it, or neither.

Titles and descriptions are cut into words once. Every word gets its polarity from its
surroundings: `no parabens, sulfates or silicones` denies three things, `leather-free`, `faux
leather` and `leather look` deny leather, `lid not included` denies the lid. A mention is then a
look-up in an inverted index, for all products at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from evalkit.knowledge.words import stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["Mention", "TextIndex", "index_texts", "split_text"]

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|[^\w\s]|\s+")
_TAG = re.compile(r"<[^<>]{1,60}>")
_INCH = re.compile(r"(?<=\d)\s?(?:\"|″|”|''|in\b\.?)")
_NOUGHT = re.compile(r"(?<![\d.,])(?:0|zero)\s?(?:%|per cent|percent)")
_CLAUSE_ENDS = frozenset(".;:!?()[]{}|•–—")


def _set(words: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", words))


# How many words a negation reaches; the second: whether a comma carries it on by itself.
_NEGATORS = {
    "no": (3, False), "not": (4, False), "without": (4, True), "non": (1, False),
    "zero": (1, False), "never": (4, False), "lacks": (3, True), "lacking": (3, True),
    "lack": (3, True), "minus": (2, False), "excluding": (3, True), "except": (3, False),
    "neither": (3, False), "nor": (3, False), "unlike": (2, False), "replaces": (2, False),
    "cannot": (4, False), "isn't": (4, False), "doesn't": (4, False), "don't": (4, False),
    "aren't": (4, False), "can't": (4, False), "hasn't": (4, False), "won't": (4, False),
}  # fmt: skip
_PAIRS = {
    ("free", "of"): (4, True), ("free", "from"): (4, True), ("instead", "of"): (3, False),
    ("rather", "than"): (3, False), ("other", "than"): (3, False), ("place", "of"): (3, False),
    ("alternative", "to"): (3, False),
    ("anything", "but"): (3, False), ("looks", "like"): (2, False), ("feels", "like"): (2, False),
}  # fmt: skip
_NO_NEGATION = _set("only just more less matter doubt need worries wonder problem")
_BREAKS = _set(
    "but with only while yet so because when has have having comes is are was made gives gets "
    "keeps plus although though if which uses contains adds instead thanks"
)
_LIGHT = _set("a an the any of from in added real use made contain contains to be as")
_FAKE = _set("faux fake imitation mock simulated pseudo ersatz")
# "vegan chocolate" is chocolate; these are what the animal (or the plant) has no part in
_VEGAN = frozenset(("vegan", "artificial", "synthetic", "eco", "pu", "based"))
_ANIMAL = frozenset(map(stem, _set("leather suede nubuck fur wool down silk feathers sheepskin")))
_FAKE_AFTER = _set("look effect style like imitation substitute alternative optic")
_NOT_FREE = _set("of from delivery shipping time samples returns trial choice range")
_ABSENT = _set(
    "included supplied needed required used supported available possible recommended suitable "
    "provided necessary"
)


@dataclass(frozen=True)
class Mention:
    """Where texts state or deny something.

    Attributes:
        said: products whose text states it, bool[n].
        denied: products whose text denies it, bool[n]; both may hold.
    """

    said: NDArray[np.bool_]
    denied: NDArray[np.bool_]


@dataclass(frozen=True)
class TextIndex:
    """The words of all texts; see `index_texts`.

    Attributes:
        products: how many.
        words: every word in the order of the texts, as written.
        token: its number in `vocabulary`, int64[words].
        product: whose it is, int64[words], ascending.
        joined: whether nothing but a space or hyphen parts it from the one before, bool[words].
        before: whether what stands before denies it, bool[words].
        after: whether what stands after denies it, bool[words].
        vocabulary: stem to number.
        order: places of the words sorted by number, int64[words].
        starts: first place in `order` of each number, int64[vocabulary + 1].
    """

    products: int
    words: tuple[str, ...]
    token: NDArray[np.int64]
    product: NDArray[np.int64]
    joined: NDArray[np.bool_]
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    vocabulary: dict[str, int] = field(repr=False)
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def places(self, phrase: str) -> NDArray[np.int64]:
        """Return the places in `words` at which a phrase begins, ascending, int64[places]."""
        numbers = self._numbers(phrase)
        if numbers is None:
            return np.zeros(0, dtype=np.int64)
        rarest = min(range(len(numbers)), key=lambda at: self._count(numbers[at]))
        found = self._all(numbers[rarest]) - rarest
        found = found[(found >= 0) & (found + len(numbers) <= len(self.token))]
        for at, number in enumerate(numbers):
            if at != rarest:
                found = found[self.token[found + at] == number]
            if at:
                found = found[self.joined[found + at]]
        return found

    def mention(self, phrases: Iterable[str], unlike: Iterable[str] = ()) -> Mention:
        """Return which texts state or deny any of the phrases.

        Args:
            phrases: wordings of one thing.
            unlike: phrases that contain one of them and are something else.
        """
        said, denied = np.zeros((2, self.products), dtype=np.bool_)
        covered = [(self.places(phrase), len(split_text(phrase))) for phrase in unlike]
        for phrase in dict.fromkeys(phrases):
            size = len(split_text(phrase))
            found = self.places(phrase)
            for starts, length in covered:
                for shift in range(length - size + 1):
                    found = found[~np.isin(found, starts + shift)]
            if len(found):
                against = self.before[found] | self.after[found + size - 1]
                said[self.product[found[~against]]] = True
                denied[self.product[found[against]]] = True
            if size == 1:
                for opposite in _opposites(phrase):
                    denied[self.product[self.places(opposite)]] = True
        return Mention(said, denied)

    def quote(
        self, product: int, phrases: Iterable[str], kept: dict[str, NDArray[np.int64]] | None = None
    ) -> str:
        """Return the first words of a product's text around one of the phrases; empty if none.

        Args:
            product: its number.
            phrases: in the order in which they are looked for.
            kept: what earlier calls found, for many products and the same phrases.
        """
        low, high = np.searchsorted(self.product, [product, product + 1]).tolist()
        places = {} if kept is None else kept
        for phrase in phrases:
            size = len(split_text(phrase))
            if phrase not in places:
                words = (phrase, *_opposites(phrase)) if size == 1 else (phrase,)
                places[phrase] = np.sort(np.concatenate([self.places(word) for word in words]))
            found = places[phrase]
            first = int(np.searchsorted(found, low))
            if first < len(found) and found[first] < high:
                place = int(found[first])
                return " ".join(self.words[max(place - 2, low) : min(place + size + 2, high)])
        return ""

    def _numbers(self, phrase: str) -> list[int] | None:
        numbers = [self.vocabulary.get(word, -1) for word in split_text(phrase)]
        return numbers if numbers and min(numbers) >= 0 else None

    def _count(self, number: int) -> int:
        return int(self.starts[number + 1] - self.starts[number])

    def _all(self, number: int) -> NDArray[np.int64]:
        return self.order[self.starts[number] : self.starts[number + 1]]


def index_texts(texts: Sequence[str]) -> TextIndex:
    """Read one text a product.

    Example:
        >>> index = index_texts(["Faux leather jacket", "Nappa leather coat", "A leather-free bag"])
        >>> found = index.mention(["leather"])
        >>> found.said.tolist(), found.denied.tolist()
        ([False, True, False], [True, False, True])
    """
    words: list[str] = []
    sizes = np.zeros(len(texts), dtype=np.int64)
    joined: list[bool] = []
    before: list[bool] = []
    after: list[bool] = []
    for number, text in enumerate(texts):
        found, gaps = _cut(text)
        sizes[number] = len(found)
        words += found
        joined += [gap == 0 for gap in gaps]
        before += _denied_before(found, gaps)
        after += _denied_after(found, gaps)
    stems = {word: _stem(word) for word in dict.fromkeys(words)}
    vocabulary = {word: place for place, word in enumerate(sorted(set(stems.values())))}
    of_word = {word: vocabulary[found] for word, found in stems.items()}
    token = np.fromiter((of_word[word] for word in words), np.int64, len(words))
    order = np.argsort(token, kind="stable")
    starts = np.searchsorted(token[order], np.arange(len(vocabulary) + 1))
    return TextIndex(
        len(texts),
        tuple(words),
        token,
        np.repeat(np.arange(len(texts)), sizes),
        np.array(joined, dtype=np.bool_),
        np.array(before, dtype=np.bool_),
        np.array(after, dtype=np.bool_),
        vocabulary,
        order.astype(np.int64),
        starts.astype(np.int64),
    )


@lru_cache(maxsize=65536)
def split_text(text: str) -> tuple[str, ...]:
    """Return the words of a phrase as the index keeps them: stemmed, numbers plainly written.

    Example:
        >>> split_text('Leather shoes, 17.30" and 5,000mAh')
        ('leather', 'shoe', '17.3', 'inch', 'and', '5000', 'mah')
    """
    return tuple(_stem(word) for word in _cut(text)[0])


def _cut(text: str) -> tuple[list[str], list[int]]:
    """Return the words, and what parts each from the one before: 0 little, 1 a comma, 2 more."""
    plain = _INCH.sub(" inch ", _TAG.sub(" . ", text.lower().replace("’", "'")))
    plain = _NOUGHT.sub(" zero ", plain).replace("w/o", "without").replace("®", "").replace("™", "")
    words: list[str] = []
    gaps: list[int] = []
    gap, spaced = 2, True
    for part in _TOKEN.findall(plain):
        if part.isspace():
            spaced = True
            gap = max(gap, 2 if "\n" in part else 0)
        elif part[0].isalnum():
            words.append(_plain_number(part) if part[0].isdigit() else part)
            gaps.append(gap)
            gap, spaced = 0, False
        else:
            if part in _CLAUSE_ENDS or (part == "-" and spaced):
                # "No. 4" is a name
                if not (part == "." and words and words[-1] == "no"):
                    gap = 2
            elif part in ",&+*":
                gap = max(gap, 1)
    return words, gaps


def _plain_number(text: str) -> str:
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    text = text.replace(",", ".")
    return text.rstrip("0").rstrip(".") if text.count(".") == 1 else text


def _stem(word: str) -> str:
    return word if word[0].isdigit() else stem(word)


def _opposites(word: str) -> tuple[str, ...]:
    """Return one-word denials: hoodless, unscented."""
    return (f"{word}less", f"un{word}", f"non{word}")


def _denied_before(words: list[str], gaps: list[int]) -> list[bool]:
    """Walk through a text with the reach of the last negation."""
    result = []
    left, chain, opened = 0, False, False
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if gaps[place] == 2 or word in _BREAKS:
            left, opened = 0, False
        elif gaps[place] == 1:
            left = 3 if opened and chain else 0
        if opened and (word in ("or", "nor") or (word == "and" and chain)):
            left = 3
        elif word == "and":
            left, opened = 0, False
        previous = words[place - 1] if place and gaps[place] == 0 else ""
        fake = previous in _FAKE or (previous in _VEGAN and stem(word) in _ANIMAL)
        result.append(left > 0 or fake)
        if word not in _LIGHT:
            left = max(left - 1, 0)
        reach = _NEGATORS.get(word)
        if place and gaps[place] == 0:
            reach = _PAIRS.get((words[place - 1], word), reach)
        if reach is not None and following not in _NO_NEGATION and not following[:1].isdigit():
            left, opened = reach[0], True
            chain = reach[1] or _or_follows(words, gaps, place + 1)
    return result


def _or_follows(words: list[str], gaps: list[int], start: int) -> bool:
    """Tell whether a list after a negation ends in "or": `no a, b or c`."""
    for place in range(start, min(start + 12, len(words))):
        if gaps[place] == 2 or words[place] in _BREAKS:
            return False
        if words[place] in ("or", "nor"):
            return True
    return False


def _denied_after(words: list[str], gaps: list[int]) -> list[bool]:
    result = [False] * len(words)
    for place in range(1, len(words)):
        if gaps[place] != 0:
            continue
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) and gaps[place + 1] < 2 else ""
        ahead = place - 1
        if word == "free":
            result[ahead] = following not in _NOT_FREE
        elif word in _FAKE_AFTER:
            result[ahead] = True
        elif word in ("not", "never") and following in _ABSENT:
            if words[ahead] in ("is", "are", "was") and ahead:
                ahead -= 1
            result[ahead] = True
        elif word == "sold" and following == "separately":
            result[ahead] = True
    return result
