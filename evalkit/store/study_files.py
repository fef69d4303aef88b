"""The files of a study: the query set with both lists of every query, and what is known of it.

The lists are the top of the two runs in the order in which they are scored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from evalkit.errors import InputError, Problem, SettingsError
from evalkit.tables.quoting import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.tables import Kind, Order, Table

__all__ = [
    "OWN_COLUMNS",
    "QueryLists",
    "StudyFiles",
    "automated_deltas",
    "counted",
    "draw",
    "lists_of",
    "lot",
    "query_set",
    "read_tables",
    "segment_columns",
    "system_names",
]

_SHOWN = 10
OWN_COLUMNS: Final = ("query_id", "query", "weight", "inclusion_probability")


@dataclass(frozen=True)
class StudyFiles:
    """The files that a study is made of, and how they are read.

    Attributes:
        control: the run of today.
        treatment: the run of the change.
        queries: the query set; without it the queries of both runs.
        products: the catalogue; without it products are shown by their ids.
        gold: tasks with known answers; see `evalkit.store.gold`.
        per_query: what `evalkit score --per-query` wrote.
        mappings: per kind of table, canonical column name to the file's.
        formats: format per kind of table, where the file does not tell.
        order: `rank` or `score`, what orders the runs; None for rank where there is one.
        on_duplicate: `first` keeps the first of repeated products in a run.
        fields: columns of the catalogue that are shown; None for all.
    """

    control: str
    treatment: str
    queries: str | None = None
    products: str | None = None
    gold: str | None = None
    per_query: str | None = None
    mappings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    formats: Mapping[str, str | None] = field(default_factory=dict)
    order: Order | None = None
    on_duplicate: Literal["error", "first"] = "error"
    fields: Sequence[str] | None = None


@dataclass(frozen=True)
class QueryLists:
    """A query of the query set with its two lists.

    Attributes:
        query_id: the query.
        text: what was searched for; empty where the files do not say.
        columns: its row of the queries file.
        control: product ids of the control's list, best first.
        treatment: product ids of the treatment's list, best first.
    """

    query_id: str
    text: str
    columns: dict[str, Any]
    control: tuple[str, ...]
    treatment: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether the two lists are the same products in the same order."""
        return self.control == self.treatment

    @property
    def empty(self) -> bool:
        """Whether neither run answers it."""
        return not self.control and not self.treatment


def read_tables(
    connection: DuckDBPyConnection, files: StudyFiles, *, kind: str, depth: int
) -> dict[str, Table]:
    """Read and check all files of a study, and put the tops of both runs into the connection.

    Args:
        connection: DuckDB connection that will hold the rows.
        files: what is read.
        kind: kind of study, `sbs` or `grade`.
        depth: products a list.

    Returns:
        The tables by role: `control`, `treatment`, `queries`, `products`, `gold`, `per_query`.

    Raises:
        InputError: a file cannot be used.
        SettingsError: standard input is asked for twice.
    """
    from evalkit.tables import read

    paths = {
        "control": files.control,
        "treatment": files.treatment,
        "queries": files.queries,
        "products": files.products,
        "gold": files.gold,
        "per_query": files.per_query,
    }
    if list(paths.values()).count("-") > 1:
        raise SettingsError("only one file can come from standard input (-).")
    gold: Kind = "judgments" if kind == "grade" else "queries"
    kinds: dict[str, Kind] = {"control": "run", "treatment": "run", "gold": gold}
    tables: dict[str, Table] = {}
    for role, path in paths.items():
        if path is None:
            continue
        table_kind: Kind = kinds.get(role, role)  # type: ignore[arg-type]
        options: dict[str, Any] = {}
        if table_kind == "run":
            options = {"on_duplicate": files.on_duplicate, "order": files.order}
        if role != "gold":
            options["format"] = files.formats.get(table_kind)
        tables[role] = read(
            table_kind,
            path,
            connection,
            mapping=files.mappings.get(table_kind) if role != "gold" else None,
            **options,
        )
    for side in ("control", "treatment"):
        _store_tops(connection, tables[side], side, depth, files.order)
    return tables


def _store_tops(
    connection: DuckDBPyConnection, run: Table, side: str, depth: int, order: Order | None
) -> None:
    """Make a table of the top of every list of a run, as it is scored."""
    import narwhals as nw

    from metrics.ranking import rank_products

    how: Order = order or ("rank" if "rank" in run.columns else "score")
    ranked = rank_products(nw.from_native(run.relation).lazy(), how)
    top: Any = ranked.filter(nw.col("position") <= depth).to_native()
    top.create_view(f"evalkit_ranked_{side}", replace=True)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE evalkit_top_{side} AS "
        "SELECT query_id, list(product_id ORDER BY position) AS ids "
        f"FROM evalkit_ranked_{side} GROUP BY query_id"
    )


def lists_of(
    connection: DuckDBPyConnection, query_ids: Iterable[str]
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Both lists of some queries, whether they are in the query set or not.

    Args:
        connection: where `read_tables` has put the tops of the runs.
        query_ids: the queries.
    """
    known = ", ".join(map(literal, query_ids)) or "NULL"
    rows = connection.execute(
        "SELECT query_id, c.ids, t.ids FROM evalkit_top_control AS c "
        "FULL JOIN evalkit_top_treatment AS t USING (query_id) "
        f"WHERE query_id IN ({known})"
    ).fetchall()
    return {query_id: (tuple(one or ()), tuple(other or ())) for query_id, one, other in rows}


def query_set(
    connection: DuckDBPyConnection, tables: Mapping[str, Table], warnings: list[str]
) -> list[QueryLists]:
    """The queries of the study in the order of their ids, each with its lists.

    Args:
        connection: where `read_tables` has put the tops of the runs.
        tables: what `read_tables` returned.
        warnings: sentences are added to it.

    Raises:
        InputError: the files have no query in common.
    """
    queries = tables.get("queries")
    columns = ["query_id"] if queries is None else list(queries.relation.columns)
    source, join, cells = "evalkit_top_control", "JOIN", "q.query_id"
    if queries is not None:
        source, join, cells = queries.name, "LEFT JOIN", "q.*"
    rows = connection.execute(
        f"SELECT c.ids, t.ids, {cells} FROM {source} AS q "
        f"{join} evalkit_top_control AS c ON c.query_id = q.query_id "
        f"{join} evalkit_top_treatment AS t ON t.query_id = q.query_id ORDER BY q.query_id"
    ).fetchall()
    found = []
    for control, treatment, *values in rows:
        row = dict(zip(columns, values, strict=True))
        text = str(row.get("query") or "").strip()
        found.append(
            QueryLists(row["query_id"], text, row, tuple(control or ()), tuple(treatment or ()))
        )
    if queries is not None and not any(query.control or query.treatment for query in found):
        raise InputError(
            queries.path,
            [Problem("none of its queries is in either run")],
            remedy="Check that the query ids of the three files are the same.",
        )
    if queries is None:
        _tell_of_lone_queries(connection, tables, len(found), warnings)
    without = sum(not query.text for query in found)
    if without:
        warnings.append(
            f"{counted(without, 'query has', 'queries have')} no text and are shown by their ids; "
            "give --queries with a column query."
        )
    for side in ("control", "treatment"):
        empty = sum(not getattr(query, side) for query in found)
        if empty:
            warnings.append(
                f"{counted(empty, 'query has', 'queries have')} no results in the {side}."
            )
    return found


def _tell_of_lone_queries(
    connection: DuckDBPyConnection, tables: Mapping[str, Table], found: int, warnings: list[str]
) -> None:
    if not found:
        raise InputError(
            tables["treatment"].path,
            [Problem(f"no query of it is in {tables['control'].path}")],
            remedy="The two runs must answer the same queries; check their query ids.",
        )
    row = connection.execute(
        "SELECT (SELECT count(*) FROM evalkit_top_control) + "
        "(SELECT count(*) FROM evalkit_top_treatment)"
    ).fetchone()
    lone = (int(row[0]) if row else 0) - 2 * found
    if lone:
        warnings.append(
            f"{counted(lone, 'query stands', 'queries stand')} in one run only and were left out; "
            "give --queries to count a missing list as an empty one."
        )


def segment_columns(queries: Table | None, asked: Sequence[str] | None) -> list[str]:
    """Columns of the queries by which figures are reported: those asked for, or `query_type`.

    Raises:
        SettingsError: the queries have no such column, or votes have another one of its name.
    """
    there = [name for name in (queries.columns if queries else ()) if name not in OWN_COLUMNS]
    if asked is None:
        return ["query_type"] if "query_type" in there else []
    unknown = [name for name in asked if name not in there]
    if unknown:
        has = ", ".join(there) or "no further columns"
        raise SettingsError(
            f"--by {', '.join(unknown)}: the queries have no such column; they have: {has}."
        )
    from evalkit.store.exports import VOTE_COLUMNS

    taken = [name for name in asked if name in VOTE_COLUMNS and name != "query_type"]
    if taken:
        raise SettingsError(
            f"--by {', '.join(taken)}: votes have a column of that name themselves; give the "
            "queries' column another one."
        )
    return list(dict.fromkeys(asked))


def draw(
    queries: list[QueryLists], sample: int | None, seed: int, table: Table | None
) -> tuple[list[QueryLists], dict[str, float]]:
    """The queries that are asked, and the known probability with which each came in.

    Args:
        queries: the query set.
        sample: how many to draw with equal probability; None for all.
        seed: the study's.
        table: the queries file, which may have a column `inclusion_probability`.

    Raises:
        InputError: a probability is not above 0 and at most 1.
        SettingsError: more are asked for than there are.
    """
    given: dict[str, float] = {}
    if table is not None and "inclusion_probability" in table.columns:
        problems = []
        for query in queries:
            value = query.columns["inclusion_probability"]
            number = value if isinstance(value, (int, float)) else None
            if number is None or not 0 < number <= 1:
                said = "is empty" if value is None else "is not above 0 and at most 1"
                shown = None if value is None else str(value)
                problems.append(
                    Problem(f"inclusion_probability {said}", value=shown, query_id=query.query_id)
                )
            else:
                given[query.query_id] = float(number)
        if problems:
            raise InputError(
                table.path,
                problems[:_SHOWN],
                remedy="Give every query the probability with which it was drawn, or leave the "
                "column out.",
                total=len(problems),
            )
    if sample is None:
        return queries, given
    if sample > len(queries):
        raise SettingsError(
            f"--sample {sample} is more than the {len(queries):,} queries there are; give fewer."
        )
    drawn = sorted(queries, key=lambda query: lot(seed, "sample", query.query_id))[:sample]
    share = sample / len(queries)
    return drawn, {query.query_id: share * given.get(query.query_id, 1.0) for query in drawn}


def automated_deltas(
    connection: DuckDBPyConnection, table: Table | None, measure: str | None
) -> dict[str, float]:
    """Per query treatment − control as the automated score sees it.

    Args:
        connection: where the table is.
        table: what `evalkit score --per-query` wrote.
        measure: which figure (`ndcg@10`); the first of the file by default.

    Raises:
        InputError: the file is not of a comparison.
        SettingsError: it has no such figure.
    """
    if table is None:
        return {}
    if "delta" not in table.columns or "cutoff" not in table.columns:
        raise InputError(
            table.path,
            [Problem("no columns cutoff and delta")],
            remedy="Write it with evalkit score --control … --treatment … --per-query FILE.",
        )
    figures = connection.execute(
        "SELECT measure, TRY_CAST(cutoff AS BIGINT) AS depth "
        f"FROM {table.name} GROUP BY measure, depth ORDER BY min(rowid)"
    ).fetchall()
    names = {name if at is None else f"{name}@{at}": (name, at) for name, at in figures}
    wanted = measure if measure is not None else next(iter(names))
    if wanted not in names:
        raise SettingsError(
            f"--measure {wanted}: {table.path} has no such figure; it has {', '.join(names)}."
        )
    name, cutoff = names[wanted]
    at = "IS NULL" if cutoff is None else f"= {cutoff}"
    rows = connection.execute(
        f"SELECT query_id, TRY_CAST(delta AS DOUBLE) AS d FROM {table.name} WHERE isfinite(d) "
        f"AND measure = {literal(name)} AND TRY_CAST(cutoff AS BIGINT) {at}"
    ).fetchall()
    return dict(rows)


def system_names(
    connection: DuckDBPyConnection, tables: Mapping[str, Table], warnings: list[str]
) -> tuple[str, str]:
    """Return what control and treatment are called: as the runs say, else just that.

    Page grades are exported under these names, and `evalkit score` finds the runs by them.
    """
    named = []
    for side in ("control", "treatment"):
        name = None
        if "system" in tables[side].columns:
            row = connection.execute(f"SELECT min(system) FROM {tables[side].name}").fetchone()
            name = row[0] if row else None
        named.append(str(name) if name else side)
    if named[0] != named[1]:
        return named[0], named[1]
    warnings.append(
        f"Both runs call their system {named[0]!r}; here they are control and treatment."
    )
    return "control", "treatment"


def lot(seed: int, purpose: str, name: str) -> bytes:
    """Return what a name draws: sorting by it is a random order that only the seed decides.

    Args:
        seed: the study's.
        purpose: keeps several orders of one study apart.
        name: what is put in order, such as a query id.
    """
    return hashlib.sha256(f"{seed}\n{purpose}\n{name}".encode()).digest()


def counted(number: int, one: str, many: str) -> str:
    """Write a number with its noun.

    Example:
        >>> counted(1, "query", "queries"), counted(1200, "query", "queries")
        ('1 query', '1,200 queries')
    """
    return f"{number:,} {one if number == 1 else many}"
