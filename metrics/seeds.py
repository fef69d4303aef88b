"""Compare a system that was trained several times, each time with another seed, with a control.

Two things move such a Δ: which queries were asked, and which seeds were drawn. Crossed with each
other, query q and seed s give the difference

    y_qs = Δ + a_q + b_s + c_qs     (random effects of query, seed and their interaction),

and the mean over n queries and S seeds has the variance σ²_a/n + σ²_b/S + σ²_c/(nS). It is
estimated by the sum of two mean squares:

    v_queries = var_q(mean over s of y_qs)/n     expects σ²_a/n + σ²_c/(nS),
    v_seeds   = var_s(Δ_s)/S                     expects σ²_b/S + σ²_c/(nS)

(Cornfield and Tukey 1956, Annals of Mathematical Statistics 27:907-949, for the expectations). So
the interaction is counted twice, which errs on the safe side; the sum is never negative, as the
unbiased v_queries + v_seeds − v_interaction can be. The quantile lies between those of the two
degrees of freedom, weighted by the variances (Cochran 1964, Biometrics 20:191-195):

    Δ ± t'·√v,   v = v_queries + v_seeds,   t' = (v_queries·t_{n−1} + v_seeds·t_{S−1})/v,

and p is the level at which the interval ends at 0. The usual alternative, one t with the degrees of
freedom of Satterthwaite (1946, Biometrics Bulletin 2:110-114), is not enough here: three seeds that
happen to agree hide their variance, and the degrees of freedom jump to those of the queries. In
simulations of 3,000 to 4,000 draws (160 and 480 queries; seeds without effect up to seeds that
outweigh all else; tests/metrics/test_seeds.py has the model) it held the truth in 91.5 to 97.3%
with 3 seeds and in 87.5 to 97.8% with 2; t' does in 94.7 to 98.6% and 94.0 to 99.1%. Where seeds
outweigh all else, t' is close to 4.3 with three seeds, and to 12.7 with two.

`y_qs` is the linearised difference of `metrics.inference.paired_ratio_interval`: for shares of
queries, and at fixed depth, simply the difference of the query; for pooled items the delta method
on query clusters. A share of queries does not vary where few queries move, or none, and then
v_queries says less than a single run's interval does (Tango's ends at ±z²/(n + z²) without any). So
it is no less than `metrics.proportions.score_variance` of it, which is no narrower than that.

Where queries belong together, families stand for queries in all of this: their sums of y_qs, their
number and their degrees of freedom (`metrics.clusters`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics._describe import describe_queries, describe_runs, warn_pair, warn_runs
from metrics._plan import judged_share, judged_value, long_table, make_plan, number, ratio
from metrics._text import points
from metrics.clusters import least_variance, sum_clusters, told
from metrics.comparison import adjust_family
from metrics.errors import MetricsError
from metrics.goodrate import Scoring
from metrics.inference import SAME, Interval
from metrics.measures import MEASURES, Parts, parts
from metrics.results import Compared, Comparison

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from metrics._plan import Plan
    from metrics._queries import RunTable

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["SeedSpread", "compare_seeds", "seed_spread"]

SUPPORTED = ("item_goodrate", "query_goodrate")


@dataclass(frozen=True)
class SeedSpread:
    """The Δ of several seeds, and how far queries and seeds move it.

    Attributes:
        delta: mean of the seeds' Δ.
        of_queries: variance of `delta` from queries.
        of_seeds: variance of `delta` from seeds.
        interval: the 95% interval.
        p: two-sided p of no difference; None where nothing varies and Δ is not 0.
        mde: smallest true Δ that is found with 80% power at 0.05, (t'_.975 + t'_.80)·SE; None where
            nothing varies.
    """

    delta: float
    of_queries: float
    of_seeds: float
    interval: Interval
    p: float | None
    mde: float | None

    @property
    def standard_error(self) -> float:
        """Of `delta`."""
        return math.sqrt(self.of_queries + self.of_seeds)


def seed_spread(deltas: Array, differences: Array, *, least: float = 0.0) -> SeedSpread:
    """Measure the spread of a mean over seeds; see the module for the formulas.

    Args:
        deltas: Δ of each seed, float64[S], S of 2 or more.
        differences: (linearised) difference of each seed and query, float64[S, n], n of 2 or more.
        least: the variance from queries is no less than this; that of a share of queries is
            `metrics.clusters.least_variance`.

    Example:
        Two seeds, three queries: the means over seeds are 0.1, 0.3 and 0.5 with variance 0.04, the
        seeds' Δ 0.2 and 0.4 with variance 0.02.

        >>> spread = seed_spread(np.array([0.2, 0.4]), np.array([[0, 0.2, 0.4], [0.2, 0.4, 0.6]]))
        >>> round(spread.of_queries, 6), round(spread.of_seeds, 6)
        (0.013333, 0.01)
        >>> round(spread.interval.low, 3), round(spread.interval.high, 3), round(spread.p, 3)
        (-0.907, 1.507, 0.248)

        A share that no query of 40 moves; z²/(n + z²) would be 0.0876.

        >>> least = least_variance(0.0, np.ones(40))
        >>> round(seed_spread(np.zeros(2), np.zeros((2, 40)), least=least).interval.high, 4)
        0.0904
    """
    seeds, queries = differences.shape
    over_seeds = differences.mean(axis=0)
    # a constant leaves rounding noise, which would pass for a tiny standard error
    of_queries = 0.0 if np.ptp(over_seeds) <= SAME else float(over_seeds.var(ddof=1)) / queries
    of_queries = max(of_queries, least)
    of_seeds = 0.0 if np.ptp(deltas) <= SAME else float(deltas.var(ddof=1)) / seeds
    delta, variance = float(deltas.mean()), of_queries + of_seeds
    if variance == 0:
        p = 1.0 if abs(delta) <= SAME else None
        return SeedSpread(delta, 0.0, 0.0, Interval(delta, delta), p, None)
    error = math.sqrt(variance)
    weights = {queries - 1: of_queries / variance, seeds - 1: of_seeds / variance}
    if queries == seeds:
        weights = {queries - 1: 1.0}
    t = _upper(0.025, weights)
    return SeedSpread(
        delta,
        of_queries,
        of_seeds,
        Interval(delta - t * error, delta + t * error),
        1.0 if abs(delta) <= SAME else _p_value(abs(delta) / error, weights),
        (t + _upper(0.2, weights)) * error,
    )


def _upper(tail: float, weights: Mapping[int, float]) -> float:
    """The weighted mean of t quantiles that leave `tail` above, by degrees of freedom."""
    from scipy.special import stdtrit

    return -sum(weight * float(stdtrit(df, tail)) for df, weight in weights.items() if weight)


def _p_value(statistic: float, weights: Mapping[int, float]) -> float:
    """The two-sided level whose quantile is the statistic, by bisection of its logarithm."""
    low, high = math.log(1e-300), 0.0
    for _ in range(80):
        middle = (low + high) / 2
        if _upper(math.exp(middle) / 2, weights) > statistic:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def compare_seeds(
    controls: Sequence[Any],
    treatments: Sequence[Any],
    judgments: Any,
    queries: Any = None,
    *,
    measures: Sequence[str] = SUPPORTED,
    by: Sequence[str] = (),
    cluster: str | None = None,
    primary: Sequence[str] | None = None,
    check: bool = True,
    **scoring: Any,
) -> Comparison:
    """Compare several runs of one system, of different seeds, with a control.

    Δ is the mean of the seeds' Δ; its interval and p hold for new queries and new seeds (see
    `metrics.seeds`). `improved`, `same` and `worse` count queries by the mean over seeds.

    Args:
        controls: one frame for all seeds, or as many as `treatments`, paired by place.
        treatments: two frames or more, one a seed; columns as in `compare_runs`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`, and columns for segments.
        measures: of `item_goodrate, query_goodrate`.
        by: columns of `queries`; every value of each is a segment.
        cluster: column of `queries` whose values are families, as in `compare_runs`.
        primary: the family that Holm's correction covers, as in `compare_runs`.
        check: refuse bad frames; turn it off only for tables that have been checked.
        **scoring: fields of `Scoring`; bounds are not offered.

    Returns:
        The comparison, as `compare_runs` returns it. `extra` of every row has `seeds` (their
        number), `seed_deltas`, `seed_share` (of the variance), `standard_error` and a note.

    Raises:
        TypeError: an argument is not a frame, or an unknown setting.
        MetricsError: runs that cannot be paired, a measure or a setting that is not offered, or
            what `compare_runs` refuses.

    >>> import pandas as pd
    >>> def run(*ids): return pd.DataFrame({"query_id": ["q1", "q2"], "product_id": ids,
    ...                                     "rank": [1, 1]})
    >>> judgments = pd.DataFrame({"query_id": ["q1", "q2"], "product_id": ["a", "a"],
    ...                           "grade": [1, 1]})
    >>> found = compare_seeds([run("b", "b")], [run("a", "b"), run("a", "a")], judgments)
    >>> found.rows[0].delta, found.rows[0].extra["seed_deltas"]
    (0.75, [0.5, 1.0])
    """
    settings = Scoring(**scoring)
    _check(controls, treatments, measures, settings)
    named = {**_named("control", controls), **_named("treatment", treatments)}
    plan, runs = make_plan(
        named,
        judgments,
        queries,
        None,
        settings,
        measures,
        by,
        primary,
        "default",
        0,
        check,
        cluster,
    )
    tables = list(runs.values())
    split = len(controls)
    seeds = _Seeds(
        plan,
        [tables[0] if split == 1 else tables[place] for place in range(len(treatments))],
        tables[split:],
    )
    rows = [
        seeds.compare(name, cutoff, segment, mask)
        for segment, mask in plan.cells()
        for name, cutoff in plan.figures()
    ]
    return Comparison(
        settings={**plan.settings, "seeds": len(treatments)},
        query_set=describe_queries(plan, runs),
        warnings=[*seeds.warnings(), *warn_runs(plan, runs)],
        runs=describe_runs(plan, runs),
        rows=adjust_family(rows, plan),
        per_query_columns=seeds.per_query(),
        frames=plan.frames,
    )


def _named(name: str, frames: Sequence[Any]) -> dict[str, Any]:
    if len(frames) == 1:
        return {name: frames[0]}
    return {f"{name}_{place}": frame for place, frame in enumerate(frames, start=1)}


def _check(
    controls: Sequence[Any], treatments: Sequence[Any], measures: Sequence[str], scoring: Scoring
) -> None:
    if len(treatments) < 2:
        raise MetricsError("one treatment has no seeds to compare; use compare_runs")
    if len(controls) not in (1, len(treatments)):
        raise MetricsError(
            f"there are {len(controls)} controls and {len(treatments)} treatments; give one "
            "control, or one for each treatment in the same order"
        )
    others = [name for name in measures if name not in SUPPORTED]
    if others:
        raise MetricsError(
            f"{others[0]} is not supported over several seeds; there are: {', '.join(SUPPORTED)}"
        )
    if "bounds" in (scoring.unjudged, scoring.ties):
        raise MetricsError("bounds are not offered over several seeds")


class _Seeds:
    """Controls and treatments, paired by place, with what all rows share."""

    def __init__(
        self, plan: Plan, controls: Sequence[RunTable], treatments: Sequence[RunTable]
    ) -> None:
        self.plan, self.pairs = plan, list(zip(controls, treatments, strict=True))

    def values(self, name: str, cutoff: int | None) -> list[tuple[Parts, Parts]]:
        """The measure of both runs of every seed."""
        plan = self.plan

        def of(table: RunTable) -> Parts:
            depth = plan.depth(cutoff)
            return parts(name, table.columns, plan.queries.weights, depth, plan.scoring)

        return [(of(control), of(treatment)) for control, treatment in self.pairs]

    def compare(
        self, name: str, cutoff: int | None, segment: dict[str, Any], mask: Mask | slice
    ) -> Compared:
        """Compute one row."""
        plan, n, pairs = self.plan, self.plan.depth(cutoff), self.values(name, cutoff)
        change = np.mean([t.value[mask] - c.value[mask] for c, t in pairs], axis=0)
        judged = np.array(
            [[judged_share(plan, table, n, mask) for table in pair] for pair in self.pairs],
            dtype=np.float64,
        ).mean(axis=0)
        row: dict[str, Any] = {
            "measure": name,
            "cutoff": cutoff,
            "segment": segment,
            "queries": len(change),
            "judged_control": number(judged[0]),
            "judged_treatment": number(judged[1]),
            "improved": int((change > SAME).sum()),
            "same": int((np.abs(change) <= SAME).sum()),
            "worse": int((change < -SAME).sum()),
        }
        seeds: dict[str, Any] = {"seeds": len(pairs)}
        families, notes = plan.families(mask), []
        if families is not None:
            seeds["families"] = families
            notes.append(told(len(change), families))
        shown = [(ratio(c, mask), ratio(t, mask)) for c, t in pairs]
        if any(None in each for each in shown):
            return Compared(**row, extra={**seeds, "note": "; ".join([*notes, "nothing is shown"])})
        control, treatment = np.array(shown, dtype=np.float64).T
        deltas = treatment - control
        seeds["seed_deltas"] = deltas.tolist()
        each = ", ".join(points(delta, signed=True) for delta in seeds["seed_deltas"])
        notes.append(f"Δ of {len(pairs)} seeds: {each}")
        delta, before = float(deltas.mean()), float(control.mean())
        row |= {
            "control": before,
            "treatment": float(treatment.mean()),
            "delta": delta,
            "relative": delta / before if before else None,
        }
        if (len(change) if families is None else families) < 2:
            what = "queries" if families is None else "families"
            notes.append(f"no interval and no test: fewer than 2 {what}")
            return Compared(**row, extra={**seeds, "note": "; ".join(notes)})
        linear = np.array([_linear(t, mask) - _linear(c, mask) for c, t in pairs])
        clusters = None if plan.queries.clusters is None else plan.queries.clusters[mask]
        least = 0.0
        if MEASURES[name].kind == "share":
            seen = float(linear.mean(axis=0).var(ddof=1)) / len(change)
            least = least_variance(seen, pairs[0][0].den[mask], clusters)
        if clusters is not None:
            summed = np.array(sum_clusters(clusters, *linear))
            linear = summed * (summed.shape[1] / len(change))
        spread = seed_spread(deltas, linear, least=least)
        variance = spread.of_queries + spread.of_seeds
        seeds["seed_share"] = spread.of_seeds / variance if variance else None
        seeds["standard_error"] = spread.standard_error
        if variance:
            notes.append(f"seeds are {seeds['seed_share']:.0%} of the variance")
        else:
            notes.append("no detectable difference: neither queries nor seeds vary")
        if not before:
            notes.append("no relative change: the control is 0")
        return Compared(
            **row,
            ci_low=spread.interval.low,
            ci_high=spread.interval.high,
            p=spread.p,
            mde=spread.mde,
            extra={**seeds, "note": "; ".join(notes)},
        )

    def warnings(self) -> list[str]:
        """What is uneven between control and treatment, seed by seed."""
        return [
            f"seed {place}, {warning}"
            for place, (control, treatment) in enumerate(self.pairs, start=1)
            for warning in warn_pair(self.plan, {"control": control, "treatment": treatment})
        ]

    def per_query(self) -> Mapping[str, Any]:
        """The values and weights of every query, each the mean over seeds."""
        plan = self.plan
        blocks = []
        for name, cutoff in plan.figures():
            pairs, n = self.values(name, cutoff), plan.depth(cutoff)
            control = np.mean([c.value for c, _ in pairs], axis=0)
            treatment = np.mean([t.value for _, t in pairs], axis=0)
            judged = [[judged_value(plan, table, n) for table in pair] for pair in self.pairs]
            blocks.append(
                {
                    "control": control,
                    "treatment": treatment,
                    "delta": treatment - control,
                    "weight_control": np.mean([c.den for c, _ in pairs], axis=0),
                    "weight_treatment": np.mean([t.den for _, t in pairs], axis=0),
                    "judged_control": np.mean([each[0] for each in judged], axis=0),
                    "judged_treatment": np.mean([each[1] for each in judged], axis=0),
                }
            )
        return long_table(plan, blocks)


def _linear(case: Parts, mask: Mask | slice) -> Array:
    """Each query's first-order influence on the ratio, times n; see `metrics.inference`."""
    num, den = case.num[mask], case.den[mask]
    value = float(num.sum() / den.sum())
    return (num - value * den) / float(den.mean())
