"""What a rewriter learns from: queries with accepted rewrites, and titles; and what it never sees.

A family (`negative|jacket|material=leather`) is on one side only, by a hash of its name, so that
it falls alike whatever else is in the table. A query of several families that fall apart is on
neither side. The catalogue is nobody's secret: its titles are learnt whatever is held out.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem, SettingsError
from evalkit.rewriting.policy import completion_of, prompt_of

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.constraints import TypedQuery
    from evalkit.knowledge import Catalogue, Graph

__all__ = ["PolicyExamples", "divide", "read_policy_examples", "title_examples"]

_TITLES_A_PASS = 1500


@dataclass(frozen=True)
class PolicyExamples:
    """Queries on both sides, and what is known about their shop.

    Attributes:
        catalogue: the products.
        graph: what is known about them.
        learnt: queries with accepted rewrites.
        held_out: queries of other families, with or without rewrites.
        rewrites: the accepted ones by query_id, best first.
        counts: for the manifest.
    """

    catalogue: Catalogue
    graph: Graph
    learnt: tuple[TypedQuery, ...]
    held_out: tuple[TypedQuery, ...]
    rewrites: Mapping[str, Sequence[str]]
    counts: Mapping[str, int]


def read_policy_examples(
    connection: DuckDBPyConnection,
    shop: tuple[Catalogue, Graph],
    queries: str | os.PathLike[str],
    rewrites: str | os.PathLike[str],
    *,
    held_out: float,
    seed: int,
    reading: Mapping[str, Mapping[str, Any]],
) -> PolicyExamples:
    """Read queries and their accepted rewrites, and divide them by family.

    Args:
        connection: for reading.
        shop: the catalogue and its graph.
        queries: query_id and query; structure, query_type and family where known.
        rewrites: query_id and rewrite; accepted where they were filtered.
        held_out: share of the families that is held out.
        seed: of the draw.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.

    Raises:
        InputError: a file cannot be used, or no query has an accepted rewrite.
        SettingsError: a side is empty.
    """
    from evalkit.constraints import read_typed_queries

    catalogue, graph = shop
    asked = read_typed_queries(
        queries, connection, catalogue, graph, reading=reading.get("queries")
    )
    accepted = _read_accepted(connection, rewrites, reading.get("rewrites", {}))
    if not any(query.query_id in accepted for query in asked):
        raise InputError(
            str(rewrites),
            [Problem(f"has no accepted rewrite of any query in {queries}")],
            remedy="Give the rewrites of these queries, filtered by evalkit relevance rewrites.",
        )
    inside, out = divide(asked, held_out, seed)
    learnt = tuple(query for query in inside if query.query_id in accepted)
    if not learnt or not out:
        raise SettingsError(
            f"{len(learnt):,} queries with accepted rewrites are left to learn from and "
            f"{len(out):,} are held out; give more queries, another --held-out or another --seed."
        )
    counts = {
        "queries": len(asked),
        "learnt": len(learnt),
        "learnt_rewrites": sum(len(accepted[query.query_id]) for query in learnt),
        "held_out": len(out),
        "of_both_sides": len(asked) - len(inside) - len(out),
        "without_rewrites": len(inside) - len(learnt),
    }
    return PolicyExamples(catalogue, graph, learnt, tuple(out), accepted, counts)


def divide(
    queries: Sequence[TypedQuery], share: float, seed: int
) -> tuple[list[TypedQuery], list[TypedQuery]]:
    """Divide queries by family into those that are learnt and those that are held out.

    A query that states no family is one of its own. A query whose families fall apart is in
    neither.

    Args:
        queries: with their families, several of one query joined by " + ".
        share: of the families that is held out.
        seed: of the draw.

    Example:
        >>> from evalkit.constraints import Structure, TypedQuery
        >>> plain = Structure("general")
        >>> asked = [TypedQuery(f"q{n}", "x", plain, f"family {n // 2}") for n in range(200)]
        >>> inside, out = divide(asked, 0.2, seed=0)
        >>> {query.family for query in inside} & {query.family for query in out}
        set()
        >>> len(inside), len(out)
        (154, 46)
    """
    inside: list[TypedQuery] = []
    out: list[TypedQuery] = []
    for query in queries:
        names = query.family.split(" + ") if query.family else [query.query.lower()]
        sides = {_drawn(name, seed) < share for name in names}
        if sides == {True}:
            out.append(query)
        elif sides == {False}:
            inside.append(query)
    return inside, out


def title_examples(
    catalogue: Catalogue, graph: Graph, candidates: int, passes: int, seed: int
) -> list[tuple[str, str]]:
    """Return prompts that state a kind and a property, and titles of products that have both.

    A new model learns from them which words the shop has, and to say the words of its prompt. They
    begin with "title:" where a query's begin with its type; names of brands and models are left
    out of the titles.

    Args:
        catalogue: the products.
        graph: what is known about them.
        candidates: titles an example, at most.
        passes: how often the products are gone through, each time with another property; of large
            catalogues a pass takes 1,500 products.
        seed: of the choices.
    """
    from evalkit.constraints import Condition, Structure, TypedQuery
    from evalkit.rewriting.asking import open_reader
    from evalkit.rewriting.wording import split

    is_name = open_reader(catalogue, graph).sources.titles.is_name
    titles = [
        " ".join(word for word in split(title) if not is_name(word)) for title in catalogue.titles
    ]
    kinds = catalogue.kind.tolist()
    stated: dict[int, list[Condition]] = {}
    having: dict[tuple[int, Condition | None], list[int]] = {}
    for name, attribute in catalogue.attributes.items():
        pairs = zip(attribute.product.tolist(), attribute.value.tolist(), strict=True)
        for product, value in pairs:
            said = Condition(name, (attribute.values[value],))
            stated.setdefault(product, []).append(said)
            having.setdefault((kinds[product], said), []).append(product)
    for product, kind in enumerate(kinds):
        having.setdefault((kind, None), []).append(product)
    usable = [product for product, kind in enumerate(kinds) if kind >= 0 and titles[product]]
    drawn = random.Random(f"titles {seed}")  # noqa: S311 - a choice, not a secret
    found = []
    for _ in range(passes):
        for product in drawn.sample(usable, min(len(usable), _TITLES_A_PASS)):
            condition = drawn.choice(stated.get(product) or [None])
            others = having[kinds[product], condition]
            some = [product, *drawn.sample(others, min(len(others), candidates))]
            texts = list(dict.fromkeys(titles[number] for number in some))[:candidates]
            kind = catalogue.kinds[kinds[product]]
            required = (condition,) if condition is not None else ()
            words = " ".join((*(required[0].values if required else ()), kind))
            query = TypedQuery("", words, Structure("general", (kind,), required))
            found.append(("title" + prompt_of(query).removeprefix("general"), completion_of(texts)))
    return found


def _drawn(name: str, seed: int) -> float:
    digest = hashlib.sha256(f"policy {seed}\0{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _read_accepted(
    connection: DuckDBPyConnection, path: str | os.PathLike[str], reading: Mapping[str, Any]
) -> dict[str, list[str]]:
    from evalkit.tables import read

    table = read("rewrites", path, connection, **reading)
    rows = table.relation
    if "accepted" in table.columns:
        rows = rows.filter("CAST(accepted AS BOOLEAN)")
    order = "query_id, place, rewrite" if "place" in table.columns else "query_id, rewrite"
    found: dict[str, list[str]] = {}
    for query_id, rewrite in rows.order(order).select("query_id, rewrite").fetchall():
        found.setdefault(query_id, []).append(rewrite)
    return found
