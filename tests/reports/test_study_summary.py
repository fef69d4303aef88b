"""What is said about a study: one dict, worked out by hand on votes given through the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from evalkit.errors import SettingsError, StoreError
from evalkit.reports.study import study_summary
from evalkit.reports.study_table import format_annotators, format_study
from evalkit.reports.terminal import display_width
from evalkit.store import (
    Answer,
    Ballot,
    Item,
    Served,
    Store,
    StudyDesign,
    TaskDraft,
    add_reasons,
    create_study,
    flag,
    invite,
    mark_shown,
    next_task,
    open_store,
    set_aside,
    set_state,
    skip,
    submit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from evalkit.store import Person

START = 1_764_000_000_000
MINUTE = 60_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path}/study.db", create=True) as opened:
        yield opened


def items(*product_ids: str) -> tuple[Item, ...]:
    return tuple(
        Item(product, rank, f"Title {product}") for rank, product in enumerate(product_ids, 1)
    )


def drafts(queries: int, *, automatic: int = 0, gold: int = 0) -> list[TaskDraft]:
    made = [
        TaskDraft(
            "real",
            f"q{n}",
            f"words {n}",
            "negative" if n % 2 else "knowledge",
            {"query_type": "negative" if n % 2 else "knowledge"},
            items(f"c{n}"),
            items(f"t{n}"),
        )
        for n in range(queries)
    ]
    made += [
        TaskDraft("automatic", f"a{n}", f"same {n}", "knowledge", {"query_type": "knowledge"},
                  items("s"), items("s"))
        for n in range(automatic)
    ]  # fmt: skip
    made += [
        TaskDraft("gold", f"g{n}", f"known {n}", None, {}, items(f"c_g{n}"), items(f"t_g{n}"),
                  Answer((1,)))
        for n in range(gold)
    ]  # fmt: skip
    return made


@pytest.fixture
def made(store: Store) -> Callable[..., int]:
    """An open study of some tasks; its number."""

    def make(tasks: list[TaskDraft], **design: Any) -> int:
        settings: dict[str, Any] = {"overlap": 2, "segments": ("query_type",)} | design
        study = create_study(store, StudyDesign("shoes", **settings), tasks)
        set_state(store, study.id, "open")
        return study.id

    return make


def on_left(served: Served) -> bool:
    return served.left[0].product_id.startswith("t")


def answer(served: Served, preference: int, **more: Any) -> Ballot:
    return Ballot(shown=-preference if on_left(served) else preference, **more)


def give(
    store: Store,
    study_id: int,
    person: Person,
    preference: int | Callable[[Served], int],
    *,
    limit: int = 1000,
    start: int = START,
    **more: Any,
) -> int:
    """Vote on everything that is served, one vote a minute after ten seconds of looking."""
    now = start
    for given in range(limit):
        served = next_task(store, study_id, person, now=now)
        if not isinstance(served, Served):
            return given
        wanted = preference if isinstance(preference, int) else preference(served)
        mark_shown(store, served.assignment_id, person, now=now)
        done = submit(
            store,
            served.assignment_id,
            served.revision,
            answer(served, wanted, **more),
            person,
            now=now + 10_000,
        )
        assert done.status == "stored"
        now += MINUTE
    return limit


def test_an_empty_study_has_no_figures_and_no_trouble(store: Store, made: Any) -> None:
    summary = study_summary(store, made(drafts(3)))
    assert summary["gsb"] is None
    assert summary["sequential"]["available"] is False
    assert (summary["progress"]["done"], summary["progress"]["slots"]) == (0, 6)
    assert summary["annotators"] == []
    json.dumps(summary, allow_nan=False)
    assert "Study shoes (open)" in format_study(summary)
    assert format_annotators(summary) == "Nobody has voted yet.\n"


def test_a_study_of_identical_lists_only_is_all_the_same(store: Store) -> None:
    study = create_study(store, StudyDesign("shoes"), drafts(0, automatic=4))
    summary = study_summary(store, study.id)
    overall = summary["gsb"]["overall"]
    assert (overall["same"], overall["gsb"], overall["automatic"]) == (4, 0, 4)
    assert format_study(summary)
    # a model of annotators needs a vote, the state of a study does not
    modelled = study_summary(store, study.id, aggregate="dawid_skene")
    assert modelled["gsb"]["overall"]["same"] == 4


def test_figures_are_those_of_the_votes(store: Store, made: Any) -> None:
    study = made(drafts(8, automatic=2))
    ann, bob = invite(store, "ann")[0], invite(store, "bob")[0]
    # ann prefers the treatment on every query, bob on negative ones only
    give(store, study, ann, 1)
    give(store, study, bob, lambda served: 1 if served.query_type == "negative" else -1)
    summary = study_summary(store, study)
    overall = summary["gsb"]["overall"]
    # negative: 4 Good; knowledge: 4 split (Same), and 2 identical ones
    assert (overall["good"], overall["same"], overall["bad"]) == (4, 6, 0)
    assert overall["gsb"] == pytest.approx(0.4)
    assert overall["gsb_without_automatic"] == pytest.approx(0.5)
    by = {row["segment"]["query_type"]: row["gsb"] for row in summary["gsb"]["segments"]}
    assert by == {"knowledge": 0, "negative": 1}
    assert summary["agreement"]["percent"] == pytest.approx(0.5)
    sequence = summary["sequential"]
    assert (sequence["wins"], sequence["losses"]) == (4, 0)
    assert sequence["queries"] - sequence["automatic"] == 8
    assert len(sequence["path"]["e_value"]) == sequence["queries"]
    assert summary["stopping"]["queries_to_come"] == 0
    json.dumps(summary, allow_nan=False)


def test_a_query_enters_the_sequence_when_it_has_all_its_votes(store: Store, made: Any) -> None:
    study = made(drafts(6))
    give(store, study, invite(store, "ann")[0], 1)
    summary = study_summary(store, study)
    assert summary["gsb"]["overall"]["good"] == 6
    assert (summary["sequential"]["queries"], summary["sequential"]["incomplete"]) == (0, 6)
    assert summary["stopping"]["queries_to_come"] == 6
    give(store, study, invite(store, "bob")[0], 1)
    assert study_summary(store, study)["sequential"]["queries"] == 6


def test_segments_can_be_left_out_or_refused(store: Store, made: Any) -> None:
    study = made(drafts(2))
    give(store, study, invite(store, "ann")[0], 1)
    assert study_summary(store, study, by=[])["gsb"]["segments"] == []
    with pytest.raises(SettingsError, match=r"--by locale: .* it has: query_type\."):
        study_summary(store, study, by=["locale"])


def test_pace_and_time_left(store: Store, made: Any) -> None:
    study = made(drafts(30), overlap=1)
    give(store, study, invite(store, "ann")[0], 1, limit=20)
    now = study_summary(store, study, now=START + 20 * MINUTE)["progress"]
    assert now["votes_per_hour"] is not None
    assert now["hours_left"] == pytest.approx(10 / now["votes_per_hour"])
    assert (now["annotators"], now["active"]) == (1, 1)


def test_quality_tells_gold_reasons_skips_and_flags(store: Store, made: Any) -> None:
    study = made(drafts(6, gold=2), overlap=1)
    ann = invite(store, "ann")[0]
    first = next_task(store, study, ann, now=START)
    assert isinstance(first, Served)
    flag(store, first.assignment_id, "broken image", "", ann, now=START)
    skip(store, first.assignment_id, first.revision, "no opinion", ann, now=START + 5000)
    give(store, study, ann, 1, start=START + MINUTE, reasons=("price", "brand"))
    summary = study_summary(store, study)
    quality = summary["quality"]
    assert (quality["skips"], quality["flags"]) == (1, 1)
    assert quality["reasons"]["price"] == quality["reasons"]["brand"] > 0
    (row,) = summary["annotators"]
    assert row["gold_accuracy"] == 1
    assert quality["left_out"].get("gold", 0) == row["gold_answered"] > 0


def test_votes_set_aside_are_named(store: Store, made: Any) -> None:
    study = made(drafts(4))
    ann, bob = invite(store, "ann")[0], invite(store, "bob")[0]
    give(store, study, ann, 1)
    give(store, study, bob, -1)
    assert study_summary(store, study)["gsb"]["overall"]["gsb"] == 0
    set_aside(store, study, bob.id, "only left")
    summary = study_summary(store, study)
    assert summary["gsb"]["overall"]["gsb"] == 1
    assert summary["quality"]["left_out"] == {"set_aside": 4}
    assert [each["reason"] for each in summary["quality"]["set_aside"]] == ["only left"]
    assert {row["annotator"]: row["set_aside_reason"] for row in summary["annotators"]} == {
        "ann": None,
        "bob": "only left",
    }
    assert "set aside: only left" in format_annotators(summary)


def test_only_set_aside_votes_leave_no_figure(store: Store, made: Any) -> None:
    study = made(drafts(4))
    ann = invite(store, "ann")[0]
    give(store, study, ann, 1)
    set_aside(store, study, ann.id, "a test")
    summary = study_summary(store, study)
    assert summary["gsb"] is None
    assert summary["quality"]["left_out"] == {"set_aside": 4}
    assert "Set aside: ann (a test)." in format_study(summary)


@pytest.mark.parametrize("policy", ["disagreement", "uncertain"])
def test_interim_figures_of_other_policies_say_so(store: Store, made: Any, policy: str) -> None:
    study = made(drafts(4), policy=policy)
    ann, bob = invite(store, "ann")[0], invite(store, "bob")[0]
    give(store, study, ann, 1)
    summary = study_summary(store, study)
    assert summary["sequential"]["available"] is False
    assert policy in summary["sequential"]["reason"]
    assert any("not at random" in text for text in summary["warnings"])
    give(store, study, bob, 1)
    # at the end, the order no longer matters
    assert not any("not at random" in text for text in study_summary(store, study)["warnings"])


def test_the_studys_own_rules_of_stopping_hold(store: Store, made: Any) -> None:
    study = made(drafts(40), overlap=1, stop_when_decided=True)
    give(store, study, invite(store, "ann")[0], 1)
    stopping = study_summary(store, study)["stopping"]
    assert (stopping["may_stop"], stopping["reasons"]) == (True, ["the win rate is decided"])
    assert study_summary(store, study, stop_when_decided=False)["stopping"]["may_stop"] is False


def test_a_grade_study_tells_grades_instead_of_gsb(store: Store, made: Any) -> None:
    study = made(drafts(3), kind="grade", levels=((0, "No"), (1, "Yes")))
    ann, bob = invite(store, "ann")[0], invite(store, "bob")[0]
    for person in (ann, bob):
        while isinstance(served := next_task(store, study, person, now=START), Served):
            mark_shown(store, served.assignment_id, person, now=START)
            grades = {item.product_id: int(item.product_id[0] == "t") for item in served.pooled}
            ballot = Ballot(items=grades, pages={"left": "good", "right": "mid"})
            submit(store, served.assignment_id, served.revision, ballot, person, now=START + 9000)
    summary = study_summary(store, study)
    assert summary["gsb"] is None
    assert summary["grades"]["items"] == [
        {"grade": 0, "word": "No", "number": 6},
        {"grade": 1, "word": "Yes", "number": 6},
    ]
    pages = summary["grades"]["pages"]
    assert sum(row["good"] for row in pages) == sum(row["mid"] for row in pages) == 6
    assert summary["grades"]["agreement"]["alpha_nominal"] == 1
    json.dumps(summary, allow_nan=False)
    text = format_study(summary)
    assert "No 6, Yes 6" in text
    assert "GSB" not in text


def test_graders_are_compared_with_gold_and_with_each_other(store: Store, made: Any) -> None:
    tasks = drafts(3)
    known = Answer((), {"c_g": (0,), "t_g": (2,)})
    tasks.append(TaskDraft("gold", "g", "known", None, {}, items("c_g"), items("t_g"), known))
    study = made(tasks, kind="grade")
    # ann is right; bob gives 2 to everything
    for name, grade in (("ann", {"c": 0, "t": 2}), ("bob", {"c": 2, "t": 2})):
        person = invite(store, name)[0]
        while isinstance(served := next_task(store, study, person, now=START), Served):
            mark_shown(store, served.assignment_id, person, now=START)
            grades = {item.product_id: grade[item.product_id[0]] for item in served.pooled}
            ballot = Ballot(items=grades, pages={"left": "mid", "right": "mid"})
            submit(store, served.assignment_id, served.revision, ballot, person, now=START + 9000)
    summary = study_summary(store, study)
    rows = {row["annotator"]: row for row in summary["annotators"]}
    assert (rows["ann"]["gold_accuracy"], rows["bob"]["gold_accuracy"]) == (1, 0.5)
    assert (rows["ann"]["votes"], rows["ann"]["gold_answered"]) == (3, 2)
    # three queries: same grade for `t`, another one for `c`
    assert (rows["ann"]["compared"], rows["ann"]["agreement"]) == (6, 0.5)
    assert "50.0% (2)" in format_annotators(summary)


def test_an_annotator_may_not_read_results(store: Store, made: Any) -> None:
    study = made(drafts(2))
    ann = invite(store, "ann")[0]
    with pytest.raises(StoreError):
        study_summary(store, study, actor=ann)
    ben = invite(store, "ben", role="analyst")[0]
    assert study_summary(store, study, actor=ben)["study"]["name"] == "shoes"


def test_a_study_that_is_not_there_is_told(store: Store, made: Any) -> None:
    with pytest.raises(StoreError, match="no study"):
        study_summary(store, 99)


def test_the_table_fits_a_narrow_terminal_and_marks_nothing_by_colour_alone(
    store: Store, made: Any
) -> None:
    study = made(drafts(6, automatic=1))
    for name in ("ann", "bob"):
        give(store, study, invite(store, name)[0], 1)
    summary = study_summary(store, study)
    narrow = format_study(summary, width=70)
    assert max(display_width(line) for line in narrow.splitlines()) <= 70
    plain = format_study(summary)
    coloured = format_study(summary, color=True)
    assert "\x1b[" in coloured
    import re

    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_names_cannot_repaint_the_screen(store: Store) -> None:
    study = create_study(store, StudyDesign("shoes", control_system="x\x1b[2J"), drafts(2))
    assert "\x1b" not in format_study(study_summary(store, study.id))


def test_later_reasons_count_too(store: Store, made: Any) -> None:
    study = made(drafts(2), overlap=1)
    ann = invite(store, "ann")[0]
    served = next_task(store, study, ann, now=START)
    assert isinstance(served, Served)
    mark_shown(store, served.assignment_id, ann, now=START)
    done = submit(
        store, served.assignment_id, served.revision, answer(served, 1), ann, now=START + 9000
    )
    assert done.vote_id is not None
    add_reasons(store, done.vote_id, ["variety"], ann, now=START + 10_000)
    assert study_summary(store, study)["quality"]["reasons"] == {"variety": 1}
