"""Bootstrap of several figures at once, from the distinct kinds of rows: BCa intervals.

The companion of :mod:`metrics.association`, whose figures take whole weightings.
:mod:`metrics.resampling` does the same for ratios of sums, where sums are all one needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metrics.inference import SAME, Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Resampled", "bootstrap", "distinct", "resamples"]

_CELLS = 400_000  # weights of a block of resamples: 3 MB, so that a block stays in the cache
_LEFT_OUT = 1_000  # kinds of rows left out, one at a time, to see how skewed a figure is


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
    """Figures, and what becomes of them when rows are resampled or left out.

    Attributes:
        points: float64[figures], NaN where one does not exist.
        draws: float64[figures, draws], of the resamples.
        without: float64[figures, kinds], with one row of a kind left out.
        copies: int64[kinds], how often these kinds occur.
    """

    points: Floats
    draws: Floats
    without: Floats
    copies: Ints

    def interval(self, figure: int, confidence: float) -> Interval | None:
        """Bias-corrected and accelerated percentiles (Efron 1987, JASA 82:171-185).

        Resamples in which the figure does not exist are left out.

        Returns:
            The interval; None where the figure does not exist, or where no resample differs from
            it: then resampling cannot tell how sure it is.
        """
        from scipy.special import ndtr, ndtri

        point, draws = self.points[figure], self.draws[figure]
        draws = draws[~np.isnan(draws)]
        if np.isnan(point) or not len(draws) or np.abs(draws - point).max() <= SAME:
            return None
        below = np.count_nonzero(draws < point - SAME)
        upto = np.count_nonzero(draws <= point + SAME)
        # all on one side would be infinite; half a resample is what the number of draws can tell
        half = 0.5 / len(draws)
        bias = ndtri(np.clip((below + upto) / (2 * len(draws)), half, 1 - half))
        shifted = bias + ndtri(np.array([0.5 - confidence / 2, 0.5 + confidence / 2]))
        # past its pole the transform has run off the scale, to the outermost resample
        shrink = np.maximum(1 - self._acceleration(figure) * shifted, SAME)
        low, high = np.quantile(draws, ndtr(bias + shifted / shrink))
        return Interval(float(low), float(high))

    def undefined(self, figure: int) -> float:
        """Share of the resamples in which the figure does not exist."""
        return float(np.isnan(self.draws[figure]).mean()) if self.draws.shape[1] else 0.0

    def behind(self, best: int) -> Resampled:
        """How far each figure lies below one of them, resample by resample."""
        return Resampled(
            points=self.points[best] - self.points,
            draws=self.draws[best] - self.draws,
            without=self.without[best] - self.without,
            copies=self.copies,
        )

    def _acceleration(self, figure: int) -> float:
        """A sixth of the skewness of the leave-one-out values."""
        without = self.without[figure]
        exists = ~np.isnan(without)
        without, copies = without[exists], self.copies[exists]
        if not len(without):
            return 0.0
        pull = np.average(without, weights=copies) - without
        squares = float(copies @ pull**2)
        if squares <= SAME**2 * len(without):
            return 0.0
        return float(copies @ pull**3) / (6 * squares * math.sqrt(squares))


def bootstrap(
    figures: Callable[[Floats], Floats], copies: Ints, *, seed: int, draws: int
) -> Resampled:
    """Compute figures for the rows as they are, for resamples, and with single rows left out.

    Of more than 1,000 kinds of rows, 1,000 evenly spaced ones are left out: the skewness that this
    measures matters less and less as rows become many.

    Args:
        figures: from float64[kinds, weightings] to float64[figures, weightings].
        copies: int64[kinds], how often each kind of row occurs.
        seed: of the resamples.
        draws: their number; 0 gives the figures alone.
    """
    once = copies.astype(np.float64)[:, None]
    points = figures(once)
    if not draws:
        none = np.empty((len(points), 0))
        return Resampled(points[:, 0], none, none, copies[:0])
    kinds = len(copies)
    left = np.unique(np.linspace(0, kinds - 1, min(kinds, _LEFT_OUT)).astype(np.int64))
    block = max(1, _CELLS // kinds)
    without = []
    for start in range(0, len(left), block):
        chosen = left[start : start + block]
        weights = np.repeat(once, len(chosen), axis=1)
        weights[chosen, np.arange(len(chosen))] -= 1
        without.append(figures(weights))
    drawn = [figures(weights) for weights in resamples(copies, seed=seed, draws=draws)]
    return Resampled(
        points[:, 0],
        np.concatenate(drawn, axis=1),
        np.concatenate(without, axis=1),
        copies[left],
    )
