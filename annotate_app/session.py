"""Who is at the browser, and the database that all sessions of this process share."""

from __future__ import annotations

import hashlib
import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import streamlit as st

from evalkit.errors import RateLimited
from evalkit.store import open_store, person_by_email, sign_in

if TYPE_CHECKING:
    from evalkit.store import Person, Store

__all__ = [
    "COOKIE",
    "current_person",
    "forget_person",
    "may",
    "oidc_configured",
    "open_database",
    "person_of_link",
    "signed_in_address",
]

COOKIE = "evalkit_link"

_CHECKED_FOR = 30.0  # seconds for which a session trusts what the database said of its cookie
_ROLES = ("annotator", "analyst", "admin")
_worked: set[str] = set()  # hashes of links that have signed somebody in since the start


@cache
def _opened(url: str | None) -> Store:
    return open_store(url)


def open_database() -> Store:
    """The database that `EVALKIT_DB` names; opened once."""
    return _opened(os.environ.get("EVALKIT_DB"))


def may(person: Person, role: str) -> bool:
    """Whether a person's role includes another.

    The store refuses in any case; this is for showing only what will work.
    """
    return _ROLES.index(person.role) >= _ROLES.index(role)


def oidc_configured() -> bool:
    """Whether people can sign in through an OpenID provider."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def signed_in_address() -> str | None:
    """The address that the OpenID provider vouches for, or None.

    An address that the provider calls unverified is nobody's.
    """
    if not oidc_configured() or not st.user.get("is_logged_in"):
        return None
    if st.user.get("email_verified") is False:
        return None
    address = st.user.get("email")
    return str(address).strip().lower() if address else None


def current_person() -> Person | None:
    """Who is signed in, by personal link or by the OpenID provider."""
    known: Any = st.session_state.get("who")
    if known is not None and time.monotonic() < known[1]:
        person: Person = known[0]
        return person
    found = _look_up()
    if found is None or not found.active:
        st.session_state.pop("who", None)
        return None
    st.session_state["who"] = (found, time.monotonic() + _CHECKED_FOR)
    return found


def person_of_link(token: str, address: str) -> Person | None:
    """Whose link this is; None for nobody's.

    Failures are counted against the address. A link that has worked in this process is counted by
    itself: whoever guesses links from the same office must not sign everybody else there out.

    Raises:
        RateLimited: too many failures.
    """
    mark = hashlib.sha256(token.encode()).hexdigest()
    client = f"link {mark}" if mark in _worked else address
    found = sign_in(open_database(), token, client=client)
    if found is None:
        _worked.discard(mark)
    else:
        _worked.add(mark)
    return found


def forget_person() -> None:
    """Ask the database again who this is, at the next run."""
    st.session_state.pop("who", None)


def _look_up() -> Person | None:
    token = st.context.cookies.get(COOKIE)
    if token:
        try:
            return person_of_link(token, st.context.ip_address or "127.0.0.1")
        except RateLimited:
            return None
    address = signed_in_address()
    return person_by_email(open_database(), address) if address else None
