"""Compare a treatment with a control: figures, intervals, tests, bounds.

Queries are the sampling units and runs are paired by query. Nothing is rounded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from metrics._describe import describe_queries, describe_runs, warn_pair, warn_runs
from metrics._pairs import collect_identical, collect_shared
from metrics._plan import (
    ENDS,
    difference,
    judged_share,
    judged_value,
    long_table,
    make_plan,
    number,
    ratio,
    why_missing,
)
from metrics.bounds import best_case, delta_range, tie_cases, verdict_range
from metrics.clusters import clustered_spread, told
from metrics.goodrate import Scoring
from metrics.gsb import automatic_verdicts
from metrics.inference import SAME, holm
from metrics.measures import MEASURES, Parts, parts
from metrics.results import Compared, Comparison
from metrics.spread import pair_spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import narwhals as nw
    from numpy.typing import NDArray

    from metrics._plan import Plan
    from metrics._queries import RunTable
    from metrics.inference import Interval
    from metrics.spread import Test

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Lazy = nw.LazyFrame[Any]

__all__ = ["compare_runs"]

DEFAULT_MEASURES = ("item_goodrate", "query_goodrate", "gsb", "ndcg")


def compare_runs(
    control: Any,
    treatment: Any,
    judgments: Any,
    queries: Any = None,
    *,
    page_grades: Any = None,
    measures: Sequence[str] = DEFAULT_MEASURES,
    by: Sequence[str] = (),
    cluster: str | None = None,
    primary: Sequence[str] | None = None,
    ci: Literal["default", "bootstrap"] = "default",
    seed: int = 0,
    check: bool = True,
    **scoring: Any,
) -> Comparison:
    """Compare a treatment run with a control run.

    Args:
        control: frame with `query_id, product_id` and `rank` or `score`: the run of today.
        treatment: the same: the run of the change. Δ is always treatment − control.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`, optionally `weight`, and columns for segments; without it
            the query set is the queries with at least one judgment.
        page_grades: frame with `query_id, system, page_grade` (systems `control` and
            `treatment`): people's grades of whole result pages, from which Query Goodrate is then
            computed (good or mid by most annotators) over the queries graded in both runs.
        measures: of `item_goodrate, query_goodrate, gsb, ndcg, precision, recall, success, mrr,
            map, bpref, judged`.
        by: columns of `queries`; every value of each is a segment.
        cluster: column of `queries`, such as `family`; queries with the same value belong together,
            and intervals and tests are over these families (see `metrics.clusters`).
        primary: the family that Holm's correction covers, at the first cutoff, overall and in
            every segment; by default Item and Query Goodrate as far as they are computed.
        ci: `default` intervals, or `bootstrap` for BCa (which gives no p).
        seed: of the swap test and the bootstrap.
        check: refuse bad frames; turn it off only for tables that have been checked.
        **scoring: fields of `Scoring`: `cutoffs=(5, 10)`, `good=2`, `ties="expected"`, ...

    Returns:
        The comparison: `.table`, `.per_query`, `.settings`, `.to_json()`.

    Raises:
        TypeError: an argument is not a frame, or an unknown setting.
        MetricsError: a column is missing, a value is refused, or settings contradict each other.

    >>> import pandas as pd
    >>> def run(*rows): return pd.DataFrame(rows, columns=["query_id", "product_id", "rank"])
    >>> control = run(("q1", "a", 1), ("q1", "b", 2), ("q2", "c", 1))
    >>> treatment = run(("q1", "b", 1), ("q1", "d", 2), ("q2", "c", 1))
    >>> judgments = pd.DataFrame({"query_id": ["q1"] * 3 + ["q2"], "product_id": list("abdc"),
    ...                           "grade": [0, 1, 1, 1]})
    >>> compare_runs(control, treatment, judgments, measures=["item_goodrate"]).rows[0].delta
    0.33333333333333337
    """
    settings = Scoring(**scoring)
    plan, runs = make_plan(
        {"control": control, "treatment": treatment},
        judgments,
        queries,
        page_grades,
        settings,
        measures,
        by,
        primary,
        ci,
        seed,
        check,
        cluster,
    )
    pair = _Pair(
        plan,
        runs["control"],
        runs["treatment"],
        shared=collect_shared(plan) if settings.unjudged == "bounds" else {},
        identical=collect_identical(plan, runs) if "gsb" in plan.measures else {},
    )
    rows = adjust_family(
        [
            pair.compare(name, cutoff, segment, mask)
            for segment, mask in plan.cells()
            for name, cutoff in plan.figures()
        ],
        plan,
    )
    return Comparison(
        settings=plan.settings,
        query_set=describe_queries(plan, runs),
        warnings=[*warn_pair(plan, runs), *warn_runs(plan, runs)],
        runs=describe_runs(plan, runs),
        rows=rows,
        per_query_columns=pair.per_query(),
        frames=plan.frames,
    )


class _Pair:
    """A control and a treatment, with what all rows of their comparison share."""

    def __init__(
        self,
        plan: Plan,
        control: RunTable,
        treatment: RunTable,
        *,
        shared: Mapping[str, Array],
        identical: Mapping[int, Mask],
    ) -> None:
        self.plan, self.control, self.treatment = plan, control, treatment
        self.shared, self.identical = shared, identical
        self._cache: dict[tuple[str, int | None], tuple[Parts, Parts]] = {}

    def values(self, name: str, cutoff: int | None) -> tuple[Parts, Parts]:
        """The measure of both runs; GSB is 0 for the control and the verdict for the treatment."""
        key = (name, cutoff)
        if key not in self._cache:
            self._cache[key] = self._compute(
                name, self.plan.depth(cutoff), self.control.columns, self.treatment.columns
            )
        return self._cache[key]

    def _compute(
        self, name: str, n: int, control: Mapping[str, Array], treatment: Mapping[str, Array]
    ) -> tuple[Parts, Parts]:
        weights, scoring = self.plan.queries.weights, self.plan.scoring
        if name != "gsb":
            return (
                parts(name, control, weights, n, scoring),
                parts(name, treatment, weights, n, scoring),
            )
        good, bad = automatic_verdicts(control, treatment, n, scoring)
        nothing = np.zeros_like(weights)
        return Parts(nothing, weights, nothing), Parts(weights * (good - bad), weights, good - bad)

    def compare(
        self, name: str, cutoff: int | None, segment: dict[str, Any], mask: Mask | slice
    ) -> Compared:
        """Compute one row."""
        plan, n = self.plan, self.plan.depth(cutoff)
        control, treatment = self.values(name, cutoff)
        count = len(control.num[mask])
        change = treatment.value[mask] - control.value[mask]
        row: dict[str, Any] = {
            "measure": name,
            "cutoff": cutoff,
            "segment": segment,
            "queries": count,
            "judged_control": judged_share(plan, self.control, n, mask),
            "judged_treatment": judged_share(plan, self.treatment, n, mask),
        }
        why = why_missing(plan, name)
        if why is not None:
            return Compared(**row, extra={"note": why})
        of_control, of_treatment = ratio(control, mask), ratio(treatment, mask)
        delta = difference(of_treatment, of_control)
        nothing = "no page is graded in both runs" if self._from_pages(name) else "nothing is shown"
        notes = [] if delta is not None else [nothing]
        families = plan.families(mask)
        units = count if families is None else families
        if self._from_pages(name):
            paged = control.den[mask] > 0
            change, units = change[paged], int(paged.sum())
            notes.append(f"from people's page grades of {units:,} queries")
        interval, p, mde = None, None, None
        if delta is not None and units >= 2:
            interval, p, mde = self._infer(name, cutoff, mask)
        elif delta is not None:
            what = "queries" if families is None else "families"
            notes.append(f"no interval and no test: fewer than 2 {what}")
        extra = self._ranges(name, n, mask, notes)
        if name == "gsb":
            identical = self.identical[n][mask]
            without = _without(identical, treatment.num[mask], treatment.den[mask])
            if without is None:
                notes.append("no GSB without identical lists: there are no others")
            beside = {"identical": int(identical.sum()), "without_identical": without}
            extra = {**self._counts(n, mask), **beside, **extra}
            of_control = of_treatment = None
        if families is not None:
            extra = {"families": families, **extra}
            notes.insert(0, told(count, families))
        relative = delta / of_control if delta is not None and of_control else None
        if delta is not None and units >= 2:
            if p is None:
                notes.append("the bootstrap gives no p")
            if mde is None:
                notes.append("no detectable difference: the differences of the queries do not vary")
            if relative is None and name != "gsb":
                notes.append("no relative change: the control is 0")
        if notes:
            extra["note"] = "; ".join(notes)
        return Compared(
            **row,
            control=number(of_control),
            treatment=number(of_treatment),
            delta=number(delta),
            relative=number(relative),
            ci_low=number(interval.low) if interval else None,
            ci_high=number(interval.high) if interval else None,
            p=number(p),
            improved=int((change > SAME).sum()),
            same=int((np.abs(change) <= SAME).sum()),
            worse=int((change < -SAME).sum()),
            mde=number(mde),
            extra=extra,
        )

    def _from_pages(self, name: str) -> bool:
        return name == "query_goodrate" and "page_graded" in self.control.columns

    def _infer(
        self, name: str, cutoff: int | None, mask: Mask | slice
    ) -> tuple[Interval | None, float | None, float | None]:
        from metrics.resampling import paired_bca_interval, swap_test

        plan = self.plan
        control, treatment = self.values(name, cutoff)
        columns = [control.num[mask], control.den[mask], treatment.num[mask], treatment.den[mask]]
        if plan.queries.clusters is None:
            spread = pair_spread(*columns, test=self._test(name))
        else:
            share = MEASURES[name].kind == "share"
            clusters = plan.queries.clusters[mask]
            spread, columns = clustered_spread(clusters, *columns, share=share)
        if spread is None:
            return None, None, None
        mde = spread.mde()
        if plan.ci == "bootstrap":
            return paired_bca_interval(*columns, seed=plan.seed), None, mde
        p = swap_test(*columns, seed=plan.seed) if spread.test == "swap" else spread.p
        return spread.interval, p, mde

    def _test(self, name: str) -> Test:
        if self.plan.queries.weighted or self.plan.scoring.ties == "expected":
            return "swap"
        if name == "gsb":
            return "sign"
        return "mcnemar" if MEASURES[name].kind == "share" else "swap"

    def _counts(self, n: int, mask: Mask | slice) -> dict[str, Any]:
        good, bad = automatic_verdicts(
            self.control.columns, self.treatment.columns, n, self.plan.scoring
        )
        won, lost, all_of = float(good[mask].sum()), float(bad[mask].sum()), len(good[mask])
        same = all_of - won - lost
        if self.plan.scoring.ties != "expected":
            won, same, lost = int(won), int(same), int(lost)
        return {
            "good": won,
            "same": same,
            "bad": lost,
            "win_rate": won / (won + lost) if won + lost > 0 else None,
            "good_or_same_ratio": (won + same) / (lost + same) if lost + same > 0 else None,
        }

    def _ranges(self, name: str, n: int, mask: Mask | slice, notes: list[str]) -> dict[str, Any]:
        scoring = self.plan.scoring
        if scoring.unjudged == "bounds" and name != "judged":
            keys = [f"{end}_{of}" for of in ("control", "treatment", "delta") for end in ENDS]
            if not MEASURES[name].has_bounds:
                notes.append("no bounds for unjudged products are offered")
                return dict.fromkeys(keys)
            return dict(zip(keys, self._unjudged_range(name, n, mask, notes), strict=True))
        if scoring.ties == "bounds" and name != "judged":
            keys = [f"ties_{end}_{of}" for of in ("control", "treatment", "delta") for end in ENDS]
            if not MEASURES[name].has_ties:
                notes.append("no bounds over tied orders are offered")
                return dict.fromkeys(keys)
            return dict(zip(keys, self._tie_range(name, n, mask), strict=True))
        return {}

    def _unjudged_range(
        self, name: str, n: int, mask: Mask | slice, notes: list[str]
    ) -> list[float | None]:
        scoring, weights = self.plan.scoring, self.plan.queries.weights
        control, treatment, shared = self.control.columns, self.treatment.columns, self.shared
        if scoring.ties == "expected":
            notes.append("no bounds of delta under expected ties")
        if name == "gsb":
            if scoring.ties == "expected":
                return [None] * 6
            verdicts = verdict_range(control, treatment, shared, n, scoring.margin)
            total = weights[mask].sum()
            return [None] * 4 + [float((weights * end)[mask].sum() / total) for end in verdicts]
        ranges: list[float | None] = []
        for columns in (control, treatment):
            case = parts(name, columns, weights, n, scoring)
            best = parts(name, best_case(columns, scoring.cutoffs), weights, n, scoring)
            ranges += [ratio(case, mask), ratio(best, mask)]
        if scoring.ties == "expected":
            return [*ranges, None, None]
        if self._from_pages(name):
            delta = difference(ranges[2], ranges[0])
            return [*ranges, delta, delta]

        def of_segment(columns: Mapping[str, Array]) -> dict[str, Array]:
            return {key: column[mask] for key, column in columns.items()}

        ends = delta_range(
            name,
            of_segment(control),
            of_segment(treatment),
            of_segment(shared),
            weights[mask],
            n,
            scoring,
        )
        return [*ranges, *(number(end) for end in ends)]

    def _tie_range(self, name: str, n: int, mask: Mask | slice) -> list[float | None]:
        worst_c, best_c = tie_cases(self.control.columns, self.plan.scoring.cutoffs)
        worst_t, best_t = tie_cases(self.treatment.columns, self.plan.scoring.cutoffs)
        low = self._compute(name, n, best_c, worst_t)
        high = self._compute(name, n, worst_c, best_t)
        values = [ratio(case, mask) for case in (high[0], low[0], low[1], high[1])]
        if name == "gsb":
            values = [None] * 4
        ends = [
            difference(ratio(low[1], mask), ratio(low[0], mask)),
            difference(ratio(high[1], mask), ratio(high[0], mask)),
        ]
        return [*values, *ends]

    def per_query(self) -> dict[str, Any]:
        """The values of every query and their weights, one row a query, measure and cutoff.

        A run's figure is Σ weight·value / Σ weight; that of GSB is of delta by either weight.
        """
        plan = self.plan
        blocks: list[dict[str, Any]] = []
        for name, cutoff in plan.figures():
            control, treatment = self.values(name, cutoff)
            known = why_missing(plan, name) is None
            n = plan.depth(cutoff)
            blocks.append(
                {
                    "control": control.value if known and name != "gsb" else None,
                    "treatment": treatment.value if known and name != "gsb" else None,
                    "delta": treatment.value - control.value if known else None,
                    "weight_control": control.den if known else None,
                    "weight_treatment": treatment.den if known else None,
                    "judged_control": judged_value(plan, self.control, n),
                    "judged_treatment": judged_value(plan, self.treatment, n),
                }
            )
        return long_table(plan, blocks)


def _without(identical: Mask, num: Array, den: Array) -> float | None:
    """GSB over the queries whose lists differ; None where there is none."""
    total = den[~identical].sum()
    return float(num[~identical].sum() / total) if total > 0 else None


def adjust_family(rows: list[Compared], plan: Plan) -> list[Compared]:
    """Fill in Holm's p over the declared family: primary measures, first cutoff, all segments."""
    first = plan.scoring.cutoffs[0]
    family = [
        at
        for at, row in enumerate(rows)
        if row.measure in plan.settings["primary"]
        and row.cutoff in (first, None)
        and row.p is not None
    ]
    adjusted = list(rows)
    if family:
        for at, p in zip(family, holm([rows[at].p or 0.0 for at in family]), strict=True):
            adjusted[at] = replace(rows[at], p_holm=float(p))
    return adjusted
