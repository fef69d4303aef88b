"""The study database of a command: the `--db` option, and opening what it names."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evalkit.store import Person, Store

__all__ = ["database_option", "find_person", "opened"]


def _url(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Take a path for the SQLite file that it is."""
    del ctx, param
    return value if value is None or "://" in value else f"sqlite:///{value}"


def database_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--db`, passed on as `url`: a URL, or None for `sqlite:///evalkit.db`."""
    return click.option(
        "--db",
        "url",
        envvar="EVALKIT_DB",
        show_envvar=True,
        metavar="URL",
        callback=_url,
        help="The study database: a file, sqlite:///FILE or postgresql+psycopg://… "
        "(default: evalkit.db).",
    )(command)


@contextmanager
def opened(url: str | None, *, create: bool = False) -> Iterator[Store]:
    """Open a study database and close it at the end.

    Raises:
        StoreError: it is not there, or of another version.
    """
    from evalkit.store import open_store

    store = open_store(url, create=create)
    try:
        yield store
    finally:
        store.close()


def find_person(store: Store, name: str) -> Person:
    """Return the person of a name.

    Raises:
        SettingsError: nobody is called so.
    """
    from evalkit.store import people

    known = people(store)
    for person in known:
        if person.name == name:
            return person
    names = ", ".join(person.name for person in known) or "nobody yet"
    raise SettingsError(f"nobody is called {name!r}; the database knows {names}.")
