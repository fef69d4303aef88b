"""A plan as text: what a reader in a hurry sees first, then the table."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from evalkit.reports.plan import plan_document, plan_findings
from evalkit.reports.plan_table import (
    format_plan_csv,
    format_plan_markdown,
    format_plan_table,
)
from evalkit.reports.terminal import display_width
from metrics import plan_comparison, plan_shares, plan_votes


def scores(size: int = 40, **how: Any) -> dict[str, Any]:
    """A pilot of two measures at 5 and 10; nDCG@10 changes nowhere."""
    frames = [
        pl.DataFrame(
            {
                "query_id": [f"q{at:03}" for at in range(size)],
                "kind": ["a", "b"] * (size // 2),
                "measure": measure,
                "cutoff": cutoff,
                "delta": [0.0 if flat else sign * 0.2 for sign in (1, -1)] * (size // 2),
                "weight_control": 1.0,
                "weight_treatment": 1.0,
            }
        )
        for measure, cutoff, flat in (
            ("item_goodrate", 10, False),
            ("ndcg", 10, True),
            ("item_goodrate", 5, False),
        )
    ]
    return plan_document(plan_comparison(pl.concat(frames), **how), source="pilot.csv")


def votes(identical: int = 10, **how: Any) -> dict[str, Any]:
    said = [(1, 1), (1, 0), (0, 0), (-1, 0), (-1, -1), (-1, -1), (0, 0), (1, -1), (1, 0), (0, -1)]
    rows = [
        {"query_id": f"q{at}", "annotator": who, "preference": vote, "kind": "real", "size": "S"}
        for at in range(40)
        for who, vote in zip("ab", said[at % 10], strict=True)
    ]
    rows += [
        {"query_id": f"s{at}", "annotator": "", "preference": 0, "kind": "automatic", "size": "L"}
        for at in range(identical)
    ]
    return plan_document(plan_votes(pa.Table.from_pylist(rows), **how), source="study shoes")


def line(text: str, start: str) -> str:
    return next(" ".join(each.split()) for each in text.splitlines() if each.startswith(start))


def test_a_sentence_says_what_the_primary_measure_needs() -> None:
    assert plan_findings(scores(delta=0.01)) == [
        "To find a difference of 1 point in Item Goodrate@10 with 80% power: 3,222 queries "
        "(you have 40: 6% power)."
    ]


def test_enough_queries_are_said_to_be_enough() -> None:
    assert plan_findings(scores(delta=0.01, queries=10_000)) == [
        "To find a difference of 1 point in Item Goodrate@10 with 80% power: 3,222 queries "
        "(you have 10,000, enough: 99% power)."
    ]


def test_a_measure_that_cannot_be_planned_says_why() -> None:
    document = scores(delta=0.01, measures=["ndcg"])
    assert plan_findings(document) == [
        "nDCG@10: no query changed in the pilot: take one whose changes vary."
    ]
    assert plan_findings(scores(queries=80, measures=["ndcg"])) == plan_findings(document)


def test_queries_alone_say_what_they_find() -> None:
    assert plan_findings(scores(queries=160)) == [
        "160 queries find 4.49 points in Item Goodrate@10 with 80% power."
    ]


def test_votes_say_the_cheapest_way_and_the_one_with_fewest_queries() -> None:
    first, second = plan_findings(votes(delta=0.2, overlaps=[1, 2]))
    assert first == (
        "To find a GSB of 20 points with 80% power: 99 queries with 1 vote each, 80 votes "
        "(you have 50: 46% power)."
    )
    assert second.startswith("With the fewest queries: ")
    assert "with 2 votes each, " in second


def test_too_few_queries_for_any_overlap_are_said_to_be_too_few() -> None:
    (said,) = plan_findings(votes(delta=0.2, overlaps=[1, 2], queries=30))
    assert said.startswith("To find a GSB of 20 points with 80% power, 30 queries are too few: ")
    assert said.endswith("are needed, or more votes each.")


def test_votes_and_queries_alone_say_what_they_find() -> None:
    said = plan_findings(votes(queries=50, overlaps=[1, 2]))
    assert [sentence.split(" find ")[0] for sentence in said] == [
        "50 queries with 1 vote each",
        "50 queries with 2 votes each",
    ]


def test_a_difference_that_cannot_be_says_so() -> None:
    (said,) = plan_findings(votes(delta=0.9, identical=40))
    assert said == "No plan: 50.0% of the queries have identical lists: no such GSB can be."


def test_the_table_shows_notes_where_figures_are_missing() -> None:
    text = format_plan_table(scores(delta=0.05))
    assert line(text, "nDCG@10") == "nDCG@10 [1] – – 40 – – swap, mean"
    assert line(text, "  [1]") == "[1] no query changed in the pilot: take one whose changes vary"
    assert text.index("Item Goodrate@10") < text.index("Item Goodrate@5 ")


def test_segments_stand_under_the_name_of_the_measure() -> None:
    text = format_plan_table(scores(delta=0.05, by=["kind"], measures=["item_goodrate"]))
    block = text[text.index("By kind") :].splitlines()
    assert [each[:16].strip() for each in block[1:4]] == ["Item Goodrate@10", "a [1]", "b [1]"]
    assert "[1] every query changed alike in the pilot: take one whose changes vary" in text


def test_segments_of_votes_have_a_line_an_overlap() -> None:
    text = format_plan_table(votes(delta=0.1, by=["size"], overlaps=[1, 2]))
    block = text[text.index("By size") :].splitlines()
    assert [" ".join(each.split())[:12] for each in block[1:6]] == [
        "L", "votes [1] – ", "S", "1 vote each ", "2 votes each",
    ]  # fmt: skip
    assert "[1] all lists are identical in the pilot: nobody voted" in text


def test_the_header_says_what_the_pilot_was_and_what_was_asked() -> None:
    text = format_plan_table(votes(delta=0.2, simulate=20, seed=3, overlaps=[1]))
    assert line(text, "Pilot:") == "Pilot: study shoes, 50 queries, 80 votes"
    assert line(text, "Votes:") == (
        "Votes: G:S:B 25.0:40.0:35.0%, pairs that say the same 50.0%, identical lists 20.0% of the "
        "queries"
    )
    assert line(text, "Settings:") == (
        "Settings: delta 20 points · power 80% · alpha 0.05 · simulated samples 20 · seed 3"
    )


def test_warnings_close_the_table() -> None:
    text = format_plan_table(scores(size=20, delta=0.05))
    assert "Warnings (1)\n  ! The pilot has 20 queries" in text


@pytest.mark.parametrize("width", [60, 72, 80, 100])
@pytest.mark.parametrize("document", [scores(delta=0.05, by=["kind"]), votes(delta=0.2)])
def test_no_line_is_wider_than_the_terminal(document: dict[str, Any], width: int) -> None:
    text = format_plan_table(document, width=width)
    assert max(display_width(each) for each in text.splitlines()) <= width
    assert "queries needed" in text


def test_colour_adds_nothing_but_colour() -> None:
    import re

    document = scores(delta=0.05, by=["kind"])
    painted = format_plan_table(document, color=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == format_plan_table(document)
    assert "\x1b[" in painted


def test_foreign_text_cannot_break_markdown_or_repaint_the_terminal() -> None:
    document = scores(delta=0.05)
    document["pilot"]["source"] = "a|b\x1b[2J*.csv"
    assert "\x1b" not in format_plan_table(document)
    assert r"a\|b\[2J\*.csv" in format_plan_markdown(document)


def test_csv_has_every_figure() -> None:
    head, first, *_ = format_plan_csv(scores(delta=0.05, by=["kind"])).splitlines()
    names = head.split(",")
    assert names[:3] == ["measure", "cutoff", "kind"]
    assert dict(zip(names, first.split(","), strict=True))["needed_queries"] == "131"


def test_without_a_pilot_nothing_is_said_of_one() -> None:
    document = plan_document(plan_shares(3, 5, 2, overlaps=[1]), source="expected shares 3,5,2")
    text = format_plan_table(document)
    assert "the pilot's" not in text
    assert "mde" not in text
