"""Bring a study database up to date, check it, and copy it while people work."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["backup", "check", "upgrade"]


def upgrade(url: str | None = None) -> tuple[str | None, str]:
    """Migrate to the newest schema; return the revisions before and after."""
    raise NotImplementedError


def check(url: str | None = None) -> list[str]:
    """Return what is wrong with a database, a sentence each."""
    raise NotImplementedError


def backup(url: str | None, path: str | os.PathLike[str], *, keep: int | None = None) -> Path:
    """Copy a database, consistent, while people work. A folder gets a dated file; `keep` prunes."""
    raise NotImplementedError
