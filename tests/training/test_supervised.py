"""The warm start: which words are learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from evalkit.training.supervised import SupervisedSettings, new_model, supervise

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = ("negative: jacket without wool =>", " cotton jacket ; nylon jacket")


def loss_by_hand(model: Any, tokenizer: Any, *, of_prompt: bool) -> float:
    """Mean of -log p over the tokens of the answer and its end, and of the prompt where asked."""
    asked, said = (tokenizer(text)["input_ids"] for text in EXAMPLE)
    tokens = [*asked, *said, tokenizer.eos_token_id]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([tokens])).logits[0, :-1].log_softmax(-1)
    lost = [-float(logits[place, token]) for place, token in enumerate(tokens[1:])]
    return sum(lost) / len(lost) if of_prompt else sum(lost[len(asked) - 1 :]) / (len(said) + 1)


@pytest.mark.parametrize("whole", [False, True])
def test_the_prompt_is_learnt_only_where_all_is(whole: bool, tmp_path: Path) -> None:
    model, tokenizer = new_model(EXAMPLE, seed=3)
    of_answer, of_all = (
        loss_by_hand(model.eval(), tokenizer, of_prompt=each) for each in (False, True)
    )
    assert abs(of_answer - of_all) > 1e-3
    # a rate so low that the loss stays what it was
    settings = SupervisedSettings(2, 1e-12, 100, 0)
    rows = supervise(model, tokenizer, [EXAMPLE] * 20, settings, tmp_path, [EXAMPLE], whole=whole)
    assert rows[0]["loss"] == pytest.approx(of_all if whole else of_answer, abs=1e-4)
    assert rows[-1] == {"step": 10, "held_out_loss": pytest.approx(of_answer, abs=1e-4)}
