from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        # As `evalkit.engines.open_engine` sets it: order must be asked for where it matters.
        connection.execute("SET preserve_insertion_order = false")
        yield connection


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of the given text or bytes, compressed as its name asks."""

    def make(name: str, content: str | bytes) -> Path:
        data = content.encode() if isinstance(content, str) else content
        if name.endswith(".gz"):
            data = gzip.compress(data)
        if name.endswith(".zst"):
            data = pa.compress(data, codec="zstd", asbytes=True)
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return make
