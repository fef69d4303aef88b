"""The page on which people vote all day: one task, one key, the next task.

It is a full run of the script for every vote, and nothing that matters is kept in the session:
what is lost with it is an open menu, never a vote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.bar import action, add_to_note, drawing, drawn, saved_line
from annotate_app.comparing import show_comparison
from annotate_app.grading import show_grading
from annotate_app.picking import choose_study, offer_studies
from annotate_app.session import open_database
from annotate_app.top import plain_top
from evalkit.reports.markup import element
from evalkit.store import Finished, Served, next_task, studies

if TYPE_CHECKING:
    from evalkit.store import Person, Study

__all__ = ["show"]

_ENDS = {
    "done": "Nothing is left for you in this study.",
    "waiting": "What is left is with other people at the moment. Some of it may come back.",
    "paused": "The study is paused. Your answers are kept; come back later.",
    "closed": "The study is closed.",
    "draft": "The study has not begun.",
}


def show(person: Person) -> None:
    """Draw the page."""
    found = _next(person)
    if found is None:
        _rest(person, "No study is open at the moment.", None)
    elif isinstance(found, Finished):
        _rest(person, _ENDS[found.reason], found)
    elif st.session_state.get("feedback"):
        _feedback(person)
    elif found.study_kind == "grade":
        show_grading(found, person)
    else:
        show_comparison(found, person)
    drawn()


def _next(person: Person) -> Served | Finished | None:
    """The task of the study in the address, or of the first open one that has any."""
    store = open_database()
    wanted = st.query_params.get("study")
    there = sorted((study for study in studies(store) if study.state == "open"), key=_id)
    done: set[int] = st.session_state.setdefault("done", set())
    last: Served | Finished | None = None
    for study in [study for study in there if str(study.id) == wanted] or there:
        found = last = next_task(store, study.id, person)
        if isinstance(found, Served):
            done.discard(study.id)
            break
        if found.reason == "done":
            done.add(study.id)
    offer_studies(study.id for study in there if study.id not in done)
    if isinstance(last, Served):
        if st.session_state.setdefault("study", last.study_id) != last.study_id:
            add_to_note(f"This is another study now: Study {last.study_id}.")
        st.session_state["study"] = last.study_id
    return last


def _id(study: Study) -> int:
    return study.id


def _feedback(person: Person) -> None:
    drawing("feedback")
    plain_top(person, "Practice")
    st.html(
        element(
            "div",
            element("p", st.session_state["feedback"], dir="auto"),
            class_="ek-guide",
            id="ek-feedback",
        )
    )
    action("Continue", "Enter", "continue", "feedback", _continue)


def _continue() -> None:
    st.session_state.pop("feedback", None)


def _rest(person: Person, text: str, finished: Finished | None) -> None:
    drawing("rest")
    plain_top(person, "Thank you")
    done = f"You have answered {finished.my_done:,}." if finished and finished.my_done else None
    st.html(
        element(
            "div",
            element("p", text),
            element("p", done) if done else None,
            class_="ek-guide",
            id="ek-rest",
            data_reason=finished.reason if finished else "none",
        )
    )
    saved_line(person)
    choose_study(None)
    action("Look again", "Enter", "look", "rest", _continue)
