"""How the weekly report words what it prints: filters of its two templates.

Each takes a value of the weekly document and gives plain text without any markup; the templates
escape it. Numbers are written by `score_numbers`, like everywhere.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_document as read
from evalkit.reports import score_numbers as figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FILTERS"]

_STANDINGS = {
    "better": "Better",
    "worse": "Worse",
    "undecided": "No difference shown",
    "exploratory": "Exploratory",
    "untested": "Not tested",
}
_PEOPLE = {
    "better": "Treatment preferred",
    "worse": "Control preferred",
    "mixed": "Studies disagree",
    "undecided": "No difference shown",
    "open": "No conclusion yet",
    "none": "Not checked by people",
}
_MARKS = {"better": " *", "worse": " *", "exploratory": " ·"}


def _change(row: Mapping[str, Any], role: str, since: Mapping[str, Any]) -> str:
    """The difference of two weeks, where they may be compared."""
    before, now = row["before"][role], row["now"][role]
    if since["changes"] or before is None or now is None:
        return figure.MISSING
    return figure.signed(now - before)


def _votes_change(since: Mapping[str, Any]) -> str:
    """The difference of two GSBs, for studies that ask about the same queries."""
    both = since["people"]
    before, now = both["before"]["gsb"], both["now"]["gsb"]
    if not both["comparable"] or before is None or now is None:
        return figure.MISSING
    return figure.signed(now - before)


def _since_sentence(since: Mapping[str, Any]) -> str:
    if since["changes"]:
        return f"Not comparable with {since['week']}: {'; '.join(since['changes'])}."
    parts = []
    for row in since["rows"]:
        before, now = row["before"], row["now"]
        told = f"Δ {row['label']} {figure.signed(before['delta'])} → {figure.signed(now['delta'])}"
        if before["standing"] != now["standing"]:
            told += f" ({_brief(before['standing'])} → {_brief(now['standing'])})"
        parts.append(told)
    if not parts:
        return f"{since['week']} has no primary measure of this week."
    said = f"Against {since['week']}: {'; '.join(parts)}."
    if since["systems"]:
        said += f" But {' and '.join(since['systems'])}."
    return said


def _brief(standing: str) -> str:
    return _STANDINGS[standing].lower()


def _standing_brief(standing: str) -> str:
    return f"({_brief(standing)})"


def _people_brief(says: str) -> str:
    return f"({_PEOPLE[says].lower()})"


def _judge_name(judge: Mapping[str, Any]) -> str:
    """Who judged, as far as the score tells."""
    name, source = judge.get("name"), judge.get("source")
    if name and source:
        return f"{name} ({source})"
    return str(name or source or "an unnamed judge")


def _in_words(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """What a measure says, for whoever has never seen it; empty for the others."""
    usual = settings.get("average", "pooled") == "pooled" and settings.get("depth") != "fixed"
    if row["measure"] == "item_goodrate" and usual:
        return "Of 100 products shown, this many are good."
    if row["measure"] == "query_goodrate" and settings.get("query_goodrate_from") != "page grades":
        least = settings.get("min_good") or 1
        what = "one good product" if least == 1 else f"{least} good products"
        return f"Of 100 queries, this many show at least {what}."
    return "In points."


def _design(study: Mapping[str, Any]) -> str:
    if study["kind"] == "grade":
        form = "Grades of products and pages, blind to the run"
    else:
        form = f"Side by side and blind, {study['scale']} answers"
    parts = [form, f"lists of {study['depth']}", f"{study['overlap']} votes a query",
             f"served by policy {study['policy']}"]  # fmt: skip
    runs = [f"{role} {study[role]}" for role in ("control", "treatment") if study[role] != role]
    return ", ".join([*parts, *runs])


def _standing_of_study(progress: Mapping[str, Any]) -> str:
    said = (
        f"{figure.count(progress['done'])} of {figure.count(progress['slots'])} votes"
        f" ({figure.share(progress['share'])}%) by {figure.count(progress['annotators'])} people;"
        f" {figure.count(progress['complete'])} of {figure.count(progress['tasks'])} queries have"
        " all their votes"
    )
    if progress["automatic"]:
        said += f", {figure.count(progress['automatic'])} more have identical lists"
    return said


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {figure.count(number)}" for name, number in list(counts.items())[:8])


def _grades(grades: Mapping[str, Any]) -> str:
    items = ", ".join(f"{row['word']} {figure.count(row['number'])}" for row in grades["items"])
    pages = "; ".join(
        f"pages of {row['system']} good {row['good']}, mid {row['mid']}, bad {row['bad']}"
        for row in grades["pages"]
    )
    said = f"products {items}; {pages}"
    agreed = grades.get("agreement")
    if agreed and agreed["units"]:
        said += (
            f"; α {figure.coefficient(agreed['alpha_nominal'])} nominal over"
            f" {figure.count(agreed['units'])} products"
        )
    return said


def _predicts(found: Mapping[str, Any] | None) -> str:
    """How well a figure predicted people, beside it."""
    if found is None:
        return "not checked"
    told = f"τ-b {figure.coefficient(found['kendall'])}"
    if found["sign_agreement"] is None:
        return told
    number = found["sign_queries"]
    of = "" if number is None else f" of {figure.count(number)}"
    return f"{figure.share(found['sign_agreement'])}%{of}, {told}"


def _where(row: Mapping[str, Any]) -> str:
    return "all queries" if not row.get("segment") else read.segment_label(row)


def _own_command(document: Mapping[str, Any]) -> str:
    words = ["evalkit", "report", "--week", document["week"]]
    if document["name"] != "weekly":
        words += ["--name", document["name"]]
    return shlex.join(words)


def _annotators_command(study: Mapping[str, Any]) -> str:
    return shlex.join(["evalkit", "study", "annotators", study["name"]])


def _plain_interval(low: float | None, high: float | None) -> str:
    return figure.interval(low, high, sign=False)


def _seconds(value: float | None) -> str:
    return figure.MISSING if value is None else figure.fixed(value, 1)


def _whole(value: float | None) -> str:
    return figure.MISSING if value is None else figure.count(round(value))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


def _signal(value: object) -> str:
    return "" if not value else "signal" if value is True else str(value)


FILTERS: dict[str, Callable[..., str]] = {
    "annotators_command": _annotators_command,
    "change": _change,
    "coefficient": figure.coefficient,
    "coefficients": figure.coefficients,
    "count": figure.count,
    "design": _design,
    "grades": _grades,
    "in_words": _in_words,
    "interval": figure.interval,
    "judge_name": _judge_name,
    "mark": lambda standing: _MARKS.get(standing, ""),
    "measure_label": read.measure_label,
    "measure_name": read.measure_name,
    "own_command": _own_command,
    "p_value": figure.p_value,
    "people_brief": _people_brief,
    "people_word": _PEOPLE.__getitem__,
    "predicts": _predicts,
    "plain_interval": _plain_interval,
    "points": figure.points,
    "seconds": _seconds,
    "sentence": _sentence,
    "share": figure.share,
    "signal": _signal,
    "signed": figure.signed,
    "since_sentence": _since_sentence,
    "standing": _STANDINGS.__getitem__,
    "standing_brief": _standing_brief,
    "standing_of_study": _standing_of_study,
    "tally": _tally,
    "votes_change": _votes_change,
    "where": _where,
    "whole": _whole,
}
