"""`evalkit parse`: what queries ask for."""

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
)
from evalkit.errors import SettingsError

__all__ = ["parse"]


@click.group(
    epilog="Example: evalkit parse queries --queries queries.csv --products products.jsonl "
    "-o typed.parquet"
)
def parse() -> None:
    """Read what queries ask for: type, kinds, conditions, exclusions, prices."""


@parse.command(
    epilog="Example: evalkit parse queries --queries queries.csv --products products.jsonl "
    "-o typed.parquet"
)
@click.option("--queries", required=True, type=click.Path(), help="Columns query_id and query.")
@click.option("--products", type=click.Path(), help="The catalogue, whose words come first.")
@catalogue_options
@click.option("-o", "--output", required=True, type=click.Path(), help="The queries to write.")
@click.option(
    "--parser",
    "method",
    type=click.Choice(["rules", "llm"]),
    default="rules",
    show_default=True,
    help="By rules, offline; or by a language model.",
)
@language_model_options
@click.option("--keep-type", is_flag=True, help="Keep the query_type that the file has.")
@columns_option
@click.option(
    "--input-format", type=FORMATS, help="Format of the queries; by their ending otherwise."
)
@click.option("--output-format", type=FORMATS, help="Of the output; by its ending otherwise.")
@machine_options
def queries(**chosen: Any) -> None:
    """Add columns query_type and structure to a table of queries.

    A query that excludes something is negative; else one that names a brand or product to be like
    or cheaper than is alternative; else one that states a need is knowledge; the rest is general.
    The structure is JSON: kinds, required and excluded conditions, price limits, reference and
    need. Without --products only general words of shops are known. Columns may have other usual
    names: qid or id for query_id, query_text or text for query; --map names any other.
    """
    from evalkit.cli.options import column_names
    from evalkit.constraints.parsing_stage import parse_queries
    from evalkit.knowledge import CatalogueFiles

    columns = column_names(chosen["maps"])
    if chosen["products"] is None:
        for name in ("catalogue_settings", "triples"):
            if chosen[name] is not None:
                option = "--settings" if name == "catalogue_settings" else "--triples"
                raise SettingsError(f"{option} says something about a catalogue; name --products.")
    if (chosen["method"] == "llm") != (chosen["llm"] is not None):
        raise SettingsError("--parser llm and --llm MODEL belong together.")
    check_tables("queries", chosen["output"], format=chosen["output_format"])
    check_outputs(chosen["output"], make_folders=True)
    files = None
    if chosen["products"] is not None:
        files = CatalogueFiles(
            chosen["products"],
            chosen["catalogue_settings"],
            chosen["triples"],
            {"mapping": columns.mapping("products")},
        )
    parse_queries(
        chosen["queries"],
        chosen["output"],
        catalogue=files,
        language_model=open_model(chosen) if chosen["llm"] is not None else None,
        keep_type=chosen["keep_type"],
        reading={"format": chosen["input_format"], "mapping": columns.mapping("queries")},
        format=chosen["output_format"],
        **machine_settings(chosen),
    )
