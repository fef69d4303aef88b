"""What classifiers learn from: graded pairs and labelled rewrites, read with their texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import InputError, Problem, SettingsError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

__all__ = ["Examples", "Made", "read_judged_pairs", "read_labelled_rewrites", "rewrite_examples"]

_MOST_GRADES = 10


@dataclass(frozen=True)
class Examples:
    """Labelled pairs of texts.

    Attributes:
        group: what must not be torn apart when examples are held out (the query or its family).
        first: the query.
        second: the product's text, or the rewrite.
        label: the place of the pair's grade among `grades`, int64[n].
        grades: the grades, ascending.
        good: pairs of this grade or more are good.
    """

    group: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    label: NDArray[np.int64]
    grades: tuple[float, ...]
    good: float

    def __len__(self) -> int:
        return len(self.first)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the two texts of each pair."""
        return list(zip(self.first, self.second, strict=True))

    def is_good(self) -> NDArray[np.bool_]:
        """Tell for each pair whether its grade is good, bool[n]."""
        return np.asarray(np.asarray(self.grades)[self.label] >= self.good)

    def take(self, places: NDArray[np.integer[Any]]) -> Examples:
        """Return the examples at some places."""
        chosen = places.tolist()
        return replace(
            self,
            group=tuple(self.group[place] for place in chosen),
            first=tuple(self.first[place] for place in chosen),
            second=tuple(self.second[place] for place in chosen),
            label=self.label[places],
        )


@dataclass(frozen=True)
class Made:
    """Examples with what the manifest says of them."""

    examples: Examples
    counts: Mapping[str, int]
    warnings: tuple[str, ...]
    rows: Mapping[str, int]
    extra: Mapping[str, Any]
    table: pa.Table | None = None


def read_judged_pairs(
    connection: DuckDBPyConnection,
    judgments: str | os.PathLike[str],
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    *,
    good: float = 1.0,
    gains: Mapping[str, float] | None = None,
    fields: Sequence[str] | None = None,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
) -> Made:
    """Read graded pairs with their texts; see `train_classifier`.

    Several judgments of one pair are several examples.

    Raises:
        InputError: a file cannot be used, or grades are words without a number.
        SettingsError: `good` is none of the grades' range, or there are too many grades.
    """
    from evalkit.relevance.pair_texts import join_texts
    from evalkit.tables import read

    arguments = dict(reading or {})
    judged = read("judgments", judgments, connection, **arguments.get("judgments", {}))
    grade = "CAST(grade AS DOUBLE)"
    if str(dict(zip(judged.relation.columns, judged.relation.types, strict=True))["grade"]) == (
        "VARCHAR"
    ):
        grade = _grade_of_words(judged.relation, judged.path, gains)
    pairs = judged.relation.select(f"query_id, product_id, {grade} AS grade")
    table, counts, chosen = join_texts(
        connection,
        pairs,
        queries,
        products,
        fields=fields,
        columns=("grade",),
        reading=reading,
    )
    found = np.asarray(table.column("grade").to_numpy(), dtype=np.float64)
    grades, label = np.unique(found, return_inverse=True)
    if not 2 <= len(grades) <= _MOST_GRADES:
        raise InputError(
            judged.path,
            [Problem(f"{len(grades):,} different grades, and a classifier learns 2 to "
                     f"{_MOST_GRADES}")],
            remedy="Bring the grades to a few steps.",
        )  # fmt: skip
    if not grades[0] < good <= grades[-1]:
        raise SettingsError(
            f"--good {good:g} makes all grades good or none; they go from {grades[0]:g} to "
            f"{grades[-1]:g}."
        )
    examples = Examples(
        tuple(table.column("query_id").to_pylist()),
        tuple(table.column("query").to_pylist()),
        tuple(table.column("text").to_pylist()),
        label.astype(np.int64),
        tuple(map(float, grades)),
        good,
    )
    warnings = []
    left_out = counts["without_query"] + counts["without_product"]
    if left_out:
        warnings.append(
            f"{left_out:,} of {counts['pairs']:,} judgments are left out: "
            f"{counts['without_query']:,} without a query's text, {counts['without_product']:,} "
            "without a product's."
        )
    return Made(
        examples,
        counts,
        tuple(warnings),
        {"judgments": judged.rows},
        {"fields": list(chosen)},
    )


def _grade_of_words(relation: Any, path: str, gains: Mapping[str, float] | None) -> str:
    labels = [row[0] for row in relation.aggregate("grade").order("grade").fetchall()]
    missing = [label for label in labels if label not in (gains or {})]
    if missing:
        raise InputError(
            path,
            [Problem(f"the grade {label!r} has no number") for label in missing[:10]],
            remedy="Give --gains, such as E=3,S=2,C=1,I=0.",
            total=len(missing),
        )
    cases = " ".join(
        "WHEN '" + label.replace("'", "''") + f"' THEN {(gains or {})[label]!r}" for label in labels
    )
    return f"CAST(CASE grade {cases} END AS DOUBLE)"


def read_labelled_rewrites(
    connection: DuckDBPyConnection,
    rewrites: str | os.PathLike[str],
    queries: str | os.PathLike[str] | None = None,
    *,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
) -> Made:
    """Read labelled rewrites; see `train_rewrite_classifier`.

    Raises:
        InputError: a column is missing or a label is neither 0 nor 1.
    """
    from evalkit.tables import need_column, read

    arguments = dict(reading or {})
    table = read("rewrites", rewrites, connection, **arguments.get("rewrites", {}))
    relation = table.relation
    columns = set(table.columns)
    rows = {"rewrites": table.rows}
    need_column(
        table, "label", remedy="Add it: 1 where the rewrite keeps what the query asks for, else 0."
    )
    if queries is not None:
        asked = read("queries", queries, connection, **arguments.get("queries", {}))
        new = [name for name in ("query", "family") if name in asked.columns]
        relation.create_view("evalkit_labelled", replace=True)
        asked.relation.select(", ".join(["query_id", *new])).create_view(
            "evalkit_labelled_queries", replace=True
        )
        own = [f"r.{name}" for name in table.columns if name not in new]
        relation = connection.sql(
            f"SELECT {', '.join(own + [f'q.{name}' for name in new])} FROM evalkit_labelled r "
            "LEFT JOIN evalkit_labelled_queries q USING (query_id)"
        )
        columns |= set(new)
        rows["queries"] = asked.rows
    if "query" not in columns:
        raise InputError(
            table.path,
            [Problem("there is no column query")],
            remedy="Add it, or give --queries.",
        )
    family = "coalesce(CAST(family AS VARCHAR), query_id)" if "family" in columns else "query_id"
    label = "lower(trim(CAST(label AS VARCHAR)))"
    found = connection.sql(
        f"SELECT query_id, CAST(query AS VARCHAR) AS query, rewrite, {family} AS family, "
        f"CASE WHEN {label} IN ('1', '1.0', 'true') THEN 1 WHEN {label} IN ('0', '0.0', 'false') "
        "THEN 0 END AS label FROM relation ORDER BY query_id, rewrite"
    ).to_arrow_table()
    for name, problem, remedy in (
        ("query", "have no query", "Give the queries that the rewrites are of."),
        ("label", "have a label that is neither 0 nor 1", "Write 1 or 0."),
    ):
        empty = found.column(name).null_count
        if empty:
            raise InputError(table.path, [Problem(f"{empty:,} rows {problem}")], remedy=remedy)
    return Made(rewrite_examples(found), {"rewrites": found.num_rows}, (), rows, {})


def rewrite_examples(table: pa.Table) -> Examples:
    """Return the rows of a table with family, query, rewrite and label (0 or 1) as examples."""
    return Examples(
        tuple(table.column("family").to_pylist()),
        tuple(table.column("query").to_pylist()),
        tuple(table.column("rewrite").to_pylist()),
        np.asarray(table.column("label").to_numpy(), dtype=np.int64),
        (0.0, 1.0),
        1.0,
    )
