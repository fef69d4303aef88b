"""`evalkit db`: the study database itself."""

from __future__ import annotations

import sys

import click

from evalkit.cli.database import database_option

__all__ = ["db"]


@click.group(epilog="Example: evalkit db backup backups/ --keep 14")
def db() -> None:
    """Upgrade, check and copy the study database."""


@db.command(epilog="Example: evalkit db upgrade --db sqlite:///studies.db")
@database_option
def upgrade(url: str | None) -> None:
    """Bring the database to the schema of this version; an empty one gets its tables.

    Rows stay as they are. A database of a newer version is refused. Make a backup first.
    """
    from evalkit.store import upgrade as bring_up

    before, after = bring_up(url)
    if before == after:
        click.echo(f"The database is up to date (schema {after}).")
    elif before is None:
        click.echo(f"Made the tables (schema {after}).")
    else:
        click.echo(f"Upgraded the database from schema {before} to {after}.")


@db.command(epilog="Example: evalkit db check")
@database_option
def check(url: str | None) -> None:
    """Look for damage: schema, references, places and votes that contradict each other.

    Exit code 2 if something is wrong.
    """
    from evalkit.store import check as look

    problems = look(url)
    for problem in problems:
        click.echo(problem)
    if problems:
        sys.exit(2)
    click.echo("Nothing is wrong with the database.")


@db.command(epilog="Example: evalkit db backup backups/ --keep 14")
@click.argument("path", metavar="FILE|FOLDER", type=click.Path())
@click.option(
    "--keep", type=click.IntRange(1), help="In a folder, keep this many newest copies only."
)
@database_option
def backup(path: str, keep: int | None, url: str | None) -> None:
    """Copy the database while people work; the copy is consistent and is checked.

    Copying the file itself is not enough: the latest votes may stand in a file beside it. In a
    folder the copy gets the time as its name; a slash at the end makes the folder.
    """
    from evalkit.store import backup as copy

    click.echo(f"Wrote {copy(url, path, keep=keep)}")
