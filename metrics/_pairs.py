"""What the lists of a control and a treatment have in common, collected per query."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from metrics._queries import align, between, collect_table, query_ranges
from metrics.bounds import shared_unjudged
from metrics.ranking import count_same_places, rank_products

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from metrics._plan import Plan
    from metrics._queries import RunTable

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["collect_identical", "collect_shared"]


def collect_shared(plan: Plan) -> dict[str, Array]:
    """Count the unjudged products that both runs show; see `shared_unjudged`."""
    places = {name: rank_products(run, plan.orders[name]) for name, run in plan.lists.items()}
    overlap = shared_unjudged(
        places["control"],
        places["treatment"],
        plan.graded,
        plan.scoring.cutoffs,
        mrr="mrr" in plan.measures,
    )
    return align(collect_table(overlap), replace(plan.queries, columns={})).columns


def collect_identical(plan: Plan, runs: Mapping[str, RunTable]) -> dict[int, Mask]:
    """Tell, for every cutoff, for which queries both runs show the same list.

    The lists are compared as they are shown: the same products in the same order, unjudged ones
    included, tied ones by id. Two empty lists are the same list.

    Returns:
        bool[q] per cutoff.
    """
    cutoffs, queries = plan.scoring.cutoffs, plan.queries
    tables = []
    for part in query_ranges(queries):
        control, treatment = (
            rank_products(between(plan.lists[name], queries, part), plan.orders[name])
            for name in ("control", "treatment")
        )
        tables.append(collect_table(count_same_places(control, treatment, cutoffs)))
    same = align(pa.concat_tables(tables), replace(queries, columns={})).columns

    def all_in_place(name: str, n: int) -> Mask:
        found: Mask = runs[name].columns[f"shown_{n}"] == same[f"same_places_{n}"]
        return found

    return {n: all_in_place("control", n) & all_in_place("treatment", n) for n in cutoffs}
