"""The charts of the results pages. They draw what a summary holds and compute nothing."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

__all__ = ["segment_name", "segments_figure", "sequence_figure", "winner_figure"]

_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#7a828b"
_MARGIN = {"l": 8, "r": 8, "t": 28, "b": 8}


def segments_figure(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """GSB of every segment with its interval, in points."""
    import plotly.graph_objects as go

    shown = [row for row in rows if row["gsb"] is not None][::-1]
    names = [html.escape(segment_name(row["segment"]))[:60] for row in shown]
    figure = go.Figure(
        go.Scatter(
            x=[100 * row["gsb"] for row in shown],
            y=names,
            mode="markers",
            marker={"size": 10, "color": _BLUE},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * ((row["ci_high"] or row["gsb"]) - row["gsb"]) for row in shown],
                "arrayminus": [100 * (row["gsb"] - (row["ci_low"] or row["gsb"])) for row in shown],
                "color": _BLUE,
            },
            hovertemplate="%{y}: %{x:.1f}<extra></extra>",
        )
    )
    figure.add_vline(x=0, line={"color": _GREY, "dash": "dash", "width": 1})
    figure.update_layout(
        margin=_MARGIN,
        height=90 + 34 * len(shown),
        xaxis_title="GSB, points (right: treatment better)",
        yaxis={"type": "category"},
        showlegend=False,
    )
    return figure


def sequence_figure(path: Mapping[str, Sequence[float]]) -> go.Figure:
    """GSB over complete queries with the band that holds however often one looks."""
    return _band(path, "gsb", 0.0, "GSB, points")


def winner_figure(path: Mapping[str, Sequence[float]]) -> go.Figure:
    """The win rate's band over complete queries."""
    return _band(path, None, 50.0, "Win rate, percent")


def _band(
    path: Mapping[str, Sequence[float]], line: str | None, at: float, title: str
) -> go.Figure:
    import plotly.graph_objects as go

    name = line or "win"
    steps = list(path["queries"])
    high = [100 * value for value in path[f"{name}_high"]]
    low = [100 * value for value in path[f"{name}_low"]]
    edge = {"color": _BLUE, "width": 1}
    figure = go.Figure()
    figure.add_scatter(x=steps, y=high, mode="lines", line=edge, hoverinfo="skip")
    figure.add_scatter(
        x=steps,
        y=low,
        mode="lines",
        line=edge,
        fill="tonexty",
        fillcolor="rgba(0, 114, 178, 0.18)",
        hovertemplate="%{x} queries: from %{y:.1f}<extra></extra>",
    )
    if line is not None:
        figure.add_scatter(
            x=steps,
            y=[100 * value for value in path[line]],
            mode="lines",
            line={"color": _ORANGE, "width": 2, "dash": "solid"},
            hovertemplate="%{x} queries: %{y:.1f}<extra></extra>",
        )
    figure.add_hline(y=at, line={"color": _GREY, "dash": "dash", "width": 1})
    figure.update_layout(
        margin=_MARGIN,
        height=260,
        showlegend=False,
        xaxis_title="complete queries, in serving order",
        yaxis_title=title,
    )
    return figure


def segment_name(segment: Mapping[str, Any]) -> str:
    """A segment in words.

    Example:
        >>> segment_name({"query_type": "brand"}), segment_name({})
        ('query_type brand', 'all')
    """
    return ", ".join(f"{column} {value}" for column, value in segment.items()) or "all"
