"""Which task a person sees next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.values import Finished, MyVote, Person, Served

__all__ = ["mark_shown", "my_votes", "next_task", "reopen", "undo"]


def next_task(
    store: Store, study_id: int, person: Person, *, now: int | None = None
) -> Served | Finished:
    """Serve the person's open task, or claim the next one."""
    raise NotImplementedError


def mark_shown(store: Store, assignment_id: int, person: Person, *, now: int | None = None) -> None:
    """Note that the task is on the screen; the first note of a revision holds."""
    raise NotImplementedError


def undo(store: Store, study_id: int, person: Person, *, now: int | None = None) -> Served | None:
    """Open the next revision of the person's latest answer; the same one if one is open."""
    raise NotImplementedError


def reopen(store: Store, assignment_id: int, person: Person, *, now: int | None = None) -> Served:
    """Open the next revision of one of the person's answers, until the study closes."""
    raise NotImplementedError


def my_votes(store: Store, study_id: int, person: Person, *, limit: int = 200) -> list[MyVote]:
    """Return the person's own latest answers, newest first."""
    raise NotImplementedError
