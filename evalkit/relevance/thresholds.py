"""Thresholds that keep a promise, and the figures that stand beside them in a classifier's file.

A threshold promises a precision on *new* queries. The pairs of a query are good or bad together, so
a share of good ones over few queries says little. Hence the promise must be kept by a lower
bound: the share minus its standard error times a factor, where whole queries are what varies (the
linearised variance of a ratio over clusters, Cochran 1977).

A threshold of calibrated probabilities is never below one half. Where good and bad held-out pairs
are far apart, the promise is kept far below it, at probabilities that no held-out pair speaks for,
and a classifier would agree with what it finds bad.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics.reliability import reliability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["SURE", "THRESHOLDS", "Threshold", "describe", "find_threshold"]

SURE = 0.84  # standard errors: one-sided 80%
THRESHOLDS = 2  # raised when the same held-out pairs may give other thresholds
_FEWEST_ACCEPTED = 10
_HALF = 0.5


@dataclass(frozen=True)
class Threshold:
    """The lowest probability at which a promised precision was kept.

    Attributes:
        precision: what was promised.
        threshold: pairs of this probability or more are accepted; None where it was not reached.
        reached: the precision at the threshold, or the best one where it was not reached.
        bound: the lower bound of `reached` for new queries; what keeps the promise.
        recall: the share of the good pairs that are accepted; None without a threshold.
        accepted: how many pairs are accepted.
        pairs: how many pairs it was found on.
        note: empty, or why there is no threshold.
    """

    precision: float
    threshold: float | None
    reached: float
    bound: float
    recall: float | None
    accepted: int
    pairs: int
    note: str = ""


def find_threshold(
    probability: NDArray[np.floating[Any]],
    good: NDArray[np.bool_],
    precision: float,
    *,
    groups: Sequence[str] | None = None,
    fewest: int = _FEWEST_ACCEPTED,
    lowest: float = float("-inf"),
) -> Threshold:
    """Find the lowest threshold whose accepted pairs are good with a promised precision.

    Args:
        probability: of being good, float[n].
        good: the truth.
        precision: what is promised, 0 to 1.
        groups: the query of each pair. With it the lower bound for new queries must keep the
            promise (see the top of this module), without it the share itself.
        fewest: a threshold that accepts fewer pairs than this is luck and not taken.
        lowest: no threshold is below this. It is one itself where every pair from there on can be
            accepted.

    Example:
        >>> p = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
        >>> found = find_threshold(p, np.array([1, 1, 0, 1, 0], dtype=bool), 0.75, fewest=1)
        >>> found.threshold, found.reached, found.recall, found.accepted
        (0.6, 0.75, 1.0, 4)
    """
    value = np.asarray(probability, dtype=np.float64)
    order = np.argsort(-value, kind="stable")
    hits = np.cumsum(good[order])
    count = np.arange(1, len(value) + 1)
    # Pairs of one probability are accepted together.
    ends = np.append(np.diff(value[order]) != 0, True) if len(value) else np.zeros(0, dtype=bool)
    ends &= (count >= fewest) & (value[order] >= lowest)
    if not ends.any():
        note = f"fewer than {fewest} held-out pairs"
        if np.isfinite(lowest):
            note += f" of probability {lowest:g} or more"
        return Threshold(precision, None, 0.0, 0.0, None, 0, len(value), note)
    shares = hits / count
    bounds = shares
    if groups is not None:
        names = np.array(groups, dtype=object).astype(str)[order]
        bounds = np.maximum(shares - SURE * _standard_errors(good[order], names), 0.0)
    fit = np.flatnonzero(ends & (bounds >= precision))
    if not len(fit):
        best = int(np.argmax(np.where(ends, bounds, -1.0)))
        note = (
            f"precision {precision:g} was not reached with {fewest} pairs or more; the best is "
            f"{shares[best]:.3f} from {value[order][best]:.3f}"
        )
        if groups is not None:
            note += f", which promises {bounds[best]:.3f} on new queries"
        return Threshold(
            precision,
            None,
            float(shares[best]),
            float(bounds[best]),
            None,
            int(count[best]),
            len(value),
            note,
        )
    last = int(fit[-1])
    whole = last == int(np.flatnonzero(ends)[-1]) and np.isfinite(lowest)
    return Threshold(
        precision,
        lowest if whole else float(value[order][last]),
        float(shares[last]),
        float(bounds[last]),
        float(hits[last] / hits[-1]) if hits[-1] else None,
        int(count[last]),
        len(value),
    )


def _standard_errors(good: NDArray[np.bool_], groups: NDArray[Any]) -> NDArray[np.float64]:
    """Return the standard error of the share of good pairs among the first 1, 2, ... pairs.

    Whole groups vary: with h good ones of m pairs of a group, the error's square is the sum of
    (h - share m)² over the groups, times k / (k - 1) for k of them. Infinite for one group.
    """
    _, place = np.unique(groups, return_inverse=True)
    order = np.argsort(place, kind="stable")
    first = np.append(True, np.diff(place[order]) != 0)
    start = np.flatnonzero(first)[np.cumsum(first) - 1]
    hit = good[order].astype(np.float64)
    before = np.cumsum(hit) - hit
    m, h = np.empty(len(good)), np.empty(len(good))  # of the pair's group before the pair
    m[order] = np.arange(len(good)) - start
    h[order] = before - before[start]
    one = good.astype(np.float64)
    # The three sums of the square grow with every pair by what it adds to its group's.
    hh, hm, mm = (np.cumsum(each) for each in (one * (2 * h + 1), h + one * (m + 1), 2 * m + 1))
    count, k = np.arange(1, len(good) + 1), np.cumsum(m == 0)
    share = np.cumsum(one) / count
    squares = np.maximum(hh - 2 * share * hm + share**2 * mm, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.sqrt(squares * k / (k - 1)) / count
    return np.where(k > 1, errors, np.inf)


def describe(
    before: NDArray[np.floating[Any]],
    after: NDArray[np.floating[Any]],
    good: NDArray[np.bool_],
    precisions: Sequence[float],
    groups: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the figures of a calibration for its file.

    Args:
        before: probability of being good before calibration.
        after: the same from calibrations that did not see the pair (cross-fitted).
        good: the truth.
        precisions: targets for thresholds, which are sought on `after`, from one half on.
        groups: the query of each pair, for thresholds that hold on new queries.
    """
    return {
        "heldout": {"pairs": len(good), "good": int(good.sum())},
        "reliability": {"before": _reliability(before, good), "after": _reliability(after, good)},
        "thresholds": [
            asdict(find_threshold(after, good, each, groups=groups, lowest=_HALF))
            for each in precisions
        ],
    }


def _reliability(
    probability: NDArray[np.floating[Any]], good: NDArray[np.bool_]
) -> dict[str, Any] | None:
    """Return Brier score, calibration error and bins; values are rounded to nine digits."""
    found = reliability(probability, good)
    if found is None:
        return None
    document = found.to_dict()
    bins = [{name: round(value, 9) for name, value in each.items()} for each in document["bins"]]
    return {**{name: round(document[name], 9) for name in document if name != "bins"}, "bins": bins}
