"""The training loop of transformers, as every trainer here runs it.

One seed for the order of examples and dropout, float32 everywhere (half precision is many times
slower on CPUs that lack it), nothing on standard output, a bar on standard error, and no file that
is left behind but checkpoints, where a trainer wants them. What is learned, and by which loss, is
the trainer's own business; a model's fresh weights and its device are settled where it is loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from typing import TYPE_CHECKING, Any

from evalkit.errors import ModelError, SettingsError
from evalkit.files import write_text
from evalkit.models import require_models_extra
from evalkit.progress import progress_bar
from evalkit.relevance.classifier import quiet_transformers
from evalkit.training.processes import is_main, shared_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = [
    "check_run",
    "fingerprint_of_weights",
    "last_checkpoint",
    "loop_arguments",
    "require_trainer",
    "run_loop",
]

_RUN_FILE = "run.json"
_STATE_FILE = "trainer_state.json"
"""What the trainer writes last into a checkpoint."""


def require_trainer(what: str, *packages: str) -> None:
    """Check that the packages of training are there.

    Args:
        what: how the sentence begins: `Training a classifier`.
        packages: what it needs beyond what all need.

    Raises:
        ModelError: says which package is missing and how to get it.
    """
    require_models_extra(what, "torch", "transformers", "sentence_transformers")
    needed = ("accelerate", "datasets", *packages)
    missing = [name for name in needed if not importlib.util.find_spec(name)]
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


def run_loop(
    steps: int, make: Callable[[str], Any], *, checkpoint: Path | None = None, done: int = 0
) -> None:
    """Train to the end.

    Args:
        steps: how long the bar is.
        make: makes the trainer; it is given a folder that is gone afterwards, the same one in each
            of several processes.
        checkpoint: a folder that the trainer saved, to go on from.
        done: how many steps were done when it was saved.
    """
    from transformers import TrainerCallback
    from transformers.trainer_callback import PrinterCallback

    with (
        shared_folder() as folder,
        progress_bar(steps, "Training", "steps") as moved,
        quiet_transformers(),
    ):

        class Moving(TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                moved(1)

        moved(done)
        trainer = make(folder)
        trainer.add_callback(Moving())
        trainer.remove_callback(PrinterCallback)  # prints to standard output
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))


def fingerprint_of_weights(model: Any) -> str:
    """Return the SHA-256 of a model's weights, by name."""
    import torch

    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        plain = tensor.detach().cpu().contiguous().view(-1)
        found.update(name.encode())
        found.update(plain.view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def check_run(checkpoints: Path, run: Mapping[str, Any]) -> None:
    """Refuse a folder with checkpoints of another run; otherwise note this run there.

    Args:
        checkpoints: the folder; it is made.
        run: what a run must have in common with the one that it goes on from, as JSON.

    Raises:
        SettingsError: says what differs.
    """
    file = checkpoints / _RUN_FILE
    if file.is_file() and any(checkpoints.glob("checkpoint-*")):
        before = json.loads(file.read_text("utf-8"))
        differing = [
            name + _difference(before.get(name), run[name])
            for name in run
            if run[name] != before.get(name)
        ]
        if differing:
            raise SettingsError(
                f"The checkpoints in {checkpoints} are of a run with another "
                f"{' and other '.join(differing)}; give another folder, or begin anew with --force."
            )
    if is_main():
        checkpoints.mkdir(parents=True, exist_ok=True)
        write_text(json.dumps(run, indent=2, sort_keys=True) + "\n", file)


def _difference(before: Any, now: Any) -> str:
    """Say what differs in a part of a run that has names: settings with values, files by role.

    Example:
        >>> _difference({"epochs": 2, "seed": 0}, {"epochs": 3, "seed": 0})
        ' (epochs was 2, is 3)'
        >>> _difference([["pairs", "sha256:a"]], [["pairs", "sha256:b"]])
        ' (pairs)'
    """
    if isinstance(before, dict) and isinstance(now, dict):
        names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
        said = [f"{name} was {before.get(name)}, is {now.get(name)}" for name in names]
        return f" ({', '.join(said)})"
    if isinstance(before, list) and isinstance(now, list):
        torn = [each for each in (*before, *now) if (each in before) != (each in now)]
        roles = dict.fromkeys(str(each[0]) for each in torn if isinstance(each, list) and each)
        return f" ({', '.join(roles)})" if roles else ""
    return ""


def last_checkpoint(checkpoints: Path, end: int) -> tuple[Path | None, int]:
    """Return the last whole checkpoint, and how many updates were done when it was saved.

    Args:
        checkpoints: their folder, which need not exist.
        end: updates of the run; a checkpoint beyond is left out.

    Returns:
        None and 0 where there is none. One that was interrupted while it was written is not whole.
    """
    whole: dict[int, Path] = {}
    for folder in checkpoints.glob("checkpoint-*"):
        number = folder.name.removeprefix("checkpoint-")
        if number.isdigit() and int(number) <= end and _is_whole(folder):
            whole[int(number)] = folder
    done = max(whole, default=0)
    return whole.get(done), done


def _is_whole(folder: Path) -> bool:
    try:
        json.loads((folder / _STATE_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return True
