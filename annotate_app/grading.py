"""A task of a grade study: a grade for every product, then one for each list as a page.

Every grade is kept as a draft at once, so a refresh goes on where it was; the answer is stored as
a whole with the last page grade.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.ballot_words import FLAG_REASONS, PAGE_GRADES, SKIP_REASONS
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
from annotate_app.comparing import flag_task, skip_task
from annotate_app.lists import lists_html, pooled_html
from annotate_app.session import open_database
from annotate_app.top import top_line
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.store import mark_shown, save_draft, submit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.store import Person, Served

__all__ = ["show_grading"]

_PRESS = 0.15  # seconds between two grades below which the second is a held key
_PAGES = ("left", "right")


def show_grading(served: Served, person: Person) -> None:
    """Draw the step that is next: a product, or a list."""
    task = task_of(served)
    top_line(served, person)
    grades = _grades(served)
    place = _place(served, task, grades)
    if place is not None:
        words = dict(served.levels)
        st.html(
            pooled_html(
                served.query,
                served.pooled,
                task=task,
                grades={
                    item: words.get(grade, str(grade))
                    for item, grade in grades.items()
                    if isinstance(grade, int)
                },
                current=place,
                hosts=served.image_hosts,
            )
        )
    else:
        st.html(
            lists_html(served.query, served.left, served.right, task=task, hosts=served.image_hosts)
        )
    with st.bottom:
        mode = st.session_state.get("mode")
        if mode == (task, "skip"):
            ask(served, task, "Why skip it?", "skip", SKIP_REASONS, person, skip_task)
        elif mode == (task, "flag"):
            ask(served, task, "What is wrong?", "flag", FLAG_REASONS, person, flag_task)
        elif place is not None:
            _ask_item(served, task, place, person)
        else:
            _ask_page(served, task, person)
    mark_shown(open_database(), served.assignment_id, person)


def _grades(served: Served) -> Mapping[str, str | int]:
    if served.draft and served.draft.items:
        return served.draft.items
    return served.previous.items if served.previous else {}


def _place(served: Served, task: str, grades: Mapping[str, str | int]) -> int | None:
    """The product that is graded now: the chosen one, else the first without a grade."""
    chosen = st.session_state.get("place")
    if chosen is not None and chosen[0] == task:
        place: int | None = chosen[1]
        return place
    for place, item in enumerate(served.pooled):
        if item.product_id not in grades:
            return place
    return None


def _ask_item(served: Served, task: str, place: int, person: Person) -> None:
    saved_line(person)
    item = served.pooled[place]
    given = _grades(served).get(item.product_id)
    with st.container(horizontal=True, gap="xsmall", key="votes"):
        for key, (grade, word) in enumerate(served.levels, 1):
            args = (served, task, place, grade, person)
            if st.button(
                word,
                key=f"vote-item{place}-{key}-{task}",
                shortcut=str(key),
                type="primary" if given == grade else "secondary",
                width="stretch",
                wrap=True,
                on_click=_grade,
                args=args,
            ):
                again(_grade, *args)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="extras"):
        st.html(
            element(
                "div",
                f"Product {place + 1} of {len(served.pooled)}",
                class_="ek-saved",
                id="ek-step",
                data_step=place,
            ),
            width="content",
        )
        st.space("stretch")
        action("Previous", "Left", f"before-{place}-{task}", _go_to, task, max(0, place - 1))
        after = place + 1 if place + 1 < len(served.pooled) else None
        if after is not None or len(_grades(served)) >= len(served.pooled):
            action("Next", "Right", f"after-{place}-{task}", _go_to, task, after)
        _extras(served, task, person)
    watch(served, task, [str(key) for key in range(1, len(served.levels) + 1)], person)


def _ask_page(served: Served, task: str, person: Person) -> None:
    saved_line(person)
    pages = _pages(task)
    side = next(side for side in _PAGES if side not in pages)
    with st.container(horizontal=True, gap="xsmall", key="votes"):
        for key, word in enumerate(PAGE_GRADES, 1):
            args = (served, task, side, word, person)
            if st.button(
                f"{side.capitalize()} list: {word}",
                key=f"vote-{side}-{key}-{task}",
                shortcut=str(key),
                width="stretch",
                wrap=True,
                on_click=_grade_page,
                args=args,
            ):
                again(_grade_page, *args)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="extras"):
        st.html(
            element(
                "div",
                f"How good is the {side} list as a whole?",
                class_="ek-saved",
                id="ek-step",
                data_step=side,
            ),
            width="content",
        )
        st.space("stretch")
        last = len(served.pooled) - 1
        action("Previous", "Left", f"before-{side}-{task}", _go_to, task, last)
        _extras(served, task, person)
    watch(served, task, [str(key) for key in range(1, len(PAGE_GRADES) + 1)], person)


def _extras(served: Served, task: str, person: Person) -> None:
    comment_box(served, task, person)
    action("Skip", "S", f"skip-{task}", open_mode, task, "skip")
    action("Flag", "F", f"flag-{task}", open_mode, task, "flag")
    action("Undo", "U", f"undo-{task}", go_back, served.study_id, person)
    action("Guidelines", "G", f"guide-{task}", toggle_guide)


def _pages(task: str) -> dict[str, str]:
    """Page grades of this task so far; the left one is asked again after a restart."""
    kept = st.session_state.get("page_grades")
    return dict(kept[1]) if kept is not None and kept[0] == task else {}


def _grade(served: Served, task: str, place: int, grade: int, person: Person) -> None:
    answered()
    now = time.monotonic()
    if now - st.session_state.get("pressed", 0.0) < _PRESS:
        return
    st.session_state["pressed"] = now
    grades = {**_grades(served), served.pooled[place].product_id: grade}
    try:
        save_draft(open_database(), served.assignment_id, person, items=grades)
    except StoreError as error:
        note(f"Not stored: {error}", warn=True)
        return
    note("")
    chosen = st.session_state.get("place")
    if chosen is not None and chosen[0] == task:
        after = place + 1 if place + 1 < len(served.pooled) else None
        if after is None or served.pooled[after].product_id not in grades:
            st.session_state.pop("place", None)
        else:
            st.session_state["place"] = (task, after)


def _grade_page(served: Served, task: str, side: str, word: str, person: Person) -> None:
    answered()
    now = time.monotonic()
    if now - st.session_state.get("pressed", 0.0) < _PRESS:
        return
    st.session_state["pressed"] = now
    pages = {**_pages(task), side: word}
    if set(pages) != set(_PAGES):
        st.session_state["page_grades"] = (task, pages)
        return
    ballot = ballot_for(served, task, items=dict(_grades(served)), pages=pages)
    outcome = send(lambda: submit(open_database(), *key_of(served), ballot, person))
    if outcome is not None and outcome.status == "stored":
        note("Saved · U takes it back")
        st.session_state.pop("place", None)
        st.session_state.pop("page_grades", None)


def _go_to(task: str, place: int | None) -> None:
    answered()
    st.session_state["place"] = (task, place)
    st.session_state.pop("page_grades", None)
