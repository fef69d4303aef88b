"""Votes and per-query differences of measures, put side by side query by query."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from metrics._frames import as_lazy, require_columns
from metrics._text import figure_name
from metrics.aggregation import majority_verdicts
from metrics.association import snapped
from metrics.errors import MetricsError
from metrics.measures import MEASURES
from metrics.votes import collect_votes, row_codes, tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from metrics._frames import Frames
    from metrics.votes import Votes

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]
    Figure = tuple[str, int | None]

__all__ = ["Points", "collect_points"]

_TAKEN = frozenset(
    {"query_id", "measure", "cutoff", "delta", "preference", "votes", "good", "same", "bad"}
    | {"verdict", "automated", "control", "treatment", "annotator"}
)
_NAMED = 3  # queries that a message names


@dataclass(frozen=True)
class Points:
    """The queries on which both sides have something to say, sorted by id.

    Attributes:
        queries: query ids: those with counted votes and a Δ of at least one figure.
        human: float64[queries], mean preference.
        counts: `votes`, `good`, `same`, `bad` of every query, int64[queries] each.
        verdict: int64[queries], of the majority: 1 Good, 0 Same, −1 Bad.
        segments: per segment column a value for every query.
        figures: measures with their cutoffs.
        delta: float64[figures, queries], NaN where unknown.
        said: what the votes are: `votes`, `queries`, `annotators`, `automatic`, `scale`.
        left_out: votes that enter no figure, by reason.
        warnings: queries of which only one side is known, in sentences.
        frames: the kind of frame that the votes came in.
    """

    queries: list[str]
    human: Floats
    counts: dict[str, Ints]
    verdict: Ints
    segments: dict[str, list[Any]]
    figures: list[Figure]
    delta: Floats
    said: dict[str, Any]
    left_out: dict[str, int]
    warnings: list[str]
    frames: Frames

    def cells(self) -> Iterator[tuple[dict[str, Any], Mask]]:
        """Every segment with the mask of its queries, overall first."""
        yield {}, np.ones(len(self.queries), dtype=bool)
        for column, values in self.segments.items():
            codes, found = row_codes(pa.chunked_array([pa.array(values)]))
            for place, value in [*enumerate(found), (-1, None)]:
                here = codes == place
                if here.any():
                    yield {column: value}, here


def collect_points(
    votes: Any,
    per_query: Any,
    by: Sequence[str],
    measures: Sequence[str] | None,
    cutoffs: Sequence[int] | None,
) -> Points:
    """Collect, check and align both tables.

    Raises:
        TypeError: one is not a data frame.
        MetricsError: a column is missing, a value cannot be meant, or the tables share no query.
    """
    lazy, _ = as_lazy(per_query, "the per-query table")
    there = lazy.collect_schema().names()
    if "delta" not in there and "value" in there:
        raise MetricsError(
            "the per-query table is of single runs and has no delta; score control and treatment "
            "together"
        )
    require_columns(lazy, "the per-query table", ["query_id", "measure", "delta"])
    taken = [name for name in by if name in _TAKEN]
    if taken or len(set(by)) < len(by):
        raise MetricsError(
            f"column {taken[0]!r} cannot be a segment: that name is taken; rename the column"
            if taken
            else f"segments are named twice: {', '.join(by)}",
            setting="by",
        )
    automated_by = [name for name in by if name in there]
    collected, frames = collect_votes(votes, [name for name in by if name not in there])
    table = _Automated.read(lazy, there, automated_by)
    figures = _chosen(table.figures, measures, cutoffs)
    counts = tally(collected)
    voted = counts.votes > 0
    if not voted.any():
        raise MetricsError("no vote of a person counts, so there is nothing to compare with")

    place = {query: at for at, query in enumerate(table.queries)}
    known = np.array([place.get(query, -1) for query in collected.queries], dtype=np.int64)
    values = np.stack([table.delta[table.figures.index(figure)] for figure in figures])
    delta = np.where(known >= 0, values[:, known], np.nan)
    shared = voted & ~np.isnan(delta).all(axis=0)
    if not shared.any():
        _refuse_strangers(collected, voted, table)
    at = np.flatnonzero(shared)
    segments = {
        name: [(table.segments if name in table.segments else collected.segments)[name][row]
               for row in (known[at] if name in table.segments else at)]
        for name in by
    }  # fmt: skip
    return Points(
        queries=[collected.queries[row] for row in at],
        human=snapped(counts.mean_preference[at]),
        counts={
            name: getattr(counts, name)[at].astype(np.int64)
            for name in ("votes", "good", "same", "bad")
        },
        verdict=majority_verdicts(counts)[at],
        segments=segments,
        figures=figures,
        delta=np.stack([_snapped_known(row) for row in delta[:, at]]),
        said=_said(collected, voted),
        left_out=collected.left_out,
        warnings=_warnings(collected, voted, shared, table),
        frames=frames,
    )


@dataclass(frozen=True)
class _Automated:
    """A per-query table as arrays: delta is float64[figures, queries], NaN where unknown."""

    queries: list[str]
    figures: list[Figure]
    delta: Floats
    segments: dict[str, list[Any]]

    @classmethod
    def read(cls, lazy: nw.LazyFrame[Any], there: Sequence[str], by: Sequence[str]) -> _Automated:
        schema = lazy.collect_schema()
        for name in ("delta", "cutoff"):
            numeric = name in there and schema[name].is_numeric()
            if name in there and not numeric and _any(lazy.filter(~nw.col(name).is_null())):
                raise MetricsError(f"{name} of the per-query table holds no numbers")
        texts = {name: nw.col(name).cast(nw.String) for name in ("query_id", "measure")}
        numbers = {
            name: nw.col(name).cast(nw.Float64) for name in ("delta", "cutoff") if name in there
        }
        more = {f"segment_{at}": nw.col(name) for at, name in enumerate(by)}
        table: pa.Table = (
            lazy.select(**texts, **numbers, **more).collect(backend="pyarrow").to_native()
        )
        if table.num_rows == 0:
            raise MetricsError("the per-query table has no rows")
        query, queries = row_codes(table["query_id"])
        measure, measures = row_codes(table["measure"])
        for name, codes in (("query_id", query), ("measure", measure)):
            if (codes < 0).any():
                raise MetricsError(f"the per-query table holds an empty {name}")
        cutoff = _column(table, "cutoff")
        value = _column(table, "delta")

        def where(row: int) -> str:
            named = "" if np.isnan(cutoff[row]) else f"@{cutoff[row]:g}"
            return f"query {queries[query[row]]!r}, {measures[measure[row]]}{named}"

        strange = ~np.isnan(cutoff) & ((cutoff < 1) | (cutoff != np.floor(cutoff)))
        if strange.any():
            row = int(strange.argmax())
            raise MetricsError(f"{where(row)}: a cutoff is a whole number from 1 up")
        if np.isinf(value).any():
            raise MetricsError(f"{where(int(np.isinf(value).argmax()))}: delta is not finite")
        depth = np.nan_to_num(cutoff, nan=0).astype(np.int64)
        pairs, figure = np.unique(np.stack([measure, depth]), axis=1, return_inverse=True)
        cell = figure.reshape(-1) * len(queries) + query
        order = np.argsort(cell, kind="stable")
        again = cell[order[1:]] == cell[order[:-1]]
        if again.any():
            raise MetricsError(
                f"the per-query table has {where(int(order[int(again.argmax())]))} twice; keep "
                "those of one evaluation"
            )
        delta = np.full(pairs.shape[1] * len(queries), np.nan)
        delta[cell] = value
        return cls(
            queries=queries,
            figures=[(measures[name], int(depth) or None) for name, depth in pairs.T],
            delta=delta.reshape(pairs.shape[1], len(queries)),
            segments={
                name: _of_queries(table[f"segment_{at}"], name, query, queries)
                for at, name in enumerate(by)
            },
        )


def _any(lazy: nw.LazyFrame[Any]) -> bool:
    return bool(len(lazy.head(1).collect(backend="pyarrow")))


def _column(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=np.float64)


def _plain(value: Any) -> Any:
    """A segment's value as JSON can hold it."""
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _of_queries(column: pa.ChunkedArray, name: str, query: Ints, queries: list[str]) -> list[Any]:
    """The one value that every query has in a segment column."""
    codes, values = row_codes(column)
    found = np.full(len(queries), -1, dtype=np.int64)
    found[query] = codes
    differ = found[query] != codes
    if differ.any():
        raise MetricsError(
            f"query {queries[query[int(differ.argmax())]]!r} has several values of {name!r}; a "
            "segment is a property of the query"
        )
    plain = [*map(_plain, values), None]
    return [plain[code] for code in found]


def _chosen(
    there: list[Figure], measures: Sequence[str] | None, cutoffs: Sequence[int] | None
) -> list[Figure]:
    """Figures in the order asked for, otherwise in that of the measures; cutoffs ascending."""
    names = [name for name, _ in there]
    depths = sorted({cutoff for _, cutoff in there if cutoff is not None})
    for given, known, setting in ((measures, names, "measures"), (cutoffs, depths, "cutoffs")):
        strange = [value for value in given or () if value not in known]
        if strange or (given is not None and not given):
            asked = f"{setting[:-1]} {strange[0]!r}" if strange else f"no {setting[:-1]}"
            raise MetricsError(
                f"{asked} is {'not in the per-query table' if strange else 'asked for'}; it has: "
                f"{', '.join(map(str, dict.fromkeys(known))) or 'none'}",
                setting=setting,
            )
    ranked = list(measures or [*MEASURES, *sorted(set(names) - set(MEASURES))])
    # measures of whole lists have no cutoff to choose
    deep = list(cutoffs) if cutoffs is not None else depths
    wanted: list[Figure] = [(name, cutoff) for name in ranked for cutoff in [*deep, None]]
    found = [figure for figure in dict.fromkeys(wanted) if figure in there]
    if not found:
        raise MetricsError(
            "none of the measures asked for has one of the cutoffs; there are: "
            f"{', '.join(figure_name(*figure) for figure in there)}",
            setting="cutoffs",
        )
    return found


def _snapped_known(values: Floats) -> Floats:
    found = values.copy()
    known = ~np.isnan(values)
    found[known] = snapped(values[known])
    return found


def _said(votes: Votes, voted: Mask) -> dict[str, Any]:
    return {
        "votes": int(votes.counted.sum()),
        "queries": int(voted.sum()),
        "annotators": len(np.unique(votes.annotator[votes.counted])),
        "automatic": int(votes.automatic.sum()),
        "scale": 5 if (np.abs(votes.preference[votes.counted]) > 1).any() else 3,
    }


def _refuse_strangers(votes: Votes, voted: Mask, table: _Automated) -> None:
    ours = _some([votes.queries[at] for at in np.flatnonzero(voted)])
    theirs = _some(table.queries)
    if set(table.queries) & {votes.queries[at] for at in np.flatnonzero(voted)}:
        raise MetricsError("no query with votes has a Δ of the measures asked for")
    raise MetricsError(
        f"votes and per-query table share no query: people voted on {ours}, the table has "
        f"{theirs}; are they of the same query set?"
    )


def _some(queries: Sequence[str]) -> str:
    named = ", ".join(repr(query) for query in queries[:_NAMED])
    return f"{named}{', …' if len(queries) > _NAMED else ''}"


def _warnings(votes: Votes, voted: Mask, shared: Mask, table: _Automated) -> list[str]:
    def count(queries: Sequence[str], verb: str) -> str:
        one = len(queries) == 1
        return f"{len(queries):,} {'query has' if one else 'queries have'} {verb}"

    def named(mask: Mask) -> list[str]:
        return [votes.queries[at] for at in np.flatnonzero(mask)]

    warnings = []
    same_lists = named(votes.automatic)
    if same_lists:
        warnings.append(
            f"{count(same_lists, 'identical lists')} and so no vote of a person: left out."
        )
    real = np.zeros(len(votes.queries), dtype=bool)
    real[votes.query[votes.is_kind("real")]] = True
    lost = named(real & ~voted)
    if lost:
        warnings.append(f"{count(lost, 'votes, but none that counts')}: left out.")
    alone = named(voted & ~shared)
    if alone:
        warnings.append(f"{count(alone, 'votes, but no Δ')} ({_some(alone)}): left out.")
    silent = sorted(set(table.queries) - {*named(voted), *same_lists, *lost})
    if silent:
        warnings.append(f"{count(silent, 'a Δ, but no votes')} ({_some(silent)}): left out.")
    return warnings
