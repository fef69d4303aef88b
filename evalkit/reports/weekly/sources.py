"""The records behind a weekly report, by which every figure can be traced to a command."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.store import Evaluation

__all__ = ["moment", "source", "used"]

_SECRET = re.compile(r"(\w://[^:/@\s']*):[^@\s']+@")


def used(
    score: Evaluation,
    of_people: Sequence[Evaluation],
    calibrated: Evaluation | None,
    correlation: Evaluation | None,
    checks: Sequence[Evaluation],
    past: Sequence[Evaluation],
    votes: Sequence[Evaluation],
) -> list[Evaluation]:
    """Every record that the report rests on: those of the week first, then earlier ones."""
    of_week = [score, *of_people, *filter(None, (calibrated, correlation)), *checks[::-1]]
    earlier = [*past, *(each for each in votes if each.week < score.week)]
    earlier.sort(key=lambda each: (each.week, each.id), reverse=True)
    return list({each.id: each for each in (*of_week, *earlier)}.values())


def source(record: Evaluation) -> dict[str, Any]:
    """A record by which figures of the report can be traced; without the password of a database."""
    document = record.document
    command = document.get("command")
    return {
        "kind": record.kind,
        "week": record.week,
        "number": record.id,
        "recorded_at": moment(record.recorded_at),
        "recorded_by": record.recorded_by,
        "earlier": record.earlier,
        "fingerprint": record.fingerprint,
        "query_set": record.query_set,
        "judge": record.judge,
        "command": None if command is None else _SECRET.sub(r"\1:…@", str(command)),
        "inputs": [
            {
                "path": str(item.get("path", "")),
                "rows": item.get("rows"),
                "fingerprint": item.get("fingerprint"),
            }
            for item in document.get("inputs") or ()
        ],
    }


def moment(at: int) -> str:
    """A time of the store in words.

    Example:
        >>> moment(1_794_816_000_000)
        '2026-11-16 08:00 UTC'
    """
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
