"""What sample a difference needs as text: for a terminal, for Markdown, as CSV.

Pure functions of the document that `plan_document` makes. The tables round for reading; CSV (and
JSON, see `score_exports`) keep every digit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.closing import markdown_text, table_text
from evalkit.reports.grids import Grid, escape_markdown, note_remarks, numbered
from evalkit.reports.plan import plan_findings
from evalkit.reports.score_document import blocks, measure_label, segment_label
from evalkit.reports.score_exports import format_csv
from evalkit.reports.terminal import paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Document = Mapping[str, Any]
    Row = Mapping[str, Any]

__all__ = ["format_plan_csv", "format_plan_markdown", "format_plan_table"]

_WRAP = 100
_TESTS = {
    "mcnemar": "McNemar",
    "sign_test": "sign test",
    "delta_method": "swap, ratio",
    "paired_t": "swap, mean",
}


def format_plan_table(document: Document, *, width: int | None = None, color: bool = False) -> str:
    """The document for reading in a terminal, ending in a newline.

    Args:
        document: what `plan_document` made.
        width: columns there are; None takes what the tables need. When they do not suffice,
            columns are left out and named below the table.
        color: write ANSI styles. Nothing is said by colour alone.

    Example:
        >>> from evalkit.reports.plan import plan_document
        >>> from metrics import plan_shares
        >>> text = format_plan_table(plan_document(plan_shares(3, 5, 2), source="shares"))
        >>> print(text.splitlines()[0])
        To find a GSB of 10 points with 80% power: 408 queries with 1 vote each.
    """
    limit = width or _WRAP
    out: list[str] = []
    for sentence in plan_findings(document):
        out += [paint(line, "bold", color=color) for line in wrap(plain(sentence), limit)]
    out.append("")
    for sentence in _header(document):
        out += wrap(plain(sentence), limit, rest="  ")
    return table_text(out, _grids(document), document, _legend(document), width, color=color)


def format_plan_markdown(document: Document) -> str:
    """The document as GitHub-flavoured Markdown with the same figures as the terminal tables."""
    out = [f"**{escape_markdown(sentence)}**  " for sentence in plan_findings(document)]
    out += ["", *(f"{escape_markdown(sentence)}  " for sentence in _header(document))]
    return markdown_text(out, _grids(document), document, _legend(document))


def format_plan_csv(document: Document) -> str:
    """One line per row at full precision; a number that does not exist is empty."""
    return format_csv({"results": document["results"]})


def _header(document: Document) -> Iterator[str]:
    pilot, settings = document["pilot"], document["settings"]
    parts = [str(pilot["source"])]
    if pilot.get("queries") is not None:
        parts.append(f"{figure.count(pilot['queries'])} queries")
    if pilot.get("votes") is not None:
        parts.append(f"{figure.count(pilot['votes'])} votes")
    yield f"Pilot: {', '.join(parts)}"
    if pilot.get("good") is not None:
        shares = ":".join(figure.share(pilot[name]) for name in ("good", "same", "bad"))
        said = [f"G:S:B {shares}%"]
        if pilot.get("agreement") is not None:
            said.append(f"pairs that say the same {figure.share(pilot['agreement'])}%")
        if pilot.get("identical"):
            said.append(f"identical lists {figure.share(pilot['identical'])}% of the queries")
        yield f"Votes: {', '.join(said)}"
    found = [] if settings["delta"] is None else [f"delta {100 * settings['delta']:g} points"]
    found += [f"power {100 * settings['power']:g}%", f"alpha {settings['alpha']:g}"]
    if settings["queries"] is not None:
        found.append(f"queries {figure.count(settings['queries'])}")
    if settings["simulate"]:
        found.append(f"simulated samples {figure.count(settings['simulate'])}")
        found.append(f"seed {settings['seed']}")
    yield f"Settings: {' · '.join(found)}"


def _grids(document: Document) -> Iterator[Grid]:
    """Overall first, then by each segment column; notes are numbered through the table."""
    notes: list[str] = []
    votes = any(row["overlap"] is not None for row in document["results"])
    for block in blocks(document):
        lines: list[list[str]] = []
        for group in block.groups:
            lines += _lines(group, bool(block.columns), votes, notes)
        shown = {line[0].rpartition("[")[2] for line in lines if line[0].endswith("]")}
        remarks = [note for note in note_remarks(notes) if note[1 : note.index("]") + 1] in shown]
        yield Grid(_headers(document, plain(block.title), votes), lines, _dropped(votes), remarks)


def _headers(document: Document, title: str, votes: bool) -> list[str]:
    settings = document["settings"]
    size = "interval ±"
    have = "queries" if settings["queries"] is not None else "pilot"
    needed = ["queries needed", "votes"] if votes else ["queries needed"]
    last = [""] if votes else ["test"]
    return [title, *needed, size, have, "mde", "power %", "simulated %", *last]


def _dropped(votes: bool) -> tuple[str, ...]:
    figures = ("interval ±", "mde", "simulated %")
    return (*figures, "power %") if votes else ("test", *figures)


def _lines(
    group: tuple[Row, ...], nested: bool, votes: bool, notes: list[str]
) -> Iterator[list[str]]:
    """Lines of one figure: itself, or its name with its segments (and overlaps) below."""
    empty = [""] * (8 if votes else 7)
    if nested and not votes:
        yield [plain(measure_label(group[0])), *empty[1:], ""]
    last: str | None = None
    for row in group:
        segment = plain(segment_label(row))
        if votes and nested and segment != last:
            yield [segment, *empty[1:], ""]
        last = segment
        if votes:
            label = f"{'  ' if nested else ''}{_overlap(row)}"
        else:
            label = f"  {segment}" if nested else plain(measure_label(row))
        yield _line(row, label, votes, notes)


def _line(row: Row, label: str, votes: bool, notes: list[str]) -> list[str]:
    width = row["interval_width"]
    needed = [_count(row["needed_queries"])]
    if votes:
        needed.append(_count(row["needed_votes"]))
    last = ("cheapest" if row["cheapest"] else "") if votes else _TESTS[row["method"]]
    return [
        numbered(label, row["note"], notes),
        *needed,
        figure.points(None if width is None else width / 2),
        _count(row["queries"]),
        figure.points(row["mde"]),
        figure.share(row["power"]),
        figure.share(row["simulated_power"]),
        last,
    ]


def _overlap(row: Row) -> str:
    if row["overlap"] is None:
        return "votes"
    return "1 vote each" if row["overlap"] == 1 else f"{row['overlap']} votes each"


def _count(value: int | None) -> str:
    return figure.MISSING if value is None else figure.count(value)


def _legend(document: Document) -> str:
    settings, rows = document["settings"], document["results"]
    votes = any(row["overlap"] is not None for row in rows)
    have = "the pilot's queries" if settings["queries"] is None else "the queries there are"
    parts = []
    if settings["delta"] is not None:
        what = "a GSB of single votes" if votes else "a true difference"
        parts.append(
            f"queries needed: {what} of {100 * settings['delta']:g} points, for better or worse, "
            f"has p ≤ {settings['alpha']:g} in {100 * settings['power']:g} of 100 samples"
        )
        if votes:
            parts.append("votes: those on queries whose lists are not identical")
    over = have if settings["delta"] is None else "the queries needed"
    whose = " of GSB by majority" if votes else ""
    parts.append(f"interval ±: half the 95% interval{whose} with {over}")
    if any(row["queries"] is not None for row in rows):
        how = "" if votes else ", by the formula of evalkit score"
        parts.append(f"mde: smallest {'GSB' if votes else 'Δ'} found with {have}{how}")
        if settings["delta"] is not None:
            parts.append(f"power: how often {have} find {100 * settings['delta']:g} points")
    if settings["simulate"] and settings["delta"] is not None:
        of_size = "the queries needed" if settings["queries"] is None else have
        parts.append(
            f"simulated: in so many of {settings['simulate']:,} drawn samples of {of_size}"
        )
    test = "exact sign test over queries" if votes else "test that evalkit score prints"
    parts.append(f"p of the {test}, alpha not adjusted for several tests")
    return "; ".join(parts) + "."
