from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from studying import one, rows

from evalkit.errors import StoreError
from evalkit.store import Store, check, open_store, studies, upgrade
from evalkit.store.engine import parse_url
from evalkit.store.opening import refuse_place

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_that_is_not_there_is_not_made_by_accident(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'typo.db'}"
    for attempt in (open_store, upgrade, check):
        with pytest.raises(StoreError, match=r"no study database at .*typo\.db"):
            attempt(url)
    assert list(tmp_path.iterdir()) == []


def test_a_database_is_made_when_asked(empty_database: str) -> None:
    with open_store(empty_database, create=True) as store:
        assert studies(store) == []
    with open_store(empty_database, create=True) as store:  # a second time changes nothing
        assert studies(store) == []
    assert check(empty_database) == []


def test_the_variable_names_the_database(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALKIT_DB", database)
    with open_store() as store:
        assert store.engine.url == parse_url(database)


def test_the_file_in_the_current_folder_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVALKIT_DB", raising=False)
    open_store(create=True).close()
    assert (tmp_path / "evalkit.db").is_file()


def test_an_empty_database_is_told_apart_from_an_old_one(
    empty_database: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.db"
    if empty_database.startswith("sqlite"):
        path.touch()
    with pytest.raises(StoreError, match="holds no evalkit tables; run evalkit db upgrade"):
        open_store(empty_database)
    assert upgrade(empty_database) == (None, "0004")
    open_store(empty_database).close()


def test_a_newer_schema_is_refused(database: str) -> None:
    with open_store(database) as store, store.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (open_store, upgrade, check):
        with pytest.raises(StoreError, match=r"9999, which is newer .* install the newest"):
            attempt(database)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("study.db", "must look like sqlite:///study.db"),
        ("mysql://root:geheim@host/x", "SQLite or PostgreSQL, not in mysql"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("postgresql://ann:geheim@host:port/x", "cannot be read"),
        ("postgresql+psycopg2://ann:geheim@host/x", r"not in postgresql\+psycopg2"),
    ],
)
def test_addresses_that_cannot_be_used(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as refused:
        open_store(url)
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_plain_postgresql_means_psycopg_3(scheme: str) -> None:
    pytest.importorskip("psycopg")
    url = f"{scheme}://ann:geheim@127.0.0.1:9/votes?password=geheim"
    with pytest.raises(StoreError, match=r"postgresql\+psycopg://ann:\*\*\*@127") as refused:
        open_store(url)
    assert "geheim" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_address_of_a_store_has_no_password(database: str) -> None:
    with open_store(database) as store:
        assert "geheim" not in repr(store)
        assert store.url in repr(store)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    path.write_text("query_id,annotator\n" * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_store(f"sqlite:///{path}")


def test_a_folder_that_cannot_hold_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        open_store(f"sqlite:///{tmp_path}/missing/study.db", create=True)
    with pytest.raises(
        StoreError, match=r"missing/study\.db cannot be used: .* made in .*missing;"
    ):
        refuse_place(f"sqlite:///{tmp_path}/missing/study.db")
    refuse_place(f"sqlite:///{tmp_path}/study.db")
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_of_ours_keeps_its_traceback(store: Store) -> None:
    with pytest.raises(sa.exc.DatabaseError), store.reading() as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere"))


def test_sqlite_is_set_up_not_to_lose_anything(sqlite_template: Path, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True) as store:
        found = {
            name: one(store, f"PRAGMA {name}")
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        assert found == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "busy_timeout": 30_000,
        }


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_file_that_can_only_be_read_is_read_and_not_written(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    path = tmp_path / "a study.db"
    open_store(f"sqlite:///{path}", create=True).close()
    refused = {"file": str(path), "folder": str(tmp_path)}[closed]
    access = os.access  # tests may run as root, who may write everywhere
    monkeypatch.setattr(
        os, "access", lambda name, mode: name != refused and access(name, mode), raising=True
    )
    with open_store(f"sqlite:///{path}") as store:
        assert studies(store) == []
        with pytest.raises(StoreError, match="readonly database"), store.writing() as connection:
            connection.execute(sa.text("DELETE FROM study"))
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(StoreError, match="can only be read"):
        refuse_place(f"sqlite:///{path}")


def test_a_writer_on_sqlite_holds_the_lock_from_its_beginning(
    sqlite_template: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    with open_store(f"sqlite:///{path}", create=True) as store, store.writing() as connection:
        connection.execute(sa.text("SELECT count(*) FROM study"))  # has only read so far
        with closing(sqlite3.connect(path, timeout=0)) as other:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
            other.execute("SELECT count(*) FROM study")  # readers do not wait


def test_what_fails_leaves_nothing_behind(store: Store) -> None:
    statement = sa.text("INSERT INTO person (name, role, created_at) VALUES ('a', 'admin', 0)")

    def fail_after_writing() -> None:
        with store.writing() as connection:
            connection.execute(statement)
            raise KeyError

    with pytest.raises(KeyError):
        fail_after_writing()
    assert rows(store, "SELECT * FROM person") == []


def test_foreign_keys_are_held(store: Store) -> None:
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        connection.execute(
            sa.text("INSERT INTO invite (person_id, token_hash, created_at) VALUES (9, 'x', 0)")
        )


@pytest.mark.parametrize("module", ["evalkit", "evalkit.cli"])
def test_the_front_door_loads_no_database(module: str) -> None:
    program = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"sqlalchemy", "alembic", "psycopg"}
