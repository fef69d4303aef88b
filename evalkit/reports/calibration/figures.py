"""Plotly figures of a calibration: the three figures side by side, and query by query.

Colours follow `figures`; symbol and position say again what a colour says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as number
from evalkit.reports.calibration.findings import figure_name
from evalkit.reports.figures import (
    BETTER,
    NEITHER,
    WORSE,
    ZERO,
    Figure,
    axes,
    diagonal,
    error_bar,
    label,
    legend_above,
    rows_axis,
)
from evalkit.reports.score_document import measure_label, segment_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.reports.calibration.findings import Row

__all__ = ["by_segment", "query_by_query", "three_figures"]

_SIDES = (
    ("judge alone", "automated", None, None, WORSE, "diamond"),
    ("people alone", "human", "human_low", "human_high", NEITHER, "circle-open"),
    ("corrected", "estimate", "ci_low", "ci_high", BETTER, "circle"),
)
_RUNS = ("control", "treatment")
_LARGEST = 22


def three_figures(rows: Sequence[Row]) -> Figure:
    """Each figure by the judge alone, by people alone and by both, with intervals."""
    lines = [(figure_name(row), row) for row in rows]
    ticks = [
        f"{label(measure_label(row))}<br>{row['of']}" if row["of"] in _RUNS else label(name)
        for name, row in lines
    ]
    return _forest(lines, ticks, "Figures by the judge, by people and by both")


def by_segment(rows: Sequence[Row]) -> Figure:
    """The same of one figure, overall and in every segment."""
    lines = [
        (f"{segment_label(row) if row['segment'] else 'all queries'} ({row['labelled']:,})", row)
        for row in rows
    ]
    ticks = [label(name, 34) for name, _ in lines]
    return _forest(lines, ticks, f"{figure_name(rows[0])} by segment")


def query_by_query(points: Mapping[str, Sequence[float]], name: str) -> Figure:
    """What the judge and what people say of every labelled query, and where they say the same.

    Args:
        points: columns `automated` and `human`.
        name: of the figure.
    """
    import plotly.graph_objects as go

    at: dict[tuple[float, float], int] = {}
    for judge, people in zip(points["automated"], points["human"], strict=True):
        mark = (round(100 * judge, 6), round(100 * people, 6))
        at[mark] = at.get(mark, 0) + 1
    marks = sorted(at)
    most = max(at.values(), default=1)
    ends = [value for mark in marks for value in mark] or [0.0, 100.0]
    figure = go.Figure(diagonal(min(ends), max(ends)))
    figure.add_trace(
        go.Scatter(
            x=[judge for judge, _ in marks],
            y=[people for _, people in marks],
            mode="markers",
            marker={
                "color": BETTER,
                "opacity": 0.7,
                "size": [max(6.0, _LARGEST * (at[mark] / most) ** 0.5) for mark in marks],
            },
            hovertext=[
                f"judge {number.fixed(judge, 1)}, people {number.fixed(people, 1)}: "
                f"{at[judge, people]:,}"
                for judge, people in marks
            ],
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    axes(figure, "by the judge, points", "by people, points")
    same = sum(count for (judge, people), count in at.items() if abs(judge - people) < 1e-6)
    total = sum(at.values())
    summary = f"{name} of {total:,} labelled queries by the judge and by people: alike on {same:,}."
    return Figure(figure.to_plotly_json(), 380, summary)


def _forest(lines: Sequence[tuple[str, Row]], ticks: Sequence[str], title: str) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, (side, value, low, high, color, symbol) in enumerate(_SIDES):
        shown = [(at, row) for at, (_, row) in enumerate(lines) if row[value] is not None]
        bar = None
        if low is not None and high is not None:
            bar = error_bar(
                [100 * ((row[high] or row[value]) - row[value]) for _, row in shown],
                [100 * (row[value] - (row[low] or row[value])) for _, row in shown],
                color,
            )
        figure.add_trace(
            go.Scatter(
                x=[100 * row[value] for _, row in shown],
                y=[at + 0.24 * (place - 1) for at, _ in shown],
                error_x=bar,
                mode="markers",
                name=side,
                marker={"color": color, "size": 10, "symbol": symbol,
                        "line": {"width": 2, "color": color}},
                hovertext=[_hover(side, row, value, low, high) for _, row in shown],
                hoverinfo="text",
                cliponaxis=False,
            )
        )  # fmt: skip
    if all(row["of"] == "delta" for _, row in lines):
        figure.add_vline(x=0, line_width=1.5, line_color=ZERO)
    rows_axis(figure, "points", ticks)
    legend_above(figure, 48)
    said = "; ".join(f"{name}: {_said(row)}" for name, row in lines)
    return Figure(figure.to_plotly_json(), 110 + 58 * len(lines), f"{title}. {said}.")


def _hover(side: str, row: Row, value: str, low: str | None, high: str | None) -> str:
    text = f"{side}: {_write(row, row[value])}"
    if low is None or high is None or row[low] is None:
        return text
    return f"{text} {number.interval(row[low], row[high], sign=row['of'] == 'delta')}"


def _said(row: Row) -> str:
    if row["estimate"] is None:
        return f"judge {_write(row, row['automated'])}, no estimate"
    span = number.interval(row["ci_low"], row["ci_high"], sign=row["of"] == "delta")
    return (
        f"judge {_write(row, row['automated'])}, people {_write(row, row['human'])}, "
        f"corrected {_write(row, row['estimate'])} {span}"
    )


def _write(row: Row, value: Any) -> str:
    return number.signed(value) if row["of"] == "delta" else number.points(value)
