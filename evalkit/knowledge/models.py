"""Names of models: which longer name is another model.

A "Nova 12 Pro" is no "Nova 12", though the one name holds the other.
"""

from __future__ import annotations

import re

__all__ = ["is_model", "longer_models"]

# What after a model's name makes another model of it.
_LONGER = (
    "pro", "max", "plus", "ultra", "mini", "lite", "s", "e", "fe", "se", "xl", "air",
    "neo", "fold", "flip",
)  # fmt: skip
# Before a number these count or measure; what follows does not make another thing of it.
_MEASURES = frozenset(
    (
        "size", "sizes", "spf", "pack", "set", "age", "ages", "aged", "from", "to", "for", "of",
        "and", "or", "in", "about", "approx", "over", "under", "at", "year", "years", "uk", "eu",
        "us", "least", "most", "ip", "type", "class", "level", "up", "with", "by", "x",
    )
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+")


def is_model(name: str) -> bool:
    """Tell whether words name a model: a word and a number, or a number's suffix after them.

    Example:
        >>> [is_model(name) for name in ("Nova 12", "nova 12 pro", "size 42", "28 cm", "leather")]
        [True, True, False, False, False]
    """
    words = _WORD.findall(name.lower())
    while len(words) > 2 and words[-1] in _LONGER:
        words.pop()
    if len(words) < 2 or not any(character.isdigit() for character in words[-1]):
        return False
    before = words[-2]
    return before.isalpha() and before not in _MEASURES


def longer_models(name: str) -> tuple[str, ...]:
    """Return the names of other models that begin with this one; none where it is no model.

    Example:
        >>> longer_models("Nova 12")[:2], longer_models("28 cm")
        (('Nova 12 pro', 'Nova 12 max'), ())
    """
    return tuple(f"{name} {word}" for word in _LONGER) if is_model(name) else ()
