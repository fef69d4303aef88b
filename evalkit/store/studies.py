"""Studies: made whole, then only their state changes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import sqlalchemy as sa

from evalkit.errors import StoreError
from evalkit.store.designs import check_design, check_tasks
from evalkit.store.engine import milliseconds, refresh_statistics
from evalkit.store.priorities import first_priority
from evalkit.store.rights import log, require
from evalkit.store.schema import person, slot, study, task
from evalkit.store.values import Item, Study, StudyDesign

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalkit.store.engine import Store
    from evalkit.store.schema import AnyRow
    from evalkit.store.values import Answer, Person, State, TaskDraft

__all__ = [
    "add_tasks",
    "create_study",
    "find_study",
    "items_of",
    "set_state",
    "studies",
    "study_by_id",
]

Lock: TypeAlias = Literal["answer", "change", "state"]

_MOVES: Mapping[State, tuple[State, ...]] = {
    "draft": ("open",),
    "open": ("paused", "closed"),
    "paused": ("open", "closed"),
    "closed": (),
}
_AS_THEY_ARE = (
    "name", "kind", "scale", "depth", "overlap", "seed", "policy", "identical", "lease_ms",
    "min_dwell_ms", "stop_width", "stop_when_decided", "control_system", "treatment_system",
)  # fmt: skip


def create_study(
    store: Store,
    design: StudyDesign,
    tasks: Sequence[TaskDraft],
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Study:
    """Store a study with its tasks, in state draft.

    Real tasks and identical lists get one seeded order, so that any beginning of it is a random
    sample. Sides are fixed here: they alternate over the places of a task, and of every two tasks
    that follow each other one starts left and one right, so that the two sides differ by at most
    one place over the study.

    Args:
        store: the database.
        design: the settings.
        tasks: the tasks; none for a study that is made from imported votes.
        actor: an admin, or None for the command line.
        now: UTC milliseconds.

    Raises:
        SettingsError: a setting is out of range.
        StoreError: the name is taken, or a task is not complete.
        NotAllowed: the actor is not an admin.
    """
    check_design(design)
    check_tasks(design, tasks)
    now = milliseconds(now)
    with store.writing() as connection:
        require(connection, actor, "admin")
        if connection.execute(sa.select(study.c.id).where(study.c.name == design.name)).first():
            raise StoreError(f"A study named {design.name!r} exists; choose another name.")
        study_id = connection.execute(
            sa.insert(study)
            .values(
                **{name: getattr(design, name) for name in _AS_THEY_ARE},
                state="draft",
                levels=[list(level) for level in design.levels],
                segments=list(design.segments),
                image_hosts=None if design.image_hosts is None else list(design.image_hosts),
                reasons=list(design.reasons),
                design=dict(design.design),
                created_at=now,
                created_by=None if actor is None else actor.id,
            )
            .returning(study.c.id)
        ).scalar_one()
        add_tasks(connection, study_id, design, tasks)
        refresh_statistics(connection)
        log(
            connection,
            actor,
            "study created",
            now=now,
            study_id=study_id,
            tasks=len(tasks),
            overlap=design.overlap,
        )
        return study_by_id(connection, study_id)


def studies(store: Store) -> list[Study]:
    """Return all studies, newest first."""
    with store.reading() as connection:
        rows = connection.execute(_STUDIES.order_by(study.c.id.desc())).all()
    return [_study(row) for row in rows]


def find_study(store: Store, name: str) -> Study:
    """Return the study of this name.

    Raises:
        StoreError: there is none; the sentence names those there are.
    """
    found = studies(store)
    for one in found:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in found[:10]) or "none yet"
    raise StoreError(f"There is no study named {name!r}; the database has: {names}.")


def set_state(
    store: Store,
    study_id: int,
    state: State,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Study:
    """Move a study: draft to open, open to paused and back, open or paused to closed.

    Raises:
        StoreError: the move is none of these, or there is nothing to serve.
        NotAllowed: the actor is not an admin.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        require(connection, actor, "admin")
        before = study_by_id(connection, study_id, lock="state")
        if before.state == state:
            return before
        if state not in _MOVES[before.state]:
            if before.state == "closed":
                raise StoreError(f"Study {before.name!r} is closed for good; make a new study.")
            allowed = " or ".join(_MOVES[before.state])
            raise StoreError(
                f"Study {before.name!r} is {before.state}; it can become {allowed}, not {state}."
            )
        if state == "open":
            _refuse_empty(connection, before)
        connection.execute(sa.update(study).where(study.c.id == study_id).values(state=state))
        words = {"open": "opened", "paused": "paused", "closed": "closed"}
        log(connection, actor, f"study {words[state]}", now=now, study_id=study_id)
        return study_by_id(connection, study_id)


def study_by_id(connection: sa.Connection, study_id: int, *, lock: Lock | None = None) -> Study:
    """Return a study within a transaction.

    Args:
        connection: the transaction.
        study_id: the study.
        lock: what must not happen until the transaction ends; on SQLite writers take turns anyway.
            `answer`: the state stays, so that no answer is stored after its study has closed.
            `change`: nobody else changes what belongs to the study; answers go on.
            `state`: neither; waits for the answers that are being stored.

    Raises:
        StoreError: there is none.
    """
    if lock is not None:
        rows = sa.select(study.c.id).where(study.c.id == study_id)
        connection.execute(rows.with_for_update(read=lock == "answer", key_share=lock != "state"))
    row = connection.execute(_STUDIES.where(study.c.id == study_id)).one_or_none()
    if row is None:
        raise StoreError(f"There is no study {study_id}; evalkit study status lists them.")
    return _study(row)


def add_tasks(
    connection: sa.Connection,
    study_id: int,
    design: StudyDesign,
    drafts: Sequence[TaskDraft],
    *,
    positions: Sequence[int] | None = None,
) -> None:
    """Store the tasks of a study that has none, and the places of its real tasks.

    Args:
        connection: a writing transaction.
        study_id: the study.
        design: its settings.
        drafts: its tasks.
        positions: their places in the serving order; drawn from the seed by default.
    """
    positions = _positions(design.seed, drafts) if positions is None else positions
    ids: dict[int, int] = {}
    for twins in (False, True):  # a twin points to its original
        wave = [place for place, draft in enumerate(drafts) if (draft.kind == "twin") is twins]
        if not wave:
            continue
        rows = [
            _task_row(
                study_id,
                design,
                drafts[place],
                positions[place],
                _original(drafts, place),
                None if not twins else ids[drafts[place].twin_of_index or 0],
            )
            for place in wave
        ]
        made = connection.execute(
            sa.insert(task).returning(task.c.id, sort_by_parameter_order=True), rows
        )
        ids.update(zip(wave, made.scalars(), strict=True))
    real = sorted(
        (place for place, draft in enumerate(drafts) if draft.kind == "real"),
        key=positions.__getitem__,
    )
    starts = _starts(design.seed, len(real))
    places = [
        {
            "study_id": study_id,
            "task_id": ids[place],
            "slot_no": number,
            "side": side,
            "state": "free",
        }
        for place, start in zip(real, starts, strict=True)
        for number, side in enumerate(_alternating(start, design.overlap))
    ]
    if places:
        connection.execute(sa.insert(slot), places)


def items_of(stored: Iterable[Mapping[str, Any]]) -> tuple[Item, ...]:
    """Return a list of items as it was frozen in the database."""
    return tuple(Item(**fields) for fields in stored)


_STUDIES = sa.select(study, person.c.name.label("creator")).outerjoin(
    person, study.c.created_by == person.c.id
)


def _study(row: AnyRow) -> Study:
    fields = row._mapping
    design = StudyDesign(
        **{name: fields[name] for name in _AS_THEY_ARE},
        levels=tuple((grade, word) for grade, word in row.levels),
        segments=tuple(row.segments),
        image_hosts=None if row.image_hosts is None else tuple(row.image_hosts),
        reasons=tuple(row.reasons),
        design=row.design,
    )
    return Study(row.id, row.state, design, row.created_at, row.creator)


def _refuse_empty(connection: sa.Connection, found: Study) -> None:
    lists = connection.execute(
        sa.select(task.c.control_items, task.c.treatment_items)
        .where(task.c.study_id == found.id, task.c.kind == "real")
        .order_by(task.c.position)
        .limit(1)
    ).one_or_none()
    if lists is None:
        raise StoreError(f"Study {found.name!r} has no task to serve; nothing can be opened.")
    if not lists.control_items and not lists.treatment_items:
        raise StoreError(
            f"Study {found.name!r} was made from imported votes and has no lists to show; make "
            "another study to gather votes."
        )


def _original(drafts: Sequence[TaskDraft], place: int) -> TaskDraft:
    index = drafts[place].twin_of_index
    return drafts[place] if index is None else drafts[index]


def _positions(seed: int, drafts: Sequence[TaskDraft]) -> list[int]:
    """One seeded order of real tasks and identical lists; then practice, gold and twins."""
    places = range(len(drafts))
    sampled = [place for place in places if drafts[place].kind in ("real", "automatic")]
    gold = [place for place in places if drafts[place].kind == "gold"]
    random.Random(f"{seed} order").shuffle(sampled)  # noqa: S311
    random.Random(f"{seed} gold").shuffle(gold)  # noqa: S311
    practice = [place for place in places if drafts[place].kind == "practice"]
    twins = [place for place in places if drafts[place].kind == "twin"]
    positions = [0] * len(drafts)
    for position, place in enumerate((*sampled, *practice, *gold, *twins)):
        positions[place] = position
    return positions


def _starts(seed: int, tasks: int) -> list[str]:
    """The side of the first place of each task, balanced within every two tasks of the order."""
    drawn = random.Random(f"{seed} sides")  # noqa: S311
    starts: list[str] = []
    while len(starts) < tasks:
        pair = ["left", "right"]
        drawn.shuffle(pair)
        starts += pair
    return starts[:tasks]


def _alternating(start: str, places: int) -> list[str]:
    other = "right" if start == "left" else "left"
    return [(start, other)[number % 2] for number in range(places)]


def _task_row(
    study_id: int,
    design: StudyDesign,
    draft: TaskDraft,
    position: int,
    original: TaskDraft,
    twin_of: int | None,
) -> dict[str, Any]:
    return {
        "study_id": study_id,
        "kind": draft.kind,
        "position": position,
        "twin_of": twin_of,
        "query_id": original.query_id,
        "query": original.query,
        "query_type": original.query_type,
        "segments": dict(original.segments),
        "control_items": [_stored(item) for item in original.control],
        "treatment_items": [_stored(item) for item in original.treatment],
        "pooled": _pool(design, original) if design.kind == "grade" else [],
        "answer": None if draft.answer is None else _stored_answer(draft.answer),
        "automated_delta": original.automated_delta,
        "inclusion_probability": original.inclusion_probability,
        "priority": first_priority(design.policy, original.automated_delta),
    }


def _stored(item: Item) -> dict[str, Any]:
    fields = {
        "product_id": item.product_id,
        "rank": item.rank,
        "title": item.title,
        "brand": item.brand,
        "price": item.price,
        "attributes": dict(item.attributes),
        "image": item.image,
        "url": item.url,
        "description": item.description,
    }
    return {name: value for name, value in fields.items() if value not in (None, "", {})}


def _stored_answer(answer: Answer) -> dict[str, Any]:
    return {
        "preferences": list(answer.preferences),
        "grades": {product: list(grades) for product, grades in answer.grades.items()},
        "explanation": answer.explanation,
    }


def _pool(design: StudyDesign, draft: TaskDraft) -> list[str]:
    """The products of both lists in an order that says nothing about either."""
    pool = sorted({item.product_id for item in (*draft.control, *draft.treatment)})
    random.Random(f"{design.seed} pool {draft.query_id}").shuffle(pool)  # noqa: S311
    return pool
