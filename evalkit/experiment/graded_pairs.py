"""Training pairs as graded judgments, for a cross-encoder that learns what the retriever learns.

Grade 2 is a pair, grade 0 a hard negative, and the query is asked in its own words. So a system
that re-ranks has seen the same queries, products and exclusions as the treatment.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import say

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.experiment.folder import Work

__all__ = ["GOOD", "grade_pairs"]

GOOD = 2.0
"""Grade of a pair; a hard negative has 0."""


def grade_pairs(work: Work, data: str, folder: Path) -> tuple[Path, Path]:
    """Write the pairs of training data as judgments, and their queries; keep what is up to date.

    Args:
        work: the experiment.
        data: the training data.
        folder: where `grades.parquet` and `graded-queries.parquet` go.

    Returns:
        The paths of the grades and of their queries.

    Raises:
        InputError: there are no hard negatives, or nothing but them.
    """
    from evalkit.tables import read, write

    started = time.monotonic()
    source = work.pairs(data)
    folder.mkdir(parents=True, exist_ok=True)
    graded, asked = folder / "grades.parquet", folder / "graded-queries.parquet"
    wanted = Manifest(
        command="evalkit run: pairs as grades",
        settings={"good": GOOD},
        inputs=(Input("pairs", str(source), fingerprint(source)),),
    )
    if not work.force and all(finished_before(path, wanted) for path in (asked, graded)):
        say(f"{graded} is up to date (same pairs).")
        return graded, asked
    with open_engine(work.memory_limit) as connection:
        rows = read("pairs", source, connection).relation
        queries = rows.select("query_id, query").distinct().order("query_id").to_arrow_table()
        grades = (
            rows.select(
                f"query_id, product_id, CASE WHEN label = 1 THEN {GOOD} ELSE 0.0 END::DOUBLE "
                "AS grade, 'pairs' AS source"
            )
            .order("query_id, product_id")
            .to_arrow_table()
        )
        if len(grades.column("grade").unique()) < 2:
            raise InputError(
                str(source),
                [Problem("has no hard negatives, or no pairs, and a classifier needs both")],
                remedy="Name training data with filters, and with settings.negatives above 0.",
            )
        write(queries, asked, kind="queries", connection=connection)
        write(grades, graded, kind="judgments", connection=connection)
    counts = {"queries": queries.num_rows, "judgments": grades.num_rows}
    for path in (asked, graded):
        replace(wanted, counts=counts).write(path, started=started)
    say(f"Wrote {graded}: {grades.num_rows:,} graded pairs of {queries.num_rows:,} queries.")
    return graded, asked
