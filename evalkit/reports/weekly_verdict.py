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
from evalkit.reports.score_numbers import count, interval, p_value, points, signed

__all__ = ["Evidence", "Verdict", "labels_say", "metrics_say", "people_say", "verdict"]

Row = Mapping[str, Any]
Metrics = Literal["better", "worse", "mixed", "undecided", "untested"]
People = Literal["better", "worse", "undecided", "open", "none"]
Case = Literal["contradiction", "better", "worse", "mixed", "undecided", "untested"]

_OPPOSITE = {"better": "worse", "worse": "better"}


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


@dataclass(frozen=True)
class Verdict:
    """What a week comes to.

    Attributes:
        case: the side on which the sentence comes down.
        metrics: what the primary measures say after Holm.
        people: what votes say; `open` while they allow no conclusion, `none` without a study.
        labels: what human labels say of the primary measures, `none` without a calibration.
        sentence: the verdict.
        evidence: what it rests on, in the order of reading.
    """

    case: Case
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
) -> Verdict:
    """Weigh the witnesses of a week.

    Args:
        rows: the primary measures over the whole query set, as in a score document.
        votes: the study: `study` (its name), `basis` (`final`, `anytime` or `interim`), `gsb`,
            `low`, `high`, `p` (None unless final), `queries`, `votes`, `share` of the votes that
            are in; None without a study.
        labels: rows of a calibration document with `of` `delta` over the whole query set.
        segments: rows of the primary measures in segments.

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
    if people == _OPPOSITE.get(metrics):
        case: Case = "contradiction"
        sentence = (
            f"People and metrics contradict each other: {_measured(rows)}, but"
            f" {_preferred(people, votes)}."
        )
    elif crossed:
        case, sentence = "contradiction", _contradicted(crossed, people, votes)
    elif corrected in _OPPOSITE and people == _OPPOSITE[corrected]:
        case = "contradiction"
        sentence = (
            f"Human labels and people's votes contradict each other: {_corrected(labels)}, but"
            f" {_preferred(people, votes)}."
        )
    else:
        case, sentence = _agreed(metrics, people, rows, votes)
        sentence += _faded(rows, labels)
    return Verdict(
        case,
        metrics,
        people,
        corrected,
        sentence,
        (
            *_of_metrics(rows),
            *_of_segments(segments),
            *_of_people(votes, people),
            *_of_labels(labels),
        ),
    )


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
    found = {_side(row) for row in labels} - {"none"}
    if not found:
        return "none"
    if {"better", "worse"} <= found:
        return "mixed"
    return next(iter(found - {"undecided"}), "undecided")


def _side(row: Row) -> str:
    """Where the interval of a corrected difference lies."""
    low, high = row.get("ci_low"), row.get("ci_high")
    if row.get("estimate") is None or low is None or high is None:
        return "none"
    if low > 0:
        return "better"
    return "worse" if high < 0 else "undecided"


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
                f" ({_gsb(votes)}); that is no proof that there is none."
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
        return f"People's votes show no difference ({_gsb(votes)})."
    said = _preferred(people, votes)
    return f"{said[0].upper()}{said[1:]}."


def _preferred(people: str, votes: Mapping[str, Any] | None) -> str:
    side = "treatment" if people == "better" else "control"
    return f"people prefer the {side} ({_gsb(votes)})"


def _gsb(votes: Mapping[str, Any] | None) -> str:
    return f"GSB {signed(None if votes is None else votes['gsb'])}"


def _measured(rows: Sequence[Row]) -> str:
    """The measures that moved, each with its size."""
    parts = [
        f"{read.measure_label(row)} is {points(abs(row['delta']))} points"
        f" {'higher' if row['delta'] > 0 else 'lower'}"
        for row in rows
        if read.standing(row) in ("better", "worse")
    ]
    return _listed(parts)


def _corrected(labels: Sequence[Row]) -> str:
    parts = [
        f"{read.measure_label(row)}, corrected by human labels, is"
        f" {points(abs(row['estimate']))} points"
        f" {'higher' if row['estimate'] > 0 else 'lower'}"
        for row in labels
        if _side(row) in _OPPOSITE
    ]
    return _listed(parts)


def _crossed(rows: Sequence[Row], labels: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Measures whose declared test and whose human labels point in opposite directions."""
    return [
        (row, label)
        for row in rows
        for label in labels
        if (label["measure"], label.get("cutoff")) == (row["measure"], row.get("cutoff"))
        and _side(label) == _OPPOSITE.get(read.standing(row))
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
    text = f"Human labels and the automated judge contradict each other: {_listed(parts)}."
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
        if _side(row) == "undecided" and (row["measure"], row.get("cutoff")) in decided
    ]
    if not names:
        return ""
    return f" Corrected by human labels, the difference in {_listed(names)} is not shown."


def _of_metrics(rows: Sequence[Row]) -> list[Evidence]:
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
                )
        found.append(Evidence("metrics", place, f"{text}."))
    return found


def _of_segments(segments: Sequence[Row]) -> list[Evidence]:
    """One sentence a measure, for measures that moved in a segment."""
    measures: dict[tuple[str, Any], list[Row]] = {}
    for row in segments:
        measures.setdefault((row["measure"], row.get("cutoff")), []).append(row)
    found = []
    for rows in measures.values():
        parts, places = [], set()
        for word in ("better", "worse"):
            names = [
                f"{read.segment_label(row)} ({signed(row['delta'])})"
                for row in rows
                if read.standing(row) == word
            ]
            if names:
                parts.append(f"{word} in {_listed(names)}")
                places.add(word)
        rest = sum(read.standing(row) == "undecided" for row in rows)
        if not parts:
            continue
        if rest:
            what = "the other segment" if rest == 1 else f"the other {count(rest)} segments"
            parts.append(f"no difference shown in {what}")
        says = places.pop() if len(places) == 1 else "mixed"
        label = read.measure_label(rows[0])
        found.append(Evidence("segments", says, f"{label} by segment: {'; '.join(parts)}."))
    return found


def _of_people(votes: Mapping[str, Any] | None, people: People) -> list[Evidence]:
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
        f" {count(votes['queries'])} queries): {_gsb(votes)} points"
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


def _of_labels(labels: Sequence[Row]) -> list[Evidence]:
    words = {
        "better": "better",
        "worse": "worse",
        "undecided": "no difference shown",
        "none": "no interval",
    }
    return [
        Evidence(
            "labels",
            _side(row),
            f"{read.measure_label(row)} corrected by {count(row.get('labelled'))} queries with"
            f" human labels: Δ {signed(row.get('estimate'))} points, 95% interval"
            f" {interval(row.get('ci_low'), row.get('ci_high'))}: {words[_side(row)]}.",
        )
        for row in labels
    ]


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
