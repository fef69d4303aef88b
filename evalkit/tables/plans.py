"""How each format is read: the columns, the fast relation, the careful stage.

A plan is made from an open file and read by `evalkit.tables.readers`.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from evalkit.errors import InputError, Problem
from evalkit.tables import staging
from evalkit.tables.quoting import identifier, literal
from evalkit.tables.schema import (
    SCHEMAS,
    TREC_FIELDS,
    Column,
    Format,
    Kind,
    Order,
    Role,
    resolve_columns,
)
from evalkit.tables.validation import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.tables.sources import Source

__all__ = ["NUMERIC_ROLES", "REFUSED", "Plan", "Request", "make_plan", "parquet_errors"]

REFUSED = "evalkit refuses a value"
NUMERIC_ROLES: frozenset[Role] = frozenset({"score", "rank", "position", "weight", "grade"})
# Smaller read buffers than DuckDB's 32 MB are faster and take 100 MB less; a line must fit.
_BUFFER = 3_000_000
_TEXT_TYPES = ("VARCHAR", "ENUM", "UUID", "BLOB")
_INTEGER_TYPES = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
)  # fmt: skip
_LONGEST_OBJECT = 1 << 26
_JSON_NUMBERS = {"BIGINT", "UBIGINT", "DOUBLE"}


@dataclass(frozen=True)
class Request:
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
class Plan:
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
        numbers: extra columns that become numbers where every value is one.
        booleans: extra columns that become booleans.
    """

    columns: tuple[Column, ...]
    stage: Callable[[], str]
    fast: Callable[[bool], str] | None
    fast_numeric: frozenset[Role] = frozenset()
    numeric: frozenset[int] = frozenset()
    guards: tuple[str, ...] = ()
    system: str | None = None
    thorough: bool = False
    numbers: tuple[str, ...] = ()
    booleans: tuple[str, ...] = ()

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that the table holds itself."""
        return tuple(c for c in self.columns if c.name != "system" or self.system is None)


def make_plan(request: Request) -> Plan:
    """Look at the file and say how to read it.

    Raises:
        InputError: its columns are not those of the kind, or it cannot be opened as its format.
    """
    match request.format:
        case "trec":
            return _plan_trec(request)
        case "csv" | "tsv":
            return _plan_delimited(request)
        case "jsonl":
            return _plan_json(request)
        case "parquet":
            return _plan_parquet(request)


def _plan_trec(request: Request) -> Plan:
    kind, source = request.kind, request.source
    if kind not in TREC_FIELDS:
        raise InputError(
            source.path,
            [Problem(f"TREC files hold runs and judgments, not {kind}")],
            remedy="Give it as CSV, TSV, JSON Lines or Parquet with a header.",
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
    system = re.split("[ \t]+", first.strip(" \t"))[-1] if kind == "run" else None
    guards = [f"c{place} IS NULL" for place in range(len(fields)) if place not in used]
    if system is not None:
        guards.append(f"c{len(fields) - 1} IS DISTINCT FROM {literal(system)}")
    return Plan(
        columns,
        stage=lambda: staging.stage_trec(request.connection, source, request.kind),
        fast=lambda labels: _read_csv(
            source, delimiter, _cell_types(columns, len(fields), labels), quoted=False
        ),
        fast_numeric=NUMERIC_ROLES,
        guards=tuple(guards),
        system=system,
    )


def _plan_delimited(request: Request) -> Plan:
    source = request.source
    delimiter = "\t" if request.format == "tsv" else ","
    names = source.first_record(delimiter)
    columns = request.resolve(names)
    blank_first = not source.first_lines()[0].strip()

    def fast(labels: bool) -> str:
        return _read_csv(source, delimiter, _cell_types(columns, len(names), labels), quoted=True)

    return Plan(
        columns,
        stage=partial(staging.stage_delimited, request.connection, source, delimiter, len(names)),
        # DuckDB would take a blank first line for the header.
        fast=None if blank_first else fast,
        fast_numeric=NUMERIC_ROLES,
        numbers=_extras(request, columns),
    )


def _extras(request: Request, columns: Sequence[Column]) -> tuple[str, ...]:
    if not SCHEMAS[request.kind].infer_extras:
        return ()
    return tuple(column.name for column in columns if column.role == "extra")


def _plan_json(request: Request) -> Plan:
    """Plan JSON Lines: one pass finds the keys of all objects, another reads them.

    Columns are the keys of the first object, then all others by name: a key that first appears on
    the last line is kept as well.
    """
    connection, source = request.connection, request.source
    documents = (
        f"(SELECT json AS line FROM read_ndjson_objects({literal(source.plain)}, "
        f"format = 'newline_delimited', maximum_object_size = {_LONGEST_OBJECT}))"
    )
    keys = staging.json_keys(connection, documents)
    lines = None
    if keys is None:
        lines = staging.stage_lines(connection, source)
        keys = staging.json_keys(connection, lines, only_valid=True) or []
    try:
        columns = request.resolve(keys) if keys or lines is None else ()
        numbers: list[str] = []
        booleans: list[str] = []
        extras = _extras(request, columns)
        for name, types in zip(
            extras, staging.json_types(connection, lines or documents, extras), strict=True
        ):
            if types and types <= _JSON_NUMBERS:
                numbers.append(name)
            elif types == {"BOOLEAN"}:
                booleans.append(name)
    except BaseException:
        if lines is not None:
            connection.execute(f"DROP TABLE {lines}")
        raise

    def stage() -> str:
        staged = lines or staging.stage_lines(connection, source)
        with staging.dropped_after(connection, staged):
            return staging.stage_json(connection, staged, columns)

    return Plan(
        columns,
        stage=stage,
        fast=None if lines else lambda labels: staging.json_cells(documents, columns),
        guards=(staging.json_id_fault(columns),),
        thorough=True,
        numbers=tuple(numbers),
        booleans=tuple(booleans),
    )


def _plan_parquet(request: Request) -> Plan:
    connection, source = request.connection, request.source
    relation = f"read_parquet({literal(source.plain)}, hive_partitioning = false)"
    with parquet_errors(source):
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    columns = request.resolve([row[0] for row in described])
    types = {position: str(row[1]) for position, row in enumerate(described)}
    for column in columns:
        _refuse_type(column, types[column.position], source.path)
    chosen = ", ".join(_parquet_cell(column, types[column.position]) for column in columns)

    def stage() -> str:
        with parquet_errors(source):
            return staging.stage_parquet(connection, source, chosen)

    return Plan(
        columns,
        stage=stage,
        fast=lambda labels: f"(SELECT {chosen} FROM {relation})",
        numeric=frozenset(
            column.position for column in columns if _is_number(types[column.position])
        ),
        thorough=True,
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
    elif column.role in NUMERIC_ROLES:
        fits, wanted = _is_text(sql_type) or _is_number(sql_type), "numbers"
    elif column.role in ("page_grade", "side", "vote_kind"):
        fits, wanted = _is_text(sql_type), "text"
    elif column.role == "annotator":
        fits, wanted = _is_text(sql_type) or sql_type in (*_INTEGER_TYPES, '"NULL"'), "text"
    elif column.role == "flag":
        fits = _is_text(sql_type) or sql_type in ("BOOLEAN", '"NULL"', *_INTEGER_TYPES)
        wanted = "true and false"
    elif column.role in ("preference", "vote", "gold_preference", "whole", "number"):
        fits = _is_text(sql_type) or _is_number(sql_type) or sql_type == '"NULL"'
        wanted = "numbers"
    if not fits:
        raise InputError(
            path,
            [Problem(f"{column.name} is stored as {sql_type}", column=column.source)],
            remedy=f"Store it as {wanted}.",
        )


@contextmanager
def parquet_errors(source: Source) -> Iterator[None]:
    """Turn DuckDB's complaints about a Parquet file into an `InputError`."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        if REFUSED in str(error):
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
        if column.role in NUMERIC_ROLES and not (labels and column.role == "grade"):
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
