"""The factory of language models: one word says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.errors import SettingsError
from evalkit.llm.cache import AnswerCache, open_cache
from evalkit.models import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.llm.budget import Budget
    from evalkit.llm.local import LocalModel
    from evalkit.llm.openai_endpoint import OpenAIEndpoint

__all__ = ["answers_file", "open_language_model"]

_ENDPOINT = "openai:"


def answers_file() -> Path:
    """Return where answers are kept unless another file is named: in the cache folder."""
    return cache_folder() / "answers.sqlite"


def open_language_model(
    spec: str,
    *,
    cache: Path | AnswerCache | None = None,
    budget: Budget | None = None,
    concurrency: int = 8,
    timeout: float = 120.0,
    total_timeout: float | None = None,
    base_url: str | None = None,
    revision: str | None = None,
    batch_size: int = 16,
    allow_pickle: bool = False,
) -> LocalModel | OpenAIEndpoint:
    """Open a language model; nothing is loaded or sent before the first question.

    Args:
        spec: `openai:MODEL` for a server (the address from `base_url` or $OPENAI_BASE_URL, the
            key from $OPENAI_API_KEY); else `smollm2`, a folder or a hub id.
        cache: file of answers; None is `answers.sqlite` in the cache folder.
        budget: what may be spent by this object.
        concurrency: requests to a server under way at once.
        timeout: seconds for one request to a server.
        total_timeout: seconds for one call of `generate` on a server.
        base_url: the server's address.
        revision: of a hub model.
        batch_size: texts that a model on this machine writes side by side.
        allow_pickle: load weights that are pickles, which can run code.

    Raises:
        SettingsError: options that do not fit.
        ModelError: the model cannot be found or trusted, or a package or the key is missing.
        InputError: the cache is damaged.
    """
    name = spec.removeprefix(_ENDPOINT)
    if not name:
        raise SettingsError("A language model is smollm2, a folder, a hub id or openai:MODEL.")
    model: LocalModel | OpenAIEndpoint
    if spec.startswith(_ENDPOINT):
        from evalkit.llm.openai_endpoint import EndpointSettings, open_endpoint

        if revision is not None:
            raise SettingsError("A server's model has no revision; leave --revision out.")
        settings = EndpointSettings(concurrency, timeout, total_timeout)
        model = open_endpoint(name, base_url=base_url, budget=budget, settings=settings)
    else:
        from evalkit.llm.local import LocalSettings, open_local_model

        if base_url is not None:
            raise SettingsError(f"--base-url is for a server's model; write openai:{spec}.")
        local = LocalSettings(batch_size=batch_size, allow_pickle=allow_pickle)
        model = open_local_model(name, revision=revision, budget=budget, settings=local)
    # Last, so that a model that cannot be opened leaves no file behind.
    model.cache = cache if isinstance(cache, AnswerCache) else open_cache(cache or answers_file())
    return model
