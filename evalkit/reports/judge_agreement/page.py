"""An agreement document as one HTML page that opens without a network.

How far the judge can be trusted stands first, in sentences; then its mistakes, its agreement by
segment, whether its probabilities are what they say, and the mistakes it was surest of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.files import write_text
from evalkit.reports import score_numbers as number
from evalkit.reports.html_page import data_table, page, plot, terms_section, warnings_section
from evalkit.reports.judge_agreement import figures as draw
from evalkit.reports.judge_agreement.findings import (
    agreement_findings,
    agreement_lines,
    judge_title,
    probability_findings,
    row_label,
)
from evalkit.reports.judge_agreement.table import grade_text, row_cells, row_headers
from evalkit.reports.markup import Html, element, join
from evalkit.reports.provenance import provenance
from evalkit.reports.terminal import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from typing import Any

    from evalkit.reports.figures import Figure
    from evalkit.reports.judge_agreement.findings import Document

__all__ = ["write_agreement_page"]

_MOST_GRADES = 8
_TERMS = (
    ("Judge", "the classifier or language model whose grades are held against people's."),
    ("Agreement", "share of the pairs on which judge and people say alike good or not."),
    (
        "Majority",
        "what a judge agrees on that says of every pair what people say most often. A judge that "
        "is no better has read nothing.",
    ),
    ("Precision", "of the pairs that the judge calls good, the share that is good by people."),
    ("Recall", "of the pairs that are good by people, the share that the judge calls good."),
    (
        "κ",
        "Cohen's kappa: agreement beyond what the two shares of good would give by chance; 0 is "
        "chance, 1 is perfect. Its interval resamples whole queries.",
    ),
    (
        "Weighted κ",
        "the same for grades, where a mistake counts by the square of how far it is off. Only "
        "where both have one scale.",
    ),
    ("Brier score", "mean squared difference of probability and truth; 0 is perfect."),
    (
        "ECE",
        "expected calibration error: how far probability and share of good pairs are apart, on "
        "average over the pairs.",
    ),
)


def write_agreement_page(document: Document, path: str | os.PathLike[str]) -> None:
    """Write the page; an existing file is replaced only when the new one is complete.

    Raises:
        InputError: the file cannot be written.
    """
    figures: dict[str, Figure] = {}
    title = f"Does {plain(judge_title(document))} say what people say?"
    body = [
        element(
            "header",
            element("h1", title),
            [element("p", plain(line), class_="quiet") for line in agreement_lines(document)],
            [element("p", plain(line), class_="lead") for line in agreement_findings(document)],
            warnings_section(document.get("warnings")),
        ),
        _verdicts(document, figures),
        _segments(document, figures),
        _probabilities(document, figures),
        _differences(document),
        provenance(document, "comparison"),
        terms_section(_TERMS),
    ]
    write_text(page(title, join(body), figures), path)


def _verdicts(document: Document, figures: dict[str, Figure]) -> Html:
    row, grades = document["results"][0], document["grades"]
    drawn = [plot(draw.verdict_map(row), "Good or not", figures)]
    if 2 < max(len(grades["judge"]), len(grades["human"])) <= _MOST_GRADES:
        shown = draw.grade_map(grades, same=bool(document["settings"]["same_scale"]))
        drawn.append(plot(shown, "Grade by grade", figures, _grades(grades)))
    return element(
        "section",
        element("h2", "Where they meet", id="verdicts"),
        element(
            "p",
            "Pairs in each cell; framed where the two say the same. The shade is the share of the "
            "column, so a column that is dark in its frame is one that the judge gets right.",
            class_="quiet small",
        ),
        element("div", [element("div", each) for each in drawn], class_="plots"),
        aria_labelledby="verdicts",
    )


def _grades(grades: Mapping[str, Any]) -> Html:
    return data_table(
        "Grades of judge and people",
        ["", *(f"people {grade_text(grade)}" for grade in grades["human"])],
        [
            [f"judge {grade_text(grade)}", *(f"{count:,}" for count in line)]
            for grade, line in zip(grades["judge"], grades["counts"], strict=True)
        ],
    )


def _segments(document: Document, figures: dict[str, Figure]) -> Html:
    rows = document["results"]
    by = ", ".join(document["settings"]["by"])
    headers = ["Segment", *row_headers(document), "note"]
    cells = [[plain(row_label(row)), *row_cells(document, row), plain(row["note"])] for row in rows]
    told = [
        at
        for at in range(len(headers))
        if any(line[at] not in ("", number.MISSING) for line in cells)
    ]
    table = data_table(
        "Agreement by segment",
        [headers[at] for at in told],
        [[line[at] for at in told] for line in cells],
        "results",
    )
    return element(
        "section",
        element("h2", f"By {plain(by)}" if by else "All pairs", id="segments"),
        element("p", "In brackets the pairs.", class_="quiet small") if by else None,
        plot(draw.kappa_by_segment(rows), None, figures) if by else None,
        element("p", "Shares in points; the interval is that of κ.", class_="quiet small"),
        table,
        aria_labelledby="segments",
    )


def _probabilities(document: Document, figures: dict[str, Figure]) -> Html | None:
    curves = []
    if document["reliability"] is not None:
        curves.append(("these pairs", document["reliability"]))
    if document["classifier"] is not None:
        curves.append(("held out of its training", document["classifier"]))
    if not curves:
        return None
    return element(
        "section",
        element("h2", "Are its probabilities what they say?", id="probabilities"),
        [element("p", plain(line)) for line in probability_findings(document)],
        element(
            "p",
            "On the dashed line they are; below it the judge is too sure of what is good. A mark "
            "is as large as its pairs are many.",
            class_="quiet small",
        ),
        plot(draw.reliability_curve(curves), None, figures, _bins(curves)),
        aria_labelledby="probabilities",
    )


def _bins(curves: list[tuple[str, Mapping[str, Any]]]) -> Html:
    return data_table(
        "Probability against share of good pairs",
        ["Pairs of", "probability", "pairs", "mean", "good"],
        [
            [
                name,
                f"{each['low']:.2f} to {each['high']:.2f}",
                f"{each['pairs']:,.0f}",
                number.points(each["probability"], 1),
                number.points(each["good"], 1),
            ]
            for name, found in curves
            for each in found["bins"]
        ],
    )


def _differences(document: Document) -> Html | None:
    pairs = document["differences"]
    if not pairs:
        return None
    row = document["results"][0]
    total = row["judge_only"] + row["human_only"]
    known = any(pair["confidence"] is not None for pair in pairs)
    order = "the surest first" if known else "the farthest apart first"
    return element(
        "section",
        element("h2", "Where they differ", id="differences"),
        element(
            "p",
            f"{len(pairs):,} of the {total:,} pairs that only one of them calls good, {order}. "
            "Look at them before you blame the judge: people err too.",
            class_="quiet small",
        ),
        data_table(
            "Pairs on which judge and people differ",
            ["Query", "product", "judge", "people", "P(good)"],
            [
                [
                    plain(pair["query"] or pair["query_id"]),
                    plain(pair["title"] or pair["product_id"]),
                    grade_text(pair["judge"]),
                    grade_text(pair["human"]),
                    number.MISSING
                    if pair["probability"] is None
                    else f"{number.points(pair['probability'], 1)}%",
                ]
                for pair in pairs
            ],
            "differences",
        ),
        aria_labelledby="differences",
    )
