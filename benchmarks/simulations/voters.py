"""Simulated people who vote on pairs of lists: the population of the studies of votes.

A query has a lean, drawn from a normal distribution: how much better its treatment is. A vote is
the lean, plus what this annotator does not see well, plus a pull toward the left list, cut at ±0.5
and ±1.5 into the five points of the scale. Sides alternate within a query, from a random start, as
`evalkit study` serves them. One query in five has identical lists, three votes in a hundred are
missing. Twelve annotators differ in care and in their pull.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["Ballots", "Classes", "Electorate", "People", "electorate", "many"]

_MANY = 400_000


@dataclass(frozen=True)
class People:
    """Annotators.

    Attributes:
        noise: of each, the spread of what is not seen.
        pull: of each, how far to the left list.
    """

    noise: tuple[float, ...]
    pull: tuple[float, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, people: int = 12) -> People:
        """New people."""
        return cls(
            tuple(rng.uniform(0.4, 1.4, size=people).tolist()),
            tuple(rng.normal(0.15, 0.25, size=people).tolist()),
        )


@dataclass(frozen=True)
class Ballots:
    """The votes of one study, in arrays.

    Attributes:
        said: int64[queries, overlap], turned toward the treatment.
        who: int64[queries, overlap], the annotator.
        right: bool[queries, overlap], the treatment stood right.
        given: bool[queries, overlap], false where the vote is missing.
        alike: bool[queries], identical lists, on which nobody voted.
        lean: float64[queries], how much better the treatment is.
    """

    said: Ints
    who: Ints
    right: Mask
    given: Mask
    alike: Mask
    lean: Floats

    def table(self) -> pa.Table:
        """As the votes table of `evalkit study export`, with automatic rows."""
        real = self.given & ~self.alike[:, None]
        same = np.flatnonzero(self.alike)
        query = np.concatenate([np.nonzero(real)[0], same])
        people = np.array([f"a{at:02}" for at in range(self.who.max() + 1)], dtype=object)
        nobody = np.full(len(same), None)
        sides = np.where(self.right[real], "right", "left").astype(object)
        votes = len(query) - len(same)
        return pa.table(
            {
                "query_id": np.array([f"q{at:05}" for at in range(len(self.alike))])[query],
                "annotator": pa.array(
                    np.concatenate([people[self.who[real]], nobody]), pa.string()
                ),
                "preference": np.concatenate([self.said[real], np.zeros(len(same), dtype=int)]),
                "treatment_side": pa.array(np.concatenate([sides, nobody]), pa.string()),
                "kind": ["real"] * votes + ["automatic"] * len(same),
                "position": query,
            }
        )

    def tallies(self) -> tuple[Ints, Ints, Ints]:
        """Good, Bad and all votes of every query, int64[queries] each; an automatic Same is one."""
        real = self.given & ~self.alike[:, None]
        good = ((self.said > 0) & real).sum(axis=1)
        bad = ((self.said < 0) & real).sum(axis=1)
        return good, bad, real.sum(axis=1) + self.alike


@dataclass(frozen=True)
class Electorate:
    """Where studies come from.

    Attributes:
        lean: mean lean of a query toward the treatment.
        overlap: votes a query.
        people: who votes; None draws new people for every study.
        alike: share of queries with identical lists.
        missing: share of votes that are not given.
    """

    lean: float = 0.2
    overlap: int = 3
    people: People | None = None
    alike: float = 0.2
    missing: float = 0.03

    def draw(self, rng: np.random.Generator, queries: int) -> Ballots:
        """One study."""
        people = self.people or People.draw(rng)
        shape = (queries, self.overlap)
        lean = rng.normal(self.lean, 1.0, size=queries)
        # the first of shuffled annotators: nobody votes twice on a query
        order = np.argsort(rng.random((queries, len(people.noise))), axis=1)
        who = order[:, : self.overlap]
        right = (np.arange(self.overlap) + rng.integers(2, size=queries)[:, None]) % 2 == 1
        seen = lean[:, None] + np.array(people.noise)[who] * rng.normal(size=shape)
        seen += np.where(right, -1, 1) * np.array(people.pull)[who]
        said = np.sign(seen) * ((np.abs(seen) > 0.5) + (np.abs(seen) > 1.5))
        given = rng.random(shape) >= self.missing
        given[:, 0] |= ~given.any(axis=1)
        alike = rng.random(queries) < self.alike
        return Ballots(said.astype(np.int64), who, right, given, alike, lean)

    def without_difference(self) -> Electorate:
        """The same where neither list is better on average."""
        return replace(self, lean=0.0)


@cache
def electorate() -> Electorate:
    """The usual one: twelve people who stay the same from study to study."""
    return Electorate(people=People.draw(np.random.default_rng(20_003)))


def many(population: Electorate, seed: int = 20_004) -> Ballots:
    """A study so large that its figures are those of the population (within 0.2 points)."""
    return population.draw(np.random.default_rng(seed), _MANY)


@dataclass(frozen=True)
class Classes:
    """Where Dawid and Skene's model is true: answers depend on a query's class and on who answers.

    Attributes:
        shares: of Bad, Same and Good among the queries.
        right: of each person, how often each gives the right answer; otherwise one of the others.
        overlap: votes a query.
    """

    shares: tuple[float, float, float] = (0.2, 0.5, 0.3)
    right: tuple[float, ...] = (0.9, 0.85, 0.8, 0.75, 0.6, 0.5)
    overlap: int = 3

    @property
    def gsb(self) -> float:
        """GSB of the true classes."""
        return self.shares[2] - self.shares[0]

    def draw(self, rng: np.random.Generator, queries: int) -> Ballots:
        """One study."""
        shape = (queries, self.overlap)
        truth = rng.choice(3, size=queries, p=self.shares)
        who = np.argsort(rng.random((queries, len(self.right))), axis=1)[:, : self.overlap]
        wrong = rng.random(shape) >= np.array(self.right)[who]
        answer = (truth[:, None] + wrong * rng.integers(1, 3, size=shape)) % 3
        return Ballots(
            (answer - 1).astype(np.int64),
            who,
            np.zeros(shape, dtype=bool),
            np.ones(shape, dtype=bool),
            np.zeros(queries, dtype=bool),
            (truth - 1).astype(np.float64),
        )
