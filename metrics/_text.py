"""Results as plain text and as an HTML table, for a prompt and a notebook."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["html_table", "points", "span", "text_table", "three_decimals"]

MISSING = "–"


def points(value: float | None, *, signed: bool = False) -> str:
    """A share in points; a dash for a figure that does not exist."""
    if value is None:
        return MISSING
    return f"{100 * value:+.2f}" if signed else f"{100 * value:.2f}"


def three_decimals(value: float | None) -> str:
    """A coefficient such as alpha or kappa."""
    return MISSING if value is None else f"{value:.3f}"


def span(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """An interval in points."""
    if low is None or high is None:
        return MISSING
    return f"[{points(low, signed=signed)}, {points(high, signed=signed)}]"


def text_table(
    header: Sequence[str], lines: Sequence[Sequence[str]], remarks: Sequence[str], *, left: int = 1
) -> str:
    """Columns apart by two blanks, the first `left` of them flush left; remarks below."""
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    rows = [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [header, *lines]
    ]
    return "\n".join([*rows, *(f"! {remark}" for remark in remarks)])


def html_table(
    header: Sequence[str], lines: Sequence[Sequence[str]], remarks: Sequence[str]
) -> str:
    """The same as an HTML table, everything escaped."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>"
        for line in lines
    )
    notes = "".join(f"<p>{html.escape(remark)}</p>" for remark in remarks)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"
