"""Personal links. A link is shown once, when it is made; the database keeps only its hash."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st

from annotate_app.navigation import heading
from annotate_app.session import open_database
from annotate_app.showing import problem
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.store import ROLES, invite

if TYPE_CHECKING:
    from evalkit.store import Person

__all__ = ["show"]


def show(person: Person) -> None:
    """Draw the page."""
    heading(person, "Invites", "A new link for somebody ends the one they had.")
    with st.form("invite", border=False, width=480):
        name = st.text_input("Name, as it will stand in exports", key="invite-name")
        email = st.text_input(
            "E-mail, if they sign in through your organisation", key="invite-email", type="email"
        )
        role = st.selectbox("Role", ROLES, key="invite-role")
        sent = st.form_submit_button("Make the link", type="primary")
    if not sent:
        return
    if not name.strip():
        problem("A link needs a name.")
        return
    try:
        made, token = invite(
            open_database(),
            name.strip(),
            role=role,
            email=email.strip() or None if email else None,
            actor=person,
        )
    except StoreError as error:
        problem(str(error))
        return
    st.html(
        element(
            "div",
            element("p", f"The link of {made.name} ({made.role}). It is shown only now:"),
            id="ek-invited",
        )
    )
    st.code(f"{_origin()}/invite/{token}", language=None)


def _origin() -> str:
    """Scheme and host under which this page was opened."""
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
