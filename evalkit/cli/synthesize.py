"""`evalkit synthesize`: from a catalogue to typed queries and training pairs."""

from __future__ import annotations

from typing import Any

import click

from evalkit.cli.lazy import LazyGroup
from evalkit.cli.llm_options import language_model_options, open_model
from evalkit.cli.output import check_outputs, check_tables
from evalkit.cli.table_options import (
    FORMATS,
    catalogue_options,
    listed,
    machine_options,
    machine_settings,
    options,
    reading_options,
    reading_settings,
)

__all__ = ["part_options", "queries", "synthesize"]

part_options = options(
    click.option(
        "--part",
        type=click.Choice(["train", "test"]),
        help="Only queries to train on, or only such as are reported: the two share no family and "
        "no wording, whatever their seeds. All otherwise.",
    ),
    click.option(
        "--test-share",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=0.4,
        show_default=True,
        help="Share of families and wordings of the part test; give both parts the same.",
    ),
)
"""Options of what makes queries: which part of them."""

_COMMANDS = {
    "all": ("evalkit.cli.synthesize_pairs", "all_", "The whole chain, from products to pairs."),
    "pairs": ("evalkit.cli.synthesize_pairs", "pairs", "Training pairs from rewrites."),
    "queries": ("evalkit.cli.synthesize", "queries", "Typed queries from a catalogue."),
}


@click.group(
    cls=LazyGroup,
    elsewhere=_COMMANDS,
    epilog="Example: evalkit synthesize queries --products products.jsonl -o queries.parquet",
)
def synthesize() -> None:
    """Make training data: typed queries, and pairs of query and product."""


@click.command(
    epilog="Example: evalkit synthesize queries --products products.jsonl --per-type 200 "
    "--seed 1 -o queries.parquet --report report.md"
)
@click.option("--products", required=True, type=click.Path(), help="The catalogue.")
@click.option("-o", "--output", required=True, type=click.Path(), help="The queries to write.")
@catalogue_options
@click.option(
    "--per-type",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Queries of each type.",
)
@click.option(
    "--types",
    metavar="A,B,...",
    callback=listed,
    help="Of knowledge, negative, alternative, general; all otherwise.",
)
@click.option(
    "--source",
    "sources",
    metavar="A,B,...",
    callback=listed,
    help="Of templates, graph, llm; templates and graph otherwise, and llm with --llm.",
)
@language_model_options
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--min-products",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Products that must satisfy a query.",
)
@click.option(
    "--per-family",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Queries about the same thing, as long as there are others.",
)
@click.option(
    "--similarity",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.8,
    show_default=True,
    help="Share of common words from which on two queries are one.",
)
@part_options
@click.option("--report", type=click.Path(), help="Counts, samples and variety: .md or .json.")
@click.option(
    "--compare", type=click.Path(), help="Real queries whose variety is put beside in the report."
)
@click.option("--output-format", type=FORMATS, help="Of the queries; by its ending otherwise.")
@reading_options
@machine_options
def queries(**chosen: Any) -> None:
    """Make typed queries: knowledge, negative, alternative and general.

    Every query has its structure (what it asks for, as JSON), which enough products of the
    catalogue are known to satisfy; of what a negative query excludes, some products of its kind
    have it. Columns: query_id, query, query_type, structure, family, source, template, seed.
    """
    from evalkit.constraints import QUERY_TYPES
    from evalkit.synthesis.queries import QuerySettings, SourceName, synthesize_queries

    check_tables("queries", chosen["output"], format=chosen["output_format"])
    check_outputs(chosen["output"], chosen["report"], make_folders=True)
    usual: tuple[SourceName, ...] = ("templates", "graph")
    if chosen["llm"]:
        usual = (*usual, "llm")
    settings = QuerySettings(
        per_type=chosen["per_type"],
        types=QUERY_TYPES if chosen["types"] is None else chosen["types"],
        sources=usual if chosen["sources"] is None else chosen["sources"],
        min_products=chosen["min_products"],
        per_family=chosen["per_family"],
        similarity=chosen["similarity"],
        seed=chosen["seed"],
        part=chosen["part"],
        test_share=chosen["test_share"],
    )
    synthesize_queries(
        chosen["products"],
        chosen["output"],
        settings=settings,
        catalogue_settings=chosen["catalogue_settings"],
        triples=chosen["triples"],
        model=open_model(chosen) if chosen["llm"] is not None else None,
        report=chosen["report"],
        compare=chosen["compare"],
        reading=reading_settings(chosen),
        format=chosen["output_format"],
        **machine_settings(chosen),
    )
