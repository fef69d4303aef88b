"""Intervals, tests and detectable effects for one run and for two paired runs, in closed form.

Every figure of this package is a ratio of sums over queries, ``R = Σ num / Σ den``. The pooled
Item Goodrate has ``num = w·good`` and ``den = w·shown``; the mean of a per-query value ``v`` has
``num = w·v`` and ``den = w`` (``w = 1`` without weights). A run is therefore two arrays with one
entry a query, and a comparison is four, aligned by query. All queries of the query set belong in
the arrays, also those for which a run shows nothing (``num = den = 0``).

The functions here are pure, take arrays or counts, and know nothing of frames, files or names of
measures. Resampling (swap test, bootstrap) lives in :mod:`metrics.resampling`. Values are in the
unit of the input: a rate of 0.25 is 0.25, not 25 points. ``None`` stands for a figure that does
not exist; a ``ValueError`` for input that cannot be meant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

__all__ = [
    "Estimate",
    "Interval",
    "holm",
    "mcnemar_mde",
    "mcnemar_p",
    "minimal_detectable_effect",
    "paired_ratio_interval",
    "ratio_interval",
    "sign_test_p",
    "tango_interval",
    "trinomial_interval",
    "wilson_interval",
]

SAME = 1e-12
"""Figures that differ by less count as the same."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, in the unit of its figure."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its standard error and confidence interval.

    Attributes:
        value: the figure.
        standard_error: its standard error, ``None`` with fewer than 2 queries.
        interval: its confidence interval, ``None`` with fewer than 2 queries.
    """

    value: float
    standard_error: float | None
    interval: Interval | None


def ratio_interval(
    num: npt.ArrayLike, den: npt.ArrayLike, *, confidence: float = 0.95
) -> Estimate | None:
    """Estimate ``R = Σ num / Σ den`` of one run, with queries as the sampling units.

    The delta method for a ratio of sums (Cochran 1977, Sampling Techniques, section 6.3; for
    online metrics Deng, Knoblich and Lu 2018, KDD): ``e_q = (num_q − R·den_q) / (Σ den / n)``, the
    variance of ``e`` over all ``n`` queries (ddof 1) divided by ``n``, and the t quantile with
    ``n − 1`` degrees of freedom. With ``den = 1`` it is the t interval of a mean. With one row
    a query of ``(votes for − votes against, votes)`` it is the interval of a clustered GSB.

    Args:
        num: float[n], weighted numerators, one a query.
        den: float[n], weighted denominators, not negative.
        confidence: the coverage, between 0 and 1.

    Returns:
        The ratio with standard error and interval; without those two when ``n < 2``; ``None`` when
        ``Σ den = 0``.

    Raises:
        ValueError: if the arrays differ in length, hold a value that is no finite number, or a
            denominator is negative.

    Examples:
        Three queries show 3, 2 and 4 items, of which 1, 0 and 4 are good.

        >>> estimate = ratio_interval([1, 0, 4], [3, 2, 4])
        >>> round(estimate.value, 4), round(estimate.standard_error, 4)
        (0.5556, 0.2994)
        >>> ratio_interval([0, 0], [0, 0]) is None
        True
    """
    columns = checked_columns(num=num, den=den)
    if columns[1].sum() == 0:
        return None
    value, influence = _linearised(columns[0], columns[1])
    return _t_estimate(value, influence, confidence)


def paired_ratio_interval(
    num_control: npt.ArrayLike,
    den_control: npt.ArrayLike,
    num_treatment: npt.ArrayLike,
    den_treatment: npt.ArrayLike,
    *,
    confidence: float = 0.95,
) -> Estimate | None:
    """Estimate ``Δ = R(treatment) − R(control)`` of two runs over the same queries.

    Both ratios are linearised as in :func:`ratio_interval`, and the variance is that of the paired
    differences ``e_q(treatment) − e_q(control)`` over all ``n`` queries (ddof 1) divided by ``n``,
    so what the runs share on a query cancels; t quantile with ``n − 1`` degrees of freedom. With
    all denominators 1 it is exactly the t interval on paired differences.

    Args:
        num_control: float[n], weighted numerators of the control, one a query.
        den_control: float[n], weighted denominators of the control, not negative.
        num_treatment: float[n], the treatment's, in the same order of queries.
        den_treatment: float[n], the treatment's, in the same order of queries.
        confidence: the coverage, between 0 and 1.

    Returns:
        Δ with standard error and interval; without those two when ``n < 2``; ``None`` when either
        run has ``Σ den = 0``.

    Raises:
        ValueError: as :func:`ratio_interval`.

    Examples:
        The worked figures: control 4 good of 9 shown, treatment 6 of 11.

        >>> delta = paired_ratio_interval([1, 0, 3, 0], [3, 3, 3, 0], [2, 1, 3, 0], [3, 2, 3, 3])
        >>> round(100 * delta.value, 2)
        10.1
        >>> round(delta.interval.low, 3), round(delta.interval.high, 3)
        (-0.724, 0.926)
    """
    columns = checked_columns(
        num_control=num_control,
        den_control=den_control,
        num_treatment=num_treatment,
        den_treatment=den_treatment,
    )
    if columns[1].sum() == 0 or columns[3].sum() == 0:
        return None
    control, influence_control = _linearised(columns[0], columns[1])
    treatment, influence_treatment = _linearised(columns[2], columns[3])
    return _t_estimate(treatment - control, influence_treatment - influence_control, confidence)


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
    z = _z(confidence)

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
    z = _z(confidence)
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # exact at the ends, where centre and half are equal but for rounding
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
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
    half = _z(confidence) * error
    return Estimate(value, error, Interval(max(-1.0, value - half), min(1.0, value + half)))


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Adjust the p values of one family by Holm's step-down rule.

    Holm (1979, Scandinavian Journal of Statistics 6:65-70): the i-th smallest of m is multiplied
    by ``m − i + 1``, made monotone, and capped at 1. Rejecting where the adjusted value is at most
    α keeps the chance of any false rejection in the family at α under every dependence.

    Args:
        p_values: float[m]; NaN (or None) marks a test that does not exist, is returned as NaN and
            not counted.

    Returns:
        float[m], adjusted, in the given order.

    Raises:
        ValueError: if the values are not one-dimensional or lie outside [0, 1].

    Examples:
        >>> holm([0.01, 0.04, float("nan"), 0.03]).tolist()
        [0.03, 0.06, nan, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"p values must be one-dimensional; the shape was {p.shape}.")
    outside = (p < 0) | (p > 1)
    if outside.any():
        raise ValueError(f"p values lie between 0 and 1; one was {p[outside][0]}.")
    adjusted = np.full_like(p, np.nan)
    family = np.flatnonzero(~np.isnan(p))
    ranked = family[np.argsort(p[family], kind="stable")]
    factors = np.arange(len(ranked), 0, -1)
    adjusted[ranked] = np.minimum(np.maximum.accumulate(p[ranked] * factors), 1.0)
    return adjusted


def minimal_detectable_effect(
    standard_error: float | None, *, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """Return the smallest true Δ that a test at ``alpha`` finds with probability ``power``.

    ``(z_{1−α/2} + z_power)·SE``, by default ``2.80·SE`` (Bloom 1995, Evaluation Review
    19:547-556).

    Args:
        standard_error: of Δ, in the unit of the measure; ``None`` passes through.
        alpha: two-sided level of the test, not adjusted for a family.
        power: the probability wanted.

    Returns:
        The effect in the unit of the measure. ``None`` when the standard error is 0: runs that
        never differ say nothing about the spread of a difference.

    Raises:
        ValueError: if the standard error is negative or no finite number, or a probability does
            not lie between 0 and 1.

    Examples:
        >>> round(minimal_detectable_effect(0.01), 5)
        0.02802
    """
    from scipy.special import ndtri

    if standard_error is None:
        return None
    if not (math.isfinite(standard_error) and standard_error >= 0):
        raise ValueError(f"A standard error is a finite number from 0 up; got {standard_error}.")
    for name, value in (("alpha", alpha), ("power", power)):
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1; got {value}.")
    if standard_error == 0:
        return None
    return float(ndtri(1 - alpha / 2) + ndtri(power)) * standard_error


def mcnemar_mde(b: int, c: int, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """Smallest true difference of paired proportions that McNemar's test finds.

    :func:`minimal_detectable_effect` with the standard error under the null hypothesis at the
    observed discordance, ``sqrt(b + c)/n``.

    Args:
        b: queries that are good in the treatment only.
        c: queries that are good in the control only.
        n: all queries.
        alpha: two-sided level of the test, not adjusted for a family.
        power: the probability wanted.

    Returns:
        The effect as a proportion; ``None`` without any discordant query.

    Raises:
        ValueError: if a count is negative or no whole number, or ``b + c > n``.

    Examples:
        >>> round(mcnemar_mde(12, 5, 100), 4)
        0.1155
        >>> mcnemar_mde(0, 0, 100) is None
        True
    """
    b, c, n = _counts(b=b, c=c, n=n)
    if b + c > n:
        raise ValueError(f"b + c = {b + c} discordant queries cannot exceed n = {n} queries.")
    if b + c == 0:
        return None
    return minimal_detectable_effect(math.sqrt(b + c) / n, alpha=alpha, power=power)


def checked_columns(**columns: npt.ArrayLike) -> FloatArray:
    """Stack per-query columns to float64[k, n], alternating numerators and denominators.

    Raises:
        ValueError: if the columns are not one-dimensional and equally long, or hold a value that
            is no finite number, or a denominator (a name that begins with ``den``) is negative.
    """
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or any(array.ndim != 1 for array in arrays.values()):
        given = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"The columns need one entry for each query; their shapes are {given}.")
    for name, array in arrays.items():
        wrong = ~np.isfinite(array)
        if wrong.any():
            position = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{name} holds {array[position]} at position {position}; every query needs a "
                "finite number, so decide what a missing value counts as before."
            )
        if name.startswith("den") and array.size and array.min() < 0:
            position = int(np.argmin(array))
            raise ValueError(
                f"{name} holds {array[position]} at position {position}; items shown and weights "
                "cannot be negative."
            )
    return np.stack(list(arrays.values()))


def checked_confidence(confidence: float) -> float:
    """Return the confidence, or raise ValueError when it does not lie between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, such as 0.95; got {confidence}.")
    return confidence


def _linearised(num: FloatArray, den: FloatArray) -> tuple[float, FloatArray]:
    """The ratio of sums, and each query's first-order influence on it, times n."""
    value = float(num.sum() / den.sum())
    return value, (num - value * den) / den.mean()


def _t_estimate(value: float, influence: FloatArray, confidence: float) -> Estimate:
    checked_confidence(confidence)
    n = len(influence)
    if n < 2:
        return Estimate(value, None, None)
    # a constant shift leaves rounding noise; it would pass for a tiny standard error
    constant = float(np.ptp(influence)) <= SAME
    error = 0.0 if constant else float(np.std(influence, ddof=1)) / math.sqrt(n)
    half = _t_quantile(0.5 + confidence / 2, n - 1) * error
    return Estimate(value, error, Interval(value - half, value + half))


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + checked_confidence(confidence) / 2)


def _t_quantile(p: float, df: int) -> float:
    """Quantile of Student's t.

    From 1,000 degrees of freedom on, its expansion around the normal quantile (Abramowitz and
    Stegun 1964, 26.7.5) is exact to 1e-12, and spares the import of SciPy.
    """
    if df < 1_000:
        from scipy.special import stdtrit

        return float(stdtrit(df, p))
    z = NormalDist().inv_cdf(p)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / float(df) ** power for power, term in enumerate(terms))


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
