"""Queries in families: figures worked by hand, intervals that hold where a family is as one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats
from small_runs import RANKED, asked, frame, judge

from metrics import MetricsError, compare_runs, compare_seeds
from metrics.clusters import clustered_spread
from metrics.inference import paired_ratio_interval
from metrics.seeds import seed_spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    IntArray = NDArray[np.int64]

IDS = [f"q{at}" for at in range(1, 7)]
FAMILY = ["gifts", "gifts", "gifts", "rain", "rain", None]
QUERIES = asked(*IDS, family=FAMILY, kind=["a", "a", "a", "a", "b", "b"])
GOOD = judge([(name, letter, 1) for name in IDS for letter in "gh"])


def shows(*lists: str) -> Any:
    """A run with one list a query; g and h are good, every other letter is bad."""
    rows = [
        (name, letter, rank)
        for name, letters in zip(IDS, lists, strict=False)
        for rank, letter in enumerate(letters, start=1)
    ]
    return frame("polars", rows, RANKED)


NOTHING = shows(*"xxxxxx")
FIRST = shows(*"ggxgxx")  # gifts +1 +1 0, rain +1 0, the query without a family 0
SECOND = shows(*"gggg", "x", "x")


def row(found: Any, measure: str, **segment: Any) -> Any:
    return next(
        each for each in found.rows if each.measure == measure and dict(each.segment) == segment
    )


def compared(*treatments: Any, queries: Any = QUERIES, **how: Any) -> Any:
    how = {"cluster": "family", "cutoffs": (3,), **how}
    if len(treatments) > 1:
        return compare_seeds([NOTHING], treatments, GOOD, queries, **how)
    return compare_runs(NOTHING, treatments[0], GOOD, queries, **how)


def test_an_interval_over_families_is_what_a_hand_finds() -> None:
    found = row(compared(FIRST), "item_goodrate")
    assert found.delta == 0.5
    # around .5 the queries are ½ ½ -½, ½ -½, -½: the families sum to ½, 0 and -½
    variance = 3 / 2 * (1 / 4 + 0 + 1 / 4) / 6**2
    half = 4.302653 * math.sqrt(variance)  # t of 2 degrees of freedom
    assert (found.ci_low, found.ci_high) == pytest.approx((0.5 - half, 0.5 + half), rel=1e-6)
    # gifts +2, rain +1: the sums ±2 ±1 are as far from 0 as 3 in two of four exchanges
    assert found.p == 2 / 4
    assert found.extra["families"] == 3
    assert "6 queries in 3 families" in found.extra["note"]
    assert (found.queries, found.improved, found.same) == (6, 3, 3)
    assert found.mde == pytest.approx((1.959964 + 0.841621) * math.sqrt(variance), rel=1e-6)


def test_a_share_of_queries_is_no_surer_than_that_of_so_few_families() -> None:
    found = row(compared(FIRST), "query_goodrate")
    # families of 3, 2 and 1 queries decide like 36/14 equal ones; z² = 3.841459
    error = 1.959964 / (36 / 14 + 3.841459)
    assert error > math.sqrt(3 / 2 / 2 / 6**2)
    assert found.ci_high == pytest.approx(0.5 + 4.302653 * error, rel=1e-6)
    assert found.p == 2 / 4
    still = row(compared(NOTHING), "query_goodrate")
    assert (still.ci_low, still.ci_high) == pytest.approx((-4.302653 * error, 4.302653 * error))


def test_families_stand_for_queries_over_seeds_too() -> None:
    found = row(compared(FIRST, SECOND), "item_goodrate")
    assert found.extra["seed_deltas"] == pytest.approx([3 / 6, 4 / 6])
    # the means 1 1 ½, 1 0, 0 around 7/12 sum to 9/12, -2/12 and -7/12 in the families
    of_queries = 3 / 2 * (81 + 4 + 49) / 144 / 6**2
    of_seeds = (1 / 12) ** 2 * 2 / 1 / 2
    variance = of_queries + of_seeds
    t = (of_queries * stats.t.ppf(0.975, 2) + of_seeds * stats.t.ppf(0.975, 1)) / variance
    assert found.extra["seed_share"] == pytest.approx(of_seeds / variance)
    assert found.ci_high - found.delta == pytest.approx(t * math.sqrt(variance))
    assert found.extra["families"] == 3
    assert found.extra["note"].startswith("6 queries in 3 families; Δ of 2 seeds")
    share = row(compared(FIRST, SECOND), "query_goodrate")
    assert share.ci_high > found.ci_high, "as of a share of so few families"


def test_lists_of_unlike_depth_have_the_delta_method_over_families() -> None:
    lists = ("gx", "g", "xyz", "ghx", "x", "xg")
    found = row(compared(shows(*lists)), "item_goodrate")
    good = np.array([1, 1, 0, 2, 0, 1])
    shown = np.array([2, 1, 3, 3, 1, 2])
    rate = good.sum() / shown.sum()
    influence = (good - rate * shown) / (shown.sum() / 6)
    sums = np.array([influence[:3].sum(), influence[3:5].sum(), influence[5]])
    half = stats.t.ppf(0.975, 2) * math.sqrt(3 / 2 * (sums @ sums) / 36)
    assert found.delta == pytest.approx(rate)
    assert found.ci_high - found.ci_low == pytest.approx(2 * half)


def test_a_segment_has_the_families_of_its_own_queries() -> None:
    found = compared(FIRST, by=["kind"])
    part = row(found, "item_goodrate", kind="a")
    assert (part.extra["families"], part.queries) == (2, 4)
    alone = row(compared(FIRST, queries=QUERIES.head(4)), "item_goodrate")
    assert (part.ci_low, part.ci_high, part.p) == (alone.ci_low, alone.ci_high, alone.p)
    assert found.query_set["families"] == 3
    assert found.settings["cluster"] == "family"


@pytest.mark.parametrize("measure", ["item_goodrate", "gsb", "ndcg", "mrr"])
def test_queries_that_are_families_of_their_own_are_as_without_families(measure: str) -> None:
    own = QUERIES.with_columns(family=QUERIES["query_id"])
    lists = shows("gx", "xg", "xy", "ghx", "x", "g")
    every = [measure]
    one = row(compared(lists, queries=own, measures=every), measure)
    other = row(compared(lists, cluster=None, measures=every), measure)
    assert one.delta == other.delta
    assert one.extra["families"] == 6
    assert "families" not in other.extra
    if measure != "gsb":  # whose interval and test are of counts of queries otherwise
        assert (one.ci_low, one.ci_high, one.p) == (other.ci_low, other.ci_high, other.p)


def test_the_swap_test_and_the_bootstrap_take_whole_families() -> None:
    names = [f"q{at}" for at in range(60)]
    families = asked(*names, family=[f"f{at % 3}" for at in range(60)])
    rows = {letter: [(name, letter, 1) for name in names] for letter in "gx"}
    control, treatment = (frame("polars", rows[letter], RANKED) for letter in "xg")
    judged = judge([(name, "g", 1) for name in names])
    found = row(
        compare_runs(control, treatment, judged, families, cluster="family"), "item_goodrate"
    )
    assert found.p == 2 / 2**3, "three families, all better: enumerated"
    half = frame("polars", [(n, "g" if at % 3 else "x", 1) for at, n in enumerate(names)], RANKED)
    drawn = compare_runs(control, half, judged, families, cluster="family", ci="bootstrap")
    alone = compare_runs(control, half, judged, families, ci="bootstrap")
    wide, narrow = (row(each, "item_goodrate") for each in (drawn, alone))
    assert wide.ci_high - wide.ci_low > 2 * (narrow.ci_high - narrow.ci_low)


def test_one_family_has_no_interval_and_no_test() -> None:
    for found in (
        compared(FIRST, queries=QUERIES.head(3)),
        compared(FIRST, SECOND, queries=QUERIES.head(3)),
    ):
        for each in found.rows:
            assert (each.ci_low, each.p, each.mde) == (None, None, None)
            assert "fewer than 2 families" in each.extra["note"]
            assert "3 queries in 1 family" in each.extra["note"]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"cluster": "famly"}, "column 'famly' not found in queries"),
        ({"queries": None}, "families \\(family\\) are a column of queries"),
        (
            {"page_grades": frame("polars", [("q1", "control", "good")],
                                  ("query_id", "system", "page_grade"))},
            "page grades are not offered with families",
        ),
    ],
)  # fmt: skip
def test_what_has_no_families_is_refused(how: dict[str, Any], told: str) -> None:
    with pytest.raises(MetricsError, match=told):
        compared(FIRST, **how)


def drawn(
    rng: np.random.Generator, sizes: list[int], *, share: bool
) -> tuple[Array, Array, IntArray]:
    """Good items of control and treatment, and the families; queries of one correlate by a half.

    With a chance of √½ a query takes over what its family has drawn, both runs' figures at once.
    """
    families = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)

    def draw(count: int) -> Array:
        if not share:
            return np.array([rng.binomial(10, 0.4, count), rng.binomial(10, 0.5, count)]) / 10
        kind = rng.choice(4, count, p=[0.12, 0.04, 0.5, 0.34])  # gained, lost, good, bad
        return np.array([(kind == 1) | (kind == 2), (kind == 0) | (kind == 2)], dtype=np.float64)

    own, shared = draw(len(families)), draw(len(sizes))[:, families]
    control, treatment = np.where(rng.random(len(families)) < math.sqrt(0.5), shared, own)
    return control, treatment, families


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("share", [False, True])
def test_95_percent_intervals_cover_where_queries_of_a_family_go_together(
    share: bool, seeds: int
) -> None:
    rng = np.random.default_rng(30)
    hits, alone, draws, truth = 0, 0, 4_000, 0.08 if share else 0.1
    for _ in range(draws):
        control, treatment, families = drawn(rng, [8] * 50, share=share)
        ones = np.ones(400)
        single = paired_ratio_interval(control, ones, treatment, ones)
        assert single is not None
        assert single.interval is not None
        spread, columns = clustered_spread(families, control, ones, treatment, ones, share=share)
        assert spread is not None
        interval = spread.interval
        if seeds > 1:  # that agree, so that all variance is of queries
            means = (columns[2] - columns[0]) / 8
            interval = seed_spread(
                np.full(seeds, spread.delta), np.tile(means, (seeds, 1))
            ).interval
        assert interval is not None
        hits += interval.low <= truth <= interval.high
        alone += single.interval.low <= truth <= single.interval.high
    print(f"share {share}, seeds {seeds}: {hits / draws:.4f}, over queries {alone / draws:.4f}")
    assert alone / draws < 0.7
    assert 0.93 <= hits / draws <= 0.97
