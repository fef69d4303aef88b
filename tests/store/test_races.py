"""What happens at the same instant, and what survives kill -9."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from studying import NOW, annotator, annotators, one, open_study, real_tasks, rows, task, twin_of
from voter import vote_until_done

from evalkit.errors import StoreError
from evalkit.store import (
    Ballot,
    Finished,
    Person,
    Served,
    Store,
    Study,
    check,
    export_votes,
    invite,
    next_task,
    open_store,
    progress,
    skip,
    submit,
    undo,
)
from evalkit.store.priorities import priority

if TYPE_CHECKING:
    from collections.abc import Callable

VOTER = Path(__file__).with_name("voter.py")
Result = TypeVar("Result")


def at_once(*calls: Callable[[], Result]) -> list[Result]:
    """Run all calls at the same instant, each in a thread; raise what any of them raises."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [running.result() for running in [pool.submit(run, call) for call in calls]]


def assert_served_exactly(store: Store, study: Study, stored: list[int]) -> None:
    """Every task has its overlap, every acknowledged vote is there, and no other."""
    overlap = study.design.overlap
    counted = Counter(
        row["task_id"] for row in export_votes(store, study.id).to_pylist() if row["counts"]
    )
    tasks = one(store, "SELECT count(*) FROM task WHERE kind = 'real'")
    assert Counter(counted.values()) == {overlap: tasks}
    assert sorted(stored) == [
        number for (number,) in rows(store, "SELECT id FROM vote ORDER BY id")
    ]
    assert len(stored) == tasks * overlap
    assert one(store, "SELECT count(*) FROM assignment") == len(stored)
    found = progress(store, study.id)
    assert (found.done, found.surplus, found.free, found.leased) == (tasks * overlap, 0, 0, 0)
    assert abs((found.left_share or 0) * len(stored) - len(stored) / 2) <= 0.5


def test_one_name_invited_at_the_same_instant_is_one_person_and_no_traceback(store: Store) -> None:
    def invited() -> str:
        try:
            return invite(store, "ann")[0].name
        except StoreError as error:
            return str(error)

    said = at_once(*[invited] * 8)
    assert "ann" in said
    assert all(word == "ann" or "at the same moment; try again" in word for word in said)
    assert one(store, "SELECT count(*) FROM person") == 1


def race_threads(store: Store, people: int, tasks: int, overlap: int) -> None:
    study = open_study(store, real_tasks(tasks), overlap=overlap, min_dwell_ms=0)
    who = annotators(store, people)
    stored = at_once(
        *[lambda person=person: vote_until_done(store, study.id, person) for person in who]
    )
    assert_served_exactly(store, study, [number for numbers in stored for number in numbers])
    assert check(store.engine.url.render_as_string(hide_password=False)) == []


def race_processes(url: str, processes: int, threads: int, tasks: int, overlap: int) -> None:
    with open_store(url) as store:
        study = open_study(store, real_tasks(tasks), overlap=overlap, min_dwell_ms=0)
        who = [person.id for person in annotators(store, processes * threads)]
        running = [start_voter(url, study, who[number::processes]) for number in range(processes)]
        said = [process.communicate() for process in running]
        assert [process.returncode for process in running] == [0] * processes, said
        assert "Traceback" not in "".join(err for _, err in said)
        stored = [int(line.split()[0]) for out, _ in said for line in out.splitlines()]
        assert_served_exactly(store, study, stored)
    assert check(url) == []


def start_voter(url: str, study: Study, people: list[int]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(VOTER), url, str(study.id), *map(str, people)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# many annotators


def test_a_dozen_threads_fill_every_place_exactly(store: Store) -> None:
    race_threads(store, people=12, tasks=15, overlap=3)


def test_processes_fill_every_place_exactly(database: str) -> None:
    race_processes(database, processes=2, threads=4, tasks=15, overlap=3)


@pytest.mark.slow
def test_fifty_threads_fill_two_hundred_tasks_exactly(store: Store) -> None:
    race_threads(store, people=50, tasks=200, overlap=3)


@pytest.mark.slow
def test_fifty_annotators_in_processes_fill_two_hundred_tasks_exactly(database: str) -> None:
    race_processes(database, processes=5, threads=10, tasks=200, overlap=3)


def test_priorities_follow_the_votes_that_race(store: Store) -> None:
    study = open_study(store, real_tasks(4), overlap=8, min_dwell_ms=0, policy="disagreement")

    def vote_on(person: Person) -> None:
        drawn = random.Random(person.name)
        while isinstance(served := next_task(store, study.id, person), Served):
            ballot = Ballot(drawn.choice((-1, 0, 1)))
            submit(store, served.assignment_id, 1, ballot, person)

    at_once(*[lambda person=person: vote_on(person) for person in annotators(store, 8)])
    given: dict[int, list[int]] = {}
    for row in export_votes(store, study.id).to_pylist():
        given.setdefault(row["task_id"], []).append(row["preference"])
    assert [len(votes) for votes in given.values()] == [8] * 4
    found = {row.id: row.priority for row in rows(store, "SELECT id, priority FROM task")}
    assert found == {
        number: pytest.approx(priority("disagreement", None, votes))
        for number, votes in given.items()
    }


# the same instant


def test_the_last_place_goes_to_one_of_many(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    people = annotators(store, 8)
    found = at_once(
        *[lambda person=person: next_task(store, study.id, person, now=NOW) for person in people]
    )
    assert [isinstance(one_found, Served) for one_found in found].count(True) == 1
    assert {one_found.reason for one_found in found if isinstance(one_found, Finished)} == {
        "waiting"
    }


def test_two_tabs_of_one_person_show_the_same_task(store: Store) -> None:
    study = open_study(store, [*real_tasks(12), twin_of(0)], overlap=1, min_dwell_ms=0)
    ann = annotator(store)
    for step in range(13):
        now = NOW + step * 1000
        tabs = at_once(*[lambda now=now: next_task(store, study.id, ann, now=now)] * 3)
        shown = {tab.assignment_id for tab in tabs if isinstance(tab, Served)}
        assert len(shown) == 1
        assert one(store, "SELECT count(*) FROM assignment") == step + 1
        (number,) = shown
        done = at_once(
            *[
                lambda shown=shown, number=number, now=now: submit(
                    store, number, 1, Ballot(shown), ann, now=now
                )
                for shown in (-1, 0, 1)
            ]
        )
        assert sorted(outcome.status for outcome in done) == ["duplicate", "duplicate", "stored"]
        assert len({outcome.vote_id for outcome in done}) == 1
    assert one(store, "SELECT count(*) FROM vote") == 13
    assert next_task(store, study.id, ann, now=NOW) == Finished("done", 13)


def test_undo_in_two_tabs_takes_back_one_answer(store: Store) -> None:
    study = open_study(store, real_tasks(6), min_dwell_ms=0)
    ann = annotator(store)
    for step in range(5):
        served = task(store, study, ann, NOW + step)
        submit(store, served.assignment_id, 1, Ballot(1), ann, now=NOW + step)
        back = at_once(*[lambda step=step: undo(store, study.id, ann, now=NOW + step)] * 3)
        assert {(one_back.assignment_id, one_back.revision) for one_back in back if one_back} == {
            (served.assignment_id, 2)
        }
        assert one(store, "SELECT count(*) FROM assignment WHERE state = 'open'") == 1
        submit(store, served.assignment_id, 2, Ballot(-1), ann, now=NOW + step)


def test_undo_and_a_vote_at_once_lose_neither(store: Store) -> None:
    study = open_study(store, real_tasks(10), min_dwell_ms=0)
    ann = annotator(store)
    first = task(store, study, ann)
    submit(store, first.assignment_id, 1, Ballot(1), ann, now=NOW)
    for step in range(1, 6):
        now = NOW + step * 1000
        served = task(store, study, ann, now)
        results: list[Any] = at_once(
            lambda now=now, served=served: submit(
                store, served.assignment_id, served.revision, Ballot(1), ann, now=now
            ),
            lambda now=now: undo(store, study.id, ann, now=now),
        )
        assert results[0].status == "stored"
        assert isinstance(results[1], Served)
        submit(store, results[1].assignment_id, results[1].revision, Ballot(0), ann, now=now)
    votes = rows(store, "SELECT assignment_id, revision FROM vote")
    assert len(votes) == len(set(votes)) == 11
    assert check(store.engine.url.render_as_string(hide_password=False)) == []


def chaos(store: Store, people: int, tasks: int, overlap: int, seconds: float) -> None:
    """Leases run out, votes come late, people skip, undo and walk away, all at once."""
    study = open_study(store, real_tasks(tasks), overlap=overlap, min_dwell_ms=0, lease_ms=40)
    who = annotators(store, people)
    total = Counter({person.name: 0 for person in who})
    start = time.monotonic()

    def going() -> bool:
        """Go on for the time given; on a busy machine until there is something to look at."""
        passed = time.monotonic() - start
        return passed < seconds or (total.total() <= 2 * tasks and passed < 60)

    def behave(person: Person) -> None:
        drawn = random.Random(person.name)
        while going():
            served = next_task(store, study.id, person)
            if isinstance(served, Finished):
                if served.reason == "done" and drawn.random() < 0.5:
                    undo(store, study.id, person)
                time.sleep(0.005)
                continue
            if drawn.random() < 0.4:
                time.sleep(drawn.random() * 0.08)  # some longer than the lease
            what = drawn.random()
            number, revision = served.assignment_id, served.revision
            if what < 0.75:
                done = submit(store, number, revision, Ballot(1), person)
                total[person.name] += done.status == "stored"
            elif what < 0.9:
                done = skip(store, number, revision, "x", person)
                total[person.name] += done.status == "stored"
            if drawn.random() < 0.1:
                undo(store, study.id, person)

    at_once(*[lambda person=person: behave(person) for person in who])
    assert one(store, "SELECT count(*) FROM vote") == total.total() > tasks
    counted = Counter(
        row["task_id"] for row in export_votes(store, study.id).to_pylist() if row["counts"]
    )
    assert max(counted.values()) <= overlap
    voted = Counter(row["task_id"] for row in export_votes(store, study.id).to_pylist())
    for number, votes in voted.items():  # a vote is surplus only where the overlap is reached
        assert counted[number] == min(votes, overlap)
    assert check(store.engine.url.render_as_string(hide_password=False)) == []


def test_leases_late_votes_skips_and_undo_at_once_stay_consistent(store: Store) -> None:
    chaos(store, people=8, tasks=12, overlap=2, seconds=2)


@pytest.mark.slow
def test_an_hour_of_chaos_in_half_a_minute(store: Store) -> None:
    chaos(store, people=30, tasks=100, overlap=3, seconds=30)


# kill -9


def test_what_was_acknowledged_survives_kill_9(database: str) -> None:
    with open_store(database) as store:
        study = open_study(store, real_tasks(20), overlap=2, min_dwell_ms=0)
        people = [person.id for person in annotators(store, 3)]
        acknowledged: list[tuple[int, int]] = []
        for kill_after in (4, 9):
            process = start_voter(database, study, people)
            assert process.stdout is not None
            for _ in range(kill_after):
                number, assignment = process.stdout.readline().split()
                acknowledged.append((int(number), int(assignment)))
            process.send_signal(signal.SIGKILL)
            acknowledged += [
                (int(line.split()[0]), int(line.split()[1]))
                for line in process.stdout.read().splitlines()
                if line.count(" ") == 1
            ]
            process.stderr.close() if process.stderr else None
            process.stdout.close()
            assert process.wait() == -signal.SIGKILL
            there = rows(store, "SELECT id, assignment_id FROM vote")
            assert set(acknowledged) <= set(there)
            # at most one answer for each annotator was stored and not yet acknowledged
            assert len(there) <= len(acknowledged) + 2 * len(people)
            assert check(database) == []
        last = start_voter(database, study, people)
        out, err = last.communicate()
        assert (last.returncode, err) == (0, "")
        acknowledged += [(int(line.split()[0]), int(line.split()[1])) for line in out.splitlines()]
        there = rows(store, "SELECT id, assignment_id FROM vote")
        assert set(acknowledged) <= set(there)
        assert len({assignment for _, assignment in there}) == len(there) == 40
        assert progress(store, study.id).complete == 20
