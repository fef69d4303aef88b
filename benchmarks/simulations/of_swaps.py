"""The swap test: under a null hypothesis that is all of its own, and under two that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.simulations.lists import all_or_nothing, halved, lopsided, rare_changes
from benchmarks.simulations.rows import Rejections, Row, Subject
from benchmarks.simulations.shop import shop, swapped
from benchmarks.simulations.study import Study
from metrics.resampling import swap_test

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

__all__ = ["STUDIES"]


def _alike(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    for name, population, columns, sizes in (
        ("Item Goodrate", "runs alike", shop().columns("item_goodrate"), (10, 30, 100, 400)),
        ("nDCG", "runs alike", shop().columns("ndcg"), (10, 30, 100)),
        (
            "Item Goodrate",
            "runs alike, weights of traffic",
            shop().columns("item_goodrate").weighted(shop().traffic),
            (100,),
        ),
        (
            "Item Goodrate",
            "runs alike, 1 query in 20 differs",
            rare_changes("item_goodrate"),
            (100,),
        ),
    ):
        for queries in sizes:
            counted = Rejections(
                Subject(
                    "Tests", name, "swap test", "swap_test", f"{population}, {queries} queries"
                ),
                f"Δ {100 * columns.delta:+.1f} points",
            )
            for _ in range(repetitions):
                drawn = columns.draw(rng, queries)
                seed = int(rng.integers(2**31))
                counted.add(swap_test(*swapped(rng, drawn), seed=seed))
                counted.add_alternative(swap_test(*drawn, seed=seed))
            rows.append(counted.row())
    return rows


def _equal_figures(rng: np.random.Generator, repetitions: int) -> list[Row]:
    """Figures are equal, but runs cannot be exchanged: the test was not made for this."""
    cases: tuple[tuple[str, str, Draw], ...] = (
        ("Item Goodrate", "Δ = 0, treatment shows half as many items", halved),
        (
            "Item Goodrate",
            "Δ = 0, treatment shows half as many, all good or none",
            all_or_nothing,
        ),
        ("nDCG", "Δ = 0, many small gains and few large losses", lopsided),
    )
    rows = []
    for name, population, draw in cases:
        for queries in (30, 100, 400):
            counted = Rejections(
                Subject("Tests", name, "swap test", "swap_test", f"{population}, {queries} queries")
            )
            for _ in range(repetitions):
                counted.add(swap_test(*draw(rng, queries), seed=int(rng.integers(2**31))))
            rows.append(counted.row())
    return rows


STUDIES = (
    Study("swap-alike", _alike, 4_000, quick=50),
    Study("swap-equal-figures", _equal_figures, 4_000, quick=50),
)
