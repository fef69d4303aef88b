"""What long work tells the user, on standard error."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["progress_bar", "say"]


def say(message: str) -> None:
    """Write a line to standard error."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress_bar(total: int, description: str, unit: str) -> Iterator[Callable[[int], object]]:
    """Give a function that moves a bar on by a number of units, or stops after a lost Ctrl-C."""
    from tqdm import tqdm

    from evalkit.interruption import stop_if_asked

    stop_if_asked()
    # A log file gets a line every ten seconds, not one for every step.
    pause = 0.2 if sys.stderr.isatty() else 10.0
    with tqdm(
        total=total, desc=description, unit=f" {unit}", mininterval=pause, file=sys.stderr
    ) as bar:

        def moved(count: int) -> None:
            stop_if_asked()
            bar.update(count)

        yield moved
