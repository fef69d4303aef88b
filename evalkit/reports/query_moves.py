"""Which queries moved, and where a product stands in either list.

Reads the per-query table that `evalkit score --per-query` writes. Chooses and orders only; every
figure is taken as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

__all__ = ["SAME", "Move", "biggest_moves", "moves", "ranks"]

SAME = 1e-12
"""Differences below this count as the same."""

_FIGURES = {
    "query_id",
    "measure",
    "cutoff",
    "control",
    "treatment",
    "delta",
    "weight_control",
    "weight_treatment",
    "judged_control",
    "judged_treatment",
}


@dataclass(frozen=True)
class Move:
    """What a change did to one query, by one measure.

    Attributes:
        query_id: the query.
        segment: its segment columns.
        control: the measure's value under the control, or None.
        treatment: the same under the treatment.
        delta: treatment − control.
    """

    query_id: str
    segment: Mapping[str, Any]
    control: float | None
    treatment: float | None
    delta: float


def moves(
    per_query: pa.Table | Mapping[str, Sequence[Any]], measure: str, cutoff: int | None
) -> list[Move]:
    """All queries of one measure at one cutoff, by Δ from the best to the worst, ties by id.

    Queries whose Δ does not exist are left out.

    Example:
        >>> columns = {"query_id": ["b", "a"], "measure": ["mrr", "mrr"], "cutoff": [None, None],
        ...            "control": [0.5, 0.5], "treatment": [0.5, 1.0], "delta": [0.0, 0.5]}
        >>> [move.query_id for move in moves(columns, "mrr", None)]
        ['a', 'b']
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    table = per_query if isinstance(per_query, pa.Table) else pa.table(dict(per_query))
    keep = pc.equal(table["measure"], measure)
    if cutoff is None:
        keep = pc.and_(keep, pc.is_null(table["cutoff"]))
    else:
        keep = pc.and_(keep, pc.fill_null(pc.equal(table["cutoff"], cutoff), False))
    keep = pc.and_(keep, pc.is_valid(table["delta"]))
    segments = [name for name in table.column_names if name not in _FIGURES]
    chosen = table.filter(keep).select(["query_id", *segments, "control", "treatment", "delta"])
    found = [
        Move(
            query_id=str(record["query_id"]),
            segment={name: record[name] for name in segments},
            control=record["control"],
            treatment=record["treatment"],
            delta=record["delta"],
        )
        for record in chosen.to_pylist()
    ]
    return sorted(found, key=lambda move: (-move.delta, move.query_id))


def biggest_moves(
    per_query: pa.Table | Mapping[str, Sequence[Any]],
    measure: str,
    cutoff: int | None,
    *,
    count: int = 10,
) -> tuple[list[Move], list[Move]]:
    """The biggest wins and the biggest losses, at most `count` of each, biggest first.

    Use it to decide whose result lists to fetch before a page or a diff is written.
    """
    every = moves(per_query, measure, cutoff)
    wins = [move for move in every if move.delta > SAME]
    losses = [move for move in every if move.delta < -SAME]
    losses.sort(key=lambda move: (move.delta, move.query_id))
    return wins[:count], losses[:count]


def ranks(items: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Rank of each product of a list; position where an item carries no rank.

    Example:
        >>> ranks([{"product_id": "a", "rank": 1}, {"product_id": "b"}])
        {'a': 1, 'b': 2}
    """
    return {
        str(item["product_id"]): int(item.get("rank") or position)
        for position, item in enumerate(items, 1)
    }
