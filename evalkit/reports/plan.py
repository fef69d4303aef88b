"""What sample a difference needs, as one JSON-ready dict, and the sentences that sum it up.

`evalkit plan` prints it. The figures come from `metrics`; nothing is computed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports import score_numbers as figure
from evalkit.reports.score_document import measure_label, primary_measures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from metrics import SamplePlan

    Document = Mapping[str, Any]
    Row = Mapping[str, Any]

__all__ = ["plan_document", "plan_findings"]


def plan_document(
    plan: SamplePlan, *, source: str, inputs: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Put a plan and what it was made from together.

    Args:
        plan: what `metrics.plan_comparison`, `plan_votes` or `plan_shares` found.
        source: what the pilot was: a file, a study, a recorded score.
        inputs: what was read, with path or name, rows and fingerprint.

    Returns:
        `kind`, `settings`, `pilot` (with its `source`), `warnings`, `results` (rows of
        `metrics.Planned`) and `inputs`.

    Example:
        >>> from metrics import plan_shares
        >>> document = plan_document(plan_shares(3, 5, 2), source="shares")
        >>> document["kind"], document["results"][0]["needed_queries"]
        ('plan', 408)
    """
    found = plan.to_dict()
    return {
        "kind": "plan",
        **found,
        "pilot": {"source": source, **found["pilot"]},
        "inputs": [dict(each) for each in inputs],
    }


def plan_findings(document: Document) -> list[str]:
    """What the plan comes to, in a sentence or two, over all queries.

    For scores a sentence a primary measure, at its first cutoff; for votes the overlap that needs
    fewest votes, and what the one with the fewest queries costs.

    Example:
        >>> from metrics import plan_shares
        >>> plan_findings(plan_document(plan_shares(3, 5, 2), source="shares"))[0]
        'To find a GSB of 10 points with 80% power: 408 queries with 1 vote each.'
    """
    rows = [row for row in document["results"] if not row["segment"]]
    if any(row["overlap"] is not None for row in rows):
        return list(_of_votes(document, rows))
    said = []
    for measure in primary_measures({"results": rows}):
        row = next(row for row in rows if row["measure"] == measure)
        said.append(_of_scores(document, row))
    return said


def _of_scores(document: Document, row: Row) -> str:
    name, settings = measure_label(row), document["settings"]
    sure = f"{100 * settings['power']:g}% power"
    if settings["delta"] is None:
        if row["mde"] is None:
            return f"{name}: {row['note'] or 'nothing can be planned'}."
        found = figure.points(row["mde"])
        return f"{_queries(row['queries'])} find {found} points in {name} with {sure}."
    if row["needed_queries"] is None:
        return f"{name}: {row['note'] or 'nothing can be planned'}."
    return (
        f"To find a difference of {_points(settings['delta'])} in {name} with {sure}: "
        f"{_queries(row['needed_queries'])}{_have(row)}."
    )


def _of_votes(document: Document, rows: list[Row]) -> Iterator[str]:
    settings = document["settings"]
    sure = f"{100 * settings['power']:g}% power"
    if settings["delta"] is None:
        for row in rows:
            if row["mde"] is not None:
                yield (
                    f"{_queries(row['queries'])} with {_each(row)} find a GSB of "
                    f"{figure.points(row['mde'])} points with {sure}."
                )
        return
    known = [row for row in rows if row["needed_queries"] is not None]
    if not known:
        yield f"No plan: {rows[0]['note']}."
        return
    best = next((row for row in rows if row["cheapest"]), None)
    fewest = min(known, key=lambda row: (row["needed_queries"], row["overlap"]))
    head = f"To find a GSB of {_points(settings['delta'])} with {sure}"
    if best is None:
        yield (
            f"{head}, {_queries(fewest['queries'])} are too few: {_cost(fewest)} are needed, "
            "or more votes each."
        )
        return
    yield f"{head}: {_cost(best)}{_have(best)}."
    if fewest is not best:
        yield f"With the fewest queries: {_cost(fewest)}{_have(fewest)}."


def _cost(row: Row) -> str:
    votes = row["needed_votes"]
    total = "" if votes == row["needed_queries"] else f", {figure.count(votes)} votes"
    return f"{_queries(row['needed_queries'])} with {_each(row)}{total}"


def _each(row: Row) -> str:
    return "1 vote each" if row["overlap"] == 1 else f"{row['overlap']} votes each"


def _have(row: Row) -> str:
    if row["queries"] is None or row["power"] is None:
        return ""
    enough = ", enough" if row["queries"] >= row["needed_queries"] else ""
    return f" (you have {figure.count(row['queries'])}{enough}: {_percent(row['power'])} power)"


def _queries(number: int) -> str:
    return "1 query" if number == 1 else f"{figure.count(number)} queries"


def _points(value: float) -> str:
    return "1 point" if value == 0.01 else f"{100 * value:g} points"


def _percent(value: float) -> str:
    """Whole percent, never rounded up to all."""
    return f"{min(99, round(100 * value)) if value < 1 else 100}%"
