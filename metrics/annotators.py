"""Annotators one by one and two by two: reliability on gold and twins, speed, sides, kappa."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metrics.agreement_results import AnnotatorScored, PairScored
from metrics.proportions import clopper_pearson_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from metrics.votes import Votes

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["grade_kappa", "score_annotators", "score_pairs"]

_UNSEEN = 9


def score_pairs(votes: Votes) -> list[PairScored]:
    """Every two annotators who share a query, by the counted votes; kappa through scikit-learn.

    Cohen (1960, Educational and Psychological Measurement 20:37-46); with linear weights Cohen
    (1968, Psychological Bulletin 70:213-220).
    """
    answers = _answers(votes)
    found = []
    for a in range(len(answers)):
        shared = (answers[a] != _UNSEEN) & (answers[a + 1 :] != _UNSEEN)
        for b in np.flatnonzero(shared.any(axis=1)):
            both = shared[b]
            one, other = answers[a][both], answers[a + 1 + b][both]
            found.append(
                PairScored(
                    annotator_a=votes.annotators[a],
                    annotator_b=votes.annotators[a + 1 + b],
                    shared=int(both.sum()),
                    percent=float((np.sign(one) == np.sign(other)).mean()),
                    kappa=grade_kappa(np.sign(one), np.sign(other), None),
                    weighted_kappa=grade_kappa(one, other, "linear"),
                )
            )
    return found


def _answers(votes: Votes) -> NDArray[np.int8]:
    """int8[annotators, queries], the preference of each on each; 9 where there is none."""
    table = np.full((len(votes.annotators), len(votes.queries)), _UNSEEN, dtype=np.int8)
    rows = votes.counted
    table[votes.annotator[rows], votes.query[rows]] = votes.preference[rows].astype(np.int8)
    return table


def grade_kappa(one: Any, other: Any, weights: str | None) -> float | None:
    """Cohen's κ of two columns of whole numbers, through scikit-learn.

    Args:
        one: int[rows].
        other: int[rows].
        weights: `linear` or `quadratic`, by how far two values are apart; None for plain κ.

    Returns:
        κ; None on a single row, or where both always say one and the same.

    >>> grade_kappa([0, 1, 2, 2], [0, 1, 1, 2], "quadratic")
    0.8
    """
    from sklearn import config_context
    from sklearn.metrics import cohen_kappa_score

    labels = np.union1d(one, other)
    if len(one) < 2 or len(labels) < 2:
        return None
    # linear weights go by the distance of the values, also of those that nobody used
    scale = np.arange(labels[0], labels[-1] + 1) if weights else labels
    with config_context(assume_finite=True, skip_parameter_validation=True):
        value = float(cohen_kappa_score(one, other, labels=scale, weights=weights))
    return value if np.isfinite(value) else None


def score_annotators(
    votes: Votes, confidence: float, reading_floor: float
) -> list[AnnotatorScored]:
    """A row for everybody who voted.

    Args:
        votes: the votes.
        confidence: the coverage of the exact intervals.
        reading_floor: seconds below which a vote is too fast.
    """
    size = len(votes.annotators)
    real = votes.is_kind("real") & votes.live

    def count(rows: Mask) -> Ints:
        return np.bincount(votes.annotator[rows], minlength=size).astype(np.int64)

    of_votes, of_aside = count(real), count(real & votes.set_aside)
    compared, same = _with_others(votes, real)
    gold = votes.is_kind("gold") & votes.live & ~np.isnan(votes.gold)
    right = gold & (votes.sign == np.sign(votes.gold))
    of_gold, of_right = count(gold), count(right)
    twins, consistent = _twins(votes)
    decided = real & (votes.sign != 0) & (votes.side != 0)
    of_decided, of_left = count(decided), count(decided & (votes.sign * votes.side < 0))
    timed = real & ~np.isnan(votes.seconds)
    of_timed, of_fast = count(timed), count(timed & (votes.seconds < reading_floor))
    medians = _medians(votes.annotator[timed], votes.seconds[timed], size)
    rows = []
    for at in np.flatnonzero(np.bincount(votes.annotator[votes.annotator >= 0], minlength=size)):
        accuracy = clopper_pearson_interval(
            int(of_right[at]), int(of_gold[at]), confidence=confidence
        )
        left = clopper_pearson_interval(
            int(of_left[at]), int(of_decided[at]), confidence=confidence
        )
        rows.append(
            AnnotatorScored(
                annotator=votes.annotators[at],
                votes=int(of_votes[at]),
                set_aside=int(of_aside[at]),
                compared=int(compared[at]),
                agreement=_share(same[at], compared[at]),
                gold_answered=int(of_gold[at]),
                gold_accuracy=_share(of_right[at], of_gold[at]),
                gold_low=accuracy.low if accuracy else None,
                gold_high=accuracy.high if accuracy else None,
                twins=int(twins[at]),
                self_consistency=_share(consistent[at], twins[at]),
                median_seconds=None if np.isnan(medians[at]) else float(medians[at]),
                left_share=_share(of_left[at], of_decided[at]),
                left_low=left.low if left else None,
                left_high=left.high if left else None,
                left_votes=int(of_decided[at]),
                too_fast=_share(of_fast[at], of_timed[at]),
            )
        )
    return rows


def _share(part: Any, whole: Any) -> float | None:
    return float(part) / float(whole) if whole else None


def _with_others(votes: Votes, real: Mask) -> tuple[Floats, Floats]:
    """Per annotator, pairs with a counted vote of somebody else, and those that say the same."""
    said = np.zeros((len(votes.queries), 3))
    counted = votes.counted
    np.add.at(said, (votes.query[counted], votes.sign[counted] + 1), 1)
    query, sign, own = votes.query[real], votes.sign[real], counted[real]
    others = said[query].sum(axis=1) - own
    same = said[query, sign + 1] - own
    size = len(votes.annotators)
    annotator = votes.annotator[real]
    return (
        np.bincount(annotator, others, size).astype(np.float64),
        np.bincount(annotator, same, size).astype(np.float64),
    )


def _twins(votes: Votes) -> tuple[Ints, Ints]:
    """Per annotator, twins whose original the same person voted on, and those answered alike."""
    size, tasks = len(votes.annotators), int(votes.task.max(initial=-1)) + 1
    twin = votes.is_kind("twin") & votes.live & (votes.twin_of >= 0)
    first = votes.live & (votes.task >= 0) & (votes.annotator >= 0) & ~votes.is_kind("twin")
    place = votes.annotator[first] * tasks + votes.task[first]
    order = np.argsort(place, kind="stable")
    sorted_places, signs = place[order], votes.sign[first][order]
    wanted = votes.annotator[twin] * tasks + votes.twin_of[twin]
    at = np.searchsorted(sorted_places, wanted)
    known = at < len(sorted_places)
    known[known] = sorted_places[at[known]] == wanted[known]
    who = votes.annotator[twin][known]
    alike = signs[at[known]] == votes.sign[twin][known]
    return (
        np.bincount(who, minlength=size).astype(np.int64),
        np.bincount(who[alike], minlength=size).astype(np.int64),
    )


def _medians(group: Ints, values: Floats, size: int) -> Floats:
    """Median of the values of each group, NaN where it has none."""
    order = np.lexsort((values, group))
    values = values[order]
    counts = np.bincount(group, minlength=size)
    ends = np.cumsum(counts)
    found = np.full(size, np.nan)
    some = counts > 0
    low, high = (ends - counts) + (counts - 1) // 2, (ends - counts) + counts // 2
    found[some] = (values[low[some]] + values[high[some]]) / 2
    return found
