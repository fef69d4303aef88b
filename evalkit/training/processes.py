"""Several processes that train one model, as `accelerate launch` and `torchrun` start them.

All of them run the same command. They read the same files and train together; only the main one
(rank 0) speaks, measures and writes what stays, and where it is alone the others wait. They share
the folders that they read, so they are on one machine, or on machines with a common disk. Without
a launcher there is one process, the main one, and nothing here does anything.
"""

from __future__ import annotations

import importlib
import os
import signal
import tempfile
import threading
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

from evalkit.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "as_setting",
    "is_main",
    "main_first",
    "number_of_processes",
    "per_process",
    "shared_folder",
    "taking_part",
    "wait_for_all",
]

_TEMPORARY = "evalkit-train-"
_PATIENCE = timedelta(days=7)
"""How long a process waits for the others; the main one may rewrite or encode for hours."""

_waiting: list[Any] = []
"""The group of processes that wait for each other, when they have met."""


def number_of_processes() -> int:
    """Return how many processes train the model."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Tell whether this is the process that speaks and writes."""
    return int(os.environ.get("RANK", "0")) == 0


def per_process(batch_size: int) -> int:
    """Return what a process takes of a batch; all together take it, or a little more.

    >>> per_process(32)
    32
    """
    return -(-batch_size // number_of_processes())


def as_setting() -> dict[str, int]:
    """Return what a manifest says of them: nothing of one; several draw and add up otherwise.

    >>> as_setting()
    {}
    """
    several = number_of_processes()
    return {"processes": several} if several > 1 else {}


@contextmanager
def taking_part(device: str) -> Iterator[None]:
    """Meet the other processes, be silent unless this is the main one, and tidy up when ended.

    A launcher ends all processes when one has failed; what they were writing is cleared then.

    Args:
        device: where the model will be, as `--device` has it.

    Raises:
        SettingsError: several processes cannot train there.
    """
    if number_of_processes() == 1:
        yield
        return
    with _ending_tidily():
        if is_main():
            _meet(device)
            yield
            return
        with redirect_stdout(_nowhere()), redirect_stderr(_nowhere()):
            _meet(device)
            yield


def wait_for_all() -> None:
    """Wait until every process is here. Only inside `taking_part`.

    Raises:
        ModelError: one of them has ended.
    """
    if number_of_processes() == 1:
        return
    import torch.distributed

    try:
        torch.distributed.barrier(group=_waiting[0])
    except RuntimeError as error:
        raise ModelError(
            "Another process of this training has ended; what it said is the reason."
        ) from error


@contextmanager
def main_first() -> Iterator[None]:
    """Let the main process through the block before the others, which find what it has cached."""
    if not is_main():
        wait_for_all()
    yield
    if is_main():
        wait_for_all()


@contextmanager
def shared_folder() -> Iterator[str]:
    """Give a temporary folder of the main process that all know, until all are through."""
    if number_of_processes() == 1:
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY) as folder:
            yield folder
        return
    import torch.distributed

    known: list[Any] = [None]
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY) as own:
        if is_main():
            known = [own]
        torch.distributed.broadcast_object_list(known, src=0, group=_waiting[0])
        yield known[0]
        wait_for_all()


def _meet(device: str) -> None:
    if _waiting:
        return
    import torch

    accelerate: Any = importlib.import_module("accelerate")
    # It also makes "cuda" mean this process's own card.
    on_cpu = device == "cpu" or (device == "auto" and not torch.cuda.is_available())
    accelerate.PartialState(cpu=on_cpu)
    if not torch.distributed.is_initialized():
        raise SettingsError(
            f"{number_of_processes()} processes cannot train together on --device {device}; "
            "leave it out, or give cpu."
        )
    # A group of its own, since those of cards give up after ten minutes.
    _waiting.append(torch.distributed.new_group(backend="gloo", timeout=_PATIENCE))


@contextmanager
def _ending_tidily() -> Iterator[None]:
    """Leave by an exception when the launcher asks to end, so that temporary folders go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _: Any) -> None:
    raise SystemExit(128 + number)


@cache
def _nowhere() -> TextIO:
    # Never closed: a library's logger may keep what it found as standard error.
    return open(os.devnull, "w", encoding="utf-8")
