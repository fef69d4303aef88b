"""What is told of each step of reinforcement learning: one flat row, and TensorBoard events."""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Log = Callable[[Mapping[str, float]], None]

__all__ = ["FIGURE", "rows_callback", "writing_rows"]

FIGURE = "figure/"
"""Begins the names of figures that are not the trainer's own, in its log."""

_EVENTS = "events.out.tfevents"  # what names of TensorBoard's files begin with


def rows_callback(updates_per_step: int, write: Log) -> Any:
    """Return a callback of the trainer that makes rows of what it logs.

    Args:
        updates_per_step: updates of the model in a step.
        write: is given the rows, those that a checkpoint remembers first, and only in the first of
            several processes.
    """
    from transformers import TrainerCallback

    def row(logs: Mapping[str, float], update: int) -> dict[str, float]:
        figures = {
            name.removeprefix(FIGURE): value
            for name, value in logs.items()
            if name.startswith(FIGURE)
        }
        return {
            "step": update // updates_per_step,
            "loss": logs["loss"],
            "reward": figures.pop("reward"),
            "kl": logs["kl"],
            "length": logs["completions/mean_length"],
            "ended": 1.0 - logs["completions/clipped_ratio"],
            "clip_share": logs["clip_ratio/region_mean"],
            "entropy": logs["entropy"],
            "seconds": round(logs["seconds"], 3),
        } | figures

    class Rows(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            for logs in state.log_history:  # what a checkpoint remembers
                if "loss" in logs and state.is_world_process_zero:
                    write(row(logs, int(logs["step"])))

        def on_log(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            logs = rest["logs"]
            if "loss" in logs and state.is_world_process_zero:
                write(row(logs, state.global_step))

    return Rows()


@contextmanager
def writing_rows(log: Log, tensorboard: Path | None) -> Iterator[Log]:
    """Give a function that hands a row on, and writes it as TensorBoard events.

    At the end the events stand in one file, which says nothing about the machine; until then,
    and after an interruption, the names of the files have the host's.

    Args:
        log: who wants the rows.
        tensorboard: folder of the events, or None; nothing is written where there is no row, as in
            all of several processes but the first.
    """
    if tensorboard is None:
        yield log
        return
    rows: list[Mapping[str, float]] = []
    writers: list[Any] = []

    def write(row: Mapping[str, float]) -> None:
        if not writers:
            writers.append(_writer(tensorboard))
        _add(writers[0], row)
        rows.append(row)
        log(row)

    try:
        yield write
    finally:
        for writer in writers:
            writer.close()
    if rows:
        _write_anew(rows, tensorboard)


def _writer(folder: Path) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    # Rows come from step 1 again when a run goes on; older events of the folder are not shown.
    return SummaryWriter(str(folder), purge_step=1)


def _add(writer: Any, row: Mapping[str, float]) -> None:
    for name, value in row.items():
        if name != "step":
            writer.add_scalar(name, value, int(row["step"]))


def _write_anew(rows: Iterable[Mapping[str, float]], folder: Path) -> None:
    """Put one file of events in the place of all that are there."""
    with tempfile.TemporaryDirectory(dir=folder) as new:
        with closing(_writer(Path(new))) as writer:  # its thread writes until it is closed
            for row in rows:
                _add(writer, row)
        (written,) = Path(new).iterdir()
        for old in folder.glob(f"{_EVENTS}*"):
            old.unlink()
        written.rename(folder / _EVENTS)
