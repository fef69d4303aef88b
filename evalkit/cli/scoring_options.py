"""Options of the files of an evaluation and of how they are scored, and what is read by them.

For every command that scores runs with judgments: the same files, the same meaning.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.options import (
    column_names,
    cutoffs,
    gains,
    map_option,
    memory_option,
    one_grade_option,
    words,
)
from evalkit.cli.table_options import FORMATS, options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

    from evalkit.scoring import Inputs

__all__ = ["input_options", "read_given", "scoring_settings", "without_pandas"]


input_options = options(
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
    click.option("--products", metavar="FILE", help="The catalogue, for titles in result lists."),
    click.option(
        "--good",
        type=float,
        default=1.0,
        show_default=True,
        help="Smallest grade that is good.",
    ),
    click.option("--good-labels", metavar="E,S", help="Labels that are good, for text grades."),
    click.option("--gains", metavar="E=3,S=2", help="Gain of each label, for nDCG of text grades."),
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
    one_grade_option,
    click.option(
        "--on-duplicate",
        type=click.Choice(["error", "first"]),
        default="error",
        show_default=True,
        help="A product that a run repeats for a query.",
    ),
    map_option("A file's name for a column: product_id=asin, or judgments.grade=stars."),
    click.option(
        "--run-format",
        type=FORMATS,
        help="Format of the runs, where the name does not tell.",
    ),
    click.option("--judgments-format", type=FORMATS, help="Format of the judgments."),
    click.option("--queries-format", type=FORMATS, help="Format of the queries."),
    memory_option,
)


class _NoPandas:
    """An import finder that lets `import pandas` fail."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not used by this command")


@contextmanager
def without_pandas() -> Iterator[None]:
    """Keep DuckDB and PyArrow from importing pandas just to look at a constant: 0.3 s."""
    sys.meta_path.insert(0, _NoPandas)
    try:
        yield
    finally:
        sys.meta_path.remove(_NoPandas)


def read_given(
    connection: DuckDBPyConnection, runs: dict[str, str], given: dict[str, Any], *, compared: bool
) -> Inputs:
    """Read the files that the options name.

    Args:
        connection: where their rows will live.
        runs: path per run name.
        given: the options' values by name.
        compared: whether the runs are `control` and `treatment`.

    Raises:
        InputError: a file cannot be used.
        SettingsError: an option is not understood.
    """
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


def scoring_settings(given: dict[str, Any], at: str) -> dict[str, Any]:
    """Return the fields of `metrics.Scoring` that the options give; `at` is `--at`.

    Raises:
        SettingsError: an option is not understood.
    """
    names = ("good", "unjudged", "order", "ties", "min_good", "average", "depth", "margin")
    labels = words(given["good_labels"])
    return {
        **{name: given[name] for name in names},
        "cutoffs": cutoffs(at),
        "good_labels": tuple(labels) or None,
        "gains": gains(given["gains"]),
    }
