"""Two result lists side by side, as one escaped block of HTML.

All that is shown comes from catalogues and query logs, so every text is escaped here and nothing
of it ever goes through Markdown. Whether a list is the control or the treatment is not known here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from annotate_app.marking import MARKS, numbers
from evalkit.reports.markup import Html, element, join
from evalkit.reports.score_numbers import price

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["image_allowed", "lists_html", "pooled_html", "same_ranks"]

_TITLE_SHOWN = 120  # characters that two lines of a column hold at 1366 pixels
_ATTRIBUTES_SHOWN = 4
_WORD = re.compile(r"\w+", re.UNICODE)


def image_allowed(address: object, hosts: Sequence[str] | None) -> bool:
    """True when an image may be loaded: http(s), and from a listed host where there is a list.

    A host in the list allows its subdomains as well.

    Example:
        >>> image_allowed("https://img.shop.example/1.jpg", ["shop.example"])
        True
        >>> image_allowed("https://shop.example.evil.net/1.jpg", ["shop.example"])
        False
        >>> image_allowed("javascript:alert(1)", None)
        False
    """
    if not isinstance(address, str):
        return False
    try:
        parts = urlsplit(address.strip())
        host = (parts.hostname or "").lower().rstrip(".")
    except ValueError:
        return False
    if parts.scheme.lower() not in ("http", "https") or not host:
        return False
    if parts.username is not None or parts.password is not None:
        return False
    if hosts is None:
        return True
    allowed = [name.lower().strip().lstrip(".") for name in hosts]
    return any(host == name or host.endswith(f".{name}") for name in allowed if name)


def same_ranks(left: Sequence[Any], right: Sequence[Any]) -> frozenset[int]:
    """Places (from 0) at which both lists hold the same product.

    Example:
        >>> from types import SimpleNamespace as Item
        >>> a, b, c = (Item(product_id=name) for name in "abc")
        >>> sorted(same_ranks([a, b], [a, c]))
        [0]
    """
    pairs = enumerate(zip(left, right, strict=False))
    return frozenset(place for place, (a, b) in pairs if a.product_id == b.product_id)


def lists_html(
    query: str,
    left: Sequence[Any],
    right: Sequence[Any],
    *,
    task: str,
    hosts: Sequence[str] | None = None,
    differences: bool = False,
    names: tuple[str, str] = ("Left", "Right"),
    links: bool = False,
    marks: bool = False,
) -> Html:
    """Both lists, rows aligned by rank.

    Args:
        query: its words are marked in the titles.
        left: items of the left list in order (`product_id`, `title`, `brand`, `price`,
            `attributes`, `image`, `description`).
        right: items of the right list.
        task: stands in `data-task`, where tests and the activity component find it.
        hosts: hosts that images may come from; None allows any http(s) address.
        differences: leave out the ranks at which both lists hold the same product.
        names: what the lists are called; other names are for analysts only.
        links: link to the products' pages; for analysts, since an address can tell a system.
        marks: every product has buttons that mark it; which are pressed is for the browser to say.
    """
    hidden = same_ranks(left, right) if differences else frozenset()
    images = any(image_allowed(item.image, hosts) for item in (*left, *right))
    rows = max(len(left), len(right)) - len(hidden)
    number = numbers(left, right) if marks else None
    words = _words(query)
    note = None
    if differences:
        said = f"The same on both sides: rank {_spans(hidden)}" if hidden else "No rank is the same"
        note = element("p", said, class_="ek-same")
    sides = [
        _side(
            name,
            against,
            items,
            other,
            hidden,
            images=images,
            hosts=hosts,
            words=words,
            links=links,
            number=number,
        )
        for name, against, items, other in (
            (names[0], names[1], left, right),
            (names[1], names[0], right, left),
        )
    ]
    return element(
        "div",
        note,
        element("div", *sides, class_="ek-lists", style=f"--rows:{max(rows, 1)}"),
        class_="ek-task",
        id="ek-task",
        data_task=task,
    )


def pooled_html(
    query: str,
    items: Sequence[Any],
    *,
    task: str,
    grades: Mapping[str, str],
    current: int | None,
    hosts: Sequence[str] | None = None,
) -> Html:
    """The products of a query in two columns, each with the grade that it has been given.

    Args:
        query: its words are marked in the titles.
        items: the products in the order of the task.
        task: stands in `data-task`.
        grades: product_id to the word of its grade; products without one are missing.
        current: place of the product that is graded next, or None.
        hosts: as in `lists_html`.
    """
    images = any(image_allowed(item.image, hosts) for item in items)
    words = _words(query)
    half = (len(items) + 1) // 2
    columns = []
    for start, part in ((0, items[:half]), (half, items[half:])):
        rows = []
        for place, item in enumerate(part, start):
            word = grades.get(item.product_id)
            chip = element(
                "span", word or "not graded", class_="ek-chip ek-given" if word else "ek-chip"
            )
            row = _row(item, place + 1, chip, images=images, hosts=hosts, words=words)
            now = place == current
            rows.append(
                element(
                    "li",
                    row,
                    class_="ek-row ek-now" if now else "ek-row",
                    aria_current="true" if now else None,
                    data_graded=word,
                )
            )
        columns.append(element("ol", *rows, class_="ek-list", start=start + 1))
    return element(
        "div",
        element("div", *columns, class_="ek-lists", style=f"--rows:{max(half, 1)}"),
        class_="ek-task ek-pooled",
        id="ek-task",
        data_task=task,
    )


def _side(
    name: str,
    against: str,
    items: Sequence[Any],
    other: Sequence[Any],
    hidden: frozenset[int],
    *,
    images: bool,
    hosts: Sequence[str] | None,
    words: frozenset[str],
    links: bool,
    number: Mapping[str, int] | None,
) -> Html:
    elsewhere = {item.product_id: place for place, item in enumerate(other, 1)}
    rows = []
    for place, item in enumerate(items, 1):
        if place - 1 in hidden:
            continue
        rank = elsewhere.get(item.product_id)
        kind = "ek-only" if rank is None else "ek-both"
        chip = element(
            "span",
            f"only {name.lower()}" if rank is None else f"{against.lower()} #{rank}",
            class_=f"ek-chip {kind}",
        )
        if links and image_allowed(item.url, None):
            link = element("a", "open", href=item.url.strip(), target="_blank", class_="ek-open")
            chip = element("span", chip, " ", link, class_="ek-chips")
        if number is not None:
            chip = element(
                "span", chip, *_marks(number[item.product_id], f"{name} {place}"), class_="ek-chips"
            )
        row = _row(item, place, chip, images=images, hosts=hosts, words=words)
        rows.append(element("li", row, class_=f"ek-row {kind}"))
    heading = element("h2", name, class_="ek-side-name")
    body = element("ol", *rows, class_="ek-list", aria_label=f"{name} list")
    if not items:
        body = element("p", "No results", class_="ek-empty")
    return element("section", heading, body, class_="ek-side", aria_label=name)


def _marks(number: int, place: str) -> Iterable[Html]:
    for mark in MARKS:
        yield element(
            "button",
            mark.capitalize(),
            type="button",
            class_="ek-mark",
            data_item=number,
            data_mark=mark,
            aria_pressed="false",
            aria_label=f"{mark.capitalize()}: {place}",
        )


def _row(
    item: Any,
    rank: int,
    chip: Html,
    *,
    images: bool,
    hosts: Sequence[str] | None,
    words: frozenset[str],
) -> list[Html | None]:
    title = str(item.title or item.product_id)
    attributes = [(key, value) for key, value in dict(item.attributes or {}).items() if value]
    description = str(item.description or "").strip()
    shown = element("span", _marked(title, words), class_="ek-title", dir="auto", lang="")
    if description or len(title) > _TITLE_SHOWN or len(attributes) > _ATTRIBUTES_SHOWN:
        facts = [
            element("p", _marked(title, words), class_="ek-whole", dir="auto", lang=""),
            element("p", description, dir="auto", lang="") if description else None,
            element(
                "ul",
                *[
                    element("li", f"{key}: {value}", dir="auto", lang="")
                    for key, value in attributes
                ],
            )
            if attributes
            else None,
        ]
        more = element("div", *facts, class_="ek-more")
        shown = element("details", element("summary", shown), more, class_="ek-details")
    picture = None
    if images:
        inside = None
        if image_allowed(item.image, hosts):
            inside = element(
                "img", src=item.image.strip(), alt="", loading="lazy", decoding="async"
            )
        picture = element("span", inside, class_="ek-image")
    return [
        element("span", str(rank), class_="ek-rank"),
        picture,
        element("div", shown, _meta(item, attributes), class_="ek-text"),
        chip,
    ]


def _meta(item: Any, attributes: Iterable[tuple[str, Any]]) -> Html:
    parts: list[Html] = []
    if price(item.price):
        parts.append(element("span", price(item.price), class_="ek-price"))
    if item.brand:
        parts.append(element("span", str(item.brand), class_="ek-brand", dir="auto", lang=""))
    parts += [
        element("span", f"{key}: {value}", class_="ek-fact", dir="auto", lang="")
        for key, value in list(attributes)[:_ATTRIBUTES_SHOWN]
    ]
    return element("div", *parts, class_="ek-meta")


def _words(query: str) -> frozenset[str]:
    return frozenset(word for word in _WORD.findall(query.casefold()) if len(word) > 1)


def _marked(text: str, words: frozenset[str]) -> Html:
    parts: list[object] = []
    end = 0
    for match in _WORD.finditer(text):
        if match.group().casefold() in words:
            parts += [text[end : match.start()], element("mark", match.group())]
            end = match.end()
    return join(*parts, text[end:])


def _spans(places: Iterable[int]) -> str:
    """Ranks as text: 1–3, 5."""
    spans: list[list[int]] = []
    for place in sorted(places):
        rank = place + 1
        if spans and spans[-1][1] == rank - 1:
            spans[-1][1] = rank
        else:
            spans.append([rank, rank])
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in spans)
