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

import numpy as np

from metrics._bootstrap import Resampled, bootstrap, distinct
from metrics._frames import as_lazy_together
from metrics.annotators import grade_kappa
from metrics.association import kappa
from metrics.errors import MetricsError
from metrics.goodrate import Scoring
from metrics.judge_agreement_pairs import (
    crossed,
    differences,
    numbers,
    on_one_scale,
    segments_of,
    shared_pairs,
)
from metrics.judge_agreement_results import JudgeAgreement, JudgeScored
from metrics.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["judge_agreement"]

FEW_QUERIES = 30
"""With fewer queries a warning says so: intervals over so few are themselves uncertain."""
FEW_OF_A_VERDICT = 10
"""With fewer pairs of one verdict by people, precision, recall and κ hang on single pairs."""
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
    pairs, counts, by_query = shared_pairs(lazy, settings, judge_good, by, check)
    same, why = on_one_scale(pairs, same_scale)
    rows = [
        _row(pairs, segment, mask, same=same, bins=bins, confidence=confidence, draws=draws,
             seed=seed)
        for segment, mask in segments_of(pairs, by_query)
    ]  # fmt: skip
    said = numbers(pairs, "probability")
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
        grades=crossed(pairs),
        reliability=reliability(said[there], numbers(pairs, "human")[there], bins=bins),
        warnings=warnings,
        rows=rows,
        differences=differences(pairs, count),
        frames=frames,
    )


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
    judge, human, query = (numbers(pairs, name)[mask] for name in ("judge", "human", "query"))
    _, place = np.unique(query, return_inverse=True)
    size = int(place.max()) + 1
    cell = (2 * (1 - judge) + (1 - human)).astype(np.int64)
    per_query = np.bincount(4 * place + cell, minlength=4 * size).reshape(size, 4)
    kinds, copies = distinct(*per_query.T.astype(np.float64))
    counted = _Cells(np.stack(kinds), copies)
    resampled = bootstrap(counted.figures, copies, seed=seed, draws=draws if size > 1 else 0)
    cells = [int(total) for total in per_query.sum(axis=0)]
    share = float(human.mean())
    said = numbers(pairs, "probability")[mask]
    there = ~np.isnan(said)
    curve = reliability(said[there], human[there], bins=bins)
    weighted = None
    if same:
        one, other = (
            numbers(pairs, name)[mask].astype(np.int64) for name in ("judge_grade", "human_grade")
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
