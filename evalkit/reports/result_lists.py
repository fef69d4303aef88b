"""Two result lists side by side, as HTML: what a change did to one query.

Titles, brands and prices are a shop's text and are escaped. An image is shown only when the item
carries it as data: the page asks nothing of a network.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_document as read
from evalkit.reports.markup import Html, element
from evalkit.reports.query_moves import ranks
from evalkit.reports.score_numbers import price
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.reports.query_moves import Move

__all__ = ["moved_query", "two_lists"]

_IMAGE = re.compile(r"data:image/(png|jpeg|webp|gif|avif);base64,[A-Za-z0-9+/=]+")
_IMAGE_BYTES = 40_000
_STATES = {True: ("good", "+"), False: ("bad", "−"), None: ("unjudged", "?")}


def moved_query(
    move: Move, lists: Mapping[str, Any] | None, *, measure: str, cutoff: int | None, opened: bool
) -> Html:
    """One query that moved, folded up, with both lists when they are known.

    Args:
        move: the query and its figures.
        lists: `{"query", "control": [item], "treatment": [item]}`, or None.
        measure: what moved.
        cutoff: its cutoff; items below it are shown as such.
        opened: whether it is unfolded to begin with.
    """
    lists = lists or {}
    query = plain(lists.get("query") or "") or f"query {move.query_id}"
    kinds = " · ".join(plain(read.segment_name(value)) for value in move.segment.values())
    side = "win" if move.delta > 0 else "loss"
    change = element("strong", read.signed(move.delta), class_=side)
    values = (
        f"{read.points(move.control)} → {read.points(move.treatment)} "
        if move.control is not None
        else ""
    )
    summary = element(
        "summary",
        element("strong", query),
        " ",
        element("span", kinds, class_="quiet small"),
        " ",
        element("span", values, change, class_="change"),
    )
    about = element(
        "p",
        f"{read.cutoff_label(measure, cutoff)} · query id {move.query_id}",
        class_="quiet small",
    )
    control, treatment = lists.get("control"), lists.get("treatment")
    if control is None and treatment is None:
        body = element("p", "The result lists of this query were not given.", class_="quiet")
    else:
        body = two_lists(control or [], treatment or [], cutoff)
    return element(
        "details", summary, element("div", about, body, class_="inner"), class_="query", open=opened
    )


def two_lists(
    control: Sequence[Mapping[str, Any]], treatment: Sequence[Mapping[str, Any]], cutoff: int | None
) -> Html:
    """Both lists of a query side by side; items without a key `good` carry no mark.

    Args:
        control: items of the control, best first.
        treatment: items of the treatment.
        cutoff: items below it are shown as such; None where there is none.
    """
    return element(
        "div",
        _list("Control", control, ranks(treatment), cutoff),
        _list("Treatment", treatment, ranks(control), cutoff),
        class_="sides",
    )


def _list(
    title: str, items: Sequence[Mapping[str, Any]], elsewhere: Mapping[str, int], cutoff: int | None
) -> Html:
    other = "treatment" if title == "Control" else "control"
    if not items:
        rows: object = element("p", "No results.", class_="quiet small")
    else:
        rows = element(
            "ol",
            [_item(item, place, elsewhere, other, cutoff) for place, item in enumerate(items, 1)],
            class_="list",
        )
    return element("div", element("h4", title), rows)


def _item(
    item: Mapping[str, Any],
    place: int,
    elsewhere: Mapping[str, int],
    other: str,
    cutoff: int | None,
) -> Html:
    state, mark = _STATES[item["good"]] if "good" in item else ("", "")
    grade = item.get("grade")
    said = state if grade is None else f"{state}, grade {_text(grade)}"
    product_id = str(item["product_id"])
    title = plain(item.get("title") or "") or product_id
    brand = plain(item.get("brand") or "")
    # a product without a title is shown by its id already
    details = [
        part
        for part in (
            brand if brand.casefold() not in title.casefold() else "",
            product_id if title != product_id else "",
            f"grade {_text(grade)}" if grade is not None else "",
        )
        if part
    ]
    rank = int(item.get("rank") or place)
    there = elsewhere.get(product_id)
    if there is None:
        where = f"not in {other}"
    elif there == rank:
        where = "same place"
    else:
        where = f"{other} #{there}"
    cost = price(item.get("price"))
    return element(
        "li",
        element("span", rank, class_="rank"),
        element(
            "span",
            element("span", mark, aria_hidden="true"),
            element("span", said, class_="hidden"),
            class_="mark",
            title=said,
        )
        if mark
        else element("span"),
        element(
            "span",
            _image(item.get("image")),
            title,
            element("br"),
            element("span", " · ".join(details), class_="quiet small") if details else None,
        ),
        element(
            "span",
            [element("span", _text(cost)), element("br")] if cost else None,
            element("span", where, class_="small"),
            class_="aside",
        ),
        class_=" ".join(
            name
            for name in (state, "below" if cutoff is not None and place > cutoff else "")
            if name
        )
        or None,
    )


def _image(source: object) -> Html | None:
    if not isinstance(source, str) or len(source) > _IMAGE_BYTES or not _IMAGE.fullmatch(source):
        return None
    return element("img", src=source, alt="", width=40, height=40)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}" if value.is_integer() and abs(value) < 1e15 else str(value)
    return plain(value)
