"""A score document as text: for a terminal, for Markdown.

Pure functions of the document. Both round for reading; CSV and JSON (see `score_exports`) keep
every digit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from evalkit.reports import score_document as read
from evalkit.reports.closing import legend_lines, markdown_warnings, warning_lines
from evalkit.reports.grids import escape_markdown, numbered
from evalkit.reports.terminal import clamp, display_width, pad, paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.reports.score_document import Document, Row

__all__ = ["format_markdown", "format_table"]

_HEADERS = {
    "label": "",
    "system": "system",
    "queries": "queries",
    "control": "control",
    "treatment": "treatment",
    "delta": "Δ",
    "value": "value",
    "interval": "95% interval",
    "relative": "relative",
    "p": "p",
    "mark": "",
    "counts": "+/=/−",
    "mde": "mde",
    "judged": "judged",
}
_COMPARISON = [
    "label",
    "queries",
    "control",
    "treatment",
    "delta",
    "interval",
    "relative",
    "p",
    "mark",
    "counts",
    "mde",
    "judged",
]
_SINGLE = ["label", "system", "queries", "value", "interval", "judged"]
_LEFT = {"label", "system", "mark"}
_DROPPED_FIRST = ("relative", "mde", "counts", "queries")
_WRAP = 100
_LABEL_AT_LEAST = 21
_BOUNDS: tuple[tuple[Literal["unjudged", "ties"], str], ...] = (
    ("unjudged", "unjudged bad…good"),
    ("ties", "ties worst…best"),
)


@dataclass
class _Line:
    """One line of the body: cells of a row, or a free text over the whole width."""

    cells: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    style: str | None = None


def format_table(document: Document, *, width: int | None = None, color: bool = False) -> str:
    """The document for reading in a terminal, ending in a newline.

    Args:
        document: a score document, of a comparison or of single runs.
        width: columns there are; None takes what the table needs. When they do not suffice,
            columns are left out (relative, mde, counts, queries, in this order) and named below.
        color: write ANSI colours. Nothing is said by colour alone.

    Example:
        >>> row = {"measure": "mrr", "cutoff": None, "segment": {}, "queries": 2, "system": "a",
        ...        "value": 0.75, "ci_low": None, "ci_high": None, "judged": 1.0}
        >>> document = {"query_set": {"size": 2}, "results": [row], "settings": {}, "warnings": []}
        >>> print(format_table(document).splitlines()[3])
        MRR  a             2  75.00             –   100.0
    """
    compared = read.is_comparison(document)
    notes: list[str] = []
    sections = [(block.title, list(_body(block, notes))) for block in read.blocks(document)]
    every = [line for _, lines in sections for line in lines]
    keys = _used(_COMPARISON if compared else _SINGLE, every)
    keys, gap, widths = _fit(keys, every, width)
    dropped = [
        _HEADERS[key]
        for key in _DROPPED_FIRST
        if key in (_COMPARISON if compared else _SINGLE) and key not in keys
    ]
    total = sum(widths.values()) + gap * (len(keys) - 1)
    limit = width or max(total, _WRAP)

    out = _header(document, limit)
    for title, lines in sections:
        names = {key: _HEADERS[key] for key in keys} | {"label": plain(title)}
        head = _join(names, keys, widths, gap)
        out += ["", paint(head, "bold", color=color)]
        out += [_draw(line, keys, widths, gap, limit, color) for line in lines]
    if not sections:
        out += ["", "No results."]
    out += [""]
    for number, note in enumerate(notes, 1):
        out += wrap(f"[{number}] {plain(note)}", limit, rest="    ")
    out += legend_lines(_legend(document, compared, dropped), limit, color=color)
    out += warning_lines(document.get("warnings"), limit, color=color)
    return "\n".join(line.rstrip() for line in out) + "\n"


def format_markdown(document: Document) -> str:
    """The document as GitHub-flavoured Markdown with the same figures as the terminal table."""
    compared = read.is_comparison(document)
    out = [f"**{escape_markdown(line)}**" for line in read.query_set_lines(document)]
    settings = read.setting_items(document)
    if settings:
        out += [
            "",
            "Settings: " + ", ".join(f"{name} `{_code(value)}`" for name, value in settings),
        ]
    notes: list[str] = []
    for block in read.blocks(document):
        lines = list(_body(block, notes))
        keys = _used(_COMPARISON if compared else _SINGLE, lines)
        # the mark stands with its p
        kept = [key for key in keys if key != "mark"]
        heads = [_HEADERS[key] or ("segment" if block.columns else "measure") for key in kept]
        out += ["", f"### {escape_markdown(block.title)}", ""]
        out.append(f"| {' | '.join(heads)} |")
        out.append(f"| {' | '.join('---' if key in _LEFT else '---:' for key in kept)} |")
        for line in lines:
            if line.text is not None:
                text = line.text.strip()
                if not text:
                    continue
                label = escape_markdown(text)
                cells = {"label": f"**{label}**" if line.style == "bold" else label}
            else:
                cells = {key: escape_markdown(value.strip()) for key, value in line.cells.items()}
                if cells.get("mark"):
                    cells["p"] = f"{cells['p']} {cells['mark']}"
            out.append(f"| {' | '.join(cells.get(key, '') for key in kept)} |")
    out += [""]
    out += [f"\\[{number}\\] {escape_markdown(note)}  " for number, note in enumerate(notes, 1)]
    out += [escape_markdown(_legend(document, compared, []))]
    out += markdown_warnings(document.get("warnings"))
    if document.get("inputs"):
        out += ["", "| input | rows | fingerprint |", "| --- | ---: | --- |"]
        out += [
            f"| {escape_markdown(item.get('path'))} | {read.count(item.get('rows'))}"
            f" | `{_code(item.get('fingerprint'))}` |"
            for item in document["inputs"]
        ]
    return "\n".join(out) + "\n"


def _body(block: read.Block, notes: list[str]) -> Iterator[_Line]:
    """Lines of a block; `notes` collects footnotes and numbers them through the document."""
    previous: Any = ...
    for group in block.groups:
        cutoff = group[0].get("cutoff")
        nested = bool(block.columns)
        if previous is not ... and (cutoff != previous or nested):
            yield _Line(text="")
        previous = cutoff
        if nested:
            yield _Line(text=read.measure_label(group[0]), style="bold")
        for row in group:
            label = f"  {read.segment_label(row)}" if nested else read.measure_label(row)
            indent = "    " if nested else "  "
            yield _row_line(row, plain(label) if not nested else f"  {plain(label)}", notes)
            yield from _extra_lines(row, indent)


def _row_line(row: Row, label: str, notes: list[str]) -> _Line:
    label = numbered(label, row.get("note"), notes)
    cells = {"label": label, "queries": read.count(row.get("queries"))}
    if "delta" not in row:
        cells |= {
            "system": plain(row.get("system", "")),
            "value": read.points(row.get("value")),
            "interval": read.interval(row.get("ci_low"), row.get("ci_high"), sign=False),
            "judged": read.share(row.get("judged")),
        }
        return _Line(cells)
    place = read.standing(row)
    marks = {"better": "*", "worse": "*", "exploratory": "·"}
    counts = [row.get(key) for key in ("improved", "same", "worse")]
    cells |= {
        "control": read.points(row.get("control")),
        "treatment": read.win_rate(row) or read.points(row.get("treatment")),
        "delta": read.signed(row.get("delta")),
        "interval": read.interval(row.get("ci_low"), row.get("ci_high")),
        "relative": read.ratio(row.get("relative")),
        "p": read.p_value(row.get("p")),
        "mark": marks.get(place, ""),
        "counts": read.count(None)
        if all(number is None for number in counts)
        else "/".join(read.count(number) for number in counts),
        "mde": read.points(row.get("mde")),
        "judged": f"{read.share(row.get('judged_control'))}→"
        f"{read.share(row.get('judged_treatment'))}",
    }
    return _Line(cells, style=place)


def _extra_lines(row: Row, indent: str) -> Iterator[_Line]:
    """Beneath a row: bounds, in the columns of what they bound, and other readings of GSB."""
    for kind, name in _BOUNDS:
        found = read.bounds(row, kind)
        if not found:
            continue
        cells = {"label": indent + name}
        cells |= {of: read.range_text(*pair) for of, pair in found.items() if of != "delta"}
        if "delta" in found:
            cells["interval"] = read.range_text(*found["delta"], sign=True)
        yield _Line(cells, style="quiet")
    for remark in ("" if row.get("segment") else read.good_or_same(row), read.identical_lists(row)):
        if remark:
            yield _Line(text=indent + remark, style="quiet")


def _used(keys: list[str], lines: list[_Line]) -> list[str]:
    """Columns in which at least one row says something; `system` only when there are several."""
    used = [
        key
        for key in keys
        if any(line.cells.get(key, "") not in ("", read.MISSING) for line in lines)
        or key in ("label", "delta", "interval", "p", "judged")
    ]
    if "p" in used and "mark" not in used:
        used.insert(used.index("p") + 1, "mark")
    return used


def _fit(
    keys: list[str], lines: list[_Line], width: int | None
) -> tuple[list[str], int, dict[str, int]]:
    """Columns, gap and widths that fit; the figures of a row are never left out."""
    widths = {
        key: max(
            [display_width(_HEADERS[key])]
            + [display_width(line.cells.get(key, "")) for line in lines if line.text is None]
        )
        for key in keys
    }
    widths["label"] = max(widths["label"], 7)
    chosen, gap = list(keys), 2

    def needed() -> int:
        return sum(widths[key] for key in chosen) + gap * (len(chosen) - 1)

    if width is not None:
        if needed() > width and "relative" in chosen:
            chosen.remove("relative")
        if needed() > width:
            gap = 1
        if needed() > width:
            widths["label"] = max(
                min(widths["label"], _LABEL_AT_LEAST), widths["label"] - needed() + width
            )
        for key in _DROPPED_FIRST:
            if needed() > width and key in chosen:
                chosen.remove(key)
    return chosen, gap, {key: widths[key] for key in chosen}


def _join(cells: Mapping[str, str], keys: list[str], widths: Mapping[str, int], gap: int) -> str:
    parts = []
    for key in keys:
        text = clamp(cells.get(key, ""), widths[key])
        parts.append(pad(text, widths[key], right=key not in _LEFT))
    return (" " * gap).join(parts)


def _draw(
    line: _Line,
    keys: list[str],
    widths: Mapping[str, int],
    gap: int,
    limit: int,
    color: bool,
) -> str:
    if line.text is not None:
        said = line.text.lstrip()
        indent = line.text[: len(line.text) - len(said)]
        lines = [clamp(part, limit) for part in wrap(said, limit, first=indent, rest=f"{indent}  ")]
        if line.style:
            lines = [paint(part, line.style, color=color) for part in lines]
        return "\n".join(lines)
    text = _join(line.cells, keys, widths, gap)
    if line.style in ("better", "worse", "quiet"):
        return paint(text, line.style, color=color)
    return text


def _header(document: Document, limit: int) -> list[str]:
    lines: list[str] = []
    for line in [*read.query_set_lines(document), *read.run_lines(document)]:
        lines += wrap(plain(line), limit, rest="  ")
    settings = " · ".join(f"{name} {value}" for name, value in read.setting_items(document))
    return lines + (wrap(plain(f"Settings: {settings}"), limit, rest="  ") if settings else [])


def _legend(document: Document, compared: bool, dropped: list[str]) -> str:
    rows = list(document.get("results", ()))
    parts = ["Values in points (share or score × 100)"]
    if compared:
        parts += ["Δ = treatment − control with its 95% interval"]
        if any(row.get("p_holm") is not None for row in rows):
            parts += ["p raw, *\u00a0significant after Holm at 0.05"]
        if any(read.standing(row) == "exploratory" for row in rows):
            parts += ["·\u00a0exploratory"]
        parts += ["+/=/− queries improved/same/worse"]
        if any(row.get("win_rate") is not None for row in rows):
            parts += ["GSB: +/=/− are G:S:B, win = G/(G+B)"]
        parts += ["mde = smallest Δ found with 80% power"]
        parts += ["judged = % of shown items, control→treatment"]
    else:
        parts += ["95% interval over queries", "judged = % of shown items"]
    text = "; ".join(parts) + "."
    return text + (f" Left out at this width: {', '.join(dropped)}." if dropped else "")


def _code(text: object) -> str:
    return plain(text).replace("`", "'").replace("|", "\\|")
