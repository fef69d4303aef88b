"""`evalkit study`: open and close a study, and see how it stands."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from evalkit.cli.database import database_option, opened
from evalkit.cli.options import words
from evalkit.cli.output import check_outputs, color, emit, table_or_json, width
from evalkit.cli.recording import keep, recording, week_options
from evalkit.cli.study_create import create
from evalkit.cli.study_people import annotators, invite, restore, revoke, set_aside
from evalkit.cli.study_votes import export, import_
from evalkit.errors import SettingsError

__all__ = ["study"]


@click.group(
    epilog="Example: evalkit study create shoes --control bm25.parquet --treatment dense.parquet "
    "--queries queries.csv --products products.jsonl --open"
)
def study() -> None:
    """Side-by-side studies: people compare two result lists, blind, and vote."""


for command in (annotators, create, export, import_, invite, restore, revoke, set_aside):
    study.add_command(command)


@study.command("list", epilog="Example: evalkit study list")
@table_or_json
@database_option
def list_studies(form: str, url: str | None) -> None:
    """List the studies, newest first."""
    from evalkit.reports.study_table import format_studies
    from evalkit.store import progress, studies

    with opened(url) as store:
        rows = [
            {
                "name": each.name,
                "kind": each.design.kind,
                "state": each.state,
                "control": each.design.control_system,
                "treatment": each.design.treatment_system,
                "created_at": each.created_at,
                "progress": asdict(progress(store, each.id)),
            }
            for each in studies(store)
        ]
    emit(json.dumps(rows, indent=2) if form == "json" else format_studies(rows), None)


def _move(name: str, state: Any, url: str | None, then: str) -> None:
    from evalkit.store import find_study, set_state

    with opened(url) as store:
        set_state(store, find_study(store, name).id, state)
    click.echo(f"{name} is {state}{then}")


@study.command("open", short_help="Let people vote.", epilog="Example: evalkit study open shoes")
@click.argument("name", metavar="STUDY")
@database_option
def open_study(name: str, url: str | None) -> None:
    """Let people vote: from draft, or again after a pause."""
    _move(name, "open", url, ": evalkit annotate serves it to those who were invited.")


@study.command(epilog="Example: evalkit study pause shoes")
@click.argument("name", metavar="STUDY")
@database_option
def pause(name: str, url: str | None) -> None:
    """Serve no further tasks for now."""
    _move(name, "paused", url, "; evalkit study open goes on.")


@study.command(short_help="End a study for good.", epilog="Example: evalkit study close shoes")
@click.argument("name", metavar="STUDY")
@database_option
def close(name: str, url: str | None) -> None:
    """End a study for good: no vote can be given or changed any more."""
    _move(name, "closed", url, "; its votes can be exported.")


@study.command(
    short_help="Say how a study stands.",
    epilog="Example: evalkit study status shoes --by query_type,department",
)
@click.argument("name", metavar="STUDY")
@click.option("--by", metavar="COLUMN,COLUMN", help="Segments (default: those of the study).")
@click.option(
    "--aggregate",
    type=click.Choice(["majority", "votes", "dawid_skene"]),
    default="majority",
    show_default=True,
    help="How several votes on a query become one.",
)
@click.option(
    "--stop-width",
    type=click.FloatRange(0, 200, min_open=True),
    metavar="POINTS",
    help="Say when GSB is known this closely (default: the study's own).",
)
@click.option(
    "--stop-when-decided/--no-stop-when-decided",
    default=None,
    help="Say when the win rate is decided (default: the study's own).",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the bootstraps.")
@table_or_json
@click.option("-o", "--output", metavar="FILE", help="Write here instead of standard output.")
@database_option
def status(
    name: str,
    by: str | None,
    aggregate: Any,
    stop_width: float | None,
    stop_when_decided: bool | None,
    seed: int,
    form: str,
    output: str | None,
    url: str | None,
) -> None:
    """Say how a study stands: progress, GSB, position bias, agreement, votes left.

    GSB has two intervals: the fixed one holds if the study is looked at once, at its end; the
    anytime one however often. Under other policies than random there is none that holds before the
    end, and the output says so.
    """
    from evalkit.reports.study import study_summary
    from evalkit.reports.study_table import format_study
    from evalkit.store import find_study

    check_outputs(output)
    with opened(url) as store:
        summary = study_summary(
            store,
            find_study(store, name).id,
            by=words(by) if by is not None else None,
            aggregate=aggregate,
            seed=seed,
            stop_width=stop_width,
            stop_when_decided=stop_when_decided,
        )
    if form == "json":
        emit(json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False), output)
    else:
        emit(format_study(summary, width=width(output), color=color(output)), output)


@study.command(
    "record",
    short_help="Keep how a study stands in the history.",
    epilog="Example: evalkit study record shoes --week 2026-W47",
)
@click.argument("name", metavar="STUDY")
@week_options
def record_study(name: str, week: str | None, record_name: str | None, url: str | None) -> None:
    """Keep how a study stands in the history, under a week: GSB, bias, agreement, progress.

    The same votes a second time change nothing. The latest record of a week counts.
    """
    from evalkit.reports.study_record import study_record
    from evalkit.store import find_study

    with opened(url) as store:
        document, fingerprint, query_set = study_record(store, find_study(store, name).id)
    keep(
        recording(week, record_name, url),
        document,
        kind="study",
        fingerprint=fingerprint,
        query_set=query_set,
        judge="people",
    )


@study.command(
    short_help="Show or store the instructions.",
    epilog="Example: evalkit study guideline shoes --type negative --file negative.md",
)
@click.argument("name", metavar="STUDY")
@click.option("--type", "query_type", metavar="TYPE", help="Query type (default: all types).")
@click.option("--file", "path", metavar="FILE", help="Markdown to store as the next version.")
@database_option
def guideline(name: str, query_type: str | None, path: str | None, url: str | None) -> None:
    """Show the instructions that annotators see, or store the next version of them."""
    from evalkit.store import find_study, save_guideline
    from evalkit.store import guideline as newest

    text = None if path is None else _text_of(path)
    with opened(url) as store:
        found = find_study(store, name)
        if text is not None:
            saved = save_guideline(store, found.id, query_type, text)
            click.echo(f"Stored version {saved.version} for {query_type or 'all types'}.", err=True)
            return
        shown = newest(store, found.id, query_type)
    if not shown.version:
        raise SettingsError(f"{name} has no guideline yet; store one with --file FILE.")
    emit(shown.text, None)


def _text_of(path: str) -> str:
    from evalkit.errors import InputError, Problem

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(
            path, [Problem(f"cannot be read ({reason})")], remedy="Check the path and the file."
        ) from error
    if not text.strip():
        raise InputError(path, [Problem("is empty")], remedy="Write the guideline first.")
    return text
