"""What somebody sees whom the app does not know."""

from __future__ import annotations

import streamlit as st

from annotate_app.session import oidc_configured, signed_in_address
from evalkit.reports.markup import element

__all__ = ["show"]


def show() -> None:
    """Say how to get in, and nothing about what is inside."""
    refused = signed_in_address()
    said = []
    if st.query_params.get("link") == "unknown":
        said.append("This link does not work any more: it is mistyped, or a newer one was made.")
    if refused:
        said.append(f"{refused} is not known here.")
    said.append(
        "You come in through a personal link. The person who runs the study makes one for you; "
        "ask them, open the link in this browser, and keep it to yourself."
    )
    st.html(
        element(
            "div",
            element("h1", "Sign in"),
            *[element("p", text) for text in said],
            class_="ek-heading",
            id="ek-sign-in",
        )
    )
    if oidc_configured():
        if st.user.get("is_logged_in"):
            st.button("Use another account", on_click=st.logout)
        else:
            st.button("Sign in with your organisation", on_click=st.login, type="primary")
