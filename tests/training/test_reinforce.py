"""Advantages of REINFORCE++, by numbers worked out on paper."""

from __future__ import annotations

import math

import pytest
import torch

from evalkit.training.reinforce import centred_by_group, reinforce_pp_advantages

ZEROS = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


def test_divergence_costs_from_its_token_back_and_the_reward_stands_on_the_last_valid_token() -> (
    None
):
    # Text 1 has two tokens and earns 2: r = [-.5*.4, 2 - .5*.2] = [-.2, 1.9], A = [1.7, 1.9].
    # Text 2 has three and earns -1: r = [0, -.5*1, -1 - .5*.6] = [0, -.5, -1.3],
    # A = [-1.8, -1.8, -1.3].
    # Mean (1.7 + 1.9 - 1.8 - 1.8 - 1.3) / 5 = -.26; deviations 1.96, 2.16, -1.54, -1.54, -1.04;
    # variance (3.8416 + 4.6656 + 2.3716 + 2.3716 + 1.0816) / 5 = 2.8664.
    advantages = reinforce_pp_advantages(
        torch.tensor([2.0, -1.0], dtype=torch.float64),
        torch.tensor([[0.4, 0.2, 99.0], [0.0, 1.0, 0.6]], dtype=torch.float64),
        torch.tensor([[1, 1, 0], [1, 1, 1]]),
        beta=0.5,
    )
    deviation = math.sqrt(2.8664)
    expected = [[1.96, 2.16, 0.0], [-1.54, -1.54, -1.04]]
    for row, wanted in zip(advantages.tolist(), expected, strict=True):
        assert row == pytest.approx([value / deviation for value in wanted])


def test_the_baseline_is_the_mean_of_the_prompts_own_texts_without_their_deviation() -> None:
    # Prompt 1 earned 1 and 3, prompt 2 earned 10 and 10.5: left are -1, 1, -.25, .25.
    # Tokens: one each. Mean 0, variance (1 + 1 + .0625 + .0625) / 4 = .53125.
    rewards = torch.tensor([1.0, 3.0, 10.0, 10.5], dtype=torch.float64)
    one_token = torch.zeros(4, 1, dtype=torch.float64)
    advantages = reinforce_pp_advantages(
        rewards, one_token, torch.ones(4, 1), beta=0.0, group=2
    ).flatten()
    wanted = [value / math.sqrt(0.53125) for value in (-1.0, 1.0, -0.25, 0.25)]
    assert advantages.tolist() == pytest.approx(wanted)


def test_long_texts_weigh_by_their_tokens_in_the_mean_of_the_batch() -> None:
    # Returns 1, 1, 1 and 0: mean .75, variance .1875.
    advantages = reinforce_pp_advantages(
        torch.tensor([1.0, 0.0]),
        torch.tensor(ZEROS),
        torch.tensor([[1, 1, 1], [1, 0, 0]]),
        beta=0.1,
    )
    assert advantages[0].tolist() == pytest.approx([0.25 / math.sqrt(0.1875)] * 3)
    assert advantages[1].tolist() == pytest.approx([-0.75 / math.sqrt(0.1875), 0.0, 0.0])


def test_parts_of_a_batch_give_what_the_whole_gives_when_their_sums_are_added_up() -> None:
    generator = torch.Generator().manual_seed(3)
    rewards = torch.randn(4, generator=generator, dtype=torch.float64)
    kl = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    lengths = torch.tensor([5, 2, 3, 1])
    mask = torch.arange(5)[None, :] < lengths[:, None]
    whole = reinforce_pp_advantages(rewards, kl, mask, beta=0.2, group=2)
    parts = (slice(0, 2), slice(2, 4))

    # Two processes, walked through in step: the sums of both are known before either goes on.
    asked: list[list[torch.Tensor]] = [[], []]
    answers: list[torch.Tensor] = []
    for _ in range(3):
        for number, part in enumerate(parts):
            asked[number].clear()

            def reduce(
                value: torch.Tensor, seen: list[torch.Tensor] = asked[number]
            ) -> torch.Tensor:
                seen.append(value)
                return answers[len(seen) - 1] if len(seen) <= len(answers) else value

            reinforce_pp_advantages(rewards[part], kl[part], mask[part], 0.2, 2, reduce)
        answers.append(asked[0][len(answers)] + asked[1][len(answers)])
    for part in parts:
        given = iter(answers)
        found = reinforce_pp_advantages(
            rewards[part], kl[part], mask[part], 0.2, 2, lambda _, given=given: next(given)
        )
        assert torch.allclose(found, whole[part])


def test_texts_that_all_earn_the_same_teach_nothing() -> None:
    same = torch.full((2,), 3.0)
    advantages = reinforce_pp_advantages(same, torch.tensor(ZEROS), torch.ones(2, 3), 0.0)
    assert advantages.tolist() == ZEROS


def test_a_text_without_a_valid_token_takes_no_part() -> None:
    advantages = reinforce_pp_advantages(
        torch.tensor([1.0, 0.0, 50.0]),
        torch.zeros(3, 1),
        torch.tensor([[1], [1], [0]]),
        beta=0.1,
    )
    assert advantages.flatten().tolist() == pytest.approx([1.0, -1.0, 0.0])


@pytest.mark.parametrize(
    ("group", "said"),
    [(1, "groups of 1"), (3, "groups of 3")],
)
def test_a_group_that_cannot_be_compared_is_refused(group: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        centred_by_group(torch.ones(4), group)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \[B\]"):
        reinforce_pp_advantages(torch.ones(3), torch.zeros(2, 3), torch.ones(2, 3), 0.1)
