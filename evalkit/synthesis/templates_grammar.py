"""English for templates: articles, plurals, how a sentence is written and mistyped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import Generator

__all__ = ["Noun", "article", "describe_noun", "mistype", "plural_of", "read_wording"]

_VOWELS = "aeiou"
_CHOICE = re.compile(r"\{verb:([^/{}]*)/([^/{}]*)\}")


@cache
def read_wording(name: str) -> Any:
    """Return a file of `evalkit/synthesis/wording`, read once."""
    from importlib.resources import files

    import yaml

    text = files("evalkit.synthesis").joinpath("wording", f"{name}.yaml").read_text("utf-8")
    return yaml.safe_load(text)


@dataclass(frozen=True)
class Noun:
    """How a kind of product is called.

    Attributes:
        word: as the catalogue has it.
        plural: several of it; the word itself for mass nouns and what is always plural.
        is_plural: the word takes the verb of several things.
        is_mass: it takes no article.
    """

    word: str
    plural: str
    is_plural: bool
    is_mass: bool

    def with_article(self, before: str = "") -> str:
        """Return the noun, words before it included, as one speaks of one of it."""
        whole = f"{before} {self.word}".strip()
        return whole if self.is_plural or self.is_mass else f"{article(whole)} {whole}"


def describe_noun(word: str) -> Noun:
    """Tell how a kind behaves.

    Example:
        >>> describe_noun("kitchen knife")
        Noun(word='kitchen knife', plural='kitchen knives', is_plural=False, is_mass=False)
        >>> describe_noun("headphones").with_article()
        'headphones'
    """
    grammar = read_wording("grammar")
    last = word.rpartition(" ")[2]
    mass = word in grammar["mass"] or last in grammar["mass"]
    several = last in grammar["plural"] or (
        last.endswith("s") and not last.endswith(("ss", "us", "is", "as"))
    )
    return Noun(word, word if mass or several else plural_of(word), several and not mass, mass)


def plural_of(word: str) -> str:
    """Return the plural of a noun's last word.

    Example:
        >>> [plural_of(word) for word in ("battery", "toner box", "hard drive", "mouse")]
        ['batteries', 'toner boxes', 'hard drives', 'mice']
    """
    head, space, last = word.rpartition(" ")
    irregular: Mapping[str, str] = read_wording("grammar")["irregular"]
    if last in irregular:
        last = irregular[last]
    elif last.endswith("y") and last[-2:-1] not in _VOWELS:
        last = last[:-1] + "ies"
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        last += "es"
    else:
        last += "s"
    return head + space + last


def article(words: str) -> str:
    """Return the indefinite article that fits.

    Example:
        >>> [article(word) for word in ("usb cable", "office chair", "hdmi cable", "8 gb card")]
        ['a', 'an', 'an', 'an']
    """
    grammar = read_wording("grammar")
    first = re.split(r"[ \-]", words.lower())[0]
    if first in grammar["a"]:
        return "a"
    if first in grammar["an"]:
        return "an"
    if first[:1] == "8" or first in ("11", "18"):
        return "an"
    return "an" if first[:1] in _VOWELS else "a"


def agree(text: str, several: bool) -> str:
    """Choose the verb's form in `{verb:lacks/lack}`.

    Example:
        >>> agree("boots that {verb:lacks/lack} laces", True)
        'boots that lack laces'
    """
    return _CHOICE.sub(lambda found: found[2] if several else found[1], text)


def mistype(text: str, generator: Generator, keep: frozenset[str] = frozenset()) -> str:
    """Return a text with one slip of the finger in a word of six letters or more.

    Args:
        text: a query.
        generator: decides where and what.
        keep: words that stay as they are.
    """
    words = text.split(" ")
    fit = [
        place
        for place, word in enumerate(words)
        if len(word) >= 6 and word.isalpha() and word not in keep
    ]
    if not fit:
        return text
    place = fit[int(generator.integers(len(fit)))]
    word = words[place]
    at = int(generator.integers(1, len(word) - 2))
    slip = int(generator.integers(3))
    if slip == 0 and word[at] != word[at + 1]:
        word = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif slip == 1:
        word = word[:at] + word[at] + word[at:]
    else:
        word = word[:at] + word[at + 1 :]
    words[place] = word
    return " ".join(words)
