"""Where a command's answer goes: the terminal, a pipe or a file."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.table_options import options
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evalkit.tables import Kind

    Write = Callable[..., str]
    WritePage = Callable[[Mapping[str, Any], str], None]

__all__ = [
    "check_output_folder",
    "check_outputs",
    "check_tables",
    "color",
    "emit",
    "emit_document",
    "output_form",
    "output_options",
    "table_or_json",
    "to_terminal",
    "width",
]

_FORMS = {
    "": "table",
    ".txt": "table",
    ".json": "json",
    ".csv": "csv",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
}


def output_options(*, page: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--format`, passed on as `form`, and `-o`; a page is a form of its own."""
    return options(
        click.option(
            "--format",
            "form",
            type=click.Choice(["table", "json", "csv", "markdown", *(["html"] if page else [])]),
            help="Form of the output (default: by the name of -o, else table).",
        ),
        click.option(
            "-o", "--output", metavar="FILE", help="Write here instead of standard output."
        ),
    )


table_or_json = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Form of the output.",
)


def to_terminal(path: str | None) -> bool:
    """Whether the answer goes to standard output."""
    return path in (None, "-")


def output_form(form: str | None, path: str | None, *, page: str = "", pageless: str = "") -> str:
    """Return the form of an answer: the one asked for, else by the name of its file.

    Args:
        form: what `--format` said.
        path: what `-o` said.
        page: a name for the page, to propose where it would go to standard output.
        pageless: why there is no page.

    Raises:
        SettingsError: no form has such a name, or the answer cannot be a page.
    """
    ending = "" if path is None else Path(path).suffix.lower()
    if form is None and ending not in _FORMS:
        raise SettingsError(
            f"-o {path}: no form of a score ends in {ending}; name it .txt, .json, .csv, .md or "
            ".html, or say --format."
        )
    found = form or _FORMS[ending]
    if found == "html" and pageless:
        raise SettingsError(f"-o {path}: {pageless}; name it .txt, .json, .csv or .md.")
    if found == "html" and to_terminal(path):
        raise SettingsError(f"--format html needs a file: add -o {page}.")
    return found


def check_outputs(*paths: str | None, make_folders: bool = False) -> None:
    """Refuse files that cannot be written, and one file for two things, before any work.

    Args:
        paths: the outputs; None where one was not asked for.
        make_folders: the command makes the folder of an output that has none.

    Raises:
        InputError: a file cannot be written.
        SettingsError: two outputs are the same, or one is read by the command.
    """
    from evalkit.files import check_target, make_folder_of

    named = [path for path in paths if path is not None]
    files = [path for path in named if path != "-"]
    if len({os.path.realpath(path) for path in files}) < len(files) or named.count("-") > 1:
        raise SettingsError(f"{named[0]} is named for two outputs.")
    if len(paths) > 1 and paths[1] == "-" and paths[0] is None:
        raise SettingsError("two outputs go to standard output; name a file with -o.")
    named_at_all = _named_files()
    for path in files:
        if os.path.isfile(path) and named_at_all.count(os.path.realpath(path)) > 1:
            raise SettingsError(f"{path} is read by this command; write to another file.")
    for path in files:
        if make_folders:
            make_folder_of(path)
        check_target(path)


def check_tables(kind: Kind, *paths: str | None, format: str | None = None) -> None:  # noqa: A002
    """Refuse tables whose format cannot be told, before any work.

    Args:
        kind: what the tables are.
        paths: where they are to be written; None where one was not asked for.
        format: what `--output-format` said.

    Raises:
        SettingsError: no format has such a name, or none such fits the kind.
    """
    from evalkit.tables.writers import choose_format

    for path in paths:
        if path is not None:
            choose_format(kind, path, format)


def check_output_folder(folder: str, *inside: str) -> None:
    """Refuse a folder that is a file, or that would be written over something that is read.

    Args:
        folder: where the command writes.
        inside: names of the files and folders that it writes there; none where it replaces the
            folder as a whole.

    Raises:
        InputError: it is a file.
        SettingsError: what would be written is read by the command.
    """
    from evalkit.errors import InputError, Problem

    if not os.path.isdir(folder) and os.path.lexists(folder):
        raise InputError(folder, [Problem("is a file")], remedy="Name a folder.")
    place = os.path.realpath(folder)
    written = [os.path.join(place, name) for name in inside] or [place]
    named = _named_files()
    if not inside and named.count(place) > 1:
        raise SettingsError(f"{folder} is read by this command; write to another folder.")
    for path in named:
        if any(path != place and (path + os.sep).startswith(each + os.sep) for each in written):
            raise SettingsError(
                f"{os.path.relpath(path, place)} in {folder} is read by this command and would be "
                "written over; write to another folder."
            )


def _named_files() -> list[str]:
    """Every existing file or folder that the command's options name, also as NAME=FILE."""
    context = click.get_current_context(silent=True)
    given = [] if context is None else list(context.params.values())
    texts = [text for value in given for text in (value if isinstance(value, tuple) else (value,))]
    paths = [text for text in texts if isinstance(text, str) and text not in ("", "-")]
    files = [path if os.path.exists(path) else path.partition("=")[2] for path in paths]
    return [os.path.realpath(path) for path in files if path and os.path.exists(path)]


def width(path: str | None) -> int | None:
    """Columns to write for: those of a terminal, or no limit for a pipe or a file."""
    if to_terminal(path) and sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return None


def color(path: str | None) -> bool:
    """Whether to colour: in a terminal, unless NO_COLOR is set."""
    return to_terminal(path) and sys.stdout.isatty() and "NO_COLOR" not in os.environ


def emit(text: str, path: str | None) -> None:
    """Print a text, or write it to a file that appears whole or not at all."""
    if not to_terminal(path):
        from evalkit.files import write_text

        write_text(text, str(path))
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        click.echo(text, nl=not text.endswith("\n"))
    except BrokenPipeError:
        # The reader has seen enough (`evalkit score ... | head`): not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def emit_document(
    document: Mapping[str, Any],
    form: str,
    path: str | None,
    *,
    table: Write,
    csv: Write,
    markdown: Write,
    page: WritePage | None = None,
) -> None:
    """Print a document, or write it to a file, in the form that `output_form` returned."""
    from evalkit.reports.score_exports import format_json

    if form == "html" and page is not None:
        page(document, str(path))
        click.echo(f"Wrote {path}", err=True)
    elif form == "table":
        emit(table(document, width=width(path), color=color(path)), path)
    else:
        emit({"json": format_json, "csv": csv, "markdown": markdown}[form](document), path)
