"""How often prediction-powered intervals hold the truth: both targets, any judge, any design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from metrics import (
    inclusion_probabilities,
    prediction_powered_difference,
    prediction_powered_mean,
    prediction_powered_ratio,
    systematic_sample,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SHOWN = [2, 5, 8, 10, 10, 10]
GOOD = 0.4  # of the items of the population


@dataclass
class World:
    """Queries with good items by people and by the judge, of one run or two."""

    den: Array
    people: list[Array]
    judge: list[Array]

    def truth(self, of: str) -> float:
        ratios = [float(values.sum() / self.den.sum()) for values in self.people]
        return ratios[1] - ratios[0] if of == "delta" else ratios[0]


def world(rng: np.random.Generator, judge: str, size: int = 300) -> World:
    """Queries of which each shows several items that are good together or bad together."""
    den = rng.choice(SHOWN, size)
    share = rng.beta(1.2, 1.8, size)
    control = rng.binomial(den, share)
    # the treatment changes some of the items
    changed = rng.binomial(den, 0.3)
    kept = rng.hypergeometric(control, den - control, den - changed)
    treatment = kept + rng.binomial(changed, np.clip(share + 0.1, 0, 1))

    def judged(good: Any) -> Array:
        right, wrong = {"good": (0.92, 0.06), "biased": (0.98, 0.3), "useless": (0.4, 0.4)}[judge]
        return (rng.binomial(good, right) + rng.binomial(den - good, wrong)).astype(float)

    people = [control.astype(float), treatment.astype(float)]
    return World(den.astype(float), people, [judged(control), judged(treatment)])


def sample(rng: np.random.Generator, design: str, den: Array, labels: int) -> tuple[Any, Any]:
    """Labelled queries, and their probabilities where these differ."""
    if design == "equal":
        return rng.choice(len(den), labels, replace=False), None
    size = rng.gamma(1.5, 1, len(den)) * den
    p = inclusion_probabilities(0.8 * size / size.sum() + 0.2 / len(den), labels)
    return systematic_sample(p, seed=int(rng.integers(1 << 31))), p


def covered(
    repeats: int, *, judge: str, design: str, target: Any, of: str, labels: int, seed: int
) -> tuple[float, float, float]:
    """Share of intervals that hold the truth: corrected, people alone; ratio of their widths."""
    rng = np.random.default_rng(seed)
    hits, alone, width, human_width = 0, 0, 0.0, 0.0
    for _ in range(repeats):
        made = world(rng, judge)
        at, p = sample(rng, design, made.den, labels)
        people = [np.full(len(made.den), np.nan) for _ in made.people]
        for known, values in zip(people, made.people, strict=True):
            known[at] = values[at]
        options: dict[str, Any] = {"probabilities": p, "target": target}
        if of == "delta":
            found = prediction_powered_difference(
                made.judge[0], people[0], made.den, made.judge[1], people[1], made.den, **options
            )
        else:
            found = prediction_powered_ratio(made.judge[0], people[0], made.den, **options)
        truth = made.truth(of) if target == "queries" else POPULATION[of]
        assert found is not None
        assert found.interval is not None
        assert found.human_interval is not None
        hits += found.interval.low <= truth <= found.interval.high
        alone += found.human_interval.low <= truth <= found.human_interval.high
        width += found.interval.high - found.interval.low
        human_width += found.human_interval.high - found.human_interval.low
    return hits / repeats, alone / repeats, width / human_width


def _delta_of_the_population() -> float:
    """0.3 of the items change: each is good with the share + 0.1, cut at 1."""
    share = np.random.default_rng(0).beta(1.2, 1.8, 4_000_000)
    return float(0.3 * (np.clip(share + 0.1, 0, 1).mean() - share.mean()))


POPULATION = {"run": GOOD, "delta": _delta_of_the_population()}

CASES = [
    (judge, design, target, of)
    for judge in ("good", "biased", "useless")
    for design in ("equal", "unequal")
    for target in ("queries", "population")
    for of in ("run", "delta")
]


SOME = [case for case in CASES if case[2:] in (("queries", "delta"), ("population", "run"))]


@pytest.mark.parametrize(("judge", "design", "target", "of"), SOME)
def test_the_interval_holds_the_truth_nearly_as_often_as_it_says(
    judge: str, design: str, target: str, of: str
) -> None:
    hits, alone, width = covered(
        150, judge=judge, design=design, target=target, of=of, labels=60, seed=11
    )
    # standard error .018
    assert hits > 0.95 - 3 * 0.018
    assert alone > 0.95 - 3 * 0.018
    # nothing is lost with a useless judge, and something is gained with a good one
    assert width < {"good": 0.8, "biased": 0.95, "useless": 1.02}[judge]


@pytest.mark.slow
@pytest.mark.parametrize("labels", [20, 40, 100])
@pytest.mark.parametrize(("judge", "design", "target", "of"), CASES)
def test_coverage_is_within_two_points_from_forty_labels_on(
    judge: str, design: str, target: str, of: str, labels: int
) -> None:
    hits, alone, width = covered(
        4_000, judge=judge, design=design, target=target, of=of, labels=labels, seed=12
    )
    print(f"\n{judge} {design} {target} {of} n={labels}: {hits:.4f} {alone:.4f} {width:.3f}")
    # standard error .0034; with 20 labels the row has a note, and very unequal ones are careful
    assert 0.95 - (0.02 if labels >= 40 else 0.035) <= hits <= 0.985
    assert 0.95 - (0.02 if labels >= 40 else 0.025) <= alone <= 0.985


def test_an_allowance_for_mistakes_not_seen_mends_a_judge_that_is_nearly_always_right() -> None:
    """The variance of a handful of mistakes is badly known: alone it covers far too little."""
    rng = np.random.default_rng(13)
    repeats = 300
    hits, warned = {0.0: 0, 1.0: 0}, {0.0: 0, 1.0: 0}
    for _ in range(repeats):
        truth = (rng.random(300) < 0.8).astype(float)
        judge = np.where(rng.random(300) < 0.03, 1 - truth, truth)
        human = np.full(300, np.nan)
        at = rng.choice(300, 60, replace=False)
        human[at] = truth[at]
        for step in hits:
            found = prediction_powered_mean(judge, human, step=step)
            assert found is not None
            assert found.interval is not None
            hits[step] += found.interval.low - 1e-12 <= truth.mean() <= found.interval.high + 1e-12
            warned[step] += bool(found.note)
    assert warned[0.0] == repeats
    assert warned[1.0] < repeats / 4  # only where not one mistake was seen
    assert 0.7 < hits[0.0] / repeats < 0.93
    assert hits[1.0] / repeats > 0.96


@pytest.mark.slow
@pytest.mark.parametrize("mistaken", [0.05, 0.15, 1.0])
def test_items_with_an_allowance_cover_however_seldom_the_judge_errs(mistaken: float) -> None:
    """Mistakes come in clusters: 3 of 10 products, on 5%, 15% or all of the queries."""
    rng = np.random.default_rng(14)
    repeats, hits = 2_000, 0
    for _ in range(repeats):
        truth = rng.binomial(10, rng.beta(1, 2, 160)).astype(float)
        off = np.where(rng.random(160) < mistaken, rng.binomial(10, 0.3, 160), 0)
        judge = np.clip(truth + np.where(rng.random(160) < 0.5, off, -off), 0, 10)
        human = np.full(160, np.nan)
        at = rng.choice(160, 40, replace=False)
        human[at] = truth[at]
        found = prediction_powered_ratio(judge, human, np.full(160, 10.0), step=0.1)
        assert found is not None
        assert found.interval is not None
        hits += found.interval.low <= truth.mean() / 10 <= found.interval.high
    assert hits / repeats >= 0.92
