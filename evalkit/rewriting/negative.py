"""A query with an exclusion, turned positive: what products without the excluded thing are.

"jacket without polyurethane" becomes the other materials of jackets, "jacket without a hood" what
jackets without one are called. What the excluded products are called as often is worth less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evalkit.rewriting.drafts import Draft, choose
from evalkit.rewriting.query_words import excluded_words
from evalkit.rewriting.wording import bag, join, split

if TYPE_CHECKING:
    from evalkit.rewriting.asking import Asked
    from evalkit.rewriting.drafts import Sources

__all__ = ["rewrite_negative"]

_NO_BETTER = 0.5
Allowed = Callable[[str, Sequence[str]], bool]


def rewrite_negative(
    asked: Asked, n: int, sources: Sources, allowed: Allowed, seed: int
) -> list[Draft]:
    """Return up to n drafts; the last is the positive part alone, where that says anything."""
    drafts: list[Draft] = []
    for kind in asked.kinds:
        inside, barred = asked.products[kind], asked.barred[kind]
        attributes = _attributes(asked, sources, kind)
        others = [name for name in sources.graph.attributes(kind) if name not in attributes]
        found = sources.from_titles(kind, inside, asked.lead, "positive")
        for name in attributes:
            # a product has one colour and many ingredients: another one excludes nothing
            found += sources.from_values(
                kind,
                inside,
                asked.lead,
                "positive",
                attributes=[name],
                asked=True,
                weight=0.5 if _is_list(sources, name) else 1.4,
            )
        found += sources.from_values(
            kind, inside, asked.lead, "positive", attributes=others, weight=0.5
        )
        against = sources.from_titles(kind, barred, asked.lead, "positive", least=1)
        against += sources.from_values(kind, barred, asked.lead, "positive")
        against += sources.from_values(
            kind, barred, asked.lead, "positive", attributes=attributes, asked=True
        )
        if any(condition.attribute == "brand" for condition in asked.query.structure.excluded):
            found += _brands(asked, sources, kind)
        found += _lighter(sources.from_titles(kind, inside, asked.lead, "positive", least=1))
        drafts += _contrasted(found, against, len(inside), len(barred))
    base = [
        Draft(text, frozenset(asked.products[kind].tolist()), "positive")
        for kind in asked.kinds[:1]
        if len((text := sources.phrase(asked.lead, kind)).split()) > 1
    ]
    base = [draft for draft in base if allowed(draft.text, [])]
    chosen = choose(drafts, n - len(base), query=asked.query, allowed=allowed, seed=seed)
    for draft in base:
        if allowed(draft.text, [each.text for each in chosen]):
            chosen.append(draft)
    return choose(drafts, n, query=asked.query, allowed=allowed, seed=seed, earlier=chosen)


def _attributes(asked: Asked, sources: Sources, kind: str) -> list[str]:
    """Return the attributes in which the excluded words are values."""
    graph = sources.graph
    known = graph.all_attributes(kind)
    found: dict[str, None] = {}
    for condition in asked.query.structure.excluded:
        if condition.attribute in known and condition.values:
            found[condition.attribute] = None
    if not found:
        useful = graph.attributes(kind)
        for word in excluded_words(asked.query):
            for name, _ in graph.values_named(word, kind):
                if name in useful:
                    found[name] = None
    return list(found)


def _brands(asked: Asked, sources: Sources, kind: str) -> list[Draft]:
    """Name the other brands of a kind, the cover of each being its products."""
    graph = sources.graph
    numbers = asked.products[kind]
    found = []
    for brand in graph.brands_of(kind):
        own = numbers[graph.brand[numbers] == graph.brands.index(brand)]
        if len(own):
            text = join([" ".join(split(brand)), sources.phrase(asked.lead, kind)])
            found.append(Draft(text, frozenset(own.tolist()), "positive", 1.4))
    return found


def _lighter(drafts: Sequence[Draft]) -> list[Draft]:
    """Let what a single brand says come last."""
    return [replace(draft, weight=0.2 * draft.weight) for draft in drafts]


def _is_list(sources: Sources, name: str) -> bool:
    """Tell whether products state several values of an attribute, on average more than 1.5."""
    attribute = sources.graph.catalogue.attributes[name]
    return len(attribute.product) > 1.5 * len(attribute.stated())


def _contrasted(
    drafts: Sequence[Draft], against: Sequence[Draft], inside: int, barred: int
) -> list[Draft]:
    """Weigh drafts down that describe the barred products too; leave out what tells nothing."""
    share = {bag(draft.text): len(draft.products) / max(barred, 1) for draft in against}
    found = []
    for draft in drafts:
        good = len(draft.products) / max(inside, 1)
        bad = share.get(bag(draft.text), 0.0)
        part = good / max(good + bad, np.finfo(float).tiny)
        if part > _NO_BETTER:
            found.append(replace(draft, weight=draft.weight * part**2))
    return found
