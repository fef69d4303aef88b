"""Thresholds and figures on numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.relevance.thresholds import describe, find_threshold

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


def test_no_threshold_is_below_the_lowest_that_is_allowed() -> None:
    p = np.array([0.9, 0.8, 0.6, 0.001, 0.0002])
    good = np.array([True, True, True, True, False])
    assert find_threshold(p, good, 0.8, fewest=1).threshold == 0.0002
    found = find_threshold(p, good, 0.8, fewest=1, lowest=0.5)
    assert (found.threshold, found.reached, found.accepted) == (0.5, 1.0, 3)
    assert found.recall == 0.75
    # where the pairs from there on do not keep the promise, it is as high as it must be
    bad = np.array([True, True, False, True, False])
    assert find_threshold(p, bad, 0.8, fewest=1, lowest=0.5).threshold == 0.8
    few = find_threshold(p, good, 0.8, fewest=4, lowest=0.5)
    assert few.threshold is None
    assert few.note == "fewer than 4 held-out pairs of probability 0.5 or more"


def test_a_calibrated_probability_agrees_from_one_half_at_least() -> None:
    p = np.array([0.999] * 100 + [0.001] * 5 + [0.0001] * 5)
    good = np.arange(110) < 100
    found = describe(p, p, good, [0.8, 0.95], [f"q{number}" for number in range(110)])
    assert [row["threshold"] for row in found["thresholds"]] == [0.5, 0.5]
    assert [row["accepted"] for row in found["thresholds"]] == [100, 100]


def test_good_pairs_of_one_query_promise_nothing_for_others() -> None:
    p = np.linspace(0.9, 0.5, 40)
    good = np.arange(40) < 38
    plain = find_threshold(p, good, 0.9)
    assert (plain.threshold, plain.reached) == (0.5, 0.95)
    assert find_threshold(p, good, 0.9, groups=["q"] * 40).threshold is None
    many = find_threshold(p, good, 0.9, groups=[f"q{number}" for number in range(40)])
    # 38 of 40 from 40 queries of one pair: the error is that of a share, sqrt(p (1 - p) / 39)
    assert many.threshold == 0.5
    assert many.bound == pytest.approx(0.95 - 0.84 * np.sqrt(0.95 * 0.05 / 39))


def test_the_bound_is_the_one_over_whole_queries() -> None:
    good = np.array([1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0], dtype=bool)
    groups = [f"q{number % 3}" for number in range(12)]
    found = find_threshold(np.full(12, 0.5), good, 0.1, groups=groups, fewest=1)
    # good ones of four pairs: q0 3, q1 4, q2 2; share 3/4, so 0, 1 and -1 beyond it
    assert found.reached == 0.75
    assert found.bound == pytest.approx(0.75 - 0.84 * np.sqrt(2 * 3 / 2) / 12)


def test_figures_are_those_worked_out_by_hand() -> None:
    before, after = np.array([0.9, 0.7, 0.2, 0.2]), np.array([1.0, 1.0, 0.0, 1.0])
    good = np.array([True, True, False, True])
    found = describe(before, after, good, [0.5])
    # (0.01 + 0.09 + 0.04 + 0.64) / 4; bins 0.9, 0.7 and 0.2: (0.1 + 0.3 + 2 * 0.3) / 4
    assert found["reliability"]["before"]["brier"] == pytest.approx(0.195)
    assert found["reliability"]["before"]["ece"] == pytest.approx(0.25)
    assert found["reliability"]["after"]["brier"] == 0
    assert found["heldout"] == {"pairs": 4, "good": 3}
