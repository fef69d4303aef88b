"""The parts of the vote bar, and how an answer gets from a button into the store.

Each answer is given twice, as a callback and as the return value of its button: after a restart of
the server the browser's next click arrives in a new session that knows no callbacks. The store
takes the first and ignores the other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from annotate_app import APP_VERSION
from annotate_app.activity import mount_activity, reported_activity
from annotate_app.session import open_database
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.store import Ballot, add_reasons, save_draft, undo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.store import Outcome, Person, Served

__all__ = [
    "action",
    "again",
    "answered",
    "ask",
    "ballot_for",
    "comment_box",
    "go_back",
    "key_of",
    "note",
    "open_mode",
    "saved_line",
    "send",
    "task_of",
    "toggle_guide",
    "watch",
]

_REFUSALS = {
    "too_fast": "Too fast, not stored. Look at both lists, then vote.",
    "duplicate": "This one was stored before; nothing was changed.",
    "closed": "The study is closed; this answer was not stored.",
}


def task_of(served: Served) -> str:
    """Assignment and revision: what every widget of a task carries in its key."""
    return f"{served.assignment_id}-{served.revision}"


def key_of(served: Served) -> tuple[int, int]:
    """The key under which an answer is stored once."""
    return served.assignment_id, served.revision


def answered() -> None:
    """The click of this run has been dealt with by its callback."""
    st.session_state["handled"] = True


def action(label: str, key: str, name: str, then: Callable[..., None], *args: object) -> None:
    """A small button of the bar that works after a restart of the server, too."""
    if st.button(label, key=name, shortcut=key, type="tertiary", on_click=then, args=args):
        again(then, *args)


def again(then: Callable[..., None], *args: object) -> None:
    """Do what a callback should have done, unless it has, and draw the page anew."""
    if not st.session_state.get("handled"):
        then(*args)
        st.session_state.pop("handled", None)
        st.rerun()


def comment_box(served: Served, task: str, person: Person) -> None:
    """The comment box; what is in it is kept at every pause."""
    name = f"comment-{task}"
    draft = served.draft.comment if served.draft else ""
    if not draft and served.previous:
        draft = served.previous.comment
    text = st.session_state.get(name, draft)
    with st.popover("Comment ✓" if text else "Comment", key=f"note-{task}", type="tertiary"):
        st.text_area(
            "Comment",
            value=draft,
            key=name,
            placeholder="Esc leaves the box, and the keys vote again",
            on_change=_comment_changed,
            args=(served.assignment_id, name, person),
        )


def _comment_changed(assignment_id: int, name: str, person: Person) -> None:
    _keep_comment(assignment_id, st.session_state.get(name) or "", person)


def _keep_comment(assignment_id: int, text: str, person: Person) -> None:
    """Store a comment that is still being written."""
    try:
        save_draft(open_database(), assignment_id, person, comment=text)
    except StoreError as error:
        note(str(error), warn=True)


def ask(
    served: Served,
    task: str,
    question: str,
    name: str,
    reasons: tuple[str, ...],
    person: Person,
    then: Callable[..., None],
) -> None:
    """The bar while it asks for a reason."""
    st.html(element("div", question, class_="ek-saved", id="ek-ask"))
    with st.container(horizontal=True, gap="xsmall", key="votes"):
        for key, reason in enumerate(reasons, 1):
            args = (served, task, reason, person)
            if st.button(
                reason,
                key=f"{name}-{key}-{task}",
                shortcut=str(key),
                width="stretch",
                wrap=True,
                on_click=then,
                args=args,
            ):
                again(then, *args)
        action("Cancel", "Esc", f"cancel-{task}", open_mode, task, None)


def watch(served: Served, task: str, keys: Sequence[str], person: Person) -> None:
    """Let the browser tell how the vote was given, and keep the comment while it is written."""

    def draft(about: str, text: str) -> None:
        if about == task:
            _keep_comment(served.assignment_id, text, person)

    mount_activity(task, [key.lower() for key in keys], draft)


def note(text: str, *, warn: bool = False, vote_id: int | None = None, tags: Any = ()) -> None:
    """What the next page says about the last answer."""
    st.session_state["said"] = {"text": text, "warn": warn, "vote_id": vote_id, "tags": tags}


def saved_line(person: Person) -> None:
    """What became of the last answer; reasons for it where it was a strong one without any."""
    last = st.session_state.get("said") or {"text": "", "warn": False, "vote_id": None, "tags": ()}
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="saved"):
        st.html(
            element(
                "div",
                last["text"] or "\u00a0",
                class_="ek-saved ek-warn" if last["warn"] else "ek-saved",
                id="ek-saved",
                role="status",
                data_vote=last["vote_id"],
            ),
            width="content",
        )
        if last["vote_id"] is not None and last["tags"]:
            name = f"late-{last['vote_id']}"
            st.pills(
                "Reasons for the last vote",
                last["tags"],
                selection_mode="multi",
                key=name,
                on_change=_late_reasons,
                args=(last["vote_id"], name, person),
                label_visibility="collapsed",
            )


def _late_reasons(vote_id: int, name: str, person: Person) -> None:
    try:
        add_reasons(open_database(), vote_id, tuple(st.session_state.get(name) or ()), person)
    except StoreError as error:
        note(str(error), warn=True)


def ballot_for(served: Served, task: str, **fields: Any) -> Ballot:
    """A ballot with the comment, and with how and with which versions it was given."""
    how = reported_activity(task)
    text = st.session_state.get(f"comment-{task}")
    if text is None:
        text = served.draft.comment if served.draft else ""
    return Ballot(
        comment=text.strip(),
        active_ms=how.active_ms,
        input_method=how.input_method,
        viewport=how.viewport,
        app_version=APP_VERSION,
        guideline_version=served.guideline_version,
        **fields,
    )


def send(storing: Callable[[], Outcome]) -> Outcome | None:
    """Store an answer; what is said afterwards is what became of it."""
    answered()
    try:
        outcome = storing()
    except StoreError as error:
        note(f"Not stored: {error}", warn=True)
        return None
    if outcome.status != "stored":
        note(_REFUSALS[outcome.status], warn=True)
        return outcome
    st.session_state.pop("mode", None)
    times = [*st.session_state.get("times", ()), time.monotonic()][-20:]
    st.session_state["times"] = times
    if outcome.feedback:
        st.session_state["feedback"] = outcome.feedback
    return outcome


def go_back(study_id: int, person: Person) -> None:
    """Bring the latest answer back."""
    answered()
    try:
        back = undo(open_database(), study_id, person)
    except StoreError as error:
        note(str(error), warn=True)
        return
    if back is None:
        note("There is nothing to take back.", warn=True)
    else:
        note("This is your last answer again; the new one replaces it.")


def open_mode(task: str, mode: str | None) -> None:
    """Let the bar of a task ask for a reason, or for the vote again."""
    answered()
    st.session_state["mode"] = (task, mode)


def toggle_guide() -> None:
    """Open or close the guideline."""
    answered()
    st.session_state["guide"] = not st.session_state.get("guide")
