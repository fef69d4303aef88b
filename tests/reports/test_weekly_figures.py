"""Figures of the weekly report: what a line joins, what is filled, what is said instead."""

from __future__ import annotations

from typing import Any

import pytest
from weekly_records import check

from evalkit.reports.figures import BETTER, COLORS, NEITHER, WORSE
from evalkit.reports.weekly.axes import joined
from evalkit.reports.weekly.figures import (
    delta_trend,
    drift_chart,
    value_trend,
    votes_bars,
    votes_trend,
)

WEEKS = ["2026-W51", "2026-W52", "2026-W53", "2027-W01", "2027-W02"]


def point(week: str, delta: float = 0.02, p_holm: float | None = 0.2, **more: Any):
    return {
        "week": week, "control": 0.4, "treatment": 0.4 + delta, "delta": delta,
        "ci_low": delta - 0.01, "ci_high": delta + 0.01, "p": 0.01, "p_holm": p_holm,
        "judged_control": 0.97, "judged_treatment": 0.91, "queries": 160,
        "systems": {"control": "a", "treatment": "<b>"}, **more,
    }  # fmt: skip


def trend(points: list[dict[str, Any]], runs: list[list[str]], breaks: Any = ()) -> dict[str, Any]:
    return {
        "label": "nDCG@10", "measure": "ndcg", "cutoff": 10, "weeks": WEEKS, "points": points,
        "runs": runs, "breaks": list(breaks),
    }  # fmt: skip


BREAK = {"week": "2027-W01", "reasons": ["the judge changed: <i>a</i> → b"]}
BROKEN = trend(
    [point("2026-W51"), point("2026-W52", 0.05, 0.01), point("2027-W01", -0.05, 0.01),
     point("2027-W02")],
    [["2026-W51", "2026-W52"], ["2027-W01", "2027-W02"]],
    [BREAK],
)  # fmt: skip


def test_lines_join_neighbours_of_one_run_only():
    gap = trend([point("2026-W51"), point("2026-W53")], [["2026-W51", "2026-W53"]])
    assert joined(gap, gap["points"]) == [[(0, 0)], [(2, 1)]]
    assert joined(BROKEN, BROKEN["points"]) == [[(0, 0), (1, 1)], [(3, 2), (4, 3)]]


def test_values_of_both_systems_are_drawn_in_stretches():
    figure = value_trend(BROKEN, {"control": "a", "treatment": "b"})
    drawn = [(each["name"], list(each["x"])) for each in figure.spec["data"]]
    assert drawn == [
        ("control", [0, 1]), ("control", [3, 4]), ("treatment", [0, 1]), ("treatment", [3, 4]),
    ]  # fmt: skip
    assert [each["showlegend"] for each in figure.spec["data"]] == [True, False, True, False]
    assert "&lt;b&gt;" in figure.spec["data"][2]["hovertext"][0]


def test_differences_are_filled_where_they_are_significant_after_holm():
    markers = [
        each["marker"] for each in delta_trend(BROKEN).spec["data"] if each["mode"] == "markers"
    ]
    assert [(each["symbol"], each["color"]) for each in markers] == [
        ("circle-open", NEITHER), ("circle", BETTER), ("circle", WORSE), ("circle-open", NEITHER),
    ]  # fmt: skip


def test_a_break_is_marked_between_its_weeks_and_told_in_words():
    figure = delta_trend(BROKEN)
    mark = [each for each in figure.spec["layout"]["shapes"] if each["x0"] == each["x1"]]
    assert [each["x0"] for each in mark] == [2.5]
    (number,) = figure.spec["layout"]["annotations"]
    assert (number["text"], number["x"]) == ("1", 2.5)
    assert number["hovertext"] == "the judge changed: &lt;i&gt;a&lt;/i&gt; → b"
    assert figure.summary.endswith(
        "Not comparable across 2027-W01: the judge changed: <i>a</i> → b."
    )


def test_every_week_has_its_place_and_years_are_told():
    layout = delta_trend(BROKEN).spec["layout"]["xaxis"]
    assert list(layout["ticktext"]) == ["W51<br>2026", "W52", "W53", "W01<br>2027", "W02"]


def test_a_difference_without_an_interval_is_drawn_without_a_bar():
    single = trend([point("2026-W51", ci_low=None, ci_high=None)], [["2026-W51"]])
    drawn = [each for each in delta_trend(single).spec["data"] if each["mode"] == "markers"]
    assert all("error_y" not in each or not each["error_y"].get("array") for each in drawn)


def test_votes_are_filled_where_they_decide():
    points = [
        {"week": week, "study": "pages", "basis": basis, "gsb": gsb, "low": low, "high": high,
         "says": says, "queries": 160, "votes": 480}
        for week, basis, gsb, low, high, says in (
            ("2026-W51", "final", 0.2, 0.1, 0.3, "better"),
            ("2026-W52", "anytime", 0.2, -0.1, 0.5, "undecided"),
            ("2026-W53", "interim", 0.2, None, None, "open"),
        )
    ]  # fmt: skip
    figure = votes_trend(trend(points, [WEEKS]))
    drawn = [each for each in figure.spec["data"] if each["mode"] == "markers"]
    assert [each["marker"]["symbol"] for each in drawn] == ["circle", "circle-open", "circle-open"]
    assert "(holds at any look)" in drawn[1]["hovertext"][0]


def test_bars_of_votes_add_up_and_say_their_counts():
    rows = [
        {"where": "all queries", "good": 3, "same": 1, "bad": 0},
        {"where": "<negative>", "good": 0, "same": 0, "bad": 0},
    ]
    figure = votes_bars(rows)
    assert [(each["name"], each["x"], each["text"]) for each in figure.spec["data"]] == [
        ("treatment better", [75.0], ["3"]), ("same", [25.0], ["1"]),
        ("control better", [0.0], [""]),
    ]  # fmt: skip
    assert votes_bars(rows[1:]) is None


def test_a_judge_is_charted_with_its_limits_and_signals():
    judge = check(WEEKS[:3], [0.88, 0.87, 0.7], ["2026-W53"])
    chart = {"judge": "v1", "points": judge["results"], "chart": judge["chart"]}
    figure = drift_chart(chart)
    (points,) = figure.spec["data"]
    assert points["marker"]["symbol"] == ["circle", "circle", "x"]
    assert [round(each["y0"], 6) for each in figure.spec["layout"]["shapes"]] == [88, 83, 93]
    for row in judge["results"][1:]:
        row |= {"limit_low": 0.85, "limit_high": 0.91}
    low, high, points = drift_chart(chart).spec["data"]
    assert (list(low["x"]), list(low["y"]), list(high["y"])) == ([1, 2], [85, 85], [91, 91])
    assert drift_chart({**chart, "points": judge["results"][:1]}) is None


@pytest.mark.parametrize(
    "figure",
    [value_trend(BROKEN, {"control": "a", "treatment": "b"}), delta_trend(BROKEN)],
)
def test_every_colour_has_one_for_the_dark(figure):
    def colors(value: Any, key: str = "") -> set[str]:
        if isinstance(value, dict):
            return {each for name, item in value.items() for each in colors(item, name)}
        if isinstance(value, list | tuple):
            return {each for item in value for each in colors(item, key)}
        return {value} if "color" in key and str(value).startswith("#") else set()

    assert colors(figure.spec) <= COLORS.keys()
