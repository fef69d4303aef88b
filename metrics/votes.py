"""People's votes, checked and ready for NumPy: which of them count, and what each query got.

A vote is a preference for the treatment: 2 or 1 (Good), 0 (Same), −1 or −2 (Bad). Every figure
from votes starts here, so that all of them count the same votes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from metrics._frames import Frames, as_lazy, require_columns
from metrics.errors import MetricsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["KINDS", "LEFT_OUT", "Tally", "Votes", "collect_votes", "row_codes", "tally"]

KINDS = ("real", "gold", "twin", "practice", "automatic")
LEFT_OUT = ("gold", "twin", "practice", "set_aside", "surplus")

_REQUIRED = ("query_id", "annotator", "preference")
_TEXTS = ("treatment_side", "kind", "task_id", "twin_of", "study")
_FLAGS = {"both_bad": False, "set_aside": False, "counts": True}
_NUMBERS = ("position", "gold_preference", "seconds", "revision")
_SIDES = {"left": -1, "right": 1}
# names that the results give to what they hold of a query
_RESERVED = frozenset(
    {*_REQUIRED, *_FLAGS, *_NUMBERS, "automatic", "votes", "good", "same", "bad", "mean_sign"}
    | {"mean_preference", "verdict", "p_bad", "p_same", "p_good"}
)


@dataclass(frozen=True)
class Votes:
    """All rows of a votes table, sorted, and which of them count.

    Attributes:
        queries: query ids, sorted.
        annotators: annotators, sorted.
        query: int64[rows], place in `queries`.
        annotator: int64[rows], place in `annotators`, −1 for none.
        preference: float64[rows], −2 to 2.
        sign: int64[rows], −1, 0 or 1.
        both_bad: bool[rows].
        side: int64[rows], where the treatment stood: −1 left, 1 right, 0 unknown.
        kind: int64[rows], place in `KINDS`.
        counted: bool[rows], people's votes that enter the figures.
        set_aside: bool[rows], real votes that were set aside.
        surplus: bool[rows], real votes that are superseded or beyond the overlap.
        live: bool[rows], neither superseded nor surplus; also gold, twins and set-aside votes.
        seconds: float64[rows], NaN where unknown and for an answer that replaces another: putting
            one right takes less than reading the lists did.
        gold: float64[rows], the expected preference, NaN where there is none.
        task: int64[rows], code of the task, −1 for none.
        twin_of: int64[rows], code of the task that was shown before, −1 for none.
        automatic: bool[queries], identical lists.
        position: float64[queries], place in the serving order, NaN where unknown.
        segments: per segment column a value for every query.
    """

    queries: list[str]
    annotators: list[str]
    query: Ints
    annotator: Ints
    preference: Floats
    sign: Ints
    both_bad: Mask
    side: Ints
    kind: Ints
    counted: Mask
    set_aside: Mask
    surplus: Mask
    live: Mask
    seconds: Floats
    gold: Floats
    task: Ints
    twin_of: Ints
    automatic: Mask
    position: Floats
    segments: dict[str, list[Any]]

    def is_kind(self, name: str) -> Mask:
        """bool[rows], the rows of a kind."""
        found: Mask = self.kind == KINDS.index(name)
        return found

    @property
    def present(self) -> Mask:
        """bool[queries], those that enter the figures: with a counted vote, or automatic."""
        found: Mask = self.automatic.copy()
        found[self.query[self.counted]] = True
        return found

    @property
    def left_out(self) -> dict[str, int]:
        """Rows that enter no figure, by reason."""
        masks = [self.is_kind(name) for name in LEFT_OUT[:3]] + [self.set_aside, self.surplus]
        return {
            name: int(mask.sum()) for name, mask in zip(LEFT_OUT, masks, strict=True) if mask.any()
        }

    def cells(self) -> Iterator[tuple[dict[str, Any], Mask]]:
        """Every segment with the mask of its queries, overall first."""
        yield {}, np.ones(len(self.queries), dtype=bool)
        shown = self.present
        for column, values in self.segments.items():
            cells = np.empty(len(values), dtype=object)
            cells[:] = values
            there = {value for value, known in zip(values, shown, strict=True) if known}
            for value in sorted(there, key=_order):
                yield {column: value}, np.array([cell == value for cell in cells], dtype=bool)


@dataclass(frozen=True)
class Tally:
    """What every query got, float64[queries] each; zeros where nothing counts.

    Attributes:
        votes: counted votes.
        good: those for the treatment.
        same: those for neither.
        bad: those for the control.
        both_bad: those that called both bad.
        preference: sum of the preferences.
    """

    votes: Floats
    good: Floats
    same: Floats
    bad: Floats
    both_bad: Floats
    preference: Floats

    @property
    def mean_sign(self) -> Floats:
        """(G_q − B_q)/votes, 0 without votes."""
        return (self.good - self.bad) / np.maximum(self.votes, 1)

    @property
    def mean_preference(self) -> Floats:
        """Mean preference of the query's votes, 0 without votes."""
        return self.preference / np.maximum(self.votes, 1)


def tally(votes: Votes) -> Tally:
    """Count the votes of every query."""
    query, sign = votes.query[votes.counted], votes.sign[votes.counted]
    size = len(votes.queries)

    def count(rows: Mask) -> Floats:
        return np.bincount(query[rows], minlength=size).astype(np.float64)

    return Tally(
        votes=np.bincount(query, minlength=size).astype(np.float64),
        good=count(sign > 0),
        same=count(sign == 0),
        bad=count(sign < 0),
        both_bad=count(votes.both_bad[votes.counted]),
        preference=np.bincount(query, votes.preference[votes.counted], size).astype(np.float64),
    )


def collect_votes(votes: Any, by: Sequence[str] = ()) -> tuple[Votes, Frames]:
    """Collect and check a votes table.

    Args:
        votes: frame with `query_id, annotator, preference` and the optional columns of a votes
            table.
        by: segment columns.

    Returns:
        The votes, and the kind of frame they came in.

    Raises:
        TypeError: it is not a data frame.
        MetricsError: a column is missing or a value cannot be meant; the message says where.
    """
    lazy, frames = as_lazy(votes, "votes")
    there = require_columns(lazy, "votes", [*_REQUIRED, *by])
    taken = [name for name in by if name in _RESERVED]
    if taken or len(set(by)) < len(by):
        raise MetricsError(
            f"column {taken[0]!r} cannot be a segment: that name is taken; rename the column"
            if taken
            else f"segments are named twice: {', '.join(by)}"
        )
    if not lazy.collect_schema()["preference"].is_numeric():
        raise MetricsError(
            "preference holds no numbers; write 1 where the treatment is better, 0 for the same "
            "and -1 where the control is (2 and -2 for much better)"
        )
    table = _collect(lazy, there, by)
    if table.num_rows == 0:
        raise MetricsError("there are no votes")
    return _arrays(table, by), frames


def _collect(lazy: nw.LazyFrame[Any], there: Sequence[str], by: Sequence[str]) -> pa.Table:
    texts = [name for name in ("query_id", "annotator", *_TEXTS) if name in there]
    numbers = [name for name in ("preference", *_NUMBERS) if name in there]
    chosen = {
        **{name: nw.col(name).cast(nw.String) for name in texts},
        **{name: nw.col(name).cast(nw.Float64) for name in numbers},
        **{name: nw.col(name).cast(nw.Boolean) for name in _FLAGS if name in there},
    }
    more = {f"segment_{place}": nw.col(name) for place, name in enumerate(by)}
    table: pa.Table = lazy.select(**chosen, **more).collect(backend="pyarrow").to_native()
    return table


def row_codes(column: pa.ChunkedArray) -> tuple[Ints, list[Any]]:
    """Places of the values among the sorted distinct ones; −1 for null and empty text.

    Returns:
        int64[rows] and the distinct values.
    """
    encoded = pa.chunked_array(column).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = encoded.dictionary.to_pylist()
    order = sorted(range(len(values)), key=lambda place: _order(values[place]))
    order = [place for place in order if values[place] != ""]
    places = np.full(len(values) + 1, -1, dtype=np.int64)
    places[order] = np.arange(len(order))
    indices = encoded.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
    return places[indices.astype(np.int64)], [values[place] for place in order]


def _order(value: Any) -> tuple[bool, bool, Any]:
    """Numbers by size, then everything else as text, then what is missing."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None, not is_number, value if is_number else str(value)


def _plain(value: Any) -> Any:
    """A segment's value as JSON can hold it."""
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _floats(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values = table[name].cast(pa.float64()).to_numpy()
    return np.asarray(values, dtype=np.float64)


def _flags(table: pa.Table, name: str) -> Mask:
    if name not in table.column_names:
        return np.full(table.num_rows, _FLAGS[name])
    filled = table[name].cast(pa.bool_()).fill_null(_FLAGS[name])
    return np.asarray(filled.to_numpy(), dtype=bool)


def _named(table: pa.Table, name: str) -> tuple[Ints, list[Any]]:
    if name not in table.column_names:
        return np.full(table.num_rows, -1, dtype=np.int64), []
    return row_codes(table[name])


def _arrays(table: pa.Table, by: Sequence[str]) -> Votes:
    query, queries = _named(table, "query_id")
    annotator, annotators = _named(table, "annotator")
    preference = _floats(table, "preference")
    if (query < 0).any():
        raise MetricsError("votes hold an empty query_id")

    def where(row: int) -> str:
        who = f", annotator {annotators[annotator[row]]!r}" if annotator[row] >= 0 else ""
        return f"the vote of query {queries[query[row]]!r}{who}"

    _refuse(
        ~np.isin(preference, (-2, -1, 0, 1, 2)),
        lambda row: f"{where(row)}: preference must be -2, -1, 0, 1 or 2, not {preference[row]:g}",
    )
    kind = _places(table, "kind", {name: at for at, name in enumerate(KINDS)}, 0, where)
    side = _places(table, "treatment_side", _SIDES, 0, where)
    both_bad, aside, counts = (_flags(table, name) for name in _FLAGS)
    gold, seconds = _floats(table, "gold_preference"), _floats(table, "seconds")
    seconds = np.where(_floats(table, "revision") > 1, np.nan, seconds)
    real, automatic = kind == KINDS.index("real"), kind == KINDS.index("automatic")
    _refuse(both_bad & (preference != 0), lambda row: f"{where(row)}: both bad is a 0")
    _refuse(automatic & (preference != 0), lambda row: f"{where(row)}: an automatic one is a 0")
    _refuse(~automatic & (annotator < 0), lambda row: f"{where(row)} has no annotator")
    _refuse(~np.isnan(seconds) & (seconds < 0), lambda row: f"{where(row)}: seconds are below 0")
    _, studies = _named(table, "study")
    if len(studies) > 1:
        raise MetricsError(
            f"the votes are of {len(studies)} studies ({', '.join(studies[:3])}"
            f"{', …' if len(studies) > 3 else ''}): keep those of one"
        )
    task, tasks = _named(table, "task_id")
    twin_of, originals = _named(table, "twin_of")
    known = {name: at for at, name in enumerate(tasks)}
    twins = np.array([known.get(name, -1) for name in originals] + [-1], dtype=np.int64)
    counted = real & counts & ~aside
    _refuse_repeats(query, annotator, task, counted, where)
    size = len(queries)
    same_lists = np.zeros(size, dtype=bool)
    same_lists[query[automatic & counts & ~aside]] = True
    both = same_lists.copy()
    both[np.setdiff1d(np.arange(size), query[counted])] = False
    if both.any():
        raise MetricsError(
            f"query {queries[int(both.argmax())]!r} has an automatic Same and votes of people: "
            "keep one or the other"
        )
    position = np.full(size, np.inf)
    served = _floats(table, "position")
    placed = (real | automatic) & ~np.isnan(served)
    np.minimum.at(position, query[placed], served[placed])
    segments = {
        name: _per_query(table, at, name, query, real | automatic, queries)
        for at, name in enumerate(by)
    }
    # one order for the same votes, so that no sum of floats depends on theirs
    order = np.lexsort((seconds, side, task, preference, kind, annotator, query))
    return Votes(
        queries=queries,
        annotators=annotators,
        query=query[order],
        annotator=annotator[order],
        preference=preference[order],
        sign=np.sign(preference[order]).astype(np.int64),
        both_bad=both_bad[order],
        side=side[order],
        kind=kind[order],
        counted=counted[order],
        set_aside=(real & aside)[order],
        surplus=(real & ~counts & ~aside)[order],
        live=counts[order],
        seconds=seconds[order],
        gold=gold[order],
        task=task[order],
        twin_of=twins[twin_of][order],
        automatic=same_lists,
        position=np.where(np.isinf(position), np.nan, position),
        segments=segments,
    )


def _refuse(wrong: Mask, say: Any) -> None:
    if wrong.any():
        raise MetricsError(say(int(wrong.argmax())))


def _places(table: pa.Table, name: str, known: dict[str, int], default: int, where: Any) -> Ints:
    codes, words = _named(table, name)
    strange = [word for word in words if word not in known]
    if strange:
        row = int((codes == words.index(strange[0])).argmax())
        raise MetricsError(
            f"{where(row)}: {name} must be one of {', '.join(known)}, not {strange[0]!r}"
        )
    return np.array([known[word] for word in words] + [default], dtype=np.int64)[codes]


def _refuse_repeats(query: Ints, annotator: Ints, task: Ints, counted: Mask, where: Any) -> None:
    rows = np.flatnonzero(counted)
    order = rows[np.lexsort((task[rows], annotator[rows], query[rows]))]
    again = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in (query, annotator, task):
        again &= column[order[1:]] == column[order[:-1]]
    if again.any():
        row = int(order[int(again.argmax())])
        raise MetricsError(
            f"{where(row)} stands more than once; keep the vote that counts, or give the others "
            "counts = false"
        )


def _per_query(
    table: pa.Table, at: int, name: str, query: Ints, rows: Mask, queries: list[str]
) -> list[Any]:
    """The one value that every query has in a segment column."""
    codes, values = row_codes(table[f"segment_{at}"])
    found = np.full(len(queries), -1, dtype=np.int64)
    found[query[rows]] = codes[rows]
    differ = rows & (found[query] != codes)
    if differ.any():
        row = int(differ.argmax())
        raise MetricsError(
            f"query {queries[query[row]]!r} has several values of {name!r}; a segment is a "
            "property of the query"
        )
    plain = [*map(_plain, values), None]
    return [plain[code] for code in found]
