"""Calibrated figures in sentences and as a page: what is said, and that the page is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from calibration_documents import HOSTILE, calibrated
from page_reading import Outline, Visit

from evalkit.reports.calibration.findings import findings, plan_line
from evalkit.reports.calibration.page import write_calibration_page
from evalkit.reports.calibration.table import format_calibration_markdown, format_calibration_table

if TYPE_CHECKING:
    from pathlib import Path


def row(**fields: Any) -> dict[str, Any]:
    given = {
        "measure": "item_goodrate", "cutoff": 10, "segment": {}, "of": "delta", "queries": 160,
        "labelled": 40, "automated": 0.0287, "human": 0.0325, "human_low": -0.01,
        "human_high": 0.075, "estimate": 0.0267, "ci_low": 0.0155, "ci_high": 0.038,
        "lambda": 0.92, "narrower": 0.735, "effective_labels": 130.7, "labels_saved": 90.7,
        "note": "",
    }  # fmt: skip
    return {**given, **fields}


def said(**fields: Any) -> list[str]:
    return findings({"results": [row(**fields)]})


# ------------------------------------------------------------------ sentences


def test_the_sentences_have_the_figure_its_interval_and_what_the_judge_saves() -> None:
    assert said() == [
        "Δ Item Goodrate@10: +2.67 points [+1.55, +3.80], corrected by people; the judge alone "
        "says +2.87, which the interval allows.",
        "  People alone would need 131 labels for this interval: the judge saves 91 (73.5% "
        "narrower, λ 0.92).",
    ]


@pytest.mark.parametrize(
    ("automated", "verdict"),
    [(0.05, "which is too high"), (0.01, "which is too low"), (0.038, "which the interval allows")],
)
def test_the_judges_own_figure_is_held_against_the_interval(automated: float, verdict: str) -> None:
    assert verdict in said(automated=automated)[0]


def test_a_judge_that_does_not_follow_people_is_said_to_add_nothing() -> None:
    lines = said(**{"lambda": 0.0, "labels_saved": 0.0, "effective_labels": 40.0, "narrower": 0.0})
    assert lines[1] == "  The judge adds nothing here (λ 0): its values do not follow people's."


def test_a_doubt_is_said_beside_the_figure() -> None:
    assert said(note="fewer than 30 labelled queries")[-1] == "  Fewer than 30 labelled queries."


def test_without_an_estimate_there_is_the_judge_alone() -> None:
    lines = said(estimate=None, ci_low=None, ci_high=None, note="no labelled query")
    assert lines == ["Δ Item Goodrate@10: +2.87 points by the judge alone; no labelled query."]


def test_one_sentence_a_measure_of_all_queries() -> None:
    document, _ = calibrated(by=["kind"])
    lines = [line for line in findings(document) if not line.startswith("  ")]
    assert [line.split(":")[0] for line in lines] == ["Δ Item Goodrate@3", "Δ Query Goodrate@3"]


def test_a_plan_says_how_many_more_or_why_not() -> None:
    document, _ = calibrated()
    assert plan_line(document).startswith(
        "For Δ Item Goodrate@3 in an interval 2.00 points wide (now "
    )
    assert "labelled queries in all" in plan_line(document)
    nothing, _ = calibrated(labels=0)
    assert plan_line(nothing).endswith("have some 30 queries labelled first.")


def test_table_and_markdown_say_the_same() -> None:
    document, _ = calibrated(by=["kind"])
    table, markdown = format_calibration_table(document), format_calibration_markdown(document)
    for line in findings(document):
        assert " ".join(line.split()[:6]) in " ".join(table.split())
    assert "### By kind" in markdown
    assert "even: Item Goodrate@3 Δ" in table
    assert table.count("Drew 12 queries to grade into grade.csv") == 1


# ------------------------------------------------------------------ the page


def written(tmp_path: Path, document: Any, found: Any) -> Path:
    path = tmp_path / "calibration.html"
    write_calibration_page(document, found, path)
    return path


def outline(path: Path) -> Outline:
    return Outline(path.read_text(encoding="utf-8"))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return written(tmp_path, *calibrated(by=["kind"]))


def test_the_sections_stand_in_the_order_of_reading(page: Path) -> None:
    text = outline(page).text
    headings = [
        "Figures corrected by people",
        "80 queries",
        "Δ Item Goodrate@3: ",
        "By the judge, by people, by both",
        "Query by query",
        "Δ Item Goodrate@3 by segment",
        "Labels to come",
        "All results",
        "Settings and inputs",
        "What the figures mean",
    ]
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)


def test_every_figure_has_its_numbers_and_a_sentence(page: Path) -> None:
    found = outline(page)
    plots = [attrs for _, attrs in found.attributes if attrs.get("class") == "plot"]
    behind = [attrs for _, attrs in found.attributes if attrs.get("class") == "behind"]
    # differences, levels, two scatters, segments
    assert len(plots) == len(behind) == 5
    assert all(plot["role"] == "img" and len(plot["aria-label"]) > 40 for plot in plots)


def test_no_tag_comes_from_a_text(tmp_path: Path) -> None:
    found = outline(written(tmp_path, *calibrated(text=HOSTILE, by=["kind"])))
    assert found.tags.count("img") == 0
    assert found.tags.count("script") == 4
    assert HOSTILE in found.text


def test_a_single_run_and_a_calibration_without_people_have_pages(tmp_path: Path) -> None:
    text = outline(written(tmp_path, *calibrated(single=True))).text
    assert "Difference of the runs" not in text
    assert "Each run" in text
    text = outline(written(tmp_path, *calibrated(labels=0))).text
    assert "People: no grades yet" in text
    assert "Query by query" not in text


def test_the_page_opens_offline_without_a_request_or_a_complaint(chromium: Any, page: Path) -> None:
    with Visit(chromium, page) as visit:
        assert visit.requests == [page.as_uri()]
        assert visit.complaints == []
        assert visit.page.locator(".plot .main-svg").count() >= 5


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(chromium: Any, page: Path, width: int) -> None:
    with Visit(chromium, page, viewport={"width": width, "height": 800}) as visit:
        wide = visit.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide == 0
