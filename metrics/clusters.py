"""Queries that belong together: one need put in several ways, or what one user has asked.

Queries of a family tend to win or lose together, so n of them in G families say less than n others,
and intervals over queries are too narrow. With families as the sampling units, the variance of Δ is

    v = G/(G − 1) · Σ_g (Σ_{q in g} e_q)² / n²,   Δ ± t_{G−1}·√v,

where e_q is the linearised difference of a query (`metrics.inference`): the cluster-robust variance
of Liang and Zeger (1986, Biometrika 73:13-22) with the factor and the degrees of freedom that
Cameron and Miller (2015, Journal of Human Resources 50:317-372) advise where families are few.
It is what the formulas of `metrics.inference` give when numerators and denominators are summed
over each family first, for then e_g = (G/n)·Σ e_q. So that is all that is done here: every measure
is a ratio of such sums, the swap test exchanges whole families (and enumerates up to 14 that
differ), and the bootstrap draws them. With one query a family nothing changes but for shares.

A share of queries of which few move, or none, says nothing of how families would. Its variance is
no less than that of its queries with `metrics.proportions.score_variance`, and no less than that of
G families of which none moves: (z/(G + z²))².
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics.inference import Interval, paired_ratio_interval
from metrics.proportions import score_variance
from metrics.spread import Spread, pair_spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    IntArray = NDArray[np.int64]

__all__ = ["clustered_spread", "least_variance", "number_clusters", "sum_clusters", "told"]


def number_clusters(values: Sequence[Any]) -> IntArray:
    """Number the families of queries; a query without one is a family of its own.

    Args:
        values: a family's name for each query; None, an empty text and NaN are none.

    Returns:
        int64[q], the same number for queries of one family.

    >>> number_clusters(["gifts", None, "gifts", "", "rain"]).tolist()
    [0, 1, 0, 2, 3]
    """
    known: dict[tuple[Any, ...], int] = {}
    numbers = []
    for place, value in enumerate(values):
        missing = value is None or value == "" or value != value
        key = ("query", place) if missing else ("family", value)
        numbers.append(known.setdefault(key, len(known)))
    return np.array(numbers, dtype=np.int64)


def sum_clusters(clusters: IntArray, *columns: Array) -> list[Array]:
    """Sum columns over the families of their queries.

    >>> sum_clusters(np.array([4, 7, 4]), np.array([1.0, 2.0, 3.0]))[0].tolist()
    [4.0, 2.0]
    """
    _, places = np.unique(clusters, return_inverse=True)
    return [np.bincount(places, weights=column).astype(np.float64) for column in columns]


def told(queries: int, families: int) -> str:
    """How many there are, in words.

    >>> told(400, 51)
    '400 queries in 51 families'
    """
    first = "1 query" if queries == 1 else f"{queries:,} queries"
    return f"{first} in {'1 family' if families == 1 else f'{families:,} families'}"


def least_variance(variance: float, weights: Array, clusters: IntArray | None = None) -> float:
    """The least variance that a difference of shares of queries can be said to have.

    Args:
        variance: of the difference, as its queries vary, each for itself.
        weights: of the queries, float64[q].
        clusters: their families, or None.

    >>> ones = np.ones(40)
    >>> round(1.96 * math.sqrt(least_variance(0.0, ones)), 3)  # no query of 40 moves
    0.088
    >>> round(1.96 * math.sqrt(least_variance(0.0, ones, np.arange(40) // 4)), 3)
    0.278
    """
    least = score_variance(variance, _worth(weights))
    if clusters is None:
        return least
    (weights,) = sum_clusters(clusters, weights)
    return max(least, score_variance(0.0, _worth(weights)))


def clustered_spread(
    clusters: IntArray,
    num_control: Array,
    den_control: Array,
    num_treatment: Array,
    den_treatment: Array,
    *,
    share: bool,
) -> tuple[Spread | None, list[Array]]:
    """Measure the spread of Δ = Σ num / Σ den of the treatment minus that of the control.

    Args:
        clusters: the families of the queries, int64[n].
        num_control: float[n], as in `metrics.spread.pair_spread`.
        den_control: float[n].
        num_treatment: float[n].
        den_treatment: float[n].
        share: whether the figure is a share of queries.

    Returns:
        The spread, None when either run has Σ den = 0; and the four columns with an entry a
        family, for the swap test and the bootstrap.

    >>> family, ones = np.array([0, 0, 1, 1, 2, 2]), np.ones(6)
    >>> after = np.array([1.0, 1, 0, 0, 1, 0])
    >>> spread, columns = clustered_spread(family, 0 * ones, ones, after, ones, share=False)
    >>> spread.delta, round(spread.standard_error, 4)  # means of families 1, 0 and .5
    (0.5, 0.2887)
    """
    columns = (num_control, den_control, num_treatment, den_treatment)
    summed = sum_clusters(clusters, *columns)
    spread = pair_spread(*summed, test="swap")
    if spread is None or spread.standard_error is None or not share:
        return spread, summed
    alone = paired_ratio_interval(*columns)
    seen = alone.standard_error if alone is not None else None
    error = math.sqrt(
        max(spread.standard_error**2, least_variance((seen or 0.0) ** 2, den_control, clusters))
    )
    half = _t_quantile(len(summed[0]) - 1) * error
    interval = Interval(spread.delta - half, spread.delta + half)
    return replace(spread, standard_error=error, interval=interval), summed


def _t_quantile(df: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.975))


def _worth(weights: Array) -> float:
    """How many equal ones would decide as much (Kish 1965, Survey Sampling, section 11.7)."""
    return float(weights.sum() ** 2 / (weights @ weights))
