"""Votes gathered elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from evalkit.store.engine import Store
    from evalkit.store.values import Imported, Person

__all__ = ["import_votes"]


def import_votes(
    store: Store,
    study_id: int,
    table: pa.Table,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Imported:
    """Add the votes of a canonical votes table to a study, all or nothing. Needs admin.

    Votes are matched to the study's tasks by kind and query_id. A draft study without tasks gets
    its tasks from the table.
    """
    raise NotImplementedError
