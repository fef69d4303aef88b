"""Which task a person sees next, and what of it.

The order: the person's own open task, practice, gold when it is due, a flipped twin when it is due,
a place of a real task. The claim is one statement (see `evalkit.store.slots`), and what comes
between follows a schedule (see `evalkit.store.schedule`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from evalkit.store.engine import milliseconds
from evalkit.store.guidelines import newest_guideline
from evalkit.store.rights import act_for, not_yours
from evalkit.store.schedule import gold_due, had_by, practice_due, twin_due, wanted_side
from evalkit.store.schema import UNFILLED, assignment, draft, slot, task, vote, vote_reason
from evalkit.store.slots import claim, held_until, lease
from evalkit.store.studies import items_of, study_by_id
from evalkit.store.values import Ballot, Draft, Finished, Served

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.store.engine import Store
    from evalkit.store.schema import AnyRow
    from evalkit.store.values import Item, Person, Side, Study

__all__ = ["mark_shown", "next_task", "served", "shown_from"]

_TWIN_AFTER = 10  # own votes between an original and its twin


def next_task(
    store: Store, study_id: int, person: Person, *, now: int | None = None
) -> Served | Finished:
    """Serve the person's open task, else claim the next one.

    A refresh, a second tab and a restart get the same task again. Its lease is renewed while its
    place is theirs or free; a task whose place went to somebody else can still be answered.

    Args:
        store: the database.
        study_id: the study.
        person: who asks.
        now: UTC milliseconds.

    Raises:
        NotAllowed: the person's access has ended.
        StoreError: there is no such study.
    """
    now = milliseconds(now)
    with store.reading() as connection:  # a refresh seldom needs to write
        study = study_by_id(connection, study_id)
        open_one = _open_assignment(connection, study_id, person.id)
        if study.state == "open" and open_one is not None:
            until = held_until(connection, open_one.id)
            fresh = open_one.kind != "real" or (until or 0) > now + study.design.lease_ms // 2
            if fresh:
                act_for(connection, person, lock=False)
                return served(connection, open_one.id)
    with store.writing() as connection:
        name = act_for(connection, person)
        study = study_by_id(connection, study_id)
        if study.state != "open":
            return Finished(study.state, _answered(connection, study_id, person.id))
        open_one = _open_assignment(connection, study_id, person.id)
        if open_one is None:
            chosen = _assign(connection, study, person.id, name, now)
        else:
            chosen = open_one.id
            if open_one.kind == "real":
                lease(
                    connection,
                    chosen,
                    open_one.task_id,
                    open_one.side,
                    now=now,
                    until=now + study.design.lease_ms,
                )
        if chosen is None:
            reason: Literal["done", "waiting"] = (
                "waiting" if _others_hold(connection, study_id, person.id) else "done"
            )
            return Finished(reason, _answered(connection, study_id, person.id))
    with store.reading() as connection:
        return served(connection, chosen)


def mark_shown(store: Store, assignment_id: int, person: Person, *, now: int | None = None) -> None:
    """Note that the task is on the screen; the first note of a revision holds.

    Raises:
        NotAllowed: the assignment is not the person's.
    """
    now = milliseconds(now)
    mine = sa.and_(assignment.c.id == assignment_id, assignment.c.person_id == person.id)
    with store.reading() as connection:
        row = connection.execute(
            sa.select(assignment.c.state, assignment.c.shown_at).where(mine)
        ).one_or_none()
    if row is None:
        raise not_yours(assignment_id)
    if row.state == "open" and row.shown_at is None:
        with store.writing() as connection:
            act_for(connection, person)
            connection.execute(
                sa.update(assignment)
                .where(mine, assignment.c.state == "open", assignment.c.shown_at.is_(None))
                .values(shown_at=now)
            )


def served(connection: sa.Connection, assignment_id: int) -> Served:
    """Return what is on the screen for an assignment."""
    row = connection.execute(
        sa.select(assignment, *_SHOWN_OF_TASK, draft.c.comment, draft.c["items"])
        .join(task, assignment.c.task_id == task.c.id)
        .outerjoin(
            draft,
            sa.and_(
                draft.c.assignment_id == assignment.c.id,
                draft.c.revision == assignment.c.revision,
            ),
        )
        .where(assignment.c.id == assignment_id)
    ).one()
    study = study_by_id(connection, row.study_id)
    control, treatment = items_of(row.control_items), items_of(row.treatment_items)
    lists = (control, treatment) if row.side == "right" else (treatment, control)
    done, total, left = _to_do(connection, row.study_id, study.design.overlap, row.person_id)
    return Served(
        assignment_id=row.id,
        revision=row.revision,
        study_id=row.study_id,
        study_name=study.name,
        study_kind=study.design.kind,
        query=row.query,
        query_type=row.query_type,
        left=lists[0],
        right=lists[1],
        scale=study.design.scale,
        levels=study.design.levels if study.design.kind == "grade" else (),
        pooled=_pooled(row.pooled, (*control, *treatment)),
        reasons=study.design.reasons,
        image_hosts=study.design.image_hosts,
        draft=None if row.comment is None else Draft(row.comment, row.items),
        previous=_previous(connection, row.id, row.side) if row.revision > 1 else None,
        guideline_version=newest_guideline(connection, row.study_id, row.query_type).version,
        my_done=_answered(connection, row.study_id, row.person_id),
        my_left=left,
        study_done=done,
        study_total=total,
        practice=row.kind == "practice",
    )


def shown_from(preference: int | None, side: Side | None) -> int | None:
    """Turn a preference for the treatment into what was displayed, and the other way round.

    Example:
        >>> shown_from(2, "left"), shown_from(2, "right"), shown_from(None, "left")
        (-2, 2, None)
    """
    if preference is None or side is None:
        return None
    return preference if side == "right" else -preference


_SHOWN_OF_TASK = (
    task.c.study_id,
    task.c.kind,
    task.c.query,
    task.c.query_type,
    task.c.control_items,
    task.c.treatment_items,
    task.c.pooled,
)


def _pooled(order: Sequence[str], items: Sequence[Item]) -> tuple[Item, ...]:
    found = {item.product_id: item for item in items}
    return tuple(replace(found[name], rank=place) for place, name in enumerate(order, start=1))


def _previous(connection: sa.Connection, assignment_id: int, side: Side | None) -> Ballot | None:
    row = connection.execute(
        sa.select(vote)
        .where(vote.c.assignment_id == assignment_id)
        .order_by(vote.c.revision.desc())
        .limit(1)
    ).one()
    if row.action == "skip":
        return None
    reasons = connection.execute(
        sa.select(vote_reason.c.reason)
        .where(vote_reason.c.vote_id == row.id)
        .order_by(vote_reason.c.id)
    ).scalars()
    sides = ("control", "treatment") if side == "right" else ("treatment", "control")
    pages = {
        place: row.pages[system]
        for place, system in zip(("left", "right"), sides, strict=True)
        if system in row.pages
    }
    return Ballot(
        shown=shown_from(row.preference, side),
        both_bad=row.both_bad,
        items=row.items,
        pages=pages,
        reasons=tuple(reasons),
        comment=row.comment,
    )


def _open_assignment(connection: sa.Connection, study_id: int, person_id: int) -> AnyRow | None:
    """The task to go on with: an answer that is being changed first."""
    return connection.execute(
        sa.select(assignment.c.id, assignment.c.task_id, assignment.c.side, task.c.kind)
        .join(task, assignment.c.task_id == task.c.id)
        .where(
            assignment.c.person_id == person_id,
            assignment.c.state == "open",
            task.c.study_id == study_id,
        )
        .order_by(
            (assignment.c.revision > 1).desc(),
            assignment.c.opened_at.desc(),
            assignment.c.id.desc(),
        )
        .limit(1)
    ).one_or_none()


def _assign(
    connection: sa.Connection, study: Study, person_id: int, name: str, now: int
) -> int | None:
    """Choose the next task and make its assignment; None when there is nothing to have."""
    counts: dict[str, int] = {
        row.kind: row.tasks
        for row in connection.execute(
            sa.select(task.c.kind, sa.func.count().label("tasks"))
            .join(assignment, assignment.c.task_id == task.c.id)
            .where(task.c.study_id == study.id, assignment.c.person_id == person_id)
            .group_by(task.c.kind)
        )
    }
    side = wanted_side(connection, study, person_id, name)
    chosen = practice_due(connection, study.id, person_id)
    if chosen is None:
        chosen = gold_due(connection, study, name, counts.get("gold", 0), counts.get("real", 0))
    if chosen is not None:
        return _new_assignment(connection, chosen, person_id, side, now)
    twin = twin_due(connection, study.id, person_id, after=_TWIN_AFTER)
    if twin is None:
        place = claim(
            connection, study.id, person_id, side, now=now, until=now + study.design.lease_ms
        )
        if place is not None:
            made = _new_assignment(connection, place.task_id, person_id, place.side, now)
            connection.execute(
                sa.update(slot).where(slot.c.id == place.id).values(assignment_id=made)
            )
            return made
        twin = twin_due(connection, study.id, person_id, after=0)
    if twin is None:
        return None
    flipped = "left" if twin.side == "right" else "right"
    return _new_assignment(connection, twin.id, person_id, flipped, now)


def _new_assignment(
    connection: sa.Connection, task_id: int, person_id: int, side: str, now: int
) -> int:
    made: int = connection.execute(
        sa.insert(assignment)
        .values(
            task_id=task_id,
            person_id=person_id,
            side=side,
            state="open",
            revision=1,
            claimed_at=now,
            opened_at=now,
        )
        .returning(assignment.c.id)
    ).scalar_one()
    return made


def _others_hold(connection: sa.Connection, study_id: int, person_id: int) -> bool:
    found = connection.execute(
        sa.select(slot.c.id)
        .join(task, slot.c.task_id == task.c.id)
        .where(
            task.c.study_id == study_id,
            task.c.kind == "real",
            UNFILLED,
            ~had_by(person_id),
        )
        .limit(1)
    ).first()
    return found is not None


def _answered(connection: sa.Connection, study_id: int, person_id: int) -> int:
    answered: int = connection.execute(
        sa.select(sa.func.count())
        .select_from(assignment)
        .join(task, assignment.c.task_id == task.c.id)
        .where(
            assignment.c.person_id == person_id,
            assignment.c.state != "open",
            task.c.study_id == study_id,
        )
    ).scalar_one()
    return answered


def _to_do(
    connection: sa.Connection, study_id: int, overlap: int, person_id: int
) -> tuple[int, int, int]:
    """Places that are filled, all places, and tasks that this person could still get."""
    tasks = connection.execute(
        sa.select(sa.func.count()).where(task.c.study_id == study_id, task.c.kind == "real")
    ).scalar_one()
    places, unfilled = connection.execute(
        sa.select(sa.func.count(), sa.func.count(sa.distinct(slot.c.task_id))).where(
            slot.c.study_id == study_id, UNFILLED
        )
    ).one()
    mine = connection.execute(
        sa.select(sa.func.count())
        .select_from(assignment)
        .join(task, assignment.c.task_id == task.c.id)
        .where(
            assignment.c.person_id == person_id,
            task.c.study_id == study_id,
            sa.exists().where(
                slot.c.study_id == study_id, slot.c.task_id == assignment.c.task_id, UNFILLED
            ),
        )
    ).scalar_one()
    return tasks * overlap - places, tasks * overlap, unfilled - mine
