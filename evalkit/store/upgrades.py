"""Bring a study database up to date, check it, and copy it while people work."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from evalkit.errors import StoreError
from evalkit.files import replacing_file
from evalkit.store.engine import (
    connect,
    explained,
    milliseconds,
    parse_url,
    sqlite_path,
    without_secrets,
)
from evalkit.store.schema import APPEND_ONLY, assignment, slot, study, task, vote

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["backup", "check", "refuse_other_schema", "upgrade", "upgrade_engine"]

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


def check(url: str | None = None) -> list[str]:
    """Look for damage: the schema, the file, and what must hold among the rows.

    Returns:
        What is wrong, a sentence each; empty when all is well.

    Raises:
        StoreError: the database cannot be opened.
    """
    from evalkit.store.engine import open_store

    with open_store(url) as store, store.reading() as connection:
        found = _damage(connection)
        for text, count in _BROKEN_RULES:
            wrong = connection.execute(count).scalar_one()
            if wrong:
                found.append(f"{wrong:,} {text}.")
    return found


def backup(url: str | None, path: str | os.PathLike[str], *, keep: int | None = None) -> Path:
    """Copy a database, consistent, while people work; the copy is checked.

    Args:
        url: the database.
        path: a new file; or a folder, which gets a file named by the time.
        keep: with a folder, how many of its backups stay; the oldest go.

    Returns:
        The file: a SQLite database, or the custom format of pg_dump.

    Raises:
        StoreError: the file exists, the copy fails, or pg_dump is not there.
    """
    target = parse_url(url)
    source = sqlite_path(target)
    if source is not None and not os.path.exists(source):
        raise StoreError(f"There is no study database at {source}.")
    ending = ".dump" if source is None else ".db"
    place = Path(path)
    if keep is not None and (keep < 1 or not place.is_dir()):
        raise StoreError("keep needs a folder of backups and a number of at least 1.")
    wanted = place
    if place.is_dir():
        stamp = datetime.fromtimestamp(milliseconds() / 1000, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        wanted = place / f"evalkit-{stamp}{ending}"
    if wanted.exists():
        raise StoreError(f"{wanted} exists; give another file, or a folder.")
    if not wanted.parent.is_dir():
        raise StoreError(f"The folder {wanted.parent} does not exist; make it first.")
    with replacing_file(wanted) as partial:
        if source is None:
            _dump(target, partial)
        else:
            _vacuum(source, partial)
    if keep is not None:
        for old in sorted(place.glob(f"evalkit-*{ending}"))[:-keep]:
            old.unlink()
    return wanted


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


def _damage(connection: sa.Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        found = [
            f"The file is damaged: {row[0]}."
            for row in connection.exec_driver_sql("PRAGMA integrity_check")
            if row[0] != "ok"
        ]
        found += [
            f"A row of {row[0]} points to a {row[2]} that is not there."
            for row in connection.exec_driver_sql("PRAGMA foreign_key_check")
        ]
        triggers = sa.text("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'")
    else:
        found = []
        triggers = sa.text(
            "SELECT relname FROM pg_trigger JOIN pg_class ON tgrelid = pg_class.oid "
            "WHERE NOT tgisinternal AND tgenabled <> 'D'"
        )
    guarded = set(connection.execute(triggers).scalars())
    found += [
        f"Table {name} is not guarded against changes."
        for name in APPEND_ONLY
        if name not in guarded
    ]
    return found


_latest_action = (
    sa.select(vote.c.action)
    .where(vote.c.assignment_id == assignment.c.id)
    .order_by(vote.c.revision.desc())
    .limit(1)
    .scalar_subquery()
)
_held = slot.join(assignment, slot.c.assignment_id == assignment.c.id)
_BROKEN_RULES: tuple[tuple[str, sa.Select[int]], ...] = (
    (
        "filled places belong to no vote",
        sa.select(sa.func.count())
        .select_from(slot.outerjoin(assignment, slot.c.assignment_id == assignment.c.id))
        .where(
            slot.c.state == "done",
            sa.or_(assignment.c.id.is_(None), sa.func.coalesce(_latest_action, "") != "vote"),
        ),
    ),
    (
        "places are held for a task of another study or query",
        sa.select(sa.func.count()).select_from(_held).where(slot.c.task_id != assignment.c.task_id),
    ),
    (
        "free places are held by somebody",
        sa.select(sa.func.count())
        .select_from(slot)
        .where(slot.c.state == "free", slot.c.assignment_id.is_not(None)),
    ),
    (
        "answered tasks have no answer",
        sa.select(sa.func.count())
        .select_from(assignment)
        .where(assignment.c.state != "open", _latest_action.is_(None)),
    ),
    (
        "votes are of a revision that was never opened",
        sa.select(sa.func.count())
        .select_from(vote.join(assignment, vote.c.assignment_id == assignment.c.id))
        .where(vote.c.revision > assignment.c.revision),
    ),
    (
        "real tasks have more places than the overlap of their study",
        sa.select(sa.func.count()).select_from(
            sa.select(task.c.id)
            .join(study, task.c.study_id == study.c.id)
            .join(slot, slot.c.task_id == task.c.id)
            .group_by(task.c.id, study.c.overlap)
            .having(sa.func.count() > study.c.overlap)
            .subquery()
        ),
    ),
)


def _vacuum(source: str, partial: Path) -> None:
    try:
        with closing(sqlite3.connect(source, timeout=30, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(partial),))
        with closing(sqlite3.connect(partial)) as copy:
            problems = [row[0] for row in copy.execute("PRAGMA integrity_check")]
            broken = copy.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"The backup of {source} failed: {error}.") from error
    if problems != ["ok"] or broken:
        raise StoreError(
            f"The copy of {source} is not sound ({problems[0] if not broken else broken[0]}); "
            "run evalkit db check."
        )
    with open(partial, "rb+") as stream:
        os.fsync(stream.fileno())


def _dump(url: sa.URL, partial: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise StoreError(
            "A backup of PostgreSQL needs pg_dump of the server's version on the PATH (Debian: "
            "apt install postgresql-client); or use your server's own backups."
        )
    options: dict[str, Any] = url.translate_connect_args(username="user", database="dbname")
    environment = dict(os.environ)
    if "password" in options:  # arguments can be read by everybody on the machine
        environment["PGPASSWORD"] = str(options.pop("password"))
    options |= {
        name: value if isinstance(value, str) else ",".join(value)
        for name, value in url.query.items()
    }
    for name, variable in (("password", "PGPASSWORD"), ("sslpassword", "PGSSLPASSWORD")):
        if name in options:
            environment[variable] = options.pop(name)
    words = " ".join(
        "{}='{}'".format(name, str(value).replace("\\", "\\\\").replace("'", "\\'"))
        for name, value in options.items()
    )
    done = subprocess.run(
        [program, "--format=custom", "--no-password", f"--file={partial}", f"--dbname={words}"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        said = "; ".join(
            line.removeprefix("pg_dump: ") for line in done.stderr.strip().splitlines()
        )
        raise StoreError(f"pg_dump of {without_secrets(url)} failed: {said or 'no reason given'}.")
