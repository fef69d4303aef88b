"""Weeks beside weeks: what changed since the last recorded one, and the trends up to now.

Whether two weeks may be joined is decided in `trends`; here that is only told. Nothing tests the
difference of two weeks, and the report does not pretend so.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_document as read
from evalkit.reports.headline import overall_rows
from evalkit.reports.trends import changes, trend
from evalkit.reports.weekly.people import votes_of
from evalkit.reports.weekly.verdict import people_say
from evalkit.store import weeks_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.store import Evaluation

__all__ = ["every_week", "since", "trends", "votes_over_weeks"]

_WEEKS = 26
"""Recorded weeks that a trend shows at most: half a year."""


def since(past: Sequence[Evaluation], heard: Mapping[str, Evaluation]) -> dict[str, Any] | None:
    """What is different from the last recorded week.

    Args:
        past: scores of one name up to the week, by week; the last is the week itself.
        heard: the study that speaks for people, by week.

    Returns:
        `week`, `weeks` (how many weeks ago), `changes` (why the weeks cannot be compared, empty
        where they can), `systems` (sentences), `rows` (per primary measure `label`, `before` and
        `now`: `control, treatment, delta, ci_low, ci_high, standing`), `people` (`before` and
        `now`: `gsb, low, high, says, study`, and whether they are `comparable`; None where one is
        not there); None for the first week.
    """
    if len(past) < 2:
        return None
    before, now = past[-2:]
    earlier = {(row["measure"], row.get("cutoff")): row for row in overall_rows(before.document)}
    rows = [
        {
            "label": read.measure_label(row),
            "before": _stood(earlier[row["measure"], row.get("cutoff")]),
            "now": _stood(row),
        }
        for row in overall_rows(now.document)
        if (row["measure"], row.get("cutoff")) in earlier
    ]
    return {
        "week": before.week,
        "weeks": weeks_between(before.week, now.week),
        "changes": changes(before, now),
        "systems": _systems_changed(before.document, now.document),
        "rows": rows,
        "people": _beside(heard.get(before.week), heard.get(now.week)),
    }


def _stood(row: Mapping[str, Any]) -> dict[str, Any]:
    figures = ("control", "treatment", "delta", "ci_low", "ci_high")
    return {**{key: row.get(key) for key in figures}, "standing": read.standing(row)}


def _systems_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = []
    for role in ("control", "treatment"):
        one, other = ((each.get("systems") or {}).get(role) for each in (before, now))
        if one and other and one != other:
            found.append(f"the {role} was {one} and is {other}")
    return found


def trends(past: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """The primary measures over the recorded weeks.

    Args:
        past: scores of one name up to the week, by week.

    Returns:
        Per measure `label, measure, cutoff, weeks` (every week from the first to the last, with
        those nothing was recorded for), `points`, `breaks` (week and reasons, only where there are
        any) and `runs` (weeks that may be joined). Empty for a single week.
    """
    past = past[-_WEEKS:]
    if len(past) < 2:
        return []
    document = past[-1].document
    found = []
    for measure in read.primary_measures(document):
        cutoff = read.first_cutoff(document, measure)
        line = trend(past, measure=measure, cutoff=cutoff)
        points = [asdict(point) for point in line.points]
        if len(points) < 2:
            continue
        found.append(
            {
                "label": read.cutoff_label(measure, cutoff),
                "measure": measure,
                "cutoff": cutoff,
                "weeks": every_week(points[0]["week"], points[-1]["week"]),
                "points": points,
                "breaks": [
                    {"week": week, "reasons": list(reasons)}
                    for week, reasons in line.breaks.items()
                    if reasons
                ],
                "runs": [list(run) for run in line.runs],
            }
        )
    return found


def votes_over_weeks(heard: Mapping[str, Evaluation]) -> dict[str, Any] | None:
    """GSB of people over the recorded weeks.

    Args:
        heard: the study that speaks for people, by week.

    Returns:
        `weeks`, `points` (`week, study, basis, gsb, low, high, says, queries, votes`), `breaks`
        and `runs` as in `trends`; None where fewer than two weeks have votes.
    """
    shown = sorted(heard.items())[-_WEEKS:]
    points = [{"week": week, **_heard(record)} for week, record in shown]
    if len(points) < 2:
        return None
    breaks: list[dict[str, Any]] = []
    runs = [[points[0]["week"]]]
    for (before_week, before), (week, now) in pairwise(shown):
        reasons = changes(before, now)
        if reasons:
            breaks.append({"week": week, "reasons": reasons})
        if reasons or weeks_between(before_week, week) > 1:
            runs.append([])
        runs[-1].append(week)
    return {
        "weeks": every_week(points[0]["week"], points[-1]["week"]),
        "points": points,
        "breaks": breaks,
        "runs": runs,
    }


def _beside(before: Evaluation | None, now: Evaluation | None) -> dict[str, Any] | None:
    """Votes of two weeks, where both have some."""
    if before is None or now is None:
        return None
    return {
        "before": _heard(before),
        "now": _heard(now),
        "comparable": not changes(before, now),
    }


def _heard(record: Evaluation) -> dict[str, Any]:
    heard = votes_of(record.document) or {}
    kept = ("study", "basis", "gsb", "low", "high", "queries", "votes")
    return {**{key: heard[key] for key in kept}, "says": people_say(heard)}


def every_week(first: str, last: str) -> list[str]:
    """All ISO weeks from one to another.

    Example:
        >>> every_week("2026-W52", "2027-W01")
        ['2026-W52', '2026-W53', '2027-W01']
    """
    monday = date.fromisocalendar(int(first[:4]), int(first[6:]), 1)
    found = []
    for number in range(weeks_between(first, last) + 1):
        year, week, _ = (monday + timedelta(weeks=number)).isocalendar()
        found.append(f"{year}-W{week:02}")
    return found
