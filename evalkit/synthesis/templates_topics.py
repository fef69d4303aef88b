"""What queries can be about: for every kind the properties that can be wanted or denied, in turn.

A topic is only offered where the catalogue has an answer. Kinds take turns, and within a kind the
attributes, so that no department and no attribute dominates.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from evalkit.synthesis.queries_facts import BRAND
from evalkit.synthesis.templates_grammar import read_wording
from evalkit.synthesis.templates_phrases import Phrase, phrases_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.random import Generator

    from evalkit.synthesis.queries_facts import Facts, KindFacts

__all__ = ["KindTopics", "in_turn"]

Item = TypeVar("Item")

_EACH = 8  # values of an attribute that are spoken of, the most frequent ones
_FIRST = 6  # items of a kind among which its first is drawn
_SHARE = 0.04  # of the products of a kind that state an attribute, for it to be spoken of


@dataclass(frozen=True)
class KindTopics:
    """The properties of one kind.

    Attributes:
        facts: of the kind.
        wanted: how many products must satisfy a query.
        more: further ways to speak of the properties of an attribute; see `queries_graph`.
    """

    facts: KindFacts
    wanted: int
    more: Callable[[Phrase], Sequence[Phrase]] | None = None
    _masks: dict[str, object] = field(default_factory=dict)

    @cached_property
    def phrases(self) -> tuple[Phrase, ...]:
        """All properties, attribute by attribute: first of each the most frequent value."""
        found = []
        total = len(self.facts.products)
        for name, statements in self.facts.statements.items():
            stated = int(statements.stated.sum())
            if stated < max(self.wanted, _SHARE * total):
                continue
            named = set(self.facts.kind.split())
            spoken = [
                phrase
                for phrase in phrases_of(statements, self.facts.kind)
                if not named
                & set(f"{phrase.before} {phrase.thing} {phrase.quality} {phrase.need}".split())
            ][:_EACH]
            if self.more is not None:
                spoken = [other for phrase in spoken for other in self.more(phrase)]
            found.append((self._usefulness(name, stated), name, spoken))
        # Without a graph, attributes come by how many products state them; the brand comes last.
        found.sort(key=lambda part: (part[1] == BRAND, -part[0], part[1]))
        longest = max((len(spoken) for _, _, spoken in found), default=0)
        return tuple(
            spoken[place]
            for place in range(longest)
            for _, _, spoken in found
            if place < len(spoken)
        )

    def _usefulness(self, name: str, stated: int) -> float:
        statements = self.facts.statements[name]
        counts = np.array(list(statements.counts().values()), dtype=float)
        shares = counts / counts.sum()
        surprise = float(-(shares * np.log(shares)).sum())
        return stated / len(self.facts.products) * min(surprise, 1.5)

    @cached_property
    def deniable(self) -> tuple[Phrase, ...]:
        """What somebody could want to be without: some products have it, enough lack it."""
        return tuple(
            phrase
            for phrase in self.phrases
            if phrase.deniable
            and self.facts.has(phrase.condition).any()
            and int(self.facts.lacks(phrase.condition).sum()) >= self.wanted
        )

    @cached_property
    def wantable(self) -> tuple[Phrase, ...]:
        """What somebody could ask for in words of the product."""
        return tuple(
            phrase
            for phrase in self.phrases
            if (phrase.before or phrase.after)
            and int(self.facts.has(phrase.condition).sum()) >= self.wanted
        )

    @cached_property
    def needs(self) -> tuple[Phrase, ...]:
        """Purposes, persons and devices that enough products are made for."""
        return tuple(
            phrase
            for phrase in self.phrases
            if (phrase.need or phrase.clause)
            and int(self.facts.has(phrase.condition).sum()) >= self.wanted
        )


def in_turn(
    items: Mapping[str, Sequence[Item]], generator: Generator, each: int
) -> Iterator[tuple[str, Item, int]]:
    """Give kind, item and round: one item of every kind in turn, all of them `each` times.

    A kind begins at one of its first items, drawn, so that what most kinds have first (the
    colour) does not come first for all. One with few items repeats them sooner. It ends when all
    items were given `each` times.
    """
    names = [name for name, found in items.items() if found]
    first = {name: int(generator.integers(min(_FIRST, len(items[name])))) for name in names}
    turn: Counter[str] = Counter()
    while names:
        order = generator.permutation(len(names))
        for name in [names[place] for place in order]:
            found = items[name]
            again, place = divmod(turn[name], len(found))
            yield name, found[(place + first[name]) % len(found)], again
            turn[name] += 1
        names = [name for name in names if turn[name] < each * len(items[name])]


def topics_of(
    facts: Facts, wanted: int, more: Callable[[Phrase], Sequence[Phrase]] | None = None
) -> dict[str, KindTopics]:
    """Return the topics of all kinds that have more products than must satisfy a query."""
    return {
        name: KindTopics(kind, wanted, more)
        for name, kind in facts.kinds.items()
        if len(kind.products) > wanted and speakable(name)
    }


def speakable(kind: str) -> bool:
    """Whether the name of a kind can stand in a query.

    Example:
        >>> speakable("toner cartridge"), speakable("(n/a)"), speakable("x")
        (True, False, False)
    """
    return (
        2 < len(kind) <= 32
        and len(kind.split()) <= 4
        and kind[0].isalpha()
        and kind[-1].isalnum()
        and not any(mark in kind for mark in "/()[],&")
        and kind not in read_wording("grammar")["vague"]
    )
