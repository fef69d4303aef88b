"""`evalkit score` and `evalkit diff`: parse, call, print."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.options import column_names, cutoffs, gains, words
from evalkit.cli.output import check_outputs, color, emit, output_form, to_terminal, width
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from duckdb import DuckDBPyConnection

    from evalkit.reports.query_moves import Move
    from evalkit.scoring import Inputs

__all__ = ["diff", "score"]

_TABLE_FORMATS = click.Choice(["trec", "csv", "tsv", "jsonl", "parquet"])


def _inputs(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the files and of how they are scored, shared by `score` and `diff`."""
    options = [
        click.option(
            "--judgments",
            "--qrels",
            required=True,
            metavar="FILE",
            help="Grades: TREC qrels, CSV, TSV, JSONL or Parquet.",
        ),
        click.option(
            "--queries",
            metavar="FILE",
            help="The query set, with optional weight and segment columns.",
        ),
        click.option(
            "--products", metavar="FILE", help="The catalogue, for titles in result lists."
        ),
        click.option(
            "--good",
            type=float,
            default=1.0,
            show_default=True,
            help="Smallest grade that is good.",
        ),
        click.option("--good-labels", metavar="E,S", help="Labels that are good, for text grades."),
        click.option(
            "--gains", metavar="E=3,S=2", help="Gain of each label, for nDCG of text grades."
        ),
        click.option(
            "--unjudged",
            type=click.Choice(["bad", "drop", "bounds"]),
            default="bad",
            show_default=True,
            help="Unjudged items count as bad, are dropped, or bound the figures.",
        ),
        click.option(
            "--order",
            type=click.Choice(["rank", "score"]),
            help="What orders the runs (default: rank where there is one; TREC files by score).",
        ),
        click.option(
            "--ties",
            type=click.Choice(["id", "expected", "bounds"]),
            default="id",
            show_default=True,
            help="Equal scores: by product id descending, mean over all orders, or worst and best.",
        ),
        click.option(
            "--min-good",
            type=int,
            default=1,
            show_default=True,
            help="Good items a query needs to count in Query Goodrate.",
        ),
        click.option(
            "--average",
            type=click.Choice(["pooled", "query"]),
            default="pooled",
            show_default=True,
            help="Item Goodrate over items, or the mean over queries.",
        ),
        click.option(
            "--depth",
            type=click.Choice(["shown", "fixed"]),
            default="shown",
            show_default=True,
            help="Item Goodrate over the items shown, or over N a query.",
        ),
        click.option(
            "--margin",
            type=float,
            default=0.0,
            show_default=True,
            help="More good items than this make a query Good in GSB.",
        ),
        click.option("--source", help="Score with the judgments of this source."),
        click.option(
            "--aggregate",
            type=click.Choice(["median", "majority"]),
            help="One grade of several annotators.",
        ),
        click.option(
            "--on-duplicate",
            type=click.Choice(["error", "first"]),
            default="error",
            show_default=True,
            help="A product that a run repeats for a query.",
        ),
        click.option(
            "--map",
            "mapped",
            multiple=True,
            metavar="NAME=COLUMN",
            help="A file's name for a column: product_id=asin, or judgments.grade=stars.",
        ),
        click.option(
            "--run-format",
            type=_TABLE_FORMATS,
            help="Format of the runs, where the name does not tell.",
        ),
        click.option("--judgments-format", type=_TABLE_FORMATS, help="Format of the judgments."),
        click.option("--queries-format", type=_TABLE_FORMATS, help="Format of the queries."),
        click.option(
            "--memory-limit",
            default="600MB",
            show_default=True,
            help="Memory that the whole process aims at; beyond it, spill to disk.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


class _NoPandas:
    """An import finder that lets `import pandas` fail."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not used by this command")


@contextmanager
def _without_pandas() -> Iterator[None]:
    """Keep DuckDB and PyArrow from importing pandas just to look at a constant: 0.3 s."""
    sys.meta_path.insert(0, _NoPandas)
    try:
        yield
    finally:
        sys.meta_path.remove(_NoPandas)


def _read(
    connection: DuckDBPyConnection, runs: dict[str, str], given: dict[str, Any], *, compared: bool
) -> Inputs:
    from evalkit.scoring import read_inputs

    return read_inputs(
        connection,
        runs,
        given["judgments"],
        given["queries"],
        given["products"],
        given.get("page_grades"),
        compared=compared,
        columns=column_names(given["mapped"]),
        formats={
            "run": given["run_format"],
            "judgments": given["judgments_format"],
            "queries": given["queries_format"],
        },
        on_duplicate=given["on_duplicate"],
        order=given["order"],
    )


def _scoring(given: dict[str, Any], at: str) -> dict[str, Any]:
    names = ("good", "unjudged", "order", "ties", "min_good", "average", "depth", "margin")
    labels = words(given["good_labels"])
    return {
        **{name: given[name] for name in names},
        "cutoffs": cutoffs(at),
        "good_labels": tuple(labels) or None,
        "gains": gains(given["gains"]),
    }


def _pair(control: str | None, treatment: str | None) -> dict[str, str]:
    if control is None or treatment is None:
        raise SettingsError("give both --control and --treatment, or --run for single runs.")
    return {"control": control, "treatment": treatment}


def _single(runs: tuple[str, ...]) -> dict[str, str]:
    """Name single runs: NAME=FILE, or by the file's name."""
    named: dict[str, str] = {}
    for run in runs:
        name, equals, path = run.partition("=")
        if not equals or Path(run).exists():
            name, path = Path(run).name.split(".")[0] or "run", run
        if not name or not path:
            raise SettingsError(f"--run {run!r} is not understood; write --run NAME=FILE.")
        if name in named:
            raise SettingsError(f"two runs are called {name!r}; write --run NAME=FILE.")
        named[name] = path
    return named


def _biggest(document: dict[str, Any], per_query: Any, count: int) -> tuple[list[Move], list[Move]]:
    from evalkit.reports.query_moves import biggest_moves
    from evalkit.reports.score_document import first_cutoff, primary_measures

    measures = primary_measures(document)
    if not measures:
        return [], []
    return biggest_moves(per_query, measures[0], first_cutoff(document, measures[0]), count=count)


@click.command(
    epilog="Example: evalkit score --control bm25.parquet --treatment dense.parquet "
    "--judgments judgments.csv --queries queries.csv --by query_type --good 2 -o report.html"
)
@click.option("--control", metavar="FILE", help="The run of today.")
@click.option("--treatment", metavar="FILE", help="The run of the change.")
@click.option(
    "--run",
    "runs",
    multiple=True,
    metavar="[NAME=]FILE",
    help="A single run, scored by itself; repeatable.",
)
@_inputs
@click.option(
    "--page-grades",
    metavar="FILE",
    help="People's grades of result pages (good, mid, bad), for Query Goodrate.",
)
@click.option(
    "--at",
    default="10",
    show_default=True,
    metavar="N,N",
    help="Cutoffs; the first is the primary one.",
)
@click.option(
    "--by", default=None, metavar="COLUMN,COLUMN", help="Segment by columns of the queries."
)
@click.option(
    "--measures",
    metavar="NAME,NAME",
    help="item_goodrate, query_goodrate, gsb, ndcg, precision, recall, success, mrr, map, bpref, "
    "judged.",
)
@click.option("--primary", metavar="NAME,NAME", help="Measures that Holm's correction covers.")
@click.option(
    "--ci",
    type=click.Choice(["default", "bootstrap"]),
    default="default",
    show_default=True,
    help="Intervals.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the swap test and the bootstrap.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "markdown", "html"]),
    help="Form of the output (default: by the name of -o, else table).",
)
@click.option("-o", "--output", metavar="FILE", help="Write here instead of standard output.")
@click.option("--per-query", metavar="FILE", help="Also write the values of every query.")
def score(
    control: str | None,
    treatment: str | None,
    runs: tuple[str, ...],
    at: str,
    by: str | None,
    measures: str | None,
    primary: str | None,
    ci: str,
    seed: int,
    form: str | None,
    output: str | None,
    per_query: str | None,
    **given: Any,
) -> None:
    """Compare a treatment run with a control run, or score single runs.

    Prints each measure with its 95% interval, paired test, detectable difference and judged
    share, overall and by segment. Exit code 2 on bad input or settings.
    """
    from evalkit.engines import open_engine
    from evalkit.reports.score_table import format_csv, format_json, format_markdown, format_table
    from evalkit.scoring import score_inputs
    from evalkit.tables import write

    if bool(runs) == (control is not None or treatment is not None):
        raise SettingsError("give --control and --treatment, or --run (repeatable), but not both.")
    named = _single(runs) if runs else _pair(control, treatment)
    form = form or output_form(output)
    if form == "html" and to_terminal(output):
        raise SettingsError("--format html needs a file: add -o report.html.")
    check_outputs(output, per_query)
    settings: dict[str, Any] = {**_scoring(given, at), "by": words(by), "ci": ci, "seed": seed}
    if measures is not None:
        settings["measures"] = words(measures)
    if runs and primary is not None:
        raise SettingsError("--primary is for comparisons; single runs are not tested.")
    with _without_pandas(), open_engine(given["memory_limit"]) as connection:
        inputs = _read(connection, named, given, compared=not runs)
        document, values = score_inputs(
            inputs,
            source=given["source"],
            aggregate=given["aggregate"],
            primary=words(primary) if primary is not None else None,
            **settings,
        )
        if per_query is not None:
            write(values, per_query, kind="per_query", connection=connection)
        if form == "html":
            from evalkit.reports.score_page import write_page
            from evalkit.scoring import moved_lists
            from metrics import Scoring

            lists = {}
            if not runs:
                wins, losses = _biggest(document, values, 10)
                moved = [move.query_id for move in [*wins, *losses]]
                lists = moved_lists(inputs, document, moved, Scoring(**_scoring(given, at)))
            write_page(document, values, str(output), lists=lists)
            click.echo(f"Wrote {output}", err=True)
        elif form == "table":
            emit(format_table(document, width=width(output), color=color(output)), output)
        else:
            formats = {"json": format_json, "csv": format_csv, "markdown": format_markdown}
            emit(formats[form](document), output)


@click.command(
    epilog="Example: evalkit diff --control bm25.parquet --treatment dense.parquet "
    "--judgments judgments.csv --queries queries.csv --products products.jsonl --good 2 -n 5"
)
@click.option("--control", metavar="FILE", required=True, help="The run of today.")
@click.option("--treatment", metavar="FILE", required=True, help="The run of the change.")
@_inputs
@click.option("--at", default="10", show_default=True, metavar="N", help="Cutoff.")
@click.option("--measure", default="item_goodrate", show_default=True, help="What moved.")
@click.option(
    "-n", "--count", type=click.IntRange(1), default=10, show_default=True, help="Queries to list."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Form of the output.",
)
@click.option("-o", "--output", metavar="FILE", help="Write here instead of standard output.")
def diff(
    control: str,
    treatment: str,
    at: str,
    measure: str,
    count: int,
    form: str,
    output: str | None,
    **given: Any,
) -> None:
    """List the queries that moved most, with both result lists side by side.

    Exit code 2 on bad input or settings.
    """
    from evalkit.engines import open_engine
    from evalkit.reports.query_diff import diff_entries, format_diff, format_diff_json
    from evalkit.scoring import moved_lists, score_inputs
    from metrics import Scoring

    settings = _scoring(given, at)
    check_outputs(output)
    with _without_pandas(), open_engine(given["memory_limit"]) as connection:
        inputs = _read(connection, _pair(control, treatment), given, compared=True)
        document, values = score_inputs(
            inputs,
            source=given["source"],
            aggregate=given["aggregate"],
            measures=[measure],
            **settings,
        )
        cutoff = document["results"][0]["cutoff"]
        ids = [
            entry["query_id"] for entry in diff_entries(values, {}, measure, cutoff, count=count)
        ]
        lists = moved_lists(inputs, document, ids, Scoring(**settings))
        entries = diff_entries(values, lists, measure, cutoff, count=count)
    if form == "json":
        emit(format_diff_json(entries), output)
    else:
        emit(format_diff(entries, width=width(output) or 120, color=color(output)), output)
