"""Draws of tokens, with one random stream a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

__all__ = ["RowSampler"]

_CANDIDATES = 256  # tokens beyond the likeliest so many are never drawn


class RowSampler:
    """Turns logits so that the largest of a row is a draw from its distribution.

    Gumbel-max: argmax(log p + g), g = -log(-log u), is a draw from p. The noise of a row depends
    on its own seed and on how many tokens it has drawn; not on the other rows. transformers calls
    it like one of its own logits processors.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float) -> None:
        import torch

        self.streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.temperature = temperature
        self.top_p = top_p

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores of which the largest in each row is the token drawn.

        Args:
            input_ids: tokens so far, int64[rows, length]; not looked at.
            scores: logits of the next token, float[rows, vocabulary].
        """
        import torch

        size = scores.shape[-1]
        likeliest, places = torch.topk(scores.float().cpu(), min(_CANDIDATES, size))
        logs = torch.log_softmax(likeliest / self.temperature, dim=-1)
        before = logs.exp().cumsum(dim=-1) - logs.exp()
        logs = logs.masked_fill(before >= self.top_p, -torch.inf)
        # Noise belongs to tokens, not to ranks: two tokens that change places keep theirs.
        noise = torch.stack([torch.rand(size, generator=stream) for stream in self.streams])
        noise = noise.gather(-1, places).clamp(1e-20, 1 - 1e-7)
        drawn = logs - torch.log(-torch.log(noise))
        result = torch.full_like(scores, -torch.inf)
        return result.scatter(-1, places.to(scores.device), drawn.to(scores))
