"""The guidelines of a study by query type; admins write the next version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.navigation import heading
from annotate_app.picking import pick_study
from annotate_app.prose import prose_html
from annotate_app.session import may, open_database
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.store import guideline, guidelines, save_guideline

if TYPE_CHECKING:
    from evalkit.store import Guideline, Person

__all__ = ["show"]


def show(person: Person) -> None:
    """Draw the page."""
    heading(person, "Guidelines", "What to look at, by type of query.")
    study = pick_study(person)
    if study is None:
        return
    written = guidelines(open_database(), study.id)
    for entry in written:
        _card(entry)
    if not written:
        st.html(element("p", "Nothing is written yet.", class_="ek-quiet"))
    if may(person, "admin"):
        _editor(study.id, [entry.query_type for entry in written if entry.query_type], person)


def _card(entry: Guideline) -> None:
    st.html(
        element(
            "div",
            element("h2", entry.query_type or "All queries", dir="auto"),
            prose_html(entry.text),
            element("p", f"Version {entry.version}", class_="ek-quiet"),
            class_="ek-guide",
        )
    )


def _editor(study_id: int, known: list[str], person: Person) -> None:
    st.html(element("h2", "Write the next version"))
    kind = st.selectbox(
        "Query type",
        ["", *known],
        format_func=lambda name: name or "All queries",
        accept_new_options=True,
        key=f"guideline-type-{study_id}",
    )
    before = guideline(open_database(), study_id, kind or None)
    mine = before if before.query_type == (kind or "") else None
    version = mine.version if mine else 0
    name = f"guideline-text-{study_id}-{kind}-{version}"
    st.text_area(
        r"Text: paragraphs, lines that begin with “- ”, headings with “# ”, \*\*bold\*\*",
        value=mine.text if mine else "",
        height=260,
        key=name,
    )
    if st.button(f"Save as version {version + 1}", key=f"save-{name}", type="primary"):
        try:
            save_guideline(
                open_database(), study_id, kind or None, st.session_state[name], actor=person
            )
        except StoreError as error:
            st.html(element("p", str(error), class_="ek-saved ek-warn"))
        else:
            st.rerun()
