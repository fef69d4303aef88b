"""A correlation document as one HTML page that opens without a network.

What was found stands first, in sentences and cards; then the measures in their order, the queries
of the measure that is spoken of first and of the one that does best, and the queries on which
people and measure part, with both lists. Every figure has its numbers in a table below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.files import write_text
from evalkit.reports import score_numbers as figure
from evalkit.reports.correlation import figures as draw
from evalkit.reports.correlation.behind import (
    confusion_table,
    forest_table,
    points_table,
    ranking_table,
    results_table,
    roc_table,
    studies_table,
)
from evalkit.reports.correlation.findings import (
    findings,
    headline_row,
    overall_row,
    percent,
    source_lines,
    studies_row,
)
from evalkit.reports.correlation.table import margin_remark
from evalkit.reports.correlation.terms import terms
from evalkit.reports.html_page import page, plot, terms_section, warnings_section
from evalkit.reports.markup import Html, element, join
from evalkit.reports.provenance import provenance
from evalkit.reports.result_lists import two_lists
from evalkit.reports.score_document import cutoff_label, measure_label, segment_name
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from evalkit.reports.correlation.findings import Document, Row
    from evalkit.reports.figures import Figure
    from metrics import Correlations

__all__ = ["write_correlation_page"]


def write_correlation_page(
    document: Document,
    found: Correlations | None,
    path: str | os.PathLike[str],
    *,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write the page; an existing file is replaced only when the new one is complete.

    Args:
        document: what `correlation_document` made.
        found: the queries behind it; None leaves out the scatter and the ROC curve.
        path: where to write.
        names: query texts by id, for what is said of single queries.

    Raises:
        InputError: the file cannot be written.
    """
    figures: dict[str, Figure] = {}
    body = [
        _top(document),
        _cards(document),
        _measures(document, figures),
        [_queries(row, document, found, figures, names or {}) for row in _chosen(document)],
        _segments(document, figures),
        _disagreements(document),
        _studies(document, figures),
        results_table(document) if document.get("results") else None,
        provenance(document, "comparison"),
        terms_section(terms(document)),
    ]
    write_text(page("People against metrics", join(body), figures), path)


def _chosen(document: Document) -> list[Row]:
    """The measure that is spoken of first, and the one that follows people most closely."""
    first = headline_row(document)
    if first is None:
        return []
    chosen = [first]
    for place in (document.get("ranking") or ())[:1]:
        best = overall_row(document, place["measure"], place["cutoff"])
        if best is not None and best is not first:
            chosen.append(best)
    return chosen


def _top(document: Document) -> Html:
    return element(
        "header",
        element("h1", "People against metrics"),
        [element("p", plain(line), class_="quiet") for line in source_lines(document)],
        [element("p", plain(line), class_="lead") for line in findings(document)],
        warnings_section(document.get("warnings")),
    )


def _cards(document: Document) -> Html | None:
    chosen = _chosen(document)
    if not chosen:
        return None
    return element(
        "section",
        element("h2", "In short", id="short"),
        element("div", [_card(row) for row in chosen], class_="cards"),
        aria_labelledby="short",
    )


def _card(row: Row) -> Html:
    low, high = row["kendall_low"], row["kendall_high"]
    place = "untested"
    if low is not None:
        place = "better" if low > 0 else "worse" if high < 0 else "undecided"
    said = {
        "better": "Goes with what people prefer",
        "worse": "Goes against what people prefer",
        "undecided": "No association shown",
        "untested": "Too little for an interval",
    }[place]
    lines = [
        f"Kendall's τ-b {figure.coefficient(row['kendall'])}"
        f" {figure.coefficients(low, high) if low is not None else ''}",
        f"Good, Same or Bad as people say on {percent(row['agreement'], None, None)} of"
        f" {row['queries']:,} queries; κ {figure.coefficient(row['kappa'])}"
        f" {_interval(row, 'kappa')}",
        f"Good told from Bad: AUC {figure.coefficient(row['auc'])} {_interval(row, 'auc')}",
    ]
    return element(
        "article",
        element("h3", measure_label(row)),
        element(
            "p",
            percent(row["sign_agreement"], None, None),
            element("span", " same direction", class_="quiet small"),
            class_="values",
        ),
        element(
            "p",
            f"as people, of the {row['sign_queries']:,} queries where both see a difference"
            + (
                f"; interval {percent(row['sign_low'], None, None)} to"
                f" {percent(row['sign_high'], None, None)}"
                if row["sign_low"] is not None
                else ""
            ),
        ),
        element("p", said, class_="verdict"),
        [element("p", f"{line.strip()}.", class_="small") for line in lines],
        element("p", plain(row["note"]), class_="small quiet") if row["note"] else None,
        class_=f"card {place}",
    )


def _interval(row: Row, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if low is None else figure.coefficients(low, high)


def _measures(document: Document, figures: dict[str, Figure]) -> Html | None:
    rows = [
        overall_row(document, place["measure"], place["cutoff"])
        for place in document.get("ranking") or ()
    ]
    known = [row for row in rows if row is not None and row["kendall"] is not None]
    if len(known) < 2:
        return None
    return element(
        "section",
        element("h2", "How closely each measure follows people", id="measures"),
        element(
            "p",
            "Kendall's τ-b of people's mean votes and Δ over queries, best first. Filled: the"
            " interval leaves out 0. Intervals that overlap may still differ: the numbers below"
            " compare each measure with the best on the same queries.",
            class_="quiet small",
        ),
        plot(draw.tau_by_measure(known), None, figures, ranking_table(document)),
        aria_labelledby="measures",
    )


def _queries(
    row: Row,
    document: Document,
    found: Correlations | None,
    figures: dict[str, Figure],
    names: Mapping[str, str],
) -> Html | None:
    """Scatter, ROC curve and confusion of one measure."""
    from metrics import roc

    if not row["queries"]:
        return None
    name = measure_label(row)
    plots = []
    if found is not None:
        points = found.points(row["measure"], row["cutoff"])
        scale = (document.get("human") or {}).get("scale", 3)
        plots.append(
            plot(
                draw.scatter(points, name, names, scale),
                "Every query: mean vote against Δ",
                figures,
                points_table(points, names),
            )
        )
    plots.append(
        join(
            plot(
                draw.confusion_map(row),
                "Verdicts: people against the sign of Δ",
                figures,
                confusion_table(row),
            ),
            element("p", margin_remark(row), class_="small") if margin_remark(row) else None,
        )
    )
    curve = roc(found, row["measure"], row["cutoff"]) if found is not None else None
    if curve is not None:
        shown = curve.to_dict()
        plots.append(plot(draw.roc_curve(shown, name), "Good from Bad", figures, roc_table(shown)))
    key = f"queries-{row['measure']}-{row['cutoff'] or 'all'}"
    return element(
        "section",
        element("h2", f"{name}, query by query", id=key),
        element("div", [element("div", each) for each in plots], class_="plots close"),
        aria_labelledby=key,
    )


def _segments(document: Document, figures: dict[str, Figure]) -> Html | None:
    first = headline_row(document)
    if first is None:
        return None
    rows = [
        row
        for row in document["results"]
        if (row["measure"], row["cutoff"]) == (first["measure"], first["cutoff"])
    ]
    if len(rows) < 2 or not any(row["kendall"] is not None for row in rows):
        return None
    return element(
        "section",
        element("h2", f"{measure_label(first)} by segment", id="segments"),
        element("p", "In brackets the number of queries.", class_="quiet small"),
        plot(draw.tau_by_segment(rows), None, figures, forest_table(rows)),
        aria_labelledby="segments",
    )


def _disagreements(document: Document) -> Html | None:
    rows = document.get("disagreements") or ()
    if not rows:
        return None
    name = cutoff_label(rows[0]["measure"], rows[0]["cutoff"])
    return element(
        "section",
        element("h2", f"Where people and {name} differ most", id="disagreements"),
        element(
            "p",
            "Opposite directions first, then by how differently the two rank the query. Look at the"
            " lists: either the judgments of the products are wrong, or people see what the"
            " measure does not.",
            class_="quiet small",
        ),
        [
            _disagreement(row, opened=not at and row["control"] is not None)
            for at, row in enumerate(rows)
        ],
        aria_labelledby="disagreements",
    )


def _disagreement(row: Row, *, opened: bool) -> Html:
    query = plain(row["query"] or "") or f"query {plain(row['query_id'])}"
    kinds = " · ".join(plain(segment_name(value)) for value in row["segment"].values())
    summary = element(
        "summary",
        element("strong", query),
        " ",
        element("span", kinds, class_="quiet small") if kinds else None,
        " ",
        element(
            "span",
            "people ",
            element("strong", figure.signed_number(row["human"]), class_=_side(row["human"])),
            ", Δ ",
            element("strong", figure.signed(row["delta"]), class_=_side(row["delta"])),
            class_="change",
        ),
    )
    figure_name = cutoff_label(row["measure"], row["cutoff"])
    about = element(
        "p",
        f"Votes: {row['good']:,} for the treatment, {row['same']:,} the same, {row['bad']:,} for"
        f" the control · {figure_name} · query id {row['query_id']}",
        class_="quiet small",
    )
    if row["control"] is None and row["treatment"] is None:
        body = element("p", "The result lists of this query are not known.", class_="quiet")
    else:
        body = two_lists(row["control"] or [], row["treatment"] or [], row["cutoff"])
    return element(
        "details", summary, element("div", about, body, class_="inner"), class_="query", open=opened
    )


def _studies(document: Document, figures: dict[str, Figure]) -> Html | None:
    systems = document.get("systems")
    if not systems:
        return None
    first = studies_row(document)
    points: Sequence[Any] = [
        point
        for point in systems["points"]
        if first is not None
        and (point["measure"], point["cutoff"]) == (first["measure"], first["cutoff"])
    ]
    drawn = None
    if first is not None and len(points) > 1:
        name = measure_label(first)
        drawn = plot(
            draw.studies_scatter(points, name),
            f"GSB against Δ of {name}",
            figures,
            studies_table(points),
        )
    return element(
        "section",
        element("h2", "Over studies", id="studies"),
        element(
            "p",
            "A point a week and name with a recorded study and a recorded score.",
            class_="quiet small",
        ),
        drawn,
        forest_table(systems["results"], studies=True),
        aria_labelledby="studies",
    )


def _side(value: float) -> str | None:
    return None if value == 0 else "win" if value > 0 else "loss"
