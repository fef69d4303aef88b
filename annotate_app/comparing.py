"""The bar and the lists of a side-by-side task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.ballot_words import FLAG_REASONS, SKIP_REASONS, choices, said
from annotate_app.bar import (
    action,
    again,
    answered,
    ask,
    ballot_for,
    comment_box,
    go_back,
    key_of,
    note,
    open_mode,
    saved_line,
    send,
    task_of,
    toggle_guide,
    watch,
)
from annotate_app.lists import lists_html
from annotate_app.session import open_database
from annotate_app.top import top_line
from evalkit.errors import StoreError
from evalkit.store import flag, mark_shown, skip, submit

if TYPE_CHECKING:
    from evalkit.store import Person, Served

__all__ = ["flag_task", "show_comparison", "skip_task"]


def show_comparison(served: Served, person: Person) -> None:
    """Draw the task and its bar."""
    task = task_of(served)
    top_line(served, person, differences=True)
    lists = lists_html(
        served.query,
        served.left,
        served.right,
        task=task,
        hosts=served.image_hosts,
        differences=bool(st.session_state.get("differences")),
    )
    st.html(lists)
    with st.bottom:
        mode = st.session_state.get("mode")
        if mode == (task, "skip"):
            ask(served, task, "Why skip it?", "skip", SKIP_REASONS, person, skip_task)
        elif mode == (task, "flag"):
            ask(served, task, "What is wrong?", "flag", FLAG_REASONS, person, flag_task)
        else:
            _votes(served, task, person)
    mark_shown(open_database(), served.assignment_id, person)


def _votes(served: Served, task: str, person: Person) -> None:
    previous = served.previous
    saved_line(person)
    with st.container(horizontal=True, gap="xsmall", key="votes"):
        for choice in choices(served.scale):
            before = previous is not None and (previous.shown, previous.both_bad) == (
                choice.shown,
                choice.both_bad,
            )
            args = (served, task, choice.shown, choice.both_bad, person)
            if st.button(
                choice.words,
                key=f"vote-{choice.key}-{task}",
                shortcut=choice.key,
                type="primary" if before else "secondary",
                width="stretch",
                wrap=True,
                on_click=_vote,
                args=args,
            ):
                again(_vote, *args)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="extras"):
        if served.reasons:
            st.pills(
                "Reasons",
                served.reasons,
                selection_mode="multi",
                default=_known(previous.reasons if previous else (), served.reasons),
                key=f"reasons-{task}",
                on_change="ignore",
                label_visibility="collapsed",
            )
        st.space("stretch")
        comment_box(served, task, person)
        action("Skip", "S", f"skip-{task}", open_mode, task, "skip")
        action("Flag", "F", f"flag-{task}", open_mode, task, "flag")
        action("Undo", "U", f"undo-{task}", go_back, served.study_id, person)
        action("Guidelines", "G", f"guide-{task}", toggle_guide)
    watch(served, task, [choice.key for choice in choices(served.scale)], person)


def _vote(served: Served, task: str, shown: int, both_bad: bool, person: Person) -> None:
    reasons = tuple(st.session_state.get(f"reasons-{task}") or ())
    ballot = ballot_for(served, task, shown=shown, both_bad=both_bad, reasons=reasons)
    outcome = send(lambda: submit(open_database(), *key_of(served), ballot, person))
    if outcome is not None and outcome.status == "stored":
        strong = abs(shown) == served.scale // 2 and not reasons and not served.practice
        note(
            f"Saved: {said(shown, both_bad)} · U takes it back" + (" · Why?" if strong else ""),
            vote_id=outcome.vote_id,
            tags=served.reasons if strong else (),
        )


def skip_task(served: Served, task: str, reason: str, person: Person) -> None:
    """Pass the task on."""
    ballot = ballot_for(served, task)
    outcome = send(lambda: skip(open_database(), *key_of(served), reason, person, ballot=ballot))
    if outcome is not None and outcome.status == "stored":
        note("Skipped · U takes it back")


def flag_task(served: Served, task: str, reason: str, person: Person) -> None:
    """Report a problem; the task stays."""
    answered()
    text = st.session_state.get(f"comment-{task}") or ""
    try:
        flag(open_database(), served.assignment_id, reason, text, person)
    except StoreError as error:
        note(str(error), warn=True)
    else:
        note(f"Reported: {reason}. You can still vote.")
    st.session_state.pop("mode", None)


def _known(tags: tuple[str, ...], offered: tuple[str, ...]) -> list[str]:
    return [tag for tag in tags if tag in offered]
