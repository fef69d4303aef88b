"""Which votes count: one query that everything which counts or exports votes is built on."""

from __future__ import annotations

import sqlalchemy as sa

from evalkit.store.schema import assignment, person, set_aside, slot, study, task, vote

__all__ = ["latest_votes"]


def latest_votes(
    study_id: int, *, all_revisions: bool = False, within: sa.Subquery | None = None
) -> sa.Subquery:
    """Return a query for the votes of a study, skips left out.

    A vote counts when it is the latest answer of its assignment and, on a real task, fills a
    place. A late vote without a place counts while fewer votes than the overlap hold places; of
    several the one that was served first goes first.

    Args:
        study_id: the study.
        all_revisions: also give votes that a later answer replaced; they never count.
        within: a query for the ids of the tasks that are wanted; all tasks by default.

    Everything is one pass over the votes with windows: joins with grouped subqueries made
    PostgreSQL choose nested loops after a large import.

    Returns:
        The columns of `vote`, those of its assignment, task and person that exports need, and
        `counts` and `set_aside`.
    """
    wanted = task.c.study_id == study_id
    if within is not None:
        wanted = task.c.id.in_(sa.select(within.c.id))
    placed = sa.case((slot.c.id.is_not(None), 1), else_=0)
    newest = sa.func.max(vote.c.revision).over(partition_by=vote.c.assignment_id)
    answers = (
        sa.select(
            *vote.c,
            assignment.c.task_id,
            assignment.c.person_id,
            person.c.name.label("annotator"),
            task.c.kind,
            task.c.position,
            task.c.twin_of,
            task.c.query_id,
            task.c.query_type,
            task.c.segments,
            task.c.inclusion_probability,
            study.c.overlap,
            placed.label("placed"),
            (vote.c.revision == newest).label("latest"),
        )
        .join(assignment, vote.c.assignment_id == assignment.c.id)
        .join(task, assignment.c.task_id == task.c.id)
        .join(study, task.c.study_id == study.c.id)
        .join(person, assignment.c.person_id == person.c.id)
        .outerjoin(slot, sa.and_(slot.c.assignment_id == assignment.c.id, slot.c.state == "done"))
        .where(wanted)
        .subquery("answers")
    )
    of_task = sa.case((answers.c.latest, answers.c.task_id))
    filled = sa.func.sum(answers.c.placed).over(partition_by=of_task)
    turn = sa.func.row_number().over(
        partition_by=(of_task, answers.c.placed), order_by=answers.c.assignment_id
    )
    needed = sa.or_(answers.c.placed == 1, turn <= answers.c.overlap - filled)
    aside = sa.exists().where(
        set_aside.c.study_id == study_id,
        set_aside.c.person_id == answers.c.person_id,
        set_aside.c.restored_at.is_(None),
    )
    votes = (
        sa.select(
            answers,
            sa.type_coerce(
                sa.and_(answers.c.latest, sa.or_(answers.c.kind != "real", needed)), sa.Boolean
            ).label("counts"),
            aside.label("set_aside"),
        )
        .where(answers.c.action == "vote")
        .subquery("votes")
    )
    if all_revisions:
        return votes
    return sa.select(votes).where(votes.c.latest).subquery("latest_votes")
