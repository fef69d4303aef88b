"""Rules that no rewrite may break, checked before any model is asked.

A rewrite that echoes its query, states what the query excludes, names the product that the query
wants to be cheaper than, or asks for another kind of product is wrong whatever a model thinks of
it. A required property that is missing breaks no rule: several rewrites share a query's wishes
among them, and the filters behind look at the products.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from evalkit.rewriting.query_words import (
    excluded_words,
    kind_names,
    reference_words,
    states_excluded,
)
from evalkit.rewriting.straying import strays
from evalkit.rewriting.wording import CONNECTORS, bag, contains, fold, is_near, split, stems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evalkit.constraints import Structure, TypedQuery
    from evalkit.knowledge.graph import Graph

__all__ = [
    "MOST_WORDS",
    "RULES",
    "breaks",
    "excluded_words",
    "filter_rule",
    "reference_words",
    "states_excluded",
]

MOST_WORDS = 16
RULES = 4  # raised when the same rewrite may be told otherwise, for manifests


def breaks(
    query: TypedQuery,
    rewrite: str,
    *,
    earlier: Iterable[str] = (),
    graph: Graph | None = None,
    is_name: Callable[[str], bool] | None = None,
) -> str:
    """Say why a rewrite breaks a rule, or return an empty text.

    Args:
        query: what was asked.
        rewrite: the rewrite as text.
        earlier: rewrites of the same query that stand before it.
        graph: knows the kinds of the catalogue and other words for them; without it no rewrite is
            found to ask for another kind.
        is_name: tells words of brands and models from words for things; without it every word of
            a reference of four letters or more that is no wanted word counts as a name.

    Example:
        >>> from evalkit.constraints import Condition, Structure, TypedQuery
        >>> asked = Structure("negative", ("jacket",), excluded=(Condition(None, ("leather",)),))
        >>> query = TypedQuery("q1", "jacket without leather", asked)
        >>> breaks(query, "lambskin biker jacket")
        "states 'leather', which the query excludes"
        >>> breaks(query, "faux leather biker jacket"), breaks(query, "waxed cotton jacket")
        ('', '')
    """
    words = split(rewrite)
    if not words:
        return "is empty"
    if len(words) > MOST_WORDS:
        return f"is longer than {MOST_WORDS} words"
    stated = states_excluded(query, rewrite, graph)
    if stated:
        return f"states {stated!r}, which the query excludes"
    said = bag(rewrite)
    if said == bag(query.query):
        return "repeats the query"
    if any(is_near(said, bag(text)) for text in earlier):
        return "repeats an earlier rewrite"
    if query.structure.query_type == "alternative":
        named = next(
            (name for name in reference_words(query, is_name) if _names(rewrite, name)), None
        )
        if named is not None:
            return f"names {named!r}, which the query wants to do without"
    other = _other_kind(query, rewrite, graph) if graph is not None else ""
    return f"asks for a {other}" if other else ""


def filter_rule(
    graph: Graph | None,
) -> Callable[[str, str, Structure | None, str, Sequence[str]], str]:
    """Return `breaks`, and then `strays`, in the form that a filter of rewrites takes.

    The function gets query_id, query, structure (or None), the rewrite and those before it. With a
    graph it knows names as `evalkit.rewriting.catalogue` does, so that it takes what that writes.
    """
    from evalkit.constraints import Structure, TypedQuery
    from evalkit.rewriting.asking import open_reader

    plain = Structure("general")
    reader = open_reader(graph.catalogue, graph) if graph is not None else None

    @lru_cache(maxsize=1)  # the rewrites of a query stand together
    def names(query: TypedQuery) -> Callable[[str], bool] | None:
        if reader is None or query.structure.reference is None:
            return None
        return reader.name_of(reader.kinds(query))

    def rule(
        query_id: str,
        query: str,
        structure: Structure | None,
        rewrite: str,
        earlier: Sequence[str],
    ) -> str:
        asked = TypedQuery(query_id, query, structure or plain)
        broken = breaks(asked, rewrite, earlier=earlier, graph=graph, is_name=names(asked))
        return broken or strays(asked, rewrite, graph)

    return rule


def _names(rewrite: str, name: str) -> bool:
    return contains(fold(rewrite), name)


def _other_kind(query: TypedQuery, rewrite: str, graph: Graph) -> str:
    """Return the kind that a rewrite asks for although the query asks for others, or ``.

    Only the last noun before a `with` or `for` is what a title is about: a `coffee table` is a
    table, a `charger with cable` a charger.
    """
    wanted = query.structure.kinds
    if not wanted:
        return ""
    if any(contains(rewrite, name) for kind in wanted for name in kind_names(graph, kind)):
        return ""
    core = stems(_core(rewrite))
    best = ""
    for kind in graph.catalogue.kinds:
        for name in kind_names(graph, kind):
            end = stems(name)
            if end and core[-len(end) :] == end and len(name) > len(best):
                best = kind
    return "" if best in wanted else best


def _core(text: str) -> str:
    words = split(text)
    for place, word in enumerate(words):
        if place and word in CONNECTORS:
            return " ".join(words[:place])
    return " ".join(words)
