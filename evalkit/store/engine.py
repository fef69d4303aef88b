"""The connection to the study database: where it is, and how it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import sqlalchemy as sa

__all__ = ["Store", "open_store"]


class Store:
    """An open study database; safe to share among threads.

    Attributes:
        url: where it is, without a password.
        engine: SQLAlchemy engine.
    """

    url: str
    engine: sa.Engine

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Give a connection in a transaction that only reads."""
        raise NotImplementedError

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Give a connection in a transaction that writes; committed when the block ends well."""
        raise NotImplementedError

    def close(self) -> None:
        """Close all connections."""
        raise NotImplementedError


def open_store(url: str | None = None, *, create: bool = False) -> Store:
    """Open the study database at `url`, else `EVALKIT_DB`, else `sqlite:///evalkit.db`."""
    raise NotImplementedError
