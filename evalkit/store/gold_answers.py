"""How people graded the products whose right grade is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.store.counting import latest_votes
from evalkit.store.rights import require
from evalkit.store.schema import task

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.values import Person

__all__ = ["graded_gold"]


def graded_gold(
    store: Store, study_id: int, *, actor: Person | None = None
) -> dict[str, tuple[int, int]]:
    """Count, for every annotator of a grade study, gold products graded and graded right.

    Args:
        store: the database.
        study_id: a grade study.
        actor: an analyst, or None for the command line.

    Raises:
        NotAllowed: the actor is not an analyst.
    """
    with store.reading() as connection:
        require(connection, actor, "analyst")
        votes = latest_votes(study_id)
        rows = connection.execute(
            sa.select(votes.c.annotator, votes.c["items"], task.c.answer)
            .join(task, task.c.id == votes.c.task_id)
            .where(votes.c.kind == "gold")
        ).all()
    found: dict[str, tuple[int, int]] = {}
    for annotator, items, answer in rows:
        for product_id, accepted in answer["grades"].items():
            if product_id in items:
                graded, right = found.get(annotator, (0, 0))
                found[annotator] = (graded + 1, right + (items[product_id] in accepted))
    return found
