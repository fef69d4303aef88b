"""The careful way to read: every row as text, with its line number and what is wrong with it.

The readers take this way only when the fast one has failed: to say exactly what is wrong, or to
read what the fast one cannot (fields apart by several spaces, mixed line ends). It makes a table
with `_row`, `_problem` and `_value` (both null where the row has its fields) and one text column
`c0`, `c1`, … for each column of the file.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evalkit.tables.quoting import literal, new_name
from evalkit.tables.schema import TREC_FIELDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.tables.schema import Column
    from evalkit.tables.sources import Source

__all__ = ["dropped_after", "stage_delimited", "stage_json", "stage_lines", "stage_parquet",
           "stage_trec"]  # fmt: skip

_BLOCK = 1 << 24
_SHOWN = 60
_TREC_SHAPE = {
    "run": "a TREC run has 6 (query Q0 product rank score tag)",
    "judgments": "TREC judgments have 4 (query iteration product grade)",
}


@contextmanager
def dropped_after(connection: DuckDBPyConnection, *tables: str) -> Iterator[None]:
    """Drop the tables at the end, whatever happens."""
    try:
        yield
    finally:
        for table in tables:
            connection.execute(f"DROP TABLE IF EXISTS {table}")


def _batches(source: Source, separator: bytes) -> Iterator[Any]:
    """The lines of the file as Arrow batches of (line number, bytes with the line's end)."""
    import numpy as np
    import pyarrow as pa

    code = separator[0]
    number = 1
    rest = b""
    with open(source.plain, "rb") as file:
        if source.starts_with_bom:
            file.seek(3)
        while True:
            block = file.read(_BLOCK)
            data = rest + block if rest else block
            if not data:
                return
            ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == code) + 1
            if not block and (len(ends) == 0 or ends[-1] != len(data)):
                ends = np.append(ends, len(data))
            if len(ends) == 0:
                rest = data
                continue
            rest = data[ends[-1] :]
            offsets = np.concatenate(([0], ends)).astype(np.int64)
            lines = pa.Array.from_buffers(
                pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
            )
            numbers = pa.array(np.arange(number, number + len(ends), dtype=np.int64))
            number += len(ends)
            yield pa.record_batch([numbers, lines], names=["_row", "bytes"])


def stage_lines(
    connection: DuckDBPyConnection, source: Source, *, line_end: str = "\\r?\\n?$"
) -> str:
    """Make a table of the file's lines: `_row`, `line` (null if not UTF-8), `bytes` (then).

    Args:
        connection: where the table will be.
        source: the file.
        line_end: what is taken off each line, as a regular expression.
    """
    import pyarrow as pa

    separator = b"\r" if not source.scan().newlines and b"\r" in source.head else b"\n"
    schema = pa.schema([("_row", pa.int64()), ("bytes", pa.large_binary())])
    reader = pa.RecordBatchReader.from_batches(schema, _batches(source, separator))
    stream, table = new_name("stream"), new_name("lines")
    connection.register(stream, reader)
    try:
        connection.execute(
            f"""
            CREATE TEMP TABLE {table} AS
            SELECT _row, regexp_replace(line, {literal(line_end)}, '') AS line,
                CASE WHEN line IS NULL THEN CAST(bytes AS VARCHAR) END AS bytes
            FROM (SELECT _row, TRY(decode(bytes)) AS line, bytes FROM {stream})
            """
        )
    finally:
        connection.unregister(stream)
    return table


def _faults(kind_of_row: str) -> str:
    """SQL for what can be wrong with a line before its fields are looked at."""
    return f"""
        CASE WHEN line IS NULL THEN 'the {kind_of_row} is not UTF-8 text'
             WHEN contains(line, chr(0)) THEN 'the {kind_of_row} holds a NUL byte' END
    """


def _fields(width: int) -> str:
    return "".join(f", f[{index + 1}] AS c{index}" for index in range(width))


def stage_trec(connection: DuckDBPyConnection, source: Source, kind: Kind) -> str:
    """Stage a TREC file: fields apart by any run of spaces and tabs, blank lines left out."""
    lines, stage = stage_lines(connection, source), new_name("stage")
    width = len(TREC_FIELDS[kind])
    with dropped_after(connection, lines):
        connection.execute(
            f"""
            CREATE TEMP TABLE {stage} AS
            SELECT _row,
                coalesce({_faults("line")}, CASE WHEN len(f) <> {width} THEN
                    len(f) || ' field' || if(len(f) = 1, '', 's')
                    || ' where {_TREC_SHAPE[kind]}' END) AS _problem,
                left(coalesce(line, bytes), {_SHOWN}) AS _value{_fields(width)}
            FROM (
                SELECT *, regexp_split_to_array(trim(line, ' ' || chr(9)), '[ \\t]+') AS f
                FROM {lines} WHERE line IS NULL OR trim(line, ' ' || chr(9)) <> ''
            )
            """
        )
    return stage


def stage_delimited(
    connection: DuckDBPyConnection, source: Source, delimiter: str, width: int
) -> str:
    """Stage CSV or TSV: a quoted field may hold delimiters, line ends and doubled quotes.

    A row's number is that of the line on which its record begins. The first record that is not
    blank is the header and is left out, as are blank lines.
    """
    # A carriage return may be the end of a line within a field, and is then kept.
    lines, spans = stage_lines(connection, source, line_end="\\n$"), new_name("spans")
    records, stage = new_name("records"), new_name("stage")
    d = "\\t" if delimiter == "\t" else delimiter
    inside = '(?:[^"]|"")*'
    closed = f' *"{inside}"(?:[^"{d}][^{d}]*)?'
    bare = f'(?: *[^"{d} ][^{d}]*| *)'
    with dropped_after(connection, lines, spans, records):
        # A line end belongs to a field when a quote is open before it. Each line maps "open
        # before" to "open after": most leave it as it is, some set it whatever it was, and a
        # line that only closes or only opens flips it. So the state before a line is the last
        # set state, flipped once for every flip since.
        connection.execute(
            f"""
            CREATE TEMP TABLE {spans} AS
            WITH maps AS (
                SELECT _row,
                    regexp_full_match(line, '(?:(?:{closed}|{bare}){d})* *"{inside}') AS if_shut,
                    regexp_full_match(line, '{inside}|{inside}"(?:[^"{d}][^{d}]*)?{d}'
                        || '(?:(?:{closed}|{bare}){d})* *"{inside}') AS if_open
                FROM {lines} WHERE contains(line, '"')
            ), flips AS (
                SELECT *, coalesce(count_if(if_shut AND NOT if_open) OVER before, 0) AS flipped
                FROM maps WHERE if_shut OR NOT if_open
                WINDOW before AS (ORDER BY _row ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW)
            ), sets AS (
                SELECT *, last_value(
                    CASE WHEN if_shut = if_open THEN
                        {{'state': if_shut, 'flipped': flipped}} END IGNORE NULLS
                ) OVER (ORDER BY _row ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) AS last
                FROM flips
            ), states AS (
                SELECT _row, coalesce(last.state, false)
                    <> ((flipped - coalesce(last.flipped, 0)) % 2 = 1) AS before,
                    CASE WHEN before THEN if_open ELSE if_shut END AS after
                FROM sets
            )
            SELECT _row AS first, last FROM (
                SELECT *, lead(_row) OVER (ORDER BY _row) AS last
                FROM states WHERE before <> after
            ) WHERE after
            """
        )
        connection.execute(
            f"""
            CREATE TEMP TABLE {records} AS
            WITH placed AS (
                SELECT l.*, first, first IS NOT NULL AND last IS NULL AS unclosed,
                    coalesce(l._row <= coalesce(last, l._row), false) AS spans
                FROM {lines} AS l ASOF LEFT JOIN {spans} AS s ON l._row >= s.first
            )
            SELECT _row, line, bytes, line IS NULL AS broken, false AS unclosed
            FROM placed WHERE first IS NULL OR NOT spans
            UNION ALL
            SELECT first, string_agg(line, chr(10) ORDER BY _row),
                string_agg(bytes, ' ' ORDER BY _row), count(*) > count(line), any_value(unclosed)
            FROM placed WHERE first IS NOT NULL AND spans GROUP BY first
            """
        )
        connection.execute(
            f"""
            CREATE TEMP TABLE {stage} AS
            WITH kept AS (
                SELECT _row, bytes, unclosed,
                    CASE WHEN NOT broken THEN regexp_replace(line, '\\r$', '') END AS line
                FROM {records} WHERE broken OR line NOT IN ('', chr(13))
            ), split AS (
                SELECT *, CASE WHEN contains(line, '"') THEN regexp_extract_all(
                        line || {literal(delimiter)}, '({closed} *|{bare}){d}', 1)
                    ELSE string_split(line, {literal(delimiter)}) END AS raw
                FROM kept WHERE _row > (SELECT min(_row) FROM kept)
            ), trimmed AS (
                -- One empty field too many is a delimiter at the end of the line.
                SELECT * REPLACE (CASE WHEN len(raw) = {width + 1} AND raw[-1] = ''
                    THEN raw[:{width}] ELSE raw END AS raw) FROM split
            ), cleaned AS (
                SELECT *, list_transform(raw, lambda x:
                    CASE WHEN x = '' THEN NULL
                         WHEN starts_with(ltrim(x, ' '), '"')
                         THEN replace(trim(x, ' ')[2:-2], '""', '"') ELSE x END) AS f,
                    list_bool_or(list_transform(raw, lambda x:
                        starts_with(ltrim(x, ' '), '"')
                        AND NOT regexp_full_match(x, ' *"{inside}" *'))) AS spilt
                FROM trimmed
            )
            SELECT _row,
                coalesce({_faults("row")},
                    CASE WHEN unclosed THEN 'a quote is opened and never closed'
                         WHEN spilt THEN 'text follows the closing quote of a field'
                         WHEN len(f) <> {width} THEN len(f) || ' field' || if(len(f) = 1, '', 's')
                            || ' where the header has {width}' END) AS _problem,
                left(coalesce(line, bytes), {_SHOWN}) AS _value{_fields(width)}
            FROM cleaned
            """
        )
    return stage


def json_keys(
    connection: DuckDBPyConnection, documents: str, *, only_valid: bool = False
) -> list[str] | None:
    """The keys of the first object, then all others by name; None if a document is unfit.

    Args:
        connection: where the documents are.
        documents: SQL for a relation with a column `line`.
        only_valid: look past what is not an object or has a key twice.
    """
    import duckdb

    good = "json_type(line) = 'OBJECT' AND len(list_distinct(keys)) = len(keys)"
    valid = "WHERE json_valid(line)" if only_valid else ""
    try:
        row = connection.execute(
            f"""
            SELECT count_if(NOT coalesce({good}, false)),
                first(keys) FILTER ({good}), list(DISTINCT keys) FILTER ({good})
            FROM (SELECT line, json_keys(line) AS keys FROM {documents} {valid})
            """
        ).fetchone()
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        return None
    if row is None or (row[0] and not only_valid) or row[1] is None:
        return None
    first, every = row[1], {key for keys in row[2] for key in keys}
    return [*first, *sorted(every.difference(first))]


def json_types(
    connection: DuckDBPyConnection, documents: str, keys: Sequence[str]
) -> list[set[str]]:
    """The JSON types of each key's values, null left out."""
    if not keys:
        return []
    paths = ", ".join(literal(_pointer(key)) for key in keys)
    sets = ", ".join(f"list(DISTINCT t[{place + 1}])" for place in range(len(keys)))
    row = connection.execute(
        f"""
        SELECT {sets}
        FROM (SELECT json_type(line, [{paths}]) AS t FROM {documents} WHERE json_valid(line))
        """
    ).fetchone()
    return [set(types or ()) - {"NULL", None} for types in row or ()]


def _pointer(key: str) -> str:
    # A JSON pointer takes any key; DuckDB's `$.` paths cannot hold quotes, `*` or an empty key.
    return "/" + key.replace("~", "~0").replace("/", "~1")


def json_cells(documents: str, columns: Sequence[Column], also: str = "") -> str:
    """SQL for the values as text `cN` and, for ids, their JSON types `tN`.

    Args:
        documents: SQL for a relation with a column `line`.
        columns: the columns.
        also: further columns of the documents to pass on, with a comma after each.
    """
    paths = ", ".join(literal(_pointer(column.source)) for column in columns)
    ids = [column for column in columns if column.role == "id"]
    id_paths = ", ".join(literal(_pointer(column.source)) for column in ids)
    cells = [f"f[{index + 1}] AS c{column.position}" for index, column in enumerate(columns)]
    cells += [f"t[{index + 1}] AS t{column.position}" for index, column in enumerate(ids)]
    return (
        f"(SELECT {also} {', '.join(cells)} FROM (SELECT {also} "
        f"json_extract_string(line, [{paths}]) AS f, json_type(line, [{id_paths}]) AS t "
        f"FROM {documents}))"
    )


def json_id_fault(columns: Sequence[Column]) -> str:
    """SQL that is true where an id is neither text nor a whole number."""
    tests = [
        f"coalesce(t{column.position} NOT IN ('VARCHAR', 'BIGINT', 'UBIGINT', 'NULL'), false)"
        for column in columns
        if column.role == "id"
    ]
    return f"({' OR '.join(tests or ['false'])})"


def stage_json(connection: DuckDBPyConnection, lines: str, columns: Sequence[Column]) -> str:
    """Stage JSON Lines whose lines are already in a table; blank lines are left out."""
    stage, judged = new_name("stage"), new_name("judged")
    with dropped_after(connection, judged):
        connection.execute(
            f"""
            CREATE TEMP TABLE {judged} AS
            SELECT _row, left(coalesce(line, bytes), {_SHOWN}) AS _value, coalesce(
                {_faults("line")},
                CASE WHEN NOT json_valid(line) THEN 'the line is not valid JSON'
                     WHEN json_type(line) <> 'OBJECT' THEN 'the line is not a JSON object'
                     WHEN len(list_distinct(json_keys(line))) < len(json_keys(line))
                     THEN 'the object has a key twice' END) AS _fault,
                CASE WHEN _fault IS NULL THEN line END AS line
            FROM {lines} WHERE line IS NULL OR trim(line, ' ' || chr(9)) <> ''
            """
        )
        cells = json_cells(judged, columns, "_row, _value, _fault,") if columns else judged
        connection.execute(
            f"""
            CREATE TEMP TABLE {stage} AS
            SELECT *, coalesce(_fault, CASE WHEN {json_id_fault(columns)}
                THEN 'an id is neither text nor a whole number' END) AS _problem
            FROM {cells}
            """
        )
    return stage


def stage_parquet(connection: DuckDBPyConnection, source: Source, cells: str) -> str:
    """Stage a Parquet file: the cells keep their types, `_row` counts from 1."""
    stage = new_name("stage")
    connection.execute(
        f"""
        CREATE TEMP TABLE {stage} AS
        SELECT file_row_number + 1 AS _row, CAST(NULL AS VARCHAR) AS _problem,
            CAST(NULL AS VARCHAR) AS _value, {cells}
        FROM read_parquet({literal(source.plain)}, file_row_number = true,
            hive_partitioning = false)
        """
    )
    return stage
