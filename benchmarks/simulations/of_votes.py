"""Intervals and the test of `gsb_from_votes`, as the command calls it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.simulations.rows import Coverage, Rejections, Row, Subject
from benchmarks.simulations.study import Study
from benchmarks.simulations.voters import Classes, Electorate, electorate, many
from metrics import dawid_skene, gsb_from_votes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metrics.vote_results import VoteScored

__all__ = ["STUDIES", "truths"]

GROUP = "People's votes"
_CALL = "gsb_from_votes"


@cache
def truths(population: Electorate) -> Mapping[str, float]:
    """The figures of a population, from a very large study."""
    ballots = many(population)
    good, bad, votes = ballots.tallies()
    same = votes - good - bad
    verdict = ((good > same) & (good > bad)).astype(int) - ((bad > same) & (bad > good))
    # a query's votes are complete but for the missing; identical lists are one Same
    decided = ballots.given & ~ballots.alike[:, None] & (ballots.said != 0)
    left = (ballots.said > 0) != ballots.right
    signs = np.sign(good - bad)
    return {
        "majority": float(verdict.mean()),
        "majority_win": float((verdict > 0).sum() / (verdict != 0).sum()),
        "votes": float((good - bad).sum() / votes.sum()),
        "votes_win": float(good.sum() / (good + bad).sum()),
        "left": float(left[decided].mean()),
        "mean": float(((good - bad) / votes).mean()),
        "win": float((signs > 0).sum() / (signs != 0).sum()),
    }


def _cover(counted: Mapping[str, Coverage], row: VoteScored) -> None:
    ends = {
        "gsb": (row.ci_low, row.ci_high),
        "win": (row.win_low, row.win_high),
        "left": (row.left_low, row.left_high),
    }
    for name, counter in counted.items():
        counter.add(*ends[name])


def _aggregates(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    population = electorate()
    true = truths(population)
    for aggregate, of_gsb, of_win in (
        ("majority", "trinomial", "Wilson"),
        ("votes", "delta method on queries, t", "delta method on queries, t"),
    ):
        for queries in (15, 50, 150):
            size = f"{queries} queries, overlap 3"
            counted = {
                "gsb": Coverage(
                    Subject(GROUP, f"GSB, {aggregate}", of_gsb, _CALL, size), true[aggregate]
                ),
                "win": Coverage(
                    Subject(GROUP, f"win rate, {aggregate}", of_win, _CALL, size),
                    true[f"{aggregate}_win"],
                ),
            }
            for _ in range(repetitions):
                votes = population.draw(rng, queries).table()
                _cover(counted, gsb_from_votes(votes, aggregate=aggregate).rows[0])  # type: ignore[arg-type]
            rows += [each.row() for each in counted.values()]
    return rows


def _lopsided(rng: np.random.Generator, repetitions: int) -> list[Row]:
    """Few queries, nearly all of them won."""
    population = Electorate(lean=1.6, people=electorate().people)
    true = truths(population)
    rows = []
    for aggregate, method in (("majority", "trinomial"), ("votes", "delta method on queries, t")):
        counted = Coverage(
            Subject(GROUP, f"GSB, {aggregate}", method, _CALL, "most queries Good, 30 queries"),
            true[aggregate],
        )
        for _ in range(repetitions):
            votes = population.draw(rng, 30).table()
            _cover({"gsb": counted}, gsb_from_votes(votes, aggregate=aggregate).rows[0])  # type: ignore[arg-type]
        rows.append(counted.row())
    return rows


def _left(rng: np.random.Generator, repetitions: int) -> list[Row]:
    """The left share, which takes votes as independent: of these people, and of people."""
    rows = []
    for population, who in (
        (electorate(), "the same 12 people"),
        (Electorate(), "12 new people each time"),
    ):
        true = truths(population)["left"]
        if population.people is None:
            true = _left_of_people()
        counted = Coverage(
            Subject(
                GROUP, "left share", "Clopper-Pearson", _CALL, f"100 queries, overlap 3, {who}"
            ),
            true,
        )
        for _ in range(repetitions):
            votes = population.draw(rng, 100).table()
            _cover({"left": counted}, gsb_from_votes(votes).rows[0])
        rows.append(counted.row())
    return rows


@cache
def _left_of_people() -> float:
    """The left share over people in general: the mean over many groups of twelve."""
    rng = np.random.default_rng(20_006)
    decided = left = 0
    for _ in range(1_000):
        ballots = Electorate(alike=0.0, missing=0.0).draw(rng, 500)
        counts = ballots.said != 0
        decided += int(counts.sum())
        left += int((((ballots.said > 0) != ballots.right) & counts).sum())
    return left / decided


def _dawid_skene(rng: np.random.Generator, repetitions: int) -> list[Row]:
    population = Classes()
    size = "100 queries, overlap 3, 6 people"
    method = "percentile bootstrap, refitted"
    counted = [
        Coverage(Subject(GROUP, "GSB, dawid_skene", method, _CALL, f"{size}; {of_what}"), true)
        for of_what, true in (
            ("GSB of the model on endless queries", _endless(population)),
            ("GSB of the true classes", population.gsb),
        )
    ]
    for _ in range(repetitions):
        votes = population.draw(rng, 100).table()
        found = gsb_from_votes(votes, aggregate="dawid_skene", seed=int(rng.integers(2**31)))
        for each in counted:
            _cover({"gsb": each}, found.rows[0])
    return [each.row() for each in counted]


@cache
def _endless(population: Classes) -> float:
    """What the model says of very many queries, which is not what is true of them."""
    votes = population.draw(np.random.default_rng(20_005), 100_000).table()
    return float(np.mean(dawid_skene(votes).labels["verdict"].to_numpy()))


def _sign_test(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    without, with_difference = electorate().without_difference(), electorate()
    gsb = truths(with_difference)["votes"]
    for queries in (15, 50, 150):
        counted = Rejections(
            Subject("Tests", "GSB of votes", "sign test", _CALL, f"{queries} queries, overlap 3"),
            f"GSB of votes {100 * gsb:+.0f} points",
        )
        for _ in range(repetitions):
            counted.add(gsb_from_votes(without.draw(rng, queries).table()).rows[0].p)
            counted.add_alternative(
                gsb_from_votes(with_difference.draw(rng, queries).table()).rows[0].p
            )
        rows.append(counted.row())
    return rows


STUDIES = (
    Study("votes", _aggregates, 4_000, quick=30),
    Study("votes-lopsided", _lopsided, 4_000, quick=30),
    Study("left-share", _left, 4_000, quick=30),
    Study("dawid-skene", _dawid_skene, 600, quick=3),
    Study("votes-sign-test", _sign_test, 4_000, quick=30),
)
