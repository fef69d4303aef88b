"""Where a study stands and what it says so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from annotate_app.figures import segment_name, segments_figure, sequence_figure, winner_figure
from annotate_app.navigation import heading
from annotate_app.picking import pick_study
from annotate_app.session import open_database
from annotate_app.showing import facts_html, summary_of, table_html, warnings_html, when
from evalkit.reports.markup import element
from evalkit.reports.score_numbers import MISSING, fixed, interval, p_value, points, signed
from evalkit.store import flags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.store import Person

__all__ = ["show"]


def show(person: Person) -> None:
    """Draw the page."""
    heading(person, "Studies", "Figures are at most ten seconds old. G: treatment better.")
    study = pick_study(person)
    if study is None:
        return
    summary = summary_of(study.id, person)
    if summary is None:
        return
    st.button("Bring up to date", key="refresh")
    if (warnings := warnings_html(summary["warnings"])) is not None:
        st.html(warnings)
    _progress(summary)
    if summary["gsb"] is not None:
        _gsb(summary)
        _bias(summary["position_bias"])
    if summary["grades"] is not None:
        _grades(summary["grades"])
    else:
        _sequence(summary)
    _quality(summary["quality"])
    _flags(study.id, person)


def _progress(summary: Mapping[str, Any]) -> None:
    stands, study = summary["progress"], summary["study"]
    share = stands["share"] or 0.0
    st.html(element("h2", "Progress"))
    st.progress(min(1.0, share), text=f"{stands['done']:,} of {stands['slots']:,} votes")
    left = stands["hours_left"]
    st.html(
        facts_html(
            [
                ("state", study["state"]),
                ("complete queries", f"{stands['complete']:,} of {stands['tasks']:,}"),
                ("identical lists", f"{stands['automatic']:,}"),
                ("being looked at", f"{stands['leased']:,}"),
                ("annotators", f"{stands['annotators']:,}, {stands['active']:,} active"),
                (
                    "votes an hour",
                    MISSING
                    if stands["votes_per_hour"] is None
                    else fixed(stands["votes_per_hour"], 1),
                ),
                ("hours left", MISSING if left is None else fixed(left, 1)),
                ("skips", f"{stands['skips']:,}"),
                ("last vote", when(stands["last_vote_at"])),
            ]
        )
    )


def _gsb(summary: Mapping[str, Any]) -> None:
    rows = [summary["gsb"]["overall"], *summary["gsb"]["segments"]]
    overall = rows[0]
    st.html(element("h2", "GSB"))
    st.html(
        facts_html(
            [
                ("GSB, points", signed(overall["gsb"])),
                ("95% interval", interval(overall["ci_low"], overall["ci_high"])),
                ("p, sign test", p_value(overall["p"])),
                ("win rate", points(overall["win_rate"], 1)),
                (
                    "good : same : bad",
                    f"{overall['good']:,} : {overall['same']:,} : {overall['bad']:,}",
                ),
            ]
        )
    )
    header = [
        "segment",
        "queries",
        "votes",
        "G",
        "S",
        "B",
        "both bad",
        "GSB",
        "95% interval",
        "p",
        "win rate",
        "95% interval",
        "note",
    ]
    st.html(
        table_html(
            "GSB by segment",
            header,
            [
                [
                    segment_name(row["segment"]),
                    f"{row['queries']:,}",
                    f"{row['votes']:,}",
                    f"{row['good']:,}",
                    f"{row['same']:,}",
                    f"{row['bad']:,}",
                    f"{row['both_bad']:,}",
                    signed(row["gsb"]),
                    interval(row["ci_low"], row["ci_high"]),
                    p_value(row["p"]),
                    points(row["win_rate"], 1),
                    interval(row["win_low"], row["win_high"], sign=False),
                    row["note"],
                ]
                for row in rows
            ],
        )
    )
    st.html(
        element(
            "p",
            "G, S and B are verdicts of the majority. p is the sign test on whether a query has "
            "more votes for the treatment or against it, so single votes among several Sames count "
            "in p and not in G and B.",
            class_="ek-quiet",
        )
    )
    if len(rows) > 1:
        st.plotly_chart(
            segments_figure(rows),
            key="segments",
            alt="GSB by segment; the table above has the figures",
        )


def _bias(bias: Mapping[str, Any]) -> None:
    st.html(element("h2", "Position bias"))
    st.html(
        facts_html(
            [
                ("decided votes for the left list", f"{points(bias['left_share'], 1)}%"),
                ("95% interval", interval(bias["left_low"], bias["left_high"], sign=False)),
                ("GSB, treatment left", signed(bias["gsb_treatment_left"])),
                ("GSB, treatment right", signed(bias["gsb_treatment_right"])),
                ("GSB, side adjusted", signed(bias["gsb_side_adjusted"])),
            ]
        )
    )


def _sequence(summary: Mapping[str, Any]) -> None:
    found, stopping = summary["sequential"], summary["stopping"]
    st.html(element("h2", "While votes come in"))
    if not found["available"]:
        st.html(element("p", f"Not available: {found['reason']}.", class_="ek-quiet"))
        return
    st.html(
        facts_html(
            [
                ("GSB, points", signed(found["gsb"])),
                ("holds at every look", interval(found["gsb_low"], found["gsb_high"])),
                ("win rate", points(found["win_rate"], 1)),
                ("holds at every look", interval(found["win_low"], found["win_high"], sign=False)),
                ("e-value", fixed(found["e_value"], 2)),
                ("decided", "yes" if found["decided"] else "no"),
            ]
        )
    )
    counted = f"{found['queries']:,} complete queries, {found['incomplete']:,} with votes are not."
    st.html(element("p", f"{counted} {found['note']}".strip(), class_="ek-quiet"))
    if stopping["available"]:
        if stopping["may_stop"]:
            text = f"The study may stop: {' and '.join(stopping['reasons'])}."
        elif stopping["votes_to_decision"]:
            more = stopping["votes_to_decision"]
            text = f"About {more:,} more votes to a decision, if it goes on like this."
        else:
            text = "No decision is in sight at this rate."
        st.html(element("p", text))
    if len(found["path"]["queries"]) > 1:
        left, right = st.columns(2)
        left.plotly_chart(
            sequence_figure(found["path"]),
            key="sequence",
            alt="GSB and its band over complete queries",
        )
        right.plotly_chart(
            winner_figure(found["path"]),
            key="winner",
            alt="The win rate's band over complete queries",
        )


def _grades(grades: Mapping[str, Any]) -> None:
    st.html(element("h2", "Grades"))
    st.html(
        table_html(
            "Grades of products",
            ["grade", "products"],
            [[f"{row['grade']} {row['word']}", f"{row['number']:,}"] for row in grades["items"]],
        )
    )
    st.html(
        table_html(
            "Grades of pages",
            ["system", "good", "mid", "bad"],
            [[row["system"], row["good"], row["mid"], row["bad"]] for row in grades["pages"]],
        )
    )


def _quality(quality: Mapping[str, Any]) -> None:
    st.html(element("h2", "What was left out, and why"))
    rows = [
        [reason.replace("_", " "), f"{number:,}"]
        for reason, number in quality["left_out"].items()
        if number
    ]
    rows += [
        [f"set aside: {row['name']}, {row['reason']}", when(row["at"])]
        for row in quality["set_aside"]
    ]
    if rows:
        st.html(table_html("Votes that enter no figure", ["reason", "votes"], rows))
    else:
        st.html(element("p", "Nothing.", class_="ek-quiet"))
    if quality["reasons"]:
        st.html(
            table_html(
                "Reasons given",
                ["reason", "votes"],
                [[tag, f"{number:,}"] for tag, number in quality["reasons"].items()],
            )
        )


def _flags(study_id: int, person: Person) -> None:
    there = flags(open_database(), study_id, actor=person)
    if there:
        st.html(
            table_html(
                "Problems reported",
                ["query", "annotator", "reason", "comment", "when"],
                [
                    [flag.query, flag.annotator, flag.reason, flag.comment, when(flag.at)]
                    for flag in there
                ],
                left=5,
            )
        )
