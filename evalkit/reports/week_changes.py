"""How far the value of a run moved from one week to another, over the same queries.

From the values of every query that were recorded with both weeks, so only where query set, judge
and settings are the same (see `comparable.changes`). The queries are the sampling units, and the
two weeks are paired by query as two runs are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports.score_document import segment_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["week_change"]

_SHARES = ("query_goodrate", "success")


def week_change(
    before: pa.Table,
    after: pa.Table,
    *,
    measure: str,
    cutoff: int | None,
    segment: Mapping[str, Any],
    of: str,
    system: str | None = None,
) -> dict[str, Any] | None:
    """Estimate the change of a run's value, with its 95% interval.

    A value is Σ weight·value / Σ weight over the queries. The interval is that of a paired
    difference of ratios (`metrics.inference.paired_ratio_interval`); of shares of queries without
    weights Tango's.

    Args:
        before: values of every query of the earlier week, as `evalkit score` records them.
        after: those of the later week.
        measure: name of the measure.
        cutoff: depth, None for measures of whole lists.
        segment: {} overall, otherwise {column: value}.
        of: `control`, `treatment`, `delta` (of GSB, which is its own value) or `value`.
        system: name of a single run, for `value`.

    Returns:
        `value` (after − before, a fraction), `ci_low`, `ci_high`, `queries`; None where the two do
        not have the figure for the same queries, or pages of other queries were graded.
    """
    import numpy as np
    import pyarrow as pa

    sides = []
    for table in (before, after):
        weight = {"value": "weight", "delta": "weight_treatment"}.get(of, f"weight_{of}")
        rows = _rows(table, measure, cutoff, segment, system)
        if rows is None or weight not in rows.column_names:
            return None
        rows = rows.sort_by("query_id")
        ids = pa.chunked_array(rows["query_id"].chunks, pa.string())
        sides.append((ids, _floats(rows[of]), _floats(rows[weight])))
    (ids, old, old_weight), (new_ids, new, new_weight) = sides
    if not ids.equals(new_ids) or not len(ids):
        return None
    from_pages = measure == "query_goodrate" and cutoff is None
    if from_pages and not np.array_equal(old_weight > 0, new_weight > 0):
        return None
    return _estimate(old, old_weight, new, new_weight, share=measure in _SHARES)


def _rows(
    table: pa.Table,
    measure: str,
    cutoff: int | None,
    segment: Mapping[str, Any],
    system: str | None,
) -> pa.Table | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    keep = pc.equal(table["measure"], measure)
    if cutoff is None:
        keep = pc.and_(keep, pc.is_null(table["cutoff"]))
    else:
        keep = pc.and_(keep, pc.fill_null(pc.equal(table["cutoff"], cutoff), False))
    if system is not None:
        keep = pc.and_(keep, pc.equal(table["system"], system))
    for column, value in segment.items():
        if column not in table.column_names:
            return None
        names = [segment_name(each) for each in table[column].to_pylist()]
        keep = pc.and_(keep, pc.equal(pa.array(names, pa.string()), segment_name(value)))
    return table.filter(keep)


def _floats(column: pa.ChunkedArray) -> Array:
    import numpy as np
    import pyarrow as pa

    values: Array = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return values


def _estimate(
    old: Array, old_weight: Array, new: Array, new_weight: Array, *, share: bool
) -> dict[str, Any] | None:
    import numpy as np

    from metrics.inference import paired_ratio_interval
    from metrics.proportions import tango_interval

    if np.isnan(old_weight).any() or np.isnan(new_weight).any():
        return None  # the measure was not computed
    # a query without a value weighs nothing
    old, new = np.nan_to_num(old), np.nan_to_num(new)
    found = paired_ratio_interval(old * old_weight, old_weight, new * new_weight, new_weight)
    if found is None:
        return None
    interval, queries = found.interval, len(old)
    counted = old_weight > 0
    plain = np.array_equal(old_weight, new_weight) and np.isin(old_weight, (0, 1)).all()
    if share and plain and np.isin(np.concatenate([old, new]), (0, 1)).all():
        gained, lost = (int((each & counted).sum()) for each in (new > old, new < old))
        queries = int(counted.sum())
        interval = tango_interval(gained, lost, queries)
    return {
        "value": found.value,
        "ci_low": None if interval is None else interval.low,
        "ci_high": None if interval is None else interval.high,
        "queries": queries,
    }
