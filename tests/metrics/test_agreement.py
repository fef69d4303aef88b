"""Agreement: Krippendorff's example, plain implementations, annotators one by one and in pairs."""

from __future__ import annotations

import json
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
import plain_votes as plain
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metrics import MetricsError, agreement, grade_agreement, krippendorff_alpha
from metrics.alpha import alphas, coincidences

NAN = float("nan")
# Krippendorff (2011), Computing Krippendorff's alpha-reliability
CODINGS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]
LEVELS = {"nominal": 0.7434, "ordinal": 0.8154, "interval": 0.8491, "ratio": 0.7974}


def votes_of(*rows: tuple[Any, ...], names: str = "query_id annotator preference") -> pa.Table:
    return pa.table(dict(zip(names.split(), map(list, zip(*rows, strict=True)), strict=True)))


def person(found: Any, name: str) -> Any:
    return next(row for row in found.annotators if row.annotator == name)


# ------------------------------------------------------------------ alpha


@pytest.mark.parametrize(("level", "value"), LEVELS.items())
def test_alpha_of_krippendorffs_example(level: Any, value: float) -> None:
    found = krippendorff_alpha(CODINGS, level=level)
    assert found.value == pytest.approx(value, abs=5e-5)
    assert (found.level, found.units, found.values) == (level, 11, 40)
    assert found.interval.low < found.value < found.interval.high


@pytest.mark.parametrize("level", LEVELS)
@settings(deadline=None)
@given(counts=st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=9))
def test_what_the_bootstrap_computes_is_what_the_package_computes(
    level: Any, counts: list[list[int]]
) -> None:
    table = np.array(counts)
    table = table[table.sum(axis=1) >= 2]
    table = table[:, (table.sum(axis=0) > 0)] if len(table) else table
    if len(table) == 0 or table.shape[1] < 2:
        return
    domain = np.array([1.0, 2.0, 4.0, 5.0])[: table.shape[1]]
    sums = coincidences(table.astype(float)).sum(axis=0)
    ours = alphas(sums.reshape(1, len(domain), len(domain)), domain, level)
    theirs = krippendorff.alpha(value_counts=table, value_domain=domain, level_of_measurement=level)
    assert ours[0] == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
@settings(deadline=None)
@given(
    table=st.lists(
        st.lists(st.sampled_from([NAN, 0, 1, 2, 5]), min_size=5, max_size=5),
        min_size=2,
        max_size=4,
    )
)
def test_alpha_is_what_going_through_the_pairs_finds(level: Any, table: list[list[float]]) -> None:
    units = [[value for value in unit if value == value] for unit in zip(*table, strict=True)]
    expected = plain.alpha(units, level)
    found = krippendorff_alpha(table, level=level, draws=0).value
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_perfect_agreement_is_one_and_systematic_disagreement_below_zero() -> None:
    assert krippendorff_alpha([[1, 2, 3], [1, 2, 3]], level="nominal").value == 1.0
    assert krippendorff_alpha([[1, 2, 1, 2], [2, 1, 2, 1]], level="nominal").value < 0


@pytest.mark.parametrize(
    "table", [[[1, 1], [1, 1]], [[1, NAN], [NAN, 2]], [[NAN, NAN], [NAN, NAN]], [[1, 2, 3]]]
)
def test_nothing_to_compare_is_no_alpha(table: list[list[float]]) -> None:
    found = krippendorff_alpha(table, level="nominal")
    assert (found.value, found.interval) == (None, None)


@pytest.mark.parametrize(
    ("table", "level", "message"),
    [
        ([[1, 2]], "binary", "level must be one of nominal, ordinal, interval, ratio"),
        ([1, 2], "nominal", "annotators by units"),
        ([[1, float("inf")]], "nominal", "finite or NaN"),
    ],
)
def test_what_has_no_alpha_is_refused(table: Any, level: Any, message: str) -> None:
    with pytest.raises(MetricsError, match=message):
        krippendorff_alpha(table, level=level)


@given(st.permutations(range(12)), st.permutations(range(4)))
@settings(deadline=None, max_examples=20)
def test_the_order_of_units_and_annotators_says_nothing(
    units: list[int], annotators: list[int]
) -> None:
    mixed = np.array(CODINGS)[annotators][:, units]
    first, second = (krippendorff_alpha(table, level="ordinal") for table in (CODINGS, mixed))
    assert second.value == pytest.approx(first.value, abs=1e-12)
    assert second.interval.low == pytest.approx(first.interval.low, abs=1e-12)
    assert second.interval.high == pytest.approx(first.interval.high, abs=1e-12)


def test_the_seed_and_the_draws_decide_the_interval() -> None:
    first, again, other = (
        krippendorff_alpha(CODINGS, level="nominal", seed=seed).interval for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert krippendorff_alpha(CODINGS, level="nominal", draws=0).interval is None


# ------------------------------------------------------------------ votes

WORKED = votes_of(
    *[("q1", "ann", 2), ("q1", "bob", 1), ("q1", "cy", 1)],
    *[("q2", "ann", 0), ("q2", "bob", 1)],
    *[("q3", "ann", -1), ("q3", "bob", -2), ("q3", "cy", 0)],
    ("q4", "ann", 1),
)


def test_agreement_of_votes_by_hand() -> None:
    found = agreement(WORKED)
    # pairs: q1 3 of 3, q2 0 of 1, q3 1 of 3
    assert found.percent == pytest.approx(4 / 7)
    assert (found.units, found.votes, found.scale) == (3, 8, 5)
    signs = [[1, 1, 1], [0, 1], [-1, -1, 0]]
    values = [[2, 1, 1], [0, 1], [-1, -2, 0]]
    assert found.alpha_nominal == pytest.approx(plain.alpha(signs, "nominal"))
    assert found.alpha_ordinal == pytest.approx(plain.alpha(values, "ordinal"))
    assert found.alpha_nominal_low <= found.alpha_nominal <= found.alpha_nominal_high


@settings(deadline=None)
@given(plain.tables())
def test_agreement_of_any_votes_is_what_going_through_the_pairs_finds(
    votes: list[plain.Vote],
) -> None:
    units: dict[str, list[float]] = {}
    for vote in plain.counted(votes):
        units.setdefault(vote["query_id"], []).append(vote["preference"])
    signs = [[float(plain.sign(value)) for value in values] for values in units.values()]
    found = agreement(pl.DataFrame(plain.columns(votes), infer_schema_length=None), draws=50)
    for value, expected in (
        (found.alpha_nominal, plain.alpha(signs, "nominal")),
        (found.alpha_ordinal, plain.alpha(list(units.values()), "ordinal")),
    ):
        assert value == (None if expected is None else pytest.approx(expected, abs=1e-9))
    assert found.units == sum(len(values) > 1 for values in signs)


def test_the_level_limits_what_is_computed() -> None:
    found = agreement(WORKED, level="ordinal")
    assert (found.alpha_nominal, found.settings["level"]) == (None, "ordinal")
    assert found.alpha_ordinal is not None
    with pytest.raises(MetricsError, match="level must be nominal or ordinal"):
        agreement(WORKED, level="interval")  # type: ignore[arg-type]


def test_three_points_are_called_three_points() -> None:
    found = agreement(votes_of(("q", "ann", 1), ("q", "bob", 0)))
    assert found.scale == 3
    assert "ordinal (3 points)" in repr(found)


def test_votes_without_overlap_have_no_agreement_and_a_note() -> None:
    found = agreement(votes_of(("q1", "ann", 1), ("q2", "bob", 0)))
    assert (found.units, found.percent, found.alpha_nominal, found.pairs) == (0, None, None, [])
    assert "no query has two votes" in found.note
    assert found.pair_table.num_rows == 0


def test_votes_that_all_say_the_same_have_no_alpha_and_a_note() -> None:
    found = agreement(votes_of(("q", "ann", 1), ("q", "bob", 1)))
    assert (found.percent, found.alpha_nominal) == (1.0, None)
    assert found.note.startswith("no alpha")


def test_agreement_reads_as_json() -> None:
    document = json.loads(agreement(WORKED).to_json())
    assert document["pairs"][0]["annotator_a"] == "ann"
    assert document["annotators"][0]["votes"] == 4
    assert document["alpha_ordinal"] == pytest.approx(agreement(WORKED).alpha_ordinal)


# ------------------------------------------------------------------ pairs


def kappa_by_hand(table: np.ndarray, weights: np.ndarray) -> float:
    """Cohen's kappa from a table of counts and weights of disagreement."""
    total = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / total
    return float(1 - (table * weights).sum() / (expected * weights).sum())


def test_kappa_of_a_pair_by_hand() -> None:
    answers = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 0)] * 10 + [(-1, 1)] * 3 + [(-1, -1)] * 12
    rows = [
        (f"q{place}", who, value)
        for place, pair in enumerate(answers)
        for who, value in zip(("ann", "bob"), pair, strict=True)
    ]
    (pair,) = agreement(votes_of(*rows)).pairs
    table = np.zeros((3, 3))
    for ann, bob in answers:
        table[ann + 1, bob + 1] += 1
    distance = np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    assert (pair.annotator_a, pair.annotator_b, pair.shared) == ("ann", "bob", 50)
    assert pair.percent == pytest.approx(42 / 50)
    assert pair.kappa == pytest.approx(kappa_by_hand(table, distance > 0))
    assert pair.weighted_kappa == pytest.approx(kappa_by_hand(table, distance))


def test_linear_weights_go_by_the_distance_of_preferences() -> None:
    answers = [(2, 1), (-2, -1), (2, 2), (-2, -2), (2, -2), (1, 2)]
    rows = [
        (f"q{place}", who, value)
        for place, pair in enumerate(answers)
        for who, value in zip(("ann", "bob"), pair, strict=True)
    ]
    (pair,) = agreement(votes_of(*rows)).pairs
    table = np.zeros((5, 5))
    for ann, bob in answers:
        table[ann + 2, bob + 2] += 1
    distance = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    assert pair.weighted_kappa == pytest.approx(kappa_by_hand(table, distance))


def test_a_pair_that_always_says_the_same_has_no_kappa() -> None:
    (pair,) = agreement(votes_of(("q", "ann", 1), ("q", "bob", 1))).pairs
    assert (pair.percent, pair.kappa, pair.weighted_kappa) == (1.0, None, None)


def test_pairs_come_in_alphabetical_order_and_share_a_query() -> None:
    found = agreement(WORKED)
    names = [(pair.annotator_a, pair.annotator_b, pair.shared) for pair in found.pairs]
    assert names == [("ann", "bob", 3), ("ann", "cy", 2), ("bob", "cy", 2)]
    apart = votes_of(("q1", "ann", 1), ("q1", "bob", 1), ("q2", "cy", 1))
    assert len(agreement(apart).pairs) == 1


# ------------------------------------------------------------------ annotators


def test_agreement_with_the_others_counts_pairs_of_votes() -> None:
    found = agreement(WORKED)
    # ann: with bob and cy on q1, not with bob on q2, with bob but not with cy on q3
    assert (person(found, "ann").compared, person(found, "ann").agreement) == (5, 3 / 5)
    assert (person(found, "cy").compared, person(found, "cy").agreement) == (4, 2 / 4)
    assert [row.votes for row in found.annotators] == [4, 3, 2]


def test_putting_a_vote_right_is_not_voting_too_fast() -> None:
    votes = votes_of(
        *[("q1", "ann", 1, 20.0, 1), ("q2", "ann", 1, 1.5, 2), ("q3", "ann", 1, 1.4, 2)],
        names="query_id annotator preference seconds revision",
    )
    ann = person(agreement(votes), "ann")
    assert (ann.votes, ann.median_seconds, ann.too_fast) == (3, 20.0, 0.0)


def test_a_vote_that_was_set_aside_is_compared_but_is_nobodys_measure() -> None:
    votes = votes_of(
        *[("q", "ann", 1, False), ("q", "bob", 1, False), ("q", "cy", -1, True)],
        names="query_id annotator preference set_aside",
    )
    found = agreement(votes)
    assert found.votes == 2
    cy, ann = person(found, "cy"), person(found, "ann")
    assert (cy.votes, cy.set_aside, cy.compared, cy.agreement) == (1, 1, 2, 0.0)
    assert (ann.compared, ann.agreement) == (1, 1.0)
    assert found.left_out == {"set_aside": 1}


def test_gold_is_right_when_the_verdict_is() -> None:
    votes = votes_of(
        *[("g1", "ann", 2, "gold", 1.0), ("g2", "ann", 0, "gold", 0.0)],
        *[("g3", "ann", 1, "gold", -1.0), ("q", "ann", 1, "real", None)],
        names="query_id annotator preference kind gold_preference",
    )
    ann = person(agreement(votes), "ann")
    exact = stats.binomtest(2, 3).proportion_ci(method="exact")
    assert (ann.votes, ann.gold_answered, ann.gold_accuracy) == (1, 3, pytest.approx(2 / 3))
    assert (ann.gold_low, ann.gold_high) == (
        pytest.approx(exact.low), pytest.approx(exact.high),
    )  # fmt: skip


def test_twins_are_compared_with_the_same_persons_first_vote() -> None:
    votes = votes_of(
        *[("q1", "ann", 1, "real", "t1", None), ("q1", "ann", 2, "twin", "t9", "t1")],
        *[("q2", "ann", 1, "real", "t2", None), ("q2", "ann", -1, "twin", "t8", "t2")],
        *[("q3", "bob", 0, "real", "t3", None), ("q3", "ann", 0, "twin", "t7", "t3")],
        names="query_id annotator preference kind task_id twin_of",
    )
    found = agreement(votes)
    # the twin of t3 shows ann something that only bob has seen before
    assert (person(found, "ann").twins, person(found, "ann").self_consistency) == (2, 0.5)
    assert (person(found, "bob").twins, person(found, "bob").self_consistency) == (0, None)


def test_seconds_and_sides_of_an_annotator() -> None:
    votes = votes_of(
        *[("q1", "ann", 1, "left", 2.0), ("q2", "ann", -1, "left", 4.0)],
        *[("q3", "ann", -1, "right", 10.0), ("q4", "ann", 0, "right", 1.0)],
        ("q5", "ann", 1, None, None),
        names="query_id annotator preference treatment_side seconds",
    )
    ann = person(agreement(votes), "ann")
    assert (ann.median_seconds, ann.too_fast) == (3.0, 0.5)
    assert (ann.left_votes, ann.left_share) == (3, pytest.approx(2 / 3))
    assert person(agreement(votes, reading_floor=1.5), "ann").too_fast == 0.25


def test_who_only_did_gold_is_listed() -> None:
    votes = votes_of(
        ("q", "ann", 1, "real"), ("g", "bob", 1, "gold"), names="query_id annotator preference kind"
    )
    bob = person(agreement(votes), "bob")
    assert (bob.votes, bob.gold_answered, bob.agreement) == (0, 0, None)


def test_tables_of_annotators_and_pairs_are_of_the_callers_kind() -> None:
    found = agreement(WORKED.to_pandas())
    assert isinstance(found.annotator_table, pd.DataFrame)
    assert found.pair_table["shared"].tolist() == [3, 2, 2]


# ------------------------------------------------------------------ grades


def grades_of(rows: list[tuple[Any, ...]]) -> pa.Table:
    return votes_of(*rows, names="query_id product_id annotator grade")


def test_grades_are_compared_by_query_and_product() -> None:
    units = {("q1", "p"): [2, 2, 1], ("q1", "r"): [0, 0], ("q2", "p"): [1, 2], ("q2", "s"): [0]}
    rows = [
        (query, product, f"a{place}", grade)
        for (query, product), grades in units.items()
        for place, grade in enumerate(grades)
    ]
    found = grade_agreement(grades_of(rows))
    lists = [list(map(float, grades)) for grades in units.values()]
    assert found.alpha_nominal == pytest.approx(plain.alpha(lists, "nominal"))
    assert found.alpha_ordinal == pytest.approx(plain.alpha(lists, "ordinal"))
    assert (found.units, found.grades, found.annotators) == (3, 7, 3)
    assert found.percent == pytest.approx(2 / 5)


def test_text_grades_have_a_nominal_alpha_only() -> None:
    rows = [("q", "p", "ann", "good"), ("q", "p", "bob", "bad"), ("q", "r", "ann", "bad"),
            ("q", "r", "bob", "bad")]  # fmt: skip
    found = grade_agreement(grades_of(rows))
    assert found.alpha_nominal == pytest.approx(plain.alpha([[1, 0], [0, 0]], "nominal"))
    assert found.alpha_ordinal is None


def test_whole_queries_are_resampled() -> None:
    # one query, however many items, says nothing about other queries
    rows = [("q", f"p{n}", who, n % 2) for n in range(20) for who in ("ann", "bob")]
    rows[0] = ("q", "p0", "ann", 1)
    found = grade_agreement(grades_of(rows))
    assert found.alpha_nominal is not None
    assert found.alpha_nominal_low is None


def test_a_negative_grade_is_no_grade() -> None:
    rows = [("q", "p", "ann", 1), ("q", "p", "bob", -1)]
    assert grade_agreement(grades_of(rows)).units == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("q", "p", "ann", 1), ("q", "p", "ann", 0)], "more than once"),
        ([("q", "p", "", 1)], "empty annotator"),
        ([("q", "p", "ann", None)], "missing or no finite number"),
        ([("q", "p", "ann", float("nan"))], "missing or no finite number"),
    ],
)
def test_grades_that_cannot_be_meant_are_refused(rows: list[Any], message: str) -> None:
    with pytest.raises(MetricsError, match=message):
        grade_agreement(grades_of(rows))
