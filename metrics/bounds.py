"""How far a figure could move if the unjudged products were judged, or tied products reordered.

For unjudged products every assignment of good and bad is considered, one grade a product in both
runs; for ties every order within equal scores, in each run on its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from metrics.measures import parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from metrics.goodrate import Scoring

    Array = NDArray[np.float64]
    Columns = Mapping[str, Array]

__all__ = ["best_case", "delta_range", "shared_unjudged", "tie_cases", "verdict_range"]

Lazy = nw.LazyFrame[Any]


def shared_unjudged(
    control: Lazy, treatment: Lazy, graded: Lazy, cutoffs: tuple[int, ...], *, mrr: bool
) -> Lazy:
    """Count the unjudged products that both runs show, and the range of ΔMRR.

    Args:
        control: `query_id, product_id, position`.
        treatment: the same.
        graded: `query_id, product_id, judged, good`.
        cutoffs: depths.
        mrr: also give the least and greatest difference of reciprocal ranks.

    Returns:
        `query_id` and per cutoff `shared_N`; with `mrr` also `rr_rise` (max) and `rr_fall` (min):
        by how much RR_treatment − RR_control can change when one unjudged product turns good.
        One is enough, since only the first good product of a list counts.
    """
    keys = ["query_id", "product_id"]
    known = graded.filter(nw.col("judged") > 0).select(*keys)
    left = control.join(known, on=keys, how="anti").select(*keys, place_control="position")
    right = treatment.join(known, on=keys, how="anti").select(*keys, place_treatment="position")
    if not mrr:
        left = left.filter(nw.col("place_control") <= max(cutoffs))
        right = right.filter(nw.col("place_treatment") <= max(cutoffs))
    both = left.join(right, on=keys, how="full", suffix="_right").with_columns(
        query_id=nw.coalesce("query_id", "query_id_right")
    )
    sums: dict[str, nw.Expr] = {}
    for n in cutoffs:
        inside = (nw.col("place_control") <= n) & (nw.col("place_treatment") <= n)
        sums[f"shared_{n}"] = nw.when(inside).then(nw.lit(1.0)).otherwise(nw.lit(0.0)).sum()
    if not mrr:
        return both.group_by("query_id").agg(**sums)
    first = {}
    for name, ranked in (("control", control), ("treatment", treatment)):
        good = ranked.join(graded.filter(nw.col("good") > 0).select(*keys), on=keys, how="semi")
        first[name] = good.group_by("query_id").agg(**{f"rr_{name}": nw.col("position").min()})
        both = both.join(first[name], on="query_id", how="left")

    def gain(name: str) -> nw.Expr:
        place = nw.min_horizontal(f"place_{name}", f"rr_{name}").cast(nw.Float64)
        alone = nw.col(f"rr_{name}").cast(nw.Float64)
        return (nw.lit(1.0) / place).fill_null(0.0) - (nw.lit(1.0) / alone).fill_null(0.0)

    step = gain("treatment") - gain("control")
    return both.group_by("query_id").agg(**sums, rr_rise=step.max(), rr_fall=step.min())


def best_case(columns: Columns, cutoffs: tuple[int, ...]) -> dict[str, Array]:
    """Return the per-query table with every unjudged product good."""
    better = dict(columns)
    for n in cutoffs:
        better[f"good_{n}"] = columns[f"good_{n}"] + columns[f"shown_{n}"] - columns[f"judged_{n}"]
        if f"tie_size_{n}" in columns:
            unjudged = columns[f"tie_size_{n}"] - columns[f"tie_judged_{n}"]
            better[f"tie_good_{n}"] = columns[f"tie_good_{n}"] + unjudged
            sure = np.minimum(columns[f"shown_{n}"], n) - columns[f"tie_slots_{n}"]
            better[f"sure_good_{n}"] = (
                columns[f"sure_good_{n}"] + sure - columns[f"sure_judged_{n}"]
            )
    if "first_good" in columns:
        better["first_good"] = np.fmin(
            np.where(columns["first_good"] > 0, columns["first_good"], np.nan),
            np.where(columns["first_unjudged"] > 0, columns["first_unjudged"], np.nan),
        )
        better["first_good"] = np.nan_to_num(better["first_good"])
    return better


def tie_cases(columns: Columns, cutoffs: tuple[int, ...]) -> tuple[dict[str, Array], ...]:
    """Return the per-query table with the worst and with the best order of tied products."""
    worst, best = dict(columns), dict(columns)
    for n in cutoffs:
        if f"tie_size_{n}" not in columns:
            continue
        sure, slots = columns[f"sure_good_{n}"], columns[f"tie_slots_{n}"]
        good = columns[f"tie_good_{n}"]
        worst[f"good_{n}"] = sure + np.maximum(0.0, slots - (columns[f"tie_size_{n}"] - good))
        best[f"good_{n}"] = sure + np.minimum(good, slots)
        if f"dcg_low_{n}" in columns:
            worst[f"dcg_{n}"], best[f"dcg_{n}"] = columns[f"dcg_low_{n}"], columns[f"dcg_high_{n}"]
    return worst, best


def _unshared(columns: Columns, shared: Columns, n: int) -> Array:
    return columns[f"shown_{n}"] - columns[f"judged_{n}"] - shared[f"shared_{n}"]


def delta_range(
    name: str,
    control: Columns,
    treatment: Columns,
    shared: Columns,
    weights: Array,
    n: int,
    scoring: Scoring,
) -> tuple[float, float]:
    """Least and greatest Δ of a measure over all assignments of good and bad.

    Args:
        name: a measure with bounds other than `gsb`.
        control: per-query table of the control.
        treatment: per-query table of the treatment.
        shared: what `shared_unjudged` gives, per query.
        weights: weight of every query, float64[q].
        n: cutoff.
        scoring: how runs are scored.

    Returns:
        (lower, upper), NaN where a run's denominator is zero.
    """
    of_control = parts(name, control, weights, n, scoring)
    of_treatment = parts(name, treatment, weights, n, scoring)
    total_control, total_treatment = of_control.den.sum(), of_treatment.den.sum()
    if not total_control > 0 or not total_treatment > 0:
        return float("nan"), float("nan")
    delta = of_treatment.num.sum() / total_treatment - of_control.num.sum() / total_control
    if of_control.unit is not None and of_treatment.unit is not None:
        step_c = of_control.unit / total_control
        step_t = of_treatment.unit / total_treatment
        only_c, only_t = _unshared(control, shared, n), _unshared(treatment, shared, n)
        both = shared[f"shared_{n}"]
        upper = delta + (only_t * step_t + both * np.maximum(step_t - step_c, 0.0)).sum()
        lower = delta - (only_c * step_c - both * np.minimum(step_t - step_c, 0.0)).sum()
        return float(lower), float(upper)
    if name == "mrr":
        base = of_treatment.value - of_control.value
        rise = base + np.maximum(0.0, shared["rr_rise"])
        fall = base + np.minimum(0.0, shared["rr_fall"])
        return float((weights * fall).sum() / weights.sum()), float(
            (weights * rise).sum() / weights.sum()
        )
    least = float(scoring.min_good) if name == "query_goodrate" else 1.0
    rise = _greatest_step(treatment, control, shared, n, least)
    fall = -_greatest_step(control, treatment, shared, n, least)
    return float((weights * fall).sum() / weights.sum()), float(
        (weights * rise).sum() / weights.sum()
    )


def _greatest_step(up: Columns, down: Columns, shared: Columns, n: int, least: float) -> Array:
    """Greatest 1[good(up) >= least] − 1[good(down) >= least] over assignments, per query.

    Products that only `up` shows are best good, those that only `down` shows bad; of the shared
    ones, k are good, and each side turns good at its own k.
    """
    turn_up = np.maximum(0.0, least - up[f"good_{n}"] - _unshared(up, shared, n))
    turn_down = np.maximum(0.0, least - down[f"good_{n}"])
    both = shared[f"shared_{n}"]
    wins = (turn_up <= both) & (turn_up < turn_down)
    loses = (turn_down == 0) & (turn_up > both)
    step: Array = wins.astype(np.float64) - loses.astype(np.float64)
    return step


def verdict_range(
    control: Columns, treatment: Columns, shared: Columns, n: int, margin: float
) -> tuple[Array, Array]:
    """Worst and best automatic verdict (−1, 0, 1) of every query over all assignments."""
    difference = treatment[f"good_{n}"] - control[f"good_{n}"]
    low = difference - _unshared(control, shared, n)
    high = difference + _unshared(treatment, shared, n)
    return np.sign(low) * (np.abs(low) > margin), np.sign(high) * (np.abs(high) > margin)
