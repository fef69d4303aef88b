"""Votes gathered elsewhere.

Votes find their task by kind and query_id. A study that has tasks takes votes on these only; a
draft study without tasks gets one task for each kind and query of the table, without lists, so that
its figures can be computed but nothing can be served.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.errors import Problem, StoreError
from evalkit.store.counting import latest_votes
from evalkit.store.engine import milliseconds, refresh_statistics
from evalkit.store.findings import Imported
from evalkit.store.rights import log, require
from evalkit.store.schema import assignment, person, set_aside, slot, task, vote, vote_reason
from evalkit.store.studies import add_tasks, study_by_id
from evalkit.store.values import Answer, TaskDraft
from evalkit.store.vote_rows import refuse, votes_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from evalkit.store.engine import Store
    from evalkit.store.values import Person, Study
    from evalkit.store.vote_rows import VoteRow

    Key = tuple[str, str]  # kind and query_id

__all__ = ["import_votes"]


def import_votes(
    store: Store,
    study_id: int,
    table: pa.Table,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Imported:
    """Add the votes of a canonical votes table to a study: all of them, or none.

    Annotators are found by name, and made where they are new; they cannot sign in before they are
    invited. A vote fills a free place of its task, one of its side if there is one; beyond the
    overlap it is kept as surplus. So is one that does not count in the table; where the overlap
    would let it count it is refused. A vote that is there already, with the same preference, is
    left alone: importing a table twice changes nothing.

    Args:
        store: the database.
        study_id: a side-by-side study that is not closed.
        table: columns `query_id`, `annotator`, `preference`, and the optional ones.
        actor: an admin, or None for the command line.
        now: UTC milliseconds.

    Raises:
        InputError: the table cannot be used; the first problems by row.
        NotAllowed: the actor is not an admin.
        StoreError: the study takes no votes.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        require(connection, actor, "admin")
        study = study_by_id(connection, study_id, lock="change")
        if study.design.kind != "sbs":
            raise StoreError(f"Study {study.name!r} collects grades; votes cannot be added to it.")
        if study.state == "closed":
            raise StoreError(f"Study {study.name!r} is closed; votes cannot be added to it.")
        votes = votes_in(table, scale=study.design.scale, segments=study.design.segments)
        tasks = _tasks(connection, study_id)
        made = 0
        if not tasks:
            made = _make_tasks(connection, study, votes)
            tasks = _tasks(connection, study_id)
        new = _new_votes(connection, study_id, votes, tasks)
        annotators = _make_people(connection, [row.annotator for row in new], now)
        ids = _people(connection)
        _store(connection, new, tasks, ids, now)
        _refuse_wanted(connection, study_id, new, tasks)
        refresh_statistics(connection)
        aside = sorted({row.annotator for row in votes if row.set_aside})
        _put_aside(connection, study_id, [ids[name] for name in aside], actor, now)
        done = Imported(
            votes=len(new),
            already=sum(row.kind != "automatic" for row in votes) - len(new),
            annotators=len(annotators),
            tasks=made,
        )
        if done.votes or done.tasks:
            log(
                connection,
                actor,
                "votes imported",
                now=now,
                study_id=study_id,
                votes=done.votes,
                already=done.already,
                annotators=annotators,
                set_aside=aside,
            )
    return done


def _tasks(connection: sa.Connection, study_id: int) -> dict[Key, int]:
    rows = connection.execute(
        sa.select(task.c.kind, task.c.query_id, task.c.id).where(task.c.study_id == study_id)
    )
    return {(row.kind, row.query_id): row.id for row in rows}


def _people(connection: sa.Connection) -> dict[str, int]:
    return {row.name: row.id for row in connection.execute(sa.select(person.c.name, person.c.id))}


def _make_tasks(connection: sa.Connection, study: Study, votes: Sequence[VoteRow]) -> int:
    """Make the tasks of a study that has none: the order of the table's positions, else seeded."""
    if study.state != "draft":
        raise StoreError(f"Study {study.name!r} has no tasks and is not a draft.")
    first: dict[Key, VoteRow] = {}
    accepted: dict[Key, dict[int, None]] = defaultdict(dict)  # signs in the order of the table
    for row in votes:
        key = (row.kind, row.query_id)
        first.setdefault(key, row)
        if row.gold_preference is not None:
            accepted[key][row.gold_preference] = None
    keys = sorted(first)
    random.Random(f"{study.design.seed} order").shuffle(keys)  # noqa: S311
    sampled = ("real", "automatic")

    def place(key: Key) -> tuple[bool, float]:
        position = first[key].position
        return key[0] not in sampled, float("inf") if position is None else position

    keys.sort(key=place)
    index = {key: number for number, key in enumerate(keys)}
    refuse(
        [
            problem
            for key, row in first.items()
            for problem in [_unfit(row, ("real", key[1]) in index)]
            if problem is not None
        ]
    )
    drafts = [
        TaskDraft(
            kind=row.kind,
            query_id=row.query_id,
            query=row.query or row.query_id,
            query_type=row.query_type,
            segments=row.segments,
            answer=Answer(tuple(accepted[key])) if key in accepted else None,
            twin_of_index=index["real", row.query_id] if row.kind == "twin" else None,
        )
        for key, row in ((key, first[key]) for key in keys)
    ]
    add_tasks(connection, study.id, study.design, drafts, positions=range(len(drafts)))
    return len(drafts)


def _unfit(row: VoteRow, original: bool) -> Problem | None:
    if row.kind == "twin" and not original:
        return Problem("the twin's original is not there", row=row.row, query_id=row.query_id)
    if row.kind == "gold" and row.gold_preference is None:
        return Problem("gold_preference is empty", row=row.row, query_id=row.query_id)
    return None


def _new_votes(
    connection: sa.Connection, study_id: int, votes: Sequence[VoteRow], tasks: Mapping[Key, int]
) -> list[VoteRow]:
    """The votes that are not there yet; refuses those without a task and those that contradict."""
    latest = (
        sa.select(sa.func.max(vote.c.revision))
        .where(vote.c.assignment_id == assignment.c.id)
        .correlate(assignment)
        .scalar_subquery()
    )
    before = {
        (row.task_id, row.name): row
        for row in connection.execute(
            sa.select(
                assignment.c.task_id,
                person.c.name,
                vote.c.action,
                vote.c.preference,
                vote.c.both_bad,
            )
            .select_from(assignment)
            .join(task, assignment.c.task_id == task.c.id)
            .join(person, assignment.c.person_id == person.c.id)
            .outerjoin(
                vote,
                sa.and_(vote.c.assignment_id == assignment.c.id, vote.c.revision == latest),
            )
            .where(task.c.study_id == study_id)
        )
    }
    problems: list[Problem] = []
    new: list[VoteRow] = []
    for row in votes:
        found = tasks.get((row.kind, row.query_id))
        there = None if found is None else before.get((found, row.annotator))
        said: str | None = None
        if found is None:
            said = f"the study has no {row.kind} task for this query"
        elif row.kind == "automatic":
            continue
        elif there is None:
            new.append(row)
        elif there.action is None:
            said = f"{row.annotator!r} has this task open in the study"
        elif there.action == "skip":
            said = f"{row.annotator!r} skipped this task in the study"
        elif (there.preference, there.both_bad) != (row.preference, row.both_bad):
            said = f"{row.annotator!r} voted {there.preference} on this task in the study"
        if said is not None:
            problems.append(Problem(said, row=row.row, query_id=row.query_id))
    refuse(problems)
    return new


def _make_people(connection: sa.Connection, names: Sequence[str], now: int) -> list[str]:
    known = _people(connection)
    new = [name for name in dict.fromkeys(names) if name not in known]
    if new:
        connection.execute(
            sa.insert(person),
            [{"name": name, "role": "annotator", "created_at": now} for name in new],
        )
    return new


def _store(
    connection: sa.Connection,
    votes: Sequence[VoteRow],
    tasks: Mapping[Key, int],
    ids: Mapping[str, int],
    now: int,
) -> None:
    if not votes:
        return
    task_ids = [tasks[row.kind, row.query_id] for row in votes]
    assignments = connection.execute(
        sa.insert(assignment).returning(assignment.c.id, sort_by_parameter_order=True),
        [
            {
                "task_id": task_id,
                "person_id": ids[row.annotator],
                "side": row.side,
                "state": "voted",
                "revision": 1,
                "claimed_at": _shown_at(row, now) or row.submitted_at or now,
                "opened_at": _shown_at(row, now) or row.submitted_at or now,
                "shown_at": _shown_at(row, now),
            }
            for row, task_id in zip(votes, task_ids, strict=True)
        ],
    ).scalars()
    placed = list(zip(votes, task_ids, assignments, strict=True))
    vote_ids = connection.execute(
        sa.insert(vote).returning(vote.c.id, sort_by_parameter_order=True),
        [
            {
                "assignment_id": assignment_id,
                "revision": 1,
                "action": "vote",
                "preference": row.preference,
                "both_bad": row.both_bad,
                "items": row.items,
                "pages": {},
                "comment": row.comment,
                "side": row.side,
                "shown_at": _shown_at(row, now),
                "submitted_at": row.submitted_at or now,
                "active_ms": row.more.get("active_ms"),
                "input_method": row.more.get("input_method"),
                "viewport": row.more.get("viewport"),
                "app_version": row.more.get("app_version"),
                "guideline_version": row.more.get("guideline_version"),
            }
            for row, _, assignment_id in placed
        ],
    ).scalars()
    reasons = [
        {"vote_id": vote_id, "reason": reason, "at": row.submitted_at or now}
        for row, vote_id in zip(votes, vote_ids, strict=True)
        for reason in dict.fromkeys(row.reasons)
    ]
    if reasons:
        connection.execute(sa.insert(vote_reason), reasons)
    _fill_places(connection, placed)


def _shown_at(row: VoteRow, now: int) -> int | None:
    """When a task was shown; a table may say only how long its vote took."""
    if row.shown_at is None and row.seconds is not None:
        return (row.submitted_at or now) - round(row.seconds * 1000)
    return row.shown_at


def _refuse_wanted(
    connection: sa.Connection, study_id: int, new: Sequence[VoteRow], tasks: Mapping[Key, int]
) -> None:
    """Refuse votes that do not count in the table and would be counted here."""
    idle = {(tasks[row.kind, row.query_id], row.annotator): row for row in new if not row.counts}
    if not idle:
        return
    stored = latest_votes(study_id)
    counted = connection.execute(
        sa.select(stored.c.task_id, stored.c.annotator, stored.c.overlap).where(stored.c.counts)
    )
    refuse(
        [
            Problem(
                f"the vote does not count in the table, but would here, where {overlap} are wanted",
                row=idle[task_id, annotator].row,
                query_id=idle[task_id, annotator].query_id,
            )
            for task_id, annotator, overlap in counted
            if (task_id, annotator) in idle
        ]
    )


def _fill_places(connection: sa.Connection, placed: Sequence[tuple[VoteRow, int, int]]) -> None:
    """Give each vote that counts a free place of its task, one of its side if there is one."""
    free: dict[int, list[tuple[int, str]]] = defaultdict(list)
    studied = sa.select(task.c.study_id).where(task.c.id == placed[0][1]).scalar_subquery()
    for place in connection.execute(
        sa.select(slot.c.id, slot.c.task_id, slot.c.side)
        .join(task, slot.c.task_id == task.c.id)
        .where(slot.c.state == "free", task.c.study_id == studied)
        .order_by(slot.c.task_id, slot.c.slot_no)
        .with_for_update(of=slot, skip_locked=True)
    ):
        free[place.task_id].append((place.id, place.side))
    taken = []
    for row, task_id, assignment_id in placed:
        places = free[task_id]
        if row.kind != "real" or not row.counts or not places:
            continue
        best = next((one for one in places if one[1] == row.side), places[0])
        places.remove(best)
        taken.append({"place": best[0], "holder": assignment_id})
    if taken:
        connection.execute(
            sa.update(slot)
            .where(slot.c.id == sa.bindparam("place"))
            .values(state="done", assignment_id=sa.bindparam("holder"), lease_until=None),
            taken,
        )


def _put_aside(
    connection: sa.Connection,
    study_id: int,
    person_ids: Sequence[int],
    actor: Person | None,
    now: int,
) -> None:
    aside = set(
        connection.execute(
            sa.select(set_aside.c.person_id).where(
                set_aside.c.study_id == study_id, set_aside.c.restored_at.is_(None)
            )
        ).scalars()
    )
    rows = [
        {
            "study_id": study_id,
            "person_id": person_id,
            "reason": "set aside in the imported votes",
            "at": now,
            "by": None if actor is None else actor.id,
        }
        for person_id in person_ids
        if person_id not in aside
    ]
    if rows:
        connection.execute(sa.insert(set_aside), rows)
