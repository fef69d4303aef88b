"""Score runs, and compare a treatment with a control: figures, intervals, tests, warnings.

Queries are the sampling units and runs are paired by query. Nothing is rounded.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from metrics._checks import check_judgments, check_run
from metrics._frames import Frames, as_lazy, require_columns
from metrics._queries import QuerySet, RunTable, collect_queries, collect_run
from metrics.bounds import best_case, delta_range, shared_unjudged, tie_cases, verdict_range
from metrics.goodrate import Scoring, order_of, sum_run
from metrics.gsb import automatic_verdicts
from metrics.inference import (
    SAME,
    Interval,
    holm,
    mcnemar_mde,
    mcnemar_p,
    minimal_detectable_effect,
    paired_ratio_interval,
    ratio_interval,
    sign_test_p,
    tango_interval,
    trinomial_interval,
    wilson_interval,
)
from metrics.measures import MEASURES, Parts, judged_count, parts
from metrics.ranking import rank_products
from metrics.results import Compared, Comparison, Scored, Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import narwhals as nw
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Lazy = nw.LazyFrame[Any]

__all__ = ["compare_runs", "score_runs"]

DEFAULT_MEASURES = ("item_goodrate", "query_goodrate", "gsb", "ndcg")
DEFAULT_PRIMARY = ("item_goodrate", "query_goodrate")

_ITEMS_DIFFER = 0.02
_JUDGED_DIFFER = 0.05
_NAMED = 5


@dataclass(frozen=True)
class _Plan:
    """One evaluation, collected and ready to be computed."""

    scoring: Scoring
    queries: QuerySet
    frames: Frames
    measures: tuple[str, ...]
    gains_known: bool
    ci: Literal["default", "bootstrap"]
    seed: int
    settings: dict[str, Any]

    def cells(self) -> Iterator[tuple[dict[str, Any], Mask | slice]]:
        """Every segment with the queries in it, overall first."""
        yield {}, slice(None)
        for column, values in self.queries.segments.items():
            cells = np.array(values, dtype=object)
            for value in sorted(set(values), key=lambda value: (value is None, str(value))):
                yield {column: value}, np.array([cell == value for cell in cells])

    def figures(self) -> Iterator[tuple[str, int | None]]:
        """Every measure at every cutoff."""
        for name in self.measures:
            for n in self.scoring.cutoffs if MEASURES[name].has_cutoff else (None,):
                yield name, n

    def depth(self, cutoff: int | None) -> int:
        """The cutoff at which a figure's judged share is taken."""
        return self.scoring.cutoffs[0] if cutoff is None else cutoff


def compare_runs(
    control: Any,
    treatment: Any,
    judgments: Any,
    queries: Any = None,
    *,
    measures: Sequence[str] = DEFAULT_MEASURES,
    by: Sequence[str] = (),
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
        measures: of `item_goodrate, query_goodrate, gsb, ndcg, precision, recall, success, mrr,
            map, bpref, judged`.
        by: columns of `queries`; every value of each is a segment.
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
        ValueError: a column is missing, a value is refused, or settings contradict each other.

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
    lazy: dict[str, Lazy] = {}
    lazy["control"], frames = as_lazy(control, "control")
    lazy["treatment"], _ = as_lazy(treatment, "treatment")
    plan, graded = _plan(
        lazy, judgments, queries, frames, settings, measures, by, primary, ci, seed, check
    )
    wanted = frozenset(plan.measures)
    runs = {
        name: collect_run(sum_run(run, graded, settings, wanted, name), plan.queries)
        for name, run in lazy.items()
    }
    shared: dict[str, Array] | None = None
    if settings.unjudged == "bounds":
        places = [
            rank_products(run, order_of(run.collect_schema().names(), settings, name))
            for name, run in lazy.items()
        ]
        overlap = shared_unjudged(*places, graded, settings.cutoffs, mrr="mrr" in wanted)
        shared = collect_run(overlap, replace(plan.queries, columns={})).columns
    pair = _Pair(plan, runs["control"], runs["treatment"], shared)
    rows = _adjust(
        [
            pair.compare(name, cutoff, segment, mask)
            for segment, mask in plan.cells()
            for name, cutoff in plan.figures()
        ],
        plan,
    )
    return Comparison(
        settings=plan.settings,
        query_set=_describe_queries(plan, runs),
        warnings=[*_warn_pair(plan, runs), *_warn_runs(plan, runs)],
        runs=_describe_runs(plan, runs, lazy),
        rows=rows,
        per_query_columns=pair.per_query(),
        frames=plan.frames,
    )


def score_runs(
    runs: Mapping[str, Any],
    judgments: Any,
    queries: Any = None,
    *,
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
        ValueError: as `compare_runs`; also no run, or `gsb`, which needs two.

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q1", "q1"], "product_id": ["a", "b"], "rank": [1, 2]})
    >>> grades = pd.DataFrame({"query_id": ["q1"], "product_id": ["b"], "grade": [1]})
    >>> score_runs({"bm25": run}, grades, measures=["mrr"]).rows[0].value
    0.5
    """
    settings = Scoring(**scoring)
    if not runs:
        raise ValueError("there is no run to score")
    if "gsb" in measures:
        raise ValueError("gsb compares two runs: use compare_runs, or leave it out")
    lazy: dict[str, Lazy] = {}
    for name, run in runs.items():
        lazy[name], frames = as_lazy(run, name)
    plan, graded = _plan(
        lazy, judgments, queries, frames, settings, measures, by, (), ci, seed, check
    )
    tables = {
        name: collect_run(
            sum_run(run, graded, settings, frozenset(plan.measures), name), plan.queries
        )
        for name, run in lazy.items()
    }
    rows = [
        _score(plan, system, table, name, cutoff, segment, mask)
        for segment, mask in plan.cells()
        for name, cutoff in plan.figures()
        for system, table in tables.items()
    ]
    return Scores(
        settings=plan.settings,
        query_set=_describe_queries(plan, tables),
        warnings=_warn_runs(plan, tables),
        runs=_describe_runs(plan, tables, lazy),
        rows=rows,
        per_query_columns=_per_query_scores(plan, tables),
        frames=plan.frames,
    )


def _plan(
    runs: Mapping[str, Lazy],
    judgments: Any,
    queries: Any,
    frames: Frames,
    scoring: Scoring,
    measures: Sequence[str],
    by: Sequence[str],
    primary: Sequence[str] | None,
    ci: Literal["default", "bootstrap"],
    seed: int,
    check: bool,
) -> tuple[_Plan, Lazy]:
    unknown = [name for name in measures if name not in MEASURES]
    if unknown or not measures:
        raise ValueError(
            f"unknown measure {unknown[0]!r}; there are: {', '.join(MEASURES)}"
            if unknown
            else "no measure is asked for"
        )
    chosen = tuple(dict.fromkeys(measures))
    family = tuple(name for name in DEFAULT_PRIMARY if name in chosen)
    if primary is not None:
        family = tuple(primary)
        absent = [name for name in family if name not in chosen]
        if absent:
            raise ValueError(
                f"primary measure {absent[0]!r} is not among the measures: {', '.join(chosen)}"
            )
    if ci not in ("default", "bootstrap"):
        raise ValueError(f"ci must be default or bootstrap, not {ci!r}")
    lazy_judgments, _ = as_lazy(judgments, "judgments")
    require_columns(lazy_judgments, "judgments", ["query_id", "product_id", "grade"])
    labels = not lazy_judgments.collect_schema()["grade"].is_numeric()
    for name, run in runs.items():
        columns = require_columns(run, name, ["query_id", "product_id"])
        order = order_of(columns, scoring, name)
        if check:
            check_run(run, name, order)
    if check:
        check_judgments(lazy_judgments, labels=labels)
    graded = scoring.grade(lazy_judgments)
    lazy_queries = None if queries is None else as_lazy(queries, "queries")[0]
    query_table = collect_queries(graded, lazy_queries, scoring, frozenset(chosen), by)
    settings = {
        **asdict(scoring),
        "measures": list(chosen),
        "by": list(by),
        "primary": list(family),
        "ci": ci,
        "seed": seed,
        "weighted": query_table.weighted,
    }
    for name in ("cutoffs", "good_labels"):
        settings[name] = None if settings[name] is None else list(settings[name])
    gains_known = not labels or scoring.gains is not None
    plan = _Plan(scoring, query_table, frames, chosen, gains_known, ci, seed, settings)
    return plan, graded


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _ratio(case: Parts, mask: Mask | slice) -> float | None:
    total = case.den[mask].sum()
    return float(case.num[mask].sum() / total) if total > 0 else None


def _difference(treatment: float | None, control: float | None) -> float | None:
    return None if treatment is None or control is None else treatment - control


def _judged_share(plan: _Plan, table: RunTable, n: int, mask: Mask | slice) -> float | None:
    shown = table.columns[f"shown_{n}"][mask].sum()
    judged = judged_count(table.columns, n, plan.scoring)[mask].sum()
    return float(judged / shown) if shown > 0 else None


def _missing(plan: _Plan, name: str) -> str | None:
    """Why a measure has no value under these settings, or None."""
    measure = MEASURES[name]
    if measure.needs_gains and not plan.gains_known:
        return "the grades are text and no gains are given"
    if plan.scoring.ties == "expected" and not measure.has_ties:
        return "its expectation over tied orders is not offered"
    return None


class _Pair:
    """A control and a treatment, with what all rows of their comparison share."""

    def __init__(
        self,
        plan: _Plan,
        control: RunTable,
        treatment: RunTable,
        shared: dict[str, Array] | None,
    ) -> None:
        self.plan, self.control, self.treatment, self.shared = plan, control, treatment, shared
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
            "judged_control": _judged_share(plan, self.control, n, mask),
            "judged_treatment": _judged_share(plan, self.treatment, n, mask),
        }
        why = _missing(plan, name)
        if why is not None:
            nothing = dict.fromkeys(
                ("control", "treatment", "delta", "relative", "ci_low", "ci_high", "p", "mde")
            )
            return Compared(**row, **nothing, improved=0, same=0, worse=0, extra={"note": why})
        of_control, of_treatment = _ratio(control, mask), _ratio(treatment, mask)
        delta = _difference(of_treatment, of_control)
        notes = [] if delta is not None else ["no items are shown"]
        interval, p, mde = None, None, None
        if delta is not None:
            interval, p, mde = self._infer(name, cutoff, mask)
            if count < 2:
                notes.append("no interval: fewer than 2 queries")
        extra = self._ranges(name, n, mask, notes)
        if name == "gsb":
            extra = {**self._counts(n, mask), **extra}
            of_control = of_treatment = None
        if notes:
            extra["note"] = "; ".join(notes)
        return Compared(
            **row,
            control=_number(of_control),
            treatment=_number(of_treatment),
            delta=_number(delta),
            relative=_number(delta / of_control) if delta is not None and of_control else None,
            ci_low=_number(interval.low) if interval else None,
            ci_high=_number(interval.high) if interval else None,
            p=_number(p),
            improved=int((change > SAME).sum()),
            same=int((np.abs(change) <= SAME).sum()),
            worse=int((change < -SAME).sum()),
            mde=_number(mde),
            extra=extra,
        )

    def _infer(
        self, name: str, cutoff: int | None, mask: Mask | slice
    ) -> tuple[Interval | None, float | None, float | None]:
        from metrics.resampling import paired_bca_interval, swap_test

        plan = self.plan
        control, treatment = self.values(name, cutoff)
        columns = control.num[mask], control.den[mask], treatment.num[mask], treatment.den[mask]
        plain = not plan.queries.weighted and plan.scoring.ties != "expected"
        estimate = paired_ratio_interval(*columns)
        mde = minimal_detectable_effect(estimate.standard_error if estimate else None)
        interval = estimate.interval if estimate else None
        if plain and MEASURES[name].kind == "share":
            gained, lost = columns[2] > columns[0], columns[2] < columns[0]
            b, c, count = int(gained.sum()), int(lost.sum()), len(gained)
            mde = mcnemar_mde(b, c, count)
            if plan.ci == "default":
                return tango_interval(b, c, count) if count > 1 else None, mcnemar_p(b, c), mde
        if plain and name == "gsb":
            good, bad = int((columns[2] > 0).sum()), int((columns[2] < 0).sum())
            trinomial = trinomial_interval(good, len(columns[2]) - good - bad, bad)
            mde = minimal_detectable_effect(trinomial.standard_error if trinomial else None)
            if plan.ci == "default":
                return trinomial.interval if trinomial else None, sign_test_p(good, bad), mde
        if plan.ci == "bootstrap":
            return paired_bca_interval(*columns, seed=plan.seed), None, mde
        return interval, swap_test(*columns, seed=plan.seed), mde

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
            keys = [f"{end}_{of}" for of in ("control", "treatment", "delta") for end in _ENDS]
            if not MEASURES[name].has_bounds:
                notes.append("no bounds for unjudged products are offered")
                return dict.fromkeys(keys)
            return dict(zip(keys, self._unjudged_range(name, n, mask, notes), strict=True))
        if scoring.ties == "bounds" and name != "judged":
            keys = [f"ties_{end}_{of}" for of in ("control", "treatment", "delta") for end in _ENDS]
            if not MEASURES[name].has_ties:
                notes.append("no bounds over tied orders are offered")
                return dict.fromkeys(keys)
            return dict(zip(keys, self._tie_range(name, n, mask), strict=True))
        return {}

    def _unjudged_range(
        self, name: str, n: int, mask: Mask | slice, notes: list[str]
    ) -> list[float | None]:
        scoring, weights = self.plan.scoring, self.plan.queries.weights
        control, treatment, shared = self.control.columns, self.treatment.columns, self.shared or {}
        if scoring.ties == "expected":
            notes.append("no bounds of delta under expected ties")
        if name == "gsb":
            if scoring.ties == "expected":
                return [None] * 6
            low, high = verdict_range(control, treatment, shared, n, scoring.margin)
            total = weights[mask].sum()
            ends = [float((weights * end)[mask].sum() / total) for end in (low, high)]
            return [None, None, None, None, *ends]
        ranges: list[float | None] = []
        for columns in (control, treatment):
            case = parts(name, columns, weights, n, scoring)
            best = parts(name, best_case(columns, scoring.cutoffs), weights, n, scoring)
            ranges += [_ratio(case, mask), _ratio(best, mask)]
        if scoring.ties == "expected":
            return [*ranges, None, None]

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
        return [*ranges, *(_number(end) for end in ends)]

    def _tie_range(self, name: str, n: int, mask: Mask | slice) -> list[float | None]:
        worst_c, best_c = tie_cases(self.control.columns, self.plan.scoring.cutoffs)
        worst_t, best_t = tie_cases(self.treatment.columns, self.plan.scoring.cutoffs)
        low = self._compute(name, n, best_c, worst_t)
        high = self._compute(name, n, worst_c, best_t)
        values = [_ratio(case, mask) for case in (high[0], low[0], low[1], high[1])]
        ends = [
            _difference(_ratio(low[1], mask), _ratio(low[0], mask)),
            _difference(_ratio(high[1], mask), _ratio(high[0], mask)),
        ]
        return [None] * 4 + ends if name == "gsb" else [*values, *ends]

    def per_query(self) -> dict[str, Any]:
        """The values of every query, one row a query, measure and cutoff."""
        plan = self.plan
        blocks: list[dict[str, Any]] = []
        for name, cutoff in plan.figures():
            control, treatment = self.values(name, cutoff)
            known = _missing(plan, name) is None
            n = plan.depth(cutoff)
            blocks.append(
                {
                    "control": control.value if known and name != "gsb" else None,
                    "treatment": treatment.value if known and name != "gsb" else None,
                    "delta": treatment.value - control.value if known else None,
                    "judged_control": _judged_value(plan, self.control, n),
                    "judged_treatment": _judged_value(plan, self.treatment, n),
                }
            )
        return _long_table(plan, blocks)


_ENDS = ("lower", "upper")


def _judged_value(plan: _Plan, table: RunTable, n: int) -> Array:
    shown = table.columns[f"shown_{n}"]
    judged = judged_count(table.columns, n, plan.scoring)
    return np.divide(judged, shown, out=np.full_like(shown, np.nan), where=shown > 0)


def _long_table(
    plan: _Plan, blocks: list[dict[str, Any]], systems: Sequence[str] = ()
) -> dict[str, Any]:
    """Stack per-query blocks, one a figure (and system), under their names, as PyArrow columns."""
    import pyarrow as pa

    size, repeat = len(plan.queries), len(blocks)
    figures = [figure for figure in plan.figures() for _ in systems or (None,)]

    def stretch(values: list[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind).take(pa.array(np.repeat(np.arange(repeat), size)))

    def column(name: str) -> pa.Array:
        parts_ = [np.full(size, np.nan) if block[name] is None else block[name] for block in blocks]
        return pa.array(np.concatenate(parts_), pa.float64(), from_pandas=True)

    table: dict[str, Any] = {"query_id": pa.concat_arrays([plan.queries.ids] * repeat)}
    for name, values in plan.queries.segments.items():
        table[name] = pa.concat_arrays([pa.array(values)] * repeat)
    table["measure"] = stretch([name for name, _ in figures], pa.string())
    table["cutoff"] = stretch([cutoff for _, cutoff in figures], pa.int64())
    if systems:
        table["system"] = stretch(list(systems) * (repeat // len(systems)), pa.string())
    return {**table, **{name: column(name) for name in blocks[0]}}


def _score(
    plan: _Plan,
    system: str,
    table: RunTable,
    name: str,
    cutoff: int | None,
    segment: dict[str, Any],
    mask: Mask | slice,
) -> Scored:
    n, scoring, weights = plan.depth(cutoff), plan.scoring, plan.queries.weights
    why = _missing(plan, name)
    case = parts(name, table.columns, weights, n, scoring) if why is None else None
    value = _ratio(case, mask) if case is not None else None
    notes = [why] if why is not None else []
    interval = None
    extra: dict[str, Any] = {}
    count = len(weights[mask])
    if case is not None:
        if value is None:
            notes.append("no items are shown")
        elif count < 2:
            notes.append("no interval: fewer than 2 queries")
        else:
            interval = _single_interval(plan, name, case, mask)
        for kind, ends in _single_cases(plan, name, table, n, mask).items():
            extra[kind] = ends
    if notes:
        extra["note"] = "; ".join(notes)
    return Scored(
        system=system,
        measure=name,
        cutoff=cutoff,
        segment=segment,
        queries=count,
        value=_number(value),
        ci_low=_number(interval.low) if interval else None,
        ci_high=_number(interval.high) if interval else None,
        judged=_judged_share(plan, table, n, mask),
        extra=extra,
    )


def _single_interval(plan: _Plan, name: str, case: Parts, mask: Mask | slice) -> Interval | None:
    num, den = case.num[mask], case.den[mask]
    if plan.ci == "bootstrap":
        from metrics.resampling import bca_interval

        return bca_interval(num, den, seed=plan.seed)
    plain = not plan.queries.weighted and plan.scoring.ties != "expected"
    if plain and MEASURES[name].kind == "share":
        return wilson_interval(int(num.sum()), len(num))
    estimate = ratio_interval(num, den)
    return estimate.interval if estimate else None


def _single_cases(
    plan: _Plan, name: str, table: RunTable, n: int, mask: Mask | slice
) -> dict[str, float | None]:
    """Bounds of a single run for unjudged products, or over tied orders."""
    scoring, weights = plan.scoring, plan.queries.weights
    if name == "judged":
        return {}
    if scoring.unjudged == "bounds":
        if not MEASURES[name].has_bounds:
            return dict.fromkeys(_ENDS)
        cases: tuple[Mapping[str, Array], ...] = (
            table.columns,
            best_case(table.columns, scoring.cutoffs),
        )
        names = _ENDS
    elif scoring.ties == "bounds":
        names = ("ties_lower", "ties_upper")
        if not MEASURES[name].has_ties:
            return dict.fromkeys(names)
        cases = tie_cases(table.columns, scoring.cutoffs)
    else:
        return {}
    return {
        end: _ratio(parts(name, columns, weights, n, scoring), mask)
        for end, columns in zip(names, cases, strict=True)
    }


def _per_query_scores(plan: _Plan, tables: Mapping[str, RunTable]) -> dict[str, Any]:
    blocks = []
    for name, cutoff in plan.figures():
        for table in tables.values():
            n = plan.depth(cutoff)
            value = None
            if _missing(plan, name) is None:
                value = parts(name, table.columns, plan.queries.weights, n, plan.scoring).value
            blocks.append({"value": value, "judged": _judged_value(plan, table, n)})
    return _long_table(plan, blocks, list(tables))


def _adjust(rows: list[Compared], plan: _Plan) -> list[Compared]:
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


def _has_results(table: RunTable, scoring: Scoring) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = table.columns[f"shown_{max(scoring.cutoffs)}"] > 0
    return found


def _describe_queries(plan: _Plan, runs: Mapping[str, RunTable]) -> dict[str, Any]:
    found = {name: _has_results(table, plan.scoring) for name, table in runs.items()}
    described: dict[str, Any] = {
        "source": plan.queries.source,
        "size": len(plan.queries),
        "judged": int((plan.queries.columns["judged_products"] > 0).sum()),
    }
    if set(found) == {"control", "treatment"}:
        both = found["control"] & found["treatment"]
        described |= {f"in_{name}": int(inside.sum()) for name, inside in found.items()}
        return {**described, "in_both": int(both.sum())}
    return {**described, "in_runs": {name: int(inside.sum()) for name, inside in found.items()}}


def _describe_runs(
    plan: _Plan, runs: Mapping[str, RunTable], lazy: Mapping[str, Lazy]
) -> list[dict[str, Any]]:
    scoring = plan.scoring
    described = []
    for name, table in runs.items():
        shown = {n: float(table.columns[f"shown_{n}"].sum()) for n in scoring.cutoffs}
        fixed = replace(scoring, depth="fixed")
        cases = {
            n: parts("item_goodrate", table.columns, plan.queries.weights, n, fixed)
            for n in scoring.cutoffs
        }
        described.append(
            {
                "system": name,
                "order": order_of(lazy[name].collect_schema().names(), scoring, name),
                "items_shown": {str(n): int(count) for n, count in shown.items()},
                "queries_without_results": int((~_has_results(table, scoring)).sum()),
                "item_goodrate_fixed_depth": {
                    str(n): _ratio(case, slice(None)) for n, case in cases.items()
                },
                "tied_share": {
                    str(n): float(table.columns[f"tied_{n}"].sum() / shown[n]) if shown[n] else 0.0
                    for n in scoring.cutoffs
                },
                "queries_outside": len(table.outside),
            }
        )
    return described


def _warn_pair(plan: _Plan, runs: Mapping[str, RunTable]) -> list[str]:
    warnings = []
    for n in plan.scoring.cutoffs:
        shown = [float(table.columns[f"retrieved_{n}"].sum()) for table in runs.values()]
        if min(shown) == 0 and max(shown) > 0:
            warnings.append(f"@{n}: one run shows no items at all.")
        elif min(shown) > 0 and max(shown) / min(shown) - 1 > _ITEMS_DIFFER:
            warnings.append(
                f"@{n}: the treatment shows {shown[1]:,.0f} items, the control {shown[0]:,.0f} "
                f"({shown[1] / shown[0] - 1:+.1%}); Item Goodrate is over items shown, so look at "
                "Query Goodrate and at the fixed-depth figure (--depth fixed) as well."
            )
        judged = [_judged_share(plan, table, n, slice(None)) for table in runs.values()]
        if None not in judged and abs(judged[1] - judged[0]) > _JUDGED_DIFFER:  # type: ignore[operator]
            better = "treatment" if judged[1] > judged[0] else "control"  # type: ignore[operator]
            warnings.append(
                f"judged@{n} is {judged[0]:.1%} in the control and {judged[1]:.1%} in the "
                f"treatment: unjudged counts as bad, so the comparison leans toward the {better}."
            )
    return warnings


def _warn_runs(plan: _Plan, runs: Mapping[str, RunTable]) -> list[str]:
    warnings = []
    for name, table in runs.items():
        if table.outside:
            named = ", ".join(repr(query) for query in table.outside[:_NAMED])
            more = ", ..." if len(table.outside) > _NAMED else ""
            warnings.append(
                f"{name}: {len(table.outside):,} of its queries are not in the query set and are "
                f"left out: {named}{more}."
            )
        empty = ~_has_results(table, plan.scoring)
        if empty.any():
            ids = [plan.queries.ids[int(at)].as_py() for at in np.flatnonzero(empty)[:_NAMED]]
            more = ", ..." if empty.sum() > _NAMED else ""
            warnings.append(
                f"{name}: {int(empty.sum()):,} queries of the query set have no results: "
                f"{', '.join(map(repr, ids))}{more}."
            )
        for n in plan.scoring.cutoffs:
            shown, tied = table.columns[f"shown_{n}"].sum(), table.columns[f"tied_{n}"].sum()
            if tied > 0:
                warnings.append(
                    f"{name}: {tied / shown:.1%} of the rows in the top {n} are tied in score "
                    f"(--ties {plan.scoring.ties})."
                )
    unjudged = int((plan.queries.columns["judged_products"] == 0).sum())
    if unjudged:
        warnings.append(
            f"{unjudged:,} of {len(plan.queries):,} queries have no judgment and count as not good."
        )
    return warnings
