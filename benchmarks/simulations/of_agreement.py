"""Bootstrap intervals of agreement: of votes on queries, and of grades of items."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from benchmarks.simulations.rows import Coverage, Row, Subject
from benchmarks.simulations.study import Study
from benchmarks.simulations.voters import Electorate, People, many
from metrics import agreement, grade_agreement
from metrics.alpha import alphas, coincidences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from metrics.alpha import Level

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["STUDIES"]

GROUP = "Agreement"
_METHOD = "percentile bootstrap"
_PEOPLE = 3


def _counts(said: Ints, given: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    domain = np.unique(said)
    counts = np.stack([((said == each) & given).sum(axis=1) for each in domain], axis=1)
    return counts[counts.sum(axis=1) >= 2].astype(np.float64), domain.astype(np.float64)


def _alpha(said: Ints, given: NDArray[np.bool_], level: Level) -> float:
    """Alpha of very many units; said int64[units, votes]."""
    counts, domain = _counts(said, given)
    sums = coincidences(counts).sum(axis=0).reshape(1, len(domain), len(domain))
    return float(alphas(sums, domain, level)[0])


# three of the twelve: kappa of all pairs would take most of the time
_ELECTORATE = Electorate(people=People((0.5, 0.9, 1.3), (0.3, 0.1, -0.1)))


@cache
def _of_votes() -> Mapping[str, float]:
    ballots = many(_ELECTORATE)
    seen = ~ballots.alike
    said, given = ballots.said[seen], ballots.given[seen]
    counts, _ = _counts(np.sign(said), given)
    size = counts.sum(axis=1)
    return {
        "nominal": _alpha(np.sign(said), given, "nominal"),
        "ordinal": _alpha(said, given, "ordinal"),
        "percent": float((counts * (counts - 1)).sum() / (size * (size - 1)).sum()),
    }


def _votes(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    true = _of_votes()
    for queries in (20, 50, 150):
        size = f"{queries} queries, overlap 3"
        counted = {
            name: Coverage(Subject(GROUP, figure, _METHOD, "agreement", size), true[name])
            for name, figure in (
                ("nominal", "α of votes, nominal"),
                ("ordinal", "α of votes, ordinal"),
                ("percent", "pairs that say the same"),
            )
        }
        for _ in range(repetitions):
            votes = _ELECTORATE.draw(rng, queries).table()
            found = agreement(votes, seed=int(rng.integers(2**31)))
            counted["nominal"].add(found.alpha_nominal_low, found.alpha_nominal_high)
            counted["ordinal"].add(found.alpha_ordinal_low, found.alpha_ordinal_high)
            counted["percent"].add(found.percent_low, found.percent_high)
        rows += [each.row() for each in counted.values()]
    return rows


def _grade(rng: np.random.Generator, queries: int) -> Ints:
    """int64[queries, 10, people], grades 0 to 3; items of a query are alike."""
    lean = rng.normal(0, 0.7, size=(queries, 1, 1)) + rng.normal(0, 0.8, size=(queries, 10, 1))
    seen = lean + rng.normal(0, 0.6, size=(queries, 10, _PEOPLE))
    return np.digitize(seen, [-0.8, 0.1, 0.9])


@cache
def _of_grades() -> Mapping[str, float]:
    said = _grade(np.random.default_rng(20_007), 50_000).reshape(-1, _PEOPLE)
    all_of = np.ones(said.shape, dtype=bool)
    return {
        "nominal": _alpha(said, all_of, "nominal"),
        "ordinal": _alpha(said, all_of, "ordinal"),
    }


def _grades(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    true = _of_grades()
    for queries in (10, 30, 100):
        size = f"{queries} queries of 10 items, {_PEOPLE} people"
        counted = {
            level: Coverage(
                Subject(GROUP, f"α of grades, {level}", _METHOD, "grade_agreement", size),
                true[level],
            )
            for level in ("nominal", "ordinal")
        }
        names = {
            "query_id": np.repeat(np.arange(queries), 10 * _PEOPLE).astype(str),
            "product_id": np.tile(np.repeat(np.arange(10), _PEOPLE), queries).astype(str),
            "annotator": np.tile(np.arange(_PEOPLE), 10 * queries).astype(str),
        }
        for _ in range(repetitions):
            grades = pa.table({**names, "grade": _grade(rng, queries).ravel()})
            found = grade_agreement(grades, seed=int(rng.integers(2**31)))
            counted["nominal"].add(found.alpha_nominal_low, found.alpha_nominal_high)
            counted["ordinal"].add(found.alpha_ordinal_low, found.alpha_ordinal_high)
        rows += [each.row() for each in counted.values()]
    return rows


STUDIES = (
    Study("agreement", _votes, 2_000, quick=20),
    Study("grade-agreement", _grades, 2_000, quick=20),
)
