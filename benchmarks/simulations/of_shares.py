"""Intervals and exact tests of counts of queries and votes.

The intervals depend on counts only, so each is computed once a count.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from benchmarks.simulations.rows import Coverage, Rejections, Row, Subject
from benchmarks.simulations.study import Study
from metrics.proportions import (
    clopper_pearson_interval,
    mcnemar_p,
    sign_test_p,
    tango_interval,
    trinomial_interval,
    wilson_interval,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = ["STUDIES"]

SINGLE, DELTA = "One run", "Two runs: Δ"
_WILSON = [(10, 0.85), (30, 0.85), (30, 0.98), (100, 0.5), (100, 0.85), (400, 0.85), (400, 0.98)]
_TANGO = [
    (10, 0.15, 0.10),
    (30, 0.10, 0.05),
    (40, 0.30, 0.10),
    (100, 0.08, 0.04),
    (100, 0.02, 0.02),
    (400, 0.03, 0.02),
]
_TRINOMIAL = [
    (10, 0.30, 0.20),
    (30, 0.30, 0.20),
    (30, 0.60, 0.05),
    (100, 0.30, 0.20),
    (100, 0.03, 0.02),
    (400, 0.03, 0.02),
    (400, 0.30, 0.20),
]


def _percent(share: float) -> str:
    return f"{100 * share:g}%"


def _wilson(rng: np.random.Generator, repetitions: int) -> list[Row]:
    interval = cache(wilson_interval)
    rows = []
    for queries, share in _WILSON:
        population = f"{_percent(share)} good, {queries} queries"
        counted = Coverage(
            Subject(SINGLE, "Query Goodrate", "Wilson", "wilson_interval", population), share
        )
        for k in rng.binomial(queries, share, size=repetitions):
            counted.add_interval(interval(int(k), queries))
        rows.append(counted.row())
    return rows


def _tango(rng: np.random.Generator, repetitions: int) -> list[Row]:
    interval = cache(tango_interval)
    rows = []
    for queries, gained, lost in _TANGO:
        population = f"{_percent(gained)} gained, {_percent(lost)} lost, {queries} queries"
        counted = Coverage(
            Subject(DELTA, "Query Goodrate", "Tango", "tango_interval", population), gained - lost
        )
        for b, c, _ in rng.multinomial(queries, [gained, lost, 1 - gained - lost], repetitions):
            counted.add_interval(interval(int(b), int(c), queries))
        rows.append(counted.row())
    return rows


def _trinomial(rng: np.random.Generator, repetitions: int) -> list[Row]:
    interval = cache(trinomial_interval)
    rows = []
    for queries, good, bad in _TRINOMIAL:
        population = f"{_percent(good)} Good, {_percent(bad)} Bad, {queries} queries"
        counted = Coverage(
            Subject(DELTA, "GSB, automatic", "trinomial", "trinomial_interval", population),
            good - bad,
        )
        for g, b, s in rng.multinomial(queries, [good, bad, 1 - good - bad], repetitions):
            counted.add_estimate(interval(int(g), int(s), int(b)))
        rows.append(counted.row())
    return rows


def _exact(rng: np.random.Generator, repetitions: int) -> list[Row]:
    interval = cache(clopper_pearson_interval)
    rows = []
    for figure, population, trials, share in (
        ("gold right, of one annotator", "90% right, 10 gold votes", 10, 0.9),
        ("gold right, of one annotator", "90% right, 40 gold votes", 40, 0.9),
        ("left share, of one annotator", "55% left, 120 decided votes", 120, 0.55),
    ):
        counted = Coverage(
            Subject(
                "People's votes", figure, "Clopper-Pearson", "clopper_pearson_interval", population
            ),
            share,
        )
        for k in rng.binomial(trials, share, size=repetitions):
            counted.add_interval(interval(int(k), trials))
        rows.append(counted.row())
    return rows


def _counted_tests(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    for name, call, p_of, cases in (
        (
            "Query Goodrate",
            "mcnemar_p",
            mcnemar_p,
            [(30, 0.2), (100, 0.1), (400, 0.06), (1600, 0.1)],
        ),
        ("GSB, automatic", "sign_test_p", sign_test_p, [(30, 0.4), (100, 0.4), (400, 0.3)]),
    ):
        p = cache(p_of)
        method = "exact McNemar" if call == "mcnemar_p" else "sign test"
        for queries, changed in cases:
            counted = Rejections(
                Subject(
                    "Tests", name, method, call, f"{_percent(changed)} changed, {queries} queries"
                ),
                "of the changed, 2 in 3 gained",
            )
            for gained, add in ((1 / 2, counted.add), (2 / 3, counted.add_alternative)):
                for total in rng.binomial(queries, changed, size=repetitions):
                    b = int(rng.binomial(total, gained))
                    add(p(b, int(total) - b))
            rows.append(counted.row())
    return rows


STUDIES = (
    Study("wilson", _wilson, 20_000),
    Study("tango", _tango, 20_000),
    Study("trinomial", _trinomial, 20_000),
    Study("clopper-pearson", _exact, 20_000),
    Study("exact-tests", _counted_tests, 20_000),
)
