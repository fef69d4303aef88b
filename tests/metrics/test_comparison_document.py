"""What a comparison says besides its figures: settings, query set, runs, warnings, JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from math import log2
from pathlib import Path
from typing import Any

import pytest
from shop_runs import N, inputs
from small_runs import asked, frame, judge, run

from metrics import Scoring, compare_runs, score_runs
from metrics.measures import MEASURES

ROWS = [("q1", "a", 3.0), ("q1", "b", 2.0), ("q2", "c", 1.0)]
JUDGED = [("q1", "a", 0), ("q1", "b", 2), ("q2", "c", 1)]

COMPARED = [
    "measure",
    "cutoff",
    "segment",
    "queries",
    "control",
    "treatment",
    "delta",
    "relative",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "improved",
    "same",
    "worse",
    "mde",
    "judged_control",
    "judged_treatment",
]


def compared(
    control: Any = ROWS,
    treatment: Any = ROWS,
    judged: Any = JUDGED,
    queries: Any = None,
    **how: Any,
) -> Any:
    return compare_runs(run(control), run(treatment), judge(judged), queries, **how)


def document(**how: Any) -> dict[str, Any]:
    comparison = compare_runs(
        *inputs(), measures=list(MEASURES), cutoffs=(N, 2), by=["traffic"], **how
    )
    return json.loads(comparison.to_json())


# the document


def test_a_row_has_the_promised_fields_in_their_order() -> None:
    rows = {(row["measure"], row["cutoff"]): row for row in document()["results"]}
    assert list(rows["item_goodrate", N]) == COMPARED
    assert list(rows["gsb", N])[: len(COMPARED)] == COMPARED
    counts = ["good", "bad", "win_rate", "good_or_same_ratio", "identical", "without_identical"]
    assert [*rows["gsb", N]][len(COMPARED) :][: len(counts)] == counts
    assert rows["gsb", N]["control"] is None
    assert rows["gsb", N]["treatment"] is None


def test_a_single_run_row_has_a_value_in_place_of_the_comparison() -> None:
    row = json.loads(score_runs({"bm25": run(ROWS)}, judge(JUDGED)).to_json())["results"][0]
    names = ["measure", "cutoff", "segment", "queries", "system", "value"]
    assert list(row) == [*names, "ci_low", "ci_high", "judged"]
    assert row["system"] == "bm25"


def test_measures_without_a_cutoff_have_none() -> None:
    cutoffs = {row["measure"]: row["cutoff"] for row in document()["results"]}
    assert {name for name, cutoff in cutoffs.items() if cutoff is None} == {"mrr", "map", "bpref"}


def test_bounds_have_their_six_fields_and_ties_theirs() -> None:
    of = [f"{end}_{which}" for which in ("control", "treatment", "delta") for end in ENDS]
    bounded = document(unjudged="bounds")["results"][0]
    assert list(bounded)[len(COMPARED) :] == of
    tied = document(ties="bounds")["results"][0]
    assert list(tied)[len(COMPARED) :] == [f"ties_{name}" for name in of]


ENDS = ("lower", "upper")


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"unjudged": "bounds"},
        {"unjudged": "drop"},
        {"ties": "expected"},
        {"ties": "bounds"},
        {"ci": "bootstrap"},
        {"ties": "expected", "unjudged": "bounds"},
    ],
    ids=str,
)
def test_a_number_that_does_not_exist_is_null_and_has_a_note(how: Any) -> None:
    for row in document(**how)["results"]:
        named = row["measure"] == "gsb"
        missing = [name for name in ("control", "treatment") if row[name] is None and not named]
        missing += [name for name in row if name.startswith(("lower", "ties")) and not named]
        if any(row[name] is None for name in missing) or row["delta"] is None:
            assert row["note"], row


def test_the_document_holds_no_nan_even_where_nothing_is_shown() -> None:
    nothing = compared([], [], measures=list(MEASURES), unjudged="bounds", ci="bootstrap")
    for text in (nothing.to_json(), score_runs({"x": run([])}, judge(JUDGED)).to_json()):
        assert "NaN" not in text
        assert "Infinity" not in text
        json.loads(text, parse_constant=lambda word: pytest.fail(word))


def test_numbers_keep_every_digit() -> None:
    comparison = compared(measures=["item_goodrate"])
    assert json.loads(comparison.to_json())["results"][0]["control"] == 2 / 3


@pytest.mark.parametrize("values", [["x", None], [2, None], [0.5, None], [True, None]], ids=str)
@pytest.mark.parametrize("library", ["polars", "pandas", "pyarrow"])
def test_a_missing_segment_is_a_segment_of_its_own(library: str, values: list[Any]) -> None:
    queries = frame(library, list(zip(["q1", "q2"], values, strict=True)), ("query_id", "kind"))
    comparison = compare_runs(
        run(ROWS).to_arrow(), run(ROWS).to_arrow(), judge(JUDGED).to_arrow(), queries, by=["kind"]
    )
    results = json.loads(comparison.to_json())["results"]
    segments = [(row["segment"], row["queries"]) for row in results if row["measure"] == "ndcg"]
    assert segments == [({}, 2), ({"kind": values[0]}, 1), ({"kind": None}, 1)]


def test_dates_can_be_segments() -> None:
    days = [date(2026, 1, 5), date(2026, 1, 12)]
    comparison = compared(queries=asked("q1", "q2", week=days), by=["week"])
    weeks = [row["segment"] for row in json.loads(comparison.to_json())["results"]]
    assert weeks[-1] == {"week": "2026-01-12"}


PROGRAM = """
import sys
from shop_runs import inputs
from metrics import compare_runs
from metrics.measures import MEASURES
frames = inputs(weighted=True, library=sys.argv[1])
for how in ({}, {"ci": "bootstrap"}):
    result = compare_runs(
        *frames, measures=list(MEASURES), cutoffs=(4,), by=["traffic"], seed=3, **how
    )
    print(result.to_json())
"""


def output(library: str, hash_seed: str) -> bytes:
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parents[1])])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, library], capture_output=True, check=True, env=environment
    )
    return done.stdout


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_two_processes_write_the_same_bytes(library: str) -> None:
    first = output(library, "1")
    assert first == output(library, "2")
    assert len(first) > 10_000


def test_another_seed_gives_another_p_and_the_same_figures() -> None:
    found = [compare_runs(*inputs(), measures=["ndcg"], seed=seed).rows[0] for seed in (0, 1)]
    assert found[0].p != found[1].p
    assert (found[0].delta, found[0].ci_low) == (found[1].delta, found[1].ci_low)


# settings


def test_every_setting_is_recorded() -> None:
    how = {
        "cutoffs": (3, 1),
        "good": 2.0,
        "order": "score",
        "ties": "expected",
        "unjudged": "bounds",
        "average": "query",
        "depth": "fixed",
        "min_good": 2,
        "margin": 1.0,
    }
    settings = compared(
        measures=["item_goodrate", "gsb"],
        primary=["gsb"],
        ci="bootstrap",
        seed=11,
        queries=asked("q1", kind=["x"], weight=[2.0]),
        by=["kind"],
        **how,
    ).settings
    expected = {**how, "cutoffs": [3, 1], "primary": ["gsb"], "ci": "bootstrap", "seed": 11}
    expected |= {"measures": ["item_goodrate", "gsb"], "by": ["kind"], "weighted": True}
    assert {name: settings[name] for name in expected} == expected
    assert set(Scoring.__dataclass_fields__) <= set(settings)


def test_labels_and_gains_are_recorded() -> None:
    labelled = [("q1", "a", "E"), ("q1", "b", "I"), ("q2", "c", "S")]
    gains = {"E": 3, "S": 2, "I": 0}
    comparison = compared(judged=labelled, good_labels=("E", "S"), gains=gains)
    settings = json.loads(comparison.to_json())["settings"]
    assert settings["good_labels"] == ["E", "S"]
    assert settings["gains"] == gains


# text labels


def test_text_labels_need_to_be_told_which_are_good() -> None:
    labelled = [("q1", "a", "E"), ("q1", "b", "I"), ("q2", "c", "S")]
    with pytest.raises(ValueError, match="say which labels are good"):
        compared(judged=labelled)
    rows = compared(judged=labelled, good_labels=["E", "S"]).rows
    found = {row.measure: row for row in rows}
    assert found["item_goodrate"].control == pytest.approx(2 / 3)
    assert found["ndcg"].control is None
    assert "gains" in found["ndcg"].extra["note"]


def test_gains_of_labels_give_ndcg_and_say_what_is_good() -> None:
    labelled = [("q1", "a", "C"), ("q1", "b", "E"), ("q2", "c", "I")]
    rows = compared(
        judged=labelled, gains={"E": 3, "C": 1, "I": 0}, good=2, measures=["ndcg", "precision"]
    ).rows
    ideal = 3 + 1 / log2(3)
    assert rows[0].control == pytest.approx((1 + 3 / log2(3)) / ideal / 2)
    assert rows[1].control == pytest.approx(1 / 10 / 2)


def test_gains_of_numeric_grades_replace_them_in_ndcg_only() -> None:
    rows = compared(gains={"0": 0, "1": 1, "2": 7}, measures=["ndcg", "item_goodrate"]).rows
    assert rows[0].control == pytest.approx((1 / log2(3) + 1) / 2)
    assert rows[1].control == pytest.approx(2 / 3)


# the query set


def test_without_queries_the_judged_queries_are_the_query_set() -> None:
    comparison = compared(ROWS, [*ROWS[:2], ("q9", "a", 1.0)], [*JUDGED, ("q3", "a", 1)])
    assert comparison.query_set == {
        "source": "judgments",
        "size": 3,
        "judged": 3,
        "in_control": 2,
        "in_treatment": 1,
        "in_both": 1,
    }
    assert [row.queries for row in comparison.rows] == [3] * 4


def test_queries_make_the_query_set_whether_judged_or_not() -> None:
    comparison = compared(queries=asked("q1", "q4", "q5"))
    assert comparison.query_set["source"] == "queries file"
    assert comparison.query_set["size"] == 3
    assert comparison.query_set["judged"] == 1
    assert comparison.query_set["in_both"] == 1


def test_a_query_without_results_counts_as_not_good() -> None:
    found = compared(ROWS[:2], ROWS, measures=["query_goodrate", "ndcg"], queries=asked("q1", "q2"))
    assert (found.rows[0].control, found.rows[0].treatment) == (0.5, 1.0)
    assert found.rows[1].control < found.rows[1].treatment


def test_queries_outside_the_query_set_are_counted_named_and_left_out() -> None:
    extra = [*ROWS, ("q8", "a", 1.0), ("q9", "a", 1.0)]
    comparison = compared(ROWS, extra)
    assert [described["queries_outside"] for described in comparison.runs] == [0, 2]
    (warning,) = [text for text in comparison.warnings if "outside" in text]
    assert warning.startswith("treatment")
    assert "'q8', 'q9'" in warning
    assert comparison.rows[0].treatment == comparison.rows[0].control


# warnings


def shown(count: int) -> list[tuple[str, str, float]]:
    return [(f"q{at}", "a", 1.0) for at in range(count)]


@pytest.mark.parametrize(("count", "warned"), [(100, False), (102, False), (103, True)])
def test_items_shown_that_differ_by_more_than_two_percent_are_warned_of(
    count: int, warned: bool
) -> None:
    queries = asked(*(f"q{at}" for at in range(110)))
    for runs in ((100, count), (count, 100)):
        comparison = compared(*map(shown, runs), [("q1", "a", 1)], queries)
        assert any("items" in text and "fixed" in text for text in comparison.warnings) == warned


@pytest.mark.parametrize(("judged", "warned"), [(95, False), (94, True)])
def test_judged_shares_that_differ_by_more_than_five_points_are_warned_of(
    judged: int, warned: bool
) -> None:
    control = [(f"q{at}", "a", 1.0) for at in range(100)]
    treatment = [(f"q{at}", "b", 1.0) for at in range(100)]
    grades = [(f"q{at}", "a", 1) for at in range(100)]
    grades += [(f"q{at}", "b", 1) for at in range(judged)]
    there = compared(control, treatment, grades).warnings
    assert any("judged@10" in text and "toward the control" in text for text in there) == warned
    back = compared(treatment, control, grades).warnings
    assert any("judged@10" in text and "toward the treatment" in text for text in back) == warned


def test_the_share_of_tied_rows_inside_the_cutoff_is_said() -> None:
    tied = [("q1", "a", 1.0), ("q1", "b", 1.0), ("q1", "c", 0.0), ("q2", "c", 1.0)]
    comparison = compared(tied, ROWS, cutoffs=(1, 3))
    # one of the two rows inside the first place is tied with the row below the cutoff
    assert comparison.runs[0]["tied_share"] == {"1": 0.5, "3": 0.5}
    assert comparison.runs[1]["tied_share"] == {"1": 0.0, "3": 0.0}
    warnings = [text for text in comparison.warnings if "tied" in text]
    assert len(warnings) == 2
    assert all(text.startswith("control: 50.0%") for text in warnings)


def test_queries_without_a_judgment_are_warned_of() -> None:
    comparison = compared(queries=asked("q1", "q2", "q7"))
    assert any("without a judgment, 1 of 3" in text for text in comparison.warnings)


def test_runs_in_order_are_not_warned_about() -> None:
    assert compared().warnings == []
