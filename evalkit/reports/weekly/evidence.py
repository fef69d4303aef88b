"""The evidence behind a verdict, a sentence each: figures with their intervals and tests.

Used by `verdict`; what the evidence comes to is decided there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.reports import score_document as read
from evalkit.reports.score_numbers import count, interval, p_value, points, signed

__all__ = [
    "Evidence",
    "gsb_of",
    "listed",
    "of_labels",
    "of_metrics",
    "of_people",
    "of_segments",
    "side_of",
]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """One sentence of evidence.

    Attributes:
        about: `metrics`, `segments`, `people` or `labels`.
        says: what this evidence says of the treatment.
        text: the sentence.
    """

    about: Literal["metrics", "segments", "people", "labels"]
    says: str
    text: str


def of_metrics(rows: Sequence[Row]) -> list[Evidence]:
    """A sentence for each primary measure; where nothing is shown, what could have been."""
    found = []
    for row in rows:
        place = read.standing(row)
        change = f"Δ {signed(row.get('delta'))} points"
        if row.get("control") is not None:
            change = f"{points(row['control'])} → {points(row.get('treatment'))}, {change}"
        text = (
            f"{read.measure_label(row)}: {change}, 95% interval"
            f" {interval(row.get('ci_low'), row.get('ci_high'))}"
        )
        if row.get("p_holm") is not None:
            text += f", p {p_value(row.get('p'))} ({p_value(row['p_holm'])} after Holm)"
        elif row.get("p") is not None:
            text += f", p {p_value(row['p'])} (outside the declared family: it decides nothing)"
        else:
            text += ", not tested"
        if place == "undecided":
            text += ". No difference shown"
            if row.get("mde") is not None:
                text += (
                    f"; a true one of {points(row['mde'])} points would be found four times in five"
                    " before Holm"
                )
        found.append(Evidence("metrics", place, f"{text}."))
    return found


def of_segments(segments: Sequence[Row]) -> list[Evidence]:
    """One sentence for a measure in the segments of one column, where it moved in any."""
    groups: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
    for row in segments:
        groups.setdefault((read.measure_label(row), tuple(row["segment"])), []).append(row)
    found = []
    for (label, columns), rows in groups.items():
        parts, places = [], set()
        for word in ("better", "worse"):
            names = [
                f"{read.segment_label(row)} ({signed(row['delta'])})"
                for row in rows
                if read.standing(row) == word
            ]
            if names:
                parts.append(f"{word} in {listed(names)}")
                places.add(word)
        if not parts:
            continue
        rest = sum(read.standing(row) == "undecided" for row in rows)
        if rest:
            what = "the other one" if rest == 1 else f"the other {count(rest)}"
            parts.append(f"no difference shown in {what}")
        says = places.pop() if len(places) == 1 else "mixed"
        by = " and ".join(columns)
        found.append(Evidence("segments", says, f"{label} by {by}: {'; '.join(parts)}."))
    return found


def of_people(votes: Mapping[str, Any] | None, people: str) -> list[Evidence]:
    """What votes say, by which interval, and why by no other.

    Args:
        votes: the study as `people.votes_of` gives it.
        people: what it says, as `verdict.people_say` found.
    """
    if votes is None:
        return []
    said = {
        "better": "they prefer the treatment",
        "worse": "they prefer the control",
        "undecided": "no difference shown",
        "open": "no conclusion yet",
    }[people]
    counted = (
        f"People (study {votes['study']}, {count(votes['votes'])} votes on"
        f" {count(votes['queries'])} queries): {gsb_of(votes)} points"
    )
    if votes["basis"] == "final":
        text = (
            f"{counted}, 95% interval {interval(votes['low'], votes['high'])},"
            f" p {p_value(votes['p'])}: {said}."
        )
    elif votes["basis"] == "anytime":
        text = (
            f"{counted}, {interval(votes['low'], votes['high'])} at any look: {said}. The study is"
            " not complete, so these are the figures that hold however often one looks."
        )
    else:
        text = f"{counted}: {said}. {votes.get('reason') or 'The study is not complete'}."
    return [Evidence("people", people, text)]


def of_labels(labels: Sequence[Row]) -> list[Evidence]:
    """A sentence for each corrected difference; one that cannot decide says why."""
    words = {"better": "better", "worse": "worse", "undecided": "no difference shown"}
    found = []
    for row in labels:
        side = side_of(row)
        told = (
            f"{read.measure_label(row)} corrected by {count(row.get('labelled'))} queries with"
            f" human labels: Δ {signed(row.get('estimate'))} points"
        )
        if side == "none":
            told += f"; it decides nothing: {row.get('note') or 'there is no interval'}."
        else:
            span = interval(row.get("ci_low"), row.get("ci_high"))
            told += f", 95% interval {span}: {words[side]}."
        found.append(Evidence("labels", side, told))
    return found


def side_of(row: Row) -> str:
    """Where the interval of a corrected difference lies; `none` where it cannot decide.

    A row with a note has too few labels, or none that differ from the judge's: its interval may
    have no width at all and says nothing.

    Example:
        >>> side_of({"estimate": 0.02, "ci_low": 0.01, "ci_high": 0.03, "note": ""})
        'better'
        >>> side_of({"estimate": 0.02, "ci_low": 0.02, "ci_high": 0.02, "note": "too few labels"})
        'none'
    """
    low, high = row.get("ci_low"), row.get("ci_high")
    if row.get("estimate") is None or low is None or high is None or row.get("note"):
        return "none"
    if low > 0:
        return "better"
    return "worse" if high < 0 else "undecided"


def gsb_of(votes: Mapping[str, Any] | None) -> str:
    """`GSB +22.40`."""
    return f"GSB {signed(None if votes is None else votes['gsb'])}"


def listed(parts: Sequence[str]) -> str:
    """Parts as a sentence has them.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
