"""How well annotators agree, with each other and with what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from annotate_app.navigation import heading
from annotate_app.picking import pick_study
from annotate_app.showing import summary_of, table_html
from evalkit.reports.markup import element
from evalkit.reports.score_numbers import MISSING, fixed, interval, points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.store import Person

__all__ = ["show"]

_MEANING = (
    "Krippendorff calls an alpha of 0.80 and more reliable, from 0.667 tentative. Nominal treats "
    "Good, Same and Bad as mere labels, ordinal knows that Same lies between them."
)


def show(person: Person) -> None:
    """Draw the page."""
    heading(person, "Agreement", _MEANING)
    study = pick_study(person)
    if study is None:
        return
    summary = summary_of(study.id, person)
    if summary is None:
        return
    found = summary["agreement"]
    if summary["grades"] is not None:
        found = summary["grades"]["agreement"]
    if found is None:
        st.html(element("p", "There are no votes yet.", class_="ek-quiet"))
        return
    _overall(found)
    _annotators(summary["annotators"])
    _pairs(found)


def _overall(found: Mapping[str, Any]) -> None:
    names = (
        ("percent", "pairs that say the same"),
        ("alpha_nominal", "Krippendorff's α, nominal"),
        ("alpha_ordinal", "Krippendorff's α, ordinal"),
    )
    rows = [
        [
            text,
            _three(found.get(name)),
            _span(found.get(f"{name}_low"), found.get(f"{name}_high")),
        ]
        for name, text in names
    ]
    units = f"{found['units']:,} queries or products with two or more votes"
    st.html(table_html(units, ["agreement", "value", "95% interval"], rows))
    if found["note"]:
        st.html(element("p", found["note"], class_="ek-quiet"))


def _annotators(rows: list[Mapping[str, Any]]) -> None:
    if not rows:
        return
    header = [
        "annotator",
        "votes",
        "with others",
        "gold",
        "gold right",
        "95% interval",
        "twins",
        "same again",
        "median s",
        "left",
        "95% interval",
        "too fast",
        "set aside",
    ]
    st.html(
        table_html(
            "Annotators",
            header,
            [
                [
                    row["annotator"],
                    f"{row['votes']:,}",
                    _percent(row["agreement"]),
                    f"{row['gold_answered']:,}",
                    _percent(row["gold_accuracy"]),
                    interval(row["gold_low"], row["gold_high"], sign=False),
                    f"{row['twins']:,}",
                    _percent(row["self_consistency"]),
                    MISSING if row["median_seconds"] is None else fixed(row["median_seconds"], 1),
                    _percent(row["left_share"]),
                    interval(row["left_low"], row["left_high"], sign=False),
                    _percent(row["too_fast"]),
                    row.get("set_aside_reason") or "",
                ]
                for row in rows
            ],
        )
    )


def _pairs(found: Mapping[str, Any]) -> None:
    if not found.get("pairs"):
        return
    st.html(
        table_html(
            "Pairs of annotators",
            ["one", "other", "shared queries", "say the same", "Cohen's κ", "weighted κ"],
            [
                [
                    row["annotator_a"],
                    row["annotator_b"],
                    f"{row['shared']:,}",
                    _percent(row["percent"]),
                    _three(row["kappa"]),
                    _three(row["weighted_kappa"]),
                ]
                for row in found["pairs"]
            ],
            left=2,
        )
    )


def _percent(value: float | None) -> str:
    return MISSING if value is None else f"{points(value, 1)}%"


def _three(value: float | None) -> str:
    return MISSING if value is None else fixed(value, 3)


def _span(low: float | None, high: float | None) -> str:
    return MISSING if low is None or high is None else f"[{_three(low)}, {_three(high)}]"
