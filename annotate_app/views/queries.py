"""Every comparison with both lists, its votes, and the automated difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from annotate_app.lists import lists_html
from annotate_app.navigation import heading
from annotate_app.picking import pick_study
from annotate_app.session import open_database
from annotate_app.showing import problem, table_html, when
from evalkit.errors import StoreError
from evalkit.reports.markup import element
from evalkit.reports.score_numbers import MISSING, fixed
from evalkit.store import comparisons

if TYPE_CHECKING:
    from evalkit.store import Comparison, Person, Study

__all__ = ["show"]

_PAGE = 50
_WORDS = {-2: "much worse", -1: "worse", 0: "same", 1: "better", 2: "much better"}


def show(person: Person) -> None:
    """Draw the page."""
    heading(person, "Queries", "Left is the control and right the treatment here.")
    study = pick_study(person)
    if study is None:
        return
    try:
        there = comparisons(open_database(), study.id, actor=person)
    except StoreError as error:
        problem(str(error))
        return
    if wanted := st.query_params.get("query"):
        chosen = [entry for entry in there if entry.query_id == wanted]
        if chosen:
            _one(study, chosen[0])
            return
    shown = _filtered(there)
    page = 1
    if len(shown) > _PAGE:
        page = st.pagination(-(-len(shown) // _PAGE), key=f"page-{study.id}")
    st.html(_table(study, shown[(page - 1) * _PAGE : page * _PAGE], len(shown)))


def _filtered(there: list[Comparison]) -> list[Comparison]:
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        words = st.text_input("Find in queries", key="find", type="search")
        kinds = sorted({entry.query_type or "" for entry in there})
        kind = st.selectbox("Query type", ["all", *kinds], key="find-type")
        order = st.selectbox(
            "Order",
            ["serving order", "most disputed", "people and score disagree"],
            key="find-order",
        )
    shown = [
        entry
        for entry in there
        if (not words or words.casefold() in entry.query.casefold())
        and (kind == "all" or (entry.query_type or "") == kind)
    ]
    if order == "most disputed":
        shown.sort(key=_spread, reverse=True)
    elif order == "people and score disagree":
        shown.sort(key=_against_score)
    return shown


def _preferences(entry: Comparison) -> list[int]:
    return [
        vote.preference
        for vote in entry.votes
        if vote.preference is not None and vote.counts and not vote.set_aside
    ]


def _spread(entry: Comparison) -> int:
    given = _preferences(entry)
    return max(given) - min(given) if given else -1


def _against_score(entry: Comparison) -> float:
    given = _preferences(entry)
    if entry.automated_delta is None or not given:
        return float("inf")
    return entry.automated_delta * sum(given)


def _table(study: Study, shown: list[Comparison], total: int) -> Any:
    rows = [
        [
            element("a", entry.query, href=_address(study, entry), target="_self"),
            entry.query_type or "",
            entry.kind,
            ", ".join(_WORDS[given] for given in _preferences(entry)) or MISSING,
            MISSING if entry.automated_delta is None else fixed(entry.automated_delta, 3),
        ]
        for entry in shown
    ]
    caption = f"{total:,} comparisons; votes say how the treatment is"
    return table_html(caption, ["query", "type", "kind", "votes", "automated Δ"], rows, left=4)


def _address(study: Study, entry: Comparison) -> str:
    from urllib.parse import urlencode

    return f"/queries?{urlencode({'study': study.id, 'query': entry.query_id})}"


def _one(study: Study, entry: Comparison) -> None:
    st.html(
        element("p", element("a", "All queries", href=f"/queries?study={study.id}", target="_self"))
    )
    delta = MISSING if entry.automated_delta is None else fixed(entry.automated_delta, 3)
    st.html(
        element(
            "div",
            element("h2", entry.query, dir="auto", lang=""),
            element(
                "p",
                f"{entry.query_id} · {entry.query_type or 'no type'} · {entry.kind} · "
                f"automated Δ {delta}",
                class_="ek-quiet",
            ),
        )
    )
    if entry.votes:
        st.html(
            table_html(
                "Votes",
                [
                    "annotator",
                    "treatment is",
                    "stood",
                    "reasons",
                    "comment",
                    "when",
                    "enters figures",
                ],
                [
                    [
                        vote.annotator,
                        "both bad"
                        if vote.both_bad
                        else MISSING
                        if vote.preference is None
                        else _WORDS[vote.preference],
                        vote.side or MISSING,
                        ", ".join(vote.reasons),
                        vote.comment,
                        when(vote.submitted_at),
                        "set aside" if vote.set_aside else "yes" if vote.counts else "surplus",
                    ]
                    for vote in entry.votes
                ],
                left=7,
            )
        )
    st.html(
        lists_html(
            entry.query,
            entry.control,
            entry.treatment,
            task=f"query-{entry.task_id}",
            hosts=study.design.image_hosts,
            names=("Control", "Treatment"),
            links=True,
        )
    )
