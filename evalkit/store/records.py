"""The audit log and recorded evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from evalkit.errors import StoreError
from evalkit.store.engine import milliseconds
from evalkit.store.findings import AuditEntry, Evaluation
from evalkit.store.rights import log, require
from evalkit.store.schema import audit as audit_table
from evalkit.store.schema import evaluation, person, study

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.store.engine import Store
    from evalkit.store.values import Person

__all__ = ["audit", "evaluations", "note_export", "record_evaluation"]


def audit(store: Store, *, limit: int = 100, actor: Person | None = None) -> list[AuditEntry]:
    """Return who did what, newest first.

    Raises:
        NotAllowed: the actor is not an admin.
    """
    with store.reading() as connection:
        require(connection, actor, "admin")
        rows = connection.execute(
            sa.select(
                audit_table.c.id,
                audit_table.c.at,
                person.c.name,
                audit_table.c.action,
                study.c.name,
                audit_table.c.details,
            )
            .select_from(audit_table)
            .outerjoin(person, audit_table.c.person_id == person.c.id)
            .outerjoin(study, audit_table.c.study_id == study.c.id)
            .order_by(audit_table.c.id.desc())
            .limit(limit)
        ).all()
    return [AuditEntry(*row) for row in rows]


def note_export(
    store: Store,
    study_id: int,
    what: str,
    rows: int,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> None:
    """Write into the audit log that data left the database; figures on a page are no export.

    Args:
        store: the database.
        study_id: the study.
        what: what was handed out (`votes`, `judgments`, `page grades`).
        rows: how many rows.
        actor: an analyst, or None for the command line.
        now: UTC milliseconds.

    Raises:
        NotAllowed: the actor is not an analyst.
    """
    with store.writing() as connection:
        require(connection, actor, "analyst")
        log(
            connection,
            actor,
            "exported",
            now=milliseconds(now),
            study_id=study_id,
            what=what,
            rows=rows,
        )


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
    """Record an evaluation; the same one a second time changes nothing.

    Args:
        store: the database.
        week: ISO week (`2026-W47`).
        name: what was evaluated.
        document: the score document.
        fingerprint: `sha256:...` of what it was made from; with week and name the key.
        actor: an analyst, or None for the command line.
        now: UTC milliseconds.

    Raises:
        NotAllowed: the actor is not an analyst.
        StoreError: week or name are empty.
    """
    now = milliseconds(now)
    if not week.strip() or not name.strip():
        raise StoreError("An evaluation is recorded under a week and a name.")
    with store.writing() as connection:
        require(connection, actor, "analyst")
        same = _EVALUATIONS.where(
            evaluation.c.week == week,
            evaluation.c.name == name,
            evaluation.c.fingerprint == fingerprint,
        )
        before = connection.execute(same).one_or_none()
        if before is not None:
            return Evaluation(*before)
        connection.execute(
            sa.insert(evaluation).values(
                week=week,
                name=name,
                document=dict(document),
                fingerprint=fingerprint,
                recorded_at=now,
                recorded_by=None if actor is None else actor.id,
            )
        )
        log(connection, actor, "evaluation recorded", now=now, week=week, name=name)
        return Evaluation(*connection.execute(same).one())


def evaluations(store: Store, *, actor: Person | None = None) -> list[Evaluation]:
    """Return the recorded evaluations, oldest first.

    Raises:
        NotAllowed: the actor is not an analyst.
    """
    with store.reading() as connection:
        require(connection, actor, "analyst")
        rows = connection.execute(_EVALUATIONS.order_by(evaluation.c.id)).all()
    return [Evaluation(*row) for row in rows]


_EVALUATIONS = sa.select(
    evaluation.c.id,
    evaluation.c.week,
    evaluation.c.name,
    evaluation.c.document,
    evaluation.c.fingerprint,
    evaluation.c.recorded_at,
    person.c.name,
).outerjoin(person, evaluation.c.recorded_by == person.c.id)
