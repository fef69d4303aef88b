"""People against measures as text: sentences that say no more than the intervals, and tables."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from correlation_documents import HOSTILE, correlated, sides

from evalkit.reports.correlation.findings import findings
from evalkit.reports.correlation.table import (
    format_correlation_csv,
    format_correlation_markdown,
    format_correlation_table,
)
from evalkit.reports.terminal import display_width


def row(measure: str = "item_goodrate", **fields: Any) -> dict[str, Any]:
    given = {
        "cutoff": 10, "segment": {}, "queries": 100, "kendall": 0.52, "kendall_low": 0.4,
        "kendall_high": 0.63, "sign_agreement": 0.84, "sign_low": 0.71, "sign_high": 0.92,
        "sign_queries": 50, "kappa": None,
    }  # fmt: skip
    return {"measure": measure, **given, **fields}


def ranked(*behind: float | None) -> dict[str, Any]:
    """A document of as many measures, the first the best, with the low ends of `behind`."""
    names = ["ndcg", "item_goodrate", "mrr", "success", "map", "recall"][: len(behind) + 1]
    ranking = [
        {
            "measure": name, "cutoff": 10, "queries": 100, "kendall": 0.5,
            "behind": 0.1 if at else 0.0, "behind_low": (None, *behind)[at], "behind_high": 0.3,
        }
        for at, name in enumerate(names)
    ]  # fmt: skip
    return {"results": [row(name) for name in names], "ranking": ranking}


def first(**fields: Any) -> str:
    return findings({"results": [row(**fields)]})[0]


# ------------------------------------------------------------------ what is said


def test_the_first_sentence_has_share_interval_and_tau() -> None:
    assert first() == (
        "Item Goodrate@10 and people point the same way on 84% [71, 92] of the 50 queries where "
        "both see a difference (τ-b 0.52 [0.40, 0.63])."
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sign_low": 0.45}, "which chance alone could give (τ-b"),
        ({"sign_agreement": 0.2, "sign_low": 0.1, "sign_high": 0.3}, "less often than by chance"),
        ({"kendall": 0.05, "kendall_low": -0.1, "kendall_high": 0.2}, "no association is shown"),
        ({"kendall": None, "kendall_low": None, "kendall_high": None}, "see a difference."),
        ({"kendall_low": None, "kendall_high": None}, "(τ-b 0.52)."),
        ({"sign_queries": 1}, "of the 1 query where both see a difference"),
        ({"sign_agreement": 0.9999}, "on >99% [71, 92]"),
        ({"sign_agreement": None, "sign_queries": 0}, "there are no directions to compare."),
    ],
)
def test_the_first_sentence_says_no_more_than_its_intervals(
    fields: dict[str, Any], said: str
) -> None:
    assert said in first(**fields)


def test_verdicts_are_told_with_kappa() -> None:
    more = {"kappa": 0.4, "kappa_low": 0.3, "kappa_high": 0.5, "agreement": 0.62}
    counts = {"good": 40, "same": 35, "bad": 25}
    assert findings({"results": [row(**more, **counts)]})[1] == (
        "People call the treatment better on 40 of 100 queries, the same on 35 and worse on 25; "
        "the sign of Δ says so, too, on 62% of all (κ 0.40 [0.30, 0.50])."
    )


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        ((-0.1,), "the other is not shown to follow them less closely."),
        ((-0.1, 0.0), "none of the others is shown to follow them less closely."),
        ((0.05,), "Item Goodrate@10 does so less closely, by an interval that leaves out 0."),
        (
            (-0.1, 0.05),
            "MRR@10 does so less closely, by an interval that leaves out 0; the other is not shown",
        ),
        ((-0.1, -0.1, 0.05, 0.05), "success@10 and MAP@10 do so less closely, by intervals that"),
        ((-0.1, -0.1, 0.05, 0.05), "each leave out 0; the other 2 are not shown to."),
        ((0.05, 0.05, 0.05, 0.05), "all others do so less closely"),
        ((-0.1, 0.05, 0.05, 0.05, 0.05), "4 others do so less closely"),
    ],
)
def test_only_measures_whose_interval_leaves_out_0_are_said_to_be_behind(
    behind: tuple[float, ...], said: str
) -> None:
    sentence = findings(ranked(*behind))[-1]
    assert sentence.startswith(f"Of the {len(behind) + 1} measures nDCG@10 follows people most")
    assert said in sentence


def test_where_no_measure_is_shown_to_follow_people_none_is_praised() -> None:
    document = ranked(-0.1)
    document["results"] = [row(name, kendall_low=-0.1) for name in ("ndcg", "item_goodrate")]
    assert findings(document)[-1] == (
        "None of the 2 measures is shown to go with what people prefer."
    )


def test_without_intervals_the_order_is_said_to_be_of_these_queries_only() -> None:
    document = ranked(None)
    document["results"] = [row(name, kendall_low=None) for name in ("ndcg", "item_goodrate")]
    assert findings(document)[-1].endswith("without intervals that says nothing of other queries.")


# ------------------------------------------------------------------ tables


def test_the_best_measure_stands_first_and_segments_below() -> None:
    document, _, _ = correlated(*sides())
    lines = format_correlation_table(document).splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("People against"))
    assert lines[at + 1].startswith("nDCG@10 ")
    assert " best" in lines[at + 1]
    assert lines[at + 2].startswith("Item Goodrate@10 ")
    by = next(place for place, line in enumerate(lines) if line.startswith("By query_type"))
    assert lines[by + 1].startswith("nDCG@10, general")
    assert lines[by + 2].startswith("nDCG@10, negative")
    assert lines[by + 3].startswith("Item Goodrate@10, general")


def test_votes_of_five_answers_reach_from_minus_two_to_two() -> None:
    people, automated = sides(20)
    votes = people.votes.to_pydict()
    votes["preference"] = [2 * each for each in votes["preference"]]
    document, _, _ = correlated(replace(people, votes=pa.table(votes)), automated)
    assert "vote of a query for the treatment, −2 to 2" in format_correlation_table(document)
    document, _, _ = correlated(people, automated)
    assert "vote of a query for the treatment, −1 to 1" in format_correlation_table(document)


def test_the_confusion_has_its_sums() -> None:
    document, _, _ = correlated(*sides())
    lines = format_correlation_table(document).splitlines()
    good = next(line for line in lines if line.startswith("people: good")).split()
    assert sum(map(int, good[2:5])) == int(good[5]) == document["results"][0]["good"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_leaves_columns_out_and_says_so(width: int) -> None:
    document, _, _ = correlated(*sides())
    text = format_correlation_table(document, width=width)
    assert max(display_width(line) for line in text.splitlines()) <= width
    assert "Left out at this width: r" in text
    assert "τ-b" in text


def test_foreign_text_cannot_repaint_the_terminal() -> None:
    document, _, _ = correlated(*sides(20, text="\x1b[2J"))
    assert "\x1b" not in format_correlation_table(document)
    assert "\x1b" not in format_correlation_markdown(document)


def test_markdown_takes_foreign_marks_literally() -> None:
    document, _, _ = correlated(*sides(20, text=f"|{HOSTILE}"))
    text = format_correlation_markdown(document)
    assert "<script" not in text.replace("\\<script", "")
    table = [line for line in text.splitlines() if line.startswith("| words")]
    assert table
    assert all(line.replace("\\|", "").count("|") == 6 for line in table)


def test_markdown_has_the_figures_of_the_table() -> None:
    document, _, _ = correlated(*sides())
    best = document["ranking"][0]
    assert f"| nDCG@10 | 60 | {best['kendall']:.2f} |" in format_correlation_markdown(document)


def test_csv_keeps_every_digit_and_leaves_out_what_does_not_exist() -> None:
    document, _, _ = correlated(*sides(5))
    rows = list(csv.DictReader(io.StringIO(format_correlation_csv(document))))
    assert len(rows) == len(document["results"])
    assert rows[0]["kendall"] == repr(document["results"][0]["kendall"])
    assert rows[0]["kendall_low"] == ""
    counts = [int(cell) for name, cell in rows[0].items() if name.startswith("confusion_")]
    assert sum(counts) == 5
