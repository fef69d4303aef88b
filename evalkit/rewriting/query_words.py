"""Words of a query that decide about its rewrites: what it excludes, names, and asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.knowledge.words import read_words
from evalkit.rewriting.wording import CONNECTORS, fold, split, stems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.constraints import Condition, TypedQuery
    from evalkit.knowledge.graph import Graph

__all__ = ["excluded_words", "kind_names", "reference_words", "states_excluded"]


def excluded_words(query: TypedQuery) -> tuple[str, ...]:
    """Return the words that a query excludes, as texts.

    A condition without values, or with the value `yes`, excludes the attribute itself.
    """
    found: dict[str, None] = {}
    for condition in query.structure.excluded:
        found.update(dict.fromkeys(_condition_words(condition)))
    return tuple(found)


def states_excluded(query: TypedQuery, text: str, graph: Graph | None = None) -> str:
    """Return the excluded word that a text states, directly or by a word of its family, or ``.

    `leather-free` and `faux leather` do not state leather.
    """
    words = read_words() if graph is None else graph.words
    return next((word for word in excluded_words(query) if words.says(text, word)), "")


def _condition_words(condition: Condition) -> list[str]:
    values = [value for value in condition.values if value not in ("yes", "no", "none", "true")]
    if values:
        return values
    if set(condition.values) & {"no", "none"}:
        return []  # excluding those that lack it asks for it
    return [condition.attribute.replace("_", " ")] if condition.attribute else []


def reference_words(
    query: TypedQuery, is_name: Callable[[str], bool] | None = None
) -> tuple[str, ...]:
    """Return the names of what the query wants an alternative to: brand, whole name, model words.

    Example:
        >>> from evalkit.constraints import Reference, Structure, TypedQuery
        >>> reference = Reference("dovane airloop", brand="Dovane")
        >>> asked = Structure("alternative", ("multi-styler",), reference=reference)
        >>> reference_words(TypedQuery("q1", "cheaper than a dovane airloop", asked))
        ('dovane', 'dovane airloop', 'airloop')
    """
    reference = query.structure.reference
    if reference is None:
        return ()
    wanted: set[str] = set()
    for text in (*query.structure.kinds, *(v for c in query.structure.required for v in c.values)):
        wanted.update(stems(text))
    found: dict[str, None] = {}
    if reference.brand:
        found[fold(reference.brand)] = None
    text = fold(reference.text)
    if not set(stems(text)) <= wanted:
        found[text] = None
    for word in split(reference.text):
        if set(stems(word)) <= wanted or word in CONNECTORS:
            continue
        mixed = any(letter.isdigit() for letter in word) and not word.isdigit()
        if mixed or (len(word) >= 4 if is_name is None else is_name(word)):
            found[word] = None
    return tuple(found)


def kind_names(graph: Graph, kind: str) -> Sequence[str]:
    """Return the words by which a kind goes: its own and the known others."""
    return (kind, *graph.words.synonyms(kind))
