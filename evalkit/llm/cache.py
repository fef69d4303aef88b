"""Answers of language models on disk, so that nothing is computed or paid twice.

A SQLite file to which rows are only added. A row is one text that a model wrote: what was asked
(as JSON, and its sha256 as the key), the raw text, what it was parsed to, tokens, seconds, time.
Each is written when it arrives, so that a run that ends in the middle keeps what it has.

Several processes may use one file. Before a question is sent it is claimed; another process that
has the same question waits for the answer. Claims end by themselves when their process is gone.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sqlite3
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from evalkit.errors import InputError, Problem
from evalkit.files import is_alive
from evalkit.llm.messages import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["AnswerCache", "Stored", "canonical", "open_cache"]

_FORMAT = 1
_APPLICATION = 0x45764C4D  # "EvLM", so that another program's file is not taken for ours
_TABLES = """
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    prompt TEXT NOT NULL,
    asked TEXT NOT NULL,
    text TEXT NOT NULL,
    parsed TEXT,
    finish TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    seconds REAL NOT NULL,
    written TEXT NOT NULL
);
CREATE TABLE claims (
    key TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    host TEXT NOT NULL,
    process INTEGER NOT NULL,
    until REAL NOT NULL
);
CREATE TRIGGER answers_stay BEFORE UPDATE ON answers
BEGIN SELECT RAISE(ABORT, 'answers are only added'); END;
CREATE TRIGGER answers_remain BEFORE DELETE ON answers
BEGIN SELECT RAISE(ABORT, 'answers are only added'); END;
"""


@dataclass(frozen=True)
class Stored:
    """One text that a model wrote.

    Attributes:
        text: as it was written.
        usage: tokens that it took.
        finish: why it ended (`stop`, `length`), as the model says.
        seconds: how long it took.
    """

    text: str
    usage: Usage
    finish: str = ""
    seconds: float = 0.0


def canonical(asked: Mapping[str, Any]) -> tuple[str, str]:
    """Return a question as JSON, with the same bytes for the same question, and its sha256."""
    document = json.dumps(asked, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return document, hashlib.sha256(document.encode()).hexdigest()


def open_cache(path: Path) -> AnswerCache:
    """Open a cache, or begin one; its folder is made when needed.

    Raises:
        InputError: the file is damaged, or something else.
    """
    return AnswerCache(path)


class AnswerCache:
    """Answers in one SQLite file; see the module. Threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._owner = uuid.uuid4().hex
        with self._problems():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                path, timeout=60, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def _prepare(self) -> None:
        # WAL lets others read while one writes; a killed process loses no finished answer.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            found = self._database.execute("PRAGMA application_id").fetchone()[0]
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            tables = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if not tables and not found:
                for statement in _statements(_TABLES):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._database.execute(f"PRAGMA user_version = {_FORMAT}")
            elif found != _APPLICATION:
                raise self._wrong("is a SQLite file, but not a cache of answers")
            elif version != _FORMAT:
                raise self._wrong(f"is a cache of format {version}; this evalkit has {_FORMAT}")

    def get(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Return the answers that are there, by key."""
        found: dict[str, Stored] = {}
        with self._lock, self._problems():
            for start in range(0, len(keys), 500):
                some = keys[start : start + 500]
                rows = self._database.execute(
                    "SELECT key, text, prompt_tokens, completion_tokens, finish, seconds "
                    f"FROM answers WHERE key IN ({','.join('?' * len(some))})",
                    some,
                )
                for key, text, read, written, finish, seconds in rows:
                    found[key] = Stored(text, Usage(read, written), finish, seconds)
        return found

    def put(self, key: str, asked: str, stored: Stored, parsed: Any = None) -> None:
        """Add an answer; one that is already there stays.

        Args:
            key: sha256 of the question.
            asked: the question as JSON; see `canonical`.
            stored: the answer.
            parsed: the JSON that its text holds, when it is valid.
        """
        question = json.loads(asked)
        prompt = question.get("prompt") or {}
        row = (
            key,
            question.get("model", ""),
            f"{prompt['id']}.v{prompt['version']}" if prompt else "",
            asked,
            stored.text,
            None if parsed is None else json.dumps(parsed, ensure_ascii=True),
            stored.finish,
            stored.usage.prompt_tokens,
            stored.usage.completion_tokens,
            round(stored.seconds, 4),
            datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        with self._lock, self._problems(), self._transaction():
            self._database.execute(
                "INSERT OR IGNORE INTO answers (key, model, prompt, asked, text, parsed, finish, "
                "prompt_tokens, completion_tokens, seconds, written) "
                f"VALUES ({','.join('?' * len(row))})",
                row,
            )
            self._database.execute("DELETE FROM claims WHERE key = ?", (key,))

    def claim(self, key: str, seconds: float) -> Literal["ours", "taken", "there"]:
        """Claim a question before it is sent; claiming again makes a claim longer.

        Args:
            key: sha256 of the question.
            seconds: how long the claim stands if nothing is heard of this process.

        Returns:
            `ours`: send it. `taken`: another process, or another object of this one, is at it.
            `there`: it has been answered.
        """
        host, process, now = platform.node(), os.getpid(), time.time()
        with self._lock, self._problems(), self._transaction():
            if self._database.execute("SELECT 1 FROM answers WHERE key = ?", (key,)).fetchone():
                return "there"
            held = self._database.execute(
                "SELECT owner, host, process, until FROM claims WHERE key = ?", (key,)
            ).fetchone()
            if held is not None and held[0] != self._owner:
                gone = held[1] == host and not is_alive(held[2])
                if held[3] > now and not gone:
                    return "taken"
            self._database.execute(
                "INSERT OR REPLACE INTO claims (key, owner, host, process, until) "
                "VALUES (?, ?, ?, ?, ?)",
                (key, self._owner, host, process, now + seconds),
            )
        return "ours"

    def release(self, key: str) -> None:
        """Give up a claim of this object."""
        with self._lock, self._problems():
            self._database.execute(
                "DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._owner)
            )

    def __len__(self) -> int:
        with self._lock, self._problems():
            return int(self._database.execute("SELECT count(*) FROM answers").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """Turn what SQLite and the file system say into what the user can do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise InputError(
                str(self.path),
                [Problem(f"the cache of answers cannot be used ({error})")],
                remedy="Check its permissions and the space that is left, and that no other "
                "program holds it.",
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._wrong(f"is damaged, or not a cache of answers ({error})") from error
        except OSError as error:
            raise InputError(
                str(self.path),
                [Problem(f"the folder of the cache cannot be made ({error.strerror})")],
                remedy="Check the permissions.",
            ) from error

    def _wrong(self, message: str) -> InputError:
        return InputError(
            str(self.path),
            [Problem(message)],
            remedy="Name another file, or move this one away: a new one is begun, and what this "
            "one held is asked again. What can be saved: sqlite3 FILE .recover",
        )


def _statements(script: str) -> list[str]:
    """Split a script; a trigger has a semicolon inside."""
    statements, part = [], ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            statements.append(part)
            part = ""
    return statements
