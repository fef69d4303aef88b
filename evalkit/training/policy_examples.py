"""What a rewriter learns from: queries with accepted rewrites, and titles; and what it never sees.

A family (`negative|jacket|material=leather`; see `evalkit.constraints.families`) is on one side
only, by a hash of its name, so that it falls alike whatever else is in the table. A query of
several families that fall apart is on neither side. The catalogue is nobody's secret: its titles
are learnt whatever is held out.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.constraints import Condition, Structure, TypedQuery
from evalkit.constraints.families import families, split_families, split_of
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.rewriting.policy import completion_of, prompt_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from evalkit.knowledge import Catalogue, Graph

__all__ = ["PolicyExamples", "divide", "families_of", "read_policy_examples", "title_examples"]

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
        "held_out_families": len({name for query in out for name in families_of(query)}),
        "of_both_sides": len(asked) - len(inside) - len(out),
        "without_rewrites": len(inside) - len(learnt),
    }
    return PolicyExamples(catalogue, graph, learnt, tuple(out), accepted, counts)


def families_of(query: TypedQuery) -> tuple[str, ...]:
    """Name the families of a query: those of what it asks for, and what its table states.

    A query of which nothing is known stands for itself.

    Example:
        >>> from evalkit.constraints import Condition, Structure, TypedQuery
        >>> leather = (Condition("material", ("leather",)),)
        >>> families_of(TypedQuery("q1", "a", Structure("negative", ("hat",), excluded=leather)))
        ('negative|hat|material=leather',)
        >>> families_of(TypedQuery("q2", "No Idea", Structure("general")))
        ('no idea',)
    """
    said = {*families(query.structure, query.family)} - {*families(Structure("general"))}
    return tuple(sorted(said | {*split_families(query.family)})) or (query.query.lower(),)


def divide(
    queries: Sequence[TypedQuery], share: float, seed: int
) -> tuple[list[TypedQuery], list[TypedQuery]]:
    """Divide queries by family into those that are learnt and those that are held out.

    A query whose families fall apart is in neither.

    Args:
        queries: see `families_of`.
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
        (168, 32)
    """
    sides: dict[str, list[TypedQuery]] = {"train": [], "dev": [], "none": []}
    for query in queries:
        side = split_of(families_of(query), dev_share=share, seed=f"policy {seed}")
        sides[side].append(query)
    return sides["train"], sides["dev"]


def title_examples(
    catalogue: Catalogue, graph: Graph, candidates: int, passes: int, seed: int
) -> list[tuple[str, str]]:
    """Return prompts that state a kind and a property, and titles of products that have both.

    A new model learns from them which words the shop has, and to say the words of its prompt. They
    begin with "title:" where a query's begin with its type; names of brands and models are left
    out of the titles, and titles of nothing else with them.

    Args:
        catalogue: the products.
        graph: what is known about them.
        candidates: titles an example, at most.
        passes: how often the products are gone through, each time with another property; of large
            catalogues a pass takes 1,500 products.
        seed: of the choices.
    """
    from evalkit.rewriting.asking import open_reader
    from evalkit.rewriting.wording import split

    is_name = open_reader(catalogue, graph).sources.titles.is_name

    @cache
    def plain(product: int) -> str:
        return " ".join(word for word in split(catalogue.titles[product]) if not is_name(word))

    statements = _Statements(catalogue)
    usable = np.flatnonzero(catalogue.kind >= 0)
    drawn = random.Random(f"titles {seed}")  # noqa: S311 - a choice, not a secret
    found = []
    for _ in range(passes):
        for place in drawn.sample(range(len(usable)), min(len(usable), _TITLES_A_PASS)):
            product = int(usable[place])
            stated = statements.of(product)
            said = int(stated[drawn.randrange(len(stated))]) if len(stated) else None
            others = statements.having(int(catalogue.kind[product]), said)
            picked = drawn.sample(range(len(others)), min(len(others), candidates))
            some = [product, *others[picked].tolist()]
            texts = [text for text in dict.fromkeys(map(plain, some)) if text][:candidates]
            if not plain(product):
                continue
            kind = catalogue.kinds[catalogue.kind[product]]
            required = (statements.condition(said),) if said is not None else ()
            words = " ".join((*(required[0].values if required else ()), kind))
            query = TypedQuery("", words, Structure("general", (kind,), required))
            found.append(("title" + prompt_of(query).removeprefix("general"), completion_of(texts)))
    return found


class _Statements:
    """What products state, by product and by kind; a statement is a number for name and value."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._names = list(catalogue.attributes)
        attributes = list(catalogue.attributes.values())
        self._values = [attribute.values for attribute in attributes]
        self._first = np.cumsum([0, *(len(values) for values in self._values)])
        nothing = np.zeros(0, dtype=np.int64)
        product = np.concatenate([nothing, *(each.product for each in attributes)])
        said = np.concatenate(
            [
                nothing,
                *(
                    each.value + first
                    for each, first in zip(attributes, self._first[:-1], strict=True)
                ),
            ]
        )
        self._kinds = len(catalogue.kinds)
        known = catalogue.kind[product] >= 0
        self.of = _grouped(product, said)
        self._by_both = _grouped(
            (said * self._kinds + catalogue.kind[product])[known], product[known]
        )
        self._by_kind = _grouped(catalogue.kind, np.arange(len(catalogue.kind)))

    def having(self, kind: int, said: int | None) -> NDArray[np.int64]:
        """Return the products of a kind that state it; None is all of the kind."""
        return self._by_kind(kind) if said is None else self._by_both(said * self._kinds + kind)

    def condition(self, said: int) -> Condition:
        """Return a statement in words."""
        place = int(np.searchsorted(self._first, said, side="right")) - 1
        return Condition(self._names[place], (self._values[place][said - self._first[place]],))


def _grouped(
    keys: NDArray[np.int64], members: NDArray[np.int64]
) -> Callable[[int], NDArray[np.int64]]:
    """Return what gives the members of a key, in their order."""
    order = np.argsort(keys, kind="stable")
    keys, members = keys[order], members[order]

    def of(key: int) -> NDArray[np.int64]:
        start, stop = np.searchsorted(keys, [key, key + 1])
        return members[start:stop]

    return of


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
