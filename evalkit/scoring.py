"""From files to a scored comparison: read the tables, score them, and tell what was read."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.tables import Kind, Table
    from metrics import Comparison, Scores, Scoring

__all__ = [
    "Columns",
    "Inputs",
    "moved_lists",
    "named_systems",
    "read_inputs",
    "score_inputs",
]


@dataclass(frozen=True)
class Inputs:
    """The files of one evaluation, read and checked, in one connection.

    Attributes:
        connection: where their rows live.
        compared: whether the runs are a control and a treatment (of several seeds, `treatment_1`
            and so on) rather than single runs.
        runs: run per name.
        judgments: the judgments, or None.
        queries: the queries, or None.
        products: the catalogue, for titles in result lists, or None.
        page_grades: people's grades of result pages, or None.
        settings: how they were read.
    """

    connection: DuckDBPyConnection
    compared: bool
    runs: Mapping[str, Table]
    judgments: Table
    queries: Table | None = None
    products: Table | None = None
    page_grades: Table | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tables(self) -> list[Table]:
        """All tables that were read."""
        others = [self.judgments, self.queries, self.products, self.page_grades]
        return [*self.runs.values(), *(table for table in others if table is not None)]

    def describe(self) -> list[dict[str, Any]]:
        """Path, fingerprint and rows of every file."""
        return [
            {"path": table.path, "fingerprint": table.fingerprint, "rows": table.rows}
            for table in self.tables
        ]


@dataclass(frozen=True)
class Columns:
    """Names that the user gave to columns: for all tables, or for one kind.

    Attributes:
        everywhere: canonical name to the files' name.
        of_kind: the same for one kind of table only.
    """

    everywhere: Mapping[str, str] = field(default_factory=dict)
    of_kind: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def mapping(self, kind: Kind) -> dict[str, str]:
        """Mapping for one table; names that such a table does not have are left out."""
        from evalkit.tables.schema import SCHEMAS

        roles = SCHEMAS[kind].roles
        shared = {name: column for name, column in self.everywhere.items() if name in roles}
        return {**shared, **self.of_kind.get(kind, {})}


def read_inputs(
    connection: DuckDBPyConnection,
    runs: Mapping[str, str],
    judgments: str,
    queries: str | None = None,
    products: str | None = None,
    page_grades: str | None = None,
    *,
    compared: bool,
    columns: Columns | None = None,
    formats: Mapping[str, str | None] | None = None,
    on_duplicate: Literal["error", "first"] = "error",
    order: Literal["rank", "score"] | None = None,
) -> Inputs:
    """Read and check all files of an evaluation.

    Args:
        connection: DuckDB connection that will hold the rows.
        runs: path per run name.
        judgments: path of the judgments.
        queries: path of the queries.
        products: path of the catalogue.
        page_grades: path of the page grades; their systems are the runs' `system` columns, or
            the names of the runs where those have none.
        compared: whether the runs are `control` and `treatment`, or single runs.
        columns: names that the files use for columns.
        formats: format per kind of table, where the file does not tell.
        on_duplicate: what to do with a repeated product in a run.
        order: the column that orders the runs.

    Raises:
        InputError: a file cannot be used.
        SettingsError: standard input is asked for twice.
    """
    from evalkit.tables import read

    paths = [*runs.values(), judgments, queries, products, page_grades]
    if paths.count("-") > 1:
        raise SettingsError("only one file can come from standard input (-).")
    columns, formats = columns or Columns(), formats or {}

    def table(kind: Kind, path: str, **options: Any) -> Table:
        return read(
            kind,
            path,
            connection,
            format=formats.get(kind),
            mapping=columns.mapping(kind),
            **options,
        )

    with _loading_statistics(compared):
        return Inputs(
            connection,
            compared,
            {
                name: table("run", path, on_duplicate=on_duplicate, order=order)
                for name, path in runs.items()
            },
            table("judgments", judgments),
            None if queries is None else table("queries", queries),
            None if products is None else table("products", products),
            None if page_grades is None else table("page_grades", page_grades),
            {
                "on_duplicate": on_duplicate,
                "map": {**columns.everywhere, **columns.of_kind},
                "formats": {kind: known for kind, known in formats.items() if known},
            },
        )


@contextmanager
def _loading_statistics(compared: bool) -> Iterator[None]:
    """Import the statistics, a third of a second, while DuckDB reads and leaves a core free."""
    import threading

    def load() -> None:
        import metrics  # noqa: F401

        if compared:
            import scipy.special  # noqa: F401

    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def _refusals_are_settings(inputs: Inputs) -> Iterator[None]:
    from metrics import MetricsError

    try:
        yield
    except MetricsError as error:
        text = f"{error}."
        if error.setting is not None:
            text = f"{error}: use --{error.setting.replace('_', '-')}."
        if error.setting in ("source", "aggregate", "good_labels"):
            text = f"{inputs.judgments.path}: {text}"
        raise SettingsError(text) from error


def score_inputs(
    inputs: Inputs,
    *,
    source: str | None = None,
    aggregate: Literal["median", "majority"] | None = None,
    primary: Sequence[str] | None = None,
    judge: tuple[str | None, str | None] = (None, None),
    **settings: Any,
) -> tuple[dict[str, Any], pa.Table]:
    """Score what was read: a comparison of `control` and `treatment`, or single runs.

    Args:
        inputs: what `read_inputs` returned.
        source: the source of judgments to score with.
        aggregate: how several annotators' grades become one.
        primary: the family for Holm's correction; comparisons only.
        judge: name of who judged, and the fingerprint of the model, where they are known.
        **settings: keywords of `metrics.compare_runs` or `metrics.score_runs`.

    Returns:
        (the score document, ready for JSON, and the values of every query).

    Raises:
        SettingsError: the frames cannot be scored under these settings.
    """
    import pyarrow as pa

    from evalkit.tables.query_sets import fingerprint_queries
    from metrics import one_grade, score_runs

    runs = {name: table.relation for name, table in inputs.runs.items()}
    queries = None if inputs.queries is None else inputs.queries.relation
    with _refusals_are_settings(inputs):
        judgments = one_grade(inputs.judgments.relation, source=source, aggregate=aggregate)
        pages = _pages(inputs)
        result: Comparison | Scores
        if inputs.compared:
            result = _compared(runs, judgments, queries, pages, primary=primary, **settings)
        else:
            result = score_runs(
                runs, judgments, queries, page_grades=pages, check=False, **settings
            )
    document = result.to_dict()
    dropped = [
        f"{table.path}: {table.dropped:,} repeated products were left out (--on-duplicate first)."
        for table in inputs.runs.values()
        if table.dropped
    ]
    values = pa.table(dict(result.per_query_columns))
    query_ids = values["query_id"][: document["query_set"]["size"]]
    return {
        "kind": "score",
        "settings": {
            **document["settings"],
            "source": source,
            "aggregate": aggregate,
            **inputs.settings,
        },
        "query_set": {
            **document["query_set"],
            **fingerprint_queries(query_ids, inputs.queries, document["settings"]["by"]),
        },
        "judge": {
            "name": judge[0],
            "model": judge[1],
            "source": source or _first(inputs.judgments, "source"),
            "aggregate": aggregate,
            "judgments": inputs.judgments.fingerprint,
        },
        "systems": named_systems(inputs),
        "warnings": [*document["warnings"], *dropped],
        "inputs": inputs.describe(),
        "runs": document["runs"],
        "results": document["results"],
    }, values


def _compared(
    runs: Mapping[str, Any],
    judgments: Any,
    queries: Any,
    pages: Any,
    *,
    ci: Literal["default", "bootstrap"] = "default",
    seed: int = 0,
    **settings: Any,
) -> Comparison:
    """Compare `control` with `treatment`, or what is called so of several seeds."""
    from metrics import compare_runs, compare_seeds

    if set(runs) == {"control", "treatment"}:
        return compare_runs(
            runs["control"],
            runs["treatment"],
            judgments,
            queries,
            page_grades=pages,
            ci=ci,
            seed=seed,
            check=False,
            **settings,
        )
    for option, given in (("--page-grades", pages is not None), ("--ci", ci != "default")):
        if given:
            raise SettingsError(f"{option} is for one --control and one --treatment, not for seeds")
    controls, treatments = (
        [run for name, run in runs.items() if name.startswith(role)]
        for role in ("control", "treatment")
    )
    return compare_seeds(controls, treatments, judgments, queries, check=False, **settings)


def named_systems(inputs: Inputs) -> dict[str, str]:
    """What the runs call themselves; single runs have names already."""
    if not inputs.compared:
        return {name: name for name in inputs.runs}
    stems = {name: os.path.basename(run.path).split(".")[0] for name, run in inputs.runs.items()}
    return {
        name: _first(run, "system") or stems[name].strip("-") or name
        for name, run in inputs.runs.items()
    }


def _first(table: Table, column: str) -> str | None:
    """The value of a column in the first row, None without the column, a row or a value."""
    import narwhals as nw

    if column not in table.columns or not table.rows:
        return None
    value = nw.from_native(table.relation).select(column).head(1).collect(backend="pyarrow")
    found = value[column][0]
    return None if found is None or found == "" else str(found)


def _pages(inputs: Inputs) -> Any:
    """Page grades under the names of the runs instead of those of their systems."""
    import narwhals as nw

    if inputs.page_grades is None:
        return None
    pages = nw.from_native(inputs.page_grades.relation)
    called = {name: _first(table, "system") for name, table in inputs.runs.items()}
    names = {system: name for name, system in called.items() if system is not None}
    if not names:
        return pages.to_native()
    renamed = nw.col("system").replace_strict(
        list(names), list(names.values()), default=None, return_dtype=nw.String
    )
    system = nw.when(~renamed.is_null()).then(renamed).otherwise(nw.col("system"))
    return pages.with_columns(system=system).to_native()


def moved_lists(
    inputs: Inputs,
    document: Mapping[str, Any],
    query_ids: Sequence[str],
    scoring: Scoring,
) -> dict[str, dict[str, Any]]:
    """Look up both result lists of a few queries, with grades and product fields.

    Args:
        inputs: a comparison's inputs.
        document: the score document.
        query_ids: queries to look up.
        scoring: how the runs were scored; lists are as deep as its largest cutoff.

    Returns:
        Per query `{"query": text or None, "control": [item], "treatment": [item]}`; items are
        `{"product_id", "rank", "grade", "good", "title", "brand", "price", "image"}`, where
        `good` is None for an unjudged product.
    """
    import narwhals as nw

    from metrics import one_grade, ranked_lists

    settings = document["settings"]
    judgments = one_grade(
        inputs.judgments.relation, source=settings["source"], aggregate=settings["aggregate"]
    )
    wanted = list(query_ids)
    texts: dict[str, Any] = {}
    if inputs.queries is not None and "query" in inputs.queries.columns:
        rows = nw.from_native(inputs.queries.relation).filter(nw.col("query_id").is_in(wanted))
        texts = dict(rows.select("query_id", "query").collect(backend="pyarrow").rows())
    lists: dict[str, dict[str, Any]] = {
        query: {"query": texts.get(query), "control": [], "treatment": []} for query in wanted
    }
    if not wanted:
        return lists
    for name, table in inputs.runs.items():
        few = nw.from_native(table.relation).filter(nw.col("query_id").is_in(wanted))
        depth = max(scoring.cutoffs)
        items = nw.from_native(ranked_lists(few.to_native(), judgments, scoring, depth=depth))
        if inputs.products is not None:
            fields = ("title", "brand", "price", "image")
            there = [column for column in fields if column in inputs.products.columns]
            catalogue = nw.from_native(inputs.products.relation).select("product_id", *there)
            items = items.join(catalogue, on="product_id", how="left")
        found = items.sort("query_id", "rank").collect(backend="pyarrow")
        for item in found.iter_rows(named=True):
            plain = {field: _plain(value) for field, value in item.items()}
            lists[plain.pop("query_id")][name].append(plain)
    return lists


def _plain(value: Any) -> Any:
    """A value as JSON can hold it; a number that is none is missing."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    return str(value)
