"""A judge over weeks as text: for a terminal, for Markdown, as CSV.

Pure functions of the document that `evalkit.calibrating.drift_document` makes. The table rounds
for reading; CSV (and JSON, see `score_exports`) keep every digit.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.closing import markdown_text, table_text
from evalkit.reports.grids import Grid, escape_markdown, note_remarks, numbered
from evalkit.reports.terminal import paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "drift_findings",
    "drift_lines",
    "format_drift_csv",
    "format_drift_markdown",
    "format_drift_table",
    "signal_text",
]

Document = Mapping[str, Any]
Row = Mapping[str, Any]

_WRAP = 100


def format_drift_table(document: Document, *, width: int | None = None, color: bool = False) -> str:
    """The document for reading in a terminal, ending in a newline.

    Args:
        document: the judge document.
        width: columns there are; None takes what the table needs.
        color: write ANSI styles. Nothing is said by colour alone.
    """
    limit = width or _WRAP
    out = [line for text in drift_lines(document) for line in wrap(plain(text), limit, rest="  ")]
    out.append("")
    for sentence in drift_findings(document):
        lines = wrap(plain(sentence), limit, rest="  ")
        out += [paint(line, "bold", color=color) for line in lines]
    return table_text(out, [_grid(document)], document, _legend(document), width, color=color)


def format_drift_markdown(document: Document) -> str:
    """The document as GitHub-flavoured Markdown with the same figures."""
    out = [f"**{escape_markdown(text)}**  " for text in drift_lines(document)]
    out += ["", *(f"- {escape_markdown(text)}" for text in drift_findings(document))]
    return markdown_text(out, [_grid(document)], document, _legend(document))


def format_drift_csv(document: Document) -> str:
    """One line per week at full precision; a number that does not exist is empty."""
    rows = document["results"]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: "" if value is None else value for name, value in row.items()} for row in rows
    )
    return text.getvalue()


def drift_lines(document: Document) -> list[str]:
    """Which judge on which pairs, and the lines of the chart."""
    gold, chart = document["gold"], document["chart"]
    named = f" ({gold['path']})" if gold["path"] else ""
    pairs = "1 gold pair" if gold["pairs"] == 1 else f"{gold['pairs']:,} gold pairs"
    return [
        f"Judge: {document['judge'] or 'not named'}, on {pairs}{named}",
        f"Chart: agreement in {', '.join(chart['baseline'])} {figure.points(chart['centre'], 1)}; "
        f"widest limits {figure.points(chart['low'], 1)} to {figure.points(chart['high'], 1)}",
    ]


def drift_findings(document: Document) -> list[str]:
    """A sentence for every signal, or one that there is none."""
    rows = [row for row in document["results"] if row["p_agreement"] is not None]
    signals = [row for row in rows if row["signal"]]
    if not rows:
        return ["There is no week to compare with the baseline yet."]
    if not signals:
        weeks = f"None of the {len(rows):,} weeks after the baseline differs"
        if len(rows) == 1:
            weeks = "The week after the baseline does not differ"
        return [f"{weeks} from it by more than chance explains."]
    return [f"{row['week']}: {signal_text(row)}" for row in signals]


def signal_text(row: Row) -> str:
    """What changed in a week, with its evidence.

    Example:
        >>> signal_text({"signal": "agreement fell", "agreement": 0.8, "better": 1, "worse": 19,
        ...              "p_agreement": 4e-05, "bias": 0.02, "p_bias": 0.5})
        'agreement fell: now 80.0%; 1 pair better, 19 worse (p <0.0001)'
    """
    said = []
    for signal in row["signal"].split("; "):
        if signal.startswith("agreement"):
            pairs = "1 pair" if row["better"] == 1 else f"{row['better']:,} pairs"
            said.append(
                f"{signal}: now {figure.share(row['agreement'])}%; {pairs} better, "
                f"{row['worse']:,} worse (p {figure.p_value(row['p_agreement'])})"
            )
        else:
            said.append(
                f"{signal}: bias now {figure.signed(row['bias'], 1)} points "
                f"(p {figure.p_value(row['p_bias'])})"
            )
    return "; ".join(said)


def _grid(document: Document) -> Grid:
    headers = ["Weeks", "pairs", "agreement", "95% interval", "limits", "κ", "bias", "changed",
               "p agreement", "p bias", "signal"]  # fmt: skip
    notes: list[str] = []
    lines = [list(_line(row, notes)) for row in document["results"]]
    dropped = ("95% interval", "p bias", "pairs", "κ", "limits", "p agreement")
    return Grid(headers, lines, dropped, note_remarks(notes))


def _line(row: Row, notes: list[str]) -> Iterator[str]:
    note = "" if row["note"] == "baseline" else row["note"]
    yield numbered(f"  {row['week']}", note, notes)
    yield f"{row['pairs']:,}"
    yield figure.points(row["agreement"], 1)
    yield figure.interval(row["agreement_low"], row["agreement_high"], sign=False, digits=1)
    yield figure.interval(row["limit_low"], row["limit_high"], sign=False, digits=1)
    yield figure.coefficient(row["kappa"])
    yield figure.signed(row["bias"], 1)
    yield figure.MISSING if row["changed"] is None else f"+{row['better']:,} −{row['worse']:,}"
    yield figure.p_value(row["p_agreement"])
    yield figure.p_value(row["p_bias"])
    yield row["signal"] or ("baseline" if row["note"].endswith("baseline") else figure.MISSING)


def _legend(document: Document) -> str:
    level = document["settings"]["level"]
    return (
        "Agreement: share of the gold pairs on which judge and gold set say alike good or not; "
        "limits: agreement that would be no signal, given the pairs that changed; bias: share of "
        "good by the judge less that by the gold set; changed: pairs that became right (+) and "
        "wrong (−) since the baseline; p: exact tests against the baseline weeks; a signal is one "
        f"that a judge which has not changed gives in at most {100 * level:.2g}% of the weeks."
    )
