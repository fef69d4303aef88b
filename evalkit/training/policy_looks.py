"""Looks at a policy on held-out queries: before and after its rewards, and on the way.

What is seen before and after is kept in a file, so that a training that goes on does not look
again. On the way it is a few queries with one output each, which tells when a reward begins to be
hacked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalkit.files import write_text
from evalkit.progress import say
from evalkit.training.divergence import Divergence
from evalkit.training.policy_watch import ALL, Watched, watch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from evalkit.constraints import TypedQuery
    from evalkit.relevance.rewrite_scorers import Scorer
    from evalkit.rewriting.policy import Policy
    from evalkit.training.rewarding import Rewarder

__all__ = ["Looks", "a_few"]

_A_FEW = 48
_GLANCED = ("reward", "relevance", "accepted")


@dataclass(frozen=True)
class Looks:
    """What is looked at, and by whom.

    Attributes:
        queries: held out.
        rewarder: that of the training.
        judge: a classifier of rewrites without a part in the rewards, or None.
        folder: keeps what was seen.
        seed: of the few queries that are looked at on the way.
    """

    queries: Sequence[TypedQuery]
    rewarder: Rewarder
    judge: Scorer | None
    folder: Path
    seed: int = 0

    def measure(self, name: str, policy: Policy, reference: Policy) -> None:
        """Look at all queries, unless that was done before, and keep it; see `seen`.

        Args:
            name: of the look: `before` or `after`.
            policy: what is looked at.
            reference: what the divergence counts from.
        """
        file = self._file(name)
        if file.is_file():
            return
        say(f"Rewriting {len(self.queries):,} held-out queries ({name} the rewards).")
        found = watch(
            policy.generate,
            self.queries,
            self.rewarder,
            classifier=self.judge,
            divergence=Divergence(policy, reference),
        )
        write_text(json.dumps(found.to_document()) + "\n", file)

    def seen(self, name: str) -> Watched:
        """Return what was seen."""
        return Watched.of_document(json.loads(self._file(name).read_text("utf-8")))

    def glance(self, policy: Policy) -> dict[str, float]:
        """Return figures for the log from one output of each of a few queries.

        They are `held_out_accepted`, `held_out_accepted/negative`, …; each time of the same queries
        with the same seed.
        """
        some = a_few(self.queries, self.seed)
        seen = watch(policy.generate, some, self.rewarder, outputs=1).figures()
        return {
            f"held_out_{name}" + ("" if kind == ALL else f"/{kind}"): figures[name]
            for kind, figures in seen.items()
            for name in _GLANCED
        }

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def a_few(queries: Sequence[TypedQuery], seed: int = 0) -> list[TypedQuery]:
    """Draw 48 queries, or all where there are no more; they stay in their order."""
    chosen = np.random.default_rng(seed).permutation(len(queries))[:_A_FEW]
    return [queries[place] for place in sorted(chosen.tolist())]
