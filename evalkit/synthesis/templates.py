"""Typed queries from what a catalogue states, put into our own wordings.

    evalkit/synthesis/wording/negative.yaml     ways to exclude
    evalkit/synthesis/wording/alternative.yaml  ways to ask for the same for less
    evalkit/synthesis/wording/knowledge.yaml    ways to tell a need
    evalkit/synthesis/wording/general.yaml      ways to name a product

Every query is checked against the catalogue when it is made: enough products satisfy it, and of
what it excludes some products of the kind have it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints import QUERY_TYPES, Condition
from evalkit.knowledge import TIERS
from evalkit.synthesis.queries_part import WHOLE
from evalkit.synthesis.templates_drafting import Draft, Need
from evalkit.synthesis.templates_references import dear_brands, dear_products, must_fit
from evalkit.synthesis.templates_topics import in_turn, topics_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evalkit.constraints import QueryType
    from evalkit.synthesis.queries_facts import Facts
    from evalkit.synthesis.queries_part import QueryPart
    from evalkit.synthesis.queries_source import SyntheticQuery
    from evalkit.synthesis.templates_phrases import Phrase
    from evalkit.synthesis.templates_references import Named
    from evalkit.synthesis.templates_topics import KindTopics

__all__ = ["EACH", "TemplateSource"]

_DEAR_TIERS = TIERS[2:]
EACH = 3  # wordings of one topic


@dataclass
class TemplateSource:
    """The source `templates`; see the module.

    Attributes:
        facts: of the catalogue.
        wanted: products that must satisfy a query.
        name: what the queries' column `source` says.
        more: further ways to speak of a property.
        names_of: the words for a kind, its own name first.
        tier: price tier of a brand in a kind; with it the references are brands of the upper
            tiers, without it they are products.
        needs: further needs: text, form (noun or clause), kind, condition and family.
        part: which queries and wordings are made.
        each: wordings of one topic.
    """

    facts: Facts
    wanted: int = 3
    name: str = "templates"
    more: Callable[[Phrase], Sequence[Phrase]] | None = None
    names_of: Callable[[str], Sequence[str]] | None = None
    tier: Callable[[str, str], str | None] | None = None
    needs: Sequence[Need] = ()
    part: QueryPart = WHOLE
    each: int = EACH
    _dropped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._topics = topics_of(self.facts, self.wanted, self.more)

    def dropped(self) -> Mapping[str, int]:
        """Return how many were thrown away, by reason."""
        return dict(sorted(self._dropped.items()))

    def queries(
        self, count_by_type: Mapping[QueryType, int], seed: int
    ) -> Iterator[SyntheticQuery]:
        """Make queries; see `QuerySource.queries`."""
        makers = {
            "negative": self._negative,
            "alternative": self._alternative,
            "knowledge": self._knowledge,
            "general": self._general,
        }
        for query_type in QUERY_TYPES:
            count = count_by_type.get(query_type, 0)
            key = zlib.crc32(f"{self.name}|{query_type}".encode())
            generator = np.random.default_rng([seed, key])
            draft = Draft(
                self.name, self.wanted, generator, self._dropped, self.names_of, self.part
            )
            for _, query in zip(range(count), makers[query_type](draft), strict=False):
                yield query

    def _negative(self, draft: Draft) -> Iterator[SyntheticQuery]:
        items = {
            name: [each for each in topics.deniable if draft.takes(name, each, "negative")]
            for name, topics in self._topics.items()
        }
        for kind, phrase, _ in in_turn(items, draft.generator, self.each):
            query = draft.negative(self._topics[kind], phrase)
            if query is not None:
                yield query

    def _alternative(self, draft: Draft) -> Iterator[SyntheticQuery]:
        items = {
            name: [each for each in self._references(topics) if draft.takes_reference(name, each)]
            for name, topics in self._topics.items()
        }
        for found in items.values():
            draft.generator.shuffle(found)
        for kind, named, _ in in_turn(items, draft.generator, self.each):
            query = draft.alternative(self._topics[kind], named)
            if query is not None:
                yield query

    def _references(self, topics: KindTopics) -> list[Named]:
        if must_fit(topics.facts):
            return []
        if self.tier is None:
            return dear_products(self.facts, topics.facts, self.wanted)
        return [
            named
            for named in dear_brands(self.facts, topics.facts, self.wanted)
            if self.tier(named.brand, topics.facts.kind) in _DEAR_TIERS
        ]

    def _general(self, draft: Draft) -> Iterator[SyntheticQuery]:
        items = {
            name: [each for each in topics.wantable if draft.takes(name, each, "general")]
            for name, topics in self._topics.items()
        }
        for kind, phrase, _ in in_turn(items, draft.generator, self.each):
            query = draft.general(self._topics[kind], phrase)
            if query is not None:
                yield query

    def _knowledge(self, draft: Draft) -> Iterator[SyntheticQuery]:
        own: dict[str, list[Need]] = {}
        for need in self.needs:
            if need.kind in self._topics:
                own.setdefault(need.kind, []).append(need)
        if not self.needs:
            for name, topics in self._topics.items():
                own[name] = [need for phrase in topics.needs for need in _needs_of(name, phrase)]
            answered: dict[tuple[Condition, ...], list[str]] = {}
            for name in sorted(own):
                for conditions in dict.fromkeys(need.conditions for need in own[name]):
                    answered.setdefault(conditions, []).append(name)
            own = {
                name: [replace(need, kinds=tuple(answered[need.conditions])) for need in found]
                for name, found in own.items()
            }
        own = {
            name: [need for need in found if draft.takes_need(need)] for name, found in own.items()
        }
        for found in own.values():
            draft.generator.shuffle(found)
        for kind, need, _ in in_turn(own, draft.generator, self.each + 1):
            query = draft.knowledge(self._topics[kind], need)
            if query is not None:
                yield query


def _needs_of(kind: str, phrase: Phrase) -> list[Need]:
    form = {"device": "device", "person": "person"}.get(phrase.group, "noun")
    texts = [(phrase.need, form), (phrase.clause, "clause")]
    return [
        Need(text, kind_of_need, kind, (phrase.condition,), text, phrase.need or phrase.clause)
        for text, kind_of_need in texts
        if text
    ]
