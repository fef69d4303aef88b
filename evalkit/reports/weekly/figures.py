"""Plotly figures of the weekly report: trends over weeks, votes, drift of a judge.

A line joins only weeks that may be joined: it breaks where nothing was recorded for a week and
where query set, judge or settings changed, which a numbered vertical mark says. Position, filling
or symbol says again what a colour says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports.figures import BETTER, NEITHER, WORSE, ZERO, Figure, axes, error_bar, label
from evalkit.reports.score_document import ALPHA
from evalkit.reports.score_numbers import count, interval, p_value, points, share, signed
from evalkit.reports.weekly.axes import add_legend, add_weeks, breaks_told, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["delta_trend", "drift_chart", "value_trend", "votes_bars", "votes_trend"]

_HEIGHT = 300


def value_trend(trend: Mapping[str, Any], systems: Mapping[str, str]) -> Figure:
    """Control and treatment of one measure, week by week.

    Args:
        trend: one of the document's `trends`.
        systems: names of `control` and `treatment`.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    styles = {
        "control": (NEITHER, "circle-open", "dot"),
        "treatment": (BETTER, "circle", "solid"),
    }
    for role, (color, symbol, dash) in styles.items():
        shown = [point for point in trend["points"] if point[role] is not None]
        text = [
            f"<b>{point['week']}</b> {label((point.get('systems') or systems).get(role, role))}"
            f"<br>{trend['label']} {points(point[role])}"
            f"<br>{count(point['queries'])} queries, judged"
            f" {share(point[f'judged_{role}'])}%"
            for point in shown
        ]
        for number, line in enumerate(joined(trend, shown)):
            figure.add_trace(
                go.Scatter(
                    name=role,
                    legendgroup=role,
                    showlegend=number == 0,
                    x=[x for x, _ in line],
                    y=[100 * shown[at][role] for _, at in line],
                    mode="lines+markers",
                    line={"color": color, "width": 2, "dash": dash},
                    marker={
                        "color": color,
                        "size": 8,
                        "symbol": symbol,
                        "line": {"width": 2, "color": color},
                    },
                    hovertext=[text[at] for _, at in line],
                    hoverinfo="text",
                )
            )
    add_weeks(figure, trend, "points")
    add_legend(figure)
    last = trend["points"][-1]
    return Figure(
        figure.to_plotly_json(),
        _HEIGHT,
        f"{trend['label']} of control and treatment over {len(trend['points'])} weeks; in"
        f" {last['week']} {points(last['control'])} and {points(last['treatment'])}."
        f"{breaks_told(trend)}",
    )


def delta_trend(trend: Mapping[str, Any]) -> Figure:
    """Δ of one measure with its interval, week by week.

    Args:
        trend: one of the document's `trends`.
    """
    shown = [
        {
            "week": point["week"],
            "value": point["delta"],
            "low": point["ci_low"],
            "high": point["ci_high"],
            "sure": point["p_holm"] is not None and point["p_holm"] <= ALPHA,
            "hover": f"<b>{point['week']}</b><br>Δ {signed(point['delta'])}"
            f" {interval(point['ci_low'], point['ci_high'])}<br>p {p_value(point['p'])}"
            f" ({p_value(point['p_holm'])} after Holm)",
        }
        for point in trend["points"]
        if point["delta"] is not None
    ]
    told = f"Δ of {trend['label']}"
    return _intervals(trend, shown, f"{told} with 95% interval")


def votes_trend(trend: Mapping[str, Any]) -> Figure:
    """GSB of people with its interval, week by week.

    Args:
        trend: the document's `votes_trend`.
    """
    said = {"final": "95% interval", "anytime": "holds at any look", "interim": "no interval"}
    shown = [
        {
            "week": point["week"],
            "value": point["gsb"],
            "low": point["low"],
            "high": point["high"],
            "sure": point["says"] in ("better", "worse"),
            "hover": f"<b>{point['week']}</b> {label(point['study'])}<br>GSB"
            f" {signed(point['gsb'])} {interval(point['low'], point['high'])}"
            f" ({said[point['basis']]})<br>{count(point['votes'])} votes on"
            f" {count(point['queries'])} queries",
        }
        for point in trend["points"]
        if point["gsb"] is not None
    ]
    return _intervals(trend, shown, "GSB of people with interval")


def _intervals(trend: Mapping[str, Any], shown: Sequence[Mapping[str, Any]], what: str) -> Figure:
    """Points with intervals about zero, joined where they may be; filled where decided."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_hline(y=0, line_width=1.5, line_color=ZERO)
    for line in joined(trend, shown):
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in line],
                y=[100 * shown[at]["value"] for _, at in line],
                mode="lines",
                line={"color": NEITHER, "width": 1},
                hoverinfo="skip",
            )
        )
    place = {week: x for x, week in enumerate(trend["weeks"])}
    for point in shown:
        color = _color(point["value"]) if point["sure"] else NEITHER
        filling = "" if point["sure"] else "-open"
        figure.add_trace(
            go.Scatter(
                x=[place[point["week"]]],
                y=[100 * point["value"]],
                error_y=_bar(point, color),
                mode="markers",
                marker={
                    "color": color,
                    "size": 10,
                    "symbol": f"circle{filling}",
                    "line": {"width": 2, "color": color},
                },
                hovertext=[point["hover"]],
                hoverinfo="text",
            )
        )
    add_weeks(figure, trend, "points")
    figure.update_yaxes(rangemode="tozero")
    said = "; ".join(
        f"{point['week']} {signed(point['value'])} {interval(point['low'], point['high'])}"
        for point in shown
    )
    return Figure(figure.to_plotly_json(), _HEIGHT, f"{what} by week: {said}.{breaks_told(trend)}")


def votes_bars(rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Shares of Good, Same and Bad as bars, overall and by segment; None without a query.

    Args:
        rows: rows of `metrics.VoteScored` with a `where` to name them.
    """
    import plotly.graph_objects as go

    rows = [row for row in rows if row["good"] + row["same"] + row["bad"]]
    if not rows:
        return None
    totals = [row["good"] + row["same"] + row["bad"] for row in rows]
    names = [
        f"{label(row['where'])} ({count(total)})" for row, total in zip(rows, totals, strict=True)
    ]
    figure = go.Figure()
    for key, name, color in (
        ("good", "treatment better", BETTER),
        ("same", "same", NEITHER),
        ("bad", "control better", WORSE),
    ):
        shares = [100 * row[key] / total for row, total in zip(rows, totals, strict=True)]
        figure.add_trace(
            go.Bar(
                name=name,
                orientation="h",
                x=shares,
                y=list(range(len(rows))),
                marker={"color": color, "line": {"width": 0}},
                text=[count(row[key]) if row[key] else "" for row in rows],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                hovertext=[
                    f"{where}<br>{name}: {count(row[key])} ({share(part / 100)}%)"
                    for row, where, part in zip(rows, names, shares, strict=True)
                ],
                hoverinfo="text",
            )
        )
    axes(figure, "% of queries", None)
    figure.update_xaxes(range=[0, 100])
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=names,
        autorange="reversed",
        showgrid=False,
        zeroline=False,
    )
    figure.update_layout(barmode="stack", bargap=0.35)
    add_legend(figure)
    said = "; ".join(
        f"{row['where']} {count(row['good'])}:{count(row['same'])}:{count(row['bad'])}"
        for row in rows
    )
    return Figure(
        figure.to_plotly_json(),
        110 + 38 * len(rows),
        f"Queries with the treatment better, the same, the control better: {said}.",
    )


def drift_chart(judge: Mapping[str, Any]) -> Figure | None:
    """Agreement of a judge with the same gold pairs, week by week; None for a single week.

    Args:
        judge: one of the document's `drift`.
    """
    import plotly.graph_objects as go

    from evalkit.reports.weekly.history import every_week

    shown = [point for point in judge["points"] if point["agreement"] is not None]
    if len(shown) < 2:
        return None
    weeks = every_week(shown[0]["week"], shown[-1]["week"])
    place = {week: x for x, week in enumerate(weeks)}
    figure = go.Figure()
    _limits(figure, judge.get("chart") or {}, shown, place)
    figure.add_trace(
        go.Scatter(
            x=[place[point["week"]] for point in shown],
            y=[100 * point["agreement"] for point in shown],
            error_y=error_bar(
                [_reach(point, "agreement_high") for point in shown],
                [-_reach(point, "agreement_low") for point in shown],
                NEITHER,
                thickness=1.5,
            ),
            mode="markers",
            marker={
                "color": [WORSE if point.get("signal") else NEITHER for point in shown],
                "symbol": ["x" if point.get("signal") else "circle" for point in shown],
                "size": 10,
            },
            hovertext=[
                f"<b>{point['week']}</b><br>agrees on {share(point['agreement'])}% of"
                f" {count(point['pairs'])} pairs"
                + (f"<br>{label(point['signal'], 60)}" if point.get("signal") else "")
                for point in shown
            ],
            hoverinfo="text",
        )
    )
    add_weeks(figure, {"weeks": weeks, "breaks": []}, "agreement in %")
    said = "; ".join(f"{point['week']} {share(point['agreement'])}%" for point in shown)
    return Figure(
        figure.to_plotly_json(),
        _HEIGHT - 40,
        f"Agreement of the judge {judge['judge']} with the gold set by week: {said}.",
    )


def _limits(
    figure: Any,
    chart: Mapping[str, Any],
    shown: Sequence[Mapping[str, Any]],
    place: Mapping[str, int],
) -> None:
    """The centre and the limits: those of each week where they are known, else the widest."""
    import plotly.graph_objects as go

    if chart.get("centre") is not None:
        figure.add_hline(y=100 * chart["centre"], line_width=1.5, line_color=ZERO)
    for end in ("low", "high"):
        known = [point for point in shown if point.get(f"limit_{end}") is not None]
        if known:
            figure.add_trace(
                go.Scatter(
                    x=[place[point["week"]] for point in known],
                    y=[100 * point[f"limit_{end}"] for point in known],
                    mode="lines+markers",
                    line={"color": ZERO, "width": 1.5, "dash": "dash", "shape": "hvh"},
                    marker={"color": ZERO, "symbol": "line-ew-open", "size": 14},
                    hoverinfo="skip",
                )
            )
        elif chart.get(end) is not None:
            figure.add_hline(y=100 * chart[end], line_width=1.5, line_dash="dash", line_color=ZERO)


def _reach(point: Mapping[str, Any], end: str) -> float:
    value = point.get(end)
    return 0.0 if value is None else 100 * (value - point["agreement"])


def _bar(point: Mapping[str, Any], color: str) -> dict[str, Any] | None:
    if point["low"] is None or point["high"] is None:
        return None
    return error_bar(
        [100 * (point["high"] - point["value"])], [100 * (point["value"] - point["low"])], color
    )


def _color(value: float) -> str:
    return BETTER if value > 0 else WORSE
