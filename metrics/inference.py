"""Intervals, tests and detectable effects for one run and for two paired runs, in closed form.

Every figure of this package is a ratio of sums over queries, ``R = Σ num / Σ den``. The pooled
Item Goodrate has ``num = w·good`` and ``den = w·shown``; the mean of a per-query value ``v`` has
``num = w·v`` and ``den = w`` (``w = 1`` without weights). A run is therefore two arrays with one
entry a query, and a comparison is four, aligned by query. All queries of the query set belong in
the arrays, also those for which a run shows nothing (``num = den = 0``).

The functions here are pure, take arrays or counts, and know nothing of frames, files or names of
measures. Resampling (swap test, bootstrap) lives in :mod:`metrics.resampling`, shares of queries in
:mod:`metrics.proportions`. Values are in the
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
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

__all__ = [
    "Estimate",
    "Interval",
    "holm",
    "minimal_detectable_effect",
    "normal_quantile",
    "paired_ratio_interval",
    "ratio_interval",
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


def normal_quantile(confidence: float) -> float:
    """Quantile of the standard normal at the upper end of a two-sided interval."""
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
