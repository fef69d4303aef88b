"""Do measures predict whole studies? The Δ of a study against its GSB, over a history of them."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from metrics._bootstrap import bootstrap, distinct
from metrics._frames import as_lazy, require_columns
from metrics._text import figure_name
from metrics.association import Pairs, kendall, snapped
from metrics.errors import MetricsError
from metrics.inference import checked_confidence
from metrics.system_correlation_results import SystemCorrelated, SystemCorrelations
from metrics.votes import row_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["correlate_systems"]

ENUMERATED = 8
"""Up to this many studies, the permutation test goes through all orders."""

_FEWEST = 3  # fewer studies always agree or disagree
_FEWEST_RESAMPLED = 4
_PERMUTATIONS = 10_000
_BLOCK = 2_000_000  # pairs of a block of permutations: 16 MB


def correlate_systems(
    points: Any, *, confidence: float = 0.95, draws: int = 1_000, seed: int = 0
) -> SystemCorrelations:
    """Compare GSB with the measures' Δ over studies: does a better measure mean happier people?

    Kendall's τ-b over studies, each a pair (GSB, Δ) of one control and one treatment. The interval
    is ± t bootstrap standard errors over studies on Fisher's z scale, from 4 studies on; with few
    it is wide and rather too wide. p is the two-sided permutation test of |C − D|, over all orders
    up to 8 studies, otherwise over 10,000 seeded ones with the observed one counted in; it takes
    studies as independent, which weeks of one system are not quite. Fewer than 3 studies have
    neither.

    Args:
        points: frame with `study, gsb, delta` and optionally `measure, cutoff`, a row a study (a
            week, an experiment), measure and cutoff. Rows without a GSB or a Δ do not count.
        confidence: the coverage of the intervals, between 0 and 1.
        draws: resamples of the bootstrap; 0 for no intervals.
        seed: of resamples and permutations.

    Returns:
        A row a measure and cutoff, sorted; `.table`, `.points`, `.to_json()`.

    Raises:
        TypeError: points is not a data frame.
        MetricsError: a column is missing, a value cannot be meant, or a study stands twice.
        ValueError: the confidence does not lie between 0 and 1.

    >>> import pandas as pd
    >>> history = pd.DataFrame({"study": ["w1", "w2", "w3", "w4"], "measure": "item_goodrate",
    ...                         "gsb": [-0.1, 0.0, 0.2, 0.3], "delta": [0.0, 0.01, 0.03, 0.02]})
    >>> row = correlate_systems(history).rows[0]
    >>> row.studies, round(row.kendall, 4), round(row.p, 4)
    (4, 0.6667, 0.3333)
    """
    checked_confidence(confidence)
    for name, value in (("draws", draws), ("seed", seed)):
        if value < 0:
            raise MetricsError(f"{name} must be 0 or more, not {value}", setting=name)
    lazy, frames = as_lazy(points, "the studies")
    there = require_columns(lazy, "the studies", ["study", "gsb", "delta"])
    texts = {name: nw.col(name).cast(nw.String) for name in ("study", "measure") if name in there}
    numbers = {
        name: nw.col(name).cast(nw.Float64) for name in ("gsb", "delta", "cutoff") if name in there
    }
    table: pa.Table = lazy.select(**texts, **numbers).collect(backend="pyarrow").to_native()
    columns = _columns(table)
    figures = sorted(
        set(zip(columns["measure"], columns["cutoff"], strict=True)),
        key=lambda figure: (figure[0], figure[1] or math.inf),
    )
    rows = []
    for measure, cutoff in figures:
        pairs = [
            (gsb, delta)
            for name, depth, gsb, delta in zip(
                *(columns[name] for name in ("measure", "cutoff", "gsb", "delta")), strict=True
            )
            if (name, depth) == (measure, cutoff)
        ]
        values = np.array(pairs, dtype=np.float64).T
        found = _associate(snapped(values[0]), snapped(values[1]), confidence, draws, seed)
        rows.append(SystemCorrelated(measure=measure, cutoff=cutoff, studies=len(pairs), **found))
    return SystemCorrelations(
        settings={"confidence": confidence, "draws": draws, "seed": seed},
        rows=rows,
        points_columns=columns,
        frames=frames,
    )


def _columns(table: pa.Table) -> dict[str, list[Any]]:
    """Rows with both values, sorted by measure, cutoff and study."""
    study, studies = row_codes(table["study"])
    if (study < 0).any():
        raise MetricsError("the studies hold an empty name")
    numbers = {}
    for name in ("gsb", "delta", "cutoff"):
        given = table[name] if name in table.column_names else pa.nulls(table.num_rows)
        numbers[name] = np.asarray(given.cast(pa.float64()).to_numpy(zero_copy_only=False))
        if np.isinf(numbers[name]).any():
            row = int(np.isinf(numbers[name]).argmax())
            raise MetricsError(f"{name} of study {studies[study[row]]!r} is not finite")
    named = table["measure"].to_pylist() if "measure" in table.column_names else []
    measure = [name or "delta" for name in named] or ["delta"] * table.num_rows
    cutoff = [None if np.isnan(value) else int(value) for value in numbers["cutoff"]]
    known = np.flatnonzero(~np.isnan(numbers["gsb"]) & ~np.isnan(numbers["delta"]))
    if not len(known):
        raise MetricsError("no study has both a GSB and a Δ")
    rows = sorted(known, key=lambda at: (measure[at], cutoff[at] or math.inf, study[at]))
    for at, after in itertools.pairwise(rows):
        if (measure[at], cutoff[at], study[at]) == (measure[after], cutoff[after], study[after]):
            raise MetricsError(
                f"study {studies[study[at]]!r} has {figure_name(measure[at], cutoff[at])} twice; "
                "keep one row a study"
            )
    return {
        "study": [studies[study[at]] for at in rows],
        "measure": [measure[at] for at in rows],
        "cutoff": [cutoff[at] for at in rows],
        "gsb": [float(numbers["gsb"][at]) for at in rows],
        "delta": [float(numbers["delta"][at]) for at in rows],
    }


def _associate(
    gsb: Floats, delta: Floats, confidence: float, draws: int, seed: int
) -> dict[str, Any]:
    size = len(gsb)
    if size < _FEWEST:
        return {"note": f"no correlation: fewer than {_FEWEST} studies"}
    for values, what in ((gsb, "GSB"), (delta, "Δ")):
        if np.ptp(values) == 0:
            return {"note": f"no correlation: every study has the same {what}"}
    (x, y), copies = distinct(gsb, delta)
    pairs = Pairs(x, y)
    enough = size >= _FEWEST_RESAMPLED
    resampled = bootstrap(
        lambda weights: kendall(pairs, weights)[None],
        copies,
        seed=seed,
        draws=draws if enough else 0,
    )
    interval = resampled.interval(0, confidence, scale="correlation") if draws and enough else None
    note = ""
    if not enough:
        note = f"no interval: fewer than {_FEWEST_RESAMPLED} studies"
    elif draws and interval is None:
        note = "no interval: no resample changes it"
    return {
        "kendall": float(resampled.points[0]),
        "kendall_low": interval.low if interval else None,
        "kendall_high": interval.high if interval else None,
        "p": _permutation_p(gsb, delta, seed),
        "note": note,
    }


@cache
def _orders(size: int) -> Ints:
    return np.array(list(itertools.permutations(range(size))), dtype=np.int64)


def _permutation_p(x: Floats, y: Floats, seed: int) -> float:
    """Two-sided: the share of orders of y whose |C − D| is at least the observed one."""
    # sorted, so that the draws meet the same pairs whatever the order of rows
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    size = len(x)
    first, second = np.triu_indices(size, 1)
    signs = np.sign(x[second] - x[first])

    def balance(orders: Ints) -> Floats:
        drawn = y[orders]
        apart = np.sign(drawn[:, second] - drawn[:, first])
        found: Floats = np.abs(np.einsum("ij,j->i", apart, signs))
        return found

    observed = balance(np.arange(size)[None])[0]
    if size <= ENUMERATED:
        return float((balance(_orders(size)) >= observed).mean())
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // len(signs))
    extreme = 0
    for start in range(0, _PERMUTATIONS, block):
        many = min(block, _PERMUTATIONS - start)
        orders = rng.permuted(np.tile(np.arange(size), (many, 1)), axis=1)
        extreme += int((balance(orders) >= observed).sum())
    return (1 + extreme) / (1 + _PERMUTATIONS)
