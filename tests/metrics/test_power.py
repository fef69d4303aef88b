"""Power of the exact test and of the swap test, and how many queries give it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from metrics.power import sign_power, sign_queries, swap_power, swap_queries
from metrics.proportions import mcnemar_p


def by_enumeration(ahead: float, behind: float, n: int, alpha: float) -> float:
    """Every way in which n queries can turn out, with its probability and the printed p."""
    chances = [ahead, behind, max(0.0, 1 - ahead - behind)]
    return math.fsum(
        stats.multinomial.pmf([b, c, n - b - c], n, chances)
        for b in range(n + 1)
        for c in range(n + 1 - b)
        if mcnemar_p(b, c) <= alpha
    )


@pytest.mark.parametrize("alpha", [0.05, 0.2])
@pytest.mark.parametrize("n", [1, 5, 6, 17, 30])
@pytest.mark.parametrize(
    ("ahead", "behind"), [(0.3, 0.1), (0.02, 0.01), (0.9, 0.1), (0.0, 1.0), (0.25, 0.25), (0, 0)]
)
def test_the_power_of_the_exact_test_is_that_of_going_through_all_outcomes(
    ahead: float, behind: float, n: int, alpha: float
) -> None:
    expected = by_enumeration(ahead, behind, n, alpha)
    assert sign_power(ahead, behind, n, alpha=alpha) == pytest.approx(expected, abs=1e-12)


SHARES = [
    *((0.15, 0.05), (0.06, 0.04), (0.02, 0.0), (0.9, 0.1), (0.55, 0.45), (0.0, 0.3)),
    *((0.35, 0.24), (0.59, 0.0), (0.4, 0.21), (0.5, 0.25)),
]


@pytest.mark.parametrize(("ahead", "behind"), SHARES)
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_the_planned_queries_have_the_power_and_so_has_every_larger_number(
    ahead: float, behind: float, power: float
) -> None:
    n = sign_queries(ahead, behind, power=power)
    assert n is not None
    assert all(sign_power(ahead, behind, m) >= power for m in range(n, n + 120))
    assert sign_power(ahead, behind, n - 1) < power


def test_going_to_the_first_number_with_the_power_would_not_do() -> None:
    # 0.5090 of the queries are ahead, the others behind: the power is a saw with teeth of two
    powers = [sign_power(0.55, 0.45, n) for n in range(780, 821)]
    first = next(at for at, power in enumerate(powers) if power >= 0.8)
    assert min(powers[first:]) < 0.8


@pytest.mark.parametrize(("ahead", "behind"), SHARES)
def test_the_exact_test_needs_more_queries_than_the_normal_formula(
    ahead: float, behind: float
) -> None:
    psi, delta = ahead + behind, abs(ahead - behind)
    z = stats.norm.ppf([0.975, 0.8])
    connor = (z[0] * math.sqrt(psi) + z[1] * math.sqrt(psi - delta**2)) ** 2 / delta**2
    n = sign_queries(ahead, behind)
    assert n is not None
    assert connor < n < 1.12 * connor + 6


def test_beyond_a_million_changed_queries_the_formula_takes_over_without_a_break() -> None:
    exact, formula = sign_queries(0.5014, 0.4986), sign_queries(0.50139, 0.49861)
    assert exact is not None
    assert formula is not None
    assert exact < 1_010_000 < formula
    assert formula / exact == pytest.approx((0.0028 / 0.00278) ** 2, rel=2e-3)


def test_without_a_difference_no_number_of_queries_finds_one() -> None:
    assert sign_queries(0.2, 0.2) is None
    assert sign_power(0.2, 0.2, 2_000) < 0.05


@given(st.floats(0.01, 0.5), st.floats(0.0, 0.5), st.integers(1, 400))
def test_power_is_symmetric_in_the_runs_and_a_probability(
    ahead: float, behind: float, n: int
) -> None:
    power = sign_power(ahead, behind, n)
    assert 0 <= power <= 1
    assert power == pytest.approx(sign_power(behind, ahead, n), abs=1e-9)


# the swap test


@pytest.mark.parametrize(("effect", "pairs"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_planned_pairs_are_those_of_the_paired_t_test(effect: float, pairs: int) -> None:
    # Cohen's small, medium and large effects, as G*Power and statsmodels have them
    assert swap_queries(effect, 1.0) == pairs


@pytest.mark.parametrize("n", [8, 40, 1_000, 1_002, 5_000])
def test_power_of_the_swap_test_is_that_of_the_noncentral_t(n: int) -> None:
    limit, shift = stats.t.ppf(0.975, n - 1), 2.5
    expected = stats.nct.sf(limit, n - 1, shift) + stats.nct.cdf(-limit, n - 1, shift)
    tolerance = 1e-9 if n <= 1_001 else 3e-4
    assert swap_power(2.5 / math.sqrt(n), 1.0, n) == pytest.approx(expected, abs=tolerance)


def test_simulated_swap_tests_find_as_often_as_planned() -> None:
    from metrics.resampling import swap_test

    rng, n = np.random.default_rng(3), swap_queries(0.4, 1.0)
    ones, zeros, found = np.ones(n), np.zeros(n), 0
    for seed in range(400):
        p = swap_test(zeros, ones, rng.normal(0.4, 1.0, n), ones, seed=seed, draws=1_000)
        found += p is not None and p <= 0.05
    assert found / 400 == pytest.approx(0.8, abs=3.5 * math.sqrt(0.8 * 0.2 / 400))


def test_fewer_than_six_differing_queries_are_never_significant() -> None:
    assert swap_power(10.0, 1.0, 5) == 0.0
    assert swap_power(10.0, 1.0, 6) == pytest.approx(1.0)
    assert swap_power(10.0, 1.0, 100, differing=0.01) == pytest.approx(stats.binom.sf(5, 100, 0.01))
    assert swap_queries(10.0, 1.0, differing=0.02) == 394  # as of the sign test with 2% ahead


@given(st.floats(0.005, 0.3), st.floats(0.05, 0.5))
def test_more_queries_have_more_power(delta: float, deviation: float) -> None:
    n = swap_queries(delta, deviation)
    assert swap_power(delta, deviation, n) >= 0.8
    assert n <= 6 or swap_power(delta, deviation, n - 1) < 0.8


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sign_power(-0.1, 0.2, 5), "probabilities of one query"),
        (lambda: sign_power(0.6, 0.5, 5), "probabilities of one query"),
        (lambda: sign_power(0.1, 0.2, 5, alpha=0), "alpha must lie"),
        (lambda: sign_queries(0.1, 0.2, power=1), "power must lie"),
        (lambda: swap_power(0.1, 0.0, 5), "deviation must be above 0"),
        (lambda: swap_power(0.1, 1.0, 5, differing=2), "differing must lie"),
        (lambda: swap_queries(0.0, 1.0), "cannot be found"),
        (lambda: swap_queries(0.1, 1.0, power=0), "power must lie"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()
