"""How good a retriever is on queries it has not learned from, while it is trained.

Dev queries search a fixed pool of products, the same for all pairs of a catalogue. A product is
good where the catalogue says that it satisfies the query, or else where a pair says so; without the
queries' structures only pairs say so, and good products that no pair names count as not good. The
figures steer the training. They are no result: their queries are of the same making as those that
are learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints import Structure
    from evalkit.constraints.checking import Checker
    from evalkit.retrieval.encoder import Encoder
    from evalkit.training.retriever_data import LabelledPairs

__all__ = [
    "CUTOFF",
    "MEAN",
    "CheckedProducts",
    "DevQueries",
    "check_products",
    "dev_queries",
    "figures",
    "goodrates",
    "steering",
    "summary",
]

CUTOFF = 10
MEAN = "mean"
"""Name of the figures that steer: the plain mean over the query types."""


@dataclass(frozen=True)
class DevQueries:
    """Queries, the pool that they search, and what is good for them.

    Attributes:
        queries: their texts.
        types: their query types.
        texts: of the pool's products.
        good: bool[queries, products].
    """

    queries: tuple[str, ...]
    types: tuple[str, ...]
    texts: tuple[str, ...]
    good: NDArray[np.bool_]


@dataclass(frozen=True)
class CheckedProducts:
    """What the catalogue says of the products, by number of the query.

    Attributes:
        passed: numbers of the products that satisfy a query.
        unknown: those of the right kind of which the catalogue does not say whether they do. They
            are good for nothing that is reported, and no more may they be learnt as wrong.
    """

    passed: Mapping[int, NDArray[np.int64]]
    unknown: Mapping[int, NDArray[np.int64]]

    def not_wrong(self) -> dict[int, NDArray[np.int64]]:
        """Return the products of which the catalogue does not say that they are wrong."""
        return {
            query: np.union1d(passed, self.unknown[query]) for query, passed in self.passed.items()
        }


def check_products(
    pairs: LabelledPairs, structures: Mapping[str, Structure], checker: Checker
) -> CheckedProducts:
    """Return which of the products satisfy each query, as the catalogue says, and which may.

    Of a query that names no kind nothing counts as unknown: all products would.

    Args:
        pairs: queries and products.
        structures: by query_id; queries without one are left out.
        checker: of the catalogue.
    """
    from evalkit.constraints import Structure

    numbers = checker.catalogue.numbers_of(pairs.product_ids)
    here = np.flatnonzero(numbers >= 0)
    passed, unknown = {}, {}
    for place, query_id in enumerate(pairs.query_ids):
        structure = structures.get(query_id)
        if structure is None:
            continue
        verdict = checker.check(structure, numbers[here]).verdict
        passed[place] = here[verdict == 1]
        open_ = here[verdict == 0] if structure.kinds else here[:0]
        kind = checker.check(Structure("general", structure.kinds), numbers[open_]).verdict
        unknown[place] = open_[kind == 1]
    return CheckedProducts(passed, unknown)


def dev_queries(
    pairs: LabelledPairs, passed: Mapping[int, NDArray[np.int64]] | None = None
) -> DevQueries:
    """Return the dev queries with what is good for them in the pool.

    Queries for which nothing in the pool is good are left out: no model could find it.

    Args:
        pairs: labelled pairs.
        passed: numbers of the products that satisfy a query, by number of the query.
    """
    chosen = pairs.of_split("dev")
    place = np.full(len(pairs.product_ids), -1, dtype=np.int64)
    place[pairs.pool] = np.arange(len(pairs.pool))
    row = np.full(len(pairs.query_ids), -1, dtype=np.int64)
    row[chosen] = np.arange(len(chosen))
    good = np.zeros((len(chosen), len(pairs.pool)), dtype=np.bool_)
    for query in chosen.tolist():
        if passed is not None and query in passed:
            columns = place[passed[query]]
            good[row[query], columns[columns >= 0]] = True
    stated = (row[pairs.query] >= 0) & (place[pairs.product] >= 0)
    good[row[pairs.query[stated]], place[pairs.product[stated]]] = pairs.label[stated]
    kept = np.flatnonzero(good.any(axis=1))
    return DevQueries(
        tuple(pairs.queries[query] for query in chosen[kept].tolist()),
        tuple(pairs.types[query] or "all" for query in chosen[kept].tolist()),
        tuple(pairs.texts[product] for product in pairs.pool.tolist()),
        good[kept],
    )


def figures(dev: DevQueries, encoder: Encoder) -> dict[str, dict[str, float]]:
    """Search the pool for every query and return Goodrates by query type.

    Args:
        dev: queries, pool and truth.
        encoder: of queries and products.

    Returns:
        For each type and for `MEAN`: item_goodrate, query_goodrate (fractions) and queries.
    """
    products = encoder.encode(dev.texts, "document")
    scores = encoder.encode(dev.queries, "query") @ products.T
    return goodrates(scores, dev.good, dev.types)


def goodrates(
    scores: NDArray[np.float32], good: NDArray[np.bool_], types: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Return Item and Query Goodrate at `CUTOFF` by type, as docs/metrics.md defines them.

    Args:
        scores: float32[queries, products]; equal ones stand in the order of the products.
        good: bool[queries, products].
        types: of the queries.

    Example:
        >>> found = goodrates(np.eye(2, dtype=np.float32), np.eye(2, dtype=bool), ["a", "b"])
        >>> found["a"]
        {'item_goodrate': 0.5, 'query_goodrate': 1.0, 'queries': 1}
    """
    top = np.argsort(-scores, axis=1, kind="stable")[:, :CUTOFF]
    shown = np.take_along_axis(good, top, axis=1)
    names = np.array(list(types), dtype=object)
    found: dict[str, dict[str, float]] = {}
    for name in sorted(set(types)):
        own = shown[names == name]
        found[name] = {
            "item_goodrate": float(own.mean()),
            "query_goodrate": float(own.any(axis=1).mean()),
            "queries": len(own),
        }
    each = list(found.values())
    found[MEAN] = {
        "item_goodrate": float(np.mean([row["item_goodrate"] for row in each])),
        "query_goodrate": float(np.mean([row["query_goodrate"] for row in each])),
        "queries": len(shown),
    }
    return found


def steering(found: Mapping[str, Mapping[str, float]]) -> float:
    """Return what the best checkpoint has most of: Item and Query Goodrate, evenly, over types."""
    mean = found[MEAN]
    return (mean["item_goodrate"] + mean["query_goodrate"]) / 2


def summary(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return a line for each type and last one for their mean: Goodrates in points.

    Example:
        >>> row = {"item_goodrate": 0.25, "query_goodrate": 0.5, "queries": 8}
        >>> summary({"mean": row}, {"mean": {**row, "item_goodrate": 0.5}})
        ['mean (8 dev queries): Item Goodrate@10 25.0 -> 50.0, Query Goodrate@10 50.0 -> 50.0.']
    """
    return [
        f"{name} ({after[name]['queries']:,} dev queries): Item Goodrate@{CUTOFF} "
        f"{100 * before[name]['item_goodrate']:.1f} -> {100 * after[name]['item_goodrate']:.1f}, "
        f"Query Goodrate@{CUTOFF} {100 * before[name]['query_goodrate']:.1f} -> "
        f"{100 * after[name]['query_goodrate']:.1f}."
        for name in sorted(after, key=lambda name: (name == MEAN, name))
    ]
