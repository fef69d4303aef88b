"""The small trusted component that tells how a vote was given (see `activity.js`).

What it reports is kept beside the vote and never decides whether a vote is stored: without
JavaScript, or before it has loaded, votes come without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalkit.store import Served

__all__ = ["Activity", "mount_activity", "reported_activity", "reported_marks", "task_of"]

_KEY = "activity"
_METHODS = {"key", "mouse", "touch", "pen"}


@dataclass(frozen=True)
class Activity:
    """How one vote was given; every field is None where the browser did not say."""

    active_ms: int | None = None
    input_method: str | None = None
    viewport: str | None = None


def task_of(served: Served) -> str:
    """Assignment and revision: what every widget of a task carries in its key."""
    return f"{served.assignment_id}-{served.revision}"


@cache
def _component() -> Any:
    script = (Path(__file__).parent / "activity.js").read_text(encoding="utf-8")
    return st.components.v2.component("evalkit.activity", js=script)


def mount_activity(
    task: str,
    *,
    votes: Sequence[str],
    keys: Sequence[str],
    marks: Mapping[str, str],
    on_draft: Callable[[str, str], None],
    on_marks: Callable[[str], None],
) -> None:
    """Put the component on the page, below the bar whose keys it watches.

    Args:
        task: assignment and revision that are shown.
        votes: keys that give a vote.
        keys: the other keys of the bar.
        marks: marks of products when the task appears, by their number on the page.
        on_draft: is called with task and text while a comment is being written.
        on_marks: is called with the task when its marks changed (`reported_marks`).
    """
    if not runtime.exists():  # a script test without a browser
        return

    def changed() -> None:
        draft = _state().get("draft")
        if isinstance(draft, dict) and isinstance(draft.get("text"), str):
            on_draft(str(draft.get("task")), draft["text"])

    def marked() -> None:
        sent = _state().get("marks")
        if isinstance(sent, dict):
            on_marks(str(sent.get("task")))

    # a number that changes with every run tells the browser that its last press was answered
    run = st.session_state["activity_run"] = st.session_state.get("activity_run", 0) + 1
    _component()(
        key=_KEY,
        # tuples, since Streamlit loads pandas to see whether a list or dict is a data frame: 80 MB
        data={
            "task": task,
            "votes": tuple(votes),
            "keys": tuple(keys),
            "marks": tuple(marks.items()),
            "run": run,
        },
        height=1,
        on_act_change=lambda: None,
        on_draft_change=changed,
        on_marks_change=marked,
    )


def reported_activity(task: str) -> Activity:
    """What the browser said about the vote on a task; untrusted, so it is checked."""
    act = _state().get("act")
    if not isinstance(act, dict) or act.get("task") != task:
        return Activity()
    active, method, viewport = act.get("active_ms"), act.get("method"), act.get("viewport")
    return Activity(
        active_ms=int(active) if isinstance(active, int | float) and 0 <= active < 1e9 else None,
        input_method=method if method in _METHODS else None,
        viewport=viewport[:32] if isinstance(viewport, str) else None,
    )


def reported_marks(task: str) -> dict[str, str] | None:
    """The marks of a task by number, unchecked; None where none were made on this page."""
    sent = _state().get("marks")
    if not isinstance(sent, dict) or sent.get("task") != task:
        return None
    items = sent.get("items")
    return dict(items) if isinstance(items, dict) else None


def _state() -> Any:
    return st.session_state.get(_KEY) or {}
