"""The verdict of a week: who says what, and the sentence that follows, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.reports.weekly.verdict import labels_say, metrics_say, people_say, verdict

UP = {"delta": 0.0724, "ci_low": 0.0454, "ci_high": 0.0994, "p": 0.0001, "p_holm": 0.0008}
DOWN = {"delta": -0.05, "ci_low": -0.08, "ci_high": -0.02, "p": 0.0010, "p_holm": 0.0080}
FLAT = {"delta": 0.01, "ci_low": -0.02, "ci_high": 0.04, "p": 0.4, "p_holm": 0.8, "mde": 0.0383}
RAW = {"delta": 0.03, "ci_low": 0.01, "ci_high": 0.05, "p": None, "p_holm": None}


def measure(says: dict[str, Any], name: str = "item_goodrate", **segment: str) -> dict[str, Any]:
    values = {"control": 0.2431, "treatment": 0.2431 + says["delta"]}
    return {"measure": name, "cutoff": 10, "segment": segment, **values, **says}


METRICS: dict[str, list[dict[str, Any]]] = {
    "better": [measure(UP), measure(FLAT, "query_goodrate")],
    "worse": [measure(DOWN), measure(FLAT, "query_goodrate")],
    "mixed": [measure(UP), measure(DOWN, "query_goodrate")],
    "undecided": [measure(FLAT), measure(FLAT, "query_goodrate")],
    "untested": [measure(RAW)],
}


def study(
    gsb: float, low: float | None, high: float | None, p: float | None = None, basis: str = "final"
) -> dict[str, Any]:
    return {
        "study": "pages",
        "basis": basis,
        "gsb": gsb,
        "low": low,
        "high": high,
        "p": p,
        "queries": 160,
        "votes": 480,
        "share": 1.0,
        "reason": None,
    }


PEOPLE: dict[str, dict[str, Any] | None] = {
    "better": study(0.224, 0.12, 0.33, 0.0003),
    "worse": study(-0.12, -0.2, -0.04, 0.004),
    "undecided": study(0.031, -0.05, 0.11, 0.5),
    "open": study(0.2, None, None, basis="interim"),
    "none": None,
}
GOOD, POOR = "The treatment is better by the metrics:", "The treatment is worse by the metrics:"
HIGHER = "Item Goodrate@10 is 7.24 points higher"
LOWER = "Item Goodrate@10 is 5.00 points lower"
BOTH = f"{HIGHER} and Query Goodrate@10 is 5.00 points lower"
FOR_TREATMENT = "eople prefer the treatment (GSB +22.40)"
FOR_CONTROL = "eople prefer the control (GSB −12.00)"
NOT_CHECKED = "Not checked by people this week."
NO_CONCLUSION = "People's votes allow no conclusion yet."
NOT_SHOWN = "People's votes show no difference (GSB +3.10)."
AT_ODDS = "People and metrics contradict each other:"
SILENT = "No difference is shown by the metrics, which is no proof that there is none."
UNTESTED = "No difference of the metrics was tested."

TABLE = [
    ("better", "better", "better", f"The treatment is better: {HIGHER}, and p{FOR_TREATMENT}."),
    ("better", "worse", "contradiction", f"{AT_ODDS} {HIGHER}, but p{FOR_CONTROL}."),
    ("better", "undecided", "better", f"{GOOD} {HIGHER}. {NOT_SHOWN}"),
    ("better", "open", "better", f"{GOOD} {HIGHER}. {NO_CONCLUSION}"),
    ("better", "none", "better", f"{GOOD} {HIGHER}. {NOT_CHECKED}"),
    ("worse", "better", "contradiction", f"{AT_ODDS} {LOWER}, but p{FOR_TREATMENT}."),
    ("worse", "worse", "worse", f"The treatment is worse: {LOWER}, and p{FOR_CONTROL}."),
    ("worse", "undecided", "worse", f"{POOR} {LOWER}. {NOT_SHOWN}"),
    ("worse", "open", "worse", f"{POOR} {LOWER}. {NO_CONCLUSION}"),
    ("worse", "none", "worse", f"{POOR} {LOWER}. {NOT_CHECKED}"),
    ("mixed", "better", "mixed", f"The metrics are divided: {BOTH}. P{FOR_TREATMENT}."),
    ("mixed", "worse", "mixed", f"The metrics are divided: {BOTH}. P{FOR_CONTROL}."),
    ("mixed", "undecided", "mixed", f"The metrics are divided: {BOTH}. {NOT_SHOWN}"),
    ("mixed", "open", "mixed", f"The metrics are divided: {BOTH}. {NO_CONCLUSION}"),
    ("mixed", "none", "mixed", f"The metrics are divided: {BOTH}. {NOT_CHECKED}"),
    ("undecided", "better", "better", f"P{FOR_TREATMENT}; the metrics show no difference."),
    ("undecided", "worse", "worse", f"P{FOR_CONTROL}; the metrics show no difference."),
    (
        "undecided",
        "undecided",
        "undecided",
        "No difference is shown, neither by the metrics nor by people (GSB +3.10); that is no proof"
        " that there is none.",
    ),
    ("undecided", "open", "undecided", f"{SILENT} {NO_CONCLUSION}"),
    ("undecided", "none", "undecided", f"{SILENT} {NOT_CHECKED}"),
    ("untested", "better", "better", f"P{FOR_TREATMENT}; no difference of the metrics was tested."),
    ("untested", "worse", "worse", f"P{FOR_CONTROL}; no difference of the metrics was tested."),
    ("untested", "undecided", "untested", f"{UNTESTED} {NOT_SHOWN}"),
    ("untested", "open", "untested", f"{UNTESTED} {NO_CONCLUSION}"),
    ("untested", "none", "untested", f"{UNTESTED} {NOT_CHECKED}"),
]  # fmt: skip


@pytest.mark.parametrize(("metrics", "people", "case", "sentence"), TABLE)
def test_metrics_and_people_come_to_one_sentence(metrics, people, case, sentence):
    found = verdict(METRICS[metrics], PEOPLE[people])
    assert (found.metrics, found.people) == (metrics, people)
    assert found.case == case
    assert found.sentence == sentence


def test_the_table_holds_every_case():
    assert {(row[0], row[1]) for row in TABLE} == {(m, p) for m in METRICS for p in PEOPLE}


@pytest.mark.parametrize(
    ("metrics", "people", "label"),
    [
        ("better", "better", "Better"),
        ("better", "none", "Better by the metrics"),
        ("undecided", "better", "Better by people"),
        ("worse", "undecided", "Worse by the metrics"),
        ("untested", "worse", "Worse by people"),
        ("worse", "better", "Contradiction"),
        ("mixed", "better", "Divided"),
        ("undecided", "none", "No difference shown"),
        ("untested", "none", "Not tested"),
    ],
)
def test_the_label_says_who_says_so(metrics, people, label):
    assert verdict(METRICS[metrics], PEOPLE[people]).label == label


# who says what


@pytest.mark.parametrize(
    ("votes", "says"),
    [
        (study(0.2, 0.1, 0.3, 0.001), "better"),
        (study(0.2, 0.1, 0.3, 0.06), "undecided"),
        (study(0.2, -0.01, 0.41, 0.001), "undecided"),
        (study(-0.2, -0.3, -0.1, 0.001), "worse"),
        (study(0.0, 0.0, 0.0, 1.0), "undecided"),
        (study(0.2, 0.1, 0.3, None), "undecided"),
        (study(0.2, None, None, 0.001), "open"),
    ],
)
def test_a_complete_study_needs_test_and_interval(votes, says):
    assert people_say(votes) == says


@pytest.mark.parametrize(
    ("low", "high", "says"),
    [(0.01, 0.4, "better"), (-0.4, -0.01, "worse"), (-0.1, 0.5, "undecided"), (0.2, 0.1, "open")],
)
def test_a_running_study_is_heard_by_its_anytime_sequence(low, high, says):
    gsb = 0.2 if low > 0 else -0.2
    assert people_say(study(gsb, low, high, basis="anytime")) == says


def test_figures_outside_the_declared_family_decide_nothing():
    exploratory = UP | {"p_holm": None}
    assert metrics_say([measure(exploratory)]) == "untested"
    assert metrics_say([measure(exploratory), measure(DOWN)]) == "worse"


def test_a_p_that_holm_takes_away_decides_nothing():
    assert metrics_say([measure(UP | {"p_holm": 0.06})]) == "undecided"


# human labels


def corrected(estimate: float, low: float | None, high: float | None, **more: Any):
    return {
        "measure": "item_goodrate",
        "cutoff": 10,
        "segment": {},
        "of": "delta",
        "labelled": 40,
        "estimate": estimate,
        "ci_low": low,
        "ci_high": high,
        **more,
    }


def test_labels_that_confirm_leave_the_sentence_as_it_is():
    labels = [corrected(0.06, 0.02, 0.1)]
    found = verdict(METRICS["better"], PEOPLE["better"], labels)
    assert found.labels == "better"
    assert found.sentence == verdict(METRICS["better"], PEOPLE["better"]).sentence


def test_labels_that_point_the_other_way_contradict_the_judge():
    labels = [corrected(-0.03, -0.05, -0.01)]
    found = verdict(METRICS["better"], None, labels)
    assert found.case == "contradiction"
    assert found.sentence == (
        "Human labels and the automated judge contradict each other: Item Goodrate@10 is 7.24"
        " points higher by the automated judge, but 3.00 points lower corrected by human labels."
    )
    assert verdict(METRICS["better"], PEOPLE["better"], labels).sentence.endswith(
        "corrected by human labels. People prefer the treatment (GSB +22.40)."
    )


def test_labels_that_show_nothing_are_said_where_the_metric_shows_something():
    labels = [corrected(0.02, -0.01, 0.05)]
    said = "Corrected by human labels, the difference in Item Goodrate@10 is not shown."
    assert verdict(METRICS["better"], None, labels).sentence.endswith(said)
    assert said not in verdict(METRICS["undecided"], None, labels).sentence


def test_labels_against_votes_are_a_contradiction_too():
    labels = [corrected(0.06, 0.02, 0.1)]
    found = verdict(METRICS["undecided"], PEOPLE["worse"], labels)
    assert found.case == "contradiction"
    assert found.sentence == (
        "Human labels and people's votes contradict each other: Item Goodrate@10, corrected by"
        " human labels, is 6.00 points higher, but people prefer the control (GSB −12.00)."
    )


def test_labels_that_show_what_the_metrics_do_not_are_in_the_sentence():
    labels = [corrected(0.02, 0.01, 0.03)]
    found = verdict(METRICS["undecided"], None, labels)
    assert (found.case, found.label) == ("undecided", "No difference shown by the metrics")
    assert found.sentence == (
        f"{SILENT} {NOT_CHECKED} Item Goodrate@10, corrected by human labels, is 2.00 points"
        " higher."
    )


def test_a_loss_by_labels_divides_a_verdict_and_is_in_the_sentence():
    labels = [
        corrected(0.02, 0.01, 0.03),
        corrected(-0.02, -0.03, -0.01, measure="query_goodrate"),
    ]
    found = verdict(METRICS["better"], PEOPLE["better"], labels)
    assert (found.case, found.label) == ("mixed", "Divided")
    assert found.sentence == (
        f"The treatment is better: {HIGHER}, and p{FOR_TREATMENT}. Query Goodrate@10, corrected by"
        " human labels, is 2.00 points lower."
    )


def test_labels_stand_beside_a_contradiction_of_people_and_metrics():
    labels = [corrected(-0.02, -0.03, -0.01)]
    found = verdict(METRICS["better"], PEOPLE["worse"], labels)
    assert found.case == "contradiction"
    assert found.sentence == (
        f"{AT_ODDS} {HIGHER}, but p{FOR_CONTROL}. Item Goodrate@10, corrected by human labels, is"
        " 2.00 points lower."
    )


def another(says: str) -> dict[str, Any]:
    return {**(PEOPLE[says] or {}), "study": f"pages {says}"}


@pytest.mark.parametrize("first", ["better", "worse", "undecided"])
def test_studies_that_disagree_contradict_each_other_and_are_all_named(first):
    further = [another(says) for says in ("better", "worse", "undecided") if says != first]
    found = verdict(METRICS["better"], another(first), further=further)
    assert (found.case, found.people) == ("contradiction", "mixed")
    assert found.sentence == (
        "Studies of this change contradict each other: people prefer the treatment in pages better"
        f" (GSB +22.40), but the control in pages worse (GSB −12.00). By the metrics, {HIGHER}."
        " Study pages undecided: no difference shown (GSB +3.10)."
    )
    assert len(texts(found, "people")) == 3


def test_a_further_study_is_named_and_makes_no_verdict_better():
    found = verdict(METRICS["undecided"], PEOPLE["undecided"], further=[another("better")])
    assert (found.case, found.label) == ("undecided", "No difference shown by the metrics")
    said = "Study pages better: people prefer the treatment (GSB +22.40)."
    assert found.sentence.endswith(said)


def test_a_further_study_on_the_other_side_divides_a_verdict():
    found = verdict(METRICS["better"], PEOPLE["undecided"], further=[another("worse")])
    assert (found.case, found.label) == ("mixed", "Divided")
    assert found.sentence.endswith("Study pages worse: people prefer the control (GSB −12.00).")


def test_labels_of_a_measure_that_is_not_primary_are_not_heard():
    found = verdict(METRICS["better"], None, [corrected(-0.1, -0.2, -0.05, measure="ndcg")])
    assert (found.case, found.labels) == ("better", "none")


def test_labels_with_a_note_decide_nothing_and_say_why():
    why = "people and the automated values agree on every labelled query"
    labels = [corrected(0.0144, 0.0144, 0.0144, note=why)]
    found = verdict(METRICS["undecided"], PEOPLE["worse"], labels)
    assert (found.case, found.labels) == ("worse", "none")
    assert texts(found, "labels") == [
        "Item Goodrate@10 corrected by 40 queries with human labels: Δ +1.44 points; it decides"
        f" nothing: {why}."
    ]


def test_labels_without_an_interval_say_nothing():
    assert labels_say([corrected(0.1, None, None)]) == "none"
    assert labels_say([]) == "none"
    assert labels_say([corrected(0.1, 0.05, 0.2), corrected(-0.1, -0.2, -0.05)]) == "mixed"
    assert labels_say([corrected(0.1, -0.05, 0.2), corrected(-0.1, -0.2, -0.05)]) == "worse"


# evidence


def texts(found, about: str) -> list[str]:
    return [each.text for each in found.evidence if each.about == about]


def test_evidence_gives_the_figures_and_their_tests():
    assert texts(verdict(METRICS["better"]), "metrics") == [
        "Item Goodrate@10: 24.31 → 31.55, Δ +7.24 points, 95% interval [+4.54, +9.94], p 0.0001"
        " (0.0008 after Holm).",
        "Query Goodrate@10: 24.31 → 25.31, Δ +1.00 points, 95% interval [−2.00, +4.00], p 0.4000"
        " (0.8000 after Holm). No difference shown; a true one of 3.83 points would be found four"
        " times in five before Holm.",
    ]


def test_evidence_names_the_segments_that_moved():
    segments = [
        measure(UP, query_type="negative"),
        measure(DOWN, query_type="general"),
        measure(FLAT, query_type="knowledge"),
        measure(FLAT, "query_goodrate", query_type="knowledge"),
        measure(UP, language="de"),
        measure(FLAT, language="en"),
        measure(FLAT, language="fr"),
    ]
    found = verdict(METRICS["better"], segments=segments)
    assert texts(found, "segments") == [
        "Item Goodrate@10 by query_type: better in negative (+7.24); worse in general (−5.00); no"
        " difference shown in the other one.",
        "Item Goodrate@10 by language: better in de (+7.24); no difference shown in the other 2.",
    ]
    assert [each.says for each in found.evidence if each.about == "segments"] == [
        "mixed",
        "better",
    ]


def test_evidence_says_when_figures_of_a_running_study_are_read():
    votes = study(0.2, 0.05, 0.4, basis="anytime") | {"queries": 80, "votes": 240}
    assert texts(verdict(METRICS["better"], votes), "people") == [
        "People (study pages, 240 votes on 80 queries): GSB +20.00 points, [+5.00, +40.00] at any"
        " look: they prefer the treatment. The study is not complete, so these are the figures that"
        " hold however often one looks."
    ]


def test_evidence_says_why_votes_allow_no_conclusion():
    votes = study(0.2, None, None, basis="interim") | {
        "reason": "The serving order depends on votes"
    }
    assert texts(verdict(METRICS["better"], votes), "people") == [
        "People (study pages, 480 votes on 160 queries): GSB +20.00 points: no conclusion yet. The"
        " serving order depends on votes."
    ]


def test_evidence_of_labels_gives_their_number():
    found = verdict(METRICS["better"], None, [corrected(0.06, 0.02, 0.1)])
    assert texts(found, "labels") == [
        "Item Goodrate@10 corrected by 40 queries with human labels: Δ +6.00 points, 95% interval"
        " [+2.00, +10.00]: better."
    ]
