"""Plotly figures of people against measures.

Scatter, ROC curve, confusion, forest plots of τ-b, and Δ against GSB over studies. Colours follow
`figures`; symbol, position or a written number says again what a colour says.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as number
from evalkit.reports.figures import (
    BETTER,
    NEITHER,
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
from evalkit.reports.score_document import measure_label, segment_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.reports.correlation.findings import Row

__all__ = [
    "confusion_map",
    "roc_curve",
    "scatter",
    "studies_scatter",
    "tau_by_measure",
    "tau_by_segment",
]

_NAMED = 5
_LARGEST = 30
_HEIGHT = 380
_SIDES = {
    "same": ("point the same way", BETTER, "circle"),
    "opposite": ("point opposite ways", WORSE, "diamond"),
    "neither": ("one sees no difference", NEITHER, "circle-open"),
}
_PEOPLE = ("bad", "same", "good")
_MEASURE = ("Δ < 0", "Δ = 0", "Δ > 0")


def scatter(
    points: Mapping[str, Sequence[Any]], name: str, names: Mapping[str, str], scale: int
) -> Figure:
    """What people prefer against Δ, a mark for every pair of values, as large as it is frequent.

    Args:
        points: columns `query_id`, `preference` and `delta`.
        name: the measure.
        names: query texts by id, as far as they are known.
        scale: 3 or 5 points of preference.
    """
    import plotly.graph_objects as go

    at: dict[tuple[float, float], list[str]] = defaultdict(list)
    columns = zip(points["query_id"], points["preference"], points["delta"], strict=True)
    for query_id, human, delta in columns:
        at[(round(delta, 9), round(human, 9))].append(names.get(query_id) or query_id)
    most = max(map(len, at.values()), default=1)
    figure = go.Figure()
    counts: dict[str, int] = {}
    for side, (said, color, symbol) in _SIDES.items():
        marks = sorted(mark for mark in at if _side(*mark) == side)
        counts[side] = sum(len(at[mark]) for mark in marks)
        figure.add_trace(
            go.Scatter(
                x=[100 * delta for delta, _ in marks],
                y=[human for _, human in marks],
                mode="markers",
                name=f"{said} ({counts[side]:,})",
                marker={
                    "color": color,
                    "symbol": symbol,
                    "size": [_size(len(at[mark]), most) for mark in marks],
                    "opacity": 0.7,
                    "line": {"width": 1, "color": color},
                },
                hovertext=[_hover(at[mark], *mark) for mark in marks],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    figure.add_vline(x=0, line_width=1.5, line_color=ZERO)
    figure.add_hline(y=0, line_width=1.5, line_color=ZERO)
    axes(figure, f"Δ of {name} in points", "mean vote for the treatment")
    reach = 2.2 if scale == 5 else 1.1
    figure.update_yaxes(range=[-reach, reach])
    legend_above(figure, 56, itemsizing="constant")
    total = sum(counts.values())
    summary = (
        f"Mean vote against Δ of {name} over {total:,} queries: they point the same way on"
        f" {counts['same']:,}, opposite ways on {counts['opposite']:,}, and on"
        f" {counts['neither']:,} one of the two sees no difference."
    )
    return Figure(figure.to_plotly_json(), _HEIGHT, summary)


def roc_curve(roc: Mapping[str, Any], name: str) -> Figure:
    """Share of the Good queries found against that of the Bad ones, threshold by threshold.

    Args:
        roc: the fields of `metrics.Roc`.
        name: the measure.
    """
    import plotly.graph_objects as go

    figure = go.Figure(diagonal(0, 1))
    figure.add_trace(
        go.Scatter(
            x=list(roc["false_positive"]),
            y=list(roc["true_positive"]),
            mode="lines+markers",
            line={"color": BETTER, "width": 2.5},
            marker={"color": BETTER, "size": 5},
            hovertext=[
                f"{'nothing' if at is None else f'Δ ≥ {number.signed(at)}'}<br>"
                f"{number.share(found)}% of the Good, {number.share(wrong)}% of the Bad"
                for at, found, wrong in zip(
                    roc["thresholds"], roc["true_positive"], roc["false_positive"], strict=True
                )
            ],
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    axes(figure, "share of the Bad queries found", "share of the Good queries found")
    figure.update_xaxes(range=[0, 1], tickformat=".0%", dtick=0.25)
    figure.update_yaxes(range=[0, 1], tickformat=".0%", dtick=0.25)
    figure.update_layout(margin={"r": 28})
    area = number.coefficient(roc["auc"])
    figure.add_annotation(
        x=0.97, y=0.06, xanchor="right", showarrow=False, text=f"AUC {area}",
        font={"size": 14, "color": TEXT},
    )  # fmt: skip
    summary = (
        f"ROC curve of {name}: how well Δ tells the {roc['good']:,} queries that people call Good"
        f" from the {roc['bad']:,} they call Bad; area {area}, 0.50 is chance."
    )
    return Figure(figure.to_plotly_json(), _HEIGHT, summary)


def confusion_map(row: Row) -> Figure:
    """People's verdicts against the sign of Δ, with the counts written in the cells."""
    counts = [list(line) for line in row["confusion"]]
    # a row's share decides the shade: a frequent verdict must not hide what became of a rare one
    shares = [[count / (sum(line) or 1) for count in line] for line in counts]
    hover = [
        [
            f"people say {said}, {found}: {number_of:,} queries,"
            f" {number.share(share)}% of those people call {said}"
            for found, number_of, share in zip(_MEASURE, line, of, strict=True)
        ]
        for said, line, of in zip(_PEOPLE, counts, shares, strict=True)
    ]
    figure = cells(
        counts,
        shares,
        hover,
        [(place, place) for place in range(3)],
        x=list(_MEASURE),
        y=[f"people: {said}" for said in _PEOPLE],
    )
    name = measure_label(row)
    axes(figure, f"{name} says", None)
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_yaxes(showgrid=False, zeroline=False)
    agreed = sum(counts[place][place] for place in range(3))
    total = sum(map(sum, counts))
    said = "; ".join(
        f"people {said}: {', '.join(f'{count:,} {found}' for count, found in told)}"
        for said, told in zip(
            _PEOPLE, [list(zip(line, _MEASURE, strict=True)) for line in counts], strict=True
        )
    )
    summary = f"Verdicts of people against {name}: the same on {agreed:,} of {total:,}. {said}."
    return Figure(figure.to_plotly_json(), _HEIGHT, summary)


def tau_by_measure(rows: Sequence[Row]) -> Figure:
    """Forest plot: τ-b of every measure with its interval, in the order given."""
    lines = [(measure_label(row), row) for row in rows if row["kendall"] is not None]
    said = "; ".join(f"{name} {_tau(row)}" for name, row in lines)
    return _forest(lines, f"Kendall's τ-b of people and measures: {said}.")


def tau_by_segment(rows: Sequence[Row]) -> Figure:
    """Forest plot: τ-b of one measure, overall and in every segment."""
    lines = [
        (f"{_segment(row)} ({row['queries']:,})", row) for row in rows if row["kendall"] is not None
    ]
    said = "; ".join(f"{name} {_tau(row)}" for name, row in lines)
    return _forest(lines, f"Kendall's τ-b of people and {measure_label(rows[0])}: {said}.")


def studies_scatter(points: Sequence[Mapping[str, Any]], name: str) -> Figure:
    """GSB of every study against Δ.

    Args:
        points: rows with `study`, `gsb` and `delta`.
        name: the measure.
    """
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Scatter(
            x=[100 * point["delta"] for point in points],
            y=[100 * point["gsb"] for point in points],
            mode="markers",
            marker={"color": BETTER, "size": 11, "line": {"width": 1, "color": BETTER}},
            hovertext=[
                f"{label(point['study'], 60)}<br>Δ {number.signed(point['delta'])},"
                f" GSB {number.signed(point['gsb'])}"
                for point in points
            ],
            hoverinfo="text",
            cliponaxis=False,
        )
    )
    figure.add_vline(x=0, line_width=1.5, line_color=ZERO)
    figure.add_hline(y=0, line_width=1.5, line_color=ZERO)
    axes(figure, f"Δ of {name} in points", "GSB in points")
    said = "; ".join(
        f"{point['study']} Δ {number.signed(point['delta'])}, GSB {number.signed(point['gsb'])}"
        for point in points
    )
    return Figure(figure.to_plotly_json(), _HEIGHT, f"GSB against Δ of {name} by study: {said}.")


def _forest(lines: Sequence[tuple[str, Row]], summary: str) -> Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    for y, (name, row) in enumerate(lines):
        low, high, value = row["kendall_low"], row["kendall_high"], row["kendall"]
        clear = low is not None and (low > 0 or high < 0)
        color = NEITHER if not clear else BETTER if value > 0 else WORSE
        bar = None
        if low is not None:
            bar = error_bar([high - value], [value - low], color)
        figure.add_trace(
            go.Scatter(
                x=[value],
                y=[y],
                error_x=bar,
                mode="markers+text",
                text=[number.coefficient(value)],
                textposition="top center",
                textfont={"size": 12, "color": TEXT},
                marker={
                    "color": color,
                    "size": 11,
                    "symbol": "circle" if clear else "circle-open",
                    "line": {"width": 2, "color": color},
                },
                hovertext=[f"{label(name, 60)}<br>{_tau(row)}, {row['queries']:,} queries"],
                hoverinfo="text",
                cliponaxis=False,
            )
        )
    figure.add_vline(x=0, line_width=1.5, line_color=ZERO)
    rows_axis(figure, "Kendall's τ-b", [label(name) for name, _ in lines], above=0.75)
    return Figure(figure.to_plotly_json(), 80 + 44 * len(lines), summary)


def _side(delta: float, human: float) -> str:
    if delta == 0 or human == 0:
        return "neither"
    return "same" if (delta > 0) == (human > 0) else "opposite"


def _size(count: int, most: int) -> float:
    """The area of a mark grows with its queries; the largest still leaves room for the others."""
    return float(max(4.0, min(8.0, _LARGEST / most**0.5) * count**0.5))


def _hover(queries: Sequence[str], delta: float, human: float) -> str:
    named = [label(query, 60) for query in queries[:_NAMED]]
    more = len(queries) - len(named)
    lines = [*named, f"and {more:,} more"] if more else named
    return "<br>".join([*lines, f"people {number.signed_number(human)}, Δ {number.signed(delta)}"])


def _segment(row: Row) -> str:
    return segment_label(row) if row["segment"] else "all queries"


def _tau(row: Row) -> str:
    text = number.coefficient(row["kendall"])
    if row["kendall_low"] is None:
        return text
    return f"{text} {number.coefficients(row['kendall_low'], row['kendall_high'])}"
