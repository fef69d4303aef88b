"""The instructions that annotators read, in versions: one for each type of query, one for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.store.engine import milliseconds
from evalkit.store.findings import Guideline
from evalkit.store.rights import log, require
from evalkit.store.schema import guideline as table
from evalkit.store.studies import study_by_id

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.values import Person

__all__ = ["guideline", "guidelines", "newest_guideline", "save_guideline"]


def guideline(store: Store, study_id: int, query_type: str | None = None) -> Guideline:
    """Return the newest guideline of a type, else that of all types, else version 0."""
    with store.reading() as connection:
        return newest_guideline(connection, study_id, query_type)


def guidelines(store: Store, study_id: int) -> list[Guideline]:
    """Return the newest guideline of every type that has one; the one for all types first."""
    newest = (
        sa.select(table.c.query_type, sa.func.max(table.c.version).label("version"))
        .where(table.c.study_id == study_id)
        .group_by(table.c.query_type)
        .subquery()
    )
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(table.c.version, table.c.text, table.c.query_type)
            .join(
                newest,
                sa.and_(
                    newest.c.query_type == table.c.query_type, newest.c.version == table.c.version
                ),
            )
            .where(table.c.study_id == study_id)
            .order_by(table.c.query_type)
        ).all()
    return [Guideline(*row) for row in rows]


def save_guideline(
    store: Store,
    study_id: int,
    query_type: str | None,
    text: str,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Guideline:
    """Store the next version of a guideline; the same text again changes nothing.

    Raises:
        NotAllowed: the actor is not an admin.
        StoreError: there is no such study.
    """
    now = milliseconds(now)
    kind = query_type or ""
    with store.writing() as connection:
        require(connection, actor, "admin")
        study_by_id(connection, study_id, lock="change")
        row = connection.execute(_newest(study_id, kind)).one_or_none()
        if row is not None and row.text == text:
            return Guideline(*row)
        version = 1 if row is None else row.version + 1
        connection.execute(
            sa.insert(table).values(
                study_id=study_id,
                query_type=kind,
                version=version,
                text=text,
                saved_at=now,
                saved_by=None if actor is None else actor.id,
            )
        )
        log(
            connection,
            actor,
            "guideline saved",
            now=now,
            study_id=study_id,
            query_type=kind,
            version=version,
        )
    return Guideline(version, text, kind)


def newest_guideline(connection: sa.Connection, study_id: int, query_type: str | None) -> Guideline:
    """Return, within a transaction, what `guideline` returns."""
    for kind in dict.fromkeys((query_type or "", "")):
        row = connection.execute(_newest(study_id, kind)).one_or_none()
        if row is not None:
            return Guideline(*row)
    return Guideline(0, "")


def _newest(study_id: int, query_type: str) -> sa.Select[int, str, str]:
    return (
        sa.select(table.c.version, table.c.text, table.c.query_type)
        .where(table.c.study_id == study_id, table.c.query_type == query_type)
        .order_by(table.c.version.desc())
        .limit(1)
    )
