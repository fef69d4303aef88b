"""A judge over weeks as one HTML page: the control chart, its share of good, every figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.files import write_text
from evalkit.reports import score_numbers as number
from evalkit.reports.drift_table import drift_findings, drift_lines
from evalkit.reports.figures import BETTER, NEITHER, WORSE, ZERO, Figure, axes, label, legend_above
from evalkit.reports.html_page import data_table, page, plot, terms_section, warnings_section
from evalkit.reports.markup import Html, element, join
from evalkit.reports.provenance import provenance
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from evalkit.reports.drift_table import Document, Row

__all__ = ["control_chart", "good_shares", "write_drift_page"]

_TERMS = (
    ("Gold pair", "a query and a product with a grade that is taken for right."),
    ("Agreement", "share of the gold pairs on which judge and gold set say alike good or not."),
    (
        "Limits",
        "agreement that would be no signal, given the pairs whose verdict has changed. They are "
        "narrow where few pairs changed.",
    ),
    ("Widest limits", "those of a judge that decides every pair anew each week."),
    ("Bias", "share of good by the judge less that by the gold set."),
    (
        "Signal",
        "exact tests of the verdicts on the same pairs against the baseline weeks, at a level that "
        "a judge which has not changed reaches in at most 0.27% of the weeks.",
    ),
)


def write_drift_page(document: Document, path: str | os.PathLike[str]) -> None:
    """Write the page; an existing file is replaced only when the new one is complete.

    Raises:
        InputError: the file cannot be written.
    """
    figures: dict[str, Figure] = {}
    name = plain(document["judge"] or "the judge")
    body = [
        element(
            "header",
            element("h1", f"Is {name} still the judge it was?"),
            [element("p", plain(line), class_="quiet") for line in drift_lines(document)],
            [element("p", plain(line), class_="lead") for line in drift_findings(document)],
            warnings_section(document.get("warnings")),
        ),
        element(
            "section",
            element("h2", "Agreement with the gold set", id="chart"),
            element(
                "p",
                "Line: the baseline. Dashed: the widest limits. Bars: the limits of the week. "
                "Diamonds: signals. Open: weeks with another gold set, which do not compare.",
                class_="quiet small",
            ),
            plot(control_chart(document), None, figures, _table(document["results"])),
            aria_labelledby="chart",
        ),
        element(
            "section",
            element("h2", "How much the judge finds good", id="good"),
            plot(good_shares(document), None, figures),
            aria_labelledby="good",
        ),
        provenance(document, "chart"),
        terms_section(_TERMS),
    ]
    write_text(page(f"Drift of {name}", join(body), figures), path)


def control_chart(document: Document) -> Figure:
    """Agreement by week with the baseline, its limits, and what is a signal."""
    import plotly.graph_objects as go

    rows, chart = document["results"], document["chart"]
    figure = go.Figure()
    limited = [row for row in rows if row["limit_low"] is not None]
    figure.add_trace(
        go.Bar(
            x=[label(row["week"]) for row in limited],
            y=[100 * (row["limit_high"] - row["limit_low"]) for row in limited],
            base=[100 * row["limit_low"] for row in limited],
            width=0.5,
            marker={"color": NEITHER, "opacity": 0.25, "line": {"width": 1, "color": NEITHER}},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[label(row["week"]) for row in rows],
            y=[100 * row["agreement"] for row in rows],
            mode="markers",
            marker={
                "size": 11,
                "symbol": [_symbol(row) for row in rows],
                "color": [WORSE if row["signal"] else BETTER for row in rows],
                "line": {"width": 2, "color": [WORSE if row["signal"] else BETTER for row in rows]},
            },
            hovertext=[_hover(row) for row in rows],
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    figure.add_hline(y=100 * chart["centre"], line_width=2, line_color=ZERO)
    for end in ("low", "high"):
        figure.add_hline(y=100 * chart[end], line_width=1.5, line_color=NEITHER, line_dash="dash")
    axes(figure, "", "agreement, %")
    figure.update_xaxes(
        type="category", categoryorder="array", categoryarray=[label(row["week"]) for row in rows]
    )
    ends = [100 * value for row in rows for value in (row["agreement"], row["limit_low"],
            row["limit_high"]) if value is not None]  # fmt: skip
    ends += [100 * chart["low"], 100 * chart["high"]]
    room = max(2.0, 0.06 * (max(ends) - min(ends)))
    figure.update_yaxes(range=[min(ends) - room, min(max(ends) + room, 101.0)])
    said = "; ".join(
        f"{row['week']} {number.points(row['agreement'], 1)}"
        + (f" ({row['signal']})" if row["signal"] else "")
        for row in rows
    )
    summary = (
        f"Agreement of the judge with the gold set by week, baseline "
        f"{number.points(chart['centre'], 1)}: {said}."
    )
    return Figure(figure.to_plotly_json(), 400, summary)


def good_shares(document: Document) -> Figure:
    """Share of the pairs that are good, by the judge and by the gold set, week by week."""
    import plotly.graph_objects as go

    rows = document["results"]
    figure = go.Figure()
    for name, key, color, symbol in (
        ("judge", "good_judge", BETTER, "circle"),
        ("gold set", "good_gold", NEITHER, "line-ew-open"),
    ):
        figure.add_trace(
            go.Scatter(
                x=[label(row["week"]) for row in rows],
                y=[100 * row[key] for row in rows],
                mode="markers",
                name=name,
                marker={
                    "color": color,
                    "symbol": symbol,
                    "size": 11 if key == "good_judge" else 18,
                    "line": {"width": 2, "color": color},
                },
                hovertext=[
                    f"{label(row['week'])}: {name} {number.points(row[key], 1)}%" for row in rows
                ],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    axes(figure, "", "good, %")
    figure.update_xaxes(type="category")
    legend_above(figure, 48)
    said = "; ".join(
        f"{row['week']} {number.points(row['good_judge'], 1)} against "
        f"{number.points(row['good_gold'], 1)}"
        for row in rows
    )
    return Figure(
        figure.to_plotly_json(), 300, f"Share of good by the judge against the gold set: {said}."
    )


def _symbol(row: Row) -> str:
    if row["signal"]:
        return "diamond"
    return "circle-open" if "not joined" in row["note"] else "circle"


def _hover(row: Row) -> str:
    text = f"{label(row['week'])}: agreement {number.points(row['agreement'], 1)}%"
    if row["changed"] is not None:
        text += f"<br>{row['better']:,} pairs better, {row['worse']:,} worse"
    return f"{text}<br>{label(row['signal'] or row['note'] or 'no signal', 60)}"


def _table(rows: Sequence[Row]) -> Html:
    headers = ["Week", "Pairs", "Agreement", "Limits", "κ", "Bias", "Better", "Worse",
               "p agreement", "p bias", "Signal"]  # fmt: skip
    cells = [
        [
            plain(row["week"]),
            f"{row['pairs']:,}",
            number.points(row["agreement"], 1),
            number.MISSING
            if row["limit_low"] is None
            else f"{number.points(row['limit_low'], 1)} to {number.points(row['limit_high'], 1)}",
            number.coefficient(row["kappa"]),
            number.signed(row["bias"], 1),
            number.count(row["better"]),
            number.count(row["worse"]),
            number.p_value(row["p_agreement"]),
            number.p_value(row["p_bias"]),
            row["signal"] or row["note"] or number.MISSING,
        ]
        for row in rows
    ]
    return data_table("The judge week by week", headers, cells)
