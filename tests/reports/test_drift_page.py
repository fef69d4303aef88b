"""The page of a judge over weeks: chart, sentences, and that it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from page_reading import Outline, Visit

from evalkit.calibrating import drift_document
from evalkit.reports.drift_page import control_chart, write_drift_page
from evalkit.reports.drift_table import drift_findings, signal_text

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)>"
GOLD = [at % 2 for at in range(60)]


def week(grades: list[int], gold: list[int] = GOLD) -> pa.Table:
    names = [f"p{at:02}" for at in range(len(gold))]
    return pa.table({"query_id": ["q"] * len(gold), "product_id": names, "gold": gold,
                     "grade": grades})  # fmt: skip


WEEKS = {
    "2026-W40": week([1 - good if at < 6 else good for at, good in enumerate(GOLD)]),
    "2026-W41": week([1 - good if 3 <= at < 9 else good for at, good in enumerate(GOLD)]),
    "2026-W42": week([1] * 60),
}


def drawn(weeks: Any = WEEKS, judge: str = "tiny") -> dict[str, Any]:
    return {**drift_document(weeks, judge=judge), "command": "evalkit drift"}


def written(tmp_path: Path, document: dict[str, Any]) -> Path:
    path = tmp_path / "drift.html"
    write_drift_page(document, path)
    return path


def outline(path: Path) -> Outline:
    return Outline(path.read_text(encoding="utf-8"))


def test_the_page_asks_and_answers(tmp_path: Path) -> None:
    text = outline(written(tmp_path, drawn())).text
    assert "Is tiny still the judge it was?" in text
    assert "2026-W42: agreement fell: now 50.0%" in text
    places = [
        text.index(heading)
        for heading in ("Agreement with the gold set", "How much the judge finds good",
                        "Settings and inputs", "What the figures mean")
    ]  # fmt: skip
    assert places == sorted(places)


def test_the_chart_says_in_words_what_it_shows() -> None:
    chart = control_chart(drawn())
    assert chart.summary == (
        "Agreement of the judge with the gold set by week, baseline 90.0: 2026-W40 90.0; "
        "2026-W41 90.0; 2026-W42 50.0 (agreement fell; finds more good)."
    )
    points = next(trace for trace in chart.spec["data"] if trace["type"] == "scatter")
    # form says what colour says
    assert points["marker"]["symbol"] == ["circle", "circle", "diamond"]


def test_weeks_with_another_gold_set_are_open_marks() -> None:
    other = week(WEEKS["2026-W40"]["grade"].to_pylist(), [1 - GOLD[0], *GOLD[1:]])
    document = drawn({**WEEKS, "2026-W40": other})
    points = next(t for t in control_chart(document).spec["data"] if t["type"] == "scatter")
    assert points["marker"]["symbol"][0] == "circle-open"
    assert document["warnings"][0].startswith("The gold set changed: 2026-W40 had another one")


def test_a_quiet_judge_is_said_to_be_quiet() -> None:
    same = {f"2026-W4{at}": WEEKS["2026-W40"] for at in range(3)}
    assert drift_findings(drawn(same)) == [
        "None of the 2 weeks after the baseline differs from it by more than chance explains."
    ]
    assert drift_findings(drawn({"2026-W40": WEEKS["2026-W40"]})) == [
        "There is no week to compare with the baseline yet."
    ]


def test_a_signal_of_the_share_of_good_tells_the_bias() -> None:
    row = {"signal": "finds less good", "bias": -0.123, "p_bias": 0.0004}
    assert signal_text(row) == "finds less good: bias now −12.3 points (p 0.0004)"


def test_no_tag_comes_from_the_name_of_a_judge(tmp_path: Path) -> None:
    found = outline(written(tmp_path, drawn(judge=HOSTILE)))
    assert found.tags.count("img") == 0
    assert found.tags.count("script") == 4
    assert HOSTILE in found.text


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_offline_and_fits(chromium: Any, tmp_path: Path, width: int) -> None:
    path = written(tmp_path, drawn(judge=HOSTILE))
    with Visit(chromium, path, viewport={"width": width, "height": 800}) as visit:
        assert visit.requests == [path.as_uri()]
        assert visit.complaints == []
        wide = visit.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide == 0
