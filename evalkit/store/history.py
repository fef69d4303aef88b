"""A person's own answers: the list of them, undo, and changing one until the study closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.errors import StoreError
from evalkit.store.engine import milliseconds
from evalkit.store.findings import MyVote
from evalkit.store.rights import act_for, not_yours
from evalkit.store.schema import assignment, task, vote, vote_reason
from evalkit.store.serving import served, shown_from
from evalkit.store.slots import lease
from evalkit.store.studies import study_by_id

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.schema import AnyRow
    from evalkit.store.values import Person, Served

__all__ = ["my_votes", "reopen", "undo"]

_WORDS = {
    -2: "Left much better",
    -1: "Left better",
    0: "About the same",
    1: "Right better",
    2: "Right much better",
}


def undo(store: Store, study_id: int, person: Person, *, now: int | None = None) -> Served | None:
    """Open the next revision of the person's latest vote or skip.

    While an answer is being changed, undo gives that one again: a key that is held, or two tabs,
    take back one answer and not a row of them. Earlier ones are in the history.

    Returns:
        The task as it is served again, or None when there is nothing to take back.

    Raises:
        StoreError: the study is closed.
        NotAllowed: the person's access has ended.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        act_for(connection, person)
        mine = sa.and_(
            assignment.c.person_id == person.id,
            task.c.study_id == study_id,
            assignment.c.side.is_not(None),
        )
        changing = connection.execute(
            sa.select(assignment.c.id)
            .join(task, assignment.c.task_id == task.c.id)
            .where(mine, assignment.c.state == "open", assignment.c.revision > 1)
            .order_by(assignment.c.opened_at.desc(), assignment.c.id.desc())
            .limit(1)
        ).scalar()
        latest = connection.execute(
            sa.select(vote.c.assignment_id)
            .join(assignment, vote.c.assignment_id == assignment.c.id)
            .join(task, assignment.c.task_id == task.c.id)
            .where(mine)
            .order_by(vote.c.id.desc())
            .limit(1)
        ).scalar()
        chosen = changing if changing is not None else latest
        if chosen is None:
            return None
        _open_again(connection, chosen, person, now)
    with store.reading() as connection:
        return served(connection, chosen)


def reopen(store: Store, assignment_id: int, person: Person, *, now: int | None = None) -> Served:
    """Open the next revision of one of the person's answers, until the study closes.

    Raises:
        NotAllowed: the assignment is not the person's, or their access has ended.
        StoreError: the study is closed, or the vote was imported.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        act_for(connection, person)
        _open_again(connection, assignment_id, person, now)
    with store.reading() as connection:
        return served(connection, assignment_id)


def my_votes(store: Store, study_id: int, person: Person, *, limit: int = 200) -> list[MyVote]:
    """Return the person's own latest answers, newest first.

    Raises:
        NotAllowed: the person's access has ended.
        StoreError: there is no such study.
    """
    newest = (
        sa.select(sa.func.max(vote.c.revision))
        .where(vote.c.assignment_id == assignment.c.id)
        .correlate(assignment)
        .scalar_subquery()
    )
    with store.reading() as connection:
        act_for(connection, person, lock=False)
        study = study_by_id(connection, study_id)
        rows = connection.execute(
            sa.select(vote, task.c.query, task.c.query_type)
            .join(assignment, vote.c.assignment_id == assignment.c.id)
            .join(task, assignment.c.task_id == task.c.id)
            .where(
                task.c.study_id == study_id,
                assignment.c.person_id == person.id,
                vote.c.revision == newest,
            )
            .order_by(vote.c.id.desc())
            .limit(limit)
        ).all()
        reasons = _reasons(connection, [row.id for row in rows])
    editable = study.state in ("open", "paused")
    return [
        MyVote(
            assignment_id=row.assignment_id,
            vote_id=row.id,
            revision=row.revision,
            action=row.action,
            query=row.query,
            query_type=row.query_type,
            shown=shown_from(row.preference, row.side),
            both_bad=row.both_bad,
            words=_words(row),
            submitted_at=row.submitted_at,
            comment=row.comment,
            reasons=tuple(reasons.get(row.id, ())),
            can_edit=editable and row.side is not None,
        )
        for row in rows
    ]


def _words(row: AnyRow) -> str:
    if row.action == "skip":
        return f"Skipped: {row.skip_reason}" if row.skip_reason else "Skipped"
    if row.both_bad:
        return "Both bad"
    shown = shown_from(row.preference, row.side)
    return "Graded" if shown is None else _WORDS[shown]


def _reasons(connection: sa.Connection, vote_ids: list[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in connection.execute(
        sa.select(vote_reason.c.vote_id, vote_reason.c.reason)
        .where(vote_reason.c.vote_id.in_(vote_ids))
        .order_by(vote_reason.c.id)
    ):
        found.setdefault(row.vote_id, []).append(row.reason)
    return found


def _open_again(connection: sa.Connection, assignment_id: int, person: Person, now: int) -> None:
    row = connection.execute(
        sa.select(assignment, task.c.study_id, task.c.kind)
        .join(task, assignment.c.task_id == task.c.id)
        .where(assignment.c.id == assignment_id, assignment.c.person_id == person.id)
    ).one_or_none()
    if row is None:
        raise not_yours(assignment_id)
    study = study_by_id(connection, row.study_id, lock="answer")
    if study.state not in ("open", "paused"):
        raise StoreError(
            f"Study {study.name!r} is {study.state}; answers can no longer be changed."
        )
    if row.side is None:
        raise StoreError("This vote was imported without its sides, so it cannot be changed here.")
    if row.state == "open":
        return
    connection.execute(
        sa.select(task.c.id).where(task.c.id == row.task_id).with_for_update(key_share=True)
    )
    connection.execute(
        sa.update(assignment)
        .where(assignment.c.id == assignment_id)
        .values(
            state="open",
            revision=row.revision + 1,
            opened_at=now,
            shown_at=None,
            hurried_at=None,
        )
    )
    if row.kind == "real":
        until = now + study.design.lease_ms
        lease(connection, assignment_id, row.task_id, row.side, now=now, until=until)
