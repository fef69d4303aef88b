"""A simulated product search with two systems: the population from which repetitions draw queries.

The population is a fixed list of 5,000 queries with both result lists and all grades. A repetition
draws queries from it with replacement, so the truth is the figure of the population itself, known
to the last digit, and queries are independent as every interval here supposes.

Queries differ in how many relevant products there are (a beta distribution), lists are ten long
with some short and a few empty, half of what the systems rank by is common to both, three in ten
queries have identical lists, and one graded product in twelve is unjudged.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metrics import compare_runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["CUTOFF", "MEASURES", "SEGMENTS", "Columns", "Frames", "Shop", "shop"]

CUTOFF = 10
QUERIES = 5_000
PRODUCTS = 24
SEGMENTS = ("brand", "category", "knowledge", "negative")
MEASURES = (
    "item_goodrate",
    "query_goodrate",
    "gsb",
    "ndcg",
    "precision",
    "recall",
    "success",
    "mrr",
    "map",
    "bpref",
    "judged",
)


@dataclass(frozen=True)
class Columns:
    """What intervals and tests take: num and den of the control, then of the treatment.

    Attributes:
        values: float64[4, queries].
    """

    values: Floats

    @property
    def control(self) -> float:
        """The control's figure in the population."""
        return float(self.values[0].sum() / self.values[1].sum())

    @property
    def delta(self) -> float:
        """Treatment minus control in the population."""
        return float(self.values[2].sum() / self.values[3].sum()) - self.control

    def draw(self, rng: np.random.Generator, queries: int) -> Floats:
        """float64[4, queries], drawn with replacement."""
        return self.values[:, rng.integers(self.values.shape[1], size=queries)]

    def weighted(self, weights: Floats) -> Columns:
        """The same with a weight for every query."""
        return Columns(self.values * weights)


def swapped(rng: np.random.Generator, columns: Floats) -> Floats:
    """Exchange the runs, query by query, by the toss of a coin: then they are alike."""
    coin = rng.random(columns.shape[1]) < 0.5
    return np.where(coin, columns[[2, 3, 0, 1]], columns)


@dataclass(frozen=True)
class Frames:
    """What `compare_runs` takes."""

    control: pa.Table
    treatment: pa.Table
    judgments: pa.Table
    queries: pa.Table


@dataclass(frozen=True)
class Shop:
    """The population.

    Attributes:
        grades: int64[queries, products], 0 to 3, −1 where nobody judged.
        lists: int64[2, queries, 10], products by rank, control and treatment.
        shown: int64[2, queries], how many of the ten are shown.
        segment: int64[queries], place in `SEGMENTS`.
        traffic: float64[queries], a skewed weight.
    """

    grades: Ints
    lists: Ints
    shown: Ints
    segment: Ints
    traffic: Floats

    def frames(self, chosen: Ints, swap: Mask | None = None, *, weights: bool = False) -> Frames:
        """The chosen queries as frames, under new names.

        Args:
            chosen: int64[queries], places in the population, repeats allowed.
            swap: bool[queries], where control and treatment are exchanged.
            weights: give the queries their traffic.
        """
        names = np.array([f"q{place:05}" for place in range(len(chosen))])
        lists, shown = self.lists[:, chosen], self.shown[:, chosen]
        if swap is not None:
            lists = np.where(swap[:, None], lists[::-1], lists)
            shown = np.where(swap, shown[::-1], shown)
        runs = []
        for of_run, length in zip(lists, shown, strict=True):
            there = np.arange(CUTOFF) < length[:, None]
            query, place = np.nonzero(there)
            runs.append(
                pa.table(
                    {
                        "query_id": names[query],
                        "product_id": _PRODUCT_IDS[of_run[there]],
                        "rank": place + 1,
                    }
                )
            )
        grades = self.grades[chosen]
        query, product = np.nonzero(grades >= 0)
        judgments = {
            "query_id": names[query],
            "product_id": _PRODUCT_IDS[product],
            "grade": grades[query, product],
        }
        queries = {"query_id": names, "segment": np.array(SEGMENTS)[self.segment[chosen]]}
        if weights:
            queries["weight"] = self.traffic[chosen]
        return Frames(runs[0], runs[1], pa.table(judgments), pa.table(queries))

    def columns(self, measure: str, segment: str | None = None) -> Columns:
        """The per-query columns of a measure, of all queries or of a segment."""
        values = _columns(measure)
        if segment is not None:
            values = values[:, self.segment == SEGMENTS.index(segment)]
        return Columns(values)


_PRODUCT_IDS = np.array([f"p{place:02}" for place in range(PRODUCTS)])


@cache
def shop() -> Shop:
    """Make the population, the same every time."""
    rng = np.random.default_rng(20_000)
    segment = rng.choice(len(SEGMENTS), size=QUERIES, p=[0.35, 0.3, 0.2, 0.15])
    # brand queries are easy, negative ones ("without sugar") hard
    easy = np.array([2.4, 1.6, 1.2, 0.7])[segment]
    share = rng.beta(easy, 1.3)
    good = rng.random((QUERIES, PRODUCTS)) < share[:, None]
    grades = good * (1 + rng.binomial(2, 0.5, size=good.shape))
    common = rng.normal(size=good.shape)
    lists, shown = [], []
    full = rng.random(QUERIES) < 0.82
    short = 1 + rng.binomial(CUTOFF - 1, 0.2 + 0.6 * share)
    length = np.where(full, CUTOFF, short)
    length[rng.random(QUERIES) < 0.03] = 0
    for signal in (0.45, 0.6):
        own = rng.normal(size=good.shape)
        score = signal * grades + common + own
        lists.append(np.argsort(-score, axis=1)[:, :CUTOFF])
        again = rng.random(QUERIES) < 0.15
        shown.append(np.where(again, 1 + rng.binomial(CUTOFF - 1, 0.4 + 0.5 * share), length))
    alike = rng.random(QUERIES) < 0.3
    lists[1][alike], shown[1][alike] = lists[0][alike], shown[0][alike]
    grades = np.where(rng.random(good.shape) < 1 / 12, -1, grades)
    # easy queries are asked more often
    traffic = np.exp(rng.normal(0.5 * (share - 0.5), 0.8))
    return Shop(grades, np.stack(lists), np.stack(shown), segment, traffic)


@cache
def _whole() -> dict[str, Floats]:
    """float64[2, queries] of every measure but the Goodrates' pooled sums, by `compare_runs`."""
    frames = shop().frames(np.arange(QUERIES))
    table = compare_runs(
        frames.control, frames.treatment, frames.judgments, frames.queries, measures=MEASURES
    ).per_query
    found = {}
    for measure in MEASURES:
        rows = table.filter(pc.equal(table["measure"], measure))
        rows = rows.sort_by("query_id")
        if measure == "gsb":
            delta = rows["delta"].to_numpy()
            found[measure] = np.stack([np.zeros(QUERIES), delta])
        else:
            found[measure] = np.stack([rows["control"].to_numpy(), rows["treatment"].to_numpy()])
    return found


def _columns(measure: str) -> Floats:
    of_shop = shop()
    if measure not in ("item_goodrate", "judged"):
        control, treatment = _whole()[measure]
        ones = np.ones(QUERIES)
        return np.stack([control, ones, treatment, ones])
    there = np.arange(CUTOFF) < of_shop.shown[:, :, None]
    grades = of_shop.grades[np.arange(QUERIES)[:, None], of_shop.lists]
    counted = (grades >= (1 if measure == "item_goodrate" else 0)) & there
    good, shown = counted.sum(axis=2), of_shop.shown
    return np.stack([good[0], shown[0], good[1], shown[1]]).astype(np.float64)
