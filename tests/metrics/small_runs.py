"""Small runs and judgments as plain lists, frames of every library made of them, and strategies."""

from __future__ import annotations

from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

Row = tuple[str, str, float]
RUN = ("query_id", "product_id", "score")
RANKED = ("query_id", "product_id", "rank")
JUDGMENTS = ("query_id", "product_id", "grade")


def arrow(rows: list[tuple[Any, ...]], columns: tuple[str, ...]) -> pa.Table:
    """Rows as a PyArrow table whose ids are text and whose numbers are float64, also when empty."""
    kinds = {"query_id": pa.string(), "product_id": pa.string()}
    numbers = {"score", "rank", "grade", "weight"}
    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    return pa.table(
        {
            name: pa.array(
                values,
                kinds.get(name)
                or (
                    pa.float64()
                    if name in numbers and not any(isinstance(value, str) for value in values)
                    else None
                ),
            )
            for name, values in zip(columns, cells, strict=True)
        }
    )


def frame(library: str, rows: list[tuple[Any, ...]], columns: tuple[str, ...]) -> Any:
    """Rows as a frame of `pandas`, `polars`, `polars-lazy`, `pyarrow` or `duckdb`."""
    table = arrow(rows, columns)
    if library == "pandas":
        return table.to_pandas()
    if library == "duckdb":
        return duckdb.from_arrow(table)
    if library == "pyarrow":
        return table
    eager = pl.from_arrow(table)
    return eager.lazy() if library == "polars-lazy" else eager


def kind(value: Any) -> str:
    """Which of the libraries of `frame` made a frame."""
    kinds = {
        "pandas": pd.DataFrame,
        "polars": pl.DataFrame,
        "polars-lazy": pl.LazyFrame,
        "pyarrow": pa.Table,
        "duckdb": duckdb.DuckDBPyRelation,
    }
    return next(name for name, type_ in kinds.items() if isinstance(value, type_))


def run(rows: list[Row], columns: tuple[str, ...] = RUN) -> pl.DataFrame:
    """A run as a Polars frame."""
    return frame("polars", rows, columns)


def judge(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Judgments as a Polars frame."""
    return frame("polars", rows, JUDGMENTS)


def asked(*ids: str, **columns: list[Any]) -> pl.DataFrame:
    """A query set as a Polars frame."""
    return pl.DataFrame(
        {"query_id": list(ids), **columns}, schema_overrides={"query_id": pl.String}
    )


QUERIES = ["q1", "q2", "q3", "q4"]
# of equal length and of different lengths, so that byte order and length order differ
PRODUCTS = ["a", "b", "B", "ba", "c", "é"]


@st.composite
def scored_run(draw: st.DrawFn, longest: int = 6, values: int = 3) -> list[Row]:
    """A run with many ties, of which some queries are missing; scores are exact in float32."""
    rows: list[Row] = []
    for query in QUERIES:
        products = draw(st.lists(st.sampled_from(PRODUCTS), unique=True, max_size=longest))
        rows += [(query, p, draw(st.integers(-values, values)) / 8) for p in products]
    return draw(st.permutations(rows))


@st.composite
def judgments(draw: st.DrawFn, lowest: int = -2, fewest: int = 0) -> list[Row]:
    """Judgments of some products of some queries; negative grades are pooled, not judged."""
    pairs = [(query, product) for query in QUERIES for product in PRODUCTS]
    some = draw(st.lists(st.sampled_from(pairs), unique=True, min_size=fewest, max_size=16))
    return [(query, product, draw(st.integers(lowest, 3))) for query, product in some]
