"""`evalkit report`: the weekly evaluation report, as a page and for a chat."""

from __future__ import annotations

import click

from evalkit.cli.database import database_option, opened
from evalkit.cli.output import check_outputs, emit, to_terminal
from evalkit.cli.recording import DEFAULT_NAME
from evalkit.errors import SettingsError

__all__ = ["report"]


@click.command(
    short_help="Write the weekly evaluation report.",
    epilog="Example: evalkit report --week 2026-W47 --db demo/evalkit.db --markdown report.md",
)
@click.option("--week", required=True, metavar="WEEK", help="ISO week, as in 2026-W47.")
@click.option(
    "--name",
    default=DEFAULT_NAME,
    show_default=True,
    metavar="NAME",
    help="The name under which the evaluations are recorded.",
)
@click.option(
    "--study",
    "studies",
    multiple=True,
    metavar="STUDY",
    help="Report on this study, as it is recorded for the week or else as it stands; the first "
    "one decides the verdict (default: those recorded for the week). Repeatable.",
)
@click.option("--title", metavar="TEXT", help="Heading of the report.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The page (default: report-WEEK.html); - for standard output.",
)
@click.option("--markdown", metavar="FILE", help="Also write the report as Markdown for a chat.")
@database_option
def report(
    week: str,
    name: str,
    studies: tuple[str, ...],
    title: str | None,
    output: str | None,
    markdown: str | None,
    url: str | None,
) -> None:
    """Write the report of a week from what is recorded in the database.

    One HTML file that opens without a network and prints: a verdict with its evidence, Goodrates
    and GSB with intervals, by segment and over weeks, the biggest wins and losses, what people
    said and how well they agree, how far the judge can be trusted, and the command behind every
    figure. A score must be recorded for the week (evalkit score --record); whatever else is not
    there is named, with the command that adds it.
    """
    from evalkit.reports.weekly.document import weekly_document
    from evalkit.reports.weekly.markdown import format_weekly_markdown
    from evalkit.reports.weekly.page import format_weekly_page
    from evalkit.store import check_week

    if title is not None and not title.strip():
        raise SettingsError("--title is empty; leave it out, or name the report.")
    page = output or f"report-{check_week(week)}.html"
    check_outputs(page, markdown)
    with opened(url) as store:
        document = weekly_document(store, week, name, studies=studies, title=title)
    written = {page: format_weekly_page(document)}
    if markdown is not None:
        written[markdown] = format_weekly_markdown(document, None if page == "-" else page)
    for path, text in written.items():
        emit(text, path)
        if not to_terminal(path):
            click.echo(f"Wrote {path}", err=True)
