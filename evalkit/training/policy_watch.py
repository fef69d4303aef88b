"""What a policy says on queries that it has not learned from, and whether a reward was hacked.

A reward that rises proves nothing: a policy finds what pays. So every part is looked at by query
type, before and after training, on held-out queries, and beside it what the reward does not pay
for: how much is said, how many candidates differ, how far the policy has moved, and what a
classifier of rewrites that had no part in the reward thinks of them.

Held-out queries are few, and outputs are sampled. So a change has a standard error over the
queries, which are the same before and after; queries of a family change together and count as one
draw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evalkit.errors import SettingsError
from evalkit.rewriting.policy import candidates_of
from evalkit.rewriting.wording import split
from evalkit.training.earned import COMPONENTS, order_of_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints import TypedQuery
    from evalkit.relevance.rewrite_scorers import Scorer
    from evalkit.training.divergence import Divergence
    from evalkit.training.rewarding import Rewarder

__all__ = [
    "ALL",
    "FIGURES",
    "Change",
    "Generate",
    "Watched",
    "alarm",
    "changes",
    "errors",
    "watch",
]

ALL = "all"
"""Stands for all query types together; each query counts once."""

FIGURES = (*COMPONENTS, "distinct", "words", "kept", "kl")
"""What is told of a type, in the order of tables; see `watch`."""

_ERRORS = 2.0  # standard errors from which a change is none of chance
_FEWEST = 5  # families of a type; fewer tell nothing about chance
_LONGER = 1.2  # times the words before; a place that was empty and is not makes longer, too


class Generate(Protocol):
    """What of a policy is watched: `evalkit.rewriting.policy.Policy.generate`."""

    def __call__(
        self, queries: Sequence[TypedQuery], *, n: int, temperature: float, seed: int
    ) -> list[list[str]]:
        """Return n completions for each query."""
        ...


@dataclass(frozen=True)
class Watched:
    """What a policy earned and said on each held-out query.

    Attributes:
        types: the query type of each.
        families: the family of each; one without has a family of its own.
        columns: `FIGURES` of each, float64[queries], means over its outputs; NaN where there is
            none.
    """

    types: tuple[str, ...]
    families: tuple[str, ...]
    columns: Mapping[str, NDArray[np.float64]]

    def figures(self) -> dict[str, dict[str, float]]:
        """Return the mean of every figure by query type and for `ALL`, with `queries`."""
        found = {}
        for kind, of in self.by_type().items():
            found[kind] = {"queries": float(of.sum())}
            for name, values in self.columns.items():
                known = values[of & ~np.isnan(values)]
                if len(known):
                    found[kind][name] = float(known.mean())
        return found

    def by_type(self) -> dict[str, NDArray[np.bool_]]:
        """Return which queries are of each type, types in their usual order, `ALL` last."""
        named = np.array(self.types, dtype=object)
        kinds = sorted(set(self.types), key=order_of_type)
        found = {kind: np.asarray(named == kind, dtype=np.bool_) for kind in kinds}
        return {**found, ALL: np.ones(len(named), dtype=np.bool_)}

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        columns = {
            name: [None if math.isnan(value) else value for value in values.tolist()]
            for name, values in self.columns.items()
        }
        return {"types": list(self.types), "families": list(self.families), "columns": columns}

    @staticmethod
    def of_document(document: Mapping[str, Any]) -> Watched:
        """Read what `to_document` returned."""
        columns = {
            name: np.array([math.nan if value is None else value for value in values], np.float64)
            for name, values in document["columns"].items()
        }
        return Watched(tuple(document["types"]), tuple(document["families"]), columns)


def watch(
    generate: Generate,
    queries: Sequence[TypedQuery],
    rewarder: Rewarder,
    *,
    outputs: int = 2,
    temperature: float = 1.0,
    seed: int = 0,
    classifier: Scorer | None = None,
    threshold: float = 0.5,
    divergence: Divergence | None = None,
) -> Watched:
    """Look at what a policy earns and says.

    Of each query: the means of `earned.COMPONENTS` (the reward, its parts, and the shares of the K
    places that are accepted, echoed, state an excluded thing or repeat an earlier candidate);
    `distinct`, the mean number of different candidates of an output; `words`, the mean length of
    an output, also beyond its K places; `kept` where there is a classifier: the share of the
    candidates that it finds to keep what the query asks for; and `kl` where there is a reference:
    the divergence from it, nats a token.

    Args:
        generate: of the policy.
        queries: held out from its training.
        rewarder: that of its training.
        outputs: sampled for each query.
        temperature: of the sampling; 0 takes the likeliest output, for which one is enough. Unlike
            training, `Policy.generate` draws from the 256 likeliest tokens alone.
        seed: of the sampling; the same before and after.
        classifier: of rewrites, which should have no part in the reward.
        threshold: probability from which the classifier keeps a rewrite.
        divergence: of the policy from what it was before.

    Raises:
        SettingsError: there are no queries or no outputs, or a query's type has no gate.
    """
    if not queries or outputs < 1:
        raise SettingsError("A policy is watched on one held-out query and one output at least.")
    completions = generate(queries, n=outputs, temperature=temperature, seed=seed)
    asked = [query for query in queries for _ in range(outputs)]
    texts = [text for some in completions for text in some]
    said = [candidates_of(text) for text in texts]
    rewards = rewarder.score(asked, said)
    read = [some[: rewarder.candidates] for some in said]
    of_outputs = {
        **rewards.columns(),
        "distinct": _distinct(read, rewards.repeated),
        "words": np.array([sum(len(split(text)) for text in some) for some in said], float),
    }
    columns = {
        name: values.reshape(len(queries), outputs).mean(axis=1)
        for name, values in of_outputs.items()
    }
    if classifier is not None:
        valid, good = _kept(asked, read, classifier, threshold)
        columns["kept"] = _ratio(good, valid, outputs)
    if divergence is not None:
        nats, tokens = divergence.of(asked, texts)
        columns["kl"] = _ratio(nats, tokens, outputs)
    return Watched(
        tuple(query.structure.query_type for query in queries),
        tuple(query.family or f"query {query.query_id}" for query in queries),
        columns,
    )


@dataclass(frozen=True)
class Change:
    """How a figure of a query type changed.

    Attributes:
        before: its mean.
        after: its mean, on the same queries.
        error: standard error of the difference, over families; NaN where they are too few.
    """

    before: float
    after: float
    error: float

    @property
    def certain(self) -> bool:
        """Whether it is larger than chance makes it: two standard errors."""
        # Nothing is larger than an error that is not known (NaN).
        moved = abs(self.after - self.before)
        return moved > 1e-9 and moved > _ERRORS * self.error


def changes(before: Watched, after: Watched) -> dict[str, dict[str, Change]]:
    """Return how every figure changed by query type and for `ALL`, on the queries that have it.

    The error is that of the mean difference of paired queries, clustered by family:
    √(G/(G − 1) · Σ over the G families of (sum of the differences − their mean)²) / n.

    Args:
        before: what `watch` returned before training.
        after: and after it, on the same queries.

    Raises:
        ValueError: they are not of the same queries.
    """
    if (before.types, before.families) != (after.types, after.families):
        raise ValueError("before and after are of different queries")
    families = np.unique(before.families, return_inverse=True)[1]
    found: dict[str, dict[str, Change]] = {}
    for kind, of in before.by_type().items():
        found[kind] = {}
        for name in before.columns:
            if name not in after.columns:
                continue
            was, now = before.columns[name], after.columns[name]
            known = of & ~np.isnan(was) & ~np.isnan(now)
            if known.any():
                error = _error(now[known] - was[known], families[known])
                means = float(was[known].mean()), float(now[known].mean())
                found[kind][name] = Change(*means, error)
    return found


def errors(before: Watched, after: Watched) -> dict[str, dict[str, float]]:
    """Return the standard errors of the changes by query type and figure, where they are known."""
    return {
        kind: {name: each.error for name, each in moved.items() if not math.isnan(each.error)}
        for kind, moved in changes(before, after).items()
    }


def alarm(before: Watched, after: Watched) -> list[str]:
    """Return a sentence wherever the reward rose although something that it stands for got worse.

    That is relevance, the accepted share, the classifier's share or the number of different
    candidates falling, echoes, excluded things or repeats becoming more, or outputs a fifth
    longer. Only changes of more than two standard errors count.

    Args:
        before: what `watch` returned before training.
        after: and after it, on the same queries.

    Example:
        >>> kinds, families = ("negative",) * 6, tuple("abcdef")
        >>> def seen(reward, relevance):
        ...     columns = {"reward": np.full(6, reward), "relevance": np.full(6, relevance)}
        ...     return Watched(kinds, families, columns)
        >>> alarm(seen(1.3, 0.65), seen(1.4, 0.33))[0]
        'negative: the reward rose from 1.300 to 1.400 while relevance fell from 0.650 to 0.330.'
    """
    found = []
    for kind, moved in changes(before, after).items():
        reward = moved["reward"]
        if reward.after <= reward.before:
            continue
        worse = [
            f"{words} {'fell' if sign < 0 else 'rose'} from {each.before:.3f} to {each.after:.3f}"
            for name, words, sign in _WORSE
            if (each := moved.get(name)) is not None
            and each.certain
            and sign * (each.after - each.before) > 0
            and (name != "words" or each.after > _LONGER * each.before)
        ]
        if worse:
            found.append(
                f"{_NAMES.get(kind, kind)}: the reward rose from {reward.before:.3f} to "
                f"{reward.after:.3f} while {' and '.join(worse)}."
            )
    return found


_NAMES = {ALL: "All types"}
_WORSE = (
    ("relevance", "relevance", -1),
    ("accepted", "the accepted share", -1),
    ("kept", "the share that the classifier keeps", -1),
    ("echoed", "the share of echoes", 1),
    ("excluded", "the share that states an excluded thing", 1),
    ("repeated", "the share of repeats", 1),
    ("distinct", "the number of different candidates", -1),
    ("words", "the words of an output", 1),
)


def _error(differences: NDArray[np.float64], families: NDArray[np.int64]) -> float:
    numbers = np.unique(families, return_inverse=True)[1]
    sums = np.bincount(numbers, weights=differences - differences.mean())
    if len(sums) < _FEWEST:
        return math.nan
    scale = len(sums) / (len(sums) - 1)
    return math.sqrt(scale * float(np.square(sums).sum())) / len(differences)


def _ratio(parts: NDArray[Any], wholes: NDArray[np.int64], outputs: int) -> NDArray[np.float64]:
    """Return of each query its outputs' parts over their wholes; NaN where these are 0."""
    some, all_ = (each.reshape(-1, outputs).sum(axis=1) for each in (parts, wholes))
    return np.where(all_ > 0, some / np.maximum(all_, 1), math.nan)


def _distinct(read: Sequence[Sequence[str]], repeated: NDArray[np.bool_]) -> NDArray[np.float64]:
    counts = np.array([len(texts) for texts in read], dtype=np.float64)
    return np.asarray(counts - repeated.sum(axis=1))


def _kept(
    asked: Sequence[TypedQuery],
    read: Sequence[Sequence[str]],
    classifier: Scorer,
    threshold: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return of each output how many candidates a classifier read, and how many it keeps."""
    pairs = [
        (place, query, text)
        for place, (query, texts) in enumerate(zip(asked, read, strict=True))
        for text in texts
    ]
    place = np.array([pair[0] for pair in pairs], dtype=np.int64)
    scores: NDArray[Any] = classifier.score(
        [pair[1] for pair in pairs], [pair[2] for pair in pairs]
    )
    valid = np.bincount(place[~np.isnan(scores)], minlength=len(asked))
    good = np.bincount(place[scores >= threshold], minlength=len(asked))
    return valid, good
