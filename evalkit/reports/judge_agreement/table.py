"""An agreement document as text: for a terminal, for Markdown, as CSV.

The tables round for reading; CSV (and JSON, see `score_exports`) keep every digit.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.closing import markdown_text, table_text
from evalkit.reports.grids import Grid, escape_markdown, note_remarks, numbered
from evalkit.reports.judge_agreement.findings import (
    agreement_findings,
    agreement_lines,
    probability_findings,
    row_label,
)
from evalkit.reports.score_document import segment_name
from evalkit.reports.terminal import clamp, paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.reports.judge_agreement.findings import Document, Row

__all__ = [
    "format_agreement_csv",
    "format_agreement_markdown",
    "format_agreement_table",
    "grade_text",
    "legend",
    "row_cells",
    "row_headers",
]

_WRAP = 100
_LISTED = 10  # pairs in the terminal; the page and JSON have all
_TEXT = 38
_DROPPED_FIRST = (
    "by people", "good by judge", "weighted κ", "Brier", "majority", "queries", "ECE",
)  # fmt: skip


def format_agreement_table(
    document: Document, *, width: int | None = None, color: bool = False
) -> str:
    """The document for reading in a terminal, ending in a newline.

    Args:
        document: the agreement document.
        width: columns there are; None takes what the tables need.
        color: write ANSI styles. Nothing is said by colour alone.
    """
    limit = width or _WRAP
    out = [
        line for text in agreement_lines(document) for line in wrap(plain(text), limit, rest="  ")
    ]
    out.append("")
    for sentence in _findings(document):
        lines = wrap(plain(sentence), limit, rest="  ")
        out += [paint(line, "bold", color=color) for line in lines]
    return table_text(out, _grids(document), document, legend(document), width, color=color)


def format_agreement_markdown(document: Document) -> str:
    """The document as GitHub-flavoured Markdown with the same figures."""
    out = [f"**{escape_markdown(text)}**  " for text in agreement_lines(document)]
    out += ["", *(f"- {escape_markdown(text)}" for text in _findings(document))]
    return markdown_text(out, _grids(document), document, legend(document))


def format_agreement_csv(document: Document) -> str:
    """One line per row at full precision, segment columns first; what does not exist is empty."""
    rows = document["results"]
    columns = list(document["settings"]["by"])
    names = [name for name in rows[0] if name != "segment"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, *names])
    for row in rows:
        segment = row["segment"]
        parts = [segment_name(segment[key]) if key in segment else "" for key in columns]
        writer.writerow([*parts, *("" if row[name] is None else row[name] for name in names)])
    return text.getvalue()


def row_headers(document: Document) -> list[str]:
    """Headers of the table of segments, without the first."""
    sure = f"{100 * document['settings']['confidence']:g}% interval"
    headers = ["pairs", "queries", "agreement", "majority", "precision", "recall", "κ", sure,
               "weighted κ", "good by judge", "by people"]  # fmt: skip
    if document["reliability"] is not None:
        headers += ["Brier", "ECE"]
    return headers


def row_cells(document: Document, row: Row) -> list[str]:
    """The figures of a row as text, under `row_headers`."""
    cells = [
        f"{row['pairs']:,}",
        f"{row['queries']:,}",
        figure.points(row["agreement"], 1),
        figure.points(row["majority"], 1),
        figure.points(row["precision"], 1),
        figure.points(row["recall"], 1),
        figure.coefficient(row["kappa"]),
        figure.coefficients(row["kappa_low"], row["kappa_high"]),
        figure.coefficient(row["weighted_kappa"]),
        figure.points(row["good_judge"], 1),
        figure.points(row["good_human"], 1),
    ]
    if document["reliability"] is not None:
        cells += [figure.coefficient(row["brier"], 3), figure.points(row["ece"], 1)]
    return cells


def grade_text(value: Any) -> str:
    """A grade as the files have it: a label, or a number without needless zeros."""
    return plain(value) if isinstance(value, str) else f"{value:g}"


def legend(document: Document) -> str:
    """What the columns mean."""
    parts = [
        "Shares in points",
        "agreement: judge and people say alike good or not",
        "majority: what always giving people's most frequent verdict would agree on",
        "precision: of what the judge calls good, share good by people",
        "recall: of what people call good, share the judge finds",
        "κ: Cohen's, agreement beyond chance, its interval over queries",
        "weighted κ: of the grades, with quadratic weights",
    ]
    if document["reliability"] is not None:
        parts += [
            "Brier: mean squared error of the probability",
            "ECE: how far probabilities are off on average",
        ]
    return "; ".join(parts) + "."


def _findings(document: Document) -> list[str]:
    return [*agreement_findings(document), *probability_findings(document)]


def _grids(document: Document) -> Iterator[Grid]:
    yield _segments(document)
    row = document["results"][0]
    yield Grid(
        ["Pairs", "good by people", "not good by people"],
        [
            ["  judge: good", f"{row['both_good']:,}", f"{row['judge_only']:,}"],
            ["  judge: not good", f"{row['human_only']:,}", f"{row['both_bad']:,}"],
        ],
    )
    grades = document["grades"]
    if max(len(grades["judge"]), len(grades["human"])) > 2:
        yield Grid(
            ["Grades", *(f"people {grade_text(grade)}" for grade in grades["human"])],
            [
                [f"  judge {grade_text(grade)}", *(f"{count:,}" for count in line)]
                for grade, line in zip(grades["judge"], grades["counts"], strict=True)
            ],
        )
    if document["reliability"] is not None:
        yield Grid(
            ["Probability", "pairs", "mean", "good by people"],
            [
                [
                    f"  {each['low']:.2f} to {each['high']:.2f}",
                    f"{each['pairs']:,}",
                    figure.points(each["probability"], 1),
                    figure.points(each["good"], 1),
                ]
                for each in document["reliability"]["bins"]
            ],
        )
    if document["differences"]:
        yield _differences(document)


def _segments(document: Document) -> Grid:
    notes: list[str] = []
    lines = [
        [numbered(f"  {plain(row_label(row))}", row["note"], notes), *row_cells(document, row)]
        for row in document["results"]
    ]
    headers = row_headers(document)
    return Grid(
        ["Agreement", *headers],
        lines,
        [name for name in _DROPPED_FIRST if name in headers],
        note_remarks(notes),
    )


def _differences(document: Document) -> Grid:
    pairs = document["differences"]
    shown = pairs[:_LISTED]
    lines = [
        [
            f"  {clamp(plain(pair['query'] or pair['query_id']), _TEXT)}",
            clamp(plain(pair["title"] or pair["product_id"]), _TEXT),
            grade_text(pair["judge"]),
            grade_text(pair["human"]),
            figure.points(pair["probability"], 1),
        ]
        for pair in shown
    ]
    remarks = []
    if len(pairs) > len(shown):
        remarks.append(f"The page and JSON list {len(pairs):,} of them.")
    return Grid(["Surest mistakes", "product", "judge", "people", "P(good)"], lines, (), remarks)
