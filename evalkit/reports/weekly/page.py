"""The weekly report as one HTML page that opens without a network.

The template decides what stands where; this module gives it the document, the figures and the
frame. Text is cleaned of control characters and escaped unless it is markup of our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports import html_page
from evalkit.reports.markup import Html
from evalkit.reports.query_moves import Move
from evalkit.reports.result_lists import moved_query
from evalkit.reports.result_table import result_table
from evalkit.reports.score_document import cutoff_label, first_cutoff
from evalkit.reports.score_figures import delta_by_segment
from evalkit.reports.terminal import plain
from evalkit.reports.weekly.figures import (
    delta_trend,
    drift_chart,
    value_trend,
    votes_bars,
    votes_trend,
)
from evalkit.reports.weekly.words import FILTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evalkit.reports.figures import Figure

__all__ = ["format_weekly_page"]

_IMAGE_BYTES = 1_000_000
"""Pictures of products that a page holds at most; further ones are left out."""

_DETAILED = 6
"""Records whose files are listed; those of earlier weeks name only their command."""


def format_weekly_page(document: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        document: what `weekly_document` gathered.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("evalkit.reports", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    environment.globals |= {name: FILTERS[name] for name in ("points", "signed")}
    figures, keys = _figures(document)
    placed: dict[str, Figure] = {}

    def plot(key: str, caption: str, caller: Callable[[], str] | None = None) -> Html:
        table = None if caller is None else Html(caller())
        return html_page.plot(figures[key], caption, placed, table)

    scripts = html_page.figure_scripts(figures)
    return environment.get_template("weekly.html.j2").render(
        d=document,
        keys=keys,
        plot=plot,
        moved=_Moved(document),
        policy=html_page.content_policy(scripts),
        styles=Html(html_page.asset("score.css") + html_page.asset("weekly.css")),
        scripts=[Html(text) for text in scripts],
        data=(lambda: html_page.figure_data(placed)) if figures else None,
        every_figure=result_table(document["score"]),
        detailed=_DETAILED,
    )


def _finalize(value: object) -> object:
    """Text of others on one line and without control characters; markup as it is."""
    return value if hasattr(value, "__html__") or not isinstance(value, str) else plain(value)


def _figures(document: Mapping[str, Any]) -> tuple[dict[str, Figure], dict[str, Any]]:
    """All figures of the page by key, and which key the template finds where."""
    figures: dict[str, Figure] = {}
    keys: dict[str, Any] = {
        "segments": [],
        "trends": [],
        "votes_trend": None,
        "bars": [],
        "drift": [],
    }

    def add(key: str, figure: Figure | None) -> str | None:
        if figure is None:
            return None
        figures[key] = figure
        return key

    score = document["score"]
    if document["figures"]["segments"]:
        for measure in document["figures"]["primary"]:
            cutoff = first_cutoff(score, measure)
            key = add(f"segments {measure}", delta_by_segment(score, measure, cutoff))
            if key is not None:
                keys["segments"].append((key, cutoff_label(measure, cutoff)))
    for trend in document["trends"]:
        name = trend["measure"]
        keys["trends"].append(
            {
                "levels": add(f"levels {name}", value_trend(trend, document["systems"])),
                "deltas": add(f"deltas {name}", delta_trend(trend)),
            }
        )
    if document["votes_trend"]:
        keys["votes_trend"] = add("votes", votes_trend(document["votes_trend"]))
    for number, study in enumerate(document["people"]):
        rows = [] if not study["gsb"] else [study["gsb"]["overall"], *study["gsb"]["segments"]]
        named = [{**row, "where": FILTERS["where"](row)} for row in rows]
        keys["bars"].append(add(f"bars {number}", votes_bars(named)))
    for number, judge in enumerate(document["drift"]):
        keys["drift"].append(add(f"drift {number}", drift_chart(judge)))
    return figures, keys


class _Moved:
    """Writes queries that moved, with pictures only as long as there is room for them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.moves = document["moves"]
        self.left = _IMAGE_BYTES

    def __call__(self, move: Mapping[str, Any], opened: bool) -> Html:
        lists = move["lists"]
        if lists is not None:
            lists = {
                "query": lists.get("query"),
                **{
                    side: [self._with_room(item) for item in lists.get(side) or ()]
                    for side in ("control", "treatment")
                },
            }
        return moved_query(
            Move(
                query_id=move["query_id"],
                segment=move.get("segment") or {},
                control=move.get("control"),
                treatment=move.get("treatment"),
                delta=move["delta"],
            ),
            lists,
            measure=self.moves["measure"],
            cutoff=self.moves["cutoff"],
            opened=opened and lists is not None,
        )

    def _with_room(self, item: Mapping[str, Any]) -> dict[str, Any]:
        image = item.get("image")
        size = len(image) if isinstance(image, str) else 0
        if size > self.left:
            return {**item, "image": None}
        self.left -= size
        return dict(item)
