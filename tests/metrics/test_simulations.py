"""Simulations: do 95% intervals cover 95%, and do tests at 5% reject a true null in 5%?"""

from __future__ import annotations

import math

import numpy as np
import pytest

from metrics.inference import (
    Interval,
    minimal_detectable_effect,
    paired_ratio_interval,
    ratio_interval,
)
from metrics.proportions import tango_interval
from metrics.resampling import paired_bca_interval, swap_test

pytestmark = pytest.mark.slow


def clustered_runs(rng: np.random.Generator, n: int, gain: float = 0.04) -> list[np.ndarray]:
    """Two runs whose good rates share a query's difficulty and whose depth depends on it."""
    difficulty = rng.beta(1.2, 1.8, size=n)
    columns = []
    for more in (0.0, gain):
        shown = np.where(rng.random(n) < 0.7, 10, rng.binomial(10, 0.2 + 0.7 * difficulty))
        columns += [rng.binomial(shown, np.minimum(difficulty + more, 1)), shown]
    return columns


@pytest.fixture(scope="module")
def true_delta() -> float:
    columns = clustered_runs(np.random.default_rng(99), 4_000_000)
    good_control, shown_control, good_treatment, shown_treatment = (c.sum() for c in columns)
    return float(good_treatment / shown_treatment - good_control / shown_control)


def covers(interval: Interval | None, truth: float) -> bool:
    assert interval is not None
    return interval.low <= truth <= interval.high


def test_95_percent_intervals_of_a_paired_ratio_cover_95_percent(true_delta):
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(4_000):
        estimate = paired_ratio_interval(*clustered_runs(rng, 100))
        assert estimate is not None
        hits += covers(estimate.interval, true_delta)
    assert 0.93 <= hits / 4_000 <= 0.97


def test_95_percent_intervals_of_bca_cover_95_percent(true_delta):
    rng = np.random.default_rng(15)
    hits = 0
    for seed in range(2_000):
        interval = paired_bca_interval(*clustered_runs(rng, 150), seed=seed, draws=999)
        hits += covers(interval, true_delta)
    assert 0.93 <= hits / 2_000 <= 0.97


@pytest.mark.parametrize(("b", "c", "n"), [(0.08, 0.04, 100), (0.02, 0.02, 200), (0.3, 0.1, 40)])
def test_95_percent_intervals_of_tango_cover_95_percent(b, c, n):
    counts = np.random.default_rng(2).multinomial(n, [b, c, 1 - b - c], size=4_000)
    hits = sum(covers(tango_interval(only_t, only_c, n), b - c) for only_t, only_c, _ in counts)
    assert 0.93 <= hits / 4_000 <= 0.97


def test_the_swap_test_rejects_a_true_null_in_5_percent():
    rng = np.random.default_rng(14)
    rejected = 0
    for seed in range(3_000):
        p = swap_test(*clustered_runs(rng, 60, gain=0.0), seed=seed, draws=999)
        assert p is not None
        rejected += p <= 0.05
    assert rejected / 3_000 == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 3_000))


def test_a_true_effect_of_the_detectable_size_is_found_in_80_percent():
    rng = np.random.default_rng(3)
    n = 200
    effect = minimal_detectable_effect(1 / math.sqrt(n))
    found = 0
    for _ in range(4_000):
        estimate = ratio_interval(rng.normal(effect, 1, size=n), np.ones(n))
        assert estimate is not None
        assert estimate.interval is not None
        found += estimate.interval.low > 0
    assert found / 4_000 == pytest.approx(0.8, abs=0.025)
