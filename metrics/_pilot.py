"""A pilot's per-query table as columns: one set of numerators and denominators a figure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from metrics._frames import Frames, as_lazy, require_columns
from metrics.errors import MetricsError
from metrics.measures import MEASURES
from metrics.votes import row_codes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from metrics.spread import Test

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["Figure", "Pilot", "collect_pilot"]

_NUMBERS = ("control", "treatment", "delta", "weight_control", "weight_treatment")
_FIGURES = frozenset({"query_id", "measure", "cutoff", "judged_control", "judged_treatment"})
_UNWEIGHTED = (
    "The pilot has no weights (evalkit score --per-query writes them): every query counts alike, "
    "and Item Goodrate is planned as the mean over queries."
)


@dataclass(frozen=True)
class Figure:
    """One measure at one cutoff.

    Attributes:
        measure: its name.
        cutoff: depth or None.
        columns: float64[4, n]: numerators and denominators of the control and of the treatment,
            a query each, by query id.
        known: whether any query has a value.
        test: the test that its p is of.
        cells: every segment with the mask of its queries, overall first.
    """

    measure: str
    cutoff: int | None
    columns: Array
    known: bool
    test: Test
    cells: Sequence[tuple[dict[str, Any], Mask]]

    @property
    def method(self) -> str:
        """What its standard error and test are."""
        if self.test != "swap":
            return "mcnemar" if self.test == "mcnemar" else "sign_test"
        even = np.ptp(self.columns[1::2]) == 0 if self.columns.size else True
        return "paired_t" if even else "delta_method"


@dataclass(frozen=True)
class Pilot:
    """A per-query table, figure by figure in the order of the table.

    Attributes:
        queries: distinct queries.
        figures: every measure at every cutoff.
        warnings: what a reader must know of the table.
        frames: the kind of frame it came in.
    """

    queries: int
    figures: Sequence[Figure]
    warnings: Sequence[str]
    frames: Frames


def collect_pilot(
    per_query: Any, *, measures: Sequence[str], cutoffs: Sequence[int], by: Sequence[str]
) -> Pilot:
    """Collect and check a per-query table.

    Args:
        per_query: frame with `query_id, measure, delta` and optionally `cutoff, control,
            treatment, weight_control, weight_treatment`.
        measures: those wanted; all by default.
        cutoffs: those wanted; all by default. Measures of whole lists have none and stay.
        by: segment columns.

    Raises:
        TypeError: it is not a data frame.
        MetricsError: a column is missing, a value cannot be meant, or nothing is left.
    """
    lazy, frames = as_lazy(per_query, "per-query table")
    there = lazy.collect_schema().names()
    if "delta" not in there and {"system", "value"} <= set(there):
        raise MetricsError(
            "the per-query table is of single runs; a plan needs one of a control and a treatment"
        )
    require_columns(lazy, "per-query table", ["query_id", "measure", "delta", *by])
    taken = [name for name in by if name in _FIGURES or name in _NUMBERS]
    if taken or len(set(by)) < len(by):
        raise MetricsError(
            f"column {taken[0]!r} cannot be a segment: it holds figures"
            if taken
            else f"segments are named twice: {', '.join(by)}"
        )
    table = _collect(lazy, there, by)
    if table.num_rows == 0:
        raise MetricsError("the per-query table is empty")
    measure, names = row_codes(table["measure"])
    depths = np.asarray(table["cutoff"].fill_null(-1).to_numpy(), dtype=np.int64)
    query, ids = row_codes(table["query_id"])
    if (query < 0).any() or (measure < 0).any():
        raise MetricsError("the per-query table holds an empty query_id or measure")
    codes, first = np.unique(np.stack([measure, depths]), axis=1, return_index=True)
    found = [(names[at], int(depth)) for at, depth in codes[:, np.argsort(first)].T]
    wanted = _wanted(found, measures, cutoffs)
    segments = {name: row_codes(table[f"segment_{at}"]) for at, name in enumerate(by)}
    weighted = {"weight_control", "weight_treatment"} <= set(there)
    figures = []
    for name, depth in wanted:
        rows = np.flatnonzero((measure == names.index(name)) & (depths == depth))
        rows = rows[np.argsort(query[rows], kind="stable")]
        again = np.flatnonzero(np.diff(query[rows]) == 0)
        if len(again):
            raise MetricsError(
                f"query {ids[query[rows[again[0]]]]!r} has {name} more than once in the per-query "
                "table"
            )
        columns, known = _columns(table, rows, name, weighted)
        wrong = ~np.isfinite(columns).all(axis=0) | (columns[1::2] < 0).any(axis=0)
        if wrong.any():
            raise MetricsError(
                f"{name} of query {ids[query[rows[int(wrong.argmax())]]]!r} is no finite number, "
                "or its weight is below 0"
            )
        cells = [({}, np.ones(len(rows), dtype=bool)), *_cells(segments, rows)]
        figures.append(
            Figure(name, None if depth < 0 else depth, columns, known, _test(name, columns), cells)
        )
    return Pilot(len(ids), figures, [] if weighted else [_UNWEIGHTED], frames)


def _collect(lazy: nw.LazyFrame[Any], there: Sequence[str], by: Sequence[str]) -> pa.Table:
    schema = lazy.collect_schema()
    for name in (*_NUMBERS, "cutoff"):
        if name in there and not (schema[name].is_numeric() or schema[name] == nw.Unknown):
            raise MetricsError(f"{name} of the per-query table holds no numbers")
    absent = nw.lit(None).cast(nw.Float64)
    numbers = {
        name: nw.col(name).cast(nw.Float64) if name in there else absent for name in _NUMBERS
    }
    depth = nw.col("cutoff") if "cutoff" in there else nw.lit(None)
    texts = {name: nw.col(name).cast(nw.String) for name in ("query_id", "measure")}
    more = {f"segment_{place}": nw.col(name) for place, name in enumerate(by)}
    chosen = lazy.select(**texts, cutoff=depth.cast(nw.Int64), **numbers, **more)
    table: pa.Table = chosen.collect(backend="pyarrow").to_native()
    return table


def _wanted(
    found: Sequence[tuple[str, int]], measures: Sequence[str], cutoffs: Sequence[int]
) -> list[tuple[str, int]]:
    names = list(dict.fromkeys(name for name, _ in found))
    unknown = [name for name in measures if name not in names]
    if unknown:
        raise MetricsError(
            f"the pilot has no measure {unknown[0]!r}; it has: {', '.join(names)}",
            setting="measures",
        )
    depths = sorted({depth for _, depth in found if depth >= 0})
    absent = [depth for depth in cutoffs if depth not in depths]
    if absent:
        raise MetricsError(
            f"the pilot has no cutoff {absent[0]}; it has: {', '.join(map(str, depths)) or 'none'}",
            setting="cutoffs",
        )
    order = {name: place for place, name in enumerate(measures)}
    kept = [
        (name, depth)
        for name, depth in found
        if (not measures or name in order) and (not cutoffs or depth < 0 or depth in cutoffs)
    ]
    return sorted(kept, key=lambda figure: order[figure[0]]) if measures else kept


def _columns(table: pa.Table, rows: NDArray[np.int64], name: str, weighted: bool) -> Any:
    """float64[4, n] of one figure, and whether any query has a value."""
    control, treatment, delta, of_control, of_treatment = (
        np.asarray(table[column].to_numpy(), dtype=np.float64)[rows] for column in _NUMBERS
    )
    known = ~np.isnan(delta)
    if not weighted:
        of_control = of_treatment = known.astype(np.float64)
    there = np.nan_to_num(of_control) > 0, np.nan_to_num(of_treatment) > 0
    sides = name != "gsb" and not any(
        (np.isnan(value) & here).any()
        for value, here in zip((control, treatment), there, strict=True)
    )
    if not sides:
        control, treatment = np.zeros_like(delta), delta
    weights = np.nan_to_num(of_control), np.nan_to_num(of_treatment)
    values = [
        np.where(here, weight * np.where(here, value, 0.0), 0.0)
        for value, weight, here in zip((control, treatment), weights, there, strict=True)
    ]
    return np.stack([values[0], weights[0], values[1], weights[1]]), bool(known.any())


def _test(name: str, columns: Array) -> Test:
    """The exact tests are of unweighted queries whose values are whole: no weights, no ties."""
    kind = MEASURES[name].kind if name in MEASURES else "mean"
    plain = bool(
        np.isin(columns, (-1.0, 0.0, 1.0)).all() and np.array_equal(columns[1], columns[3])
    )
    if not plain or (kind != "share" and name != "gsb"):
        return "swap"
    return "sign" if name == "gsb" else "mcnemar"


def _cells(
    segments: dict[str, tuple[NDArray[np.int64], list[Any]]], rows: NDArray[np.int64]
) -> Iterator[tuple[dict[str, Any], Mask]]:
    for column, (codes, values) in segments.items():
        for code, value in [*enumerate(values), (-1, None)]:
            mask = codes[rows] == code
            if mask.any():
                plain = value.isoformat() if isinstance(value, date) else value
                yield {column: plain}, mask
