"""Query Goodrate from people's grades of whole result pages."""

from __future__ import annotations

from typing import Any

import pytest
from small_runs import asked, frame, judge, run

from metrics import compare_runs, score_runs

ROWS = [("q1", "a", 3.0), ("q1", "b", 2.0), ("q2", "c", 1.0)]
JUDGED = [("q1", "a", 0), ("q1", "b", 2), ("q2", "c", 1)]


def pages(*rows: tuple[str, str, str]) -> Any:
    return frame("polars", list(rows), ("query_id", "system", "page_grade"))


def paged(*rows: tuple[str, str, str], **how: Any) -> Any:
    return compare_runs(
        run(ROWS),
        run(ROWS),
        judge(JUDGED),
        asked("q1", "q2", "q3"),
        page_grades=pages(*rows),
        measures=["query_goodrate"],
        **how,
    )


GRADED = [
    ("q1", "control", "bad"),
    ("q1", "treatment", "mid"),
    ("q2", "control", "good"),
    ("q2", "treatment", "good"),
]


def test_page_grades_make_query_goodrate_the_share_of_good_or_mid_pages() -> None:
    comparison = paged(*GRADED)
    row = comparison.rows[0]
    assert (row.control, row.treatment) == (0.5, 1.0)
    assert (row.improved, row.same, row.worse) == (1, 1, 0)
    assert "page grades of 2 queries" in row.extra["note"]
    assert comparison.settings["query_goodrate_from"] == "page grades"
    assert (
        compare_runs(run(ROWS), run(ROWS), judge(JUDGED)).settings["query_goodrate_from"] == "items"
    )


def test_most_annotators_decide_about_a_page() -> None:
    more = [("q1", "control", "mid"), ("q1", "control", "good"), ("q1", "treatment", "bad")]
    row = paged(*GRADED, *more).rows[0]
    # two of three call the control's page of q1 fine; one of two the treatment's, which is no most
    assert (row.control, row.treatment) == (1.0, 0.5)


def test_a_page_graded_in_one_run_only_does_not_count() -> None:
    row = paged(*GRADED, ("q3", "control", "good")).rows[0]
    assert (row.control, row.treatment) == (0.5, 1.0)


def test_page_grades_do_not_move_with_the_judgments() -> None:
    row = paged(*GRADED, unjudged="bounds").rows[0]
    ranges = {row.extra[f"{end}_delta"] for end in ("lower", "upper")}
    assert ranges <= {row.delta, None}


def test_one_graded_page_gives_no_interval() -> None:
    row = paged(*GRADED[:2]).rows[0]
    assert row.delta == 1.0
    assert (row.ci_low, row.p) == (None, None)
    assert "fewer than 2 queries" in row.extra["note"]


def test_single_runs_have_page_grades_under_their_names() -> None:
    graded = pages(("q1", "bm25", "good"), ("q2", "bm25", "bad"), ("q3", "bm25", "mid"))
    row = score_runs(
        {"bm25": run(ROWS)},
        judge(JUDGED),
        asked("q1", "q2", "q3"),
        page_grades=graded,
        measures=["query_goodrate"],
    ).rows[0]
    assert row.value == pytest.approx(2 / 3)


def test_another_word_than_good_mid_or_bad_is_refused() -> None:
    with pytest.raises(ValueError, match="not 'fine'"):
        paged(("q1", "control", "fine"), ("q1", "treatment", "bad"))


def test_a_run_without_page_grades_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'treatment'; there are: control"):
        paged(("q1", "control", "good"))
