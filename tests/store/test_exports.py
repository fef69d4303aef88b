from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from studying import (
    HALF_HOUR,
    NOW,
    annotator,
    annotators,
    gold,
    items,
    one,
    open_study,
    real,
    real_tasks,
    side_of,
    task,
    twin_of,
    vote,
    work,
)

from evalkit.errors import InputError, StoreError
from evalkit.store import (
    Imported,
    Store,
    StudyDesign,
    TaskDraft,
    create_study,
    export_judgments,
    export_page_grades,
    export_votes,
    import_votes,
    people,
    progress,
    set_aside,
    set_asides,
    set_state,
    undo,
)

COLUMNS = {
    "study": pa.string(),
    "query_id": pa.string(),
    "annotator": pa.string(),
    "preference": pa.int64(),
    "both_bad": pa.bool_(),
    "treatment_side": pa.string(),
    "kind": pa.string(),
    "counts": pa.bool_(),
    "set_aside": pa.bool_(),
    "position": pa.int64(),
    "task_id": pa.int64(),
    "gold_preference": pa.int64(),
    "twin_of": pa.int64(),
    "seconds": pa.float64(),
    "reasons": pa.string(),
    "comment": pa.string(),
    "items": pa.string(),
    "assignment_id": pa.int64(),
    "revision": pa.int64(),
    "shown": pa.int64(),
    "scale": pa.int64(),
    "submitted_at": pa.timestamp("ms", tz="UTC"),
    "shown_at": pa.timestamp("ms", tz="UTC"),
    "active_ms": pa.int64(),
    "input_method": pa.string(),
    "viewport": pa.string(),
    "app_version": pa.string(),
    "guideline_version": pa.int64(),
}


def identical(name: str, **fields: Any) -> TaskDraft:
    return TaskDraft(
        "automatic", name, f"query {name}", control=items("x"), treatment=items("x"), **fields
    )


def rich_study(store: Store) -> Any:
    """Real tasks with segments, identical lists, gold, practice and a twin; two people voted."""
    tasks = [
        *(
            real(f"q{place}", query_type="negative", segments={"country": "de"})
            for place in range(12)
        ),
        identical("same", query_type="brand", segments={"country": "fr"}),
        gold("g1", 1, 0),
        gold("p1", kind="practice"),
        twin_of(0),
    ]
    study = open_study(store, tasks, overlap=1, segments=("country",), scale=5, seed=3)
    for person in annotators(store, 2):
        work(store, study, person)
    return study


# votes


def test_an_empty_study_has_the_columns(store: Store) -> None:
    study = create_study(store, StudyDesign("one"), real_tasks(2))
    found = export_votes(store, study.id)
    assert found.num_rows == 0
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == COLUMNS
    assert export_judgments(store, study.id).schema.names == [
        "query_id", "product_id", "grade", "source", "annotator", "inclusion_probability",
    ]  # fmt: skip
    assert export_page_grades(store, study.id).schema.names == [
        "query_id", "system", "page_grade", "annotator",
    ]  # fmt: skip


def test_every_kind_of_vote_comes_out_with_sides_resolved(store: Store) -> None:
    study = rich_study(store)
    found = export_votes(store, study.id)
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == {
        **COLUMNS,
        "query_type": pa.string(),
        "country": pa.string(),
    }
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in found.to_pylist():
        by_kind.setdefault(row["kind"], []).append(row)
        if row["kind"] != "automatic":
            assert row["shown"] == 1
            assert row["preference"] == (1 if row["treatment_side"] == "right" else -1)
            assert row["seconds"] == 1.0
            assert row["counts"]
    assert len(by_kind["real"]) == 12
    assert {row["country"] for row in by_kind["real"]} == {"de"}
    (same,) = by_kind["automatic"]
    assert (same["annotator"], same["preference"], same["counts"]) == ("", 0, True)
    assert (same["query_id"], same["query_type"], same["country"]) == ("same", "brand", "fr")
    assert (same["assignment_id"], same["submitted_at"], same["shown"]) == (None, None, None)
    for row in by_kind["gold"]:  # accepted are 1 and 0: the vote's own, else the first
        assert row["gold_preference"] == 1
    (twin,) = by_kind["twin"]
    originals = {row["task_id"]: row["query_id"] for row in by_kind["real"]}
    assert originals[twin["twin_of"]] == twin["query_id"] == "q0"
    assert found["position"].to_pylist() == sorted(found["position"].to_pylist())


def test_the_accepted_answer_is_the_votes_own_if_it_is_one(store: Store) -> None:
    study = open_study(store, [*real_tasks(1), gold("p", 1, 0, kind="practice")])
    given = {}
    for shown, person in zip((1, 0, -1), annotators(store, 3), strict=True):
        served = task(store, study, person)
        oriented = shown if side_of(served) == "right" else -shown
        vote(store, served, person, oriented)
        given[person.name] = shown
    found = {
        row["annotator"]: row["gold_preference"]
        for row in export_votes(store, study.id).to_pylist()
    }
    names = list(given)
    assert [found[name] for name in names] == [1, 0, 1]


def test_a_segment_named_like_a_column_does_not_hide_it(store: Store) -> None:
    tasks = [real("q1", query_type="negative", segments={"query_type": "x", "kind": "y"})]
    study = open_study(store, tasks, segments=("query_type", "kind"))
    work(store, study, annotator(store))
    (row,) = export_votes(store, study.id).to_pylist()
    assert (row["query_type"], row["kind"]) == ("negative", "real")


def test_marks_beyond_the_overlap_are_no_judgments(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotators(store, 2)
    late, marks = task(store, study, ann), {"q000-new": "good"}
    then = NOW + HALF_HOUR + 1000
    vote(store, task(store, study, bob, then), bob, 1, then + 2000, items=marks)
    vote(store, late, ann, 1, then + 4000, items={"q000-new": "bad"})
    assert progress(store, study.id).surplus == 1
    (found,) = export_judgments(store, study.id).to_pylist()
    assert (found["annotator"], found["grade"]) == (bob.name, 1)


def test_marks_come_back_from_an_export(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    marks = {"q000-new": "good", "q000-old": "bad"}
    ann = annotator(store)
    vote(store, task(store, study, ann), ann, 1, NOW, items=marks)
    votes = export_votes(store, study.id)
    copy = create_study(store, StudyDesign(name="copy"), [], now=NOW)
    assert import_votes(store, copy.id, votes).votes == 1
    (row,) = export_votes(store, copy.id).to_pylist()
    assert json.loads(row["items"]) == marks


@pytest.mark.parametrize("marks", ["good", "[1]", '{"a": "fine"}'])
def test_marks_that_are_none_are_refused(store: Store, marks: str) -> None:
    copy = create_study(store, StudyDesign(name="copy"), [], now=NOW)
    table = pa.table({"query_id": ["q"], "annotator": ["ann"], "preference": [1], "items": [marks]})
    with pytest.raises(InputError, match="items is no JSON object of good or bad"):
        import_votes(store, copy.id, table)


def test_marks_that_do_not_count_are_no_judgments(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=3)
    ann, bob = annotators(store, 2)
    marks = {"q000-new": "good", "q000-old": "bad"}
    vote(store, task(store, study, ann), ann, 1, NOW, items=marks)
    vote(store, task(store, study, bob), bob, 1, NOW, items=marks)
    assert export_judgments(store, study.id).num_rows == 4
    assert {row["items"] for row in export_votes(store, study.id).to_pylist()} == {
        '{"q000-new": "good", "q000-old": "bad"}'
    }
    set_aside(store, study.id, bob.id, "reason")
    found = export_judgments(store, study.id).to_pylist()
    assert [(row["product_id"], row["grade"], row["annotator"]) for row in found] == [
        ("q000-new", 1, ann.name),
        ("q000-old", 0, ann.name),
    ]
    back = undo(store, study.id, ann, now=NOW + 5000)
    assert back is not None
    vote(store, back, ann, 1, NOW + 9000)  # this time without marks
    assert export_judgments(store, study.id).num_rows == 0


def test_the_probability_of_a_query_goes_with_its_judgments(store: Store) -> None:
    study = open_study(store, [real("q000", inclusion_probability=0.25)])
    ann = annotator(store)
    vote(store, task(store, study, ann), ann, 1, NOW, items={"q000-new": "good"})
    assert export_judgments(store, study.id)["inclusion_probability"].to_pylist() == [0.25]


# import


def votes_table(**columns: list[Any]) -> pa.Table:
    return pa.table(columns)


def test_votes_alone_make_a_study(store: Store) -> None:
    study = create_study(store, StudyDesign("one", overlap=2, scale=5), [])
    table = votes_table(
        query_id=["q1", "q1", "q2", "q3"],
        annotator=["ann", "bob", "ann", "bob"],
        preference=[2, -1, 0, 0],
        both_bad=[False, False, True, None],
        treatment_side=["left", "right", None, "left"],
        reasons=["price;brand", None, "", None],
        comment=["nice", None, None, None],
        submitted_at=["2026-11-02T10:00:00Z", None, None, None],
        seconds=[12.5, None, None, None],
    )
    done = import_votes(store, study.id, table, now=NOW)
    assert done == Imported(votes=4, already=0, annotators=2, tasks=3)
    found = {
        (row["query_id"], row["annotator"]): row
        for row in export_votes(store, study.id).to_pylist()
    }
    first = found["q1", "ann"]
    assert (first["preference"], first["shown"], first["treatment_side"]) == (2, -2, "left")
    assert (first["reasons"], first["comment"], first["seconds"]) == ("price;brand", "nice", 12.5)
    assert first["submitted_at"].isoformat() == "2026-11-02T10:00:00+00:00"
    assert (found["q2", "ann"]["both_bad"], found["q2", "ann"]["shown"]) == (True, None)
    assert all(row["counts"] for row in found.values())
    numbers = progress(store, study.id)
    assert (numbers.tasks, numbers.slots, numbers.done, numbers.votes) == (3, 6, 4, 4)
    assert [(person.name, person.role) for person in people(store)] == [
        ("ann", "annotator"),
        ("bob", "annotator"),
    ]
    with pytest.raises(StoreError, match="has no lists to show"):
        set_state(store, study.id, "open")


def test_an_export_comes_back_as_it_was(store: Store) -> None:
    study = rich_study(store)
    ann = people(store)[0]
    set_aside(store, study.id, ann.id, "reason")
    before = export_votes(store, study.id)
    copy = create_study(store, StudyDesign("copy", overlap=1, segments=("country",), scale=5), [])
    done = import_votes(store, copy.id, before)
    assert done.votes == before.num_rows - 1  # the identical lists are no vote
    after = export_votes(store, copy.id)
    same = [
        name
        for name in before.schema.names
        if name not in ("study", "task_id", "twin_of", "assignment_id")
    ]
    key = ["kind", "query_id", "annotator"]
    order = [(name, "ascending") for name in key]
    different = [
        name
        for name in same
        if name != "position"
        and before.sort_by(order)[name].to_pylist() != after.sort_by(order)[name].to_pylist()
    ]
    assert different == []
    real_order = [
        [row["query_id"] for row in table.to_pylist() if row["kind"] in ("real", "automatic")]
        for table in (before, after)
    ]
    assert real_order[0] == real_order[1]
    assert [person.name for person in set_asides(store, copy.id)] == [ann.name]


def test_votes_are_added_to_the_tasks_of_a_study(store: Store) -> None:
    study = open_study(store, real_tasks(2), overlap=2)
    ann = annotator(store)
    work(store, study, ann)
    table = votes_table(
        query_id=["q000", "q001", "q000"],
        annotator=["bob", "bob", "eve"],
        preference=[1, 1, -1],
        treatment_side=["left", "left", "right"],
    )
    done = import_votes(store, study.id, table)
    assert done == Imported(votes=3, already=0, annotators=2, tasks=0)
    counted = {
        (row["query_id"], row["annotator"]): row["counts"]
        for row in export_votes(store, study.id).to_pylist()
    }
    assert counted == {
        ("q000", "ann"): True,
        ("q001", "ann"): True,
        ("q000", "bob"): True,
        ("q001", "bob"): True,
        ("q000", "eve"): False,  # beyond the overlap
    }
    assert progress(store, study.id).done == 4


def test_a_vote_that_did_not_count_takes_no_place(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=2)
    table = votes_table(
        query_id=["q000"] * 3,
        annotator=["ann", "bob", "eve"],
        preference=[1, 1, 1],
        counts=[False, True, True],
    )
    import_votes(store, study.id, table)
    found = export_votes(store, study.id).to_pylist()
    assert {row["annotator"]: row["counts"] for row in found} == {
        "ann": False,
        "bob": True,
        "eve": True,
    }


def test_a_vote_that_would_count_here_but_did_not_there_is_refused(store: Store) -> None:
    study = create_study(store, StudyDesign("shoes", overlap=3), [])
    table = votes_table(
        query_id=["q000", "q000"],
        annotator=["ann", "bob"],
        preference=[1, -1],
        counts=[True, False],
    )
    with pytest.raises(InputError, match=r"row 2, query 'q000': the vote does not count .* 3 are"):
        import_votes(store, study.id, table)
    assert one(store, "SELECT count(*) FROM vote") == 0
    assert people(store) == []


def test_how_long_a_vote_took_is_kept_without_its_time(store: Store) -> None:
    study = create_study(store, StudyDesign("shoes"), [])
    table = votes_table(query_id=["q000"], annotator=["ann"], preference=[1], seconds=[7.5])
    import_votes(store, study.id, table)
    assert export_votes(store, study.id)["seconds"].to_pylist() == [7.5]


def test_the_same_votes_a_second_time_change_nothing(store: Store) -> None:
    study = open_study(store, real_tasks(3))
    table = votes_table(query_id=["q000", "q001"], annotator=["ann", "ann"], preference=[1, 0])
    import_votes(store, study.id, table)
    again = import_votes(store, study.id, table)
    assert again == Imported(votes=0, already=2, annotators=0, tasks=0)
    more = votes_table(
        query_id=["q000", "q001", "q002"], annotator=["ann"] * 3, preference=[1, 0, -1]
    )
    assert import_votes(store, study.id, more).votes == 1
    assert one(store, "SELECT count(*) FROM vote") == 3


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"query_id": ["q000"], "annotator": ["a"]}, "column preference is missing"),
        ({"query_id": ["x"], "annotator": ["a"], "preference": [1]}, "no real task for this query"),
        ({"query_id": [""], "annotator": ["a"], "preference": [1]}, "query_id is empty"),
        ({"query_id": ["q000"], "annotator": [""], "preference": [1]}, "annotator is empty"),
        ({"query_id": ["q000"], "annotator": ["a"], "preference": [2]}, "scale of 3 points"),
        ({"query_id": ["q000"], "annotator": ["a"], "preference": [0.5]}, "no whole number"),
        ({"query_id": ["q000"], "annotator": ["a"], "preference": [None]}, "preference is empty"),
        (
            {"query_id": ["q000"] * 2, "annotator": ["a"] * 2, "preference": [1, 1]},
            "second real vote of 'a' after row 1",
        ),
        (
            {
                "query_id": ["q000"],
                "annotator": ["a"],
                "preference": [1],
                "both_bad": [True],
            },
            "both bad go with preference 0",
        ),
        (
            {
                "query_id": ["q000"],
                "annotator": ["a"],
                "preference": [1],
                "treatment_side": ["up"],
            },
            "left or right",
        ),
        (
            {"query_id": ["q000"], "annotator": ["a"], "preference": [1], "kind": ["odd"]},
            "'odd' is no kind",
        ),
        (
            {
                "query_id": ["q000"],
                "annotator": ["a"],
                "preference": [1],
                "submitted_at": ["yesterday"],
            },
            "submitted_at is no time",
        ),
        (
            {
                "query_id": ["q000", "q001"],
                "annotator": ["a", "a"],
                "preference": [1, 1],
                "set_aside": [True, False],
            },
            "some votes of 'a' are set aside",
        ),
        (
            {
                "query_id": ["q000"],
                "annotator": [""],
                "preference": [0],
                "kind": ["automatic"],
                "set_aside": [True],
            },
            "identical lists always count",
        ),
        (
            {"query_id": ["q000"], "annotator": ["a"], "preference": [1], "seconds": [-1.0]},
            "no time that a vote takes",
        ),
    ],
)
def test_a_table_with_one_wrong_row_adds_nothing(
    store: Store, columns: dict[str, list[Any]], said: str
) -> None:
    study = open_study(store, real_tasks(2))
    good = {"query_id": "q001", "annotator": "good", "preference": 1}
    whole = {name: [*values, good.get(name)] for name, values in columns.items()}
    with pytest.raises(InputError, match=said):
        import_votes(store, study.id, votes_table(**whole))
    assert one(store, "SELECT count(*) FROM vote") == 0
    assert people(store) == []


@pytest.mark.parametrize(
    ("preference", "said"), [(1, None), (-1, "voted 1 on this task"), (0, "voted 1 on this task")]
)
def test_a_vote_that_contradicts_one_that_is_there_is_refused(
    store: Store, preference: int, said: str | None
) -> None:
    study = open_study(store, real_tasks(1))
    table = votes_table(query_id=["q000"], annotator=["ann"], preference=[1])
    import_votes(store, study.id, table)
    other = votes_table(query_id=["q000"], annotator=["ann"], preference=[preference])
    if said is None:
        assert import_votes(store, study.id, other).already == 1
    else:
        with pytest.raises(InputError, match=said):
            import_votes(store, study.id, other)


def test_a_task_that_is_on_somebodys_screen_is_not_voted_on_from_a_file(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    task(store, study, annotator(store))
    table = votes_table(query_id=["q000"], annotator=["ann"], preference=[1])
    with pytest.raises(InputError, match="has this task open"):
        import_votes(store, study.id, table)


def test_gold_without_its_answer_makes_no_study(store: Store) -> None:
    study = create_study(store, StudyDesign("one"), [])
    table = votes_table(
        query_id=["q1", "q1"], annotator=["a", "a"], preference=[1, 1], kind=["gold", "real"]
    )
    with pytest.raises(InputError, match="gold_preference is empty"):
        import_votes(store, study.id, table)
    lonely = votes_table(query_id=["q1"], annotator=["a"], preference=[1], kind=["twin"])
    with pytest.raises(InputError, match="original is not there"):
        import_votes(store, study.id, lonely)


def test_closed_studies_and_grade_studies_take_no_votes(store: Store) -> None:
    table = votes_table(query_id=["q000"], annotator=["a"], preference=[1])
    study = open_study(store, real_tasks(1))
    set_state(store, study.id, "closed")
    with pytest.raises(StoreError, match="is closed"):
        import_votes(store, study.id, table)
    grades = open_study(store, real_tasks(1), name="grades", kind="grade")
    with pytest.raises(StoreError, match="collects grades"):
        import_votes(store, grades.id, table)


def test_twelve_problems_are_counted_and_ten_are_shown(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    table = votes_table(query_id=["x"] * 12, annotator=list("abcdefghijkl"), preference=[1] * 12)
    with pytest.raises(InputError) as refused:
        import_votes(store, study.id, table)
    assert (refused.value.total, len(refused.value.problems)) == (12, 10)
    assert refused.value.row == 1
