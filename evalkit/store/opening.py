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

__all__ = ["open_store"]


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
