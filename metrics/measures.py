"""Every measure as two sums over queries, computed from the per-query table.

A measure is a ratio Σ num / Σ den over queries with the weights multiplied in (the mean of a
per-query value v is num = w·v, den = w), so one set of intervals and tests serves them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from metrics.ties import good_distribution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from metrics.goodrate import Scoring

    Array = NDArray[np.float64]
    Columns = Mapping[str, Array]

__all__ = [
    "MEASURES",
    "Measure",
    "Parts",
    "chance_of_good",
    "distribution",
    "expected_good",
    "judged_count",
    "parts",
]


@dataclass(frozen=True)
class Measure:
    """What a measure is like.

    Attributes:
        name: its name in every output.
        kind: `ratio` of item counts, `share` of queries, or `mean` of per-query values.
        has_cutoff: whether it looks at the top N only.
        needs_gains: whether it uses graded gains.
        has_bounds: whether unjudged products bound it.
        has_ties: whether its expectation over tied orders is known.
    """

    name: str
    kind: Literal["ratio", "share", "mean"]
    has_cutoff: bool = True
    needs_gains: bool = False
    has_bounds: bool = True
    has_ties: bool = True


MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure("item_goodrate", "ratio"),
        Measure("query_goodrate", "share"),
        Measure("gsb", "mean"),
        Measure("ndcg", "mean", needs_gains=True, has_bounds=False),
        Measure("precision", "mean"),
        Measure("recall", "mean", has_bounds=False, has_ties=False),
        Measure("success", "share"),
        Measure("mrr", "mean", has_cutoff=False, has_ties=False),
        Measure("map", "mean", has_cutoff=False, has_bounds=False, has_ties=False),
        Measure("bpref", "mean", has_cutoff=False, has_bounds=False, has_ties=False),
        Measure("judged", "ratio", has_bounds=False),
    )
}


@dataclass(frozen=True)
class Parts:
    """One measure of one run.

    Attributes:
        num: numerators with weights, float64[q].
        den: denominators with weights, float64[q].
        value: the measure of each query alone, float64[q].
        unit: what one more good product adds to `num`, float64[q], where that is constant.
    """

    num: Array
    den: Array
    value: Array
    unit: Array | None = None


def _divide(num: Array, den: Array) -> Array:
    return np.divide(num, den, out=np.zeros_like(num), where=den > 0)


def chance_of_good(columns: Columns, cutoff: int, at_least: Array | float) -> Array:
    """Probability that a query has at least so many good products, over tied orders."""
    mass = distribution(columns, cutoff)
    enough = np.arange(cutoff + 1)[None, :] >= np.reshape(at_least, (-1, 1))
    total: Array = (mass * enough).sum(axis=1)
    return total


def distribution(columns: Columns, cutoff: int) -> Array:
    """Probability of every number of good products inside the cutoff, float64[q, cutoff + 1]."""
    nothing = np.zeros_like(columns[f"good_{cutoff}"])
    return good_distribution(
        columns.get(f"sure_good_{cutoff}", columns[f"good_{cutoff}"]),
        columns.get(f"tie_size_{cutoff}", nothing),
        columns.get(f"tie_good_{cutoff}", nothing),
        columns.get(f"tie_slots_{cutoff}", nothing),
        cutoff,
    )


def judged_count(columns: Columns, cutoff: int, scoring: Scoring) -> Array:
    """Judged products inside the cutoff of the uncondensed list, float64[q]."""
    if scoring.ties == "expected" and f"tie_size_{cutoff}" in columns:
        share = _divide(columns[f"tie_judged_{cutoff}"], columns[f"tie_size_{cutoff}"])
        return columns[f"sure_judged_{cutoff}"] + columns[f"tie_slots_{cutoff}"] * share
    return columns[f"judged_{cutoff}"]


def expected_good(columns: Columns, cutoff: int) -> Array:
    """Expected number of good products inside the cutoff, over tied orders."""
    share = _divide(columns[f"tie_good_{cutoff}"], columns[f"tie_size_{cutoff}"])
    return columns[f"sure_good_{cutoff}"] + columns[f"tie_slots_{cutoff}"] * share


def parts(name: str, columns: Columns, weights: Array, cutoff: int, scoring: Scoring) -> Parts:
    """Compute one measure of one run.

    Args:
        name: a key of `MEASURES` other than `gsb`, which needs two runs.
        columns: the per-query table, float64[q] each.
        weights: weight of every query, float64[q].
        cutoff: depth; the measures without a cutoff ignore it.
        scoring: how runs are scored.

    Returns:
        Numerators, denominators and per-query values.
    """
    n = cutoff
    expected = scoring.ties == "expected" and f"tie_size_{n}" in columns
    good = expected_good(columns, n) if expected else columns[f"good_{n}"]
    if name == "item_goodrate":
        shown = columns[f"retrieved_{n}"]
        if scoring.depth == "fixed":
            return Parts(weights * good / n, weights, good / n, weights / n)
        value = _divide(good, shown)
        if scoring.average == "query":
            some = (shown > 0).astype(np.float64)
            return Parts(weights * value, weights * some, value, _divide(weights * some, shown))
        return Parts(weights * good, weights * shown, value, weights)
    if name == "query_goodrate" and "page_good" in columns:
        good_pages, graded = columns["page_good"], columns["page_graded"]
        return Parts(
            weights * good_pages, weights * graded, np.where(graded > 0, good_pages, np.nan)
        )
    if name in ("query_goodrate", "success"):
        least = scoring.min_good if name == "query_goodrate" else 1
        value = (good >= least).astype(np.float64)
        if expected:
            value = chance_of_good(columns, n, float(least))
        return Parts(weights * value, weights, value)
    if name == "judged":
        seen = judged_count(columns, n, scoring)
        shown = columns[f"shown_{n}"]
        return Parts(seen, shown, _divide(seen, shown))
    unit = None
    if name == "precision":
        value, unit = good / n, weights / n
    elif name == "recall":
        value = _divide(columns[f"good_{n}"], columns["relevant"])
    elif name == "ndcg":
        value = _divide(
            columns[f"dcg_mean_{n}" if expected else f"dcg_{n}"], columns[f"ideal_dcg_{n}"]
        )
    elif name == "mrr":
        value = _divide(np.ones_like(weights), columns["first_good"])
    elif name == "map":
        value = _divide(columns["precision_sum"], columns["relevant"])
    else:
        value = _divide(columns["bpref_sum"], columns["relevant"])
    return Parts(weights * value, weights, value, unit)
