"""Fine-tune a cross-encoder on labelled pairs, and measure it on queries it has not seen.

Nothing here reads a file. The trainer is sentence-transformers' own, in float32 everywhere: half
precision is many times slower on CPUs that lack it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evalkit.errors import ModelError, SettingsError
from evalkit.models import require_models_extra
from evalkit.progress import progress_bar
from evalkit.relevance.calibrating import (
    CALIBRATIONS,
    Calibration,
    choose_method,
    fit_calibration,
)
from evalkit.relevance.classifier import load_cross_encoder, quiet_transformers, score_pairs
from evalkit.relevance.thresholds import describe
from evalkit.training.soft_pairs import pair_anew

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sentence_transformers import CrossEncoder

    from evalkit.models import ModelFiles
    from evalkit.relevance.pair_features import PairFeatures

__all__ = [
    "ClassifierSettings",
    "Examples",
    "calibrate_model",
    "cross_fit",
    "fit_cross_encoder",
    "split_groups",
]

_FOLDS = 5
_HEAD = r"(^|\.)2\.linear\."  # the layer over mean pooling
_FASTER = 10


@dataclass(frozen=True)
class Examples:
    """Labelled pairs of texts.

    Attributes:
        group: what must not be torn apart when examples are held out (the query or its family).
        first: the query.
        second: the product's text, or the rewrite.
        label: the place of the pair's grade among `grades`, int64[n].
        grades: the grades, ascending.
        good: pairs of this grade or more are good.
    """

    group: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    label: NDArray[np.int64]
    grades: tuple[float, ...]
    good: float

    def __len__(self) -> int:
        return len(self.first)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the two texts of each pair."""
        return list(zip(self.first, self.second, strict=True))

    def is_good(self) -> NDArray[np.bool_]:
        """Tell for each pair whether its grade is good, bool[n]."""
        return np.asarray(np.asarray(self.grades)[self.label] >= self.good)

    def take(self, places: NDArray[np.integer[Any]]) -> Examples:
        """Return the examples at some places."""
        chosen = places.tolist()
        return replace(
            self,
            group=tuple(self.group[place] for place in chosen),
            first=tuple(self.first[place] for place in chosen),
            second=tuple(self.second[place] for place in chosen),
            label=self.label[places],
        )


@dataclass(frozen=True)
class ClassifierSettings:
    """How a classifier is trained.

    Attributes:
        epochs: passes over the examples.
        learning_rate: at its highest; it rises over the first tenth and then falls to 0.
        batch_size: pairs a step.
        max_length: tokens of a pair that are read.
        heldout: share of the pairs that is kept from training, whole queries only, for
            calibration, thresholds and figures.
        balance: `none`; `weights` weighs every grade's loss by its rarity; `sampling` draws every
            grade equally often.
        calibration: `auto` (which is `stacked`), `temperature`, `isotonic` or `none`.
        precisions: targets for which thresholds are sought.
        patience: epochs without a better held-out loss before training stops and the best epoch
            is taken; 0 trains all epochs.
        paired_anew: of queries and products: how many pairs that were not graded together are
            learnt beside each graded one (see `evalkit.training.soft_pairs`).
        seed: of fresh weights, the order of examples, dropout and what is held out.
        device: where it runs.
    """

    epochs: int = 1
    learning_rate: float = 1e-4
    batch_size: int = 16
    max_length: int = 128
    heldout: float = 0.2
    balance: Literal["none", "weights", "sampling"] = "none"
    calibration: str = "auto"
    precisions: tuple[float, ...] = (0.8, 0.9, 0.95)
    patience: int = 0
    paired_anew: float = 0.5
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.patience < 0:
            raise SettingsError("--epochs and --batch-size are 1 or more, --patience 0 or more.")
        if not 0 < self.learning_rate < 1:
            raise SettingsError(f"--learning-rate is {self.learning_rate}; it is between 0 and 1.")
        if not 8 <= self.max_length <= 8192:
            raise SettingsError(f"--max-length is {self.max_length}; it is from 8 to 8192 tokens.")
        if not 0 <= self.paired_anew <= 10:
            raise SettingsError(f"paired_anew is {self.paired_anew}; it is from 0 to 10.")
        if not 0 < self.heldout < 0.9:
            raise SettingsError(
                f"--held-out is {self.heldout}; it is a share above 0 and below 0.9."
            )
        if self.balance not in ("none", "weights", "sampling"):
            raise SettingsError(f"--balance {self.balance!r} is unknown.")
        if self.calibration not in CALIBRATIONS:
            raise SettingsError(f"--calibration is one of {', '.join(CALIBRATIONS)}.")
        if not self.precisions or not all(0 < each <= 1 for each in self.precisions):
            raise SettingsError("--precision holds numbers above 0 and up to 1.")


def split_groups(
    groups: Sequence[str], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split examples into two parts so that no group is in both.

    Args:
        groups: the group of each example.
        share: of the examples, that the second part shall have; whole groups come close to it.
        seed: of the draw.

    Returns:
        The places of the first part and of the second, ascending.

    Raises:
        SettingsError: there are fewer than two groups.

    Example:
        >>> kept, out = split_groups(["a", "a", "b", "c", "c"], 0.4, seed=0)
        >>> len(kept), len(out)
        (3, 2)
    """
    names, place, sizes = np.unique(
        np.array(list(groups), dtype=object).astype(str), return_inverse=True, return_counts=True
    )
    if len(names) < 2:
        raise SettingsError(
            "All examples are of one query (or family); a part to hold out needs two or more."
        )
    order = np.random.default_rng(seed).permutation(len(names))
    filled = np.cumsum(sizes[order])
    # As many whole groups as come closest to the share, one at least and all but one at most.
    wanted = share * len(place)
    count = int(np.argmin(np.abs(filled[:-1] - wanted))) + 1
    outside = np.zeros(len(names), dtype=bool)
    outside[order[:count]] = True
    return np.flatnonzero(~outside[place]), np.flatnonzero(outside[place])


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
    require_models_extra("Training a classifier", "torch", "transformers", "sentence_transformers")
    _require_trainer()
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
    from transformers import TrainerCallback

    chosen = _dataset(_balanced(examples, settings), features, settings)
    steps = settings.epochs * -(-len(chosen) // settings.batch_size)
    with (
        tempfile.TemporaryDirectory(prefix="evalkit-train-") as folder,
        progress_bar(steps, "Training", "steps") as moved,
        quiet_transformers(),
    ):

        class Moving(TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                moved(1)

        trainer = _trainer(model, chosen, examples, settings, folder, watched, [Moving()])
        trainer.train()
    model.eval()
    return model


def _trainer(
    model: CrossEncoder,
    chosen: Any,
    examples: Examples,
    settings: ClassifierSettings,
    folder: str,
    watched: Examples | None,
    callbacks: list[Any],
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
        callbacks = [*callbacks, EarlyStoppingCallback(settings.patience)]
    arguments = CrossEncoderTrainingArguments(
        output_dir=folder,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        # A fresh layer is far from where it should be; the layers below it are not.
        learning_rate_mapping={_HEAD: _FASTER * settings.learning_rate} if _has_head(model) else {},
        warmup_steps=0.1,
        weight_decay=0.01,
        bf16=False,
        fp16=False,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        use_cpu=model.device.type == "cpu",
        report_to="none",
        logging_strategy="no",
        disable_tqdm=True,
        seed=settings.seed,
        data_seed=settings.seed,
        **stopping,
    )
    trainer = CrossEncoderTrainer(
        model=model,
        args=arguments,
        train_dataset=chosen,
        eval_dataset=_dataset(watched) if watched is not None and settings.patience else None,
        loss=ShareLoss(model, weight=weight),
        callbacks=callbacks,
    )
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)  # prints to standard output
    return trainer


def _has_head(model: CrossEncoder) -> bool:
    return any(re.search(_HEAD, name) for name, _ in model.named_parameters())


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


def _require_trainer() -> None:
    missing = [name for name in ("accelerate", "datasets") if not importlib.util.find_spec(name)]
    if missing:
        raise ModelError(
            f"Training a classifier needs {', '.join(missing)}, which is not installed; run: "
            "pip install 'evalkit-search[train]'"
        )
    # The library asks the hub for a model card's data unless told not to.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def cross_fit(
    logits: NDArray[np.float64],
    examples: Examples,
    method: str,
    seed: int,
    features: NDArray[np.float64] | None = None,
    more: tuple[NDArray[np.float64], NDArray[np.int64]] | None = None,
) -> NDArray[np.float64]:
    """Return probabilities of grades from calibrations that did not see the pair's query.

    Held-out queries are dealt to five parts; each is calibrated by the other four, and by `more`:
    features and labels of pairs of other queries.
    """
    result = np.zeros_like(logits)
    names, place = np.unique(np.array(examples.group, dtype=object).astype(str),
                             return_inverse=True)  # fmt: skip
    folds = min(_FOLDS, len(names))
    part = np.empty(len(names), dtype=np.int64)
    part[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % folds
    chosen = choose_method(method)

    def of(places: NDArray[np.bool_]) -> NDArray[np.float64] | None:
        return features[places] if features is not None else None

    for fold in range(folds):
        inside = part[place] == fold
        if folds == 1:
            result[inside] = Calibration("none").probabilities(logits[inside])
            continue
        learned = fit_calibration(
            logits[~inside], examples.label[~inside], chosen, of(~inside), more
        )
        result[inside] = learned.probabilities(logits[inside], of(inside))
    return result


def calibrate_model(
    model: CrossEncoder,
    heldout: Examples,
    settings: ClassifierSettings,
    features: PairFeatures | None = None,
    learned: Examples | None = None,
) -> dict[str, Any]:
    """Calibrate a trained model on held-out pairs; return what `calibration.json` holds of it.

    Args:
        model: gives scores.
        heldout: pairs that it has not learned from.
        settings: how.
        features: what else the calibration may read of a pair; only `stacked` does.
        learned: the pairs that the model has learned from. The features were not trained on them,
            so what the features say of a grade is learned from them too.

    Raises:
        SettingsError: the held-out pairs are all good or all not.
    """
    good = heldout.is_good()
    if good.all() or not good.any():
        raise SettingsError(
            f"All {len(heldout):,} held-out pairs are {'good' if good.all() else 'not good'}; "
            "give more queries, a larger --held-out, another --seed or another --good."
        )
    with progress_bar(len(heldout), "Scoring held-out pairs", "pairs") as moved:
        logits = score_pairs(model, heldout.pairs(), settings.batch_size, moved)
    method = choose_method(settings.calibration)
    used = features if method == "stacked" else None
    known = used.of(heldout.pairs()) if used is not None else None
    more = None
    if used is not None and learned is not None:
        more = used.of(learned.pairs()), learned.label
    calibration = fit_calibration(logits, heldout.label, method, known, more)
    wanted = np.asarray(heldout.grades) >= heldout.good
    unseen = cross_fit(logits, heldout, settings.calibration, settings.seed, known, more)
    # What is compared with a threshold later is float32.
    after = unseen[:, wanted].sum(axis=1).clip(0.0, 1.0).astype(np.float32)
    figures = describe(
        Calibration("none").probabilities(logits)[:, wanted].sum(axis=1),
        after,
        good,
        settings.precisions,
        heldout.group,
    )
    read = {"features": used.to_json()} if used is not None else {}
    return {**calibration.to_json(), **read, **figures}
