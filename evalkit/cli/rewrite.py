"""`evalkit rewrite`."""

from __future__ import annotations

from typing import Any

import click

from evalkit.cli.llm_options import language_model_options, open_model
from evalkit.cli.output import check_outputs, check_tables
from evalkit.cli.table_options import (
    FORMATS,
    catalogue_options,
    columns_option,
    machine_options,
    machine_settings,
    reading_of,
)

__all__ = ["rewrite"]


@click.command(
    epilog="Example: evalkit rewrite --queries queries.parquet --products products.jsonl --n 5 "
    "-o rewrites.parquet"
)
@click.option(
    "--queries",
    required=True,
    type=click.Path(),
    help="Columns query_id and query; structure and query_type where known.",
)
@click.option("--products", required=True, type=click.Path(), help="The catalogue.")
@click.option("-o", "--output", required=True, type=click.Path(), help="The rewrites to write.")
@click.option(
    "--n", type=click.IntRange(min=1), default=5, show_default=True, help="Rewrites a query."
)
@click.option(
    "--rewriter",
    metavar="NAME",
    default="catalogue",
    show_default=True,
    help="catalogue: from what the catalogue says, offline; llm: a language model; or the folder "
    "that evalkit train rewriter made.",
)
@language_model_options
@catalogue_options
@click.option("--seed", type=int, default=0, show_default=True)
@columns_option
@click.option("--output-format", type=FORMATS, help="Of the rewrites; by its ending otherwise.")
@machine_options
def rewrite(**chosen: Any) -> None:
    """Write several rewrites of every query, in the words of product titles.

    A need becomes the product that answers it, "without X" what such products are instead, a
    product to be undercut its kind, features and cheaper brands. No rewrite repeats another or the
    query, and none states what the query excludes. A query gets fewer than --n only when there is
    no more to say; the manifest counts those. An interrupted command goes on where it stopped.
    """
    from evalkit.cli.options import column_names
    from evalkit.rewriting.rewriting import RewriteSettings, rewrite_queries

    check_tables("rewrites", chosen["output"], format=chosen["output_format"])
    check_outputs(chosen["output"], make_folders=True)
    name, model = _rewriter(chosen)
    rewrite_queries(
        chosen["queries"],
        chosen["products"],
        chosen["output"],
        RewriteSettings(
            rewriter=name,
            n=chosen["n"],
            seed=chosen["seed"],
            catalogue=chosen["catalogue_settings"],
            triples=chosen["triples"],
            reading=reading_of(column_names(chosen["maps"]), "queries", "products"),
            format=chosen["output_format"],
        ),
        language_model=model,
        **machine_settings(chosen),
    )


def _rewriter(chosen: dict[str, Any]) -> tuple[str, Any]:
    """Return the rewriter's name, and its language model where it has one."""
    from evalkit.errors import SettingsError

    name, colon, spec = chosen["rewriter"].partition(":")
    if name != "llm":
        if chosen["llm"] is not None:
            raise SettingsError("--llm is for --rewriter llm.")
        return chosen["rewriter"], None
    spec = spec if colon else chosen["llm"]
    if not spec or (colon and chosen["llm"] not in (None, spec)):
        raise SettingsError("The rewriter llm needs one language model; name it with --llm.")
    return f"llm:{spec}", open_model(chosen | {"llm": spec})
