"""`evalkit report`: from recorded scores and votes to the files that are forwarded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from study_shop import FILES, for_treatment, vote, write_shop

if TYPE_CHECKING:
    from collections.abc import Callable

DB = "sqlite:///votes.db"
WEEK = ("--week", "2026-W47")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs and judgments of a small shop, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALKIT_DB", DB)
    write_shop()
    # the treatment's own product is good for the first eight queries, the control's for two more
    good = [f"q{n:02},tq{n:02},1" for n in range(1, 9)]
    good += [f"q{n:02},cq{n:02},1" for n in (9, 10)]
    bad = [f"q{n:02},cq{n:02},0" for n in range(1, 9)] + [f"q{n:02},s1,0" for n in range(1, 13)]
    Path("judgments.csv").write_text(
        "query_id,product_id,grade\n" + "\n".join([*good, *bad]) + "\n"
    )
    return tmp_path


@pytest.fixture
def recorded(evalkit: Callable[..., Any], shop: Path) -> Callable[..., None]:
    """Record the score of a week."""

    def record(week: str = "2026-W47", *more: str) -> None:
        done = evalkit(
            "score", *FILES, "--judgments", "judgments.csv", "--by", "query_type", "--at", "2",
            "--judge", "grader v1", "--record", "--week", week, *more, "-o", "score.json",
        )  # fmt: skip
        assert done.code == 0, done.err

    return record


def test_a_score_alone_makes_a_report_in_this_folder(evalkit, recorded):
    recorded()
    done = evalkit("report", *WEEK)
    assert (done.code, done.out) == (0, "")
    assert done.err == "Wrote report-2026-W47.html\n"
    page = Path("report-2026-W47.html").read_text(encoding="utf-8")
    assert "<h1>Week 2026-W47: dense against lexical</h1>" in page
    assert "Not checked by people this week" in page
    assert "evalkit study create" in page
    assert 4_000_000 < len(page.encode()) < 7_000_000


def test_votes_and_scores_come_into_one_report(evalkit, recorded):
    recorded()
    assert evalkit("study", "create", "shoes", *FILES, "--overlap", "2", "--open").code == 0
    vote(DB, "shoes", ["Annemarie", "Benedikt"], for_treatment(1))
    assert evalkit("study", "record", "shoes", *WEEK).code == 0
    done = evalkit("report", *WEEK, "--markdown", "report.md", "-o", "page.html")
    assert done.code == 0, done.err
    assert done.err == "Wrote page.html\nWrote report.md\n"
    text = Path("report.md").read_text(encoding="utf-8")
    assert "People (study shoes, 20 votes on 12 queries): GSB +83.33 points" in text
    assert "- Study shoes: Every query has all its votes." in text
    assert text.endswith("Full report: `page.html`\n")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "study record shoes" in page
    assert "Annemarie" not in page


def test_a_study_can_be_reported_as_it_stands(evalkit, recorded):
    recorded()
    assert evalkit("study", "create", "shoes", *FILES, "--overlap", "2", "--open").code == 0
    vote(DB, "shoes", ["Ann", "Ben"], for_treatment(1), limit=9)
    done = evalkit("report", *WEEK, "--study", "shoes", "--markdown", "report.md")
    assert done.code == 0, done.err
    text = Path("report.md").read_text(encoding="utf-8")
    assert "at any look" in text
    assert "The study shoes is not recorded" in text
    assert "Missing: 11 votes on 6 queries" in text
    first = Path("report-2026-W47.html").read_bytes()
    assert evalkit("report", *WEEK, "--study", "shoes").code == 0
    assert Path("report-2026-W47.html").read_bytes() == first


def test_two_weeks_make_a_trend(evalkit, recorded):
    recorded("2026-W46")
    recorded()
    assert evalkit("report", *WEEK, "--markdown", "report.md").code == 0
    assert "Against 2026-W46: Δ Item Goodrate@2" in Path("report.md").read_text(encoding="utf-8")


def test_another_setting_is_said_to_break_the_trend(evalkit, recorded):
    recorded("2026-W46", "--unjudged", "drop")
    recorded()
    assert evalkit("report", *WEEK, "--markdown", "report.md").code == 0
    said = "Not comparable with 2026-W46: settings changed: unjudged drop → bad."
    assert said in Path("report.md").read_text(encoding="utf-8")


def test_the_heading_can_be_given(evalkit, recorded):
    recorded()
    assert evalkit("report", *WEEK, "--title", "Shoes & <more>").code == 0
    page = Path("report-2026-W47.html").read_text(encoding="utf-8")
    assert "<h1>Shoes &amp; &lt;more&gt;</h1>" in page
    done = evalkit("report", *WEEK, "--title", " ")
    assert done.code == 2
    assert "--title is empty" in done.err


def test_the_page_can_go_to_standard_output(evalkit, recorded):
    recorded()
    done = evalkit("report", *WEEK, "-o", "-")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("<!doctype html>")
    assert not Path("report-2026-W47.html").exists()


def test_a_week_without_a_score_is_one_line_that_names_the_weeks(evalkit, recorded):
    recorded("2026-W45")
    done = evalkit("report", *WEEK)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "there are: 2026-W45. Record one: evalkit score" in done.err
    assert "--record --week 2026-W47" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--week", "2026-W54"), "There is no week 2026-W54"),
        (("--week", "last"), "write it as in 2026-W07"),
        ((*WEEK, "--study", "nobody"), "nobody"),
        ((*WEEK, "-o", "nowhere/report.html"), "does not exist"),
        ((*WEEK, "-o", "a.html", "--markdown", "a.html"), "two outputs"),
        ((), "--week"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(evalkit, recorded, arguments, says):
    recorded()
    before = set(Path().iterdir())
    done = evalkit("report", *arguments)
    assert done.code == 2
    assert says in done.err
    assert set(Path().iterdir()) == before


def test_without_a_database_nothing_is_made(evalkit, shop):
    done = evalkit("report", *WEEK, "--db", "none.db")
    assert done.code == 2
    assert "There is no study database at none.db" in done.err
    assert not Path("none.db").exists()


def test_single_runs_have_no_weekly_report(evalkit, shop):
    done = evalkit("score", "--run", "a=control.run", "--judgments", "judgments.csv", "--at", "2",
                   "--record", *WEEK)  # fmt: skip
    assert done.code == 0, done.err
    done = evalkit("report", *WEEK)
    assert done.code == 2
    assert "holds single runs" in done.err
