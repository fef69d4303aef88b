"""Which study a page is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from annotate_app.session import may, open_database
from evalkit.reports.markup import element
from evalkit.store import studies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalkit.store import Person, Study

__all__ = ["choose_study", "label", "offer_studies", "pick_study"]


def label(study: Study, person: Person) -> str:
    """What a study is called: annotators see no name, which could say what is compared."""
    return f"{study.name} ({study.state})" if may(person, "analyst") else f"Study {study.id}"


def pick_study(person: Person) -> Study | None:
    """A choice among the studies that a person may look at, kept in the address."""
    there = [study for study in studies(open_database()) if may(person, "analyst") or _is_on(study)]
    if not there:
        st.html(element("p", "There is no study yet.", class_="ek-quiet"))
        return None
    there.sort(key=lambda study: study.state != "open")  # the newest open one first
    by_id = {study.id: study for study in there}
    wanted = st.query_params.get("study", "")
    if len(there) == 1:
        return there[0]
    chosen = st.selectbox(
        "Study",
        list(by_id),
        index=list(by_id).index(int(wanted)) if wanted.isdigit() and int(wanted) in by_id else 0,
        format_func=lambda key: label(by_id[key], person),
        key="study-choice",
        width=480,
    )
    st.query_params["study"] = str(chosen)
    return by_id[chosen]


def offer_studies(study_ids: Iterable[int]) -> None:
    """Say in which studies a person can answer; `choose_study` offers them."""
    st.session_state["offered"] = tuple(study_ids)


def choose_study(current: int | None) -> None:
    """A choice of the study to answer in, where there is one to choose.

    Args:
        current: id of the study whose task is shown, or None where there is none.
    """
    offered = {*st.session_state.get("offered", ()), *([current] if current else [])}
    there = tuple(sorted(offered))  # a list would load pandas
    if len(there) < (1 if current is None else 2):
        return
    key = f"work-on-{current}"
    st.selectbox(
        "Go on with",
        there,
        index=None if current is None else there.index(current),
        format_func=lambda study: f"Study {study}",
        placeholder="Choose a study",
        key=key,
        on_change=_go_on_with,
        args=(key,),
        width=240,
    )


def _go_on_with(key: str) -> None:
    if (chosen := st.session_state.get(key)) is not None:
        st.query_params["study"] = str(chosen)


def _is_on(study: Study) -> bool:
    return study.state in ("open", "paused")
