"""What sample a difference between two runs needs, from the per-query table of a pilot."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats
from shop_runs import inputs
from small_runs import asked, frame, judge, kind, run

from metrics import MetricsError, compare_runs
from metrics.inference import paired_ratio_interval
from metrics.measures import MEASURES
from metrics.planning import plan_comparison
from metrics.power import sign_power, sign_queries
from metrics.proportions import tango_interval

LIBRARIES = ["pandas", "polars", "polars-lazy", "pyarrow", "duckdb"]


def table(measure: str = "ndcg", **columns: Any) -> pl.DataFrame:
    """A per-query table of one measure at cutoff 10."""
    size = len(next(iter(columns.values())))
    ids = [f"q{at:03}" for at in range(size)]
    return pl.DataFrame({"query_id": ids, "measure": measure, "cutoff": 10, **columns})


def shares(gained: int, lost: int, rest: int, measure: str = "query_goodrate") -> pl.DataFrame:
    """Queries that became good, that stopped being good, and others."""
    control = [0.0] * gained + [1.0] * lost + [1.0] * rest
    treatment = [1.0] * gained + [0.0] * lost + [1.0] * rest
    return table(
        measure,
        control=control,
        treatment=treatment,
        delta=[after - before for before, after in zip(control, treatment, strict=True)],
        weight_control=[1.0] * len(control),
        weight_treatment=[1.0] * len(control),
    )


def verdicts(good: int, same: int, bad: int) -> pl.DataFrame:
    found = [1.0] * good + [0.0] * same + [-1.0] * bad
    ones = [1.0] * len(found)
    return table("gsb", delta=found, weight_control=ones, weight_treatment=ones)


def planned(pilot: Any, **how: Any) -> Any:
    rows = plan_comparison(pilot, **how).rows
    assert len(rows) == 1
    return rows[0]


# the same calculation as in score


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"average": "query"},
        {"depth": "fixed"},
        {"unjudged": "drop"},
        {"ties": "expected"},
        {"good": 2, "min_good": 2, "margin": 1},
        {"ci": "bootstrap"},
    ],
    ids=str,
)
def test_the_plan_finds_at_the_pilots_size_what_the_score_says_it_finds(
    how: dict[str, Any], weighted: bool
) -> None:
    frames = inputs(weighted=weighted, tied="ties" in how)
    scored = compare_runs(*frames, measures=list(MEASURES), by=["traffic"], cutoffs=(4, 2), **how)
    rows = plan_comparison(scored.per_query, delta=0.3, by=["traffic"]).rows
    found = {(row.measure, row.cutoff, *row.segment.values()): row for row in rows}
    assert len(found) == len(scored.rows)
    for row in scored.rows:
        same = found[row.measure, row.cutoff, *row.segment.values()]
        assert same.mde == (None if row.mde is None else pytest.approx(row.mde, abs=1e-12))
        if row.delta is not None:
            assert same.pilot_delta == pytest.approx(row.delta, abs=1e-12)
            assert same.pilot_queries == row.queries
    assert sum(row.mde is not None for row in rows) >= 40


def test_page_grades_are_planned_over_the_graded_queries() -> None:
    rng = random.Random(2)
    ids = [f"q{at:02}" for at in range(30)]
    grades = [
        (query, system, rng.choice(["good", "bad"]))
        for query in ids[:20]
        for system in ("control", "treatment")
    ]
    rows = [(query, "a", 1.0) for query in ids]
    scored = compare_runs(
        run(rows),
        run(rows),
        judge([(query, "a", 1) for query in ids]),
        asked(*ids),
        page_grades=frame("polars", grades, ("query_id", "system", "page_grade")),
        measures=["query_goodrate"],
    )
    row = planned(scored.per_query, delta=0.2)
    assert (row.method, row.pilot_queries) == ("mcnemar", 20)
    assert row.mde == pytest.approx(scored.rows[0].mde)


# what is planned


def test_an_error_shrinks_with_the_root_of_the_queries() -> None:
    pilot = table(delta=[-0.2, -0.1, 0.1, 0.2] * 40)
    error = math.sqrt(np.var([-0.2, -0.1, 0.1, 0.2] * 40, ddof=1) / 160)
    row = planned(pilot, delta=0.02, queries=640)
    assert row.standard_error == pytest.approx(error)
    assert row.mde == pytest.approx((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * error / 2)
    # (2.8016 · 0.1586 / 0.02)² = 493.6, and two more for Student's t
    assert row.needed_queries == 496
    assert row.method == "paired_t"


def test_a_ratio_is_planned_with_clusters_not_items() -> None:
    shown_control, shown_treatment = [3.0, 2, 3, 0] * 30, [3.0, 3, 2, 3] * 30
    good_control, good_treatment = [1.0, 0, 3, 0] * 30, [2.0, 1, 1, 3] * 30
    values = [good / max(1, shown) for good, shown in zip(good_control, shown_control, strict=True)]
    pilot = table(
        "item_goodrate",
        control=values,
        treatment=np.divide(good_treatment, shown_treatment),
        delta=[0.0] * 120,
        weight_control=shown_control,
        weight_treatment=shown_treatment,
    )
    estimate = paired_ratio_interval(good_control, shown_control, good_treatment, shown_treatment)
    assert estimate is not None
    row = planned(pilot, delta=0.1)
    assert row.method == "delta_method"
    assert row.pilot_delta == pytest.approx(estimate.value)
    assert row.standard_error == pytest.approx(estimate.standard_error)


@pytest.mark.parametrize("measure", ["query_goodrate", "success"])
def test_shares_are_planned_for_the_exact_test_at_the_pilots_discordance(measure: str) -> None:
    row = planned(shares(16, 4, 80, measure), delta=0.05, queries=400)
    assert row.method == "mcnemar"
    assert row.needed_queries == sign_queries(0.125, 0.075)
    assert row.power == sign_power(0.125, 0.075, 400)
    b, c = round(row.needed_queries * 0.125), round(row.needed_queries * 0.075)
    interval = tango_interval(b, c, row.needed_queries)
    assert interval is not None
    assert row.interval_width == interval.high - interval.low


def test_verdicts_are_planned_for_the_sign_test_and_the_trinomial_interval() -> None:
    row = planned(verdicts(30, 50, 20), delta=0.2)
    assert row.method == "sign_test"
    assert row.needed_queries == sign_queries(0.35, 0.15)
    assert row.interval_width == pytest.approx(
        2 * stats.norm.ppf(0.975) * math.sqrt((0.5 - 0.04) / row.needed_queries)
    )


def test_weights_take_the_linearised_error_of_a_share() -> None:
    pilot = shares(16, 4, 80).with_columns(
        weight_control=pl.Series([1.0, 2.0] * 50), weight_treatment=pl.Series([1.0, 2.0] * 50)
    )
    assert planned(pilot, delta=0.05).method == "delta_method"


def test_twice_the_difference_needs_about_a_quarter_of_the_queries() -> None:
    rng = np.random.default_rng(1)
    for pilot in (table(delta=rng.normal(0, 0.2, 300)), shares(30, 30, 240), verdicts(40, 120, 40)):
        small, large = (planned(pilot, delta=delta).needed_queries for delta in (0.02, 0.04))
        assert small / large == pytest.approx(4, rel=0.06)


def test_more_power_or_a_stricter_level_needs_more_queries() -> None:
    pilot = shares(16, 4, 80)
    usual = planned(pilot, delta=0.05)
    assert planned(pilot, delta=0.05, power=0.9).needed_queries > 1.2 * usual.needed_queries
    assert planned(pilot, delta=0.05, alpha=0.025).needed_queries > 1.15 * usual.needed_queries
    assert planned(pilot, delta=0.05, alpha=0.025).mde > usual.mde


def test_the_direction_of_the_pilot_does_not_matter() -> None:
    for gained, lost in ((16, 4), (4, 16)):
        assert planned(shares(gained, lost, 80), delta=0.05).needed_queries == sign_queries(
            0.125, 0.075
        )


def test_the_number_of_queries_alone_tells_what_they_find() -> None:
    row = planned(shares(16, 4, 80), queries=400)
    assert (row.needed_queries, row.power, row.simulated_power) == (None, None, None)
    assert row.mde == pytest.approx(2.8015852 * math.sqrt(0.2 / 400), abs=1e-6)
    assert row.queries == 400


def test_a_segment_has_its_share_of_the_queries() -> None:
    pilot = shares(16, 4, 80).with_columns(kind=pl.Series(["a"] * 25 + ["b"] * 75))
    rows = plan_comparison(pilot, delta=0.05, queries=1_000, by=["kind"]).rows
    assert [(row.segment, row.queries) for row in rows] == [
        ({}, 1_000),
        ({"kind": "a"}, 250),
        ({"kind": "b"}, 750),
    ]
    assert [row.pilot_queries for row in rows] == [100, 25, 75]


# what cannot be planned says why


def test_one_query_tells_of_no_spread() -> None:
    row = planned(table(delta=[0.1]), delta=0.02)
    assert (row.needed_queries, row.mde, row.power) == (None, None, None)
    assert "fewer than 2 queries" in row.note


@pytest.mark.parametrize(
    ("pilot", "said"),
    [
        (shares(0, 0, 40), "no query changed in the pilot"),
        (verdicts(0, 40, 0), "no query changed in the pilot"),
        (table(delta=[0.0] * 40), "no query changed in the pilot"),
        (table(delta=[0.1] * 40), "every query changed alike in the pilot"),
    ],
)
def test_a_pilot_without_variance_plans_nothing(pilot: Any, said: str) -> None:
    row = planned(pilot, delta=0.02)
    assert (row.needed_queries, row.mde, row.power) == (None, None, None)
    assert said in row.note


def test_a_difference_greater_than_what_changes_takes_just_enough_changes() -> None:
    row = planned(shares(2, 1, 97), delta=0.1)
    assert row.needed_queries == sign_queries(0.1, 0.0)
    assert "more changed queries than the pilot's 3.0%" in row.note


def test_a_share_cannot_differ_by_more_than_100_points() -> None:
    row = planned(shares(16, 4, 80), delta=1.5)
    assert row.needed_queries is None
    assert "above 100 points" in row.note


def test_a_measure_without_values_says_so() -> None:
    nothing = [None] * 5
    pilot = table(delta=nothing, weight_control=nothing, weight_treatment=nothing)
    assert planned(pilot, delta=0.02).note == "no values in the pilot"


def test_a_small_pilot_is_warned_of() -> None:
    assert "The pilot has 20 queries" in plan_comparison(shares(2, 2, 16), delta=0.1).warnings[0]
    assert plan_comparison(shares(10, 10, 80), delta=0.1).warnings == []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "say which difference is to be found"),
        ({"delta": 0.0}, "delta must be at least 0.0001"),
        ({"delta": -0.02}, "delta must be at least 0.0001"),
        ({"delta": math.nan}, "delta must be at least 0.0001"),
        ({"delta": 0.02, "power": 80}, "power must lie between 0 and 1, not 80"),
        ({"delta": 0.02, "alpha": 0}, "alpha must lie between 0 and 1, not 0"),
        ({"queries": 1}, "queries must be 2 or more"),
        ({"delta": 0.02, "seed": -1}, "seed must be 0 or more"),
        ({"delta": 0.02, "measures": ["mrr"]}, "no measure 'mrr'; it has: query_goodrate"),
        ({"delta": 0.02, "cutoffs": [5]}, "no cutoff 5; it has: 10"),
        ({"delta": 0.02, "by": ["kind"]}, "'kind'"),
        ({"delta": 0.02, "by": ["delta"]}, "'delta' cannot be a segment"),
        ({"delta": 0.02, "by": ["x", "x"]}, "'x'|named twice"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(how: dict[str, Any], said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        plan_comparison(shares(16, 4, 80), **how)


@pytest.mark.parametrize(
    ("pilot", "said"),
    [
        (shares(2, 2, 2).drop("delta"), "delta"),
        (shares(0, 0, 1).head(0), "is empty"),
        (pl.concat([shares(2, 2, 2)] * 2), "'q000' has query_goodrate more than once"),
        (table(delta=[0.1, math.inf]), "ndcg of query 'q001' is no finite number"),
        (table(delta=["x", "y"]), "delta of the per-query table holds no numbers"),
        (
            table(delta=[0.1, 0.2], weight_control=[1.0, -1.0], weight_treatment=[1.0, 1.0]),
            "its weight is below 0|finite",
        ),
        (
            pl.DataFrame({"query_id": ["q"], "measure": ["mrr"], "system": ["a"], "value": [0.1]}),
            "of single runs",
        ),
        (
            shares(2, 2, 2).with_columns(query_id=pl.lit("")),
            "an empty query_id",
        ),
    ],
)
def test_a_table_that_is_no_pilot_is_refused(pilot: Any, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        plan_comparison(pilot, delta=0.02)


def test_something_that_is_no_frame_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a data frame"):
        plan_comparison([1, 2], delta=0.02)


# tables of every kind


def test_a_table_without_weights_is_planned_query_by_query_with_a_warning() -> None:
    scored = compare_runs(*inputs(), measures=["item_goodrate", "query_goodrate", "gsb", "ndcg"])
    old = scored.per_query.drop("weight_control", "weight_treatment")
    plan = plan_comparison(old, delta=0.05)
    assert "The pilot has no weights" in plan.warnings[0]
    new = plan_comparison(scored.per_query, delta=0.05).rows
    same = [row.needed_queries for row in plan.rows[1:]]
    assert same == [row.needed_queries for row in new[1:]]
    assert [row.method for row in plan.rows] == ["paired_t", "mcnemar", "sign_test", "paired_t"]
    assert new[0].method == "delta_method"


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_kind_of_frame_is_planned_alike_and_given_back(library: str) -> None:
    per_query = compare_runs(
        *inputs(library=library), measures=["mrr", "gsb"], by=["traffic"], cutoffs=(4,)
    ).per_query
    plan = plan_comparison(per_query, delta=0.05, by=["traffic"])
    assert [row.needed_queries for row in plan.rows] == [
        744,
        1020,
        552,
        806,
        2130,
        2549,
        1606,
        2235,
    ]
    assert kind(plan.table) == library


def test_the_order_of_rows_does_not_matter() -> None:
    per_query = compare_runs(*inputs(), measures=["item_goodrate"], by=["traffic"]).per_query
    how: dict[str, Any] = {"delta": 0.1, "by": ["traffic"], "simulate": 20, "seed": 3}
    plans = [
        plan_comparison(per_query.sample(fraction=1, shuffle=True, seed=seed), **how).to_dict()
        for seed in (1, 2)
    ]
    assert plans[0] == plans[1]


def test_figures_come_in_the_order_of_the_table_or_as_asked_for() -> None:
    measures = ["ndcg", "item_goodrate", "mrr"]
    per_query = compare_runs(*inputs(), measures=measures, cutoffs=(4, 2)).per_query

    def figures(**how: Any) -> list[tuple[str, int | None]]:
        return [(row.measure, row.cutoff) for row in plan_comparison(per_query, **how).rows]

    assert figures(delta=0.1) == [
        ("ndcg", 4), ("ndcg", 2), ("item_goodrate", 4), ("item_goodrate", 2), ("mrr", None),
    ]  # fmt: skip
    assert figures(delta=0.1, measures=["mrr", "ndcg"], cutoffs=[2]) == [("mrr", None), ("ndcg", 2)]


def test_a_measure_of_ones_own_is_planned_as_a_mean() -> None:
    row = planned(table("revenue", delta=[5.0, -3.0, 2.0, 0.0] * 20), delta=1.0)
    assert (row.measure, row.method) == ("revenue", "paired_t")
    assert row.needed_queries > 30


# simulation


@pytest.mark.parametrize(
    "pilot",
    [
        shares(16, 4, 80),
        verdicts(30, 50, 20),
        table(delta=np.random.default_rng(4).normal(0.05, 0.2, 200)),
    ],
    ids=["mcnemar", "sign_test", "paired_t"],
)
def test_simulated_samples_of_the_planned_size_find_as_often_as_planned(pilot: Any) -> None:
    row = planned(pilot, delta=0.1, simulate=400)
    assert row.simulated_power == pytest.approx(0.8, abs=3.5 * math.sqrt(0.16 / 400))


def test_with_a_number_of_queries_it_is_their_power_that_is_simulated() -> None:
    row = planned(shares(16, 4, 80), delta=0.1, queries=60, simulate=400)
    assert 0.2 < row.power < 0.6
    assert row.simulated_power == pytest.approx(row.power, abs=3.5 * math.sqrt(0.25 / 400))


def test_the_seed_decides_the_simulation() -> None:
    pilot = table(delta=np.random.default_rng(4).normal(0.05, 0.2, 60))
    one, again, other = (
        planned(pilot, delta=0.1, simulate=40, seed=seed).simulated_power for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_the_plan_is_written_as_json_with_its_settings() -> None:
    plan = plan_comparison(shares(16, 4, 80), delta=0.05, measures=["query_goodrate"], seed=9)
    written = json.loads(plan.to_json())
    assert written == plan.to_dict()
    assert written["settings"] == {
        "delta": 0.05, "power": 0.8, "alpha": 0.05, "queries": None, "simulate": 0, "seed": 9,
        "measures": ["query_goodrate"], "cutoffs": [], "by": [],
    }  # fmt: skip
    assert written["pilot"] == {"from": "per-query values", "queries": 100}
    assert "query_goodrate@10" in repr(plan)
    assert plan._repr_html_().startswith("<table>")
