"""The numbers behind the figures of people against measures, as tables of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.correlation.table import figure_cells
from evalkit.reports.html_page import data_table, scrolling, spanning_row
from evalkit.reports.markup import Html, element, join
from evalkit.reports.score_document import blocks, measure_label, segment_label
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.reports.correlation.findings import Document, Row

__all__ = [
    "confusion_table",
    "forest_table",
    "points_table",
    "ranking_table",
    "results_table",
    "roc_table",
    "studies_table",
]

_MOST = 300
_THRESHOLDS = 60
_VERDICTS = {-1: "bad", 0: "same", 1: "good"}
_WHO = ("people: bad", "people: same", "people: good")


def ranking_table(document: Document) -> Html:
    """The ranking: τ-b, and how far it lies below the best on the same queries."""
    rows = [
        [
            measure_label(row),
            f"{row['queries']:,}",
            figure.coefficient(row["kendall"]),
            "best" if at == 0 else figure.coefficient(row["behind"]),
            "" if at == 0 else figure.coefficients(row["behind_low"], row["behind_high"]),
        ]
        for at, row in enumerate(document.get("ranking") or ())
    ]
    headers = ["Measure", "Queries", "τ-b", "Behind the best", "Interval"]
    return data_table("Measures by Kendall's τ-b, and how far behind the best", headers, rows)


def points_table(points: Mapping[str, Sequence[Any]], names: Mapping[str, str]) -> Html:
    """Every query with its mean vote and Δ, by Δ; of very many an even choice."""
    order = sorted(
        range(len(points["query_id"])),
        key=lambda at: (points["delta"][at], points["preference"][at], points["query_id"][at]),
    )
    shown = order if len(order) <= _MOST else [order[at] for at in _spread(len(order), _MOST)]
    rows = [
        [
            plain(names.get(points["query_id"][at]) or points["query_id"][at]),
            figure.signed_number(points["preference"][at]),
            figure.signed(points["delta"][at]),
            f"{points['good'][at]}:{points['same'][at]}:{points['bad'][at]}",
            _VERDICTS[points["verdict"][at]],
        ]
        for at in shown
    ]
    headers = ["Query", "Mean vote", "Δ", "Votes G:S:B", "People say"]
    table = data_table("Every query by Δ", headers, rows)
    if len(shown) == len(order):
        return table
    said = f"{len(shown):,} of {len(order):,} queries, evenly from the lowest to the highest Δ."
    return join(table, element("p", said, class_="quiet small"))


def roc_table(roc: Mapping[str, Any]) -> Html:
    """Thresholds of Δ with the shares of Good and Bad queries that reach them."""
    places = list(_spread(len(roc["thresholds"]), _THRESHOLDS))
    rows = [
        [
            "above all" if roc["thresholds"][at] is None else figure.signed(roc["thresholds"][at]),
            figure.share(roc["true_positive"][at]),
            figure.share(roc["false_positive"][at]),
        ]
        for at in places
    ]
    headers = ["Δ at least", "% of the Good", "% of the Bad"]
    table = data_table("Share of Good and Bad queries by threshold of Δ", headers, rows)
    total = len(roc["thresholds"])
    if len(places) == total:
        return table
    said = f"{len(places):,} of {total:,} thresholds."
    return join(table, element("p", said, class_="quiet small"))


def confusion_table(row: Row) -> Html:
    """Queries by people's verdict and the sign of Δ."""
    rows = [
        [who, *(f"{count:,}" for count in counts), f"{sum(counts):,}"]
        for who, counts in zip(_WHO, row["confusion"], strict=True)
    ]
    headers = ["Queries", "Δ < 0", "Δ = 0", "Δ > 0", "All"]
    return data_table(f"Verdicts of people against {measure_label(row)}", headers, rows)


def forest_table(rows: Sequence[Row], *, studies: bool = False) -> Html:
    """τ-b with its interval, by segment or, over studies, by measure with p."""
    shown = [
        [
            measure_label(row) if studies else _segment(row),
            f"{row['studies' if studies else 'queries']:,}",
            figure.coefficient(row["kendall"]),
            figure.coefficients(row["kendall_low"], row["kendall_high"]),
            *([figure.p_value(row["p"]), plain(row["note"])] if studies else []),
        ]
        for row in rows
    ]
    headers = ["Segment", "Queries", "τ-b", "Interval"]
    if studies:
        headers = ["Measure", "Studies", "τ-b", "Interval", "p", "Note"]
    return data_table("Kendall's τ-b " + ("over studies" if studies else "by segment"),
                      headers, shown)  # fmt: skip


def studies_table(points: Sequence[Mapping[str, Any]]) -> Html:
    """GSB and Δ of every study."""
    rows = [
        [plain(point["study"]), figure.signed(point["gsb"]), figure.signed(point["delta"])]
        for point in points
    ]
    return data_table("GSB and Δ of every study", ["Study", "GSB", "Δ"], rows)


def results_table(document: Document) -> Html:
    """Every result, overall and by segment; intervals of ρ and r stand in JSON and CSV only."""
    headers = ["Measure", "Queries", "τ-b", "Interval", "ρ", "r", "Same sign %", "of",
               "Interval", "Agree %", "κ", "Interval", "AUC", "Interval", "Margin",
               "Agree % at it"]  # fmt: skip
    rows: list[Html] = []
    notes = list(dict.fromkeys(row["note"] for row in document["results"] if row["note"]))
    for block in blocks(document):
        rows.append(spanning_row("section", plain(block.title), len(headers)))
        for group in block.groups:
            if block.columns:
                rows.append(spanning_row("measure", measure_label(group[0]), len(headers)))
            rows += [_result(row, notes, nested=bool(block.columns)) for row in group]
    return element(
        "section",
        element("h2", "All results", id="results"),
        scrolling(
            element(
                "table",
                element("caption", "Every figure", class_="hidden"),
                element(
                    "thead", element("tr", [element("th", head, scope="col") for head in headers])
                ),
                element("tbody", rows),
                class_="results wide",
            ),
            aria_labelledby="results",
        ),
        [
            element("p", f"[{at}] {plain(note)}", class_="quiet small")
            for at, note in enumerate(notes, 1)
        ],
        aria_labelledby="results",
    )


def _result(row: Row, notes: Sequence[str], *, nested: bool) -> Html:
    label = plain(segment_label(row)) if nested else measure_label(row)
    if row["note"]:
        label += f" [{notes.index(row['note']) + 1}]"
    cells = [
        *figure_cells(row),
        figure.points(row["margin"]),
        figure.points(row["margin_agreement"], 1),
    ]
    return element("tr", element("th", label, scope="row"), [element("td", cell) for cell in cells])


def _segment(row: Row) -> str:
    return plain(segment_label(row)) if row["segment"] else "all queries"


def _spread(size: int, most: int) -> list[int]:
    """Places from the first to the last, evenly, at most so many."""
    if size <= most:
        return list(range(size))
    return sorted({round(at * (size - 1) / (most - 1)) for at in range(most)})
