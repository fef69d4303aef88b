"""What all Plotly figures of a page share: a figure as data, its colours, axes and labels.

Colours are those of the light theme; the page's script exchanges them for the dark theme's. All
are from the Okabe-Ito palette, and position, filling or symbol says again what a colour says.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.reports.terminal import clamp, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BETTER",
    "COLORS",
    "GREEN",
    "GRID",
    "NEITHER",
    "PURPLE",
    "SHADE",
    "TEXT",
    "WORSE",
    "ZERO",
    "Figure",
    "axes",
    "cells",
    "diagonal",
    "error_bar",
    "label",
    "legend_above",
    "rows_axis",
]

# light theme: colour of the dark theme that takes its place
COLORS = {
    "#0072b2": "#56b4e9",  # better, first system
    "#d55e00": "#e69f00",  # worse, second system
    "#009e73": "#2bc59a",
    "#b0568a": "#cc79a7",
    "#5c6570": "#a3adb8",  # neither
    "#1c2127": "#e8eaed",  # text
    "#dde1e6": "#343b44",  # grid
    "#8a929c": "#78828e",  # zero line
    "#56b4e9": "#00609a",  # the fullest shade under a text
}
BETTER, WORSE, GREEN, PURPLE, NEITHER, TEXT, GRID, ZERO, SHADE = COLORS


@dataclass(frozen=True)
class Figure:
    """A figure as plain data, with the sentence that stands for it when it cannot be seen.

    Attributes:
        spec: Plotly's `data` and `layout`.
        height: in CSS pixels, reserved before the figure is drawn.
        summary: alternative text.
    """

    spec: dict[str, Any]
    height: int
    summary: str


def axes(figure: Any, x_title: str, y_title: str | None) -> None:
    """Give a figure the axes, fonts and margins of the page."""
    common = {
        "gridcolor": GRID,
        "zerolinecolor": ZERO,
        "linecolor": GRID,
        "automargin": True,
        "fixedrange": True,
        "title": {"font": {"size": 13, "color": TEXT}},
    }
    figure.update_xaxes(**common, title_text=x_title)
    figure.update_yaxes(**common, title_text=y_title)
    figure.update_layout(
        template=None,
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": TEXT},
        hoverlabel={"align": "left"},
        margin={"l": 8, "r": 16, "t": 12, "b": 8},
    )


def rows_axis(figure: Any, x_title: str, labels: Sequence[str], *, above: float = 0.6) -> None:
    """Axes of a plot with a labelled row each line, the first on top; `above` is room over it."""
    axes(figure, x_title, None)
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=list(labels),
        range=[len(labels) - 0.4, -above],
        showgrid=False,
        zeroline=False,
    )


def legend_above(figure: Any, room: int, *, shown: bool = True, **look: Any) -> None:
    """A legend in one line over the plot, with so many pixels of room."""
    legend = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", **look}
    figure.update_layout(showlegend=shown, legend=legend, margin={"t": room})


def diagonal(low: float, high: float) -> dict[str, Any]:
    """A trace: the dashed line on which both axes say the same."""
    return {
        "type": "scatter",
        "x": [low, high],
        "y": [low, high],
        "mode": "lines",
        "line": {"color": ZERO, "width": 1.5, "dash": "dash"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def cells(
    counts: Sequence[Sequence[int]],
    shares: Sequence[Sequence[float]],
    hover: Sequence[Sequence[str]],
    framed: Sequence[tuple[int, int]],
    **places: Any,
) -> Any:
    """A map of counts: written in the cells, shaded by shares, framed where two say the same.

    Args:
        counts: rows of columns.
        shares: 0 to 1, which decide the shade.
        hover: what is said of a cell.
        framed: row and column.
        places: `x` of the columns and `y` of the rows.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Heatmap(
            **places,
            z=shares,
            zmin=0,
            zmax=1,
            colorscale=[[0, GRID], [1, SHADE]],
            showscale=False,
            xgap=3,
            ygap=3,
            text=[[f"{count:,}" for count in line] for line in counts],
            texttemplate="%{text}",
            textfont={"size": 16, "color": TEXT},
            hovertext=hover,
            hoverinfo="text",
        )
    )
    for y, x in framed:
        ends = {"x0": x - 0.49, "x1": x + 0.49, "y0": y - 0.49, "y1": y + 0.49}
        figure.add_shape(type="rect", line={"color": TEXT, "width": 2}, **ends)
    return figure


def error_bar(
    above: Sequence[float], below: Sequence[float], color: str, *, thickness: float = 2
) -> dict[str, Any]:
    """Intervals of the points of a trace: how far each reaches above and below its value."""
    return {
        "type": "data",
        "symmetric": False,
        "array": list(above),
        "arrayminus": list(below),
        "color": color,
        "thickness": thickness,
        "width": 4,
    }


def label(text: object, width: int = 24) -> str:
    """Foreign text in a figure: Plotly reads a few tags in labels, so none may get through.

    Example:
        >>> label("<b>red</b> shoes")
        '&lt;b&gt;red&lt;/b&gt; shoes'
    """
    return html.escape(clamp(plain(text), width), quote=False)
