"""Δ over several seeds: figures worked by hand, and intervals that hold for new seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from small_runs import RANKED, asked, frame, judge

from metrics import MetricsError, compare_runs, compare_seeds
from metrics.clusters import least_variance
from metrics.seeds import seed_spread

GOOD = judge([(query, name, 1) for query in ("q1", "q2", "q3", "q4") for name in "gh"])
QUERIES = asked("q1", "q2", "q3", "q4", kind=["a", "a", "b", "b"])


def shows(*lists: str) -> Any:
    """A run with one list a query; g and h are good, every other letter is bad."""
    rows = [
        (f"q{number}", name, rank)
        for number, items in enumerate(lists, start=1)
        for rank, name in enumerate(items, start=1)
    ]
    return frame("polars", rows, RANKED)


CONTROL = shows("gx", "xy", "xy", "gh")
FIRST = shows("gh", "gx", "xy", "gh")  # +1, +1, 0, 0 of 2 items
SECOND = shows("gh", "gh", "gx", "xg")  # +1, +2, +1, -1


def row(found: Any, measure: str, **segment: Any) -> Any:
    return next(
        each for each in found.rows if each.measure == measure and dict(each.segment) == segment
    )


def cochran(level: float, of_queries: float, of_seeds: float, seeds: int, queries: int) -> float:
    """The quantile between two: each source's own, weighted by its variance."""
    one, two = stats.t.ppf(level, queries - 1), stats.t.ppf(level, seeds - 1)
    return float((of_queries * one + of_seeds * two) / (of_queries + of_seeds))


def test_item_goodrate_over_two_seeds_is_what_a_hand_finds() -> None:
    found = row(compare_seeds([CONTROL], [FIRST, SECOND], GOOD, QUERIES, cutoffs=(2,)),
                "item_goodrate")  # fmt: skip
    # every list shows 2: a query's difference is half its good items more
    first, second = [0.5, 0.5, 0, 0], [0.5, 1.0, 0.5, -0.5]
    assert found.control == pytest.approx(3 / 8)
    assert found.treatment == pytest.approx((5 / 8 + 6 / 8) / 2)
    assert found.extra["seed_deltas"] == pytest.approx([0.25, 0.375])
    assert found.delta == pytest.approx(0.3125)
    assert found.relative == pytest.approx(0.3125 / 0.375)
    # means over seeds 0.5, 0.75, 0.25, -0.25: deviations from 0.3125 square and sum to 0.546875
    of_queries = 0.546875 / 3 / 4
    of_seeds = 0.0625**2 * 2 / 1 / 2
    assert np.var([(a + b) / 2 for a, b in zip(first, second, strict=True)], ddof=1) / 4 == (
        pytest.approx(of_queries)
    )
    error = math.sqrt(of_queries + of_seeds)
    assert found.extra["standard_error"] == pytest.approx(error)
    assert found.extra["seed_share"] == pytest.approx(of_seeds / (of_queries + of_seeds))
    half = cochran(0.975, of_queries, of_seeds, 2, 4) * error
    assert (found.ci_low, found.ci_high) == pytest.approx((0.3125 - half, 0.3125 + half))
    assert cochran(1 - found.p / 2, of_queries, of_seeds, 2, 4) * error == pytest.approx(0.3125)
    assert found.mde == pytest.approx(half + cochran(0.8, of_queries, of_seeds, 2, 4) * error)
    assert (found.improved, found.same, found.worse) == (3, 0, 1)
    assert found.extra["seeds"] == 2
    assert "Δ of 2 seeds: +25.00, +37.50" in found.extra["note"]


def test_query_goodrate_over_two_seeds_is_a_difference_of_shares() -> None:
    found = row(compare_seeds([CONTROL], [FIRST, SECOND], GOOD, QUERIES, cutoffs=(2,)),
                "query_goodrate")  # fmt: skip
    assert (found.control, found.treatment) == pytest.approx((2 / 4, (3 / 4 + 4 / 4) / 2))
    assert found.extra["seed_deltas"] == [0.25, 0.5]
    # means over seeds 0, 1, 0.5, 0 around 0.375 square and sum to 0.6875
    seen, of_seeds = 0.6875 / 3 / 4, 0.125**2 * 2 / 1 / 2
    # z² = 3.8415 queries more, of which each moves: 4 queries are too few to show all that moves
    of_queries = (3.8415 + 16 * seen) / 7.8415**2
    assert of_queries > seen
    half = cochran(0.975, of_queries, of_seeds, 2, 4) * math.sqrt(of_queries + of_seeds)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.375 - half, 0.375 + half), rel=1e-4)


def test_lists_of_unlike_depth_have_the_delta_method() -> None:
    # pooled ratios: 1/4 → 3/4 and 3/5, over q1 and q2 of depths 1 and 3
    control, first, second = shows("x", "gxy"), shows("g", "ghx"), shows("xg", "ghx")
    judged, queries = GOOD, asked("q1", "q2")
    found = row(compare_seeds([control], [first, second], judged, queries, cutoffs=(3,)),
                "item_goodrate")  # fmt: skip
    assert found.extra["seed_deltas"] == pytest.approx([3 / 4 - 1 / 4, 3 / 5 - 1 / 4])

    def linear(good: list[int], shown: list[int]) -> np.ndarray:
        rate, mean = sum(good) / sum(shown), sum(shown) / 2
        return np.array([(g - rate * d) / mean for g, d in zip(good, shown, strict=True)])

    before = linear([0, 1], [1, 3])
    both = (linear([1, 2], [1, 3]) - before + linear([1, 2], [2, 3]) - before) / 2
    of_seeds = ((3 / 4 - 3 / 5) / 2) ** 2 * 2 / 1 / 2
    error = math.sqrt(float(both.var(ddof=1)) / 2 + of_seeds)
    assert found.ci_high - found.delta == pytest.approx(stats.t.ppf(0.975, 1) * error)
    fixed = row(
        compare_seeds([control], [first, second], judged, queries, cutoffs=(3,), depth="fixed"),
        "item_goodrate",
    )
    assert fixed.extra["seed_deltas"] == pytest.approx([2 / 6, 2 / 6])
    assert (fixed.ci_low, fixed.ci_high, fixed.extra["seed_share"]) == (fixed.delta,) * 2 + (None,)


def test_a_segment_is_computed_from_its_own_queries() -> None:
    found = compare_seeds([CONTROL], [FIRST, SECOND], GOOD, QUERIES, by=["kind"], cutoffs=(2,))
    part = row(found, "item_goodrate", kind="a")
    assert part.extra["seed_deltas"] == pytest.approx([0.5, 0.75])
    alone = compare_seeds([CONTROL], [FIRST, SECOND], GOOD, asked("q1", "q2"), cutoffs=(2,))
    other = row(alone, "item_goodrate")
    assert (part.ci_low, part.ci_high, part.p) == (other.ci_low, other.ci_high, other.p)
    assert all(each.p_holm is not None and each.p_holm >= each.p for each in found.rows)


def test_several_controls_are_paired_by_place() -> None:
    found = compare_seeds([FIRST, CONTROL], [SECOND, FIRST], GOOD, QUERIES, cutoffs=(2,))
    one = row(found, "item_goodrate")
    assert one.extra["seed_deltas"] == pytest.approx([1 / 8, 2 / 8])
    assert one.control == pytest.approx((5 / 8 + 3 / 8) / 2)


def test_seeds_that_agree_leave_the_interval_of_the_queries() -> None:
    one = row(compare_runs(CONTROL, SECOND, GOOD, QUERIES, cutoffs=(2,)), "item_goodrate")
    two = row(compare_seeds([CONTROL], [SECOND] * 3, GOOD, QUERIES, cutoffs=(2,)), "item_goodrate")
    assert (two.delta, two.ci_low, two.ci_high) == pytest.approx(
        (one.delta, one.ci_low, one.ci_high)
    )
    assert two.p == pytest.approx(2 * stats.t.sf(two.delta / two.extra["standard_error"], 3))


def test_runs_that_never_differ_have_no_detectable_difference() -> None:
    found = row(compare_seeds([FIRST], [FIRST, FIRST], GOOD, QUERIES), "item_goodrate")
    assert (found.delta, found.ci_low, found.ci_high, found.p, found.mde) == (0, 0, 0, 1, None)


def lists(*, good: range, queries: int) -> Any:
    """A run whose list is good on some queries, by their numbers."""
    return frame(
        "polars", [(f"q{at}", "g" if at in good else "x", 1) for at in range(queries)], RANKED
    )


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (1, 1), (2, 1), (9, 0), (6, 5)])
@pytest.mark.parametrize("queries", [12, 40, 150])
def test_shares_over_seeds_are_never_surer_than_the_single_run_that_all_seeds_are(
    queries: int, gained: int, lost: int
) -> None:
    names = [f"q{at}" for at in range(queries)]
    judged = judge([(name, "g", 1) for name in names])
    control = lists(good=range(lost), queries=queries)
    treatment = lists(good=range(lost, lost + gained), queries=queries)
    one = row(compare_runs(control, treatment, judged, asked(*names)), "query_goodrate")
    three = row(compare_seeds([control], [treatment] * 3, judged, asked(*names)), "query_goodrate")
    assert three.delta == pytest.approx((gained - lost) / queries)
    assert three.ci_high - three.ci_low >= one.ci_high - one.ci_low
    assert three.ci_high - three.ci_low < 1.35 * (one.ci_high - one.ci_low)


def test_a_share_that_no_seed_moves_has_the_interval_of_a_share_that_may_move() -> None:
    names = [f"q{at}" for at in range(40)]
    same = lists(good=range(10), queries=40)
    judged = judge([(name, "g", 1) for name in names])
    found = row(compare_seeds([same], [same, same], judged, asked(*names)), "query_goodrate")
    # Tango's ±z²/(40 + z²) = ±8.76 points, with t of 39 degrees of freedom for z
    half = 100 * stats.t.ppf(0.975, 39) * 1.959964 / (40 + 3.841459)
    assert (100 * found.ci_low, 100 * found.ci_high) == pytest.approx((-half, half))
    assert half == pytest.approx(9.04, abs=0.005)
    assert (found.delta, found.p, found.extra["seed_share"]) == (0, 1, 0)
    assert found.mde > found.ci_high
    heavy = asked(*names, weight=[60.0, *[1.0] * 39])
    weighed = row(compare_seeds([same], [same, same], judged, heavy), "query_goodrate")
    assert weighed.ci_high > 3 * found.ci_high, "one query decides more than the others together"


def test_one_query_has_no_interval_and_nothing_shown_no_delta() -> None:
    one = row(compare_seeds([CONTROL], [FIRST, SECOND], GOOD, asked("q2")), "item_goodrate")
    assert one.delta == pytest.approx(0.75)
    assert one.ci_low is None
    assert "fewer than 2 queries" in one.extra["note"]
    none = row(compare_seeds([CONTROL], [FIRST, SECOND], GOOD, asked("q8", "q9")), "item_goodrate")
    assert none.delta is None
    assert none.extra["note"] == "nothing is shown"


def test_the_values_of_queries_are_means_over_seeds() -> None:
    table = compare_seeds([CONTROL], [FIRST, SECOND], GOOD, QUERIES, cutoffs=(2,)).per_query
    item = table.filter(table["measure"] == "item_goodrate").sort("query_id")
    assert item["delta"].to_list() == pytest.approx([0.5, 0.75, 0.25, -0.25])
    assert item["treatment"].to_list() == pytest.approx([1.0, 0.75, 0.25, 0.75])
    assert item["weight_treatment"].to_list() == [2.0] * 4


@pytest.mark.parametrize(
    ("controls", "treatments", "how", "told"),
    [
        (1, 1, {}, "use compare_runs"),
        (2, 3, {}, "2 controls and 3 treatments"),
        (1, 2, {"measures": ["ndcg"]}, "ndcg is not supported over several seeds"),
        (1, 2, {"unjudged": "bounds"}, "bounds are not offered"),
    ],
)
def test_what_is_not_offered_is_refused(
    controls: int, treatments: int, how: dict[str, Any], told: str
) -> None:
    with pytest.raises(MetricsError, match=told):
        compare_seeds([CONTROL] * controls, [FIRST] * treatments, GOOD, QUERIES, **how)


def drawn(
    rng: np.random.Generator, seeds: int, queries: int, of_seeds: float, shared: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Item Goodrate@10 of a control and of `seeds` treatments over new queries.

    A query has a difficulty and a gain of its own; a seed shifts all its queries, and moves each
    query by chance, of which `shared` is not the noise of counting ten items. The true Δ is 0.1.
    """
    rate = rng.uniform(0.2, 0.5, queries)
    gain = 0.1 + rng.normal(0, 0.05, queries)
    shift = rng.normal(0, of_seeds, seeds)
    chance = rng.normal(0, shared, (seeds, queries))
    control = rng.binomial(10, rate) / 10
    wanted = np.clip(rate + gain + shift[:, None] + chance, 0, 1)
    treatment = rng.binomial(10, wanted) / 10
    return control, treatment, 0.1


@pytest.mark.slow
@pytest.mark.parametrize("queries", [160, 480])
@pytest.mark.parametrize(("of_seeds", "shared"), [(0.01, 0.0), (0.03, 0.05), (0.06, 0.0)])
def test_95_percent_intervals_cover_with_an_effect_of_seeds(
    of_seeds: float, shared: float, queries: int
) -> None:
    rng = np.random.default_rng(20)
    hits, without, draws = 0, 0, 4_000
    for _ in range(draws):
        control, treatment, truth = drawn(rng, 3, queries, of_seeds, shared)
        differences = treatment - control
        spread = seed_spread(differences.mean(axis=1), differences)
        hits += spread.interval.low <= truth <= spread.interval.high
        half = stats.t.ppf(0.975, queries - 1) * math.sqrt(spread.of_queries)
        without += abs(spread.delta - truth) <= half
    print(f"{queries} queries, σ of seeds {of_seeds}: {hits / draws:.4f}, queries alone "
          f"{without / draws:.4f}")  # fmt: skip
    assert 0.93 <= hits / draws <= 0.995
    if of_seeds >= 0.03:
        assert without / draws < 0.9, "or the test would not notice that seeds are left out"


@pytest.mark.slow
@pytest.mark.parametrize("moved", [0.005, 0.02, 0.05, 0.2])
def test_intervals_of_shares_cover_where_few_queries_move(moved: float) -> None:
    rng = np.random.default_rng(22)
    hits, without, draws, queries = 0, 0, 4_000, 160
    for _ in range(draws):
        # a query gains for good, or in some of the seeds by chance
        gains = (rng.random(queries) < moved / 2) | (rng.random((3, queries)) < moved / 2)
        truth = 1 - (1 - moved / 2) ** 2
        differences = gains.astype(np.float64)
        deltas = differences.mean(axis=1)
        seen = float(differences.mean(axis=0).var(ddof=1)) / queries
        least = least_variance(seen, np.ones(queries))
        interval = seed_spread(deltas, differences, least=least).interval
        hits += interval.low <= truth <= interval.high
        interval = seed_spread(deltas, differences).interval
        without += interval.low <= truth <= interval.high
    print(f"{moved:.1%} gained: {hits / draws:.4f}, as they vary {without / draws:.4f}")
    assert hits / draws >= 0.945
    if moved < 0.01:
        assert without / draws < 0.9, "or the test would not notice that nothing is added"


@pytest.mark.slow
def test_without_any_difference_a_test_at_5_percent_rejects_in_5_at_most() -> None:
    rng = np.random.default_rng(21)
    rejected, draws = 0, 4_000
    for _ in range(draws):
        control, treatment, truth = drawn(rng, 3, 160, 0.03, 0.05)
        differences = treatment - control - truth
        p = seed_spread(differences.mean(axis=1), differences).p
        rejected += p is not None and p <= 0.05
    assert 0.005 <= rejected / draws <= 0.065
