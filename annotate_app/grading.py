"""A task of a grade study: a grade for every product, then one for each list as a page.

Every grade is kept as a draft at once, so a refresh goes on where it was; the answer is stored as
a whole with the last page grade.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.activity import task_of
from annotate_app.ballot_words import PAGE_GRADES
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
from annotate_app.lists import lists_html, pooled_html
from annotate_app.prose import label_of
from annotate_app.session import open_database
from annotate_app.top import top_line
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.store import mark_shown, save_draft, submit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalkit.store import Person, Served

__all__ = ["show_grading"]

_SIDES = ("left", "right")
_PAGE = "page: "  # before the side, under which a page grade stands among the grades of a draft
_OTHER_KEYS = ("ArrowLeft", "ArrowRight", "S", "F", "U", "G")


def show_grading(served: Served, person: Person) -> None:
    """Draw the step that is next: a product, or a list."""
    task = task_of(served)
    grades = _grades(served)
    place = _place(served, task, grades)
    top_line(served, person)
    st.html(_pool(served, grades, place) if place is not None else _lists(served))
    with st.bottom:
        question = open_question(task)
        if question is not None:
            ask_why(served, question, person)
        elif place is not None:
            _ask_item(served, place, grades, person)
        else:
            _ask_page(served, person)
    mark_shown(open_database(), served.assignment_id, person)


def _pool(served: Served, grades: Mapping[str, str | int], place: int) -> str:
    words = dict(served.levels)
    return pooled_html(
        served.query,
        served.pooled,
        task=task_of(served),
        grades={
            item: words.get(grade, str(grade))
            for item, grade in grades.items()
            if isinstance(grade, int)
        },
        current=place,
        hosts=served.image_hosts,
    )


def _lists(served: Served) -> str:
    return lists_html(
        served.query, served.left, served.right, task=task_of(served), hosts=served.image_hosts
    )


def _grades(served: Served) -> dict[str, str | int]:
    """Grades of products so far; those of the answer before until one of them is changed."""
    kept = served.draft.items if served.draft else {}
    if not kept and served.previous:
        kept = served.previous.items
    return {item: grade for item, grade in kept.items() if isinstance(grade, int)}


def _pages(served: Served) -> dict[str, str]:
    """Page grades so far."""
    kept = served.draft.items if served.draft else {}
    return {side: str(kept[_PAGE + side]) for side in _SIDES if _PAGE + side in kept}


def _keep(
    served: Served, person: Person, grades: Mapping[str, str | int], pages: Mapping[str, str]
) -> bool:
    """Keep what has been graded so far as a draft; whether that worked."""
    items = {**grades, **{_PAGE + side: word for side, word in pages.items()}}
    try:
        save_draft(open_database(), served.assignment_id, person, items=items)
    except StoreError as error:
        note(f"Not stored: {error}", warn=True)
        return False
    return True


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


def _ask_item(served: Served, place: int, grades: Mapping[str, str | int], person: Person) -> None:
    task = task_of(served)
    stage = f"{place}-{task}"
    given = grades.get(served.pooled[place].product_id)
    levels = [(label_of(word), grade) for grade, word in served.levels]
    _votes(stage, levels, given, _grade, served, place, person)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="extras"):
        _step(f"Product {place + 1} of {len(served.pooled)}", place)
        st.space("stretch")
        action("Previous", "Left", "before", stage, _go_to, task, max(0, place - 1))
        last = place + 1 == len(served.pooled)
        if not last or len(grades) >= len(served.pooled):
            action("Next", "Right", "after", stage, _go_to, task, None if last else place + 1)
        other_actions(served, stage, person)
    watch(served, _numbers(len(served.levels)), _OTHER_KEYS, person)


def _ask_page(served: Served, person: Person) -> None:
    task = task_of(served)
    pages = _pages(served)
    side = next(side for side in _SIDES if side not in pages)
    before = served.previous.pages.get(side) if served.previous else None
    stage = f"{side}-{task}"
    words = [(f"{side.capitalize()} list: {word}", word) for word in PAGE_GRADES]
    _votes(stage, words, before, _grade_page, served, side, person)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="extras"):
        _step(f"How good is the {side} list as a whole?", side)
        st.space("stretch")
        action("Previous", "Left", "before", stage, _back, served, pages, person)
        other_actions(served, stage, person)
    watch(served, _numbers(len(PAGE_GRADES)), _OTHER_KEYS, person)


def _votes(
    stage: str,
    choices: Sequence[tuple[str, int | str]],
    given: int | str | None,
    then: Callable[..., None],
    served: Served,
    what: int | str,
    person: Person,
) -> None:
    """A button for every grade of a product or of a list; the one given before stands out."""
    drawing(stage)
    saved_line(person)
    with st.container(horizontal=True, gap="xsmall", key="votes"):
        for key, (words, grade) in enumerate(choices, 1):
            look = "primary" if grade == given else "secondary"
            args = (served, what, grade, person)
            vote_button(words, str(key), f"vote-{key}", stage, then, *args, type=look)


def _step(text: str, step: object) -> None:
    st.html(element("div", text, class_="ek-saved", id="ek-step", data_step=step), width="content")


def _grade(served: Served, place: int, grade: int, person: Person) -> None:
    grades = {**_grades(served), served.pooled[place].product_id: grade}
    if not _keep(served, person, grades, _pages(served)):
        return
    note("")
    after = place + 1
    if after < len(served.pooled) and served.pooled[after].product_id in grades:
        st.session_state["place"] = (task_of(served), after)
    else:
        st.session_state.pop("place", None)


def _grade_page(served: Served, side: str, word: str, person: Person) -> None:
    grades, pages = _grades(served), {**_pages(served), side: word}
    if set(pages) != set(_SIDES):
        _keep(served, person, grades, pages)
        return
    ballot = ballot_for(served, items=grades, pages=pages)
    outcome = send(lambda: submit(open_database(), *key_of(served), ballot, person))
    if outcome is not None and outcome.status == "stored":
        note("Saved · U takes it back")
        st.session_state.pop("place", None)


def _back(served: Served, pages: Mapping[str, str], person: Person) -> None:
    """From a list to the one before, from the first to the products."""
    if pages:
        _keep(served, person, _grades(served), {})
    else:
        _go_to(task_of(served), len(served.pooled) - 1)


def _numbers(count: int) -> list[str]:
    return [str(key) for key in range(1, count + 1)]


def _go_to(task: str, place: int | None) -> None:
    st.session_state["place"] = (task, place)
