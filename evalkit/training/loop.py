"""The training loop of transformers, as every trainer here runs it.

One seed for the order of examples and dropout, float32 everywhere (half precision is many times
slower on CPUs that lack it), nothing on standard output, a bar on standard error, and no file that
is left behind. What is learned, and by which loss, is the trainer's own business; a model's fresh
weights and its device are settled where it is loaded.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from typing import TYPE_CHECKING, Any

from evalkit.errors import ModelError
from evalkit.models import require_models_extra
from evalkit.progress import progress_bar
from evalkit.relevance.classifier import quiet_transformers

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["loop_arguments", "require_trainer", "run_loop"]


def require_trainer(what: str) -> None:
    """Check that the packages of training are there.

    Args:
        what: how the sentence begins: `Training a classifier`.

    Raises:
        ModelError: says which package is missing and how to get it.
    """
    require_models_extra(what, "torch", "transformers", "sentence_transformers")
    missing = [name for name in ("accelerate", "datasets") if not importlib.util.find_spec(name)]
    if missing:
        raise ModelError(
            f"{what} needs {', '.join(missing)}, which is not installed; run: "
            "pip install 'evalkit-search[train]'"
        )
    # The library asks the hub for a model card's data unless told not to.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def loop_arguments(model: Any, seed: int) -> dict[str, Any]:
    """Return what the `TrainingArguments` of every trainer have in common.

    Args:
        model: what is trained, on the device where it shall be.
        seed: of the order of examples and of dropout.
    """
    return {
        "bf16": False,
        "fp16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "use_cpu": model.device.type == "cpu",
        "report_to": "none",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "seed": seed,
        "data_seed": seed,
    }


def run_loop(steps: int, make: Callable[[str], Any]) -> None:
    """Train to the end.

    Args:
        steps: how long the bar is.
        make: makes the trainer; it is given a folder that is gone afterwards.
    """
    from transformers import TrainerCallback
    from transformers.trainer_callback import PrinterCallback

    with (
        tempfile.TemporaryDirectory(prefix="evalkit-train-") as folder,
        progress_bar(steps, "Training", "steps") as moved,
        quiet_transformers(),
    ):

        class Moving(TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                moved(1)

        trainer = make(folder)
        trainer.add_callback(Moving())
        trainer.remove_callback(PrinterCallback)  # prints to standard output
        trainer.train()
