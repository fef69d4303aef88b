"""Every result row of a score document as one HTML table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from evalkit.reports import score_document as read
from evalkit.reports.html_page import scrolling, spanning_row
from evalkit.reports.markup import Html, element
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.reports.score_document import Document, Row

__all__ = ["result_table"]

_COMPARED = (
    ("queries", "Queries"),
    ("control", "Control"),
    ("treatment", "Treatment"),
    ("delta", "Δ"),
    ("interval", "95% interval"),
    ("relative", "Relative"),
    ("p", "p"),
    ("holm", "p, Holm"),
    ("counts", "+/=/−"),
    ("mde", "mde"),
    ("judged", "Judged %"),
)
_SINGLE = (
    ("system", "System"),
    ("queries", "Queries"),
    ("value", "Value"),
    ("interval", "95% interval"),
    ("judged", "Judged %"),
)
_BOUNDS: tuple[tuple[Literal["unjudged", "ties"], str], ...] = (
    ("unjudged", "unjudged: bad…good"),
    ("ties", "ties: worst…best"),
)


def result_table(document: Document) -> Html:
    """The table with its heading; bounds, votes and notes stand beneath the row they belong to."""
    compared = read.is_comparison(document)
    columns = _COMPARED if compared else _SINGLE
    heads = [element("th", "Measure", scope="col")]
    heads += [element("th", name, scope="col") for _, name in columns]
    rows: list[Html] = []
    for block in read.blocks(document):
        # across all columns, so that it reads as a heading
        rows.append(spanning_row("section", plain(block.title), len(columns) + 1))
        for group in block.groups:
            if block.columns:
                rows.append(spanning_row("measure", read.measure_label(group[0]), len(columns) + 1))
            for row in group:
                rows += _rows(row, columns, nested=bool(block.columns))
    told = (
        "Values in points. * and bold: significant after Holm. ·: exploratory. +/=/−: queries"
        " improved, the same, worse. Judged: control → treatment."
        if compared
        else "Values in points."
    )
    return element(
        "section",
        element("h2", "All results", id="results"),
        element("p", told, class_="quiet small"),
        scrolling(
            element(
                "table",
                element("caption", "Every figure", class_="hidden"),
                element("thead", element("tr", heads)),
                element("tbody", rows),
                class_="results",
            ),
            aria_labelledby="results",
        ),
        aria_labelledby="results",
    )


def _rows(row: Row, columns: tuple[tuple[str, str], ...], *, nested: bool) -> Iterator[Html]:
    label = plain(read.segment_label(row)) if nested else read.measure_label(row)
    cells = _cells(row)
    place = read.standing(row) if "delta" in row else "untested"
    marked = place if place in ("better", "worse") else None
    yield element(
        "tr",
        element("th", label, scope="row"),
        [
            element("td", cells[key], class_=marked if key in ("delta", "p") else None)
            for key, _ in columns
        ],
    )
    for kind, name in _BOUNDS:
        found = read.bounds(row, kind)
        if found:
            spans = {of: read.range_text(*pair) for of, pair in found.items() if of != "delta"}
            if "delta" in found:
                spans["interval"] = read.range_text(*found["delta"], sign=True)
            yield element(
                "tr",
                element("th", name, scope="row"),
                [element("td", spans.get(key, "")) for key, _ in columns],
                class_="beneath",
            )
    remarks = [read.good_or_same(row), read.identical_lists(row), row.get("note")]
    said = "; ".join(text for text in remarks if text)
    if said:
        text = element("td", plain(said), colspan=len(columns))
        yield element("tr", element("th", ""), text, class_="note beneath")


def _cells(row: Row) -> dict[str, str]:
    marks = {"better": " *", "worse": " *", "exploratory": " ·"}
    counts = [row.get(key) for key in ("improved", "same", "worse")]
    single = "delta" not in row
    judged = (row.get("judged_control"), row.get("judged_treatment"))
    return {
        "system": plain(row.get("system", "")),
        "queries": read.count(row.get("queries")),
        "value": read.points(row.get("value")),
        "control": read.points(row.get("control")),
        "treatment": read.win_rate(row) or read.points(row.get("treatment")),
        "delta": read.signed(row.get("delta")),
        "interval": read.interval(row.get("ci_low"), row.get("ci_high"), sign=not single),
        "relative": read.ratio(row.get("relative")),
        "p": read.p_value(row.get("p")) + marks.get("" if single else read.standing(row), ""),
        "holm": read.p_value(row.get("p_holm")),
        "counts": read.MISSING
        if all(number is None for number in counts)
        else "/".join(read.count(number) for number in counts),
        "mde": read.points(row.get("mde")),
        "judged": read.share(row.get("judged"))
        if single
        else " → ".join(read.share(value) for value in judged),
    }
