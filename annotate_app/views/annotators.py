"""Who may sign in, and as what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.navigation import heading
from annotate_app.session import open_database
from annotate_app.showing import problem, table_html
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.store import ROLES, people, revoke, set_role

if TYPE_CHECKING:
    from evalkit.store import Person

__all__ = ["show"]


def show(person: Person) -> None:
    """Draw the page."""
    heading(person, "Annotators", "Votes stay when somebody's access ends.")
    if text := st.session_state.pop("people-problem", None):
        problem(text)
    try:
        everybody = people(open_database(), actor=person)
    except StoreError as error:
        problem(str(error))
        return
    st.html(
        table_html(
            f"{len(everybody):,} people",
            ["name", "role", "e-mail", "access"],
            [
                [one.name, one.role, one.email or "", "yes" if one.active else "ended"]
                for one in everybody
            ],
            left=4,
        )
    )
    st.html(element("h2", "Change somebody"))
    by_id = {one.id: one for one in everybody}
    chosen = st.selectbox(
        "Person",
        list(by_id),
        format_func=lambda key: by_id[key].name,
        index=None,
        key="who-changes",
        width=480,
    )
    if chosen is None:
        return
    one = by_id[chosen]
    st.selectbox("Role", ROLES, index=ROLES.index(one.role), key=f"role-{one.id}", width=480)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button(
            "Change the role", key=f"set-role-{one.id}", on_click=_set_role, args=(one, person)
        )
        sure = st.checkbox("I want to end this access", key=f"sure-{one.id}")
        st.button(
            "End access",
            key=f"revoke-{one.id}",
            disabled=not sure or not one.active,
            on_click=_revoke,
            args=(one, person),
        )


def _set_role(one: Person, person: Person) -> None:
    try:
        set_role(open_database(), one.id, st.session_state[f"role-{one.id}"], actor=person)
    except StoreError as error:
        st.session_state["people-problem"] = str(error)


def _revoke(one: Person, person: Person) -> None:
    try:
        revoke(open_database(), one.id, actor=person)
    except StoreError as error:
        st.session_state["people-problem"] = str(error)
