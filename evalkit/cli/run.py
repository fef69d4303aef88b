"""`evalkit run`."""

from __future__ import annotations

from typing import Any

import click

from evalkit.cli.output import check_output_folder
from evalkit.cli.table_options import listed

__all__ = ["run"]


def _variables(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Turn `NAME=VALUE` into an entry of a mapping; values may be empty."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{value!r} is not of the form NAME=VALUE", ctx, param)
        if name in found:
            raise click.BadParameter(f"{name} is set more than once", ctx, param)
        found[name] = text
    return found


@click.command(
    short_help="Run an experiment.",
    epilog="Example: evalkit run experiments/sample.yaml -o out",
)
@click.argument("experiment", type=click.Path())
@click.option("-o", "--output", required=True, type=click.Path(), help="Folder for everything.")
@click.option(
    "--set",
    "variables",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_variables,
    help="What ${NAME} in the file stands for; else the environment says. Repeatable.",
)
@click.option(
    "--only",
    metavar="STAGE,...",
    callback=listed,
    help="Only these stages: retrievers/distilled, or all of a section: systems.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be made, and make nothing.")
@click.option("--force", is_flag=True, help="Make it again even if nothing has changed.")
@click.option("--memory-limit", default="2GB", show_default=True, help="For tables.")
def run(**chosen: Any) -> None:
    """Run an experiment from its YAML file to its report.

    The file describes control and treatment end to end: catalogue, queries, what is trained on
    what, the systems, and what is compared. Paths in it are relative to the file. The folder gets
    everything that is made, the table of results (results.md, results.json), the score of every
    comparison (scores/), pages (reports/) and a study on which people can vote (study.db).

    Each section of the file is a stage. What is up to date is not made again; interrupted, the
    command goes on where it stopped.
    """
    from evalkit.experiment import planned, run_experiment

    check_output_folder(
        chosen["output"], "queries", "rewrites", "classifiers", "rewriters", "training_data",
        "retrievers", "indexes", "runs", "judgments", "scores", "reports", "stages", "study.db",
        "results.md", "results.json",
    )  # fmt: skip
    given = {"variables": chosen["variables"], "only": chosen["only"]}
    if chosen["dry_run"]:
        for name, makes, done in planned(chosen["experiment"], chosen["output"], **given):
            places = ", ".join(str(path) for path in makes[:3])
            more = f" and {len(makes) - 3} more" if len(makes) > 3 else ""
            click.echo(f"{'done   ' if done else 'to make'}  {name}: {places}{more}")
        return
    run_experiment(
        chosen["experiment"],
        chosen["output"],
        force=chosen["force"],
        memory_limit=chosen["memory_limit"],
        **given,
    )
