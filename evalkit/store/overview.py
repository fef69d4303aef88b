"""Where a study stands: places, votes, pace, and the problems that annotators reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.store.engine import milliseconds

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.values import Flag, Person, Progress

__all__ = ["flags", "progress"]


def progress(
    store: Store, study_id: int, *, actor: Person | None = None, now: int | None = None
) -> Progress:
    """Say where a study stands. Needs analyst."""
    milliseconds(now)
    raise NotImplementedError


def flags(store: Store, study_id: int, *, actor: Person | None = None) -> list[Flag]:
    """Return the problems that annotators reported, newest first. Needs analyst."""
    raise NotImplementedError
