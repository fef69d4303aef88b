"""How people's votes on queries spread, for planning: what other votes would have brought.

What votes say now is in :mod:`metrics.vote_gsb`, and who votes how in :mod:`metrics.aggregation`.

A query has its own probabilities of Good, Same and Bad, and the votes on it are a multinomial draw.
How these probabilities are spread over queries is learned from the pilot without supposing a form:
a mixture over the 66 points of a grid in steps of 0.1, fitted by EM (Kiefer and Wolfowitz 1956,
Annals of Mathematical Statistics 27:887-906; Laird 1978, JASA 73:805-811). Only how ambiguous
queries are is learned: every query enters with Good and Bad exchanged as well.

The difference to be found is put in afterwards: the mixture is tilted, ``w·exp(λ(good − bad))``,
so that queries on which people prefer the treatment become more frequent, until GSB is the one
asked for. More votes a query help where people disagree on single queries, and do not where they
agree and queries differ; the tilt takes both from the mixture.

A Dirichlet distribution has one number for all of this, and by simulation needs up to 40% too few
queries for overlaps above 1 when queries are of kinds. It stands in where nothing but a share of
agreeing pairs is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from metrics.errors import MetricsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["Outcomes", "VoteModel", "assume_votes", "fit_votes"]

_STEPS = 10
_EM_STEPS = 200
_FLOOR = 1e-12
_GRID: Floats = (
    np.array([(g, s, _STEPS - g - s) for g in range(_STEPS + 1) for s in range(_STEPS + 1 - g)])
    / _STEPS
)
"""float64[66, 3]: probabilities of Good, Same and Bad."""


@dataclass(frozen=True)
class Outcomes:
    """What becomes of a query, as probabilities; queries with identical lists are ties and Sames.

    Attributes:
        ahead: more Good than Bad votes.
        behind: more Bad than Good votes.
        good: Good by majority, a tie for the most votes being Same.
        bad: Bad by majority.
    """

    ahead: float
    behind: float
    good: float
    bad: float


@dataclass(frozen=True)
class VoteModel:
    """Votes on queries whose lists differ, and how many queries have identical ones.

    Attributes:
        good: probability that a vote is Good.
        same: that it is Same.
        bad: that it is Bad.
        agreement: probability that two votes on one query say the same; None where nothing tells,
            and then there can be one vote a query only.
        identical: share of queries with identical lists, on which nobody votes.
        weights: float64[66], how queries are spread over the grid; None as `agreement`.

    >>> model = assume_votes(0.4, 0.3, 0.3, agreement=0.67)
    >>> round(model.gsb, 4)
    0.1
    >>> one, three = (model.at(0.1, overlap) for overlap in (1, 3))
    >>> round(one.ahead - one.behind, 4), round(three.ahead - three.behind, 4)
    (0.1, 0.1194)
    """

    good: float
    same: float
    bad: float
    agreement: float | None = None
    identical: float = 0.0
    weights: Floats | None = None

    @property
    def gsb(self) -> float:
        """Good minus Bad of single votes, queries with identical lists included."""
        return (1 - self.identical) * (self.good - self.bad)

    @property
    def decided(self) -> float:
        """Share of queries on which a single vote is Good or Bad, identical lists included."""
        return (1 - self.identical) * (self.good + self.bad)

    def at(self, gsb: float, overlap: int) -> Outcomes:
        """What becomes of a query with so many votes when GSB of single votes is such.

        As many single votes are decided as in the pilot; where that is not enough for such a GSB,
        just enough.

        Args:
            gsb: GSB of single votes, from −1 to 1.
            overlap: votes a query.

        Raises:
            MetricsError: identical lists leave no room for such a GSB, or more than one vote a
                query is asked for and nothing is known of agreement.
        """
        wanted = self._wanted(gsb)
        voted = 1 - self.identical
        if overlap == 1:
            decided = max(self.good + self.bad, abs(wanted))
            ahead, behind = voted * (decided + wanted) / 2, voted * (decided - wanted) / 2
            return Outcomes(ahead, behind, ahead, behind)
        votes, chance = _chances(overlap)
        weights = self._tilted(wanted)
        g, s, b = votes.T
        cases = (g > b, g < b, (g > s) & (g > b), (b > s) & (b > g))
        return Outcomes(*(voted * float(weights @ chance[:, where].sum(axis=1)) for where in cases))

    def draw(self, gsb: float, queries: int, overlap: int, rng: np.random.Generator) -> Ints:
        """Draw votes, int64[queries, 3]: Good, Same and Bad of every query.

        Args:
            gsb: as for `at`.
            queries: how many; those with identical lists get no votes.
            overlap: votes a query.
            rng: what draws.

        Raises:
            MetricsError: as `at`.
        """
        voted = np.where(rng.random(queries) < self.identical, 0, overlap)
        if overlap == 1:
            of_query = self.at(gsb, 1)
            share = 1 - self.identical
            ahead, behind = of_query.ahead / share, of_query.behind / share
            each = np.tile([ahead, max(0.0, 1 - ahead - behind), behind], (queries, 1))
        else:
            places = rng.choice(len(_GRID), size=queries, p=self._tilted(self._wanted(gsb)))
            each = _GRID[places]
        votes: Ints = rng.multinomial(voted, each)
        return votes

    def _wanted(self, gsb: float) -> float:
        """GSB among the queries whose lists differ."""
        room = 1 - self.identical
        if abs(gsb) > room + 1e-9:
            raise MetricsError(
                f"a GSB of {gsb:g} cannot be: {self.identical:.1%} of the queries have identical "
                "lists"
            )
        return min(1.0, max(-1.0, gsb / room))

    def _tilted(self, wanted: float) -> Floats:
        """The weights, tilted to a GSB among the queries whose lists differ."""
        if self.weights is None:
            raise MetricsError("two votes on a query need to be known before more can be planned")
        lean = _GRID[:, 0] - _GRID[:, 2]
        low, high = -60.0, 60.0
        logs = np.log(self.weights)
        tilted = self.weights
        while high - low > 1e-9:
            middle = (low + high) / 2
            tilted = np.exp(logs + middle * lean - (logs + middle * lean).max())
            tilted /= tilted.sum()
            low, high = (middle, high) if tilted @ lean < wanted else (low, middle)
        return tilted


def fit_votes(
    good: Floats, same: Floats, bad: Floats, *, identical: int = 0, agreement: float | None = None
) -> VoteModel | None:
    """Fit the model to a pilot's votes.

    Args:
        good: float[queries], Good votes on every query that people saw.
        same: float[queries], Same votes.
        bad: float[queries], Bad votes.
        identical: further queries, with identical lists.
        agreement: share of agreeing pairs of votes to suppose instead of what the votes tell.

    Returns:
        The model; None without any vote. Where no query has two votes and no agreement is given,
        it is of single votes only.

    >>> import numpy as np
    >>> model = fit_votes(np.array([2.0, 0]), np.array([0.0, 1]), np.array([0.0, 1]), identical=2)
    >>> model.good, model.same, model.agreement, model.identical
    (0.5, 0.25, 0.5, 0.5)
    """
    counts = np.stack([good, same, bad])
    votes = counts.sum(axis=0)
    counts, votes = counts[:, votes > 0], votes[votes > 0]
    if not len(votes):
        return None
    of_good, of_same, of_bad = (float(share) for share in (counts / votes).mean(axis=1))
    pairs = float((votes * (votes - 1)).sum())
    model = assume_votes(of_good, of_same, of_bad, agreement=agreement)
    if agreement is None and pairs:
        model = replace(
            model,
            agreement=float((counts * (counts - 1)).sum()) / pairs,
            weights=_mixture(np.concatenate([counts, counts[::-1]], axis=1).T),
        )
    return replace(model, identical=identical / (identical + len(votes)))


def assume_votes(
    good: float, same: float, bad: float, *, agreement: float | None = None
) -> VoteModel:
    """The model of given shares and agreement, queries spread as a Dirichlet distribution.

    The Dirichlet of the mean shares (Good and Bad alike) whose pairs of votes agree as often
    (Mosimann 1962, Biometrika 49:65-82): with ``c = Σ share²`` its concentration is
    ``(1 − a)/(a − c)``, where ``a`` is the agreement. An agreement at or below ``c`` means that
    all queries are alike.

    Args:
        good: share of Good votes; the three add up to 1.
        same: share of Same votes.
        bad: share of Bad votes.
        agreement: share of pairs of votes on a query that say the same.
    """
    model = VoteModel(good=good, same=same, bad=bad, agreement=agreement)
    return model if agreement is None else replace(model, weights=_dirichlet(same, agreement))


@cache
def _chances(overlap: int) -> tuple[Ints, Floats]:
    """All counts of so many votes, int64[k, 3], and float64[66, k] their probabilities."""
    counts = range(overlap + 1)
    votes = np.array([(g, s, overlap - g - s) for g in counts for s in counts if g + s <= overlap])
    return votes, _multinomial(votes)


def _multinomial(votes: Floats | Ints) -> Floats:
    """float64[66, k]: probability of each count of votes at every point of the grid."""
    from scipy.special import gammaln, xlogy

    ways = gammaln(votes.sum(axis=1) + 1) - gammaln(votes + 1.0).sum(axis=1)
    found: Floats = np.exp(ways + xlogy(votes[None, :, :], _GRID[:, None, :]).sum(axis=2))
    return found


def _mixture(votes: Floats) -> Floats:
    """Fit the weights of the grid to float64[queries, 3] votes by EM from equal weights."""
    kinds, often = np.unique(votes, axis=0, return_counts=True)
    chance = _multinomial(kinds)
    weights = np.full(len(_GRID), 1 / len(_GRID))
    for _ in range(_EM_STEPS):
        joint = weights[:, None] * chance
        weights = (joint / joint.sum(axis=0)) @ often / often.sum()
    return _floored(weights)


def _dirichlet(same: float, agreement: float) -> Floats:
    """Weights of the grid as a Dirichlet has them, each point standing for what is nearest.

    By breaking a stick: Same is a beta variable, and Good is one of what remains.
    """
    either = (1 - same) / 2
    chance = same**2 + 2 * either**2
    alike = min(max((agreement - chance) / (1 - chance), 1e-3), 0.999) if chance < 1 else 1e-3
    total = (1 - alike) / alike
    of_same = _beta_steps(same * total, 2 * either * total, _STEPS)
    weights = np.zeros(len(_GRID))
    for place, (g, s, b) in enumerate(np.round(_GRID * _STEPS).astype(int)):
        weights[place] = of_same[s] * _beta_steps(either * total, either * total, g + b)[g]
    return _floored(weights)


def _beta_steps(a: float, b: float, steps: int) -> Floats:
    """float64[steps + 1]: a beta variable rounded to multiples of 1/steps."""
    from scipy.special import betainc

    if steps == 0 or min(a, b) <= 0:
        found = np.zeros(steps + 1)
        found[-1 if b <= 0 < a else 0] = 1.0
        return found
    edges = (np.arange(steps) + 0.5) / steps
    return np.diff(betainc(a, b, edges), prepend=0.0, append=1.0)


def _floored(weights: Floats) -> Floats:
    """No point is impossible: a tilt must reach every GSB."""
    floored = np.maximum(weights, _FLOOR)
    return floored / math.fsum(floored)
