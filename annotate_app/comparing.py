"""A side-by-side task: both lists, and the bar on which one is preferred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.activity import task_of
from annotate_app.ballot_words import choices, said
from annotate_app.bar import (
    action,
    ask_why,
    ballot_for,
    drawing,
    key_of,
    note,
    open_question,
    other_actions,
    saved_line,
    send,
    vote_button,
    watch,
)
from annotate_app.lists import lists_html
from annotate_app.marking import marking, marks_of, switch
from annotate_app.prose import label_of
from annotate_app.session import open_database
from annotate_app.top import top_line
from evalkit.store import mark_shown, submit

if TYPE_CHECKING:
    from evalkit.store import Person, Served

__all__ = ["show_comparison"]


def show_comparison(served: Served, person: Person) -> None:
    """Draw the task and its bar."""
    task = task_of(served)
    top_line(served, person, differences=True)
    st.html(
        lists_html(
            served.query,
            served.left,
            served.right,
            task=task,
            hosts=served.image_hosts,
            differences=bool(st.session_state.get("differences")),
            marks=marking(served),
        )
    )
    with st.bottom:
        question = open_question(task)
        if question is not None:
            ask_why(served, question, person)
        else:
            _votes(served, task, person)
    mark_shown(open_database(), served.assignment_id, person)


def _votes(served: Served, task: str, person: Person) -> None:
    drawing(task)
    saved_line(person)
    previous = served.previous
    given = None if previous is None else (previous.shown, previous.both_bad)
    with st.container(horizontal=True, gap="xsmall", key="votes"):
        for choice in choices(served.scale):
            vote_button(
                choice.words,
                choice.key,
                f"vote-{choice.key}",
                task,
                _vote,
                served,
                choice.shown,
                choice.both_bad,
                person,
                type="primary" if given == (choice.shown, choice.both_bad) else "secondary",
            )
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="extras"):
        if served.reasons:
            before = previous.reasons if previous else ()
            st.pills(
                "Reasons",
                served.reasons,
                selection_mode="multi",
                default=[tag for tag in before if tag in served.reasons],
                key=f"reasons-{task}",
                format_func=label_of,
                on_change="ignore",
                label_visibility="collapsed",
            )
        st.space("stretch")
        action("Marks ✓" if marks_of(served) else "Marks", "M", "marks", task, switch, served)
        other_actions(served, task, person)
    watch(served, [choice.key for choice in choices(served.scale)], "MSFUG", person)


def _vote(served: Served, shown: int, both_bad: bool, person: Person) -> None:
    reasons = tuple(st.session_state.get(f"reasons-{task_of(served)}") or ())
    ballot = ballot_for(
        served, shown=shown, both_bad=both_bad, reasons=reasons, items=marks_of(served)
    )
    outcome = send(lambda: submit(open_database(), *key_of(served), ballot, person))
    if outcome is not None and outcome.status == "stored":
        strong = abs(shown) == served.scale // 2 and not reasons and not served.practice
        note(
            f"Saved: {said(shown, both_bad)} · U takes it back" + (" · Why?" if strong else ""),
            vote_id=outcome.vote_id,
            tags=served.reasons if strong else (),
        )
