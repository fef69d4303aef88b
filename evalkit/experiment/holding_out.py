"""What is reported is not trained on: queries like those of an evaluation are left out.

A set with `held_out` is left out of once, before anything learns from it, so that rewriter,
classifier and pairs all see the same queries. `held_out` of training data guards its pairs alone.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import say

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.experiment.folder import Work

__all__ = ["gather_held_out", "leave_out"]

_FORM = 1  # raised when either table has another form, for manifests


def leave_out(work: Work, name: str, made: Path) -> None:
    """Write a set of queries without those that are like the ones of its held-out sets.

    Args:
        work: the experiment.
        name: of the set.
        made: all of its queries.

    Raises:
        InputError: none is left.
    """
    import pyarrow as pa

    from evalkit.constraints import read_typed_queries
    from evalkit.constraints.parsing_stage import RULES
    from evalkit.synthesis.held_out import GUARD, HeldOut
    from evalkit.tables import read, write

    started = time.monotonic()
    output = work.queries(name)
    sets = work.experiment.queries[name].held_out
    files = [("queries", made), *(("held_out", work.queries(each)) for each in sets)]
    wanted = Manifest(
        command="evalkit run: queries without held-out ones",
        settings={"held_out": list(sets), "guard": GUARD, "rules": RULES, "form": _FORM},
        inputs=(
            *(Input(role, str(path), fingerprint(path)) for role, path in files),
            *work.shop.inputs(),
        ),
    )
    if not work.force and finished_before(output, wanted) is not None:
        say(f"{output} is up to date (same queries and held-out sets).")
        return
    with open_engine(work.memory_limit) as connection:
        catalogue, graph = work.shop.open(connection)
        reported = [
            query
            for each in sets
            for query in read_typed_queries(work.queries(each), connection, catalogue, graph)
        ]
        typed = read_typed_queries(made, connection, catalogue, graph)
        reasons = HeldOut(reported, catalogue, graph).reasons(typed)
        kept = {query.query_id for query, reason in zip(typed, reasons, strict=True) if not reason}
        if not kept:
            raise InputError(
                str(made),
                [Problem(f"every query is like one of {', '.join(sets)}, which are held out")],
                remedy=f"Raise queries.{name}.per_type, or hold out fewer sets.",
            )
        rows = read("queries", made, connection).relation.order("query_id").to_arrow_table()
        ids = rows.column("query_id").to_pylist()
        rows = rows.filter(pa.array([each in kept for each in ids], pa.bool_()))
        write(rows, output, kind="queries", connection=connection)
    counts = {
        "queries": rows.num_rows,
        "left_out": len(typed) - rows.num_rows,
        **{
            f"left_out: {reason}": count
            for reason, count in sorted(Counter(filter(None, reasons)).items())
        },
        **{
            f"left_out of {query_type}": count
            for query_type, count in sorted(
                Counter(
                    query.structure.query_type
                    for query, reason in zip(typed, reasons, strict=True)
                    if reason
                ).items()
            )
        },
    }
    replace(wanted, counts=counts).write(output, started=started)
    say(
        f"Wrote {output}: {rows.num_rows:,} of {len(typed):,} queries; {counts['left_out']:,} are "
        f"like one of {', '.join(sets)} and left out."
    )


def gather_held_out(work: Work, data: str, sets: tuple[str, ...]) -> Path | None:
    """Write the queries of several sets as one table, with the set before their ids.

    Args:
        work: the experiment.
        data: the training data that must not be about them.
        sets: names of the sets.

    Returns:
        The table, or None where there is no set.
    """
    import pyarrow as pa

    from evalkit.tables import read, write

    if not sets:
        return None
    started = time.monotonic()
    output = work.held_out(data)
    files = {name: work.queries(name) for name in sets}
    wanted = Manifest(
        command="evalkit run: held-out queries",
        settings={"sets": list(sets), "form": _FORM},
        inputs=tuple(Input("queries", str(path), fingerprint(path)) for path in files.values()),
    )
    if not work.force and finished_before(output, wanted) is not None:
        return output
    with open_engine(work.memory_limit) as connection:
        parts = []
        for name, path in files.items():
            rows = read("queries", path, connection).relation
            parts.append(
                rows.select(
                    f"'{name}:' || query_id AS query_id, CAST(query AS VARCHAR) AS query, "
                    "CAST(structure AS VARCHAR) AS structure, "
                    "CAST(query_type AS VARCHAR) AS query_type"
                )
                .order("query_id")
                .to_arrow_table()
            )
        table = pa.concat_tables(parts, promote_options="permissive")
        write(table, output, kind="queries", connection=connection)
    replace(wanted, counts={"queries": table.num_rows}).write(output, started=started)
    say(f"Wrote {output}: {table.num_rows:,} queries that must not occur in training.")
    return output
