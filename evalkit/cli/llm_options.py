"""Options of the commands that ask a language model, and the model that they choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.table_options import options

if TYPE_CHECKING:
    from evalkit.llm import LanguageModel

__all__ = ["language_model_options", "open_model"]

language_model_options = options(
    click.option(
        "--llm", metavar="MODEL", help="A language model: smollm2, openai:NAME, a folder, a hub id."
    ),
    click.option("--base-url", help="Of an OpenAI-compatible endpoint, for --llm openai:NAME."),
    click.option("--revision", help="Of a language model on the hub."),
    click.option(
        "--cache", type=click.Path(), help="File of answers; answers.sqlite in the cache otherwise."
    ),
    click.option("--max-requests", type=click.IntRange(min=0), help="Budget of requests."),
    click.option("--max-tokens", type=click.IntRange(min=0), help="Budget of tokens, both ways."),
    click.option(
        "--concurrency",
        type=click.IntRange(min=1),
        default=8,
        show_default=True,
        help="Requests to a server under way at once.",
    ),
    click.option(
        "--timeout", type=float, default=120.0, show_default=True, help="Seconds of one request."
    ),
)


def open_model(chosen: dict[str, Any]) -> LanguageModel:
    """Open the language model that `language_model_options` chose."""
    from pathlib import Path

    from evalkit.llm import Budget, open_language_model

    return open_language_model(
        chosen["llm"],
        cache=Path(chosen["cache"]) if chosen["cache"] else None,
        budget=Budget(max_requests=chosen["max_requests"], max_tokens=chosen["max_tokens"]),
        concurrency=chosen["concurrency"],
        timeout=chosen["timeout"],
        base_url=chosen["base_url"],
        revision=chosen["revision"],
    )
