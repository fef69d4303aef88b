"""What the texts of a catalogue say of a thing: state it, deny it, or neither.

Titles and descriptions are cut into words once. Every word gets its polarity from its
surroundings: `no parabens, sulfates or silicones` denies three things, `leather-free`, `faux
leather` and `leather look` deny leather, `lid not included` denies the lid. What stands within the
reach of a negation but behind other words is doubtful: `no fuss leather bag`, `do not machine wash
leather`. A mention is then a look-up in an inverted index, for all products at once.
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
_EXCEPT = frozenset((("anything", "but"), ("other", "than")))  # denied themselves, they state
_NO_NEGATION = _set(
    "only just more less matter doubt need worries wonder problem nothing fuss regret"
)
_BREAKS = _set(
    "but with only while yet so because when has have having comes is are was made gives gets "
    "keeps plus although though if which uses contains adds instead thanks"
)
_LIGHT = _set("a an the any of from in added real use made contain contains to be as")
# Words through which a negation reaches what it denies: "no harsh chemicals", "not suitable for".
_THROUGH = _LIGHT | _set(
    "all other such and or nor like containing include includes included including feature "
    "features featuring need needs needing require requires requiring using used support supports "
    "supporting offer offers suitable suited compatible recommended intended designed meant for "
    "on genuine actual animal artificial synthetic chemical harmful harsh toxic nasty strong "
    "built integrated internal additional extra visible traces trace"
)
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


# What stands around a word does with it.
_STATES, _DOUBTS, _DENIES, _IMITATES = range(4)


@dataclass(frozen=True)
class Mention:
    """Where texts state or deny something.

    Attributes:
        said: products whose text states it, bool[n].
        denied: products whose text denies it, bool[n]; both may hold.
        doubtful: products whose text speaks of it and may mean either, bool[n]; not denied then.
    """

    said: NDArray[np.bool_]
    denied: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]


@dataclass(frozen=True)
class TextIndex:
    """The words of all texts; see `index_texts`.

    Attributes:
        products: how many.
        words: every word in the order of the texts, as written.
        token: its number in `vocabulary`, int64[words].
        product: whose it is, int64[words], ascending.
        joined: whether nothing but a space or hyphen parts it from the one before, bool[words].
        before: what the words before do: 0 state, 1 doubt, 2 deny, 3 imitate; int8[words].
        after: what the words after do, in the same numbers; int8[words].
        vocabulary: stem to number.
        order: places of the words sorted by number, int64[words].
        starts: first place in `order` of each number, int64[vocabulary + 1].
    """

    products: int
    words: tuple[str, ...]
    token: NDArray[np.int64]
    product: NDArray[np.int64]
    joined: NDArray[np.bool_]
    before: NDArray[np.int8]
    after: NDArray[np.int8]
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

    def mention(
        self, phrases: Iterable[str], unlike: Iterable[str] = (), kinds: Iterable[str] = ()
    ) -> Mention:
        """Return which texts state or deny any of the phrases.

        Args:
            phrases: wordings of one thing.
            unlike: phrases that contain one of them and are something else.
            kinds: those of the phrases that name kinds of the thing; to deny one of them does not
                deny the thing (`no peanuts`, asked for nuts), to imitate it does.
        """
        said, denied, doubtful = np.zeros((3, self.products), dtype=np.bool_)
        narrower = frozenset(kinds)
        covered = [(self.places(phrase), len(split_text(phrase))) for phrase in unlike]
        for phrase in dict.fromkeys(phrases):
            size = len(split_text(phrase))
            found = self.places(phrase)
            for starts, length in covered:
                for shift in range(length - size + 1):
                    found = found[~np.isin(found, starts + shift)]
            least = _IMITATES if phrase in narrower else _DENIES
            if len(found):
                around = np.maximum(self.before[found], self.after[found + size - 1])
                said[self.product[found[around == _STATES]]] = True
                denied[self.product[found[around >= least]]] = True
                doubtful[self.product[found[(around > _STATES) & (around < least)]]] = True
            if size == 1 and phrase not in narrower:
                for opposite in _opposites(phrase):
                    denied[self.product[self.places(opposite)]] = True
        return Mention(said, denied & ~doubtful, doubtful)

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
    before: list[int] = []
    after: list[int] = []
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
        np.array(before, dtype=np.int8),
        np.array(after, dtype=np.int8),
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


def _denied_before(words: list[str], gaps: list[int]) -> list[int]:
    """Walk through a text with the reach of the last negation.

    It denies what it stands before; behind a word that it does not reach through, it may have
    been spent: in "no fuss leather bag" it is, in "no cowhide leather" it is not.
    """
    result = []
    left, chain, opened, spent = 0, False, False, False
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if gaps[place] == 2 or word in _BREAKS:
            left, opened = 0, False
        elif gaps[place] == 1:
            left, spent = (3 if opened and chain else 0), False
        if opened and (word in ("or", "nor") or (word == "and" and chain)):
            left, spent = 3, False
        elif word == "and":
            left, opened = 0, False
        previous = words[place - 1] if place and gaps[place] == 0 else ""
        fake = previous in _FAKE or (previous in _VEGAN and stem(word) in _ANIMAL)
        denies = _DOUBTS if spent else _DENIES
        result.append(_IMITATES if fake else denies if left > 0 else _STATES)
        if word not in _LIGHT:
            left = max(left - 1, 0)
        spent = spent or word not in _THROUGH
        reach = _NEGATORS.get(word)
        if place and gaps[place] == 0:
            reach = _PAIRS.get((words[place - 1], word), reach)
        if reach is not None and following not in _NO_NEGATION and not following[:1].isdigit():
            # "never made from anything but leather" says that it is
            spent = (previous, word) in _EXCEPT and any(
                near in _NEGATORS or near == "nothing" for near in words[max(0, place - 6) : place]
            )
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


def _denied_after(words: list[str], gaps: list[int]) -> list[int]:
    result = [_STATES] * len(words)
    for place in range(1, len(words)):
        if gaps[place] != 0:
            continue
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) and gaps[place + 1] < 2 else ""
        ahead = place - 1
        if word == "free":
            result[ahead] = _DENIES if following not in _NOT_FREE else _STATES
        elif word in _FAKE_AFTER:
            result[ahead] = _IMITATES
        elif word in ("not", "never") and following in _ABSENT:
            if words[ahead] in ("is", "are", "was") and ahead:
                ahead -= 1
            result[ahead] = _DENIES
        elif word == "sold" and following == "separately":
            result[ahead] = _DENIES
    return result
