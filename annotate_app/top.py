"""The line above a task: the query, its type, how far one is, and the menu."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.navigation import menu
from annotate_app.picking import choose_study
from annotate_app.prose import prose_html
from annotate_app.session import open_database
from evalkit.reports.markup import Html, element
from evalkit.store import guideline

if TYPE_CHECKING:
    from evalkit.store import Person, Served

__all__ = ["plain_top", "top_line"]

_LARGE = 60  # characters of a query that stand on one line in large letters
_IDLE = 300.0  # seconds without an answer that end a stretch of work


def top_line(served: Served, person: Person, *, differences: bool = False) -> None:
    """Query, type, progress and menu; below them the guideline while it is open."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="top"):
        st.html(
            element(
                "div",
                element(
                    "h1",
                    served.query,
                    dir="auto",
                    lang="",
                    title=served.query,
                    class_="ek-long" if len(served.query) > _LARGE else None,
                ),
                element("span", served.query_type, class_="ek-type") if served.query_type else None,
                element("span", "Practice", class_="ek-type") if served.practice else None,
                class_="ek-query",
            )
        )
        if differences:
            st.toggle("Only differences", key="differences")
        st.html(_progress(served), width="content")
        menu(person, lambda: choose_study(served.study_id))
    if st.session_state.get("guide"):
        shown = guideline(open_database(), served.study_id, served.query_type)
        st.html(
            element(
                "div",
                element("h2", f"Guideline · {served.query_type or 'all queries'}"),
                prose_html(shown.text) if shown.text else element("p", "Nothing is written yet."),
                element("p", f"Version {shown.version} · G closes it", class_="ek-quiet"),
                class_="ek-guide",
                id="ek-guide",
            )
        )


def _progress(served: Served) -> Html:
    share = 100 * served.study_done / served.study_total if served.study_total else 0
    pace = _pace()
    left = f"{served.my_left} left"
    if pace is not None:
        minutes = max(1, round(pace * served.my_left / 60))
        left += f", about {minutes} min"
    return element(
        "div",
        element("b", f"{served.my_done} done"),
        f", {left}",
        element("br"),
        f"Study {share:.0f}%" + (f" · {pace:.0f} s a vote" if pace is not None else ""),
        class_="ek-progress",
        id="ek-progress",
        data_done=served.my_done,
    )


def plain_top(person: Person, title: str) -> None:
    """The same line without a task."""
    with st.container(horizontal=True, vertical_alignment="center", key="top"):
        st.html(element("div", element("h1", title), class_="ek-query"))
        menu(person)


def _pace() -> float | None:
    """Seconds a vote over the last ones without a long break between them."""
    times = st.session_state.get("times", ())
    gaps = [b - a for a, b in pairwise(times) if b - a < _IDLE]
    return sum(gaps) / len(gaps) if len(gaps) >= 3 else None
