"""Measures of association of two columns, for many weightings of their rows at once.

A bootstrap needs each figure a thousand times, once a resample. A resample only changes how often
every row counts, so each figure is computed for all weightings together, without a loop over them.
Equal values are ties, so values apart by floating-point noise are made equal first (`snapped`).

Nothing here knows of queries, votes or measures. NaN stands for a figure that does not exist;
:mod:`metrics.correlation` turns it into None.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from metrics.inference import SAME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["Groups", "Level", "Pairs", "auc", "kappa", "kendall", "pearson", "snapped", "spearman"]


def snapped(values: Floats) -> Floats:
    """Values that differ by less than 1e-12 made equal: the smallest of neighbours so close."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > SAME)
    found = np.empty_like(values)
    found[order] = np.repeat(ordered[starts], np.diff(starts, append=len(values)))
    found[np.abs(found) <= SAME] = 0.0
    return found


@dataclass(frozen=True)
class Pairs:
    """Two columns, prepared for weighting.

    Attributes:
        x: float64[rows], finite.
        y: float64[rows], finite.
    """

    x: Floats
    y: Floats

    @cached_property
    def of_x(self) -> Groups:
        """The rows by their value of x."""
        return Groups.of(self.x)

    @cached_property
    def of_y(self) -> Groups:
        """The rows by their value of y."""
        return Groups.of(self.y)

    @cached_property
    def levels(self) -> list[Level]:
        """How the pairs of rows are gone through; see :func:`kendall`."""
        few, many = sorted((self.of_x, self.of_y), key=lambda groups: groups.count)
        found = []
        for bit in range(max(few.count - 1, 0).bit_length()):
            order = np.lexsort((many.code, few.code >> (bit + 1)))
            block, value = few.code[order] >> (bit + 1), many.code[order]
            upper = (few.code[order] >> bit) & 1 == 1
            found.append(Level.of(order, block, value, upper))
        return found


@dataclass(frozen=True)
class Groups:
    """Rows grouped by value.

    Attributes:
        code: int64[rows], place of the row's value among the distinct ones, ascending.
        count: how many distinct values there are.
        order: int64[rows], the rows by value.
        starts: int64[count], where each value begins in that order.
    """

    code: Ints
    count: int
    order: Ints
    starts: Ints

    @classmethod
    def of(cls, values: Floats) -> Groups:
        """Group rows by their value."""
        found, code = np.unique(values, return_inverse=True)
        order = np.argsort(code, kind="stable")
        starts = np.searchsorted(code[order], np.arange(len(found)))
        return cls(code, len(found), order, starts)

    def sums(self, weights: Floats) -> Floats:
        """float64[values, draws], the weights of every value's rows."""
        ordered: Floats = weights[self.order]
        if self.count == len(self.order):
            return ordered
        total: Floats = np.add.reduceat(ordered, self.starts, axis=0)
        return total

    def ranks(self, sums: Floats) -> Floats:
        """Mid-ranks of the values less the mean rank, float64[values, draws]."""
        centred: Floats = np.cumsum(sums, axis=0) - sums / 2 - sums.sum(axis=0) / 2
        return centred


@dataclass(frozen=True)
class Level:
    """One halving of the values of one column, all of its blocks side by side.

    Attributes:
        lower: int64, rows of the lower halves, by block and the other column's value.
        upper: int64, rows of the upper halves.
        below: int64, for each upper row how many of `lower` stand before its block's first equal.
        upto: int64, the same, equal ones included.
        first: int64, where its block begins in `lower`.
        last: int64, where its block ends.
    """

    lower: Ints
    upper: Ints
    below: Ints
    upto: Ints
    first: Ints
    last: Ints

    @classmethod
    def of(cls, order: Ints, block: Ints, value: Ints, upper: Mask) -> Level:
        """Prepare a halving.

        Args:
            order: int64[rows], the rows by block and value.
            block: int64[rows], their blocks, in that order.
            value: int64[rows], the codes of their values in the other column.
            upper: bool[rows], whether they lie in the upper half of their block.
        """
        size = int(value.max()) + 1
        keys, wanted = (block * size + value)[~upper], (block * size + value)[upper]
        blocks, of = block[~upper], block[upper]
        return cls(
            lower=order[~upper],
            upper=order[upper],
            below=np.searchsorted(keys, wanted, side="left"),
            upto=np.searchsorted(keys, wanted, side="right"),
            first=np.searchsorted(blocks, of, side="left"),
            last=np.searchsorted(blocks, of, side="right"),
        )


def kendall(pairs: Pairs, weights: Floats) -> Floats:
    """Kendall's τ-b = (C − D)/√((C + D + ties in x only)(C + D + ties in y only)).

    Kendall 1945, Biometrika 33:239-251. Pairs of rows are counted by halving: the distinct values
    of one column are split in two, and C − D between the halves comes from running sums along the
    other column; then each half is split again (Knight 1966, JASA 61:436-439, does so by sorting).
    The splits are the same for all weightings. k distinct values take log2 k rounds, so votes,
    which have few, take few.

    Args:
        pairs: the two columns.
        weights: float64[rows, draws], how often each row counts, whole numbers.

    Returns:
        float64[draws]; NaN where a column is constant.
    """
    total = weights.sum(axis=0)
    balance = np.zeros(weights.shape[1])
    for level in pairs.levels:
        running = np.zeros((len(level.lower) + 1, weights.shape[1]))
        np.cumsum(weights[level.lower], axis=0, out=running[1:])
        more = running[level.below]
        more += running[level.upto]
        more -= running[level.first]
        more -= running[level.last]
        balance += np.einsum("ij,ij->j", more, weights[level.upper])
    apart = [
        total**2 - (groups.sums(weights) ** 2).sum(axis=0) for groups in (pairs.of_x, pairs.of_y)
    ]
    return _ratio(2 * balance, np.sqrt(apart[0] * apart[1]))


def spearman(pairs: Pairs, weights: Floats) -> Floats:
    """Spearman's ρ: Pearson's r of the mid-ranks (ties share the mean of their ranks).

    Args:
        pairs: the two columns.
        weights: float64[rows, draws], how often each row counts.

    Returns:
        float64[draws]; NaN where a column is constant.
    """
    sums = [groups.sums(weights) for groups in (pairs.of_x, pairs.of_y)]
    ranks = [
        groups.ranks(sums_) for groups, sums_ in zip((pairs.of_x, pairs.of_y), sums, strict=True)
    ]
    spread = [(sums_ * ranks_**2).sum(axis=0) for sums_, ranks_ in zip(sums, ranks, strict=True)]
    product = ranks[0][pairs.of_x.code] * ranks[1][pairs.of_y.code]
    together = np.einsum("ij,ij->j", product, weights)
    return _ratio(together, np.sqrt(spread[0] * spread[1]))


def pearson(pairs: Pairs, weights: Floats) -> Floats:
    """Pearson's r.

    Args:
        pairs: the two columns.
        weights: float64[rows, draws], how often each row counts.

    Returns:
        float64[draws]; NaN where a column is constant.
    """
    x, y = (values - values.mean() for values in (pairs.x, pairs.y))
    total = np.maximum(weights.sum(axis=0), 1)
    sums = _dot(np.stack([x, y, x * x, y * y, x * y]), weights)
    spread = [
        np.where(_constant(groups, weights), 0.0, sums[2 + at] - sums[at] ** 2 / total)
        for at, groups in enumerate((pairs.of_x, pairs.of_y))
    ]
    together = sums[4] - sums[0] * sums[1] / total
    return np.clip(_ratio(together, np.sqrt(spread[0] * spread[1])), -1, 1)


def kappa(one: Ints, other: Ints, weights: Floats) -> Floats:
    """Cohen's κ of two verdicts −1, 0 or 1 (Cohen 1960, Educ. and Psych. Measurement 20:37-46).

    Args:
        one: int64[rows], verdicts of one side.
        other: int64[rows], of the other.
        weights: float64[rows, draws], how often each row counts.

    Returns:
        float64[draws]; NaN where both sides always give one and the same verdict.
    """
    total = weights.sum(axis=0)
    sides = [
        _dot((np.arange(-1, 2)[:, None] == verdict).astype(np.float64), weights)
        for verdict in (one, other)
    ]
    chance = (sides[0] * sides[1]).sum(axis=0)
    same = _dot((one == other).astype(np.float64)[None], weights)[0]
    return _ratio(total * same - chance, total**2 - chance)


def auc(values: Groups, good: Mask, bad: Mask, weights: Floats) -> Floats:
    """Chance that a Good row has the larger value than a Bad one, equal values by half.

    The area under the ROC curve, by mid-ranks (Mann and Whitney 1947; Hanley and McNeil 1982,
    Radiology 143:29-36).

    Args:
        values: the rows by value.
        good: bool[rows].
        bad: bool[rows].
        weights: float64[rows, draws], how often each row counts.

    Returns:
        float64[draws]; NaN without a Good or without a Bad row.
    """
    of_good, of_bad = (values.sums(weights * chosen[:, None]) for chosen in (good, bad))
    below = np.cumsum(of_bad, axis=0) - of_bad / 2
    return _ratio((of_good * below).sum(axis=0), of_good.sum(axis=0) * of_bad.sum(axis=0))


def _constant(groups: Groups, weights: Floats) -> Mask:
    only: Mask = np.count_nonzero(groups.sums(weights), axis=0) < 2
    return only


def _dot(columns: Floats, weights: Floats) -> Floats:
    """float64[columns, rows] times float64[rows, draws], the sums in one order on every machine.

    A product by BLAS adds in an order that depends on threads, which also fight over busy cores.
    """
    found: Floats = np.einsum("ki,ij->kj", columns, weights)
    return found


def _ratio(num: Floats, den: Floats) -> Floats:
    found: Floats = np.divide(num, den, out=np.full(len(num), np.nan), where=den > 0)
    return found
