"""Training a policy: against a loop written by hand, over a stop, and towards a simple reward."""

from __future__ import annotations

import copy
import importlib.util
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from evalkit.errors import SettingsError
from evalkit.training.reinforce_trainer import (
    ReinforceSettings,
    order_of_prompts,
    run_reinforce,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

WORDS = [f"w{number}" for number in range(47)]
PROMPTS = ["w1 w2", "w3", "w4 w5 w6", "w7 w8", "w9", "w10 w11"]
LONGEST = 6


def small_policy() -> tuple[Any, Any]:
    """A Llama of two layers and a tokenizer of whole words whose only mark is the end."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({word: place for place, word in enumerate(["<end>", *WORDS])}))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="<end>", pad_token="<end>"
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS) + 1,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=64,
            initializer_range=0.2,
            bos_token_id=None,
            eos_token_id=0,
            pad_token_id=0,
        )
    )
    return model.eval(), tokenizer


class Recorder:
    """A reward of even words and short texts that remembers what it was asked."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[int], list[str], NDArray[np.float64]]] = []

    def __call__(
        self, numbers: Sequence[int], texts: Sequence[str]
    ) -> tuple[NDArray[np.float64], Mapping[str, float]]:
        said = [[int(word[1:]) % 2 == 0 for word in text.split()] for text in texts]
        totals = np.array([sum(even) - 0.3 * len(even) for even in said])
        self.batches.append((list(numbers), list(texts), totals))
        return totals, {"even": float(np.mean([sum(even) for even in said]))}


def weights_of(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def by_hand(
    model: Any, tokenizer: Any, batches: Sequence[Any], settings: ReinforceSettings
) -> list[float]:
    """REINFORCE++ in plain words, one text and one token at a time. Returns the clip shares."""

    def bounded_by(value: float, bound: float) -> float:
        return max(-bound, min(bound, value))

    reference = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=0.0)

    def log_probabilities(of: Any, asked: list[int], said: list[int]) -> torch.Tensor:
        logits = of(input_ids=torch.tensor([asked + said])).logits[0, len(asked) - 1 : -1]
        return logits.log_softmax(-1)[range(len(said)), said]

    shares = []
    for numbers, texts, totals in batches:
        rewards = [bounded_by(float(total), settings.reward_clip) for total in totals]
        asked = [tokenizer(PROMPTS[number])["input_ids"] for number in numbers]
        said = [tokenizer(text)["input_ids"] for text in texts]
        said = [ids if len(ids) == LONGEST else [*ids, 0] for ids in said]
        with torch.no_grad():
            old = [log_probabilities(model, *pair) for pair in zip(asked, said, strict=True)]
            far = [log_probabilities(reference, *pair) for pair in zip(asked, said, strict=True)]
        returns: list[list[float]] = []
        for place, earned in enumerate(rewards):
            returned = earned
            if settings.baseline:
                own = [rewards[i] for i, number in enumerate(numbers) if number == numbers[place]]
                returned = earned - sum(own) / len(own)
            distances = (old[place] - far[place]).tolist()
            costs = [settings.beta * bounded_by(kl, settings.kl_clip) for kl in distances]
            returns.append([returned - sum(costs[token:]) for token in range(len(costs))])
        every = [value for row in returns for value in row]
        mean = sum(every) / len(every)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in every) / len(every))
        for _ in range(settings.epochs_per_batch):
            losses, clipped = [], []
            for place, row in enumerate(returns):
                new = log_probabilities(model, asked[place], said[place])
                for token, value in enumerate(row):
                    advantage = (value - mean) / deviation
                    ratio = (new[token] - old[place][token]).exp()
                    bounded = ratio.clamp(1 - settings.clip, 1 + settings.clip)
                    losses.append(-torch.min(ratio * advantage, bounded * advantage))
                    clipped.append(bool(bounded * advantage < ratio * advantage))
            optimizer.zero_grad()
            torch.stack(losses).mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            shares.append(sum(clipped) / len(clipped))
    return shares


@pytest.mark.parametrize(
    ("baseline", "epochs", "rows_per_pass", "bounds"),
    [
        (False, 1, None, {}),
        (True, 3, None, {}),
        (True, 1, 4, {}),
        (False, 1, None, {"reward_clip": 0.5}),
        (True, 1, None, {"kl_clip": 0.01}),
    ],
)
def test_updates_are_those_of_a_loop_written_by_hand(
    baseline: bool,
    epochs: int,
    rows_per_pass: int | None,
    bounds: dict[str, float],
    tmp_path: Path,
) -> None:
    settings = ReinforceSettings(
        steps=2,
        prompts=3,
        samples=4,
        baseline=baseline,
        beta=0.5,
        epochs_per_batch=epochs,
        learning_rate=3e-3,
        max_new_tokens=LONGEST,
        rows_per_pass=rows_per_pass,
        **bounds,  # type: ignore[arg-type]
    )
    model, tokenizer = small_policy()
    plain = copy.deepcopy(model)
    recorder, rows = Recorder(), []
    before = weights_of(model)
    run_reinforce(
        model, tokenizer, PROMPTS, recorder, settings, checkpoints=tmp_path, log=rows.append
    )
    shares = by_hand(plain, tokenizer, recorder.batches, settings)
    assert len(recorder.batches) == 2
    trained = model.state_dict()
    distances = torch.cat(
        [(trained[name] - value).abs().flatten() for name, value in plain.state_dict().items()]
    )
    # Adam makes a whole step of a gradient that is nothing but rounding: a weight in thousands.
    assert (distances <= 1e-5).float().mean() > 0.999
    assert not any(torch.equal(value, before[name]) for name, value in trained.items())
    found = [row["clip_share"] for row in rows]
    wanted = [float(np.mean(shares[step * epochs : (step + 1) * epochs])) for step in range(2)]
    assert found == pytest.approx(wanted)
    assert rows[0]["kl"] == pytest.approx(0.0, abs=1e-6)
    assert abs(rows[1]["kl"]) > 1e-3
    if epochs > 1:
        assert max(found) > 0.05


def run_to(
    steps: int,
    folder: Path,
    *,
    model: Any = None,
    tensorboard: Path | None = None,
    look: Callable[[Any], Mapping[str, float]] | None = None,
) -> tuple[Any, list[dict[str, float]], Recorder]:
    fresh, tokenizer = small_policy()
    settings = ReinforceSettings(
        steps=steps,
        prompts=4,
        samples=2,
        learning_rate=3e-3,
        max_new_tokens=LONGEST,
        checkpoint_every=3,
        seed=5,
    )
    rows: list[dict[str, float]] = []
    recorder = Recorder()
    trained = run_reinforce(
        fresh if model is None else model,
        tokenizer,
        PROMPTS,
        recorder,
        settings,
        checkpoints=folder,
        log=lambda row: rows.append(dict(row)),
        tensorboard=tensorboard,
        look=look,
    )
    return trained, rows, recorder


def without_seconds(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_a_run_that_was_stopped_comes_to_the_same_weights_and_the_same_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, rows, _ = run_to(6, tmp_path / "whole")
    _, first, _ = run_to(3, tmp_path / "parts")
    # A checkpoint that was being written when the machine stopped does not count.
    (tmp_path / "parts" / "checkpoint-4").mkdir()
    torch.manual_seed(99)
    rest, second, recorder = run_to(6, tmp_path / "parts", tensorboard=tmp_path / "events")
    assert len(first) == len(recorder.batches) == 3
    assert [row["step"] for row in second] == [1, 2, 3, 4, 5, 6]
    assert without_seconds(second) == without_seconds(rows)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, rest.state_dict()[name]), name
    last = tmp_path / "whole" / "checkpoint-6"
    assert (last / "model.safetensors").is_file()
    assert not list((tmp_path / "whole").rglob("pytorch_model.bin"))
    assert capsys.readouterr().out == ""

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "events")).Reload()
    assert [event.step for event in events.Scalars("even")] == [1, 2, 3, 4, 5, 6]
    # one file, whose name does not have the machine's
    assert [file.name for file in (tmp_path / "events").iterdir()] == ["events.out.tfevents"]
    assert [event.value for event in events.Scalars("reward")] == pytest.approx(
        [row["reward"] for row in rows]
    )


def test_the_model_is_looked_at_with_each_checkpoint_and_the_training_is_the_same(
    tmp_path: Path,
) -> None:
    _, rows, _ = run_to(5, tmp_path / "unseen")
    seen: list[Any] = []

    def look(model: Any) -> dict[str, float]:
        assert not model.training
        seen.append(model.lm_head.weight.detach().clone())
        return {"held_out_accepted": float(len(seen))}

    run_to(3, tmp_path / "seen", look=look)
    trained, found, _ = run_to(5, tmp_path / "seen", look=look)
    looks = [row.pop("held_out_accepted", None) for row in found]
    assert looks == [None, None, 1.0, None, 2.0]  # the first is of the part before the stop
    assert without_seconds(found) == without_seconds(rows)
    assert torch.equal(seen[-1], trained.lm_head.weight)


def test_checkpoints_of_another_run_are_refused(tmp_path: Path) -> None:
    run_to(1, tmp_path)
    other, _ = small_policy()
    with torch.no_grad():
        other.lm_head.weight.mul_(2.0)
    with pytest.raises(SettingsError, match="another model; give another folder"):
        run_to(2, tmp_path, model=other)


def test_what_a_reward_pays_for_becomes_common(tmp_path: Path) -> None:
    def share_of_one_word(
        numbers: Sequence[int], texts: Sequence[str]
    ) -> tuple[NDArray[np.float64], Mapping[str, float]]:
        return np.array([text.split().count("w7") / LONGEST for text in texts]), {}

    model, tokenizer = small_policy()
    rows: list[Mapping[str, float]] = []
    settings = ReinforceSettings(
        steps=20,
        prompts=6,
        samples=4,
        learning_rate=1e-2,
        max_new_tokens=LONGEST,
        seed=1,
    )
    run_reinforce(
        model, tokenizer, PROMPTS, share_of_one_word, settings, checkpoints=tmp_path,
        log=rows.append,
    )  # fmt: skip
    rewards = [row["reward"] for row in rows]
    assert np.mean(rewards[:3]) < 0.1
    assert np.mean(rewards[-3:]) > 0.5
    assert rows[-1]["kl"] > 0.2
    assert rows[-1]["entropy"] < rows[0]["entropy"]
    assert all(row["length"] <= LONGEST and 0 <= row["ended"] <= 1 for row in rows)
    # The model generates with the weights that were trained, and so does a copy.
    asked = tokenizer("w3", return_tensors="pt")["input_ids"]
    said = model.generate(asked, max_new_tokens=LONGEST, do_sample=False)
    assert tokenizer.decode(said[0]).split().count("w7") >= 3
    assert "forward" not in vars(model)


@pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="peft is not installed")
@pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)  # PEFT
def test_of_a_model_with_an_adapter_only_the_adapter_is_trained_and_a_stop_changes_nothing(
    tmp_path: Path,
) -> None:
    from peft import LoraConfig, get_peft_model

    def adapted() -> Any:
        model, _ = small_policy()
        torch.manual_seed(1)
        return get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))

    before = weights_of(adapted())
    whole, rows, _ = run_to(6, tmp_path / "whole", model=adapted())
    run_to(3, tmp_path / "parts", model=adapted())
    rest, again, _ = run_to(6, tmp_path / "parts", model=adapted())
    assert without_seconds(again) == without_seconds(rows)
    assert rows[0]["kl"] == pytest.approx(0.0, abs=1e-6)
    after = weights_of(whole)
    assert after.keys() == before.keys()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {name for name in after if "lora" in name}
    for name, value in rest.state_dict().items():
        assert torch.equal(value, after[name]), name
    assert (tmp_path / "whole" / "checkpoint-6" / "adapter_model.safetensors").is_file()


def test_more_steps_begin_with_the_prompts_that_fewer_have() -> None:
    short, long = (order_of_prompts(5, steps, 3, seed=2) for steps in (4, 9))
    assert short.tolist() == long[:4].tolist()
    for start in range(0, 25, 5):
        assert sorted(long.reshape(-1)[start : start + 5].tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"samples": 1}, "samples is 1; give 2 or more"),
        ({"steps": 0}, "steps is 0; give 1 or more"),
        ({"temperature": 0.0}, "temperature is 0.0; give more than 0"),
        ({"beta": -1.0}, "beta is -1.0; give 0 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ReinforceSettings(**settings)


def test_passes_that_do_not_divide_the_texts_are_refused(tmp_path: Path) -> None:
    settings = ReinforceSettings(prompts=3, samples=2, rows_per_pass=4)
    with pytest.raises(SettingsError, match="give a divisor of 6"):
        run_reinforce(
            *small_policy(), PROMPTS, Recorder(), settings, checkpoints=tmp_path, log=print
        )


def test_a_reward_that_is_not_a_number_stops_the_run(tmp_path: Path) -> None:
    def broken(
        numbers: Sequence[int], texts: Sequence[str]
    ) -> tuple[NDArray[np.float64], Mapping[str, float]]:
        return np.full(len(texts), np.nan), {}

    settings = ReinforceSettings(steps=1, prompts=2, samples=2, max_new_tokens=2)
    with pytest.raises(ValueError, match="4 finite numbers"):
        run_reinforce(*small_policy(), PROMPTS, broken, settings, checkpoints=tmp_path, log=print)
