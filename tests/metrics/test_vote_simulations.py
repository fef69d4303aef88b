"""Do the intervals of votes cover what they say, and does looking daily keep its promise?

Monte-Carlo errors stand beside every bound: with n simulated studies and an error of 5%, one
standard error is sqrt(0.05 · 0.95/n).
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from metrics import agreement, gsb_from_votes, sequential_gsb
from metrics.sequential import mean_sequence, win_rate_sequence

SHARES = [0.2, 0.5, 0.3]  # Bad, Same, Good of a query that nobody sees differently


def votes_of(
    rng: np.random.Generator, queries: int, people: int, shares: list[float], noise: float
) -> pa.Table:
    """Every query has a truth; everybody sees it, but for a share that answers at random."""
    truth = rng.choice([-1, 0, 1], size=queries, p=shares)
    said = np.repeat(truth, people)
    random = rng.random(len(said)) < noise
    said = np.where(random, rng.choice([-1, 0, 1], size=len(said)), said)
    return pa.table(
        {
            "query_id": np.repeat([f"q{query:04}" for query in range(queries)], people),
            "annotator": np.tile([f"a{person}" for person in range(people)], queries),
            "preference": said,
            "position": np.repeat(np.arange(queries), people),
        }
    )


def majority_gsb(people: int, shares: list[float], noise: float) -> float:
    """The GSB of the majority among infinitely many queries, by going through all answers."""
    total = 0.0
    for truth, share in zip((-1, 0, 1), shares, strict=True):
        chances = [noise / 3 + (1 - noise) * (truth == answer) for answer in (-1, 0, 1)]
        for bad in range(people + 1):
            for same in range(people + 1 - bad):
                good = people - bad - same
                ranked = sorted([bad, same, good])
                won = ranked[2] > ranked[1]
                verdict = (good == ranked[2]) - (bad == ranked[2]) if won else 0
                chance = stats.multinomial.pmf([bad, same, good], people, chances)
                total += share * chance * verdict
    return total


@pytest.mark.slow
@pytest.mark.parametrize("aggregate", ["majority", "votes"])
def test_95_percent_intervals_of_gsb_cover_95_percent(aggregate: str) -> None:
    rng = np.random.default_rng(11)
    true = majority_gsb(3, SHARES, 0.3) if aggregate == "majority" else 0.7 * 0.1
    hits, studies = 0, 1_000
    for _ in range(studies):
        row = gsb_from_votes(votes_of(rng, 120, 3, SHARES, 0.3), aggregate=aggregate).rows[0]
        assert row.ci_low is not None
        assert row.ci_high is not None
        hits += row.ci_low <= true <= row.ci_high
    # standard error .007
    assert hits / studies == pytest.approx(0.95, abs=0.021)


@pytest.mark.slow
def test_the_refitted_bootstrap_covers_the_gsb_of_the_truth() -> None:
    rng = np.random.default_rng(12)
    hits, studies = 0, 120
    for seed in range(studies):
        votes = votes_of(rng, 100, 5, SHARES, 0.3)
        row = gsb_from_votes(votes, aggregate="dawid_skene", seed=seed).rows[0]
        assert row.ci_low is not None
        assert row.ci_high is not None
        hits += row.ci_low <= 0.1 <= row.ci_high
    # standard error .020
    assert 0.89 <= hits / studies <= 1.0


@pytest.mark.slow
def test_the_bootstrap_of_alpha_covers_the_alpha_of_many_queries() -> None:
    rng = np.random.default_rng(13)
    true = agreement(votes_of(rng, 100_000, 3, SHARES, 0.4), draws=0).alpha_nominal
    assert true is not None
    hits, studies = 0, 400
    for seed in range(studies):
        found = agreement(votes_of(rng, 150, 3, SHARES, 0.4), seed=seed, level="nominal")
        assert found.alpha_nominal_low is not None
        assert found.alpha_nominal_high is not None
        hits += found.alpha_nominal_low <= true <= found.alpha_nominal_high
    # standard error .011; a percentile bootstrap of 150 queries may cover a little less
    assert hits / studies == pytest.approx(0.95, abs=0.034)


@pytest.mark.slow
def test_votes_on_a_query_taken_as_independent_would_cover_too_rarely() -> None:
    # what the clusters are for: the same data, every vote a query of its own
    rng = np.random.default_rng(14)
    hits, studies = 0, 400
    for _ in range(studies):
        votes = votes_of(rng, 120, 3, SHARES, 0.1)
        alone = votes.set_column(
            0, "query_id", pa.array([f"v{row}" for row in range(votes.num_rows)])
        )
        row = gsb_from_votes(alone, aggregate="votes").rows[0]
        assert row.ci_low is not None
        assert row.ci_high is not None
        hits += row.ci_low <= 0.09 <= row.ci_high
    assert hits / studies < 0.85


def test_looking_after_every_query_finds_a_difference_that_is_not_there_in_at_most_5_percent() -> (
    None
):
    rng = np.random.default_rng(15)
    studies, wrong, naive = 1_000, 0, 0
    for _ in range(studies):
        signs = rng.choice([-1.0, 0.0, 1.0], size=400, p=[0.35, 0.3, 0.35])
        e_values, low, high = win_rate_sequence(signs, 0.05)
        wrong += bool((e_values >= 20).any())
        # the sequence leaves one half out exactly when the e-value has decided
        assert (e_values.max() >= 20) == (low[-1] > 0.5 or high[-1] < 0.5)
        won, decided = np.cumsum(signs > 0)[9::10], np.cumsum(signs != 0)[9::10]
        tails = stats.binom.cdf(np.minimum(won, decided - won), decided, 0.5)
        naive += bool((2 * tails <= 0.05).any())
    # standard error .007; about .025 is found, since the bound holds for endless looking
    assert wrong / studies <= 0.05
    # the same daily looks with the ordinary sign test
    assert naive / studies > 0.15


def test_a_difference_that_is_there_is_found() -> None:
    rng = np.random.default_rng(16)
    found = 0
    for _ in range(300):
        signs = rng.choice([-1.0, 1.0], size=1_000, p=[0.4, 0.6])
        found += bool((win_rate_sequence(signs, 0.05)[0] >= 20).any())
    assert found / 300 > 0.98


@pytest.mark.parametrize(
    ("values", "shares"),
    [
        ([-1.0, 0.0, 1.0], [0.3, 0.4, 0.3]),
        ([-1.0, 0.0, 1.0], [0.02, 0.9, 0.08]),
        ([-1.0, -1 / 3, 1 / 3, 1.0], [0.05, 0.1, 0.25, 0.6]),
    ],
)
def test_the_sequence_of_gsb_misses_the_mean_in_at_most_5_percent_over_all_looks(
    values: list[float], shares: list[float]
) -> None:
    rng = np.random.default_rng(17)
    true = float(np.dot(values, shares))
    studies, missed = 300, 0
    for _ in range(studies):
        h = rng.choice(values, size=300, p=shares)
        low, high = mean_sequence((h + 1) / 2, 0.05)
        # intersected over time: the end says whether it was ever missed
        missed += not 2 * low[-1] - 1 <= true <= 2 * high[-1] - 1
    # standard error .013
    assert missed / studies <= 0.05


@pytest.mark.slow
def test_queries_that_are_completed_out_of_order_keep_the_promise_as_well() -> None:
    """Daily looks at a study whose queries are finished a little before or after their turn."""
    rng = np.random.default_rng(18)
    studies, missed, decided = 200, 0, 0
    for _ in range(studies):
        votes = votes_of(rng, 300, 1, [0.3, 0.4, 0.3], 0.0)
        finished = np.arange(300) + rng.normal(0, 20, size=300)
        any_miss = any_decision = False
        for day in range(30, 330, 30):
            now = sequential_gsb(votes.filter(pa.array(finished <= day)))
            any_miss |= not now.gsb_low <= 0 <= now.gsb_high
            any_decision |= now.decided
        missed += any_miss
        decided += any_decision
    # standard error .015
    assert missed / studies <= 0.05
    assert decided / studies <= 0.05


def test_the_betting_sequence_is_not_much_wider_than_an_interval_that_may_be_read_once() -> None:
    rng = np.random.default_rng(19)
    h = rng.choice([-1.0, 0.0, 1.0], size=2_000, p=[0.3, 0.4, 0.3])
    low, high = mean_sequence((h + 1) / 2, 0.05)
    once = 2 * 1.96 * math.sqrt(h.var() / len(h))
    assert 1.0 < 2 * (high[-1] - low[-1]) / once < 2.5
