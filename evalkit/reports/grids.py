"""Small tables of text: drawn for a terminal, or written as Markdown.

A grid knows what it says and which of its columns it can do without. Figures come in as text (see
`score_numbers`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.reports.score_numbers import MISSING
from evalkit.reports.terminal import clamp, display_width, pad, paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Grid", "draw_grid", "escape_markdown", "markdown_grid", "note_remarks", "numbered"]

_WRAP = 100
_GAP = 2


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Attributes:
        headers: of the columns; the first is the table's title.
        lines: cells, the first of a line its label.
        dropped_first: headers of the columns that go first when the table is too wide.
        remarks: sentences below.
    """

    headers: Sequence[str]
    lines: Sequence[Sequence[str]]
    dropped_first: Sequence[str] = ()
    remarks: Sequence[str] = ()


def numbered(label: str, note: str | None, notes: list[str]) -> str:
    """A label with the number of its note, which joins `notes` where it is new.

    Example:
        >>> notes = ["few queries"]
        >>> numbered("negative", "no votes", notes), numbered("all", "", notes), notes
        ('negative [2]', 'all', ['few queries', 'no votes'])
    """
    if not note:
        return label
    if note not in notes:
        notes.append(note)
    return f"{label} [{notes.index(note) + 1}]"


def note_remarks(notes: Sequence[str]) -> list[str]:
    """The numbered notes as remarks below a table."""
    return [f"[{number}] {plain(note)}" for number, note in enumerate(notes, 1)]


def draw_grid(grid: Grid, width: int | None, *, color: bool) -> list[str]:
    """Lines of a table for a terminal; columns that say nothing, or do not fit, are left out.

    Args:
        grid: the table.
        width: columns there are; None takes what the table needs.
        color: write ANSI styles.

    Example:
        >>> draw_grid(Grid(["GSB", "queries"], [["all", "12"]]), None, color=False)
        ['GSB  queries', 'all       12']
    """
    places = [
        at
        for at in range(len(grid.headers))
        if at == 0 or any(line[at] not in ("", MISSING) for line in grid.lines)
    ]
    widths = [
        max(display_width(text) for text in [grid.headers[at], *(line[at] for line in grid.lines)])
        for at in range(len(grid.headers))
    ]
    left_out = []

    def needed() -> int:
        return sum(widths[at] for at in places) + _GAP * (len(places) - 1)

    for name in grid.dropped_first:
        at = grid.headers.index(name)
        if width is not None and needed() > width and at in places:
            places.remove(at)
            left_out.append(name.strip())
    if width is not None and needed() > width:
        widths[0] = max(12, widths[0] - needed() + width)

    def join(cells: Sequence[str]) -> str:
        return (" " * _GAP).join(
            pad(clamp(cells[at], widths[at]), widths[at], right=at > 0) for at in places
        )

    out = [paint(join(grid.headers), "bold", color=color)]
    out += [join(line) for line in grid.lines]
    limit = width or max(needed(), _WRAP)
    remarks = list(grid.remarks)
    if left_out:
        remarks.append(f"Left out at this width: {', '.join(left_out)}.")
    for remark in remarks:
        out += [
            paint(line, "quiet", color=color)
            for line in wrap(remark, limit, first="  ", rest="    ")
        ]
    return out


def markdown_grid(grid: Grid) -> list[str]:
    """Lines of a table under a heading, in GitHub's Markdown, remarks below."""
    out = [f"### {escape_markdown(grid.headers[0])}", ""]
    out.append(f"| {' | '.join(escape_markdown(head) for head in ['', *grid.headers[1:]])} |")
    marks = ["---", *["---:"] * (len(grid.headers) - 1)]
    out.append(f"| {' | '.join(marks)} |")
    out += [
        f"| {' | '.join(escape_markdown(cell.strip()) for cell in line)} |" for line in grid.lines
    ]
    if grid.remarks:
        out += ["", *(f"{escape_markdown(remark)}  " for remark in grid.remarks)]
    return out


def escape_markdown(text: object) -> str:
    """Markdown with every mark of its own taken literally, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", plain(text))
