"""Krippendorff's alpha with a bootstrap interval.

The figure comes from the `krippendorff` package. Its bootstrap is computed here from the units'
coincidences, which is the same figure (a test says so) for a thousand resamples at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from metrics.errors import MetricsError
from metrics.inference import Interval, checked_confidence

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = [
    "Alpha",
    "Level",
    "alphas",
    "coincidences",
    "estimate_alpha",
    "krippendorff_alpha",
    "resampled",
]

Level = Literal["nominal", "ordinal", "interval", "ratio"]

_DRAWS = 1_000
_BLOCK = 1_000_000  # counts of a block of resamples: 8 MB


@dataclass(frozen=True, slots=True)
class Alpha:
    """Krippendorff's alpha.

    Attributes:
        value: alpha, at most 1; None where no two values of a unit can be compared, or where all
            values are equal.
        interval: its bootstrap interval over units, or None.
        level: the level of measurement.
        units: units with at least two values.
        values: values of these units.
    """

    value: float | None
    interval: Interval | None
    level: Level
    units: int
    values: int


def krippendorff_alpha(
    table: Any,
    *,
    level: Level,
    confidence: float = 0.95,
    seed: int = 0,
    draws: int = _DRAWS,
) -> Alpha:
    """Krippendorff's alpha of values that several annotators gave to units.

    ``α = 1 − D_o/D_e``, observed over expected disagreement of pairs of values within units
    (Krippendorff 2011, Computing Krippendorff's alpha-reliability). Missing values are allowed;
    units with a single value do not count. The level says what a disagreement weighs: any two
    labels differ alike (nominal), by the values in between (ordinal), by their distance (interval)
    or by their ratio (ratio). The interval is the percentile bootstrap over units.

    Args:
        table: float[annotators, units], NaN where an annotator gave no value.
        level: `nominal`, `ordinal`, `interval` or `ratio`; figures of different levels cannot be
            compared.
        confidence: the coverage, between 0 and 1.
        seed: of the bootstrap.
        draws: resamples of the bootstrap; 0 for no interval.

    Returns:
        Alpha with its interval.

    Raises:
        MetricsError: an unknown level, or a table that is not two-dimensional or holds infinities.
        ValueError: the confidence does not lie between 0 and 1.

    Krippendorff's example of four annotators and twelve units:

    >>> nan = float("nan")
    >>> codings = [[1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
    ...            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
    ...            [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
    ...            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan]]
    >>> round(krippendorff_alpha(codings, level="ordinal").value, 4)
    0.8154
    """
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2 or np.isinf(values).any():
        raise MetricsError("alpha needs a table of annotators by units, finite or NaN")
    if level not in get_args(Level):
        raise MetricsError(f"level must be one of {', '.join(get_args(Level))}, not {level!r}")
    domain, place = np.unique(values[~np.isnan(values)], return_inverse=True)
    unit = np.nonzero(~np.isnan(values))[1]
    counts = np.zeros((values.shape[1], len(domain)))
    np.add.at(counts, (unit, place), 1)
    return estimate_alpha(
        counts, domain, level=level, confidence=confidence, seed=seed, draws=draws
    )


def estimate_alpha(
    counts: Floats,
    domain: Floats,
    *,
    level: Level,
    clusters: npt.NDArray[np.int64] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    draws: int = _DRAWS,
) -> Alpha:
    """Alpha from how often each value stands in each unit.

    Args:
        counts: float64[units, values].
        domain: float64[values], the values, ascending.
        level: the level of measurement.
        clusters: int64[units], what is resampled as a whole (the query of a unit); by default
            every unit by itself.
        confidence: the coverage.
        seed: of the bootstrap.
        draws: resamples; 0 for no interval.

    Returns:
        Alpha with its interval.
    """
    checked_confidence(confidence)
    pairable = counts.sum(axis=1) >= 2
    counts = counts[pairable]
    used = counts.sum(axis=0) > 0
    size, total = len(counts), int(counts.sum())
    if used.sum() < 2:
        return Alpha(None, None, level, size, total)
    from krippendorff import alpha

    value = float(
        alpha(
            value_counts=counts[:, used].astype(np.int64),
            value_domain=domain[used],
            level_of_measurement=level,
        )
    )
    each = coincidences(counts[:, used])
    if clusters is not None:
        _, cluster = np.unique(clusters[pairable], return_inverse=True)
        grouped = np.zeros((int(cluster.max()) + 1, each.shape[1]))
        np.add.at(grouped, cluster, each)
        each = grouped
    interval = None
    if draws and len(each) > 1:
        sums = resampled(each, seed=seed, draws=draws)
        found = alphas(sums.reshape(-1, int(used.sum()), int(used.sum())), domain[used], level)
        found = found[np.isfinite(found)]
        if len(found):
            tail = (1 - confidence) / 2
            low, high = np.quantile(found, [tail, 1 - tail])
            interval = Interval(float(low), float(high))
    return Alpha(value, interval, level, size, total)


def coincidences(counts: Floats) -> Floats:
    """What every unit adds to the coincidence matrix, float64[units, values x values].

    Each ordered pair of values of a unit with m values counts 1/(m − 1).
    """
    size = counts.shape[1]
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(size), np.arange(size)] -= counts
    many = np.maximum(counts.sum(axis=1) - 1, 1)
    flat: Floats = (pairs / many[:, None, None]).reshape(len(counts), size * size)
    return flat


def resampled(columns: Floats, *, seed: int, draws: int) -> Floats:
    """Sums of rows that are drawn with replacement, float64[draws, columns].

    Equal rows are drawn together by multinomial counts, so the sums depend on the seed and on the
    multiset of rows, never on their order.
    """
    rows, copies = np.unique(columns, axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    size = len(columns)
    block = max(1, _BLOCK // len(rows))
    sums = [
        rng.multinomial(size, copies / size, size=min(block, draws - start)) @ rows
        for start in range(0, draws, block)
    ]
    return np.concatenate(sums)


def alphas(sums: Floats, domain: Floats, level: Level) -> Floats:
    """Alpha of every coincidence matrix, float64[draws]; NaN where all values are equal."""
    totals = sums.sum(axis=2)
    weights = _disagreement(totals, domain, level)
    n = totals.sum(axis=1)
    observed = (sums * weights).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * weights).sum(axis=(1, 2))
    known = expected > 0
    ratio = np.divide(observed, expected, out=np.full(len(n), np.nan), where=known)
    found: Floats = 1 - (n - 1) * ratio
    return found


def _disagreement(totals: Floats, domain: Floats, level: Level) -> Floats:
    """Squared difference of every two values, [draws or 1, values, values]."""
    size = len(domain)
    if level == "nominal":
        return (1 - np.eye(size))[None]
    if level == "ordinal":
        # half of one's own rank, all ranks in between, half of the other's
        middle = np.cumsum(totals, axis=1) - totals / 2
        squared: Floats = (middle[:, :, None] - middle[:, None, :]) ** 2
        return squared
    difference = (domain[:, None] - domain[None, :]) ** 2
    if level == "ratio":
        sums = (domain[:, None] + domain[None, :]) ** 2
        difference = np.divide(difference, sums, out=np.zeros_like(difference), where=sums > 0)
    return difference[None]
