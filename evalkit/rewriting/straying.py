"""Rewrites that break no rule of writing and still ask for something else than their query.

`evalkit.rewriting.rules` says what no rewriter may write. A filter looks further, at what a search
would make of the words:

- another value of a wanted property, and not the wanted one: `composite toe shoes` for steel toes.
  The graph knows the values that products of the kind have instead;
- the excluded thing behind a word of negation: a search for `curling iron no clamp` finds clamps.
  Words of products that deny it (`gluten-free`) are none of these;
- nothing but the query's positive part: `frying pan` for one that shall not be of aluminium finds
  what every frying pan finds. Where only brands are excluded, most of that is right;
- nothing of a wanted property: `earphones` for those that charge without a wire. One word of the
  property is enough, and so are other words for it; a price cannot be said in words of products.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from evalkit.constraints.topic import topic
from evalkit.knowledge.words import read_words
from evalkit.rewriting.query_words import kind_names, states_excluded
from evalkit.rewriting.wording import split, stems

if TYPE_CHECKING:
    from evalkit.constraints import Condition, TypedQuery
    from evalkit.knowledge.graph import Graph

__all__ = ["strays"]

_NEGATIONS = {"no", "not", "non", "without", "nor", "never", "avoid", "minus", "except"}
_ANSWERS = {"yes", "no", "none", "true", "false"}
_VALUES = 60  # siblings of a value that are looked for, the most frequent ones


def strays(query: TypedQuery, rewrite: str, graph: Graph | None = None) -> str:
    """Say in what a rewrite asks for something else than its query, or return an empty text.

    Args:
        query: what was asked.
        rewrite: the rewrite as text.
        graph: knows the values of the catalogue and other words for its kinds.

    Example:
        >>> from evalkit.constraints import Condition, Structure, TypedQuery
        >>> asked = Structure("negative", ("boots",), excluded=(Condition(None, ("leather",)),))
        >>> query = TypedQuery("q1", "boots without leather", asked)
        >>> strays(query, "boots no leather")
        "denies 'leather' in words, which a search reads as the thing"
        >>> strays(query, "boots"), strays(query, "leather-free boots")
        ('leaves the exclusion out and says nothing instead', '')
        >>> warm = Structure("general", ("boots",), required=(Condition(None, ("warm",)),))
        >>> strays(TypedQuery("q2", "warm boots", warm), "red boots")
        "says nothing of 'warm', which the query wants"
    """
    plain = " ".join(word for word in split(rewrite) if word not in _NEGATIONS)
    # What only the whole text states is no negation in words: `breaks` has found it.
    if plain != " ".join(split(rewrite)):
        denied = states_excluded(query, plain, graph)
        if denied:
            return f"denies {denied!r} in words, which a search reads as the thing"
    things = any(condition.attribute != "brand" for condition in query.structure.excluded)
    if things and _adds_nothing(query, rewrite, graph):
        return "leaves the exclusion out and says nothing instead"
    if graph is not None:
        other = next(
            (
                value
                for condition in query.structure.required
                if (value := _other_value(query, rewrite, condition, graph))
            ),
            "",
        )
        if other:
            return f"says {other!r} where the query wants another value"
    lost = next(
        filter(None, (_lost(rewrite, each, graph) for each in query.structure.required)), ""
    )
    return f"says nothing of {lost!r}, which the query wants" if lost else ""


def _adds_nothing(query: TypedQuery, rewrite: str, graph: Graph | None) -> bool:
    known = set(stems(topic(query.query, query.structure)))
    for kind in query.structure.kinds:
        for name in kind_names(graph, kind) if graph is not None else (kind,):
            known.update(stems(name))
    return set(stems(rewrite)) <= known


def _other_value(query: TypedQuery, rewrite: str, condition: Condition, graph: Graph) -> str:
    """Return the value of a condition's attribute that a rewrite says instead of the wanted one."""
    wanted = [value for value in condition.values if value not in _ANSWERS]
    if not wanted or any(graph.says(rewrite, value) for value in wanted):
        return ""
    kinds = [name for kind in query.structure.kinds for name in graph.kinds_named(kind)[:1]]
    names = [word for kind in query.structure.kinds for word in kind_names(graph, kind)]
    for kind in kinds:
        for value in _siblings(graph, kind, condition.attribute, tuple(wanted)):
            if (
                graph.says(rewrite, value)
                and not graph.says(query.query, value)
                and not any(graph.says(name, value) for name in names)
            ):
                return value
    return ""


def _lost(rewrite: str, condition: Condition, graph: Graph | None) -> str:
    """Return what a condition wants and a rewrite says nothing of, or ``."""
    wanted = list(condition.values)
    if not wanted or set(wanted) & _ANSWERS:
        if not condition.attribute or set(wanted) & {"no", "none", "false"}:
            return ""  # what a product must lack is said in many ways
        wanted = [condition.attribute.replace("_", " ")]
    words = read_words() if graph is None else graph.words
    said, close = set(stems(rewrite)), _close(rewrite)
    for value in wanted:
        if words.says(rewrite, value) or said & set(stems(value)) or _close(value) in close:
            return ""
    return wanted[0]


def _close(text: str) -> str:
    """Return a text without spaces: `16 gb` is `16gb`."""
    return "".join(split(text))


@lru_cache(maxsize=4096)
def _siblings(
    graph: Graph, kind: str, attribute: str | None, wanted: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what products of a kind are instead of the wanted values, which may be of one name."""
    attributes = {attribute} if attribute is not None else {
        name for value in wanted for name, _ in graph.values_named(value, kind)
    }  # fmt: skip
    if len(attributes) != 1:
        return ()
    name = attributes.pop()
    if name is None or name not in graph.catalogue.attributes:
        return ()
    found = [
        value
        for value in graph.siblings(kind, name, wanted[0])
        if value not in _ANSWERS
        and not value.isdigit()
        and not any(graph.says(value, each) or graph.says(each, value) for each in wanted)
    ]
    return tuple(found[:_VALUES])
