"""Who did what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.navigation import heading
from annotate_app.session import open_database
from annotate_app.showing import problem, table_html, when
from evalkit.errors import StoreError
from evalkit.store import audit

if TYPE_CHECKING:
    from evalkit.store import Person

__all__ = ["show"]


def show(person: Person) -> None:
    """Draw the page."""
    heading(person, "Audit", "Everything that changed, newest first.")
    limit = st.selectbox("Entries", [100, 500, 2000], key="audit-limit", width=160)
    try:
        entries = audit(open_database(), limit=limit, actor=person)
    except StoreError as error:
        problem(str(error))
        return
    st.html(
        table_html(
            f"The last {len(entries):,} entries",
            ["when", "who", "what", "study", "details"],
            [
                [
                    when(entry.at),
                    entry.actor or "command line",
                    entry.action,
                    entry.study or "",
                    json.dumps(dict(entry.details), ensure_ascii=False) if entry.details else "",
                ]
                for entry in entries
            ],
            left=5,
        )
    )
