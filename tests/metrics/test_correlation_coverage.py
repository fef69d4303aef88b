"""Do the intervals of people against measures cover the truth as often as they say?

A world has a cause of every query: measures see it with noise and in steps, people in three votes
with noise. The truth is SciPy's and scikit-learn's figure of 300,000 queries of that world, known
to about 0.002. One call correlates many small samples at once, each of them a segment. With n
samples the Monte-Carlo error of a coverage of 95% is sqrt(0.05 · 0.95/n).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from metrics import correlate, correlate_systems

Floats = NDArray[np.float64]

FIGURES = ("kendall", "spearman", "pearson", "kappa", "auc", "sign")


def steps(cause: Floats, rng: np.random.Generator) -> Floats:
    """Good items of ten, treatment less control."""
    return np.round(np.clip(2 * (cause + rng.normal(scale=0.5, size=len(cause))), -8, 8)) / 10


def smooth(cause: Floats, rng: np.random.Generator) -> Floats:
    """Hardly any ties, and much noise."""
    return 0.5 * cause + rng.normal(size=len(cause))


def three_values(cause: Floats, rng: np.random.Generator) -> Floats:
    """Worse, the same, better: Query Goodrate, or a judge's verdict."""
    seen = cause + rng.normal(size=len(cause))
    return np.sign(seen) * (np.abs(seen) > 1.2)


def blind(cause: Floats, rng: np.random.Generator) -> Floats:
    """Knows nothing of the cause."""
    return rng.normal(size=len(cause))


Measure = Callable[[Floats, np.random.Generator], Floats]
WORLDS: dict[str, Measure] = {one.__name__: one for one in (steps, smooth, three_values, blind)}


def draw(measure: Measure, size: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Three votes and a Δ for every query, float64[size, 3] and float64[size]."""
    cause = rng.normal(size=size)
    seen = cause[:, None] + rng.normal(size=(size, 3))
    return np.sign(seen) * (np.abs(seen) > 0.5), measure(cause, rng)


@cache
def truth(world: str) -> dict[str, float]:
    votes, delta = draw(WORLDS[world], 300_000, np.random.default_rng(77))
    human, found = votes.mean(axis=1), np.sign(delta)
    counts = np.stack([(votes == value).sum(axis=1) for value in (-1, 0, 1)], axis=1)
    most = counts == counts.max(axis=1, keepdims=True)
    said = np.where(most.sum(axis=1) == 1, most.argmax(axis=1) - 1, 0)
    clear = (human != 0) & (found != 0)
    return {
        "kendall": stats.kendalltau(human, delta)[0],
        "spearman": stats.spearmanr(human, delta)[0],
        "pearson": stats.pearsonr(human, delta)[0],
        "kappa": cohen_kappa_score(said, found.astype(int)),
        "auc": roc_auc_score(said[said != 0] > 0, delta[said != 0]),
        "sign": float((np.sign(human) == found)[clear].mean()),
    }


def covered(world: str, queries: int, samples: int, seed: int) -> dict[str, tuple[float, int]]:
    """Per figure the share of its intervals that hold the truth, and how many there were."""
    rng = np.random.default_rng(seed)
    size = queries * samples
    votes, delta = draw(WORLDS[world], size, rng)
    ids = [f"q{at:06}" for at in range(size)]
    found = correlate(
        pa.table(
            {
                "query_id": np.repeat(ids, 3),
                "annotator": np.tile(["ann", "bob", "cy"], size),
                "preference": votes.ravel(),
                "sample": np.repeat(np.arange(samples), 3 * queries),
            }
        ),
        pa.table({"query_id": ids, "measure": ["seen"] * size, "delta": delta}),
        by=["sample"],
        seed=seed,
    )
    true = truth(world)
    held = {name: [] for name in FIGURES}  # type: dict[str, list[bool]]
    for row in found.rows[1:]:
        for name in FIGURES:
            low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
            if low is not None:
                held[name].append(low <= true[name] <= high)
    return {name: (float(np.mean(of or [False])), len(of)) for name, of in held.items()}


def error(samples: int) -> float:
    return math.sqrt(0.05 * 0.95 / samples)


def test_95_percent_intervals_hold_the_truth_in_95_percent() -> None:
    for name, (share, count) in covered("steps", 60, 250, seed=3).items():
        # three Monte-Carlo errors: 4 points
        assert share == pytest.approx(0.95, abs=3 * error(count)), name
        assert count > 240, name


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("queries", [12, 30, 60, 160])
def test_intervals_of_every_world_cover(world: str, queries: int) -> None:
    samples = 1_000 if queries < 100 else 500
    for name, (share, count) in covered(world, queries, samples, seed=11).items():
        # Pearson's r of votes falls up to one and a half points short where queries are few
        slack = 0.015 if name == "pearson" and queries < 100 else 0.0
        # few samples of few queries have 10 that move, or 10 Good and 10 Bad ones
        assert count > 200 or queries < 30, name
        assert count < 100 or share > 0.95 - slack - 3 * error(count), name


@pytest.mark.slow
@pytest.mark.parametrize("studies", [4, 6, 8, 15])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_intervals_over_studies_cover(studies: int, correlation: float) -> None:
    rng = np.random.default_rng(studies)
    samples = 600
    gsb = rng.normal(size=samples * studies)
    noise = rng.normal(size=samples * studies)
    found = correlate_systems(
        pa.table(
            {
                "study": np.tile([f"s{at}" for at in range(studies)], samples),
                "measure": np.repeat([f"m{at:03}" for at in range(samples)], studies),
                "gsb": gsb,
                "delta": correlation * gsb + math.sqrt(1 - correlation**2) * noise,
            }
        )
    )
    true = 2 / math.pi * math.asin(correlation)  # of a bivariate normal distribution
    held = [row.kendall_low <= true <= row.kendall_high for row in found.rows if row.kendall_low]
    assert len(held) > 300
    assert np.mean(held) > 0.95 - 3 * error(len(held))


@pytest.mark.slow
def test_the_lead_of_the_best_measure_is_covered() -> None:
    true = {world: truth(world)["kendall"] for world in ("steps", "three_values")}
    held = []
    for seed in range(400):
        rng = np.random.default_rng([seed, 5])
        cause = rng.normal(size=100)
        seen = cause[:, None] + rng.normal(size=(100, 3))
        votes = np.sign(seen) * (np.abs(seen) > 0.5)
        ids = [f"q{at:03}" for at in range(100)]
        ranking = correlate(
            pa.table(
                {
                    "query_id": np.repeat(ids, 3),
                    "annotator": np.tile(["ann", "bob", "cy"], 100),
                    "preference": votes.ravel(),
                }
            ),
            pa.table(
                {
                    "query_id": ids * 2,
                    "measure": np.repeat(list(true), 100),
                    "delta": np.concatenate([WORLDS[world](cause, rng) for world in true]),
                }
            ),
            seed=seed,
        ).ranking
        lead = true[ranking[0].measure] - true[ranking[1].measure]
        held.append(ranking[1].behind_low <= lead <= ranking[1].behind_high)
    assert np.mean(held) == pytest.approx(0.95, abs=3 * error(len(held)))
