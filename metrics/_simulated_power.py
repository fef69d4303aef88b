"""Power by simulation: samples are drawn, the printed test is run, and how often it finds counts.

A check of the plans of :mod:`metrics.planning`, which compute the same. Everything is drawn from a
generator that the caller seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metrics.proportions import sign_test_p
from metrics.resampling import swap_test

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from metrics.vote_model import VoteModel

    Array = NDArray[np.float64]

__all__ = ["simulate_signs", "simulate_swaps", "simulate_votes"]

_DRAWS = 2_000  # of a swap test; with 10,000, p is a little finer and the power the same


def simulate_swaps(
    columns: Array,
    delta: float,
    queries: int,
    samples: int,
    alpha: float,
    rng: np.random.Generator,
) -> float:
    """Share of samples in which the swap test has p ≤ alpha.

    The treatment's numerators are raised by a constant times its denominators, which makes the
    pilot's Δ the one asked for and leaves all else; then queries are drawn with replacement.

    Args:
        columns: float64[4, n], numerators and denominators of both runs.
        delta: the true difference.
        queries: size of a sample.
        samples: how many are drawn.
        alpha: the level.
        rng: what draws.
    """
    num_control, den_control, num_treatment, den_treatment = columns
    now = num_treatment.sum() / den_treatment.sum() - num_control.sum() / den_control.sum()
    shifted = np.stack(
        [num_control, den_control, num_treatment + (delta - now) * den_treatment, den_treatment]
    )
    found = 0
    for _ in range(samples):
        drawn = shifted[:, rng.integers(0, columns.shape[1], size=queries)]
        p = swap_test(*drawn, seed=int(rng.integers(2**31)), draws=_DRAWS)
        found += p is not None and p <= alpha
    return found / samples


def simulate_signs(
    ahead: float,
    behind: float,
    queries: int,
    samples: int,
    alpha: float,
    rng: np.random.Generator,
) -> float:
    """Share of samples in which the exact sign test (or McNemar's) has p ≤ alpha.

    Every query is ahead, behind or a tie with the given probabilities: the pilot's queries,
    weighted so that their Δ is the one asked for, and drawn with replacement.
    """
    drawn = rng.multinomial(queries, [ahead, behind, max(0.0, 1 - ahead - behind)], size=samples)
    found = sum(sign_test_p(int(won), int(lost)) <= alpha for won, lost, _ in drawn)
    return float(found) / samples


def simulate_votes(
    model: VoteModel,
    gsb: float,
    overlap: int,
    queries: int,
    samples: int,
    alpha: float,
    rng: np.random.Generator,
) -> float:
    """Share of simulated studies in which the sign test over queries has p ≤ alpha.

    Every study draws the probabilities of its queries and then every vote.
    """
    found = 0
    for _ in range(samples):
        good, _same, bad = model.draw(gsb, queries, overlap, rng).T
        won, lost = int((good > bad).sum()), int((good < bad).sum())
        found += sign_test_p(won, lost) <= alpha
    return found / samples
