"""`evalkit gsb`: what votes come to, wherever they were gathered."""

from __future__ import annotations

import click

from evalkit.cli.options import column_names, map_option, memory_option, words
from evalkit.cli.output import check_outputs, emit_document, output_form, output_options
from evalkit.cli.table_options import VOTE_FORMATS
from evalkit.errors import SettingsError

__all__ = ["gsb"]


@click.command(epilog="Example: evalkit gsb votes.csv --by query_type --map annotator=worker")
@click.argument("votes", metavar="VOTES")
@click.option("--by", metavar="COLUMN,COLUMN", help="Segment by columns of the votes.")
@click.option(
    "--aggregate",
    type=click.Choice(["majority", "votes", "dawid_skene"]),
    default="majority",
    show_default=True,
    help="How several votes on a query become one verdict; votes counts each by itself.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the bootstraps.")
@click.option(
    "--sequential",
    is_flag=True,
    help="Add figures that hold however often one looks; needs a column position, the serving "
    "order.",
)
@click.option(
    "--overlap",
    type=click.IntRange(1),
    help="With --sequential: votes that complete a query (default: any number).",
)
@click.option(
    "--stop-width",
    type=click.FloatRange(0, min_open=True),
    metavar="POINTS",
    help="With --sequential: estimate the votes until the sequence of GSB is this narrow.",
)
@map_option("The file's name for a column: annotator=worker. Repeatable.")
@click.option(
    "--input-format",
    type=VOTE_FORMATS,
    help="Format of the votes, where the name does not tell.",
)
@output_options(page=False)
@memory_option
def gsb(
    votes: str,
    by: str | None,
    aggregate: str,
    seed: int,
    sequential: bool,
    overlap: int | None,
    stop_width: float | None,
    mapped: tuple[str, ...],
    input_format: str | None,
    form: str | None,
    output: str | None,
    memory_limit: str,
) -> None:
    """Print GSB, position bias and agreement of people's votes.

    VOTES is a file (CSV, TSV, JSON Lines or Parquet, also .gz and .zst; - for standard input) with
    a row a vote: query_id, annotator, and a preference for the treatment (good, same, bad, both
    bad, or -2 to 2), or vote (left, same, right) with treatment_side.
    """
    from evalkit.engines import open_engine
    from evalkit.reports.vote_document import vote_document
    from evalkit.reports.votes_table import (
        format_votes_csv,
        format_votes_markdown,
        format_votes_table,
    )
    from evalkit.tables import read
    from metrics import MetricsError

    form = output_form(form, output, pageless="votes have no page")
    if not sequential and (overlap is not None or stop_width is not None):
        raise SettingsError("--overlap and --stop-width are for --sequential; add it.")
    check_outputs(output)
    with open_engine(memory_limit) as connection:
        table = read(
            "votes",
            votes,
            connection,
            format=input_format,
            mapping=column_names(mapped).mapping("votes"),
        )
        try:
            document = vote_document(
                table.relation,
                aggregate=aggregate,  # type: ignore[arg-type]
                by=words(by),
                seed=seed,
                sequential=sequential,
                overlap=overlap,
                stop_width=None if stop_width is None else stop_width / 100,
            )
        except MetricsError as error:
            raise SettingsError(f"{table.path}: {error}.") from error
    document["inputs"] = [
        {"path": table.path, "rows": table.rows, "fingerprint": table.fingerprint}
    ]
    emit_document(
        document,
        form,
        output,
        table=format_votes_table,
        csv=format_votes_csv,
        markdown=format_votes_markdown,
    )
