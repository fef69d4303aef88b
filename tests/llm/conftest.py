"""A key that must not turn up anywhere, and a cache of the test's own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

from evalkit.llm import Budget, Message, open_cache
from evalkit.llm.openai_endpoint import EndpointSettings, OpenAIEndpoint, open_endpoint

KEY = "sk-secret-0123456789"

Opened = Callable[..., OpenAIEndpoint]


@pytest.fixture(scope="session", autouse=True)
def _client() -> None:
    """Import the client once, before anything is timed."""
    import openai  # noqa: F401


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    return tmp_path / "answers.sqlite"


@pytest.fixture
def opened(answers: Path) -> Iterator[Opened]:
    """Open an endpoint on the test's cache, each time as another run would."""
    caches = []

    def open_(url: str, *, budget: Budget | None = None, **settings: Any) -> OpenAIEndpoint:
        quick = {"first_wait": 0.02, "longest_wait": 0.1, "timeout": 5.0, **settings}
        caches.append(open_cache(answers))
        return open_endpoint(
            "fake",
            base_url=url,
            cache=caches[-1],
            budget=budget,
            settings=EndpointSettings(**quick),
        )

    yield open_
    for cache in caches:
        cache.close()


def ask(*questions: str) -> list[list[Message]]:
    return [[Message("user", question)] for question in questions]
