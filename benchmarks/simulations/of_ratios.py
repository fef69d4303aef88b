"""Intervals of ratios and means, of one run and of the difference between two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.simulations.lists import long_lists, rare_changes
from benchmarks.simulations.rows import Coverage, Row, Subject
from benchmarks.simulations.shop import Columns, shop
from benchmarks.simulations.study import Study
from metrics.inference import paired_ratio_interval, ratio_interval
from metrics.resampling import bca_interval, paired_bca_interval

if TYPE_CHECKING:
    import numpy as np

__all__ = ["STUDIES"]

SINGLE, DELTA = "One run", "Two runs: Δ"
_SIZES = (10, 30, 100, 400)


@dataclass(frozen=True)
class _Case:
    """A figure of a population and how many queries are drawn of it."""

    figure: str
    columns: Columns
    queries: int
    population: str = "shop"
    method: str = "delta method, t"

    def __str__(self) -> str:
        return f"{self.population}, {self.queries} queries"


def _closed(cases: list[_Case], rng: np.random.Generator, repetitions: int) -> list[Row]:
    """Closed intervals of the control and of Δ; the same draws serve both."""
    singles, deltas = [], []
    for case in cases:
        single = Coverage(
            Subject(SINGLE, case.figure, case.method, "ratio_interval", str(case)),
            case.columns.control,
        )
        delta = Coverage(
            Subject(DELTA, case.figure, case.method, "paired_ratio_interval", str(case)),
            case.columns.delta,
        )
        for _ in range(repetitions):
            drawn = case.columns.draw(rng, case.queries)
            single.add_estimate(ratio_interval(*drawn[:2]))
            delta.add_estimate(paired_ratio_interval(*drawn))
        singles.append(single.row())
        deltas.append(delta.row())
    return [*singles, *deltas]


def _bootstrap(case: _Case, rng: np.random.Generator, repetitions: int) -> list[Row]:
    single = Coverage(
        Subject(SINGLE, case.figure, "BCa bootstrap", "bca_interval", str(case)),
        case.columns.control,
    )
    delta = Coverage(
        Subject(DELTA, case.figure, "BCa bootstrap", "paired_bca_interval", str(case)),
        case.columns.delta,
    )
    for _ in range(repetitions):
        drawn, seed = case.columns.draw(rng, case.queries), int(rng.integers(2**31))
        single.add_interval(bca_interval(*drawn[:2], seed=seed))
        delta.add_interval(paired_bca_interval(*drawn, seed=seed))
    return [single.row(), delta.row()]


def _ratios(rng: np.random.Generator, repetitions: int) -> list[Row]:
    columns = shop().columns("item_goodrate")
    cases = [_Case("Item Goodrate", columns, queries) for queries in _SIZES]
    cases += [
        _Case("Item Goodrate", shop().columns("item_goodrate", "negative"), 15, "hard segment"),
        _Case("Item Goodrate", long_lists(), 30, "lists of 1 to 50"),
        _Case("Item Goodrate", long_lists(), 100, "lists of 1 to 50"),
        _Case("judged", shop().columns("judged"), 30),
        _Case("judged", shop().columns("judged"), 100),
    ]
    return _closed(cases, rng, repetitions)


def _means(rng: np.random.Generator, repetitions: int) -> list[Row]:
    cases = [
        _Case("nDCG", shop().columns("ndcg"), queries, method="t on queries") for queries in _SIZES
    ]
    cases += [
        _Case(name, shop().columns(measure), queries, method="t on queries")
        for measure, name in (("mrr", "MRR"), ("map", "MAP"), ("recall", "recall"))
        for queries in (10, 30)
    ]
    return _closed(cases, rng, repetitions)


def _weighted(rng: np.random.Generator, repetitions: int) -> list[Row]:
    cases = [
        _Case(name, shop().columns(measure).weighted(shop().traffic), queries, "shop by traffic")
        for measure, name in (
            ("item_goodrate", "Item Goodrate"),
            ("query_goodrate", "Query Goodrate"),
        )
        for queries in (30, 100, 400)
    ]
    return _closed(cases, rng, repetitions)


def _rare(rng: np.random.Generator, repetitions: int) -> list[Row]:
    cases = [
        _Case(name, rare_changes(measure), queries, "1 query in 20 differs")
        for measure, name in (("item_goodrate", "Item Goodrate"), ("ndcg", "nDCG"))
        for queries in (100, 400, 1600)
    ]
    rows = _closed(cases, rng, repetitions)
    return [row for row in rows if row.subject.group == DELTA]


def _bca(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    for measure, name, sizes in (
        ("item_goodrate", "Item Goodrate", _SIZES),
        ("ndcg", "nDCG", (10, 30, 100)),
    ):
        for queries in sizes:
            case = _Case(name, shop().columns(measure), queries)
            # with 400 queries a repetition takes as long as four with 100
            rows += _bootstrap(case, rng, repetitions if queries < 400 else repetitions // 2)
    case = _Case("Item Goodrate", rare_changes("item_goodrate"), 100, "1 query in 20 differs")
    rows += [row for row in _bootstrap(case, rng, repetitions) if row.subject.group == DELTA]
    return rows


STUDIES = (
    Study("ratios", _ratios, 10_000),
    Study("means", _means, 10_000),
    Study("weighted", _weighted, 10_000),
    Study("rare-changes", _rare, 10_000),
    Study("bootstrap", _bca, 1_600, quick=20),
)
