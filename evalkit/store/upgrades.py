"""Bring a study database up to date, and refuse one that is not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.errors import StoreError
from evalkit.store.engine import (
    connect,
    explained,
    parse_url,
    sqlite_path,
    without_secrets,
)

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["refuse_other_schema", "upgrade", "upgrade_engine"]

_LOCK = 7_310_255_116  # any number; names the advisory lock of migrations


def upgrade(url: str | None = None) -> tuple[str | None, str]:
    """Migrate a database to the newest schema, every row kept.

    Returns:
        The revisions before (None for an empty database) and after.

    Raises:
        StoreError: there is no SQLite file, or the schema is newer than this version knows.
    """
    target = parse_url(url)
    path = sqlite_path(target)
    if path is not None and not os.path.exists(path):
        raise StoreError(f"There is no study database at {path}; evalkit study create makes one.")
    engine = connect(target)
    try:
        with explained(without_secrets(target)):
            return upgrade_engine(engine)
    finally:
        engine.dispose()


def upgrade_engine(
    engine: sa.Engine, *, only_if_empty: bool = False, to: str = "head"
) -> tuple[str | None, str]:
    """Migrate the database of an engine; see `upgrade`.

    Args:
        engine: tells where the database is; migrations use a connection of their own.
        only_if_empty: leave a database that has a schema as it is.
        to: the revision to go to.
    """
    from alembic import command

    migrating = connect(engine.url, foreign_keys=False)
    try:
        with migrating.execution_options(evalkit_begin="IMMEDIATE").begin() as connection:
            sqlite = connection.dialect.name == "sqlite"
            if not sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            before = _revision(connection)
            _refuse_newer(before)
            if not (only_if_empty and before):
                command.upgrade(_config(connection), to)
            if sqlite:
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if broken:
                    raise StoreError(
                        f"The migration was undone: {len(broken):,} rows would point to nothing, "
                        f"the first in table {broken[0][0]}. Restore a backup, or report this."
                    )
            return before, _revision(connection) or ""
    finally:
        migrating.dispose()


def refuse_other_schema(engine: sa.Engine) -> None:
    """Refuse a database whose schema is not the one this version works with.

    Raises:
        StoreError: with what to do.
    """
    with engine.connect() as connection:
        found = _revision(connection)
    _refuse_newer(found)
    if found is None:
        raise StoreError(
            "The database holds no evalkit tables; run evalkit db upgrade to make them, or name "
            "another database."
        )
    if found != _head():
        raise StoreError(
            f"The database has schema {found}, this version works with {_head()}; make a backup "
            "and run evalkit db upgrade."
        )


def _config(connection: sa.Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "evalkit.store:migrations")
    config.attributes["connection"] = connection
    return config


def _known() -> list[str]:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config())
    return [script.revision for script in scripts.walk_revisions()]


def _head() -> str:
    return _known()[0]


def _revision(connection: sa.Connection) -> str | None:
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(found: str | None) -> None:
    if found is not None and found not in _known():
        raise StoreError(
            f"The database has schema {found}, which is newer than this version of evalkit knows "
            f"({_head()}); install the newest evalkit-search."
        )
