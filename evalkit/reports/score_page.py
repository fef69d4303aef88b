"""A score document as one HTML page that opens without a network.

For whoever decides, the verdict and what it rests on come first; for whoever built the change,
segments, queries and result lists follow, then every figure, setting and input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.files import write_text
from evalkit.reports import score_document as read
from evalkit.reports.definitions import definitions
from evalkit.reports.headline import cards, conclusion, overall_rows
from evalkit.reports.html_page import page, plot, terms_section, warnings_section
from evalkit.reports.markup import Html, element, join
from evalkit.reports.provenance import provenance
from evalkit.reports.query_moves import biggest_moves, moves
from evalkit.reports.result_lists import moved_query
from evalkit.reports.result_table import result_table
from evalkit.reports.score_figures import (
    delta_by_query,
    delta_by_segment,
    value_by_segment,
)
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from evalkit.reports.figures import Figure
    from evalkit.reports.score_document import Document, Row

__all__ = ["write_page"]


def write_page(
    document: Document,
    per_query: pa.Table | Mapping[str, Sequence[Any]] | None,
    path: str | os.PathLike[str],
    *,
    lists: Mapping[str, Mapping[str, Any]] | None = None,
    title: str | None = None,
    count: int = 10,
) -> None:
    """Write the page; an existing file is replaced only when the new one is complete.

    Args:
        document: a score document, of a comparison or of single runs.
        per_query: the per-query table as columns query_id, segment columns, measure, cutoff,
            control, treatment, delta, judged_control, judged_treatment; None leaves out what
            needs it.
        path: where to write.
        lists: result lists by query id, `{"query": text or None, "control": [item],
            "treatment": [item]}` with items `{"product_id", "rank", "grade", "good", "title",
            "brand", "price", "image"}`, of which only product_id is required; `good` is None
            for an unjudged item. Images are shown when they are `data:` URIs.
        title: heading of the page.
        count: how many wins and how many losses are shown.

    Raises:
        InputError: the file cannot be written.
    """
    figures: dict[str, Figure] = {}
    compared = read.is_comparison(document)
    heading = title or ("Control against treatment" if compared else "Runs on their own")
    body = [
        _top(document, heading, compared),
        cards(document, compared),
        _by_segment(document, figures, compared),
    ]
    if compared:
        body.append(_by_query(document, per_query, figures, lists or {}))
        body.append(_wins_and_losses(document, per_query, lists or {}, count))
    body += [result_table(document), provenance(document, "score"), _terms(document)]
    write_text(page(plain(heading), join(body), figures), path)


def _top(document: Document, heading: str, compared: bool) -> Html:
    return element(
        "header",
        element("h1", plain(heading)),
        [element("p", plain(line), class_="quiet") for line in read.query_set_lines(document)],
        [element("p", line, class_="lead") for line in conclusion(document)] if compared else None,
        warnings_section(document.get("warnings")),
    )


def _by_segment(document: Document, figures: dict[str, Figure], compared: bool) -> Html | None:
    make = delta_by_segment if compared else value_by_segment
    plots = []
    for measure in read.primary_measures(document):
        cutoff = read.first_cutoff(document, measure)
        figure = make(document, measure, cutoff)
        if figure is not None:
            plots.append(plot(figure, read.cutoff_label(measure, cutoff), figures))
    if not plots:
        return None
    told = (
        "Points are Δ, lines its 95% interval. Filled: significant after Holm. Hollow: not. In"
        " brackets the number of queries."
        if compared
        else "Points are values, lines their 95% intervals. In brackets the number of queries."
    )
    return element(
        "section",
        element("h2", "By segment", id="segments"),
        element("p", told, class_="quiet small"),
        element("div", plots, class_="plots"),
        aria_labelledby="segments",
    )


def _by_query(
    document: Document,
    per_query: pa.Table | Mapping[str, Sequence[Any]] | None,
    figures: dict[str, Figure],
    lists: Mapping[str, Mapping[str, Any]],
) -> Html | None:
    names = {key: str(entry["query"]) for key, entry in lists.items() if entry.get("query")}
    plots = []
    for row in overall_rows(document):
        measure, cutoff = row["measure"], row.get("cutoff")
        shares = _shares(row)
        found = [] if per_query is None else moves(per_query, measure, cutoff)
        figure = delta_by_query(found, measure, cutoff, names) if found else None
        if shares is None and figure is None:
            continue
        label = read.measure_label(row)
        drawn = None if figure is None else plot(figure, None, figures)
        plots.append(element("div", element("h3", label), shares, drawn))
    if not plots:
        return None
    return element(
        "section",
        element("h2", "Query by query", id="queries"),
        element("div", plots, class_="plots"),
        aria_labelledby="queries",
    )


def _shares(row: Row) -> Html | None:
    numbers = [row.get(key) for key in ("improved", "same", "worse")]
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or not sum(known):
        return None
    names = ("improved", "the same", "worse")
    total = sum(known)
    said = ", ".join(
        f"{read.count(number)} {name} ({read.share(number / total)}%)"
        for number, name in zip(known, names, strict=True)
    )
    bars = [
        element("span", class_=side, style=f"flex: {number}")
        for number, side in zip(known, ("win", "tie", "loss"), strict=True)
        if number
    ]
    return join(
        element("div", bars, class_="shares", aria_hidden="true"),
        element("p", f"Queries: {said}.", class_="small"),
    )


def _wins_and_losses(
    document: Document,
    per_query: pa.Table | Mapping[str, Sequence[Any]] | None,
    lists: Mapping[str, Mapping[str, Any]],
    count: int,
) -> Html | None:
    measures = read.primary_measures(document)
    if per_query is None or not measures:
        return None
    measure, cutoff = measures[0], read.first_cutoff(document, measures[0])
    label = read.cutoff_label(measure, cutoff)
    parts: list[Html] = []
    for heading, chosen in zip(
        ("Biggest wins", "Biggest losses"),
        biggest_moves(per_query, measure, cutoff, count=count),
        strict=True,
    ):
        parts.append(element("h2", heading))
        if not chosen:
            parts.append(element("p", f"No query moved this way by {label}.", class_="quiet"))
        else:
            parts.append(
                element(
                    "p",
                    f"Queries whose {label} moved most, equal ones by query id. + good, − judged"
                    " bad, ? unjudged. What stands below the cutoff is paler.",
                    class_="quiet small",
                )
            )
        parts += [
            moved_query(
                move,
                lists.get(move.query_id),
                measure=measure,
                cutoff=cutoff,
                opened=not place and move.query_id in lists,
            )
            for place, move in enumerate(chosen)
        ]
    return element("section", parts, aria_label="Biggest wins and losses")


def _terms(document: Document) -> Html:
    points = "All figures are in points: a share or a score times 100."
    return terms_section(definitions(document), element("p", points, class_="small"))
