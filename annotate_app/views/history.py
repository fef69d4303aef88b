"""A person's own answers, newest first; they can be changed until the study closes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.bar import note
from annotate_app.navigation import heading
from annotate_app.session import open_database
from annotate_app.showing import when
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.store import my_votes, reopen, studies

if TYPE_CHECKING:
    from evalkit.store import MyVote, Person

__all__ = ["show"]

_PAGE = 50


def show(person: Person) -> None:
    """Draw the page."""
    if study := st.session_state.pop("go_annotate", None):
        st.switch_page(st.session_state["pages"]["annotate"], query_params={"study": study})
    heading(person, "My history", "Your own answers. They can be changed until the study closes.")
    store = open_database()
    shown = 0
    for study in studies(store):
        votes = my_votes(store, study.id, person)
        if not votes:
            continue
        shown += len(votes)
        page = 0
        if len(votes) > _PAGE:
            pages = -(-len(votes) // _PAGE)
            page = st.pagination(pages, key=f"page-{study.id}") - 1
        for vote in votes[page * _PAGE : (page + 1) * _PAGE]:
            _line(vote, person)
    if not shown:
        st.html(element("p", "You have not answered anything yet.", class_="ek-quiet"))


def _line(vote: MyVote, person: Person) -> None:
    key = f"{vote.assignment_id}-{vote.revision}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"mine-{key}"):
        facts = [when(vote.submitted_at), *vote.reasons]
        if vote.revision > 1:
            facts.append(f"changed {vote.revision - 1}×")
        st.html(
            element(
                "div",
                element("span", vote.query, class_="ek-mine-query", dir="auto", lang=""),
                element("b", vote.words),
                element("span", " · ".join(facts), class_="ek-quiet"),
                element("span", vote.comment, class_="ek-mine-comment", dir="auto", lang="")
                if vote.comment
                else None,
                class_="ek-mine",
            )
        )
        if vote.can_edit:
            st.button("Change", key=f"change-{key}", on_click=_change, args=(vote, person))


def _change(vote: MyVote, person: Person) -> None:
    try:
        served = reopen(open_database(), vote.assignment_id, person)
    except StoreError as error:
        note(str(error), warn=True)
        return
    note(f"You answered: {vote.words}. A new answer replaces it.")
    st.session_state["go_annotate"] = str(served.study_id)
