"""Rewards of a policy's outputs: what is read, which candidates count, and the weighted sum.

    R = w_r · relevance + w_a · alignment + w_d · diversity + format + constraint

The parts are those of `evalkit.training.rewards`. Relevance is that to what the query wants
(`evalkit.constraints.topic.wanted`), not to its words: "without leather" is near to leather.

**The gate.** A candidate counts in the first three parts only if it is accepted: its own relevance
reaches the gate of its query's type, it breaks no rule of rewriting and does not stray
(`evalkit.rewriting.rules.filter_rule`, which filters the rewrites of the warm start too), and it
repeats no earlier one. Without it alignment and diversity pay for whatever is in the catalogue and
differs. One gate for all types would not do: right rewrites of knowledge queries say little of
what the query says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.constraints.topic import wanted
from evalkit.errors import SettingsError
from evalkit.rewriting.policy import candidates_of, completion_of
from evalkit.rewriting.query_words import states_excluded
from evalkit.rewriting.rules import filter_rule
from evalkit.rewriting.wording import bag, is_near
from evalkit.training.earned import Rewards, order_of_type
from evalkit.training.rewards import (
    calibrated_gate,
    constraint_penalty,
    cosines,
    diversity,
    format_penalty,
    nearest_products,
    product_alignment,
    query_semantic_relevance,
    repeats,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints import TypedQuery
    from evalkit.knowledge.graph import Graph
    from evalkit.retrieval import Encoder

__all__ = [
    "REWARDS",
    "RewardSettings",
    "Rewarder",
    "Rewards",
    "calibrate_gates",
]

REWARDS = 2  # raised when the same output may be rewarded otherwise, for manifests

_REMEMBERED = 100_000  # texts whose vectors stay in memory: 150 MB of 384 dimensions
_LEAST = 20  # known-good rewrites of a type that make a gate of its own
_GATE_DIGITS = 4


@dataclass(frozen=True)
class RewardSettings:
    """How the parts are weighed and which candidates count.

    Attributes:
        relevance: weight of the relevance to what the query wants.
        alignment: weight of the alignment with products.
        diversity: weight of the difference between candidates.
        nearest: products whose cosines are averaged for the alignment.
        repeat: cosine to an earlier candidate above which one is a repeat.
        keep: share of the known-good rewrites that the gates let pass.
        gated: whether only accepted candidates count; False is for showing why they must.
    """

    relevance: float = 1.0
    alignment: float = 1.0
    diversity: float = 0.5
    nearest: int = 5
    repeat: float = 0.95
    keep: float = 0.8
    gated: bool = True

    def __post_init__(self) -> None:
        for name in ("relevance", "alignment", "diversity"):
            weight = getattr(self, name)
            if not (math.isfinite(weight) and weight >= 0):
                raise SettingsError(f"The weight of {name} is {weight}; it must be 0 or more.")
        if self.nearest < 1:
            raise SettingsError(f"nearest is {self.nearest}; it must be 1 or more.")
        if not 0 < self.repeat <= 1:
            raise SettingsError(f"repeat is {self.repeat}; it must be above 0 and up to 1.")
        if not 0 < self.keep <= 1:
            raise SettingsError(f"keep is {self.keep}; it must be above 0 and up to 1.")


def calibrate_gates(
    encoder: Encoder,
    queries: Sequence[TypedQuery],
    accepted_rewrites: Sequence[Sequence[str]],
    keep: float = 0.8,
) -> dict[str, float]:
    """Return for each query type the cosine that a share of its known-good rewrites reaches.

    A type with fewer than 20 of them takes the gate of all types together.

    Args:
        encoder: the one that rewards.
        queries: whose rewrites these are; every query type among them gets a gate.
        accepted_rewrites: of each query.
        keep: the share.

    Raises:
        SettingsError: there is no rewrite at all.
    """
    # as the policy is taught and read: an encoder may tell upper case from lower
    asked = [
        (query, text)
        for query, texts in zip(queries, accepted_rewrites, strict=True)
        for text in candidates_of(completion_of(texts))
    ]
    if not asked:
        raise SettingsError("There are no accepted rewrites, which the reward's gates come from.")
    ours = {query: wanted(query.query, query.structure) for query, _ in asked}
    texts = list(dict.fromkeys((*ours.values(), *(text for _, text in asked))))
    vectors = dict(zip(texts, encoder.encode(texts, "query"), strict=True))
    one = np.stack([vectors[ours[query]] for query, _ in asked])
    other = np.stack([vectors[text] for _, text in asked])
    known_good = cosines(one, other[:, None, :])[:, 0]
    types = np.array([query.structure.query_type for query, _ in asked], dtype=object)
    gates: dict[str, float] = {}
    for kind in sorted({query.structure.query_type for query in queries}, key=order_of_type):
        own = known_good[types == kind]
        gate = calibrated_gate(own if len(own) >= _LEAST else known_good, keep)
        # rounded down: the last digits of the rewrite at the gate depend on its batch
        gates[kind] = math.floor(gate * 10**_GATE_DIGITS) / 10**_GATE_DIGITS
    return gates


@dataclass
class Rewarder:
    """Rewards outputs; remembers the vectors and verdicts of what was said before.

    Policies say the same things again and again, and new things without end: vectors of the latest
    are kept in memory. Give the bare encoder, whose cache on disk would only grow. A text
    is encoded by itself, since its vector would otherwise depend a little on what else was new in
    the batch, and a run that goes on from a checkpoint would take another path.

    Attributes:
        encoder: of queries, rewrites and products; frozen.
        products: unit vectors of product titles, float32[n, d]. On the sample shop whole texts
            tell rewrites from raw queries about as well (AUC .70, titles .68) and neither tells
            which rewrite of a query finds more good products; titles are read whole and fast.
        graph: knows the kinds, values and names of the catalogue; None without.
        gates: relevance from which a candidate is accepted, by query type.
        settings: weights and limits.
        candidates: places for candidates in an output, K; what is said beyond them is not read.
    """

    encoder: Encoder
    products: NDArray[np.float32]
    graph: Graph | None
    gates: Mapping[str, float]
    settings: RewardSettings
    candidates: int
    _vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict, init=False, repr=False)
    _nearest: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _verdicts: dict[tuple[str, str, str], tuple[bool, bool]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise SettingsError(f"candidates is {self.candidates}; it must be 1 or more.")
        if not len(self.products):
            raise SettingsError("There are no products for the rewrites to be aligned with.")
        self._rule = filter_rule(self.graph)

    def score(self, queries: Sequence[TypedQuery], outputs: Sequence[Sequence[str]]) -> Rewards:
        """Reward outputs.

        Args:
            queries: the query of each output, B of them.
            outputs: the candidates of each output in order, B of them; blank ones are missing.

        Raises:
            SettingsError: a query's type has no gate.
        """
        texts = [
            [" ".join(text.split()) for text in said[: self.candidates]]
            + [""] * (self.candidates - len(said))
            for said in outputs
        ]
        said = np.array([[bool(text) for text in row] for row in texts], dtype=np.bool_)
        said = said.reshape(len(texts), self.candidates)
        aims = [wanted(query.query, query.structure) for query in queries]
        known = self._known((*aims, *(text for row in texts for text in row)))
        aim = np.stack([known[text] for text in aims]) if aims else self._none(0)
        each = np.stack([known[text] for row in texts for text in row]) if aims else self._none(0)
        each = each.reshape(*said.shape, each.shape[1])

        gate = np.array([self._gate(query) for query in queries])
        near = cosines(aim, each) >= gate[:, None]
        clean, excluded = self._judged(queries, texts)
        echoed = np.array([[bag(text) == bag(query.query) for text in row]
                           for query, row in zip(queries, texts, strict=True)])  # fmt: skip
        echoed = said & echoed.reshape(said.shape).astype(bool)
        repeated = repeats(each, said, self.settings.repeat) | _near_earlier(texts, said)
        accepted = said & near & clean & ~repeated
        counted = accepted if self.settings.gated else said

        relevance = query_semantic_relevance(aim, each, counted)
        alignment = product_alignment(self._alignments(texts, counted, known), counted)
        different = diversity(each, counted, self.settings.repeat)
        shape = format_penalty(said, repeated, echoed)
        constraint = constraint_penalty(excluded)
        total = (
            self.settings.relevance * relevance
            + self.settings.alignment * alignment
            + self.settings.diversity * different
            + shape
            + constraint
        )
        return Rewards(total, relevance, alignment, different, shape, constraint, accepted,
                       echoed, excluded, repeated)  # fmt: skip

    def _gate(self, query: TypedQuery) -> float:
        kind = query.structure.query_type
        if kind not in self.gates:
            raise SettingsError(
                f"The reward has no gate for {kind} queries; it has gates for "
                f"{', '.join(self.gates) or 'none'}. Calibrate it with rewrites of such queries."
            )
        return self.gates[kind]

    def _judged(
        self, queries: Sequence[TypedQuery], texts: Sequence[Sequence[str]]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which candidates break no rule, and which state what their query excludes."""
        found = np.zeros((2, len(texts), self.candidates), dtype=np.bool_)
        for place, (query, row) in enumerate(zip(queries, texts, strict=True)):
            for at, text in enumerate(row):
                if text:
                    found[:, place, at] = self._verdict(query, text)
        return found[0], found[1]

    def _verdict(self, query: TypedQuery, text: str) -> tuple[bool, bool]:
        key = (query.query_id, query.query, text)
        verdict = self._verdicts.get(key)
        if verdict is None:
            broken = self._rule(query.query_id, query.query, query.structure, text, ())
            stated = states_excluded(query, text, self.graph)
            verdict = self._verdicts[key] = (not broken, bool(stated))
            _forget(self._verdicts)
        return verdict

    def _known(self, texts: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors of texts; that of the empty one is of zeros."""
        import torch

        found = {"": self._none(1)[0]}
        # One text is too little for several threads: on busy cores they wait for each other.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for text in filter(None, dict.fromkeys(texts)):
                vector = self._vectors.pop(text, None)
                if vector is None:
                    vector = self.encoder.encode([text], "query")[0]
                # put back at the end: what was not said for longest is forgotten first
                found[text] = self._vectors[text] = vector
        finally:
            torch.set_num_threads(threads)
        _forget(self._vectors)
        return found

    def _alignments(
        self,
        texts: Sequence[Sequence[str]],
        counted: NDArray[np.bool_],
        known: Mapping[str, NDArray[np.float32]],
    ) -> NDArray[np.float64]:
        """Return the mean cosine with the nearest products of the candidates that count."""
        used = list(
            dict.fromkeys(
                text
                for row, marks in zip(texts, counted.tolist(), strict=True)
                for text, mark in zip(row, marks, strict=True)
                if mark
            )
        )
        new = [text for text in used if text not in self._nearest]
        if new:
            vectors = np.stack([known[text] for text in new])
            means = nearest_products(vectors, self.products, self.settings.nearest)
            self._nearest.update(zip(new, means.tolist(), strict=True))
        result = [[self._nearest.get(text, 0.0) for text in row] for row in texts]
        _forget(self._nearest)
        return np.array(result, dtype=np.float64).reshape(counted.shape)

    def _none(self, rows: int) -> NDArray[np.float32]:
        return np.zeros((rows, self.products.shape[1]), dtype=np.float32)


def _near_earlier(texts: Sequence[Sequence[str]], said: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which candidates have nearly the words of an earlier one of their output."""
    result = np.zeros_like(said)
    for place, row in enumerate(texts):
        bags = [bag(text) for text in row]
        for at in range(1, len(row)):
            result[place, at] = bool(row[at]) and any(
                row[earlier] and is_near(bags[at], bags[earlier]) for earlier in range(at)
            )
    return result


def _forget(kept: dict[Any, Any]) -> None:
    while len(kept) > _REMEMBERED:
        del kept[next(iter(kept))]
