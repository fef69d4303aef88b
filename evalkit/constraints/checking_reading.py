"""Whether the texts say that products have a value: by its words, or by those of another value.

`blue` in a title says that a cable is not red. Which words can be trusted is learned from the
products that state the attribute: a word of whose mentions fewer than `_TRUST` agree with it
decides nothing (`down` in "sit down"), and a word for another value counts only where nearly
all its mentions go with products that do not have the wanted one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints.checking_text import Mention, index_texts
from evalkit.constraints.checking_values import (
    is_absence,
    is_presence,
    quantity,
    states_any,
    states_thing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from evalkit.knowledge.catalogue import Attribute, Catalogue
    from evalkit.knowledge.words import Words

__all__ = ["Reading"]

_ENOUGH = 5
_TRUST = 0.8
_TRUST_OTHERS = 0.95
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

    def read(
        self, name: str | None, attribute: Attribute | None, value: str
    ) -> tuple[NDArray[np.int8], Callable[[int], str]]:
        """Return 1 where the text says so, -1 where it says otherwise, else 0; and the words."""
        spoken = (name or "").replace("_", " ")
        thing = not value
        if thing:
            phrases = list(self._phrases(spoken))
        elif quantity(value) is not None and not (quantity(value) or (0, ""))[1]:
            # a bare number means something beside the attribute's words only
            phrases = [f"{value} {word}" for word in spoken.split()]
        else:
            phrases = list(self._phrases(value))
        said, denied, used = np.zeros(self.size, np.bool_), np.zeros(self.size, np.bool_), []
        truth = None
        if attribute is not None:
            truth = (
                states_thing(attribute, self.size)
                if thing
                else states_any(attribute, value, self.words, self.size)
            )
        found = self._mention(phrases, value or spoken)
        if self._trusted(found.said, truth, 1, _TRUST, True):
            said |= found.said
            denied |= found.denied
            used += phrases
        elif spoken and value:
            phrases = [f"{value} {spoken}", f"{spoken} {value}"]
            found = self._mention(phrases, value)
            said |= found.said
            denied |= found.denied
            used += phrases
        if quantity(value) is not None and truth is not None:
            bare = self._mention([value], value)
            if self._trusted(bare.said, truth, 1, _TRUST, False):
                said |= bare.said
                used.append(value)
        others: list[str] = []
        if attribute is not None and truth is not None and not thing:
            for other in self._others(attribute, value):
                mention = self._mention([other], other)
                if self._trusted(mention.said, truth, -1, _TRUST_OTHERS, False):
                    denied |= mention.said
                    others.append(other)
        verdict = np.where(said, np.where(denied, 0, 1), np.where(denied, -1, 0)).astype(np.int8)

        def quote(product: int) -> str:
            return f"the text says “{self.texts.quote(product, [*used, *others])}”"

        return verdict, quote

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
            from evalkit.knowledge.words import stem

            unlike = self.words.unlike.get(stem(wanted), ())
            found = self._mentions[key] = self.texts.mention(phrases, unlike)
            if len(self._mentions) > 4096:
                self._mentions.pop(next(iter(self._mentions)))
        return found

    def _trusted(
        self,
        said: NDArray[np.bool_],
        truth: NDArray[np.int8] | None,
        wanted: int,
        share: float,
        untested: bool,
    ) -> bool:
        """Tell whether products that say a word and state the attribute agree often enough."""
        if truth is None:
            return untested
        total = int((said & (truth != 0)).sum())
        if total < _ENOUGH:
            return untested
        return int((said & (truth == wanted)).sum()) >= share * total

    def _others(self, attribute: Attribute, value: str) -> list[str]:
        """Return the words of other values, the most frequent first."""
        counts = np.bincount(attribute.value, minlength=len(attribute.values))
        found: dict[str, None] = {}
        for place in np.argsort(-counts, kind="stable")[:_OTHERS]:
            stated = attribute.values[place]
            if counts[place] < 2 or is_absence(stated) or is_presence(stated):
                continue
            parts = [stated, *re.split(r"\s*[,;/()]\s*", stated)]
            for part in parts:
                if len(part) > 1 and not self.words.says(part, value):
                    found[part] = None
        return list(found)
