"""Which queries go to people: probabilities that are kept, and drawn where labels tell most."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from metrics import (
    MetricsError,
    draw_labels,
    inclusion_probabilities,
    labels_for_width,
    prediction_powered_mean,
    queries_to_label,
    systematic_sample,
)

# ------------------------------------------------------------------ arrays


def test_probabilities_are_in_proportion_to_size_and_add_up() -> None:
    size = np.random.default_rng(1).gamma(1, 1, 50) + 0.01
    p = inclusion_probabilities(size, 20)
    assert p.sum() == pytest.approx(20)
    assert (p == 1).any()
    inside = p < 1
    assert np.ptp(p[inside] / size[inside]) == pytest.approx(0, abs=1e-9)
    # what is cut at 1 is larger than what is not
    assert size[~inside].min() > size[inside].max()


def test_all_labels_or_none_are_sure() -> None:
    assert inclusion_probabilities([1, 2, 3], 3).tolist() == [1, 1, 1]
    assert inclusion_probabilities([1, 2, 3], 0).tolist() == [0, 0, 0]


def test_every_query_is_drawn_as_often_as_its_probability_says() -> None:
    p = inclusion_probabilities(np.random.default_rng(2).gamma(1, 1, 30) + 0.05, 9)
    draws = 4_000
    drawn = np.zeros(30)
    for seed in range(draws):
        at = systematic_sample(p, seed=seed)
        assert len(set(at.tolist())) == 9
        drawn[at] += 1
    error = np.sqrt(p * (1 - p) / draws)
    assert (np.abs(drawn / draws - p) <= 4 * error + 1e-12).all()


def test_the_seed_decides_the_sample() -> None:
    p = np.full(40, 0.25)
    first, again, other = (systematic_sample(p, seed=seed).tolist() for seed in (5, 5, 6))
    assert first == again != other


def test_labelled_queries_are_not_drawn_again_and_keep_their_chance() -> None:
    size, labelled = np.arange(20.0), np.arange(20) < 8
    drawn, overall = draw_labels(size, labelled, 5, before=np.full(20, 0.4), seed=3)
    assert not labelled[drawn].any()
    assert len(drawn) == 5
    assert ((overall > 0.4) & (overall <= 1)).all()
    # π₁ + (1 − π₁)·π₂, with the π₂ of five labels among the twelve
    now = (overall - 0.4) / 0.6
    assert now[~labelled].sum() == pytest.approx(5)
    assert (np.diff(now) >= 0).all()


def test_no_query_is_left_without_a_chance() -> None:
    size = np.zeros(50)
    size[0] = 1e6
    _, overall = draw_labels(size, np.zeros(50, dtype=bool), 10, seed=1)
    assert overall[0] == 1
    assert overall[1:] == pytest.approx(9 / 49)


def test_where_nothing_is_known_all_queries_are_alike() -> None:
    _, overall = draw_labels(np.zeros(50), np.zeros(50, dtype=bool), 10, seed=1)
    assert overall == pytest.approx(np.full(50, 0.2))


def test_two_draws_together_estimate_without_bias_and_as_surely_as_they_say() -> None:
    """A simple sample first, then one by size: overall probabilities, fixed world of queries."""
    rng = np.random.default_rng(4)
    doubt = rng.poisson(3, 120) * (rng.random(120) < 0.7)
    human = rng.binomial(doubt, 0.5) - rng.binomial(doubt, 0.4)
    judge = np.where(rng.random(120) < 0.6, human, rng.integers(-2, 3, 120))
    truth, size = human.mean(), np.sqrt(doubt)
    repeats, covered, errors, width, plain = 600, 0, [], 0.0, 0.0
    for seed in range(repeats):
        labelled = np.zeros(120, dtype=bool)
        labelled[rng.choice(120, 20, replace=False)] = True
        drawn, p = draw_labels(size, labelled, 30, before=np.full(120, 20 / 120), seed=seed)
        labelled[drawn] = True
        found = prediction_powered_mean(judge, np.where(labelled, human, np.nan), probabilities=p)
        simple = rng.permutation(labelled)
        alike = prediction_powered_mean(judge, np.where(simple, human, np.nan))
        assert found is not None
        assert alike is not None
        assert found.interval is not None
        assert alike.interval is not None
        covered += found.interval.low <= truth <= found.interval.high
        errors.append((found.value or 0) - truth)
        width += found.interval.high - found.interval.low
        plain += alike.interval.high - alike.interval.low
    # standard error .009
    assert covered / repeats > 0.93
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(repeats)
    # narrower than as many labels drawn alike, although t is more careful
    assert width < 0.95 * plain


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: inclusion_probabilities([1, 0], 1), "finite number above 0"),
        (lambda: inclusion_probabilities([1, 1], 3), "3 labels cannot be drawn from 2"),
        (lambda: systematic_sample([0.5, 1.2], seed=1), "between 0 and 1"),
        (lambda: systematic_sample([0.5, 0.2], seed=1), "whole number"),
        (lambda: draw_labels([1, -1], [False] * 2, 1, seed=1), "from 0 up"),
        (lambda: draw_labels([1, 1], [True, False], 2, seed=1), "2 of 1 unlabelled"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


def test_labels_for_a_width_are_the_fewest_that_do() -> None:
    rng = np.random.default_rng(6)
    truth = rng.normal(size=300)
    judge = truth + rng.normal(size=300)
    human = np.where(np.arange(300) < 40, truth, np.nan)
    found = prediction_powered_mean(judge, human)
    assert found is not None
    assert found.interval is not None
    assert found.spread is not None
    now = found.interval.high - found.interval.low
    needed = labels_for_width(found, 0.6 * now)
    assert needed is not None
    from scipy import stats

    def width(n: int) -> float:
        return float(2 * stats.t.ppf(0.975, n - 1) * np.sqrt(found.spread * (1 / n - 1 / 300)))

    assert width(40) == pytest.approx(now)
    assert width(needed) <= 0.6 * now < width(needed - 1)
    assert labels_for_width(found, now) == 40


# ------------------------------------------------------------------ runs

QUERIES = [f"q{at:02}" for at in range(12)]


def run(different: int, empty: int = 0) -> pd.DataFrame:
    """Three products a query; the first queries show some of their own."""
    rows = [
        (q, f"{'x' if at < different and place <= at % 3 else 'p'}{place}", place + 1)
        for at, q in enumerate(QUERIES[: len(QUERIES) - empty])
        for place in range(3)
    ]
    return pd.DataFrame(rows, columns=["query_id", "product_id", "rank"])


JUDGED = pd.DataFrame(
    [(q, f"{kind}{place}", 1) for q in QUERIES for kind in "px" for place in range(3)],
    columns=["query_id", "product_id", "grade"],
)
ALL = pd.DataFrame({"query_id": QUERIES})


def drawn(**more: Any) -> Any:
    given: dict[str, Any] = {
        "control": run(0), "treatment": run(6), "judgments": JUDGED, "queries": ALL, "count": 4,
        "cutoff": 3,
    } | more  # fmt: skip
    return queries_to_label(
        given.pop("control"), given.pop("treatment"), given.pop("judgments"), **given
    )


def chances(found: Any) -> dict[str, float]:
    table = found.probabilities
    return dict(zip(table["query_id"], table["inclusion_probability"], strict=True))


def test_queries_are_drawn_where_the_runs_differ() -> None:
    p = chances(drawn())
    assert sum(p.values()) == pytest.approx(4)
    # q00 and q03 show one product of their own, q01 and q04 two, q02 and q05 three
    by_size = {q: p[q] - p["q11"] for q in QUERIES}
    assert by_size["q01"] / by_size["q00"] == pytest.approx(np.sqrt(2))
    assert by_size["q02"] / by_size["q00"] == pytest.approx(np.sqrt(3))
    assert [p[q] for q in QUERIES[6:]] == pytest.approx([0.2 * 4 / 12] * 6)


def test_queries_are_drawn_where_the_judge_is_unsure() -> None:
    sure = JUDGED.assign(probability=np.where(JUDGED["query_id"] == "q02", 0.5, 0.99))
    p = chances(drawn(judgments=sure, count=1))
    assert (p["q02"] - p["q11"]) / (p["q05"] - p["q11"]) == pytest.approx(np.sqrt(0.25 / 0.0099))
    # where the judge gives no probability, nothing is known
    silent = sure.assign(probability=sure["probability"].where(sure["query_id"] != "q05"))
    p = chances(drawn(judgments=silent, count=1))
    assert p["q05"] == pytest.approx(p["q02"])


def test_weights_of_queries_count() -> None:
    p = chances(drawn(queries=ALL.assign(weight=np.where(ALL["query_id"] == "q00", 2.0, 1.0))))
    assert (p["q00"] - p["q11"]) / (p["q03"] - p["q11"]) == pytest.approx(2)


def test_a_single_run_is_drawn_by_all_that_it_shows() -> None:
    p = chances(drawn(treatment=None))
    assert list(p.values()) == pytest.approx([4 / 12] * 12)


def test_queries_without_results_cannot_be_labelled() -> None:
    found = drawn(control=run(0, empty=3), treatment=run(6, empty=3))
    assert set(chances(found)) == set(QUERIES[:9])
    assert found.settings["queries"] == 9


def grades(*queries: str) -> pd.DataFrame:
    return JUDGED[JUDGED["query_id"].isin(queries)]


def test_what_people_have_graded_is_not_drawn_again() -> None:
    found = drawn(human=grades("q02", "q05", "q06"), count=9)
    assert set(found.drawn) == set(QUERIES) - {"q02", "q05", "q06"}
    assert set(chances(found).values()) == {1.0}
    p = chances(drawn(human=grades("q02", "q05", "q06")))
    # a simple sample of 3 in 12 before
    assert all(value >= 3 / 12 for value in p.values())


def test_probabilities_of_earlier_draws_are_carried_on() -> None:
    first = drawn(seed=1)
    human = grades(*first.drawn)
    second = drawn(human=human, probabilities=first.probabilities, count=3, seed=2)
    assert not set(first.drawn) & set(second.drawn)
    before, after = chances(first), chances(second)
    assert all(after[q] > before[q] for q in QUERIES)
    assert second.settings["labelled"] == 4


def test_a_query_that_is_graded_in_part_can_be_drawn() -> None:
    found = drawn(human=grades("q02").head(1), count=12)
    assert "q02" in found.drawn


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(MetricsError, match="13 queries cannot be drawn: 12 are not labelled"):
        drawn(count=13)
    with pytest.raises(MetricsError, match=r"must lie between 0 and 1, not 1\.5"):
        drawn(judgments=JUDGED.assign(probability=1.5))
    some = pd.DataFrame({"query_id": ["q02", "q05"], "inclusion_probability": [0.3, 0.5]})
    with pytest.raises(MetricsError, match="those of all queries are needed"):
        drawn(human=grades("q02", "q05"), probabilities=some)


def test_probabilities_are_carried_on_though_all_that_was_drawn_had_the_same() -> None:
    p = pd.DataFrame({"query_id": QUERIES, "inclusion_probability": [0.3] * 6 + [0.05] * 6})
    found = drawn(human=grades("q00", "q03"), probabilities=p, count=1)
    # a query that is drawn by an even share only: earlier, or else now
    assert chances(found)["q11"] < 0.05 + 0.2
    assert chances(found)["q00"] > 0.3
