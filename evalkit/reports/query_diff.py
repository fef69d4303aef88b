"""The queries that moved most, with both result lists side by side in a terminal.

For the engineer who asks why a figure moved: which products came, went or changed place, and what
they were judged to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports import score_document as read
from evalkit.reports.query_moves import biggest_moves, ranks
from evalkit.reports.score_exports import format_json
from evalkit.reports.score_numbers import price
from evalkit.reports.terminal import clamp, display_width, pad, paint, plain, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

__all__ = ["diff_entries", "format_diff", "format_diff_json"]

_MARKS = {True: "+", False: "-", None: "?"}
_STYLES = {True: "better", False: "worse", None: "quiet"}
_SIDE_BY_SIDE_FROM = 72
_GAP = "  │  "


def diff_entries(
    per_query: pa.Table | Mapping[str, Sequence[Any]],
    lists: Mapping[str, Mapping[str, Any]],
    measure: str,
    cutoff: int | None,
    *,
    count: int = 10,
) -> list[dict[str, Any]]:
    """Choose the queries with the largest |Δ| of a measure and put their lists beside it.

    Args:
        per_query: the per-query table of a comparison.
        lists: `{"query", "control": [item], "treatment": [item]}` by query id; a query without
            an entry is shown without lists.
        measure: the measure that decides.
        cutoff: its cutoff.
        count: how many queries, of both directions together.

    Returns:
        Entries `{"query_id", "query", "segment", "measure", "cutoff", "control", "treatment",
        "delta", "lists"}`, the largest |Δ| first, equal ones by query id. Queries that did not
        move are never among them.

    Example:
        >>> columns = {"query_id": ["a", "b"], "measure": ["mrr", "mrr"], "cutoff": [None, None],
        ...            "control": [0.5, 1.0], "treatment": [1.0, 0.25], "delta": [0.5, -0.75]}
        >>> [entry["query_id"] for entry in diff_entries(columns, {}, "mrr", None)]
        ['b', 'a']
    """
    wins, losses = biggest_moves(per_query, measure, cutoff, count=count)
    chosen = sorted([*wins, *losses], key=lambda move: (-abs(move.delta), move.query_id))
    entries = []
    for move in chosen[:count]:
        found = lists.get(move.query_id)
        entries.append(
            {
                "query_id": move.query_id,
                "query": None if found is None else found.get("query"),
                "segment": dict(move.segment),
                "measure": measure,
                "cutoff": cutoff,
                "control": move.control,
                "treatment": move.treatment,
                "delta": move.delta,
                "lists": None
                if found is None
                else {side: list(found.get(side) or ()) for side in ("control", "treatment")},
            }
        )
    return entries


def format_diff(
    entries: Sequence[Mapping[str, Any]], *, width: int | None = None, color: bool = False
) -> str:
    """The entries for a terminal, lists side by side, or beneath each other below 72 columns.

    Args:
        entries: what `diff_entries` gives.
        width: columns there are; None takes 120.
        color: write ANSI colours. Nothing is said by colour alone.

    Example:
        >>> item = {"product_id": "p1", "rank": 1, "grade": 2, "good": True}
        >>> entry = {"query_id": "q1", "query": "rake", "segment": {}, "measure": "mrr",
        ...          "cutoff": None, "control": 0.0, "treatment": 1.0, "delta": 1.0,
        ...          "lists": {"control": [], "treatment": [item]}}
        >>> print(format_diff([entry], width=72).splitlines()[0])
        1. rake  (q1)                                   MRR 0.00 → 100.00  +100.00
    """
    width = width or 120
    if not entries:
        return "No query moved.\n"
    out: list[str] = []
    for place, entry in enumerate(entries, 1):
        out += _head(entry, place, width, color)
        out += _lists(entry, width, color)
        out.append("")
    legend = (
        "+ good, - judged bad, ? unjudged, each with its grade. → #3: the product stands third in"
        " the other list, = in the same place; new, gone: it is not in the other list. Values in"
        " points."
    )
    out += [paint(line, "quiet", color=color) for line in wrap(legend, width)]
    return "\n".join(line.rstrip() for line in out) + "\n"


def format_diff_json(entries: Sequence[Mapping[str, Any]]) -> str:
    """The entries as JSON at full precision, `{"queries": [...]}`; NaN becomes null."""
    return format_json({"queries": list(entries)})


def _head(entry: Mapping[str, Any], place: int, width: int, color: bool) -> list[str]:
    query_id = plain(entry["query_id"])
    query = plain(entry.get("query") or "")
    kinds = " · ".join(
        plain(read.segment_name(value)) for value in (entry.get("segment") or {}).values()
    )
    label = read.cutoff_label(entry["measure"], entry.get("cutoff"))
    values = (
        ""
        if entry.get("control") is None
        else f" {read.points(entry['control'])} → {read.points(entry.get('treatment'))} "
    )
    delta = read.signed(entry["delta"])
    figures = f"{label}{values} {delta}"
    name = f"{place}. {query}  ({query_id})" if query else f"{place}. {query_id}"
    style = "better" if entry["delta"] > 0 else "worse"
    painted = f"{label}{values} {paint(delta, style, color=color)}"
    room = width - display_width(figures) - 2
    if room >= 24:
        title = clamp(name, room)
        lines = [
            paint(title, "bold", color=color) + " " * (room + 2 - display_width(title)) + painted
        ]
    else:
        lines = [paint(clamp(name, width), "bold", color=color), f"   {painted}"]
    return (
        [*lines, f"   {paint(clamp(kinds, width - 3), 'quiet', color=color)}"] if kinds else lines
    )


def _lists(entry: Mapping[str, Any], width: int, color: bool) -> list[str]:
    lists = entry.get("lists")
    if not lists:
        return ["   (no result lists)"]
    control, treatment = lists.get("control") or [], lists.get("treatment") or []
    cutoff = entry.get("cutoff")
    together = width >= _SIDE_BY_SIDE_FROM
    side = (width - 3 - len(_GAP)) // 2 if together else width - 3
    # one grade width for both lists, so that the columns stand still
    grades = max((len(_grade(item)) for item in [*control, *treatment]), default=0)
    left = _side("control", control, ranks(treatment), "gone", side, min(grades, 5), cutoff, color)
    right = _side(
        "treatment", treatment, ranks(control), "new", side, min(grades, 5), cutoff, color
    )
    if not together:
        return [f"   {line}" for line in [*left, *right]]
    height = max(len(left), len(right))
    left += [""] * (height - len(left))
    right += [""] * (height - len(right))
    return [f"   {pad(one, side)}{_GAP}{two}" for one, two in zip(left, right, strict=True)]


def _side(
    title: str,
    items: Sequence[Mapping[str, Any]],
    elsewhere: Mapping[str, int],
    absent: str,
    width: int,
    grades: int,
    cutoff: int | None,
    color: bool,
) -> list[str]:
    """One list as lines of at most `width` columns; a rule stands where the cutoff is."""
    lines = [paint(title, "bold", color=color)]
    if not items:
        return [*lines, "(nothing)"]
    prices = max((display_width(_price(item)) for item in items), default=0)
    for place, item in enumerate(items, 1):
        if cutoff is not None and place == cutoff + 1:
            lines.append(paint("╌" * min(width, 24) + f" {cutoff}", "quiet", color=color))
        rank = int(item.get("rank") or place)
        there = elsewhere.get(str(item["product_id"]))
        where = absent if there is None else "=" if there == rank else f"→ #{there}"
        good = item.get("good")
        mark = f"{_MARKS[good]}{pad(clamp(_grade(item), grades), grades)}"
        end = f"  {pad(_price(item), prices, right=True)}  {pad(where, 5)}" if prices else ""
        end = end or f"  {pad(where, 5)}"
        start = f"{rank:>3} {mark} "
        title_text = plain(item.get("title") or "") or plain(item["product_id"])
        room = max(6, width - display_width(start) - display_width(end))
        lines.append(
            f"{rank:>3} {paint(mark, _STYLES[good], color=color)} "
            f"{pad(clamp(title_text, room), room)}{end}"
        )
    return lines


def _grade(item: Mapping[str, Any]) -> str:
    grade = item.get("grade")
    if grade is None:
        return ""
    return f"{grade:g}" if isinstance(grade, int | float) else plain(grade)


def _price(item: Mapping[str, Any]) -> str:
    return clamp(price(item.get("price")), 10)
