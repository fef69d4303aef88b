"""Graded query–product pairs from the catalogue itself, where people have graded nothing.

The grade of a product is what the catalogue states: 2 when it is of the kind and meets every
condition, 1 when it is of the kind and breaks one, 0 when it is of another kind. A product of
which the catalogue cannot tell gets no grade. A classifier trained on such grades, with
`WEAK_GOOD`, has learnt from texts which kind is asked for, and that is what the checker has decided
already: it is no independent judge, and behind the checker it refuses next to nothing.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evalkit.engines import open_engine
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import say

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pyarrow as pa

    from evalkit.constraints import TypedQuery
    from evalkit.constraints.checking import Checker
    from evalkit.knowledge import Catalogue, CatalogueFiles

__all__ = ["WEAK_GOOD", "label_weakly", "weak_judgments"]

WEAK_GOOD = 1.0
"""Grade from which such a product is good: the conditions are the checker's, the kind is both's."""

_QUERIES = 200


def label_weakly(
    typed_queries: str | os.PathLike[str],
    shop: CatalogueFiles,
    folder: str | os.PathLike[str],
    *,
    seed: int = 0,
    force: bool = False,
    memory_limit: str = "2GB",
) -> tuple[Path, Path]:
    """Write grades that the catalogue states, and their queries; keep those that are there.

    Args:
        typed_queries: the queries, some of which are graded.
        shop: the catalogue's files.
        folder: where `grades.parquet` and `graded-queries.parquet` go.
        seed: of the choices.
        force: make them again in any case.
        memory_limit: for reading.

    Returns:
        The paths of the grades and of their queries.

    Raises:
        InputError: a file cannot be used.
    """
    from evalkit.constraints import read_typed_queries
    from evalkit.constraints.checking import CHECKS, Checker
    from evalkit.constraints.topic import TOPIC
    from evalkit.tables import write

    started = time.monotonic()
    asked, graded = Path(folder) / "graded-queries.parquet", Path(folder) / "grades.parquet"
    wanted = Manifest(
        command="evalkit synthesize all: weak labels",
        settings={
            "queries": _QUERIES,
            "checks": CHECKS,
            "topic": TOPIC,
            "reading": dict(shop.reading),
        },
        inputs=(
            Input("queries", str(typed_queries), fingerprint(typed_queries)),
            *shop.inputs(),
        ),
        seeds={"weak_labels": seed},
    )
    if not force and all(finished_before(path, wanted) for path in (asked, graded)):
        say(f"{graded} is up to date (same queries, catalogue and seed).")
        return graded, asked
    with open_engine(memory_limit) as connection:
        catalogue, graph = shop.open(connection)
        typed = read_typed_queries(typed_queries, connection, catalogue, graph)
        queries, judgments = weak_judgments(
            typed, catalogue, Checker(catalogue, graph), queries=_QUERIES, seed=seed
        )
        write(queries, asked, kind="queries", connection=connection)
        write(judgments, graded, kind="judgments", connection=connection)
    counts = {"queries": queries.num_rows, "judgments": judgments.num_rows}
    for path in (asked, graded):
        replace(wanted, counts=counts).write(path, started=started)
    say(f"Wrote {graded}: {counts['judgments']:,} grades of {counts['queries']:,} queries.")
    return graded, asked


def weak_judgments(
    typed: Sequence[TypedQuery],
    catalogue: Catalogue,
    checker: Checker,
    *,
    queries: int = 400,
    a_grade: int = 3,
    seed: int = 0,
) -> tuple[pa.Table, pa.Table]:
    """Grade a few products of some queries by what the catalogue states.

    Queries are asked by their positive part, and graded without their exclusions and prices,
    since the classifier is asked that way too. Needs and references are left out: their words say
    little.

    Args:
        typed: typed queries.
        catalogue: the products.
        checker: reads what they state.
        queries: how many queries at most.
        a_grade: products of each grade a query, at most.
        seed: of the choices.

    Returns:
        Queries (query_id, query) and judgments (query_id, product_id, grade, source).
    """
    import pyarrow as pa

    from evalkit.constraints import Structure
    from evalkit.constraints.topic import topic

    drawn = random.Random(f"weak-{seed}")  # noqa: S311 - a choice, not a secret
    asked = [query for query in typed if query.structure.query_type in ("general", "negative")]
    asked = sorted(asked, key=lambda query: query.query_id)
    drawn.shuffle(asked)
    texts: list[tuple[str, str]] = []
    rows: list[tuple[str, str, float]] = []
    seen: set[str] = set()
    for query in asked:
        text = topic(query.query, query.structure).strip()
        if not text or text in seen or not query.structure.kinds:
            continue
        seen.add(text)
        # what the text says: it names no exclusion, price or reference
        wanted = Structure("general", query.structure.kinds, query.structure.required)
        verdict = checker.check(wanted).verdict
        kind = checker.check(Structure("general", wanted.kinds)).verdict
        groups = (
            (2.0, np.flatnonzero(verdict == 1)),
            (1.0, np.flatnonzero((verdict == -1) & (kind == 1))),
            (0.0, np.flatnonzero(kind == -1)),
        )
        if not len(groups[0][1]):
            continue
        texts.append((query.query_id, text))
        for grade, numbers in groups:
            some = numbers[_some(drawn, len(numbers), a_grade)]
            rows += [(query.query_id, catalogue.product_ids[number], grade) for number in some]
        if len(texts) == queries:
            break
    return (
        pa.table(
            {
                "query_id": pa.array([row[0] for row in texts], pa.string()),
                "query": pa.array([row[1] for row in texts], pa.string()),
            }
        ),
        pa.table(
            {
                "query_id": pa.array([row[0] for row in rows], pa.string()),
                "product_id": pa.array([row[1] for row in rows], pa.string()),
                "grade": pa.array([row[2] for row in rows], pa.float64()),
                "source": pa.array(["catalogue"] * len(rows), pa.string()),
            }
        ),
    )


def _some(drawn: random.Random, count: int, most: int) -> list[int]:
    return sorted(drawn.sample(range(count), min(count, most)))
