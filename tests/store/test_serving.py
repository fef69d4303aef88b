from __future__ import annotations

import random
from collections import Counter

import pytest
from studying import (
    HALF_HOUR,
    MINUTE,
    NOW,
    annotator,
    annotators,
    finished,
    gold,
    items,
    one,
    open_study,
    queries,
    real,
    real_tasks,
    rows,
    side_of,
    task,
    twin_of,
    vote,
    vote_next,
    work,
)

from evalkit.errors import NotAllowed, StoreError
from evalkit.store import (
    Finished,
    Item,
    Served,
    Store,
    TaskDraft,
    export_votes,
    mark_shown,
    next_task,
    progress,
    revoke,
    save_guideline,
    set_state,
    skip,
)


def counting(store: Store, study_id: int) -> dict[tuple[str, str], bool]:
    """Whether the vote of an annotator on a query counts."""
    table = export_votes(store, study_id)
    return {
        (row["query_id"], row["annotator"]): row["counts"]
        for row in table.to_pylist()
        if row["kind"] == "real"
    }


# what is served


def test_a_person_gets_every_task_once(store: Store) -> None:
    study = open_study(store, real_tasks(8), overlap=2)
    served = work(store, study, annotator(store))
    assert sorted(queries(served)) == [f"q{place:03}" for place in range(8)]
    assert queries(served) != sorted(queries(served))  # in a seeded order


def test_a_task_goes_to_as_many_people_as_the_overlap(store: Store) -> None:
    study = open_study(store, real_tasks(5), overlap=2)
    people = annotators(store, 3)
    assert [len(work(store, study, person)) for person in people] == [5, 5, 0]
    assert finished(store, study, people[2]) == "done"


def test_a_refresh_serves_the_same_task_on_the_same_sides(store: Store) -> None:
    study = open_study(store, real_tasks(5))
    person = annotator(store)
    first = task(store, study, person)
    assert task(store, study, person, NOW + 1000) == first
    assert one(store, "SELECT count(*) FROM assignment") == 1


def test_a_task_is_served_as_it_was_frozen(store: Store) -> None:
    shown = Item(
        "p1", 1, "<b>Näh-Set</b> :red[x] $a$", "Möbel & Co", "12,90 €",
        {"zeta": "1", "alpha": "2"}, "https://a.example/p.png", "https://a.example/p", "long",
    )  # fmt: skip
    draft = TaskDraft("real", "q", "näh-set", "negative", control=(shown,), treatment=items("p2"))
    study = open_study(store, [draft], reasons=("price", "brand"), image_hosts=("a.example",))
    served = task(store, study, annotator(store))
    lists = [served.left, served.right]
    assert (shown,) in lists
    assert items("p2") in lists
    assert list(lists[lists.index((shown,))][0].attributes) == ["zeta", "alpha"]
    assert (served.query, served.query_type, served.scale) == ("näh-set", "negative", 3)
    assert (served.reasons, served.image_hosts) == (("price", "brand"), ("a.example",))
    assert (served.levels, served.pooled) == ((), ())


def test_nothing_that_is_served_names_a_run_or_a_side_or_gold(store: Store) -> None:
    tasks = [*real_tasks(3), gold("g1"), twin_of(0)]
    study = open_study(
        store, tasks, control_system="bm25-v1", treatment_system="dense-v2", overlap=1
    )
    said = repr([task(store, study, annotator(store)), *work(store, study, annotator(store))])
    for word in ("bm25", "dense", "control", "treatment", "gold", "twin", "side"):
        assert word not in said


def test_progress_is_told_with_each_task(store: Store) -> None:
    study = open_study(store, real_tasks(4), overlap=2)
    ann, bob = annotator(store), annotator(store, "bob")
    work(store, study, bob)
    work(store, study, ann, most=1)
    served = task(store, study, ann)
    assert (served.my_done, served.my_left) == (1, 2)
    assert (served.study_done, served.study_total) == (5, 8)


def test_the_guideline_of_the_type_is_named_by_its_version(store: Store) -> None:
    study = open_study(store, [real("q", query_type="negative")])
    ann = annotator(store)
    assert task(store, study, ann).guideline_version == 0
    save_guideline(store, study.id, None, "for all")
    assert task(store, study, ann).guideline_version == 1
    save_guideline(store, study.id, "negative", "first")
    save_guideline(store, study.id, "negative", "second")
    assert task(store, study, ann).guideline_version == 2


def test_identical_lists_are_never_served(store: Store) -> None:
    same = TaskDraft("automatic", "same", "query", control=items("a"), treatment=items("a"))
    study = open_study(store, [real("q1"), same])
    assert queries(work(store, study, annotator(store))) == ["q1"]


# order


def test_practice_comes_first_in_its_own_order(store: Store) -> None:
    practice = [gold("p1", kind="practice"), gold("p2", kind="practice")]
    study = open_study(store, [*real_tasks(3), *practice], overlap=1)
    served = work(store, study, annotator(store))
    assert queries(served)[:2] == ["p1", "p2"]
    assert [one_served.practice for one_served in served] == [True, True, False, False, False]


def test_gold_is_spread_evenly_and_the_same_again(store: Store) -> None:
    tasks = [*real_tasks(40), *(gold(f"g{place}") for place in range(4))]
    study = open_study(store, tasks, overlap=3)
    again = open_study(store, tasks, overlap=3, name="again")
    people = [annotator(store, name) for name in ("ann", "bob")]
    places, orders = {}, {}
    for person in people:
        served = queries(work(store, study, person))
        real_before = [
            sum(not name.startswith("g") for name in served[:place])
            for place, name in enumerate(served)
            if name.startswith("g")
        ]
        places[person.name] = real_before
        orders[person.name] = [name for name in served if name.startswith("g")]
        assert [number // 10 for number in real_before] == [0, 1, 2, 3]
        assert [name for name in queries(work(store, again, person)) if name.startswith("g")] == (
            orders[person.name]
        )
    assert places["ann"] != places["bob"]
    assert sorted(orders["ann"]) == ["g0", "g1", "g2", "g3"]


def test_a_twin_comes_ten_votes_after_its_original_with_sides_exchanged(store: Store) -> None:
    study = open_study(store, [*real_tasks(30), twin_of(4)], overlap=1, seed=1)
    served = work(store, study, annotator(store))
    names = queries(served)
    first, second = (place for place, name in enumerate(names) if name == "q004")
    assert second - first == 11
    assert (served[first].left, served[first].right) == (served[second].right, served[second].left)


def test_a_twin_comes_at_the_end_when_there_is_nothing_else(store: Store) -> None:
    study = open_study(store, [*real_tasks(3), twin_of(1)], overlap=1)
    assert queries(work(store, study, annotator(store)))[3:] == ["q001"]


def test_nobody_gets_the_twin_of_what_they_did_not_vote_on(store: Store) -> None:
    study = open_study(store, [*real_tasks(2), twin_of(0), twin_of(1)], overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    first = vote_next(store, study, ann, NOW)
    second = vote_next(store, study, bob, NOW)
    assert queries(work(store, study, ann)) == queries([first])
    assert queries(work(store, study, bob)) == queries([second])
    assert queries([first]) != queries([second])


def test_the_twin_of_a_skipped_task_is_not_served(store: Store) -> None:
    study = open_study(store, [*real_tasks(1), twin_of(0)], overlap=1)
    ann = annotator(store)
    served = task(store, study, ann)
    skip(store, served.assignment_id, 1, "unclear", ann, now=NOW + 1000)
    assert finished(store, study, ann) == "done"


def test_disagreement_goes_first_under_that_policy(store: Store) -> None:
    study = open_study(store, real_tasks(4), overlap=4, policy="disagreement", scale=5)
    ann, bob, eve = annotators(store, 3)
    disputed = "q002"
    for person in (ann, bob):
        for _ in range(4):
            served = task(store, study, person)
            for_treatment = 2 if person == ann or queries([served]) != [disputed] else -1
            sign = 1 if side_of(served) == "right" else -1
            vote(store, served, person, sign * for_treatment)
    assert queries([task(store, study, eve)]) == [disputed]


def test_votes_against_the_automated_score_go_first_under_uncertain(store: Store) -> None:
    deltas = {"q1": 0.5, "q2": 0.5, "q3": -0.5}
    tasks = [real(name, automated_delta=delta) for name, delta in deltas.items()]
    study = open_study(store, tasks, overlap=3, policy="uncertain")
    ann, bob = annotator(store), annotator(store, "bob")
    for _ in tasks:
        served = task(store, study, ann)
        for_treatment = (
            -1 if queries([served]) == ["q2"] else (1 if deltas[served.query[6:]] > 0 else -1)
        )
        vote(store, served, ann, for_treatment if side_of(served) == "right" else -for_treatment)
    assert queries([task(store, study, bob)]) == ["q2"]


# sides


@pytest.mark.parametrize(("tasks", "overlap"), [(20, 3), (21, 3), (20, 1), (7, 2), (1, 5)])
def test_sides_are_balanced_over_the_study(store: Store, tasks: int, overlap: int) -> None:
    study = open_study(store, real_tasks(tasks), overlap=overlap)
    sides = Counter(side for (side,) in rows(store, "SELECT side FROM slot"))
    assert abs(sides["left"] - sides["right"]) == (tasks * overlap) % 2
    assert sides.total() == tasks * overlap
    assert progress(store, study.id).slots == tasks * overlap


def test_sides_alternate_within_a_task_and_start_at_random(store: Store) -> None:
    open_study(store, real_tasks(40), overlap=3)
    by_task: dict[int, str] = {}
    for row in rows(store, "SELECT task_id, side FROM slot ORDER BY task_id, slot_no"):
        by_task[row.task_id] = by_task.get(row.task_id, "") + row.side[0]
    assert Counter(by_task.values()) == {"lrl": 20, "rlr": 20}
    starts = "".join(sides[0] for sides in by_task.values())
    assert "ll" in starts
    assert "rr" in starts


def test_the_realised_left_share_is_one_half(store: Store) -> None:
    study = open_study(store, real_tasks(20), overlap=2)
    for person in annotators(store, 2):
        sides = Counter(side_of(served) for served in work(store, study, person))
        assert sides["left"] == sides["right"] == 10  # each person sees both equally often
    assert progress(store, study.id).left_share == 0.5


def test_a_person_gets_the_side_they_had_less_often(store: Store) -> None:
    study = open_study(store, real_tasks(40), overlap=3)
    people = annotators(store, 3)
    turns = random.Random(9)
    sides: dict[str, Counter[str]] = {person.name: Counter() for person in people}
    for _ in range(60):  # in no order, so that nobody is first everywhere
        person = turns.choice(people)
        sides[person.name][side_of(vote_next(store, study, person, NOW))] += 1
    assert max(abs(had["left"] - had["right"]) for had in sides.values()) <= 2


# leases


def test_a_leased_place_is_nobody_elses_until_the_lease_ends(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    task(store, study, ann)
    assert finished(store, study, bob, NOW + HALF_HOUR - 1) == "waiting"
    assert queries([task(store, study, bob, NOW + HALF_HOUR)]) == ["q000"]


def test_a_refresh_renews_the_lease(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    task(store, study, ann)
    task(store, study, ann, NOW + 20 * MINUTE)
    assert finished(store, study, bob, NOW + HALF_HOUR) == "waiting"
    assert finished(store, study, bob, NOW + 50 * MINUTE - 1) == "waiting"
    assert isinstance(next_task(store, study.id, bob, now=NOW + 50 * MINUTE), Served)


def test_a_task_whose_place_went_to_somebody_else_stays_on_the_screen(store: Store) -> None:
    study = open_study(store, real_tasks(2), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    first = task(store, study, ann)
    later = NOW + HALF_HOUR
    assert queries([task(store, study, bob, later)]) == queries([first])
    again = task(store, study, ann, later)
    assert (again.assignment_id, again.left) == (first.assignment_id, first.left)


def test_a_late_vote_takes_a_free_place(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    late = task(store, study, ann)
    again = task(store, study, bob, NOW + HALF_HOUR)  # ann's place
    skip(store, again.assignment_id, 1, "unclear", bob, now=NOW + HALF_HOUR + 1000)
    assert progress(store, study.id).free == 1
    assert vote(store, late, ann, 1, NOW + HALF_HOUR + 2000).status == "stored"
    assert counting(store, study.id) == {("q000", "ann"): True}
    assert one(store, "SELECT assignment_id FROM slot WHERE state = 'done'") == late.assignment_id


def test_a_late_vote_without_a_place_counts_until_the_overlap_is_reached(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    late = task(store, study, ann)
    again = task(store, study, bob, NOW + HALF_HOUR)  # ann's place
    assert vote(store, late, ann, 1, NOW + HALF_HOUR + 1000).status == "stored"
    assert counting(store, study.id) == {("q000", "ann"): True}
    assert vote(store, again, bob, 1, NOW + HALF_HOUR + 2000).status == "stored"
    assert counting(store, study.id) == {("q000", "ann"): False, ("q000", "bob"): True}
    found = progress(store, study.id, now=NOW + HALF_HOUR + 2000)
    assert (found.votes, found.surplus, found.done) == (2, 1, 1)


def test_a_claim_gives_the_place_to_a_late_vote_and_goes_on(store: Store) -> None:
    study = open_study(store, real_tasks(2), overlap=1)
    ann, bob, eve = annotators(store, 3)
    late = task(store, study, ann)
    abandoned = task(store, study, bob, NOW + HALF_HOUR)
    assert queries([abandoned]) == queries([late])
    vote(store, late, ann, 1, NOW + HALF_HOUR + 1000)
    # bob's lease has ended as well: eve must not be asked what ann has answered
    assert queries([task(store, study, eve, NOW + 2 * HALF_HOUR)]) != queries([late])
    assert counting(store, study.id) == {(queries([late])[0], ann.name): True}
    assert one(store, "SELECT count(*) FROM slot WHERE state = 'done'") == 1
    # bob's own vote is then the one that is not needed
    vote(store, abandoned, bob, 1, NOW + 2 * HALF_HOUR + 1000)
    assert counting(store, study.id)[queries([late])[0], bob.name] is False


def test_the_place_of_a_skipped_task_goes_to_a_late_vote(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob, eve = annotators(store, 3)
    late = task(store, study, ann)
    again = task(store, study, bob, NOW + HALF_HOUR)
    vote(store, late, ann, 1, NOW + HALF_HOUR + 1000)
    skip(store, again.assignment_id, 1, "unclear", bob, now=NOW + HALF_HOUR + 2000)
    assert progress(store, study.id).done == 1
    assert finished(store, study, eve, NOW + HALF_HOUR + 3000) == "done"


def test_a_skip_frees_the_place_for_others_only(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    served = task(store, study, ann)
    done = skip(store, served.assignment_id, 1, "unclear", ann, now=NOW + 1000)
    assert done.status == "stored"
    assert finished(store, study, ann) == "done"
    assert queries([task(store, study, bob)]) == ["q000"]
    assert progress(store, study.id).skips == 1


# states and refusals


def test_only_an_open_study_serves(store: Store) -> None:
    study = open_study(store, real_tasks(2))
    ann = annotator(store)
    task(store, study, ann)
    set_state(store, study.id, "paused")
    assert finished(store, study, ann) == "paused"
    set_state(store, study.id, "open")
    assert isinstance(next_task(store, study.id, ann, now=NOW), Served)
    set_state(store, study.id, "closed")
    assert next_task(store, study.id, ann, now=NOW) == Finished("closed", 0)


def test_what_is_left_with_others_is_waited_for(store: Store) -> None:
    study = open_study(store, real_tasks(1), overlap=1)
    ann, bob = annotator(store), annotator(store, "bob")
    served = task(store, study, ann)
    assert finished(store, study, bob) == "waiting"
    vote(store, served, ann)
    assert finished(store, study, bob) == "done"
    assert next_task(store, study.id, ann, now=NOW) == Finished("done", 1)


def test_the_first_time_on_the_screen_is_kept(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    served = task(store, study, ann)
    mark_shown(store, served.assignment_id, ann, now=NOW + 5)
    mark_shown(store, served.assignment_id, ann, now=NOW + 900)
    assert one(store, "SELECT shown_at FROM assignment") == NOW + 5


def test_somebody_elses_task_cannot_be_marked(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    served = task(store, study, annotator(store))
    with pytest.raises(NotAllowed, match="is not yours"):
        mark_shown(store, served.assignment_id, annotator(store, "bob"))
    with pytest.raises(NotAllowed, match="is not yours"):
        mark_shown(store, 999, annotator(store, "bob"))


def test_whose_access_has_ended_is_served_nothing(store: Store) -> None:
    study = open_study(store, real_tasks(1))
    ann = annotator(store)
    revoke(store, ann.id)
    with pytest.raises(NotAllowed, match="access has ended"):
        next_task(store, study.id, ann)


def test_a_study_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="no study 7"):
        next_task(store, 7, annotator(store))
