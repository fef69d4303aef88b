"""The worked figures of the definition: four queries, two runs, top three, every number by hand."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from small_runs import JUDGMENTS, RANKED, frame

import metrics
from metrics import compare_runs, score_runs

# + good, - judged bad, ? unjudged; products of the two runs are distinct
CONTROL = {"q1": "--+", "q2": "-?-", "q3": "+++"}
TREATMENT = {"q1": "++-", "q2": "+?", "q3": "+++", "q4": "---"}
QUERIES = [("q1", "negative"), ("q2", "negative"), ("q3", "knowledge"), ("q4", "knowledge")]


def ranked(system: str, pages: dict[str, str], renamed: dict[str, str]) -> list[tuple]:
    names = [
        (query, f"{system}-{query}-{rank}", rank)
        for query, page in pages.items()
        for rank in range(1, len(page) + 1)
    ]
    return [(query, renamed.get(name, name), float(rank)) for query, name, rank in names]


def graded(system: str, pages: dict[str, str]) -> list[tuple]:
    return [
        (query, f"{system}-{query}-{rank}", float(mark == "+"))
        for query, page in pages.items()
        for rank, mark in enumerate(page, 1)
        if mark != "?"
    ]


def inputs(library: str = "polars", *, shared: bool = False) -> tuple[Any, ...]:
    """The frames; `shared` makes the two unjudged products of q2 one product."""
    renamed = {"control-q2-2": "both-q2", "treatment-q2-2": "both-q2"} if shared else {}
    return (
        frame(library, ranked("control", CONTROL, renamed), RANKED),
        frame(library, ranked("treatment", TREATMENT, renamed), RANKED),
        frame(library, graded("control", CONTROL) + graded("treatment", TREATMENT), JUDGMENTS),
        frame(library, QUERIES, ("query_id", "query_type")),
    )


def compared(measure: str, *, shared: bool = False, segment: str | None = None, **how: Any) -> Any:
    by = [] if segment is None else ["query_type"]
    comparison = compare_runs(
        *inputs(shared=shared), measures=[measure], cutoffs=(3,), by=by, **how
    )
    wanted = {} if segment is None else {"query_type": segment}
    return next(row for row in comparison.rows if row.segment == wanted)


def near(*values: float) -> Any:
    return pytest.approx(values if len(values) > 1 else values[0], abs=1e-12)


def value(row: Any) -> tuple[float, float]:
    return row.control, row.treatment


def test_item_goodrate_pools_the_items_shown() -> None:
    row = compared("item_goodrate")
    assert value(row) == near(4 / 9, 6 / 11)
    assert row.delta == near(6 / 11 - 4 / 9)
    assert round(100 * row.delta, 2) == 10.10
    assert row.relative == near((6 / 11 - 4 / 9) / (4 / 9))


def test_item_goodrate_at_fixed_depth_divides_by_three_a_query() -> None:
    assert value(compared("item_goodrate", depth="fixed")) == near(4 / 12, 6 / 12)


def test_item_goodrate_averaged_leaves_out_queries_without_results() -> None:
    control, treatment = value(compared("item_goodrate", average="query"))
    assert control == near((1 / 3 + 0 + 1) / 3)
    assert treatment == near((2 / 3 + 1 / 2 + 1 + 0) / 4)


def test_condensed_lists_leave_out_the_unjudged_products() -> None:
    assert value(compared("item_goodrate", unjudged="drop")) == near(4 / 8, 6 / 10)


def test_query_goodrate_counts_q4_as_not_good() -> None:
    row = compared("query_goodrate")
    assert value(row) == near(2 / 4, 3 / 4)
    assert round(100 * row.delta, 2) == 25
    assert (row.improved, row.same, row.worse) == (1, 3, 0)


def test_judged_share_stands_beside_every_figure() -> None:
    for measure in ("item_goodrate", "query_goodrate", "gsb", "ndcg", "mrr"):
        row = compared(measure)
        assert (row.judged_control, row.judged_treatment) == near(8 / 9, 10 / 11)
    dropped = compared("item_goodrate", unjudged="drop")
    assert (dropped.judged_control, dropped.judged_treatment) == near(8 / 9, 10 / 11)


def bounds(row: Any, of: str) -> tuple[float, float]:
    return row.extra[f"lower_{of}"], row.extra[f"upper_{of}"]


def test_the_unjudged_products_bound_item_goodrate() -> None:
    row = compared("item_goodrate", unjudged="bounds")
    assert value(row) == near(4 / 9, 6 / 11)
    assert bounds(row, "control") == near(4 / 9, 5 / 9)
    assert bounds(row, "treatment") == near(6 / 11, 7 / 11)
    assert bounds(row, "delta") == near(6 / 11 - 5 / 9, 7 / 11 - 4 / 9)
    assert [round(100 * end, 2) for end in bounds(row, "delta")] == [-1.01, 19.19]


def test_one_product_has_one_grade_in_both_runs() -> None:
    row = compared("item_goodrate", unjudged="bounds", shared=True)
    assert bounds(row, "control") == near(4 / 9, 5 / 9)
    assert bounds(row, "treatment") == near(6 / 11, 7 / 11)
    assert bounds(row, "delta") == near(7 / 11 - 5 / 9, 6 / 11 - 4 / 9)
    assert [round(100 * end, 2) for end in bounds(row, "delta")] == [8.08, 10.10]


def test_a_shared_product_moves_the_run_that_shows_fewer_items_more() -> None:
    control, treatment, judged, queries = inputs(shared=True)
    row = compare_runs(
        treatment,
        control,
        judged,
        queries,
        measures=["item_goodrate"],
        cutoffs=(3,),
        unjudged="bounds",
    ).rows[0]
    assert bounds(row, "delta") == near(4 / 9 - 6 / 11, 5 / 9 - 7 / 11)


def test_the_unjudged_products_bound_query_goodrate() -> None:
    row = compared("query_goodrate", unjudged="bounds")
    assert bounds(row, "control") == near(2 / 4, 3 / 4)
    assert bounds(row, "treatment") == near(3 / 4, 3 / 4)
    assert bounds(row, "delta") == near(0, 1 / 4)


def test_automatic_gsb_is_two_good_and_two_same() -> None:
    row = compared("gsb")
    assert row.delta == near(0.5)
    assert [row.extra[name] for name in ("good", "same", "bad")] == [2, 2, 0]
    assert row.extra["win_rate"] == 1.0
    assert row.extra["good_or_same_ratio"] == near((2 + 2) / (0 + 2))
    assert value(row) == (None, None)
    assert (row.improved, row.same, row.worse) == (2, 2, 0)


def test_the_unjudged_products_bound_gsb() -> None:
    # q2 stays at one good product each when the control's ? is good, and the treatment's is not
    assert bounds(compared("gsb", unjudged="bounds"), "delta") == near(1 / 4, 2 / 4)
    assert bounds(compared("gsb", unjudged="bounds", shared=True), "delta") == near(0.5, 0.5)


def test_lists_that_are_identical_are_sames_and_gsb_stands_without_them_too() -> None:
    assert identical(compared("gsb")) == (0, 0.5)
    # were the three products of q3 the same in both runs: q1 and q2 Good, q4 Same, and q3 left out
    control, treatment, judged, queries = inputs("polars")
    one_list = treatment.with_columns(
        product_id=pl.col("product_id").str.replace("treatment-q3", "control-q3")
    )
    rows = compare_runs(
        control, one_list, judged, queries, measures=["gsb"], cutoffs=(3, 1), by=["query_type"]
    ).rows
    found = {(row.cutoff, row.segment.get("query_type")): row for row in rows}
    assert found[3, None].delta == near(2 / 4)
    assert identical(found[3, None]) == (1, near(2 / 3))
    assert identical(found[3, "knowledge"]) == (1, 0)
    assert identical(found[3, "negative"]) == (0, 1)
    # in first place q1 and q2 turn good, q3 stays what it is, q4 has something in one run only
    assert identical(found[1, None]) == (1, near(2 / 3))


def identical(row: Any) -> tuple[int, float | None]:
    return row.extra["identical"], row.extra["without_identical"]


def test_a_margin_of_one_needs_two_more_good_products() -> None:
    row = compared("gsb", margin=1)
    assert [row.extra[name] for name in ("good", "same", "bad")] == [0, 4, 0]


def test_segments_have_rows_of_their_own() -> None:
    rates = compared("item_goodrate", segment="negative")
    assert rates.queries == 2
    assert value(rates) == near(1 / 6, 3 / 5)
    assert value(compared("query_goodrate", segment="negative")) == near(1 / 2, 2 / 2)
    assert value(compared("item_goodrate", segment="knowledge")) == near(3 / 3, 3 / 6)
    assert value(compared("query_goodrate", segment="knowledge")) == near(1 / 2, 1 / 2)


def test_the_overall_row_is_computed_from_the_rows_not_from_the_segments() -> None:
    comparison = compare_runs(
        *inputs(), measures=["item_goodrate"], cutoffs=(3,), by=["query_type"]
    )
    assert [row.segment.get("query_type") for row in comparison.rows] == [
        None,
        "knowledge",
        "negative",
    ]
    assert comparison.rows[0].control == near(4 / 9)
    assert comparison.rows[0].queries == 4


def test_the_query_set_is_described() -> None:
    query_set = compare_runs(*inputs(), cutoffs=(3,)).query_set
    assert query_set == {
        "source": "queries file",
        "size": 4,
        "judged": 4,
        "in_control": 3,
        "in_treatment": 4,
        "in_both": 3,
    }


def test_what_was_shown_is_described_per_run() -> None:
    control, treatment = compare_runs(*inputs(), cutoffs=(3,)).runs
    assert (control["items_shown"], treatment["items_shown"]) == ({"3": 9}, {"3": 11})
    assert control["queries_without_results"] == 1
    assert treatment["queries_without_results"] == 0
    assert control["item_goodrate_fixed_depth"]["3"] == near(4 / 12)
    assert treatment["item_goodrate_fixed_depth"]["3"] == near(6 / 12)


def test_a_difference_of_22_percent_in_items_shown_is_warned_of() -> None:
    warnings = compare_runs(*inputs(), cutoffs=(3,)).warnings
    shown = [warning for warning in warnings if "+22.2%" in warning]
    assert len(shown) == 1
    assert "treatment shows 11 items" in shown[0]
    assert "control 9" in shown[0]
    # judged@3 differs by 2 points only
    assert not any("judged@3" in warning for warning in warnings)
    assert any("'q4'" in warning and "without results" in warning for warning in warnings)


def test_single_runs_have_the_same_values() -> None:
    control, treatment, judged, queries = inputs()
    scores = score_runs(
        {"today": control, "change": treatment},
        judged,
        queries,
        measures=["item_goodrate", "query_goodrate", "judged"],
        cutoffs=(3,),
        unjudged="bounds",
    )
    found = {(row.system, row.measure): row for row in scores.rows}
    assert found["today", "item_goodrate"].value == near(4 / 9)
    assert found["change", "item_goodrate"].value == near(6 / 11)
    assert found["today", "query_goodrate"].value == near(2 / 4)
    assert found["change", "query_goodrate"].value == near(3 / 4)
    assert found["today", "judged"].value == near(8 / 9)
    assert found["change", "judged"].value == near(10 / 11)
    range_ = found["today", "item_goodrate"].extra
    assert (range_["lower"], range_["upper"]) == near(4 / 9, 5 / 9)


def test_the_one_number_functions_have_the_same_values() -> None:
    control, treatment, judged, queries = inputs()
    assert metrics.item_goodrate(control, judged, queries, cutoff=3) == near(4 / 9)
    assert metrics.query_goodrate(treatment, judged, queries, cutoff=3) == near(3 / 4)
    assert metrics.judged(treatment, judged, queries, cutoff=3) == near(10 / 11)
    assert metrics.precision(control, judged, queries, cutoff=3) == near(4 / 12)
    assert metrics.success(control, judged, queries, cutoff=3) == near(2 / 4)
    assert metrics.mrr(control, judged, queries) == near((1 / 3 + 0 + 1 + 0) / 4)
    assert metrics.gsb(control, treatment, judged, queries, cutoff=3) == near(0.5)
    # q1 has three good products in all, q2 one, q3 six, q4 none
    assert metrics.recall(control, judged, queries, cutoff=3) == near((1 / 3 + 0 + 3 / 6 + 0) / 4)
    average_precision = [(1 / 3) / 3, 0, 3 / 6, 0]
    assert metrics.mean_average_precision(control, judged, queries) == near(
        sum(average_precision) / 4
    )


def test_without_results_there_is_no_item_goodrate() -> None:
    control, _, judged, queries = inputs()
    only_q4 = queries.filter(queries["query_id"] == "q4")
    assert math.isnan(metrics.item_goodrate(control, judged, only_q4, cutoff=3))
    assert metrics.query_goodrate(control, judged, only_q4, cutoff=3) == 0
