"""What a weekly report warns of, and what it could hold and does not.

Warnings say what shakes the verdict; what is missing comes with the command that adds it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from evalkit.reports.comparable import unnamed
from evalkit.reports.score_numbers import share
from evalkit.reports.weekly import people
from evalkit.reports.weekly.judge import judge_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.store import Evaluation, Store

__all__ = ["missing", "warnings"]

_READ_FIRST = 6


def warnings(
    score: Evaluation,
    told: Sequence[Mapping[str, Any]],
    labels: Mapping[str, Any] | None,
    agreement: Mapping[str, Any] | None,
    drift: Sequence[Mapping[str, Any]],
    systems: Mapping[str, str],
    recorded: Sequence[Mapping[str, Any]],
    before: Evaluation | None,
) -> tuple[list[str], list[str]]:
    """Warnings for page one, those that shake the verdict most first, and the rest.

    Args:
        score: the score of the week.
        told: the studies of the report.
        labels: its calibration.
        agreement: its correlation.
        drift: its checks of judges.
        systems: names of control and treatment.
        recorded: all studies that are recorded for the week.
        before: the score of the last recorded week.
    """
    found = list(_drifted(score, drift))
    if before is not None and unnamed(before, score):
        found.append(
            f"No judge is named, and the judgments of {before.week} and {score.week} differ: they"
            " may have grown, or be another judge's. --judge names it."
        )
    for each in told:
        study = each["study"]
        if study["kind"] == "sbs" and not people.same_change(study, systems):
            found.append(
                f"The study {study['name']} compares {study['control']} → {study['treatment']}, the"
                f" score {systems['control']} → {systems['treatment']}: the verdict does not hear"
                " it."
            )
        if each["week"] is None:
            found.append(
                f"The study {study['name']} is not recorded; its figures are those of its last"
                " vote when this report was written."
            )
    names = [each["study"]["name"] for each in told]
    found += [
        f"The study {study['name']} of the same systems is recorded for this week as well; this"
        " report was not asked for it."
        for study in recorded
        if study["kind"] == "sbs"
        and study["name"] not in names
        and people.same_change(study, systems)
    ]
    for each in told:
        found += [f"{each['study']['name']}: {text}" for text in each["warnings"]]
    found += list(score.document.get("warnings") or ())
    found += [] if labels is None else labels["warnings"]
    if agreement is not None and not agreement["same_judge"]:
        found.append(
            f"Agreement with people was measured in {agreement['week']} with another judge; it may"
            " not hold for this one."
        )
    if score.earlier:
        times = "an earlier score" if score.earlier == 1 else f"{score.earlier} earlier scores"
        found.append(f"The score of this week replaces {times} of the same week.")
    found = list(dict.fromkeys(found))
    notes = [] if agreement is None else list(agreement["warnings"])
    for judge in drift:
        notes += judge["warnings"]
    return found[:_READ_FIRST], [*found[_READ_FIRST:], *notes]


def _drifted(score: Evaluation, drift: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a signal of the week says of the score's judge; another judge shakes no verdict."""
    ours = judge_of(score)
    for judge in drift:
        if ours is not None and judge["named"] not in (None, ours):
            continue
        weeks = [point["week"] for point in judge["points"]]
        if score.week not in judge["alarms"]:
            continue
        now = weeks.index(score.week)
        first = now
        while first and weeks[first - 1] in judge["alarms"]:
            first -= 1
        point = judge["points"][now]
        who = f"The judge {judge['judge']}" if judge["named"] else "A judge that is not named"
        if ours is not None and ours == judge["named"]:
            who = f"The score's judge {ours}"
        signal = point["signal"]
        told = f": {signal}" if isinstance(signal, str) else ""
        centre = (judge["chart"] or {}).get("centre")
        then = "" if centre is None else f"was {share(centre)}% in the baseline weeks and "
        yield (
            f"{who} has drifted since {weeks[first]}{told}. Its agreement with the gold set {then}"
            f"is {share(point['agreement'])}% in {score.week}."
        )


def missing(
    store: Store,
    score: Evaluation,
    told: Sequence[Mapping[str, Any]],
    labels: Mapping[str, Any] | None,
    calibrated: Evaluation | None,
    correlation: Evaluation | None,
    checks: Sequence[Evaluation],
    name: str,
) -> Iterator[dict[str, str]]:
    """What the report could hold and does not.

    Args:
        store: the database, for the names of studies.
        score: the score of the week.
        told: the studies of the report.
        labels: its calibration.
        calibrated: the latest recorded calibration up to the week.
        correlation: the latest recorded correlation.
        checks: the recorded checks of judges.
        name: the name under which evaluations are recorded.

    Returns:
        `about`, `what` (a sentence) and `command` each.
    """
    at = f"--week {score.week}" + ("" if name == "weekly" else f" --name {shlex.quote(name)}")
    record = f"--record {at}"
    voted = [each for each in told if each["study"]["kind"] == "sbs"]
    systems = people.systems_of(score.document)
    if not any(people.same_change(each["study"], systems) for each in voted):
        there = people.study_names(store)
        if there and not voted:
            what = "No study is recorded for this week: whether people agree is not known."
            command = f"evalkit study record {shlex.quote(there[0])} {at}"
        else:
            none = "No study compares these two systems" if voted else "There is no study"
            what = f"{none}: whether people agree is not known."
            command = (
                "evalkit study create STUDY --control C --treatment T --queries Q --products P"
                f" --open && evalkit annotate && evalkit study record STUDY {at}"
            )
        yield {"about": "people", "what": what, "command": command}
    for each in voted:
        if each["week"] is None:
            study = each["study"]["name"]
            yield {
                "about": "record",
                "what": f"The study {study} is not recorded for this week.",
                "command": f"evalkit study record {shlex.quote(study)} {at}",
            }
    if labels is None:
        when = "" if calibrated is None else f" (the latest is of {calibrated.week})"
        yield {
            "about": "labels",
            "what": f"No human labels correct the figures of this week{when}.",
            "command": "evalkit calibrate --control C --treatment T --judgments J --queries Q"
            f" --human H {record}",
        }
    if correlation is None:
        study = shlex.quote(voted[0]["study"]["name"]) if voted else "STUDY"
        yield {
            "about": "agreement",
            "what": "Whether the measures predict people's votes was never recorded.",
            "command": f"evalkit correlate --study {study} {record}",
        }
    if not checks:
        judge = shlex.quote((score.document.get("judge") or {}).get("name") or "NAME")
        yield {
            "about": "drift",
            "what": "Nobody has looked whether the judge drifts.",
            "command": f"evalkit drift --gold GOLD --judgments J --judge {judge} {record}",
        }
    if not score.document.get("lists"):
        yield {
            "about": "lists",
            "what": "The score was recorded without result lists.",
            "command": f"evalkit score … --products P {record}",
        }
