from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from studying import (
    HALF_HOUR,
    NOW,
    annotator,
    annotators,
    finished,
    gold,
    items,
    one,
    open_study,
    queries,
    real_tasks,
    rows,
    side_of,
    task,
    vote,
    vote_next,
    work,
)

from evalkit.errors import NotAllowed, StoreError
from evalkit.store import (
    Answer,
    Ballot,
    Draft,
    Outcome,
    Served,
    Store,
    TaskDraft,
    add_reasons,
    export_judgments,
    export_page_grades,
    export_votes,
    flag,
    flags,
    mark_shown,
    my_votes,
    next_task,
    progress,
    reopen,
    revoke,
    save_draft,
    set_state,
    skip,
    submit,
    undo,
)
from evalkit.store.ballots import check_ballot


def votes(store: Store) -> int:
    return one(store, "SELECT count(*) FROM vote")


# stored once


def test_a_vote_is_kept_with_everything_about_it(store: Store) -> None:
    study = open_study(store, real_tasks(1), scale=5)
    ann = annotator(store)
    served = task(store, study, ann)
    mark_shown(store, served.assignment_id, ann, now=NOW + 50)
    ballot = Ballot(
        shown=-2,
        items={"q000-old": "good", "q000-new": "bad"},
        reasons=("price", "brand"),
        comment="Größe\x00 fehlt",
        active_ms=4000,
        input_method="key",
        viewport="1366x768",
        app_version="0.1.0",
        guideline_version=2,
    )
    done = submit(store, served.assignment_id, 1, ballot, ann, now=NOW + 5050)
    assert done.status == "stored"
    (row,) = export_votes(store, study.id).to_pylist()
    treatment = {"left": 2, "right": -2}[side_of(served)]
    assert (row["preference"], row["shown"], row["treatment_side"]) == (
        treatment,
        -2,
        side_of(served),
    )
    assert (row["seconds"], row["reasons"], row["comment"]) == (5.0, "price;brand", "Größe fehlt")
    assert (row["active_ms"], row["input_method"], row["viewport"]) == (4000, "key", "1366x768")
    assert (row["app_version"], row["guideline_version"], row["scale"]) == ("0.1.0", 2, 5)
    assert row["submitted_at"].timestamp() * 1000 == NOW + 5050
    assert {j["product_id"]: j["grade"] for j in export_judgments(store, study.id).to_pylist()} == {
        "q000-old": 1,
        "q000-new": 0,
    }


def test_a_second_submission_changes_nothing(store: Store) -> None:
    study = open_study(store, real_tasks(2))
    ann = annotator(store)
    served = task(store, study, ann)
    first = vote(store, served, ann, 1, NOW + 1000)
    again = vote(store, served, ann, -1, NOW + 3000)
    assert again == Outcome("duplicate", None, first.vote_id)
    assert rows(store, "SELECT preference, side FROM vote") == [
        (1 if side_of(served) == "right" else -1, side_of(served))
    ]


def test_both_bad_is_a_same_that_is_told_apart(store: Store) -> None:
    study = open_study(store, real_tasks(2))
    ann = annotator(store)
    vote(store, task(store, study, ann), ann, 0, NOW + 1000, both_bad=True)
    vote(store, task(store, study, ann), ann, None, NOW + 2000, both_bad=True)
    found = export_votes(store, study.id).to_pylist()
    assert [(row["preference"], row["both_bad"]) for row in found] == [(0, True), (0, True)]


def test_a_revision_that_was_never_opened_is_refused(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    served = task(store, study, ann)
    with pytest.raises(StoreError, match=r"Revision 2 .* never opened"):
        submit(store, served.assignment_id, 2, Ballot(1), ann, now=NOW + 1000)
    assert votes(store) == 0


# the minimum dwell


def test_a_vote_sooner_than_the_dwell_is_ignored(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    served = task(store, study, ann)
    mark_shown(store, served.assignment_id, ann, now=NOW + 5000)
    early = submit(store, served.assignment_id, 1, Ballot(1), ann, now=NOW + 5599)
    assert early == Outcome("too_fast")
    assert votes(store) == 0
    assert task(store, study, ann, NOW + 5700).assignment_id == served.assignment_id


def test_the_dwell_counts_from_when_the_task_was_shown(store: Store) -> None:
    study = open_study(store, real_tasks(1), min_dwell_ms=600)
    ann = annotator(store)
    served = task(store, study, ann)
    mark_shown(store, served.assignment_id, ann, now=NOW + 5000)
    done = submit(store, served.assignment_id, 1, Ballot(1), ann, now=NOW + 5600)
    assert done.status == "stored"


def test_a_task_that_was_never_marked_counts_from_its_claim(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    served = task(store, study, ann)
    early = submit(store, served.assignment_id, 1, Ballot(1), ann, now=NOW + 599)
    assert early.status == "too_fast"
    later = submit(store, served.assignment_id, 1, Ballot(1), ann, now=NOW + 1300)
    assert later.status == "stored"


@pytest.mark.parametrize("key", ["vote", "skip"])
def test_a_key_that_is_held_is_one_vote_at_most(store: Store, key: str) -> None:
    study = open_study(store, real_tasks(20))
    ann = annotator(store)
    said = []
    for now in range(NOW, NOW + 10_000, 30):  # ten seconds at the rate of a keyboard
        served = task(store, study, ann, now)
        mark_shown(store, served.assignment_id, ann, now=now)
        if key == "vote":
            done = submit(store, served.assignment_id, 1, Ballot(1), ann, now=now)
        else:
            done = skip(store, served.assignment_id, 1, "", ann, now=now)
        said.append(done.status)
    assert set(said) == {"too_fast"}
    assert votes(store) == 0
    vote(store, task(store, study, ann, NOW + 11_000), ann, 1, NOW + 11_000)
    assert votes(store) == 1


# undo and the history


def test_undo_opens_the_latest_answer_with_what_was_said(store: Store) -> None:
    study = open_study(store, real_tasks(3), scale=5)
    ann = annotator(store)
    vote_next(store, study, ann, NOW)
    second = task(store, study, ann)
    vote(store, second, ann, -2, NOW + 5000, reasons=("price",), comment="x")
    third = task(store, study, ann, NOW + 5000)
    back = undo(store, study.id, ann, now=NOW + 6000)
    assert back is not None
    assert (back.assignment_id, back.revision) == (second.assignment_id, 2)
    assert (back.left, back.right) == (second.left, second.right)
    assert back.previous is not None
    assert (back.previous.shown, back.previous.reasons, back.previous.comment) == (
        -2,
        ("price",),
        "x",
    )
    assert task(store, study, ann, NOW + 6500).assignment_id == second.assignment_id
    assert vote(store, back, ann, 1, NOW + 8000).status == "stored"
    assert task(store, study, ann, NOW + 8000).assignment_id == third.assignment_id


def test_the_latest_revision_counts_and_older_ones_stay(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann = annotator(store)
    served = vote_next(store, study, ann, NOW, shown=1)
    back = undo(store, study.id, ann, now=NOW + 1000)
    assert back is not None
    (before,) = export_votes(store, study.id).to_pylist()
    assert (before["revision"], before["counts"]) == (1, True)  # until the next one is given
    vote(store, back, ann, -1, NOW + 3000)
    sign = 1 if side_of(served) == "right" else -1
    (latest,) = export_votes(store, study.id).to_pylist()
    assert (latest["revision"], latest["preference"], latest["counts"]) == (2, -sign, True)
    every = export_votes(store, study.id, latest_only=False).to_pylist()
    assert [(row["revision"], row["preference"], row["counts"]) for row in every] == [
        (1, sign, False),
        (2, -sign, True),
    ]
    found = progress(store, study.id)
    assert (found.done, found.votes, found.surplus) == (1, 1, 0)


def test_undo_twice_takes_back_one_answer(store: Store) -> None:
    study = open_study(store, real_tasks(4))
    ann = annotator(store)
    for step in range(3):
        last = vote_next(store, study, ann, NOW + step * 3000)
    first = undo(store, study.id, ann, now=NOW + 10_000)
    second = undo(store, study.id, ann, now=NOW + 10_030)
    assert first == second
    assert first is not None
    assert (first.assignment_id, first.revision) == (last.assignment_id, 2)
    assert one(store, "SELECT count(*) FROM assignment WHERE revision > 1") == 1


def test_the_clock_starts_anew_when_an_answer_is_opened_again(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    vote(store, task(store, study, ann), ann, 1, NOW + 1000)
    back = undo(store, study.id, ann, now=NOW + 60_000)
    assert back is not None
    number = back.assignment_id
    assert submit(store, number, 2, Ballot(0), ann, now=NOW + 60_100).status == "too_fast"
    mark_shown(store, number, ann, now=NOW + 61_000)
    assert submit(store, number, 2, Ballot(0), ann, now=NOW + 63_000).status == "stored"
    assert export_votes(store, study.id)["seconds"].to_pylist() == [2.0]


def test_there_is_nothing_to_undo_before_the_first_answer(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann, bob = annotator(store), annotator(store, "bob")
    vote_next(store, study, bob, NOW)
    task(store, study, ann)
    assert undo(store, study.id, ann) is None


def test_undo_of_a_skip_takes_the_place_again(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    served = task(store, study, ann)
    skip(store, served.assignment_id, 1, "unclear", ann, now=NOW + 1000)
    back = undo(store, study.id, ann, now=NOW + 2000)
    assert back is not None
    assert back.previous is None
    assert finished(store, study, bob, NOW + 2000) == "waiting"
    assert vote(store, back, ann, 1, NOW + 4000).status == "stored"
    assert progress(store, study.id).skips == 0


def test_a_vote_that_becomes_a_skip_frees_its_place(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    vote_next(store, study, ann, NOW)
    back = undo(store, study.id, ann, now=NOW + 1000)
    assert back is not None
    skip(store, back.assignment_id, 2, "unclear", ann, now=NOW + 3000)
    assert export_votes(store, study.id).num_rows == 0
    assert export_votes(store, study.id, latest_only=False)["counts"].to_pylist() == [False]
    assert queries([task(store, study, bob, NOW + 3000)]) == ["q000"]


def test_the_history_shows_ones_own_answers_newest_first(store: Store) -> None:
    study = open_study(store, real_tasks(3), scale=5, reasons=("price", "brand"))
    ann, bob = annotator(store), annotator(store, "bob")
    vote_next(store, study, bob, NOW)
    first = task(store, study, ann)
    vote(store, first, ann, 2, NOW + 1000, reasons=("brand",), comment="nice")
    second = task(store, study, ann, NOW + 1000)
    vote(store, second, ann, 0, NOW + 3000, both_bad=True)
    third = task(store, study, ann, NOW + 3000)
    skip(store, third.assignment_id, 1, "unclear", ann, now=NOW + 5000)
    found = my_votes(store, study.id, ann)
    assert [row.words for row in found] == ["Skipped: unclear", "Both bad", "Right much better"]
    assert [row.query for row in found] == [third.query, second.query, first.query]
    assert (found[2].reasons, found[2].comment, found[2].shown) == (("brand",), "nice", 2)
    assert all(row.can_edit for row in found)
    set_state(store, study.id, "closed")
    assert not any(row.can_edit for row in my_votes(store, study.id, ann))


def test_an_older_answer_is_changed_from_the_history(store: Store) -> None:
    study = open_study(store, real_tasks(3))
    ann = annotator(store)
    first = vote_next(store, study, ann, NOW)
    vote_next(store, study, ann, NOW + 3000)
    back = reopen(store, first.assignment_id, ann, now=NOW + 5000)
    assert (back.assignment_id, back.revision) == (first.assignment_id, 2)
    assert reopen(store, first.assignment_id, ann, now=NOW + 5100) == back
    assert vote(store, back, ann, -1, NOW + 7000).status == "stored"
    assert my_votes(store, study.id, ann)[0].words == "Left better"


def test_a_late_vote_that_is_changed_takes_a_place_that_was_freed(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    late = task(store, study, ann)
    again = task(store, study, bob, NOW + HALF_HOUR)
    vote(store, again, bob, 1, NOW + HALF_HOUR + 1000)
    vote(store, late, ann, 1, NOW + HALF_HOUR + 2000)
    assert progress(store, study.id).surplus == 1
    back = undo(store, study.id, bob, now=NOW + HALF_HOUR + 3000)
    assert back is not None
    skip(store, back.assignment_id, 2, "unclear", bob, now=NOW + HALF_HOUR + 5000)
    found = progress(store, study.id)
    assert (found.done, found.votes, found.surplus) == (1, 1, 0)


# closed and paused


def test_a_closed_study_takes_no_vote(store: Store) -> None:
    study = open_study(store, real_tasks(2))
    ann = annotator(store)
    first = vote_next(store, study, ann, NOW)
    served = task(store, study, ann)
    set_state(store, study.id, "closed")
    assert vote(store, served, ann, 1, NOW + 5000) == Outcome("closed")
    assert skip(store, served.assignment_id, 1, "", ann, now=NOW + 5000) == Outcome("closed")
    assert vote(store, first, ann, 1, NOW + 5000).status == "duplicate"
    with pytest.raises(StoreError, match="closed; answers can no longer be changed"):
        undo(store, study.id, ann)
    with pytest.raises(StoreError, match="closed; answers can no longer be changed"):
        reopen(store, first.assignment_id, ann)
    with pytest.raises(StoreError, match="closed"):
        add_reasons(store, one(store, "SELECT id FROM vote"), ["price"], ann)
    assert votes(store) == 1


def test_no_vote_arrives_after_a_study_has_closed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    served = task(store, study, ann)
    looked, go_on = threading.Event(), threading.Event()
    kept = check_ballot

    def slowly(*given: Any) -> None:
        looked.set()
        go_on.wait(20)
        kept(*given)

    # between the look at the study's state and the vote
    monkeypatch.setattr("evalkit.store.voting.check_ballot", slowly)

    def close_and_count() -> int:
        set_state(store, study.id, "closed")
        return export_votes(store, study.id).num_rows

    with ThreadPoolExecutor(2) as pool:
        voting = pool.submit(submit, store, served.assignment_id, 1, Ballot(1), ann, now=NOW + 5000)
        assert looked.wait(20)
        closing = pool.submit(close_and_count)
        wait([closing], timeout=0.5)
        go_on.set()
        assert voting.result(20).status == "stored"
        assert closing.result(20) == 1


def test_a_paused_study_takes_what_was_served(store: Store) -> None:
    study = open_study(store, real_tasks(2))
    ann = annotator(store)
    served = task(store, study, ann)
    set_state(store, study.id, "paused")
    assert vote(store, served, ann, 1, NOW + 5000).status == "stored"
    assert finished(store, study, ann) == "paused"
    back = undo(store, study.id, ann, now=NOW + 6000)
    assert back is not None
    assert vote(store, back, ann, -1, NOW + 8000).status == "stored"


# what fits a task


@pytest.mark.parametrize(
    ("design", "ballot", "said"),
    [
        ({}, Ballot(2), "from -1 to 1"),
        ({"scale": 5}, Ballot(3), "from -2 to 2"),
        ({}, Ballot(None), "from -1 to 1, not None"),
        ({}, Ballot(True), "not True"),
        ({}, Ballot(1, both_bad=True), "goes with 0"),
        ({}, Ballot(1, items={"other": "good"}), "'other' is not in this task"),
        ({}, Ballot(1, items={"q000-old": "great"}), "good or bad"),
        ({}, Ballot(1, pages={"left": "good"}), "grade studies only"),
        ({}, Ballot(1, pages={"middle": "good"}), "left and right"),
        ({"reasons": ("price",)}, Ballot(1, reasons=("colour",)), "it offers: price"),
        ({}, Ballot(1, reasons=("a;b",)), "no reason"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(
    store: Store, design: dict[str, Any], ballot: Ballot, said: str
) -> None:
    study = open_study(store, real_tasks(1), **design)
    ann = annotator(store)
    served = task(store, study, ann)
    with pytest.raises(StoreError, match=said):
        submit(store, served.assignment_id, 1, ballot, ann, now=NOW + 5000)
    assert votes(store) == 0
    assert one(store, "SELECT state FROM assignment") == "open"


# practice


def test_practice_tells_what_was_expected_in_terms_of_the_screen(store: Store) -> None:
    practice = [
        gold("p1", 1, kind="practice", explanation="It is in stock."),
        gold("p2", 0, 1, kind="practice"),
    ]
    study = open_study(store, [*real_tasks(1), *practice])
    ann = annotator(store)
    first = task(store, study, ann)
    side = side_of(first)
    wrong = vote(store, first, ann, -1 if side == "right" else 1, NOW + 1000)
    assert wrong.feedback == f"The expected answer is: {side} is better. It is in stock."
    second = task(store, study, ann, NOW + 1000)
    assert vote(store, second, ann, 0, NOW + 3000).feedback == "Right."
    assert vote(store, task(store, study, ann, NOW + 3000), ann, 1, NOW + 5000).feedback is None


# drafts, flags, reasons


def test_what_was_typed_survives_a_refresh_but_not_the_vote(store: Store) -> None:
    study = open_study(store, real_tasks(2))
    ann = annotator(store)
    served = task(store, study, ann)
    save_draft(store, served.assignment_id, ann, comment="half a sent")
    save_draft(store, served.assignment_id, ann, items={"q000-old": "bad"})
    save_draft(store, served.assignment_id, ann, comment="half a sentence")
    draft = Draft("half a sentence", {"q000-old": "bad"})
    assert task(store, study, ann).draft == draft
    vote(store, served, ann, 1, NOW + 1000)
    back = undo(store, study.id, ann, now=NOW + 2000)
    assert back is not None
    assert back.draft is None
    save_draft(store, served.assignment_id, ann, comment="anew")
    assert task(store, study, ann, NOW + 3000).draft == Draft("anew", {})


def test_a_flag_is_kept_beside_the_vote(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    served = task(store, study, ann)
    flag(store, served.assignment_id, "image missing", "the third one", ann, now=NOW + 7)
    vote(store, served, ann, 1, NOW + 1000)
    (found,) = flags(store, study.id)
    assert (found.query_id, found.annotator, found.reason, found.comment, found.at) == (
        "q000",
        "ann",
        "image missing",
        "the third one",
        NOW + 7,
    )
    assert progress(store, study.id).flags == 1


def test_reasons_are_added_to_a_vote_once(store: Store) -> None:
    study = open_study(store, real_tasks(1), reasons=("price", "brand", "variety"))
    ann = annotator(store)
    done = vote(store, task(store, study, ann), ann, 1, NOW + 1000, reasons=("brand",))
    add_reasons(store, done.vote_id, ["price", "brand"], ann)
    add_reasons(store, done.vote_id, ["price"], ann)
    assert export_votes(store, study.id)["reasons"].to_pylist() == ["brand;price"]
    with pytest.raises(StoreError, match="'colour' is no reason"):
        add_reasons(store, done.vote_id, ["colour"], ann)


def test_nothing_that_a_browser_tells_of_itself_costs_a_vote(store: Store) -> None:
    study = open_study(store, real_tasks(2))
    ann = annotator(store)
    odd = {
        "active_ms": 2**40,
        "viewport": "1\x00\ud800",
        "input_method": "\x00",
        "app_version": "\x00",
    }
    assert vote(store, task(store, study, ann), ann, 1, **odd).status == "stored"
    (found,) = export_votes(store, study.id).to_pylist()
    assert (found["active_ms"], found["viewport"], found["input_method"]) == (2**31 - 1, "1?", "")


# somebody else's


def test_nobody_touches_the_assignment_of_somebody_else(store: Store) -> None:
    study = open_study(store, real_tasks(2))
    ann, bob = annotator(store), annotator(store, "bob", role="admin")
    served = task(store, study, ann)
    number = served.assignment_id
    done = vote(store, served, ann, 1, NOW + 1000)
    open_one = task(store, study, ann).assignment_id
    for attempt in (
        lambda: submit(store, open_one, 1, Ballot(1), bob, now=NOW + 9000),
        lambda: submit(store, 999, 1, Ballot(1), bob, now=NOW + 9000),
        lambda: skip(store, open_one, 1, "x", bob, now=NOW + 9000),
        lambda: flag(store, open_one, "x", "", bob),
        lambda: save_draft(store, open_one, bob, comment="x"),
        lambda: reopen(store, number, bob),
        lambda: add_reasons(store, done.vote_id, ["x"], bob),
    ):
        with pytest.raises(NotAllowed, match="is not yours"):
            attempt()
    assert votes(store) == 1
    assert one(store, "SELECT count(*) FROM flag") == 0
    assert one(store, "SELECT count(*) FROM draft") == 0
    assert my_votes(store, study.id, bob) == []
    assert undo(store, study.id, bob) is None


def test_whose_access_has_ended_cannot_vote(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    served = task(store, study, ann)
    revoke(store, ann.id)
    for attempt in (
        lambda: submit(store, served.assignment_id, 1, Ballot(1), ann, now=NOW + 5000),
        lambda: skip(store, served.assignment_id, 1, "x", ann, now=NOW + 5000),
        lambda: flag(store, served.assignment_id, "x", "", ann),
        lambda: save_draft(store, served.assignment_id, ann, comment="x"),
        lambda: undo(store, study.id, ann),
        lambda: reopen(store, served.assignment_id, ann),
        lambda: next_task(store, study.id, ann),
        lambda: my_votes(store, study.id, ann),
    ):
        with pytest.raises(NotAllowed, match="access has ended"):
            attempt()
    assert votes(store) == 0


# grade studies


def grade_study(store: Store, **design: Any) -> Any:
    return open_study(
        store,
        real_tasks(2),
        kind="grade",
        levels=((0, "Bad"), (1, "Partial"), (2, "Good")),
        control_system="bm25",
        treatment_system="dense",
        **design,
    )


def test_a_grade_study_pools_both_lists_blindly(store: Store) -> None:
    study = grade_study(store)
    served = task(store, study, annotator(store))
    name = queries([served])[0]
    pooled = [item.product_id for item in served.pooled]
    assert sorted(pooled) == sorted(f"{name}-{which}" for which in ("old", "new", "shared"))
    assert [item.rank for item in served.pooled] == [1, 2, 3]
    assert served.levels == ((0, "Bad"), (1, "Partial"), (2, "Good"))
    again = task(store, study, annotator(store, "bob"))
    assert [item.product_id for item in again.pooled] == pooled


def grades(served: Served, **pages: str) -> Ballot:
    marks = {"old": 0, "shared": 1, "new": 2}
    return Ballot(
        items={item.product_id: marks[item.product_id.rsplit("-", 1)[1]] for item in served.pooled},
        pages=pages,
    )


def test_grades_come_out_as_judgments_and_page_grades(store: Store) -> None:
    study = grade_study(store, overlap=2)
    people = annotators(store, 2)
    for person in people:
        served = task(store, study, person)
        mark_shown(store, served.assignment_id, person, now=NOW)
        side = side_of(served)
        other = "left" if side == "right" else "right"
        ballot = grades(served, **{side: "good", other: "bad"})
        assert submit(store, served.assignment_id, 1, ballot, person, now=NOW + 900).status == (
            "stored"
        )
        name = queries([served])[0]
    found = export_judgments(store, study.id).to_pylist()
    assert {(row["product_id"], row["annotator"]): row["grade"] for row in found} == {
        (f"{name}-{which}", person.name): grade
        for which, grade in (("old", 0), ("shared", 1), ("new", 2))
        for person in people
    }
    assert {row["source"] for row in found} == {"human"}
    pages = export_page_grades(store, study.id).to_pylist()
    assert {(row["system"], row["page_grade"]) for row in pages} == {
        ("dense", "good"),
        ("bm25", "bad"),
    }
    assert len(pages) == 4
    assert my_votes(store, study.id, people[0])[0].words == "Graded"
    back = undo(store, study.id, people[0], now=NOW + 2000)
    assert back is not None
    assert back.previous is not None
    assert back.previous.pages[side_of(back)] == "good"
    with pytest.raises(StoreError, match="collects grades"):
        export_votes(store, study.id)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"shown": 1}, "asks for grades"),
        ({"items": {}}, "3 of 3 items have no grade"),
        ({"items": {"q000-old": 7, "q001-old": 7}}, "not in this task|one of 0, 1, 2"),
        ({"pages": {"left": "great"}}, "good, mid and bad"),
    ],
)
def test_grades_that_do_not_fit_are_refused(
    store: Store, change: dict[str, Any], said: str
) -> None:
    study = grade_study(store)
    ann = annotator(store)
    served = task(store, study, ann)
    whole = grades(served)
    fields = {"shown": None, "items": whole.items, "pages": {}, **change}
    with pytest.raises(StoreError, match=said):
        submit(store, served.assignment_id, 1, Ballot(**fields), ann, now=NOW + 900)
    assert votes(store) == 0


def test_practice_in_a_grade_study_looks_at_the_grades(store: Store) -> None:
    practice = TaskDraft(
        "practice",
        "p",
        "query p",
        control=items("p-old"),
        treatment=items("p-new"),
        answer=Answer(grades={"p-new": (2,), "p-old": (0, 1)}, explanation="Look at the size."),
    )
    study = open_study(store, [*real_tasks(1), practice], kind="grade")
    ann = annotator(store)
    served = task(store, study, ann)
    right = Ballot(items={"p-new": 2, "p-old": 1})
    done = submit(store, served.assignment_id, 1, right, ann, now=NOW + 900)
    assert done.feedback == "Right. Look at the size."
    bob = annotator(store, "bob")
    other = task(store, study, bob)
    wrong = Ballot(items={"p-new": 1, "p-old": 1})
    done = submit(store, other.assignment_id, 1, wrong, bob, now=NOW + 900)
    assert done.feedback == "The expected answer is: other grades. Look at the size."


def test_work_ends_when_everything_is_answered(store: Store) -> None:
    study = open_study(store, real_tasks(4), overlap=2)
    for person in annotators(store, 2):
        work(store, study, person)
    found = progress(store, study.id)
    assert (found.complete, found.done, found.free, found.votes) == (4, 8, 0, 8)
