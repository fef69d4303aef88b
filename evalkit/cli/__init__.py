"""The `evalkit` command: one module a command group, loaded when it is called."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from evalkit import EvalkitError, __version__
from evalkit.cli.lazy import LazyGroup
from evalkit.interruption import noting_ctrl_c, was_asked

__all__ = ["main"]

_COMMANDS = {
    "annotate": ("evalkit.cli.annotate", "annotate", "Serve the pages on which people vote."),
    "calibrate": ("evalkit.cli.calibrate", "calibrate", "Correct Goodrates with human labels."),
    "correlate": ("evalkit.cli.correlate", "correlate", "Compare votes with automated scores."),
    "db": ("evalkit.cli.db", "db", "Upgrade, check and copy the study database."),
    "diff": ("evalkit.cli.score", "diff", "List the queries that moved most."),
    "drift": ("evalkit.cli.drift", "drift", "Watch a judge over weeks on a gold set."),
    "fuse": ("evalkit.cli.retrieval", "fuse", "Fuse several runs into one."),
    "gsb": ("evalkit.cli.gsb", "gsb", "Sum up votes: GSB, position bias, agreement."),
    "history": ("evalkit.cli.history", "history", "List and compare recorded evaluations."),
    "index": ("evalkit.cli.retrieval", "index", "Index a product catalogue."),
    "judge": ("evalkit.cli.judge", "judge", "Judge what runs show with a model."),
    "models": ("evalkit.cli.models", "models", "List and add models."),
    "parse": ("evalkit.cli.parse", "parse", "Read what queries ask for."),
    "plan": ("evalkit.cli.plan", "plan", "Queries and votes that a difference needs."),
    "relevance": ("evalkit.cli.relevance", "relevance", "Compare judges with people."),
    "report": ("evalkit.cli.report", "report", "Write the weekly evaluation report."),
    "rerank": ("evalkit.cli.rerank", "rerank", "Order the first results of a run anew."),
    "retrieve": ("evalkit.cli.retrieval", "retrieve", "Search an index for every query."),
    "rewrite": ("evalkit.cli.rewrite", "rewrite", "Rewrite queries in product words."),
    "run": ("evalkit.cli.run", "run", "Run an experiment from its file to its report."),
    "score": ("evalkit.cli.score", "score", "Score runs and compare them."),
    "stress": ("evalkit.cli.stress", "stress", "Measure what attacks and changes do."),
    "study": ("evalkit.cli.study", "study", "Side-by-side studies: create, invite, status, votes."),
    "synthesize": (
        "evalkit.cli.synthesize",
        "synthesize",
        "Make typed queries and training pairs.",
    ),
    "train": ("evalkit.cli.train", "train", "Train classifiers, rewriters and retrievers."),
}


@click.group(
    cls=LazyGroup,
    elsewhere=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: evalkit score --control bm25.parquet --treatment dense.parquet "
    "--judgments judgments.csv --queries queries.csv --by query_type",
)
@click.version_option(__version__, prog_name="evalkit")
def cli() -> None:
    """Find out whether a change to retrieval made product search better."""


def main() -> None:
    """Run the command line; exit 0 on success, 2 on bad input or settings, 130 on Ctrl-C."""
    with noting_ctrl_c():
        try:
            cli.main(standalone_mode=False)
        except (click.Abort, KeyboardInterrupt):
            _end_interrupted()
        except click.exceptions.Exit as error:
            sys.exit(error.exit_code)
        except Exception as error:
            # Libraries that are interrupted say so in words of their own: DuckDB's RuntimeError.
            if was_asked():
                _end_interrupted()
            _end(error)


def _end_interrupted() -> NoReturn:
    click.echo("evalkit: interrupted; nothing half-written was left behind.", err=True)
    sys.exit(130)


def _end(error: Exception) -> NoReturn:
    """Say in one line what the user can mend; what is our own mistake goes on."""
    if isinstance(error, EvalkitError):
        click.echo(f"evalkit: {error}", err=True)
        sys.exit(2)
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = f" See {context.command_path} --help." if context is not None else ""
        message = " ".join(error.format_message().split())
        click.echo(f"evalkit: {message}{hint}", err=True)
        sys.exit(error.exit_code)
    raise error
