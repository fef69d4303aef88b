"""Do the planned queries find what they were planned for, in populations whose truth is known?

A plan is made from a large pilot, so that what is tested is the plan and not the luck of a pilot;
then samples of the planned size are drawn afresh and tested with the test that is printed. Bounds
are 3.5 Monte-Carlo errors, sqrt(0.8 · 0.2/samples) each.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from metrics import plan_comparison, plan_votes
from metrics.proportions import sign_test_p
from metrics.resampling import swap_test

exact_p = cache(sign_test_p)


def error(samples: int) -> float:
    return 3.5 * math.sqrt(0.8 * 0.2 / samples)


def goods(rng: np.random.Generator, queries: int, gain: float) -> np.ndarray:
    """float[4, queries]: good and shown items of two runs.

    Queries are easy or hard, some lists are short and some empty, and the runs share most items,
    so that queries are clusters; the treatment has `gain` more good items of all it shows.
    """
    easy = rng.uniform(0.2, 0.7, queries)
    shown = rng.choice([0, 4, 10], size=(2, queries), p=[0.05, 0.15, 0.8])
    both = np.minimum(*shown) // 2
    shared = rng.binomial(both, easy)
    good_control = shared + rng.binomial(shown[0] - both, easy)
    # the items shared have no gain, so the others have more
    more = gain * shown[1].mean() / (shown[1] - both).mean()
    good_treatment = shared + rng.binomial(shown[1] - both, np.minimum(easy + more, 1.0))
    return np.stack([good_control, shown[0], good_treatment, shown[1]]).astype(float)


def per_query(columns: np.ndarray, measure: str) -> pa.Table:
    num_control, den_control, num_treatment, den_treatment = columns
    control = num_control / np.maximum(den_control, 1e-9)
    treatment = num_treatment / np.maximum(den_treatment, 1e-9)
    return pa.table(
        {
            "query_id": [f"q{at}" for at in range(columns.shape[1])],
            "measure": [measure] * columns.shape[1],
            "control": control,
            "treatment": treatment,
            "delta": treatment - control,
            "weight_control": den_control,
            "weight_treatment": den_treatment,
        }
    )


def swap_found(samples: int, queries: int, gain: float, draws: int) -> float:
    rng, found = np.random.default_rng(17), 0
    for seed in range(samples):
        p = swap_test(*goods(rng, queries, gain), seed=seed, draws=draws)
        found += p is not None and p <= 0.05
    return found / samples


def check_goodrate(gain: float, samples: int, draws: int) -> None:
    pilot = per_query(goods(np.random.default_rng(1), 8_000, gain), "item_goodrate")
    (row,) = plan_comparison(pilot, delta=gain).rows
    assert row.method == "delta_method"
    assert row.pilot_delta == pytest.approx(gain, abs=0.01)
    found = swap_found(samples, row.needed_queries, gain, draws)
    assert found == pytest.approx(0.8, abs=error(samples) + 0.01)


def test_planned_queries_find_a_difference_in_item_goodrate() -> None:
    check_goodrate(0.06, 300, 1_000)


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.03, 0.06, 0.12, 0.2])
def test_planned_queries_find_differences_of_every_size_in_item_goodrate(gain: float) -> None:
    check_goodrate(gain, 3_000, 2_000)


@pytest.mark.parametrize(
    ("measure", "ahead", "behind"),
    [("query_goodrate", 0.12, 0.06), ("query_goodrate", 0.03, 0.01), ("gsb", 0.35, 0.25)],
)
def test_planned_queries_find_a_difference_of_shares_and_verdicts(
    measure: str, ahead: float, behind: float
) -> None:
    pilot = 50_000
    won, lost = round(ahead * pilot), round(behind * pilot)
    control, treatment = np.zeros(pilot), np.zeros(pilot)
    treatment[:won] = 1.0
    if measure == "gsb":
        treatment[won : won + lost] = -1.0
    else:
        control[won : won + lost] = 1.0
    ones = np.ones(pilot)
    table = per_query(np.stack([control, ones, treatment, ones]), measure)
    (row,) = plan_comparison(table, delta=ahead - behind).rows
    samples = 20_000
    drawn = np.random.default_rng(2).multinomial(
        row.needed_queries, [ahead, behind, 1 - ahead - behind], size=samples
    )
    found = np.mean([exact_p(int(b), int(c)) <= 0.05 for b, c, _ in drawn])
    # exactly as much as was asked for, but for the last query
    assert found == pytest.approx(0.8, abs=error(samples) + 0.004)


# votes


def seen_through_noise(
    rng: np.random.Generator, queries: int, overlap: int, gsb: float
) -> np.ndarray:
    """Every query is better, the same or worse; of 10 votes, 3 are given at random."""
    wanted = gsb / 0.7
    truth = rng.choice([-1, 0, 1], size=queries, p=[0.25 - wanted / 2, 0.5, 0.25 + wanted / 2])
    random = rng.random((queries, overlap)) < 0.3
    said = rng.choice([-1, 0, 1], size=(queries, overlap))
    return np.where(random, said, truth[:, None])


def weighed(rng: np.random.Generator, queries: int, overlap: int, gsb: float) -> np.ndarray:
    """Queries differ by a normal amount, people see it with a normal error, small is the same."""
    return as_weighed(rng, queries, overlap, spread=0.8, shift=gsb / 0.553)


def obvious(rng: np.random.Generator, queries: int, overlap: int, gsb: float) -> np.ndarray:
    """As `weighed`, with queries so different that people nearly always agree."""
    return as_weighed(rng, queries, overlap, spread=2.0, shift=gsb / 0.346)


def as_weighed(
    rng: np.random.Generator, queries: int, overlap: int, *, spread: float, shift: float
) -> np.ndarray:
    """The slopes of GSB in the mean difference are those of two million drawn votes."""
    seen = rng.normal(shift, spread, queries)[:, None] + rng.normal(0, 1, (queries, overlap))
    return np.sign(seen) * (np.abs(seen) > 0.6)


def ambiguous(rng: np.random.Generator, queries: int, overlap: int, gsb: float) -> np.ndarray:
    """Every query has its own shares of Good, Same and Bad, as a Dirichlet distribution."""
    shares = np.array([0.3 - gsb / 2, 0.4, 0.3 + gsb / 2])
    each = rng.dirichlet(shares * 1.857, size=queries)  # two votes agree in 57% of the queries
    votes = rng.multinomial(overlap, each)
    return np.repeat(np.tile([-1, 0, 1], queries), votes.ravel()).reshape(queries, overlap)


POPULATIONS = [seen_through_noise, weighed, obvious, ambiguous]


def plan_for(draw: Any, gsb: float, queries: int, overlaps: list[int]) -> list[Any]:
    """Plan from a pilot without a difference, with three votes a query."""
    said = draw(np.random.default_rng(3), queries, 3, 0.0)
    table = pa.table(
        {
            "query_id": np.repeat([f"q{at}" for at in range(queries)], 3),
            "annotator": np.tile(["a", "b", "c"], queries),
            "preference": said.ravel(),
        }
    )
    return list(plan_votes(table, delta=gsb, overlaps=overlaps).rows)


def sign_found(draw: Any, gsb: float, queries: int, overlap: int, samples: int) -> float:
    rng, found = np.random.default_rng(4), 0
    for _ in range(samples):
        totals = draw(rng, queries, overlap, gsb).sum(axis=1)
        found += exact_p(int((totals > 0).sum()), int((totals < 0).sum())) <= 0.05
    return found / samples


def test_planned_votes_find_a_difference_in_gsb_with_one_vote_a_query() -> None:
    for draw in (seen_through_noise, ambiguous):
        (row,) = plan_for(draw, 0.15, 4_000, [1])
        found = sign_found(draw, 0.15, row.needed_queries, 1, 600)
        assert found == pytest.approx(0.8, abs=error(600) + 0.02)


@pytest.mark.parametrize("overlap", [1, 2, 3, 5])
@pytest.mark.parametrize("draw", POPULATIONS)
def test_planned_votes_find_a_difference_in_gsb_with_several_votes_a_query(
    draw: Any, overlap: int
) -> None:
    # which queries get better is not in a pilot: with several votes, within eight points
    (row,) = plan_for(draw, 0.1, 4_000, [overlap])
    found = sign_found(draw, 0.1, row.needed_queries, overlap, 1_500)
    assert found == pytest.approx(0.8, abs=error(1_500) + (0.02 if overlap == 1 else 0.08))


@pytest.mark.slow
@pytest.mark.parametrize("draw", POPULATIONS)
def test_plans_of_small_pilots_scatter_around_what_is_needed(draw: Any) -> None:
    """With 300 queries of 3 votes; a plan n of what needs N has about N/n of the information."""
    for overlap in (1, 3):
        (large,) = plan_for(draw, 0.1, 20_000, [overlap])
        ratios = []
        for seed in range(20):
            said = draw(np.random.default_rng(seed), 300, 3, 0.0)
            table = pa.table(
                {
                    "query_id": np.repeat([f"q{at}" for at in range(300)], 3),
                    "annotator": np.tile(["a", "b", "c"], 300),
                    "preference": said.ravel(),
                }
            )
            (row,) = plan_votes(table, delta=0.1, overlaps=[overlap]).rows
            ratios.append(row.needed_queries / large.needed_queries)
        assert np.median(ratios) == pytest.approx(1.0, abs=0.08)
        assert max(ratios) - min(ratios) < 0.7
