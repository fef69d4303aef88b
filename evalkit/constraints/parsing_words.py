"""What a parser knows of shops without a catalogue: `shop_words.txt`, as indexes of phrases."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Generic, TypeVar

from evalkit.constraints.parsing_text import keys_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Phrases", "cue_families", "exact_words", "shop_words", "stop_words"]

Value = TypeVar("Value")


@dataclass
class Phrases(Generic[Value]):
    """Phrases and what they mean, found by their words; the longest one wins.

    Attributes:
        meanings: by the words of the phrase in the form for comparing.
        longest: words of the longest phrase that begins with a word.
    """

    meanings: dict[tuple[str, ...], Value] = field(default_factory=dict)
    longest: dict[str, int] = field(default_factory=dict)

    def add(self, phrase: str | tuple[str, ...], meaning: Value) -> None:
        """Take a phrase in; the first meaning of a phrase stays."""
        keys = keys_of(phrase) if isinstance(phrase, str) else phrase
        if keys and keys not in self.meanings:
            self.meanings[keys] = meaning
            self.longest[keys[0]] = max(self.longest.get(keys[0], 0), len(keys))

    def at(self, keys: Sequence[str], place: int) -> tuple[int, Value] | None:
        """Return the length and the meaning of the longest phrase that begins at a place."""
        for length in range(min(self.longest.get(keys[place], 0), len(keys) - place), 0, -1):
            found = self.meanings.get(tuple(keys[place : place + length]))
            if found is not None:
                return length, found
        return None

    def __contains__(self, phrase: str) -> bool:
        return keys_of(phrase) in self.meanings


@cache
def shop_words(section: str) -> Phrases[str]:
    """Return a section of the list of words, for finding them in any number and spelling.

    Example:
        >>> shop_words("products").at(("steel", "knife", "block"), 1)
        (2, 'knife block')
    """
    index: Phrases[str] = Phrases()
    for word in _sections()[section]:
        index.add(word, word)
    return index


@cache
def exact_words(section: str) -> frozenset[str]:
    """Return a section of the list of words as they stand."""
    return frozenset(_sections()[section])


@cache
def cue_families() -> dict[str, str]:
    """Return the family of every cue of negation ("free of", "except", ...)."""
    return {
        word: name.removeprefix("cues ")
        for name, words in _sections().items()
        if name.startswith("cues ")
        for word in words
    }


@cache
def stop_words() -> frozenset[str]:
    """Return what ends a phrase of nouns: prepositions, conjunctions, signs."""
    return exact_words("stop words") | frozenset('.;:()!?"[]')


@cache
def _sections() -> dict[str, tuple[str, ...]]:
    sections: dict[str, tuple[str, ...]] = {}
    name = ""
    text = files("evalkit.constraints").joinpath("shop_words.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[] ")
            sections[name] = ()
        elif line and not line.startswith("#"):
            sections[name] += tuple(word.strip() for word in line.split(",") if word.strip())
    return sections
