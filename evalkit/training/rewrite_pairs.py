"""Labelled rewrites without a person: right ones by construction, and corruptions of them.

A rewrite that the catalogue rewriter writes keeps what the structure of the query asks for, since
it is made from products that do. A corruption breaks one thing on purpose, in one of these ways:

| corruption | "leather jacket without hood" becomes |
| --- | --- |
| `negation dropped` | hooded leather jacket, leather jacket hood |
| `negation in words` | leather jacket no hood |
| `exclusion left out` | leather jacket |
| `other kind` | leather boots |
| `other value` | cotton jacket |
| `property lost` | jacket with buttons |
| `names the reference` | (cheaper than a Dovane) dovane multi-styler |
| `dearer` | (under 50) luxury leather jacket, or the brand of a dearer tier |
| `kind lost` | leather |
| `echo` | the query itself |

A search reads "no hood" as a hood, and the bare positive part finds as many hoods as the catalogue
has; where only brands are excluded it is mostly right, and no corruption.

Labels are by rule, so a classifier trained on them knows these mistakes and no others. What people
think of rewrites is measured on rewrites graded by hand.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pyarrow as pa

    from evalkit.constraints import Condition, TypedQuery
    from evalkit.knowledge import Graph
    from evalkit.rewriting import Rewriter

__all__ = ["CORRUPTIONS", "construct_rewrites", "corruptions"]

CORRUPTIONS = (
    "negation dropped", "negation in words", "exclusion left out", "other kind", "other value",
    "property lost", "names the reference", "dearer", "kind lost", "echo",
)  # fmt: skip
_ECHOES = 10  # one query in so many gets its echo: a rule finds it anyway
_DEAR = ("luxury", "premium", "designer", "high-end")


@dataclass(frozen=True)
class _Draft:
    text: str
    corruption: str


def construct_rewrites(
    queries: Sequence[TypedQuery],
    graph: Graph,
    rewriter: Rewriter,
    *,
    n: int = 4,
    seed: int = 0,
) -> tuple[pa.Table, dict[str, int]]:
    """Write right and wrong rewrites of typed queries.

    Args:
        queries: typed queries; one without a family is a family of its own.
        graph: of the catalogue.
        rewriter: writes the right ones.
        n: right ones, and wrong ones, of a query at most.
        seed: of the choice of corruptions.

    Returns:
        query_id, query, query_type, family, rewrite, label (1 right, 0 wrong), corruption (empty
        for right ones) and method, by query; how many there are of each corruption.
    """
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    for query, found in zip(queries, rewriter.rewrite(queries, n), strict=True):
        right = [rewrite for rewrite in found if rewrite.text.strip()]
        shared = {
            "query_id": query.query_id,
            "query": query.query,
            "query_type": query.structure.query_type,
            "family": query.family or query.query_id,
        }
        known = {_bag(rewrite.text) for rewrite in right}
        texts = [(each.text, str(each.method)) for each in right]
        texts += [(text, "word order") for each in right[:1] if (text := _turned(each.text, query))]
        rows += [
            {**shared, "rewrite": text, "label": 1, "corruption": "", "method": method}
            for text, method in texts
        ]
        for draft in _choose(corruptions(query, graph, seed=seed), known, n, query, seed):
            wrong = {"label": 0, "corruption": draft.corruption, "method": "corruption"}
            rows.append({**shared, "rewrite": draft.text, **wrong})
    if not rows:
        raise SettingsError("Not one rewrite could be made of these queries and this catalogue.")
    schema = pa.schema(
        [(name, pa.string()) for name in ("query_id", "query", "query_type", "family", "rewrite")]
        + [("label", pa.int64()), ("corruption", pa.string()), ("method", pa.string())]
    )
    counts = {"rewrites": len(rows), "right": sum(row["label"] for row in rows)}
    for name in CORRUPTIONS:
        counts[name.replace(" ", "_")] = sum(row["corruption"] == name for row in rows)
    return pa.Table.from_pylist(rows, schema), counts


def corruptions(query: TypedQuery, graph: Graph, *, seed: int = 0) -> Iterator[_Draft]:
    """Yield wrong rewrites of a query, each with what is wrong about it.

    Example:
        >>> from evalkit.constraints import Condition, Structure, TypedQuery
        >>> [(draft.text, draft.corruption) for draft in corruptions(TypedQuery(
        ...     "q", "jacket without leather",
        ...     Structure("negative", ("jacket",), excluded=(Condition("material", ("leather",)),))
        ... ), None)][:1]
        [('leather jacket', 'negation dropped')]
    """
    structure = query.structure
    drawn = _random(query, seed)
    kind = structure.kinds[0] if structure.kinds else ""
    wanted = [words for each in structure.required for words in _said(each)[:1]]
    for condition in structure.excluded:
        for words in _said(condition):
            yield _Draft(_join(wanted, [words], kind), "negation dropped")
            yield _Draft(_join(_topic(query, kind), [words]), "negation dropped")
            denied = drawn.choice(("no", "without", "not"))
            yield _Draft(_join(_topic(query, kind), [denied, words]), "negation in words")
        if condition.attribute != "brand":
            yield _Draft(_topic(query, kind), "exclusion left out")
    if kind and graph is not None:
        own = {name for each in structure.kinds for name in (each, *graph.kinds_named(each))}
        others = [name for name in graph.kinds() if name not in own]
        for other in drawn.sample(others, min(2, len(others))):
            yield _Draft(_join(wanted or _a_value(graph, other, drawn), other), "other kind")
        yield from _other_values(query, graph, kind, drawn)
        yield from _lost_properties(query, graph, kind, wanted, drawn)
    if structure.reference is not None:
        name = structure.reference.brand or structure.reference.text
        text = structure.reference.text
        yield _Draft(_join(text, "" if kind in text else kind), "names the reference")
        yield _Draft(_join(name, wanted, kind), "names the reference")
    if kind and _wants_cheap(query):
        yield _Draft(_join(drawn.choice(_DEAR), wanted, kind), "dearer")
        if graph is not None:
            yield from _dearer_brands(query, graph, kind, wanted, drawn)
    if kind and wanted:
        yield _Draft(_join(wanted), "kind lost")
    if drawn.randrange(_ECHOES) == 0:
        yield _Draft(query.query.lower(), "echo")


def _other_values(
    query: TypedQuery, graph: Graph, kind: str, drawn: random.Random
) -> Iterator[_Draft]:
    """Swap one wanted value for another of the same attribute that does not state it."""
    wanted = [words for each in query.structure.required for words in _said(each)[:1]]
    kinds = graph.kinds_named(kind) or (kind,)
    for place, condition in enumerate(query.structure.required):
        if condition.attribute is None or not condition.values:
            continue
        others = [
            value
            for value in graph.siblings(kinds[0], condition.attribute, condition.values[0])
            if value not in ("yes", "no", "none")
            and len(value) <= 30
            and not any(graph.says(value, each) for each in condition.values)
        ]
        if others and place < len(wanted):
            swapped = list(wanted)
            swapped[place] = drawn.choice(others[:8])
            yield _Draft(_join(swapped, kind), "other value")


def _lost_properties(
    query: TypedQuery, graph: Graph, kind: str, wanted: Sequence[str], drawn: random.Random
) -> Iterator[_Draft]:
    """Leave one wanted property out; in its place stands one that nobody asked for."""
    stated = {each.attribute for each in query.structure.required}
    for place in range(len(wanted)):
        kept = [words for number, words in enumerate(wanted) if number != place]
        name = (graph.kinds_named(kind) or (kind,))[0]
        others = _a_value(graph, name, drawn, stated)
        text = _join(kept, others, kind)
        if not graph.says(text, wanted[place]):
            yield _Draft(text, "property lost")


def _dearer_brands(
    query: TypedQuery, graph: Graph, kind: str, wanted: Sequence[str], drawn: random.Random
) -> Iterator[_Draft]:
    """Name a brand whose products of the kind cost more than the query allows."""
    structure = query.structure
    kinds = graph.kinds_named(kind)
    if not kinds:
        return
    limit = structure.price_max
    reference = structure.reference
    if limit is None and reference is not None and reference.brand:
        limit = graph.brand_median(reference.brand.lower(), kinds[0])
    if limit is None:
        return
    dear = [
        brand
        for brand in graph.brands_of(kinds[0])
        if (median := graph.brand_median(brand, kinds[0])) is not None and median > 1.2 * limit
    ]
    if dear:
        yield _Draft(_join(drawn.choice(dear), wanted, kind), "dearer")


def _a_value(
    graph: Graph, kind: str, drawn: random.Random, but: Collection[str | None] = ()
) -> list[str]:
    """Return a value of a kind, so that what is wrong is not told by being bare.

    Args:
        graph: of the catalogue.
        kind: one of its kinds.
        drawn: chance.
        but: attributes that are not taken.
    """
    for attribute in [name for name in graph.attributes(kind) if name not in but][:1]:
        values = [
            value
            for value in graph.values(kind, attribute)
            if value not in ("yes", "no", "none") and len(value) <= 20
        ]
        if values:
            return [drawn.choice(values[:8])]
    return []


def _choose(
    drafts: Iterator[_Draft], right: set[frozenset[str]], n: int, query: TypedQuery, seed: int
) -> list[_Draft]:
    """Take n corruptions of as many sorts as there are; none that is a right rewrite too."""
    of_sort: dict[str, list[_Draft]] = {}
    seen = set(right)
    for draft in drafts:
        words = _bag(draft.text)
        if words and words not in seen:
            seen.add(words)
            of_sort.setdefault(draft.corruption, []).append(draft)
    sorts = list(of_sort)
    _random(query, seed + 1).shuffle(sorts)
    chosen: list[_Draft] = []
    while len(chosen) < n and any(of_sort.values()):
        for sort in sorts:
            if of_sort[sort] and len(chosen) < n:
                chosen.append(of_sort[sort].pop(0))
    return chosen


def _said(condition: Condition) -> list[str]:
    """Return the words of a condition's values, or of the thing itself."""
    values = [value for value in condition.values if value not in ("yes", "true")]
    if values and not set(values) & {"no", "none"}:
        return values
    return [condition.attribute.replace("_", " ")] if condition.attribute else []


def _turned(text: str, query: TypedQuery) -> str:
    """Return a rewrite with its kind in front ("jacket black cotton"), or "" where that is none."""
    for kind in query.structure.kinds:
        rest = text.removesuffix(f" {kind}")
        if rest != text:
            return f"{kind} {rest}"
    return ""


def _wants_cheap(query: TypedQuery) -> bool:
    structure = query.structure
    limited = structure.price_max is not None or structure.price_share is not None
    return limited or structure.query_type == "alternative"


def _topic(query: TypedQuery, kind: str) -> str:
    """Return the query's positive part; parsing it anew may fail to, then it is the kind."""
    from evalkit.constraints.topic import topic

    return topic(query.query, query.structure).lower() or kind


def _join(*parts: str | Sequence[str]) -> str:
    words: list[str] = []
    for part in parts:
        words += [part] if isinstance(part, str) else list(part)
    return " ".join(" ".join(words).lower().split())


def _bag(text: str) -> frozenset[str]:
    return frozenset(text.lower().split())


def _random(query: TypedQuery, seed: int) -> random.Random:
    """Return chance that depends on the query and the seed alone, not on the query's place."""
    digest = hashlib.sha256(f"{seed}\0{query.query_id}\0{query.query}".encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))  # noqa: S311 - no secret
