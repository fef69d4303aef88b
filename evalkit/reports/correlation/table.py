"""People against measures as text: for a terminal, for Markdown, as CSV.

Pure functions of the document that `correlation_document` makes. The tables round for reading; CSV
(and JSON, see `score_exports`) keep every digit. Result lists stand in JSON and on the page only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.closing import markdown_text, table_text
from evalkit.reports.correlation.findings import (
    findings,
    headline_row,
    source_lines,
)
from evalkit.reports.grids import Grid, escape_markdown, note_remarks, numbered
from evalkit.reports.score_document import (
    blocks,
    cutoff_label,
    measure_label,
    segment_label,
    setting_items,
)
from evalkit.reports.score_exports import format_csv
from evalkit.reports.terminal import clamp, paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.reports.correlation.findings import Document, Row

__all__ = [
    "figure_cells",
    "format_correlation_csv",
    "format_correlation_markdown",
    "format_correlation_table",
    "legend",
    "margin_remark",
]

_VERDICTS = ("bad", "same", "good")
_WRAP = 100
_QUERY = 40


def format_correlation_table(
    document: Document, *, width: int | None = None, color: bool = False
) -> str:
    """The document for reading in a terminal, ending in a newline.

    Args:
        document: what `correlation_document` made.
        width: columns there are; None takes what the tables need. When they do not suffice,
            columns are left out and named below the table.
        color: write ANSI styles. Nothing is said by colour alone.
    """
    limit = width or _WRAP
    out = [line for text in source_lines(document) for line in wrap(plain(text), limit, rest="  ")]
    out += wrap(_settings(document), limit, rest="  ")
    said = findings(document)
    if said:
        out.append("")
    for sentence in said:
        out += [paint(line, "bold", color=color) for line in wrap(plain(sentence), limit)]
    return table_text(out, _grids(document), document, legend(document), width, color=color)


def format_correlation_markdown(document: Document) -> str:
    """The document as GitHub-flavoured Markdown with the same figures as the terminal tables."""
    out = [f"{escape_markdown(text)}  " for text in [*source_lines(document), _settings(document)]]
    out += [line for text in findings(document) for line in ("", f"**{escape_markdown(text)}**")]
    return markdown_text(out, _grids(document), document, legend(document))


def format_correlation_csv(document: Document) -> str:
    """One line per measure, cutoff and segment at full precision; what does not exist is empty.

    The confusion fills nine columns, `confusion_bad_good` for people's Bad where Δ says Good. The
    lines of the whole query set also say how far they lie `behind` the best. Without votes the
    lines are those over studies.
    """
    rows = [_flat(row, document) for row in document.get("results") or ()]
    if not rows and document.get("systems"):
        rows = [{**row, "segment": {}} for row in document["systems"]["results"]]
    return format_csv({"results": rows})


def legend(document: Document) -> str:
    """What the columns are, in one paragraph."""
    parts = []
    if document.get("results"):
        reach = "−2 to 2" if (document.get("human") or {}).get("scale") == 5 else "−1 to 1"
        parts = [
            f"h: mean vote of a query for the treatment, {reach}",
            "Δ: treatment − control in points",
            "τ-b, ρ, r: Kendall, Spearman and Pearson of h and Δ over queries",
            "same sign: of the queries with h ≠ 0 and Δ ≠ 0, the share on which they agree",
            "agree, κ: Good, Same or Bad by most votes against the sign of Δ",
            "AUC: chance that a query people call Good has the larger Δ than one they call Bad",
            "behind: how far τ-b lies below the best, both on the same queries",
        ]
    if document.get("systems"):
        parts.append(
            "over studies: Kendall's τ-b of GSB and Δ, a point a week and name, with the p of a"
            " permutation test"
        )
    return "; ".join(parts) + "."


def margin_remark(row: Row) -> str:
    """What a margin around 0 does for the verdicts; empty where there is no margin."""
    if row["margin"] is None or row["margin_agreement"] is None:
        return ""
    size = (
        "a margin of 0 points"
        if row["margin"] == 0
        else f"|Δ| up to {figure.points(row['margin'])} points taken as the same"
    )
    other = row.get("margin_other")
    halves = f" (the other half chose {figure.points(other)})" if other is not None else ""
    return (
        f"With {size}{halves} the verdicts agree on {figure.share(row['margin_agreement'])}% of the"
        " queries, each judged by the margin that the half without it chose; at margin 0 on"
        f" {figure.share(row['margin_agreement_at_zero'])}%."
    )


def _flat(row: Row, document: Document) -> Row:
    flat: dict[str, Any] = {
        key: value for key, value in row.items() if key not in ("confusion", "note")
    }
    for said, counts in zip(_VERDICTS, row["confusion"], strict=True):
        for found, count in zip(_VERDICTS, counts, strict=True):
            flat[f"confusion_{said}_{found}"] = count
    place: Row = next(
        (
            each
            for each in document.get("ranking") or ()
            if not row["segment"]
            and (each["measure"], each["cutoff"]) == (row["measure"], row["cutoff"])
        ),
        {},
    )
    behind = {key: place.get(key) for key in ("behind", "behind_low", "behind_high")}
    return {**flat, **behind, "note": row["note"]}


def _settings(document: Document) -> str:
    items = [f"{name} {value}" for name, value in setting_items(document, every=True) if value]
    return plain(f"Settings: {' · '.join(items)}")


def _grids(document: Document) -> Iterator[Grid]:
    if document.get("results"):
        yield from _measures(document)
        row = headline_row(document)
        if row is not None and any(map(any, row["confusion"])):
            yield _confusion(row)
        if document.get("disagreements"):
            yield _disagreements(document["disagreements"])
    if document.get("systems"):
        yield _over_studies(document["systems"]["results"])


def _measures(document: Document) -> Iterator[Grid]:
    """All results: overall in the order of the ranking, then a grid a segment column."""
    places = {
        (row["measure"], row["cutoff"]): (at, row)
        for at, row in enumerate(document.get("ranking") or ())
    }

    def place(row: Row) -> int:
        return places.get((row["measure"], row["cutoff"]), (len(places), {}))[0]

    for block in blocks(document):
        rows = [row for group in block.groups for row in group]
        notes = list(dict.fromkeys(row["note"] for row in rows if row["note"]))
        lines = []
        for row in sorted(rows, key=place):  # stable: segments keep their order
            label = measure_label(row)
            if block.columns:
                label += f", {clamp(plain(segment_label(row)), _QUERY)}"
            _, ranked = places.get((row["measure"], row["cutoff"]), (0, {}))
            label = numbered(label, row["note"], notes)
            lines.append([label, *figure_cells(row), *_behind({} if block.columns else ranked)])
        title = plain(block.title) if block.columns else "People against"
        headers = [title, "queries", "τ-b", "95% interval", "ρ", "r", "same sign %", "of",
                   "95% interval ", "agree %", "κ", "95% interval  ", "AUC", "95% interval   ",
                   "behind", "95% interval    "]  # fmt: skip
        dropped = ("r", "ρ", "95% interval   ", "95% interval  ", "AUC", "agree %", "behind",
                   "95% interval    ", "of", "κ", "95% interval ", "queries")  # fmt: skip
        heads, less = _leveled(headers, document), _leveled(dropped, document)
        yield Grid(heads, lines, less, note_remarks(notes))


def _leveled(headers: Sequence[str], document: Document) -> list[str]:
    level = document["settings"].get("confidence", 0.95)
    return [header.replace("95%", f"{100 * level:g}%") for header in headers]


def figure_cells(row: Row) -> list[str]:
    """The figures of a row as text, with their intervals, from the queries to the AUC."""
    return [
        f"{row['queries']:,}",
        figure.coefficient(row["kendall"]),
        figure.coefficients(row["kendall_low"], row["kendall_high"]),
        figure.coefficient(row["spearman"]),
        figure.coefficient(row["pearson"]),
        figure.points(row["sign_agreement"], 1),
        f"{row['sign_queries']:,}",
        figure.interval(row["sign_low"], row["sign_high"], sign=False, digits=1),
        figure.points(row["agreement"], 1),
        figure.coefficient(row["kappa"]),
        figure.coefficients(row["kappa_low"], row["kappa_high"]),
        figure.coefficient(row["auc"]),
        figure.coefficients(row["auc_low"], row["auc_high"]),
    ]


def _behind(place: Mapping[str, Any]) -> list[str]:
    if not place or place["behind_low"] is None:
        best = bool(place) and place["behind"] == 0
        return ["best" if best else "", ""]
    return [
        figure.coefficient(place["behind"]),
        figure.coefficients(place["behind_low"], place["behind_high"]),
    ]


def _confusion(row: Row) -> Grid:
    lines = [
        [f"people: {said}", *(f"{count:,}" for count in counts), f"{sum(counts):,}"]
        for said, counts in zip(_VERDICTS, row["confusion"], strict=True)
    ]
    remark = margin_remark(row)
    headers = [f"Queries, {measure_label(row)}", "Δ < 0", "Δ = 0", "Δ > 0", "all"]
    return Grid(headers, lines, (), [remark] if remark else [])


def _disagreements(rows: Sequence[Mapping[str, Any]]) -> Grid:
    lines = [
        [
            clamp(plain(row["query"] or row["query_id"]), _QUERY),
            clamp(plain(row["query_id"]) if row["query"] else "", 20),
            figure.signed_number(row["human"]),
            figure.signed(row["delta"]),
            f"{row['good']}:{row['same']}:{row['bad']}",
        ]
        for row in rows
    ]
    name = cutoff_label(rows[0]["measure"], rows[0]["cutoff"])
    remark = "Both lists of each: --format json, or a page (-o correlation.html)."
    known = any(row["control"] is not None for row in rows)
    headers = [f"People and {name} differ most", "query id", "h", "Δ", "votes G:S:B"]
    return Grid(headers, lines, ("query id",), [remark] if known else [])


def _over_studies(rows: Sequence[Row]) -> Grid:
    notes: list[str] = []
    lines = [
        [
            numbered(measure_label(row), row["note"], notes),
            f"{row['studies']:,}",
            figure.coefficient(row["kendall"]),
            figure.coefficients(row["kendall_low"], row["kendall_high"]),
            figure.p_value(row["p"]),
        ]
        for row in rows
    ]
    headers = ["Over studies", "studies", "τ-b", "95% interval", "p"]
    return Grid(headers, lines, (), note_remarks(notes))
