"""How a rewriter is trained, and what is usual for its base model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from evalkit.errors import SettingsError
from evalkit.training.rewarding import RewardSettings

__all__ = ["SCRATCH_BASE", "PolicySettings", "Usual", "usual_of"]

SCRATCH_BASE = "scratch"
"""The name of a base model that is made on the spot."""


class Usual(NamedTuple):
    """What is usual where nothing was said: a new model needs more of everything.

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
    SCRATCH_BASE: Usual(16, 16, 2e-3, 1e-4),
    "base": Usual(3, 16, 5e-5, 1e-5),
    "lora": Usual(3, 16, 5e-4, 1e-4),
}


@dataclass(frozen=True)
class PolicySettings:
    """How a rewriter is trained; None takes what suits the base model.

    Attributes:
        candidates: rewrites of an output.
        held_out: share of the families of queries that it does not see.
        lora: rank of the adapter that is trained instead of all weights; 0 trains all.
        sft_epochs: passes of the warm start.
        sft_learning_rate: of the warm start, at its highest.
        steps: of REINFORCE++; 0 is the warm start alone.
        prompts: queries a step.
        samples: outputs of a query in a step.
        learning_rate: of REINFORCE++.
        beta: weight of the divergence from the warm start.
        rewards: weights and limits of the rewards.
        checkpoint_every: steps between checkpoints.
        seed: of the split, fresh weights, the order of examples and sampling.
        device: where it runs.
    """

    candidates: int = 4
    held_out: float = 0.2
    lora: int = 0
    sft_epochs: int | None = None
    sft_learning_rate: float | None = None
    steps: int = 60
    prompts: int = 16
    samples: int = 4
    learning_rate: float | None = None
    beta: float = 0.03
    rewards: RewardSettings = field(default_factory=RewardSettings)
    checkpoint_every: int = 20
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.candidates < 1 or self.prompts < 1 or self.checkpoint_every < 1:
            raise SettingsError("--candidates, --prompts and --checkpoint-every are 1 or more.")
        if self.samples < 2:
            raise SettingsError(
                f"--samples is {self.samples}; an output is compared with others of its query, so "
                "it is 2 or more."
            )
        if self.steps < 0 or self.lora < 0 or (self.sft_epochs is not None and self.sft_epochs < 1):
            raise SettingsError("--steps and --lora are 0 or more, --sft-epochs 1 or more.")
        if not 0 < self.held_out < 0.9:
            raise SettingsError(f"--held-out is {self.held_out}; it is above 0 and below 0.9.")
        for name in ("sft_learning_rate", "learning_rate"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < 1:
                raise SettingsError(f"--{name.replace('_', '-')} is {rate}; it is between 0 and 1.")

    def filled(self, base: str) -> PolicySettings:
        """Return the settings with what is usual for a base model in place of None."""
        usual = usual_of(base, self.lora)
        return replace(
            self,
            sft_epochs=self.sft_epochs or usual.epochs,
            sft_learning_rate=self.sft_learning_rate or usual.warm_rate,
            learning_rate=self.learning_rate or usual.rate,
        )


def usual_of(base: str, lora: int) -> Usual:
    """Return what is usual.

    Args:
        base: `scratch`, or any other model.
        lora: rank of the adapter; 0 where all weights are trained.
    """
    return _USUAL[SCRATCH_BASE if base == SCRATCH_BASE else "lora" if lora else "base"]
