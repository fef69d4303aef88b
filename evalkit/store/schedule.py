"""What comes between the real tasks: practice, gold and flipped twins, and on which side.

The schedule of gold is drawn from the seed of the study and the person's name, so that it is the
same on every day and in every copy of the database.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.store.schema import assignment, task, vote

if TYPE_CHECKING:
    from evalkit.store.schema import AnyRow
    from evalkit.store.values import Side, Study

__all__ = ["gold_due", "had_by", "practice_due", "twin_due", "wanted_side"]

_GOLD_EVERY = 10  # real tasks a gold task, at most; see gold_due


def wanted_side(connection: sa.Connection, study: Study, person_id: int, name: str) -> Side:
    """Return the side that this person has had less often; a seeded one when even."""
    left, total = connection.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(sa.case((assignment.c.side == "left", 1), else_=0)), 0),
            sa.func.count(),
        )
        .join(task, assignment.c.task_id == task.c.id)
        .where(
            task.c.study_id == study.id, assignment.c.person_id == person_id, task.c.kind != "twin"
        )
    ).one()
    if 2 * left != total:
        return "left" if 2 * left < total else "right"
    return _drawn(study, name, f"side {total}").choice(("left", "right"))


def practice_due(connection: sa.Connection, study_id: int, person_id: int) -> int | None:
    """Return the next practice task that this person has not had, in the order of the study."""
    found: int | None = connection.execute(
        sa.select(task.c.id)
        .where(task.c.study_id == study_id, task.c.kind == "practice", ~had_by(person_id))
        .order_by(task.c.position)
        .limit(1)
    ).scalar()
    return found


def gold_due(connection: sa.Connection, study: Study, name: str, had: int, real: int) -> int | None:
    """Return the next gold task, once this person has had as many real ones as the schedule says.

    Every block of real tasks has one gold task at a seeded place; a block is ten tasks, or fewer
    where there is more gold than that. Each person has an own order of the gold tasks.
    """
    gold = (
        connection.execute(
            sa.select(task.c.id)
            .where(task.c.study_id == study.id, task.c.kind == "gold")
            .order_by(task.c.position)
        )
        .scalars()
        .all()
    )
    if had >= len(gold):
        return None
    tasks = connection.execute(
        sa.select(sa.func.count()).where(task.c.study_id == study.id, task.c.kind == "real")
    ).scalar_one()
    block = max(1, min(_GOLD_EVERY, tasks // len(gold)))
    drawn = _drawn(study, name, "gold")
    order = drawn.sample(gold, len(gold))
    places = [number * block + drawn.randrange(block) for number in range(len(gold))]
    return order[had] if real >= places[had] else None


def twin_due(
    connection: sa.Connection, study_id: int, person_id: int, *, after: int
) -> AnyRow | None:
    """Return a twin of what this person voted on `after` votes ago or longer, and its side then."""
    first = (
        sa.select(vote.c.assignment_id, sa.func.min(vote.c.id).label("vote_id"))
        .join(assignment, vote.c.assignment_id == assignment.c.id)
        .join(task, assignment.c.task_id == task.c.id)
        .where(
            assignment.c.person_id == person_id,
            task.c.study_id == study_id,
            vote.c.action == "vote",
        )
        .group_by(vote.c.assignment_id)
        .subquery()
    )
    twins = connection.execute(
        sa.select(sa.func.count()).where(task.c.study_id == study_id, task.c.kind == "twin")
    ).scalar_one()
    if not twins:
        return None
    latest_allowed = connection.execute(
        sa.select(first.c.vote_id).order_by(first.c.vote_id.desc()).limit(1).offset(after)
    ).scalar()
    if latest_allowed is None:
        return None
    return connection.execute(
        sa.select(task.c.id, assignment.c.side)
        .join(assignment, assignment.c.task_id == task.c.twin_of)
        .join(first, first.c.assignment_id == assignment.c.id)
        .where(
            task.c.study_id == study_id,
            task.c.kind == "twin",
            first.c.vote_id <= latest_allowed,
            ~had_by(person_id),
        )
        .order_by(first.c.vote_id)
        .limit(1)
    ).one_or_none()


def had_by(person_id: int) -> sa.Exists:
    """Return, within a query over `task`, whether this person has had it."""
    mine = assignment.alias()
    return sa.exists().where(mine.c.task_id == task.c.id, mine.c.person_id == person_id)


def _drawn(study: Study, name: str, what: str) -> random.Random:
    return random.Random(f"{study.design.seed} {name} {what}")  # noqa: S311
