"""Score single runs: absolute values with intervals, no comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from metrics._describe import describe_queries, describe_runs, warn_runs
from metrics._plan import (
    ENDS,
    judged_share,
    judged_value,
    long_table,
    make_plan,
    number,
    ratio,
    why_missing,
)
from metrics.bounds import best_case, tie_cases
from metrics.errors import MetricsError
from metrics.goodrate import Scoring
from metrics.inference import Interval, ratio_interval
from metrics.measures import MEASURES, Parts, parts
from metrics.proportions import wilson_interval
from metrics.results import Scored, Scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import narwhals as nw
    import numpy as np
    from numpy.typing import NDArray

    from metrics._plan import Plan
    from metrics._queries import RunTable

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Lazy = nw.LazyFrame[Any]

__all__ = ["score_runs"]


def score_runs(
    runs: Mapping[str, Any],
    judgments: Any,
    queries: Any = None,
    *,
    page_grades: Any = None,
    measures: Sequence[str] = ("item_goodrate", "query_goodrate", "ndcg"),
    by: Sequence[str] = (),
    ci: Literal["default", "bootstrap"] = "default",
    seed: int = 0,
    check: bool = True,
    **scoring: Any,
) -> Scores:
    """Score single runs: absolute values with intervals, no comparison.

    Args:
        runs: frame per system name, each with `query_id, product_id` and `rank` or `score`.
        judgments: as in `compare_runs`.
        queries: as in `compare_runs`.
        page_grades: as in `compare_runs`; systems are the names of the runs.
        measures: as in `compare_runs`, without `gsb`.
        by: as in `compare_runs`.
        ci: as in `compare_runs`.
        seed: of the bootstrap.
        check: as in `compare_runs`.
        **scoring: fields of `Scoring`.

    Returns:
        The scores: `.table`, `.per_query`, `.settings`, `.to_json()`.

    Raises:
        TypeError: an argument is not a frame, or an unknown setting.
        MetricsError: as `compare_runs`; also no run, or `gsb`, which needs two.

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q1", "q1"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame({"query_id": ["q1"], "product_id": ["b"], "grade": [1]})
    >>> score_runs({"bm25": run}, grades, measures=["mrr"]).rows[0].value
    0.5
    """
    settings = Scoring(**scoring)
    if not runs:
        raise MetricsError("there is no run to score")
    if "gsb" in measures:
        raise MetricsError("gsb compares a control with a treatment; single runs have none")
    plan, tables = make_plan(
        runs, judgments, queries, page_grades, settings, measures, by, (), ci, seed, check
    )
    rows = [
        _score(plan, system, table, name, cutoff, segment, mask)
        for segment, mask in plan.cells()
        for name, cutoff in plan.figures()
        for system, table in tables.items()
    ]
    return Scores(
        settings=plan.settings,
        query_set=describe_queries(plan, tables),
        warnings=warn_runs(plan, tables),
        runs=describe_runs(plan, tables),
        rows=rows,
        per_query_columns=_per_query_scores(plan, tables),
        frames=plan.frames,
    )


def _score(
    plan: Plan,
    system: str,
    table: RunTable,
    name: str,
    cutoff: int | None,
    segment: dict[str, Any],
    mask: Mask | slice,
) -> Scored:
    n, scoring, weights = plan.depth(cutoff), plan.scoring, plan.queries.weights
    why = why_missing(plan, name)
    case = parts(name, table.columns, weights, n, scoring) if why is None else None
    value = ratio(case, mask) if case is not None else None
    notes = [why] if why is not None else []
    interval = None
    extra: dict[str, Any] = {}
    count = len(weights[mask])
    if case is not None:
        units = count
        if name == "query_goodrate" and "page_graded" in table.columns:
            units = int((case.den[mask] > 0).sum())
            notes.append(f"from people's page grades of {units:,} queries")
        if value is None:
            notes.append("nothing is shown")
        elif units < 2:
            notes.append("no interval: fewer than 2 queries")
        else:
            interval = _single_interval(plan, name, case, mask)
        extra.update(_single_cases(plan, name, table, n, mask))
    if notes:
        extra["note"] = "; ".join(notes)
    return Scored(
        system=system,
        measure=name,
        cutoff=cutoff,
        segment=segment,
        queries=count,
        value=number(value),
        ci_low=number(interval.low) if interval else None,
        ci_high=number(interval.high) if interval else None,
        judged=judged_share(plan, table, n, mask),
        extra=extra,
    )


def _single_interval(plan: Plan, name: str, case: Parts, mask: Mask | slice) -> Interval | None:
    num, den = case.num[mask], case.den[mask]
    if plan.ci == "bootstrap":
        from metrics.resampling import bca_interval

        return bca_interval(num, den, seed=plan.seed)
    plain = not plan.queries.weighted and plan.scoring.ties != "expected"
    if plain and MEASURES[name].kind == "share":
        return wilson_interval(int(num.sum()), int((den > 0).sum()))
    estimate = ratio_interval(num, den)
    return estimate.interval if estimate else None


def _single_cases(
    plan: Plan, name: str, table: RunTable, n: int, mask: Mask | slice
) -> dict[str, float | None]:
    """Bounds of a single run for unjudged products, or over tied orders."""
    scoring, weights = plan.scoring, plan.queries.weights
    if name == "judged":
        return {}
    if scoring.unjudged == "bounds":
        if not MEASURES[name].has_bounds:
            return dict.fromkeys(ENDS)
        cases: tuple[Mapping[str, Array], ...] = (
            table.columns,
            best_case(table.columns, scoring.cutoffs),
        )
        names = ENDS
    elif scoring.ties == "bounds":
        names = ("ties_lower", "ties_upper")
        if not MEASURES[name].has_ties:
            return dict.fromkeys(names)
        cases = tie_cases(table.columns, scoring.cutoffs)
    else:
        return {}
    return {
        end: ratio(parts(name, columns, weights, n, scoring), mask)
        for end, columns in zip(names, cases, strict=True)
    }


def _per_query_scores(plan: Plan, tables: Mapping[str, RunTable]) -> dict[str, Any]:
    """The values of every query and their weights: a run's figure is Σ weight·value / Σ weight."""
    blocks = []
    for name, cutoff in plan.figures():
        for table in tables.values():
            n = plan.depth(cutoff)
            case = None
            if why_missing(plan, name) is None:
                case = parts(name, table.columns, plan.queries.weights, n, plan.scoring)
            blocks.append(
                {
                    "value": case.value if case else None,
                    "weight": case.den if case else None,
                    "judged": judged_value(plan, table, n),
                }
            )
    return long_table(plan, blocks, list(tables))
