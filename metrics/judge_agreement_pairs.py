"""The pairs that a judge and people both graded: verdicts, segments, which grades meet and part.

One table holds them; the figures over it are those of :mod:`metrics.judge_agreement`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metrics._checks import check_judgments
from metrics._frames import require_columns
from metrics._human_grades import fitting
from metrics._plan import plain_segment, segment_order
from metrics._queries import collect_queries, collect_table
from metrics.errors import MetricsError
from metrics.judge_agreement_results import JudgeDiffers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from metrics.goodrate import Scoring

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Lazy = nw.LazyFrame[Any]

__all__ = ["crossed", "differences", "numbers", "on_one_scale", "segments_of", "shared_pairs"]

_KEYS = ["query_id", "product_id"]
_GRADES = ("judge_grade", "human_grade")


def shared_pairs(
    frames: Mapping[str, Lazy],
    scoring: Scoring,
    judge_good: float | None,
    by: Sequence[str],
    check: bool,
) -> tuple[pa.Table, dict[str, int], dict[str, list[Any]]]:
    """Pairs that both graded, what was left out, and the segments of the queries.

    Args:
        frames: `judge's grades`, `human grades`, and `queries` where there are some.
        scoring: which grades are good.
        judge_good: smallest grade of the judge that is good, where its scale is another one.
        by: columns of the queries that are segments.
        check: look for what judgments may not have.

    Returns:
        `query_id, product_id, judge, human` (1 good, 0 not), `judge_grade, human_grade,
        probability, query` (place of the query), sorted by the ids; the counts; per segment column
        the value of every query by its place.

    Raises:
        MetricsError: frames that are refused, segments without queries, or no pair in common.
    """
    queries = frames.get("queries")
    judged = _verdicts(frames, "judge's grades", scoring, judge_good, check)
    truth = _verdicts(frames, "human grades", scoring, None, check)
    one = judged.rename({"good": "judge", "grade": "judge_grade"})
    other = truth.drop("probability").rename({"good": "human", "grade": "human_grade"})
    table = collect_table(one.join(other, on=_KEYS).sort(*_KEYS))
    sizes = [len(collect_table(frame.select(*_KEYS))) for frame in (judged, truth)]
    counts = {
        "pairs": len(table),
        "queries": 0,
        "judge_only": sizes[0] - len(table),
        "human_only": sizes[1] - len(table),
        "outside": 0,
    }
    segments: dict[str, list[Any]] = {}
    if queries is None and by:
        raise MetricsError(
            f"segments ({', '.join(by)}) are columns of queries, and there are no queries",
            setting="queries",
        )
    if queries is None:
        ids = pc.unique(table["query_id"])
    else:
        graded = scoring.grade(truth.select(*_KEYS, "grade"))
        known = collect_queries(graded, queries, scoring, frozenset(), by)
        ids, segments = known.ids, known.segments
    place = pc.index_in(table["query_id"].cast(ids.type), value_set=ids)
    table = table.append_column("query", place)
    inside = table.filter(pc.is_valid(place))
    counts["outside"] = len(table) - len(inside)
    counts["pairs"] = len(inside)
    counts["queries"] = len(pc.unique(inside["query"]))
    if not len(inside):
        where = " in a query of the query set" if counts["outside"] else ""
        raise MetricsError(f"judge and people graded no pair in common{where}; check the ids")
    return inside, counts, segments


def _verdicts(
    frames: Mapping[str, Lazy], name: str, scoring: Scoring, good: float | None, check: bool
) -> Lazy:
    """Judged pairs of a frame: `query_id, product_id, good, grade`, and `probability`.

    Raises:
        MetricsError: the grades cannot be used; the message begins with the name.
    """
    frame = frames[name]
    try:
        fitted = fitting(scoring, frame, good)
        columns = require_columns(frame, "judgments", [*_KEYS, "grade"])
        if check:
            check_judgments(frame, labels=not frame.collect_schema()["grade"].is_numeric())
        graded = fitted.grade(frame).filter(nw.col("judged") > 0)
    except MetricsError as error:
        raise MetricsError(f"{name}: {error}", setting=error.setting) from error
    keys = [nw.col(key).cast(nw.String) for key in _KEYS]
    probability = nw.col("probability") if "probability" in columns else nw.lit(None)
    raw = frame.select(*keys, "grade", probability=probability.cast(nw.Float64))
    return graded.select(*_KEYS, "good").join(raw, on=_KEYS)


def numbers(pairs: pa.Table, name: str) -> Floats:
    """A column as float64, NaN where it is null."""
    values: Floats = np.asarray(pairs[name].cast(pa.float64()).to_numpy(), dtype=np.float64)
    return values


def segments_of(
    pairs: pa.Table, by_query: dict[str, list[Any]]
) -> Iterator[tuple[dict[str, Any], Mask]]:
    """Every segment with the pairs in it, all pairs first."""
    yield {}, np.ones(len(pairs), dtype=bool)
    place = np.asarray(pairs["query"].to_numpy(), dtype=np.int64)
    for column, values in by_query.items():
        cells = np.array([*values, None], dtype=object)[:-1]
        there = {values[at] for at in np.unique(place).tolist()}
        for value in sorted(there, key=segment_order):
            of = np.array([cell == value for cell in cells])
            yield {column: plain_segment(value)}, of[place]


def on_one_scale(pairs: pa.Table, asked: bool | None) -> tuple[bool, str]:
    """Whether equal grades mean the same; and, if nobody said and they do not, why not.

    Raises:
        MetricsError: they are said to, but are no whole numbers.
    """
    columns = [pairs[name] for name in _GRADES]
    whole = all(_is_number(column.type) for column in columns) and all(
        bool(np.all(np.mod(numbers(pairs, name), 1) == 0)) for name in _GRADES
    )
    if asked and not whole:
        raise MetricsError(
            "a weighted kappa needs grades that are whole numbers", setting="other_scale"
        )
    if asked is not None:
        return asked, ""
    if not whole:
        return False, ""
    ends = [tuple(int(end) for end in pc.min_max(column).as_py().values()) for column in columns]
    if ends[0] == ends[1]:
        return True, ""
    return False, (
        f"the judge's grades go from {ends[0][0]} to {ends[0][1]}, people's from {ends[1][0]} to "
        f"{ends[1][1]}: taken for different scales, so no weighted kappa is given; say so where "
        "they are the same (same_scale)."
    )


def crossed(pairs: pa.Table) -> dict[str, Any]:
    """How often each grade of the judge meets each grade of people."""
    columns = []
    for name in _GRADES:
        if _is_number(pairs[name].type):
            values: NDArray[Any] = numbers(pairs, name)
        else:
            values = pairs[name].cast(pa.string()).to_numpy().astype(object)
        found, code = np.unique(values, return_inverse=True)
        columns.append(([_grade(value) for value in found.tolist()], code))
    (judge, one), (human, other) = columns
    cells = np.bincount(one * len(human) + other, minlength=len(judge) * len(human))
    return {
        "judge": judge,
        "human": human,
        "counts": cells.reshape(len(judge), len(human)).tolist(),
    }


def differences(pairs: pa.Table, count: int) -> list[JudgeDiffers]:
    """Pairs of unlike verdicts: by the judge's confidence, then by how far the grades are apart."""
    judge, human = numbers(pairs, "judge"), numbers(pairs, "human")
    probability = numbers(pairs, "probability")
    confidence = np.where(judge > 0, probability, 1 - probability)
    apart = np.zeros(len(judge))
    if _is_number(pairs["judge_grade"].type) and _is_number(pairs["human_grade"].type):
        apart = np.abs(numbers(pairs, "judge_grade") - numbers(pairs, "human_grade"))
    found = np.flatnonzero(judge != human)
    # stable, so that equals stay in the order of their ids; without a probability come last
    order = np.lexsort((-apart[found], -np.nan_to_num(confidence[found], nan=-1.0)))
    chosen = pairs.take(pa.array(found[order][:count])).to_pylist()
    return [
        JudgeDiffers(
            query_id=row["query_id"],
            product_id=row["product_id"],
            judge=_grade(row["judge_grade"]),
            human=_grade(row["human_grade"]),
            judge_good=row["judge"] > 0,
            probability=row["probability"],
            confidence=None
            if row["probability"] is None
            else (row["probability"] if row["judge"] > 0 else 1 - row["probability"]),
        )
        for row in chosen
    ]


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )


def _grade(value: Any) -> float | str:
    if isinstance(value, str):
        return value
    number = float(value)
    return int(number) if number.is_integer() else number
