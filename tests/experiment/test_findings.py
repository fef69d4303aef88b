"""The results say first what is bad news for the treatment, and nothing that figures do not."""

from __future__ import annotations

from typing import Any

from evalkit.experiment.findings import findings
from evalkit.experiment.results import results_markdown


def row(
    systems: tuple[str, str],
    delta: float,
    low: float | None,
    high: float | None,
    *,
    segment: str = "all",
    measure: str = "item_goodrate",
    queries: str = "written",
) -> dict[str, Any]:
    return {
        "set": queries, "systems": list(systems), "measure": measure, "segment": segment,
        "control": 0.5, "treatment": 0.5 + delta, "delta": delta, "ci_low": low, "ci_high": high,
        "p": 0.5, "queries": 40, "judged_control": 0.99, "judged_treatment": 0.875,
    }  # fmt: skip


BOTH = ("control", "treatment")
OTHER = ("bm25", "treatment")


def document(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "small", "command": "evalkit run small.yaml -o FOLDER", "control": "control",
        "treatment": "treatment", "cutoff": 10,
        "systems": {"control": {"seeds": []}, "treatment": {"seeds": [0]}, "bm25": {"seeds": []}},
        "trained": [], "judged_by_checker": [], "results": list(rows), "warnings": [],
        "stages": [], **more,
    }  # fmt: skip


def said(*rows: dict[str, Any], **more: Any) -> list[str]:
    return findings(document(*rows, **more))


def test_a_system_that_is_certainly_better_than_the_treatment_is_told_first() -> None:
    found = said(row(BOTH, 0.1, 0.05, 0.15), row(OTHER, -0.04, -0.06, -0.02))
    assert found[0] == ("In Item Goodrate@10, treatment is worse than bm25 on written, all (-4.0).")
    assert found[1] == (
        "In Item Goodrate@10, treatment is better than control on written, all (+10.0)."
    )


def test_a_system_that_is_ahead_within_a_wide_interval_is_told_as_uncertain() -> None:
    found = said(row(BOTH, 0.1, 0.05, 0.15), row(OTHER, -0.05, -0.12, 0.02))
    assert found[0] == (
        "In Item Goodrate@10, ahead of treatment, but not certain: bm25 on written, all (-5.0)."
    )
    assert not any("worse than bm25" in line for line in found)
    behind = said(row(BOTH, 0.1, 0.05, 0.15), row(OTHER, 0.05, -0.02, 0.12))
    assert not any("bm25" in line for line in behind)


def test_losses_to_the_control_are_told_and_doubt_is_no_win() -> None:
    found = said(
        row(BOTH, 0.02, -0.01, 0.05, segment="negative"),
        row(BOTH, -0.08, -0.1, -0.06, segment="alternative"),
    )
    assert found[0] == "In Item Goodrate@10, treatment is better than control on nothing."
    assert found[1] == "It is worse than control on written, alternative (-8.0)."


def test_query_goodrate_has_sentences_of_its_own() -> None:
    found = said(
        row(BOTH, 0.1, 0.05, 0.15), row(BOTH, -0.08, -0.1, -0.06, measure="query_goodrate")
    )
    assert "In Query Goodrate@10, treatment is better than control on nothing." in found
    assert found.index("It is worse than control on written, all (-8.0).") == 2


def test_general_queries_and_the_head_must_not_lose_three_points() -> None:
    general = row(BOTH, -0.01, -0.029, 0.01, segment="general")
    assert (
        "On written, general (-1.0), treatment passes: it loses no more than 3 points of Item "
        "Goodrate@10 (lower limit -2.9)."
    ) in said(general)
    failed = row(BOTH, 0.0, -0.031, 0.03, segment="general")
    assert (
        "On written, general (+0.0), treatment fails: it may lose more than 3 points of Item "
        "Goodrate@10 (lower limit -3.1)."
    ) in said(failed)
    head = said(row(BOTH, 0.0, -0.05, 0.05, queries="head"))
    assert any(line.startswith("On head, all (+0.0), treatment fails") for line in head)
    others = said(row(BOTH, 0.0, -0.05, 0.05), row(OTHER, 0.0, -0.05, 0.05, segment="general"))
    assert not any("fails" in line or "passes" in line for line in others)
    unknown = said(row(BOTH, 0.0, None, None, segment="general"))
    assert "What treatment costs on written, general is unknown." in unknown


def test_what_figures_of_several_seeds_are_of_is_told() -> None:
    several = {"control": {"seeds": []}, "treatment": {"seeds": [0, 1]}}
    found = " ".join(said(row(BOTH, 0.1, 0.05, 0.15), systems=several))
    assert "the lists of pages and of the study are those of the first seed" in found
    assert "seed" not in " ".join(said(row(BOTH, 0.1, 0.05, 0.15)))


def test_the_table_says_what_was_learnt_and_how_much_is_judged() -> None:
    trained = {
        "retriever": "distilled", "seed": 0, "learned": 900, "learned_queries": 200,
        "learned_hard_negatives": 450, "dev_queries": 30, "steps": 57, "best_step": 38,
    }  # fmt: skip
    text = results_markdown(
        document(row(BOTH, 0.1, 0.05, 0.15), row(OTHER, 0.1, 0.05, 0.15), trained=[trained])
    )
    assert "| distilled | 0 | 900 | 200 | 450 | 30 | 57 | 38 |" in text
    assert "Judged@10 on written, in percent: control 99.0, treatment 87.5, bm25 99.0." in text
