"""What stands below the tables of a document: what the columns mean, and the warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.reports.grids import escape_markdown
from evalkit.reports.terminal import paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["legend_lines", "markdown_warnings", "warning_lines"]


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
