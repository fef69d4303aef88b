"""Which pages a person has, and the menu that leads to them.

A page that is not for one's role says so and draws nothing else; the store refuses a second time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.session import may, oidc_configured
from evalkit.reports.markup import element

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.navigation.page import Page as StreamlitPage

    from evalkit.store import Person

__all__ = ["heading", "menu", "navigate"]

# module under views, title, smallest role
_PAGES = (
    ("annotate", "Annotate", "annotator"),
    ("history", "My history", "annotator"),
    ("guidelines", "Guidelines", "annotator"),
    ("studies", "Studies", "analyst"),
    ("agreement", "Agreement", "analyst"),
    ("queries", "Queries", "analyst"),
    ("setup", "Set-up", "admin"),
    ("invites", "Invites", "admin"),
    ("annotators", "Annotators", "admin"),
    ("audit", "Audit", "admin"),
)


def navigate(person: Person | None) -> StreamlitPage:
    """The page to run for a person; without one, every address is the sign-in page."""
    pages = {
        name: st.Page(
            _runner(name, role, person),
            title=title if person is not None else "Sign in",
            url_path=None if name == "annotate" else name,
            default=name == "annotate",
        )
        for name, title, role in _PAGES
    }
    st.session_state["pages"] = {
        name: pages[name] for name, _, role in _PAGES if person is not None and may(person, role)
    }
    return st.navigation(list(pages.values()), position="hidden")


def menu(person: Person, first: Callable[[], None] | None = None) -> None:
    """A menu of the person's pages, below what `first` draws."""
    with st.popover("Menu", key="menu", type="tertiary"):
        if first is not None:
            first()
        for page in st.session_state["pages"].values():
            st.page_link(page)
        st.html(
            element(
                "p",
                f"Signed in as {person.name} ({person.role}). ",
                element("a", "Sign out", href="/sign-out", target="_self"),
                class_="ek-quiet",
            )
        )
        if oidc_configured() and st.user.get("is_logged_in"):
            st.button("Sign out of the provider", on_click=st.logout, key="provider-sign-out")


def heading(person: Person, title: str, lead: str = "") -> None:
    """The top of every page but Annotate."""
    with st.container(horizontal=True, vertical_alignment="center", key="top"):
        st.html(
            element(
                "div",
                element("h1", title),
                element("p", lead, class_="ek-quiet") if lead else None,
                class_="ek-heading",
            )
        )
        menu(person)


def _runner(name: str, role: str, person: Person | None) -> Callable[[], None]:
    def run() -> None:
        if person is None:
            import_module("annotate_app.views.sign_in").show()
        elif not may(person, role):
            heading(person, "Not for you", f"This page is for people with the role {role}.")
        else:
            import_module(f"annotate_app.views.{name}").show(person)

    return run
