"""Take out of a run what breaks its query's constraints; see `evalkit.constraints.checking`.

Only products that certainly fail go. What is unknown stays, and so does a product that the
catalogue does not have. Order and scores are kept, ranks are numbered anew, so a run retrieved
deeper than wanted is filled up from below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.constraints import Structure
    from evalkit.constraints.checking import Checker

__all__ = ["filter_run"]


def filter_run(
    run: Any, structures: Mapping[str, Structure], checker: Checker, k: int
) -> tuple[Any, dict[str, int]]:
    """Return a run without the products that fail, and counts.

    Args:
        run: a `pyarrow.Table` with the columns of a run; every query's rows stand together, in
            the order of their ranks.
        structures: what each query asks for, by query_id; a query without one is not filtered.
        checker: of the catalogue that the run was retrieved from.
        k: products a query at most.

    Returns:
        The run, and how many rows passed, were unknown, failed (taken out), or could not be
        checked (no structure, or no such product): `passed`, `unknown`, `failed`, `unchecked`.
        Rows below the k-th are counted too; `rows` is what is left.
    """
    import pyarrow as pa

    rows = run.num_rows
    queries = run.column("query_id").combine_chunks().dictionary_encode()
    codes = np.asarray(queries.indices, dtype=np.int64)
    names = queries.dictionary.to_pylist()
    numbers = checker.catalogue.numbers_of(run.column("product_id").to_pylist())
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    ends = np.append(starts[1:], rows)[: len(starts)]
    verdict = np.zeros(rows, dtype=np.int8)
    checked = np.zeros(rows, dtype=np.bool_)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        structure = structures.get(names[codes[start]])
        if structure is None:
            continue
        known = start + np.flatnonzero(numbers[start:end] >= 0)
        verdict[known] = checker.check(structure, numbers[known]).verdict
        checked[known] = True
    kept = np.flatnonzero(verdict >= 0)
    first = np.flatnonzero(np.diff(codes[kept], prepend=-1))
    sizes = np.diff(first, append=len(kept))
    rank = np.arange(len(kept)) - np.repeat(first, sizes) + 1
    kept, rank = kept[rank <= k], rank[rank <= k]
    result = run.take(pa.array(kept))
    place = result.column_names.index("rank")
    kind = result.schema.field("rank").type
    result = result.set_column(place, "rank", pa.array(rank).cast(kind))
    return result, {
        "passed": int((checked & (verdict == 1)).sum()),
        "unknown": int((checked & (verdict == 0)).sum()),
        "failed": int((verdict == -1).sum()),
        "unchecked": int((~checked).sum()),
        "rows": result.num_rows,
    }
