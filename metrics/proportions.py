"""Intervals and exact tests of shares of queries: one run, two paired runs, and verdicts.

The companion of :mod:`metrics.inference` for figures that are counts of queries.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from metrics.inference import Estimate, Interval, checked_confidence, normal_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "clopper_pearson_interval",
    "mcnemar_p",
    "mcnemar_standard_error",
    "score_variance",
    "sign_test_p",
    "tango_interval",
    "trinomial_interval",
    "wilson_interval",
]


def tango_interval(b: int, c: int, n: int, *, confidence: float = 0.95) -> Interval | None:
    """Score interval of ``(b − c)/n``, the difference of two paired proportions.

    Tango (1998, Statistics in Medicine 17:891-908): the values of Δ for which
    ``|b − c − nΔ| ≤ z·sqrt(n(2p + Δ(1 − Δ)))``, with ``p`` the maximum-likelihood probability of
    "only the control good" under Δ. Unlike the Wald interval it keeps its coverage with few
    discordant queries: without any it is ``±z²/(n + z²)``.

    Args:
        b: queries that are good in the treatment only.
        c: queries that are good in the control only.
        n: all queries.
        confidence: the coverage, between 0 and 1.

    Returns:
        The interval, within [−1, 1]; ``None`` when ``n < 2``.

    Raises:
        ValueError: if a count is negative or no whole number, or ``b + c > n``.

    Examples:
        >>> interval = tango_interval(12, 5, 100)
        >>> round(interval.low, 4), round(interval.high, 4)
        (-0.0119, 0.1574)
        >>> round(tango_interval(0, 0, 100).high, 4)
        0.037
    """
    b, c, n = _counts(b=b, c=c, n=n)
    if b + c > n:
        raise ValueError(f"b + c = {b + c} discordant queries cannot exceed n = {n} queries.")
    if n < 2:
        return None
    z = normal_quantile(confidence)

    def beyond(delta: float) -> bool:
        """Whether the score statistic rejects delta."""
        linear = (2 * n - b + c) * delta - b - c
        constant = -c * delta * (1 - delta)
        root = math.sqrt(max(linear * linear - 8 * n * constant, 0.0))
        # the root of 2n·p² + linear·p + constant = 0, written so that nothing cancels
        p = -2 * constant / (linear + root) if linear > 0 else (root - linear) / (4 * n)
        variance = n * (2 * p + delta * (1 - delta))
        return (b - c - n * delta) ** 2 > z * z * variance

    estimate = (b - c) / n
    return Interval(_boundary(beyond, estimate, -1.0), _boundary(beyond, estimate, 1.0))


def mcnemar_p(b: int, c: int) -> float:
    """Exact two-sided McNemar test that neither run has more good queries.

    Of the ``b + c`` discordant queries, ``b`` is binomial with probability one half (McNemar 1947,
    Psychometrika 12:153-157; the exact form is the sign test on the discordant pairs).

    Args:
        b: queries that are good in the treatment only.
        c: queries that are good in the control only.

    Returns:
        p, 1.0 without discordant queries.

    Raises:
        ValueError: if a count is negative or no whole number.

    Examples:
        >>> mcnemar_p(6, 1)
        0.125
    """
    b, c = _counts(b=b, c=c)
    return sign_test_p(b, c)


def mcnemar_standard_error(b: int, c: int, n: int) -> float:
    """Standard error of ``(b − c)/n`` if there is no true difference: ``sqrt(b + c)/n``.

    The square root of McNemar's chi-square (1947, Psychometrika 12:153-157) is the difference over
    this.

    Args:
        b: queries that are good in the treatment only.
        c: queries that are good in the control only.
        n: all queries.

    Returns:
        The standard error as a proportion, 0 without any discordant query.

    Raises:
        ValueError: if a count is negative or no whole number, or ``b + c > n``.

    Examples:
        >>> round(mcnemar_standard_error(12, 5, 100), 4)
        0.0412
    """
    b, c, n = _counts(b=b, c=c, n=n)
    if b + c > n:
        raise ValueError(f"b + c = {b + c} discordant queries cannot exceed n = {n} queries.")
    return math.sqrt(b + c) / n if n else 0.0


def score_variance(variance: float, queries: float) -> float:
    """The variance of a difference of two paired shares, with what few queries cannot show.

    ``(z² + n²·v)/(n + z²)²`` with the z of 95%: that of z² queries more, one half of them good in
    one run only and the other half in the other one only (as Agresti and Coull 1998, The American
    Statistician 52:119-126, do for one share; Agresti and Min 2005, Statistics in Medicine
    24:729-740, for two). Without any discordant query ``±z·SE`` is Tango's ``±z²/(n + z²)``, and
    with some ``±t·SE`` is no narrower than Tango's interval. The values may also be fractions, such
    as means over several runs, which have no Tango interval.

    Args:
        variance: of the difference, as its queries vary.
        queries: how many there are; with weights ``(Σw)²/Σw²``.

    Returns:
        The variance, as a squared proportion.

    Examples:
        >>> z = normal_quantile(0.95)
        >>> round(z * math.sqrt(score_variance(0.0, 100)), 4)
        0.037
    """
    squared = normal_quantile(0.95) ** 2
    return (squared + queries**2 * variance) / (queries + squared) ** 2


def sign_test_p(good: int, bad: int) -> float:
    """Exact two-sided sign test over queries; ties are left out before counting.

    Twice the smaller binomial tail with probability one half, at most 1 (Arbuthnot 1710; Dixon and
    Mood 1946, JASA 41:557-566).

    Args:
        good: queries on which the treatment is better.
        bad: queries on which the control is better.

    Returns:
        p, 1.0 without any decided query.

    Raises:
        ValueError: if a count is negative or no whole number.

    Examples:
        >>> sign_test_p(9, 1)
        0.021484375
    """
    from scipy.special import bdtr

    good, bad = _counts(good=good, bad=bad)
    return min(1.0, 2.0 * float(bdtr(min(good, bad), good + bad, 0.5)))


def wilson_interval(k: int, n: int, *, confidence: float = 0.95) -> Interval | None:
    """Score interval of the proportion ``k/n`` (Wilson 1927, JASA 22:209-212).

    Args:
        k: successes, such as queries with a good item.
        n: queries.
        confidence: the coverage, between 0 and 1.

    Returns:
        The interval, within [0, 1]; ``None`` when ``n < 2``.

    Raises:
        ValueError: if a count is negative or no whole number, or ``k > n``.

    Examples:
        >>> interval = wilson_interval(80, 100)
        >>> round(interval.low, 4), round(interval.high, 4)
        (0.7112, 0.8666)
    """
    k, n = _counts(k=k, n=n)
    if k > n:
        raise ValueError(f"k = {k} successes cannot exceed n = {n} queries.")
    if n < 2:
        return None
    z = normal_quantile(confidence)
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # exact at the ends, where centre and half are equal but for rounding
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return Interval(low, high)


def clopper_pearson_interval(k: int, n: int, *, confidence: float = 0.95) -> Interval | None:
    """Exact interval of the proportion ``k/n`` (Clopper and Pearson 1934, Biometrika 26:404-413).

    The proportions that neither binomial tail rejects; quantiles of the beta distribution. It
    covers at least as often as it says, also with a handful of trials.

    Args:
        k: successes, such as votes for the left list.
        n: trials.
        confidence: the coverage, between 0 and 1.

    Returns:
        The interval, within [0, 1]; ``None`` when ``n = 0``.

    Raises:
        ValueError: if a count is negative or no whole number, ``k > n``, or the confidence does
            not lie between 0 and 1.

    Examples:
        >>> interval = clopper_pearson_interval(7, 10)
        >>> round(interval.low, 4), round(interval.high, 4)
        (0.3475, 0.9333)
    """
    from scipy.special import betaincinv

    k, n = _counts(k=k, n=n)
    if k > n:
        raise ValueError(f"k = {k} successes cannot exceed n = {n} trials.")
    tail = (1 - checked_confidence(confidence)) / 2
    if n == 0:
        return None
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return Interval(low, high)


def trinomial_interval(
    good: int, same: int, bad: int, *, confidence: float = 0.95
) -> Estimate | None:
    """Estimate ``GSB = (G − B)/(G + S + B)`` from one vote a query.

    The three shares are multinomial, so the variance of their difference is
    ``(p_G + p_B − (p_G − p_B)²)/n`` (Agresti 2013, Categorical Data Analysis, section 11.1); normal
    quantile, clipped to [−1, 1]. Where all votes agree the variance and with it the width is 0;
    :func:`tango_interval` with ``b = good, c = bad`` is the score interval of the same figure and
    does not collapse.

    Args:
        good: queries on which the treatment is better.
        same: queries on which neither is.
        bad: queries on which the control is better.
        confidence: the coverage, between 0 and 1.

    Returns:
        GSB in [−1, 1]; without standard error and interval when there is one query; ``None``
        without any.

    Raises:
        ValueError: if a count is negative or no whole number.

    Examples:
        >>> gsb = trinomial_interval(30, 50, 20)
        >>> round(gsb.value, 4), round(gsb.standard_error, 4)
        (0.1, 0.07)
        >>> round(gsb.interval.low, 4), round(gsb.interval.high, 4)
        (-0.0372, 0.2372)
    """
    good, same, bad = _counts(good=good, same=same, bad=bad)
    n = good + same + bad
    if n == 0:
        return None
    value = (good - bad) / n
    if n < 2:
        return Estimate(value, None, None)
    # (good + bad)/n − value², over whole numbers so that it is exactly 0 when all votes agree
    error = math.sqrt((n * (good + bad) - (good - bad) ** 2) / n) / n
    half = normal_quantile(confidence) * error
    return Estimate(value, error, Interval(max(-1.0, value - half), min(1.0, value + half)))


def _boundary(beyond: Callable[[float], bool], inside: float, end: float) -> float:
    """Bisect between a point that is kept and the end of the range, down to the last bit."""
    if not beyond(end):
        return end
    kept, rejected = inside, end
    while True:
        middle = (kept + rejected) / 2
        if middle in (kept, rejected):
            return kept
        if beyond(middle):
            rejected = middle
        else:
            kept = middle


def _counts(**counts: int) -> tuple[int, ...]:
    for name, count in counts.items():
        if count < 0 or count != int(count):
            raise ValueError(
                f"{name} is a count of queries, a whole number from 0 up; got {count}."
            )
    return tuple(int(count) for count in counts.values())
