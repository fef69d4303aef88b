"""A judge over weeks: agreement, bias, what changed, and signals neither false nor missed."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from metrics import MetricsError, exchange_test, judge_drift


def grades(good: Any, scale: int = 1) -> pd.DataFrame:
    """One query, a product for each verdict."""
    marks = [int(mark) * scale for mark in good]
    return pd.DataFrame(
        {"query_id": "q", "product_id": [f"p{at:03}" for at in range(len(marks))], "grade": marks}
    )


#       sixteen gold pairs, ten of them good
GOLD = "1111111111000000"
FIRST = "1111111100000011"  # wrong on four: two too few, two too many
LATER = "1111110000000000"  # wrong on four others or the same: finds less


def row(found: Any, week: str) -> Any:
    return next(each for each in found.rows if each.week == week)


@pytest.fixture
def found() -> Any:
    return judge_drift(grades(GOLD), {"2026-W40": grades(FIRST), "2026-W41": grades(LATER)})


# ------------------------------------------------------------------ figures of a week


def test_agreement_kappa_and_bias_of_a_week(found: Any) -> None:
    first = row(found, "2026-W40")
    assert (first.pairs, first.agreement) == (16, 12 / 16)
    assert (first.good_gold, first.good_judge, first.bias) == (10 / 16, 10 / 16, 0)
    assert first.kappa == pytest.approx(cohen_kappa_score(list(GOLD), list(FIRST)))
    interval = stats.binomtest(12, 16).proportion_ci(method="wilson")
    assert (first.agreement_low, first.agreement_high) == pytest.approx(
        (interval.low, interval.high)
    )
    assert first.note == "baseline"
    assert first.p_agreement is None
    assert row(found, "2026-W41").bias == pytest.approx(-4 / 16)


def test_what_changed_against_the_baseline_is_counted(found: Any) -> None:
    later = row(found, "2026-W41")
    # p006 and p007 were right and are wrong, p014 and p015 the other way round
    assert (later.changed, later.better, later.worse) == (4, 2, 2)
    assert later.p_agreement == 1
    # all four went from good to bad: 2 / 2^4
    assert later.p_bias == pytest.approx(2 / 16)
    assert later.signal is None


def test_with_one_baseline_week_the_tests_are_mcnemars() -> None:
    rng = np.random.default_rng(1)
    gold, first, now = (rng.random(200) < 0.6 for _ in range(3))
    found = judge_drift(grades(gold), {"a": grades(first), "b": grades(now)}).rows[1]
    better = int(((now == gold) & (first != gold)).sum())
    worse = int(((now != gold) & (first == gold)).sum())
    assert (found.better, found.worse) == (better, worse)
    assert found.p_agreement == pytest.approx(stats.binomtest(better, better + worse).pvalue)
    more, less = int((now & ~first).sum()), int((~now & first).sum())
    assert found.p_bias == pytest.approx(stats.binomtest(more, more + less).pvalue)


def test_with_several_baseline_weeks_the_test_is_that_of_exchanged_weeks() -> None:
    rng = np.random.default_rng(2)
    chance = rng.random(60)
    weeks = (rng.random((4, 60)) < chance).astype(float)
    found = exchange_test(list(weeks[:3]), weeks[3])
    # the distribution by exchanging the weeks of every pair at random
    order = rng.random((20_000, 4, 60)).argsort(axis=1)[:, 0]
    totals = weeks[order, np.arange(60)].sum(axis=1)
    for at, mass in enumerate(found.mass):
        error = math.sqrt(mass * (1 - mass) / 20_000)
        assert (totals == found.least + at).mean() == pytest.approx(mass, abs=4 * error + 1e-4)
    assert found.mass.sum() == pytest.approx(1)
    assert found.total == weeks[3].sum()


def test_a_point_is_outside_its_limits_exactly_when_agreement_has_changed() -> None:
    rng = np.random.default_rng(3)
    gold = rng.random(300) < 0.5
    first = np.where(rng.random(300) < 0.9, gold, ~gold)
    outside = 0
    for accuracy in (0.5, 0.75, 0.8, 0.85, 0.9, 0.99):
        now = np.where(rng.random(300) < accuracy, gold, ~gold)
        found = judge_drift(grades(gold), {"a": grades(first), "b": grades(now)}).rows[1]
        inside = found.limit_low - 1e-12 <= found.agreement <= found.limit_high + 1e-12
        assert inside == (found.p_agreement > 0.0027 / 2)
        if found.limit_high < 1:  # else it is cut: no agreement is above 1
            assert (found.limit_low + found.limit_high) / 2 == pytest.approx((first == gold).mean())
        outside += not inside
    assert 2 <= outside <= 4


def test_the_chart_has_its_centre_and_widest_limits(found: Any) -> None:
    assert found.chart["baseline"] == ["2026-W40"]
    assert found.chart["centre"] == 12 / 16
    # two tests a week share the level
    half = stats.norm.ppf(1 - 0.0027 / 4) * math.sqrt(2 * 0.75 * 0.25 / 16)
    assert (found.chart["low"], found.chart["high"]) == pytest.approx((0.75 - half, 1.0))


def test_a_judge_that_is_as_it_was_gives_no_signal(found: Any) -> None:
    again = judge_drift(grades(GOLD), {"a": grades(FIRST), "b": grades(FIRST)}).rows[1]
    assert (again.changed, again.p_agreement, again.p_bias, again.signal) == (0, 1, 1, None)
    assert again.limit_low == again.limit_high == again.agreement


@pytest.mark.parametrize(
    ("now", "signal"),
    [
        (lambda gold, first: ~gold, "agreement fell"),
        (lambda gold, first: gold, "agreement rose"),
        (lambda gold, first: first | True, "agreement fell; finds more good"),
        (lambda gold, first: first & False, "agreement fell; finds less good"),
    ],
)
def test_a_signal_says_what_changed(now: Any, signal: str) -> None:
    rng = np.random.default_rng(4)
    gold = np.arange(200) % 2 == 0
    first = np.where(rng.random(200) < 0.8, gold, ~gold)
    found = judge_drift(grades(gold), {"a": grades(first), "b": grades(now(gold, first))})
    assert found.rows[1].signal == signal


# ------------------------------------------------------------------ false signals and missed ones


@pytest.mark.parametrize("weeks", [1, 3])
def test_a_noisy_judge_that_has_not_changed_rarely_gives_a_signal(weeks: int) -> None:
    """Each pair has its own chance to be called good, the same every week."""
    rng = np.random.default_rng(5)
    repeats, at_level, at_five = 3_000, 0, 0
    for _ in range(repeats):
        gold = rng.random(80) < 0.5
        chance = np.where(gold, rng.beta(3, 1, 80), rng.beta(1, 3, 80))
        said = rng.random((weeks + 1, 80)) < chance
        right = exchange_test(list(said[:weeks] == gold), said[weeks] == gold).p
        good = exchange_test(list(said[:weeks]), said[weeks]).p
        at_level += min(right, good) <= 0.0027 / 2
        at_five += right <= 0.05
    # exact tests of whole numbers: at most the level; standard errors .001 and .004
    assert at_level / repeats <= 0.0027 + 3 * 0.001
    assert 0.015 < at_five / repeats <= 0.05 + 3 * 0.004


def test_a_judge_that_has_become_worse_is_found() -> None:
    rng = np.random.default_rng(6)
    repeats, signals = 200, 0
    for _ in range(repeats):
        gold = rng.random(300) < 0.5
        before = np.where(rng.random(300) < 0.92, gold, ~gold)
        # one verdict in eight is drawn anew
        now = np.where(rng.random(300) < 0.125, rng.random(300) < 0.5, before)
        signals += exchange_test([before == gold], now == gold).p <= 0.0027 / 2
    assert signals / repeats > 0.6


# ------------------------------------------------------------------ what comes in


def test_pairs_without_a_grade_are_left_out_and_told() -> None:
    part = grades(LATER)[:12]
    found = judge_drift(grades(GOLD), {"a": grades(FIRST), "b": part})
    assert found.rows[1].pairs == 12
    assert found.rows[1].changed == 2
    assert found.warnings[1:] == [
        "b: the judge did not grade 4 of the 16 gold pairs; they are left out of that week and "
        "of its comparison."
    ]


def test_pairs_outside_the_gold_set_and_the_order_of_rows_say_nothing() -> None:
    more = pd.concat([grades(LATER), grades(GOLD).assign(query_id="other")]).sample(
        frac=1, random_state=1
    )
    found = judge_drift(grades(GOLD), {"a": grades(FIRST), "b": more})
    plain = judge_drift(grades(GOLD), {"a": grades(FIRST), "b": grades(LATER)})
    assert found.to_dict() == plain.to_dict()


def test_scales_of_gold_and_judge_may_differ() -> None:
    found = judge_drift(
        grades(GOLD, 3), {"a": grades(FIRST), "b": grades(LATER)}, good=2, judge_good=1
    )
    assert found.rows == judge_drift(grades(GOLD), {"a": grades(FIRST), "b": grades(LATER)}).rows


def test_the_baseline_can_be_chosen() -> None:
    weeks = {"a": grades(GOLD), "b": grades(FIRST), "c": grades(LATER)}
    found = judge_drift(grades(GOLD), weeks, baseline=["b"])
    assert [each.note for each in found.rows] == ["", "baseline", ""]
    assert row(found, "a").better == 4
    assert found.settings["baseline"] == ["b"]


def test_a_result_is_json_a_table_and_text(found: Any) -> None:
    document = json.loads(found.to_json())
    assert list(document) == ["settings", "pairs", "chart", "warnings", "results"]
    assert document["results"][1]["limit_low"] <= document["results"][1]["agreement"]
    assert found.table["week"].tolist() == ["2026-W40", "2026-W41"]
    assert "+2 −2" in repr(found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weeks": {}}, "there is no week of the judge"),
        ({"baseline": ["2026-W39"]}, "no grades of the baseline week '2026-W39'; there are: a, b"),
        ({"level": 0}, "level must lie between 0 and 1"),
        ({"gold": grades("1", -1)}, "the gold set holds no pair that is judged"),
        ({"weeks": {"a": grades("1").assign(query_id="x")}}, "week a: the judge graded no pair"),
        (
            {"weeks": {"a": pd.concat([grades("1"), grades("1")])}},
            "week a: judgments: query_id 'q', product_id 'p000' stands 2 times",
        ),
    ],
)
def test_what_cannot_be_watched_is_refused(change: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {
        "gold": grades(GOLD),
        "weeks": {"a": grades(FIRST), "b": grades(LATER)},
    }
    given |= change
    with pytest.raises(MetricsError, match=said):
        judge_drift(given.pop("gold"), given.pop("weeks"), **given)


def test_earlier_weeks_need_the_same_pairs() -> None:
    with pytest.raises(ValueError, match="a verdict on every pair"):
        exchange_test([[1, 0]], [1])
    with pytest.raises(ValueError, match="at least one earlier week"):
        exchange_test([], [1])


@pytest.mark.parametrize(("each", "warned"), [(1, False), (2, False), (3, True)])
def test_many_gold_pairs_of_a_query_are_pointed_out(each: int, warned: bool) -> None:
    gold = grades(GOLD[:12])
    gold["query_id"] = [f"q{at // each}" for at in range(12)]
    found = judge_drift(gold, {"2026-W40": gold, "2026-W41": gold})
    assert any(f"{each:.1f} pairs a query" in text for text in found.warnings) == warned
