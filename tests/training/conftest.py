"""Embeddings of these tests are kept apart from the user's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("EVALKIT_CACHE")
    os.environ["EVALKIT_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["EVALKIT_CACHE"]
    else:
        os.environ["EVALKIT_CACHE"] = before
