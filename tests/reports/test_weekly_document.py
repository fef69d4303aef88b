"""What the weekly report is made of: which records it takes, and what it says of those missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from weekly_records import (
    DAY,
    MONDAY,
    WEEK,
    calibration,
    check,
    correlation,
    full_history,
    keep,
    score,
    study,
)

from evalkit.errors import SettingsError, StoreError
from evalkit.reports.weekly.document import weekly_document
from evalkit.reports.weekly.history import every_week
from evalkit.reports.weekly.people import said, votes_of
from evalkit.store import StudyDesign, create_study, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalkit.store import Store

W46, W47, W48 = "2026-W46", "2026-W47", "2026-W48"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path}/weekly.db", create=True) as opened:
        yield opened


def keep_score(store: Store, week: str = W47, seed: int = 7, **more: Any) -> dict[str, Any]:
    """Record a score; what is kept of it."""
    at = more.pop("at", MONDAY)
    options = {key: more.pop(key) for key in ("name", "query_set") if key in more}
    document, values = score(seed, **more)
    keep(store, "score", week, document, values=values, at=at, **options)
    return document


def missing(document: dict[str, Any]) -> dict[str, str]:
    return {each["about"]: each["command"] for each in document["missing"]}


# which score


def test_nothing_but_a_score_gives_a_report_that_names_what_is_missing(store):
    kept = keep_score(store)
    document = weekly_document(store, W47)
    assert document["verdict"]["people"] == document["verdict"]["labels"] == "none"
    assert document["since"] is None
    assert document["trends"] == document["people"] == document["drift"] == []
    assert document["score"]["results"] == kept["results"]
    assert missing(document).keys() == {"people", "labels", "agreement", "drift"}
    for about, command in missing(document).items():
        assert command.startswith("evalkit "), about
        assert f"--week {W47}" in command, about


def test_without_a_score_the_recorded_weeks_and_a_command_are_named(store):
    keep_score(store, W46)
    keep_score(store, W48)
    with pytest.raises(StoreError) as raised:
        weekly_document(store, W47)
    message = str(raised.value)
    assert message.startswith(
        "No score is recorded for 2026-W47 (weekly); there are: 2026-W46, 2026"
    )
    assert "evalkit score --control C --treatment T" in message
    assert "--record --week 2026-W47" in message
    assert "\n" not in message


def test_without_a_score_of_that_name_the_names_are_named(store):
    keep_score(store, name="mobile")
    with pytest.raises(StoreError, match="there are the names mobile"):
        weekly_document(store, W47)
    with pytest.raises(StoreError, match=r"mobile\); there are: 2026-W47.*--name mobile"):
        weekly_document(store, W46, "mobile")


def test_an_empty_database_says_so(store):
    with pytest.raises(StoreError, match="nothing is recorded yet"):
        weekly_document(store, W47)


def test_a_week_that_does_not_exist_is_refused(store):
    with pytest.raises(StoreError, match="no week 2026-W54"):
        weekly_document(store, "2026-W54")


def test_single_runs_are_refused_with_a_remedy(store):
    rows = [{"system": "a", "measure": "mrr", "cutoff": None, "segment": {}, "value": 0.5}]
    keep_score(store, results=rows)
    with pytest.raises(SettingsError, match=r"single runs.*--control and --treatment"):
        weekly_document(store, W47)


def test_the_latest_score_of_a_week_counts_and_the_earlier_is_told(store):
    keep_score(store, seed=1)
    kept = keep_score(store, seed=2, at=MONDAY + DAY)
    document = weekly_document(store, W47)
    assert document["score"]["results"] == kept["results"]
    assert document["recorded"] == {"at": "2026-11-17 08:00 UTC", "by": None, "earlier": 1}
    assert (
        "The score of this week replaces an earlier score of the same week."
        in (document["read_first"])
    )


def test_later_weeks_are_not_looked_at(store):
    keep_score(store)
    before = weekly_document(store, W47)
    keep_score(store, W48, seed=9)
    keep(store, "study", W48, study())
    keep(store, "correlation", W48, correlation())
    keep(store, "judge", W48, check([W47, W48], [0.9, 0.7], [W48]))
    assert weekly_document(store, W47) == before


def test_the_same_database_gives_the_same_document(store):
    full_history(store)
    first, second = (json.dumps(weekly_document(store, W47)) for _ in range(2))
    assert first == second


def test_title_dates_and_systems(store):
    keep_score(store)
    document = weekly_document(store, W47)
    assert document["title"] == "Week 2026-W47: dense against lexical"
    assert document["dates"] == "16 to 22 November 2026"
    assert weekly_document(store, W47, title="For the board")["title"] == "For the board"


# figures


def test_primary_measures_come_first_and_alone_stand_in_segments(store):
    keep_score(store)
    figures = weekly_document(store, W47)["figures"]
    labels = [row["label"] for row in figures["overall"]]
    assert labels == ["Item Goodrate@10", "Query Goodrate@10", "GSB@10", "nDCG@10", "MRR"]
    assert [block["title"] for block in figures["segments"]] == ["By query_type", "By language"]
    assert [group["label"] for group in figures["segments"][0]["groups"]] == labels[:2]


def test_agreement_stands_beside_the_figure_it_was_measured_for(store):
    keep_score(store)
    keep(store, "correlation", W46, correlation())
    figures = weekly_document(store, W47)["figures"]
    found = {row["label"]: row["agreement"] for row in figures["overall"]}
    assert (found["Item Goodrate@10"]["kendall"], found["Item Goodrate@10"]["week"]) == (0.42, W46)
    assert found["GSB@10"] is None
    items = figures["segments"][0]["groups"][0]["rows"]
    assert {row["where"]: row["agreement"] and row["agreement"]["kendall"] for row in items} == {
        "knowledge": 0.35,
        "negative constraint": None,
        "affordable alternative": None,
        "general": None,
    }


def test_agreement_of_another_judge_is_warned_of(store):
    keep_score(store)
    keep(store, "correlation", W46, correlation(), judge="llm")
    document = weekly_document(store, W47)
    assert document["agreement"]["same_judge"] is False
    assert any("with another judge" in text for text in document["read_first"])
    keep(store, "correlation", W46, correlation(draws=2))
    assert weekly_document(store, W47)["agreement"]["same_judge"] is True


@pytest.mark.parametrize(
    ("control", "treatment", "week", "checked"),
    [
        ("a", "b", W46, False),
        ("lexical", "dense v0", W46, False),
        ("dense", "lexical", W46, True),
        ("lexical", "dense", W46, True),
        ("a", "b", "2026-W45", True),
    ],
)
def test_agreement_on_other_systems_is_not_that_of_the_score(
    store, control, treatment, week, checked
):
    keep_score(store)
    said = study("pages")
    said["study"] |= {"control": control, "treatment": treatment}
    keep(store, "study", week, said)
    keep(store, "correlation", W46, correlation())
    document = weekly_document(store, W47)
    shown = [row["agreement"] for row in document["figures"]["overall"]]
    shown += [card["row"]["agreement"] for card in document["cards"] if card["kind"] == "measure"]
    assert any(shown) is checked
    reason = (
        f"Agreement with people was measured in 2026-W46 on {control} → {treatment} (study pages),"
        " the score is of lexical → dense: beside its figures stands that this is not checked."
    )
    assert (reason in document["notes"]) is not checked
    assert document["agreement"]["week"] == W46


def test_agreement_stays_where_the_score_does_not_name_its_systems(store):
    document, values = score()
    del document["systems"]
    keep(store, "score", W47, document, values=values)
    keep(store, "study", W46, study("pages"))
    keep(store, "correlation", W46, correlation())
    assert weekly_document(store, W47)["figures"]["overall"][0]["agreement"] is not None


# people


@pytest.mark.parametrize(
    ("more", "basis"),
    [
        ({}, "final"),
        ({"complete": 50}, "anytime"),
        ({"complete": 50, "policy": "disagreement"}, "interim"),
        ({"policy": "disagreement"}, "final"),
    ],
)
def test_only_a_complete_study_speaks_by_its_fixed_figures(more, basis):
    document = study(**more)
    found = votes_of(document)
    assert found["basis"] == basis
    sequence = document["sequential"]
    expected = {
        "final": (document["gsb"]["overall"]["ci_low"], document["gsb"]["overall"]["p"]),
        "anytime": (sequence.get("gsb_low"), None),
        "interim": (None, None),
    }[basis]
    assert (found["low"], found["p"]) == expected


def test_a_study_of_the_week_enters_verdict_card_and_trend(store):
    keep_score(store)
    keep(store, "study", W47, study(lean=0.6))
    document = weekly_document(store, W47)
    assert document["verdict"]["people"] == "better"
    card = next(card for card in document["cards"] if card["kind"] == "people")
    assert card["votes"]["gsb"] == document["people"][0]["gsb"]["overall"]["gsb"]
    assert "people" not in missing(document)


def test_a_study_of_another_week_does_not_speak_for_this_one(store):
    keep_score(store)
    keep(store, "study", W46, study())
    document = weekly_document(store, W47)
    assert document["people"] == []
    assert document["verdict"]["people"] == "none"


def test_two_studies_of_a_week_are_both_told_and_that_of_the_scored_systems_decides(store):
    keep_score(store)
    keep(store, "study", W47, study("pages"))
    other = study("other", lean=-0.6)
    other["study"] |= {"control": "a", "treatment": "b"}
    keep(store, "study", W47, other)
    document = weekly_document(store, W47)
    assert [each["study"]["name"] for each in document["people"]] == ["pages", "other"]
    said = (
        "The study other compares a → b, the score lexical → dense: the verdict does not hear it."
    )
    assert said in document["read_first"]
    assert "other" not in document["verdict"]["sentence"]
    chosen = weekly_document(store, W47, studies=["other"])
    assert [each["study"]["name"] for each in chosen["people"]] == ["other"]
    assert chosen["verdict"]["people"] == "none"
    assert said in chosen["read_first"]
    assert "evalkit study create" in missing(chosen)["people"]


def test_a_study_of_swapped_systems_is_not_heard(store):
    keep_score(store)
    swapped = study(lean=-0.6)
    swapped["study"] |= {"control": "dense", "treatment": "lexical"}
    keep(store, "study", W47, swapped)
    document = weekly_document(store, W47)
    assert document["verdict"]["people"] == "none"
    assert any("pages compares dense → lexical" in text for text in document["read_first"])
    card = next(card for card in document["cards"] if card["kind"] == "people")
    assert card["votes"] is None
    assert [each["study"]["name"] for each in document["people"]] == ["pages"]


def test_studies_of_one_change_that_disagree_are_both_in_the_verdict(store):
    keep_score(store)
    keep(store, "study", W47, study("first", lean=-0.6))
    keep(store, "study", W47, study("second", lean=0.6))
    document = weekly_document(store, W47)
    verdict = document["verdict"]
    assert (verdict["case"], verdict["people"]) == ("contradiction", "mixed")
    assert "first (GSB −" in verdict["sentence"]
    assert "second (GSB +" in verdict["sentence"]
    chosen = weekly_document(store, W47, studies=["second"])
    assert chosen["verdict"]["people"] == "better"
    assert (
        "The study first of the same systems is recorded for this week as well; this report was"
        " not asked for it." in chosen["read_first"]
    )


def test_the_study_that_decides_is_the_one_beside_last_week_and_in_the_trend(store):
    keep_score(store, W46, seed=1)
    keep_score(store)
    other = study("other", lean=-0.6)
    other["study"] |= {"control": "a", "treatment": "b"}
    for week in (W46, W47):
        keep(store, "study", week, study("pages"))
        keep(store, "study", week, other)
    document = weekly_document(store, W47)
    assert [point["study"] for point in document["votes_trend"]["points"]] == ["pages", "pages"]
    assert document["since"]["people"]["now"]["study"] == "pages"
    keep(store, "study", W47, study("again", lean=0.4))
    chosen = weekly_document(store, W47, studies=["other", "pages"])
    assert chosen["since"]["people"]["now"]["study"] == "pages"
    chosen = weekly_document(store, W47, studies=["again"])
    assert [point["study"] for point in chosen["votes_trend"]["points"]] == ["pages", "again"]
    assert weekly_document(store, W47, studies=["other"])["votes_trend"] is None


def test_a_study_without_votes_does_not_speak_where_another_has_some(store):
    keep_score(store)
    keep(store, "study", W47, study("pages"))
    keep(store, "study", W47, study("silent", gsb=None))
    document = weekly_document(store, W47)
    assert document["people"][0]["study"]["name"] == "pages"


def test_a_study_recorded_again_counts_once(store):
    keep_score(store)
    keep(store, "study", W47, study(complete=40))
    keep(store, "study", W47, study())
    (told,) = weekly_document(store, W47)["people"]
    assert told["votes"]["basis"] == "final"


def test_a_study_that_is_not_recorded_is_reported_as_it_stands_and_said_so(store):
    keep_score(store)
    create_study(store, StudyDesign("fresh"), [])
    document = weekly_document(store, W47, studies=["fresh"])
    (told,) = document["people"]
    assert (told["week"], told["votes"]) == (None, None)
    assert document["verdict"]["people"] == "none"
    assert missing(document)["record"] == "evalkit study record fresh --week 2026-W47"
    assert any("fresh is not recorded" in text for text in document["read_first"])


def test_a_study_that_does_not_exist_is_an_error(store):
    keep_score(store)
    with pytest.raises(StoreError, match="nobody"):
        weekly_document(store, W47, studies=["nobody"])


def test_the_command_for_votes_names_a_study_that_is_there(store):
    keep_score(store)
    create_study(store, StudyDesign("autumn shoes"), [])
    command = missing(weekly_document(store, W47))["people"]
    assert command == "evalkit study record 'autumn shoes' --week 2026-W47"


def test_annotators_stand_in_the_report_without_their_names(store):
    keep_score(store)
    keep(store, "study", W47, study())
    document = weekly_document(store, W47)
    assert "Person" not in json.dumps(document)
    (told,) = document["people"]
    assert [row["annotator"] for row in told["annotators"]][:2] == ["annotator 1", "annotator 2"]
    assert told["set_aside"] == {"votes": 12, "people": 1, "reasons": ["gold below 60%"]}
    assert told["gold"] == {"answered": 60, "accuracy": (5 * 9 + 5) / 60, "lowest": 0.5}


def test_what_a_study_still_needs():
    running = study(complete=50)
    running["stopping"] |= {
        "queries_to_decision": 30, "votes_to_decision": 90, "queries_to_width": None,
    }  # fmt: skip
    assert said(running, week=W47)["needs"] == [
        "Missing: 180 votes on 60 queries (45.5% of the votes are in).",
        "About 90 votes on 30 queries to a decision on the win rate, if later queries are like"
        " those so far.",
        "When there will be GSB within 20 points cannot be foreseen from the votes so far.",
    ]
    running["stopping"] |= {"may_stop": True, "reasons": ["the win rate is decided"]}
    assert said(running, week=W47)["needs"][1] == "It may stop now: the win rate is decided."
    running["study"]["state"] = "closed"
    assert said(running, week=W47)["needs"] == ["Closed without 180 votes on 60 queries."]
    assert said(study(), week=W47)["needs"] == ["Every query has all its votes."]


# labels and drift


def test_a_calibration_of_the_week_enters_verdict_and_card(store):
    keep_score(store)
    keep(store, "calibration", W47, calibration())
    document = weekly_document(store, W47)
    assert document["verdict"]["labels"] == "better"
    card = next(card for card in document["cards"] if card["kind"] == "labels")
    assert [row["estimate"] for row in card["rows"]] == [0.061, 0.05]


def test_a_calibration_of_an_earlier_week_corrects_nothing_and_is_named(store):
    keep_score(store)
    keep(store, "calibration", W46, calibration())
    document = weekly_document(store, W47)
    assert document["calibration"] is None
    assert document["verdict"]["labels"] == "none"
    assert next(card for card in document["cards"] if card["kind"] == "labels")["earlier"] == W46
    assert "(the latest is of 2026-W46)" in json.dumps(document["missing"])


def swapped() -> dict[str, Any]:
    return {"systems": {"control": "dense", "treatment": "lexical"}}


def other_runs() -> dict[str, Any]:
    inputs = calibration()["inputs"]
    inputs[0]["fingerprint"] = "sha256:" + "ee" * 32
    return {"inputs": inputs}


def other_judge(**more: Any) -> dict[str, Any]:
    return {"judge": calibration()["judge"] | more}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (swapped(), "the calibration is of dense → lexical, the score of lexical → dense"),
        ({"systems": None}, "the calibration does not say of which systems it is"),
        (other_runs(), "the calibration is of other run files than the score"),
        ({"inputs": []}, "the calibration is of other run files than the score"),
        (
            {"settings": calibration()["settings"] | {"good": 3}},
            "from the score to the calibration settings changed: good 1 → 3",
        ),
        (
            other_judge(name="llm"),
            "from the score to the calibration the judge changed: classifier v1 → llm",
        ),
        (
            other_judge(source="llm"),
            "from the score to the calibration the source of the judgments changed:"
            " classifier → llm",
        ),
        (
            other_judge(judgments="sha256:" + "dd" * 32),
            "the calibration is of other judgments than the score",
        ),
        (
            {"query_set": {"size": 120, "fingerprint": "sha256:" + "ff" * 32}},
            "from the score to the calibration the query set changed: 160 → 120 queries",
        ),
    ],
)
def test_a_calibration_of_anything_but_the_score_decides_nothing_and_says_why(store, more, why):
    keep_score(store)
    kept = calibration(item=(-0.061, -0.104, -0.018), **more)
    query_set = (kept["query_set"] or {})["fingerprint"]
    keep(store, "calibration", W47, kept, query_set=query_set)
    document = weekly_document(store, W47)
    assert document["verdict"]["labels"] == "none"
    assert document["verdict"]["case"] != "contradiction"
    assert f"The human labels decide nothing: {why}." in document["read_first"]
    assert not any(row["decides"] for row in document["calibration"]["rows"])
    assert document["calibration"]["deltas"][0]["estimate"] == -0.061
    said = [each for each in document["verdict"]["evidence"] if each["about"] == "labels"]
    assert f"it decides nothing: {why}." in said[0]["text"]


def test_labels_that_speak_of_these_queries_only_decide_nothing(store):
    keep_score(store)
    settings = calibration()["settings"] | {"target": "queries"}
    keep(store, "calibration", W47, calibration(settings=settings))
    document = weekly_document(store, W47)
    assert document["verdict"]["labels"] == "none"
    assert document["calibration"]["deltas"][0]["note"] == (
        "it speaks of these queries only; --target population speaks of the change"
    )
    assert not any("labels decide nothing" in text for text in document["read_first"])


def test_a_drift_signal_of_this_week_is_the_first_warning(store):
    keep_score(store)
    keep(store, "judge", W46, check(["2026-W45", W46], [0.88, 0.87], ["2026-W45"]))
    keep(store, "judge", W47, check([W46, W47], [0.89, 0.7], [W47]))
    document = weekly_document(store, W47)
    (judge,) = document["drift"]
    assert [point["agreement"] for point in judge["points"]] == [0.88, 0.89, 0.7]
    assert judge["alarms"] == ["2026-W45", W47]
    assert document["read_first"][0] == (
        "The score's judge classifier v1 has drifted since 2026-W47: agreement below the limit. Its"
        " agreement with the gold set was 88.0% in the baseline weeks and is 70.0% in 2026-W47."
    )
    assert sum("drifted" in text for text in document["read_first"]) == 1


def test_a_drift_warning_says_since_when_without_a_break(store):
    keep_score(store)
    weeks, signals = ["2026-W44", "2026-W45", W46, W47], ["2026-W44", W46, W47]
    keep(store, "judge", W47, check(weeks, [0.8, 0.9, 0.8, 0.7], signals))
    assert "has drifted since 2026-W46: " in weekly_document(store, W47)["read_first"][0]


def test_drift_of_another_judge_than_the_score_s_stands_with_the_judge_only(store):
    keep_score(store)
    keep(store, "judge", W47, check([W46, W47], [0.89, 0.7], [W47], judge="llm"))
    document = weekly_document(store, W47)
    assert document["drift"][0]["alarms"] == [W47]
    assert not any("drifted" in text for text in document["read_first"] + document["notes"])


def test_drift_of_a_judge_that_nobody_named_is_not_said_to_be_the_score_s(store):
    keep_score(store)
    keep(store, "judge", W47, check([W46, W47], [0.89, 0.7], [W47], judge=None, chart=None))
    assert weekly_document(store, W47)["read_first"][0] == (
        "A judge that is not named has drifted since 2026-W47: agreement below the limit. Its"
        " agreement with the gold set is 70.0% in 2026-W47."
    )


def test_page_one_holds_six_warnings_and_the_rest_are_notes(store):
    keep_score(store, warnings=[f"warning {number}" for number in range(8)])
    document = weekly_document(store, W47)
    assert document["read_first"] == [f"warning {number}" for number in range(6)]
    assert document["notes"] == ["warning 6", "warning 7"]


# weeks


def test_since_compares_with_the_last_recorded_week(store):
    earlier = keep_score(store, "2026-W44", seed=1, at=MONDAY - 3 * WEEK)
    kept = keep_score(store, seed=2)
    since = weekly_document(store, W47)["since"]
    assert (since["week"], since["weeks"], since["changes"]) == ("2026-W44", 3, [])
    row = since["rows"][0]
    assert row["label"] == "Item Goodrate@10"
    for found, document in ((row["before"], earlier), (row["now"], kept)):
        assert found["delta"] == document["results"][0]["delta"]


def test_since_says_why_weeks_cannot_be_compared(store):
    document, values = score(1)
    document["settings"]["good"] = 2
    keep(store, "score", W46, document, values=values)
    keep_score(store, seed=2)
    assert weekly_document(store, W47)["since"]["changes"] == ["settings changed: good 2 → 1"]


@pytest.mark.parametrize(
    ("name", "judgments", "said"), [(None, "dd", True), (None, "0c", False), ("llm", "dd", False)]
)
def test_judgments_of_no_named_judge_that_differ_between_weeks_are_warned_of(
    store, name, judgments, said
):
    for week, file, at in ((W46, "0c", MONDAY - WEEK), (W47, judgments, MONDAY)):
        document, values = score()
        document["judge"] |= {"name": name, "judgments": "sha256:" + file * 32}
        keep(store, "score", week, document, values=values, judge=name, at=at)
    sentence = (
        "No judge is named, and the judgments of 2026-W46 and 2026-W47 differ: they may have grown,"
        " or be another judge's. --judge names it."
    )
    assert (sentence in weekly_document(store, W47)["read_first"]) is said


def test_since_names_systems_that_changed(store):
    keep_score(store, W46, systems={"control": "lexical", "treatment": "dense v1"})
    keep_score(store)
    since = weekly_document(store, W47)["since"]
    assert since["systems"] == ["the treatment was dense v1 and is dense"]
    assert since["changes"] == []


def test_trends_have_every_week_on_their_axis_and_join_only_what_may_be_joined(store):
    full_history(store)
    trend = weekly_document(store, W47)["trends"][0]
    assert trend["weeks"] == every_week("2026-W39", W47)
    assert "2026-W42" not in [point["week"] for point in trend["points"]]
    assert [mark["week"] for mark in trend["breaks"]] == ["2026-W44"]
    assert trend["runs"] == [
        ["2026-W39", "2026-W40", "2026-W41"],
        ["2026-W43"],
        ["2026-W44", "2026-W45", "2026-W46", "2026-W47"],
    ]


def test_votes_over_weeks_break_where_other_queries_were_asked(store):
    full_history(store)
    votes = weekly_document(store, W47)["votes_trend"]
    assert votes["runs"] == [["2026-W41"], ["2026-W44", "2026-W45"], ["2026-W47"]]
    assert [mark["week"] for mark in votes["breaks"]] == ["2026-W44"]


def test_a_trend_shows_half_a_year_at_most(store):
    weeks = every_week("2026-W10", W47)
    for number, week in enumerate(weeks):
        keep_score(store, week, seed=number % 3, at=MONDAY + number)
    trend = weekly_document(store, W47)["trends"][0]
    assert [point["week"] for point in trend["points"]] == weeks[-26:]


# wins and losses


def test_wins_and_losses_bring_both_lists(store):
    kept = keep_score(store)
    moves = weekly_document(store, W47)["moves"]
    assert len(moves["wins"]) == len(moves["losses"]) == 10
    assert moves["wins"][0]["delta"] == max(move["delta"] for move in kept["lists"]["moves"])
    assert moves["losses"][0]["delta"] == min(move["delta"] for move in kept["lists"]["moves"])
    first = moves["wins"][0]
    assert first["lists"] == kept["lists"][first["query_id"]]
    assert first["segment"].keys() == {"query_type", "language"}


def test_without_recorded_lists_the_moves_come_from_the_values_of_the_queries(store):
    document, values = score()
    with_lists = document.pop("lists")["moves"]
    keep(store, "score", W47, document, values=values)
    found = weekly_document(store, W47)
    moves = found["moves"]
    assert [move["query_id"] for move in (*moves["wins"], *moves["losses"])] == [
        move["query_id"] for move in with_lists
    ]
    assert all(move["lists"] is None for move in moves["wins"])
    assert "lists" in missing(found)


def test_without_lists_and_values_there_are_no_moves(store):
    document, _ = score()
    del document["lists"]
    keep(store, "score", W47, document)
    assert weekly_document(store, W47)["moves"] is None


# sources


def test_every_record_that_was_used_is_a_source_with_its_command(store):
    full_history(store)
    document = weekly_document(store, W47)
    found = [(each["kind"], each["week"]) for each in document["sources"]]
    assert found[:5] == [
        ("score", W47),
        ("study", W47),
        ("calibration", W47),
        ("correlation", W46),
        ("judge", W47),
    ]
    assert ("score", "2026-W39") in found
    assert ("study", "2026-W41") in found
    assert all(each["command"] and each["fingerprint"] for each in document["sources"])
    assert document["sources"][0]["inputs"][0]["fingerprint"].startswith("sha256:0a0a")


def test_a_password_in_a_command_does_not_travel(store):
    command = "evalkit score --record --db postgresql+psycopg://ann:s3cret@db.example/evalkit"
    keep_score(store, command=command)
    document = weekly_document(store, W47)
    assert "s3cret" not in json.dumps(document)
    assert "postgresql+psycopg://ann:…@db.example/evalkit" in document["sources"][0]["command"]


def test_a_name_of_its_own_stands_in_every_command(store):
    keep_score(store, name="mobile app")
    commands = missing(weekly_document(store, W47, "mobile app")).values()
    assert all("--name 'mobile app'" in command for command in commands)
