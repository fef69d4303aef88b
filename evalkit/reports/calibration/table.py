"""Calibrated figures as text: for a terminal, for Markdown, as CSV.

Pure functions of the calibration document. The tables round for reading; CSV (and JSON, see
`score_exports`) keep every digit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.reports import score_numbers as figure
from evalkit.reports.calibration.findings import findings, plan_line, sample_line, source_lines
from evalkit.reports.closing import markdown_text, table_text
from evalkit.reports.grids import Grid, escape_markdown, note_remarks, numbered
from evalkit.reports.score_document import blocks, measure_label, segment_label, setting_items
from evalkit.reports.score_exports import format_csv
from evalkit.reports.terminal import paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.reports.calibration.findings import Document, Row

__all__ = [
    "figure_cells",
    "format_calibration_csv",
    "format_calibration_markdown",
    "format_calibration_table",
    "legend",
]

_WRAP = 100
_OF = {"control": "control", "treatment": "treatment", "delta": "Δ", "run": ""}


def format_calibration_table(
    document: Document, *, width: int | None = None, color: bool = False
) -> str:
    """The document for reading in a terminal, ending in a newline.

    Args:
        document: the calibration document.
        width: columns there are; None takes what the tables need. When they do not suffice,
            columns are left out and named below the table.
        color: write ANSI styles. Nothing is said by colour alone.
    """
    limit = width or _WRAP
    out = [line for text in source_lines(document) for line in wrap(plain(text), limit, rest="  ")]
    out += wrap(_settings(document), limit, rest="  ")
    out.append("")
    for sentence in findings(document):
        indent = "  " if sentence.startswith("  ") else ""
        style = "quiet" if indent else "bold"
        lines = wrap(plain(sentence), limit, first=indent, rest="  ")
        out += [paint(line, style, color=color) for line in lines]
    return table_text(
        out,
        _grids(document),
        document,
        legend(document),
        width,
        color=color,
        below=_below(document),
    )


def format_calibration_markdown(document: Document) -> str:
    """The document as GitHub-flavoured Markdown with the same figures as the terminal tables."""
    out = [f"**{escape_markdown(text)}**  " for text in source_lines(document)]
    out += [escape_markdown(_settings(document)), ""]
    out += [f"- {escape_markdown(sentence.strip())}" for sentence in findings(document)]
    return markdown_text(out, _grids(document), document, legend(document), _below(document))


def format_calibration_csv(document: Document) -> str:
    """One line per figure at full precision; a number that does not exist is empty."""
    return format_csv(document)


def legend(document: Document) -> str:
    """What the columns mean."""
    settings = document["settings"]
    sure = f"{100 * settings['confidence']:g}%"
    target = (
        "these queries"
        if settings["target"] == "queries"
        else "all queries like these (population)"
    )
    parts = [
        f"Values in points, about {target}",
        "automated = by the judge on all queries",
        f"people = by people on the labelled queries, with its {sure} interval",
        "corrected = both together (prediction-powered)",
        "λ = how far the judge is followed, 0 to 1",
        "narrower = than people alone",
        "saved = labels that people alone would need beyond these",
    ]
    if any(row["of"] == "delta" for row in document["results"]):
        parts.append("Δ has its own λ, so it need not be the difference of the two runs")
    return "; ".join(parts) + "."


def _below(document: Document) -> list[str]:
    return [text for text in (plan_line(document), sample_line(document)) if text]


def _settings(document: Document) -> str:
    found = [("target", document["settings"]["target"]), *setting_items(document)]
    kept = [f"{name} {value}" for name, value in found if name not in ("primary", "ci", "seed")]
    return f"Settings: {' · '.join(kept)}"


def _grids(document: Document) -> Iterator[Grid]:
    notes: list[str] = []
    for block in blocks(document):
        lines, before = [], len(notes)
        for group in block.groups:
            for row in group:
                name = measure_label(row)
                if block.columns:
                    name = f"{segment_label(row)}: {name}"
                lines.append(_line(row, f"  {name} {_OF[row['of']]}".rstrip(), notes))
        headers = [block.title, "labelled", "automated", "people", "interval", "corrected",
                   "interval ", "λ", "narrower", "saved"]  # fmt: skip
        remarks = note_remarks(notes)[before:]
        yield Grid(headers, lines, ("narrower", "automated", "labelled", "λ"), remarks)


def _line(row: Row, label: str, notes: list[str]) -> list[str]:
    label = numbered(label, row["note"], notes)
    return [plain(label) if not label.startswith("  ") else f"  {plain(label)}", *figure_cells(row)]


def figure_cells(row: Row) -> list[str]:
    """The figures of a row as text: labelled, automated, people, corrected, λ, narrower, saved."""
    sign = row["of"] == "delta"
    write = figure.signed if sign else figure.points
    saved = row["labels_saved"]
    return [
        f"{row['labelled']:,} of {row['queries']:,}",
        write(row["automated"]),
        write(row["human"]),
        figure.interval(row["human_low"], row["human_high"], sign=sign),
        write(row["estimate"]),
        figure.interval(row["ci_low"], row["ci_high"], sign=sign),
        figure.coefficient(row["lambda"]),
        figure.MISSING if row["narrower"] is None else f"{figure.share(row['narrower'])}%",
        figure.MISSING if saved is None else figure.count(float(round(saved))),
    ]
