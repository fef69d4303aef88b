"""Which votes count: one query that everything which counts or exports votes is built on."""

from __future__ import annotations

import sqlalchemy as sa

from evalkit.store.schema import assignment, person, set_aside, slot, study, task, vote

__all__ = ["latest_votes"]


def latest_votes(study_id: int, *, all_revisions: bool = False) -> sa.Subquery:
    """Return a query for the votes of a study, skips left out.

    A vote counts when it is the latest answer of its assignment and, on a real task, fills a
    place. A late vote without a place counts while fewer votes than the overlap hold places; of
    several the one that was served first goes first.

    Args:
        study_id: the study.
        all_revisions: also give votes that a later answer replaced; they never count.

    Returns:
        The columns of `vote`, those of its assignment, task and person that exports need, and
        `counts` and `set_aside`.
    """
    newest = (
        sa.select(vote.c.assignment_id, sa.func.max(vote.c.revision).label("revision"))
        .join(assignment, vote.c.assignment_id == assignment.c.id)
        .join(task, assignment.c.task_id == task.c.id)
        .where(task.c.study_id == study_id)
        .group_by(vote.c.assignment_id)
        .subquery("newest")
    )
    filled = (
        sa.select(slot.c.task_id, sa.func.count().label("places"))
        .join(task, slot.c.task_id == task.c.id)
        .where(task.c.study_id == study_id, slot.c.state == "done")
        .group_by(slot.c.task_id)
        .subquery("filled")
    )
    latest = vote.c.revision == newest.c.revision
    placed = slot.c.id.is_not(None)
    turn = sa.func.row_number().over(
        partition_by=(task.c.id, sa.case((sa.and_(latest, ~placed), 1), else_=0)),
        order_by=(assignment.c.id, vote.c.revision),
    )
    wanted = turn <= study.c.overlap - sa.func.coalesce(filled.c.places, 0)
    counts = sa.case((latest, sa.or_(task.c.kind != "real", placed, wanted)), else_=sa.false())
    aside = sa.exists().where(
        set_aside.c.study_id == study_id,
        set_aside.c.person_id == assignment.c.person_id,
        set_aside.c.restored_at.is_(None),
    )
    votes = (
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
            latest.label("latest"),
            sa.type_coerce(counts, sa.Boolean).label("counts"),
            aside.label("set_aside"),
        )
        .join(assignment, vote.c.assignment_id == assignment.c.id)
        .join(newest, newest.c.assignment_id == assignment.c.id)
        .join(task, assignment.c.task_id == task.c.id)
        .join(study, task.c.study_id == study.c.id)
        .join(person, assignment.c.person_id == person.c.id)
        .outerjoin(slot, sa.and_(slot.c.assignment_id == assignment.c.id, slot.c.state == "done"))
        .outerjoin(filled, filled.c.task_id == task.c.id)
        .where(task.c.study_id == study_id, vote.c.action == "vote")
    )
    # the filter comes after the window, which must see every revision alike
    everything = votes.subquery("everything")
    if all_revisions:
        return everything
    return sa.select(everything).where(everything.c.latest).subquery("latest_votes")
