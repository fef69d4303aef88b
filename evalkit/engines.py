"""Where frames live while a command runs: DuckDB in the process.

It streams files, uses all cores and spills to disk. Everything above this module takes a
connection and does not care how it was made.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

__all__ = ["open_engine"]

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_OUTSIDE_DUCKDB = 225 * 10**6
_OUTSIDE_SHARE = 0.25
_LEAST = 100 * 10**6


@contextmanager
def open_engine(
    memory_limit: str = "600MB", threads: int | None = None
) -> Iterator[DuckDBPyConnection]:
    """Open a private in-memory DuckDB that spills to a temporary folder, removed at the end.

    Args:
        memory_limit: what the whole process should stay within, such as `600MB` or `4GB`
            (decimal units). DuckDB gets it less what it does not count itself: the interpreter,
            parse buffers and the allocator's slack, 225 MB or 25%.
        threads: worker threads; all cores by default.

    Raises:
        SettingsError: the limit is not a size or is below 300 MB.
    """
    import duckdb

    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]B)\s*", memory_limit, re.IGNORECASE)
    if match is None:
        raise SettingsError(f"--memory-limit {memory_limit!r} is not a size; write 600MB or 4GB.")
    limit = int(float(match[1]) * _UNITS[match[2].upper()])
    engine_limit = limit - max(_OUTSIDE_DUCKDB, int(limit * _OUTSIDE_SHARE))
    if engine_limit < _LEAST:
        raise SettingsError(f"--memory-limit {memory_limit!r} is too small; give 300MB or more.")
    with tempfile.TemporaryDirectory(prefix="evalkit-") as folder:
        # Settings as text in `config`: values bound to a statement make DuckDB import pandas.
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{engine_limit // 1000}KB",
            "temp_directory": folder,
            "preserve_insertion_order": "false",
        }
        if threads is not None:
            config["threads"] = threads
        connection = duckdb.connect(config=config)
        try:
            yield connection
        finally:
            connection.close()
