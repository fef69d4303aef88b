"""Options of the commands that read tables: naming columns, formats, the catalogue, limits.

A command that reads one kind of table has `reading_options`; one that reads several has
`columns_option`, where `--map queries.query=text` is of one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.decorators import FC

    from evalkit.scoring import Columns

__all__ = [
    "FORMATS",
    "VOTE_FORMATS",
    "catalogue_options",
    "columns_option",
    "fields_option",
    "listed",
    "machine_options",
    "machine_settings",
    "numbers",
    "options",
    "reading_of",
    "reading_options",
    "reading_settings",
]

FORMATS = click.Choice(["trec", "csv", "tsv", "jsonl", "parquet"])
VOTE_FORMATS = click.Choice(["csv", "tsv", "jsonl", "parquet"])


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Turn `product_id=asin` into an entry of a mapping."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, column = value.partition("=")
        if not (name and equals and column):
            raise click.BadParameter(f"{value!r} is not of the form NAME=COLUMN", ctx, param)
        if name in found:
            raise click.BadParameter(f"{name} is named more than once", ctx, param)
        found[name] = column
    return found


def listed(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Split at commas."""
    return (
        None if value is None else tuple(part.strip() for part in value.split(",") if part.strip())
    )


def numbers(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[float, ...] | None:
    """Split at commas into numbers."""
    try:
        return None if value is None else tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers", ctx, param) from None


def options(*decorators: Callable[..., Any]) -> Callable[..., Any]:
    """Join several options to one decorator, in the order of the help."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


reading_options = options(
    click.option(
        "--map",
        "mapping",
        metavar="NAME=COLUMN",
        callback=_pairs,
        multiple=True,
        help="Name a column: --map product_id=asin. Repeatable.",
    ),
    click.option(
        "--input-format", type=FORMATS, help="Format of the input; by its ending otherwise."
    ),
)
columns_option = click.option(
    "--map", "maps", metavar="NAME=COLUMN", multiple=True, help="Name a column. Repeatable."
)
catalogue_options = options(
    click.option(
        "--settings",
        "catalogue_settings",
        type=click.Path(),
        help="YAML file: what is special about the catalogue.",
    ),
    click.option(
        "--triples",
        type=click.Path(),
        help="CSV file of your own facts: subject, relation, object.",
    ),
)
machine_options = options(
    click.option("--force", is_flag=True, help="Do it again even if nothing has changed."),
    click.option("--memory-limit", default="600MB", show_default=True, help="For tables."),
    click.option("--threads", type=click.IntRange(min=1), help="For tables; all cores otherwise."),
)


def fields_option(
    otherwise: str = ", in order; otherwise those of "
    "title,brand,kind,category,description,attributes that exist",
) -> Callable[[FC], FC]:
    """Add `--fields`, passed on as a tuple; the help says what is taken without it."""
    text = f"Columns that make a product's text{otherwise}."
    return click.option("--fields", metavar="A,B,...", callback=listed, help=text)


def machine_settings(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return what `machine_options` chose as keyword arguments."""
    return {name: chosen[name] for name in ("force", "memory_limit", "threads")}


def reading_settings(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return what `reading_options` chose as keyword arguments of `evalkit.tables.read`."""
    return {"format": chosen["input_format"], "mapping": chosen["mapping"]}


def reading_of(columns: Columns, *kinds: Any) -> dict[str, dict[str, Any]]:
    """Return what `--map` says of each kind of table, for those that it says something of."""
    found = {kind: columns.mapping(kind) for kind in kinds}
    return {kind: {"mapping": mapping} for kind, mapping in found.items() if mapping}
