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
from evalkit.tables.quoting import identifier, literal, new_name
from evalkit.tables.schema import (
    KINDS,
    SCHEMAS,
    TREC_FIELDS,
    Column,
    Format,
    Kind,
    Order,
    Role,
    resolve_columns,
)
from evalkit.tables.sources import Source, open_source, recognise_format
from evalkit.tables.validation import (
    Rules,
    all_distinct,
    find_problems,
    guard,
    holds_labels,
    typed,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection, DuckDBPyRelation

__all__ = ["Table", "read"]

# Smaller read buffers than DuckDB's 32 MB are faster and take 100 MB less; they must hold the
# longest line twice over.
_BUFFER = 8_000_000
_WHOLE = "-?(0|[1-9][0-9]{0,17})"
_DECIMAL = "-?(0|[1-9][0-9]{0,14})([.][0-9]+)?([eE][+-]?[0-9]{1,2})?"
_REFUSED = "evalkit refuses a value"
_NUMERIC_ROLES: frozenset[Role] = frozenset({"score", "rank", "position", "weight", "grade"})
_TEXT_TYPES = ("VARCHAR", "ENUM", "UUID", "BLOB")
_INTEGER_TYPES = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
)  # fmt: skip


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
        kind: `run`, `judgments`, `page_grades`, `queries` or `products`.
        path: a file (plain, `.gz` or `.zst`), or `-` for standard input.
        connection: the DuckDB connection that will hold the rows in a temporary table.
        format: `trec`, `csv`, `tsv`, `jsonl` or `parquet`; told from name and content if None.
        mapping: canonical column name to the file's, where the file uses an unknown name.
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
        plan_of = {"trec": _plan_trec, "parquet": _plan_parquet, "jsonl": _plan_json}
        known = recognise_format(kind, source, format)
        make_plan = plan_of.get(known, _plan_delimited)
        request = _Request(kind, connection, source, known, mapping, on_duplicate, order)
        return _load(request, make_plan(request))


@dataclass(frozen=True)
class _Request:
    """What `read` was asked for, with the file open."""

    kind: Kind
    connection: DuckDBPyConnection
    source: Source
    format: Format
    mapping: Mapping[str, str] | None
    on_duplicate: str
    order: Order | None

    def resolve(self, names: Sequence[str]) -> tuple[Column, ...]:
        """Give the file's columns their canonical names."""
        return resolve_columns(
            self.kind, names, path=self.source.path, mapping=self.mapping, order=self.order
        )

    def rules(self, columns: tuple[Column, ...], *, labels: bool, numeric: frozenset[int]) -> Rules:
        """What is checked."""
        return Rules(self.kind, columns, labels, numeric, self.on_duplicate, self.order != "score")


@dataclass(frozen=True)
class _Plan:
    """How one file will be read.

    Attributes:
        columns: its columns.
        stage: makes the staged table and returns its name.
        fast: makes SQL for a relation of `cN`, given whether grades are labels, or None where
            only the careful way will do.
        fast_numeric: roles that are numbers in the fast relation.
        numeric: positions of the columns that are numbers in both.
        guards: further SQL that is true where a row of the fast relation is bad.
        system: the one system of the run, where it is checked row by row and not stored.
        thorough: whether the fast way looks for NUL characters in ids.
        untyped: whether extra columns arrive as text.
    """

    columns: tuple[Column, ...]
    stage: Callable[[], str]
    fast: Callable[[bool], str] | None
    fast_numeric: frozenset[Role] = frozenset()
    numeric: frozenset[int] = frozenset()
    guards: tuple[str, ...] = ()
    system: str | None = None
    thorough: bool = False
    untyped: bool = True


def _plan_trec(request: _Request) -> _Plan:
    kind, source = request.kind, request.source
    if kind not in TREC_FIELDS:
        raise InputError(
            source.path,
            [Problem(f"TREC files hold runs and judgments, not {kind}")],
            remedy="Give it as CSV, TSV, JSON Lines or Parquet with a header.",
        )
    if request.mapping:
        raise InputError(
            source.path,
            [Problem("a TREC file has no column names to map")],
            remedy="Leave out --map, or give the file a header and name it .csv or .tsv.",
        )
    fields = TREC_FIELDS[kind]
    schema = SCHEMAS[kind]
    columns = tuple(
        Column(name, name, schema.roles[name], position)
        for position, name in enumerate(fields)
        if name is not None and (name != "rank" or request.order == "rank")
    )
    used = {column.position for column in columns}
    first = next((line for line in source.first_lines() if line.strip(" \t")), "")
    delimiter = "\t" if "\t" in first else " "
    system = first.split(delimiter)[-1] if kind == "run" else None
    guards = [f"c{place} IS NULL" for place in range(len(fields)) if place not in used]
    if system is not None:
        guards.append(f"c{len(fields) - 1} IS DISTINCT FROM {literal(system)}")
    return _Plan(
        columns,
        stage=lambda: staging.stage_trec(request.connection, source, request.kind),
        fast=lambda labels: _read_csv(
            source, delimiter, _cell_types(columns, len(fields), labels), quoted=False
        ),
        fast_numeric=_NUMERIC_ROLES,
        guards=tuple(guards),
        system=system,
    )


def _plan_delimited(request: _Request) -> _Plan:
    source = request.source
    delimiter = "\t" if request.format == "tsv" else ","
    names = source.first_record(delimiter)
    columns = request.resolve(names)
    return _Plan(
        columns,
        stage=lambda: staging.stage_delimited(request.connection, source, delimiter, len(names)),
        fast=lambda labels: _read_csv(
            source, delimiter, _cell_types(columns, len(names), labels), quoted=True
        ),
        fast_numeric=_NUMERIC_ROLES,
    )


def _plan_json(request: _Request) -> _Plan:
    connection, source = request.connection, request.source
    lines = staging.stage_lines(connection, source)
    try:
        keys = staging.json_keys(connection, lines)
        columns = request.resolve(keys) if keys else ()
    except BaseException:
        connection.execute(f"DROP TABLE {lines}")
        raise

    def stage() -> str:
        with staging.dropped_after(connection, lines):
            return staging.stage_json(connection, lines, columns)

    return _Plan(columns, stage=stage, fast=None, untyped=False)


def _plan_parquet(request: _Request) -> _Plan:
    connection, source = request.connection, request.source
    relation = f"read_parquet({literal(source.plain)}, hive_partitioning = false)"
    with _parquet_errors(source):
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    columns = request.resolve([row[0] for row in described])
    types = {position: str(row[1]) for position, row in enumerate(described)}
    for column in columns:
        _refuse_type(column, types[column.position], source.path)
    chosen = ", ".join(_parquet_cell(column, types[column.position]) for column in columns)

    def stage() -> str:
        with _parquet_errors(source):
            return staging.stage_parquet(connection, source, chosen)

    return _Plan(
        columns,
        stage=stage,
        fast=lambda labels: f"(SELECT {chosen} FROM {relation})",
        numeric=frozenset(
            column.position for column in columns if _is_number(types[column.position])
        ),
        thorough=True,
        untyped=False,
    )


def _is_number(sql_type: str) -> bool:
    return sql_type in (*_INTEGER_TYPES, "FLOAT", "DOUBLE") or sql_type.startswith("DECIMAL")


def _is_text(sql_type: str) -> bool:
    return sql_type.startswith(_TEXT_TYPES)


def _parquet_cell(column: Column, sql_type: str) -> str:
    cell = identifier(column.source)
    if column.role != "extra" and sql_type == "BLOB":
        cell = f"decode({cell})"
    elif column.role != "extra" and (column.role == "id" or _is_text(sql_type)):
        cell = f"CAST({cell} AS VARCHAR)"
    return f"{cell} AS c{column.position}"


def _refuse_type(column: Column, sql_type: str, path: str) -> None:
    fits, wanted = True, ""
    if column.role == "id":
        fits, wanted = _is_text(sql_type) or sql_type in _INTEGER_TYPES, "text"
    elif column.role in _NUMERIC_ROLES:
        fits, wanted = _is_text(sql_type) or _is_number(sql_type), "numbers"
    elif column.role == "page_grade":
        fits, wanted = _is_text(sql_type), "text"
    if not fits:
        raise InputError(
            path,
            [Problem(f"{column.name} is stored as {sql_type}", column=column.source)],
            remedy=f"Store it as {wanted}.",
        )


@contextmanager
def _parquet_errors(source: Source) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        if _REFUSED in str(error):
            raise
        reason = str(error).partition("\n")[0].replace(source.plain, "the file")
        raise InputError(
            source.path,
            [Problem(f"cannot be read as Parquet ({reason})")],
            remedy="Copy or write it again, or name its real format.",
        ) from error


def _cell_types(columns: tuple[Column, ...], width: int, labels: bool) -> list[str]:
    types = ["VARCHAR"] * width
    for column in columns:
        if column.role in _NUMERIC_ROLES and not (labels and column.role == "grade"):
            types[column.position] = "DOUBLE"
    return types


def _read_csv(source: Source, delimiter: str, types: list[str], *, quoted: bool) -> str:
    struct = ", ".join(f"'c{place}': '{sql_type}'" for place, sql_type in enumerate(types))
    quotes = "quote = '\"', escape = '\"'" if quoted else "quote = '', escape = ''"
    return (
        f"read_csv({literal(source.plain)}, auto_detect = false, delim = {literal(delimiter)}, "
        f"{quotes}, header = {str(quoted).lower()}, allow_quoted_nulls = false, "
        f"hive_partitioning = false, compression = 'none', buffer_size = {_BUFFER}, "
        f"columns = {{{struct}}})"
    )


def _load(request: _Request, plan: _Plan) -> Table:
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
    if SCHEMAS[request.kind].infer_extras and plan.untyped:
        _infer_numbers(request.connection, name, plan.columns)
    names = tuple(column.name for column in plan.columns)
    view = name
    if plan.system is not None:
        view = f"{name}_run"
        request.connection.execute(
            f"CREATE TEMP VIEW {view} AS SELECT *, {literal(plan.system)} AS system FROM {name}"
        )
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


def _stored(plan: _Plan) -> list[Column]:
    return [c for c in plan.columns if not (c.name == "system" and plan.system is not None)]


def _create(
    request: _Request, plan: _Plan, rules: Rules, relation: str, guards: Sequence[str] = ()
) -> tuple[str, int]:
    name = new_name(request.kind)
    cells = [f"{typed(rules, column)} AS {identifier(column.name)}" for column in _stored(plan)]
    if guards:
        # Any column will do: the guard must be evaluated for every row.
        value, _, alias = cells[0].rpartition(" AS ")
        cells[0] = (
            f"CASE WHEN {' OR '.join(guards)} THEN error({literal(_REFUSED)}) "
            f"ELSE {value} END AS {alias}"
        )
    with _file_order(request):
        row = request.connection.execute(
            f"CREATE TEMP TABLE {name} AS SELECT {', '.join(cells)} FROM {relation}"
        ).fetchone()
    return name, int(row[0]) if row else 0


@contextmanager
def _file_order(request: _Request) -> Iterator[None]:
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


def _load_fast(request: _Request, plan: _Plan) -> tuple[str, int, int] | None:
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
        of_columns = (guard(rules, column, thorough=plan.thorough) for column in _stored(plan))
        guards = [*filter(None, of_columns), *plan.guards]
        try:
            with _parquet_errors(request.source) if request.format == "parquet" else nullcontext():
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


def _bytes_are_odd(request: _Request) -> bool:
    """Whether the bytes hold what the fast way may have misread."""
    if request.format == "parquet":
        return False
    scan = request.source.scan()
    return scan.nuls or (request.format == "trec" and scan.tabs and scan.spaces)


def _settle(request: _Request, plan: _Plan, name: str, rows: int) -> int | None:
    """Check what concerns several rows; the number of repeated rows dropped, None if refused."""
    connection = request.connection
    rules = request.rules(plan.columns, labels=False, numeric=frozenset())
    dropped = 0
    if rows and not all_distinct(connection, name, [c.name for c in rules.key()], rows):
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


def _load_carefully(request: _Request, plan: _Plan) -> tuple[str, int, int]:
    """Read row by row as text; say what is wrong, or read what the fast way could not."""
    connection = request.connection
    stage = plan.stage()
    with staging.dropped_after(connection, stage):
        rules = request.rules(plan.columns, labels=False, numeric=plan.numeric)
        rules = replace(rules, labels=holds_labels(connection, stage, rules))
        error = find_problems(
            connection, stage, rules, request.source.path, trec=request.format == "trec"
        )
        if error is not None:
            raise error
        ordered = f"(SELECT * FROM {stage} ORDER BY _row)"
        name, rows = _create(request, plan, rules, ordered)
    dropped = _settle(request, plan, name, rows) or 0
    return name, rows - dropped, dropped


def _infer_numbers(connection: DuckDBPyConnection, name: str, columns: tuple[Column, ...]) -> None:
    """Make extra text columns numbers where every value is one and no digit would be lost."""
    extras = [column.name for column in columns if column.role == "extra"]
    if not extras:
        return
    tests = ", ".join(
        f"count({cell}), count_if(regexp_full_match({cell}, {literal(_WHOLE)})), "
        f"count_if(regexp_full_match({cell}, {literal(_DECIMAL)}))"
        for cell in map(identifier, extras)
    )
    counts = connection.execute(f"SELECT {tests} FROM {name}").fetchone() or ()
    for place, extra in enumerate(extras):
        present, whole, decimal = counts[3 * place : 3 * place + 3]
        if present and present == max(whole, decimal):
            sql_type = "BIGINT" if present == whole else "DOUBLE"
            connection.execute(
                f"ALTER TABLE {name} ALTER {identifier(extra)} SET DATA TYPE {sql_type}"
            )
