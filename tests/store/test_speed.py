"""In a large study nobody waits longer: what serves a task never reads all votes.

What is looked at is how the databases would reach the rows, not a clock, which also measures
everything else that the machine does.
"""

from __future__ import annotations

import random
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from studying import NOW, open_study, real_tasks

from evalkit.store import Person, Served, Store, mark_shown, next_task
from evalkit.store.engine import refresh_statistics
from evalkit.store.schema import assignment, person, slot, task, vote

if TYPE_CHECKING:
    from collections.abc import Iterator

TASKS, OVERLAP, PEOPLE = 5_000, 20, 40


def fill(store: Store) -> list[int]:
    """Nearly 100,000 votes: the first person has seen all tasks but twenty, the last one none."""
    with store.writing() as connection:
        connection.execute(
            sa.insert(person),
            [
                {"name": f"p{number}", "role": "annotator", "created_at": 0}
                for number in range(PEOPLE + 1)
            ],
        )
        people = list(connection.execute(sa.select(person.c.id).order_by(person.c.id)).scalars())
        tasks = list(connection.execute(sa.select(task.c.id).order_by(task.c.position)).scalars())
        places: dict[int, list[int]] = {}
        for row in connection.execute(sa.select(slot.c.id, slot.c.task_id).order_by(slot.c.id)):
            places.setdefault(row.task_id, []).append(row.id)
        drawn = random.Random(0)
        given = [
            (task_id, who, place)
            for task_id in tasks[:-20]
            for who, place in zip(
                [people[0], *drawn.sample(people[1:-1], OVERLAP - drawn.choice((1, 2)))],
                places[task_id],
                strict=False,
            )
        ]
        made = connection.execute(
            sa.insert(assignment).returning(assignment.c.id, sort_by_parameter_order=True),
            [
                {
                    "task_id": task_id,
                    "person_id": who,
                    "side": "left",
                    "state": "voted",
                    "revision": 1,
                    "claimed_at": NOW,
                    "opened_at": NOW,
                }
                for task_id, who, _ in given
            ],
        ).scalars()
        numbers = list(made)
        connection.execute(
            sa.insert(vote),
            [
                {
                    "assignment_id": number,
                    "revision": 1,
                    "action": "vote",
                    "preference": 1,
                    "both_bad": False,
                    "items": {},
                    "pages": {},
                    "comment": "",
                    "side": "left",
                    "submitted_at": NOW,
                }
                for number in numbers
            ],
        )
        connection.execute(
            sa.update(slot)
            .where(slot.c.id == sa.bindparam("place"))
            .values(state="done", assignment_id=sa.bindparam("holder")),
            [
                {"place": place, "holder": number}
                for number, (_, _, place) in zip(numbers, given, strict=True)
            ],
        )
        refresh_statistics(connection)
        assert len(numbers) > 95_000
    return people


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database meanwhile, with its parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "INSERT", "DELETE")):
            sent.append((statement, parameters))

    sa.event.listen(store.engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(store.engine, "before_cursor_execute", note)


def plan(store: Store, statement: str, parameters: Any) -> list[str]:
    """How the database would reach each table of a statement, a line each."""
    word = "EXPLAIN QUERY PLAN" if store.engine.dialect.name == "sqlite" else "EXPLAIN"
    with store.reading() as connection:
        rows = connection.exec_driver_sql(f"{word} {statement}", parameters).all()
    steps = [str(row[-1]).strip().removeprefix("->").strip() for row in rows]
    return [step for step in steps if re.match("SCAN|SEARCH|.*Scan ", step)]


@pytest.mark.slow
def test_the_next_task_of_a_hundred_thousand_votes_is_found_by_indexes(store: Store) -> None:
    study = open_study(store, real_tasks(TASKS), overlap=OVERLAP)
    people = fill(store)
    for who in (people[0], people[-1]):
        someone = Person(who, "", "annotator")
        with statements(store) as sent:
            served = next_task(store, study.id, someone, now=NOW)
            assert isinstance(served, Served)
            mark_shown(store, served.assignment_id, someone)
        plans = {statement: plan(store, statement, given) for statement, given in sent}
        # tasks may be read through: they are few; places, assignments and votes grow with people
        through = [
            step
            for steps in plans.values()
            for step in steps
            if re.match(r"(SCAN|(Parallel )?Seq Scan on) (slot|assignment|vote)", step)
        ]
        assert through == []
        # the claim was among them, and places that are left are counted without those that are done
        assert any(statement.startswith("UPDATE slot SET state=") for statement in plans)
        left = [
            steps for text, steps in plans.items() if text.startswith("SELECT") and "'done'" in text
        ]
        assert left
        assert all("ix_slot_unfilled" in " ".join(steps) for steps in left)
