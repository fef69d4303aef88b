"""How many queries it takes to find a difference between two runs, from a pilot comparison.

Planned is the power of the test that is printed: the chance that its p is at most alpha when the
true difference is the one asked for. The width that its interval will have stands beside. Votes of
people are planned in :mod:`metrics.vote_planning`.

A plan holds for queries like those of the pilot, and for changes that move as many of them. What
it supposes:

- **Means and ratios** (the swap test). The differences of queries vary as in the pilot, and are
  shifted: power of the paired t test with the pilot's standard deviation.
- **Shares of queries and verdicts** (exact McNemar and sign test). As many queries change as in
  the pilot, but more of them for the better; at least as many as the difference takes. The power
  is exact, see :func:`metrics.power.sign_power`.

`mde` is the formula of `compare_runs`, from the same function, so that a plan and a score of one
pilot say the same. An exact test has somewhat less power there than the formula says, and needs
somewhat more queries.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics._asked import Asked, small_pilot, trinomial_width
from metrics._pilot import Figure, collect_pilot
from metrics._simulated_power import simulate_signs, simulate_swaps
from metrics.planning_results import Planned, SamplePlan
from metrics.power import sign_power, sign_queries, swap_power, swap_queries
from metrics.proportions import tango_interval
from metrics.spread import Spread, pair_spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["plan_comparison"]


def plan_comparison(
    per_query: Any,
    *,
    delta: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    queries: int | None = None,
    measures: Sequence[str] = (),
    cutoffs: Sequence[int] = (),
    by: Sequence[str] = (),
    simulate: int = 0,
    seed: int = 0,
) -> SamplePlan:
    """Say how many queries a difference between two runs needs, from a pilot's queries.

    Args:
        per_query: frame with `query_id, measure, delta` and, as `compare_runs(...).per_query` has
            them, `cutoff, control, treatment, weight_control, weight_treatment` and segments.
        delta: the true difference to be found, a fraction (0.02 is two points), either way. None
            asks only what `queries` can find.
        power: the probability of finding it.
        alpha: two-sided level of the test. It is not adjusted: for a family of k tests under
            Holm's correction, 0.05/k is safe.
        queries: how many there are, for `mde` and `power`; the pilot's by default. A segment has
            its share of them.
        measures: those wanted; all by default.
        cutoffs: those wanted; all by default.
        by: segment columns.
        simulate: samples to draw from the shifted pilot for `simulated_power`; 0 for none.
        seed: of the simulation.

    Returns:
        The plan: `.rows`, `.table`, `.to_json()`.

    Raises:
        TypeError: the pilot is no data frame.
        MetricsError: a column or measure is missing, a value or setting cannot be meant.

    >>> import pandas as pd
    >>> pilot = pd.DataFrame({"query_id": [f"q{i}" for i in range(40)], "measure": "ndcg",
    ...                       "cutoff": 10, "delta": [-0.2, -0.1, 0.1, 0.2] * 10})
    >>> row = plan_comparison(pilot, delta=0.02).rows[0]
    >>> row.needed_queries, round(row.mde, 4), round(row.power, 2)
    (506, 0.0709, 0.12)
    """
    asked = Asked(delta, power, alpha, queries, simulate, seed)
    pilot = collect_pilot(per_query, measures=measures, cutoffs=cutoffs, by=by)
    rows: list[Planned] = []
    for figure in pilot.figures:
        whole = pair_spread(*figure.columns, test=figure.test)
        for segment, mask in figure.cells:
            columns = figure.columns[:, mask]
            spread = pair_spread(*columns, test=figure.test)
            share = spread.queries / whole.queries if spread and whole else 1.0
            rows.append(_compared(figure, segment, columns, spread, share, asked, len(rows)))
    settings = {"measures": list(measures), "cutoffs": list(cutoffs), "by": list(by)}
    return SamplePlan(
        settings=asked.settings() | settings,
        pilot={"from": "per-query values", "queries": pilot.queries},
        warnings=[*pilot.warnings, *small_pilot(pilot.queries)],
        rows=rows,
        frames=pilot.frames,
    )


def _compared(
    figure: Figure,
    segment: dict[str, Any],
    columns: Array,
    spread: Spread | None,
    share: float,
    asked: Asked,
    place: int,
) -> Planned:
    """One figure of the runs in one segment."""
    base = Planned(
        measure=figure.measure,
        cutoff=figure.cutoff,
        segment=segment,
        method=figure.method,
        pilot_queries=spread.queries if spread else columns.shape[1],
    )
    if spread is None:
        return replace(base, note="no values in the pilot")
    queries = asked.queries_of(share, spread.queries)
    base = replace(
        base, pilot_delta=spread.delta, standard_error=spread.standard_error, queries=queries
    )
    if spread.standard_error is None:
        return replace(base, note="fewer than 2 queries in the pilot tell of no spread")
    changed = spread.ahead + spread.behind
    if figure.test == "swap":
        changed = int((np.abs(columns[2:] - columns[:2]) > 1e-12).any(axis=0).sum())
    if changed == 0 or (figure.test == "swap" and spread.standard_error == 0):
        what = "no query changed" if changed == 0 else "every query changed alike"
        return replace(base, note=f"{what} in the pilot: take one whose changes vary")
    mde = spread.mde(queries=queries, alpha=asked.alpha, power=asked.power)
    base = replace(base, mde=mde)
    if figure.test == "swap":
        return _swap(base, columns, spread, changed / spread.queries, asked, place)
    return _exact(base, spread, changed / spread.queries, asked, place)


def _swap(
    base: Planned, columns: Array, spread: Spread, differing: float, asked: Asked, place: int
) -> Planned:
    """Means and ratios."""
    from scipy.special import stdtrit

    deviation = (spread.standard_error or 0.0) * math.sqrt(spread.queries)
    size = base.queries or spread.queries
    planned = size
    if asked.delta is not None:
        how: dict[str, float] = {"alpha": asked.alpha, "differing": differing}
        needed = swap_queries(asked.delta, deviation, power=asked.power, **how)
        planned = needed if asked.queries is None else size
        base = replace(
            base,
            needed_queries=needed,
            power=swap_power(asked.delta, deviation, size, **how),
        )
        if asked.simulate:
            found = simulate_swaps(
                columns,
                math.copysign(asked.delta, spread.delta),
                planned,
                asked.simulate,
                asked.alpha,
                asked.rng(place),
            )
            base = replace(base, simulated_power=found)
    over = base.needed_queries or planned
    width = 2 * float(stdtrit(over - 1, 0.975)) * deviation / math.sqrt(over) if over > 1 else None
    return replace(base, interval_width=width)


def _exact(base: Planned, spread: Spread, discordant: float, asked: Asked, place: int) -> Planned:
    """Shares of queries and verdicts."""
    size = base.queries or spread.queries
    if asked.delta is None:
        ahead, behind = spread.ahead / spread.queries, spread.behind / spread.queries
        return replace(base, interval_width=_exact_width(spread.test, ahead, behind, size))
    if asked.delta > 1:
        return replace(base, note="a difference above 100 points cannot be")
    note = ""
    if asked.delta > discordant:
        note = (
            f"the difference takes more changed queries than the pilot's {discordant:.1%}: "
            "just enough are supposed"
        )
    ahead, behind = _split(asked.delta, max(discordant, asked.delta))
    needed = sign_queries(ahead, behind, power=asked.power, alpha=asked.alpha)
    base = replace(
        base,
        needed_queries=needed,
        power=sign_power(ahead, behind, size, alpha=asked.alpha),
        interval_width=_exact_width(spread.test, ahead, behind, needed or size),
        note=note,
    )
    if asked.simulate:
        planned = (needed or size) if asked.queries is None else size
        found = simulate_signs(
            ahead, behind, planned, asked.simulate, asked.alpha, asked.rng(place)
        )
        base = replace(base, simulated_power=found)
    return base


def _exact_width(test: str, ahead: float, behind: float, queries: int) -> float | None:
    if test == "sign":
        return trinomial_width(ahead, behind, queries)
    interval = tango_interval(round(queries * ahead), round(queries * behind), queries)
    return interval.high - interval.low if interval else None


def _split(delta: float, discordant: float) -> tuple[float, float]:
    return (discordant + delta) / 2, (discordant - delta) / 2
