"""The stage behind `evalkit fuse`: several runs become one.

Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): score = Σ w / (rrf_k + rank), over the
runs that have the product. Weighted sum: score = Σ w · s, with s the run's score, by default
brought to [0, 1] within each query (min–max; all equal gives 1). A run that lacks the product
adds nothing. Weights are 1 where none are given.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalkit.engines import open_engine
from evalkit.errors import InputError, Problem, SettingsError
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import say

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.tables import Table

__all__ = ["RRF_K", "FusionMethod", "Normalisation", "fuse_lists", "fuse_runs", "fuse_tables",
           "reciprocal_rank"]  # fmt: skip

RRF_K = 60.0
"""How alike reciprocal ranks count; the value of Cormack, Clarke and Büttcher."""

FusionMethod = Literal["rrf", "weighted"]
Normalisation = Literal["minmax", "none"]


def fuse_runs(
    runs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    method: FusionMethod = "rrf",
    rrf_k: float = RRF_K,
    weights: Sequence[float] | None = None,
    normalise: Normalisation = "minmax",
    k: int = 100,
    system: str | None = None,
    reading: Mapping[str, Any] | None = None,
    format: str | None = None,  # noqa: A002 - the name that tables.write has
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
) -> Manifest:
    """Fuse runs and write the result; see the module for the formulas.

    Args:
        runs: two or more runs, in any format.
        output: the run to write.
        method: `rrf` or `weighted`.
        rrf_k: of reciprocal rank fusion, 0 or more; larger values make ranks count more alike.
        weights: one for each run, positive; None weighs all alike.
        normalise: of the scores of `weighted`.
        k: products a query at most.
        system: name of the system in the run; None takes the method.
        reading: keyword arguments of `evalkit.tables.read`.
        format: of the fused run.
        force: fuse again in any case.
        memory_limit: for reading and joining.
        threads: of DuckDB.

    Raises:
        InputError: a run cannot be used.
        SettingsError: settings that do not fit.
    """
    from evalkit.tables import read, write

    started = time.monotonic()
    chosen = _checked_weights(len(runs), weights)
    if k < 1:
        raise SettingsError(f"--k is {k}; it must be 1 or more.")
    if not (math.isfinite(rrf_k) and rrf_k >= 0):
        raise SettingsError(f"--rrf-k is {rrf_k}; it must be 0 or more.")
    target = Path(output)
    wanted = Manifest(
        command="evalkit fuse",
        settings={
            "method": method,
            "rrf_k": rrf_k,
            "weights": chosen,
            "normalise": normalise,
            "k": k,
            "system": system,
            "reading": dict(reading or {}),
            "format": format,
        },
        inputs=tuple(Input("run", str(path), fingerprint(path)) for path in runs),
    )
    done = None if force else finished_before(target, wanted)
    if done is not None:
        say(f"{target} is up to date (same runs and settings); --force makes it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        tables = [read("run", path, connection, **(reading or {})) for path in runs]
        fused = fuse_tables(
            tables,
            connection,
            method=method,
            rrf_k=rrf_k,
            weights=chosen,
            normalise=normalise,
            k=k,
            system=system,
        )
        queries = len(fused.column("query_id").unique())
        target.parent.mkdir(parents=True, exist_ok=True)
        write(fused, target, kind="run", format=format, connection=connection)
    finished = Manifest(
        wanted.command,
        wanted.settings,
        tuple(Input("run", table.path, table.fingerprint, table.rows) for table in tables),
        counts={"queries": queries, "rows": fused.num_rows},
    )
    finished.write(target, started=started)
    say(f"Wrote {target}: {fused.num_rows:,} rows for {queries:,} queries from {len(runs)} runs.")
    return finished


def fuse_tables(
    tables: Sequence[Table],
    connection: DuckDBPyConnection,
    *,
    method: FusionMethod = "rrf",
    rrf_k: float = RRF_K,
    weights: Sequence[float] | None = None,
    normalise: Normalisation = "minmax",
    k: int = 100,
    system: str | None = None,
) -> Any:
    """Return the fused run as a `pyarrow.Table`: query_id, product_id, rank, score, system.

    The order of a run is its rank where it has one, else its score (ties by product_id
    descending); ranks are counted anew from it.

    Raises:
        InputError: the weighted sum needs scores and a run has none.
    """
    chosen = _checked_weights(len(tables), weights)
    parts = []
    for number, (table, weight) in enumerate(zip(tables, chosen, strict=True)):
        view = f"evalkit_fusion_input_{number}"
        table.relation.create_view(view, replace=True)
        value = _reciprocal_rank(table, rrf_k) if method == "rrf" else _share(table, normalise)
        # Cast, since a literal with a point is a decimal in SQL.
        parts.append(
            f"SELECT query_id, product_id, CAST({weight!r} AS DOUBLE) * ({value}) AS part "
            f"FROM {view}"
        )
    return _add_up(connection, " UNION ALL ".join(parts), k, system or method)


def fuse_lists(lists: pa.Table, connection: DuckDBPyConnection, k: int, system: str) -> pa.Table:
    """Fuse several lists of one query, as different texts find them, by reciprocal ranks.

    Args:
        lists: query_id, product_id and rank (from 1 in each list), a row for each time that a list
            of the query has the product.
        connection: does the adding.
        k: products a query at most.
        system: name of the system in the run.

    Returns:
        query_id, product_id, rank, score, system, by query_id and rank.
    """
    connection.register("evalkit_fusion_lists", lists)
    try:
        part = reciprocal_rank("rank")
        parts = f"SELECT query_id, product_id, {part} AS part FROM evalkit_fusion_lists"
        return _add_up(connection, parts, k, system)
    finally:
        connection.unregister("evalkit_fusion_lists")


def _add_up(connection: DuckDBPyConnection, parts: str, k: int, system: str) -> pa.Table:
    """Add the parts of each product; `parts` is SQL that gives query_id, product_id and part."""
    # Parts are added in order of size: the same parts give the same sum, whichever run they
    # come from, and so a true tie stays a tie.
    return connection.execute(
        f"""
        WITH parts AS ({parts}),
        sums AS (
            SELECT query_id, product_id, list_sum(list_sort(list(part))) AS score
            FROM parts GROUP BY query_id, product_id
        ),
        ranked AS (
            SELECT query_id, product_id, score, row_number() OVER (
                PARTITION BY query_id ORDER BY score DESC, product_id DESC
            ) AS rank
            FROM sums
        )
        SELECT query_id, product_id, CAST(rank AS INTEGER) AS rank, score, ? AS system
        FROM ranked WHERE rank <= ? ORDER BY query_id, rank
        """,
        [system, k],
    ).to_arrow_table()


def reciprocal_rank(rank: str, rrf_k: float = RRF_K) -> str:
    """Return SQL of what a place in one list adds to a product's score.

    Args:
        rank: SQL of the place, from 1.
        rrf_k: how alike ranks count.

    Example:
        >>> reciprocal_rank("rank")
        '1.0::DOUBLE / (CAST(60.0 AS DOUBLE) + rank)'
    """
    return f"1.0::DOUBLE / (CAST({rrf_k!r} AS DOUBLE) + {rank})"


def _reciprocal_rank(table: Table, rrf_k: float) -> str:
    order = "rank" if "rank" in table.columns else "score DESC, product_id DESC"
    place = f"row_number() OVER (PARTITION BY query_id ORDER BY {order})"
    return reciprocal_rank(place, rrf_k)


def _share(table: Table, normalise: Normalisation) -> str:
    if "score" not in table.columns:
        raise InputError(
            table.path,
            [Problem("the weighted sum needs scores, and the run has no column score")],
            remedy="Use --method rrf, which needs only the order.",
        )
    if normalise == "none":
        return "score"
    low = "min(score) OVER (PARTITION BY query_id)"
    high = "max(score) OVER (PARTITION BY query_id)"
    return f"CASE WHEN {high} > {low} THEN (score - {low}) / ({high} - {low}) ELSE 1.0 END"


def _checked_weights(runs: int, weights: Sequence[float] | None) -> list[float]:
    if runs < 2:
        raise SettingsError(f"Fusion needs two runs or more; there is {runs}.")
    if weights is None:
        return [1.0] * runs
    chosen = [float(weight) for weight in weights]
    if len(chosen) != runs:
        raise SettingsError(
            f"--weights has {len(chosen)} values for {runs} runs; give one for each, in order."
        )
    if not all(math.isfinite(weight) and weight > 0 for weight in chosen):
        raise SettingsError("--weights must be positive numbers.")
    return chosen
