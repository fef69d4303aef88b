"""Prediction-powered estimates: automated grades of all queries, people's grades of some.

Three judges look at the shop: a good one, one that calls too much good, and one that guesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.simulations.rows import Coverage, Row, Subject
from benchmarks.simulations.shop import CUTOFF, Columns, shop
from benchmarks.simulations.study import Study
from metrics.prediction_powered import prediction_powered_difference, prediction_powered_ratio
from metrics.sampling import draw_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from metrics._prediction import Target

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["STUDIES"]

GROUP = "Corrected by people"
_METHOD = "prediction-powered, t"
QUERIES = 400
_JUDGES = {
    # how often a good product and a bad one are called good
    "good judge": (0.92, 0.10),
    "judge that calls too much good": (0.97, 0.45),
    "judge that guesses": (0.5, 0.5),
}


def _sums(good: Mask, at_least: int | None) -> Columns:
    """Goodrates of grades, bool[queries, products]."""
    of_shop = shop()
    there = np.arange(CUTOFF) < of_shop.shown[:, :, None]
    found = (good[np.arange(len(good))[:, None], of_shop.lists] & there).sum(axis=2)
    shown = of_shop.shown.astype(np.float64)
    if at_least is not None:
        found, shown = found >= at_least, np.ones_like(shown)
    return Columns(np.stack([found[0], shown[0], found[1], shown[1]]).astype(np.float64))


@cache
def _graded(judge: str | None, at_least: int | None) -> Columns:
    """The shop as people see it, or as a judge does."""
    good = shop().grades >= 1
    if judge is not None:
        right, wrong = _JUDGES[judge]
        rng = np.random.default_rng(20_009)
        good = rng.random(good.shape) < np.where(good, right, wrong)
    return _sums(good, at_least)


@cache
def _worth() -> Floats:
    """How much a label of each query tells of Δ, as `queries_to_label` has it."""
    lists, shown = shop().lists, shop().shown
    there = np.arange(CUTOFF) < shown[:, :, None]
    marked = np.zeros((2, *shop().grades.shape), dtype=bool)
    for run in range(2):
        query, place = np.nonzero(there[run])
        marked[run, query, lists[run][query, place]] = True
    worth: Floats = np.sqrt(0.25 * (marked[0] != marked[1]).sum(axis=1))
    return worth


@dataclass(frozen=True)
class _Case:
    """How queries are labelled.

    Attributes:
        judge: one of `_JUDGES`.
        count: labelled queries of 400.
        target: of `prediction_powered_ratio`.
        sample: `equal`; `active`, by worth; or `twice`, 40 of them equally and the others by worth.
        figure: what is estimated.
        at_least: good items that make a query good; None for Item Goodrate.
    """

    judge: str
    count: int
    target: Target = "queries"
    sample: str = "equal"
    figure: str = "Item Goodrate"
    at_least: int | None = None

    def __str__(self) -> str:
        how = {"equal": "", "active": " by worth", "twice": ", 40 at random, 60 by worth"}
        of_what = "these 400" if self.target == "queries" else "all queries"
        return f"{self.judge}; {self.count} of 400 labelled{how[self.sample]}; of {of_what}"

    def labels(self, rng: np.random.Generator, worth: Floats) -> tuple[Mask, Floats | None]:
        """Which queries are labelled, and with which probabilities."""
        labelled = np.zeros(QUERIES, dtype=bool)
        first = {"equal": self.count, "active": 0, "twice": 40}[self.sample]
        labelled[rng.permutation(QUERIES)[:first]] = True
        if self.sample == "equal":
            return labelled, None
        drawn, probabilities = draw_labels(
            worth,
            labelled,
            self.count - first,
            before=np.full(QUERIES, first / QUERIES),
            seed=int(rng.integers(2**31)),
        )
        labelled[drawn] = True
        return labelled, probabilities


def _cover(case: _Case, rng: np.random.Generator, repetitions: int) -> list[Row]:
    whole = _graded(None, case.at_least)
    people, automated, worth = whole.values, _graded(case.judge, case.at_least).values, _worth()
    single = Coverage(
        Subject(GROUP, case.figure, _METHOD, "prediction_powered_ratio", str(case)), whole.control
    )
    delta = Coverage(
        Subject(GROUP, f"{case.figure}, Δ", _METHOD, "prediction_powered_difference", str(case)),
        whole.delta,
    )
    options: dict[str, Any] = {"target": case.target}
    for _ in range(repetitions):
        chosen = rng.integers(people.shape[1], size=QUERIES)
        y, j = Columns(people[:, chosen]), automated[:, chosen]
        labelled, options["probabilities"] = case.labels(rng, worth[chosen])
        known, den = np.where(labelled, y.values, np.nan), (y.values[1], y.values[3])
        # one mistake in one query; for Δ `calibrate` allows less where lists are alike
        steps = [1 / float(shown.mean()) for shown in den]
        one = prediction_powered_ratio(j[0], known[0], den[0], step=steps[0], **options)
        two = prediction_powered_difference(
            j[0], known[0], den[0], j[2], known[2], den[1], step=max(steps), **options
        )
        for counted, found, true in ((single, one, y.control), (delta, two, y.delta)):
            interval = found.interval if found else None
            counted.add(
                interval.low if interval else None,
                interval.high if interval else None,
                true if case.target == "queries" else None,
            )
    return [single.row(), delta.row()]


def _equal(rng: np.random.Generator, repetitions: int) -> list[Row]:
    cases = [
        case
        for judge in _JUDGES
        for case in (
            _Case(judge, 15),
            _Case(judge, 40),
            _Case(judge, 100),
            _Case(judge, 100, target="population"),
            _Case(judge, 100, figure="Query Goodrate", at_least=1),
            _Case(judge, 100, figure="Query Goodrate, 5 good", at_least=5),
        )
    ]
    return [row for case in cases for row in _cover(case, rng, repetitions)]


def _unequal(rng: np.random.Generator, repetitions: int) -> list[Row]:
    cases = [
        case
        for judge in ("good judge", "judge that calls too much good")
        for case in (
            _Case(judge, 40, sample="active"),
            _Case(judge, 100, sample="active"),
            _Case(judge, 100, sample="twice"),
            _Case(judge, 100, sample="active", target="population"),
        )
    ]
    return [row for case in cases for row in _cover(case, rng, repetitions)]


STUDIES = (
    Study("prediction-powered", _equal, 4_000, quick=20),
    Study("unequal-labels", _unequal, 4_000, quick=20),
)
