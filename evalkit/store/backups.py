"""Copy a study database while people work."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import StoreError
from evalkit.files import replacing_file
from evalkit.store.engine import milliseconds, parse_url, sqlite_path, without_secrets

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["backup"]


def backup(url: str | None, path: str | os.PathLike[str], *, keep: int | None = None) -> Path:
    """Copy a database, consistent, while people work; the copy is checked.

    Args:
        url: the database.
        path: a new file; or a folder, which gets a file named by the time. A folder with a
            slash at its end is made if it is not there.
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
    folder = place.is_dir() or os.fspath(path).endswith(("/", os.sep))
    if folder and place.is_file():
        raise StoreError(f"{place} is a file; give a folder.")
    if keep is not None and (keep < 1 or not folder):
        raise StoreError(
            f"keep needs a folder of backups and a number of at least 1; {place}/ makes the folder."
        )
    wanted = place
    if folder and not place.exists() and place.parent.is_dir():
        place.mkdir()
    if folder:
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
