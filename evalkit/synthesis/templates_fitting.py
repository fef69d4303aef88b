"""Which words go with which: phrases with frames, phrases with each other, prices with people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints import Condition
from evalkit.synthesis.templates_grammar import read_wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints import Structure
    from evalkit.synthesis.templates_frames import Frame
    from evalkit.synthesis.templates_phrases import Phrase

__all__ = [
    "fits_words",
    "held_words",
    "joined",
    "long_words",
    "offers",
    "round_down",
    "round_up",
    "same_words",
]

_NOUN_SLOTS = ("thing", "a_thing")
_ONE_WORD = ("non-{", "non {", "}-free")


def fits_words(frame: Frame, phrase: Phrase) -> bool:
    """Whether a frame's denied word is one that the phrase has."""
    words = phrase.thing or phrase.quality
    if frame.more.get("allergy") and phrase.group != "ingredient":
        return words in read_wording("values")["allergens"]
    if " " in words and any(joint in frame.text for joint in _ONE_WORD):
        return False
    if any(frame.has(slot) for slot in _NOUN_SLOTS):
        return bool(phrase.thing)
    return bool(phrase.quality or phrase.thing)


def long_words(text: str) -> set[str]:
    """Return the words of four letters or more, without their plural ending."""
    return {word.rstrip("s") for word in text.lower().split() if len(word) > 3}


def offers(frame: Frame, phrase: Phrase, other: Phrase | None) -> bool:
    """Whether the phrases have the forms that a general frame needs."""
    needs: Sequence[str] = frame.more["need"]
    only = frame.more.get("only")
    parts = [other] if phrase.group == "brand" else [phrase, other]
    if len(needs) > len(parts):
        return False
    if only is not None and (parts[len(needs) - 1] is None or parts[len(needs) - 1].group != only):  # type: ignore[union-attr]
        return False
    return all(
        part is not None and bool(part.before if form == "before" else part.after)
        for form, part in zip(needs, parts, strict=False)
    )


def joined(first: Condition, second: Condition | None) -> tuple[Condition, ...]:
    """Return two conditions, those on one attribute as one with both values."""
    if second is None:
        return (first,)
    if first.attribute == second.attribute:
        return (Condition(first.attribute, (*first.values, *second.values)),)
    return (first, second)


def same_words(one: Phrase, other: Phrase) -> bool:
    """Whether two phrases would repeat a word."""
    mine = set(f"{one.before} {one.thing} {one.after}".split())
    yours = set(f"{other.before} {other.thing} {other.after}".split())
    return bool((mine & yours) - {"with", "for", "in", "made", "of", "that", "can", "a", "an"})


def held_words(structure: Structure, text: str) -> frozenset[str]:
    """Return the words that a slip of the finger must leave alone: what the query turns on."""
    conditions = (*structure.required, *structure.excluded)
    words = " ".join(value for condition in conditions for value in condition.values)
    reference = structure.reference.text if structure.reference else ""
    return frozenset(f"{words} {reference} without".split()) & frozenset(text.split())


def round_up(price: float) -> float:
    """Return a price as people name limits.

    Example:
        >>> [round_up(price) for price in (3.2, 18.99, 47, 132, 940, 2310)]
        [4.0, 20.0, 50.0, 140.0, 950.0, 2400.0]
    """
    step = _step(price)
    return float(np.ceil(round(price / step, 6)) * step)


def round_down(price: float) -> float:
    """Return about what something costs, as people say it.

    Example:
        >>> [round_down(price) for price in (1290.0, 549.0, 18.99)]
        [1290.0, 549.0, 18.0]
    """
    return float(int(price)) if price < 1000 else float(int(price / 10) * 10)


def _step(price: float) -> float:
    for limit, step in ((10, 1.0), (100, 5.0), (300, 10.0), (1000, 50.0), (5000, 100.0)):
        if price <= limit:
            return step
    return 500.0
