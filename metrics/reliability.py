"""Are probabilities what they say? Brier score, calibration error and the reliability curve.

A judge that says 0.8 of many pairs should be right that they are good on 80% of them. Whether its
verdicts agree with people's is another question, see :mod:`metrics.judge_agreement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics.errors import MetricsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["Reliability", "ReliabilityBin", "reliability"]

_EDGE = 1e-9  # rounding may carry a probability as far over the end of the scale


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """The pairs whose probability lies in one range.

    Attributes:
        low: lower end of the range.
        high: upper end; the range holds its lower end, the last also its upper one.
        pairs: how many these are.
        probability: their mean probability.
        good: share of them that are good.
    """

    low: float
    high: float
    pairs: int
    probability: float
    good: float

    def to_dict(self) -> dict[str, Any]:
        """Return the range as JSON would have it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Probabilities against what came true.

    Attributes:
        pairs: how many there are.
        brier: mean squared difference of probability and truth (Brier 1950, Monthly Weather Review
            78:1-3); 0 is perfect.
        brier_base: the same of a judge that always says the share of good pairs; one that scores
            no less knows nothing of the single pair.
        ece: expected calibration error, the mean over pairs of how far mean probability and share
            of good are apart in their range (Naeini et al. 2015, AAAI).
        bins: the ranges that hold pairs, ascending.
    """

    pairs: int
    brier: float
    brier_base: float
    ece: float
    bins: Sequence[ReliabilityBin]

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        names = [name for name in self.__dataclass_fields__ if name != "bins"]
        found = {name: getattr(self, name) for name in names}
        return {**found, "bins": [each.to_dict() for each in self.bins]}


def reliability(
    probability: npt.ArrayLike, good: npt.ArrayLike, *, bins: int = 10
) -> Reliability | None:
    """Compare probabilities with the truth.

    Args:
        probability: float[pairs], of a pair being good, in [0, 1].
        good: float or bool[pairs], 1 where it is good, else 0.
        bins: ranges of equal width from 0 to 1.

    Returns:
        The figures; None without any pair.

    Raises:
        MetricsError: a value is no probability, fewer than 1 bin, or columns of unequal length.

    >>> found = reliability([0.9, 0.7, 0.2, 0.2], [1, 1, 0, 1], bins=2)
    >>> round(found.brier, 4), round(found.brier_base, 4), round(found.ece, 4)
    (0.195, 0.1875, 0.25)
    >>> [(each.low, each.pairs, round(each.probability, 2), each.good) for each in found.bins]
    [(0.0, 2, 0.2, 0.5), (0.5, 2, 0.8, 1.0)]
    """
    said, true = np.asarray(probability, dtype=np.float64), np.asarray(good, dtype=np.float64)
    if said.shape != true.shape or said.ndim != 1:
        raise MetricsError("probability and good must be two columns of one length")
    if bins < 1:
        raise MetricsError(f"bins must be 1 or more, not {bins}", setting="bins")
    wrong = ~((said >= -_EDGE) & (said <= 1 + _EDGE))
    if wrong.any():
        raise MetricsError(
            f"a probability must lie between 0 and 1, not {said[int(wrong.argmax())]:g}"
        )
    if not len(said):
        return None
    said = np.clip(said, 0.0, 1.0)
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, bins - 1)
    n = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights=values, minlength=bins) for values in (said, true)]
    share = float(true.mean())
    return Reliability(
        pairs=len(said),
        brier=float(((said - true) ** 2).mean()),
        brier_base=share * (1 - share),
        ece=float(np.abs(sums[0] - sums[1]).sum() / len(said)),
        bins=[
            ReliabilityBin(
                low=float(edges[at]),
                high=float(edges[at + 1]),
                pairs=int(n[at]),
                probability=float(sums[0][at] / n[at]),
                good=float(sums[1][at] / n[at]),
            )
            for at in np.flatnonzero(n).tolist()
        ],
    )
