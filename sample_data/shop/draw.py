"""Seeded chance that gives the same result on every platform and Python version.

Only ``random.Random.random`` is used, whose sequence for a given seed the Python documentation
promises to keep; ``choice``, ``shuffle`` and ``sample`` carry no such promise. Every decision has
its own named source, so that a change in one part of the shop leaves the others as they were.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

SEED = "sample-shop-1"


class Draw:
    """A source of chance, named by the parts of its key."""

    def __init__(self, *key: str) -> None:
        self._random = random.Random("/".join((SEED, *key)))  # noqa: S311, no secret

    def share(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.share() < probability

    def below(self, bound: int) -> int:
        """A whole number in [0, bound)."""
        return int(self.share() * bound)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a new order (Fisher and Yates)."""
        deck = list(items)
        for last in range(len(deck) - 1, 0, -1):
            other = self.below(last + 1)
            deck[last], deck[other] = deck[other], deck[last]
        return deck


class Deck(Generic[T]):
    """Deals every item once before any item comes again: even shares, no long repeats."""

    def __init__(self, items: Sequence[T], *key: str) -> None:
        if not items:
            raise ValueError(f"the deck {'/'.join(key)} has no items")
        self._items = items
        self._draw = Draw("deck", *key)
        self._left: list[T] = []

    def deal(self) -> T:
        """The next item."""
        if not self._left:
            self._left = self._draw.shuffled(self._items)
        return self._left.pop()
