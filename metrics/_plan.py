"""One evaluation before anything is computed: what to score, over which queries, how."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw
import numpy as np

from metrics._checks import check_grades, check_judgments, check_run
from metrics._frames import Frames, as_lazy_together, require_columns
from metrics._queries import QuerySet, RunTable, align, collect_queries, collect_run, collect_table
from metrics.errors import MetricsError
from metrics.goodrate import Scoring, order_of
from metrics.judgments import good_pages
from metrics.measures import MEASURES, Parts, judged_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from metrics.ranking import Order

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Lazy = nw.LazyFrame[Any]

__all__ = [
    "ENDS",
    "Plan",
    "difference",
    "judged_share",
    "judged_value",
    "long_table",
    "make_plan",
    "number",
    "plain_segment",
    "ratio",
    "segment_order",
    "why_missing",
]

DEFAULT_PRIMARY = ("item_goodrate", "query_goodrate")
ENDS = ("lower", "upper")


@dataclass(frozen=True)
class Plan:
    """One evaluation, collected and ready to be computed."""

    scoring: Scoring
    queries: QuerySet
    frames: Frames
    measures: tuple[str, ...]
    gains_known: bool
    ci: Literal["default", "bootstrap"]
    seed: int
    settings: dict[str, Any]
    orders: Mapping[str, Order]
    lists: Mapping[str, Lazy]
    graded: Lazy
    from_pages: bool

    def families(self, mask: Mask | slice) -> int | None:
        """How many families the queries are in; None where each is for itself."""
        clusters = self.queries.clusters
        return None if clusters is None else len(np.unique(clusters[mask]))

    def cells(self) -> Iterator[tuple[dict[str, Any], Mask | slice]]:
        """Every segment with the queries in it, overall first."""
        yield {}, slice(None)
        for column, values in self.queries.segments.items():
            cells = np.array(values, dtype=object)
            for value in sorted(set(values), key=segment_order):
                yield {column: plain_segment(value)}, np.array([cell == value for cell in cells])

    def figures(self) -> Iterator[tuple[str, int | None]]:
        """Every measure at every cutoff."""
        for name in self.measures:
            paged = name == "query_goodrate" and self.from_pages
            whole = paged or not MEASURES[name].has_cutoff
            for n in (None,) if whole else self.scoring.cutoffs:
                yield name, n

    def depth(self, cutoff: int | None) -> int:
        """The cutoff at which a figure's judged share is taken."""
        return self.scoring.cutoffs[0] if cutoff is None else cutoff


def segment_order(value: Any) -> tuple[bool, bool, Any]:
    """Numbers by size, then everything else as text, then what is missing."""
    number_ = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None, not number_, value if number_ else str(value)


def plain_segment(value: Any) -> Any:
    """A segment's value as JSON can hold it: dates as ISO text, decimals as floats."""
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def make_plan(
    runs: Mapping[str, Any],
    judgments: Any,
    queries: Any,
    page_grades: Any,
    scoring: Scoring,
    measures: Sequence[str],
    by: Sequence[str],
    primary: Sequence[str] | None,
    ci: Literal["default", "bootstrap"],
    seed: int,
    check: bool,
    cluster: str | None = None,
) -> tuple[Plan, dict[str, RunTable]]:
    """Check what was passed in, and collect the query set and every run's per-query sums.

    Raises:
        MetricsError: frames or settings that cannot be scored.
    """
    unknown = [name for name in measures if name not in MEASURES]
    if unknown or not measures:
        raise MetricsError(
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
            raise MetricsError(
                f"primary measure {absent[0]!r} is not among the measures: {', '.join(chosen)}"
            )
    if ci not in ("default", "bootstrap"):
        raise MetricsError(f"ci must be default or bootstrap, not {ci!r}")
    if cluster is not None and page_grades is not None:
        raise MetricsError("page grades are not offered with families of queries; leave out one")
    others = {"judgments": judgments, "queries": queries, "page grades": page_grades}
    if seed < 0:
        raise MetricsError(f"seed must be 0 or more, not {seed}")
    clash = [name for name in runs if name in others]
    if clash:
        raise MetricsError(f"a run cannot be called {clash[0]!r}")
    given = {
        name: frame for name, frame in others.items() if frame is not None or name == "judgments"
    }
    lazy, frames = as_lazy_together({**runs, **given})
    lazy_judgments = lazy["judgments"]
    require_columns(lazy_judgments, "judgments", ["query_id", "product_id", "grade"])
    labels = not lazy_judgments.collect_schema()["grade"].is_numeric()
    orders: dict[str, Order] = {}
    for name in runs:
        columns = require_columns(lazy[name], name, ["query_id", "product_id"])
        orders[name] = order_of(columns, scoring, name)
        if check:
            check_run(lazy[name], name, orders[name])
    if check:
        check_judgments(lazy_judgments, labels=labels)
    if labels or scoring.gains or scoring.good_labels:
        check_grades(lazy_judgments, scoring.good_labels, scoring.gains, labels=labels)
    graded = scoring.grade(lazy_judgments)
    wanted = frozenset(chosen)
    query_table = collect_queries(graded, lazy.get("queries"), scoring, wanted, by, cluster)
    settings = {
        **asdict(scoring),
        "measures": list(chosen),
        "by": list(by),
        "primary": list(family),
        "ci": ci,
        "seed": seed,
        "weighted": query_table.weighted,
        "query_goodrate_from": "items" if page_grades is None else "page grades",
    }
    if cluster is not None:
        settings["cluster"] = cluster
    for name in ("cutoffs", "good_labels"):
        settings[name] = None if settings[name] is None else list(settings[name])
    gains_known = not labels or scoring.gains is not None
    plan = Plan(
        scoring=scoring,
        queries=query_table,
        frames=frames,
        measures=chosen,
        gains_known=gains_known,
        ci=ci,
        seed=seed,
        settings=settings,
        orders=orders,
        lists={name: lazy[name] for name in runs},
        graded=graded,
        from_pages=page_grades is not None,
    )
    tables = {
        name: collect_run(lazy[name], graded, query_table, scoring, wanted, name) for name in runs
    }
    if page_grades is not None:
        add_page_grades(tables, good_pages(lazy["page grades"], list(runs)), query_table)
    return plan, tables


def add_page_grades(
    tables: Mapping[str, RunTable], pages: Mapping[str, Lazy], queries: QuerySet
) -> None:
    """Put `page_good` and `page_graded` beside each run's sums.

    A query counts only where the pages of all runs were graded, so that runs stay paired.
    """
    alone = replace(queries, columns={})
    found = {
        name: align(collect_table(frame.with_columns(page_graded=nw.lit(1.0))), alone).columns
        for name, frame in pages.items()
    }
    graded = np.prod([columns["page_graded"] for columns in found.values()], axis=0)
    for name, table in tables.items():
        table.columns["page_good"] = found[name]["page_good"] * graded
        table.columns["page_graded"] = graded


def number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def ratio(case: Parts, mask: Mask | slice) -> float | None:
    total = case.den[mask].sum()
    return float(case.num[mask].sum() / total) if total > 0 else None


def difference(treatment: float | None, control: float | None) -> float | None:
    return None if treatment is None or control is None else treatment - control


def judged_share(plan: Plan, table: RunTable, n: int, mask: Mask | slice) -> float | None:
    shown = table.columns[f"shown_{n}"][mask].sum()
    judged = judged_count(table.columns, n, plan.scoring)[mask].sum()
    return float(judged / shown) if shown > 0 else None


def why_missing(plan: Plan, name: str) -> str | None:
    """Why a measure has no value under these settings, or None."""
    measure = MEASURES[name]
    if measure.needs_gains and not plan.gains_known:
        return "the grades are text and no gains are given"
    if plan.scoring.ties == "expected" and not measure.has_ties:
        return "its expectation over tied orders is not offered"
    return None


def judged_value(plan: Plan, table: RunTable, n: int) -> Array:
    shown = table.columns[f"shown_{n}"]
    judged = judged_count(table.columns, n, plan.scoring)
    return np.divide(judged, shown, out=np.full_like(shown, np.nan), where=shown > 0)


def long_table(
    plan: Plan, blocks: list[dict[str, Any]], systems: Sequence[str] = ()
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
