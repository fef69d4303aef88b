"""Who may sign in, and as what.

A personal link holds a random token; the database holds its SHA-256 only, which is enough for a
token of 256 random bits.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.errors import RateLimited, StoreError
from evalkit.store.engine import milliseconds
from evalkit.store.rights import log, require
from evalkit.store.schema import invite as invite_table
from evalkit.store.schema import person, sign_in_attempt
from evalkit.store.values import ROLES, Person

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.schema import AnyRow
    from evalkit.store.values import Role

__all__ = ["invite", "people", "person_by_email", "revoke", "set_role", "sign_in"]

_MINUTE = 60_000
_FAILURES = 10


def invite(
    store: Store,
    name: str,
    *,
    role: Role | None = None,
    email: str | None = None,
    actor: Person | None = None,
    now: int | None = None,
) -> tuple[Person, str]:
    """Make the token of a personal link; earlier links of this person end.

    Args:
        store: the database.
        name: whom; a new name makes a new person.
        role: `annotator` for a new person by default; a person who is there keeps theirs.
        email: address that an OpenID provider vouches for.
        actor: an admin, or None for the command line.
        now: UTC milliseconds.

    Returns:
        The person, and the token, which cannot be read again.

    Raises:
        NotAllowed: the actor is not an admin.
        StoreError: the name is empty, the role is none, or the address is somebody else's.
    """
    now = milliseconds(now)
    name = name.strip()
    if not name:
        raise StoreError("An annotator needs a name.")
    token = secrets.token_urlsafe(32)
    with store.writing() as connection:
        require(connection, actor, "admin")
        found = _ensure(connection, name, role, email, now)
        connection.execute(
            sa.update(invite_table)
            .where(invite_table.c.person_id == found.id, invite_table.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        connection.execute(
            sa.insert(invite_table).values(
                person_id=found.id, token_hash=_hash(token), created_at=now
            )
        )
        log(connection, actor, "invited", now=now, name=name, role=found.role)
    return found, token


def sign_in(store: Store, token: str, *, client: str, now: int | None = None) -> Person | None:
    """Return whose token this is, None for nobody's.

    Args:
        store: the database.
        token: from a personal link.
        client: address from which it comes; ten failures a minute are allowed to each.
        now: UTC milliseconds.

    Raises:
        RateLimited: too many failures from this client.
    """
    now = milliseconds(now)
    recent = sa.and_(sign_in_attempt.c.client == client, sign_in_attempt.c.at > now - _MINUTE)
    with store.reading() as connection:
        failures = connection.execute(
            sa.select(sa.func.count()).select_from(sign_in_attempt).where(recent)
        ).scalar_one()
        if failures >= _FAILURES:
            raise RateLimited("Too many links that do not work; wait a minute and try again.")
        row = connection.execute(
            _PEOPLE.join(invite_table, invite_table.c.person_id == person.c.id).where(
                invite_table.c.token_hash == _hash(token),
                invite_table.c.revoked_at.is_(None),
                person.c.revoked_at.is_(None),
            )
        ).one_or_none()
    if row is not None:
        return _person(row)
    with store.writing() as connection:
        connection.execute(sa.delete(sign_in_attempt).where(sign_in_attempt.c.at <= now - _MINUTE))
        connection.execute(sa.insert(sign_in_attempt).values(client=client, at=now))
    return None


def person_by_email(store: Store, email: str) -> Person | None:
    """Return the person with this address who still has access."""
    with store.reading() as connection:
        row = connection.execute(
            _PEOPLE.where(person.c.email == email.strip().lower(), person.c.revoked_at.is_(None))
        ).one_or_none()
    return None if row is None else _person(row)


def people(store: Store, *, actor: Person | None = None) -> list[Person]:
    """Return everybody by name, also those whose access has ended.

    Raises:
        NotAllowed: the actor is not an analyst.
    """
    with store.reading() as connection:
        require(connection, actor, "analyst")
        return [_person(row) for row in connection.execute(_PEOPLE.order_by(person.c.name))]


def revoke(
    store: Store, person_id: int, *, actor: Person | None = None, now: int | None = None
) -> None:
    """End a person's access; their votes stay. Another invitation gives it back.

    Raises:
        NotAllowed: the actor is not an admin.
        StoreError: there is no such person, or it is the actor.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        require(connection, actor, "admin")
        found = _by_id(connection, person_id)
        if actor is not None and actor.id == person_id:
            raise StoreError("Nobody can end their own access; ask another admin.")
        connection.execute(sa.update(person).where(person.c.id == person_id).values(revoked_at=now))
        connection.execute(
            sa.update(invite_table)
            .where(invite_table.c.person_id == person_id, invite_table.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        log(connection, actor, "revoked", now=now, name=found.name)


def set_role(
    store: Store,
    person_id: int,
    role: Role,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Person:
    """Change a person's role; it holds from their next request on.

    Raises:
        NotAllowed: the actor is not an admin.
        StoreError: there is no such person or role, or it is the actor.
    """
    now = milliseconds(now)
    _check_role(role)
    with store.writing() as connection:
        require(connection, actor, "admin")
        found = _by_id(connection, person_id)
        if actor is not None and actor.id == person_id:
            raise StoreError("Nobody can change their own role; ask another admin.")
        connection.execute(sa.update(person).where(person.c.id == person_id).values(role=role))
        log(
            connection,
            actor,
            "role changed",
            now=now,
            name=found.name,
            before=found.role,
            after=role,
        )
        return _by_id(connection, person_id)


_PEOPLE = sa.select(person.c.id, person.c.name, person.c.role, person.c.email, person.c.revoked_at)


def _person(row: AnyRow) -> Person:
    return Person(row.id, row.name, row.role, row.email, row.revoked_at is None)


def _by_id(connection: sa.Connection, person_id: int) -> Person:
    row = connection.execute(_PEOPLE.where(person.c.id == person_id)).one_or_none()
    if row is None:
        raise StoreError(f"There is no person {person_id}; evalkit study annotators lists them.")
    return _person(row)


def _ensure(
    connection: sa.Connection, name: str, role: Role | None, email: str | None, now: int
) -> Person:
    if role is not None:
        _check_role(role)
    address = email.strip().lower() if email else None
    row = connection.execute(
        _PEOPLE.where(person.c.name == name).with_for_update(key_share=True)
    ).one_or_none()
    if address is not None:
        owner = connection.execute(
            sa.select(person.c.name).where(person.c.email == address, person.c.name != name)
        ).scalar()
        if owner is not None:
            raise StoreError(f"The address {address} belongs to {owner!r}.")
    if row is None:
        made = connection.execute(
            sa.insert(person)
            .values(name=name, role=role or "annotator", email=address, created_at=now)
            .returning(person.c.id)
        ).scalar_one()
        return _by_id(connection, made)
    connection.execute(
        sa.update(person)
        .where(person.c.id == row.id)
        .values(role=role or row.role, email=address or row.email, revoked_at=None)
    )
    return _by_id(connection, row.id)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise StoreError(f"A role is {', '.join(ROLES)}, not {role!r}.")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
