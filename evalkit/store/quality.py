"""Votes set aside: kept, counted, and left out of every figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.errors import StoreError
from evalkit.store.engine import milliseconds
from evalkit.store.findings import SetAside
from evalkit.store.rights import log, require
from evalkit.store.schema import person
from evalkit.store.schema import set_aside as table
from evalkit.store.studies import study_by_id

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.values import Person

__all__ = ["restore", "set_aside", "set_asides"]


def set_aside(
    store: Store,
    study_id: int,
    person_id: int,
    reason: str,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> None:
    """Let an annotator's votes enter no figure of this study, from now on and so far.

    Places that the votes fill stay filled.

    Raises:
        NotAllowed: the actor is not an admin.
        StoreError: there is no such study or person, no reason, or it was done before.
    """
    now = milliseconds(now)
    if not reason.strip():
        raise StoreError("Say why the votes are set aside; every figure repeats it.")
    with store.writing() as connection:
        require(connection, actor, "admin")
        study_by_id(connection, study_id, lock="change")
        name = _name(connection, person_id)
        if connection.execute(_now(study_id, person_id)).first():
            raise StoreError(f"The votes of {name!r} are set aside already.")
        connection.execute(
            sa.insert(table).values(
                study_id=study_id,
                person_id=person_id,
                reason=reason.strip(),
                at=now,
                by=None if actor is None else actor.id,
            )
        )
        log(
            connection,
            actor,
            "votes set aside",
            now=now,
            study_id=study_id,
            annotator=name,
            reason=reason.strip(),
        )


def restore(
    store: Store,
    study_id: int,
    person_id: int,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> None:
    """Let an annotator's votes enter the figures again.

    Raises:
        NotAllowed: the actor is not an admin.
        StoreError: they are not set aside.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        require(connection, actor, "admin")
        name = _name(connection, person_id)
        row = connection.execute(_now(study_id, person_id)).one_or_none()
        if row is None:
            raise StoreError(f"The votes of {name!r} are not set aside.")
        connection.execute(
            sa.update(table)
            .where(table.c.id == row.id)
            .values(restored_at=now, restored_by=None if actor is None else actor.id)
        )
        log(connection, actor, "votes restored", now=now, study_id=study_id, annotator=name)


def set_asides(store: Store, study_id: int, *, actor: Person | None = None) -> list[SetAside]:
    """Return whose votes are set aside, and why.

    Raises:
        NotAllowed: the actor is not an analyst.
    """
    who = person.alias()
    with store.reading() as connection:
        require(connection, actor, "analyst")
        rows = connection.execute(
            sa.select(
                table.c.person_id, person.c.name, table.c.reason, table.c.at, who.c.name.label("by")
            )
            .join(person, table.c.person_id == person.c.id)
            .outerjoin(who, table.c.by == who.c.id)
            .where(table.c.study_id == study_id, table.c.restored_at.is_(None))
            .order_by(person.c.name)
        ).all()
    return [SetAside(*row) for row in rows]


def _now(study_id: int, person_id: int) -> sa.Select[int]:
    return sa.select(table.c.id).where(
        table.c.study_id == study_id,
        table.c.person_id == person_id,
        table.c.restored_at.is_(None),
    )


def _name(connection: sa.Connection, person_id: int) -> str:
    name: str | None = connection.execute(
        sa.select(person.c.name).where(person.c.id == person_id)
    ).scalar()
    if name is None:
        raise StoreError(f"There is no person {person_id}; evalkit study annotators lists them.")
    return name
