"""The bar below a task: its buttons, its questions, and how an answer gets into the store.

A press arrives as a callback, or else as the return value of its button: after a restart of the
server the browser's next press comes into a new session, which knows no callbacks. The store takes
an answer once, whichever way it comes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from annotate_app import APP_VERSION
from annotate_app.activity import mount_activity, reported_activity, task_of
from annotate_app.ballot_words import FLAG_REASONS, SKIP_REASONS
from annotate_app.marking import keep_marks, marks_by_number
from annotate_app.prose import label_of
from annotate_app.session import open_database
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.store import Ballot, add_reasons, flag, save_draft, skip, undo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.store import Outcome, Person, Served

__all__ = [
    "action",
    "add_to_note",
    "ask_why",
    "ballot_for",
    "drawing",
    "drawn",
    "key_of",
    "note",
    "open_question",
    "other_actions",
    "saved_line",
    "send",
    "vote_button",
    "watch",
]

_REFUSALS = {
    "too_fast": "Too fast, not stored. Look at both lists, then vote.",
    "duplicate": "This one was stored before; nothing was changed.",
    "closed": "The study is closed; this answer was not stored.",
}
_QUESTIONS = {
    "skip": ("Why skip it?", SKIP_REASONS),
    "flag": ("What is wrong?", FLAG_REASONS),
}


def key_of(served: Served) -> tuple[int, int]:
    """The key under which an answer is stored once."""
    return served.assignment_id, served.revision


# -- buttons -------------------------------------------------------------------------------------


def vote_button(
    words: str,
    key: str,
    name: str,
    stage: str,
    then: Callable[..., None],
    *args: object,
    **look: Any,
) -> None:
    """A large button of the bar; `then` is called with `args` when it is pressed."""
    if st.button(
        words,
        key=f"{name}-{stage}",
        shortcut=key,
        width="stretch",
        wrap=True,
        on_click=_pressed,
        args=(stage, then, *args),
        **look,
    ):
        _again(then, *args)


def action(
    words: str, key: str, name: str, stage: str, then: Callable[..., None], *args: object
) -> None:
    """A small button of the bar."""
    if st.button(
        words,
        key=f"{name}-{stage}",
        shortcut=key,
        type="tertiary",
        on_click=_pressed,
        args=(stage, then, *args),
    ):
        _again(then, *args)


def drawing(stage: str) -> None:
    """Say which stage of which task is drawn now; presses for any other are ignored."""
    st.session_state["drawn"] = stage


def drawn() -> None:
    """The page is complete; the next press is another one."""
    st.session_state.pop("handled", None)


def _pressed(stage: str, then: Callable[..., None], *args: object) -> None:
    """Do what a button is for, if it stands on the page that was drawn last.

    Until a page is complete the browser listens to the keys of the one before as well, and a key
    then presses the buttons of both.
    """
    st.session_state["handled"] = True
    if st.session_state.get("drawn") == stage:
        then(*args)


def _again(then: Callable[..., None], *args: object) -> None:
    """Do it for a callback that never came, and draw the page anew."""
    if not st.session_state.get("handled"):
        then(*args)
        st.rerun()


def other_actions(served: Served, stage: str, person: Person) -> None:
    """What can be done with a task besides voting."""
    task = task_of(served)
    _comment_box(served, task, person)
    action("Skip", "S", "skip", stage, _open, task, "skip")
    action("Flag", "F", "flag", stage, _open, task, "flag")
    action("Undo", "U", "undo", stage, _take_back, served.study_id, person)
    action("Guidelines", "G", "guide", stage, _toggle_guide)


def watch(served: Served, votes: Sequence[str], keys: Sequence[str], person: Person) -> None:
    """Let the browser tell how the vote was given, and keep comment and marks as they are made."""
    task = task_of(served)

    def draft(about: str, text: str) -> None:
        if about == task:
            _keep_comment(served.assignment_id, text, person)

    def marked(about: str) -> None:
        if about == task and served.study_kind == "sbs":
            try:
                keep_marks(served, person)
            except StoreError as error:
                note(str(error), warn=True)

    mount_activity(
        task,
        votes=[key.lower() for key in votes],
        keys=[key.lower() for key in keys],
        marks=marks_by_number(served),
        on_draft=draft,
        on_marks=marked,
    )


def _comment_box(served: Served, task: str, person: Person) -> None:
    name = f"comment-{task}"
    draft = served.draft.comment if served.draft else ""
    if not draft and served.previous:
        draft = served.previous.comment
    text = st.session_state.get(name) or draft
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
    try:
        save_draft(open_database(), assignment_id, person, comment=text)
    except StoreError as error:
        note(str(error), warn=True)


def _take_back(study_id: int, person: Person) -> None:
    try:
        back = undo(open_database(), study_id, person)
    except StoreError as error:
        note(str(error), warn=True)
        return
    if back is None:
        note("There is nothing to take back.", warn=True)
    else:
        note("This is your last answer again; the new one replaces it.")


def _toggle_guide() -> None:
    st.session_state["guide"] = not st.session_state.get("guide")


# -- questions -----------------------------------------------------------------------------------


def open_question(task: str) -> str | None:
    """`skip` or `flag` while the bar of this task asks for a reason."""
    about, question = st.session_state.get("question") or ("", None)
    return question if about == task else None


def ask_why(served: Served, question: str, person: Person) -> None:
    """The bar while it asks for a reason."""
    task = task_of(served)
    stage = f"{question}-{task}"
    drawing(stage)
    text, reasons = _QUESTIONS[question]
    then = _skip if question == "skip" else _flag
    st.html(element("div", text, class_="ek-saved", id="ek-ask"))
    with st.container(horizontal=True, gap="xsmall", key="votes"):
        for key, reason in enumerate(reasons, 1):
            vote_button(reason, str(key), f"why-{key}", stage, then, served, reason, person)
        action("Cancel", "Esc", "cancel", stage, _open, task, None)
    numbers = [str(key) for key in range(1, len(reasons) + 1)]
    watch(served, (), [*numbers, "escape"], person)


def _open(task: str, question: str | None) -> None:
    st.session_state["question"] = (task, question)


def _skip(served: Served, reason: str, person: Person) -> None:
    ballot = ballot_for(served)
    outcome = send(lambda: skip(open_database(), *key_of(served), reason, person, ballot=ballot))
    if outcome is not None and outcome.status == "stored":
        note("Skipped · U takes it back")


def _flag(served: Served, reason: str, person: Person) -> None:
    text = st.session_state.get(f"comment-{task_of(served)}") or ""
    try:
        flag(open_database(), served.assignment_id, reason, text, person)
    except StoreError as error:
        note(str(error), warn=True)
    else:
        note(f"Reported: {reason}. You can still vote.")
    st.session_state.pop("question", None)


# -- answers -------------------------------------------------------------------------------------


def ballot_for(served: Served, **fields: Any) -> Ballot:
    """A ballot with the comment, and with how and with which versions it was given."""
    task = task_of(served)
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
    try:
        outcome = storing()
    except StoreError as error:
        note(f"Not stored: {error}", warn=True)
        return None
    if outcome.status != "stored":
        note(_REFUSALS[outcome.status], warn=True)
        return outcome
    st.session_state.pop("question", None)
    st.session_state["times"] = [*st.session_state.get("times", ()), time.monotonic()][-20:]
    if outcome.feedback:
        st.session_state["feedback"] = outcome.feedback
    return outcome


def note(text: str, *, warn: bool = False, vote_id: int | None = None, tags: Any = ()) -> None:
    """What the next page says about the last answer."""
    st.session_state["said"] = {"text": text, "warn": warn, "vote_id": vote_id, "tags": tags}


def add_to_note(text: str) -> None:
    """Say something behind what became of the last answer."""
    last = st.session_state.get("said") or {"text": ""}
    note(f"{last['text']} {text}".strip(), warn=True)


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
                format_func=label_of,
                on_change=_late_reasons,
                args=(last["vote_id"], name, person),
                label_visibility="collapsed",
            )


def _late_reasons(vote_id: int, name: str, person: Person) -> None:
    try:
        add_reasons(open_database(), vote_id, tuple(st.session_state.get(name) or ()), person)
    except StoreError as error:
        note(str(error), warn=True)
