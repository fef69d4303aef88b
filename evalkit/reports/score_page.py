"""A score document as one HTML page that opens without a network.

For whoever decides, the verdict and what it rests on come first; for whoever built the change,
segments, queries and result lists follow, then every figure, setting and input. The page holds
its own script and styles. Its policy lets only those two scripts run, by their hashes, and lets
nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_document as read
from evalkit.reports.definitions import definitions
from evalkit.reports.markup import Html, element, join, script_json
from evalkit.reports.query_moves import SAME, biggest_moves, moves
from evalkit.reports.result_lists import moved_query
from evalkit.reports.result_table import result_table
from evalkit.reports.score_figures import (
    COLORS,
    Figure,
    delta_by_query,
    delta_by_segment,
    value_by_segment,
)
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from evalkit.reports.score_document import Document, Row

__all__ = ["write_page"]

_VERDICTS = {
    "better": "Better",
    "worse": "Worse",
    "undecided": "No difference shown",
    "exploratory": "Exploratory",
    "untested": "Not tested",
}


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
        OSError: the file cannot be written.
    """
    figures: dict[str, Figure] = {}
    compared = read.is_comparison(document)
    heading = title or ("Control against treatment" if compared else "Runs on their own")
    body = [
        _top(document, heading, compared),
        _cards(document, compared),
        _by_segment(document, figures, compared),
    ]
    if compared:
        body.append(_by_query(document, per_query, figures, lists or {}))
        body.append(_wins_and_losses(document, per_query, lists or {}, count))
    body += [result_table(document), _provenance(document), _terms(document)]
    _replace(Path(path), _page(plain(heading), join(body), figures))


def _top(document: Document, heading: str, compared: bool) -> Html:
    warnings = document.get("warnings") or []
    listed = None
    if warnings:
        listed = element(
            "section",
            element("h2", "Read this first", id="warnings"),
            element("ul", [element("li", plain(warning)) for warning in warnings]),
            class_="warnings",
            aria_labelledby="warnings",
        )
    return element(
        "header",
        element("h1", plain(heading)),
        [element("p", plain(line), class_="quiet") for line in read.query_set_lines(document)],
        [element("p", line, class_="lead") for line in _conclusion(document)] if compared else None,
        listed,
    )


def _conclusion(document: Document) -> list[str]:
    """A line for each primary measure; it says no more than the declared tests do."""
    several = len({tuple(row.get("segment") or {}) for row in document.get("results", ())}) > 2
    lines = []
    for row in _overall(document):
        name, place = read.measure_label(row), read.standing(row)
        if place in ("better", "worse"):
            line = f"{name}: the treatment is {place}, by {_unsigned(row['delta'])} points."
        else:
            line = f"{name}: {_VERDICTS[place].lower()}."
        parts = []
        for word in ("better", "worse"):
            named = [
                plain(_segment_in_full(other) if several else read.segment_label(other))
                for other in document.get("results", ())
                if other.get("segment")
                and other["measure"] == row["measure"]
                and other.get("cutoff") == row.get("cutoff")
                and read.standing(other) == word
            ]
            if named:
                parts.append(f"{word} in {', '.join(named)}")
        lines.append(line + (f" By segment: {'; '.join(parts)}." if parts else ""))
    return lines


def _segment_in_full(row: Row) -> str:
    return f"{read.segment_label(row)} ({' and '.join(row['segment'])})"


def _overall(document: Document) -> list[Row]:
    """Rows of the primary measures over the whole query set, at the declared cutoff."""
    found = []
    for measure in read.primary_measures(document):
        cutoff = read.first_cutoff(document, measure)
        found += [
            row
            for row in document.get("results", ())
            if row["measure"] == measure and row.get("cutoff") == cutoff and not row.get("segment")
        ]
    return found


def _cards(document: Document, compared: bool) -> Html | None:
    rows = _overall(document)
    if not rows:
        return element("p", "The document holds no results for the whole query set.")
    make = _card if compared else _single_card
    shown = [element("li", plain(line)) for line in read.run_lines(document)]
    return element(
        "section",
        element("h2", "In short", id="short"),
        element("div", [make(row) for row in rows], class_="cards"),
        element("ul", shown, class_="quiet small") if shown else None,
        aria_labelledby="short",
    )


def _card(row: Row) -> Html:
    place = read.standing(row)
    values: object = [
        read.points(row.get("control")),
        element("span", " → ", class_="arrow"),
        read.points(row.get("treatment")),
    ]
    if row.get("control") is None and row.get("treatment") is None:
        values = read.signed(row.get("delta"))
    return element(
        "article",
        element("h3", read.measure_label(row)),
        element("p", values, class_="values"),
        element(
            "p",
            f"Δ {read.signed(row.get('delta'))} points, 95% interval"
            f" {read.interval(row.get('ci_low'), row.get('ci_high'))}",
        ),
        element("p", _VERDICTS[place], class_="verdict"),
        [element("p", sentence, class_="small") for sentence in _reasons(row)],
        element(
            "p",
            f"Judged {read.share(row.get('judged_control'))}% →"
            f" {read.share(row.get('judged_treatment'))}% of the items shown;"
            f" {read.count(row.get('queries'))} queries.",
            class_="small quiet",
        ),
        class_=f"card {place}",
    )


def _reasons(row: Row) -> list[str]:
    """What the verdict rests on, and what it leaves open."""
    place, sentences = read.standing(row), []
    raw, adjusted = read.p_value(row.get("p")), read.p_value(row.get("p_holm"))
    if row.get("note"):
        sentences.append(f"{plain(row['note'])}.")
    if row.get("p_holm") is not None:
        sentences.append(f"p {raw}, after Holm {adjusted}.")
    elif place == "exploratory":
        sentences.append(f"p {raw}, outside the declared family: it decides nothing.")
    low, high = row.get("ci_low"), row.get("ci_high")
    apart = low is not None and high is not None and (low > 0 or high < 0)
    if place == "undecided" and apart:
        sentences.append(
            "The interval, which stands for this figure alone, leaves out 0; over the whole"
            " declared family that is not enough."
        )
    if row.get("mde") is not None:
        size = read.points(row["mde"])
        sentences.append(
            f"Not proof of equality: a true difference of {size} points would be found four times"
            " in five, a smaller one less often."
            if place == "undecided"
            else f"Smallest detectable difference: {size} points (80% power)."
        )
    bounds = read.bounds(row, "unjudged").get("delta")
    if bounds is not None:
        turn = bounds[0] <= 0 <= bounds[1]
        sentences.append(
            f"Whatever the grades of unjudged items, Δ lies in"
            f" {read.range_text(*bounds, sign=True)}"
            + (": they could turn the sign." if turn else ".")
        )
    return sentences


def _single_card(row: Row) -> Html:
    return element(
        "article",
        element("h3", f"{plain(row.get('system', ''))}: {read.measure_label(row)}"),
        element("p", read.points(row.get("value")), class_="values"),
        element(
            "p",
            "points, 95% interval"
            f" {read.interval(row.get('ci_low'), row.get('ci_high'), sign=False)}",
        ),
        element("p", plain(row["note"]), class_="small") if row.get("note") else None,
        element(
            "p",
            f"Judged {read.share(row.get('judged'))}% of the items shown;"
            f" {read.count(row.get('queries'))} queries.",
            class_="small quiet",
        ),
        class_="card",
    )


def _by_segment(document: Document, figures: dict[str, Figure], compared: bool) -> Html | None:
    make = delta_by_segment if compared else value_by_segment
    plots = []
    for measure in read.primary_measures(document):
        cutoff = read.first_cutoff(document, measure)
        figure = make(document, measure, cutoff)
        if figure is not None:
            plots.append(_plot(figure, read.cutoff_label(measure, cutoff), figures))
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
    for row in _overall(document):
        measure, cutoff = row["measure"], row.get("cutoff")
        shares = _shares(row)
        found = [] if per_query is None else moves(per_query, measure, cutoff)
        figure = delta_by_query(found, measure, cutoff, names) if found else None
        if shares is None and figure is None:
            continue
        label = read.measure_label(row)
        drawn = None if figure is None else _plot(figure, None, figures)
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


def _provenance(document: Document) -> Html:
    settings = [
        element(
            "tr", element("th", name, scope="row"), element("td", element("code", plain(value)))
        )
        for name, value in read.setting_items(document, every=True)
    ]
    inputs = [
        element(
            "tr",
            element("td", plain(item.get("path", ""))),
            element("td", read.count(item.get("rows")), class_="number"),
            element("td", element("code", plain(item.get("fingerprint", "")))),
        )
        for item in document.get("inputs") or ()
    ]
    heads = [element("th", name, scope="col") for name in ("file", "rows", "fingerprint")]
    return element(
        "section",
        element("h2", "Settings and inputs", id="provenance"),
        element("h3", "Settings"),
        element(
            "table",
            element("caption", "Every setting of this score"),
            element("tbody", settings),
            class_="settings",
        ),
        element("h3", "Inputs") if inputs else None,
        element(
            "div",
            element(
                "table",
                element("caption", "Files that were read, with the hash of their bytes"),
                element("thead", element("tr", heads)),
                element("tbody", inputs),
                class_="inputs",
            ),
            class_="scroll",
            tabindex=0,
            role="region",
            aria_label="Inputs",
        )
        if inputs
        else None,
        aria_labelledby="provenance",
    )


def _terms(document: Document) -> Html:
    terms = [
        join(element("dt", term), element("dd", meaning)) for term, meaning in definitions(document)
    ]
    return element(
        "footer",
        element("h2", "What the figures mean", id="terms"),
        element(
            "p",
            "All figures are in points: a share or a score times 100.",
            class_="small",
        ),
        element("dl", terms, class_="terms"),
    )


def _plot(figure: Figure, caption: str | None, figures: dict[str, Figure]) -> Html:
    """A place of the figure's final height, so that nothing moves when it is drawn."""
    name = f"figure-{len(figures) + 1}"
    figures[name] = figure
    return element(
        "figure",
        element("figcaption", caption) if caption else None,
        element(
            "div",
            id=name,
            class_="plot",
            style=f"height: {figure.height}px",
            role="img",
            aria_label=plain(figure.summary),
        ),
    )


def _page(title: str, body: Html, figures: Mapping[str, Figure]) -> str:
    scripts = [_script_text(_plotly()), _script_text(_asset("score.js"))] if figures else []
    allowed = " ".join(f"'sha256-{_digest(text)}'" for text in scripts) or "'none'"
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline';"
        " img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    data = {name: figure.spec for name, figure in figures.items()}
    return (
        "<!doctype html>\n"
        + element(
            "html",
            element(
                "head",
                element("meta", charset="utf-8"),
                element("meta", http_equiv="Content-Security-Policy", content=policy),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("meta", name="color-scheme", content="light dark"),
                element("meta", name="referrer", content="no-referrer"),
                element("title", title),
                Html(f"<style>\n{_asset('score.css')}</style>\n"),
            ),
            "\n",
            element(
                "body",
                element("main", body),
                element(
                    "noscript",
                    element(
                        "p", "The figures need JavaScript; the tables say the same in numbers."
                    ),
                )
                if figures
                else None,
                _data("figures", data) if figures else None,
                _data("colors", COLORS) if figures else None,
                [Html(f"<script>{text}</script>\n") for text in scripts],
            ),
            lang="en",
        )
        + "\n"
    )


def _data(name: str, value: Any) -> Html:
    return Html(f'<script type="application/json" id="{name}">{script_json(value)}</script>\n')


def _script_text(text: str) -> str:
    """A script as it may stand in a page; the browser hashes it with single line feeds."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("</script", "<\\/script")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _asset(name: str) -> str:
    return (resources.files("evalkit.reports") / "page" / name).read_text(encoding="utf-8")


def _unsigned(delta: float) -> str:
    return read.points(abs(delta) if abs(delta) > SAME else 0.0)


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        # mkstemp makes a private file; a report is as readable as any file the user makes
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
