"""Small studies, and people who work on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from evalkit.store import (
    Answer,
    Ballot,
    Finished,
    Item,
    Person,
    Served,
    Store,
    Study,
    StudyDesign,
    TaskDraft,
    create_study,
    invite,
    mark_shown,
    next_task,
    set_state,
    submit,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOW = 1_790_000_000_000
MINUTE = 60_000
HALF_HOUR = 30 * MINUTE


def items(*ids: str) -> tuple[Item, ...]:
    return tuple(Item(name, rank, f"title of {name}") for rank, name in enumerate(ids, start=1))


def real(name: str, **fields: Any) -> TaskDraft:
    """A query whose lists are `<name>-old`, shared; and `<name>-new`, shared."""
    return TaskDraft(
        "real",
        name,
        f"query {name}",
        control=items(f"{name}-old", f"{name}-shared"),
        treatment=items(f"{name}-new", f"{name}-shared"),
        **fields,
    )


def real_tasks(number: int) -> list[TaskDraft]:
    return [real(f"q{place:03}") for place in range(number)]


def gold(name: str, *accepted: int, kind: Any = "gold", explanation: str = "") -> TaskDraft:
    return TaskDraft(
        kind,
        name,
        f"query {name}",
        control=items(f"{name}-old"),
        treatment=items(f"{name}-new"),
        answer=Answer(accepted or (1,), explanation=explanation),
    )


def twin_of(place: int) -> TaskDraft:
    return TaskDraft("twin", "", "", twin_of_index=place)


def open_study(store: Store, tasks: Sequence[TaskDraft], **design: Any) -> Study:
    study = create_study(store, StudyDesign(**{"name": "shoes", **design}), tasks, now=NOW)
    return set_state(store, study.id, "open", now=NOW)


def annotator(store: Store, name: str = "ann", role: Any = "annotator") -> Person:
    return invite(store, name, role=role, now=NOW)[0]


def annotators(store: Store, number: int) -> list[Person]:
    return [annotator(store, f"annotator {place:02}") for place in range(number)]


def task(store: Store, study: Study, person: Person, now: int = NOW) -> Served:
    served = next_task(store, study.id, person, now=now)
    assert isinstance(served, Served)
    return served


def finished(store: Store, study: Study, person: Person, now: int = NOW) -> str:
    found = next_task(store, study.id, person, now=now)
    assert isinstance(found, Finished)
    return found.reason


def vote(
    store: Store, served: Served, person: Person, shown: int = 1, now: int = NOW, **more: Any
) -> Any:
    """Show the task a second before `now` and vote at `now`."""
    mark_shown(store, served.assignment_id, person, now=now - 1000)
    return submit(
        store, served.assignment_id, served.revision, Ballot(shown, **more), person, now=now
    )


def vote_next(store: Store, study: Study, person: Person, now: int, shown: int = 1) -> Served:
    served = task(store, study, person, now - 2000)
    assert vote(store, served, person, shown, now).status == "stored"
    return served


def work(
    store: Store, study: Study, person: Person, now: int = NOW, most: int | None = None
) -> list[Served]:
    """Vote for the right side until nothing is served, a task every two seconds."""
    done: list[Served] = []
    while most is None or len(done) < most:
        served = next_task(store, study.id, person, now=now)
        if isinstance(served, Finished):
            break
        now += 2000
        assert vote(store, served, person, 1, now).status == "stored"
        done.append(served)
    return done


def side_of(served: Served) -> str:
    """Where the treatment stands, told from the product ids of the lists."""
    return "right" if served.right[0].product_id.endswith("-new") else "left"


def rows(store: Store, sql: str, **values: Any) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(sa.text(sql), values).all())


def one(store: Store, sql: str, **values: Any) -> Any:
    return rows(store, sql, **values)[0][0]


def queries(served: Iterable[Served]) -> list[str]:
    return [one_served.query.removeprefix("query ") for one_served in served]
