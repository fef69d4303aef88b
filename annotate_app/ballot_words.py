"""The words of a vote and the keys that give it, in the order in which they lie on the keyboard."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BOTH_BAD",
    "FLAG_REASONS",
    "PAGE_GRADES",
    "SKIP_REASONS",
    "Choice",
    "choices",
    "said",
]


@dataclass(frozen=True)
class Choice:
    """One button of the vote bar.

    Attributes:
        key: the key that presses it.
        words: what stands on it.
        shown: -2 ... +2 as displayed.
        both_bad: whether both are bad.
    """

    key: str
    words: str
    shown: int
    both_bad: bool = False


BOTH_BAD = Choice("B", "Both bad", 0, both_bad=True)

_WORDS = {
    -2: "Left much better",
    -1: "Left better",
    0: "About the same",
    1: "Right better",
    2: "Right much better",
}

SKIP_REASONS = (
    "I do not know this subject",
    "The query is unclear",
    "I cannot decide",
    "The page is broken",
)
FLAG_REASONS = ("Broken text or image", "Wrong language", "Offensive or unsafe", "Something else")
PAGE_GRADES = ("bad", "mid", "good")  # worst first, as the grades of products are


def choices(scale: int) -> tuple[Choice, ...]:
    """The buttons of a scale of 3 or 5 points, from left to right, and both bad.

    Example:
        >>> [choice.key for choice in choices(3)]
        ['1', '2', '3', 'B']
    """
    reach = scale // 2
    points = range(-reach, reach + 1)
    return (*(Choice(str(key), _WORDS[at], at) for key, at in enumerate(points, 1)), BOTH_BAD)


def said(shown: int | None, both_bad: bool) -> str:
    """A vote in words.

    Example:
        >>> said(2, False)
        'Right much better'
    """
    return BOTH_BAD.words if both_bad else _WORDS.get(shown or 0, "")
