"""The warm start of a rewriter: it learns to say accepted rewrites before any reward is given.

Only the answer is learnt, not the query before it. A model from scratch is for shops without a
model: a small Llama whose words are those of the shop; it learns the queries too, since nothing
else teaches it words. Nothing here knows rewards.
"""

from __future__ import annotations

import importlib
import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from evalkit.relevance.classifier import quiet_transformers
from evalkit.rewriting.policy import completion_of
from evalkit.training.loop import last_checkpoint, loop_arguments, run_loop
from evalkit.training.processes import number_of_processes, per_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "SCRATCH",
    "Example",
    "SupervisedSettings",
    "add_lora",
    "merge_lora",
    "new_model",
    "spread",
    "supervise",
]

SCRATCH = 1
"""Raised when a model from scratch is built otherwise, for manifests."""

_VOCABULARY = 2048
_HIDDEN = 128
_LAYERS = 3
_POSITIONS = 512
_PAD, _END = "<|pad|>", "<|end|>"
_NOT_LEARNT = -100
_LOGGED_EVERY = 10  # steps, at most

Example = tuple[str, str]  # prompt, completion


@dataclass(frozen=True)
class SupervisedSettings:
    """How the warm start is trained.

    Attributes:
        batch_size: examples a step, over all processes.
        learning_rate: at its highest; it rises over the first steps and then falls to 0.
        checkpoint_every: steps between checkpoints.
        seed: of the order of examples.
    """

    batch_size: int
    learning_rate: float
    checkpoint_every: int
    seed: int


def new_model(texts: Iterable[str], seed: int) -> tuple[Any, Any]:
    """Make a small Llama of random weights, and a tokenizer that knows the words of some texts.

    Args:
        texts: prompts, rewrites and titles.
        seed: of the weights.

    Returns:
        The model (about a million weights) and its tokenizer.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    transformers: Any = importlib.import_module("transformers")

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=[_PAD, _END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    words.train_from_iterator(texts, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token=_PAD, eos_token=_END, padding_side="left"
    )
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=_HIDDEN,
        intermediate_size=4 * _HIDDEN,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_HIDDEN // 32,
        num_key_value_heads=_HIDDEN // 32,
        max_position_embeddings=_POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    return transformers.LlamaForCausalLM(config), tokenizer


def add_lora(model: Any, rank: int, seed: int) -> Any:
    """Return the model with a fresh adapter of low rank, which alone is trained.

    Args:
        model: a causal language model.
        rank: of the adapter's matrices.
        seed: of its weights.
    """
    import torch

    peft: Any = importlib.import_module("peft")
    torch.manual_seed(seed)
    chosen = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    with quiet_transformers():  # peft asks for what transformers has renamed
        return peft.get_peft_model(model, chosen)


def merge_lora(model: Any) -> Any:
    """Return the model with its adapter, if it has one, worked into its weights."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def spread(
    prompts: Sequence[str],
    rewrites: Sequence[Sequence[str]],
    candidates: int,
    passes: int,
    seed: int,
) -> list[Example]:
    """Return what is learnt: in every pass each prompt once, with other rewrites where it has more.

    Args:
        prompts: one a query.
        rewrites: accepted ones of each query.
        candidates: rewrites an example, at most.
        passes: how often each prompt comes.
        seed: of the choice and the order of rewrites.

    Example:
        >>> spread(["a =>"], [["x", "y", "z"]], 2, 1, seed=0)
        [('a =>', ' y ; x')]
    """
    drawn = random.Random(f"{seed}")  # noqa: S311 - a choice, not a secret
    return [
        (prompt, completion_of(drawn.sample(list(own), min(candidates, len(own)))))
        for _ in range(passes)
        for prompt, own in zip(prompts, rewrites, strict=True)
    ]


def supervise(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    settings: SupervisedSettings,
    folder: Path,
    watched: Sequence[Example] = (),
    *,
    whole: bool = False,
) -> list[dict[str, float]]:
    """Train a model in place, from the last checkpoint in the folder where there is one.

    Args:
        model: where it shall be trained.
        tokenizer: its tokenizer.
        examples: all passes.
        settings: how.
        folder: of checkpoints.
        watched: examples whose loss is measured at the end.
        whole: learn the prompts too, as a new model must: nothing else teaches it words.

    Returns:
        Rows of step and loss, every tenth step or oftener; the last has `held_out_loss` if examples
        are watched.
    """
    transformers: Any = importlib.import_module("transformers")
    learnt = [_tokens(tokenizer, example, whole=whole) for example in examples]
    batch_size = per_process(settings.batch_size)
    steps = -(-len(learnt) // (batch_size * number_of_processes()))
    # A loss is the mean since the last row, so a row that a stop cut in two would be another.
    logged = min(_LOGGED_EVERY, settings.checkpoint_every)
    checkpoint, done = last_checkpoint(folder, steps)
    made: list[Any] = []

    def make(_: str) -> Any:
        arguments = transformers.TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=1,
            per_device_train_batch_size=batch_size,
            per_device_eval_batch_size=batch_size,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=min(20, steps // 5),
            weight_decay=0.01,
            ddp_find_unused_parameters=False,
            save_strategy="steps",
            save_steps=settings.checkpoint_every // logged * logged,
            save_total_limit=1,
            **{
                **loop_arguments(model, settings.seed),
                "logging_strategy": "steps",
                "logging_steps": logged,
            },
        )
        trainer = transformers.Trainer(
            model=model,
            args=arguments,
            train_dataset=learnt,
            data_collator=partial(_batch, pad=tokenizer.pad_token_id),
        )
        made.append(trainer)
        return trainer

    run_loop(steps, make, checkpoint=checkpoint, done=done)
    trainer = made[0]
    rows: list[dict[str, float]] = [
        {"step": int(row["step"]), "loss": float(row["loss"])}
        for row in trainer.state.log_history
        if "loss" in row
    ]
    if watched:
        found = trainer.evaluate([_tokens(tokenizer, example) for example in watched])
        rows.append({"step": steps, "held_out_loss": float(found["eval_loss"])})
    model.eval()
    return rows


def _tokens(tokenizer: Any, example: Example, *, whole: bool = False) -> dict[str, list[int]]:
    prompt, completion = example
    asked = tokenizer(prompt)["input_ids"]
    said = tokenizer(completion, add_special_tokens=False)["input_ids"]
    said = [*said, tokenizer.eos_token_id]
    before = asked if whole else [_NOT_LEARNT] * len(asked)
    return {"input_ids": [*asked, *said], "labels": [*before, *said]}


def _batch(rows: Sequence[Mapping[str, Sequence[int]]], pad: int) -> dict[str, Any]:
    import torch

    width = max(len(row["input_ids"]) for row in rows)

    def filled(name: str, value: int) -> Any:
        return torch.tensor([[*row[name], *[value] * (width - len(row[name]))] for row in rows])

    mask = [[1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in rows]
    return {
        "input_ids": filled("input_ids", pad),
        "labels": filled("labels", _NOT_LEARNT),
        "attention_mask": torch.tensor(mask),
    }
