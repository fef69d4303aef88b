"""The trend of one figure over recorded weeks.

A figure of another query set, judge or setting is another figure (see `comparable`): a trend breaks
there, with the reason, and never runs through. Nothing is computed here; every figure is taken as
it was recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evalkit.reports.comparable import changes, exchanged, size_of, systems_of
from evalkit.reports.score_document import segment_name
from evalkit.store import weeks_between

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.store import Evaluation

__all__ = [
    "Point",
    "Trend",
    "changes",
    "figures",
    "size_of",
    "systems_of",
    "trend",
]

_GRADED = re.compile(r"page grades of ([\d,]+) quer")
_FIGURES = ("control", "treatment", "delta", "ci_low", "ci_high", "p", "p_holm")
_JUDGED = ("judged_control", "judged_treatment")


@dataclass(frozen=True)
class Point:
    """One figure of one week, as it was recorded; shares are fractions.

    Attributes:
        week: ISO week.
        evaluation_id: the record.
        queries: |Q| of the segment; of Query Goodrate from page grades the graded ones.
        systems: what the runs are called, by their part in the comparison.
        control: value of the control; None for GSB and single runs.
        treatment: value of the treatment; None for GSB and single runs.
        delta: treatment − control; GSB itself for GSB; None for single runs.
        value: value of a single run; None in a comparison.
        ci_low: lower end of the interval of delta, or of the value of a single run.
        ci_high: upper end.
        p: two-sided p-value of delta.
        p_holm: p adjusted within the declared family.
        judged_control: share of the control's shown products that are judged.
        judged_treatment: the same of the treatment.
        judged: the same of a single run.
    """

    week: str
    evaluation_id: int
    queries: int
    systems: Mapping[str, str]
    control: float | None = None
    treatment: float | None = None
    delta: float | None = None
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    judged_control: float | None = None
    judged_treatment: float | None = None
    judged: float | None = None


@dataclass(frozen=True)
class Trend:
    """One figure over the weeks in which it was recorded.

    Attributes:
        measure: name of the measure.
        cutoff: depth, None for measures of whole lists.
        segment: {} overall, otherwise {column: value}.
        points: the figure by week.
        breaks: for every week but the first, why it cannot be joined to the one before; empty
            where it can.
        gaps: pairs of weeks that follow each other here with weeks between them for which the
            figure was not recorded. A gap is no break.
        runs: weeks that may be joined by a line: without a break or a gap between them.
    """

    measure: str
    cutoff: int | None
    segment: Mapping[str, str]
    points: tuple[Point, ...] = ()
    breaks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gaps: tuple[tuple[str, str], ...] = ()
    runs: tuple[tuple[str, ...], ...] = ()


def trend(
    evaluations: Sequence[Evaluation],
    *,
    measure: str,
    cutoff: int | None,
    segment: Mapping[str, Any] | None = None,
    system: str | None = None,
) -> Trend:
    """Follow one figure over recorded evaluations.

    Args:
        evaluations: of one name and kind, by week; of several with the figure in a week (studies)
            the last is taken.
        measure: name of the measure; of studies `gsb`.
        cutoff: depth, None for measures of whole lists.
        segment: {} or None overall, otherwise {column: value}.
        system: which of several single runs; not for comparisons.

    Returns:
        The trend, without a point where an evaluation does not have the figure.
    """
    wanted = {name: segment_name(value) for name, value in (segment or {}).items()}
    by_week: dict[str, tuple[Evaluation, Point]] = {}
    for each in evaluations:
        rows = [
            row
            for row in figures(each)
            if row["measure"] == measure
            and row.get("cutoff") == cutoff
            and {name: segment_name(value) for name, value in row["segment"].items()} == wanted
            and (system is None or row.get("system") == system)
        ]
        if len(rows) == 1:
            by_week[each.week] = each, _point(each, rows[0])
    shown = list(by_week.values())
    breaks, gaps = {}, []
    runs: list[list[str]] = [[shown[0][0].week]] if shown else []
    first = 0  # of the weeks since the last break
    for at, ((before, old), (after, new)) in enumerate(pairwise(shown), 1):
        reasons = [*changes(before, after), *_graded_changes(before, old, after, new, measure)]
        if not reasons:
            # other systems may have come between, so the last week alone does not tell
            since = [sentence for one, _ in shown[first:at] for sentence in exchanged(one, after)]
            reasons = since[-1:]
        breaks[after.week] = tuple(reasons)
        gap = weeks_between(before.week, after.week) > 1
        if gap:
            gaps.append((before.week, after.week))
        if reasons:
            first = at
        if gap or reasons:
            runs.append([])
        runs[-1].append(after.week)
    return Trend(
        measure,
        cutoff,
        dict(wanted),
        tuple(point for _, point in shown),
        breaks,
        tuple(gaps),
        tuple(tuple(run) for run in runs),
    )


def figures(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the rows of an evaluation that can form a trend: `measure`, `cutoff`, `segment` ….

    Those of a score document are its results, those of a study GSB overall and by segment, those
    of a calibration the estimates of both runs and of their difference.
    """
    document = evaluation.document
    if evaluation.kind == "score":
        return [_of_graded_pages(evaluation, row) for row in document.get("results") or ()]
    if evaluation.kind == "study" and document.get("gsb"):
        votes = document["gsb"]
        return [
            {**row, "measure": "gsb", "cutoff": None, "delta": row["gsb"]}
            for row in (votes["overall"], *votes["segments"])
        ]
    if evaluation.kind == "calibration":
        return _calibrated(document.get("results") or ())
    return []


def _from_pages(evaluation: Evaluation, measure: str) -> bool:
    settings = evaluation.document.get("settings") or {}
    return measure == "query_goodrate" and settings.get("query_goodrate_from") == "page grades"


def _of_graded_pages(evaluation: Evaluation, row: dict[str, Any]) -> dict[str, Any]:
    """The row, with the number of graded queries where only those have a value."""
    if not _from_pages(evaluation, row["measure"]):
        return row
    found = _GRADED.search(row.get("note") or "")
    return {**row, "queries": int(found[1].replace(",", ""))} if found else row


def _graded_changes(
    before: Evaluation, old: Point, after: Evaluation, new: Point, measure: str
) -> Iterator[str]:
    if _from_pages(before, measure) and _from_pages(after, measure) and old.queries != new.queries:
        yield f"the graded pages changed: those of {old.queries:,} → {new.queries:,} queries"


def _calibrated(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for each in results:
        key = (each["measure"], each["cutoff"], *each["segment"].items())
        row = found.setdefault(
            key, {name: each[name] for name in ("measure", "cutoff", "segment", "queries")}
        )
        row[each["of"]] = each["estimate"]
        if each["of"] == "delta":
            row |= {"ci_low": each["ci_low"], "ci_high": each["ci_high"]}
    return list(found.values())


def _point(evaluation: Evaluation, row: Mapping[str, Any]) -> Point:
    names = (*_FIGURES, *_JUDGED, "value", "judged")
    return Point(
        evaluation.week,
        evaluation.id,
        row["queries"],
        systems_of(evaluation),
        **{name: row.get(name) for name in names},
    )
