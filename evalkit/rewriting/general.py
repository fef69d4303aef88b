"""A plain product query in other words: synonyms, narrower words, and what titles call it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evalkit.knowledge.wordnet import wordnet_synonyms
from evalkit.rewriting.drafts import Draft, choose
from evalkit.rewriting.wording import contains, join, stems

if TYPE_CHECKING:
    from evalkit.rewriting.asking import Asked
    from evalkit.rewriting.drafts import Sources

__all__ = ["rewrite_general"]

Allowed = Callable[[str, Sequence[str]], bool]


def rewrite_general(
    asked: Asked, n: int, sources: Sources, allowed: Allowed, seed: int
) -> list[Draft]:
    """Return up to n drafts."""
    drafts: list[Draft] = []
    for kind in asked.kinds:
        inside = asked.products[kind]
        base = sources.phrase(asked.lead, kind)
        everything = frozenset(inside.tolist())
        drafts.append(Draft(base, everything, "paraphrase", 0.8))
        drafts.append(Draft(join([kind, *asked.lead]), everything, "paraphrase", 0.5))
        drafts += _synonyms(base, asked, kind, sources)
        drafts += sources.from_titles(kind, inside, asked.lead, "paraphrase")
        drafts += sources.from_values(kind, inside, asked.lead, "lexical", weight=0.5)
    return choose(drafts, n, query=asked.query, allowed=allowed, seed=seed)


def _synonyms(base: str, asked: Asked, kind: str, sources: Sources) -> list[Draft]:
    """Replace the kind, or a wished word, by another word that titles use, or that is known."""
    words, titles = sources.graph.words, sources.titles
    found: list[Draft] = []
    everything = frozenset(asked.products[kind].tolist())
    found += [
        Draft(join([*asked.lead, name]), everything, "synonym", 0.9)
        for name in words.synonyms(kind)
        if titles.knows(name.split()[-1])
    ]
    for wished in asked.lead:
        others = [(name, "synonym") for name in words.synonyms(wished)]
        others += [(name, "lexical") for name in words.family(wished)]
        others += [(name, "synonym") for name in wordnet_synonyms(wished)]
        for name, method in others:
            if all(titles.knows(word) for word in name.split()):
                parts = [name if part == wished else part for part in asked.lead]
                products = frozenset(
                    number
                    for number in everything
                    if contains(sources.graph.catalogue.titles[number], name)
                )
                text = sources.phrase(parts, kind)
                if products and stems(text) != stems(base):
                    found.append(Draft(text, products, method, 0.9))  # type: ignore[arg-type]
    return found
