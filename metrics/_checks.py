"""What frames must be before they are scored: nothing is dropped, cast or deduplicated silently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from metrics.errors import MetricsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["check_grades", "check_judgments", "check_run"]

Lazy = nw.LazyFrame[Any]


def _first(frame: Lazy) -> dict[str, Any] | None:
    rows = frame.head(1).collect(backend="pyarrow").rows(named=True)
    return rows[0] if rows else None


def _check_ids(frame: Lazy, name: str) -> None:
    for column in ("query_id", "product_id"):
        text = nw.col(column).cast(nw.String)
        if _first(frame.filter(text.is_null() | (text == "")).select(column)) is not None:
            raise MetricsError(f"{name} holds an empty {column}")


def _check_numbers(frame: Lazy, name: str, column: str) -> None:
    number = nw.col(column).cast(nw.Float64)
    wrong = frame.filter(number.is_null() | ~number.is_finite())
    row = _first(wrong.select("query_id", "product_id", column))
    if row is not None:
        raise MetricsError(
            f"{name}: the {column} of query {row['query_id']!r}, product {row['product_id']!r} "
            f"is no finite number: {row[column]!r}"
        )


def _check_repeats(frame: Lazy, name: str, keys: list[str], remedy: str) -> None:
    counts = frame.group_by(keys).agg(rows=nw.len()).filter(nw.col("rows") > 1)
    row = _first(counts)
    if row is not None:
        where = ", ".join(f"{key} {row[key]!r}" for key in keys)
        raise MetricsError(f"{name}: {where} stands {row['rows']} times; {remedy}")


def check_run(run: Lazy, name: str, order: str) -> None:
    """Refuse a run with empty ids, repeated products, or an order that does not order.

    Args:
        run: the run.
        name: what it is called in errors.
        order: the column that orders it, `score` or `rank`.

    Raises:
        MetricsError: naming the run, the query, the product and the remedy.
    """
    _check_ids(run, name)
    _check_numbers(run, name, order)
    _check_repeats(run, name, ["query_id", "product_id"], "keep one row a product")
    if order == "rank":
        row = _first(run.filter(nw.col("rank") < 1).select("query_id", "rank"))
        if row is not None:
            raise MetricsError(f"{name}: query {row['query_id']!r} has rank {row['rank']}, below 1")
        _check_repeats(run, name, ["query_id", "rank"], "give every product its own rank")


def check_judgments(judgments: Lazy, *, labels: bool) -> None:
    """Refuse judgments with empty ids, repeated pairs, or grades that are no finite numbers.

    Raises:
        MetricsError: naming the query, the product and the remedy.
    """
    _check_ids(judgments, "judgments")
    if labels:
        label = nw.col("grade").cast(nw.String)
        row = _first(judgments.filter(label.is_null() | (label == "")))
        if row is not None:
            raise MetricsError(
                f"judgments: query {row['query_id']!r}, product {row['product_id']!r} has no grade"
            )
    else:
        _check_numbers(judgments, "judgments", "grade")
    _check_repeats(
        judgments,
        "judgments",
        ["query_id", "product_id"],
        "reduce them to one grade a pair first (metrics.one_grade)",
    )


def check_grades(
    judgments: Lazy,
    good_labels: Sequence[str] | None,
    gains: Mapping[str, float] | None,
    *,
    labels: bool,
) -> None:
    """Refuse labels or gains that do not meet the grades that are there.

    Raises:
        MetricsError: a grade without a gain, or good labels of which none occurs.
    """
    if good_labels and not labels:
        raise MetricsError(
            f"good labels ({', '.join(good_labels)}) are for text grades, and these are numbers",
            setting="good",
        )
    there = judgments.select("grade").unique().sort("grade").collect(backend="pyarrow")["grade"]
    found = [grade for grade in there.to_list() if labels or grade >= 0]
    words = ", ".join(map(str, found))
    if gains:
        try:
            known: set[Any] = set(gains) if labels else {float(name) for name in gains}
        except ValueError as error:
            raise MetricsError(
                f"gains are given for {', '.join(gains)}, but the grades are numbers: {words}"
            ) from error
        missing = [grade for grade in found if grade not in known]
        if missing:
            raise MetricsError(
                f"grade {missing[0]!r} has no gain; judgments have: {words}; "
                f"gains are given for: {', '.join(gains)}"
            )
    if good_labels and labels and not set(good_labels) & set(found):
        raise MetricsError(
            f"none of the good labels ({', '.join(good_labels)}) occurs; judgments have: {words}"
        )
