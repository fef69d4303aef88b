"""Places for votes: every real task has as many as votes are wanted.

A place is free, leased to the assignment of somebody who looks at the task, or done. A lease that
has run out is as good as free. Whatever takes a place is one UPDATE whose subquery skips rows that
others have locked, so that no place goes to two people on PostgreSQL; SQLite has one writer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from evalkit.store.schema import UNFILLED, assignment, slot, task, vote

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["claim", "fill", "held_until", "latest_action", "lease", "release"]


def claim(
    connection: sa.Connection, study_id: int, person_id: int, side: str, *, now: int, until: int
) -> sa.Row[tuple[int, int, str]] | None:
    """Lease the next place of a real task that this person has not had.

    Args:
        connection: a writing transaction that acts for the person.
        study_id: the study.
        person_id: who gets it.
        side: where the treatment should stand, if the task has such a place.
        now: UTC milliseconds.
        until: when the lease ends.

    Returns:
        `id`, `task_id` and `side` of the place, or None when there is none to have.
    """
    had = sa.exists().where(assignment.c.task_id == task.c.id, assignment.c.person_id == person_id)
    place = (
        sa.select(slot.c.id)
        .join(task, slot.c.task_id == task.c.id)
        .where(task.c.study_id == study_id, task.c.kind == "real", UNFILLED, _takeable(now), ~had)
        .order_by(task.c.priority, task.c.position, slot.c.side != side, slot.c.slot_no)
        .limit(1)
        .with_for_update(of=slot, skip_locked=True)
        .scalar_subquery()
    )
    statement = (
        sa.update(slot)
        .where(slot.c.id == place)
        .values(state="leased", assignment_id=None, lease_until=until)
        .returning(slot.c.id, slot.c.task_id, slot.c.side)
    )
    while True:
        found = connection.execute(statement).one_or_none()
        if found is None or not _give_to_late_vote(connection, found.id, found.task_id):
            return found


def lease(
    connection: sa.Connection, assignment_id: int, task_id: int, side: str, *, now: int, until: int
) -> None:
    """Renew the lease of an open assignment; without a place, take one of its task if one is free.

    An answer that is being changed keeps its place: it counts until the next one is given.
    """
    mine = (
        sa.update(slot)
        .where(slot.c.assignment_id == assignment_id)
        .values(lease_until=sa.case((slot.c.state == "leased", until)))
    )
    if connection.execute(mine).rowcount:
        return
    voted = connection.execute(
        sa.select(assignment.c.id).where(
            assignment.c.id == assignment_id, latest_action() == "vote"
        )
    ).scalar()
    if voted is None:
        _take(connection, assignment_id, task_id, side, "leased", now=now, until=until)
    else:
        _take(connection, assignment_id, task_id, side, "done", now=now)


def fill(
    connection: sa.Connection, assignment_id: int, task_id: int, side: str, *, now: int
) -> None:
    """Mark the place of a vote as done; a late vote takes a free place of its task, if any."""
    mine = (
        sa.update(slot)
        .where(slot.c.assignment_id == assignment_id)
        .values(state="done", lease_until=None)
    )
    if not connection.execute(mine).rowcount:
        _take(connection, assignment_id, task_id, side, "done", now=now)


def release(connection: sa.Connection, assignment_id: int) -> None:
    """Free the place of an assignment that was passed on; a late vote without a place gets it."""
    freed = connection.execute(
        sa.update(slot)
        .where(slot.c.assignment_id == assignment_id)
        .values(state="free", assignment_id=None, lease_until=None)
        .returning(slot.c.id, slot.c.task_id)
    ).one_or_none()
    if freed is not None:
        _give_to_late_vote(connection, freed.id, freed.task_id)


def held_until(connection: sa.Connection, assignment_id: int) -> int | None:
    """Return when the lease of an assignment ends: None without a place, never when done."""
    row = connection.execute(
        sa.select(slot.c.state, slot.c.lease_until).where(slot.c.assignment_id == assignment_id)
    ).one_or_none()
    if row is None:
        return None
    until: int = 2**63 - 1 if row.state == "done" else row.lease_until
    return until


def latest_action() -> sa.ScalarSelect[str]:
    """Return, within a query over `assignment`, whether its latest answer is a vote or a skip."""
    return (
        sa.select(vote.c.action)
        .where(vote.c.assignment_id == assignment.c.id)
        .order_by(vote.c.revision.desc())
        .limit(1)
        .correlate(assignment)
        .scalar_subquery()
    )


def _takeable(now: int) -> sa.ColumnElement[bool]:
    return sa.or_(
        slot.c.state == "free", sa.and_(slot.c.state == "leased", slot.c.lease_until <= now)
    )


def _take(
    connection: sa.Connection,
    assignment_id: int,
    task_id: int,
    side: str,
    state: Literal["leased", "done"],
    *,
    now: int,
    until: int | None = None,
) -> None:
    place = (
        sa.select(slot.c.id)
        .where(slot.c.task_id == task_id, UNFILLED, _takeable(now))
        .order_by(slot.c.side != side, slot.c.slot_no)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    connection.execute(
        sa.update(slot)
        .where(slot.c.id == place)
        .values(state=state, assignment_id=assignment_id, lease_until=until)
    )


def _give_to_late_vote(connection: sa.Connection, slot_id: int, task_id: int) -> bool:
    """Give a place that was just taken or freed to the first vote of its task that has none."""
    placed = sa.exists().where(slot.c.assignment_id == assignment.c.id)
    waiting: Sequence[int] = (
        connection.execute(
            sa.select(assignment.c.id)
            .where(assignment.c.task_id == task_id, ~placed, latest_action() == "vote")
            .order_by(assignment.c.id)
            .with_for_update(skip_locked=True, key_share=True, of=assignment)
        )
        .scalars()
        .all()
    )
    for late in waiting:
        # asked again: somebody may have given it a place before the row was locked
        if connection.execute(sa.select(slot.c.id).where(slot.c.assignment_id == late)).first():
            continue
        connection.execute(
            sa.update(slot)
            .where(slot.c.id == slot_id)
            .values(state="done", assignment_id=late, lease_until=None)
        )
        return True
    return False
