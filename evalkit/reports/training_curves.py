"""How a rewriter was trained with rewards, as one HTML page: before and after, then the curves.

The reward alone says nothing, since a policy finds what pays. So what held-out queries got before
and after stands first, with an alarm wherever the reward rose and its meaning fell; then the curves
of the sum, of every part of it by query type, and of what it does not pay for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from evalkit.files import write_text
from evalkit.reports import score_numbers as number
from evalkit.reports.figures import (
    BETTER,
    GREEN,
    NEITHER,
    PURPLE,
    TEXT,
    WORSE,
    Figure,
    axes,
    label,
    legend_above,
    rows_axis,
)
from evalkit.reports.html_page import data_table, page, plot, terms_section, warnings_section
from evalkit.reports.markup import Html, element, join
from evalkit.reports.provenance import provenance
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, Any]
    Document = Mapping[str, Any]

__all__ = ["before_and_after", "curve", "smoothed", "training_findings", "write_training_curves"]

_ALL = "all"
_LOOKS = ((BETTER, "solid"), (WORSE, "dash"), (GREEN, "dot"), (PURPLE, "dashdot"),
          (NEITHER, "longdash"))  # fmt: skip
_LINES = 30  # of the table of steps
_WINDOWS = 12  # a curve's mean is over one part of so many, at least one step

# name in log and tables, heading, whether it is a share
_PARTS = (
    ("relevance", "Relevance to what the query wants", False),
    ("alignment", "Alignment with products", False),
    ("diversity", "Diversity", False),
    ("format", "Format", False),
    ("constraint", "Constraint", False),
    ("accepted", "Accepted candidates", True),
)
_WATCHED = (
    ("held_out_accepted", "Accepted candidates of held-out queries", True),
    ("held_out_reward", "Reward of held-out queries", False),
    ("kl", "Divergence from the warm start, nats a token", False),
    ("length", "Length, tokens", False),
    ("ended", "Outputs that came to an end", True),
    ("entropy", "Entropy, nats a token", False),
    ("clip_share", "Clipped tokens", True),
    ("loss", "Loss", False),
    ("echoed", "Echoes of the query", True),
    ("excluded", "Candidates that state an excluded thing", True),
    ("repeated", "Repeated candidates", True),
)
_TOLD = (
    *(("reward", "Reward", False), ("relevance", "Relevance", False)),
    *(("alignment", "Alignment", False), ("diversity", "Diversity", False)),
    *(("format", "Format", False), ("constraint", "Constraint", False)),
    *(("accepted", "Accepted, %", True), ("kept", "Kept by the classifier, %", True)),
    *(("echoed", "Echoes, %", True), ("excluded", "Excluded things, %", True)),
    *(("repeated", "Repeats, %", True), ("distinct", "Different candidates", False)),
    *(("words", "Words", False), ("kl", "Divergence, nats a token", False)),
)
_TERMS = (
    ("Candidate", "one rewrite of an output; an output has the same number of places for each."),
    (
        "Accepted",
        "share of the places whose candidate breaks no rule, repeats none before it, and is as "
        "near to what the query wants as its type demands (the gate). Others earn nothing.",
    ),
    ("Relevance", "mean over the places of the cosine with what the query wants; 0 to 1."),
    ("Alignment", "the same of the mean cosine with the nearest product titles; 0 to 1."),
    ("Diversity", "one less the mean cosine between candidates, by how many there are; 0 to 1."),
    ("Format", "minus the share of the places that are empty, a repeat or the query itself."),
    ("Constraint", "minus the share of the places that state what the query excludes."),
    ("Reward", "the weighted sum of relevance, alignment and diversity, with the two penalties."),
    (
        "Divergence",
        "how far the policy has moved from its warm start (KL, nats a token); some reward is taken "
        "for it.",
    ),
    ("Entropy", "how open the next word is; near 0 the policy always says the same."),
    ("Clipped", "tokens whose probability changed more than one update may use."),
    (
        "Held-out queries",
        "of families that nothing was learnt of; in the curves a few of them, looked at with each "
        "checkpoint.",
    ),
    (
        "±",
        "two standard errors of the change, over the families of the same queries; smaller changes "
        "may be luck. None where there are fewer than five families.",
    ),
    (
        "Kept by the classifier",
        "share of the candidates that a classifier of rewrites accepts which had no part in the "
        "reward.",
    ),
)


def write_training_curves(
    rows: Sequence[Row], document: Document, path: str | os.PathLike[str]
) -> None:
    """Write the page; an existing file is replaced only when the new one is complete.

    Args:
        rows: the log of the steps in order: `step`, and figures by name; those of a query type are
            named `relevance/negative`. What is missing or not finite leaves a gap.
        document: `before` and `after`: figures of held-out queries by query type and for `all`;
            `alarms`: sentences; everything else is a setting.
        path: of the page.

    Raises:
        InputError: the file cannot be written.
    """
    figures: dict[str, Figure] = {}
    title = "What did training do to the rewriter?"
    shown = ("before", "after", "errors", "alarms", "supervised", "format")
    settings = {name: value for name, value in document.items() if name not in shown}
    body = [
        element(
            "header",
            element("h1", title),
            [element("p", plain(line), class_="lead") for line in training_findings(document)],
            warnings_section(document.get("alarms")),
        ),
        _held_out(document, figures),
        _curves(rows, figures) if rows else None,
        _watched(rows, figures) if rows else None,
        _steps(rows) if rows else None,
        provenance({"settings": settings}, "training"),
        terms_section(_TERMS),
    ]
    write_text(page(title, join(body), figures), path)


def training_findings(document: Document) -> list[str]:
    """Say in sentences what held-out queries got before and after."""
    before, after = (document.get(side) or {} for side in ("before", "after"))
    was, now = before.get(_ALL), after.get(_ALL)
    if not was or not now:
        return ["No held-out queries were rewritten, so the curves are of training queries alone."]
    lines = [
        f"On {number.count(was.get('queries'))} held-out queries the reward went "
        f"{_moved(was, now, 'reward')}, relevance {_moved(was, now, 'relevance')}, and the "
        f"accepted share {_moved(was, now, 'accepted', share=True)}."
    ]
    if "alarms" in document and not document["alarms"]:
        lines.append(
            "For no query type did the reward rise while relevance, acceptance or the number of "
            "different candidates fell, echoes, excluded things or repeats became more, or outputs "
            "much longer, by more than two standard errors."
        )
    return lines


def smoothed(values: Sequence[float | None], window: int) -> list[float | None]:
    """Return the mean of each value and those before it in a window; gaps stay out.

    Example:
        >>> smoothed([1.0, 2.0, None, 6.0], 2)
        [1.0, 1.5, 2.0, 6.0]
    """
    found = []
    for end in range(1, len(values) + 1):
        known = [each for each in values[max(0, end - window) : end] if each is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def curve(rows: Sequence[Row], name: str, title: str, *, share: bool = False,
          legend: bool = False, height: int = 220) -> Figure | None:  # fmt: skip
    """Draw a figure of the log over steps, all outputs and by query type; None if it has none.

    Args:
        rows: the log.
        name: of the figure.
        title: of the axis and for readers who do not see it.
        share: whether it is one, which is shown in percent.
        legend: whether the lines are named above.
        height: in CSS pixels.
    """
    import plotly.graph_objects as go

    window = _window(rows)
    times = 100 if share else 1
    steps = [row.get("step", at + 1) for at, row in enumerate(rows)]
    kinds = _types(rows)
    figure = go.Figure()
    said = []
    for place, kind in enumerate((*kinds, _ALL)):
        values = [_finite(row.get(name if kind == _ALL else f"{name}/{kind}")) for row in rows]
        if all(value is None for value in values):
            continue
        color, dash = (TEXT, "solid") if kind == _ALL else _LOOKS[place % len(_LOOKS)]
        # what was looked at in a few steps alone is shown as it was seen
        seldom = sum(value is None for value in values) > len(rows) / 2
        means = values if seldom else smoothed(values, window)
        figure.add_trace(
            go.Scatter(
                x=steps,
                y=[None if value is None else times * value for value in means],
                mode="lines+markers" if seldom else "lines" if len(rows) > 1 else "markers",
                name=label(_type_name(kind), 20),
                line={"color": color, "dash": dash, "width": 3 if kind == _ALL else 1.75},
                hovertext=[
                    ""
                    if value is None
                    else f"step {step}, {label(kind, 20)}: "
                    f"{number.fixed(times * value, 1 if share else 3)}{'%' if share else ''}"
                    for step, value in zip(steps, means, strict=True)
                ],
                hoverinfo="text",
                connectgaps=True,
            )
        )
        ends = [value for value in means if value is not None]
        said.append(
            f"{_type_name(kind)} from {_written(ends[0], share)} to {_written(ends[-1], share)}"
        )
    if not said:
        return None
    axes(figure, "step", "%" if share else "")
    figure.update_xaxes(tickformat=",d")
    legend_above(figure, 48 if legend else 12, shown=legend)
    return Figure(figure.to_plotly_json(), height, f"{title} over steps: {'; '.join(said)}.")


def before_and_after(document: Document, name: str, title: str, *, share: bool = False) -> Figure:
    """Draw a figure of held-out queries before (open) and after (full), a row a query type."""
    import plotly.graph_objects as go

    before, after = document["before"], document["after"]
    kinds = [kind for kind in after if kind in before]
    times = 100 if share else 1
    was = [_finite(before[kind].get(name)) for kind in kinds]
    now = [_finite(after[kind].get(name)) for kind in kinds]
    figure = go.Figure()
    for at, (one, other) in enumerate(zip(was, now, strict=True)):
        if one is not None and other is not None:
            figure.add_shape(
                type="line", x0=times * one, x1=times * other, y0=at, y1=at,
                line={"color": NEITHER, "width": 2}, layer="below",
            )  # fmt: skip
    for values, word, symbol in ((was, "before", "circle-open"), (now, "after", "circle")):
        figure.add_trace(
            go.Scatter(
                x=[None if value is None else times * value for value in values],
                y=list(range(len(kinds))),
                mode="markers",
                name=word,
                marker={"color": BETTER, "symbol": symbol, "size": 11,
                        "line": {"width": 2, "color": BETTER}},
                hovertext=[
                    f"{label(_type_name(kind))} {word}: {_written(value, share)}"
                    for kind, value in zip(kinds, values, strict=True)
                ],
                hoverinfo="text",
                cliponaxis=False,
            )
        )  # fmt: skip
    rows_axis(figure, "%" if share else "", [label(_type_name(kind)) for kind in kinds])
    legend_above(figure, 40)
    said = "; ".join(
        f"{_type_name(kind)} {_written(one, share)} to {_written(other, share)}"
        for kind, one, other in zip(kinds, was, now, strict=True)
    )
    return Figure(
        figure.to_plotly_json(), 110 + 34 * len(kinds), f"{title} before and after: {said}."
    )


def _held_out(document: Document, figures: dict[str, Figure]) -> Html | None:
    before, after = (document.get(side) or {} for side in ("before", "after"))
    kinds = [kind for kind in after if kind in before]
    if not kinds:
        return None
    errors = document.get("errors") or {}
    told = [each for each in _TOLD if any(each[0] in after[kind] for kind in kinds)]
    lines = [
        [
            plain(_type_name(kind)),
            number.count(after[kind].get("queries")),
            *(
                " → ".join(
                    _written(_finite(side[kind].get(name)), share, mark="")
                    for side in (before, after)
                )
                + _chance(_finite(errors.get(kind, {}).get(name)), share)
                for name, _, share in told
            ),
        ]
        for kind in kinds
    ]
    drawn = [
        plot(before_and_after(document, name, title, share=share), title, figures)
        for name, title, share in (
            ("reward", "Reward", False),
            ("relevance", "Relevance", False),
            ("accepted", "Accepted candidates", True),
        )
    ]
    return element(
        "section",
        element("h2", "Held-out queries, before and after", id="held-out"),
        element("div", [element("div", each) for each in drawn], class_="plots close"),
        data_table(
            "Held-out queries before and after, by query type",
            ["Type", "Queries", *(title for _, title, _ in told)],
            lines,
        ),
        aria_labelledby="held-out",
    )


def _curves(rows: Sequence[Row], figures: dict[str, Figure]) -> Html:
    window = _window(rows)
    mean = f"Each point is the mean of the last {window} steps. " if window > 1 else ""
    reward = curve(rows, "reward", "Reward", legend=True, height=340)
    return element(
        "section",
        element("h2", "The reward and its parts", id="curves"),
        element(
            "p",
            f"{mean}These are training queries, other ones each step. All figures have the lines "
            "of the first; parts are shown before they are weighed.",
            class_="quiet small",
        ),
        plot(reward, "Reward", figures) if reward is not None else None,
        _grid(rows, _PARTS, figures),
        aria_labelledby="curves",
    )


def _watched(rows: Sequence[Row], figures: dict[str, Figure]) -> Html:
    return element(
        "section",
        element("h2", "What the reward does not show", id="watched"),
        _grid(rows, _WATCHED, figures),
        aria_labelledby="watched",
    )


def _grid(
    rows: Sequence[Row], told: Sequence[tuple[str, str, bool]], figures: dict[str, Figure]
) -> Html:
    drawn = {title: curve(rows, name, title, share=share) for name, title, share in told}
    places = [
        element("div", plot(figure, title, figures))
        for title, figure in drawn.items()
        if figure is not None
    ]
    return element("div", places, class_="plots close")


def _steps(rows: Sequence[Row]) -> Html:
    """Return the log in numbers, folded: of long logs the steps at even distances and the last."""
    every = math.ceil(len(rows) / _LINES)
    chosen = [row for at, row in enumerate(rows, 1) if at % every == 0 or at == len(rows)]
    told = [
        (name, title, share)
        for name, title, share in (("reward", "Reward", False), *_PARTS, *_WATCHED)
        if any(_finite(row.get(name)) is not None for row in chosen)
    ]
    table = data_table(
        "Figures of the steps, all types together",
        ["Step", *(f"{title}, %" if share else title for _, title, share in told)],
        [
            [
                str(row.get("step", "")),
                *(_written(_finite(row.get(name)), share, mark="") for name, _, share in told),
            ]
            for row in chosen
        ],
    )
    heading = "Steps in numbers" if every == 1 else f"One step in {every} in numbers"
    return element("details", element("summary", heading), table, class_="behind")


def _types(rows: Sequence[Row]) -> list[str]:
    """Return the query types of a log, by name."""
    return sorted({key.partition("/")[2] for row in rows for key in row if "/" in key})


def _window(rows: Sequence[Row]) -> int:
    return max(1, len(rows) // _WINDOWS)


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _moved(was: Row, now: Row, name: str, *, share: bool = False) -> str:
    return " to ".join(
        f"{word}{_written(_finite(side.get(name)), share)}"
        for word, side in (("from ", was), ("", now))
    )


def _written(value: float | None, share: bool, *, mark: str = "%") -> str:
    if value is None:
        return number.MISSING
    return f"{number.points(value, 1)}{mark}" if share else number.fixed(value, 3)


def _chance(error: float | None, share: bool) -> str:
    """Return what chance alone would do to a change: two standard errors."""
    return "" if error is None else f" ±{_written(2 * error, share, mark='')}"


def _type_name(kind: str) -> str:
    return "all types" if kind == _ALL else kind
