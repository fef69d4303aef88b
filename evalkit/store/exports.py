"""Votes and grades as tables, sides resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from evalkit.store.engine import Store
    from evalkit.store.values import Comparison, Person

__all__ = ["comparisons", "export_judgments", "export_page_grades", "export_votes"]


def export_votes(
    store: Store, study_id: int, *, latest_only: bool = True, actor: Person | None = None
) -> pa.Table:
    """Return the canonical votes table of a study. Needs analyst."""
    raise NotImplementedError


def export_judgments(store: Store, study_id: int, *, actor: Person | None = None) -> pa.Table:
    """Return item grades as a judgments table (source `human`). Needs analyst."""
    raise NotImplementedError


def export_page_grades(store: Store, study_id: int, *, actor: Person | None = None) -> pa.Table:
    """Return page grades by system. Needs analyst."""
    raise NotImplementedError


def comparisons(
    store: Store,
    study_id: int,
    *,
    limit: int | None = None,
    offset: int = 0,
    actor: Person | None = None,
) -> list[Comparison]:
    """Return queries with their lists and votes, in serving order. Needs analyst."""
    raise NotImplementedError
