"""The commands of `evalkit study` that take votes out and in."""

from __future__ import annotations

from dataclasses import replace

import click

from evalkit.cli.database import database_option, opened
from evalkit.cli.options import column_names, map_option
from evalkit.cli.output import check_outputs
from evalkit.cli.table_options import VOTE_FORMATS
from evalkit.errors import InputError, SettingsError

__all__ = ["export", "import_"]


@click.command(
    short_help="Write votes or grades to files.",
    epilog="Example: evalkit study export shoes --votes votes.csv",
)
@click.argument("study", metavar="STUDY")
@click.option("--votes", metavar="FILE", help="One row a vote, sides resolved to the treatment.")
@click.option(
    "--judgments",
    metavar="FILE",
    help="Grades of products, for evalkit score --source human --aggregate majority.",
)
@click.option("--page-grades", metavar="FILE", help="Grades of whole pages, by system.")
@click.option(
    "--all-revisions", is_flag=True, help="Also votes that their annotator changed later."
)
@click.option("--format", "form", type=VOTE_FORMATS, help="Format, where the name does not tell.")
@database_option
def export(
    study: str,
    votes: str | None,
    judgments: str | None,
    page_grades: str | None,
    all_revisions: bool,
    form: str | None,
    url: str | None,
) -> None:
    """Write votes or grades as CSV, JSON Lines or Parquet; `-` is standard output."""
    from evalkit.store import (
        export_judgments,
        export_page_grades,
        export_votes,
        find_study,
        note_export,
    )
    from evalkit.tables import write

    named = {"votes": votes, "judgments": judgments, "page_grades": page_grades}
    wanted = {kind: path for kind, path in named.items() if path is not None}
    if not wanted:
        raise SettingsError("say what to write: --votes, --judgments or --page-grades FILE.")
    if all_revisions and votes is None:
        raise SettingsError("--all-revisions is for votes; add --votes FILE.")
    check_outputs(*wanted.values())
    with opened(url) as store:
        found = find_study(store, study)
        tables = {}
        for kind in wanted:
            if kind == "votes":
                tables[kind] = export_votes(store, found.id, latest_only=not all_revisions)
            elif kind == "judgments":
                tables[kind] = export_judgments(store, found.id)
            else:
                tables[kind] = export_page_grades(store, found.id)
            if not tables[kind].num_rows:
                what = kind.replace("_", " ")
                raise SettingsError(f"{study} has no {what} yet; nothing was written.")
        for kind, table in tables.items():
            note_export(store, found.id, kind.replace("_", " "), table.num_rows)
    for kind, path in wanted.items():
        write(tables[kind], path, kind=kind, format=form)  # type: ignore[arg-type]
        if path != "-":
            click.echo(f"Wrote {path}: {tables[kind].num_rows:,} rows", err=True)


@click.command(
    "import",
    short_help="Add votes gathered elsewhere.",
    epilog="Example: evalkit study import shoes votes.csv",
)
@click.argument("study", metavar="STUDY")
@click.argument("path", metavar="FILE")
@map_option("The file's name for a column: annotator=worker.")
@click.option("--format", "form", type=VOTE_FORMATS, help="Format, where the name does not tell.")
@database_option
def import_(
    study: str, path: str, mapped: tuple[str, ...], form: str | None, url: str | None
) -> None:
    """Add votes that were gathered elsewhere: all of them, or none if one is wrong.

    FILE has query_id, annotator and preference (good, same, bad, both bad, or -2 to 2), or vote and
    treatment_side instead of preference. A vote that is there already is not added again.
    """
    from evalkit.engines import open_engine
    from evalkit.store import find_study, import_votes
    from evalkit.tables import read

    with opened(url) as store, open_engine() as connection:
        found = find_study(store, study)
        mapping = column_names(mapped).mapping("votes")
        table = read("votes", path, connection, format=form, mapping=mapping)
        try:
            done = import_votes(store, found.id, table.relation.to_arrow_table())
        except InputError as error:
            # The store counts the rows of the table, which are not those of the file.
            problems = [replace(problem, row=None) for problem in error.problems]
            raise InputError(path, problems, remedy=error.remedy, total=error.total) from error
    already = f"; {done.already:,} were there already" if done.already else ""
    click.echo(f"Added {done.votes:,} votes of {study}{already}.")
