"""Ctrl-C that arrives while a library is at work, and is lost there.

DuckDB looks for pandas when it is handed its first table, and takes a Ctrl-C in that moment for a
pandas that is not there; one that arrives while Python takes an object away is only printed. The
command would go on and write its file. So the command line notes that Ctrl-C was pressed, and work
stops at the next place where it looks: a bar that moves on, or a file that would appear.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ask_to_stop", "noting_ctrl_c", "stop_if_asked", "was_asked"]

_asked = threading.Event()


@contextmanager
def noting_ctrl_c() -> Iterator[None]:
    """Note each Ctrl-C inside the block; it raises KeyboardInterrupt as ever.

    Where somebody else handles or ignores Ctrl-C, as under nohup, that stays. Behind the block it
    is forgotten.
    """
    _asked.clear()
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _asked.clear()


def ask_to_stop() -> None:
    """Ask, from any thread, that work stops at the next place where it looks."""
    _asked.set()


def was_asked() -> bool:
    """Tell whether Ctrl-C was pressed since the command began."""
    return _asked.is_set()


def stop_if_asked() -> None:
    """Stop here if Ctrl-C was pressed, and was lost.

    Raises:
        KeyboardInterrupt: it was.
    """
    if _asked.is_set():
        raise KeyboardInterrupt


def _note(number: int, frame: Any) -> None:
    ask_to_stop()
    signal.default_int_handler(number, frame)
