"""The power of the tests that are printed, and how many queries give it.

Two kinds: the exact test of discordant queries (McNemar's of shares, the sign test of verdicts),
and the swap test of means and ratios. Pure functions of probabilities and sizes; pilots and
frames are the business of :mod:`metrics.planning`.

The exact test is more careful than the normal formulas that plan for it (Connor 1987, Biometrics
43:207-211, takes the variances under both hypotheses and needs fewer queries than the exact test),
so its power is computed exactly: of ``n`` queries, a binomial number is discordant, and of these a
binomial number favours the treatment.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["sign_power", "sign_queries", "swap_power", "swap_queries"]

_EXACT_UP_TO = 1_000_000  # discordant queries; beyond, the normal formula errs by less than 0.1%
_REACH = 9.0  # standard deviations of a binomial that are summed: what is left is below 1e-18
_T_UP_TO = 1_000  # degrees of freedom up to which Student's t differs from the normal


def sign_power(ahead: float, behind: float, queries: int, *, alpha: float = 0.05) -> float:
    """Probability that the exact sign test (or McNemar's) has p ≤ alpha.

    ``Σ_d Bin(d; n, ahead + behind) · P(reject | d)``, in which the queries ahead among ``d``
    discordant ones are ``Bin(d, ahead/(ahead + behind))`` and are rejected when twice the smaller
    tail under one half is at most ``alpha``.

    Args:
        ahead: probability that the treatment is better on a query.
        behind: probability that the control is; the rest are ties.
        queries: how many there are.
        alpha: two-sided level.

    Returns:
        The power, in [0, 1]; rejections in the wrong direction count, as in any two-sided test.

    Raises:
        ValueError: a probability is negative, or the two exceed 1; alpha is not between 0 and 1.

    Examples:
        Six queries, all ahead: p is 1/32.

        >>> sign_power(1.0, 0.0, 6), sign_power(1.0, 0.0, 5)
        (1.0, 0.0)
        >>> round(sign_power(0.15, 0.05, 200), 3)
        0.875
    """
    _check_shares(ahead, behind, alpha)
    discordant = ahead + behind
    if discordant == 0 or queries < 1:
        return 0.0
    counts, mass = _binomial(queries, discordant)
    return min(1.0, float(mass @ _rejected(counts, ahead / discordant, alpha)))


def sign_queries(
    ahead: float, behind: float, *, power: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Queries from which on the exact sign test (or McNemar's) has a power.

    The search starts at Connor's formula with the variances under both hypotheses,
    ``n = (z_{1−α/2}·√ψ + z_power·√(ψ − Δ²))²/Δ²`` with ``ψ = ahead + behind`` and
    ``Δ = |ahead − behind|``, and ends where the exact power stays at or above what was asked for:
    the exact power is a saw, and one query more may lose some.

    Args:
        ahead: as for `sign_power`.
        behind: as for `sign_power`.
        power: the probability wanted.
        alpha: two-sided level.

    Returns:
        The number of queries; None where neither side is ahead.

    Raises:
        ValueError: as `sign_power`, or the power is not between 0 and 1.

    Examples:
        >>> sign_queries(0.15, 0.05), sign_queries(0.06, 0.04)
        (168, 2043)
    """
    from scipy.special import ndtri

    _check_shares(ahead, behind, alpha)
    _check_power(power)
    delta, discordant = abs(ahead - behind), ahead + behind
    if delta == 0:
        return None
    both = float(
        ndtri(1 - alpha / 2) * math.sqrt(discordant)
        + ndtri(power) * math.sqrt(max(discordant - delta**2, 0.0))
    )
    start = max(1, math.ceil((both / delta) ** 2))
    if start * discordant > _EXACT_UP_TO:
        return start

    def enough(queries: int) -> bool:
        return sign_power(ahead, behind, queries, alpha=alpha) >= power

    found = _first(enough, start)
    if discordant < 0.6:  # the number of discordant queries varies enough to blunt the saw
        return found
    # the critical value falls behind by one discordant query about every 4·√d/z of them
    tooth = (4 * math.sqrt(found * discordant) / float(ndtri(1 - alpha / 2)) + 4) / discordant
    last = found + min(300, math.ceil(tooth))
    lowest, highest = _binomial(found, discordant)[0][0], _binomial(last, discordant)[0][-1]
    rejected = _rejected(np.arange(lowest, highest + 1), ahead / discordant, alpha)
    for queries in range(found + 1, last + 1):
        counts, mass = _binomial(queries, discordant)
        if mass @ rejected[counts - lowest] < power:
            found = queries + 1
    return found


def swap_power(
    delta: float, deviation: float, queries: int, *, alpha: float = 0.05, differing: float = 1.0
) -> float:
    """Power of the swap test of a mean or ratio, by that of the paired t test.

    The two tests have the same power but for terms that vanish with n (Hoeffding 1952, Annals of
    Mathematical Statistics 23:169-192); that of t is the noncentral t distribution with
    ``n − 1`` degrees of freedom. A swap test of ``k`` differing queries has no p below ``2^(1−k)``,
    so it cannot find more often than enough queries differ.

    Args:
        delta: the true difference.
        deviation: standard deviation of a query's share in Δ, which is ``SE·√n``.
        queries: how many there are.
        alpha: two-sided level.
        differing: probability that a query differs between the runs at all.

    Returns:
        The power, in [0, 1].

    Raises:
        ValueError: the deviation is not above 0, or a probability not within its range.

    Examples:
        >>> round(swap_power(0.02, 0.2, 787), 4)
        0.8001
    """
    from scipy.special import bdtrc, nctdtr, ndtr, stdtrit

    if not deviation > 0:
        raise ValueError(f"The deviation must be above 0; got {deviation}.")
    if not 0 <= differing <= 1:
        raise ValueError(f"differing must lie between 0 and 1; got {differing}.")
    _check_alpha(alpha)
    least = math.ceil(1 - math.log2(alpha))
    if queries < max(2, least):
        return 0.0
    shift, freedom = abs(delta) * math.sqrt(queries) / deviation, queries - 1
    limit = float(stdtrit(freedom, 1 - alpha / 2))
    if freedom > _T_UP_TO or shift > limit + 20:
        found = float(ndtr(shift - limit) + ndtr(-shift - limit))
    else:
        # in the wrong direction: below 1e-7 from a shift of 4 on, where SciPy loses the digits
        wrong = float(nctdtr(freedom, shift, -limit)) if shift < 4 else 0.0
        found = float(1 - nctdtr(freedom, shift, limit)) + wrong
    return min(found, float(bdtrc(least - 1, queries, differing)))


def swap_queries(
    delta: float,
    deviation: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    differing: float = 1.0,
) -> int:
    """Queries with which the swap test of a mean or ratio has a power; see `swap_power`.

    Args:
        delta: the true difference, not 0.
        deviation: as for `swap_power`.
        power: the probability wanted.
        alpha: two-sided level.
        differing: as for `swap_power`, above 0.

    Returns:
        The number of queries.

    Raises:
        ValueError: as `swap_power`; also a delta of 0 or a power not between 0 and 1.

    Examples:
        >>> swap_queries(0.02, 0.2)
        787
    """
    from scipy.special import ndtri

    _check_power(power)
    if delta == 0 or differing == 0:
        raise ValueError("A difference of 0, or between runs that never differ, cannot be found.")
    normal = float(ndtri(1 - alpha / 2) + ndtri(power)) * deviation / delta

    def enough(queries: int) -> bool:
        found = swap_power(delta, deviation, queries, alpha=alpha, differing=differing)
        return found >= power

    return _first(enough, max(2, math.ceil(normal**2)))


def _binomial(n: int, share: float) -> tuple[Ints, Array]:
    """Where ``Bin(n, share)`` has its mass, int64[k], and the mass, float64[k]."""
    from scipy.special import gammaln, xlog1py, xlogy

    share = min(share, 1.0)
    reach = _REACH * math.sqrt(n * share * (1 - share)) + 30
    low, high = max(0, math.floor(n * share - reach)), min(n, math.ceil(n * share + reach))
    counts = np.arange(low, high + 1)
    ways = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    return counts, np.exp(ways + xlogy(counts, share) + xlog1py(n - counts, -share))


def _rejected(counts: Ints, share: float, alpha: float) -> Array:
    """Chance that the sign test of so many queries, of which each is ahead so often, rejects."""
    from scipy.special import bdtr, bdtrc

    limit, share = _rejected_up_to(counts, alpha), min(share, 1.0)
    lower, upper = bdtr(limit, counts, share), bdtrc(counts - limit - 1, counts, share)
    found: Array = np.where(limit >= 0, lower + upper, 0.0)
    return found


def _rejected_up_to(counts: Ints, alpha: float) -> Ints:
    """The largest smaller tail that the sign test of so many queries rejects; −1 for none."""
    from scipy.special import bdtr, ndtri

    guess = counts / 2 - float(ndtri(1 - alpha / 2)) * np.sqrt(counts) / 2
    limit: Ints = np.clip(np.floor(guess), -1, None).astype(np.int64)

    def rejects(tail: Ints) -> NDArray[np.bool_]:
        inside = (tail >= 0) & (tail <= counts)
        found: NDArray[np.bool_] = 2 * bdtr(np.where(inside, tail, 0), counts, 0.5) <= alpha
        return inside & found

    while True:
        lower = (limit >= 0) & ~rejects(limit)
        if not lower.any():
            break
        limit = limit - lower
    while True:
        higher = rejects(limit + 1)
        if not higher.any():
            return limit
        limit = limit + higher


def _first(enough: Callable[[int], bool], start: int) -> int:
    """Bisect for the first number that is enough, from a number near it."""
    low, high = 0, start
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _check_shares(ahead: float, behind: float, alpha: float) -> None:
    if min(ahead, behind) < 0 or ahead + behind > 1 + 1e-9:
        raise ValueError(f"ahead and behind are probabilities of one query; got {ahead}, {behind}.")
    _check_alpha(alpha)


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, such as 0.05; got {alpha}.")


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, such as 0.8; got {power}.")
