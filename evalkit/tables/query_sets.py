"""Which query set it was: a fingerprint that two evaluations share when their queries are the same.

It says nothing of the file, which may be in another format or order and hold further columns.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from evalkit.tables.readers import Table

__all__ = ["fingerprint_queries"]


def fingerprint_queries(
    query_ids: pa.ChunkedArray, queries: Table | None = None, by: Sequence[str] = ()
) -> dict[str, Any]:
    """Tell one query set from another, whatever file it came in and in whatever order.

    Args:
        query_ids: string[q], the queries under evaluation, sorted.
        queries: the queries file, if there is one; its texts, weights and segments count.
        by: the segment columns.

    Returns:
        `{"fingerprint": "sha256:..." of the whole, "columns": {column: "sha256:..."}}`; the
        columns say what changed when the whole did.

    Example:
        >>> import pyarrow as pa
        >>> one = fingerprint_queries(pa.chunked_array([["q1", "q2"]]))
        >>> one == fingerprint_queries(pa.chunked_array([["q1"], ["q2"]]))
        True
        >>> one["fingerprint"] == fingerprint_queries(pa.chunked_array([["q1"]]))["fingerprint"]
        False
    """
    import narwhals as nw
    import pyarrow.compute as pc

    found = {"query_id": _column_fingerprint(query_ids)}
    if queries is not None:
        names = dict.fromkeys(["query", "weight", *by])
        there = [name for name in names if name in queries.columns and name != "query_id"]
        frame = nw.from_native(queries.relation).select("query_id", *there)
        table = frame.collect(backend="pyarrow").to_native()
        order = pc.index_in(query_ids, value_set=table["query_id"])
        found |= {name: _column_fingerprint(table[name].take(order)) for name in sorted(there)}
    whole = "".join(f"{name}\0{digest}\0" for name, digest in found.items())
    return {
        "fingerprint": "sha256:" + hashlib.sha256(whole.encode()).hexdigest(),
        "columns": found,
    }


def _column_fingerprint(column: pa.ChunkedArray) -> str:
    """Hash values as the texts that every file format writes alike; nothing is an empty text."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
        column = column.cast(pa.float64(), safe=False)
    texts = pa.concat_arrays(pc.fill_null(column.cast(pa.large_string()), "").chunks)
    _, offsets, content = texts.buffers()
    if not len(texts):
        return "sha256:" + hashlib.sha256().hexdigest()
    ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    digest = hashlib.sha256(np.diff(ends).astype("<i8").tobytes())
    if content is not None:
        digest.update(memoryview(content)[ends[0] : ends[-1]])
    return "sha256:" + digest.hexdigest()
