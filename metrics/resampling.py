"""Swap test and bootstrap of a ratio of sums over queries, exact where small and lean where large.

The companion of :mod:`metrics.inference`, with the same columns: ``num`` and ``den`` per query and
run. Everything random is seeded, and depends on the multiset of queries only, never on their order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from metrics.inference import SAME, Interval, checked_columns, checked_confidence

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]

__all__ = ["bca_interval", "paired_bca_interval", "swap_test"]

ENUMERATED = 14
"""Up to this many differing queries, the swap test goes through all assignments."""

_WIDTH = 10  # queries a lookup: 1,024 sums of 8 bytes stay in the fastest cache
_TABLES = 64  # lookup tables built at once: half a megabyte
_BINOMIAL_FROM = 100  # equal queries from which one binomial draw is cheaper than lookups
_CELLS = 1_000_000  # entries of a block of resampled counts: 8 MB


def swap_test(
    num_control: npt.ArrayLike,
    den_control: npt.ArrayLike,
    num_treatment: npt.ArrayLike,
    den_treatment: npt.ArrayLike,
    *,
    seed: int,
    draws: int = 10_000,
) -> float | None:
    """Two-sided randomisation test of ``Δ = R(treatment) − R(control)``, paired by query.

    Under the null hypothesis it does not matter which run a query's result comes from, so the
    whole pair ``(num, den)`` is exchanged between the runs, query by query, and Δ is recomputed
    (Fisher's randomisation test; Smucker, Allan and Carterette 2007, CIKM). With at most 14
    differing queries all ``2^k`` assignments are gone through and ``p = #{|Δ*| ≥ |Δ|}/2^k``;
    otherwise ``p = (1 + #{|Δ*| ≥ |Δ|})/(1 + draws)`` over seeded draws, which counts the observed
    assignment and so is never 0 (Phipson and Smyth 2010, Statistical Applications in Genetics and
    Molecular Biology 9:39). ``≥`` forgives 1e-12.

    How draws stay cheap without changing their distribution. A draw gives each query a fair sign
    ``s_q``; with totals ``N, D`` of both runs together and differences ``x = num(treatment) −
    num(control)``, ``y = den(treatment) − den(control)``, it is

        ``Δ* = (N + Σ s·x)/(D + Σ s·y) − (N − Σ s·x)/(D − Σ s·y)``.

    Only ``(x, y)`` of a query matters, so queries with equal ``(x, y)`` enter as the sum of their
    signs, which is ``2·Binomial(m, ½) − m``; and since a fair sign is symmetric, ``(−x, −y)`` is
    the same kind of query as ``(x, y)``, and one with ``(0, 0)`` does nothing. Other queries are
    taken ten at a time: ten random bits point into a table of their 1,024 signed sums.

    A draw may leave a run without any denominator. The ratio then counts as 0, as that of a query
    without results does. Any fixed value would do for the level of the test, which rests on one
    statistic for all assignments, not on which; only the observed Δ must exist.

    Args:
        num_control: float[n], weighted numerators of the control, one a query.
        den_control: float[n], weighted denominators of the control, not negative.
        num_treatment: float[n], the treatment's, in the same order of queries.
        den_treatment: float[n], the treatment's, in the same order of queries.
        seed: of the draws.
        draws: their number, when not enumerated.

    Returns:
        p in (0, 1]; 1.0 when the runs do not differ; ``None`` when either run has ``Σ den = 0``.

    Raises:
        ValueError: if the arrays differ in length, hold a value that is no finite number, a
            denominator is negative, or ``draws < 1``.

    Examples:
        Five queries, all better in the treatment: only the observed assignment and its mirror
        image are as extreme.

        >>> swap_test([0, 0, 0, 0, 0], [1] * 5, [1, 1, 1, 1, 1], [1] * 5, seed=0)
        0.0625
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1; got {draws}.")
    columns = checked_columns(
        num_control=num_control,
        den_control=den_control,
        num_treatment=num_treatment,
        den_treatment=den_treatment,
    )
    if columns[1].sum() == 0 or columns[3].sum() == 0:
        return None
    # in units of the mean denominator, the scale of the weights drops out
    n = columns.shape[1]
    columns /= (math.fsum(columns[1]) + math.fsum(columns[3])) / (2 * n)
    totals = (
        math.fsum(columns[0]) + math.fsum(columns[2]),
        math.fsum(columns[1]) + math.fsum(columns[3]),
    )
    x, y, sign = _effects(columns)
    observed = float(
        _swapped_delta(totals, np.array([math.fsum(sign * x)]), np.array([math.fsum(sign * y)]))[0]
    )
    differ = (x != 0) | (y != 0)
    effects, counts = _alike(np.stack([x[differ], y[differ]]))
    differing = int(counts.sum())
    if differing <= ENUMERATED:
        each = np.repeat(effects, counts, axis=1)
        sums = _signed_sums(each[:, None, :])[:, 0, :]
        extreme = _extreme(_swapped_delta(totals, sums[0], sums[1]), observed)
        return extreme / float(2**differing)
    sums = _random_sums(effects, counts, np.random.default_rng(seed), draws)
    return (1 + _extreme(_swapped_delta(totals, sums[0], sums[1]), observed)) / (1 + draws)


def bca_interval(
    num: npt.ArrayLike,
    den: npt.ArrayLike,
    *,
    seed: int,
    draws: int = 9_999,
    confidence: float = 0.95,
) -> Interval | None:
    """Bootstrap interval (BCa) of ``R = Σ num / Σ den`` of one run; queries are resampled.

    See :func:`paired_bca_interval` for the method.

    Args:
        num: float[n], weighted numerators, one a query.
        den: float[n], weighted denominators, not negative.
        seed: of the resamples.
        draws: their number.
        confidence: the coverage, between 0 and 1.

    Returns:
        The interval; ``None`` when ``n < 2`` or ``Σ den = 0``.

    Raises:
        ValueError: as :func:`paired_bca_interval`.

    Examples:
        >>> interval = bca_interval([1, 0, 4, 2, 3], [3, 2, 4, 4, 4], seed=0)
        >>> 0.2 < interval.low < 10 / 17 < interval.high < 0.9
        True
    """
    return _bca(checked_columns(num=num, den=den), seed, draws, confidence)


def paired_bca_interval(
    num_control: npt.ArrayLike,
    den_control: npt.ArrayLike,
    num_treatment: npt.ArrayLike,
    den_treatment: npt.ArrayLike,
    *,
    seed: int,
    draws: int = 9_999,
    confidence: float = 0.95,
) -> Interval | None:
    """Bootstrap interval (BCa) of ``Δ = R(treatment) − R(control)``, paired by query.

    Bias-corrected and accelerated percentiles (Efron 1987, JASA 82:171-185) over resamples of
    ``n`` queries with replacement; a query brings both runs' pair ``(num, den)``. The bias is read
    from the share of resamples below Δ (equal ones count half), the acceleration from the
    leave-one-out values in closed form. Equal queries are resampled together by multinomial
    counts. Resamples and leave-one-out sets in which a run has no denominator have no Δ and are
    left out.

    Args:
        num_control: float[n], weighted numerators of the control, one a query.
        den_control: float[n], weighted denominators of the control, not negative.
        num_treatment: float[n], the treatment's, in the same order of queries.
        den_treatment: float[n], the treatment's, in the same order of queries.
        seed: of the resamples.
        draws: their number.
        confidence: the coverage, between 0 and 1.

    Returns:
        The interval; the point itself when no resample differs from it; ``None`` when ``n < 2`` or
        either run has ``Σ den = 0``.

    Raises:
        ValueError: if the arrays differ in length, hold a value that is no finite number, a
            denominator is negative, ``draws < 1``, or the confidence is not between 0 and 1.

    Examples:
        >>> paired_bca_interval([1, 0, 1], [1, 1, 1], [2, 1, 2], [1, 1, 1], seed=0)
        Interval(low=1.0, high=1.0)
    """
    columns = checked_columns(
        num_control=num_control,
        den_control=den_control,
        num_treatment=num_treatment,
        den_treatment=den_treatment,
    )
    return _bca(columns, seed, draws, confidence)


def _swapped_delta(totals: tuple[float, float], x: FloatArray, y: FloatArray) -> FloatArray:
    """Δ* of assignments with signed sums x, y; in units in which the mean denominator is 1."""
    num, den = totals
    # snapped differences may miss a denominator of zero by about 1e-12 a query
    nothing = SAME * den
    treatment = _ratio(num + x, den + y, nothing, otherwise=0.0)
    return treatment - _ratio(num - x, den - y, nothing, otherwise=0.0)


def _extreme(deltas: FloatArray, observed: float) -> int:
    return int(np.count_nonzero(np.abs(deltas) >= abs(observed) - SAME))


def _ratio(num: FloatArray, den: FloatArray, nothing: float, *, otherwise: float) -> FloatArray:
    out = np.full(np.broadcast(num, den).shape, otherwise)
    np.divide(num, den, out=out, where=den > nothing)
    return out


def _alike(columns: FloatArray) -> tuple[FloatArray, IntArray]:
    """The distinct columns of float[k, n], in one canonical order, and how often each occurs."""
    ordered = columns[:, np.lexsort(columns[::-1])]
    first = np.ones(ordered.shape[1], dtype=bool)
    first[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    starts = np.flatnonzero(first)
    return ordered[:, starts], np.diff(starts, append=ordered.shape[1])


def _effects(columns: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What a swap moves, x in the numerators and y in the denominators, up to a common sign.

    The returned x and y times the sign are ``treatment − control``; x is never negative, nor is y
    where x is 0. Values apart by floating-point noise become equal, so that neither the order of a
    sum nor the scale of the weights decides which queries are alike.
    """
    x, y = columns[2] - columns[0], columns[3] - columns[1]
    x[np.abs(x) <= SAME] = 0.0
    y[np.abs(y) <= SAME] = 0.0
    sign = np.where((x < 0) | ((x == 0) & (y < 0)), -1.0, 1.0)
    return _snapped(x * sign), _snapped(y * sign), sign


def _snapped(values: FloatArray) -> FloatArray:
    """Each value replaced by the smallest of its neighbours in steps of at most 1e-12."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > SAME)
    snapped = np.empty_like(values)
    snapped[order] = np.repeat(ordered[starts], np.diff(starts, append=len(values)))
    return snapped


def _random_sums(
    effects: FloatArray, counts: IntArray, rng: np.random.Generator, draws: int
) -> FloatArray:
    """float[2, draws]: Σ s·x and Σ s·y under fair random signs s, one for each single query."""
    sums = np.zeros((2, draws))
    many = counts >= _BINOMIAL_FROM
    for effect, count in zip(effects[:, many].T, counts[many], strict=True):
        signs = 2.0 * rng.binomial(count, 0.5, size=draws) - count
        sums += effect[:, None] * signs
    few = np.repeat(effects[:, ~many], counts[~many], axis=1)
    used = [row for row in range(2) if few[row].any()]
    found = np.empty(draws)
    for start in range(0, few.shape[1], _WIDTH * _TABLES):
        block = few[used, start : start + _WIDTH * _TABLES]
        padding = -block.shape[1] % _WIDTH  # a padded query adds ±0
        block = np.pad(block, ((0, 0), (0, padding))).reshape(len(used), -1, _WIDTH)
        tables = _signed_sums(block)
        for position in range(block.shape[1]):
            index = rng.integers(0, 1 << _WIDTH, size=draws, dtype=np.uint16)
            for table, row in zip(tables[:, position], used, strict=True):
                np.take(table, index, out=found, mode="clip")
                sums[row] += found
    return sums


def _signed_sums(values: FloatArray) -> FloatArray:
    """float[r, c, w] -> float[r, c, 2^w]: all sums of the last axis with every choice of signs."""
    sums = np.zeros((*values.shape[:2], 1))
    for position in range(values.shape[2]):
        value = values[:, :, position : position + 1]
        sums = np.concatenate([sums - value, sums + value], axis=2)
    return sums


def _bca(columns: FloatArray, seed: int, draws: int, confidence: float) -> Interval | None:
    """BCa of columns (num, den) or (num, den, num, den): a ratio, or the second minus the first."""
    from scipy.special import ndtr, ndtri

    checked_confidence(confidence)
    if draws < 1:
        raise ValueError(f"draws must be at least 1; got {draws}.")
    if columns.shape[1] < 2 or (columns[1::2].sum(axis=1) == 0).any():
        return None
    rows, counts = _alike(columns)
    totals = np.array([math.fsum(column) for column in columns])
    observed = float(_statistic(totals[:, None], totals)[0])
    resampled = _statistic(
        _resampled_sums(rows, counts, np.random.default_rng(seed), draws), totals
    )
    resampled = resampled[~np.isnan(resampled)]
    if not len(resampled) or np.abs(resampled - observed).max() <= SAME:
        return Interval(observed, observed)
    bias = _bias(resampled, observed)
    acceleration = _acceleration(rows, counts, totals)
    shifted = bias + ndtri(np.array([0.5 - confidence / 2, 0.5 + confidence / 2]))
    # past its pole the transform has run off the scale, to the outermost resample
    shrink = np.maximum(1 - acceleration * shifted, SAME)
    levels = ndtr(bias + shifted / shrink)
    low, high = np.quantile(resampled, levels)
    return Interval(float(low), float(high))


def _statistic(sums: FloatArray, totals: FloatArray) -> FloatArray:
    """The figure of float[k, m] sums; NaN where a run has no denominator."""
    ratios = [
        _ratio(sums[run], sums[run + 1], SAME * totals[run + 1], otherwise=math.nan)
        for run in range(0, len(sums), 2)
    ]
    return ratios[0] if len(ratios) == 1 else ratios[1] - ratios[0]


def _resampled_sums(
    rows: FloatArray, counts: IntArray, rng: np.random.Generator, draws: int
) -> FloatArray:
    """float[k, draws]: the columns' sums over n queries drawn with replacement."""
    n, kinds = int(counts.sum()), len(counts)
    # a binomial for each kind of query, or an index for each query, whichever is less work
    grouped = kinds * 4 <= n
    if not grouped:
        rows, kinds = np.repeat(rows, counts, axis=1), n
    sums = np.empty((len(rows), draws))
    block = max(1, _CELLS // kinds)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        if grouped:
            taken = rng.multinomial(n, counts / n, size=size)
        else:
            taken = _index_counts(rng, n, size)
        sums[:, start : start + size] = rows @ taken.T.astype(np.float64)
    return sums


def _index_counts(rng: np.random.Generator, n: int, size: int) -> IntArray:
    """int[size, n]: how often each of n queries is drawn, in each of `size` resamples."""
    index = rng.integers(0, n, size=(size, n))
    index += np.arange(size)[:, None] * n
    return np.bincount(index.ravel(), minlength=size * n).reshape(size, n)


def _bias(resampled: FloatArray, observed: float) -> float:
    """z₀: the normal quantile of the share of resamples below the figure, equal ones by half."""
    from scipy.special import ndtri

    below = np.count_nonzero(resampled < observed - SAME)
    not_above = np.count_nonzero(resampled <= observed + SAME)
    share = (below + not_above) / (2 * len(resampled))
    # all on one side would be infinite; half a resample is what the number of draws can tell
    half = 0.5 / len(resampled)
    return float(ndtri(min(max(share, half), 1 - half)))


def _acceleration(rows: FloatArray, counts: IntArray, totals: FloatArray) -> float:
    """A sixth of the skewness of the leave-one-out values, as ``Σ u³ / (6 (Σ u²)^1.5)``."""
    without = _statistic(totals[:, None] - rows, totals)
    exists = ~np.isnan(without)
    weights, without = counts[exists], without[exists]
    if not len(without) or np.ptp(without) == 0:
        return 0.0
    pull = np.average(without, weights=weights) - without
    squares = float(weights @ pull**2)
    return float(weights @ pull**3) / (6 * squares * math.sqrt(squares))
