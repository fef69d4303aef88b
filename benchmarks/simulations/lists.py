"""Populations of result lists in numbers, for what a typical shop does not show.

Each has a true figure that is known to the last digit, as that of a fixed list of queries or by its
construction.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.simulations.shop import Columns, shop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["all_or_nothing", "halved", "long_lists", "lopsided", "rare_changes"]

_QUERIES = 50_000


@cache
def long_lists() -> Columns:
    """Lists of 1 to 50 items, most of them short, longer and worse for broad queries."""
    rng = np.random.default_rng(20_001)
    broad = rng.random(_QUERIES)
    share = rng.beta(4 - 3 * broad, 1 + 3 * broad)
    columns = []
    for more in (0.0, 0.05):
        shown = np.minimum(50, 1 + rng.geometric(1 / (1 + 30 * broad**3)))
        columns += [rng.binomial(shown, share + more * (1 - share)), shown]
    return Columns(np.stack(columns).astype(np.float64))


@cache
def rare_changes(measure: str) -> Columns:
    """The shop, but for 19 of 20 queries the treatment shows the control's list."""
    columns = shop().columns(measure).values.copy()
    alike = np.random.default_rng(20_002).random(columns.shape[1]) < 0.95
    columns[2:, alike] = columns[:2, alike]
    return Columns(columns)


def halved(rng: np.random.Generator, queries: int) -> Floats:
    """The treatment shows five items and the control ten, equally good: Δ of the ratio is 0.

    The null hypothesis of no difference is true, that of the swap test is not: the runs cannot be
    exchanged.
    """
    share = rng.beta(1.5, 1.2, size=queries)
    ten, five = np.full(queries, 10.0), np.full(queries, 5.0)
    return np.stack([rng.binomial(10, share), ten, rng.binomial(5, share), five])


def all_or_nothing(rng: np.random.Generator, queries: int) -> Floats:
    """The treatment shows five items, all good or none, the control ten mixed ones: Δ is 0."""
    ten, five = np.full(queries, 10.0), np.full(queries, 5.0)
    whole = 5 * (rng.random(queries) < 0.55)
    return np.stack([rng.binomial(10, 0.55, size=queries), ten, whole, five])


def lopsided(rng: np.random.Generator, queries: int) -> Floats:
    """Means of a value that becomes a little better often and much worse seldom: Δ is 0."""
    control = rng.beta(2, 2, size=queries) / 2 + 0.25
    worse = rng.random(queries) < 0.1
    change = np.where(worse, -0.225, 0.025) + rng.normal(0, 0.005, size=queries)
    ones = np.ones(queries)
    return np.stack([control, ones, control + change, ones])
