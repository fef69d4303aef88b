"""From everything that was said about a pair to the one grade that is scored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from metrics._frames import as_lazy, require_columns
from metrics.errors import MetricsError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["good_pages", "one_grade"]

Lazy = nw.LazyFrame[Any]

_PAIR = ["query_id", "product_id"]


def _distinct(frame: Lazy, column: str) -> list[Any]:
    values = frame.select(column).unique().sort(column).collect(backend="pyarrow")
    return list(values[column].to_list())


def reduce_grades(
    judgments: Lazy, source: str | None, aggregate: Literal["median", "majority"] | None
) -> Lazy:
    """Reduce judgments to one grade a pair; see `one_grade`."""
    columns = require_columns(judgments, "judgments", [*_PAIR, "grade"])
    if "source" in columns:
        sources = _distinct(judgments, "source") if source is None else [source]
        if len(sources) > 1:
            raise MetricsError(
                f"the judgments have {len(sources)} sources ({', '.join(map(str, sources))}): "
                "say which one to score with",
                setting="source",
            )
        if source is not None:
            judgments = judgments.filter(nw.col("source") == source)
            if judgments.select("query_id").head(1).collect(backend="pyarrow").is_empty():
                raise MetricsError(f"no judgment has source {source!r}")
    elif source is not None:
        raise MetricsError(
            f"source {source!r} is asked for, but the judgments have no source column"
        )
    pairs = judgments.select(*_PAIR, "grade")
    if aggregate is None:
        if {"source", "annotator"} & set(columns):
            _refuse_several_grades(pairs)
        return pairs
    grades = pairs.group_by(*_PAIR)
    if aggregate == "median":
        if not pairs.collect_schema()["grade"].is_numeric():
            raise MetricsError("the median needs numeric grades; text labels can use majority")
        return grades.agg(nw.col("grade").cast(nw.Float64).median())
    votes = pairs.group_by(*_PAIR, "grade").agg(votes=nw.len())
    most = nw.col("votes").max().over(*_PAIR)
    winners = votes.with_columns(most=most).filter(nw.col("votes") == nw.col("most"))
    return winners.group_by(*_PAIR).agg(nw.col("grade").min())


def _refuse_several_grades(pairs: Lazy) -> None:
    counts = pairs.group_by(*_PAIR).agg(grades=nw.len()).filter(nw.col("grades") > 1)
    rows = counts.sort(*_PAIR).head(1).collect(backend="pyarrow").rows(named=True)
    if rows:
        row = rows[0]
        raise MetricsError(
            f"query {row['query_id']!r}, product {row['product_id']!r} has {row['grades']} grades: "
            "say how several annotators' grades become one (median or majority)",
            setting="aggregate",
        )


def one_grade(
    judgments: Any,
    *,
    source: str | None = None,
    aggregate: Literal["median", "majority"] | None = None,
) -> Any:
    """Reduce judgments of several sources and annotators to one grade a pair.

    Args:
        judgments: frame with `query_id, product_id, grade` and optionally `source, annotator`.
        source: the source to score with; needed when there are several.
        aggregate: how several annotators' grades become one: `median`, or `majority` (of equally
            frequent grades the lowest, so that a tie never makes a product good).

    Returns:
        `query_id, product_id, grade` as a frame of the same kind.

    Raises:
        MetricsError: several sources and none chosen, an unknown source, a pair with several
            grades and no `aggregate`, or a median of labels.

    >>> import pandas as pd
    >>> votes = pd.DataFrame({"query_id": ["q"] * 3, "product_id": ["p"] * 3,
    ...                       "annotator": ["x", "y", "z"], "grade": [0, 2, 2]})
    >>> one_grade(votes, aggregate="majority")["grade"].tolist()
    [2]
    """
    if aggregate not in (None, "median", "majority"):
        raise MetricsError(f"aggregate must be median or majority, not {aggregate!r}")
    lazy, frames = as_lazy(judgments, "judgments")
    return frames.give_back(reduce_grades(lazy, source, aggregate))


def good_pages(page_grades: Lazy, systems: Sequence[str]) -> dict[str, Lazy]:
    """Say of every query's result page whether people found it good enough.

    A page counts as good when more than half of its annotators called it good or mid.

    Args:
        page_grades: lazy Narwhals frame with `query_id, system, page_grade` (`good`, `mid` or
            `bad`), one row an annotator.
        systems: systems to look up.

    Returns:
        Per system a lazy Narwhals frame `query_id, page_good` (1.0 or 0.0).

    Raises:
        MetricsError: a column or a system is missing, or another word than good, mid, bad.
    """
    lazy = page_grades
    require_columns(lazy, "page grades", ["query_id", "system", "page_grade"])
    words = _distinct(lazy, "page_grade")
    strange = [word for word in words if word not in ("good", "mid", "bad")]
    if strange:
        raise MetricsError(f"a page grade is good, mid or bad, not {strange[0]!r}")
    there = _distinct(lazy, "system")
    missing = [system for system in systems if system not in there]
    if missing:
        raise MetricsError(
            f"no page grade is of system {missing[0]!r}; there are: {', '.join(map(str, there))}"
        )
    fine = nw.when(nw.col("page_grade") != "bad").then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    share = lazy.with_columns(fine=fine).group_by("query_id", "system").agg(nw.col("fine").mean())
    verdict = nw.when(nw.col("fine") > 0.5).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    return {
        system: share.filter(nw.col("system") == system).select(
            nw.col("query_id").cast(nw.String), page_good=verdict
        )
        for system in systems
    }
