"""Results as plain text, as an HTML table and as JSON: for a prompt, a notebook and a file."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "between",
    "figure_name",
    "html_table",
    "json_text",
    "p_value",
    "points",
    "segment_name",
    "span",
    "text_table",
    "three_decimals",
]

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


def between(low: float | None, high: float | None) -> str:
    """An interval of a coefficient."""
    if low is None or high is None:
        return MISSING
    return f"[{three_decimals(low)}, {three_decimals(high)}]"


def p_value(p: float | None) -> str:
    """A p-value to four decimals."""
    if p is None:
        return MISSING
    return "<0.0001" if p < 0.00005 else f"{p:.4f}"


def figure_name(measure: str, cutoff: int | None) -> str:
    """A measure with its cutoff, if it has one."""
    return measure if cutoff is None else f"{measure}@{cutoff}"


def segment_name(segment: Mapping[str, Any]) -> str:
    """A segment as `column=value`; `all` for the whole query set."""
    return " ".join(f"{column}={value}" for column, value in segment.items()) or "all"


def json_text(document: Mapping[str, Any], indent: int | None) -> str:
    """A document as JSON, numbers at full precision."""
    return json.dumps(document, indent=indent, allow_nan=False, ensure_ascii=False)


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
