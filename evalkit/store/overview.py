"""Where a study stands: places, votes, pace, and the problems that annotators reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.store.counting import latest_votes
from evalkit.store.engine import milliseconds
from evalkit.store.findings import Flag, Progress
from evalkit.store.rights import require
from evalkit.store.schema import assignment, person, slot, task, vote
from evalkit.store.schema import flag as flag_table
from evalkit.store.studies import study_by_id

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.values import Person

__all__ = ["flags", "progress"]

_HOUR = 3_600_000
_ACTIVE = 900_000


def progress(
    store: Store, study_id: int, *, actor: Person | None = None, now: int | None = None
) -> Progress:
    """Say where a study stands.

    Args:
        store: the database.
        study_id: the study.
        actor: an analyst, or None for the command line.
        now: UTC milliseconds.

    Raises:
        NotAllowed: the actor is not an analyst.
        StoreError: there is no such study.
    """
    now = milliseconds(now)
    with store.reading() as connection:
        require(connection, actor, "analyst")
        study_by_id(connection, study_id)
        kinds = connection.execute(
            sa.select(task.c.kind, sa.func.count())
            .where(task.c.study_id == study_id)
            .group_by(task.c.kind)
        )
        tasks = {str(row[0]): int(row[1]) for row in kinds}
        slots, done, leased, unfilled = _places(connection, study_id, now)
        votes = latest_votes(study_id)
        counted = connection.execute(
            sa.select(
                sa.func.count().label("votes"),
                _sum(~votes.c.counts).label("surplus"),
                _sum(votes.c.set_aside).label("set_aside"),
                _sum(votes.c.side == "left").label("left"),
                _sum(votes.c.side.is_not(None)).label("sided"),
            ).where(votes.c.kind == "real")
        ).one()
        answers = connection.execute(_answers(study_id, now)).one()
        window = max(1, now - (answers.first_in_hour or now))
        flagged = connection.execute(
            sa.select(sa.func.count())
            .select_from(flag_table)
            .join(assignment, flag_table.c.assignment_id == assignment.c.id)
            .join(task, assignment.c.task_id == task.c.id)
            .where(task.c.study_id == study_id)
        ).scalar_one()
    return Progress(
        tasks=tasks.get("real", 0),
        slots=slots,
        done=done,
        leased=leased,
        free=slots - done - leased,
        complete=tasks.get("real", 0) - unfilled,
        automatic=tasks.get("automatic", 0),
        gold=tasks.get("gold", 0),
        twins=tasks.get("twin", 0),
        practice=tasks.get("practice", 0),
        votes=counted.votes,
        surplus=counted.surplus,
        set_aside=counted.set_aside,
        annotators=answers.annotators,
        active=answers.active,
        votes_per_hour=(answers.in_hour - 1) * _HOUR / window if answers.in_hour > 1 else None,
        skips=answers.skips,
        flags=flagged,
        left_share=counted.left / counted.sided if counted.sided else None,
        first_vote_at=answers.first_at,
        last_vote_at=answers.last_at,
    )


def flags(store: Store, study_id: int, *, actor: Person | None = None) -> list[Flag]:
    """Return the problems that annotators reported, newest first.

    Raises:
        NotAllowed: the actor is not an analyst.
    """
    with store.reading() as connection:
        require(connection, actor, "analyst")
        rows = connection.execute(
            sa.select(
                flag_table.c.id,
                task.c.query_id,
                task.c.query,
                person.c.name,
                flag_table.c.reason,
                flag_table.c.comment,
                flag_table.c.at,
            )
            .join(assignment, flag_table.c.assignment_id == assignment.c.id)
            .join(task, assignment.c.task_id == task.c.id)
            .join(person, assignment.c.person_id == person.c.id)
            .where(task.c.study_id == study_id)
            .order_by(flag_table.c.id.desc())
        ).all()
    return [Flag(*row) for row in rows]


def _sum(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _places(connection: sa.Connection, study_id: int, now: int) -> tuple[int, int, int, int]:
    """All places, done, leased; and tasks with a place that is not done."""
    row = connection.execute(
        sa.select(
            sa.func.count(),
            _sum(slot.c.state == "done"),
            _sum(sa.and_(slot.c.state == "leased", slot.c.lease_until > now)),
            sa.func.count(sa.distinct(sa.case((slot.c.state != "done", slot.c.task_id)))),
        )
        .join(task, slot.c.task_id == task.c.id)
        .where(task.c.study_id == study_id)
    ).one()
    return int(row[0]), int(row[1]), int(row[2]), int(row[3])


def _answers(study_id: int, now: int) -> sa.Select[int, int, int, int, int, int, int]:
    """Who answered, and when; skips are latest answers, pace and activity count every answer."""
    is_vote = vote.c.action == "vote"
    in_hour = sa.and_(is_vote, vote.c.submitted_at > now - _HOUR, vote.c.submitted_at <= now)
    active = sa.and_(vote.c.submitted_at > now - _ACTIVE, vote.c.submitted_at <= now)
    other = vote.alias("other")
    newest = (
        sa.select(sa.func.max(other.c.revision))
        .where(other.c.assignment_id == vote.c.assignment_id)
        .correlate(vote)
        .scalar_subquery()
    )
    return (
        sa.select(
            sa.func.count(sa.distinct(sa.case((is_vote, assignment.c.person_id)))).label(
                "annotators"
            ),
            sa.func.count(sa.distinct(sa.case((active, assignment.c.person_id)))).label("active"),
            _sum(in_hour).label("in_hour"),
            sa.func.min(sa.case((in_hour, vote.c.submitted_at))).label("first_in_hour"),
            _sum(sa.and_(vote.c.action == "skip", vote.c.revision == newest)).label("skips"),
            sa.func.min(sa.case((is_vote, vote.c.submitted_at))).label("first_at"),
            sa.func.max(sa.case((is_vote, vote.c.submitted_at))).label("last_at"),
        )
        .select_from(vote)
        .join(assignment, vote.c.assignment_id == assignment.c.id)
        .join(task, assignment.c.task_id == task.c.id)
        .where(task.c.study_id == study_id)
    )
