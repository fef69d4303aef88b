"""Parts of the results pages: tables, facts and the summary that they all read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from annotate_app.session import open_database
from evalkit.errors import EvalkitError
from evalkit.reports.markup import Html, element
from evalkit.reports.study import study_summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalkit.store import Person

__all__ = ["facts_html", "problem", "summary_of", "table_html", "warnings_html", "when"]


@st.cache_data(ttl=10, max_entries=64, show_spinner="Adding up the votes")
def _summary(study_id: int, person_id: int, _person: Person) -> dict[str, Any]:
    return study_summary(open_database(), study_id, actor=_person)


def summary_of(study_id: int, person: Person) -> dict[str, Any] | None:
    """The figures of a study, at most ten seconds old; a refusal is shown and gives None."""
    try:
        found: dict[str, Any] = _summary(study_id, person.id, person)
    except EvalkitError as error:
        problem(str(error))
        return None
    return found


def problem(text: str) -> None:
    """Say what is wrong."""
    st.html(element("p", text, class_="ek-saved ek-warn", role="alert"))


def table_html(
    caption: str, header: Sequence[str], rows: Iterable[Sequence[object]], *, left: int = 1
) -> Html:
    """A table of texts and numbers; the first `left` columns are texts, the rest numbers."""
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element(
                "thead",
                element(
                    "tr",
                    *[
                        element(
                            "th", name, scope="col", class_="ek-words" if place < left else None
                        )
                        for place, name in enumerate(header)
                    ],
                ),
            ),
            element(
                "tbody",
                *[
                    element(
                        "tr",
                        *[
                            element(
                                "th" if place == 0 else "td",
                                cell,
                                scope="row" if place == 0 else None,
                                class_="ek-words" if place < left else None,
                                dir="auto" if place < left else None,
                            )
                            for place, cell in enumerate(row)
                        ],
                    )
                    for row in rows
                ],
            ),
            class_="ek-table",
        ),
        class_="ek-scroll",
        tabindex=0,
        role="region",
        aria_label=caption,
    )


def facts_html(facts: Iterable[tuple[str, object]]) -> Html:
    """Numbers that stand side by side, each with what it is."""
    return element(
        "dl",
        *[
            element("div", element("dt", name), element("dd", value), class_="ek-fact-card")
            for name, value in facts
        ],
        class_="ek-facts",
    )


def warnings_html(warnings: Sequence[str]) -> Html | None:
    """What a reader must know before the figures."""
    if not warnings:
        return None
    return element(
        "div",
        element("h2", "Read this first"),
        element("ul", *[element("li", text) for text in warnings]),
        class_="ek-warnings",
    )


def when(milliseconds: int | None) -> str:
    """A moment in the time zone of the browser."""
    if milliseconds is None:
        return "–"
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC).astimezone(zone)
    return f"{moment:%Y-%m-%d %H:%M}"
