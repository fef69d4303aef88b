"""Whether recorded weeks may stand in one line, and the trend of one figure over them.

A figure of another query set, judge or setting is another figure: a trend breaks there, with the
reason, and never runs through. Nothing is computed here; every figure is taken as it was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evalkit.reports.score_document import segment_name
from evalkit.store import weeks_between

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.store import Evaluation

__all__ = [
    "SETTINGS_THAT_MATTER",
    "Point",
    "Trend",
    "changes",
    "figures",
    "size_of",
    "systems_of",
    "trend",
]

SETTINGS_THAT_MATTER = (
    "good",
    "good_labels",
    "gains",
    "min_good",
    "order",
    "ties",
    "unjudged",
    "average",
    "depth",
    "margin",
    "aggregate",
    "weighted",
    "query_goodrate_from",
)
"""Settings that move a figure, beside the source, which belongs to the judge."""

_OF_A_STUDY = ("scale", "depth", "identical")
_FIGURES = ("control", "treatment", "delta", "ci_low", "ci_high", "p", "p_holm")
_JUDGED = ("judged_control", "judged_treatment")


@dataclass(frozen=True)
class Point:
    """One figure of one week, as it was recorded; shares are fractions.

    Attributes:
        week: ISO week.
        evaluation_id: the record.
        queries: |Q| of the segment.
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
        evaluations: of one name and kind, one a week, by week.
        measure: name of the measure; of studies `gsb`.
        cutoff: depth, None for measures of whole lists.
        segment: {} or None overall, otherwise {column: value}.
        system: which of several single runs; not for comparisons.

    Returns:
        The trend, without a point where an evaluation does not have the figure.
    """
    wanted = {name: segment_name(value) for name, value in (segment or {}).items()}
    shown: list[tuple[Evaluation, Point]] = []
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
            shown.append((each, _point(each, rows[0])))
    breaks, gaps = {}, []
    runs: list[list[str]] = [[shown[0][0].week]] if shown else []
    for (before, _), (after, _) in pairwise(shown):
        breaks[after.week] = tuple(changes(before, after))
        gap = weeks_between(before.week, after.week) > 1
        if gap:
            gaps.append((before.week, after.week))
        if gap or breaks[after.week]:
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
        return list(document.get("results") or ())
    if evaluation.kind == "study" and document.get("gsb"):
        votes = document["gsb"]
        return [
            {**row, "measure": "gsb", "cutoff": None, "delta": row["gsb"]}
            for row in (votes["overall"], *votes["segments"])
        ]
    if evaluation.kind == "calibration":
        return _calibrated(document.get("results") or ())
    return []


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


def systems_of(evaluation: Evaluation) -> dict[str, str]:
    """Return what the runs of an evaluation are called, by their part in it."""
    study = evaluation.document.get("study")
    if evaluation.kind == "study" and study:
        return {"control": study["control"], "treatment": study["treatment"]}
    return dict(evaluation.document.get("systems") or {})


def size_of(evaluation: Evaluation) -> int | None:
    """Return how many queries an evaluation was over, None where it does not say."""
    document = evaluation.document
    if evaluation.kind == "study":
        progress = document.get("progress") or {}
        return progress["tasks"] + progress["automatic"] if progress else None
    query_set = document.get("query_set")
    return query_set.get("size") if isinstance(query_set, dict) else None


def _point(evaluation: Evaluation, row: Mapping[str, Any]) -> Point:
    names = (*_FIGURES, *_JUDGED, "value", "judged")
    return Point(
        evaluation.week,
        evaluation.id,
        row["queries"],
        systems_of(evaluation),
        **{name: row.get(name) for name in names},
    )


def changes(before: Evaluation, after: Evaluation) -> list[str]:
    """Say why the figures of two evaluations are not figures of the same thing.

    Compared are the query set, the judge and the settings that move a figure. Other systems, more
    judgments, another seed or further segments are no change.

    Returns:
        A sentence each, without a full stop; empty where the two may be joined.
    """
    if before.kind != after.kind:
        return [f"the kind changed: {before.kind} → {after.kind}"]
    return [
        *_query_set_changes(before, after),
        *_judge_changes(before, after),
        *_setting_changes(before, after),
    ]


def _query_set_changes(before: Evaluation, after: Evaluation) -> Iterator[str]:
    one, other = (each.document.get("query_set") or {} for each in (before, after))
    old, new = one.get("columns") or {}, other.get("columns") or {}
    shared = [name for name in old if name in new]
    if shared:
        # a column that only one of them was told of says nothing about the other
        changed = [name for name in shared if old[name] != new[name]]
        if ("query" in old) != ("query" in new) and one.get("source") != other.get("source"):
            changed.append("source")
    else:
        same = _set_of(before, one) == _set_of(after, other)
        changed = [] if same else ["query_id"]
    if not changed:
        return
    sizes = [size_of(each) for each in (before, after)]
    if None not in sizes and sizes[0] != sizes[1]:
        yield f"the query set changed: {sizes[0]:,} → {sizes[1]:,} queries"
    elif "query_id" in changed:
        many = "" if sizes[1] is None else f", {sizes[1]:,} as before"
        yield f"the query set changed: other queries{many}"
    elif changed == ["source"]:
        yield f"the query set changed: {one['source']} → {other['source']}"
    else:
        named = {"query": "other texts", "weight": "other weights", "source": "another source"}
        what = [named.get(name, f"other values of {name}") for name in changed]
        yield f"the query set changed: {', '.join(what)}"


def _set_of(evaluation: Evaluation, query_set: Mapping[str, Any]) -> str | None:
    return evaluation.query_set or query_set.get("fingerprint")


def _judge_changes(before: Evaluation, after: Evaluation) -> Iterator[str]:
    one, other = ({"name": each.judge, **_judge_of(each)} for each in (before, after))
    if one["name"] != other["name"]:
        yield f"the judge changed: {one['name'] or 'not named'} → {other['name'] or 'not named'}"
    elif None not in (one.get("model"), other.get("model")) and one["model"] != other["model"]:
        yield f"the judge changed: {other['name']} is another model under the same name"
    if one.get("source") != other.get("source"):
        sources = [each.get("source") or "not named" for each in (one, other)]
        yield f"the source of the judgments changed: {sources[0]} → {sources[1]}"


def _judge_of(evaluation: Evaluation) -> Mapping[str, Any]:
    judge = evaluation.document.get("judge")
    return {key: judge[key] for key in judge if judge[key]} if isinstance(judge, dict) else {}


def _setting_changes(before: Evaluation, after: Evaluation) -> Iterator[str]:
    if before.kind == "study":
        old, new = (each.document.get("study") or {} for each in (before, after))
        names: tuple[str, ...] = _OF_A_STUDY
        votes = [(each.document.get("gsb") or {}).get("settings") for each in (before, after)]
        if all(votes):
            old = {**old, "aggregate": votes[0]["aggregate"]}  # type: ignore[index]
            new = {**new, "aggregate": votes[1]["aggregate"]}  # type: ignore[index]
            names = (*names, "aggregate")
    else:
        old, new = (each.document.get("settings") or {} for each in (before, after))
        names = SETTINGS_THAT_MATTER
    changed = [
        f"{name.replace('_', '-')} {_written(old.get(name))} → {_written(new.get(name))}"
        for name in names
        if old.get(name) != new.get(name)
    ]
    if changed:
        yield f"settings changed: {', '.join(changed)}"


def _written(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ",".join(f"{name}={_written(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(_written, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
