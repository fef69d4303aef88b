"""Prediction-powered figures: by hand, by a plain implementation, and by what they must be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import plain_calibration as plain
import pytest
from scipy import stats

from metrics import (
    PredictionPowered,
    prediction_powered_difference,
    prediction_powered_mean,
    prediction_powered_ratio,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NAN = float("nan")


def known(estimate: PredictionPowered | None) -> PredictionPowered:
    assert estimate is not None
    return estimate


def some(values: Array, at: Any) -> Array:
    """The human values of the labelled queries, NaN elsewhere."""
    found = np.full(len(values), NAN)
    found[at] = values[at]
    return found


def world(
    seed: int, size: int = 60, labels: int = 25, probabilities: bool = False
) -> tuple[list[plain.Row], Array, Array, Array, Array]:
    """Rows for the plain implementation, and automated, human, den and probabilities."""
    rng = np.random.default_rng(seed)
    den = rng.integers(1, 11, size).astype(float)
    truth = rng.binomial(den.astype(int), 0.6).astype(float)
    judge = np.clip(truth + rng.integers(-2, 3, size), 0, den)
    p = np.full(size, labels / size)
    if probabilities:
        p = rng.uniform(0.2, 0.8, size)
        at = np.flatnonzero(rng.random(size) < p)
    else:
        at = rng.choice(size, labels, replace=False)
    human = some(truth, at)
    rows = [
        (float(j), None if math.isnan(y) else float(y), float(d), float(q))
        for j, y, d, q in zip(judge, human, den, p, strict=True)
    ]
    return rows, judge, human, den, p


# ------------------------------------------------------------------ by hand

# people: 1 1 0 0, judge of these: 1 1 1 0, judge of all ten: 6 of 10
JUDGE, PEOPLE = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1], [1, 1, 0, 0, *[NAN] * 6]


def test_the_worked_figures_of_a_mean() -> None:
    found = known(prediction_powered_mean(JUDGE, PEOPLE))
    # cov = 1/2 : 3, var = 3/4 : 3
    assert found.lambda_ == pytest.approx(2 / 3)
    assert (found.automated, found.human) == (0.6, 0.5)
    assert found.value == pytest.approx(0.5 + 2 / 3 * (0.6 - 0.75))
    # residuals 1/3, 1/3, -2/3, 0: variance 2/9; four labels of ten
    assert found.standard_error == pytest.approx(math.sqrt(0.6 * (2 / 9) / 4))
    assert found.human_error == pytest.approx(math.sqrt(0.6 * (1 / 3) / 4))
    assert found.narrower == pytest.approx(1 - math.sqrt(2 / 3))
    assert found.interval is not None
    half = float(stats.t.ppf(0.975, 3)) * math.sqrt(1 / 30)
    assert found.interval.low == pytest.approx(0.4 - half)
    assert found.interval.high == pytest.approx(0.4 + half)


def test_effective_labels_are_those_with_which_people_alone_are_as_close() -> None:
    found = known(prediction_powered_mean(JUDGE, PEOPLE))
    x = found.effective_labels
    assert x is not None
    alone = stats.t.ppf(0.975, x - 1) * math.sqrt((1 - x / 10) * (1 / 3) / x)
    assert alone == pytest.approx(stats.t.ppf(0.975, 3) * math.sqrt(1 / 30), rel=1e-6)
    assert found.labels_saved == pytest.approx(x - 4)
    assert 0 < x - 4 < 1


def test_the_worked_figures_of_the_population() -> None:
    found = known(prediction_powered_mean(JUDGE, PEOPLE, target="population"))
    # n/M = 4/6
    lam = 2 / 3 / (1 + 4 / 6)
    assert found.lambda_ == pytest.approx(lam)
    unlabelled = np.array([1, 0, 1, 0, 0, 1])
    assert found.value == pytest.approx(lam * 0.5 + 0.5 - lam * 0.75)
    residual = np.array([1 - lam, 1 - lam, -lam, 0])
    error = lam**2 * unlabelled.var(ddof=1) / 6 + residual.var(ddof=1) / 4
    assert found.standard_error == pytest.approx(math.sqrt(error))
    assert found.human_error == pytest.approx(math.sqrt(1 / 12))


def test_the_worked_figures_of_unequal_probabilities() -> None:
    human, p = [1, 0, 1, *[NAN] * 5], [0.5, 0.25, 0.5, *[0.3] * 5]
    found = known(prediction_powered_mean([0] * 8, human, probabilities=p))
    # 2, 4 and 2 queries are stood for; e/p is 1, -2, 1; B = -2/7
    assert found.human == found.value == 0.5
    total = 2 * 0.5 * (9 / 7) ** 2 + 0.75 * (12 / 7) ** 2
    assert found.standard_error == pytest.approx(math.sqrt(1.5 * total) / 8)


# ------------------------------------------------------------------ by another implementation


@pytest.mark.parametrize("seed", range(5))
def test_a_ratio_equals_the_plain_implementation(seed: int) -> None:
    rows, judge, human, den, _ = world(seed)
    found = known(prediction_powered_ratio(judge, human, den))
    lam, value, error, alone = plain.simple_sample(rows)
    assert found.lambda_ == pytest.approx(lam)
    assert 0 < lam < 1
    assert found.value == pytest.approx(value)
    assert found.standard_error == pytest.approx(error)
    assert found.human_error == pytest.approx(alone)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx(
        plain.interval(value, error, 24)
    )


@pytest.mark.parametrize("seed", range(5))
def test_unequal_probabilities_equal_the_plain_implementation(seed: int) -> None:
    rows, judge, human, den, p = world(seed, probabilities=True)
    found = known(prediction_powered_ratio(judge, human, den, probabilities=p))
    assert found.lambda_ is not None
    value, error = plain.weighted_sample(rows, found.lambda_)
    assert found.value == pytest.approx(value)
    assert found.standard_error == pytest.approx(error)
    assert 0 < found.lambda_ < 1
    assert found.lambda_ == pytest.approx(plain.weighted_slope(rows))


def test_equal_probabilities_are_a_simple_random_sample() -> None:
    _, judge, human, den, p = world(1)
    plainly = known(prediction_powered_ratio(judge, human, den))
    given = known(prediction_powered_ratio(judge, human, den, probabilities=p))
    nearly = np.where(np.arange(60) == 0, p * (1 + 1e-6), p)
    hajek = known(prediction_powered_ratio(judge, human, den, probabilities=nearly))
    assert given == plainly
    assert hajek.value == pytest.approx(plainly.value, rel=1e-5)
    assert hajek.standard_error == pytest.approx(plainly.standard_error, rel=1e-5)


def test_both_ways_to_the_population_meet_where_probabilities_are_equal() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=2_000)
    judge, at = truth + rng.normal(size=2_000), rng.choice(2_000, 400, replace=False)
    human, p = some(truth, at), np.full(2_000, 0.2)
    page = known(prediction_powered_mean(judge, human, target="population"))
    p[at[0]] *= 1 + 1e-6
    phases = known(prediction_powered_mean(judge, human, probabilities=p, target="population"))
    assert phases.value == pytest.approx(page.value, abs=1e-6)
    assert phases.standard_error == pytest.approx(page.standard_error, rel=0.01)
    # the page's λ is for the difference to the unlabelled, the other for that to all
    assert phases.lambda_ == pytest.approx((page.lambda_ or 0) * (1 + 400 / 1_600), rel=1e-5)


@pytest.mark.parametrize("lam", [0.0, 0.4, 1.0])
def test_the_population_equals_ppi_python(lam: float) -> None:
    ppi = pytest.importorskip("ppi_py")
    rng = np.random.default_rng(5)
    truth = rng.normal(size=900)
    judge, human = truth + rng.normal(size=900), some(truth, np.arange(150))
    found = known(prediction_powered_mean(judge, human, target="population", lambda_=lam))
    args = truth[:150], judge[:150], judge[150:]
    point = ppi.ppi_mean_pointestimate(*args, lam=lam)
    low, high = ppi.ppi_mean_ci(*args, lam=lam, alpha=0.05)
    assert found.value == pytest.approx(float(np.squeeze(point)))
    # theirs divides by n, ours by n - 1, and takes z where we take t
    half = float(np.squeeze(high) - np.squeeze(low)) / 2
    error = half / stats.norm.ppf(0.975) * math.sqrt(150 / 149)
    assert found.standard_error == pytest.approx(error, rel=2e-3)


def test_the_weight_of_the_judge_equals_that_of_ppi_python() -> None:
    ppi = pytest.importorskip("ppi_py")
    rng = np.random.default_rng(6)
    truth = rng.normal(size=900)
    judge, human = truth + rng.normal(size=900), some(truth, np.arange(150))
    found = known(prediction_powered_mean(judge, human, target="population"))
    point = ppi.ppi_mean_pointestimate(truth[:150], judge[:150], judge[150:])
    # theirs estimates var(J) from labelled and unlabelled queries, ours from the labelled
    assert found.value == pytest.approx(float(np.squeeze(point)), abs=0.01)


# ------------------------------------------------------------------ what must hold


def test_lambda_zero_is_people_alone() -> None:
    _, judge, human, den, _ = world(2)
    found = known(prediction_powered_ratio(judge, human, den, lambda_=0))
    assert found.value == found.human
    assert found.interval == found.human_interval
    assert found.narrower == 0
    assert found.effective_labels == pytest.approx(25)


def test_a_judge_that_never_varies_changes_nothing() -> None:
    _, _, human, den, _ = world(2)
    found = known(prediction_powered_ratio(0.3 * den, human, den))
    assert found.lambda_ == 0
    assert found.value == found.human


def test_a_judge_that_says_the_opposite_is_not_followed() -> None:
    _, judge, human, den, _ = world(2)
    found = known(prediction_powered_ratio(den - judge, human, den))
    assert found.lambda_ == 0


@pytest.mark.parametrize("probabilities", [False, True])
def test_a_judge_that_is_always_right_leaves_no_doubt_about_these_queries(
    probabilities: bool,
) -> None:
    _, _, human, den, p = world(3, probabilities=probabilities)
    truth = np.where(np.isnan(human), np.round(0.5 * den), human)
    found = known(
        prediction_powered_ratio(truth, human, den, probabilities=p if probabilities else None)
    )
    assert found.lambda_ == 1
    assert found.value == pytest.approx(truth.sum() / den.sum())
    assert found.standard_error == 0
    assert found.effective_labels == pytest.approx(60)
    assert "agree on every labelled query" in found.note


def test_a_judge_that_is_always_right_leaves_the_doubt_about_the_population() -> None:
    _, _, human, den, _ = world(3)
    truth = np.where(np.isnan(human), np.round(0.5 * den), human)
    found = known(prediction_powered_ratio(truth, human, den, target="population"))
    assert found.standard_error is not None
    assert found.human_error is not None
    assert 0 < found.standard_error < found.human_error


@pytest.mark.parametrize("target", ["queries", "population"])
def test_with_every_query_labelled_people_alone_are_the_answer(target: Any) -> None:
    _, judge, _, den, p = world(4)
    truth = np.round(0.5 * den)
    found = known(prediction_powered_ratio(judge, truth, den, probabilities=p / 2, target=target))
    assert found.value == found.human == pytest.approx(truth.sum() / den.sum())
    assert (found.standard_error == 0) == (target == "queries")
    assert found.note == ""


def test_queries_that_were_sure_to_be_labelled_add_no_doubt() -> None:
    _, judge, human, den, p = world(5, probabilities=True)
    sure = prediction_powered_ratio(
        np.append(judge, [50.0, 0.0]),
        np.append(human, [0.0, 60.0]),
        np.append(den, [10.0, 10.0]),
        probabilities=np.append(p, [1.0, 1.0]),
        lambda_=0,
    )
    assert known(sure).certain == 2
    rest = prediction_powered_ratio(judge, human, den, probabilities=p, lambda_=0)
    # their values are far from all others, yet the error is about as before
    ratio_of_errors = known(sure).standard_error / known(rest).standard_error  # type: ignore[operator]
    assert 0.8 < ratio_of_errors < 1.1


def test_weights_are_queries_that_count_more_than_once() -> None:
    weights = np.array([2.0, 1.0, 3.0, 1.0, 1.0, 2.0])
    human = np.array([1.0, 0.0, 1.0, 0.0, NAN, NAN])
    judge = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 1.0])
    found = known(prediction_powered_mean(judge, human, weights=weights))
    assert found.automated == pytest.approx(8 / 10)
    assert found.human == pytest.approx(5 / 7)
    same = known(prediction_powered_ratio(weights * judge, weights * human, weights))
    assert found == same


def test_a_difference_of_runs_is_one_mean_of_differences_where_denominators_are_alike() -> None:
    rng = np.random.default_rng(8)
    ones, at = np.ones(50), np.arange(20)
    values = rng.random((4, 50))
    found = known(
        prediction_powered_difference(
            values[0], some(values[1], at), ones, values[2], some(values[3], at), ones
        )
    )
    mean = known(prediction_powered_mean(values[2] - values[0], some(values[3] - values[1], at)))
    for name in ("automated", "human", "value", "standard_error", "lambda_", "narrower"):
        assert getattr(found, name) == pytest.approx(getattr(mean, name)), name


def test_the_order_of_the_queries_says_nothing() -> None:
    _, judge, human, den, p = world(9, probabilities=True)
    order = np.random.default_rng(1).permutation(60)
    found = known(prediction_powered_ratio(judge, human, den, probabilities=p))
    turned = known(
        prediction_powered_ratio(judge[order], human[order], den[order], probabilities=p[order])
    )
    assert turned.value == pytest.approx(found.value)
    assert turned.standard_error == pytest.approx(found.standard_error)


# ------------------------------------------------------------------ too little, and not meant


def test_without_two_labels_there_is_no_estimate() -> None:
    nobody = known(prediction_powered_mean([1, 0, 1], [NAN] * 3))
    assert (nobody.automated, nobody.human, nobody.value) == (pytest.approx(2 / 3), None, None)
    assert nobody.note == "no labelled query"
    chances = {"probabilities": [0.2, 0.3, 0.4]}
    assert known(prediction_powered_mean([1, 0, 1], [NAN] * 3, **chances)) == nobody  # type: ignore[arg-type]
    one = known(prediction_powered_mean([1, 0, 1], [0, NAN, NAN]))
    assert (one.human, one.value, one.interval) == (0, None, None)
    assert one.note == "no interval: fewer than 2 labelled queries"


def test_figures_that_do_not_exist_are_none() -> None:
    assert prediction_powered_ratio([0, 0], [0, NAN], [0, 0]) is None
    shown_elsewhere = known(prediction_powered_ratio([0, 0, 1], [0, 0, NAN], [0, 0, 1]))
    assert shown_elsewhere.value is None
    assert shown_elsewhere.note == "the labelled queries show nothing"


def test_mistakes_not_seen_yet_are_two_made_up_labels() -> None:
    judge = np.array([1.0, 0, 1, 1, 0, 1, 1, 0, 1, 1])
    human = np.where(np.arange(10) < 4, judge, np.nan)
    found = prediction_powered_mean(judge, human, step=1.0)
    assert found is not None
    # nothing but the allowance: 2·(1 − 4/10)/(5·6)
    assert found.standard_error == pytest.approx(math.sqrt(2 * 0.6 / 30))
    assert found.human_error == pytest.approx(
        math.sqrt(0.6 * np.var(judge[:4], ddof=1) / 4 + 2 * 0.6 / 30)
    )
    population = prediction_powered_mean(judge, human, step=1.0, target="population", lambda_=0.0)
    assert population is not None
    assert population.standard_error == pytest.approx(
        math.sqrt(np.var(judge[:4], ddof=1) / 4 + 2 / 30)
    )
    everything = prediction_powered_mean(judge, judge, step=1.0)
    assert everything is not None
    assert everything.standard_error == 0


def test_a_step_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a step is a finite number from 0 up; got -1"):
        prediction_powered_mean([1, 0], [1, 0], step=-1)


def test_notes_say_when_the_interval_promises_too_much() -> None:
    rare = known(prediction_powered_mean(JUDGE, PEOPLE))
    assert rare.note == (
        "people and the automated values differ on 1 labelled query only: "
        "the interval is likely too narrow"
    )
    truth = np.tile([1.0, 0.0, 1.0], 40)
    judge = np.where(np.arange(120) < 5, 1 - truth, truth)
    still = known(prediction_powered_mean(judge, some(truth, np.arange(60))))
    assert "differ on 5 labelled queries only" in still.note
    few = known(prediction_powered_mean(1 - truth, some(truth, np.arange(29))))
    assert few.note == "fewer than 30 labelled queries: the interval may be too narrow"
    enough = known(prediction_powered_mean(1 - truth, some(truth, np.arange(30))))
    assert enough.note == ""
    alike = known(prediction_powered_mean(judge, some(np.ones(120), np.arange(60))))
    assert alike.note.startswith("people say the same of every labelled query")
    seldom = np.where(np.arange(120) < 4, 1.0, 0.0)
    vary = known(prediction_powered_mean(truth, some(seldom, np.arange(60))))
    assert vary.note.startswith("people's values vary on 4 labelled queries only")


def test_where_a_few_heavy_queries_decide_the_variance_t_has_few_degrees_of_freedom() -> None:
    rng = np.random.default_rng(3)
    truth, judge = rng.normal(size=(2, 200))
    p = np.where(np.arange(200) < 40, 0.9, 0.1)
    at = np.concatenate([np.arange(36), np.arange(40, 56)])
    found = known(prediction_powered_mean(judge, some(truth, at), probabilities=p, lambda_=0.25))
    residual, a = truth[at] - 0.25 * judge[at], 1 / p[at]
    residual -= a @ residual / a.sum()
    share = 1 - p[at]
    middle = share @ (residual / p[at]) / share.sum()
    v = share * (residual / p[at] - middle) ** 2
    degrees = 2 * v.sum() ** 2 / (v @ v)
    assert found.degrees == pytest.approx(degrees)
    assert degrees < 25
    assert found.interval is not None
    half = float(stats.t.ppf(0.975, degrees)) * (found.standard_error or 0)
    assert found.interval.high - (found.value or 0) == pytest.approx(half)
    assert known(prediction_powered_mean(judge, some(truth, at))).degrees == 51


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"human": [1, 0, NAN]}, "shapes"),
        ({"automated": [1, 0, NAN, 0]}, "position 2"),
        ({"probabilities": [0.5, 0.5]}, "one entry for each of the 4 queries"),
        ({"probabilities": [0.5, 0, 0.5, 0.5]}, "above 0 and at most 1; one was 0.0"),
        ({"probabilities": [0.5, NAN, 0.5, 0.5]}, "every labelled query needs its probability"),
        ({"weights": [1, 1, 1, -1]}, "cannot be negative"),
        ({"target": "both"}, "target must be queries or population"),
        ({"lambda_": 1.5}, "lambda must lie between 0 and 1"),
        ({"confidence": 95}, "confidence must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"automated": [1, 0, 1, 0], "human": [1, 0, NAN, NAN]} | changes
    with pytest.raises(ValueError, match=said):
        prediction_powered_mean(given.pop("automated"), given.pop("human"), **given)


def test_human_values_of_one_run_only_are_refused() -> None:
    two = [1.0, 1.0]
    with pytest.raises(ValueError, match="human values for the same queries"):
        prediction_powered_difference(two, [1, NAN], two, two, [NAN, 1], two)


def test_the_population_of_unequally_likely_labels_adds_the_doubt_about_the_queries() -> None:
    _, judge, human, den, p = world(1, probabilities=True)
    options: dict[str, Any] = {"probabilities": p, "lambda_": 0.5}
    known_queries = known(prediction_powered_ratio(judge, human, den, **options))
    found = known(prediction_powered_ratio(judge, human, den, target="population", **options))
    at = ~np.isnan(human)
    a, n = 1 / p[at], int(at.sum())
    ratio = (a @ human[at]) / (a @ den[at])
    e = (human[at] - ratio * den[at]) / den.mean()
    # e adds up to 0 with these weights
    spread = n / (n - 1) * (a @ e**2) / a.sum()
    assert found.value == known_queries.value
    assert found.floor == pytest.approx(spread / 60)
    assert (found.standard_error or 0) ** 2 == pytest.approx(
        (known_queries.standard_error or 0) ** 2 + spread / 60
    )
