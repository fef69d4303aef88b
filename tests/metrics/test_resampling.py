"""Swap test and bootstrap of metrics.resampling, against enumeration and SciPy."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metrics import resampling
from metrics.inference import Interval, paired_ratio_interval, ratio_interval
from metrics.resampling import bca_interval, paired_bca_interval, swap_test

# the worked figures of the design: good and shown items of q1..q4
CONTROL = [1, 0, 3, 0], [3, 3, 3, 0]
TREATMENT = [2, 1, 3, 0], [3, 2, 3, 3]


@st.composite
def run_pairs(draw: st.DrawFn, most: int) -> list[np.ndarray]:
    """Good and shown items of two runs; every run shows something."""
    n = draw(st.integers(2, most))
    columns: list[np.ndarray] = []
    for _ in range(2):
        shown = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n).filter(any))
        columns += [np.array([draw(st.integers(0, d)) for d in shown]), np.array(shown)]
    return columns


def clustered_runs(rng: np.random.Generator, n: int) -> list[np.ndarray]:
    """Two runs whose good rates share a query's difficulty and whose depth depends on it."""
    difficulty = rng.beta(1.2, 1.8, size=n)
    columns = []
    for gain in (0.0, 0.04):
        shown = np.where(rng.random(n) < 0.7, 10, rng.binomial(10, 0.2 + 0.7 * difficulty))
        columns += [rng.binomial(shown, np.minimum(difficulty + gain, 1)), shown]
    return columns


def ends(interval: Interval | None) -> list[float]:
    assert interval is not None
    return [interval.low, interval.high]


def enumerated_p(columns) -> float:
    """The swap test over all assignments of all queries, in exact arithmetic."""
    queries = [
        tuple(Fraction(float(value)) for value in query) for query in zip(*columns, strict=True)
    ]

    def delta(swaps) -> Fraction:
        sums = [Fraction(0)] * 4
        for (num_c, den_c, num_t, den_t), swap in zip(queries, swaps, strict=True):
            taken = (num_t, den_t, num_c, den_c) if swap else (num_c, den_c, num_t, den_t)
            sums = [a + b for a, b in zip(sums, taken, strict=True)]
        control = sums[0] / sums[1] if sums[1] else Fraction(0)
        treatment = sums[2] / sums[3] if sums[3] else Fraction(0)
        return treatment - control

    observed = abs(delta([False] * len(queries)))
    assignments = list(itertools.product([False, True], repeat=len(queries)))
    return sum(abs(delta(swaps)) >= observed for swaps in assignments) / len(assignments)


# swap test


@settings(max_examples=60, deadline=None)
@given(run_pairs(most=7))
def test_few_queries_are_enumerated_exactly(columns):
    # queries that do not differ are in the oracle's assignments, and not in ours
    assert swap_test(*columns, seed=0) == pytest.approx(enumerated_p(columns), abs=1e-12)


def test_worked_figures_of_the_design():
    # q1, q2 and q4 differ: 8 assignments
    p = swap_test(*CONTROL, *TREATMENT, seed=0)
    assert p == enumerated_p([*CONTROL, *TREATMENT])
    assert p * 8 == int(p * 8)


def test_a_mean_is_tested_as_scipy_does():
    rng = np.random.default_rng(8)
    control = rng.random(11)
    treatment = control + rng.normal(0.1, 0.3, size=11)
    reference = stats.permutation_test(
        (treatment, control),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    one = np.ones(11)
    assert swap_test(control, one, treatment, one, seed=0) == pytest.approx(reference.pvalue)


def test_fourteen_differing_queries_are_enumerated_and_fifteen_are_drawn():
    rng = np.random.default_rng(9)
    same, values = np.full(30, 0.5), rng.normal(0.5, 1, size=15)
    for differing, assignments in ((14, 2**14), (15, 10_001)):
        control, treatment = np.full(30 + differing, 0.5), np.r_[same, values[:differing]]
        one = np.ones(30 + differing)
        p = [swap_test(control, one, treatment, one, seed=seed) for seed in (0, 1, 2)]
        assert (len(set(p)) == 1) == (differing == 14)
        counted = np.array(p) * assignments
        assert counted == pytest.approx(np.round(counted), abs=1e-6)


@pytest.mark.parametrize("binomial_from", [1, 100])
def test_draws_have_the_enumerated_distribution(monkeypatch, binomial_from):
    # twelve queries of three kinds, one of them also mirrored: by binomials, or one by one
    kinds = np.array([[2, 5, 4, 5], [3, 4, 1, 4], [1, 2, 0, 3], [0, 3, 2, 2]])
    columns = np.repeat(kinds, [5, 1, 2, 4], axis=0).T
    exact = swap_test(*columns, seed=0)
    assert exact == pytest.approx(enumerated_p(columns))
    assert 0.02 < exact < 0.8
    monkeypatch.setattr(resampling, "ENUMERATED", 0)
    monkeypatch.setattr(resampling, "_BINOMIAL_FROM", binomial_from)
    draws = 200_000
    for seed in range(3):
        p = swap_test(*columns, seed=seed, draws=draws)
        assert p == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / draws))


@pytest.mark.parametrize("binomial_from", [1, 100])
def test_signed_sums_of_draws_have_their_mean_variance_and_covariance(monkeypatch, binomial_from):
    monkeypatch.setattr(resampling, "_BINOMIAL_FROM", binomial_from)
    effects = np.array([[1.0, 0.5, 2.0], [0.0, -1.0, 3.0]])
    counts = np.array([40, 7, 5])
    sums = resampling._random_sums(effects, counts, np.random.default_rng(4), 100_000)
    expected = (effects * counts) @ effects.T
    assert sums.mean(axis=1) == pytest.approx([0, 0], abs=4 * math.sqrt(expected.max() / 1e5))
    assert np.cov(sums) == pytest.approx(expected, rel=0.03)


def test_p_is_never_zero():
    one = np.ones(60)
    assert swap_test(np.zeros(60), one, one, one, seed=0, draws=999) == 1 / 1000


def test_runs_that_do_not_differ_have_p_1():
    assert swap_test([1, 0, 2], [3, 3, 3], [1, 0, 2], [3, 3, 3], seed=0) == 1
    noise = np.array([0.1 + 0.2, 0.3, 0.7])
    assert swap_test([0.3, 0.3, 0.7], [1] * 3, noise, [1] * 3, seed=0) == 1


def test_floating_point_noise_makes_no_assignment_less_extreme():
    # ±0.1 on every query in floats: all equal in size, so ties of |Δ*| with |Δ| are many
    control = np.array([0.1, 0.3, 0.7, 0.2, 0.6, 0.8])
    shift = np.array([0.1, 0.1, -0.1, 0.1, -0.1, 0.1])
    one = np.ones(6)
    # of six fair signs, those whose sum is at least 2 away from 0: 1 − C(6,3)/64
    assert swap_test(control, one, control + shift, one, seed=0) == 1 - 20 / 64


def test_sums_that_are_equal_but_for_rounding_are_ties():
    # 0.1 + 0.2 and 0.3 are one size; the oracle has them as whole numbers
    tenths = np.array([1, 2, -3, 7, -6])
    zero, one = np.zeros(5), np.ones(5)
    expected = enumerated_p([zero, one, tenths, one])
    assert swap_test(zero, one, tenths / 10, one, seed=0) == expected
    assert swap_test(tenths / 10, one, zero, one, seed=0) == expected


def test_noise_in_a_denominator_makes_no_query_differ():
    # fourteen queries differ; the denominators of all are 0.3 in two spellings, either way round
    control = np.r_[np.full(10, 0.5), np.random.default_rng(10).random(14)]
    treatment = np.full(24, 0.5)
    shown = np.resize([0.3, 0.1 + 0.2], 24)
    columns = control, shown, treatment, shown[::-1]
    assert len({swap_test(*columns, seed=seed) for seed in range(3)}) == 1


def test_a_draw_that_leaves_a_run_empty_counts_as_a_ratio_of_0():
    # Δ = 2/4 − 4/4; swapping one query alone leaves nothing beside 6/8, which is as extreme
    columns = [4, 0], [4, 0], [0, 2], [0, 4]
    assert swap_test(*columns, seed=0) == enumerated_p(columns) == 1
    # Δ = 0/4 − 4/4; now nothing beside 4/8 is less extreme
    columns = [4, 0], [4, 0], [0, 0], [0, 4]
    assert swap_test(*columns, seed=0) == enumerated_p(columns) == 0.5


def test_without_denominators_there_is_no_test():
    assert swap_test([0, 0], [0, 0], [1, 0], [2, 2], seed=0) is None
    assert swap_test([], [], [], [], seed=0) is None


def test_the_test_has_no_draws_to_refuse():
    with pytest.raises(ValueError, match="draws must be at least 1; got 0"):
        swap_test([1], [1], [0], [1], seed=0, draws=0)
    with pytest.raises(ValueError, match="num_treatment holds nan at position 0"):
        swap_test([1], [1], [math.nan], [1], seed=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_p_depends_on_the_queries_and_not_on_their_order_direction_or_scale(seed, random):
    rng = np.random.default_rng(seed)
    columns = [np.asarray(column, dtype=float) for column in clustered_runs(rng, 60)]
    weight = rng.choice([0.25, 1.0, 7.3], size=60)
    columns = [column * weight for column in columns]
    p = swap_test(*columns, seed=3, draws=500)
    order = list(range(60))
    random.shuffle(order)
    assert swap_test(*(column[order] for column in columns), seed=3, draws=500) == p
    assert swap_test(*columns[2:], *columns[:2], seed=3, draws=500) == p
    for factor in (0.1, 3.0, 4096.0):
        assert swap_test(*(column * factor for column in columns), seed=3, draws=500) == p


def test_the_seed_decides():
    columns = clustered_runs(np.random.default_rng(0), 80)
    p = [swap_test(*columns, seed=seed) for seed in (1, 1, 2)]
    assert p[0] == p[1] != p[2]
    assert p[0] == pytest.approx(p[2], abs=0.03)


def test_of_many_queries_it_agrees_with_the_normal_approximation():
    rng = np.random.default_rng(12)
    control = rng.random(2_000)
    treatment = control + rng.normal(0.008, 0.2, size=2_000)
    one = np.ones(2_000)
    reference = stats.ttest_rel(treatment, control).pvalue
    assert 0.02 < reference < 0.5
    assert swap_test(control, one, treatment, one, seed=0) == pytest.approx(reference, abs=0.02)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_hundred_thousand_queries_need_little_memory(weighted):
    rng = np.random.default_rng(13)
    columns = [np.asarray(column, dtype=float) for column in clustered_runs(rng, 100_000)]
    if weighted:
        weight = rng.exponential(size=100_000)
        columns = [column * weight for column in columns]
    tracemalloc.start()
    try:
        swap_test(*columns, seed=0, draws=2_000)
        paired_bca_interval(*columns, seed=0, draws=50)
        assert tracemalloc.get_traced_memory()[1] < 150e6
    finally:
        tracemalloc.stop()


# bootstrap


def test_the_acceleration_is_a_sixth_of_the_skewness():
    rows = np.array([[1.0, 2.0, 3.0, 10.0], [1.0] * 4])
    # deviations −3 −2 −1 6: cubes 180, squares 50
    assert resampling._acceleration(rows, np.ones(4, dtype=int), rows.sum(axis=1)) == pytest.approx(
        180 / (6 * 50**1.5)
    )


def test_the_acceleration_of_grouped_queries_is_that_of_the_queries():
    rows = np.array([[1.0, 2.0, 10.0], [1.0, 1.0, 2.0], [0.0, 4.0, 3.0], [1.0, 2.0, 2.0]])
    counts = np.array([3, 1, 2])
    each = np.repeat(rows, counts, axis=1)
    totals = each.sum(axis=1)
    grouped = resampling._acceleration(rows, counts, totals)
    assert grouped == pytest.approx(
        resampling._acceleration(each, np.ones(6, dtype=int), totals), rel=1e-12
    )
    # and that of leaving out in earnest
    without = []
    for query in range(6):
        num_c, den_c, num_t, den_t = np.delete(each, query, axis=1).sum(axis=1)
        without.append(num_t / den_t - num_c / den_c)
    pull = np.mean(without) - np.array(without)
    assert grouped == pytest.approx((pull**3).sum() / (6 * (pull**2).sum() ** 1.5))


def test_the_bias_is_the_normal_quantile_of_the_share_below():
    resampled = np.array([1.0, 2.0, 3.0, 4.0])
    # one below and one equal, by half: 1.5 of 4
    assert resampling._bias(resampled, 2.0) == pytest.approx(stats.norm.ppf(0.375))
    assert resampling._bias(resampled, 2.0 + 1e-14) == pytest.approx(stats.norm.ppf(0.375))
    assert resampling._bias(resampled, 9.0) == pytest.approx(stats.norm.ppf(7 / 8))


def ratio_difference(num_c, den_c, num_t, den_t, axis=-1):
    control = num_c.sum(axis=axis) / den_c.sum(axis=axis)
    return num_t.sum(axis=axis) / den_t.sum(axis=axis) - control


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bca_agrees_with_scipy_within_monte_carlo_error(seed):
    columns = clustered_runs(np.random.default_rng(seed), 50)
    reference = stats.bootstrap(
        columns,
        ratio_difference,
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    low, high = ends(paired_bca_interval(*columns, seed=0, draws=20_000))
    width = reference.high - reference.low
    assert [low, high] == pytest.approx([reference.low, reference.high], abs=0.03 * width)


def test_bca_of_a_skewed_mean_agrees_with_scipy_and_leans_as_the_skewness_does():
    values = np.random.default_rng(7).exponential(size=40) ** 2
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    low, high = ends(bca_interval(values, np.ones(40), seed=0, draws=20_000))
    width = reference.high - reference.low
    assert [low, high] == pytest.approx([reference.low, reference.high], abs=0.04 * width)
    assert high - values.mean() > 1.3 * (values.mean() - low)


def test_bca_reads_its_ends_where_efrons_formula_says():
    columns = np.stack([np.random.default_rng(7).exponential(size=12) ** 2, np.ones(12)])
    rows, counts = resampling._alike(columns)
    sums = resampling._resampled_sums(rows, counts, np.random.default_rng(5), 999)
    resampled, observed = sums[0] / sums[1], columns[0].mean()
    bias = stats.norm.ppf((resampled < observed).mean())
    deviation = columns[0] - observed
    acceleration = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
    assert abs(bias) > 0.02
    assert acceleration > 0.05
    expected = []
    for z in stats.norm.ppf([0.05, 0.95]):
        level = stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        expected.append(np.quantile(resampled, level))
    assert ends(bca_interval(*columns, seed=5, draws=999, confidence=0.9)) == pytest.approx(
        expected
    )


def test_bca_is_close_to_the_delta_method_on_many_queries():
    columns = clustered_runs(np.random.default_rng(3), 3_000)
    delta = paired_ratio_interval(*columns)
    assert delta is not None
    low, high = ends(delta.interval)
    assert ends(paired_bca_interval(*columns, seed=0)) == pytest.approx(
        [low, high], abs=0.05 * (high - low)
    )
    single = ratio_interval(*columns[:2])
    assert single is not None
    low, high = ends(single.interval)
    assert ends(bca_interval(*columns[:2], seed=0)) == pytest.approx(
        [low, high], abs=0.05 * (high - low)
    )


@pytest.mark.parametrize("copies", [1, 5])
def test_resamples_have_the_distribution_of_drawing_with_replacement(copies):
    # 3 kinds of query, drawn by index (1 copy) or by multinomial counts (5 copies)
    rows = np.array([[0.0, 1.0, 100.0], [1.0, 1.0, 1.0]])
    counts = np.full(3, copies)
    n = 3 * copies
    sums = resampling._resampled_sums(rows, counts, np.random.default_rng(6), 60_000)
    assert (sums[1] == n).all()
    hundreds, ones = np.divmod(sums[0], 100)
    expected = stats.binom.pmf(np.arange(n + 1), n, 1 / 3)
    error = 4 * math.sqrt(0.25 / 60_000)
    for drawn in (hundreds, ones):
        shares = np.bincount(drawn.astype(int), minlength=n + 1) / 60_000
        assert shares == pytest.approx(expected, abs=error)
    assert np.cov(hundreds, ones)[0, 1] == pytest.approx(-n / 9, rel=0.05)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_bca_depends_on_the_queries_and_not_on_their_order(seed, random):
    columns = clustered_runs(np.random.default_rng(seed), 30)
    order = list(range(30))
    random.shuffle(order)
    assert paired_bca_interval(*columns, seed=1, draws=300) == paired_bca_interval(
        *(column[order] for column in columns), seed=1, draws=300
    )


@settings(max_examples=40, deadline=None)
@given(run_pairs(most=8))
def test_bca_of_any_small_comparison_is_an_interval_within_the_range_of_a_difference(columns):
    low, high = ends(paired_bca_interval(*columns, seed=0, draws=200))
    assert -1 <= low <= high <= 1


def test_bca_where_no_resample_differs_is_the_point_itself():
    assert bca_interval([0.5, 0.5, 0.5], [1, 1, 1], seed=0) == Interval(0.5, 0.5)
    # only one query shows anything, so every resample with a ratio has this one
    assert bca_interval([1, 0, 0], [2, 0, 0], seed=0) == Interval(0.5, 0.5)
    same = [1, 0, 2], [3, 3, 3]
    assert paired_bca_interval(*same, *same, seed=0) == Interval(0.0, 0.0)


def test_bca_needs_two_queries_and_a_denominator():
    assert bca_interval([1], [2], seed=0) is None
    assert bca_interval([], [], seed=0) is None
    assert bca_interval([0, 0], [0, 0], seed=0) is None
    assert paired_bca_interval([0, 0], [0, 0], [1, 0], [2, 2], seed=0) is None


def test_bca_refuses_no_draws_and_no_confidence():
    with pytest.raises(ValueError, match="draws must be at least 1; got 0"):
        bca_interval([1, 2], [3, 3], seed=0, draws=0)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        bca_interval([1, 2], [3, 3], seed=0, confidence=95)
