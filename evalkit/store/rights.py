"""What a person may do, and the log of who did what.

Roles are read from the database each time: a Person in somebody's hands may be out of date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from evalkit.errors import NotAllowed
from evalkit.store.schema import audit, person
from evalkit.store.values import ROLES

if TYPE_CHECKING:
    from evalkit.store.values import Person, Role

__all__ = ["act_for", "log", "not_yours", "require"]

_ENDED = "Your access has ended; ask whoever runs the study for a new link."


def require(connection: sa.Connection, actor: Person | None, role: Role) -> None:
    """Refuse an actor whose role does not cover this; None is the local command line.

    Raises:
        NotAllowed: with the role that is needed.
    """
    if actor is None:
        return
    found = connection.execute(
        sa.select(person.c.role).where(person.c.id == actor.id, person.c.revoked_at.is_(None))
    ).scalar()
    if found is None:
        raise NotAllowed(_ENDED)
    if ROLES.index(found) < ROLES.index(role):
        raise NotAllowed(f"This needs the role {role}; yours is {found}. Ask an admin.")


def act_for(connection: sa.Connection, who: Person, *, lock: bool = True) -> str:
    """Make sure that a person still has access, and let one call at a time act for them.

    Two tabs of one person must not claim two tasks; on SQLite writers take turns anyway. Without
    `lock`, for calls that only read, nobody waits.

    Returns:
        The person's name, from which their schedule is drawn.

    Raises:
        NotAllowed: their access has ended.
    """
    wanted = sa.select(person.c.name, person.c.revoked_at).where(person.c.id == who.id)
    if lock:
        wanted = wanted.with_for_update(key_share=True)
    row = connection.execute(wanted).one_or_none()
    if row is None or row.revoked_at is not None:
        raise NotAllowed(_ENDED)
    name: str = row.name
    return name


def not_yours(assignment_id: int) -> NotAllowed:
    """Return the refusal for an assignment of somebody else, or one that does not exist."""
    return NotAllowed(f"Assignment {assignment_id} is not yours; go to your next task.")


def log(
    connection: sa.Connection,
    actor: Person | None,
    action: str,
    *,
    now: int,
    study_id: int | None = None,
    **details: Any,
) -> None:
    """Write down who did what, in the transaction in which it is done."""
    connection.execute(
        sa.insert(audit).values(
            at=now,
            person_id=None if actor is None else actor.id,
            action=action,
            study_id=study_id,
            details=details,
        )
    )
