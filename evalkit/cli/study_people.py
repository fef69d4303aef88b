"""The commands of `evalkit study` that are about people: who is invited, how they vote."""

from __future__ import annotations

import json

import click

from evalkit.cli.database import database_option, find_person, opened
from evalkit.cli.output import emit, table_or_json
from evalkit.errors import SettingsError

__all__ = ["annotators", "invite", "restore", "revoke", "set_aside"]


@click.command(
    short_help="Print a personal link for each name.",
    epilog="Example: evalkit study invite Ana Ben --role annotator",
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--role",
    type=click.Choice(["annotator", "analyst", "admin"]),
    help="annotator votes, analyst also reads results, admin also changes studies (default: the "
    "role that the person has, else annotator).",
)
@click.option("--email", help="Address for signing in through an OpenID provider; for one NAME.")
@click.option(
    "--url",
    "pages",
    default="http://localhost:8501",
    show_default=True,
    help="Where people reach the pages.",
)
@database_option
def invite(
    names: tuple[str, ...], role: str | None, email: str | None, pages: str, url: str | None
) -> None:
    """Make a personal link for each NAME and print it, once.

    Only a hash of the link is kept. Inviting somebody again makes a new link and ends the old one.
    """
    from evalkit.store import invite as make_link

    if email is not None and len(names) > 1:
        raise SettingsError("--email is one person's address; invite one NAME at a time.")
    if not pages.startswith(("http://", "https://")):
        raise SettingsError(f"--url {pages!r} is no web address; write http://HOST:PORT.")
    if any(not name.strip() for name in names) or len(set(names)) < len(names):
        raise SettingsError("every NAME must be different and not empty.")
    with opened(url) as store:
        for name in names:
            person, token = make_link(store, name, role=role, email=email)  # type: ignore[arg-type]
            click.echo(f"{person.name} ({person.role}): {pages.rstrip('/')}/invite/{token}")
    click.echo("Give each link to its person only; whoever has it votes in that name.", err=True)


@click.command(epilog="Example: evalkit study revoke Ben")
@click.argument("name", metavar="NAME")
@database_option
def revoke(name: str, url: str | None) -> None:
    """End a person's access; the votes stay."""
    from evalkit.store import revoke as end

    with opened(url) as store:
        end(store, find_person(store, name).id)
    click.echo(f"{name} can no longer sign in; evalkit study invite makes a new link.")


@click.command(
    short_help="Show how each person votes.", epilog="Example: evalkit study annotators shoes"
)
@click.argument("study", metavar="STUDY")
@table_or_json
@database_option
def annotators(study: str, form: str, url: str | None) -> None:
    """Show how each person votes: gold, twins, agreement with others, pace, left share."""
    from evalkit.reports.study import study_summary
    from evalkit.reports.study_table import format_annotators
    from evalkit.store import find_study

    with opened(url) as store:
        summary = study_summary(store, find_study(store, study).id)
    if form == "json":
        emit(json.dumps(summary["annotators"], indent=2, ensure_ascii=False), None)
    else:
        emit(format_annotators(summary), None)


@click.command(
    "set-aside",
    short_help="Keep a person's votes out of every figure.",
    epilog="Example: evalkit study set-aside shoes Ben --reason 'only left'",
)
@click.argument("study", metavar="STUDY")
@click.argument("name", metavar="NAME")
@click.option("--reason", required=True, help="Why; it is said beside every figure.")
@database_option
def set_aside(study: str, name: str, reason: str, url: str | None) -> None:
    """Keep a person's votes out of every figure of a study; they are not deleted."""
    from evalkit.store import find_study
    from evalkit.store import set_aside as put_aside

    if not reason.strip():
        raise SettingsError("--reason is empty; say why these votes are set aside.")
    with opened(url) as store:
        found = find_study(store, study)
        put_aside(store, found.id, find_person(store, name).id, reason)
    click.echo(f"The votes of {name} enter no figure of {study}; evalkit study restore undoes it.")


@click.command(epilog="Example: evalkit study restore shoes Ben")
@click.argument("study", metavar="STUDY")
@click.argument("name", metavar="NAME")
@database_option
def restore(study: str, name: str, url: str | None) -> None:
    """Let a person's votes enter the figures again."""
    from evalkit.store import find_study
    from evalkit.store import restore as take_back

    with opened(url) as store:
        found = find_study(store, study)
        take_back(store, found.id, find_person(store, name).id)
    click.echo(f"The votes of {name} enter the figures of {study} again.")
