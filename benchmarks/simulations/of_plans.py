"""Planned power: a pilot, the number of queries that `evalkit plan` asks for, then so many.

Every repetition draws a pilot, plans for the true difference, draws as many queries as the plan
says, and tests. A pilot only guesses how much queries vary, so some plans are too small and some
too large; counted is what they find on the whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from benchmarks.simulations.of_votes import truths
from benchmarks.simulations.rows import Planned, Row, Subject
from benchmarks.simulations.shop import shop
from benchmarks.simulations.study import Study
from benchmarks.simulations.voters import electorate
from metrics.planning import plan_comparison
from metrics.proportions import mcnemar_p, sign_test_p
from metrics.resampling import swap_test
from metrics.vote_planning import plan_votes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["STUDIES"]

GROUP = "Planned power"


def _per_query(measure: str, columns: Floats) -> pa.Table:
    """The table of `score --per-query` of float64[4, queries]."""
    num, den, num_treatment, den_treatment = columns
    control, treatment = (
        np.divide(over, under, out=np.zeros_like(over), where=under > 0)
        for over, under in ((num, den), (num_treatment, den_treatment))
    )
    return pa.table(
        {
            "query_id": [f"q{at:05}" for at in range(len(num))],
            "measure": [measure] * len(num),
            "cutoff": [10] * len(num),
            "control": control,
            "treatment": treatment,
            "delta": treatment - control,
            "weight_control": den,
            "weight_treatment": den_treatment,
        }
    )


def _needed(measure: str, columns: Floats, delta: float) -> int | None:
    [row] = plan_comparison(_per_query(measure, columns), delta=delta).rows
    return row.needed_queries


def _means(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    for measure, name in (("item_goodrate", "Item Goodrate"), ("ndcg", "nDCG")):
        columns = shop().columns(measure)
        for pilot in (50, 200):
            counted = Planned(
                Subject(
                    GROUP,
                    name,
                    "plan for the swap test",
                    "plan_comparison",
                    f"shop, Δ {100 * columns.delta:+.1f} points, pilot of {pilot} queries",
                )
            )
            for _ in range(repetitions):
                needed = _needed(measure, columns.draw(rng, pilot), columns.delta)
                drawn = columns.draw(rng, needed) if needed else None
                seed = int(rng.integers(2**31))
                counted.add(None if drawn is None else swap_test(*drawn, seed=seed))
            rows.append(counted.row())
    return rows


def _signed(gained: int, lost: int, queries: int) -> Floats:
    """Columns of queries of which so many were gained and lost; the others are good in both."""
    control, treatment = np.ones(queries), np.ones(queries)
    control[:gained] = 0
    treatment[gained : gained + lost] = 0
    ones = np.ones(queries)
    return np.stack([control, ones, treatment, ones])


def _exact(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    for measure, name, test, gained, lost in (
        ("query_goodrate", "Query Goodrate", mcnemar_p, 0.08, 0.04),
        ("gsb", "GSB, automatic", sign_test_p, 0.3, 0.2),
    ):
        shares = [gained, lost, 1 - gained - lost]
        for pilot in (50, 200):
            counted = Planned(
                Subject(
                    GROUP,
                    name,
                    "plan for the exact test",
                    "plan_comparison",
                    f"{100 * gained:g}% gained, {100 * lost:g}% lost, pilot of {pilot} queries",
                )
            )
            for _ in range(repetitions):
                b, c, _ = rng.multinomial(pilot, shares)
                needed = _needed(measure, _signed(b, c, pilot), gained - lost)
                if needed is None:
                    counted.add(None)
                    continue
                b, c, _ = rng.multinomial(needed, shares)
                counted.add(test(int(b), int(c)))
            rows.append(counted.row())
    return rows


def _votes(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    population = replace(electorate(), missing=0.0)
    delta = truths(population)["mean"]
    for pilot in (50, 200):
        counted = Planned(
            Subject(
                GROUP,
                "GSB of votes",
                "plan for the sign test",
                "plan_votes",
                f"GSB {100 * delta:+.0f} points, overlap 3, pilot of {pilot} queries",
            )
        )
        for _ in range(repetitions):
            votes = population.draw(rng, pilot).table()
            [row] = plan_votes(votes, delta=delta, overlaps=(3,)).rows
            if row.needed_queries is None:
                counted.add(None)
                continue
            good, bad, _ = population.draw(rng, row.needed_queries).tallies()
            counted.add(sign_test_p(int((good > bad).sum()), int((good < bad).sum())))
        rows.append(counted.row())
    return rows


STUDIES = (
    Study("plan-means", _means, 2_000, quick=10),
    Study("plan-exact", _exact, 1_000, quick=10),
    Study("plan-votes", _votes, 1_000, quick=10),
)
