from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from studying import (
    MINUTE,
    NOW,
    annotator,
    annotators,
    gold,
    items,
    one,
    open_study,
    real,
    real_tasks,
    rows,
    task,
    twin_of,
    vote,
    vote_next,
    work,
)

from evalkit.errors import SettingsError, StoreError
from evalkit.store import (
    Answer,
    Guideline,
    SetAside,
    Store,
    StudyDesign,
    TaskDraft,
    audit,
    comparisons,
    create_study,
    export_votes,
    find_study,
    guideline,
    guidelines,
    import_votes,
    invite,
    note_export,
    progress,
    restore,
    save_guideline,
    set_aside,
    set_asides,
    set_state,
    studies,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# making


def test_a_study_is_read_as_it_was_made(store: Store) -> None:
    design = StudyDesign(
        name="shoes, November",
        scale=5,
        depth=7,
        overlap=4,
        seed=2**40,
        policy="uncertain",
        identical="show",
        lease_ms=5,
        min_dwell_ms=0,
        stop_width=4.5,
        stop_when_decided=True,
        control_system="bm25",
        treatment_system="dense",
        segments=("country", "query_type"),
        image_hosts=("a.example",),
        reasons=("price", "brand"),
        design={"inputs": [{"role": "control", "fingerprint": "sha256:0"}]},
    )
    admin = annotator(store, "root", role="admin")
    made = create_study(store, design, real_tasks(2), actor=admin, now=NOW)
    assert made.design == design
    assert (made.state, made.created_at, made.created_by) == ("draft", NOW, "root")
    assert studies(store) == [made]
    assert find_study(store, "shoes, November") == made


def test_the_newest_study_comes_first(store: Store) -> None:
    for name in ("one", "two"):
        create_study(store, StudyDesign(name), real_tasks(1))
    assert [study.name for study in studies(store)] == ["two", "one"]


def test_a_name_is_taken_once(store: Store) -> None:
    create_study(store, StudyDesign("one"), real_tasks(1))
    with pytest.raises(StoreError, match="'one' exists"):
        create_study(store, StudyDesign("one"), real_tasks(1))
    with pytest.raises(StoreError, match="no study named 'two'; the database has: one"):
        find_study(store, "two")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": " "}, "needs a name"),
        ({"kind": "poll"}, "sbs or grade"),
        ({"scale": 7}, "3 or 5 points, not 7"),
        ({"depth": 0}, "depth is at least 1"),
        ({"overlap": 0}, "overlap is at least 1"),
        ({"policy": "clever"}, "random, disagreement, uncertain"),
        ({"identical": "hide"}, "skip or show"),
        ({"lease_ms": 0}, "lease"),
        ({"min_dwell_ms": -1}, "not negative"),
        ({"stop_width": 0.0}, "positive"),
        ({"treatment_system": "control"}, "different names"),
        ({"kind": "grade", "levels": ((0, "Bad"),)}, "2, 3 or 4 grades"),
        ({"kind": "grade", "levels": ((1, "Good"), (0, "Bad"))}, "worst to the best"),
        ({"reasons": ("a;b",)}, "semicolon"),
    ],
)
def test_settings_that_make_no_study_are_refused(
    store: Store, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        create_study(store, replace(StudyDesign("one"), **change), real_tasks(1))
    assert studies(store) == []


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        ([real("q1"), real("q1")], "twice as a real task"),
        ([replace(real("q1"), query_id="")], "query_id is empty"),
        ([replace(real("q1"), control=(), treatment=())], "both lists are empty"),
        ([replace(real("q1"), control=items("a", "a"))], "same product twice"),
        ([replace(real("q1"), kind="automatic")], "its lists differ"),
        ([replace(gold("g1"), answer=None)], "gold task needs its answer"),
        ([replace(gold("g1", kind="practice"), answer=Answer(grades={"x": (1,)}))], "its answer"),
        ([real("q1"), twin_of(1)], "place of a real task"),
        ([gold("g1"), twin_of(0)], "place of a real task"),
        ([real("q1"), twin_of(0), twin_of(0)], "twice as a twin task"),
        ([replace(real("q1"), kind="other")], "no kind of task"),
    ],
)
def test_tasks_that_cannot_be_served_are_refused(
    store: Store, tasks: Sequence[TaskDraft], said: str
) -> None:
    with pytest.raises(StoreError, match=said):
        create_study(store, StudyDesign("one"), [real("fine"), *tasks][1:])
    assert one(store, "SELECT count(*) FROM task") == 0


def test_the_same_seed_makes_the_same_order_and_sides(store: Store) -> None:
    tasks = [*real_tasks(20), gold("g1"), gold("g2"), twin_of(3)]

    def laid_out(name: str) -> list[Any]:
        return rows(
            store,
            "SELECT task.query_id, task.kind, position, slot_no, side FROM task "
            "LEFT JOIN slot ON slot.task_id = task.id JOIN study ON task.study_id = study.id "
            "WHERE study.name = :name ORDER BY position, slot_no",
            name=name,
        )

    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        create_study(store, StudyDesign(name, seed=seed), tasks)
    assert laid_out("one") == laid_out("two")
    assert laid_out("one") != laid_out("three")


def test_identical_lists_are_mixed_into_the_order_of_the_real_tasks(store: Store) -> None:
    same = [
        TaskDraft("automatic", f"a{n}", "query", control=items("x"), treatment=items("x"))
        for n in range(10)
    ]
    create_study(store, StudyDesign("one"), [*real_tasks(10), *same, gold("g"), twin_of(0)])
    kinds = [kind for (kind,) in rows(store, "SELECT kind FROM task ORDER BY position")]
    assert kinds[20:] == ["gold", "twin"]
    assert kinds[:10].count("automatic") not in (0, 10)
    assert one(store, "SELECT count(*) FROM slot") == 30


def test_a_twin_has_the_query_and_lists_of_its_original(store: Store) -> None:
    create_study(store, StudyDesign("one"), [real("q0"), real("q1", query_type="x"), twin_of(1)])
    (found,) = [task for task in comparisons(store, 1) if task.kind == "twin"]
    assert (found.query_id, found.query_type, found.control) == ("q1", "x", real("q1").control)
    (twin,) = rows(store, "SELECT twin_of FROM task WHERE kind = 'twin'")
    assert rows(store, "SELECT query_id, kind FROM task WHERE id = :id", id=twin[0]) == [
        ("q1", "real")
    ]


# states


def test_a_study_goes_its_way(store: Store) -> None:
    study = create_study(store, StudyDesign("one"), real_tasks(1))
    for state in ("open", "paused", "open", "paused", "closed"):
        assert set_state(store, study.id, state).state == state
    assert set_state(store, study.id, "closed").state == "closed"
    with pytest.raises(StoreError, match="is closed for good; make a new study"):
        set_state(store, study.id, "open")
    assert [entry.action for entry in audit(store)][:5] == [
        "study closed",
        "study paused",
        "study opened",
        "study paused",
        "study opened",
    ]


@pytest.mark.parametrize("state", ["paused", "closed"])
def test_a_draft_can_only_be_opened(store: Store, state: Any) -> None:
    study = create_study(store, StudyDesign("one"), real_tasks(1))
    with pytest.raises(StoreError, match=f"is draft; it can become open, not {state}"):
        set_state(store, study.id, state)


def test_a_study_without_tasks_is_not_opened(store: Store) -> None:
    study = create_study(store, StudyDesign("one"), [gold("g1")])
    with pytest.raises(StoreError, match="no task to serve"):
        set_state(store, study.id, "open")


# progress


def test_progress_counts_places_votes_and_pace(store: Store) -> None:
    tasks = [
        *real_tasks(6),
        gold("g1"),
        gold("p1", kind="practice"),
        TaskDraft("automatic", "same", "query", control=items("x"), treatment=items("x")),
    ]
    study = open_study(store, tasks, overlap=2)
    ann, bob = annotator(store), annotator(store, "bob")
    vote_next(store, study, ann, NOW)  # practice
    for step in range(3):
        vote_next(store, study, ann, NOW + (step + 1) * 10 * MINUTE)
    task(store, study, bob, NOW + 30 * MINUTE)
    found = progress(store, study.id, now=NOW + 30 * MINUTE)
    assert (found.tasks, found.automatic, found.gold, found.practice, found.twins) == (
        6,
        1,
        1,
        1,
        0,
    )
    real_votes = one(
        store,
        "SELECT count(*) FROM vote JOIN assignment ON assignment.id = assignment_id "
        "JOIN task ON task.id = task_id WHERE kind = 'real'",
    )
    assert real_votes in (2, 3)  # gold may have come
    assert (found.slots, found.done, found.leased) == (12, real_votes, 0)  # bob has practice
    assert found.free == 12 - real_votes
    assert (found.votes, found.complete) == (real_votes, 0)
    assert (found.annotators, found.active) == (1, 1)
    assert found.votes_per_hour == 6  # three more in thirty minutes
    assert (found.first_vote_at, found.last_vote_at) == (NOW, NOW + 30 * MINUTE)
    later = progress(store, study.id, now=NOW + 3 * 60 * MINUTE)
    assert (later.active, later.votes_per_hour) == (0, None)


def test_an_empty_study_has_no_pace_and_no_share(store: Store) -> None:
    study = create_study(store, StudyDesign("one"), real_tasks(2))
    found = progress(store, study.id)
    assert (found.left_share, found.votes_per_hour, found.first_vote_at) == (None, None, None)
    assert (found.slots, found.free, found.complete) == (6, 6, 0)
    with pytest.raises(StoreError, match="no study 99"):
        progress(store, 99)


# guidelines


def test_guidelines_have_versions_by_type(store: Store) -> None:
    study = create_study(store, StudyDesign("one"), real_tasks(1))
    assert guideline(store, study.id, "negative") == Guideline(0, "")
    save_guideline(store, study.id, None, "for all")
    assert save_guideline(store, study.id, "negative", "one") == Guideline(1, "one", "negative")
    assert save_guideline(store, study.id, "negative", "two") == Guideline(2, "two", "negative")
    assert save_guideline(store, study.id, "negative", "two") == Guideline(2, "two", "negative")
    assert guideline(store, study.id, "negative") == Guideline(2, "two", "negative")
    assert guideline(store, study.id, "other") == Guideline(1, "for all", "")
    assert guideline(store, study.id) == Guideline(1, "for all", "")
    assert guidelines(store, study.id) == [
        Guideline(1, "for all", ""),
        Guideline(2, "two", "negative"),
    ]
    assert one(store, "SELECT count(*) FROM guideline") == 3


# set aside


def test_votes_are_set_aside_and_restored_not_deleted(store: Store) -> None:
    study = open_study(store, real_tasks(3), overlap=2)
    ann, bob = annotators(store, 2)
    work(store, study, ann)
    work(store, study, bob)
    set_aside(store, study.id, ann.id, "clicks left only", now=NOW + 5)
    assert set_asides(store, study.id) == [
        SetAside(ann.id, ann.name, "clicks left only", NOW + 5, None)
    ]
    found = export_votes(store, study.id).to_pylist()
    assert {(row["annotator"], row["set_aside"]) for row in found} == {
        (ann.name, True),
        (bob.name, False),
    }
    assert len(found) == 6
    assert progress(store, study.id).set_aside == 3
    with pytest.raises(StoreError, match="set aside already"):
        set_aside(store, study.id, ann.id, "again")
    restore(store, study.id, ann.id)
    assert set_asides(store, study.id) == []
    assert not any(export_votes(store, study.id)["set_aside"].to_pylist())
    with pytest.raises(StoreError, match="are not set aside"):
        restore(store, study.id, ann.id)
    set_aside(store, study.id, ann.id, "once more")
    assert [entry.action for entry in audit(store, limit=3)] == [
        "votes set aside",
        "votes restored",
        "votes set aside",
    ]


def test_a_reason_and_a_person_are_needed_to_set_aside(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    with pytest.raises(StoreError, match="Say why"):
        set_aside(store, study.id, annotator(store).id, " ")
    with pytest.raises(StoreError, match="no person 99"):
        set_aside(store, study.id, 99, "reason")


def test_setting_aside_holds_for_one_study(store: Store) -> None:
    ann = annotator(store)
    one_study = open_study(store, real_tasks(1))
    other = open_study(store, real_tasks(1), name="other")
    work(store, one_study, ann)
    work(store, other, ann)
    set_aside(store, one_study.id, ann.id, "reason")
    assert export_votes(store, one_study.id)["set_aside"].to_pylist() == [True]
    assert export_votes(store, other.id)["set_aside"].to_pylist() == [False]


# what analysts look at


def test_every_query_is_shown_with_its_lists_and_votes(store: Store) -> None:
    study = open_study(store, [real("q1", automated_delta=0.25, segments={"country": "de"})])
    ann, bob = annotators(store, 2)
    vote(store, task(store, study, ann), ann, 1, NOW, reasons=("price",), comment="x")
    vote(store, task(store, study, bob), bob, 0, NOW + 1, both_bad=True)
    set_aside(store, study.id, bob.id, "reason")
    (found,) = comparisons(store, study.id)
    assert (found.query_id, found.query, found.kind, found.automated_delta) == (
        "q1",
        "query q1",
        "real",
        0.25,
    )
    assert (found.control, found.treatment) == (real("q1").control, real("q1").treatment)
    assert found.segments == {"country": "de"}
    first, second = found.votes
    assert (first.annotator, first.reasons, first.comment) == (ann.name, ("price",), "x")
    assert abs(first.preference or 0) == 1
    assert (second.preference, second.both_bad, second.set_aside) == (0, True, True)
    assert (first.counts, first.set_aside, first.submitted_at) == (True, False, NOW)


def test_queries_come_in_pages(store: Store) -> None:
    study = open_study(store, real_tasks(7))
    ann = annotator(store)
    work(store, study, ann)
    everything = comparisons(store, study.id)
    pages = [comparisons(store, study.id, limit=3, offset=start) for start in (0, 3, 6)]
    assert [row for page in pages for row in page] == everything
    assert [row.position for row in everything] == list(range(7))
    assert all(len(row.votes) == 1 for row in everything)


# records


def test_the_audit_log_says_who_did_what(store: Store) -> None:
    root = annotator(store, "root", role="admin")
    invite(store, "ann", actor=root, now=NOW + 1)
    study = create_study(store, StudyDesign("one"), [], actor=root, now=NOW + 2)
    save_guideline(store, study.id, "negative", "text", actor=root, now=NOW + 3)
    note_export(store, study.id, "votes", 12, actor=root, now=NOW + 4)
    found = audit(store, limit=4)
    assert [(entry.at, entry.actor, entry.action, entry.study) for entry in found] == [
        (NOW + 4, "root", "exported", "one"),
        (NOW + 3, "root", "guideline saved", "one"),
        (NOW + 2, "root", "study created", "one"),
        (NOW + 1, "root", "invited", None),
    ]
    assert found[0].details == {"what": "votes", "rows": 12}
    assert found[3].details == {"name": "ann", "role": "annotator"}
    assert audit(store)[-1].actor is None


def test_imports_are_in_the_audit_log(store: Store) -> None:
    import pyarrow as pa

    study = create_study(store, StudyDesign("one"), [])
    table = pa.table({"query_id": ["q1"], "annotator": ["ann"], "preference": [1]})
    import_votes(store, study.id, table)
    assert audit(store)[0].action == "votes imported"
    assert audit(store)[0].details["votes"] == 1
