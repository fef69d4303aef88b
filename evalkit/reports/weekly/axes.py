"""The axis of weeks: which weeks a line may join, and the marks where it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports.figures import TEXT, axes, label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["add_legend", "add_weeks", "breaks_told", "joined"]

_TICKS = 8


def joined(
    trend: Mapping[str, Any], shown: Sequence[Mapping[str, Any]]
) -> list[list[tuple[int, int]]]:
    """Stretches that may be joined: places on the axis, and which of the points stands there."""
    place = {week: x for x, week in enumerate(trend["weeks"])}
    run_of = {week: number for number, run in enumerate(trend["runs"]) for week in run}
    lines: list[list[tuple[int, int]]] = []
    before: Mapping[str, Any] | None = None
    for at, point in enumerate(shown):
        x = place[point["week"]]
        follows = (
            before is not None
            and x - place[before["week"]] == 1
            and run_of.get(point["week"]) == run_of.get(before["week"])
        )
        if not follows:
            lines.append([])
        lines[-1].append((x, at))
        before = point
    return lines


def add_weeks(figure: Any, trend: Mapping[str, Any], title: str) -> None:
    """The axis of weeks, and a numbered mark where weeks may not be joined."""
    weeks = trend["weeks"]
    axes(figure, "", title)
    step = -(-len(weeks) // _TICKS)
    ticks = list(range(len(weeks) - 1, -1, -step))[::-1]
    figure.update_xaxes(
        tickvals=ticks,
        ticktext=[
            weeks[x][5:]
            + (f"<br>{weeks[x][:4]}" if n == 0 or weeks[x][:4] != weeks[ticks[n - 1]][:4] else "")
            for n, x in enumerate(ticks)
        ],
        range=[-0.6, len(weeks) - 0.4],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(zeroline=False)
    place = {week: x for x, week in enumerate(weeks)}
    for number, mark in enumerate(trend["breaks"], 1):
        if mark["week"] not in place:
            continue
        figure.add_vline(
            x=place[mark["week"]] - 0.5,
            line_width=1.5,
            line_dash="dash",
            line_color=TEXT,
        )
        figure.add_annotation(
            x=place[mark["week"]] - 0.5,
            y=1,
            yref="paper",
            yanchor="bottom",
            text=str(number),
            showarrow=False,
            font={"size": 13, "color": TEXT},
            hovertext="<br>".join(label(reason, 60) for reason in mark["reasons"]),
        )
    figure.update_layout(margin={"t": 30})


def add_legend(figure: Any) -> None:
    """A legend over the plot."""
    figure.update_layout(
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": 1.09, "yanchor": "bottom", "traceorder": "normal"},
        margin={"t": 56},
    )


def breaks_told(trend: Mapping[str, Any]) -> str:
    """The breaks as a sentence for those who do not see the marks."""
    return "".join(
        f" Not comparable across {mark['week']}: {'; '.join(mark['reasons'])}."
        for mark in trend["breaks"]
    )
