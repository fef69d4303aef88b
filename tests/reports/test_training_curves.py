"""The page of a rewriter's training: before and after, the curves, and that it is whole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from page_reading import Outline, Visit

from evalkit.reports.training_curves import (
    before_and_after,
    curve,
    smoothed,
    training_findings,
    write_training_curves,
)

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=alert(1)>"


def row(step: int, **more: float) -> dict[str, float]:
    reward = 1 + step / 10
    return {"step": step, "reward": reward, "reward/negative": reward - 0.5,
            "reward/general": reward + 0.5, "relevance": 0.6, "kl": 0.01 * step, "length": 30.0,
            "clip_share": 0.02, "entropy": 1.5, **more}  # fmt: skip


ROWS = [row(step) for step in range(1, 7)]


def side(reward: float, relevance: float, accepted: float) -> dict[str, float]:
    return {"queries": 40.0, "reward": reward, "relevance": relevance, "accepted": accepted,
            "echoed": 0.0, "words": 18.0}  # fmt: skip


DOCUMENT: dict[str, Any] = {
    "base": "scratch",
    "gates": {"negative": 0.6533},
    "before": {"negative": side(0.9, 0.6, 0.55), "all": side(1.0, 0.65, 0.61)},
    "after": {"negative": side(1.1, 0.4, 0.7), "all": side(1.2, 0.7, 0.78)},
    "alarms": [
        "negative: the reward rose from 0.900 to 1.100 while relevance fell from 0.600 to 0.400."
    ],
}


def written(tmp_path: Path, rows: Any = ROWS, document: Any = DOCUMENT) -> Path:
    path = tmp_path / "curves.html"
    write_training_curves(rows, document, path)
    return path


def outline(path: Path) -> Outline:
    return Outline(path.read_text(encoding="utf-8"))


def test_what_held_out_queries_got_stands_first_and_alarms_next(tmp_path: Path) -> None:
    text = outline(written(tmp_path)).text
    places = [
        text.index(heading)
        for heading in (
            "On 40 held-out queries the reward went from 1.000 to 1.200, relevance from 0.650 to "
            "0.700, and the accepted share from 61.0% to 78.0%.",
            "Read this first",
            "negative: the reward rose from 0.900 to 1.100 while relevance fell",
            "Held-out queries, before and after",
            "The reward and its parts",
            "What the reward does not show",
            "Settings and inputs",
            "What the figures mean",
        )
    ]
    assert places == sorted(places)
    assert "negative 40 0.900 → 1.100 0.600 → 0.400 55.0 → 70.0 0.0 → 0.0 18.000" in text
    assert "negative=0.6533" in text


def test_that_there_is_no_alarm_is_said_only_where_alarms_were_looked_for() -> None:
    without = {key: value for key, value in DOCUMENT.items() if key != "alarms"}
    assert len(training_findings(DOCUMENT)) == 1
    assert len(training_findings(without)) == 1
    assert training_findings({**DOCUMENT, "alarms": []})[1].startswith("For no query type did")


def test_a_curve_has_a_line_for_all_and_for_each_type_that_differ_without_colour() -> None:
    found = curve(ROWS, "reward", "Reward")
    assert found is not None
    lines = found.spec["data"]
    assert [line["name"] for line in lines] == ["general", "negative", "all types"]
    assert len({(line["line"]["dash"], line["line"]["width"]) for line in lines}) == 3
    assert list(lines[2]["y"]) == pytest.approx([1.1, 1.2, 1.3, 1.4, 1.5, 1.6])
    assert found.summary == (
        "Reward over steps: general from 1.600 to 2.100; negative from 0.600 to 1.100; all types "
        "from 1.100 to 1.600."
    )


def test_long_logs_are_smoothed_and_that_is_said(tmp_path: Path) -> None:
    rows = [row(step) for step in range(1, 49)]
    found = curve(rows, "reward", "Reward")
    assert found is not None
    # means of up to four steps: 1.1; 1.15; 1.2; 1.25; 1.35; …
    assert list(found.spec["data"][2]["y"])[:5] == pytest.approx([1.1, 1.15, 1.2, 1.25, 1.35])
    text = outline(written(tmp_path, rows)).text
    assert "Each point is the mean of the last 4 steps." in text
    assert "One step in 2 in numbers" in text
    assert "Each point is the mean" not in outline(written(tmp_path)).text


def test_changes_stand_beside_what_chance_does(tmp_path: Path) -> None:
    document = {**DOCUMENT, "errors": {"negative": {"reward": 0.06, "accepted": 0.05}}}
    write_training_curves(ROWS, document, tmp_path / "page.html")
    text = outline(tmp_path / "page.html").text
    assert "negative 40 0.900 → 1.100 ±0.120 0.600 → 0.400 55.0 → 70.0 ±10.0 0.0" in text
    assert "errors" not in text.partition("Settings and inputs")[2].partition("What the")[0]


def test_looks_at_held_out_queries_are_shown_as_they_were_seen(tmp_path: Path) -> None:
    rows = [row(step, **({"held_out_accepted": step / 100} if step % 12 == 0 else {}))
            for step in range(1, 37)]  # fmt: skip
    found = curve(rows, "held_out_accepted", "Accepted", share=True)
    assert found is not None
    (line,) = found.spec["data"]
    assert [value for value in line["y"] if value is not None] == [12.0, 24.0, 36.0]
    assert line["mode"] == "lines+markers"
    write_training_curves(rows, DOCUMENT, tmp_path / "page.html")
    assert "Accepted candidates of held-out queries" in (tmp_path / "page.html").read_text()


def test_whether_outputs_came_to_an_end_is_shown(tmp_path: Path) -> None:
    write_training_curves([row(1, ended=0.75)], DOCUMENT, tmp_path / "page.html")
    text = outline(tmp_path / "page.html").text
    assert "Outputs that came to an end" in text
    assert "75.0" in text


def test_what_is_missing_or_not_finite_is_a_gap() -> None:
    rows = [row(1), row(2, kl=math.nan), row(3, kl=math.inf)]
    del rows[0]["reward/negative"]
    found = curve(rows, "kl", "Divergence")
    assert found is not None
    assert list(found.spec["data"][0]["y"]) == [0.01, None, None]
    reward = curve(rows, "reward", "Reward")
    assert reward is not None
    assert list(reward.spec["data"][1]["y"]) == [None, pytest.approx(0.7), pytest.approx(0.8)]
    assert curve(rows, "nothing", "Nothing") is None
    assert smoothed([None, None, 4.0], 2) == [None, None, 4.0]


def test_shares_are_in_percent() -> None:
    found = curve(ROWS, "clip_share", "Clipped tokens", share=True)
    assert found is not None
    assert list(found.spec["data"][0]["y"]) == [2.0] * 6
    assert found.summary == "Clipped tokens over steps: all types from 2.0% to 2.0%."


def test_before_is_open_and_after_is_full() -> None:
    found = before_and_after(DOCUMENT, "relevance", "Relevance")
    before, after = found.spec["data"]
    assert (list(before["x"]), before["marker"]["symbol"]) == ([0.6, 0.65], "circle-open")
    assert (list(after["x"]), after["marker"]["symbol"]) == ([0.4, 0.7], "circle")
    assert found.summary == (
        "Relevance before and after: negative 0.600 to 0.400; all types 0.650 to 0.700."
    )


def test_a_warm_start_alone_has_no_curves(tmp_path: Path) -> None:
    text = outline(written(tmp_path, [], {**DOCUMENT, "after": DOCUMENT["before"]})).text
    assert "Held-out queries, before and after" in text
    assert "The reward and its parts" not in text


def test_without_held_out_queries_the_page_says_so(tmp_path: Path) -> None:
    text = outline(written(tmp_path, ROWS, {"base": "scratch"})).text
    assert "No held-out queries were rewritten" in text
    assert "The reward and its parts" in text


def test_no_tag_comes_from_names_and_sentences(tmp_path: Path) -> None:
    rows = [row(1, **{f"reward/{HOSTILE}": 1.0}), row(2)]
    document = {
        "base": HOSTILE,
        "before": {HOSTILE: side(0.9, 0.6, 0.5)},
        "after": {HOSTILE: side(0.9, 0.6, 0.5)},
        "alarms": [HOSTILE],
    }
    found = outline(written(tmp_path, rows, document))
    assert found.tags.count("img") == 0
    assert found.tags.count("script") == 4


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_opens_offline_and_fits(chromium: Any, tmp_path: Path, width: int) -> None:
    path = written(tmp_path)
    with Visit(chromium, path, viewport={"width": width, "height": 800}) as visit:
        assert visit.requests == [path.as_uri()]
        assert visit.complaints == []
        wide = visit.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide == 0
