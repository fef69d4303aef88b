"""The audit log and recorded evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.store.engine import Store
    from evalkit.store.values import AuditEntry, Evaluation, Person

__all__ = ["audit", "evaluations", "record_evaluation"]


def audit(store: Store, *, limit: int = 100, actor: Person | None = None) -> list[AuditEntry]:
    """Return who did what, newest first. Needs admin."""
    raise NotImplementedError


def record_evaluation(
    store: Store,
    *,
    week: str,
    name: str,
    document: Mapping[str, Any],
    fingerprint: str,
    actor: Person | None = None,
    now: int | None = None,
) -> Evaluation:
    """Record an evaluation; the same one a second time changes nothing. Needs analyst."""
    raise NotImplementedError


def evaluations(store: Store, *, actor: Person | None = None) -> list[Evaluation]:
    """Return the recorded evaluations, oldest first. Needs analyst."""
    raise NotImplementedError
