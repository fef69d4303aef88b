"""What a policy says on queries that it has not learned from, and whether a reward was hacked.

A reward that rises proves nothing: a policy finds what pays. So every part is looked at by query
type, before and after training, on held-out queries, and beside it what the reward does not pay
for: how much is said, how many candidates differ, and what a classifier of rewrites that had no
part in the reward thinks of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evalkit.errors import SettingsError
from evalkit.rewriting.policy import candidates_of
from evalkit.rewriting.wording import split
from evalkit.training.earned import COMPONENTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints import TypedQuery
    from evalkit.relevance.rewrite_scorers import Scorer
    from evalkit.training.rewarding import Rewarder

__all__ = ["ALL", "FIGURES", "Generate", "alarm", "watch"]

ALL = "all"
"""Stands for all query types together; each query counts once."""

FIGURES = ("queries", *COMPONENTS, "distinct", "words", "kept")
"""What is told of a type, in the order of tables; see `watch`."""

_NOTABLE = 0.005  # changes below are rounding and luck


class Generate(Protocol):
    """What of a policy is watched: `evalkit.rewriting.policy.Policy.generate`."""

    def __call__(
        self, queries: Sequence[TypedQuery], *, n: int, temperature: float, seed: int
    ) -> list[list[str]]:
        """Return n completions for each query."""
        ...


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
) -> dict[str, dict[str, float]]:
    """Return what a policy earns and says, by query type and for `ALL`.

    Of each type: `queries` is their number; the means of `rewarding.COMPONENTS` (the reward, its
    parts, and the shares of the K places that are accepted, echoed, state an excluded thing or
    repeat an earlier candidate); `distinct`, the mean number of different candidates of an output;
    `words`, the mean length of an output, also beyond its K places; and `kept` where there is a
    classifier: the share of the candidates that it finds to keep what the query asks for.

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

    Raises:
        SettingsError: there are no queries or no outputs, or a query's type has no gate.
    """
    if not queries or outputs < 1:
        raise SettingsError("A policy is watched on one held-out query and one output at least.")
    completions = generate(queries, n=outputs, temperature=temperature, seed=seed)
    asked = [query for query in queries for _ in range(outputs)]
    said = [candidates_of(text) for texts in completions for text in texts]
    rewards = rewarder.score(asked, said)
    read = [texts[: rewarder.candidates] for texts in said]
    columns = {
        **rewards.columns(),
        "distinct": _distinct(read, rewards.repeated),
        "words": np.array([sum(len(split(text)) for text in texts) for texts in said], float),
    }
    kept = _kept(asked, read, classifier, threshold) if classifier is not None else None
    types = np.array([query.structure.query_type for query in asked], dtype=object)
    found = {}
    for kind in (*rewards.means_by_type(types.tolist()), ALL):
        of = types == kind if kind != ALL else np.ones(len(types), dtype=bool)
        means = {name: float(values[of].mean()) for name, values in columns.items()}
        found[kind] = {"queries": float(of.sum() // outputs), **means}
        if kept is not None and kept[0][of].sum():
            found[kind]["kept"] = float(kept[1][of].sum() / kept[0][of].sum())
    return found


def alarm(
    before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Return a sentence wherever the reward rose although something that it stands for got worse.

    That is relevance, the accepted share or the classifier's share falling, or echoes and excluded
    things becoming more. Changes of half a point and less are left out.

    Args:
        before: what `watch` returned before training.
        after: and after it, on the same queries.

    Example:
        >>> alarm({"negative": {"reward": 1.3, "relevance": 0.65}},
        ...       {"negative": {"reward": 1.4, "relevance": 0.33}})
        ['negative: the reward rose from 1.300 to 1.400 while relevance fell from 0.650 to 0.330.']
    """
    found = []
    for kind, was in before.items():
        now = after.get(kind)
        if now is None or now["reward"] <= was["reward"]:
            continue
        worse = [
            f"{words} {'fell' if sign < 0 else 'rose'} from {was[name]:.3f} to {now[name]:.3f}"
            for name, words, sign in _WORSE
            if name in was and name in now and sign * (now[name] - was[name]) > _NOTABLE
        ]
        if worse:
            found.append(
                f"{_NAMES.get(kind, kind)}: the reward rose from {was['reward']:.3f} to "
                f"{now['reward']:.3f} while {' and '.join(worse)}."
            )
    return found


_NAMES = {ALL: "All types"}
_WORSE = (
    ("relevance", "relevance", -1),
    ("accepted", "the accepted share", -1),
    ("kept", "the share that the classifier keeps", -1),
    ("echoed", "the share of echoes", 1),
    ("excluded", "the share that states an excluded thing", 1),
)


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
