"""The per-query tables carry the weights from which every figure can be computed again."""

from __future__ import annotations

import math
from typing import Any

import pytest
from shop_runs import N
from shop_runs import inputs as shop
from small_runs import asked, frame, judge, run
from test_worked_figures import inputs as worked

from metrics import compare_runs, score_runs
from metrics.measures import MEASURES

HOW: list[dict[str, Any]] = [
    {},
    {"average": "query"},
    {"depth": "fixed"},
    {"unjudged": "drop"},
    {"unjudged": "bounds"},
    {"good": 2, "min_good": 2, "margin": 1},
    {"ties": "expected"},
    {"ties": "bounds"},
]
every_way = pytest.mark.parametrize("how", HOW, ids=str)
SINGLE = [name for name in MEASURES if name != "gsb"]


def again(rows: list[dict[str, Any]], value: str, weight: str) -> float | None:
    """Σ weight·value / Σ weight, from what the table says; a missing number is in neither sum."""
    known = [row for row in rows if row[weight] is not None]
    total = math.fsum(row[weight] for row in known)
    summed = math.fsum(row[weight] * row[value] for row in known if row[weight] > 0)
    return summed / total if total > 0 else None


def of(table: list[dict[str, Any]], row: Any, system: str | None = None) -> list[dict[str, Any]]:
    """The queries of a row's figure and segment."""
    wanted = {"measure": row.measure, "cutoff": row.cutoff, **row.segment}
    if system is not None:
        wanted["system"] = system
    return [each for each in table if all(each[name] == wanted[name] for name in wanted)]


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, abs=1e-12)


def compared(frames: tuple[Any, ...], by: str, **how: Any) -> tuple[list[Any], list[dict]]:
    found = compare_runs(*frames, measures=list(MEASURES), by=[by], **how)
    return found.rows, found.per_query.to_dicts()


def check(rows: list[Any], table: list[dict]) -> None:
    for row in rows:
        here = of(table, row)
        if row.measure == "gsb":
            assert again(here, "delta", "weight_treatment") == near(row.delta)
            assert [each["weight_control"] for each in here] == [
                each["weight_treatment"] for each in here
            ]
        else:
            assert again(here, "control", "weight_control") == near(row.control)
            assert again(here, "treatment", "weight_treatment") == near(row.treatment)


@every_way
def test_the_worked_figures_are_weighted_means_of_their_queries(how: dict[str, Any]) -> None:
    frames = tuple(
        table.rename({"rank": "score"}).with_columns(score=-table["rank"])
        if "rank" in table.columns and "ties" in how
        else table
        for table in worked()
    )
    check(*compared(frames, "query_type", cutoffs=(3, 2), **how))


@every_way
@pytest.mark.parametrize("weighted", [False, True])
def test_every_figure_is_the_weighted_mean_of_its_queries(
    how: dict[str, Any], weighted: bool
) -> None:
    frames = shop(weighted=weighted, tied=how.get("ties", "id") != "id")
    rows, table = compared(frames, "traffic", cutoffs=(N, 2), **how)
    assert sum(row.delta is not None for row in rows) > 40
    check(rows, table)


@every_way
@pytest.mark.parametrize("weighted", [False, True])
def test_every_value_of_a_single_run_is_the_weighted_mean_of_its_queries(
    how: dict[str, Any], weighted: bool
) -> None:
    control, treatment, judged, queries = shop(weighted=weighted, tied="ties" in how)
    found = score_runs(
        {"a": control, "b": treatment},
        judged,
        queries,
        measures=SINGLE,
        by=["traffic"],
        cutoffs=(N,),
        **how,
    )
    table = found.per_query.to_dicts()
    for row in found.rows:
        assert again(of(table, row, row.system), "value", "weight") == near(row.value)


def test_a_query_that_shows_nothing_has_no_weight_in_pooled_item_goodrate() -> None:
    rows = compare_runs(*worked(), measures=["item_goodrate"], cutoffs=(3,)).per_query.to_dicts()
    weights = [(row["query_id"], row["weight_control"], row["weight_treatment"]) for row in rows]
    assert weights == [("q1", 3, 3), ("q2", 3, 2), ("q3", 3, 3), ("q4", 0, 3)]


def test_a_page_that_nobody_graded_has_no_weight() -> None:
    grades = [("q1", "control", "good"), ("q1", "treatment", "bad"), ("q2", "control", "good")]
    rows = compare_runs(
        run([("q1", "a", 1.0)]),
        run([("q1", "a", 1.0)]),
        judge([("q1", "a", 1)]),
        asked("q1", "q2"),
        measures=["query_goodrate"],
        page_grades=frame("polars", grades, ("query_id", "system", "page_grade")),
    ).per_query.to_dicts()
    weights = [(row["control"], row["weight_control"], row["weight_treatment"]) for row in rows]
    assert weights == [(1, 1, 1), (None, 0, 0)]


def test_a_measure_that_has_no_values_has_no_weights() -> None:
    (row,) = compare_runs(
        run([("q1", "a", 1.0)]),
        run([("q1", "a", 1.0)]),
        judge([("q1", "a", "E")]),
        measures=["ndcg"],
        good_labels=("E",),
    ).per_query.to_dicts()
    assert (row["delta"], row["weight_control"], row["weight_treatment"]) == (None, None, None)


def test_the_weights_follow_the_values() -> None:
    frames = shop()
    compared = compare_runs(*frames, measures=["mrr"], by=["traffic"]).per_query.columns
    scored = score_runs({"a": frames[0]}, *frames[2:], measures=["mrr"]).per_query.columns
    assert compared == [
        *("query_id", "traffic", "measure", "cutoff", "control", "treatment", "delta"),
        *("weight_control", "weight_treatment", "judged_control", "judged_treatment"),
    ]
    assert scored == ["query_id", "measure", "cutoff", "system", "value", "weight", "judged"]


@pytest.mark.parametrize("name", ["weight", "weight_control", "weight_treatment"])
def test_a_segment_cannot_be_called_like_a_weight(name: str) -> None:
    queries = asked("q1", "q2", **{name: [1.0, 2.0]})
    with pytest.raises(ValueError, match=f"'{name}' cannot be a segment"):
        compare_runs(
            run([("q1", "a", 1.0)]),
            run([("q1", "a", 1.0)]),
            judge([("q1", "a", 1)]),
            queries,
            by=[name],
        )
