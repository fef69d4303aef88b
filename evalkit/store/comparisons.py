"""Every query with its lists and votes, as analysts look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.store.counting import latest_votes
from evalkit.store.findings import Comparison, VoteOnQuery
from evalkit.store.rights import require
from evalkit.store.schema import task, vote_reason
from evalkit.store.studies import items_of, study_by_id

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.values import Person

__all__ = ["comparisons"]


def comparisons(
    store: Store,
    study_id: int,
    *,
    limit: int | None = None,
    offset: int = 0,
    actor: Person | None = None,
) -> list[Comparison]:
    """Return tasks of all kinds with their lists and latest votes, in serving order.

    Args:
        store: the database.
        study_id: the study.
        limit: how many at most; None for all.
        offset: how many to pass over.
        actor: an analyst, or None for the command line.

    Raises:
        NotAllowed: the actor is not an analyst.
        StoreError: there is no such study.
    """
    with store.reading() as connection:
        require(connection, actor, "analyst")
        study_by_id(connection, study_id)
        page = (
            sa.select(task.c.id)
            .where(task.c.study_id == study_id)
            .order_by(task.c.position)
            .limit(limit)
            .offset(offset)
            .subquery()
        )
        tasks = connection.execute(
            sa.select(task).join(page, page.c.id == task.c.id).order_by(task.c.position)
        ).all()
        votes = latest_votes(study_id, within=page)
        rows = connection.execute(sa.select(votes).order_by(votes.c.id)).all()
        reasons: dict[int, list[str]] = {}
        for row in connection.execute(
            sa.select(vote_reason.c.vote_id, vote_reason.c.reason)
            .join(votes, votes.c.id == vote_reason.c.vote_id)
            .order_by(vote_reason.c.id)
        ):
            reasons.setdefault(row.vote_id, []).append(row.reason)
    by_task: dict[int, list[VoteOnQuery]] = {}
    for row in rows:
        by_task.setdefault(row.task_id, []).append(
            VoteOnQuery(
                annotator=row.annotator,
                preference=row.preference,
                both_bad=row.both_bad,
                side=row.side,
                reasons=tuple(reasons.get(row.id, ())),
                comment=row.comment,
                items=row.items,
                counts=row.counts,
                set_aside=row.set_aside,
                submitted_at=row.submitted_at,
            )
        )
    return [
        Comparison(
            task_id=row.id,
            kind=row.kind,
            position=row.position,
            query_id=row.query_id,
            query=row.query,
            query_type=row.query_type,
            segments=row.segments,
            control=items_of(row.control_items),
            treatment=items_of(row.treatment_items),
            automated_delta=row.automated_delta,
            votes=tuple(by_task.get(row.id, ())),
        )
        for row in tasks
    ]
