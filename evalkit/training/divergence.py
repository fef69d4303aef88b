"""How far a policy has moved from another, by what it says itself: the divergence (KL).

It is estimated from sampled texts: log p(text) under the policy less that under the reference. Such
an estimate is nearly unbiased; it may be below 0 by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.rewriting.policy import prompt_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evalkit.constraints import TypedQuery
    from evalkit.rewriting.policy import Policy

__all__ = ["Divergence"]

_ROWS = 8  # texts at once: the scores of 150,000 tokens for each of theirs are in memory


@dataclass(frozen=True)
class Divergence:
    """Of a policy from a reference.

    Attributes:
        policy: has said the texts.
        reference: has the same tokenizer; where it is the policy itself, nothing is computed.
    """

    policy: Policy
    reference: Policy

    def of(
        self, queries: Sequence[TypedQuery], texts: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return of each text the log ratio of its probabilities (nats), and its tokens.

        Args:
            queries: what was asked, one for each text.
            texts: what the policy said; each is read as one that came to its end.
        """
        tokenizer = self.policy.tokenizer
        asked = [tokenizer(prompt_of(query))["input_ids"] for query in queries]
        said = [
            [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
            for text in texts
        ]
        tokens = np.array([len(each) for each in said], dtype=np.int64)
        if self.policy.model is self.reference.model:
            return np.zeros(len(texts)), tokens
        now, then = (_log_probabilities(each.model, asked, said)
                     for each in (self.policy, self.reference))  # fmt: skip
        return now - then, tokens


def _log_probabilities(
    model: Any, asked: Sequence[Sequence[int]], said: Sequence[Sequence[int]]
) -> NDArray[np.float64]:
    """Return log p(said | asked) of every row, float64[n]."""
    import torch

    found = np.zeros(len(said))
    order = sorted(range(len(said)), key=lambda row: len(asked[row]) + len(said[row]))
    for start in range(0, len(order), _ROWS):
        some = order[start : start + _ROWS]
        rows = [[*asked[row], *said[row]] for row in some]
        width = max(map(len, rows))
        tokens = torch.tensor([row + [0] * (width - len(row)) for row in rows]).to(model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            logits = model(input_ids=tokens, attention_mask=mask.to(model.device)).logits[:, :-1]
            next_ = tokens[:, 1:]
            chosen = logits.gather(2, next_[:, :, None])[:, :, 0] - logits.logsumexp(dim=2)
        for place, row in enumerate(some):
            first = len(asked[row]) - 1
            part = chosen[place, first : first + len(said[row])].double()
            found[row] = float(part.sum())
    return found
