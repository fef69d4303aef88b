"""Fine-tune an encoder on queries and their products. Nothing here reads a table.

The trainer is sentence-transformers' own, and so is what keeps a text from coming twice into a
batch: pairs of one query are never in one. The dev queries choose the checkpoint that is kept.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import SettingsError
from evalkit.training.loop import last_checkpoint, loop_arguments, run_loop
from evalkit.training.processes import number_of_processes
from evalkit.training.retriever_evaluating import figures, steering
from evalkit.training.retriever_loss import open_loss

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from evalkit.retrieval.encoder import SentenceEncoder
    from evalkit.training.retriever import RetrieverSettings
    from evalkit.training.retriever_data import LabelledPairs
    from evalkit.training.retriever_evaluating import DevQueries
    from evalkit.training.retriever_examples import Examples

__all__ = ["Collator", "Fitted", "batch_keys", "fit_retriever"]

_STEERS = "eval_steering"
_LINES = 40  # of the log, between evaluations
_TOGETHER = 16  # products


@dataclass(frozen=True)
class Fitted:
    """How a training went.

    Attributes:
        log: a row for every few steps, and for every evaluation; the first is of the model as it
            was before.
        best_step: the step whose weights the model has now.
        steps: how many were done.
        resumed: at which step it went on from a checkpoint; 0 from the beginning.
    """

    log: tuple[dict[str, Any], ...]
    best_step: int
    steps: int
    resumed: int


def fit_retriever(
    encoder: SentenceEncoder,
    pairs: LabelledPairs,
    examples: Examples,
    known: Sequence[frozenset[int]],
    dev: DevQueries,
    settings: RetrieverSettings,
    *,
    margins: NDArray[np.float32] | None = None,
    checkpoints: Path,
) -> Fitted:
    """Train an encoder in place, with a bar on standard error.

    Args:
        encoder: what is trained.
        pairs: the texts.
        examples: what is learnt.
        known: for every query the products that do not count as wrong for it.
        dev: queries that choose the checkpoint; without any, the last weights stay.
        settings: how.
        margins: of the teacher, for every example with a hard negative; None distils nothing.
        checkpoints: a folder for them; a run goes on from the last one in it.

    Raises:
        SettingsError: there are too few examples for several processes.
    """
    model = encoder.model
    steps = settings.epochs * _steps_of_an_epoch(len(examples), settings.batch_size)
    own_length = model.max_seq_length
    log: list[dict[str, Any]] = []
    if dev.queries:
        log.append({"step": 0, "epoch": 0.0, "dev": _ordered(figures(dev, encoder))})

    def evaluate() -> dict[str, float]:
        shorter, model.max_seq_length = model.max_seq_length, own_length
        found = figures(dev, encoder)
        model.max_seq_length = shorter
        flat = {
            f"{name}/{what}": value for name, row in found.items() for what, value in row.items()
        }
        return {"steering": steering(found), **flat}

    trainers: list[Any] = []

    def make(_: str) -> Any:
        trainers.append(
            _trainer(
                encoder,
                pairs,
                examples,
                Collator(encoder, pairs, examples, known, margins),
                settings,
                evaluate if dev.queries else None,
                steps,
                checkpoints,
            )
        )
        return trainers[0]

    checkpoint, done = last_checkpoint(checkpoints, steps)
    if settings.max_length is not None:
        model.max_seq_length = min(settings.max_length, own_length or settings.max_length)
    try:
        run_loop(steps, make, checkpoint=checkpoint, done=done)
    finally:
        model.max_seq_length = own_length
    model.eval()
    state = trainers[0].state
    best = state.best_global_step if dev.queries else None
    log += [row for entry in state.log_history if (row := _log_row(entry)) is not None]
    return Fitted(tuple(log), best or state.global_step, state.global_step, done)


def _steps_of_an_epoch(examples: int, batch_size: int) -> int:
    several = number_of_processes()
    if several == 1:
        return -(-examples // batch_size)
    if examples < several * batch_size:
        raise SettingsError(
            f"{examples} pairs are too few for {several} processes that learn {batch_size} a step "
            "each; give a smaller --batch-size, or fewer processes."
        )
    return examples // batch_size // several  # all have whole batches, and equally many


def _trainer(
    encoder: SentenceEncoder,
    pairs: LabelledPairs,
    examples: Examples,
    collator: Any,
    settings: RetrieverSettings,
    evaluate: Any,
    steps: int,
    checkpoints: Path,
) -> Any:
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.evaluation import BaseEvaluator
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler
    from transformers import EarlyStoppingCallback, TrainerCallback

    datasets: Any = importlib.import_module("datasets")

    class Asking(BaseEvaluator):
        def __call__(self, *_: Any, **__: Any) -> dict[str, float]:
            found: dict[str, float] = evaluate()
            return found

    asking: Any = Asking

    class AtTheEnd(TrainerCallback):
        """The last step is evaluated and saved too, wherever the steps between stand."""

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps:
                control.should_save = True
                control.should_evaluate = evaluate is not None

    callbacks: list[Any] = [AtTheEnd()]
    every = max(1, -(-steps // settings.evaluations))
    more: dict[str, Any] = {"save_strategy": "steps", "save_steps": every, "save_total_limit": 1}
    if evaluate is not None:
        more |= {
            "eval_strategy": "steps",
            "eval_steps": every,
            "load_best_model_at_end": True,
            "metric_for_best_model": _STEERS,
            "greater_is_better": True,
        }
        if settings.patience:
            callbacks.append(EarlyStoppingCallback(settings.patience))
    keys = datasets.Dataset.from_dict(batch_keys(pairs, examples))

    class Apart(SentenceTransformerTrainer):
        """The trainer with the library's NO_DUPLICATES, which sees texts where it has numbers."""

        def get_batch_sampler(self, dataset: Any, *arguments: Any, **chosen: Any) -> Any:
            return NoDuplicatesBatchSampler(keys, *arguments, **chosen)

    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        dataloader_drop_last=number_of_processes() > 1,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup,
        weight_decay=0.01,
        **{
            **loop_arguments(encoder.model, settings.seed),
            "logging_strategy": "steps",
            "logging_steps": max(1, steps // _LINES),
            "restore_callback_states_from_checkpoint": True,
        },
        **more,
    )
    return Apart(
        model=encoder.model,
        args=arguments,
        train_dataset=datasets.Dataset.from_dict({"row": list(range(len(examples)))}),
        evaluator=asking() if evaluate is not None else None,
        data_collator=collator,
        loss=open_loss(
            encoder.model,
            scale=1 / settings.temperature,
            distil_weight=settings.distil_weight if collator.margins is not None else 0.0,
            cached=settings.cached,
            mini_batch=settings.mini_batch,
        ),
        callbacks=callbacks,
    )


def batch_keys(pairs: LabelledPairs, examples: Examples) -> dict[str, list[str]]:
    """Return the texts of which none may come twice into a batch.

    An example without a hard negative has a key of its own there, so that it clashes with none.
    """
    negatives = [
        pairs.texts[product] if product >= 0 else f"{row} has none"
        for row, product in enumerate(examples.negative.tolist())
    ]
    return {
        "query": [pairs.queries[query] for query in examples.query.tolist()],
        "positive": [pairs.texts[product] for product in examples.positive.tolist()],
        "negative": negatives,
    }


class Collator:
    """Turn the numbers of examples into tokens; the hard negatives are those that there are.

    The products of a batch are the right ones of its examples, and then their hard negatives. The
    label `known` marks those that do not count as wrong for a query, bool[examples, products]: what
    is known to be good, but neither its own right one nor its own hard negative. `place` says where
    each product's text was encoded.
    """

    valid_label_columns = ("label",)

    def __init__(
        self,
        encoder: SentenceEncoder,
        pairs: LabelledPairs,
        examples: Examples,
        known: Sequence[frozenset[int]],
        margins: NDArray[np.float32] | None,
    ) -> None:
        self.encoder = encoder
        self.pairs = pairs
        self.examples = examples
        self.known = known
        self.margins = margins
        self.prompts = {"query": encoder.prompt("query"), "document": encoder.prompt("document")}

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the tokens and labels of some examples, each given as its `row`."""
        import torch

        rows = np.array([feature["row"] for feature in features], dtype=np.int64)
        queries, positives = self.examples.query[rows], self.examples.positive[rows]
        owner = np.flatnonzero(self.examples.negative[rows] >= 0)
        negatives = self.examples.negative[rows][owner]
        batch: dict[str, Any] = {}
        self._add(batch, "query", [self.pairs.queries[each] for each in queries], "query")
        products = np.concatenate([positives, negatives]).tolist()
        texts = [self.pairs.texts[each] for each in products]
        # Texts of a like length are encoded together: what is padded costs as much as what is read.
        order = np.argsort([len(text) for text in texts], kind="stable")
        for begin in range(0, len(order), _TOGETHER):
            piece = [texts[place] for place in order[begin : begin + _TOGETHER]]
            self._add(batch, f"product{begin}", piece, "document")
        known = np.array([[each in self.known[query] for each in products] for query in queries])
        known[np.arange(len(rows)), np.arange(len(rows))] = False
        known[owner, len(rows) + np.arange(len(owner))] = False
        label = {"known": torch.from_numpy(known), "place": torch.from_numpy(np.argsort(order))}
        if self.margins is not None:
            label["owner"] = torch.from_numpy(owner)
            label["margin"] = torch.from_numpy(self.margins[rows][owner])
        batch["label"] = label
        return batch

    def _add(self, batch: dict[str, Any], column: str, texts: list[str], kind: str) -> None:
        tokens = self.encoder.model.preprocess(texts, prompt=self.prompts[kind] or None, task=kind)
        batch |= {f"{column}_{name}": value for name, value in tokens.items()}


def _log_row(entry: dict[str, Any]) -> dict[str, Any] | None:
    """Return an entry of the trainer's history as a row of the log; None where it says nothing."""
    row: dict[str, Any] = {"step": entry["step"], "epoch": round(entry.get("epoch", 0.0), 4)}
    if _STEERS in entry:
        dev: dict[str, dict[str, float]] = {}
        for key, value in entry.items():
            name, slash, what = key.removeprefix("eval_").partition("/")
            if slash:
                dev.setdefault(name, {})[what] = value
        return {**row, "dev": _ordered(dev)}
    if "loss" in entry:
        return {**row, "loss": entry["loss"], "learning_rate": entry["learning_rate"]}
    return None


def _ordered(dev: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Sort by name: what comes from a checkpoint stands in another order."""
    return {name: dict(sorted(row.items())) for name, row in sorted(dev.items())}
