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


def stage_lines(connection: DuckDBPyConnection, source: Source) -> str:
    """Make a table of the file's lines: `_row`, `line` (null if not UTF-8), `bytes` (then)."""
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
            SELECT _row, regexp_replace(line, '\\r?\\n?$', '') AS line,
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
    lines, records, stage = (
        stage_lines(connection, source), new_name("records"), new_name("stage"),
    )  # fmt: skip
    d = "\\t" if delimiter == "\t" else delimiter
    inside = '(?:[^"]|"")*'
    closed = f' *"{inside}"(?:[^"{d}][^{d}]*)?'
    bare = f'(?: *[^"{d} ][^{d}]*| *)'
    with dropped_after(connection, lines, records):
        # A line end belongs to a field when a quote is open before it. Each line maps "open
        # before" to "open after": most leave it as it is, some set it whatever it was, and a
        # line that only closes or only opens flips it. So the state before a line is the last
        # set state, flipped once for every flip since.
        connection.execute(
            f"""
            CREATE TEMP TABLE {records} AS
            WITH maps AS (
                SELECT *, contains(line, '"') AND regexp_full_match(
                        line, '(?:(?:{closed}|{bare}){d})* *"{inside}') AS if_shut,
                    NOT contains(coalesce(line, ''), '"') OR regexp_full_match(
                        line, '{inside}|{inside}"(?:[^"{d}][^{d}]*)?{d}'
                        || '(?:(?:{closed}|{bare}){d})* *"{inside}') AS if_open
                FROM {lines}
            ), flips AS (
                SELECT *, coalesce(count_if(if_shut AND NOT if_open) OVER before, 0) AS flipped
                FROM (SELECT * REPLACE (coalesce(if_shut, false) AS if_shut) FROM maps)
                WINDOW before AS (ORDER BY _row ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW)
            ), sets AS (
                SELECT *, last_value(
                    CASE WHEN if_shut = if_open THEN
                        {{'state': if_shut, 'flipped': flipped}} END IGNORE NULLS
                ) OVER (ORDER BY _row ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) AS last
                FROM flips
            ), states AS (
                SELECT _row, line, bytes, if_shut, if_open,
                    coalesce(last.state, false)
                    <> ((flipped - coalesce(last.flipped, 0)) % 2 = 1) AS open
                FROM sets
            ), numbered AS (
                SELECT *, max(CASE WHEN NOT open THEN _row END) OVER (ORDER BY _row) AS record
                FROM states
            )
            SELECT record AS _row, string_agg(line, chr(10) ORDER BY _row) AS line,
                string_agg(bytes, ' ' ORDER BY _row) AS bytes,
                count(*) > count(line) AS broken,
                arg_max(CASE WHEN open THEN if_open ELSE if_shut END, _row) AS unclosed
            FROM numbered GROUP BY record
            """
        )
        connection.execute(
            f"""
            CREATE TEMP TABLE {stage} AS
            WITH kept AS (
                SELECT _row, CASE WHEN broken THEN NULL ELSE line END AS line, bytes, unclosed
                FROM {records} WHERE broken OR line <> ''
            ), split AS (
                SELECT *, CASE WHEN contains(line, '"') THEN regexp_extract_all(
                        line || '{d}', '({closed} *|{bare}){d}', 1)
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


def json_keys(connection: DuckDBPyConnection, lines: str) -> list[str]:
    """The keys of all objects, in the order of their first appearance."""
    rows = connection.execute(
        f"""
        SELECT key FROM (
            SELECT _row, unnest(keys) AS key, generate_subscripts(keys, 1) AS place
            FROM (SELECT _row, json_keys(line) AS keys FROM {lines}
                  WHERE json_valid(line) AND json_type(line) = 'OBJECT'))
        GROUP BY key ORDER BY min({{'row': _row, 'place': place}})
        """
    ).fetchall()
    return [str(key) for (key,) in rows]


def stage_json(connection: DuckDBPyConnection, lines: str, columns: Sequence[Column]) -> str:
    """Stage JSON Lines whose lines are already in a table; blank lines are left out."""
    stage = new_name("stage")
    paths = "[" + ", ".join(literal(_json_path(column.source)) for column in columns) + "]"
    texts = "".join(f", f[{index + 1}] AS c{column.position}"
                    for index, column in enumerate(columns))  # fmt: skip
    types = "".join(f", t[{index + 1}] AS t{column.position}"
                    for index, column in enumerate(columns))  # fmt: skip
    connection.execute(
        f"""
        CREATE TEMP TABLE {stage} AS
        WITH parsed AS (
            SELECT *, coalesce({_faults("line")},
                CASE WHEN NOT json_valid(line) THEN 'the line is not valid JSON'
                     WHEN json_type(line) <> 'OBJECT' THEN 'the line is not a JSON object'
                     WHEN len(list_distinct(json_keys(line))) < len(json_keys(line))
                     THEN 'the object has a key twice' END) AS _problem
            FROM {lines} WHERE line IS NULL OR trim(line, ' ' || chr(9)) <> ''
        ), split AS (
            SELECT *, CASE WHEN _problem IS NULL THEN json_extract_string(line, {paths}) END AS f,
                CASE WHEN _problem IS NULL THEN json_type(line, {paths}) END AS t
            FROM parsed
        )
        SELECT _row, _problem, left(coalesce(line, bytes), {_SHOWN}) AS _value{texts}{types}
        FROM split
        """
    )
    return stage


def _json_path(key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'$."{escaped}"'


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
