"""What is recorded, a trend and two weeks as text: for a terminal, Markdown and CSV.

Pure functions of the documents of `history`. A mark stands in the row of every week that cannot be
compared with the one before, and the reason in a line below.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_document as read
from evalkit.reports.grids import Grid, draw_grid, escape_markdown, markdown_grid
from evalkit.reports.score_numbers import (
    MISSING,
    count,
    interval,
    p_value,
    points,
    share,
    signed,
)
from evalkit.reports.terminal import plain, wrap
from evalkit.store import every_week

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["format_history_csv", "format_history_markdown", "format_history_table"]

BREAK = "≠"
"""Marks a week that cannot be compared with the one before."""

_WIDTH = 100
_MARKS = {"better": "*", "worse": "*", "exploratory": "·"}
_LEGEND = (
    "Values in points; Δ = treatment − control with its 95% interval; p raw, * significant after "
    f"Holm at 0.05; · exploratory; {BREAK} cannot be compared with the week before."
)
_NO_TEST = (
    "The change between the weeks has a 95% interval over the same queries; nothing tests it."
)


def format_history_table(
    document: Mapping[str, Any], *, width: int | None = None, color: bool = False
) -> str:
    """A document of `history` for reading in a terminal, ending in a newline.

    Args:
        document: a history, a trend, or two weeks.
        width: columns there are; None takes what the table needs.
        color: write ANSI styles.
    """
    limit = width or _WIDTH
    out = [line for text in _heading(document) for line in wrap(text, limit, rest="  ")]
    out += [""] if out else []
    for grid, notes in _grids(document):
        lines = draw_grid(grid, width, color=color)
        head, body = lines[0], lines[1 : 1 + len(grid.lines)]
        out.append(head)
        for at, line in enumerate(body):
            for text in notes.get(at, {}).get("above", ()):
                out += wrap(text, limit, first="  ", rest="    ")
            out.append(line)
            for text in notes.get(at, {}).get("below", ()):
                out += wrap(text, limit, first="    ", rest="      ")
        out += [*lines[1 + len(grid.lines) :], ""]
    for text in _closing(document):
        out += wrap(text, limit)
    return "\n".join(out).rstrip() + "\n"


def format_history_markdown(document: Mapping[str, Any]) -> str:
    """A document of `history` as Markdown, ending in a newline."""
    out = [f"{escape_markdown(text)}  " for text in _heading(document)]
    for grid, notes in _grids(document):
        said = [text for at in sorted(notes) for texts in notes[at].values() for text in texts]
        out += [*([""] if out else ()), *markdown_grid(_pruned(grid, said))]
    out += ["", *(f"{escape_markdown(text)}  " for text in _closing(document))]
    return "\n".join(out).rstrip() + "\n"


def _pruned(grid: Grid, remarks: Sequence[str]) -> Grid:
    """The grid without columns that say nothing, with all its remarks below."""
    kept = [
        at
        for at in range(len(grid.headers))
        if at == 0 or any(line[at] not in ("", MISSING) for line in grid.lines)
    ]
    lines = [[line[at] for at in kept] for line in grid.lines]
    title = "By week" if grid.headers[0] == "Week" else grid.headers[0]
    return Grid([title, *(grid.headers[at] for at in kept[1:])], lines, (), remarks)


def format_history_csv(document: Mapping[str, Any]) -> str:
    """A document of `history` as CSV at full precision, a line each figure of a week."""
    rows = list(_records(document))
    fields = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if row[key] is None else row[key] for key in row} for row in rows)
    return text.getvalue()


# what the three documents say

_Notes = dict[int, dict[str, list[str]]]


def _heading(document: Mapping[str, Any]) -> Iterator[str]:
    if document["kind"] == "trend":
        segment = ", ".join(f"{name} = {value}" for name, value in document["segment"].items())
        label = read.cutoff_label(document["measure"], document["cutoff"])
        yield plain(
            f"{label} of {document['name']!r} by week" + (f", {segment}" if segment else "")
        )
    if document["kind"] == "weeks":
        yield from _two_weeks(document)
    yield from (f"! {plain(warning)}" for warning in document["warnings"])


def _two_weeks(document: Mapping[str, Any]) -> Iterator[str]:
    yield plain(f"Two weeks of {document['name']!r}")
    for each in (document["before"], document["after"]):
        judge = f", judge {each['judge']}" if each["judge"] else ""
        size = "" if each["queries"] is None else f", {_queries(each['queries'])}"
        yield plain(
            f"{each['week']}: {_systems(each['systems'])}{size}{judge}, recorded "
            f"{_day(each['recorded_at'])} by {each['recorded_by'] or 'the command line'}"
        )
    if document["changes"]:
        yield "They cannot be compared, and no difference is given:"
        yield from (f"{BREAK} {plain(reason)}" for reason in document["changes"])


def _grids(document: Mapping[str, Any]) -> Iterator[tuple[Grid, _Notes]]:
    if document["kind"] == "history":
        yield _listing(document["evaluations"])
    elif document["kind"] == "trend":
        for each in document["trends"]:
            yield _trend(each)
    else:
        yield from _weeks(document)


def _closing(document: Mapping[str, Any]) -> Iterator[str]:
    yield _LEGEND
    if document["kind"] == "weeks" and not document["changes"]:
        yield _NO_TEST


def _listing(rows: Sequence[Mapping[str, Any]]) -> tuple[Grid, _Notes]:
    figures = list(dict.fromkeys(_figure_head(figure) for row in rows for figure in row["figures"]))
    headers = [
        *("Week", "", "kind", "name", "systems", "queries"),
        *figures,
        *("judge", "recorded", "by", "replaces"),
    ]
    lines = []
    notes: _Notes = {}
    for at, row in enumerate(rows):
        known = {_figure_head(figure): _figure_cell(figure) for figure in row["figures"]}
        lines.append(
            [
                row["week"],
                BREAK if row["changes"] else "",
                row["kind"],
                plain(row["name"]),
                plain(_systems(row["systems"])),
                count(row["queries"]),
                *(known.get(name, MISSING) for name in figures),
                plain(row["judge"] or MISSING),
                _day(row["recorded_at"]),
                plain(row["recorded_by"] or MISSING),
                str(row["earlier"] or MISSING),
            ]
        )
        if row["changes"]:
            reasons = "; ".join(map(plain, row["changes"]))
            since = f"{row['week']} against {row['since']}"
            notes[at] = {"below": [f"{BREAK} {since}: {reasons}"]}
    dropped = ("by", "recorded", "replaces", "judge", "systems", "queries")
    return Grid(headers, lines, dropped), notes


def _figure_head(figure: Mapping[str, Any]) -> str:
    label = read.cutoff_label(figure["measure"], figure["cutoff"])
    if figure["system"] is not None:
        return f"{label} of {plain(figure['system'])}"
    return label if figure["measure"] == "gsb" else f"Δ {label}"


def _figure_cell(figure: Mapping[str, Any]) -> str:
    single = figure["system"] is not None
    value = points(figure["value"]) if single else signed(figure["delta"])
    mark = "" if single else _MARKS.get(figure["standing"], "")
    return f"{value} {interval(figure['ci_low'], figure['ci_high'], sign=not single)}{mark}"


def _trend(line: Mapping[str, Any]) -> tuple[Grid, _Notes]:
    title = "Week" if line["system"] is None else plain(line["system"])
    single = line["system"] is not None
    headers = [title, "", "queries", "control", "treatment", "value", "Δ", "95% interval", "p", " "]
    headers += ["judged", "systems"]
    breaks, gaps = dict(line["breaks"]), {after: before for before, after in line["gaps"]}
    lines = []
    notes: _Notes = {}
    for at, point in enumerate(line["points"]):
        week = point["week"]
        reasons = breaks.get(week, ())
        lines.append(
            [
                week,
                BREAK if reasons else "",
                count(point["queries"]),
                points(point["control"]),
                points(point["treatment"]),
                points(point["value"]),
                signed(point["delta"]),
                interval(point["ci_low"], point["ci_high"], sign=not single),
                p_value(point["p"]),
                _MARKS.get(read.standing(point), ""),
                _judged(point),
                "" if single else plain(_systems(point["systems"])),
            ]
        )
        above = []
        if week in gaps:
            above.append(f"… {_missing(gaps[week], week)}")
        if reasons:
            above.append(f"{BREAK} {week}: {'; '.join(map(plain, reasons))}")
        if above:
            notes[at] = {"above": above}
    return Grid(headers, lines, ("systems", "judged", "queries", "p")), notes


def _weeks(document: Mapping[str, Any]) -> Iterator[tuple[Grid, _Notes]]:
    weeks = (document["before"]["week"], document["after"]["week"])
    by_columns: dict[str, list[Mapping[str, Any]]] = {}
    for row in document["rows"]:
        columns = " and ".join(row["segment"])
        by_columns.setdefault(f"By {plain(columns)}" if columns else "Overall", []).append(row)
    headers = [
        "",
        "week",
        "queries",
        "control",
        "treatment",
        "value",
        "Δ",
        "95% interval",
        "p",
        " ",
    ]
    headers.append("judged")
    before, after = (document[side]["systems"] for side in ("before", "after"))
    renamed = any(before[role] != after[role] for role in before if role in after)
    for title, rows in by_columns.items():
        lines: list[list[str]] = []
        for row in rows:
            label = read.measure_label(row)
            if row["segment"]:
                label = f"{read.segment_label(row)}  {label}"
            if row["system"] is not None:
                label += f"  {row['system']}"
            for at, (week, side) in enumerate(zip(weeks, ("before", "after"), strict=True)):
                lines.append([plain(label) if at == 0 else "", week, *_cells(row, row[side])])
            if row["change"] is not None:
                lines.append(
                    ["", "difference" if renamed else "change", *_change_cells(row["change"])]
                )
        yield Grid([title, *headers[1:]], lines, ("judged", "queries", "p")), {}


def _cells(row: Mapping[str, Any], figure: Mapping[str, Any] | None) -> list[str]:
    if figure is None:
        return [MISSING] * 9
    return [
        count(figure["queries"]),
        points(figure["control"]),
        points(figure["treatment"]),
        points(figure["value"]),
        signed(figure["delta"]),
        interval(figure["ci_low"], figure["ci_high"], sign=row["system"] is None),
        p_value(figure["p"]),
        _MARKS.get(figure["standing"], ""),
        _judged(figure),
    ]


def _change_cells(change: Mapping[str, Any]) -> list[str]:
    def cell(of: str) -> str:
        found = change.get(of)
        if found is None:
            return MISSING
        return f"{signed(found['value'])} {interval(found['ci_low'], found['ci_high'])}"

    return ["", cell("control"), cell("treatment"), cell("value"), cell("delta"), "", "", "", ""]


def _records(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of the CSV."""
    if document["kind"] == "history":
        for each in document["evaluations"]:
            about = {
                key: each[key]
                for key in ("week", "kind", "name", "queries", "query_set", "judge", "recorded_at")
            }
            about |= {"recorded_by": each["recorded_by"], "earlier": each["earlier"]}
            about |= {"systems": _systems(each["systems"]), "changes": "; ".join(each["changes"])}
            # the queries of the figure are those of the evaluation
            for figure in each["figures"] or [{}]:
                yield {**about, **{k: v for k, v in figure.items() if k != "queries"}}
    elif document["kind"] == "trend":
        for line in document["trends"]:
            for point in line["points"]:
                reasons = line["breaks"].get(point["week"], ())
                yield {
                    "week": point["week"],
                    "measure": document["measure"],
                    "cutoff": document["cutoff"],
                    "segment": _segment(document["segment"]),
                    "system": line["system"],
                    **{k: v for k, v in point.items() if k not in ("week", "systems")},
                    "systems": _systems(point["systems"]),
                    "changes": "; ".join(reasons),
                }
    else:
        yield from _week_records(document)


def _week_records(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for row in document["rows"]:
        figures: dict[str, Any] = {
            "measure": row["measure"],
            "cutoff": row["cutoff"],
            "segment": _segment(row["segment"]),
            "system": row["system"],
        }
        for side in ("before", "after"):
            figures[f"week_{side}"] = document[side]["week"]
            for key, value in (row[side] or {}).items():
                if key not in figures:
                    figures[f"{key}_{side}"] = value
        for of, change in (row["change"] or {}).items():
            for key in ("value", "ci_low", "ci_high"):
                figures[f"change_{of}_{key}"] = None if change is None else change[key]
        yield figures


def _segment(segment: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={read.segment_name(value)}" for name, value in segment.items())


def _systems(systems: Mapping[str, str]) -> str:
    if {"control", "treatment"} == set(systems):
        return f"{systems['control']} → {systems['treatment']}"
    return ", ".join(systems.values()) or MISSING


def _queries(number: int) -> str:
    return "1 query" if number == 1 else f"{count(number)} queries"


def _judged(figure: Mapping[str, Any]) -> str:
    if figure.get("judged") is not None:
        return share(figure["judged"])
    ends = [figure.get("judged_control"), figure.get("judged_treatment")]
    return MISSING if ends == [None, None] else "→".join(map(share, ends))


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")


def _missing(before: str, after: str) -> str:
    """Which weeks were not recorded between two that were."""
    weeks = every_week(before, after)[1:-1]
    named = weeks[0] if len(weeks) == 1 else f"{weeks[0]} to {weeks[-1]}"
    return f"not recorded for {named}"
