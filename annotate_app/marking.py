"""Good and bad of single products in a comparison: optional, and nothing of it is drawn unasked.

The browser knows a product by its number on the page. One that stands in both lists has one number
and is marked once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.activity import reported_marks, task_of
from annotate_app.session import open_database
from evalkit.store import save_draft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.store import Item, Person, Served

__all__ = ["MARKS", "keep_marks", "marking", "marks_by_number", "marks_of", "numbers", "switch"]

MARKS = ("good", "bad")


def numbers(left: Sequence[Item], right: Sequence[Item]) -> dict[str, int]:
    """Every product of two lists once, by id, numbered in the order in which they are shown.

    Example:
        >>> from types import SimpleNamespace as Item
        >>> a, b, c = (Item(product_id=name) for name in "abc")
        >>> numbers([a, b], [c, a])
        {'a': 0, 'b': 1, 'c': 2}
    """
    products = dict.fromkeys(item.product_id for item in (*left, *right))
    return {product: number for number, product in enumerate(products)}


def marks_of(served: Served) -> dict[str, str | int]:
    """The marks so far, by product: as they are in the browser, else as they were kept."""
    sent = reported_marks(task_of(served))
    if sent is not None:
        there = numbers(served.left, served.right)
        return {
            product: sent[str(number)]
            for product, number in there.items()
            if sent.get(str(number)) in MARKS
        }
    kept = {
        **(served.previous.items if served.previous else {}),
        **(served.draft.items if served.draft else {}),
    }
    return {product: mark for product, mark in kept.items() if mark in MARKS}


def marks_by_number(served: Served) -> dict[str, str]:
    """The same for the browser; nothing in a study of grades."""
    if served.study_kind == "grade":
        return {}
    there = numbers(served.left, served.right)
    return {str(there[product]): str(mark) for product, mark in marks_of(served).items()}


def keep_marks(served: Served, person: Person) -> None:
    """Keep the marks as a draft; a mark of the answer before that was taken back stays empty."""
    before = dict.fromkeys(served.previous.items, "") if served.previous else {}
    items = {**before, **marks_of(served)}
    save_draft(open_database(), served.assignment_id, person, items=items)


def marking(served: Served) -> bool:
    """Whether products can be marked now: where it was asked for, and where some are marked."""
    about, on = st.session_state.get("marking", ("", False))
    return bool(on) if about == task_of(served) else bool(on) or bool(marks_of(served))


def switch(served: Served) -> None:
    """Show the marks or put them away, on this task and on those that follow."""
    st.session_state["marking"] = (task_of(served), not marking(served))
