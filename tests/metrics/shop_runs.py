"""Two seeded runs over thirty queries, and the per-query columns that the plain scorer sees."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import plain_scorer as plain
from small_runs import JUDGMENTS, RUN, frame

QUERY_IDS = [f"q{at:02}" for at in range(30)]
SEGMENTS = {query: ("head", "torso", "tail")[at % 3] for at, query in enumerate(QUERY_IDS)}
WEIGHTS = {query: float(1 + at % 4) for at, query in enumerate(QUERY_IDS)}
N = 4


def _rows(seed: int, ties: bool) -> list[tuple[str, str, float]]:
    rng = random.Random(seed)
    rows = []
    for query in QUERY_IDS:
        products = rng.sample([f"p{at}" for at in range(12)], rng.choice([0, 3, 5, 6, 6]))
        scores = [rng.randint(0, 2) if ties else -at for at in range(len(products))]
        rows += [
            (query, product, score / 2) for product, score in zip(products, scores, strict=True)
        ]
    return rows


def _judged() -> list[tuple[str, str, float]]:
    rng = random.Random(5)
    return [
        (query, f"p{at}", float(rng.choice([-1, 0, 0, 1, 2, 3])))
        for query in QUERY_IDS
        for at in range(12)
        if rng.random() < 0.8
    ]


CONTROL, TREATMENT, JUDGED = _rows(1, ties=False), _rows(2, ties=False), _judged()
TIED_CONTROL, TIED_TREATMENT = _rows(3, ties=True), _rows(4, ties=True)


def inputs(
    *, weighted: bool = False, tied: bool = False, library: str = "polars"
) -> tuple[Any, ...]:
    """Control, treatment, judgments and queries as frames."""
    control, treatment = (TIED_CONTROL, TIED_TREATMENT) if tied else (CONTROL, TREATMENT)
    columns: tuple[str, ...] = ("query_id", "traffic", "weight")
    rows: list[tuple[Any, ...]] = [(q, SEGMENTS[q], WEIGHTS[q]) for q in QUERY_IDS]
    if not weighted:
        columns, rows = columns[:2], [row[:2] for row in rows]
    return (
        frame(library, control, RUN),
        frame(library, treatment, RUN),
        frame(library, JUDGED, JUDGMENTS),
        frame(library, rows, columns),
    )


def members(segment: dict[str, Any]) -> list[str]:
    """The queries of a row's segment."""
    return [q for q in QUERY_IDS if segment.get("traffic") in (None, SEGMENTS[q])]


def sums(
    measure: str,
    rows: list[tuple[str, str, float]],
    segment: dict[str, Any],
    *,
    weighted: bool = False,
    **how: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators of a measure, one a query of the segment."""
    lists, grades = plain.in_order(plain.by_query(rows)), plain.by_query(JUDGED)
    pairs = [
        [
            (WEIGHTS[query] if weighted and measure != "judged" else 1.0) * part
            for part in plain.parts(measure, lists.get(query, []), grades.get(query, {}), N, **how)
        ]
        for query in members(segment)
    ]
    columns = np.array(pairs, dtype=np.float64)
    return columns[:, 0], columns[:, 1]


def votes(segment: dict[str, Any], margin: float = 0) -> list[int]:
    """Automatic verdicts of the queries of a segment."""
    before, after = (plain.in_order(plain.by_query(rows)) for rows in (CONTROL, TREATMENT))
    queries = dict.fromkeys(members(segment), 1.0)
    found = plain.verdicts(before, after, plain.by_query(JUDGED), queries, N, margin)
    return list(found.values())
