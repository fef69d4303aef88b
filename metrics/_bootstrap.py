"""Bootstrap of several figures at once, from the distinct kinds of rows, and its intervals.

The companion of :mod:`metrics.association`, whose figures take whole weightings.
:mod:`metrics.resampling` does the same for ratios of sums, where sums are all one needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from metrics.inference import SAME, Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Resampled", "Scale", "bootstrap", "distinct", "resamples"]

Scale = Literal["correlation", "share", "difference"]

_CELLS = 400_000  # weights of a block of resamples: 3 MB, so that a block stays in the cache


def distinct(*columns: Floats) -> tuple[list[Floats], Ints]:
    """The distinct rows of columns of equal length, in one canonical order, and their copies.

    Whatever is computed from them depends on the multiset of rows, not on their order.
    """
    rows = np.stack(columns)[:, np.lexsort(columns[::-1])]
    first = np.ones(rows.shape[1], dtype=bool)
    first[1:] = (rows[:, 1:] != rows[:, :-1]).any(axis=0)
    starts = np.flatnonzero(first)
    return list(rows[:, starts]), np.diff(starts, append=rows.shape[1])


def resamples(copies: Ints, *, seed: int, draws: int) -> Iterator[Floats]:
    """Resample rows with replacement, a block of resamples at a time.

    Args:
        copies: int64[kinds], how often each kind of row occurs; a resample has as many rows.
        seed: of the resamples.
        draws: their number.

    Yields:
        float64[kinds, draws of the block], how often each kind was drawn.
    """
    rng = np.random.default_rng(seed)
    kinds, size = len(copies), int(copies.sum())
    # a binomial for each kind, or an index for each row, whichever is less work
    grouped = kinds * 4 <= size
    owner = np.repeat(np.arange(kinds), copies)
    block = max(1, _CELLS // (kinds if grouped else size))
    for start in range(0, draws, block):
        many = min(block, draws - start)
        if grouped:
            drawn = rng.multinomial(size, copies / size, size=many)
        else:
            index = owner[rng.integers(0, size, size=(many, size))]
            index += np.arange(many)[:, None] * kinds
            drawn = np.bincount(index.ravel(), minlength=many * kinds).reshape(many, kinds)
        yield np.ascontiguousarray(drawn.T, dtype=np.float64)


@dataclass(frozen=True)
class Resampled:
    """Figures, and what becomes of them when rows are resampled.

    Attributes:
        points: float64[figures], NaN where one does not exist.
        draws: float64[figures, draws], of the resamples.
        size: rows that a resample has.
    """

    points: Floats
    draws: Floats
    size: int

    def interval(self, figure: int, confidence: float, *, scale: Scale) -> Interval | None:
        """The figure ± t times its bootstrap standard error, on a scale without bounds.

        The scale is Fisher's z = artanh for a correlation in [−1, 1] (Fisher 1921, Metron 1:3-32),
        the logit for a share in [0, 1], and for a difference its own. The scale's slope at the
        figure carries the standard error over; t has one degree of freedom less than there are
        rows. With few queries this covers more often than percentiles of the resamples, plain or
        BCa, above all κ and r; `tests/metrics/test_correlation_coverage.py` says how often.
        Resamples in which the figure does not exist are left out.

        Returns:
            The interval; None where the figure does not exist, lies on a bound, or is the same in
            every resample: then resampling cannot tell how sure it is.
        """
        from scipy.special import expit, logit, stdtrit

        point, draws = float(self.points[figure]), self.draws[figure]
        draws = draws[~np.isnan(draws)]
        if math.isnan(point) or len(draws) < 2 or np.abs(draws - point).max() <= SAME:
            return None
        half = float(stdtrit(self.size - 1, 0.5 + confidence / 2) * draws.std(ddof=1))
        if scale == "difference":
            return Interval(point - half, point + half)
        room = 1 - point**2 if scale == "correlation" else point * (1 - point)
        if room <= SAME:
            return None
        there, back = (np.arctanh, np.tanh) if scale == "correlation" else (logit, expit)
        low, high = back(there(point) + np.array([-half, half]) / room)
        return Interval(float(low), float(high))

    def undefined(self, figure: int) -> float:
        """Share of the resamples in which the figure does not exist."""
        return float(np.isnan(self.draws[figure]).mean()) if self.draws.shape[1] else 0.0

    def behind(self, best: int) -> Resampled:
        """How far each figure lies below one of them, resample by resample."""
        return Resampled(self.points[best] - self.points, self.draws[best] - self.draws, self.size)


def bootstrap(
    figures: Callable[[Floats], Floats], copies: Ints, *, seed: int, draws: int
) -> Resampled:
    """Compute figures for the rows as they are, and for resamples of them.

    Args:
        figures: from float64[kinds, weightings] to float64[figures, weightings].
        copies: int64[kinds], how often each kind of row occurs.
        seed: of the resamples.
        draws: their number; 0 gives the figures alone.
    """
    points = figures(copies.astype(np.float64)[:, None])
    drawn = [figures(weights) for weights in resamples(copies, seed=seed, draws=draws)]
    return Resampled(
        points[:, 0],
        np.concatenate(drawn, axis=1) if drawn else np.empty((len(points), 0)),
        int(copies.sum()),
    )
