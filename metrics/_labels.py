"""Which queries of an evaluation people have graded: completely, in part, or not at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from metrics._human_grades import ALIKE
from metrics._queries import align, collect_table
from metrics.ranking import rank_products

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from metrics._plan import Plan
    from metrics._queries import RunTable

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Lazy = nw.LazyFrame[Any]

__all__ = ["Labels", "lists_differ", "moved_products", "step_for"]


@dataclass(frozen=True)
class Labels:
    """Which queries people have graded at one cutoff.

    Attributes:
        labelled: everything that both runs show is graded, and something is shown.
        partly: something is graded, but not everything.
        empty: neither run shows anything, so that nothing is left to people.
    """

    labelled: Mask
    partly: Mask
    empty: Mask

    @classmethod
    def of(
        cls, automated: Mapping[str, RunTable], people: Mapping[str, RunTable], n: int
    ) -> Labels:
        """Compare what runs show down to a cutoff with what people graded of it.

        Args:
            automated: per run its sums.
            people: the same by people's grades.
            n: the cutoff.
        """
        shown = np.stack([table.columns[f"shown_{n}"] for table in automated.values()])
        graded = np.stack([people[name].columns[f"judged_{n}"] for name in automated])
        empty = (shown == 0).all(axis=0)
        whole = (graded == shown).all(axis=0) & ~empty
        return cls(whole, (graded > 0).any(axis=0) & ~whole, empty)

    def one_sample(self, given: Array | None, mask: Mask | slice = slice(None)) -> bool:
        """Whether all given probabilities are equal, of the queries not drawn too."""
        if given is None:
            return True
        p = given[mask][~self.empty[mask]]
        p = p[~np.isnan(p)]
        return not len(p) or float(np.ptp(p)) <= ALIKE

    def design(self, given: Array | None, mask: Mask | slice) -> Array:
        """Probabilities for the estimate: 1 where there is nothing to grade."""
        labelled, empty = self.labelled[mask], self.empty[mask]
        p = np.full(len(labelled), np.nan)
        if given is None or not labelled.any() or self.one_sample(given, mask):
            some = int((~empty).sum())
            p[:] = labelled.sum() / some if some else 1.0
        else:
            p[:] = given[mask]
        p[empty] = 1.0
        return p


def moved_products(plan: Plan, n: int) -> Lazy:
    """`query_id, product_id` of what one run shows and the other does not; all of a single run."""
    keys = ["query_id", "product_id"]
    tops = [
        rank_products(run, plan.orders[name]).filter(nw.col("position") <= n).select(*keys)
        for name, run in plan.lists.items()
    ]
    if len(tops) == 2:
        tops = [
            tops[0].join(tops[1], on=keys, how="anti"),
            tops[1].join(tops[0], on=keys, how="anti"),
        ]
    return nw.concat(tops)


def lists_differ(plan: Plan, n: int) -> Mask:
    """Whether the runs show other products for a query; of a single run, whether it shows any."""
    counted = moved_products(plan, n).group_by("query_id").agg(moved=nw.len())
    table = collect_table(counted.with_columns(nw.col("moved").cast(nw.Float64)))
    found: Mask = align(table, replace(plan.queries, columns={})).columns["moved"] > 0
    return found


def step_for(
    step: float,
    parts: Sequence[tuple[Mask, float]],
    known: Mask,
    sure: Mask,
    weights: Array,
    *,
    finite: bool,
) -> float:
    """Scale the step of two made-up labels to the queries in which a mistake can be.

    Of Δ only queries matter whose lists differ. With n of K of them labelled, the mistakes of the
    others are those of a sample of n from K, and count for their share of all: a part adds
    ``share²·(1 − n/K)/((n + 1)(n + 2))`` where all queries together would add the same of all.

    Args:
        step: what a mistake changes in one query, on the mean of all.
        parts: queries with the share of a step by which a mistake in one of them counts.
        known: labelled queries.
        sure: of these, those that were certain to be labelled: nothing is left to chance in them.
        weights: of the queries.
        finite: whether the target is these queries. For a population those that were sure count
            too: others like them have not been labelled.

    Returns:
        The step with which `prediction_powered_ratio` adds the allowance of these parts.
    """

    def of(there: Mask) -> float:
        labelled, size = int((known & there).sum()), int(there.sum())
        left = 1 - labelled / size if finite and size else 1.0
        return left / ((labelled + 1) * (labelled + 2))

    at = ~sure if finite else np.ones_like(known)
    whole, total = of(at), float(weights[at].sum())
    if not whole or not total:
        return step
    allowed = sum(
        (factor * float(weights[at & part].sum()) / total) ** 2 * of(at & part)
        for part, factor in parts
    )
    return step * math.sqrt(allowed / whole)
