"""Plotly figures of an agreement document: cells, κ by segment, and the reliability curve.

Colours follow `figures`; symbol, position and the numbers in the cells say again what a colour
says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as number
from evalkit.reports.figures import (
    BETTER,
    TEXT,
    WORSE,
    ZERO,
    Figure,
    axes,
    cells,
    diagonal,
    error_bar,
    label,
    legend_above,
    rows_axis,
)
from evalkit.reports.judge_agreement.findings import row_label
from evalkit.reports.judge_agreement.table import grade_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.reports.judge_agreement.findings import Row

__all__ = ["grade_map", "kappa_by_segment", "reliability_curve", "verdict_map"]

_HEIGHT = 340
_LARGEST = 26


def verdict_map(row: Row) -> Figure:
    """Good or not by judge and by people, with the counts written in the cells."""
    counts = [[row["both_good"], row["judge_only"]], [row["human_only"], row["both_bad"]]]
    words = ("good", "not good")
    return _cells(
        counts,
        [f"people: {word}" for word in words],
        [f"judge: {word}" for word in words],
        [(0, 0), (1, 1)],
    )


def grade_map(grades: Mapping[str, Any], *, same: bool) -> Figure:
    """Every grade of the judge against every grade of people; framed where they are the same."""
    people, judge = grades["human"], grades["judge"]
    framed = [
        (at, people.index(grade)) for at, grade in enumerate(judge) if same and grade in people
    ]
    return _cells(
        grades["counts"],
        [f"people: {label(grade_text(grade), 14)}" for grade in people],
        [f"judge: {label(grade_text(grade), 14)}" for grade in judge],
        framed,
    )


def kappa_by_segment(rows: Sequence[Row]) -> Figure:
    """κ of all pairs and of every segment, with intervals over queries."""
    import plotly.graph_objects as go

    shown = [(at, row) for at, row in enumerate(rows) if row["kappa"] is not None]
    figure = go.Figure(
        go.Scatter(
            x=[row["kappa"] for _, row in shown],
            y=[at for at, _ in shown],
            error_x=error_bar(
                [(row["kappa_high"] or row["kappa"]) - row["kappa"] for _, row in shown],
                [
                    row["kappa"] - (row["kappa"] if row["kappa_low"] is None else row["kappa_low"])
                    for _, row in shown
                ],
                BETTER,
            ),
            mode="markers",
            marker={"color": BETTER, "size": 10},
            hovertext=[f"{label(row_label(row), 34)}: {_said(row)}" for _, row in shown],
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    figure.add_vline(x=0, line_width=1.5, line_color=ZERO)
    rows_axis(
        figure,
        "Cohen's κ",
        [f"{label(row_label(row), 30)} ({row['pairs']:,})" for row in rows],
    )
    lows = [row["kappa_low"] for _, row in shown if row["kappa_low"] is not None]
    least = min([0.0, *lows, *(row["kappa"] for _, row in shown)])
    figure.update_xaxes(range=[least - 0.04, 1.02])
    said = "; ".join(f"{row_label(row)}: {_said(row)}" for row in rows)
    return Figure(figure.to_plotly_json(), 90 + 40 * len(rows), f"Cohen's κ by segment. {said}.")


def reliability_curve(curves: Sequence[tuple[str, Mapping[str, Any]]]) -> Figure:
    """Share of good pairs against mean probability, a mark as large as it is frequent.

    Args:
        curves: name and reliability (`pairs`, `bins`) of up to two curves.
    """
    import plotly.graph_objects as go

    figure = go.Figure(diagonal(0, 1))
    said = []
    for place, (name, found) in enumerate(curves):
        bins, color = found["bins"], (BETTER, WORSE)[place % 2]
        most = max(each["pairs"] for each in bins)
        figure.add_trace(
            go.Scatter(
                x=[each["probability"] for each in bins],
                y=[each["good"] for each in bins],
                mode="lines+markers",
                name=label(name, 40),
                line={"color": color, "width": 1.5, "dash": ("solid", "dot")[place % 2]},
                marker={
                    "color": color,
                    "symbol": ("circle", "diamond")[place % 2],
                    "size": [max(7.0, _LARGEST * (each["pairs"] / most) ** 0.5) for each in bins],
                    "opacity": 0.8,
                },
                hovertext=[
                    f"{label(name, 40)}<br>{each['pairs']:,.0f} pairs of mean probability "
                    f"{number.points(each['probability'], 1)}%: "
                    f"{number.points(each['good'], 1)}% good"
                    for each in bins
                ],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
        said.append(
            f"{name}: "
            + ", ".join(
                f"{number.points(each['probability'], 0)}% said, {number.points(each['good'], 0)}% "
                f"good ({each['pairs']:,.0f})"
                for each in bins
            )
        )
    axes(figure, "the judge's probability of good", "good by people")
    figure.update_xaxes(range=[0, 1], tickformat=".0%", dtick=0.25)
    figure.update_yaxes(range=[0, 1], tickformat=".0%", dtick=0.25)
    several = len(curves) > 1
    legend_above(figure, 56 if several else 18, shown=several)
    figure.update_layout(margin={"r": 28})
    return Figure(
        figure.to_plotly_json(), 400, f"Probability against share of good pairs. {'; '.join(said)}."
    )


def _cells(
    counts: Sequence[Sequence[int]],
    columns: Sequence[str],
    rows: Sequence[str],
    framed: Sequence[tuple[int, int]],
) -> Figure:
    # a column's share decides the shade: what became of a rare verdict of people must be seen
    totals = [sum(line[at] for line in counts) or 1 for at in range(len(columns))]
    shares = [[count / totals[at] for at, count in enumerate(line)] for line in counts]
    hover = [
        [
            f"{row}, {column}: {count:,} pairs, {number.share(share)}% of those {column}"
            for column, count, share in zip(columns, line, of, strict=True)
        ]
        for row, line, of in zip(rows, counts, shares, strict=True)
    ]
    places = {"x": list(range(len(columns))), "y": list(range(len(rows)))}
    figure = cells(counts, shares, hover, framed, **places)
    axes(figure, "", None)
    plain = {"showgrid": False, "zeroline": False, "tickfont": {"color": TEXT}}
    figure.update_xaxes(**plain, tickvals=places["x"], ticktext=list(columns))
    figure.update_yaxes(**plain, tickvals=places["y"], ticktext=list(rows), autorange="reversed")
    said = "; ".join(
        f"{row}: "
        + ", ".join(f"{count:,} {column}" for count, column in zip(line, columns, strict=True))
        for row, line in zip(rows, counts, strict=True)
    )
    return Figure(figure.to_plotly_json(), _HEIGHT, f"Pairs by judge and by people. {said}.")


def _said(row: Row) -> str:
    if row["kappa"] is None:
        return "no κ"
    span = number.coefficients(row["kappa_low"], row["kappa_high"])
    return f"κ {number.coefficient(row['kappa'])} {'' if span == number.MISSING else span}".strip()
