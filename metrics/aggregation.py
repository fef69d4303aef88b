"""Several annotators on a query become one verdict: by majority, or by Dawid and Skene's model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics.errors import MetricsError
from metrics.votes import collect_votes, tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from metrics._frames import Frames
    from metrics.votes import Tally, Votes

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["DawidSkene", "Model", "dawid_skene", "fit", "majority", "majority_verdicts", "refits"]

CLASSES = (-1, 0, 1)
"""Bad, Same, Good."""

_SMOOTHING = 0.01
_TOLERANCE = 1e-6
_STEPS = 500
_TIE = 1e-9
_REFIT_TOLERANCE = 1e-4
_REFIT_STEPS = 100
_CELLS = 2_000_000  # posteriors of a block of refits: 16 MB


def majority_verdicts(tally: Tally) -> Ints:
    """The verdict with most votes on every query, int64[queries]; a tie for the most is Same."""
    good, same, bad = tally.good, tally.same, tally.bad
    won, lost = (good > same) & (good > bad), (bad > same) & (bad > good)
    return won.astype(np.int64) - lost.astype(np.int64)


def majority(votes: Any) -> Any:
    """Reduce the votes of a query to the verdict that most annotators gave.

    A five-point vote counts by its sign. A tie for the most votes is Same, and so is a query with
    identical lists (kind `automatic`).

    Args:
        votes: frame with `query_id, annotator, preference` and the optional columns of a votes
            table.

    Returns:
        `query_id, votes, good, same, bad, verdict` (1 Good, 0 Same, −1 Bad) for every query with
        a vote that counts, sorted by query, as a frame of the same kind.

    Raises:
        MetricsError: a column is missing or a value cannot be meant.

    >>> import pandas as pd
    >>> votes = pd.DataFrame({"query_id": ["q1"] * 3 + ["q2"] * 2,
    ...                       "annotator": ["x", "y", "z", "x", "y"],
    ...                       "preference": [1, 2, 0, 1, -1]})
    >>> majority(votes)["verdict"].tolist()
    [1, 0]
    """
    collected, frames = collect_votes(votes)
    counts, there = tally(collected), collected.present
    columns: dict[str, list[Any]] = {"query_id": _ids(collected)}
    for name in ("votes", "good", "same", "bad"):
        columns[name] = getattr(counts, name)[there].astype(np.int64).tolist()
    columns["verdict"] = majority_verdicts(counts)[there].tolist()
    return frames.from_columns(columns)


def _ids(votes: Votes) -> list[str]:
    return [votes.queries[at] for at in np.flatnonzero(votes.present)]


@dataclass(frozen=True)
class Model:
    """Dawid and Skene's model, fitted.

    Attributes:
        posterior: float64[queries, 3], probability of Bad, Same, Good; automatic Sames are certain,
            zeros for queries without a counted vote.
        verdict: int64[queries], the most probable class; a tie is Same.
        prior: float64[3], shares of the classes among the voted queries.
        confusion: float64[annotators, 3, 3], probability of each answer (last axis) given the
            class (middle axis).
        steps: iterations that were needed.
        converged: whether the posteriors had settled.
    """

    posterior: Floats
    verdict: Ints
    prior: Floats
    confusion: Floats
    steps: int
    converged: bool


@dataclass(frozen=True, kw_only=True)
class DawidSkene:
    """What the votes say about queries and annotators under Dawid and Skene's model.

    Attributes:
        prior: probabilities of Bad, Same and Good.
        annotators: annotators, sorted.
        confusion: per annotator a 3x3 list: given that a query is Bad, Same or Good (rows), the
            probabilities that the annotator says Bad, Same or Good (columns).
        steps: iterations of EM.
        converged: whether it came to rest.
        labels_columns: per query `query_id, verdict, p_bad, p_same, p_good`, as columns.
        frames: the kind of frame that `labels` gives back.
    """

    prior: Sequence[float]
    annotators: Sequence[str]
    confusion: Sequence[Sequence[Sequence[float]]] = field(repr=False)
    steps: int
    converged: bool
    labels_columns: dict[str, list[Any]] = field(repr=False)
    frames: Frames = field(repr=False)

    @property
    def labels(self) -> Any:
        """Verdict and probabilities of every query, as a frame of the caller's kind."""
        return self.frames.from_columns(self.labels_columns)


def dawid_skene(votes: Any) -> DawidSkene:
    """Fit Dawid and Skene's model: weigh annotators by how reliable they turn out to be.

    Every annotator has a confusion matrix, every query a true class among Bad, Same and Good; EM
    alternates between the two (Dawid and Skene 1979, Applied Statistics 28:20-28). It starts from
    the shares of the votes. A pseudo-count of 0.01 a cell keeps annotators with few votes away
    from certainty. Queries with identical lists are Same for certain and teach nothing about
    annotators.

    Args:
        votes: frame with `query_id, annotator, preference` and the optional columns of a votes
            table. A five-point vote counts by its sign.

    Returns:
        Verdicts and probabilities of the queries, and the annotators' confusion matrices.

    Raises:
        MetricsError: a column is missing, a value cannot be meant, or no vote of a person counts.

    >>> import pandas as pd
    >>> votes = pd.DataFrame([(f"q{q}", who, 1 if q % 2 else -1) for q in range(6)
    ...                       for who in ("ann", "bob", "cy")],
    ...                      columns=["query_id", "annotator", "preference"])
    >>> votes.loc[votes.annotator == "cy", "preference"] *= -1  # cy always says the opposite
    >>> model = dawid_skene(votes)
    >>> model.labels["verdict"].tolist()
    [-1, 1, -1, 1, -1, 1]
    >>> round(model.confusion[2][0][2], 2)  # given a Bad query, cy says Good
    0.99
    """
    collected, frames = collect_votes(votes)
    model, there = fit(collected), collected.present
    columns: dict[str, list[Any]] = {
        "query_id": [query for query, is_in in zip(collected.queries, there, strict=True) if is_in],
        "verdict": model.verdict[there].tolist(),
    }
    for place, name in enumerate(("p_bad", "p_same", "p_good")):
        columns[name] = model.posterior[there, place].tolist()
    return DawidSkene(
        prior=model.prior.tolist(),
        annotators=list(collected.annotators),
        confusion=model.confusion.tolist(),
        steps=model.steps,
        converged=model.converged,
        labels_columns=columns,
        frames=frames,
    )


def fit(votes: Votes) -> Model:
    """Fit the model to the counted votes.

    Raises:
        MetricsError: no vote of a person counts.
    """
    design = _design(votes)
    weights = np.ones((design.shape[0], 1))
    posterior, prior, confusion, steps, settled = _em(design, weights, _TOLERANCE, _STEPS)
    whole = np.zeros((len(votes.queries), 3))
    whole[_voted(votes)] = posterior[:, :, 0]
    whole[votes.automatic] = (0.0, 1.0, 0.0)
    return Model(
        posterior=whole,
        verdict=_verdicts(whole),
        prior=prior[:, 0],
        confusion=confusion[:, :, 0].reshape(len(votes.annotators), 3, 3).transpose(0, 2, 1),
        steps=steps,
        converged=settled,
    )


def refits(votes: Votes, *, seed: int, draws: int) -> Iterator[tuple[Floats, Ints]]:
    """Refit the model to resamples of the queries, a block of draws at a time.

    Args:
        votes: the votes.
        seed: of the resamples.
        draws: their number.

    Yields:
        float64[queries, draws] how often each query was drawn, and int64[queries, draws] its
        verdict in the refit.
    """
    rng = np.random.default_rng(seed)
    design, present, voted = _design(votes), np.flatnonzero(votes.present), _voted(votes)
    block = max(1, _CELLS // (3 * design.shape[0]))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        weights = np.zeros((len(votes.queries), size))
        for draw in range(size):
            chosen = rng.integers(len(present), size=len(present))
            weights[present, draw] = np.bincount(chosen, minlength=len(present))
        posterior, *_ = _em(design, weights[voted], _REFIT_TOLERANCE, _REFIT_STEPS)
        verdicts = np.zeros((len(votes.queries), size), dtype=np.int64)
        verdicts[voted] = _verdicts(posterior.transpose(0, 2, 1))
        yield weights, verdicts


def _voted(votes: Votes) -> Ints:
    return np.unique(votes.query[votes.counted])


def _design(votes: Votes) -> Any:
    """Sparse float64[voted queries, annotators x answers]: who said what."""
    from scipy.sparse import csr_array

    rows = votes.counted
    if not rows.any():
        raise MetricsError("no vote of a person counts, so there is no model to fit")
    _, query = np.unique(votes.query[rows], return_inverse=True)
    answer = 3 * votes.annotator[rows] + votes.sign[rows] + 1
    shape = (int(query.max()) + 1, 3 * len(votes.annotators))
    return csr_array((np.ones(len(query)), (query, answer)), shape=shape)


def _em(
    design: Any, weights: Floats, tolerance: float, most: int
) -> tuple[Floats, Floats, Floats, int, bool]:
    """EM for several weightings of the queries at once.

    Args:
        design: who said what, [queries, answers].
        weights: float64[queries, draws].
        tolerance: change of a posterior below which it has settled.
        most: iterations at most.

    Returns:
        posterior [queries, 3, draws], prior [3, draws], confusion [answers, 3, draws],
        iterations, whether all posteriors have settled.
    """
    queries, draws = weights.shape
    answers = design.shape[1]
    votes = np.stack([design[:, said::3].sum(axis=1) for said in range(3)], axis=1)
    posterior = np.repeat((votes / votes.sum(axis=1, keepdims=True))[:, :, None], draws, axis=2)
    used = weights[:, None, :] > 0
    prior, confusion = np.empty((3, draws)), np.empty((answers, 3, draws))
    for step in range(1, most + 1):
        weighted = posterior * weights[:, None, :]
        prior = weighted.sum(axis=0) + _SMOOTHING
        prior /= prior.sum(axis=0)
        said = (design.T @ weighted.reshape(queries, -1)).reshape(answers, 3, draws) + _SMOOTHING
        each = said.reshape(-1, 3, 3, draws)  # annotator, answer, class, draw
        confusion = (each / each.sum(axis=1, keepdims=True)).reshape(answers, 3, draws)
        logs = (design @ np.log(confusion).reshape(answers, -1)).reshape(queries, 3, draws)
        logs += np.log(prior)
        logs -= logs.max(axis=1, keepdims=True)
        new = np.exp(logs)
        new /= new.sum(axis=1, keepdims=True)
        moved = float((np.abs(new - posterior) * used).max())
        posterior = new
        if moved < tolerance:
            return posterior, prior, confusion, step, True
    return posterior, prior, confusion, most, False


def _verdicts(posterior: Floats) -> Ints:
    """The most probable of Bad, Same, Good along the last axis; a tie is Same."""
    ranked = np.sort(posterior, axis=-1)
    tied = ranked[..., 2] - ranked[..., 1] < _TIE
    best = posterior.argmax(axis=-1) - 1
    return np.where(tied, 0, best).astype(np.int64)
