"""`--record`: keep what a command found in the study database, under a week and a name.

The week, the name and the database are checked before any work is done; the record is made when
everything else has succeeded. Commands that are called without it import no database.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.database import database_option, opened
from evalkit.cli.table_options import options
from evalkit.errors import InputError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from evalkit.manifest import Manifest
    from evalkit.store import Store

__all__ = [
    "DEFAULT_NAME",
    "Recording",
    "called_as",
    "judge_of",
    "keep",
    "manifest_of",
    "record_options",
    "recording",
    "recording_if",
    "week_options",
]

DEFAULT_NAME = "weekly"


@dataclass(frozen=True)
class Recording:
    """Where a record will go.

    Attributes:
        week: ISO week.
        name: name of the evaluation.
        url: the database, as `--db` gave it.
    """

    week: str
    name: str
    url: str | None


week_options = options(
    click.option(
        "--week",
        metavar="WEEK",
        help="ISO week of the record, as in 2026-W47 (default: this week).",
    ),
    click.option(
        "--name",
        "record_name",
        metavar="NAME",
        help=f"Records of one name form a trend (default: {DEFAULT_NAME}).",
    ),
    database_option,
)
"""`--week`, `--name` and `--db`, for `recording`."""

record_options = options(
    click.option("--record", is_flag=True, help="Keep the evaluation in the study database."),
    week_options,
)
"""`--record` with `--week`, `--name` and `--db`, for `recording_if`."""


def recording_if(
    record: bool, week: str | None, record_name: str | None, url: str | None
) -> Recording | None:
    """Do as `recording` if `--record` was given; else give None.

    Raises:
        SettingsError: `--week` or `--name` without `--record`.
        StoreError: there is no such week, or the database cannot be used.
    """
    if record:
        return recording(week, record_name, url, make=False)
    named = "--week" if week is not None else "--name" if record_name is not None else None
    if named is not None:
        raise SettingsError(f"{named} says where a record goes; add --record.")
    return None


def recording(
    week: str | None, record_name: str | None, url: str | None, *, make: bool = True
) -> Recording:
    """Check where a record is to go, before any work is done.

    A database that is not there is made, so that a history can begin without a study.

    Args:
        week: ISO week, or None for this one.
        record_name: name of the evaluation, or None for weekly.
        url: the database.
        make: make a missing database now; else `keep` does, so that what fails leaves none.

    Raises:
        SettingsError: the name is empty.
        StoreError: there is no such week, or the database cannot be used.
    """
    from evalkit.store import check_week, current_week
    from evalkit.store.opening import refuse_place

    if record_name is not None and not record_name.strip():
        raise SettingsError("--name is empty; leave it out for weekly, or name the evaluation.")
    if week is None:
        week = current_week()
        click.echo(f"Recording under this week, {week}; --week names another.", err=True)
    found = Recording(check_week(week), record_name or DEFAULT_NAME, url)
    refuse_place(url)
    if make or not _missing(url):
        with _made(url, create=True):
            pass
    return found


def _missing(url: str | None) -> bool:
    from evalkit.store.engine import parse_url, sqlite_path

    path = sqlite_path(parse_url(url))
    return path is not None and not Path(path).exists()


@contextmanager
def _made(url: str | None, *, create: bool = False) -> Iterator[Store]:
    """Open the database; make it where it is missing, and say so."""
    new = _missing(url)
    with opened(url, create=create or new) as store:
        if new:
            click.echo(f"Made the study database {store.url}.", err=True)
        yield store


def keep(
    recording: Recording,
    document: Mapping[str, Any],
    *,
    kind: Any = "score",
    fingerprint: str | None = None,
    query_set: str | None = None,
    judge: str | None = None,
    values: pa.Table | None = None,
) -> None:
    """Record a document, and say so on standard error; a missing database is made.

    Args:
        recording: where it goes.
        document: what was found; its command line is added here.
        kind: kind of the evaluation.
        fingerprint: what it was made from; that of the document by default.
        query_set: fingerprint of the query set.
        judge: who judged.
        values: the values of every query.

    Raises:
        StoreError: it cannot be recorded.
    """
    from evalkit.store import document_fingerprint, record_evaluation
    from evalkit.store.engine import milliseconds

    now = milliseconds()
    with _made(recording.url) as store:
        made = record_evaluation(
            store,
            kind=kind,
            week=recording.week,
            name=recording.name,
            document={**document, "command": called_as()},
            fingerprint=fingerprint or document_fingerprint(document),
            query_set=query_set,
            judge=judge,
            values=values,
            now=now,
        )
        where = f"{recording.name} of {recording.week} in {store.url}"
    if made.recorded_at != now:
        click.echo(f"Recorded before, nothing changed: {where}.", err=True)
        return
    records = "1 earlier record" if made.earlier == 1 else f"{made.earlier:,} earlier records"
    instead = f"; it counts instead of {records}" if made.earlier else ""
    click.echo(f"Recorded {where}{instead}.", err=True)


def called_as() -> str:
    """Return the command line as a shell would read it, without the password of a database."""
    from evalkit.store.engine import parse_url, without_secrets

    words = ["evalkit", *sys.argv[1:]]
    for place, word in enumerate(words):
        option, address = "", word
        if word.startswith("--db="):
            option, address = "--db=", word.removeprefix("--db=")
        elif words[place - 1] != "--db":
            continue
        if "://" in address:
            words[place] = option + without_secrets(parse_url(address))
    return shlex.join(words)


def judge_of(
    judgments: str, fingerprint: str, given: str | None = None
) -> tuple[str | None, str | None]:
    """Return who judged: as given, else the first model in the manifest beside the judgments.

    The fingerprint of the model is that of the manifest, whatever the judge is called. A manifest
    that is not evalkit's, or of another file than the one that is there now, says nothing.

    Args:
        judgments: path of the judgments.
        fingerprint: of the judgments as they were read.
        given: the name that the user gave.

    Returns:
        The name, and the fingerprint of the model, each None where that is not known.
    """
    manifest = manifest_of(judgments, fingerprint)
    if manifest is None or not manifest.models:
        return given, None
    model = manifest.models[0]
    return model.get("id") if given is None else given, model.get("fingerprint")


def manifest_of(judgments: str, fingerprint: str) -> Manifest | None:
    """Return the manifest beside judgments, where it is one of evalkit's and of these bytes."""
    from evalkit.manifest import manifest_path, read_manifest

    path = Path(judgments)
    if judgments == "-" or not manifest_path(path).is_file():
        return None
    try:
        manifest = read_manifest(path)
    except InputError:
        return None
    written = manifest.outputs.get(path.name, {}).get("fingerprint")
    return manifest if written == fingerprint else None
