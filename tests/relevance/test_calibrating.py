"""Calibration on numbers worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from evalkit.errors import SettingsError
from evalkit.relevance.calibrating import Calibration, choose_method, fit_calibration


def test_a_temperature_that_halves_the_scores_is_found_again() -> None:
    # Of pairs with score log 9 nine in ten are good, of those with -log 9 one in ten: a softmax
    # of twice these scores is too sure, and halving them is the remedy.
    right = np.log(9.0)
    logits = np.array([[0.0, 2 * right]] * 10 + [[0.0, -2 * right]] * 10)
    labels = np.array([1] * 9 + [0] + [0] * 9 + [1])
    found = fit_calibration(logits, labels, "temperature")
    assert found.temperature == pytest.approx(2.0, rel=1e-3)
    assert found.probabilities(logits[:1])[0] == pytest.approx([0.1, 0.9], abs=1e-3)


def test_temperature_changes_no_order_of_two_grades() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 2))
    labels = np.random.default_rng(1).integers(0, 2, 50)
    found = fit_calibration(logits, labels, "temperature").probabilities(logits)[:, 1]
    assert (np.argsort(found) == np.argsort(logits[:, 1] - logits[:, 0])).all()


def test_isotonic_is_the_share_of_good_pairs_where_the_score_is_the_same() -> None:
    logits = np.array([[0.0, -1.0]] * 4 + [[0.0, 1.0]] * 4)
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    found = fit_calibration(logits, labels, "isotonic").probabilities(logits)
    assert found[:, 1] == pytest.approx([0.25] * 4 + [0.75] * 4)


def test_isotonic_rises_and_its_grades_sum_to_one() -> None:
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(300, 4)), rng.integers(0, 4, 300)
    logits[np.arange(300), labels] += 1.5
    calibration = fit_calibration(logits, labels, "isotonic")
    found = calibration.probabilities(logits)
    assert found.sum(axis=1) == pytest.approx(np.ones(300))
    assert found.min() >= 0
    for x, y in calibration.curves:
        assert (np.diff(x) >= 0).all()
        assert (np.diff(y) >= 0).all()
        assert min(y) >= 0
        assert max(y) <= 1


@pytest.mark.parametrize("method", ["stacked", "temperature", "isotonic", "none"])
def test_a_calibration_comes_back_from_json_as_it_was(method: str) -> None:
    rng = np.random.default_rng(5)
    logits, labels = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    calibration = fit_calibration(logits, labels, method)  # type: ignore[arg-type]
    again = Calibration.from_json(json.loads(json.dumps(calibration.to_json())), 3)
    assert again == calibration
    assert (again.probabilities(logits) == calibration.probabilities(logits)).all()


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"method": "stacked", "temperature": 1.0}, "no stack"),
        (
            {"method": "stacked", "temperature": 1.0,
             "stack": {"mean": [0], "scale": [1], "weights": [[1]], "intercept": [0, 0],
                       "model": 1}},
            "3 rows",
        ),
        ({"method": "platt", "temperature": 1.0}, "platt"),
        ({"method": "temperature", "temperature": 0.0}, "temperature"),
        ({"method": "isotonic", "temperature": 1.0, "curves": []}, "2 curves"),
        (
            {"method": "isotonic", "temperature": 1.0,
             "curves": [{"x": [0, 1], "y": [1, 0]}, {"x": [0], "y": [0]}]},
            "rise",
        ),
    ],
)  # fmt: skip
def test_a_calibration_that_makes_no_sense_is_refused(document: dict, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        Calibration.from_json(document, 3)


def test_stacking_is_chosen_unless_another_method_is_asked_for() -> None:
    assert choose_method("auto") == "stacked"
    assert choose_method("isotonic") == "isotonic"
    with pytest.raises(SettingsError, match="--calibration"):
        choose_method("platt")


def made_pairs(seed: int, pairs: int = 800) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores that say nothing, a feature that decides with noise, and the grades."""
    rng = np.random.default_rng(seed)
    feature = rng.normal(size=(pairs, 1))
    labels = (feature[:, 0] + 0.5 * rng.normal(size=pairs) > 0).astype(np.int64)
    return 5 * rng.normal(size=(pairs, 2)), feature, labels


def test_a_stack_believes_a_feature_more_than_scores_that_say_nothing() -> None:
    logits, feature, labels = made_pairs(0)
    found = fit_calibration(logits, labels, "stacked", feature)
    assert found.stack is not None
    assert found.stack.model < 0.05
    new, other, truth = made_pairs(1)
    said = found.probabilities(new, other)[:, 1] > 0.5
    assert (said == truth).mean() > 0.8
    assert (np.argmax(new, axis=1) == truth).mean() < 0.6


def test_a_stack_believes_scores_that_know_more() -> None:
    logits, feature, labels = made_pairs(0)
    logits[np.arange(len(labels)), labels] += 10
    found = fit_calibration(logits, labels, "stacked", feature)
    assert found.stack is not None
    assert found.stack.model > 0.1
    assert (found.probabilities(logits, feature)[:, 1] > 0.5).astype(int) == pytest.approx(
        labels, abs=1
    )
    assert ((found.probabilities(logits, feature)[:, 1] > 0.5) == labels).mean() > 0.95


def test_the_regression_learns_from_further_pairs() -> None:
    logits, feature, labels = made_pairs(0, 12)
    further = made_pairs(2)
    few = fit_calibration(logits, labels, "stacked", feature)
    many = fit_calibration(logits, labels, "stacked", feature, further[1:])
    assert few != many
    new, other, truth = made_pairs(1)
    zero = 0 * new
    loss = [
        -np.log(each.probabilities(zero, other)[np.arange(len(truth)), truth]).mean()
        for each in (few, many)
    ]
    assert loss[1] < loss[0]


def test_a_grade_that_no_pair_has_is_next_to_impossible() -> None:
    logits, feature, labels = made_pairs(0)
    wide = np.column_stack([logits, 0 * logits[:, :1]])
    found = fit_calibration(wide, 2 * labels, "stacked", feature).probabilities(wide, feature)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(labels)))
    assert found[:, 1].max() < 1e-6
