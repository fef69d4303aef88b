"""Fine-tune a cross-encoder on labelled pairs. Nothing here reads a file.

The trainer is sentence-transformers' own.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import SettingsError
from evalkit.relevance.classifier import load_cross_encoder
from evalkit.training.loop import loop_arguments, require_trainer, run_loop
from evalkit.training.processes import number_of_processes, per_process
from evalkit.training.soft_pairs import pair_anew

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

    from evalkit.models import ModelFiles
    from evalkit.relevance.pair_features import PairFeatures
    from evalkit.training.classifier import ClassifierSettings
    from evalkit.training.examples import Examples

__all__ = ["fit_cross_encoder"]

_HEAD = r"(^|\.)2\.linear\."  # the layer over mean pooling
_FASTER = 10


def fit_cross_encoder(
    files: ModelFiles,
    examples: Examples,
    settings: ClassifierSettings,
    *,
    features: PairFeatures | None = None,
    watched: Examples | None = None,
) -> CrossEncoder:
    """Fine-tune a model on examples, with a bar on standard error.

    Args:
        files: of the encoder or cross-encoder to begin with.
        examples: what it learns.
        settings: how.
        features: what is known of pairs without the model; with it, pairs of queries and texts
            that were not graded together are learnt too.
        watched: examples whose loss decides when to stop; needed for `patience`.

    Raises:
        ModelError: a package is missing, or the model cannot be loaded.
        SettingsError: there is only one grade to learn.
    """
    require_trainer("Training a classifier")
    if len(np.unique(examples.label)) < 2:
        raise SettingsError("The examples to learn from are all of one grade; there is nothing to "
                            "tell apart.")  # fmt: skip
    model = load_cross_encoder(
        files,
        settings.max_length,
        labels=len(examples.grades),
        device=settings.device,
        seed=settings.seed,
    )
    if number_of_processes() > 1 and _has_head(model):
        _freeze_unread(model)
    chosen = _dataset(_balanced(examples, settings), features, settings)
    run_loop(
        settings.epochs * -(-len(chosen) // settings.batch_size),
        lambda folder: _trainer(model, chosen, examples, settings, folder, watched),
    )
    model.eval()
    return model


def _trainer(
    model: CrossEncoder,
    chosen: Any,
    examples: Examples,
    settings: ClassifierSettings,
    folder: str,
    watched: Examples | None,
) -> Any:
    import torch
    from sentence_transformers.cross_encoder import (
        CrossEncoderTrainer,
        CrossEncoderTrainingArguments,
    )
    from sentence_transformers.cross_encoder.losses import CrossEntropyLoss
    from transformers import EarlyStoppingCallback

    class ShareLoss(CrossEntropyLoss):
        """Cross entropy where the label of a pair is a share for every grade."""

        def forward(
            self, inputs: Any, labels: Any, prompt: str | None = None, task: str | None = None
        ) -> Any:
            shares = torch.stack(list(labels)).to(model.device)
            return super().forward(inputs, shares, prompt, task)

    weight = None
    if settings.balance == "weights":
        share = np.bincount(examples.label, minlength=len(examples.grades)) / len(examples)
        found = np.where(share > 0, 1 / np.maximum(share, 1e-9), 0.0)
        weight = torch.tensor(found / found[share > 0].mean(), dtype=torch.float32).to(model.device)
    callbacks: list[Any] = []
    stopping: dict[str, Any] = {"save_strategy": "no", "eval_strategy": "no"}
    if settings.patience and watched is not None:
        stopping = {
            "save_strategy": "epoch",
            "eval_strategy": "epoch",
            "save_total_limit": 1,
            "load_best_model_at_end": True,
            "metric_for_best_model": "eval_loss",
            "greater_is_better": False,
        }
        callbacks.append(EarlyStoppingCallback(settings.patience))
    arguments = CrossEncoderTrainingArguments(
        output_dir=folder,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=per_process(settings.batch_size),
        per_device_eval_batch_size=per_process(settings.batch_size),
        dataloader_drop_last=number_of_processes() > 1,
        ddp_find_unused_parameters=False,
        learning_rate=settings.learning_rate,
        # A fresh layer is far from where it should be; the layers below it are not.
        learning_rate_mapping={_HEAD: _FASTER * settings.learning_rate} if _has_head(model) else {},
        warmup_steps=0.1,
        weight_decay=0.01,
        **loop_arguments(model, settings.seed),
        **stopping,
    )
    return CrossEncoderTrainer(
        model=model,
        args=arguments,
        train_dataset=chosen,
        eval_dataset=_dataset(watched) if watched is not None and settings.patience else None,
        loss=ShareLoss(model, weight=weight),
        callbacks=callbacks,
    )


def _has_head(model: CrossEncoder) -> bool:
    return any(re.search(_HEAD, name) for name, _ in model.named_parameters())


def _freeze_unread(model: CrossEncoder) -> None:
    """Freeze what mean pooling passes over: several processes would wait for its gradient."""
    for name, weights in model.named_parameters():
        if ".pooler." in name:
            weights.requires_grad_(False)


def _dataset(
    examples: Examples,
    features: PairFeatures | None = None,
    settings: ClassifierSettings | None = None,
) -> Any:
    datasets: Any = importlib.import_module("datasets")
    first, second = list(examples.first), list(examples.second)
    shares = np.eye(len(examples.grades))[examples.label]
    if features is not None and settings is not None and settings.paired_anew:
        made = pair_anew(
            examples, features, round(settings.paired_anew * len(examples)), settings.seed
        )
        first, second = first + list(made.first), second + list(made.second)
        shares = np.vstack([shares, made.shares])
    return datasets.Dataset.from_dict(
        {"first": first, "second": second, "label": shares.astype(np.float32).tolist()}
    )


def _balanced(examples: Examples, settings: ClassifierSettings) -> Examples:
    """Draw every grade equally often where that is asked for; as many examples as before."""
    if settings.balance != "sampling":
        return examples
    rng = np.random.default_rng(settings.seed)
    grades = np.unique(examples.label)
    each = -(-len(examples) // len(grades))
    drawn = []
    for grade in grades:
        own = np.flatnonzero(examples.label == grade)
        # Whole rounds first, so that no example is left out while another comes twice.
        rounds = [rng.permutation(own) for _ in range(-(-each // len(own)))]
        drawn.append(np.concatenate(rounds)[:each])
    return examples.take(np.sort(np.concatenate(drawn)))
