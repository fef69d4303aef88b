"""A calibration document as one HTML page that opens without a network.

What people's grades make of the automated figures stands first, in sentences; then the figures side
by side, query by query and by segment, and what is still to be labelled. Every figure has its
numbers in a table below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.files import write_text
from evalkit.reports import score_numbers as figure
from evalkit.reports.calibration import figures as draw
from evalkit.reports.calibration.findings import (
    figure_name,
    findings,
    plan_line,
    sample_line,
    source_lines,
)
from evalkit.reports.calibration.table import figure_cells
from evalkit.reports.html_page import data_table, page, plot, terms_section, warnings_section
from evalkit.reports.markup import Html, element, join
from evalkit.reports.provenance import provenance
from evalkit.reports.score_document import segment_label
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from evalkit.reports.calibration.findings import Document, Row
    from evalkit.reports.figures import Figure
    from metrics import Calibration

__all__ = ["write_calibration_page"]

_MOST = 300
_TERMS = (
    ("Judge", "the classifier, model or rule whose grades are there for every product."),
    (
        "Labelled query",
        "one of which people have graded every product that the runs show within the cutoff.",
    ),
    (
        "Corrected",
        "people's figure, moved by λ times what the judge says of all queries less what it says of "
        "the labelled ones (prediction-powered inference). Its interval is about people's figure, "
        "however good or bad the judge is.",
    ),
    ("λ", "how far the judge is followed: 0 not at all, 1 fully. Every row has its own."),
    (
        "Narrower",
        "how much the interval of both together is narrower than that of people alone.",
    ),
    (
        "Labels saved",
        "labelled queries that people alone would need beyond these for an interval as narrow.",
    ),
)


def write_calibration_page(
    document: Document, found: Calibration | None, path: str | os.PathLike[str]
) -> None:
    """Write the page; an existing file is replaced only when the new one is complete.

    Args:
        document: the calibration document.
        found: the queries behind it; None leaves out the scatter.
        path: where to write.

    Raises:
        InputError: the file cannot be written.
    """
    figures: dict[str, Figure] = {}
    overall = [row for row in document["results"] if not row["segment"]]
    body = [
        _top(document),
        _side_by_side(overall, figures),
        _queries(overall, found, figures),
        _segments(document, figures),
        _labels(document),
        _results(document["results"]),
        provenance(document, "calibration"),
        terms_section(_TERMS),
    ]
    write_text(page("Figures corrected by people", join(body), figures), path)


def _top(document: Document) -> Html:
    return element(
        "header",
        element("h1", "Figures corrected by people"),
        [element("p", plain(line), class_="quiet") for line in source_lines(document)],
        [
            element("p", plain(line), class_="small" if line.startswith("  ") else "lead")
            for line in findings(document)
        ],
        warnings_section(document.get("warnings")),
    )


def _side_by_side(rows: Sequence[Row], figures: dict[str, Figure]) -> Html:
    deltas = [row for row in rows if row["of"] == "delta"]
    levels = [row for row in rows if row["of"] != "delta"]
    drawn = [
        element(
            "div",
            plot(draw.three_figures(chosen), caption, figures, _table(chosen, caption)),
        )
        for caption, chosen in (("Difference of the runs", deltas), ("Each run", levels))
        if chosen
    ]
    return element(
        "section",
        element("h2", "By the judge, by people, by both", id="side-by-side"),
        element(
            "p",
            "Bars are intervals. The judge's own figure has none: how far it is off is told by "
            "people only.",
            class_="quiet small",
        ),
        element("div", drawn, class_="plots"),
        aria_labelledby="side-by-side",
    )


def _queries(
    rows: Sequence[Row], found: Calibration | None, figures: dict[str, Figure]
) -> Html | None:
    """The judge against people on the labelled queries, for the first cutoff of each measure."""
    if found is None or not any(row["labelled"] for row in rows):
        return None
    chosen: dict[str, Row] = {}
    for row in rows:
        if row["of"] in ("delta", "run"):
            chosen.setdefault(row["measure"], row)
    drawn = []
    for row in chosen.values():
        points = _points(found, row)
        name = figure_name(row)
        shown = plot(draw.query_by_query(points, name), name, figures, _points_table(points, name))
        drawn.append(element("div", shown))
    return element(
        "section",
        element("h2", "Query by query", id="queries"),
        element(
            "p",
            "Labelled queries, a mark as large as it is frequent. On the dashed line judge and "
            "people say the same.",
            class_="quiet small",
        ),
        element("div", drawn, class_="plots close"),
        aria_labelledby="queries",
    )


def _points(found: Calibration, row: Row) -> dict[str, list[Any]]:
    """The values of the labelled queries behind a row."""
    table = {
        name: column.to_pylist() if hasattr(column, "to_pylist") else list(column)
        for name, column in found.per_query_columns.items()
    }
    ends = ("_treatment", "_control") if row["of"] == "delta" else ("",)
    kept = [
        at
        for at, people in enumerate(table[f"human{ends[0]}"])
        if people is not None
        and table["measure"][at] == row["measure"]
        and table["cutoff"][at] == row["cutoff"]
    ]
    columns: dict[str, list[Any]] = {"query_id": [table["query_id"][at] for at in kept]}
    for name in ("automated", "human"):
        parts = [[table[f"{name}{end}"][at] for at in kept] for end in ends]
        columns[name] = (
            parts[0]
            if len(parts) == 1
            else [one - other for one, other in zip(*parts, strict=True)]
        )
    return columns


def _points_table(points: dict[str, list[Any]], name: str) -> Html:
    rows = sorted(zip(points["query_id"], points["automated"], points["human"], strict=True))
    return data_table(
        f"{name} of the labelled queries",
        ["Query", "judge", "people"],
        [
            [plain(query), figure.points(judge, 1), figure.points(people, 1)]
            for query, judge, people in rows[:_MOST]
        ],
    )


def _segments(document: Document, figures: dict[str, Figure]) -> Html | None:
    rows = document["results"]
    if not any(row["segment"] for row in rows):
        return None
    first = next(row for row in rows if row["of"] in ("delta", "run"))
    keys = ("measure", "cutoff", "of")
    chosen = [row for row in rows if all(row[key] == first[key] for key in keys)]
    return element(
        "section",
        element("h2", f"{figure_name(first)} by segment", id="segments"),
        element("p", "In brackets the labelled queries.", class_="quiet small"),
        plot(draw.by_segment(chosen), None, figures, _table(chosen, "By segment")),
        aria_labelledby="segments",
    )


def _labels(document: Document) -> Html | None:
    lines = [line for line in (plan_line(document), sample_line(document)) if line]
    if not lines:
        return None
    return element(
        "section",
        element("h2", "Labels to come", id="labels"),
        [element("p", plain(line)) for line in lines],
        aria_labelledby="labels",
    )


def _results(rows: Sequence[Row]) -> Html:
    return element(
        "section",
        element("h2", "All results", id="results"),
        _table(rows, "All results", "results"),
        aria_labelledby="results",
    )


def _table(rows: Sequence[Row], caption: str, name: str | None = None) -> Html:
    headers = ["Figure", "Segment", "Labelled", "Judge", "People", "Interval", "Corrected",
               "Interval", "λ", "Narrower", "Labels saved", "Note"]  # fmt: skip
    return data_table(caption, headers, [_cells(row) for row in rows], name)


def _cells(row: Row) -> list[str]:
    return [
        figure_name(row),
        plain(segment_label(row)) if row["segment"] else "all",
        *figure_cells(row),
        plain(row["note"]),
    ]
