"""The rows of a votes table, checked one by one before any of them is stored."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, get_args

from evalkit.errors import InputError, Problem
from evalkit.store.ballots import clean
from evalkit.store.values import TaskKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

__all__ = ["VoteRow", "refuse", "votes_in"]

_NAME = "the votes"
_SHOWN = 10
_LONGEST = 1e9  # seconds; 30 years
_REMEDY = "Correct these rows or leave them out; nothing was imported."
_TAKEN_OVER = ("active_ms", "input_method", "viewport", "app_version", "guideline_version")


@dataclass(frozen=True)
class VoteRow:
    """One row of a votes table.

    Attributes:
        row: 1-based place in the table.
        kind: kind of the task.
        query_id: the query.
        annotator: name; empty for identical lists.
        preference: -2 ... +2 for the treatment.
        both_bad: whether both were bad.
        side: where the treatment stood, or None where the table does not say.
        counts: False for a vote that the overlap did not need.
        set_aside: whether the annotator was set aside.
        position: place of the task in the serving order, or None.
        query: text of the query or None.
        query_type: its type or None.
        segments: values of the study's segment columns.
        gold_preference: the accepted sign of a gold or practice task, or None.
        reasons: reason tags.
        comment: the comment.
        items: `good` or `bad` by product id, of the products that were marked.
        submitted_at: UTC milliseconds or None.
        shown_at: UTC milliseconds or None.
        seconds: from shown to submitted, or None.
        more: the other columns of a vote that the table has.
    """

    row: int
    kind: TaskKind
    query_id: str
    annotator: str
    preference: int
    both_bad: bool
    side: str | None
    counts: bool
    set_aside: bool
    position: int | None
    query: str | None
    query_type: str | None
    segments: dict[str, str]
    gold_preference: int | None
    reasons: tuple[str, ...]
    comment: str
    items: dict[str, str]
    submitted_at: int | None
    shown_at: int | None
    seconds: float | None
    more: dict[str, Any]


def votes_in(table: pa.Table, *, scale: int, segments: Sequence[str]) -> list[VoteRow]:
    """Return the rows of a canonical votes table.

    The database takes rows, not columns, so this is one of the few loops over them.

    Args:
        table: columns `query_id`, `annotator`, `preference`, and the optional ones.
        scale: 3 or 5, of the study that they go to.
        segments: names of the segment columns to keep.

    Raises:
        InputError: a column is missing, or rows are wrong, contradict or repeat each other.
    """
    missing = [
        name for name in ("query_id", "annotator", "preference") if name not in table.column_names
    ]
    if missing:
        raise InputError(
            _NAME,
            [Problem(f"column {name} is missing") for name in missing],
            remedy=f"They have: {', '.join(table.column_names)}.",
        )
    problems: list[Problem] = []
    found: list[VoteRow] = []
    for number, fields in enumerate(table.to_pylist(), start=1):
        try:
            found.append(_row(number, fields, scale, segments))
        except _WrongError as wrong:
            query = fields["query_id"]
            problems.append(
                Problem(str(wrong), row=number, query_id=None if query is None else str(query))
            )
    problems += _repeated(found)
    problems += _half_set_aside(found)
    refuse(problems)
    return found


def refuse(problems: Sequence[Problem]) -> None:
    """Raise for the problems of a table, if there are any.

    Raises:
        InputError: with the first ten.
    """
    if problems:
        in_order = sorted(problems, key=lambda problem: problem.row or 0)
        raise InputError(_NAME, in_order[:_SHOWN], remedy=_REMEDY, total=len(problems))


class _WrongError(ValueError):
    """What is wrong with a row."""


def _row(number: int, fields: dict[str, Any], scale: int, segments: Sequence[str]) -> VoteRow:
    kind: Any = fields.get("kind") or "real"
    if kind not in get_args(TaskKind):
        raise _WrongError(f"{kind!r} is no kind of task")
    query_id = "" if fields["query_id"] is None else str(fields["query_id"])
    if not query_id:
        raise _WrongError("query_id is empty")
    annotator = clean(str(fields["annotator"] or "")).strip()
    if bool(annotator) is (kind == "automatic"):
        raise _WrongError(
            "identical lists have no annotator" if annotator else "annotator is empty"
        )
    preference = _whole(fields["preference"], "preference")
    limit = 1 if scale == 3 else 2
    if preference is None or not -limit <= preference <= limit:
        raise _WrongError(
            f"preference {preference} is not on the study's scale of {scale} points"
            if preference is not None
            else "preference is empty"
        )
    both_bad = bool(fields.get("both_bad"))
    if preference and (both_bad or kind == "automatic"):
        raise _WrongError(f"{'both bad' if both_bad else 'identical lists'} go with preference 0")
    counts, aside = fields.get("counts") is not False, bool(fields.get("set_aside"))
    if kind == "automatic" and (aside or not counts):
        raise _WrongError("identical lists always count and are nobody's to set aside")
    side = fields.get("treatment_side") or None
    if side not in ("left", "right", None):
        raise _WrongError(f"treatment_side is left or right, not {side!r}")
    submitted_at = _time(fields.get("submitted_at"), "submitted_at")
    shown_at = _time(fields.get("shown_at"), "shown_at")
    gold = _whole(fields.get("gold_preference"), "gold_preference")
    return VoteRow(
        row=number,
        kind=kind,
        query_id=query_id,
        annotator=annotator,
        preference=preference,
        both_bad=both_bad,
        side=side,
        counts=counts,
        set_aside=aside,
        position=_whole(fields.get("position"), "position"),
        query=_text(fields.get("query")),
        query_type=_text(fields.get("query_type")),
        segments={name: str(fields[name]) for name in segments if fields.get(name) is not None},
        gold_preference=None if gold is None else (gold > 0) - (gold < 0),
        reasons=tuple(
            reason.strip()
            for reason in clean(str(fields.get("reasons") or "")).split(";")
            if reason.strip()
        ),
        comment=clean(str(fields.get("comment") or "")),
        items=_marks(fields.get("items")),
        submitted_at=submitted_at,
        shown_at=shown_at,
        seconds=_seconds(fields.get("seconds")),
        more={
            name: _whole(fields[name], name)
            if name in ("active_ms", "guideline_version")
            else str(fields[name])
            for name in _TAKEN_OVER
            if fields.get(name) is not None
        },
    )


def _text(value: object) -> str | None:
    return None if value is None else clean(str(value))


def _marks(value: object) -> dict[str, str]:
    if value is None or value == "":
        return {}
    try:
        marks = json.loads(str(value))
    except ValueError:
        marks = None
    if not isinstance(marks, dict) or any(mark not in ("good", "bad") for mark in marks.values()):
        raise _WrongError(f"items is no JSON object of good or bad by product id: {value!r}")
    return {clean(product): mark for product, mark in marks.items()}


def _whole(value: object, name: str) -> int | None:
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        raise _WrongError(f"{name} is no number: {value!r}") from None
    if not number.is_integer():
        raise _WrongError(f"{name} is no whole number: {value!r}")
    return int(number)


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        raise _WrongError(f"seconds is no number: {value!r}") from None
    if not 0 <= number < _LONGEST:
        raise _WrongError(f"seconds is no time that a vote takes: {value!r}")
    return number


def _time(value: object, name: str) -> int | None:
    """Milliseconds since 1970 from a timestamp, a text in ISO 8601, or a number of them."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _WrongError(f"{name} is no time: {value!r}") from None
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1000)
    return _whole(value, name)


def _repeated(rows: Sequence[VoteRow]) -> list[Problem]:
    first: dict[tuple[str, str, str], int] = {}
    problems = []
    for row in rows:
        before = first.setdefault((row.kind, row.query_id, row.annotator), row.row)
        if before != row.row:
            who = row.annotator or "nobody"
            problems.append(
                Problem(
                    f"a second {row.kind} vote of {who!r} after row {before}; keep the one that "
                    "counts",
                    row=row.row,
                    query_id=row.query_id,
                )
            )
    return problems


def _half_set_aside(rows: Sequence[VoteRow]) -> list[Problem]:
    words: dict[str, set[bool]] = defaultdict(set)
    for row in rows:
        words[row.annotator].add(row.set_aside)
    mixed = {name for name, said in words.items() if name and len(said) > 1}
    return [
        Problem(
            f"some votes of {row.annotator!r} are set aside and some are not; it holds for all of "
            "an annotator's votes",
            row=row.row,
            query_id=row.query_id,
        )
        for row in rows
        if row.annotator in mixed and row.set_aside
    ]
