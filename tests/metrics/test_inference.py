"""Intervals and tests of metrics.inference, against SciPy, published figures and simulation."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from metrics import inference
from metrics.inference import (
    Estimate,
    Interval,
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

# the worked figures of the design: good and shown items of q1..q4
CONTROL = [1, 0, 3, 0], [3, 3, 3, 0]
TREATMENT = [2, 1, 3, 0], [3, 2, 3, 3]


@st.composite
def run_pairs(draw: st.DrawFn, most: int = 30) -> list[np.ndarray]:
    """Good and shown items of two runs; every run shows something."""
    n = draw(st.integers(2, most))
    columns: list[np.ndarray] = []
    for _ in range(2):
        shown = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n).filter(any))
        columns += [np.array([draw(st.integers(0, d)) for d in shown]), np.array(shown)]
    return columns


def full(estimate: Estimate | None) -> list[float]:
    assert estimate is not None
    assert estimate.interval is not None
    assert estimate.standard_error is not None
    interval = estimate.interval
    return [estimate.value, estimate.standard_error, interval.low, interval.high]


def ends(interval: Interval | None) -> list[float]:
    assert interval is not None
    return [interval.low, interval.high]


# ratios of sums


def test_one_run_of_values_has_the_t_interval_of_a_mean():
    values = np.array([0.2, 0.9, 0.4, 0.0, 1.0])
    reference = stats.ttest_1samp(values, 0).confidence_interval()
    value, error, low, high = full(ratio_interval(values, np.ones(5)))
    assert value == pytest.approx(0.5)
    assert error == pytest.approx(stats.sem(values))
    assert [low, high] == pytest.approx([reference.low, reference.high])


def test_one_run_by_hand():
    # R = 5/9, e = (-2/9, -10/27, 16/27), sum of squares 392/729, t(2) = 4.302653
    value, error, low, high = full(ratio_interval([1, 0, 4], [3, 2, 4]))
    assert value == pytest.approx(5 / 9)
    assert error == pytest.approx(math.sqrt(392 / 729 / 2 / 3))
    assert high - value == pytest.approx(4.302652729911275 * error)
    assert value - low == pytest.approx(high - value)


def test_with_denominators_of_one_the_paired_interval_is_that_of_paired_differences():
    rng = np.random.default_rng(5)
    control, treatment = rng.random(40), rng.random(40)
    one = np.ones(40)
    for confidence in (0.8, 0.95, 0.99):
        reference = stats.ttest_rel(treatment, control).confidence_interval(confidence)
        value, _, low, high = full(
            paired_ratio_interval(control, one, treatment, one, confidence=confidence)
        )
        assert value == pytest.approx((treatment - control).mean())
        assert [low, high] == pytest.approx([reference.low, reference.high])


def test_worked_figures_of_the_design():
    value, error, low, high = full(paired_ratio_interval(*CONTROL, *TREATMENT))
    assert value == pytest.approx(6 / 11 - 4 / 9)
    # written out for these four queries
    control = [(g - 4 / 9 * d) / (9 / 4) for g, d in zip(*CONTROL, strict=True)]
    treatment = [(g - 6 / 11 * d) / (11 / 4) for g, d in zip(*TREATMENT, strict=True)]
    differences = [t - c for c, t in zip(control, treatment, strict=True)]
    assert error == pytest.approx(np.std(differences, ddof=1) / 2)
    assert [low, high] == pytest.approx(
        [value - stats.t.ppf(0.975, 3) * error, value + stats.t.ppf(0.975, 3) * error]
    )


def test_the_linearised_standard_error_is_close_to_the_jackknife():
    rng = np.random.default_rng(6)
    shown = rng.integers(1, 11, size=(2, 400))
    good = rng.binomial(shown, 0.4)

    def delta(keep: np.ndarray) -> float:
        ratios = good[:, keep].sum(axis=1) / shown[:, keep].sum(axis=1)
        return float(ratios[1] - ratios[0])

    without = np.array([delta(np.arange(400) != query) for query in range(400)])
    jackknife = math.sqrt(399 / 400 * ((without - without.mean()) ** 2).sum())
    error = full(paired_ratio_interval(good[0], shown[0], good[1], shown[1]))[1]
    assert error == pytest.approx(jackknife, rel=0.01)


def test_a_query_without_results_widens_nothing_but_counts_as_a_query():
    value, error, *_ = full(ratio_interval([1, 0, 4, 0], [3, 2, 4, 0]))
    assert value == pytest.approx(5 / 9)
    # the same sum of squares of num − R·den, another n: (4/9)²·Σ(num − R·den)² / (4·3)
    assert error == pytest.approx(math.sqrt((4 / 9) ** 2 * (392 / 81) / 12))


def test_one_query_has_a_value_and_no_interval():
    assert ratio_interval([1], [2]) == Estimate(0.5, None, None)
    assert paired_ratio_interval([1], [2], [2], [2]) == Estimate(0.5, None, None)


def test_a_run_that_shows_nothing_has_no_ratio():
    assert ratio_interval([0, 0], [0, 0]) is None
    assert ratio_interval([], []) is None
    assert paired_ratio_interval([0, 0], [0, 0], [1, 0], [2, 2]) is None
    assert paired_ratio_interval([1, 0], [2, 2], [0, 0], [0, 0]) is None


def test_a_constant_shift_has_no_standard_error_from_rounding_noise():
    control = np.array([0.1, 0.7, 0.3, 0.2])
    value, error, low, high = full(paired_ratio_interval(control, [1] * 4, control + 0.1, [1] * 4))
    assert value == pytest.approx(0.1)
    assert error == 0
    assert low == value == high


@given(run_pairs(), st.randoms(use_true_random=False))
def test_the_order_of_queries_does_not_matter(columns, random):
    order = list(range(len(columns[0])))
    random.shuffle(order)
    assert full(paired_ratio_interval(*(column[order] for column in columns))) == pytest.approx(
        full(paired_ratio_interval(*columns)), abs=1e-12
    )


@given(run_pairs())
def test_swapping_the_runs_negates_delta_and_mirrors_its_interval(columns):
    value, error, low, high = full(paired_ratio_interval(*columns))
    swapped = full(paired_ratio_interval(*columns[2:], *columns[:2]))
    assert swapped == pytest.approx([-value, error, -high, -low], abs=1e-12)


@given(run_pairs(), st.floats(1e-6, 1e6))
def test_scaling_all_weights_changes_nothing(columns, factor):
    assert full(paired_ratio_interval(*(column * factor for column in columns))) == pytest.approx(
        full(paired_ratio_interval(*columns)), rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (([1, 2], [1]), r"one entry for each query; their shapes are num \(2,\), den \(1,\)"),
        (([[1, 2]], [[1, 2]]), "one entry for each query"),
        (([1, math.nan], [1, 1]), "num holds nan at position 1; every query needs a finite number"),
        (([1, 1], [1, math.inf]), "den holds inf at position 1"),
        (([1, 1], [1, -2]), "den holds -2.0 at position 1; items shown and weights cannot be neg"),
    ],
)
def test_columns_that_cannot_be_meant_are_refused(columns, sentence):
    with pytest.raises(ValueError, match=sentence):
        ratio_interval(*columns)


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_a_confidence_outside_of_0_and_1_is_refused(confidence):
    with pytest.raises(ValueError, match=r"confidence must lie between 0 and 1"):
        ratio_interval([1, 2], [3, 3], confidence=confidence)
    with pytest.raises(ValueError, match=r"confidence must lie between 0 and 1"):
        tango_interval(1, 2, 3, confidence=confidence)


# proportions


def test_tango_agrees_with_published_intervals():
    # Fagerland, Lydersen, Laake (2017), Statistical Analysis of Contingency Tables, chapter 8, as
    # the tests of their R package contingencytables state it: (59, 6 / 16, 80).
    assert ends(tango_interval(6, 16, 161)) == pytest.approx([-0.1240, -0.0054], abs=5e-5)
    assert mcnemar_p(6, 16) == pytest.approx(0.052479, abs=5e-7)


@pytest.mark.parametrize(
    ("b", "c", "n", "low", "high"),
    [
        # roots of Tango's score equation found by scipy.optimize.brentq (SciPy 1.17.1)
        (12, 5, 100, -0.0118632101163063, 0.1574156060718954),
        (1, 0, 20, -0.1191814159554603, 0.2361311934467420),
        (9, 3, 30, -0.0287591449121118, 0.4117293480058897),
        (40, 2, 60, 0.4715494109633345, 0.7522015781385768),
        (300, 250, 10_000, 0.0004048204725067, 0.0096241161339273),
    ],
)
def test_tango_agrees_with_a_root_finder(b, c, n, low, high):
    assert ends(tango_interval(b, c, n)) == pytest.approx([low, high], abs=1e-12)
    assert ends(tango_interval(c, b, n)) == pytest.approx([-high, -low], abs=1e-12)


@pytest.mark.parametrize("n", [2, 10, 100, 100_000])
def test_tango_without_discordance_is_the_closed_form(n):
    z = stats.norm.ppf(0.975)
    half = z * z / (n + z * z)
    assert ends(tango_interval(0, 0, n)) == pytest.approx([-half, half], abs=1e-14)


@given(st.integers(0, 50), st.integers(0, 50))
def test_tango_where_all_queries_are_discordant_is_wilsons_interval_on_the_win_rate(b, c):
    if b + c >= 2:
        low, high = ends(wilson_interval(b, b + c))
        assert ends(tango_interval(b, c, b + c)) == pytest.approx(
            [2 * low - 1, 2 * high - 1], abs=1e-9
        )


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 10_000))
def test_tango_contains_the_estimate_and_stays_in_range(b, c, rest):
    n = b + c + rest
    if n >= 2:
        low, high = ends(tango_interval(b, c, n))
        assert -1 <= low <= (b - c) / n <= high <= 1
        assert low < high


@pytest.mark.parametrize(("k", "n"), [(80, 100), (0, 10), (10, 10), (1, 3), (2, 2), (7, 100_000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_agrees_with_scipy(k, n, confidence):
    reference = stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    assert ends(wilson_interval(k, n, confidence=confidence)) == pytest.approx(
        [reference.low, reference.high], abs=1e-12
    )


def test_wilson_touches_the_ends_exactly():
    assert ends(wilson_interval(0, 7))[0] == 0
    assert ends(wilson_interval(7, 7))[1] == 1


@pytest.mark.parametrize("n", [0, 1])
def test_proportions_of_fewer_than_two_queries_have_no_interval(n):
    assert wilson_interval(n, n) is None
    assert tango_interval(n, 0, n) is None


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        # statsmodels.stats.contingency_tables.mcnemar(exact=True), statsmodels 0.14
        (6, 1, 0.125),
        (12, 5, 0.143463134765625),
        (40, 17, 0.0032015437674503813),
        (600, 500, 0.0028195449914364284),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_agrees_with_statsmodels(b, c, p):
    assert mcnemar_p(b, c) == pytest.approx(p, rel=1e-9)
    assert mcnemar_p(c, b) == pytest.approx(p, rel=1e-9)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_sign_test_agrees_with_scipy(good, bad):
    if good + bad:
        reference = stats.binomtest(good, good + bad).pvalue
        assert sign_test_p(good, bad) == pytest.approx(reference, rel=1e-9)


def test_the_sign_test_of_no_decided_query_is_1():
    assert sign_test_p(0, 0) == 1


def test_gsb_has_the_trinomial_interval():
    value, error, low, high = full(trinomial_interval(30, 50, 20))
    assert value == pytest.approx(0.1)
    # the standard deviation of 30 votes of +1, 50 of 0 and 20 of -1, with divisor n
    assert error == pytest.approx(np.std([1] * 30 + [0] * 50 + [-1] * 20) / 10)
    assert [low, high] == pytest.approx([0.1 - 1.959963984540054 * error, 0.2371974789])


def test_gsb_is_clipped_to_its_range_and_collapses_where_all_votes_agree():
    assert full(trinomial_interval(9, 1, 0))[3] == 1
    assert full(trinomial_interval(0, 1, 9))[2] == -1
    for votes, value in (((5, 0, 0), 1), ((0, 5, 0), 0), ((0, 0, 5), -1)):
        assert full(trinomial_interval(*votes)) == [value, 0, value, value]


def test_gsb_of_one_vote_has_no_interval_and_of_none_no_value():
    assert trinomial_interval(1, 0, 0) == Estimate(1.0, None, None)
    assert trinomial_interval(0, 0, 0) is None


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: tango_interval(3, 3, 5), r"b \+ c = 6 discordant queries cannot exceed n = 5"),
        (
            lambda: mcnemar_standard_error(3, 3, 5),
            r"b \+ c = 6 discordant queries cannot exceed n = 5",
        ),
        (lambda: tango_interval(-1, 0, 5), "b is a count of queries, .* got -1"),
        (lambda: mcnemar_p(1, 0.5), "c is a count of queries, .* got 0.5"),
        (lambda: sign_test_p(1, -2), "bad is a count of queries, .* got -2"),
        (lambda: wilson_interval(6, 5), "k = 6 successes cannot exceed n = 5 queries"),
        (lambda: trinomial_interval(1, 1, -1), "bad is a count of queries"),
    ],
)
def test_counts_that_cannot_be_meant_are_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_numpy_integers_are_counts():
    assert mcnemar_p(np.int64(6), np.int64(1)) == 0.125
    assert tango_interval(np.int64(1), np.int32(0), np.int64(20)) == tango_interval(1, 0, 20)


# families and power


def test_holm_by_hand():
    # sorted .005 .01 .03 .04 -> ×4 ×3 ×2 ×1 = .02 .03 .06 .04, made monotone: .02 .03 .06 .06
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_passes_nan_through_and_does_not_count_it():
    adjusted = holm([math.nan, 0.01, None, 0.04])
    assert np.isnan(adjusted).tolist() == [True, False, True, False]
    assert adjusted[[1, 3]].tolist() == pytest.approx([0.02, 0.04])


def test_holm_caps_at_1_and_takes_an_empty_family():
    assert holm([0.6, 0.7]).tolist() == [1, 1]
    assert holm([]).tolist() == []
    assert np.isnan(holm([math.nan])).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_the_step_down_rule_rejects(p_values):
    adjusted = holm(p_values)
    for alpha in (0.01, 0.05, 0.2):
        rejected = set()
        for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
            if p_values[index] * (len(p_values) - step) > alpha:
                break
            rejected.add(index)
        assert {i for i, p in enumerate(adjusted) if p <= alpha} == rejected


@pytest.mark.parametrize("p_values", [[-0.1], [1.1], [[0.1]]])
def test_holm_refuses_what_is_no_list_of_probabilities(p_values):
    with pytest.raises(ValueError, match="p values"):
        holm(p_values)


def test_the_detectable_effect_is_found_with_the_stated_power():
    effect = minimal_detectable_effect(0.01)
    assert effect == pytest.approx((1.959963984540054 + 0.8416212335729143) * 0.01)
    found = stats.norm.sf(1.959963984540054 - effect / 0.01)
    assert found == pytest.approx(0.8)


def test_the_detectable_effect_needs_some_spread():
    assert minimal_detectable_effect(0.0) is None
    assert minimal_detectable_effect(None) is None
    assert minimal_detectable_effect(mcnemar_standard_error(0, 0, 100)) is None


def test_the_detectable_effect_of_mcnemar_uses_the_observed_discordance():
    effect = minimal_detectable_effect(mcnemar_standard_error(12, 5, 100))
    assert effect == pytest.approx(2.8015852181129683 * math.sqrt(17) / 100)


@pytest.mark.parametrize(
    "call",
    [
        lambda: minimal_detectable_effect(-0.1),
        lambda: minimal_detectable_effect(math.nan),
        lambda: minimal_detectable_effect(0.1, alpha=5),
        lambda: minimal_detectable_effect(0.1, power=80),
    ],
)
def test_a_detectable_effect_of_nonsense_is_refused(call):
    with pytest.raises(ValueError, match=r"finite number|must lie between 0 and 1"):
        call()


# the module


def test_every_public_name_is_declared():
    public = {
        name
        for name, value in vars(inference).items()
        if getattr(value, "__module__", None) == inference.__name__ and not name.startswith("_")
    }
    assert public - {"checked_columns", "checked_confidence"} == set(inference.__all__)


def test_importing_loads_no_scipy_and_computing_loads_no_scipy_stats():
    code = """
import sys
import metrics.inference as inference, metrics.resampling as resampling
import metrics.proportions as proportions
assert not any(name.startswith("scipy") for name in sys.modules), "scipy on import"
inference.paired_ratio_interval([1, 0], [1, 1], [1, 1], [1, 1])
proportions.tango_interval(1, 0, 5), proportions.wilson_interval(1, 5)
proportions.mcnemar_p(1, 0), proportions.trinomial_interval(1, 2, 3)
inference.minimal_detectable_effect(1.0)
resampling.swap_test([1, 0], [1, 1], [1, 1], [1, 1], seed=0)
resampling.paired_bca_interval([1, 0], [1, 1], [1, 1], [1, 1], seed=0)
heavy = {"scipy.stats", "scipy.optimize", "pandas"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("n", [2, 30, 1_000, 1_001, 1_002, 5_000, 1_000_000])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_t_interval_has_scipys_quantile_at_any_number_of_queries(n, confidence):
    num = np.zeros(n)
    num[0] = 1.0
    estimate = ratio_interval(num, np.ones(n), confidence=confidence)
    half = (estimate.interval.high - estimate.interval.low) / 2
    expected = stats.t.ppf(0.5 + confidence / 2, n - 1)
    assert half / estimate.standard_error == pytest.approx(expected, rel=1e-12)
