"""The tables of a document and what stands below them: what the columns mean, and the warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.reports.grids import draw_grid, escape_markdown, markdown_grid
from evalkit.reports.terminal import paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from evalkit.reports.grids import Grid

__all__ = [
    "legend_lines",
    "markdown_text",
    "markdown_warnings",
    "table_text",
    "warning_lines",
]

_WRAP = 100


def table_text(
    head: Sequence[str],
    grids: Iterable[Grid],
    document: Mapping[str, Any],
    legend: str,
    width: int | None,
    *,
    color: bool,
    below: Iterable[str] = (),
) -> str:
    """A document for a terminal: its head, its tables, sentences below them, what closes it."""
    out, limit = list(head), width or _WRAP
    for grid in grids:
        out += ["", *draw_grid(grid, width, color=color)]
    for text in below:
        out += ["", *wrap(plain(text), limit, rest="  ")]
    out += ["", *legend_lines(legend, limit, color=color)]
    out += warning_lines(document.get("warnings"), limit, color=color)
    return "\n".join(line.rstrip() for line in out) + "\n"


def markdown_text(
    head: Sequence[str],
    grids: Iterable[Grid],
    document: Mapping[str, Any],
    legend: str,
    below: Iterable[str] = (),
) -> str:
    """The same in Markdown; its head is Markdown already."""
    out = list(head)
    for grid in grids:
        out += ["", *markdown_grid(grid)]
    for text in [*below, legend]:
        out += ["", escape_markdown(text)]
    return "\n".join([*out, *markdown_warnings(document.get("warnings"))]) + "\n"


def legend_lines(legend: str, width: int, *, color: bool) -> list[str]:
    """The legend as lines of at most a width, quiet where there is colour."""
    return [paint(line, "quiet", color=color) for line in wrap(legend, width)]


def warning_lines(warnings: Sequence[str] | None, width: int, *, color: bool) -> list[str]:
    """The warnings below a blank line and a heading with their number; nothing without any."""
    if not warnings:
        return []
    lines = ["", paint(f"Warnings ({len(warnings)})", "bold", color=color)]
    for warning in warnings:
        lines += wrap(plain(warning), width, first="  ! ", rest="    ")
    return lines


def markdown_warnings(warnings: Sequence[str] | None) -> list[str]:
    """The same as a list in Markdown."""
    if not warnings:
        return []
    return ["", "**Warnings**", "", *(f"- {escape_markdown(warning)}" for warning in warnings)]
