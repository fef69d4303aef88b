"""`evalkit history`: what is recorded, a figure over the weeks, two weeks side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.database import database_option, opened
from evalkit.cli.output import check_outputs, emit_document, output_form, output_options
from evalkit.cli.recording import DEFAULT_NAME
from evalkit.cli.table_options import options
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["history"]

_KINDS = click.Choice(["score", "study", "calibration", "judge", "correlation"])


_answer_options = options(output_options(page=False), database_option)


def _form(form: str | None, output: str | None) -> str:
    check_outputs(output)
    return output_form(form, output, pageless="a history is no page")


def _print(document: Mapping[str, Any], form: str, output: str | None) -> None:
    from evalkit.reports import history_table as write

    emit_document(
        document,
        form,
        output,
        table=write.format_history_table,
        csv=write.format_history_csv,
        markdown=write.format_history_markdown,
    )


def _segment(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    column, equals, value = text.partition("=")
    if not (column and equals and value):
        raise SettingsError(f"--segment {text!r} is not understood; write query_type=negative.")
    return {column: value}


@click.group(
    invoke_without_command=True,
    epilog="Example: evalkit history --measure item_goodrate --at 10 --segment query_type=negative",
)
@click.option("--name", metavar="NAME", help=f"Name of the records (of a trend: {DEFAULT_NAME}).")
@click.option("--kind", type=_KINDS, help="Kind of the records (of a trend: score).")
@click.option("--measure", metavar="NAME", help="Follow this measure over the weeks.")
@click.option("--at", type=click.IntRange(1), metavar="N", help="Its cutoff (default: the first).")
@click.option("--segment", metavar="COLUMN=VALUE", help="Its segment (default: all queries).")
@_answer_options
@click.pass_context
def history(
    ctx: click.Context,
    name: str | None,
    kind: str | None,
    measure: str | None,
    at: int | None,
    segment: str | None,
    form: str | None,
    output: str | None,
    url: str | None,
) -> None:
    """List what is recorded, week by week, or follow one figure over the weeks.

    A week whose query set, judge or settings are not those of the week before is marked, with the
    reason. A trend breaks there.
    """
    if ctx.invoked_subcommand is not None:
        given = [
            parameter
            for parameter in ctx.params
            if ctx.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE
        ]
        if given:
            raise SettingsError(
                f"options of evalkit history {ctx.invoked_subcommand} stand behind "
                f"{ctx.invoked_subcommand}."
            )
        return
    from evalkit.reports.history import history_document, trend_document

    if measure is None and (at is not None or segment is not None):
        raise SettingsError("--at and --segment say which figure to follow; add --measure.")
    chosen, where = _form(form, output), _segment(segment)
    with opened(url) as store:
        if measure is None:
            document = history_document(store, name=name, kind=kind)
        else:
            document = trend_document(
                store,
                name=name or DEFAULT_NAME,
                kind=kind or "score",
                measure=measure,
                cutoff=at,
                segment=where,
            )
    _print(document, chosen, output)


@history.command(
    short_help="Set two weeks side by side.",
    epilog="Example: evalkit history compare 2026-W46 2026-W47",
)
@click.argument("before", metavar="WEEK")
@click.argument("after", metavar="WEEK")
@click.option(
    "--name", default=DEFAULT_NAME, show_default=True, metavar="NAME", help="Name of the records."
)
@click.option(
    "--kind", type=_KINDS, default="score", show_default=True, help="Kind of the records."
)
@_answer_options
def compare(
    before: str,
    after: str,
    name: str,
    kind: str,
    form: str | None,
    output: str | None,
    url: str | None,
) -> None:
    """Set two recorded weeks side by side.

    Where query set, judge and settings are the same, the change of each run's value is given with
    an interval over the same queries. Otherwise the reasons, and no difference.
    """
    from evalkit.reports.history import weeks_document

    chosen = _form(form, output)
    with opened(url) as store:
        document = weeks_document(store, before, after, name=name, kind=kind)
    _print(document, chosen, output)
