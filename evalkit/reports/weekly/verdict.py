"""The verdict of a week in one sentence, and the evidence it rests on.

Three witnesses are heard: the primary measures after Holm, people's votes, and human labels that
correct the measures. The words never say more than they do: no difference shown is not equality,
a study that is still running speaks only through figures that hold at any look, and where people
and metrics contradict each other, that is said first. Computes nothing; figures come as they were
recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.reports import score_document as read
from evalkit.reports.score_numbers import points
from evalkit.reports.weekly.evidence import (
    Evidence,
    gsb_of,
    listed,
    of_labels,
    of_metrics,
    of_people,
    of_segments,
    side_of,
)

__all__ = ["Verdict", "labels_say", "metrics_say", "people_say", "verdict"]

Row = Mapping[str, Any]
Metrics = Literal["better", "worse", "mixed", "undecided", "untested"]
People = Literal["better", "worse", "mixed", "undecided", "open", "none"]
Case = Literal["contradiction", "better", "worse", "mixed", "undecided", "untested"]

_LABELS = {
    "contradiction": "Contradiction",
    "better": "Better",
    "worse": "Worse",
    "mixed": "Divided",
    "undecided": "No difference shown",
    "untested": "Not tested",
}
_OPPOSITE = {"better": "worse", "worse": "better"}
_SAID = {
    "better": "people prefer the treatment",
    "worse": "people prefer the control",
    "undecided": "no difference shown",
    "open": "no conclusion yet",
}


@dataclass(frozen=True)
class Verdict:
    """What a week comes to.

    Attributes:
        case: the side on which the sentence comes down.
        label: the same in a few words, with who says so where not all do.
        metrics: what the primary measures say after Holm.
        people: what votes say; `mixed` where studies contradict each other, `open` while they allow
            no conclusion, `none` without a study.
        labels: what human labels say of the primary measures, `none` without a calibration.
        sentence: the verdict.
        evidence: what it rests on, in the order of reading.
    """

    case: Case
    label: str
    metrics: Metrics
    people: People
    labels: str
    sentence: str
    evidence: tuple[Evidence, ...]


def verdict(
    rows: Sequence[Row],
    votes: Mapping[str, Any] | None = None,
    labels: Sequence[Row] = (),
    segments: Sequence[Row] = (),
    further: Sequence[Mapping[str, Any]] = (),
) -> Verdict:
    """Weigh the witnesses of a week.

    Labels and further studies add to the sentence what it does not say yet, and can divide a
    verdict; they never make one better.

    Args:
        rows: the primary measures over the whole query set, as in a score document.
        votes: the study: `study` (its name), `basis` (`final`, `anytime` or `interim`), `gsb`,
            `low`, `high`, `p` (None unless final), `queries`, `votes`, `share` of the votes that
            are in; None without a study.
        labels: rows of a calibration document with `of` `delta` over the whole query set.
        segments: rows of the primary measures in segments.
        further: other studies of the same change, like `votes`.

    Example:
        >>> row = {"measure": "ndcg", "cutoff": 10, "control": 0.3, "treatment": 0.4,
        ...        "delta": 0.1, "ci_low": 0.05, "ci_high": 0.15, "p": 0.001, "p_holm": 0.002}
        >>> verdict([row]).sentence
        'The treatment is better by the metrics: nDCG@10 is 10.00 points higher. Not checked by
        people this week.'
    """
    metrics, people = metrics_say(rows), people_say(votes)
    known = {(row["measure"], row.get("cutoff")) for row in rows}
    labels = [row for row in labels if (row["measure"], row.get("cutoff")) in known]
    corrected = labels_say(labels)
    crossed = _crossed(rows, labels)
    studies = [] if votes is None else [votes, *further]
    unsaid, unnamed = _beside(rows, labels), studies[1:]
    case: Case = "contradiction"
    if {"better", "worse"} <= {people_say(each) for each in studies}:
        people = "mixed"
        sentence = f"{_studies_contradict(studies)} {_by_metrics(metrics, rows)}"
        unnamed = [each for each in studies if people_say(each) not in _OPPOSITE]
    elif people == _OPPOSITE.get(metrics):
        sentence = (
            f"People and metrics contradict each other: {_measured(rows)}, but"
            f" {_preferred(people, votes)}."
        )
    elif crossed:
        sentence = _contradicted(crossed, people, votes)
        unsaid = [row for row in unsaid if not any(row is label for _, label in crossed)]
    elif corrected in _OPPOSITE and people == _OPPOSITE[corrected]:
        unsaid = []
        sentence = (
            f"Human labels and people's votes contradict each other: {_corrected(labels)}, but"
            f" {_preferred(people, votes)}."
        )
    else:
        case, sentence = _agreed(metrics, people, rows, votes)
        sentence += _faded(rows, labels)
    if unsaid:
        sentence += f" {_corrected(unsaid)}."
    for each in unnamed:
        sentence += f" Study {each['study']}: {_SAID[people_say(each)]} ({gsb_of(each)})."
    more = {*map(side_of, unsaid), *map(people_say, unnamed)}
    if _OPPOSITE.get(case) in more:
        case = "mixed"
    label = _label(case, metrics, people)
    if case == "undecided" and more & _OPPOSITE.keys():
        label = "No difference shown by the metrics"
    return Verdict(
        case,
        label,
        metrics,
        people,
        corrected,
        sentence,
        (
            *of_metrics(rows),
            *of_segments(segments),
            *(said for each in studies for said in of_people(each, people_say(each))),
            *of_labels(labels),
        ),
    )


def _label(case: Case, metrics: Metrics, people: People) -> str:
    if case in ("better", "worse") and metrics != people:
        return f"{case.capitalize()} by {'the metrics' if metrics == case else 'people'}"
    return _LABELS[case]


def metrics_say(rows: Sequence[Row]) -> Metrics:
    """What the declared tests say together.

    Example:
        >>> metrics_say([{"delta": 0.1, "p": 0.01, "p_holm": 0.02},
        ...              {"delta": -0.1, "p": 0.01, "p_holm": 0.02}])
        'mixed'
    """
    found = {read.standing(row) for row in rows}
    if {"better", "worse"} <= found:
        return "mixed"
    if "better" in found:
        return "better"
    if "worse" in found:
        return "worse"
    return "undecided" if "undecided" in found else "untested"


def people_say(votes: Mapping[str, Any] | None) -> People:
    """What votes say.

    Final figures need both, the sign test at 0.05 and an interval of GSB that leaves out 0 on the
    same side; figures of a running study need the anytime sequence of GSB to leave it out.

    Example:
        >>> people_say({"basis": "final", "gsb": 0.2, "low": 0.1, "high": 0.3, "p": 0.2})
        'undecided'
        >>> people_say({"basis": "anytime", "gsb": 0.2, "low": 0.1, "high": 0.3, "p": None})
        'better'
    """
    if votes is None:
        return "none"
    gsb, low, high, basis = votes["gsb"], votes["low"], votes["high"], votes["basis"]
    if basis == "interim" or gsb is None or low is None or high is None or low > high:
        return "open"
    if basis == "final" and (votes["p"] is None or votes["p"] > read.ALPHA):
        return "undecided"
    if low > 0 and gsb > 0:
        return "better"
    if high < 0 and gsb < 0:
        return "worse"
    return "undecided"


def labels_say(labels: Sequence[Row]) -> str:
    """What corrected differences say together: a direction, `mixed`, `undecided` or `none`.

    Example:
        >>> labels_say([{"estimate": 0.1, "ci_low": 0.02, "ci_high": 0.18}])
        'better'
    """
    found = {side_of(row) for row in labels} - {"none"}
    if not found:
        return "none"
    if {"better", "worse"} <= found:
        return "mixed"
    return next(iter(found - {"undecided"}), "undecided")


def _agreed(
    metrics: Metrics, people: People, rows: Sequence[Row], votes: Mapping[str, Any] | None
) -> tuple[Case, str]:
    """Case and sentence where nobody contradicts."""
    told = _people_told(people, votes)
    if metrics in ("better", "worse"):
        if people == metrics:
            text = f"The treatment is {metrics}: {_measured(rows)}, and"
            return metrics, f"{text} {_preferred(people, votes)}."
        return metrics, f"The treatment is {metrics} by the metrics: {_measured(rows)}. {told}"
    if metrics == "mixed":
        return "mixed", f"The metrics are divided: {_measured(rows)}. {told}"
    silent = (
        "the metrics show no difference"
        if metrics == "undecided"
        else "no difference of the metrics was tested"
    )
    if people in ("better", "worse"):
        said = _preferred(people, votes)
        return people, f"{said[0].upper()}{said[1:]}; {silent}."
    if metrics == "undecided":
        if people == "undecided":
            return "undecided", (
                "No difference is shown, neither by the metrics nor by people"
                f" ({gsb_of(votes)}); that is no proof that there is none."
            )
        text = "No difference is shown by the metrics, which is no proof that there is none."
        return "undecided", f"{text} {told}"
    return "untested", f"No difference of the metrics was tested. {told}"


def _people_told(people: People, votes: Mapping[str, Any] | None) -> str:
    if people == "none":
        return "Not checked by people this week."
    if people == "open":
        return "People's votes allow no conclusion yet."
    if people == "undecided":
        return f"People's votes show no difference ({gsb_of(votes)})."
    said = _preferred(people, votes)
    return f"{said[0].upper()}{said[1:]}."


def _preferred(people: str, votes: Mapping[str, Any] | None) -> str:
    side = "treatment" if people == "better" else "control"
    return f"people prefer the {side} ({gsb_of(votes)})"


def _studies_contradict(studies: Sequence[Mapping[str, Any]]) -> str:
    for_treatment, for_control = (
        listed(
            [f"{each['study']} ({gsb_of(each)})" for each in studies if people_say(each) == says]
        )
        for says in ("better", "worse")
    )
    return (
        "Studies of this change contradict each other: people prefer the treatment in"
        f" {for_treatment}, but the control in {for_control}."
    )


def _by_metrics(metrics: Metrics, rows: Sequence[Row]) -> str:
    if metrics == "undecided":
        return "The metrics show no difference."
    if metrics == "untested":
        return "No difference of the metrics was tested."
    return f"By the metrics, {_measured(rows)}."


def _beside(rows: Sequence[Row], labels: Sequence[Row]) -> list[Row]:
    """Corrected differences that the declared test of their measure does not show."""
    shown = {(row["measure"], row.get("cutoff")): read.standing(row) for row in rows}
    return [
        row
        for row in labels
        if side_of(row) in _OPPOSITE and side_of(row) != shown[row["measure"], row.get("cutoff")]
    ]


def _measured(rows: Sequence[Row]) -> str:
    """The measures that moved, each with its size."""
    parts = [
        f"{read.measure_label(row)} is {points(abs(row['delta']))} points"
        f" {'higher' if row['delta'] > 0 else 'lower'}"
        for row in rows
        if read.standing(row) in ("better", "worse")
    ]
    return listed(parts)


def _corrected(labels: Sequence[Row]) -> str:
    parts = [
        f"{read.measure_label(row)}, corrected by human labels, is"
        f" {points(abs(row['estimate']))} points"
        f" {'higher' if row['estimate'] > 0 else 'lower'}"
        for row in labels
        if side_of(row) in _OPPOSITE
    ]
    return listed(parts)


def _crossed(rows: Sequence[Row], labels: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Measures whose declared test and whose human labels point in opposite directions."""
    return [
        (row, label)
        for row in rows
        for label in labels
        if (label["measure"], label.get("cutoff")) == (row["measure"], row.get("cutoff"))
        and side_of(label) == _OPPOSITE.get(read.standing(row))
    ]


def _contradicted(
    crossed: Sequence[tuple[Row, Row]], people: People, votes: Mapping[str, Any] | None
) -> str:
    parts = [
        f"{read.measure_label(row)} is {points(abs(row['delta']))} points"
        f" {'higher' if row['delta'] > 0 else 'lower'} by the automated judge, but"
        f" {points(abs(label['estimate']))} points"
        f" {'higher' if label['estimate'] > 0 else 'lower'} corrected by human labels"
        for row, label in crossed
    ]
    text = f"Human labels and the automated judge contradict each other: {listed(parts)}."
    return text if people == "none" else f"{text} {_people_told(people, votes)}"


def _faded(rows: Sequence[Row], labels: Sequence[Row]) -> str:
    """Which differences human labels do not confirm."""
    decided = {
        (row["measure"], row.get("cutoff"))
        for row in rows
        if read.standing(row) in ("better", "worse")
    }
    names = [
        read.measure_label(row)
        for row in labels
        if side_of(row) == "undecided" and (row["measure"], row.get("cutoff")) in decided
    ]
    if not names:
        return ""
    return f" Corrected by human labels, the difference in {listed(names)} is not shown."
