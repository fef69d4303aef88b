"""How to read a score document: names, order, and figures as text.

A score document is the plain dict that `evalkit score --format json` prints. The terminal table,
the Markdown table and the page all show it, and they must agree on what a measure is called, how
a figure is written, which rows belong together and what counts as significant. That is here, and
nothing else: no statistics (see `metrics`), no layout (see `score_table` and `score_page`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.reports.score_numbers import (
    MISSING,
    count,
    fixed,
    interval,
    p_value,
    points,
    range_text,
    ratio,
    share,
    signed,
)

__all__ = [
    "ALPHA",
    "MISSING",
    "OF_SCORING",
    "Block",
    "Document",
    "Row",
    "blocks",
    "bounds",
    "count",
    "cutoff_label",
    "first_cutoff",
    "good_or_same",
    "identical_lists",
    "interval",
    "is_comparison",
    "measure_label",
    "measure_name",
    "p_value",
    "points",
    "primary_measures",
    "query_set_lines",
    "range_text",
    "ratio",
    "run_lines",
    "segment_label",
    "segment_name",
    "setting_items",
    "share",
    "signed",
    "standing",
    "win_rate",
]

Document = Mapping[str, Any]
Row = Mapping[str, Any]
Standing = Literal["better", "worse", "undecided", "exploratory", "untested"]

ALPHA = 0.05
"""Two-sided level of the tests and of the 95% intervals."""

_MEASURES = {
    "item_goodrate": "Item Goodrate",
    "query_goodrate": "Query Goodrate",
    "gsb": "GSB",
    "ndcg": "nDCG",
    "precision": "P",
    "recall": "recall",
    "success": "success",
    "mrr": "MRR",
    "map": "MAP",
    "bpref": "bpref",
    "judged": "judged",
}

OF_SCORING = (
    "good",
    "good_labels",
    "gains",
    "min_good",
    "order",
    "ties",
    "unjudged",
    "average",
    "depth",
    "margin",
)
"""Settings of scoring itself: each moves a figure, and figures under others do not compare."""

# Settings that change a figure. Paths, output options and memory do not, and stay out of the
# header; the page lists every setting.
_SETTINGS_THAT_MATTER = (
    *OF_SCORING,
    "source",
    "aggregate",
    "on_duplicate",
    "primary",
    "ci",
    "seed",
    "weighted",
)


@dataclass(frozen=True)
class Block:
    """The result rows of one segment column; the first block is the whole query set.

    Attributes:
        columns: names of the segment columns, empty for the whole query set.
        groups: rows of one measure at one cutoff, by cutoff, then in the document's order.
    """

    columns: tuple[str, ...]
    groups: tuple[tuple[Row, ...], ...]

    @property
    def title(self) -> str:
        """Heading: `Overall`, or `By query_type`."""
        return f"By {' and '.join(self.columns)}" if self.columns else "Overall"


def is_comparison(document: Document) -> bool:
    """Whether the document compares two runs; otherwise it gives single runs' values."""
    return not any("system" in row or "value" in row for row in document.get("results", ()))


def blocks(document: Document) -> list[Block]:
    """Arrange result rows for reading: overall first, one block a segment column.

    Example:
        >>> rows = [
        ...     {"measure": "mrr", "cutoff": None, "segment": {"type": "negative"}},
        ...     {"measure": "mrr", "cutoff": None, "segment": {}},
        ... ]
        >>> [(block.title, len(block.groups)) for block in blocks({"results": rows})]
        [('Overall', 1), ('By type', 1)]
    """
    by_columns: dict[tuple[str, ...], dict[tuple[Any, Any], list[Row]]] = {(): {}}
    for row in document.get("results", ()):
        groups = by_columns.setdefault(tuple(row.get("segment") or {}), {})
        groups.setdefault((row.get("cutoff"), row["measure"]), []).append(row)
    cutoffs: list[Any] = []
    for groups in by_columns.values():
        cutoffs += [cutoff for cutoff, _ in groups if cutoff not in cutoffs]
    # measures without a cutoff stand below those with one
    cutoffs.sort(key=lambda cutoff: cutoff is None)
    return [
        Block(
            columns,
            tuple(
                tuple(groups[key]) for key in sorted(groups, key=lambda key: cutoffs.index(key[0]))
            ),
        )
        for columns, groups in by_columns.items()
        if groups
    ]


def measure_name(measure: str) -> str:
    """Name for reading (`Item Goodrate`); an unknown measure keeps its own name."""
    return _MEASURES.get(measure, measure)


def measure_label(row: Row) -> str:
    """Measure and cutoff as one name.

    Example:
        >>> measure_label({"measure": "ndcg", "cutoff": 10})
        'nDCG@10'
        >>> measure_label({"measure": "map", "cutoff": None})
        'MAP'
    """
    return cutoff_label(row["measure"], row.get("cutoff"))


def cutoff_label(measure: str, cutoff: int | None) -> str:
    """`nDCG@10`, or `MAP` where the measure has no cutoff."""
    name = measure_name(measure)
    return name if cutoff is None else f"{name}@{cutoff}"


def segment_label(row: Row) -> str:
    """The segment's value; `overall` for the whole query set."""
    segment = row.get("segment") or {}
    return ", ".join(segment_name(value) for value in segment.values()) or "overall"


def segment_name(value: object) -> str:
    """A segment value as text; a missing or empty one is named, not left blank."""
    return "(none)" if value is None or value == "" else str(value)


def primary_measures(document: Document) -> list[str]:
    """Measures of the declared family, in the order declared.

    Falls back on the rows that carry `p_holm`, then on the Goodrates, then on the first measure.
    """
    rows = document.get("results", ())
    present = list(dict.fromkeys(row["measure"] for row in rows))
    declared = (document.get("settings") or {}).get("primary") or ()
    names = declared.split(",") if isinstance(declared, str) else declared
    chosen = [name for name in names if name in present]
    tested = dict.fromkeys(row["measure"] for row in rows if row.get("p_holm") is not None)
    usual = [name for name in ("item_goodrate", "query_goodrate") if name in present]
    return chosen or list(tested) or usual or present[:1]


def first_cutoff(document: Document, measure: str) -> int | None:
    """The cutoff of the measure that the document gives first: the declared one."""
    for row in document.get("results", ()):
        if row["measure"] == measure:
            cutoff = row.get("cutoff")
            return None if cutoff is None else int(cutoff)
    return None


def standing(row: Row) -> Standing:
    """What the declared test says of a row.

    `exploratory` rows are outside the declared family: their p is raw and decides nothing.
    `untested` rows have no p at all.

    Example:
        >>> standing({"delta": 0.02, "p": 0.01, "p_holm": 0.03})
        'better'
        >>> standing({"delta": 0.02, "p": 0.01, "p_holm": None})
        'exploratory'
    """
    adjusted, delta = row.get("p_holm"), row.get("delta")
    if adjusted is None:
        return "untested" if row.get("p") is None else "exploratory"
    if adjusted > ALPHA or not delta:
        return "undecided"
    return "better" if delta > 0 else "worse"


def query_set_lines(document: Document) -> list[str]:
    """Which query set it was and how much of it was judged and retrieved."""
    query_set = document.get("query_set") or {}
    size = query_set.get("size")
    what = "1 query" if size == 1 else f"{count(size)} queries"
    parts = []
    for key, value in query_set.items():
        if key in ("source", "size", "columns"):
            continue
        name = key.replace("_", " ")
        if isinstance(value, Mapping):
            name = name.removesuffix(" runs")
            parts += [f"{name} {system} {count(number)}" for system, number in value.items()]
        elif isinstance(value, int | float):
            parts.append(f"{name} {count(value)}")
    source = query_set.get("source")
    head = f"Query set: {what}" + (f" ({source})" if source else "")
    return [f"{head}: {', '.join(parts)}" if parts else head]


def setting_items(document: Document, *, every: bool = False) -> list[tuple[str, str]]:
    """Settings as (option, value) texts, those that change a figure or every one of them."""
    settings: Mapping[str, Any] = document.get("settings") or {}
    keys: Sequence[str] = list(settings)
    if not every:
        # a margin or a seed of 0 is a setting, an option that is off is none
        keys = [
            key
            for key in _SETTINGS_THAT_MATTER
            if settings.get(key) not in (None, "", [], {}) and settings[key] is not False
        ]
        # labels decide what is good where they are given, and the threshold then says nothing
        if "good_labels" in keys and "good" in keys:
            keys.remove("good")
    return [(key.replace("_", "-"), _setting_text(key, settings[key])) for key in keys]


def win_rate(row: Row) -> str:
    """Win rate of a GSB row, `win 77.0%`; empty for other measures."""
    return "" if row.get("win_rate") is None else f"win {share(row['win_rate'])}%"


def good_or_same(row: Row) -> str:
    """The ratio some teams use beside GSB, `(G+S)/(B+S) 2.31`; empty for other measures."""
    value = row.get("good_or_same_ratio")
    return "" if value is None else f"(G+S)/(B+S) {fixed(value, 2)}"


def identical_lists(row: Row) -> str:
    """GSB without the queries whose two lists are identical; empty where there are none.

    Example:
        >>> identical_lists({"identical": 12, "without_identical": 0.431})
        'GSB without the 12 queries whose lists are identical: +43.10'
    """
    if not row.get("identical") or row.get("without_identical") is None:
        return ""
    number = row["identical"]
    those = "query" if number == 1 else f"{count(number)} queries"
    without = signed(row["without_identical"])
    return f"GSB without the {those} whose lists are identical: {without}"


def bounds(row: Row, kind: Literal["unjudged", "ties"]) -> dict[str, tuple[float, float]]:
    """Ranges of a row that hold for certain, by what they bound; empty where there are none.

    Example:
        >>> bounds({"value": 0.4, "lower": 0.4, "upper": 0.5}, "unjudged")
        {'value': (0.4, 0.5)}
    """
    prefix = "ties_" if kind == "ties" else ""
    found = {}
    for name in ("control", "treatment", "delta", "value"):
        suffix = "" if name == "value" else f"_{name}"
        low, high = row.get(f"{prefix}lower{suffix}"), row.get(f"{prefix}upper{suffix}")
        if low is not None and high is not None:
            found[name] = (low, high)
    return found


def run_lines(document: Document) -> list[str]:
    """What each run showed: a pooled rate says nothing of queries without results.

    Example:
        >>> run = {"system": "control", "items_shown": {"3": 9}, "queries_without_results": 1}
        >>> run_lines({"runs": [run]})
        ['control: items shown @3 9, queries without results 1']
    """
    lines = []
    for run in document.get("runs") or ():
        parts = [f"order by {run['order']}"] if run.get("order") else []
        for name, key, write in (
            ("items shown", "items_shown", count),
            ("Item Goodrate at fixed depth", "item_goodrate_fixed_depth", points),
            ("tied %", "tied_share", share),
        ):
            values: Mapping[str, Any] = run.get(key) or {}
            if key == "tied_share" and not any(values.values()):
                continue
            if values:
                parts.append(
                    f"{name} " + " ".join(f"@{n} {write(value)}" for n, value in values.items())
                )
        parts += [
            f"{name} {count(run[key])}"
            for name, key in (
                ("queries without results", "queries_without_results"),
                ("queries outside the set", "queries_outside"),
            )
            if run.get(key)
        ]
        lines.append(f"{run.get('system', 'run')}: {', '.join(parts)}")
    return lines


def _setting_text(key: str, value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_setting_text('', item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ",".join(_setting_text("", item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"grade ≥ {text}" if key == "good" and isinstance(value, int | float) else text
