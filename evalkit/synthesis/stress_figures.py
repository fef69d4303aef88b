"""Figures before and after a perturbation, with intervals over queries.

Every figure is a ratio of sums over queries, so the interval of its change is the one that runs
are compared with (`metrics`): what belongs to one query counts as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

__all__ = ["Figure", "goodrates", "ratio_change", "share_change"]


@dataclass(frozen=True)
class Figure:
    """One figure under one perturbation.

    Attributes:
        perturbation: what was done.
        figure: what is measured.
        index: where was searched; empty where nothing was.
        expected: what a good system does: `stays`, `falls`; empty where the figure only tells.
        unit: what is counted: queries, rewrites, products, pairs.
        units: how many, as they were before.
        queries: of how many queries.
        before: the figure unperturbed, a share.
        after: perturbed.
        delta: after − before.
        ci_low: lower end of the 95% interval of the difference, over queries.
        ci_high: upper end.
        judged_before: share of the shown products that are judged, for Goodrates.
        judged_after: the same, perturbed.
        note: what else must be known.
    """

    perturbation: str
    figure: str
    index: str
    expected: str
    unit: str
    units: int
    queries: int
    before: float | None
    after: float | None
    delta: float | None
    ci_low: float | None
    ci_high: float | None
    judged_before: float | None = None
    judged_after: float | None = None
    note: str = ""


def ratio_change(
    name: str,
    figure: str,
    counts: Mapping[str, tuple[float, float, float, float]],
    *,
    unit: str,
    index: str = "",
    expected: str = "",
    note: str = "",
) -> Figure:
    """Compare two shares whose parts are counted by query.

    Args:
        name: the perturbation.
        figure: what is measured.
        counts: by query: how many and of how many before, how many and of how many after.
        unit: what is counted.
        index: where was searched.
        expected: what a good system does.
        note: what else must be known.

    Example:
        >>> found = ratio_change("typos", "accepted", {"q1": (2, 2, 1, 2), "q2": (1, 2, 1, 2)},
        ...                      unit="rewrites")
        >>> found.before, found.after, found.delta, found.units
        (0.75, 0.5, -0.25, 4)
    """
    from metrics.inference import paired_ratio_interval

    columns = np.array([counts[key] for key in sorted(counts)], dtype=np.float64).reshape(-1, 4)
    sums = columns.sum(axis=0)
    before = float(sums[0] / sums[1]) if sums[1] else None
    after = float(sums[2] / sums[3]) if sums[3] else None
    found = paired_ratio_interval(*columns.T) if len(columns) and sums[1] and sums[3] else None
    interval = found.interval if found is not None else None
    return Figure(
        name, figure, index, expected, unit, int(sums[1]), len(columns), before, after,
        None if before is None or after is None else after - before,
        interval.low if interval else None,
        interval.high if interval else None,
        note=note,
    )  # fmt: skip


def share_change(
    name: str,
    figure: str,
    before: Mapping[str, bool],
    after: Mapping[str, bool],
    *,
    note: str = "",
) -> Figure:
    """Compare the shares of queries of which something holds (Tango's interval).

    Example:
        >>> found = share_change("vanished", "a good product exists", {"q1": True, "q2": True},
        ...                      {"q1": True, "q2": False})
        >>> found.before, found.after
        (1.0, 0.5)
    """
    from metrics.proportions import tango_interval

    n = len(before)
    gained = sum(after[key] and not before[key] for key in before)
    lost = sum(before[key] and not after[key] for key in before)
    interval = tango_interval(gained, lost, n)
    share = [sum(found.values()) / n if n else None for found in (before, after)]
    return Figure(
        name, figure, "", "", "queries", n, n, share[0], share[1],
        (gained - lost) / n if n else None,
        interval.low if interval else None,
        interval.high if interval else None,
        note=note,
    )  # fmt: skip


def goodrates(
    name: str,
    runs: tuple[pa.Table, pa.Table],
    good: tuple[Mapping[tuple[str, str], bool], Mapping[tuple[str, str], bool]],
    queries: Sequence[str],
    *,
    at: int,
    index: str,
    expected: str = "",
    seed: int = 0,
    note: str = "",
) -> list[Figure]:
    """Compare Item and Query Goodrate of two runs, each under the truth of its own catalogue.

    Args:
        name: the perturbation.
        runs: before and after: query_id, product_id, rank.
        good: before and after: (query_id, product_id) to whether it is good.
        queries: the query set.
        at: cutoff.
        index: where was searched.
        expected: what a good system does.
        seed: of the swap test.
        note: what else must be known.
    """
    import pyarrow as pa

    from metrics import compare_runs

    # A product's truth may differ between the two catalogues: two names for it.
    sides = ("b", "a")
    wanted = set(queries)
    control, treatment = (_marked(run, side, wanted) for run, side in zip(runs, sides, strict=True))
    keys = [
        (query_id, f"{side}:{product_id}", float(verdict))
        for side, found in zip(sides, good, strict=True)
        for (query_id, product_id), verdict in found.items()
        if query_id in wanted
    ]
    judgments = pa.table(
        {
            "query_id": pa.array([key[0] for key in keys], pa.string()),
            "product_id": pa.array([key[1] for key in keys], pa.string()),
            "grade": pa.array([key[2] for key in keys], pa.float64()),
        }
    )
    compared = compare_runs(
        control,
        treatment,
        judgments,
        pa.table({"query_id": pa.array(sorted(wanted), pa.string())}),
        measures=("item_goodrate", "query_goodrate"),
        cutoffs=(at,),
        good=1.0,
        order="rank",
        seed=seed,
    )
    labels = {"item_goodrate": f"Item Goodrate@{at}", "query_goodrate": f"Query Goodrate@{at}"}
    shown = int((np.asarray(control.column("rank")) <= at).sum())
    return [
        Figure(
            name, labels[row.measure], index, expected,
            "products" if row.measure == "item_goodrate" else "queries",
            shown if row.measure == "item_goodrate" else row.queries,
            row.queries, row.control, row.treatment, row.delta, row.ci_low, row.ci_high,
            row.judged_control, row.judged_treatment, note,
        )
        for row in compared.rows
    ]  # fmt: skip


def _marked(run: pa.Table, side: str, wanted: set[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    few = run.filter(pc.is_in(run.column("query_id"), pa.array(sorted(wanted), pa.string())))
    names = [f"{side}:{product_id}" for product_id in few.column("product_id").to_pylist()]
    return pa.table(
        {
            "query_id": few.column("query_id"),
            "product_id": pa.array(names, pa.string()),
            "rank": few.column("rank"),
        }
    )
