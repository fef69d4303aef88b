"""What a page says first: a verdict for each primary measure, and what it rests on.

The words follow the declared tests and never say more: without significance after Holm there is
"no difference shown", which is not equality, and the smallest detectable difference stands beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.reports import score_document as read
from evalkit.reports.markup import Html, element
from evalkit.reports.query_moves import SAME
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    from evalkit.reports.score_document import Document, Row

__all__ = ["cards", "conclusion", "overall_rows", "reasons"]

_VERDICTS = {
    "better": "Better",
    "worse": "Worse",
    "undecided": "No difference shown",
    "exploratory": "Exploratory",
    "untested": "Not tested",
}


def conclusion(document: Document) -> list[str]:
    """A line for each primary measure; it says no more than the declared tests do."""
    several = len({tuple(row.get("segment") or {}) for row in document.get("results", ())}) > 2
    lines = []
    for row in overall_rows(document):
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


def overall_rows(document: Document) -> list[Row]:
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


def cards(document: Document, compared: bool) -> Html:
    """A card for each primary measure over the whole query set, and what each run showed."""
    rows = overall_rows(document)
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
        [element("p", sentence, class_="small") for sentence in reasons(row)],
        element(
            "p",
            f"Judged {read.share(row.get('judged_control'))}% →"
            f" {read.share(row.get('judged_treatment'))}% of the items shown;"
            f" {read.count(row.get('queries'))} queries.",
            class_="small quiet",
        ),
        class_=f"card {place}",
    )


def reasons(row: Row) -> list[str]:
    """What the verdict rests on, and what it leaves open."""
    place, sentences = read.standing(row), []
    raw, adjusted = read.p_value(row.get("p")), read.p_value(row.get("p_holm"))
    if row.get("note"):
        sentences.append(f"{plain(row['note'])}.")
    if read.identical_lists(row):
        sentences.append(f"{read.identical_lists(row)}.")
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
            " in five before Holm, a smaller one less often."
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


def _unsigned(delta: float) -> str:
    return read.points(abs(delta) if abs(delta) > SAME else 0.0)
