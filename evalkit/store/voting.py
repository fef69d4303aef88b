"""Answers: stored once, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.store.engine import Store
    from evalkit.store.values import Ballot, Outcome, Person

__all__ = ["add_reasons", "flag", "save_draft", "skip", "submit"]


def submit(
    store: Store,
    assignment_id: int,
    revision: int,
    ballot: Ballot,
    person: Person,
    *,
    now: int | None = None,
) -> Outcome:
    """Store an answer; a second submission of the same revision changes nothing."""
    raise NotImplementedError


def skip(
    store: Store,
    assignment_id: int,
    revision: int,
    reason: str,
    person: Person,
    *,
    ballot: Ballot | None = None,
    now: int | None = None,
) -> Outcome:
    """Pass on a task with a reason; its place is free for others. `ballot` carries the metadata."""
    raise NotImplementedError


def flag(
    store: Store,
    assignment_id: int,
    reason: str,
    comment: str,
    person: Person,
    *,
    now: int | None = None,
) -> None:
    """Report a problem with a task, beside any vote."""
    raise NotImplementedError


def add_reasons(
    store: Store,
    vote_id: int,
    reasons: Sequence[str],
    person: Person,
    *,
    now: int | None = None,
) -> None:
    """Add reason tags to a vote of one's own."""
    raise NotImplementedError


def save_draft(
    store: Store,
    assignment_id: int,
    person: Person,
    *,
    comment: str | None = None,
    items: Mapping[str, str | int] | None = None,
    now: int | None = None,
) -> None:
    """Keep what was typed so far, so that a refresh does not lose it; None leaves it as it is."""
    raise NotImplementedError
