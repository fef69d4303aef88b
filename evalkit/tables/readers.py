"""Reading: any supported file becomes a checked table with canonical names in a DuckDB connection.

The fast way reads and checks in one pass of DuckDB's parallel reader and stops at the first bad
value. Whatever it refuses goes the careful way (`staging`), which either explains all that is
wrong or reads what the fast way could not.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Literal

from evalkit.errors import InputError, Problem, SettingsError
from evalkit.tables import staging
from evalkit.tables.plans import REFUSED, Plan, Request, make_plan, parquet_errors
from evalkit.tables.quoting import identifier, literal, new_name
from evalkit.tables.schema import KINDS, Format, Kind, Order
from evalkit.tables.sources import open_source, recognise_format
from evalkit.tables.validation import (
    Rules,
    all_distinct,
    find_problems,
    guard,
    holds_labels,
    typed,
)
from evalkit.tables.vote_values import canonical_columns, canonical_view

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection, DuckDBPyRelation

__all__ = ["Table", "need_column", "read"]

_FIX_ROWS: Mapping[Format, str] = {
    "trec": "Fields are apart by spaces or tabs, so ids and tags must hold none.",
    "csv": "Every row needs all its fields; put fields that hold a comma or a quote in quotes.",
    "tsv": "Every row needs all its fields; put fields that hold a tab or a quote in quotes.",
    "jsonl": "JSON Lines holds one object a line, with ids as text.",
    "parquet": "",
}
# A float64 is written in 17 digits at most, an int64 holds any 18.
_WHOLE = "-?(0|[1-9][0-9]{0,17})"
_DECIMAL = "-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]{1,3})?"
_DIGITS = 17


@dataclass(frozen=True)
class Table:
    """A file that has been read and checked.

    Attributes:
        kind: what the table is.
        path: the file as the user gave it; `-` is standard input.
        format: `trec`, `csv`, `tsv`, `jsonl` or `parquet`.
        relation: the rows, typed, under canonical column names, in the given connection.
        columns: canonical and extra columns, in file order.
        rows: how many rows.
        fingerprint: `sha256:` and the digest of the file's bytes as stored.
        name: the name under which the connection knows the rows.
        dropped: rows left out because `on_duplicate="first"` was asked for.
    """

    kind: Kind
    path: str
    format: Format
    relation: DuckDBPyRelation
    columns: tuple[str, ...]
    rows: int
    fingerprint: str
    name: str
    dropped: int = 0


def read(
    kind: Kind,
    path: str | os.PathLike[str],
    connection: DuckDBPyConnection,
    *,
    format: str | None = None,  # noqa: A002
    mapping: Mapping[str, str] | None = None,
    on_duplicate: Literal["error", "first"] = "error",
    order: Order | None = None,
    stdin: IO[bytes] | None = None,
) -> Table:
    r"""Read a file and check every value in it.

    Ids are text, byte for byte. Scores, grades and weights are finite float64; grades may be text
    labels when the file holds no numeric one. Nothing is dropped, cast or deduplicated unasked.
    Blank lines carry nothing and are skipped; there are no comment lines.

    Args:
        kind: `run`, `judgments`, `page_grades`, `votes`, `queries` or `products`.
        path: a file (plain, `.gz` or `.zst`), or `-` for standard input.
        connection: the DuckDB connection that will hold the rows in a temporary table.
        format: `trec`, `csv`, `tsv`, `jsonl` or `parquet`; told from name and content if None.
        mapping: canonical column name to the file's, where the file uses an unknown name; the
            fields of TREC have places and no names, so there it says nothing.
        on_duplicate: `first` keeps a run's first of repeated products (in file order).
        order: `rank` or `score`, the column that orders a run. TREC ranks are read and checked
            for `rank` only; elsewhere ranks are checked unless `score` is asked for.
        stdin: the stream read for `-`, by default the process's own.

    Raises:
        InputError: the file cannot be read or something in it is wrong.
        SettingsError: an option does not fit the kind of table.

    >>> import duckdb, pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "today.run")
    >>> _ = path.write_text("q1 Q0 007 1 2.5 bm25\n")
    >>> table = read("run", path, duckdb.connect())
    >>> table.columns, table.relation.fetchall()
    (('query_id', 'product_id', 'score', 'system'), [('q1', '007', 2.5, 'bm25')])
    >>> folder.cleanup()
    """
    if kind not in KINDS:
        raise SettingsError(f"Unknown kind of table {kind!r}; use one of {', '.join(KINDS)}.")
    if on_duplicate not in ("error", "first"):
        raise SettingsError(f"--on-duplicate {on_duplicate!r} is unknown; use error or first.")
    if on_duplicate == "first" and kind != "run":
        raise SettingsError(f"--on-duplicate first is for runs, not for {kind}.")
    if order is not None and (order not in ("rank", "score") or kind != "run"):
        raise SettingsError(f"--order {order!r} does not fit {kind}; runs take rank or score.")
    with open_source(path, stdin) as source:
        known = recognise_format(kind, source, format)
        request = Request(kind, connection, source, known, mapping, on_duplicate, order)
        return _load(request, make_plan(request))


def need_column(table: Table, name: str, *, remedy: str | None = None) -> None:
    """Refuse a table that lacks a column which its kind may have, but need not.

    Args:
        table: what was read.
        name: the column.
        remedy: what to do; None says how to name the file's column.

    Raises:
        InputError: it is not there.
    """
    if name not in table.columns:
        raise InputError(
            table.path,
            [Problem(f"there is no column {name}; the file has: {', '.join(table.columns)}")],
            remedy=remedy or f"Name the file's column with --map {name}=COLUMN.",
        )


def _load(request: Request, plan: Plan) -> Table:
    """Read the fast way if that succeeds, else the careful way."""
    made = _load_fast(request, plan) or _load_carefully(request, plan)
    name, rows, dropped = made
    if rows == 0:
        request.connection.execute(f"DROP TABLE {name}")
        raise InputError(
            request.source.path,
            [Problem("has no rows" if request.format in ("trec", "jsonl")
                     else "has columns but no rows")],
            remedy="Check the command that should have written it.",
        )  # fmt: skip
    _settle_types(request.connection, name, plan)
    names = tuple(column.name for column in plan.columns)
    view = name
    if plan.system is not None:
        view = f"{name}_run"
        request.connection.execute(
            f"CREATE TEMP VIEW {view} AS SELECT *, {literal(plan.system)} AS system FROM {name}"
        )
    if request.kind == "votes":
        view = f"{name}_canonical"
        shown = any(column.role == "vote" for column in plan.columns)
        request.connection.execute(
            f"CREATE TEMP VIEW {view} AS {canonical_view(names, name, shown=shown)}"
        )
        names = canonical_columns(names, shown=shown)
    return Table(
        request.kind,
        request.source.path,
        request.format,
        request.connection.table(view),
        names,
        rows,
        request.source.scan().fingerprint,
        view,
        dropped,
    )


def _create(
    request: Request, plan: Plan, rules: Rules, relation: str, guards: Sequence[str] = ()
) -> tuple[str, int]:
    name = new_name(request.kind)
    cells = [f"{typed(rules, column)} AS {identifier(column.name)}" for column in plan.stored]
    if guards:
        # Any column will do: the guard must be evaluated for every row.
        value, _, alias = cells[0].rpartition(" AS ")
        cells[0] = (
            f"CASE WHEN {' OR '.join(guards)} THEN error({literal(REFUSED)}) "
            f"ELSE {value} END AS {alias}"
        )
    with _file_order(request):
        row = request.connection.execute(
            f"CREATE TEMP TABLE {name} AS SELECT {', '.join(cells)} FROM {relation}"
        ).fetchone()
    return name, int(row[0]) if row else 0


@contextmanager
def _file_order(request: Request) -> Iterator[None]:
    """Keep rows in file order while a table is made, where that order means something."""
    connection = request.connection
    row = connection.execute("SELECT current_setting('preserve_insertion_order')").fetchone()
    kept = bool(row and row[0])
    wanted = request.on_duplicate == "first" or request.kind not in ("run", "judgments")
    if wanted and not kept:
        connection.execute("SET preserve_insertion_order = true")
    try:
        yield
    finally:
        if wanted and not kept:
            connection.execute("SET preserve_insertion_order = false")


def _load_fast(request: Request, plan: Plan) -> tuple[str, int, int] | None:
    """Read and check in one pass; None if anything at all stands in the way."""
    import duckdb

    if plan.fast is None:
        return None
    has_grades = any(column.role == "grade" for column in plan.columns)
    for labels in (False, True) if has_grades else (False,):
        numeric = plan.numeric | {
            column.position
            for column in plan.columns
            if column.role in plan.fast_numeric and not (labels and column.role == "grade")
        }
        rules = request.rules(plan.columns, labels=labels, numeric=numeric)
        of_columns = (guard(rules, column, thorough=plan.thorough) for column in plan.stored)
        guards = [*filter(None, of_columns), *plan.guards]
        try:
            with parquet_errors(request.source) if request.format == "parquet" else nullcontext():
                name, rows = _create(request, plan, rules, plan.fast(labels), guards)
        except (duckdb.ConversionException, duckdb.InvalidInputException):
            continue
        if _bytes_are_odd(request):
            request.connection.execute(f"DROP TABLE {name}")
            return None
        dropped = _settle(request, plan, name, rows)
        if dropped is None:
            request.connection.execute(f"DROP TABLE {name}")
            return None
        return name, rows - dropped, dropped
    return None


def _bytes_are_odd(request: Request) -> bool:
    """Whether the bytes hold what the fast way may have misread."""
    if request.format == "parquet":
        return False
    scan = request.source.scan()
    return scan.nuls or (request.format == "trec" and scan.tabs and scan.spaces)


def _settle(request: Request, plan: Plan, name: str, rows: int) -> int | None:
    """Check what concerns several rows; the number of repeated rows dropped, None if refused."""
    connection = request.connection
    rules = request.rules(plan.columns, labels=False, numeric=frozenset())
    dropped = 0
    key = [column.name for column in rules.key()]
    if rows and key and not all_distinct(connection, name, key, rows):
        if request.kind != "run" or request.on_duplicate != "first":
            return None
        row = connection.execute(
            f"DELETE FROM {name} WHERE rowid NOT IN "
            f"(SELECT min(rowid) FROM {name} GROUP BY query_id, product_id)"
        ).fetchone()
        dropped = int(row[0]) if row else 0
    ranked = rules.ranks_order and rules.named("rank") is not None
    if ranked and not all_distinct(connection, name, ["query_id", "rank"], rows - dropped):
        return None
    if request.kind == "run" and plan.system is None and rules.named("system") is not None:
        row = connection.execute(
            f"SELECT min(system) IS DISTINCT FROM max(system) "
            f"OR count(system) NOT IN (0, count(*)) FROM {name}"
        ).fetchone()
        if row and row[0]:
            return None
    return dropped


def _load_carefully(request: Request, plan: Plan) -> tuple[str, int, int]:
    """Read row by row as text; say what is wrong, or read what the fast way could not."""
    connection = request.connection
    stage = plan.stage()
    with staging.dropped_after(connection, stage):
        rules = request.rules(plan.columns, labels=False, numeric=plan.numeric)
        rules = replace(rules, labels=holds_labels(connection, stage, rules))
        error = find_problems(
            connection, stage, rules, request.source.path, fix_rows=_FIX_ROWS[request.format]
        )
        if error is not None:
            raise error
        if not plan.columns:
            request.resolve([])
        ordered = f"(SELECT * FROM {stage} ORDER BY _row)"
        name, rows = _create(request, plan, rules, ordered)
    dropped = _settle(request, plan, name, rows) or 0
    return name, rows - dropped, dropped


def _settle_types(connection: DuckDBPyConnection, name: str, plan: Plan) -> None:
    """Make extra columns numbers where every value is one and no digit would be lost."""
    changes = dict.fromkeys(plan.booleans, "BOOLEAN")
    if plan.numbers:
        tests = ", ".join(
            f"count({cell}), count_if(regexp_full_match({cell}, {literal(_WHOLE)})), "
            f"count_if(regexp_full_match({cell}, {literal(_DECIMAL)}) AND length(ltrim("
            f"regexp_replace({cell}, '[eE].*|[^0-9]', '', 'g'), '0')) <= {_DIGITS})"
            for cell in map(identifier, plan.numbers)
        )
        counts = connection.execute(f"SELECT {tests} FROM {name}").fetchone() or ()
        for place, extra in enumerate(plan.numbers):
            present, whole, decimal = counts[3 * place : 3 * place + 3]
            if present and present == max(whole, decimal):
                changes[extra] = "BIGINT" if present == whole else "DOUBLE"
    for extra, sql_type in changes.items():
        connection.execute(f"ALTER TABLE {name} ALTER {identifier(extra)} SET DATA TYPE {sql_type}")
