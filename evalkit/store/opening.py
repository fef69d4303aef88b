"""Open a study database, if it is one that this version works with."""

from __future__ import annotations

import os

from evalkit.errors import StoreError
from evalkit.store.engine import (
    Store,
    connect,
    explained,
    parse_url,
    sqlite_path,
    without_secrets,
)
from evalkit.store.upgrades import refuse_other_schema, upgrade_engine

__all__ = ["open_store", "refuse_place"]


def open_store(url: str | None = None, *, create: bool = False) -> Store:
    """Open a study database.

    Args:
        url: `sqlite:///PATH` or `postgresql+psycopg://...`; else the environment variable
            `EVALKIT_DB`, else `sqlite:///evalkit.db`.
        create: make the tables (and the SQLite file) where there are none.

    Raises:
        StoreError: there is no database, it cannot be opened, or its schema is another one.
    """
    target = parse_url(url)
    path = sqlite_path(target)
    if path is not None and not create and not os.path.exists(path):
        raise StoreError(
            f"There is no study database at {path}; evalkit study create makes one, --db or "
            "EVALKIT_DB names another."
        )
    engine = connect(target)
    try:
        with explained(without_secrets(target)):
            if create:
                upgrade_engine(engine, only_if_empty=True)
            refuse_other_schema(engine)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine)


def refuse_place(url: str | None = None) -> None:
    """Refuse an address at which no SQLite file can be made or written to; nothing is made.

    Raises:
        StoreError: its folder is not there, or it may not be written to.
    """
    target = parse_url(url)
    path = sqlite_path(target)
    if path is None:
        return
    folder = os.path.dirname(path) or "."
    if os.path.exists(path):
        if not (os.access(path, os.W_OK) and os.access(folder, os.W_OK | os.X_OK)):
            raise StoreError(
                f"The study database {without_secrets(target)} can only be read; name one that you "
                "may write to."
            )
        return
    if not (os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)):
        raise StoreError(
            f"The study database {without_secrets(target)} cannot be used: it cannot be made in "
            f"{folder}; name a file in a folder that you may write to."
        )
