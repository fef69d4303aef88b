"""What a correlation document found, in sentences.

Tables and page print the same sentences. They say no more than the intervals do: a measure that is
not shown to differ from the best is not said to be as good, and an agreement that chance could give
is called so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.score_document import cutoff_label, measure_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "Document",
    "Row",
    "findings",
    "headline_row",
    "number",
    "overall",
    "overall_row",
    "percent",
    "source_lines",
    "studies_row",
]

Document = Mapping[str, Any]
Row = Mapping[str, Any]

_NAMED = 3
_HEADLINES = ("item_goodrate", "query_goodrate", "ndcg")
_LEFT_OUT = {"set_aside": "set aside", "surplus": "superseded or beyond the overlap"}


def overall(document: Document) -> list[Row]:
    """The rows of the whole query set."""
    return [row for row in document.get("results") or () if not row["segment"]]


def overall_row(document: Mapping[str, Any], measure: str, cutoff: int | None) -> Row | None:
    """The row of one measure over the whole query set."""
    for row in overall(document):
        if (row["measure"], row["cutoff"]) == (measure, cutoff):
            return row
    return None


def headline_row(document: Document) -> Row | None:
    """The row over the whole query set that is spoken of first."""
    named = document.get("headline")
    row = overall_row(document, named["measure"], named["cutoff"]) if named else None
    return row or _usual(overall(document))


def studies_row(document: Document) -> Row | None:
    """The row over studies that is spoken of first."""
    systems = document.get("systems") or {}
    rows = systems.get("results") or ()
    named = document.get("headline") or {}
    same = [row for row in rows if {**row, **named} == row]
    return same[0] if same and named else _usual(rows)


def _usual(rows: Sequence[Row]) -> Row | None:
    """Item Goodrate where it is there, else the first."""
    for measure in _HEADLINES:
        for row in rows:
            if row["measure"] == measure:
                return row
    return rows[0] if rows else None


def source_lines(document: Document) -> list[str]:
    """Where both sides come from, and what of them was left out."""
    lines = []
    human, automated = document.get("human"), document.get("automated")
    if human:
        lines.append(
            f"People: {human['source']}: {number(human['votes'], 'vote')} by "
            f"{number(human['annotators'], 'annotator')} on "
            f"{number(human['queries'], 'query', 'queries')}"
        )
    if automated:
        lines.append(f"Automated: {automated['source']}")
    left_out = [
        number(count, f"{_LEFT_OUT.get(why, why)} vote")
        if why not in _LEFT_OUT
        else f"{number(count, 'vote')} {_LEFT_OUT[why]}"
        for why, count in (document.get("left_out") or {}).items()
    ]
    if human and human.get("automatic"):
        lists = number(human["automatic"], "query", "queries")
        left_out.append(f"{lists} with identical lists, on which nobody votes")
    if left_out:
        lines.append(f"Left out: {'; '.join(left_out)}")
    return lines


def findings(document: Document) -> list[str]:
    """The sentences, what matters most first; empty without results.

    Example:
        >>> row = {"measure": "mrr", "cutoff": None, "segment": {}, "sign_agreement": 0.8,
        ...        "sign_low": 0.7, "sign_high": 0.87, "sign_queries": 90, "kendall": 0.5,
        ...        "kendall_low": 0.4, "kendall_high": 0.6, "kappa": None}
        >>> findings({"results": [row]})[0]
        'MRR and people point the same way on 80% [70, 87] of the 90 queries where both see a \
difference (τ-b 0.50 [0.40, 0.60]).'
    """
    lines = []
    row = headline_row(document)
    if row is not None:
        lines.append(_direction(row))
        lines += _verdicts(row)
    lines += _ranked(document)
    lines += _systems(document)
    return lines


def percent(value: float | None, low: float | None, high: float | None) -> str:
    """A share with its interval as prose has it: `84% [71, 92]`."""
    if value is None:
        return figure.MISSING
    text = f"{_whole(value)}%"
    return text if low is None or high is None else f"{text} [{_whole(low)}, {_whole(high)}]"


def number(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _whole(value: float) -> str:
    """A share in whole percent, never rounded up to all of them or down to none."""
    shown = figure.points(value, 0)
    if shown == "100" and value < 1:
        return ">99"
    return "<1" if shown == "0" and value > 0 else shown


def _tau(row: Document) -> str:
    text = f"τ-b {figure.coefficient(row['kendall'])}"
    low, high = row.get("kendall_low"), row.get("kendall_high")
    return text if low is None or high is None else f"{text} {figure.coefficients(low, high)}"


def _shown(row: Mapping[str, Any] | None) -> bool:
    """Whether the interval of τ-b lies above 0."""
    return row is not None and row.get("kendall_low") is not None and row["kendall_low"] > 0


def _direction(row: Row) -> str:
    name = measure_label(row)
    if not row["sign_queries"]:
        return (
            f"{name} and people never both see a difference on a query, so there are no directions"
            " to compare."
        )
    those = (
        "1 query where both see a difference"
        if row["sign_queries"] == 1
        else f"{row['sign_queries']:,} queries where both see a difference"
    )
    share = percent(row["sign_agreement"], row["sign_low"], row["sign_high"])
    text = f"{name} and people point the same way on {share} of the {those}"
    low, high = row["sign_low"], row["sign_high"]
    if low is not None and high is not None:
        if low <= 0.5 <= high:
            text += ", which chance alone could give"
        elif high < 0.5:
            text += ", less often than by chance"
    if row["kendall"] is None:
        return f"{text}."
    if row["kendall_low"] is None or _shown(row) or row["kendall_high"] < 0:
        return f"{text} ({_tau(row)})."
    return f"{text} ({_tau(row)}: no association is shown)."


def _verdicts(row: Row) -> Iterator[str]:
    """What people said of the queries, and how often the measure's sign says that, too."""
    if row.get("kappa") is None:
        return
    kappa = f"κ {figure.coefficient(row['kappa'])}"
    if row["kappa_low"] is not None:
        kappa += f" {figure.coefficients(row['kappa_low'], row['kappa_high'])}"
    yield (
        f"People call the treatment better on {row['good']:,} of {row['queries']:,} queries, the"
        f" same on {row['same']:,} and worse on {row['bad']:,}; the sign of Δ says so, too, on"
        f" {percent(row['agreement'], None, None)} of all ({kappa})."
    )


def _ranked(document: Document) -> Iterator[str]:
    """Which measure follows people most closely, and which are shown to follow them less."""
    ranking = [row for row in document.get("ranking") or () if row["kendall"] is not None]
    if len(ranking) < 2:
        return
    best, others = ranking[0], ranking[1:]
    top = overall_row(document, best["measure"], best["cutoff"]) or best
    text = (
        f"Of the {len(ranking):,} measures {measure_label(best)} follows people most closely here"
        f" ({_tau(top)})"
    )
    if all(row.get("kendall_low") is None for row in overall(document)):
        yield f"{text}; without intervals that says nothing of other queries."
        return
    if top.get("kendall_low") is not None and not any(map(_shown, overall(document))):
        yield f"None of the {len(ranking):,} measures is shown to go with what people prefer."
        return
    behind = [row for row in others if row["behind_low"] is not None and row["behind_low"] > 0]
    left = len(others) - len(behind)
    if not behind:
        rest = "the other is not" if left == 1 else "none of the others is"
        yield f"{text}; {rest} shown to follow them less closely."
        return
    said = f"{_listed(behind, all_of=not left)} less closely, by {_intervals(len(behind))}"
    if left:
        said += (
            "; the other is not shown to" if left == 1 else f"; the other {left:,} are not shown to"
        )
    yield f"{text}; {said}."


def _intervals(count: int) -> str:
    return "an interval that leaves out 0" if count == 1 else "intervals that each leave out 0"


def _listed(rows: Sequence[Row], *, all_of: bool) -> str:
    names = [measure_label(row) for row in rows]
    if len(names) == 1:
        return f"{names[0]} does so"
    if len(names) > _NAMED:
        return "all others do so" if all_of else f"{len(names):,} others do so"
    return f"{', '.join(names[:-1])} and {names[-1]} do so"


def _systems(document: Document) -> Iterator[str]:
    systems = document.get("systems")
    if not systems:
        return
    row = studies_row(document)
    if row is None:
        return
    name = cutoff_label(row["measure"], row["cutoff"])
    over = f"Over {number(row['studies'], 'study', 'studies')}"
    if row["kendall"] is None:
        yield f"{over}, nothing can be said of Δ of {name} and GSB: {row['note']}."
        return
    text = f"{over}, Δ of {name} and GSB go together with {_tau(row)}"
    if row["p"] is not None:
        text += f", p {figure.p_value(row['p'])}"
        text += ", which chance alone could give" if row["p"] > 0.05 else ""
    yield f"{text}."
