"""Item Goodrate and Query Goodrate@N, and the per-query table that all measures share.

One table per run, a row for every query of the query set, holds the counts and sums from which
every measure, segment, interval and test is computed. It is made of expressions only, so it
stays where the caller's frame lives until the caller collects it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from metrics._frames import as_lazy_together, require_columns
from metrics.errors import MetricsError
from metrics.ranking import Order, grade_pairs, ideal_dcg, rank_products, sum_lists
from metrics.ties import tie_groups, tied_dcg

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Scoring", "per_query", "ranked_lists"]

Lazy = nw.LazyFrame[Any]


@dataclass(frozen=True)
class Scoring:
    """How a run is scored; every result carries the one it was computed with.

    Attributes:
        cutoffs: depths N, positive and distinct.
        good: smallest grade that is good.
        good_labels: labels that are good, for text grades.
        gains: gain per label for nDCG, for text grades.
        order: `score`, `rank`, or None: `rank` where the run has a rank column.
        ties: order of equal scores: `id` (product id descending), `expected` or `bounds`.
        unjudged: `bad`, `drop` (condensed lists) or `bounds` (range over all assignments).
        average: Item Goodrate `pooled` over items, or the mean over queries with results.
        depth: Item Goodrate's denominator: items `shown`, or `fixed` N per query.
        min_good: good items a query needs to count as good in Query Goodrate.
        margin: automatic GSB calls a query Good when it gained more good items than this.
    """

    cutoffs: tuple[int, ...] = (10,)
    good: float = 1.0
    good_labels: tuple[str, ...] | None = None
    gains: Mapping[str, float] | None = None
    order: Order | None = None
    ties: Literal["id", "expected", "bounds"] = "id"
    unjudged: Literal["bad", "drop", "bounds"] = "bad"
    average: Literal["pooled", "query"] = "pooled"
    depth: Literal["shown", "fixed"] = "shown"
    min_good: int = 1
    margin: float = 0.0

    def __post_init__(self) -> None:
        choices = {
            "order": (None, "score", "rank"),
            "ties": ("id", "expected", "bounds"),
            "unjudged": ("bad", "drop", "bounds"),
            "average": ("pooled", "query"),
            "depth": ("shown", "fixed"),
        }
        for name, allowed in choices.items():
            value = getattr(self, name)
            if value not in allowed:
                words = ", ".join(str(word) for word in allowed if word)
                raise MetricsError(f"{name} must be one of {words}, not {value!r}")
        if not self.cutoffs or any(int(n) != n or n < 1 for n in self.cutoffs):
            raise MetricsError(f"cutoffs must be whole numbers from 1, not {list(self.cutoffs)}")
        if len(set(self.cutoffs)) < len(self.cutoffs):
            raise MetricsError(f"a cutoff is given twice: {list(self.cutoffs)}")
        if not math.isfinite(self.good):
            raise MetricsError(f"good must be a finite number, not {self.good}")
        for label, gain in (self.gains or {}).items():
            if not label or not math.isfinite(gain) or gain < 0:
                raise MetricsError(
                    f"the gain of grade {label!r} must be a finite number from 0, not {gain}"
                )
        if self.min_good < 1:
            raise MetricsError(f"min_good must be 1 or more, not {self.min_good}")
        if not (self.margin >= 0 and math.isfinite(self.margin)):
            raise MetricsError(f"margin must be 0 or more, not {self.margin}")
        if self.unjudged == "drop" and self.ties != "id":
            raise MetricsError(
                f"unjudged='drop' needs ties='id', not {self.ties!r}: which unjudged products are "
                "removed does not depend on tied scores, but the ranks that close do"
            )
        if self.unjudged == "bounds" and self.ties == "bounds":
            raise MetricsError("unjudged='bounds' and ties='bounds' cannot be combined; choose one")

    def grade(self, judgments: Lazy) -> Lazy:
        """Say of every judged pair whether it is good and what it gains; see `grade_pairs`."""
        return grade_pairs(
            judgments, good=self.good, good_labels=self.good_labels, gains=self.gains
        )


def order_of(columns: list[str], scoring: Scoring, name: str) -> Order:
    """Decide how a run is ordered.

    Raises:
        MetricsError: the run has neither the column that was asked for nor any other.
    """
    if scoring.order is not None:
        if scoring.order not in columns:
            raise MetricsError(
                f"order={scoring.order!r} needs a {scoring.order} column in {name}; "
                f"it has: {', '.join(columns)}"
            )
        return scoring.order
    if "rank" in columns:
        return "rank"
    if "score" in columns:
        return "score"
    raise MetricsError(
        f"{name} has neither a rank nor a score column; it has: {', '.join(columns)}"
    )


def query_set(graded: Lazy, queries: Lazy | None) -> Lazy:
    """Return the queries under evaluation: those of `queries`, else those with a judgment."""
    if queries is None:
        return graded.select("query_id").unique()
    columns = require_columns(queries, "queries", ["query_id"])
    return queries.select(
        nw.col("query_id").cast(nw.String), *[name for name in columns if name != "query_id"]
    )


def sum_judgments(graded: Lazy, cutoffs: tuple[int, ...], measures: frozenset[str]) -> Lazy:
    """Sum up the judgments of every judged query, whatever any run retrieved.

    Returns:
        `query_id`, `judged_products`, `relevant` (good ones among them) and, for nDCG,
        `ideal_dcg_N` (null for a query without any gain).
    """
    sums = graded.group_by("query_id").agg(
        judged_products=nw.col("judged").sum(), relevant=nw.col("good").sum()
    )
    if "ndcg" not in measures:
        return sums
    return sums.join(ideal_dcg(graded, cutoffs), on="query_id", how="left")


def sum_run(
    run: Lazy, graded: Lazy, scoring: Scoring, measures: frozenset[str], name: str = "run"
) -> Lazy:
    """Sum up every query's list in one run; see `per_query` for the columns.

    Raises:
        MetricsError: a column is missing.
    """
    columns = require_columns(run, name, ["query_id", "product_id"])
    order = order_of(columns, scoring, name)
    ranked = rank_products(run, order, ties=True)
    lists = sum_lists(
        ranked,
        graded,
        scoring.cutoffs,
        condensed=scoring.unjudged == "drop",
        graded_gains="ndcg" in measures,
        whole_lists="mrr" in measures,
        order_counts=bool(measures & {"map", "bpref"}),
        first_unjudged=scoring.unjudged == "bounds",
    )
    if scoring.unjudged != "drop":
        lists = lists.with_columns(
            **{f"retrieved_{n}": nw.col(f"shown_{n}") for n in scoring.cutoffs}
        )
    if scoring.ties == "id" or order == "rank":
        return lists
    lists = lists.join(tie_groups(ranked, graded, scoring.cutoffs), on="query_id", how="left")
    if "ndcg" in measures:
        lists = lists.join(tied_dcg(ranked, graded, scoring.cutoffs), on="query_id", how="left")
    return lists


def per_query(
    run: Any,
    judgments: Any,
    queries: Any = None,
    *,
    measures: tuple[str, ...] = ("item_goodrate", "query_goodrate"),
    **scoring: Any,
) -> Any:
    """Count, for every query of the query set, what a run retrieved and how good it was.

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        queries: frame with `query_id`; its other columns are kept. Without it the query set is
            the queries with at least one judgment.
        measures: names of measures whose sums the table must hold.
        **scoring: fields of `Scoring`, such as `cutoffs=(5, 10)` or `good=2`.

    Returns:
        A frame of the same kind as `run`, lazy for lazy: one row a query with, per cutoff N,
        `retrieved_N`, `good_N` (d_q and g_q), `shown_N`, `judged_N`, `tied_N` of the uncondensed
        list, and the sums of the measures asked for. All counts are floats.

    Raises:
        MetricsError: a column is missing, or the settings contradict each other.

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q1"] * 3, "product_id": list("abc"), "rank": [1, 2, 3]})
    >>> grades = pd.DataFrame({"query_id": ["q1", "q1"], "product_id": ["a", "b"], "grade": [1, 0]})
    >>> per_query(run, grades, cutoffs=(2,))[["query_id", "retrieved_2", "good_2", "judged_2"]]
      query_id  retrieved_2  good_2  judged_2
    0       q1          2.0     1.0       2.0
    """
    settings, wanted = Scoring(**scoring), frozenset(measures)
    given = {"run": run, "judgments": judgments}
    if queries is not None:
        given["queries"] = queries
    lazy, frames = as_lazy_together(given)
    graded = settings.grade(lazy["judgments"])
    table = query_set(graded, lazy.get("queries"))
    kept = set(table.collect_schema().names()) | {"first_good", "first_unjudged"}
    table = table.join(
        sum_judgments(graded, settings.cutoffs, wanted), on="query_id", how="left"
    ).join(sum_run(lazy["run"], graded, settings, wanted), on="query_id", how="left")
    counts = [column for column in table.collect_schema().names() if column not in kept]
    return frames.give_back(table.with_columns(nw.col(*counts).fill_null(0.0)))


def ranked_lists(run: Any, judgments: Any, scoring: Scoring, *, depth: int) -> Any:
    """Show the top of every list as it is scored, with the grades.

    Args:
        run: frame with `query_id, product_id` and `rank` or `score`.
        judgments: frame with `query_id, product_id, grade`, one row a pair.
        scoring: how the run is scored.
        depth: items a query.

    Returns:
        `query_id, product_id, rank, grade, good` as a frame of the same kind: `rank` counts from
        1 in scoring order, `good` is true or false, and null for an unjudged product.

    Raises:
        MetricsError: a column is missing.

    >>> import pandas as pd
    >>> run = pd.DataFrame({"query_id": ["q1"] * 2, "product_id": ["a", "b"], "score": [1.0, 2.0]})
    >>> grades = pd.DataFrame({"query_id": ["q1"], "product_id": ["b"], "grade": [0]})
    >>> ranked_lists(run, grades, Scoring(), depth=1).to_dict("records")
    [{'query_id': 'q1', 'product_id': 'b', 'grade': 0, 'rank': 1, 'good': False}]
    """
    lazy, frames = as_lazy_together({"run": run, "judgments": judgments})
    columns = require_columns(lazy["run"], "run", ["query_id", "product_id"])
    order, grades = order_of(columns, scoring, "run"), lazy["judgments"]
    keys = [nw.col("query_id").cast(nw.String), nw.col("product_id").cast(nw.String)]
    listed = rank_products(lazy["run"], order).filter(nw.col("position") <= depth)
    listed = listed.join(
        grades.select(*keys, "grade"), on=["query_id", "product_id"], how="left"
    ).join(scoring.grade(grades), on=["query_id", "product_id"], how="left")
    good = nw.when(nw.col("judged") > 0).then(nw.col("good") > 0)
    return frames.give_back(
        listed.select(
            "query_id",
            "product_id",
            "grade",
            rank=nw.col("position").cast(nw.Int64),
            good=good,
        )
    )
