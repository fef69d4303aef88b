"""Each figure of a comparison has the interval and the test that its kind calls for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from shop_runs import CONTROL, SEGMENTS, TREATMENT, N, inputs, members, sums, votes
from small_runs import asked, judge, run

from metrics import compare_runs, score_runs
from metrics.inference import (
    holm,
    minimal_detectable_effect,
    paired_ratio_interval,
    ratio_interval,
)
from metrics.proportions import (
    mcnemar_p,
    mcnemar_standard_error,
    sign_test_p,
    tango_interval,
    trinomial_interval,
    wilson_interval,
)
from metrics.resampling import bca_interval, paired_bca_interval, swap_test

MEANS = ["ndcg", "precision", "recall", "mrr", "map"]
SHARES = ["query_goodrate", "success"]
RATIOS = ["item_goodrate", "judged"]
SEED = 7


def rows(
    *measures: str, weighted: bool = False, tied: bool = False, by: Any = ("traffic",), **how: Any
) -> list[Any]:
    frames = inputs(weighted=weighted, tied=tied)
    found = compare_runs(*frames, measures=measures, cutoffs=(N,), by=by, seed=SEED, **how).rows
    assert len(found) == len(measures) * (1 + len(by) * 3)
    return found


def pair(row: Any, **how: Any) -> list[np.ndarray]:
    return [
        *sums(row.measure, CONTROL, row.segment, **how),
        *sums(row.measure, TREATMENT, row.segment, **how),
    ]


def near(value: float | None) -> Any:
    return None if value is None else pytest.approx(value, abs=1e-9)


def ends(interval: Any) -> tuple[Any, Any]:
    return (None, None) if interval is None else (near(interval.low), near(interval.high))


def discordant(columns: list[np.ndarray]) -> tuple[int, int, int]:
    control, treatment = columns[0], columns[2]
    return int((treatment > control).sum()), int((treatment < control).sum()), len(control)


# the default intervals and tests


@pytest.mark.parametrize(
    "how",
    [{}, {"average": "query"}, {"depth": "fixed"}, {"unjudged": "drop"}, {"good": 2}],
    ids=str,
)
def test_item_goodrate_has_the_delta_method_and_the_swap_test(how: Any) -> None:
    for row in rows("item_goodrate", **how):
        columns = pair(row, **how)
        estimate = paired_ratio_interval(*columns)
        assert row.delta == near(estimate.value)
        assert (row.ci_low, row.ci_high) == ends(estimate.interval)
        assert row.p == near(swap_test(*columns, seed=SEED))
        assert row.mde == near(
            (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * estimate.standard_error
        )


@pytest.mark.parametrize("measure", SHARES)
def test_shares_of_queries_have_tango_and_the_exact_mcnemar_test(measure: str) -> None:
    how = {"min_good": 2} if measure == "query_goodrate" else {}
    for row in rows(measure, **how):
        b, c, n = discordant(pair(row, **how))
        assert (row.ci_low, row.ci_high) == ends(tango_interval(b, c, n))
        assert row.p == near(mcnemar_p(b, c))
        assert row.mde == near(minimal_detectable_effect(mcnemar_standard_error(b, c, n)))
        assert (row.improved, row.same, row.worse) == (b, n - b - c, c)


@pytest.mark.parametrize("measure", MEANS)
def test_means_have_the_t_interval_of_paired_differences_and_the_swap_test(measure: str) -> None:
    for row in rows(measure):
        columns = pair(row)
        paired = stats.ttest_rel(columns[2], columns[0]).confidence_interval()
        assert (row.ci_low, row.ci_high) == (near(paired.low), near(paired.high))
        assert row.p == near(swap_test(*columns, seed=SEED))
        change = columns[2] - columns[0]
        assert row.improved == (change > 1e-12).sum()
        assert row.worse == (change < -1e-12).sum()


def test_the_judged_share_is_a_ratio_like_item_goodrate() -> None:
    for row in rows("judged"):
        columns = pair(row)
        assert (row.ci_low, row.ci_high) == ends(paired_ratio_interval(*columns).interval)
        assert row.p == near(swap_test(*columns, seed=SEED))


@pytest.mark.parametrize("margin", [0, 1])
def test_gsb_has_the_trinomial_interval_and_the_sign_test(margin: int) -> None:
    for row in rows("gsb", margin=margin):
        found = votes(row.segment, margin)
        counts = [found.count(vote) for vote in (1, 0, -1)]
        estimate = trinomial_interval(*counts)
        assert row.delta == near(estimate.value)
        assert (row.ci_low, row.ci_high) == ends(estimate.interval)
        assert row.p == near(sign_test_p(counts[0], counts[2]))


# weights and expected ties take the linearised interval and the swap test


@pytest.mark.parametrize("measure", [*RATIOS, *SHARES, *MEANS])
def test_weighted_figures_are_linearised(measure: str) -> None:
    for row in rows(measure, weighted=True):
        columns = pair(row, weighted=True)
        estimate = paired_ratio_interval(*columns)
        assert row.delta == near(estimate.value)
        assert (row.ci_low, row.ci_high) == ends(estimate.interval)
        assert row.p == near(swap_test(*columns, seed=SEED))


def test_weights_that_let_few_queries_decide_are_warned_of() -> None:
    _, weights = sums("precision", CONTROL, {}, weighted=True)
    worth = weights.sum() ** 2 / (weights**2).sum()
    said = [
        warning
        for warning in compare_runs(*inputs(weighted=True), cutoffs=(N,)).warnings
        if "by their weights" in warning
    ]
    assert said == [
        f"by their weights {len(weights)} queries decide like {worth:.0f}: intervals of weighted "
        "shares of queries are then too narrow; look at the unweighted ones too."
    ]
    plain = compare_runs(*inputs(), cutoffs=(N,)).warnings
    assert not any("by their weights" in warning for warning in plain)


def test_weighted_gsb_is_linearised() -> None:
    for row in rows("gsb", weighted=True):
        _, weights = sums("precision", CONTROL, row.segment, weighted=True)
        none = np.zeros_like(weights)
        columns = none, weights, weights * votes(row.segment), weights
        estimate = paired_ratio_interval(*columns)
        assert row.delta == near(estimate.value)
        assert (row.ci_low, row.ci_high) == ends(estimate.interval)
        assert row.p == near(swap_test(*columns, seed=SEED))


@pytest.mark.parametrize("measure", ["query_goodrate", "success", "ndcg", "precision"])
def test_expected_values_over_ties_are_linearised(measure: str) -> None:
    comparison = compare_runs(
        *inputs(tied=True), measures=[measure], cutoffs=(N,), ties="expected", seed=SEED
    )
    table = comparison.per_query
    control, treatment = table["control"].to_numpy(), table["treatment"].to_numpy()
    assert not set(control) <= {0.0, 1.0}
    ones = np.ones_like(control)
    row = comparison.rows[0]
    columns = control, ones, treatment, ones
    assert (row.ci_low, row.ci_high) == ends(paired_ratio_interval(*columns).interval)
    assert row.p == near(swap_test(*columns, seed=SEED))


# the bootstrap


@pytest.mark.parametrize("measure", [*RATIOS, *SHARES, *MEANS])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_bootstrap_is_bca_and_has_no_p(measure: str, weighted: bool) -> None:
    (row,) = rows(measure, weighted=weighted, ci="bootstrap", by=())
    interval = paired_bca_interval(*pair(row, weighted=weighted), seed=SEED)
    assert (row.ci_low, row.ci_high) == ends(interval)
    assert (row.p, row.p_holm) == (None, None)


def test_the_bootstrap_of_gsb_resamples_the_verdicts() -> None:
    (row,) = rows("gsb", ci="bootstrap", by=())
    found = np.array(votes({}), dtype=np.float64)
    ones, none = np.ones_like(found), np.zeros_like(found)
    interval = paired_bca_interval(none, ones, found, ones, seed=SEED)
    assert (row.ci_low, row.ci_high) == ends(interval)
    assert (row.p, row.p_holm) == (None, None)


# single runs


def scored(measure: str, *, weighted: bool = False, **how: Any) -> Any:
    control, _, judged, queries = inputs(weighted=weighted)
    scores = score_runs(
        {"run": control}, judged, queries, measures=[measure], cutoffs=(N,), seed=SEED, **how
    )
    return scores.rows[0]


@pytest.mark.parametrize("measure", SHARES)
def test_a_single_share_has_the_wilson_interval(measure: str) -> None:
    row = scored(measure)
    good, all_of = sums(measure, CONTROL, {})
    assert row.value == near(good.mean())
    interval = wilson_interval(int(good.sum()), len(all_of))
    assert (row.ci_low, row.ci_high) == ends(interval)


@pytest.mark.parametrize("measure", [*RATIOS, *MEANS])
def test_a_single_ratio_or_mean_has_the_delta_method(measure: str) -> None:
    row, estimate = scored(measure), ratio_interval(*sums(measure, CONTROL, {}))
    assert row.value == near(estimate.value)
    assert (row.ci_low, row.ci_high) == ends(estimate.interval)


@pytest.mark.parametrize("measure", SHARES)
def test_a_single_weighted_share_is_linearised(measure: str) -> None:
    row = scored(measure, weighted=True)
    estimate = ratio_interval(*sums(measure, CONTROL, {}, weighted=True))
    assert row.value == near(estimate.value)
    assert (row.ci_low, row.ci_high) == ends(estimate.interval)


@pytest.mark.parametrize("measure", ["item_goodrate", "query_goodrate", "ndcg"])
def test_a_single_run_can_be_bootstrapped(measure: str) -> None:
    row = scored(measure, ci="bootstrap")
    assert (row.ci_low, row.ci_high) == ends(bca_interval(*sums(measure, CONTROL, {}), seed=SEED))


# Holm


def adjusted(found: list[Any]) -> dict[tuple, float]:
    return {
        (row.measure, row.cutoff, row.segment.get("traffic")): row.p_holm
        for row in found
        if row.p_holm is not None
    }


def compared(**how: Any) -> list[Any]:
    return compare_runs(
        *inputs(),
        measures=["item_goodrate", "query_goodrate", "ndcg", "mrr", "gsb"],
        cutoffs=(N, 2),
        **how,
    ).rows


def test_holm_covers_the_goodrates_at_the_first_cutoff_in_every_segment() -> None:
    found = compared(by=["traffic"])
    family = {
        (measure, N, segment)
        for measure in ("item_goodrate", "query_goodrate")
        for segment in (None, *SEGMENTS.values())
    }
    assert adjusted(found).keys() == family
    raw = {(row.measure, row.cutoff, row.segment.get("traffic")): row.p for row in found}
    assert all(p is not None for p in raw.values())
    expected = dict(zip(family, holm([raw[key] for key in family]), strict=True))
    assert adjusted(found) == {key: near(p) for key, p in expected.items()}


def test_holm_covers_the_primary_measures_that_are_named() -> None:
    assert adjusted(compared(primary=["gsb", "mrr"])).keys() == {
        ("gsb", N, None),
        ("mrr", None, None),
    }


def test_an_empty_family_leaves_every_row_exploratory() -> None:
    assert adjusted(compared(primary=[])) == {}


def test_one_primary_figure_needs_no_correction() -> None:
    (row,) = [row for row in compared(primary=["ndcg"]) if row.p_holm is not None]
    assert row.p_holm == row.p


# where a number does not exist

TWO = [("q1", "a", 2.0), ("q1", "b", 1.0), ("q2", "a", 1.0)]


def test_one_query_gives_a_value_but_no_interval_and_no_test() -> None:
    found = compare_runs(
        run(TWO[:2]),
        run(TWO[1:2]),
        judge([("q1", "b", 1)]),
        measures=["item_goodrate", "query_goodrate", "gsb", "ndcg"],
    ).rows
    for row in found:
        assert row.delta is not None
        assert (row.ci_low, row.ci_high, row.p, row.p_holm) == (None, None, None, None)
        assert "fewer than 2 queries" in row.extra["note"]


def test_a_segment_of_one_query_costs_the_others_no_power() -> None:
    queries = asked("q1", "q2", "q3", kind=["x", "x", "y"])
    found = compare_runs(
        run(TWO),
        run([("q1", "b", 1.0), ("q2", "b", 1.0), ("q3", "a", 1.0)]),
        judge([("q1", "b", 1), ("q2", "b", 1), ("q3", "a", 1)]),
        queries,
        measures=["query_goodrate"],
        by=["kind"],
    ).rows
    assert [row.queries for row in found] == [3, 2, 1]
    assert (found[2].p, found[2].mde) == (None, None)
    assert found[0].p_holm == near(holm([found[0].p, found[1].p])[0])


def test_without_any_item_shown_there_is_no_item_goodrate() -> None:
    (row,) = compare_runs(
        run([]), run(TWO), judge([("q1", "b", 1), ("q2", "a", 0)]), measures=["item_goodrate"]
    ).rows
    assert (row.control, row.delta, row.relative, row.ci_low, row.p) == (None,) * 5
    assert row.treatment == near(1 / 3)
    assert "shown" in row.extra["note"]


def test_from_zero_there_is_no_relative_change() -> None:
    (row,) = compare_runs(
        run(TWO), run(TWO), judge([("q1", "zz", 1), ("q2", "zz", 1)]), measures=["item_goodrate"]
    ).rows
    assert (row.control, row.delta, row.relative) == (0, 0, None)


def test_runs_that_never_differ_give_no_detectable_effect() -> None:
    judged = judge([("q1", "b", 1), ("q2", "a", 1)])
    for row in compare_runs(run(TWO), run(TWO), judged, measures=["ndcg", "query_goodrate"]).rows:
        assert row.p == 1.0
        assert row.mde is None


def test_no_discordant_query_still_has_an_interval() -> None:
    judged = judge([("q1", "b", 1), ("q2", "a", 1)])
    (row,) = compare_runs(run(TWO), run(TWO), judged, measures=["query_goodrate"]).rows
    z = stats.norm.ppf(0.975)
    assert (row.ci_low, row.ci_high) == (near(-(z**2) / (2 + z**2)), near(z**2 / (2 + z**2)))


def test_a_segment_row_is_the_comparison_of_its_queries_alone() -> None:
    for row in rows("item_goodrate", "query_goodrate", "ndcg"):
        if not row.segment:
            continue
        alone = compare_runs(
            *inputs()[:3],
            asked(*members(row.segment)),
            measures=[row.measure],
            cutoffs=(N,),
            seed=SEED,
        ).rows[0]
        assert alone.queries == row.queries == 10
        for name in ("control", "treatment", "delta", "ci_low", "ci_high", "p", "mde"):
            assert getattr(row, name) == near(getattr(alone, name)), name
        assert not math.isnan(row.delta)
