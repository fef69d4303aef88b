"""Who may sign in, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.store.engine import Store
    from evalkit.store.values import Person, Role

__all__ = ["invite", "people", "person_by_email", "revoke", "set_role", "sign_in"]


def invite(
    store: Store,
    name: str,
    *,
    role: Role | None = None,
    email: str | None = None,
    actor: Person | None = None,
    now: int | None = None,
) -> tuple[Person, str]:
    """Make a personal link's token; earlier ones of this person end. Needs admin."""
    raise NotImplementedError


def sign_in(store: Store, token: str, *, client: str, now: int | None = None) -> Person | None:
    """Return whose token this is, None for nobody's. Raises RateLimited."""
    raise NotImplementedError


def person_by_email(store: Store, email: str) -> Person | None:
    """Return the active person with this address."""
    raise NotImplementedError


def people(store: Store, *, actor: Person | None = None) -> list[Person]:
    """Return everybody, by name. Needs analyst."""
    raise NotImplementedError


def revoke(
    store: Store, person_id: int, *, actor: Person | None = None, now: int | None = None
) -> None:
    """End a person's access; their votes stay. Needs admin."""
    raise NotImplementedError


def set_role(
    store: Store,
    person_id: int,
    role: Role,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Person:
    """Change a person's role. Needs admin."""
    raise NotImplementedError
