"""How a rewriter is trained, and what is usual for its base model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from evalkit.errors import SettingsError
from evalkit.rewriting.policy import tokens_for
from evalkit.training.reinforce_trainer import ReinforceSettings
from evalkit.training.rewarding import RewardSettings

__all__ = ["SCRATCH_BASE", "Pace", "PolicySettings"]

SCRATCH_BASE = "scratch"
"""The name of a base model that is made on the spot."""


class Pace(NamedTuple):
    """How long and how fast a base model learns; a new one needs more of everything.

    Attributes:
        epochs: of the warm start.
        batch_size: of the warm start.
        warm_rate: learning rate of the warm start, at its highest.
        rate: learning rate of REINFORCE++.
    """

    epochs: int
    batch_size: int
    warm_rate: float
    rate: float


_USUAL = {
    SCRATCH_BASE: Pace(16, 16, 2e-3, 1e-4),
    "base": Pace(3, 16, 5e-5, 1e-5),
    "lora": Pace(3, 16, 5e-4, 1e-4),
}


@dataclass(frozen=True)
class PolicySettings:
    """How a rewriter is trained; None takes what suits the base model.

    Attributes:
        candidates: rewrites of an output.
        held_out: share of the families of queries that it does not see.
        lora: rank of the adapter that is trained instead of all weights; 0 trains all.
        sft_epochs: passes of the warm start.
        sft_batch_size: examples a step of the warm start.
        sft_learning_rate: of the warm start, at its highest.
        steps: of REINFORCE++; 0 is the warm start alone.
        prompts: queries a step.
        samples: outputs of a query in a step.
        learning_rate: of REINFORCE++.
        beta: weight of the divergence from the warm start.
        baseline: whether what an output earns counts beyond the mean of its query's outputs.
        epochs_per_batch: updates from the outputs of a step.
        rows_per_pass: outputs that go through the model at once in a process; fewer take less
            memory and give the same update. None is all.
        rewards: weights and limits of the rewards.
        checkpoint_every: steps between checkpoints.
        seed: of the split, fresh weights, the order of examples and sampling.
        device: where it runs.
    """

    candidates: int = 4
    held_out: float = 0.2
    lora: int = 0
    sft_epochs: int | None = None
    sft_batch_size: int | None = None
    sft_learning_rate: float | None = None
    steps: int = 60
    prompts: int = 16
    samples: int = 4
    learning_rate: float | None = None
    beta: float = 0.03
    baseline: bool = True
    epochs_per_batch: int = 1
    rows_per_pass: int | None = None
    rewards: RewardSettings = field(default_factory=RewardSettings)
    checkpoint_every: int = 20
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("candidates", "sft_epochs", "sft_batch_size", "prompts", "epochs_per_batch",
                     "rows_per_pass", "checkpoint_every"):  # fmt: skip
            number = getattr(self, name)
            if number is not None and number < 1:
                raise SettingsError(f"--{name.replace('_', '-')} is {number}; it is 1 or more.")
        if self.samples < 2:
            raise SettingsError(
                f"--samples is {self.samples}; an output is compared with others of its query, so "
                "it is 2 or more."
            )
        if self.steps < 0 or self.lora < 0:
            raise SettingsError("--steps and --lora are 0 or more.")
        if not 0 <= self.beta < math.inf:
            raise SettingsError(f"--beta is {self.beta}; it is 0 or more.")
        if not 0 < self.held_out < 0.9:
            raise SettingsError(f"--held-out is {self.held_out}; it is above 0 and below 0.9.")
        for name in ("sft_learning_rate", "learning_rate"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < 1:
                raise SettingsError(f"--{name.replace('_', '-')} is {rate}; it is between 0 and 1.")

    def filled(self, base: str) -> PolicySettings:
        """Return the settings with what is usual for a base model in place of None."""
        pace = self.pace(base)
        return replace(
            self,
            sft_epochs=pace.epochs,
            sft_batch_size=pace.batch_size,
            sft_learning_rate=pace.warm_rate,
            learning_rate=pace.rate,
        )

    def reinforcing(self, base: str) -> ReinforceSettings:
        """Return how REINFORCE++ trains; there are steps of it.

        Raises:
            SettingsError: it cannot be so.
        """
        return ReinforceSettings(
            steps=self.steps,
            prompts=self.prompts,
            samples=self.samples,
            baseline=self.baseline,
            beta=self.beta,
            epochs_per_batch=self.epochs_per_batch,
            learning_rate=self.pace(base).rate,
            max_new_tokens=tokens_for(self.candidates),
            rows_per_pass=self.rows_per_pass,
            checkpoint_every=self.checkpoint_every,
            seed=self.seed,
        )

    def pace(self, base: str) -> Pace:
        """Return what was chosen, and where nothing was, what is usual for the base model.

        Args:
            base: `scratch`, or any other model.

        Example:
            >>> PolicySettings(sft_epochs=5).pace("scratch")
            Pace(epochs=5, batch_size=16, warm_rate=0.002, rate=0.0001)
        """
        usual = _USUAL["scratch" if base == SCRATCH_BASE else "lora" if self.lora else "base"]
        return Pace(
            self.sft_epochs or usual.epochs,
            self.sft_batch_size or usual.batch_size,
            self.sft_learning_rate or usual.warm_rate,
            self.learning_rate or usual.rate,
        )
