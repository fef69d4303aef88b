"""The per-query tables of one evaluation, collected, aligned by query and ready for NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metrics.clusters import number_clusters
from metrics.errors import MetricsError
from metrics.goodrate import query_set, sum_judgments, sum_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from metrics.goodrate import Scoring

    Array = NDArray[np.float64]

__all__ = [
    "QuerySet",
    "RunTable",
    "align",
    "between",
    "collect_queries",
    "collect_run",
    "collect_table",
    "query_ranges",
]

Lazy = nw.LazyFrame[Any]

_COUNTS = ("judged_products", "relevant")
_RESERVED = frozenset(
    {"query_id", "measure", "cutoff", "control", "treatment", "delta", "judged_control"}
    | {"judged_treatment", "system", "value", "judged"}
    | {"weight", "weight_control", "weight_treatment"}
)
_PAIRS_A_PART = 1_500_000
_MOST_PARTS = 8


@dataclass(frozen=True)
class QuerySet:
    """The queries under evaluation, sorted by id.

    Attributes:
        ids: query ids.
        source: `queries file` or `judgments`.
        weights: float64[q], ones unless the queries have weights.
        weighted: whether they have.
        segments: values of every segment column that was asked for.
        columns: float64[q] sums of the judgments.
        clusters: int64[q], the family of every query, or None where each is for itself.
    """

    ids: pa.Array
    source: str
    weights: Array
    weighted: bool
    segments: dict[str, list[Any]]
    columns: dict[str, Array]
    clusters: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class RunTable:
    """One run's per-query sums, aligned with a query set.

    Attributes:
        columns: float64[q] each, the judgments' sums included; zero where a run has no results.
        outside: ids of the run's queries that are not in the query set, sorted.
    """

    columns: dict[str, Array]
    outside: list[str] = field(default_factory=list)


def collect_table(frame: Lazy) -> pa.Table:
    """Collect a lazy frame as a PyArrow table."""
    table: pa.Table = frame.collect(backend="pyarrow").to_native()
    return table


def _floats(column: pa.ChunkedArray) -> Array:
    values: Array = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return np.nan_to_num(values, nan=0.0)


def collect_queries(
    graded: Lazy,
    queries: Lazy | None,
    scoring: Scoring,
    measures: frozenset[str],
    by: Sequence[str],
    cluster: str | None = None,
) -> QuerySet:
    """Collect the query set with its judgments' sums, weights, segments and families.

    Raises:
        MetricsError: no queries, a repeated or empty query id, a segment column that is not there,
            or a weight that is not a finite number above zero.
    """
    judged = sum_judgments(graded, scoring.cutoffs, measures)
    if queries is None:
        if by:
            raise MetricsError(
                f"segments ({', '.join(by)}) are columns of queries, and there are no queries",
                setting="queries",
            )
        if cluster is not None:
            raise MetricsError(
                f"families ({cluster}) are a column of queries, and there are no queries",
                setting="queries",
            )
        table, source = collect_table(judged), "judgments"
    else:
        columns = queries.collect_schema().names()
        others = [name for name in (cluster,) if name is not None]
        for name in (*by, *others):
            if name in by and name in _RESERVED:
                raise MetricsError(
                    f"column {name!r} cannot be a segment: that name is taken by the results; "
                    "rename the column"
                )
            if name not in columns:
                raise MetricsError(
                    f"column {name!r} not found in queries; it has: {', '.join(columns)}"
                )
        listed = query_set(graded, queries).select(
            "query_id", *dict.fromkeys([*by, *others, *(["weight"] if "weight" in columns else [])])
        )
        table, source = (
            collect_table(listed.join(judged, on="query_id", how="left")),
            "queries file",
        )
    table = table.sort_by("query_id")
    ids = table["query_id"].combine_chunks()
    if len(ids) == 0:
        raise MetricsError("the query set is empty: there is no query to evaluate")
    if ids.null_count or pc.any(pc.equal(ids, "")).as_py():
        raise MetricsError("queries hold an empty query_id")
    repeated = pc.filter(ids[1:], pc.equal(ids[1:], ids[:-1]))
    if len(repeated):
        raise MetricsError(f"query_id {repeated[0].as_py()!r} stands more than once in queries")
    weighted = "weight" in table.column_names
    weights = np.ones(len(ids))
    if weighted:
        weights = np.asarray(table["weight"].cast(pa.float64()).to_numpy(), dtype=np.float64)
        wrong = ~(np.isfinite(weights) & (weights > 0))
        if wrong.any():
            row = int(wrong.argmax())
            raise MetricsError(
                f"weight of query {ids[row].as_py()!r} must be a finite number above 0, "
                f"not {weights[row]}"
            )
    sums = [name for name in table.column_names if name in _COUNTS or name.startswith("ideal_dcg")]
    return QuerySet(
        ids=ids,
        source=source,
        weights=weights,
        weighted=weighted,
        segments={name: table[name].to_pylist() for name in by},
        columns={name: _floats(table[name]) for name in sums},
        clusters=None if cluster is None else number_clusters(table[cluster].to_pylist()),
    )


def collect_run(
    run: Lazy,
    graded: Lazy,
    queries: QuerySet,
    scoring: Scoring,
    measures: frozenset[str],
    name: str,
) -> RunTable:
    """Collect a run's per-query sums in the query set's order.

    Large inputs are summed a range of query ids at a time, which keeps the sort and the join of
    each range in memory; where one query stands never depends on another.
    """
    tables = []
    for part in query_ranges(queries):
        some_run, some_grades = (between(frame, queries, part) for frame in (run, graded))
        tables.append(collect_table(sum_run(some_run, some_grades, scoring, measures, name)))
    return align(pa.concat_tables(tables), queries)


def query_ranges(queries: QuerySet) -> list[slice]:
    """Cut the query set into ranges that are small enough to be sorted and joined in memory."""
    judged = float(queries.columns["judged_products"].sum())
    count = min(_MOST_PARTS, 1 + int(judged // _PAIRS_A_PART), len(queries))
    ends = [len(queries) * part // count for part in range(count + 1)]
    return [slice(low, high) for low, high in pairwise(ends)]


def between(frame: Lazy, queries: QuerySet, part: slice) -> Lazy:
    """Keep the rows of one range; the first and the last also hold what lies outside the set."""
    query = nw.col("query_id").cast(nw.String)
    if part.start > 0:
        frame = frame.filter(query >= queries.ids[part.start].as_py())
    if part.stop < len(queries):
        frame = frame.filter(query < queries.ids[part.stop].as_py())
    return frame


def align(table: pa.Table, queries: QuerySet) -> RunTable:
    """Put a table with one row a query into the query set's order, zero where it has no row."""
    ids = table["query_id"].combine_chunks().cast(queries.ids.type)
    place = pc.index_in(ids, value_set=queries.ids)
    inside = np.asarray(pc.is_valid(place))
    at = np.asarray(place.drop_null(), dtype=np.int64)
    columns = dict(queries.columns)
    for name in table.column_names:
        if name != "query_id":
            column = np.zeros(len(queries))
            column[at] = _floats(table[name])[inside]
            columns[name] = column
    outside = sorted(pc.filter(ids, pa.array(~inside)).to_pylist())
    return RunTable(columns, outside)
