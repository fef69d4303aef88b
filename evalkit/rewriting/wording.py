"""Words of queries, titles and values, as the rewriters compare and write them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from evalkit.knowledge.words import stem

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ABSENT",
    "CONNECTORS",
    "TOKEN",
    "bag",
    "contains",
    "fold",
    "is_near",
    "join",
    "split",
    "stems",
]

TOKEN = re.compile(r"[^\W_](?:[^\W_]|['’.,+/&-](?=[^\W_]))*")
_CONNECTORS = """
    a an and at by for from in into of on or per the to with without & x that which your my
"""
CONNECTORS = frozenset(_CONNECTORS.split())
# What a catalogue writes where a product lacks the thing.
ABSENT = frozenset(("no", "none", "without", "false", "n/a", "not supported", "not available"))
_NEAR = 0.8
_REMEMBERED = 1 << 17  # texts


@lru_cache(maxsize=_REMEMBERED)
def fold(text: str) -> str:
    """Return a text in lower case, without accents.

    Example:
        >>> fold("Crème Souveraine")
        'creme souveraine'
    """
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def split(text: str) -> list[str]:
    """Return the words of a text, folded; a hyphen stays within its word.

    Example:
        >>> split("Noise-cancelling headphones, 3.5 mm (black)")
        ['noise-cancelling', 'headphones', '3.5', 'mm', 'black']
    """
    return TOKEN.findall(fold(text))


@lru_cache(maxsize=_REMEMBERED)
def stems(text: str) -> tuple[str, ...]:
    """Return the words of a text without their endings, hyphens opened.

    Example:
        >>> stems("Noise-cancelling Headphones")
        ('noise', 'cancel', 'headphon')
    """
    return tuple(stem(fold(text)).split())


def bag(text: str) -> frozenset[str]:
    """Return what makes two texts the same, whatever their order, endings and little words.

    Example:
        >>> bag("jacket of leather") == bag("Leather jackets")
        True
    """
    return frozenset(stems(text)) - CONNECTORS


def is_near(one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell whether two bags of words are nearly the same: four words of five are shared.

    Example:
        >>> is_near(bag("black leather jacket"), bag("leather jacket in black"))
        True
        >>> is_near(bag("black leather jacket"), bag("black suede jacket"))
        False
    """
    return len(one & other) > _NEAR * len(one | other) or one == other


def contains(text: str, part: str) -> bool:
    """Tell whether a text contains the words of another one, one after the other.

    Example:
        >>> contains("a hair dryer for travel", "hair dryers")
        True
    """
    whole, wanted = stems(text), stems(part)
    return bool(wanted) and any(
        whole[start : start + len(wanted)] == wanted
        for start in range(len(whole) - len(wanted) + 1)
    )


def join(parts: Iterable[str]) -> str:
    """Put phrases into one, leaving out words that an earlier one has said.

    Example:
        >>> join(["leather", "leather biker jacket", "black"])
        'leather biker jacket black'
    """
    said: set[str] = set()
    words: list[str] = []
    for part in parts:
        for word in part.split():
            key = set(stems(word))
            if not key or (key <= said and word not in CONNECTORS):
                continue
            said |= key
            words.append(word)
    while words and words[-1] in CONNECTORS:
        words.pop()
    return " ".join(words)
