"""The connection to the study database: where it is, and how it is opened.

SQLite: write-ahead log, every commit on the disk before it is acknowledged, foreign keys on, and
writers that take the write lock when they begin, because a transaction that reads first and writes
later can be served what somebody else has just taken. PostgreSQL: psycopg 3, read committed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa

from evalkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Store",
    "connect",
    "explained",
    "milliseconds",
    "parse_url",
    "refresh_statistics",
    "sqlite_path",
    "without_secrets",
]

_DEFAULT = "sqlite:///evalkit.db"
_BUSY_MS = 30_000
_BEGIN = "evalkit_begin"


class Store:
    """An open study database; safe to share among threads.

    Attributes:
        url: where it is, without a password.
        engine: SQLAlchemy engine.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.url = without_secrets(engine.url)
        self._writers = engine.execution_options(**{_BEGIN: "IMMEDIATE"})
        self._sqlite = engine.dialect.name == "sqlite"
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that only reads.

        Raises:
            StoreError: the database cannot be reached.
        """
        with explained(self.url), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Give a connection in a transaction that writes; committed when the block ends well.

        Raises:
            StoreError: the database cannot be reached, or stays locked.
        """
        with explained(self.url):
            if not self._sqlite:
                with self._writers.begin() as connection:
                    yield connection
                return
            # SQLite wakes waiting writers at random after sleeping; a queue is fair and faster
            with self._turn, self._writers.begin() as connection:
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def parse_url(url: str | None) -> sa.URL:
    """Return the database's address; `postgresql://` means psycopg 3.

    Raises:
        StoreError: it is none that evalkit can use.

    Example:
        >>> parse_url("postgresql://ann@db/votes").drivername
        'postgresql+psycopg'
    """
    text = url or os.environ.get("EVALKIT_DB") or _DEFAULT
    try:
        found = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):  # the text may hold a password
        raise StoreError(
            "The database address cannot be read; it must look like sqlite:///study.db or "
            "postgresql+psycopg://user@host/name."
        ) from None
    if found.drivername in ("postgresql", "postgres"):
        found = found.set(drivername="postgresql+psycopg")
    if found.drivername in ("sqlite", "sqlite+pysqlite"):
        if not found.database or found.database.startswith((":memory:", "file:")):
            raise StoreError("A study database in SQLite needs a file, as in sqlite:///study.db.")
        return found
    if found.drivername != "postgresql+psycopg":
        raise StoreError(
            f"evalkit keeps studies in SQLite or PostgreSQL, not in {found.drivername}; write "
            "sqlite:///study.db or postgresql+psycopg://user@host/name."
        )
    return found


def sqlite_path(url: sa.URL) -> str | None:
    """Return the file of a SQLite address, None for PostgreSQL."""
    return url.database if url.get_backend_name() == "sqlite" else None


def without_secrets(url: sa.URL) -> str:
    """Return an address that may be printed.

    Example:
        >>> without_secrets(sa.make_url("postgresql://ann:pw@db/votes?password=pw&connect_timeout=3"))
        'postgresql://ann:***@db/votes?connect_timeout=3'
    """
    secret = [name for name in url.query if "pass" in name.lower()]
    return url.difference_update_query(secret).render_as_string(hide_password=True)


def refresh_statistics(connection: sa.Connection) -> None:
    """Tell PostgreSQL how much there is now, after many rows at once; its own clock is a minute."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("ANALYZE task, slot, assignment, vote, vote_reason")


def milliseconds(now: int | None = None) -> int:
    """Return `now`, else the current time in UTC milliseconds."""
    return time.time_ns() // 1_000_000 if now is None else now


def connect(url: sa.URL, *, foreign_keys: bool = True) -> sa.Engine:
    """Make an engine with the settings that votes need.

    Args:
        url: from `parse_url`.
        foreign_keys: False for migrations, which replace tables that others point to.

    Raises:
        StoreError: the driver is not installed.
    """
    if sqlite_path(url) is None:
        try:
            return sa.create_engine(
                url, pool_size=10, max_overflow=20, pool_pre_ping=True, hide_parameters=True
            )
        except ModuleNotFoundError as error:
            raise StoreError(
                "PostgreSQL needs its driver: pip install 'evalkit-search[postgres]'."
            ) from error
    path = os.path.abspath(str(url.database))
    only_read = os.path.exists(path) and not _writable(path)
    engine = sa.create_engine(
        url,
        pool_size=10,
        max_overflow=60,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_MS / 1000},
        **({"creator": lambda: _reader(path)} if only_read else {}),
    )

    @sa.event.listens_for(engine, "connect")
    def _settings(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions by itself
        cursor = connection.cursor()
        if not only_read and cursor.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
            raise StoreError(
                f"{url.database} is on a disk on which SQLite cannot keep its write-ahead log; "
                "put it on a local disk, or use PostgreSQL."
            )
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get(_BEGIN, "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _writable(path: str) -> bool:
    return os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK | os.X_OK)


def _reader(path: str) -> sqlite3.Connection:
    """Open a file that can only be read.

    SQLite would put a write-ahead log of the reader's own beside the file, which whoever may write
    could then not use. Where nobody has the log open, the file is complete and is read without.
    """
    options = "mode=ro" if os.path.exists(f"{path}-wal") else "mode=ro&immutable=1"
    return sqlite3.connect(
        f"file:{quote(path)}?{options}",
        uri=True,
        timeout=_BUSY_MS / 1000,
        check_same_thread=False,
    )


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what an administrator can mend into a sentence; everything else keeps its traceback."""
    try:
        yield
    except (sa.exc.DatabaseError, sa.exc.TimeoutError) as error:
        cause: Any = getattr(error, "orig", None) or error
        if getattr(cause, "sqlstate", None) == _UNIQUE:
            raise StoreError(
                "Somebody else was making the same thing at the same moment; try again."
            ) from error
        code = getattr(cause, "sqlite_errorname", None)
        outside = (
            isinstance(error, sa.exc.OperationalError | sa.exc.TimeoutError)
            if code is None
            else code.startswith(_OUTSIDE)
        )
        if not outside:
            raise
        text = str(cause).strip().splitlines()[0].rstrip(".")
        if "unable to open database file" in text:
            text += "; name a file in a folder that you may write to"
        elif "file is not a database" in text:
            text += "; name the file that evalkit study create made"
        raise StoreError(f"The study database {url} cannot be used: {text}.") from error


# PostgreSQL's unique_violation: everything is looked up before it is made, so it is a race
_UNIQUE = "23505"
# what SQLite says of disks, permissions, foreign files and locks, rather than of our statements
_OUTSIDE = (
    "SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_FULL", "SQLITE_IOERR",
    "SQLITE_LOCKED", "SQLITE_NOTADB", "SQLITE_PERM", "SQLITE_READONLY",
)  # fmt: skip
