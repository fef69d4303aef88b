"""Writing: any frame becomes a file that `evalkit.tables.read` reads back as it was.

A file appears whole or not at all: it is written beside its place and moved there at the end.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem, SettingsError
from evalkit.interruption import stop_if_asked
from evalkit.tables import staging
from evalkit.tables.plans import REFUSED
from evalkit.tables.quoting import identifier, literal, new_name
from evalkit.tables.schema import FORMATS, KINDS, SCHEMAS, TREC_FIELDS, Column, Format, Kind
from evalkit.tables.sources import format_of_name
from evalkit.tables.validation import Rules, find_problems, guard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from duckdb import DuckDBPyConnection

__all__ = ["choose_format", "write"]

_BLOCK = 1 << 20
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
            "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")  # fmt: skip
_DEFAULT_SYSTEM = "evalkit"


def write(
    frame: Any,
    path: str | os.PathLike[str],
    *,
    kind: Kind,
    format: str | None = None,  # noqa: A002
    connection: DuckDBPyConnection | None = None,
    stdout: IO[bytes] | None = None,
) -> None:
    """Write a table whose columns have their canonical names.

    Every value is checked as on reading (repeated rows excepted). A TREC run gets its ranks from
    the rank column, or else from scores (descending, ties by product id descending); without
    scores it gets minus the rank, so that both orders agree. Its system is `evalkit` if unnamed.

    Args:
        frame: a DuckDB relation, a PyArrow table, a pandas or Polars frame, or whatever else
            Narwhals knows.
        path: the file; `.gz` or `.zst` at the end compresses it; `-` is standard output.
        kind: what the table is.
        format: `trec`, `csv`, `tsv`, `jsonl` or `parquet`; told from the name if None.
        connection: a DuckDB connection whose database does the work, within its memory limit;
            a private one by default.
        stdout: the stream written for `-`, by default the process's own.

    Raises:
        InputError: a column is missing, a value is bad or does not fit the format, or the place
            cannot be written to.
        SettingsError: the format cannot be told or does not fit the kind.

    >>> import pathlib, pyarrow, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "today.run")
    >>> run = {"query_id": ["q1", "q1"], "product_id": ["007", "8"], "score": [1.5, 2.5]}
    >>> write(pyarrow.table(run), path, kind="run")
    >>> print(path.read_text(), end="")
    q1 Q0 8 1 2.5 evalkit
    q1 Q0 007 2 1.5 evalkit
    >>> folder.cleanup()
    """
    import duckdb

    name = os.fspath(path)
    known = choose_format(kind, name, format)
    target = "-" if name == "-" else os.path.realpath(name)
    if target != "-" and os.path.isdir(target):
        raise InputError(name, [Problem("is a folder")], remedy="Name a file.")
    pipe = os.path.exists(name) and not os.path.isfile(name)
    beside = None if target == "-" or pipe else os.path.dirname(target)
    if beside is not None and not os.path.isdir(beside):
        raise InputError(
            name, [Problem(f"the folder {beside} does not exist")], remedy="Make it first."
        )
    try:
        with tempfile.TemporaryDirectory(prefix=".evalkit-write-", dir=beside) as folder:
            made = os.path.join(folder, "plain")
            # A cursor is a connection of its own: a relation of `connection` can stream into it.
            with duckdb.connect() if connection is None else connection.cursor() as own:
                _copy(_supplier(frame), name, made, kind, known, own)
            made = _compress(made, name)
            stop_if_asked()
            if target == "-":
                with open(made, "rb") as file:
                    shutil.copyfileobj(file, stdout or sys.stdout.buffer, _BLOCK)
            elif pipe:
                with open(made, "rb") as file, open(name, "wb") as out:
                    shutil.copyfileobj(file, out, _BLOCK)
            else:
                os.replace(made, target)
    except (OSError, duckdb.IOException) as error:
        if isinstance(error, BrokenPipeError):
            raise
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(
            name,
            [Problem(f"cannot be written ({reason or error})")],
            remedy="Check the permissions and the space that is left.",
        ) from error


def choose_format(kind: Kind, path: str, asked: str | None) -> Format:
    """Return the format that a table would be written in: the one asked for, else by the name.

    Raises:
        SettingsError: the format cannot be told or does not fit the kind.
    """
    if kind not in KINDS:
        raise SettingsError(f"Unknown kind of table {kind!r}; use one of {', '.join(KINDS)}.")
    known = format_of_name(path) if asked is None else asked
    for each in FORMATS:
        if known == each:
            if each == "trec" and kind not in TREC_FIELDS:
                raise SettingsError(f"TREC files hold runs and judgments, not {kind}.")
            return each
    what = f"unknown format {asked!r}" if asked else "the name does not tell the format"
    formats = [each for each in FORMATS if each != "trec" or kind in TREC_FIELDS]
    endings = ".run, .qrels, .csv" if "trec" in formats else ".csv"
    raise SettingsError(
        f"{path}: {what}; say one of {', '.join(formats)}, or end the name in "
        f"{endings}, .tsv, .jsonl or .parquet."
    )


def _supplier(frame: Any) -> Callable[[], Any]:
    """Make the frame something Arrow that DuckDB scans, as often as asked."""
    if hasattr(frame, "to_arrow_reader"):
        return lambda: frame.to_arrow_reader(100_000)
    import narwhals as nw
    import pyarrow as pa

    try:
        known = nw.from_native(frame)
    except TypeError:
        return lambda: pa.table(frame).combine_chunks()
    else:
        eager = known.collect() if isinstance(known, nw.LazyFrame) else known
        table = nw.maybe_reset_index(eager).to_arrow()
    # The rows of several chunks are written in any order by an engine that need not keep it.
    whole = table.combine_chunks()
    return lambda: whole


def _copy(
    supply: Callable[[], Any],
    path: str,
    made: str,
    kind: Kind,
    known: Format,
    connection: DuckDBPyConnection,
) -> None:
    """Write the plain file, refusing the first bad value; then say all that is bad."""
    import duckdb

    stream = new_name("frame")
    connection.register(stream, supply())
    try:
        described = connection.execute(f"DESCRIBE {stream}").fetchall()
        columns = _columns(kind, [row[0] for row in described], path, known)
        numeric = frozenset(
            place for place, row in enumerate(described) if str(row[1]).startswith(_NUMBERS)
        )
        texts = {place for place, row in enumerate(described) if str(row[1]) == "VARCHAR"}
        labels = any(c.role == "grade" and c.position not in numeric for c in columns)
        rules = Rules(kind, columns, labels, numeric, on_duplicate="first", ranks_order=False)
        cells = ", ".join(f"{identifier(c.source)} AS c{c.position}" for c in columns)
        misfits = _misfits(columns, texts, known)
        tests = [test for c in columns if (test := guard(rules, c)) is not None]
        tests += [test for test, _, _ in misfits]
        checked = (
            f"(SELECT * REPLACE (CASE WHEN {' OR '.join(tests)} THEN error({literal(REFUSED)}) "
            f"ELSE c{columns[0].position} END AS c{columns[0].position}) "
            f"FROM (SELECT {cells} FROM {stream}))"
        )
        if kind == "run" and known == "trec" and any(c.name == "system" for c in columns):
            found = connection.execute(f"SELECT DISTINCT system FROM {stream} LIMIT 3").fetchall()
            if len(found) > 1:
                raise InputError(
                    path,
                    [Problem(f"the run holds several systems ({found[0][0]}, {found[1][0]}, …)")],
                    remedy="A run is one system: write one file a system.",
                )
            connection.unregister(stream)
            connection.register(stream, supply())
        select, options = _layout(kind, columns, known, checked)
        try:
            connection.execute(f"COPY ({select}) TO {literal(made)} ({options})")
        except duckdb.InvalidInputException as error:
            if REFUSED not in str(error):
                raise
            connection.unregister(stream)
            connection.register(stream, supply())
            raise _explain(connection, stream, cells, rules, misfits, path) from None
    finally:
        connection.unregister(stream)


def _columns(kind: Kind, names: Sequence[str], path: str, known: Format) -> tuple[Column, ...]:
    schema = SCHEMAS[kind]
    missing = [name for name in schema.required if name not in names]
    if kind == "run" and not missing and "rank" not in names and "score" not in names:
        missing = ["rank or score"]
    if missing:
        raise InputError(
            path,
            [Problem(f"no column {name} to write") for name in missing],
            remedy=f"The table has: {', '.join(names)}.",
        )
    if known == "trec":
        foreign = [name for name in names if name not in (*TREC_FIELDS[kind], "rank")]
        if foreign:
            raise InputError(
                path,
                [Problem(f"TREC has no place for the column {name}") for name in foreign],
                remedy="Leave the column out, or write CSV, TSV, JSON Lines or Parquet.",
            )
    # beside a preference, a column called vote is just a column, as on reading
    own = {"vote"} if kind == "votes" else set()
    return tuple(
        Column(name, name, "extra" if name in own else schema.roles.get(name, "extra"), place)
        for place, name in enumerate(names)
    )


def _misfits(
    columns: Sequence[Column], texts: set[int], known: Format
) -> list[tuple[str, Column, str]]:
    """What the format cannot hold: SQL, the column, and what to say."""
    found = []
    for column in columns:
        if column.position not in texts:
            continue
        cell = f"c{column.position}"
        if known == "trec":
            test = (
                f"(coalesce({cell}, '') = '' OR regexp_matches({cell}, '[\\s\\x{{b}}\\x{{feff}}]'))"
            )
            found.append((test, column, "is empty or holds white space, which TREC cannot carry"))
        elif known in ("csv", "tsv"):
            found.append(
                (
                    f"coalesce(contains({cell}, chr(0)), false)",
                    column,
                    f"holds a NUL character, which {known.upper()} cannot carry",
                )
            )
    return found


def _layout(kind: Kind, columns: Sequence[Column], known: Format, checked: str) -> tuple[str, str]:
    """SQL for what is written, and COPY's options."""
    options = {
        "csv": "FORMAT csv, HEADER true",
        "tsv": "FORMAT csv, HEADER true, DELIMITER '\t'",
        "jsonl": "FORMAT json",
        "parquet": "FORMAT parquet, COMPRESSION zstd",
        "trec": "FORMAT csv, HEADER false, DELIMITER ' ', QUOTE '', ESCAPE ''",
    }[known]
    place = {column.name: f"c{column.position}" for column in columns}
    if known != "trec":
        names = ", ".join(f"{cell} AS {identifier(name)}" for name, cell in place.items())
        return f"SELECT {names} FROM {checked}", options
    if kind == "judgments":
        cells = f"{place['query_id']}, '0' AS i, {place['product_id']}, {place['grade']}"
        return f"SELECT {cells} FROM {checked}", options
    rank = place.get("rank") or (
        f"row_number() OVER (PARTITION BY {place['query_id']} "
        f"ORDER BY {place['score']} DESC, {place['product_id']} DESC)"
    )
    score = place.get("score") or f"-CAST({place['rank']} AS DOUBLE)"
    system = place.get("system") or literal(_DEFAULT_SYSTEM)
    cells = (
        f"{place['query_id']} AS q, 'Q0' AS i, {place['product_id']} AS p, "
        f"CAST({rank} AS INTEGER) AS r, CAST({score} AS DOUBLE) AS s, {system} AS t"
    )
    return f"SELECT * FROM (SELECT {cells} FROM {checked}) ORDER BY q, r", options


def _explain(
    connection: DuckDBPyConnection,
    stream: str,
    cells: str,
    rules: Rules,
    misfits: Sequence[tuple[str, Column, str]],
    path: str,
) -> InputError:
    stage = new_name("stage")
    says = " ".join(
        f"WHEN {test} THEN {literal(f'{column.name} {reason}')}" for test, column, reason in misfits
    )
    value = " ".join(f"WHEN {test} THEN c{column.position}" for test, column, _ in misfits)
    problem = f"CASE {says} END" if says else "CAST(NULL AS VARCHAR)"
    shown = f"CASE {value} END" if value else "CAST(NULL AS VARCHAR)"
    with staging.dropped_after(connection, stage):
        connection.execute(
            f"""
            CREATE TEMP TABLE {stage} AS
            SELECT row_number() OVER () AS _row, {problem} AS _problem, {shown} AS _value, *
            FROM (SELECT {cells} FROM {stream})
            """
        )
        error = find_problems(
            connection,
            stage,
            rules,
            path,
            fix_rows="Rename these ids, or write a format that can hold them.",
        )
    if error is None:
        raise RuntimeError(f"{path}: a value was refused that cannot be found again")
    return error


def _compress(plain: str, name: str) -> str:
    """Compress as the name asks; the same bytes every time."""
    suffix = os.path.splitext(name)[1].lower()
    packed = plain + ".packed"
    stream: Any
    if suffix == ".gz":
        import gzip

        with open(packed, "wb") as out, gzip.GzipFile("", "wb", 6, out, mtime=0) as stream:
            _pour(plain, stream)
        return packed
    if suffix == ".zst":
        import pyarrow as pa

        with pa.CompressedOutputStream(packed, "zstd") as stream:
            _pour(plain, stream)
        return packed
    return plain


def _pour(plain: str, stream: Any) -> None:
    with open(plain, "rb") as file:
        while block := file.read(_BLOCK):
            stream.write(block)
