"""ISO weeks, under which evaluations are recorded."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from evalkit.errors import StoreError

__all__ = ["check_week", "current_week", "every_week", "weeks_between"]


def current_week(now: int | None = None) -> str:
    """Return the ISO week of a moment, in UTC.

    Args:
        now: UTC milliseconds; the clock by default.

    Example:
        >>> current_week(1_795_478_400_000)
        '2026-W48'
    """
    return _name(datetime.now(UTC) if now is None else datetime.fromtimestamp(now / 1000, UTC))


def check_week(week: str) -> str:
    """Return the week if there is one of that name.

    Raises:
        StoreError: it is not written as `2026-W47`, or the year has no such week.

    Example:
        >>> check_week("2026-W53")
        '2026-W53'
    """
    _monday(week)
    return week


def weeks_between(before: str, after: str) -> int:
    """Return how many weeks one week is after another; 1 for the next one.

    Raises:
        StoreError: one of them is no ISO week.

    Example:
        >>> weeks_between("2026-W52", "2027-W01")
        2
    """
    return (_monday(after) - _monday(before)).days // 7


def every_week(first: str, last: str) -> list[str]:
    """Return all weeks from one to another, both included.

    Raises:
        StoreError: one of them is no ISO week.

    Example:
        >>> every_week("2026-W52", "2027-W01")
        ['2026-W52', '2026-W53', '2027-W01']
    """
    start, number = _monday(first), weeks_between(first, last) + 1
    return [_name(start + timedelta(weeks=at)) for at in range(number)]


def _name(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _monday(week: str) -> date:
    found = re.fullmatch(r"(\d{4})-W(\d{2})", week, re.ASCII)
    if found is None:
        raise StoreError(f"The week {week!r} is not understood; write it as in 2026-W07.")
    year, number = int(found[1]), int(found[2])
    try:
        return date.fromisocalendar(year, number, 1)
    except ValueError:
        last = date(year, 12, 28).isocalendar().week if year else 53  # always in the last week
        raise StoreError(
            f"There is no week {week}; the weeks of {found[1]} go from W01 to W{last:02}."
        ) from None
