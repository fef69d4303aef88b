"""Does a judge say what people say? Both graded the same pairs; the query is the unit of chance.

A judge is a classifier or a language model that grades products. How its grades move a Goodrate,
and what corrects it, is told by :mod:`metrics.calibration`; whether it is still the one it was by
:mod:`metrics.drift`. Here it is asked how far its verdict on a single pair can be trusted.

Pairs of one query are alike, so intervals resample queries with all their pairs (a cluster
bootstrap), by the machinery of :mod:`metrics.association`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metrics._bootstrap import Resampled, bootstrap, distinct
from metrics._checks import check_judgments
from metrics._frames import as_lazy_together, require_columns
from metrics._human_grades import fitting
from metrics._plan import plain_segment, segment_order
from metrics._queries import collect_queries, collect_table
from metrics.annotators import grade_kappa
from metrics.association import kappa
from metrics.errors import MetricsError
from metrics.goodrate import Scoring
from metrics.judge_agreement_results import JudgeAgreement, JudgeDiffers, JudgeScored
from metrics.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Lazy = nw.LazyFrame[Any]

__all__ = ["judge_agreement"]

FEW_QUERIES = 30
"""With fewer queries a warning says so: intervals over so few are themselves uncertain."""
FEW_OF_A_VERDICT = 10
"""With fewer pairs of one verdict by people, precision, recall and κ hang on single pairs."""
_KEYS = ["query_id", "product_id"]
# verdicts of judge and people in the four cells, 1 good and 0 not
_JUDGE, _HUMAN = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
_FIGURES: tuple[tuple[str, Literal["share", "correlation"]], ...] = (
    ("agreement", "share"), ("precision", "share"), ("recall", "share"), ("kappa", "correlation"),
)  # fmt: skip
_TAKEN = set(JudgeScored.__dataclass_fields__) | {"query_id", "product_id"}


def judge_agreement(
    judge: Any,
    human: Any,
    queries: Any = None,
    *,
    by: Sequence[str] = (),
    judge_good: float | None = None,
    same_scale: bool | None = None,
    bins: int = 10,
    count: int = 20,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
    check: bool = True,
    **scoring: Any,
) -> JudgeAgreement:
    """Compare a judge's verdicts with people's on the pairs that both graded.

    Args:
        judge: frame with `query_id, product_id, grade`, one row a pair, and `probability` (of the
            product being good, null where there is none) where the judge gives one.
        human: frame with `query_id, product_id, grade`, one row a pair: grades taken for right.
        queries: frame with `query_id` and columns for segments; pairs of other queries are left
            out and counted. None for all queries.
        by: columns of `queries`; every value of each is a segment.
        judge_good: smallest grade of the judge that is good, where its scale is another one.
        same_scale: whether equal grades of the two mean the same, for the weighted κ; None finds
            out: whole numbers whose least and greatest are those of people's.
        bins: ranges of the reliability curve.
        count: how many pairs to list on which the two differ.
        confidence: coverage of the intervals.
        draws: resamples.
        seed: of the resamples.
        check: as in `compare_runs`.
        **scoring: `good` or `good_labels`, as in `Scoring`.

    Returns:
        The figures: `.table`, `.rows`, `.grades`, `.reliability`, `.differences`, `.to_json()`.

    Raises:
        TypeError: an argument is not a frame.
        MetricsError: no pair was graded by both, a probability is none, a segment column is not
            there, or frames that are refused.

    >>> import pandas as pd
    >>> def grades(text): return pd.DataFrame({"query_id": [f"q{at // 4}" for at in range(8)],
    ...                                        "product_id": [f"p{at}" for at in range(8)],
    ...                                        "grade": [int(mark) for mark in text]})
    >>> found = judge_agreement(grades("22100021"), grades("22010020"), good=2)
    >>> row = found.rows[0]
    >>> row.both_good, row.judge_only, row.human_only, row.both_bad, row.kappa
    (3, 0, 0, 5, 1.0)
    >>> row.agreement, row.majority, round(row.weighted_kappa, 4), found.grades["counts"]
    (1.0, 0.625, 0.7692, [[2, 1, 0], [2, 0, 0], [0, 0, 3]])
    """
    if not 0 < confidence < 1:
        raise MetricsError(f"confidence must lie between 0 and 1, not {confidence}")
    if count < 0:
        raise MetricsError(f"count must be 0 or more, not {count}", setting="count")
    taken = [name for name in by if name in _TAKEN]
    if taken:
        raise MetricsError(
            f"column {taken[0]!r} cannot be a segment: the results have such names; rename it"
        )
    settings = Scoring(**scoring)
    given = {"judge's grades": judge, "human grades": human}
    if queries is not None:
        given["queries"] = queries
    lazy, frames = as_lazy_together(given)
    judged = _verdicts(lazy["judge's grades"], "judge's grades", settings, judge_good, check)
    truth = _verdicts(lazy["human grades"], "human grades", settings, None, check)
    pairs, counts, by_query = _join(judged, truth, lazy.get("queries"), settings, by)
    same, why = _same_scale(pairs, same_scale)
    rows = [
        _row(pairs, segment, mask, same=same, bins=bins, confidence=confidence, draws=draws,
             seed=seed)
        for segment, mask in _segments(pairs, by_query)
    ]  # fmt: skip
    said = _numbers(pairs, "probability")
    there = ~np.isnan(said)
    warnings = [*_warnings(rows[0], counts), *([why] if why else [])]
    if 0 < there.sum() < len(said):
        warnings.append(
            f"{int((~there).sum()):,} of the {len(said):,} pairs have no probability; the figures "
            "of the probabilities leave them out."
        )
    return JudgeAgreement(
        settings={
            "good": settings.good,
            "good_labels": None if settings.good_labels is None else list(settings.good_labels),
            "judge_good": judge_good,
            "same_scale": same,
            "by": list(by),
            "bins": bins,
            "count": count,
            "confidence": confidence,
            "draws": draws,
            "seed": seed,
        },
        counts=counts,
        grades=_crossed(pairs),
        reliability=reliability(said[there], _numbers(pairs, "human")[there], bins=bins),
        warnings=warnings,
        rows=rows,
        differences=_differences(pairs, count),
        frames=frames,
    )


def _verdicts(frame: Lazy, name: str, scoring: Scoring, good: float | None, check: bool) -> Lazy:
    """Judged pairs of a frame: `query_id, product_id, good, grade`, and `probability`.

    Raises:
        MetricsError: the grades cannot be used; the message begins with the name.
    """
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


def _join(
    judged: Lazy, truth: Lazy, queries: Lazy | None, scoring: Scoring, by: Sequence[str]
) -> tuple[pa.Table, dict[str, int], dict[str, list[Any]]]:
    """Pairs that both graded, what was left out, and the segments of the queries.

    Returns:
        `query_id, product_id, judge, human` (1 good, 0 not), `judge_grade, human_grade,
        probability, query` (place of the query), sorted by the ids; the counts; per segment column
        the value of every query by its place.
    """
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


def _numbers(pairs: pa.Table, name: str) -> Floats:
    """A column as float64, NaN where it is null."""
    values: Floats = np.asarray(pairs[name].cast(pa.float64()).to_numpy(), dtype=np.float64)
    return values


def _segments(
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


@dataclass(frozen=True)
class _Cells:
    """Counts of the four combinations of verdicts, float64[4], and by kind of query."""

    kinds: Floats
    copies: Ints

    def figures(self, weights: Floats) -> Floats:
        """Agreement, precision, recall and κ, float64[4, weightings]; NaN where there is none."""
        cells = np.einsum("ck,kj->cj", self.kinds, weights)
        both, judge_only, human_only, neither = cells

        def ratio(num: Floats, den: Floats) -> Floats:
            found: Floats = np.divide(num, den, out=np.full(len(num), np.nan), where=den > 0)
            return found

        return np.stack(
            [
                ratio(both + neither, cells.sum(axis=0)),
                ratio(both, both + judge_only),
                ratio(both, both + human_only),
                kappa(_JUDGE, _HUMAN, cells),
            ]
        )


def _row(
    pairs: pa.Table,
    segment: dict[str, Any],
    mask: Mask,
    *,
    same: bool,
    bins: int,
    confidence: float,
    draws: int,
    seed: int,
) -> JudgeScored:
    judge, human, query = (_numbers(pairs, name)[mask] for name in ("judge", "human", "query"))
    _, place = np.unique(query, return_inverse=True)
    size = int(place.max()) + 1
    cell = (2 * (1 - judge) + (1 - human)).astype(np.int64)
    per_query = np.bincount(4 * place + cell, minlength=4 * size).reshape(size, 4)
    kinds, copies = distinct(*per_query.T.astype(np.float64))
    counted = _Cells(np.stack(kinds), copies)
    resampled = bootstrap(counted.figures, copies, seed=seed, draws=draws if size > 1 else 0)
    cells = [int(total) for total in per_query.sum(axis=0)]
    share = float(human.mean())
    said = _numbers(pairs, "probability")[mask]
    there = ~np.isnan(said)
    curve = reliability(said[there], human[there], bins=bins)
    weighted = None
    if same:
        one, other = (
            _numbers(pairs, name)[mask].astype(np.int64) for name in ("judge_grade", "human_grade")
        )
        weighted = grade_kappa(one, other, "quadratic")
    return JudgeScored(
        segment=segment,
        pairs=len(judge),
        queries=size,
        both_good=cells[0],
        judge_only=cells[1],
        human_only=cells[2],
        both_bad=cells[3],
        **_with_intervals(resampled, confidence),
        majority=max(share, 1 - share),
        majority_good=share > 0.5,
        weighted_kappa=weighted,
        good_human=share,
        good_judge=float(judge.mean()),
        brier=None if curve is None else curve.brier,
        brier_base=None if curve is None else curve.brier_base,
        ece=None if curve is None else curve.ece,
        note=_note(size, cells),
    )


def _with_intervals(resampled: Resampled, confidence: float) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for at, (name, scale) in enumerate(_FIGURES):
        point = float(resampled.points[at])
        span = None
        if resampled.size > 1:
            span = resampled.interval(at, confidence, scale=scale)
        found[name] = None if np.isnan(point) else point
        found[f"{name}_low"] = None if span is None else span.low
        found[f"{name}_high"] = None if span is None else span.high
    return found


def _note(queries: int, cells: Sequence[int]) -> str:
    if queries < 2:
        return "a single query: no interval"
    both, judge_only, human_only, neither = cells
    if not both + human_only or not judge_only + neither:
        return f"people call {'no pair' if not both + human_only else 'every pair'} good"
    if not both + judge_only or not human_only + neither:
        return (
            f"the judge calls {'no pair' if not both + judge_only else 'every pair'} good: κ is 0"
        )
    return ""


def _same_scale(pairs: pa.Table, asked: bool | None) -> tuple[bool, str]:
    """Whether equal grades mean the same; and, if nobody said and they do not, why not.

    Raises:
        MetricsError: they are said to, but are no whole numbers.
    """
    columns = [pairs[name] for name in ("judge_grade", "human_grade")]
    whole = all(_is_number(column.type) for column in columns) and all(
        bool(np.all(np.mod(_numbers(pairs, name), 1) == 0))
        for name in ("judge_grade", "human_grade")
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


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    )


def _crossed(pairs: pa.Table) -> dict[str, Any]:
    """How often each grade of the judge meets each grade of people."""
    columns = []
    for name in ("judge_grade", "human_grade"):
        if _is_number(pairs[name].type):
            found, code = np.unique(_numbers(pairs, name), return_inverse=True)
            names: list[Any] = [int(v) if v == int(v) else v for v in found.tolist()]
        else:
            text = pairs[name].cast(pa.string()).to_numpy().astype(object)
            found, code = np.unique(text, return_inverse=True)
            names = [str(value) for value in found]
        columns.append((names, code))
    (judge, one), (human, other) = columns
    cells = np.bincount(one * len(human) + other, minlength=len(judge) * len(human))
    return {
        "judge": judge,
        "human": human,
        "counts": cells.reshape(len(judge), len(human)).tolist(),
    }


def _differences(pairs: pa.Table, count: int) -> list[JudgeDiffers]:
    """Pairs of unlike verdicts: by the judge's confidence, then by how far the grades are apart."""
    judge, human = _numbers(pairs, "judge"), _numbers(pairs, "human")
    probability = _numbers(pairs, "probability")
    confidence = np.where(judge > 0, probability, 1 - probability)
    apart = np.zeros(len(judge))
    if _is_number(pairs["judge_grade"].type) and _is_number(pairs["human_grade"].type):
        apart = np.abs(_numbers(pairs, "judge_grade") - _numbers(pairs, "human_grade"))
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


def _grade(value: Any) -> float | str:
    if isinstance(value, str):
        return value
    number = float(value)
    return int(number) if number.is_integer() else number


def _warnings(row: JudgeScored, counts: dict[str, int]) -> list[str]:
    found = []
    if counts["outside"]:
        found.append(
            f"{counts['outside']:,} pairs that both graded are of queries outside the query set "
            "and are left out."
        )
    if row.queries < FEW_QUERIES:
        those = "1 query" if row.queries == 1 else f"{row.queries:,} queries"
        found.append(
            f"the figures rest on {those}: pairs of a query are alike, so they say little about "
            f"other queries; let people grade pairs of {FEW_QUERIES} or more."
        )
    good = row.both_good + row.human_only
    fewer = min(good, row.pairs - good)
    if fewer < FEW_OF_A_VERDICT:
        word = "good" if good == fewer else "not good"
        those = "1 pair" if fewer == 1 else f"{fewer:,} pairs" if fewer else "no pair"
        found.append(
            f"people call {those} {word}: precision, recall and kappa hang on single pairs."
        )
    if row.agreement is not None and row.majority is not None and row.agreement <= row.majority:
        word = "good" if row.majority_good else "not good"
        found.append(
            f"calling every pair {word} agrees with people on {100 * row.majority:.1f}% of the "
            f"pairs, the judge on {100 * row.agreement:.1f}%: read kappa, not the agreement."
        )
    return found
