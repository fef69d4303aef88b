"""Plotly figures of a score document: Δ with intervals by segment, and Δ query by query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports import score_document as read
from evalkit.reports.figures import (
    BETTER,
    GREEN,
    NEITHER,
    PURPLE,
    TEXT,
    WORSE,
    ZERO,
    Figure,
    axes,
    error_bar,
    label,
    legend_above,
)
from evalkit.reports.query_moves import SAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.reports.query_moves import Move
    from evalkit.reports.score_document import Document, Row

__all__ = ["delta_by_query", "delta_by_segment", "value_by_segment"]

_SYSTEMS = ((BETTER, "circle"), (WORSE, "square"), (GREEN, "diamond"), (PURPLE, "x"))
_BARS_UP_TO = 400
_BINS = 41


def delta_by_segment(document: Document, measure: str, cutoff: int | None) -> Figure | None:
    """Forest plot of one measure: Δ with its interval, overall and in every segment."""
    import plotly.graph_objects as go

    lines, ticks = _segment_lines(document, measure, cutoff)
    lines = [(y, row) for y, row in lines if row.get("delta") is not None]
    if not lines:
        return None
    styles = {"better": (BETTER, ""), "worse": (WORSE, "")}
    figure = go.Figure()
    for y, row in lines:
        place = read.standing(row)
        color, filling = styles.get(place, (NEITHER, "-open"))
        delta, low, high = (
            None if row.get(key) is None else 100 * row[key]
            for key in ("delta", "ci_low", "ci_high")
        )
        bar = None
        if low is not None and high is not None:
            bar = error_bar([high - delta], [delta - low], color)
        figure.add_trace(
            go.Scatter(
                x=[delta],
                y=[y],
                error_x=bar,
                mode="markers+text",
                text=[read.signed(row["delta"])],
                textposition="top center",
                textfont={"size": 12, "color": TEXT},
                marker={
                    "color": color,
                    "size": 11 if row.get("segment") else 13,
                    "symbol": ("circle" if row.get("segment") else "diamond") + filling,
                    "line": {"width": 2, "color": color},
                },
                hovertext=[_hover(row)],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    figure.add_vline(x=0, line_width=1.5, line_color=ZERO)
    height = _finish(figure, ticks, "Δ in points: treatment − control")
    said = "; ".join(
        f"{read.segment_label(row)} {read.signed(row['delta'])}"
        f" {read.interval(row.get('ci_low'), row.get('ci_high'))}"
        for _, row in lines
    )
    name = read.cutoff_label(measure, cutoff)
    return Figure(figure.to_plotly_json(), height, f"Difference in {name} by segment: {said}.")


def value_by_segment(document: Document, measure: str, cutoff: int | None) -> Figure | None:
    """Values of single runs with their intervals, overall and in every segment."""
    import plotly.graph_objects as go

    lines, ticks = _segment_lines(document, measure, cutoff)
    lines = [(y, row) for y, row in lines if row.get("value") is not None]
    systems = list(dict.fromkeys(row.get("system") for _, row in lines))
    if not lines:
        return None
    figure = go.Figure()
    for index, system in enumerate(systems):
        color, symbol = _SYSTEMS[index % len(_SYSTEMS)]
        rows = [(y, row) for y, row in lines if row.get("system") == system]
        offset = 0.5 * ((index + 0.5) / len(systems) - 0.5)
        lows = [row["value"] if row.get("ci_low") is None else row["ci_low"] for _, row in rows]
        highs = [row["value"] if row.get("ci_high") is None else row["ci_high"] for _, row in rows]
        values = [row["value"] for _, row in rows]
        figure.add_trace(
            go.Scatter(
                name=label(system),
                x=[100 * value for value in values],
                y=[y + offset for y, _ in rows],
                error_x=error_bar(
                    [100 * (h - v) for h, v in zip(highs, values, strict=True)],
                    [100 * (v - w) for v, w in zip(values, lows, strict=True)],
                    color,
                ),
                mode="markers",
                marker={"color": color, "size": 10, "symbol": symbol},
                hovertext=[
                    f"{label(system)}, {label(read.segment_label(row))}<br>"
                    f"{read.points(row['value'])} {_interval(row, sign=False)}"
                    for _, row in rows
                ],
                hoverinfo="text",
            )
        )
    height = _finish(figure, ticks, f"{read.cutoff_label(measure, cutoff)} in points")
    legend_above(figure, 40, shown=len(systems) > 1)
    said = "; ".join(
        f"{row.get('system')} {read.segment_label(row)} {read.points(row['value'])}"
        for _, row in lines
    )
    name = read.cutoff_label(measure, cutoff)
    return Figure(figure.to_plotly_json(), height + 30, f"{name} by segment: {said}.")


def delta_by_query(
    found: Sequence[Move], measure: str, cutoff: int | None, names: Mapping[str, str]
) -> Figure | None:
    """Δ of every query, best to worst; a histogram where there are more than 400.

    Returns None where queries can only win, tie or lose: counts then say everything.

    Args:
        found: moves of one measure, by Δ from the best to the worst.
        measure: its name.
        cutoff: its cutoff.
        names: query texts by id, as far as they are known.
    """
    import plotly.graph_objects as go

    deltas = [100 * move.delta for move in found]
    if len({round(delta, 9) for delta in deltas}) <= 3:
        return None
    figure = go.Figure()
    name = read.cutoff_label(measure, cutoff)
    if len(found) <= _BARS_UP_TO:
        figure.add_trace(
            go.Bar(
                x=list(range(1, len(found) + 1)),
                y=deltas,
                marker={"color": [_side(delta) for delta in deltas], "line": {"width": 0}},
                hovertext=[
                    f"{label(names.get(move.query_id) or move.query_id)}<br>"
                    f"{read.points(move.control)} → {read.points(move.treatment)}:"
                    f" {read.signed(move.delta)}"
                    for move in found
                ],
                hoverinfo="text",
            )
        )
        axes(figure, "queries, from the biggest win to the biggest loss", "Δ in points")
        figure.update_layout(bargap=0.15 if len(found) < 150 else 0)
    else:
        centres, counts = _bins(deltas)
        figure.add_trace(
            go.Bar(
                x=centres,
                y=counts,
                marker={"color": [_side(centre) for centre in centres], "line": {"width": 0}},
                hovertemplate="Δ about %{x:.1f}: %{y:,} queries<extra></extra>",
            )
        )
        axes(figure, "Δ in points", "queries")
        figure.update_layout(bargap=0.1)
    better, worse = sum(d > 0 for d in deltas), sum(d < 0 for d in deltas)
    summary = (
        f"Difference in {name} query by query: {better:,} of {len(found):,} improved, {worse:,} got"
        f" worse; from {read.signed(found[-1].delta)} to {read.signed(found[0].delta)} points."
    )
    return Figure(figure.to_plotly_json(), 280, summary)


def _segment_lines(
    document: Document, measure: str, cutoff: int | None
) -> tuple[list[tuple[float, Row]], list[tuple[float, str]]]:
    """Rows with their height on the axis, and tick labels; a segment column has a heading."""
    lines: list[tuple[float, Row]] = []
    ticks: list[tuple[float, str]] = []
    y = 0.0
    for block in read.blocks(document):
        rows = [
            row
            for group in block.groups
            for row in group
            if row["measure"] == measure and row.get("cutoff") == cutoff
        ]
        if rows and block.columns:
            ticks.append((y, f"<b>{label(' and '.join(block.columns))}</b>"))
            y += 0.8
        placed: dict[str, float] = {}
        for row in rows:
            name = read.segment_label(row)
            if name not in placed:
                placed[name] = y
                ticks.append((y, f"{label(name)} ({read.count(row.get('queries'))})"))
                y += 1
            lines.append((placed[name], row))
        y += 0.2
    return lines, ticks


def _finish(figure: Any, ticks: list[tuple[float, str]], title: str) -> int:
    """Axes of a plot by segment; gives the height it needs."""
    deepest = ticks[-1][0]
    axes(figure, title, None)
    figure.update_yaxes(
        tickvals=[y for y, _ in ticks],
        ticktext=[text for _, text in ticks],
        range=[deepest + 0.6, -0.75],
        showgrid=False,
        zeroline=False,
    )
    return int(90 + 44 * (deepest + 1))


def _bins(deltas: list[float]) -> tuple[list[float], list[int]]:
    """Equal bins about zero, the middle one holding what stayed about the same."""
    import numpy as np

    reach = max(abs(delta) for delta in deltas)
    counts, edges = np.histogram(deltas, bins=_BINS, range=(-reach, reach))
    centres = (edges[:-1] + edges[1:]) / 2
    centres[_BINS // 2] = 0.0
    return centres.tolist(), counts.tolist()


def _side(delta: float) -> str:
    if abs(delta) < 100 * SAME:
        return NEITHER
    return BETTER if delta > 0 else WORSE


def _hover(row: Row) -> str:
    lines = [
        f"<b>{label(read.segment_label(row), 60)}</b>, {read.count(row.get('queries'))} queries"
    ]
    if row.get("control") is not None:
        lines.append(f"{read.points(row['control'])} → {read.points(row.get('treatment'))}")
    lines.append(f"Δ {read.signed(row['delta'])} {_interval(row, sign=True)}")
    adjusted = row.get("p_holm")
    after = "exploratory" if adjusted is None else f"{read.p_value(adjusted)} after Holm"
    lines.append(f"p {read.p_value(row.get('p'))} ({after})")
    return "<br>".join(lines)


def _interval(row: Row, *, sign: bool) -> str:
    return read.interval(row.get("ci_low"), row.get("ci_high"), sign=sign)
