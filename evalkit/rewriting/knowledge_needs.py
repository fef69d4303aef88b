"""A need answered in product words: the kind that serves it and the property that matters.

Where the query's structure or the table of needs says what answers it, those products are
described. Where neither does, the products whose descriptions share the need's words are; see
`evalkit.rewriting.nearest`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evalkit.rewriting.drafts import Draft, choose
from evalkit.rewriting.nearest import shared_share
from evalkit.rewriting.selection import is_absent
from evalkit.rewriting.wording import CONNECTORS, stems

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evalkit.constraints import TypedQuery
    from evalkit.knowledge.graph import Graph
    from evalkit.knowledge.needs import Answer
    from evalkit.rewriting.asking import Asked, Reader

__all__ = ["known_answers", "rewrite_need"]

Allowed = Callable[[str, Sequence[str]], bool]
_NEAR_ENOUGH = 0.5


def rewrite_need(asked: Asked, n: int, reader: Reader, allowed: Allowed, seed: int) -> list[Draft]:
    """Return up to n drafts that name products which answer the need."""
    sources, query = reader.sources, asked.query
    structure = query.structure
    drafts: list[Draft] = []
    answers = () if structure.required else known_answers(query, sources.graph, asked.kinds)
    if answers:
        for answer in answers:
            if structure.kinds and answer.kind not in asked.kinds:
                continue
            numbers = _answering(answer, reader)
            attributes = [answer.attribute] if answer.attribute else []
            drafts += sources.from_titles(answer.kind, numbers, asked.lead, "specification")
            drafts += sources.from_values(
                answer.kind, numbers, asked.lead, "specification", attributes=attributes, asked=True
            )
    need = structure.need or query.query
    for kind in asked.kinds:
        inside = asked.products[kind]
        near = reader.nearest.products(need, among=inside)
        everyone = sources.graph.catalogue.of_kind(kind)
        if not structure.required:
            inside = near
        wished = [c.attribute for c in structure.required if c.attribute]
        found = sources.from_titles(kind, inside, asked.lead, "specification")
        found += sources.from_titles(kind, near, asked.lead, "specification", least=1)
        found += sources.from_values(
            kind, inside, asked.lead, "specification", attributes=wished, asked=True, weight=1.2
        )
        found += sources.from_values(kind, inside, asked.lead, "specification", weight=0.5)
        drafts += [_lifted(draft, inside, near, everyone, bool(answers)) for draft in found]
    chosen = choose(drafts, n, query=query, allowed=allowed, seed=seed)
    if not chosen and structure.kinds:
        # nothing is known of the need: the kind alone finds what the filters can look at
        names = [
            Draft(name, frozenset(), "synonym")
            for kind in asked.kinds
            for name in (kind, *sources.graph.words.synonyms(kind))
        ]
        chosen = choose(names, n, query=query, allowed=allowed, seed=seed)
    return chosen


def known_answers(query: TypedQuery, graph: Graph, kinds: Sequence[str] = ()) -> tuple[Answer, ...]:
    """Return the answers of the known need whose wording is nearest to a query's.

    Nearest is the share of a wording's words that the query says, words weighing alike; half of
    them must be there, and two at least where there are two. A need that is answered by one of
    the kinds comes before others.
    """
    text = set(stems(f"{query.structure.need or ''} {query.query}"))
    best = 0.0
    answers: tuple[Answer, ...] = ()
    for need in graph.needs:
        for wording in need.phrases:
            words = set(stems(wording)) - CONNECTORS
            shared = len(words & text)
            if not words or shared < min(2, len(words)):
                continue
            score = shared / len(words) + 0.01 * shared
            score += any(answer.kind in kinds for answer in need.answers)
            if score > best and shared / len(words) >= _NEAR_ENOUGH:
                best, answers = score, need.answers
    return answers


def _answering(answer: Answer, reader: Reader) -> NDArray[np.int64]:
    catalogue = reader.sources.graph.catalogue
    inside = catalogue.of_kind(answer.kind)
    if answer.attribute is None:
        return inside
    attribute = catalogue.attributes[answer.attribute]
    stating = [attribute.positions(value) for value in answer.values if not is_absent(value)]
    if not stating:
        stating = [attribute.positions(value) for value in answer.values]
    return np.intersect1d(inside, np.concatenate(stating))


def _lifted(
    draft: Draft,
    inside: NDArray[np.int64],
    near: NDArray[np.int64],
    everyone: NDArray[np.int64],
    known: bool,
) -> Draft:
    """Weigh a draft by how much more it describes products near the need than all of its kind."""
    chosen = near if len(near) else inside
    having = np.fromiter(draft.products, np.int64, len(draft.products))
    lift = shared_share(chosen, having, everyone)
    return replace(draft, weight=draft.weight * (0.5 if known else 1.0) * max(0.1, 0.4 + lift))
