"""What admins change about a study: its state, and whose votes are set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.navigation import heading
from annotate_app.picking import pick_study
from annotate_app.prose import label_of
from annotate_app.session import open_database
from annotate_app.showing import facts_html, problem, table_html, when
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.store import people, restore, set_aside, set_asides, set_state

if TYPE_CHECKING:
    from evalkit.store import Person, Study
    from evalkit.store.values import State

__all__ = ["show"]

_MOVES: dict[State, tuple[tuple[State, str], ...]] = {
    "draft": (("open", "Open"),),
    "open": (("paused", "Pause"), ("closed", "Close for good")),
    "paused": (("open", "Open again"), ("closed", "Close for good")),
    "closed": (),
}


def show(person: Person) -> None:
    """Draw the page."""
    heading(person, "Set-up", "Studies are made with: evalkit study create")
    study = pick_study(person)
    if study is None:
        return
    if text := st.session_state.pop("setup-problem", None):
        problem(text)
    _state(study, person)
    _aside(study, person)


def _state(study: Study, person: Person) -> None:
    design = study.design
    st.html(
        facts_html(
            [
                ("state", study.state),
                ("kind", "side by side" if design.kind == "sbs" else "grades"),
                ("control", design.control_system),
                ("treatment", design.treatment_system),
                ("overlap", design.overlap),
                ("depth", design.depth),
                ("policy", design.policy),
                ("made", f"{when(study.created_at)} by {study.created_by or 'the command line'}"),
            ]
        )
    )
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for state, words in _MOVES[study.state]:
            if state == "closed":
                sure = st.checkbox("I know that a closed study stays closed", key="sure")
                st.button(
                    words,
                    key="to-closed",
                    disabled=not sure,
                    on_click=_move,
                    args=(study, state, person),
                )
            else:
                st.button(
                    words,
                    key=f"to-{state}",
                    type="primary" if state == "open" else "secondary",
                    on_click=_move,
                    args=(study, state, person),
                )


def _move(study: Study, state: State, person: Person) -> None:
    try:
        set_state(open_database(), study.id, state, actor=person)
    except StoreError as error:
        st.session_state["setup-problem"] = str(error)


def _aside(study: Study, person: Person) -> None:
    st.html(element("h2", "Votes set aside"))
    st.html(
        element(
            "p",
            "The votes stay in the database and in exports; they enter no figure, and every figure "
            "says how many there are.",
            class_="ek-quiet",
        )
    )
    try:
        aside = set_asides(open_database(), study.id, actor=person)
        everybody = people(open_database(), actor=person)
    except StoreError as error:
        problem(str(error))
        return
    if aside:
        st.html(
            table_html(
                "Annotators set aside",
                ["annotator", "reason", "when", "by"],
                [[row.name, row.reason, when(row.at), row.by or "command line"] for row in aside],
                left=4,
            )
        )
        for row in aside:
            st.button(
                f"Count {label_of(row.name)} again",
                key=f"restore-{study.id}-{row.person_id}",
                on_click=_restore,
                args=(study, row.person_id, person),
            )
    gone = {row.person_id for row in aside}
    names = {one.id: one.name for one in everybody if one.id not in gone}
    with st.form(f"aside-{study.id}", border=False, width=480):
        chosen = st.selectbox(
            "Annotator",
            list(names),
            format_func=lambda key: names[key],
            key="aside-who",
            index=None,
        )
        reason = st.text_input("Reason, shown beside every figure", key="aside-why")
        if st.form_submit_button("Set aside"):
            if chosen is None or not reason.strip():
                problem("Choose an annotator and give a reason.")
            else:
                _set_aside(study, chosen, reason.strip(), person)


def _set_aside(study: Study, person_id: int, reason: str, person: Person) -> None:
    try:
        set_aside(open_database(), study.id, person_id, reason, actor=person)
    except StoreError as error:
        problem(str(error))
    else:
        st.rerun()


def _restore(study: Study, person_id: int, person: Person) -> None:
    try:
        restore(open_database(), study.id, person_id, actor=person)
    except StoreError as error:
        st.session_state["setup-problem"] = str(error)
