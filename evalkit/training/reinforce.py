"""The arithmetic of REINFORCE++: from rewards of whole texts to an advantage for every token.

From the paper (Hu and others, "REINFORCE++", arXiv 2501.03262), of a batch of sampled texts:

1. every token costs β times its share of the divergence from the reference, `log π_old − log π_ref`
   (the estimate k1), and the last token of a text also earns the text's reward R:
   `r_t = −β · kl_t + [t is last] · R`;
2. the return of a token is what comes from it on, without discount: `A_t = Σ_{i ≥ t} r_i`;
3. the returns of all tokens of the **whole** batch are brought to mean 0 and deviation 1.

The variant with a baseline first takes from R the mean of what the same prompt's texts earned; it
does not divide by their deviation. Then come the ratio of PPO, clipped at 0.2, and the mean over
all tokens: those are the trainer's (`evalkit.training.reinforce_trainer`).

How it differs. GRPO brings the rewards to mean 0 and deviation 1 within the texts of one prompt, so
a prompt whose texts are nearly alike weighs as much as one with real differences; it gives every
token of a text the same advantage and keeps the divergence in the loss. RLOO takes from R the mean
of the *other* texts of the prompt and weighs whole texts, not tokens.

Ours: the bounds on R and on a token's divergence that the trainer sets before, and that a token is
counted by a mask, so that padding takes no part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

__all__ = ["centred_by_group", "reinforce_pp_advantages"]

_LEAST_VARIANCE = 1e-8
"""Below it a batch has no differences to learn from, only those of rounding."""


def reinforce_pp_advantages(
    rewards: Tensor,
    kl: Tensor,
    mask: Tensor,
    beta: float,
    group: int | None = None,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Return the advantage of every token of a batch.

    Args:
        rewards: float[B], what each text earned.
        kl: float[B, T], `log π_old − log π_ref` of each token, in nats.
        mask: bool or number [B, T], which tokens the policy said, its end mark among them.
        beta: what a nat of divergence costs, in units of the reward.
        group: for the variant with a baseline, how many texts in a row are of one prompt. None is
            the main variant.
        reduce: adds up a tensor over processes when each holds a part of the batch; the texts of
            one prompt must be in one part.

    Returns:
        float[B, T] of mean 0 and deviation 1 over the tokens of the mask, 0 elsewhere. Where all
        returns are the same, all are 0.

    Raises:
        ValueError: shapes do not fit, or a group of fewer than two texts leaves nothing to learn.

    >>> import torch
    >>> advantages = reinforce_pp_advantages(
    ...     torch.tensor([1.0, 0.0]),
    ...     torch.tensor([[0.0, 0.0], [0.0, 0.0]]),
    ...     torch.tensor([[True, True], [True, True]]),
    ...     beta=0.1,
    ... )
    >>> advantages.tolist()
    [[1.0, 1.0], [-1.0, -1.0]]
    """
    if kl.ndim != 2 or mask.shape != kl.shape or rewards.shape != kl.shape[:1]:
        raise ValueError(
            f"rewards {tuple(rewards.shape)}, kl {tuple(kl.shape)} and mask {tuple(mask.shape)} "
            "must be [B], [B, T] and [B, T]"
        )
    valid = mask.bool()
    earned = rewards.to(kl.dtype)
    if group is not None:
        earned = centred_by_group(earned, group)
    # What follows the last token of a text is masked, so the reversed mask finds it.
    last = valid & (valid.flip(1).cumsum(1).flip(1) == 1)
    token_rewards = last * earned[:, None] - beta * kl.masked_fill(~valid, 0.0)
    returns = token_rewards.flip(1).cumsum(1).flip(1)
    return _whitened(returns, valid, reduce)


def centred_by_group(rewards: Tensor, group: int) -> Tensor:
    """Take from each reward the mean of its group.

    Args:
        rewards: float[B].
        group: how many in a row are one group.

    Raises:
        ValueError: a group has fewer than two members, or the rewards are no whole groups.

    >>> import torch
    >>> centred_by_group(torch.tensor([1.0, 3.0, 5.0, 5.0]), 2).tolist()
    [-1.0, 1.0, 0.0, 0.0]
    """
    if group < 2 or len(rewards) % group:
        raise ValueError(f"{len(rewards)} rewards are no groups of {group} (two or more)")
    grouped = rewards.view(-1, group)
    return (grouped - grouped.mean(1, keepdim=True)).view(-1)


def _whitened(values: Tensor, valid: Tensor, reduce: Callable[[Tensor], Tensor] | None) -> Tensor:
    """Bring the valid values to mean 0 and deviation 1 (of the population), the others to 0."""

    def total(tensor: Tensor) -> Tensor:
        return tensor if reduce is None else reduce(tensor)

    count = total(valid.sum().to(values.dtype)).clamp(min=1.0)
    mean = total(values.masked_fill(~valid, 0.0).sum()) / count
    centred = (values - mean).masked_fill(~valid, 0.0)
    variance = total(centred.square().sum()) / count
    return centred * variance.clamp(min=_LEAST_VARIANCE).rsqrt()
