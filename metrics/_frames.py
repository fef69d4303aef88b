"""How any data frame becomes a lazy one, and back: the only place that asks what the caller has.

Lazy frames (Polars, DuckDB, Spark) stay where they are. Eager ones are lent to DuckDB and come
back as what they were: pandas and PyArrow lack window functions that the measures need, and
Polars adds floats in an order that changes from process to process (so the last digit of nDCG or
MAP of a Polars LazyFrame may change too).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from metrics.errors import MetricsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Frames", "as_lazy", "as_lazy_together", "require_columns"]


@dataclass(frozen=True)
class Frames:
    """What the caller passed in, so that the same kind goes out.

    Attributes:
        implementation: name of the frame library (`pandas`, `polars`, `pyarrow`, `duckdb`, ...).
        eager: whether results are collected before they are returned.
    """

    implementation: str
    eager: bool

    def give_back(self, frame: nw.LazyFrame[Any]) -> Any:
        """Return the native frame of the caller's own kind: lazy for lazy, eager for eager."""
        if not self.eager:
            return frame.to_native()
        library: Any = self.implementation
        return frame.collect(backend=library).to_native()

    def from_columns(self, columns: dict[str, Any]) -> Any:
        """Build a native frame from columns: of the caller's kind, a PyArrow table for Spark."""
        library: Any = self.implementation
        if not self.eager:
            table = nw.from_dict(columns, backend="pyarrow")
            if library not in ("polars", "duckdb"):
                return table.to_native()
            return table.lazy(backend=library).to_native()
        return nw.from_dict(columns, backend=library).to_native()


def _wrap(frame: Any, name: str) -> tuple[nw.DataFrame[Any] | nw.LazyFrame[Any], str]:
    try:
        wrapped: nw.DataFrame[Any] | nw.LazyFrame[Any] = nw.from_native(frame)
    except TypeError as error:
        raise TypeError(
            f"{name} must be a data frame (pandas, Polars, PyArrow, DuckDB, Spark), "
            f"not {type(frame).__name__}"
        ) from error
    return wrapped, str(wrapped.implementation.value).lower()


def as_lazy(frame: Any, name: str) -> tuple[nw.LazyFrame[Any], Frames]:
    """Turn a native or Narwhals frame into a lazy Narwhals frame.

    Args:
        frame: pandas, Polars, PyArrow, DuckDB or Spark frame, or a Narwhals frame of one of them.
        name: what the frame is called in errors (`run`, `judgments`, ...).

    Raises:
        TypeError: it is not a data frame.
    """
    lazy, frames = as_lazy_together({name: frame})
    return lazy[name], frames


def as_lazy_together(given: Mapping[str, Any]) -> tuple[dict[str, nw.LazyFrame[Any]], Frames]:
    """Turn frames that will be joined into lazy ones of one library.

    Args:
        given: frame per name in errors. Eager frames may be of different libraries; those meet
            in DuckDB.

    Returns:
        The lazy frames, and what the first of them was.

    Raises:
        TypeError: one is not a data frame, or a lazy one is of another library than the rest.
    """
    wrapped = {name: _wrap(frame, name) for name, frame in given.items()}
    first, library = next(iter(wrapped.items()))[0], next(iter(wrapped.values()))[1]
    lend = all(isinstance(frame, nw.DataFrame) for frame, _ in wrapped.values())
    libraries = {kind for _, kind in wrapped.values()}
    lazy: dict[str, nw.LazyFrame[Any]] = {}
    for name, (frame, kind) in wrapped.items():
        if isinstance(frame, nw.DataFrame):
            lazy[name] = frame.lazy(backend="duckdb" if lend else None)
        elif len(libraries) > 1:
            other = next(one for one, (_, of) in wrapped.items() if of != kind)
            raise TypeError(
                f"{name} is a lazy {kind} frame, {other} a {wrapped[other][1]} one: pass frames of "
                "one library (eager pandas, PyArrow and Polars frames may be mixed)"
            )
        else:
            lazy[name] = frame
    return lazy, Frames(library, eager=isinstance(wrapped[first][0], nw.DataFrame))


def require_columns(frame: nw.LazyFrame[Any], name: str, columns: Iterable[str]) -> list[str]:
    """Return the frame's columns.

    Raises:
        MetricsError: a required column is missing; the message says which there are.
    """
    there = frame.collect_schema().names()
    missing = [column for column in columns if column not in there]
    if missing:
        raise MetricsError(
            f"column {missing[0]!r} not found in {name}; it has: {', '.join(there) or 'no columns'}"
        )
    return there
