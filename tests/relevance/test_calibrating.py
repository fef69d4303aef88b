"""Calibration and thresholds on numbers worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from evalkit.errors import SettingsError
from evalkit.relevance.calibrating import (
    Calibration,
    choose_method,
    describe,
    find_threshold,
    fit_calibration,
)


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


@pytest.mark.parametrize("method", ["temperature", "isotonic", "none"])
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


def test_a_few_pairs_get_a_temperature_and_many_a_curve() -> None:
    assert choose_method("auto", 999) == "temperature"
    assert choose_method("auto", 1000) == "isotonic"
    assert choose_method("isotonic", 10) == "isotonic"
    with pytest.raises(SettingsError, match="--calibration"):
        choose_method("platt", 10)


PROBABILITY = np.array([0.9, 0.9, 0.8, 0.7, 0.6, 0.5])
GOOD = np.array([True, True, False, True, True, False])


def test_the_threshold_is_the_lowest_that_keeps_the_promise() -> None:
    # shares of good among the 2, 3, 4, 5, 6 best: 1, 2/3, 3/4, 4/5, 4/6
    found = find_threshold(PROBABILITY, GOOD, 0.8, fewest=1)
    assert (found.threshold, found.reached, found.recall) == (0.6, 0.8, 1.0)
    assert (found.accepted, found.pairs) == (5, 6)
    stricter = find_threshold(PROBABILITY, GOOD, 0.9, fewest=1)
    assert (stricter.threshold, stricter.reached, stricter.recall) == (0.9, 1.0, 0.5)


def test_pairs_of_one_probability_are_accepted_together() -> None:
    found = find_threshold(np.array([0.9, 0.9, 0.1]), np.array([True, False, False]), 0.8, fewest=1)
    assert found.threshold is None
    assert found.reached == 0.5


def test_a_promise_that_cannot_be_kept_says_what_the_best_is() -> None:
    found = find_threshold(PROBABILITY, ~GOOD, 0.9, fewest=2)
    assert found.threshold is None
    assert found.recall is None
    assert "0.9 was not reached" in found.note
    assert "0.333" in found.note


def test_one_lucky_pair_is_no_threshold() -> None:
    found = find_threshold(np.array([0.9, 0.5, 0.4]), np.array([True, False, False]), 0.9, fewest=2)
    assert found.threshold is None


def test_figures_are_those_worked_out_by_hand() -> None:
    before, after = np.array([0.9, 0.7, 0.2, 0.2]), np.array([1.0, 1.0, 0.0, 1.0])
    good = np.array([True, True, False, True])
    found = describe(before, after, good, [0.5], after)
    # (0.01 + 0.09 + 0.04 + 0.64) / 4; bins 0.9, 0.7 and 0.2: (0.1 + 0.3 + 2 * 0.3) / 4
    assert found["reliability"]["before"]["brier"] == pytest.approx(0.195)
    assert found["reliability"]["before"]["ece"] == pytest.approx(0.25)
    assert found["reliability"]["after"]["brier"] == 0
    assert found["heldout"] == {"pairs": 4, "good": 3}
