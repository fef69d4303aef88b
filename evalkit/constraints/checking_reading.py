"""Whether the texts say that products have a value: by its words, or by those of another value.

`blue` in a title says that a cable is not red. Which words can be trusted is learned from the
products that state the attribute: a word of whose mentions fewer than `_TRUST` agree with it
decides nothing (`cork` in "made in Cork"), and a word for another value counts only where products
that say it hardly ever have the wanted one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints.checking_text import Mention, index_texts, split_text
from evalkit.constraints.checking_values import (
    is_absence,
    is_presence,
    lists_claims,
    quantity,
    states_any,
    states_thing,
    takes_larger,
    value_says,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from evalkit.knowledge.catalogue import Attribute, Catalogue
    from evalkit.knowledge.words import Words

__all__ = ["Reading"]

_ENOUGH = 5
_TRUST = 0.8
_SELDOM = 0.05
_SEVERAL = 0.1
_OTHERS = 200


class Reading:
    """The texts of one catalogue and what its attributes teach about them."""

    def __init__(self, catalogue: Catalogue, words: Words) -> None:
        self.words = words
        self.size = len(catalogue)
        pairs = zip(catalogue.titles, catalogue.descriptions, strict=True)
        self.texts = index_texts([f"{title}\n{description}" for title, description in pairs])
        self.titles = index_texts(catalogue.titles)
        self._mentions: dict[str, Mention] = {}
        # by the identity of an attribute, which is kept beside it so that it stays its own
        self._learned: dict[int, tuple[Attribute, bool, dict[str, bool]]] = {}
        self._most = max(256, (1 << 26) // max(self.size, 1))

    def read(
        self, name: str | None, attribute: Attribute | None, value: str
    ) -> tuple[NDArray[np.int8], NDArray[np.bool_], Callable[[int], str]]:
        """Return 1 where the text says so, -1 where it says otherwise, else 0.

        Also where it says so in words that stated attributes bear out, and the words.
        """
        spoken = (name or "").replace("_", " ")
        thing = not value
        phrases = self._wordings(spoken, value)
        larger = name is not None and takes_larger(name)
        truth = None
        if attribute is not None and thing:
            truth = states_thing(attribute, self.size)
        elif attribute is not None:
            truth = states_any(attribute, value, self.words, self.size, at_least=larger)
        used: list[str] = []
        said, denied, otherwise = np.zeros((3, self.size), dtype=np.bool_)
        found = self._mention(phrases, value or spoken)
        if self._trusted(found.denied, truth, -1):
            denied |= found.denied
            used += phrases
        if self._trusted(found.said, truth, 1):
            said |= found.said
            used += phrases
        elif spoken and value:
            phrases = [f"{value} {spoken}", f"{spoken} {value}"]
            found = self._mention(phrases, value)
            said |= found.said
            denied |= found.denied
            used += phrases
        if attribute is not None and truth is not None and not thing:
            for number in self._numbers(attribute, value, larger):
                bare = self._mention([number], number)
                if self._trusted_number(number, bare.said, truth):
                    said |= bare.said
                    used.append(number)
            for other, mentioned in self._others(attribute, truth, value, larger):
                otherwise |= mentioned
                used.append(other)
        proven = np.zeros(self.size, dtype=np.bool_)
        if truth is not None and self._proven(found.said, truth):
            proven = said & ~denied
        # a part counts: black and red is red; said here and denied there is neither
        verdict = said.astype(np.int8) - (denied | (otherwise & ~said))

        kept: dict[str, NDArray[np.int64]] = {}

        def quote(product: int) -> str:
            return f"the text says “{self.texts.quote(product, used, kept)}”"

        return verdict.astype(np.int8), proven, quote

    def speaks(self, name: str | None, value: str) -> NDArray[np.bool_]:
        """Return the products whose text speaks of a value without denying it, trusted or not."""
        found = self._mention(self._wordings((name or "").replace("_", " "), value), value)
        return (found.said & ~found.denied) | found.doubtful

    def _wordings(self, spoken: str, value: str) -> list[str]:
        """Return the phrases for a value of an attribute (in words), or for the attribute."""
        if not value:
            return list(self._phrases(spoken))
        number = quantity(value)
        if number is not None and not number[1]:
            # a bare number means something beside the attribute's words only
            return [f"{value} {word}" for word in spoken.split()]
        return list(self._phrases(value))

    def _phrases(self, value: str) -> Iterable[str]:
        """Return the wordings of a value: the parts of `low smoke zero halogen (lszh)`, and kin."""
        parts = [value]
        inside = re.fullmatch(r"(.+?)\s*\((.+)\)", value)
        if inside is not None:
            parts += [inside[1], inside[2]]
        return dict.fromkeys(name for part in parts for name in self.words.names(part))

    def _mention(self, phrases: list[str], wanted: str) -> Mention:
        key = "|".join(phrases)
        found = self._mentions.get(key)
        if found is None:
            unlike = self.words.other_things(wanted)
            own = {wanted, *self.words.synonyms(wanted)}
            kinds = set(self.words.family(wanted)) - own
            found = self._mentions[key] = self.texts.mention(phrases, unlike, kinds)
            if len(self._mentions) > self._most:
                self._mentions.pop(next(iter(self._mentions)))
        return found

    def _trusted(
        self,
        said: NDArray[np.bool_],
        truth: NDArray[np.int8] | None,
        wanted: int,
    ) -> bool:
        """Tell whether products that say a word and state the attribute agree often enough.

        A word that few of them say is believed.
        """
        if truth is None:
            return True
        total = int((said & (truth != 0)).sum())
        if total < _ENOUGH:
            return True
        return int((said & (truth == wanted)).sum()) >= _TRUST * total

    def _proven(self, said: NDArray[np.bool_], truth: NDArray[np.int8]) -> bool:
        """Tell whether a word is trusted after many have said it."""
        return int((said & (truth != 0)).sum()) >= _ENOUGH and self._trusted(said, truth, 1)

    def _trusted_number(
        self, number: str, said: NDArray[np.bool_], truth: NDArray[np.int8]
    ) -> bool:
        """Tell the same of a bare number; a whole one must be right more often."""
        total = int((said & (truth != 0)).sum())
        right = int((said & (truth == 1)).sum())
        if _can_be_told(number):
            return total >= _ENOUGH and right >= _TRUST * total
        return total >= 2 * _ENOUGH and right >= (1 - _SELDOM) * total

    def _numbers(self, attribute: Attribute, value: str, larger: bool) -> list[str]:
        """Return the numbers that state the wanted one, bare as texts may have them."""
        if quantity(value) is None:
            return []
        if not larger:
            return [value]
        return [
            stated
            for stated in attribute.values
            if quantity(stated) is not None and value_says(self.words, stated, value, at_least=True)
        ][:_OTHERS]

    def _others(
        self, attribute: Attribute, truth: NDArray[np.int8], value: str, larger: bool
    ) -> list[tuple[str, NDArray[np.bool_]]]:
        """Return the words that speak against a value, with the products that say them.

        Words for other values of which either holds: the attribute has one value a product, and
        whose text says the word nearly always has that value; or hardly any product that says
        it has the wanted value, and fewer than half as many as products in general, by an estimate
        with half a success added (the rarer the wanted value, the more often the word must be
        seen).
        """
        if lists_claims(attribute):
            return []
        wish = set(split_text(value))
        usual = int((truth == 1).sum()) / max(int((truth != 0).sum()), 1)
        found = []
        exclusive, words = self._words_of(attribute)
        for other, reliable in words.items():
            if wish.issuperset(split_text(other)):
                continue
            mentioned = self._mention([other], other).said
            total = int((mentioned & (truth != 0)).sum())
            both = int((mentioned & (truth == 1)).sum())
            if total < _ENOUGH or both > _SELDOM * total:
                continue
            telling = (exclusive and reliable) or (both + 0.5) / (total + 1) <= usual / 2
            if telling and not value_says(self.words, other, value, at_least=larger):
                found.append((other, mentioned))
        return found

    def _words_of(self, attribute: Attribute) -> tuple[bool, dict[str, bool]]:
        """Return whether an attribute has one value a product, and its values' words.

        Each with whether products that say the word nearly always state that value.
        """
        kept = self._learned.get(id(attribute))
        if kept is not None:
            return kept[1], kept[2]
        counts = np.bincount(attribute.value, minlength=len(attribute.values))
        places: dict[str, list[int]] = {}
        several = np.zeros(len(attribute.values), dtype=np.bool_)
        for place in np.argsort(-counts, kind="stable").tolist():
            stated = attribute.values[place]
            parts = [part for part in re.split(r"\s*[,;/()]\s*", stated) if part]
            several[place] = len(parts) > 1 and "(" not in stated
            if counts[place] < 2 or is_absence(stated) or is_presence(stated):
                continue
            for part in dict.fromkeys((stated, *parts)):
                if part in places or (len(places) < _OTHERS and _can_be_told(part)):
                    places.setdefault(part, []).append(place)
        one = np.bincount(attribute.product, minlength=self.size)
        stating = one > 0
        one[attribute.product[several[attribute.value]]] = 2
        exclusive = int((one > 1).sum()) <= _SEVERAL * int(stating.sum())
        words = {}
        for part, where in places.items():
            has = np.zeros(self.size, dtype=np.bool_)
            has[attribute.product[np.isin(attribute.value, where)]] = True
            mentioned = self._mention([part], part).said & stating
            right = int((mentioned & has).sum())
            words[part] = right >= (1 - _SELDOM) * max(int(mentioned.sum()), _ENOUGH)
        self._learned[id(attribute)] = (attribute, exclusive, words)
        return exclusive, words


def _can_be_told(phrase: str) -> bool:
    """Tell whether a phrase is more than a letter or two or a bare whole number.

    Example:
        >>> [_can_be_told(phrase) for phrase in ("red", "17.3", "8 gb", "a4", "2.0", "24")]
        [True, True, True, False, False, False]
    """
    words = split_text(phrase)
    units = [word for word in words[1:] if word.isalpha()]
    return any((word.isalpha() and len(word) > 2) or "." in word for word in words) or (
        bool(units) and words[0].isdigit()
    )
