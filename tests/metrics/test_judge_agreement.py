"""A judge against people: figures by hand, by scikit-learn, and what resampling says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.metrics import (
    brier_score_loss,
    cohen_kappa_score,
    precision_score,
    recall_score,
)

from metrics import JudgeScored, MetricsError, judge_agreement, reliability


def frame(grades: list[Any], queries: int = 2, **more: Any) -> pa.Table:
    """Grades of products p0, p1, ..., which are dealt to the queries in turn."""
    size = len(grades)
    return pa.table(
        {
            "query_id": [f"q{at % queries}" for at in range(size)],
            "product_id": [f"p{at:03}" for at in range(size)],
            "grade": grades,
            **more,
        }
    )


def first(judge: pa.Table, human: pa.Table, **settings: Any) -> JudgeScored:
    return judge_agreement(judge, human, **settings).rows[0]


# 20 pairs: 6 both good, 3 judge only, 2 human only, 9 neither
JUDGE = [1] * 9 + [0] * 11
HUMAN = [1] * 6 + [0] * 3 + [1] * 2 + [0] * 9


def test_the_figures_of_a_worked_table() -> None:
    row = first(frame(JUDGE), frame(HUMAN))
    assert (row.both_good, row.judge_only, row.human_only, row.both_bad) == (6, 3, 2, 9)
    assert (row.pairs, row.queries) == (20, 2)
    assert row.agreement == pytest.approx(15 / 20)
    assert row.precision == pytest.approx(6 / 9)
    assert row.recall == pytest.approx(6 / 8)
    # chance: 9/20 · 8/20 + 11/20 · 12/20 = 0.51
    assert row.kappa == pytest.approx((0.75 - 0.51) / (1 - 0.51))
    assert (row.majority, row.majority_good) == (pytest.approx(12 / 20), False)
    assert (row.good_judge, row.good_human) == (pytest.approx(9 / 20), pytest.approx(8 / 20))


def random_grades(size: int = 400, seed: int = 5) -> tuple[list[int], list[int]]:
    rng = np.random.default_rng(seed)
    human = rng.integers(0, 3, size)
    judge = np.where(rng.random(size) < 0.6, human, rng.integers(0, 3, size))
    return judge.tolist(), human.tolist()


def test_the_figures_equal_those_of_scikit_learn() -> None:
    judge, human = random_grades()
    row = first(frame(judge, 40), frame(human, 40), good=2)
    one, other = [[int(grade >= 2) for grade in grades] for grades in (judge, human)]
    assert row.kappa == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)
    assert row.precision == pytest.approx(precision_score(other, one))
    assert row.recall == pytest.approx(recall_score(other, one))
    weighted = cohen_kappa_score(judge, human, weights="quadratic")
    assert row.weighted_kappa == pytest.approx(weighted, abs=1e-12)


def test_grades_are_crossed_with_the_judge_in_rows() -> None:
    found = judge_agreement(frame([0, 0, 2, 2]), frame([0, 1, 2, 1]), good=2)
    assert found.grades == {"judge": [0, 2], "human": [0, 1, 2], "counts": [[1, 1, 0], [0, 1, 1]]}


def test_probabilities_are_held_against_people() -> None:
    judge, human = random_grades()
    rng = np.random.default_rng(1)
    said = rng.random(len(judge))
    row = first(frame(judge, probability=said), frame(human), good=2)
    true = np.array(human) >= 2
    assert row.brier == pytest.approx(brier_score_loss(true, said))
    assert row.brier_base == pytest.approx(true.mean() * (1 - true.mean()))
    place = np.minimum((said * 10).astype(int), 9)
    gaps = [
        (place == at).mean() * abs(said[place == at].mean() - true[place == at].mean())
        for at in range(10)
    ]
    assert row.ece == pytest.approx(sum(gaps))


def test_a_pair_without_probability_counts_for_the_verdicts_only() -> None:
    found = judge_agreement(frame([1, 0, 1], probability=[0.9, None, 0.6]), frame([1, 0, 0]))
    assert found.rows[0].pairs == 3
    assert found.reliability is not None
    assert found.reliability.pairs == 2
    assert found.rows[0].brier == pytest.approx((0.1**2 + 0.6**2) / 2)
    assert any("1 of the 3 pairs have no probability" in text for text in found.warnings)


def test_a_judge_without_probabilities_has_no_curve() -> None:
    found = judge_agreement(frame(JUDGE), frame(HUMAN))
    assert found.reliability is None
    assert found.rows[0].brier is None


@pytest.mark.parametrize("wrong", [1.2, -0.1])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(MetricsError, match="a probability must lie between 0 and 1"):
        judge_agreement(frame([1, 0], probability=[0.5, wrong]), frame([1, 0]))


def test_the_end_of_the_scale_lies_in_the_last_range() -> None:
    found = reliability([1.0, 0.95, 0.9, 0.0], [1, 1, 0, 0])
    assert found is not None
    assert [(each.low, each.pairs) for each in found.bins] == [(0.0, 1), (0.9, 3)]


# ------------------------------------------------------------------ intervals over queries


def clustered(copies: int) -> tuple[pa.Table, pa.Table]:
    """30 queries with a verdict each, in as many equal pairs: nothing new is said by a copy."""
    rng = np.random.default_rng(3)
    human = rng.integers(0, 2, 30)
    judge = np.where(rng.random(30) < 0.8, human, 1 - human)
    columns = {
        "query_id": [f"q{at:02}" for at in range(30) for _ in range(copies)],
        "product_id": [f"p{copy}" for _ in range(30) for copy in range(copies)],
    }
    return tuple(
        pa.table({**columns, "grade": np.repeat(grades, copies)}) for grades in (judge, human)
    )


def test_more_pairs_of_the_same_queries_make_no_interval_narrower() -> None:
    few, many = (first(*clustered(copies)) for copies in (1, 20))
    for name in ("kappa", "agreement", "precision", "recall"):
        assert getattr(few, name) == pytest.approx(getattr(many, name))
        assert getattr(few, f"{name}_low") == pytest.approx(getattr(many, f"{name}_low"))
        low, high = getattr(many, f"{name}_low"), getattr(many, f"{name}_high")
        assert low < getattr(many, name) < high


def test_more_queries_make_the_interval_narrower() -> None:
    widths = []
    for queries in (40, 400):
        judge, human = random_grades(800)
        row = first(frame(judge, queries), frame(human, queries), good=2)
        assert row.kappa_high is not None
        assert row.kappa_low is not None
        widths.append(row.kappa_high - row.kappa_low)
    one_a_query = first(*(frame(grades, 800) for grades in random_grades(800)), good=2)
    assert one_a_query.kappa_high is not None
    assert one_a_query.kappa_low is not None
    # pairs here are independent, so that their grouping changes nothing but noise
    assert widths[0] == pytest.approx(one_a_query.kappa_high - one_a_query.kappa_low, rel=0.5)
    thousand = first(*(frame(grades, 100) for grades in random_grades(100)), good=2)
    assert thousand.kappa_high is not None
    assert thousand.kappa_low is not None
    assert thousand.kappa_high - thousand.kappa_low > 1.5 * widths[1]


def test_the_interval_of_kappa_holds_the_truth_about_as_often_as_it_says() -> None:
    # truth: judge right on 80% of the queries, half of them good: κ = 0.6
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        human = np.repeat(rng.integers(0, 2, 60), 3)
        wrong = np.repeat(rng.random(60) < 0.2, 3)
        judge = np.where(wrong, 1 - human, human)
        ids = {
            "query_id": [f"q{at // 3:02}" for at in range(180)],
            "product_id": [f"p{at % 3}" for at in range(180)],
        }
        row = first(pa.table({**ids, "grade": judge}), pa.table({**ids, "grade": human}), draws=300)
        assert row.kappa_low is not None
        assert row.kappa_high is not None
        held += row.kappa_low <= 0.6 <= row.kappa_high
    assert 88 <= held <= 100


def test_a_single_query_has_no_interval() -> None:
    row = first(frame(JUDGE, 1), frame(HUMAN, 1))
    assert (row.kappa_low, row.agreement_high) == (None, None)
    assert row.note == "a single query: no interval"


def test_the_seed_decides_the_interval_and_the_order_of_rows_does_not() -> None:
    judge, human = (frame(grades, 40) for grades in random_grades())
    rows = [first(judge, human, good=2, seed=seed) for seed in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]
    shuffled = judge.take(pa.array(np.random.default_rng(0).permutation(len(judge))))
    assert first(shuffled, human, good=2) == rows[0]


# ------------------------------------------------------------------ what is compared


def test_only_pairs_that_both_graded_are_compared_and_the_rest_is_counted() -> None:
    found = judge_agreement(frame(JUDGE).slice(2), frame(HUMAN).slice(0, 15))
    assert found.counts == {
        "pairs": 13, "queries": 2, "judge_only": 5, "human_only": 2, "outside": 0,
    }  # fmt: skip


def test_segments_are_columns_of_the_queries_and_other_queries_are_left_out() -> None:
    queries = pa.table({"query_id": ["q0", "q1", "q9"], "query_type": ["negative", "general", "x"]})
    found = judge_agreement(frame(JUDGE, 3), frame(HUMAN, 3), queries, by=["query_type"])
    assert [(dict(row.segment), row.pairs, row.queries) for row in found.rows] == [
        ({}, 14, 2),
        ({"query_type": "general"}, 7, 1),
        ({"query_type": "negative"}, 7, 1),
    ]
    assert found.counts["outside"] == 6
    assert "6 pairs that both graded are of queries outside the query set" in found.warnings[0]


def test_a_segment_is_scored_as_if_it_were_all() -> None:
    judge, human = random_grades()
    queries = pa.table({"query_id": [f"q{at}" for at in range(40)], "half": [0, 1] * 20})
    found = judge_agreement(frame(judge, 40), frame(human, 40), queries, by=["half"], good=2)
    even = [at for at in range(400) if at % 2 == 0]
    alone = first(
        frame(judge, 40).take(pa.array(even)), frame(human, 40).take(pa.array(even)), good=2
    )
    row = found.rows[1]
    assert (row.kappa, row.kappa_low, row.weighted_kappa, row.pairs) == (
        alone.kappa, alone.kappa_low, alone.weighted_kappa, 200,
    )  # fmt: skip


def test_unlike_scales_have_thresholds_of_their_own_and_no_weighted_kappa() -> None:
    found = judge_agreement(frame([3, 2, 1, 0]), frame([2, 1, 1, 0]), good=2, judge_good=3)
    assert found.rows[0].agreement == 1.0
    assert found.rows[0].weighted_kappa is None
    assert any(
        "the judge's grades go from 0 to 3, people's from 0 to 2" in w for w in found.warnings
    )
    same = judge_agreement(frame([1, 1, 1, 0]), frame([2, 1, 1, 0]), good=2, same_scale=True)
    assert same.rows[0].weighted_kappa == pytest.approx(
        cohen_kappa_score([1, 1, 1, 0], [2, 1, 1, 0], weights="quadratic")
    )


def test_labels_are_good_by_name_and_have_no_weighted_kappa() -> None:
    found = judge_agreement(
        frame(["E", "S", "I", "E"]), frame(["E", "E", "I", "I"]), good_labels=("E", "S")
    )
    row = found.rows[0]
    assert (row.both_good, row.judge_only, row.both_bad, row.weighted_kappa) == (2, 1, 1, None)
    assert found.grades == {
        "judge": ["E", "I", "S"], "human": ["E", "I"], "counts": [[1, 1], [0, 1], [1, 0]],
    }  # fmt: skip
    assert [(pair.judge, pair.human) for pair in found.differences] == [("E", "I")]


def test_the_most_confident_mistakes_come_first() -> None:
    found = judge_agreement(
        frame([1, 0, 1, 1, 0], probability=[0.6, 0.02, 0.9, 0.99, None]),
        frame([0, 1, 0, 1, 1]),
        count=3,
    )
    assert [(pair.product_id, pair.confidence) for pair in found.differences] == [
        ("p001", 0.98), ("p002", 0.9), ("p000", 0.6),
    ]  # fmt: skip


def test_without_probabilities_the_grades_farthest_apart_come_first() -> None:
    found = judge_agreement(frame([2, 1, 2, 0]), frame([1, 2, 0, 0]), good=2)
    assert [pair.product_id for pair in found.differences] == ["p002", "p000", "p001"]
    assert found.differences[0].judge_good is True


# ------------------------------------------------------------------ warnings and refusals


def test_few_queries_and_few_good_pairs_are_said() -> None:
    warnings = judge_agreement(frame(JUDGE), frame(HUMAN)).warnings
    assert any("rest on 2 queries" in text for text in warnings)
    assert any("people call 8 pairs good" in text for text in warnings)
    many = [1, 0, 1, 1] * 30
    assert judge_agreement(frame(many, 60), frame([1, 0, 1, 0] * 30, 60)).warnings == []


def test_a_judge_no_better_than_one_verdict_for_all_is_said() -> None:
    human = [1] * 90 + [0] * 10
    found = judge_agreement(frame([1] * 100, 50), frame(human, 50))
    assert found.rows[0].kappa == pytest.approx(0.0)
    assert found.rows[0].note == "the judge calls every pair good: κ is 0"
    assert any("calling every pair good agrees with people on 90.0%" in w for w in found.warnings)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"by": ["query_type"]}, "there are no queries"),
        ({"confidence": 1.0}, "confidence must lie between 0 and 1"),
        ({"count": -1}, "count must be 0 or more"),
        ({"bins": 0}, "bins must be 1 or more"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], said: str) -> None:
    judge = frame([1, 0], probability=[0.5, 0.5])
    with pytest.raises(MetricsError, match=said):
        judge_agreement(judge, frame([1, 0]), **change)


def test_no_pair_in_common_is_refused() -> None:
    other = frame([1, 0]).set_column(0, "query_id", pa.array(["x", "y"]))
    with pytest.raises(MetricsError, match="graded no pair in common; check the ids"):
        judge_agreement(frame([1, 0]), other)


def test_a_weighted_kappa_of_halves_is_refused_when_asked_for() -> None:
    with pytest.raises(MetricsError, match="whole numbers"):
        judge_agreement(frame([0.5, 1]), frame([1.0, 0.0]), same_scale=True)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_other_frames_give_the_same_and_get_their_own_kind_back(library: str) -> None:
    judge, human = (frame(grades, 40) for grades in random_grades())
    kind: Any = pd.DataFrame if library == "pandas" else pl.DataFrame
    given = (judge.to_pandas(), human.to_pandas()) if library == "pandas" else (
        pl.from_arrow(judge), pl.from_arrow(human))  # fmt: skip
    found = judge_agreement(*given, good=2)
    assert found.to_dict() == judge_agreement(judge, human, good=2).to_dict()
    assert isinstance(found.table, kind)
    assert "kappa" in repr(found)
