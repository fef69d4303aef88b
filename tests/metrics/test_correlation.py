"""People against measures: worked figures, a plain implementation, SciPy and scikit-learn."""

from __future__ import annotations

import json
import math
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import plain_correlation as plain
import plain_votes
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from metrics import Correlated, MetricsError, compare_runs, correlate
from metrics.association import Groups, Pairs, auc, kappa, kendall, pearson, snapped, spearman

COEFFICIENTS = ("kendall", "spearman", "pearson", "kappa", "auc")


def votes_of(**preferences: list[int]) -> pa.Table:
    """Votes per query; the first is ann's, the second bob's and so on."""
    people = ["ann", "bob", "cy", "dan"]
    rows = [
        (query, people[at], value)
        for query, values in preferences.items()
        for at, value in enumerate(values)
    ]
    names = ("query_id", "annotator", "preference")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def deltas_of(measure: str = "ndcg", cutoff: int | None = 10, **deltas: float | None) -> pa.Table:
    return pa.table(
        {
            "query_id": list(deltas),
            "measure": [measure] * len(deltas),
            "cutoff": pa.array([cutoff] * len(deltas), pa.int64()),
            "delta": pa.array(list(deltas.values()), pa.float64()),
        }
    )


def simulated(
    queries: int, *, seed: int = 0, people: int = 3, measures: int = 1, step: float = 0.1
) -> tuple[pa.Table, pa.Table]:
    """Votes and differences that share a cause; differences in steps, so that there are ties."""
    rng = np.random.default_rng(seed)
    ids = [f"q{at:05}" for at in range(queries)]
    cause = rng.normal(size=queries)
    votes = np.round(np.clip(cause[:, None] + rng.normal(size=(queries, people)), -1, 1))
    tables = []
    for number in range(measures):
        delta = step * np.round(cause + rng.normal(scale=1 + number, size=queries))
        values = dict(zip(ids, delta.tolist(), strict=True))
        tables.append(deltas_of(f"measure{number}", **values))
    return (
        pa.table(
            {
                "query_id": np.repeat(ids, people),
                "annotator": np.tile([f"a{person}" for person in range(people)], queries),
                "preference": votes.ravel(),
                "type": np.repeat([f"type{at % 3}" for at in range(queries)], people),
            }
        ),
        pa.concat_tables(tables),
    )


def shuffled(table: pa.Table, seed: int = 5) -> pa.Table:
    return table.take(np.random.default_rng(seed).permutation(table.num_rows))


def only(votes: Any, per_query: Any, **settings_: Any) -> Correlated:
    found = correlate(votes, per_query, **settings_)
    assert len(found.rows) == 1
    return found.rows[0]


# ------------------------------------------------------------------ worked by hand

# h = 1, 0, -1, 1/3, and q5: one Good, one Bad, so h = 0 and a tied verdict
VOTES = votes_of(q1=[1, 1], q2=[0], q3=[-1], q4=[1, 0, 0], q5=[1, -1])
DELTAS = deltas_of(q1=0.4, q2=0.1, q3=-0.2, q4=-0.1, q5=0.0)


def test_kendall_of_the_worked_example() -> None:
    # 7 concordant pairs, 2 discordant (q2 q4, q4 q5), and q2 q5 with one h
    assert only(VOTES, DELTAS).kendall == pytest.approx((7 - 2) / math.sqrt(10 * 9))


def test_signs_of_the_worked_example() -> None:
    # decided on both sides: q1 and q3 agree, q4 does not
    row = only(VOTES, DELTAS)
    assert (row.sign_queries, row.sign_agreement) == (3, pytest.approx(2 / 3))


def test_verdicts_of_the_worked_example() -> None:
    # people: Good Same Bad Same Same; Δ: Good Good Bad Bad Same
    row = only(VOTES, DELTAS)
    assert row.confusion == ((1, 0, 0), (1, 1, 1), (0, 0, 1))
    assert (row.good, row.same, row.bad) == (1, 3, 1)
    assert row.agreement == 3 / 5
    # by chance (1·2 + 3·1 + 1·2)/25
    assert row.kappa == pytest.approx((15 / 25 - 7 / 25) / (1 - 7 / 25))


def test_auc_of_the_worked_example() -> None:
    assert only(VOTES, DELTAS).auc == 1.0  # q1 above q3
    assert only(votes_of(q1=[1], q2=[-1]), deltas_of(q1=0.3, q2=0.3)).auc == 0.5


def test_five_queries_have_no_interval_and_no_margin_and_say_so() -> None:
    row = only(VOTES, DELTAS)
    assert [getattr(row, f"{name}_low") for name in COEFFICIENTS] == [None] * 5
    assert (row.margin, row.margin_agreement) == (None, None)
    assert row.note == "no interval: fewer than 10 queries"
    assert row.sign_low is not None  # Wilson's needs no bootstrap


def test_per_query_shows_both_sides() -> None:
    table = correlate(VOTES, DELTAS).per_query
    assert table.to_pylist()[3] == {
        "query_id": "q4", "measure": "ndcg", "cutoff": 10, "delta": -0.1,
        "preference": pytest.approx(1 / 3), "votes": 3, "good": 1, "same": 2, "bad": 0,
        "verdict": 0, "automated": -1,
    }  # fmt: skip


def test_a_five_point_scale_keeps_how_much_better() -> None:
    found = correlate(votes_of(q1=[2, 1], q2=[-2], q3=[0]), DELTAS)
    assert found.human["scale"] == 5
    assert found.points("ndcg", 10)["preference"] == [1.5, -2.0, 0.0]
    assert correlate(VOTES, DELTAS).human["scale"] == 3


# ------------------------------------------------------------------ against other implementations

columns = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 4)), min_size=2, max_size=30
)


@settings(deadline=None)
@given(columns)
def test_weighted_coefficients_are_scipys_of_repeated_rows(rows: list[tuple[int, ...]]) -> None:
    x, y, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    many = np.stack([weights, np.ones(len(rows)), weights[::-1]], axis=1)
    pairs = Pairs(x, y)
    found = [kendall(pairs, many), spearman(pairs, many), pearson(pairs, many)]
    functions = (stats.kendalltau, stats.spearmanr, stats.pearsonr)
    for draw, weight in enumerate(many.T):
        of_x, of_y = (np.repeat(column, weight.astype(int)) for column in (x, y))
        for ours, theirs in zip(found, functions, strict=True):
            if len(set(of_x)) > 1 and len(set(of_y)) > 1:
                assert ours[draw] == pytest.approx(theirs(of_x, of_y)[0], abs=1e-9)
            else:
                assert np.isnan(ours[draw])


@settings(deadline=None)
@given(columns)
def test_weighted_kappa_and_auc_are_sklearns_of_repeated_rows(rows: list[tuple[int, ...]]) -> None:
    x, y, weights = (np.array(column, dtype=int) for column in zip(*rows, strict=True))
    one, other, many = np.sign(x), np.sign(y), weights[:, None].astype(float)
    ours_kappa = kappa(one, other, many)[0]
    ours_auc = auc(Groups.of(y.astype(float)), one > 0, one < 0, many)[0]
    one, other, y = (np.repeat(column, weights) for column in (one, other, y))
    if len(one) and len(set(one) | set(other)) > 1:
        assert ours_kappa == pytest.approx(cohen_kappa_score(one, other), abs=1e-9)
    else:
        assert np.isnan(ours_kappa)
    decided = one != 0
    if {-1, 1} <= set(one):
        theirs = roc_auc_score(one[decided] > 0, y[decided])
        assert ours_auc == pytest.approx(theirs, abs=1e-9)
    else:
        assert np.isnan(ours_auc)


@settings(deadline=None, max_examples=60)
@given(plain_votes.tables(), st.data())
def test_every_figure_is_what_plain_counting_finds(
    votes: list[plain_votes.Vote], data: st.DataObject
) -> None:
    values = st.one_of(st.none(), st.sampled_from([-0.3, -0.1, 0.0, 0.1, 0.3, 0.1 + 0.2]))
    delta = {query: data.draw(values) for query in plain_votes.QUERIES}
    signs = {query: found for query, found in plain_votes.by_query(votes).items() if found}
    shared = sorted(query for query in signs if delta[query] is not None)
    if not shared:
        return
    counted = plain_votes.counted(votes)
    said = [plain_votes.majority(signs[query]) for query in shared]
    human = []
    for query in shared:
        given_ = [vote["preference"] for vote in counted if vote["query_id"] == query]
        human.append(sum(given_) / len(given_))
    of = [delta[query] or 0.0 for query in shared]
    found = [plain.sign(value) for value in of]
    row = only(pa.table(plain_votes.columns(votes)), deltas_of(**delta), draws=0)
    expected = {
        "kendall": plain.kendall(human, of),
        "spearman": plain.spearman(human, of),
        "pearson": plain.pearson(human, of),
        "kappa": plain.kappa(said, found),
        "auc": plain.auc(said, of),
    }
    for name, value in expected.items():
        ours = getattr(row, name)
        assert ours == (None if value is None else pytest.approx(value, abs=1e-9)), name
    assert [list(counts) for counts in row.confusion] == plain.confusion(said, found)
    assert row.queries == len(shared)
    signs_ = [(plain.sign(h), d) for h, d in zip(human, found, strict=True) if plain.sign(h) and d]
    assert row.sign_queries == len(signs_)
    if signs_:
        assert row.sign_agreement == sum(a == b for a, b in signs_) / len(signs_)


@pytest.mark.parametrize("queries", [2_000, 12_000])
def test_many_queries_have_the_coefficients_of_scipy(queries: int) -> None:
    rng = np.random.default_rng(queries)
    x = rng.normal(size=queries)
    for y in (x + rng.normal(size=queries), np.round(x + rng.normal(size=queries))):
        one = np.ones((queries, 1))
        assert kendall(Pairs(x, y), one)[0] == pytest.approx(stats.kendalltau(x, y)[0], abs=1e-12)
        assert kendall(Pairs(y, x), one)[0] == pytest.approx(stats.kendalltau(x, y)[0], abs=1e-12)


def test_intervals_have_the_standard_errors_of_scipys_bootstrap() -> None:
    votes, deltas = simulated(120)
    found = correlate(votes, deltas, draws=4_000)
    points, row = found.points("measure0", 10), found.rows[0]
    h, delta, said = (
        snapped(np.array(points[name], dtype=float)) for name in ("preference", "delta", "verdict")
    )

    def area(values: np.ndarray, verdicts: np.ndarray) -> float:
        return roc_auc_score(verdicts[verdicts != 0] > 0, values[verdicts != 0])

    functions: dict[str, Any] = {
        "kendall": (h, delta, lambda x, y: stats.kendalltau(x, y)[0]),
        "spearman": (h, delta, lambda x, y: stats.spearmanr(x, y)[0]),
        "pearson": (h, delta, lambda x, y: stats.pearsonr(x, y)[0]),
        "kappa": (said, delta, lambda x, y: cohen_kappa_score(x, np.sign(y))),
        "auc": (delta, said, area),
    }
    t = stats.t.ppf(0.975, 119)
    for name, (x, y, function) in functions.items():
        error = stats.bootstrap(
            (x, y), function, paired=True, vectorized=False, n_resamples=800, method="percentile",
            rng=np.random.default_rng(1),
        ).standard_error  # fmt: skip
        point, ends = (
            getattr(row, name),
            (getattr(row, f"{name}_low"), getattr(row, f"{name}_high")),
        )
        if name == "auc":
            middle, half = math.log(point / (1 - point)), t * error / (point * (1 - point))
            expected = [1 / (1 + math.exp(-(middle + side * half))) for side in (-1, 1)]
        else:
            expected = [
                math.tanh(math.atanh(point) + side * t * error / (1 - point**2)) for side in (-1, 1)
            ]
        # three Monte-Carlo errors of a standard error from 800 resamples are 7.5% of it
        assert ends == pytest.approx(expected, abs=0.08 * t * error), name


def test_a_wider_confidence_has_the_wider_interval() -> None:
    votes, deltas = simulated(80)
    narrow, wide = (only(votes, deltas, confidence=level) for level in (0.8, 0.99))
    for name in COEFFICIENTS:
        assert getattr(wide, f"{name}_low") < getattr(narrow, f"{name}_low") < getattr(wide, name)
        assert getattr(wide, f"{name}_high") > getattr(narrow, f"{name}_high") > getattr(wide, name)


# ------------------------------------------------------------------ what must not matter


def test_the_order_of_rows_changes_no_byte() -> None:
    votes, deltas = simulated(60, measures=2)
    first = correlate(votes, deltas, by=["type"]).to_json()
    assert correlate(shuffled(votes), shuffled(deltas), by=["type"]).to_json() == first


def test_another_measure_changes_no_row_of_this_one() -> None:
    votes, deltas = simulated(60, measures=2)
    both = correlate(votes, deltas)
    assert correlate(votes, deltas, measures=["measure1"]).rows[0] == both.rows[1]


def test_a_monotone_transformation_changes_no_rank_figure() -> None:
    votes, deltas = simulated(60)
    bent = deltas.set_column(3, "delta", pa.array(np.sinh(20 * deltas["delta"].to_numpy())))
    before, after = only(votes, deltas), only(votes, bent)
    for name in ("kendall", "spearman", "auc", "kappa"):
        for end in ("", "_low", "_high"):
            assert getattr(after, name + end) == pytest.approx(
                getattr(before, name + end), abs=1e-12
            )
    assert after.pearson != pytest.approx(before.pearson, abs=0.01)


def negated(table: pa.Table, column: str) -> pa.Table:
    at = table.column_names.index(column)
    return table.set_column(at, column, pa.array(-table[column].to_numpy()))


def test_exchanging_control_and_treatment_on_both_sides_changes_no_coefficient() -> None:
    votes, deltas = simulated(60)
    row = only(votes, deltas)
    swapped = only(negated(votes, "preference"), negated(deltas, "delta"))
    for name in (*COEFFICIENTS, "sign_agreement", "agreement", "margin", "margin_agreement"):
        assert getattr(swapped, name) == pytest.approx(getattr(row, name), abs=1e-12), name
    assert (swapped.good, swapped.bad) == (row.bad, row.good)
    assert swapped.confusion == tuple(counts[::-1] for counts in row.confusion[::-1])


def test_exchanging_them_on_one_side_flips_the_sign() -> None:
    votes, deltas = simulated(60)
    row, swapped = only(votes, deltas), only(votes, negated(deltas, "delta"))
    for name in ("kendall", "spearman", "pearson"):
        assert getattr(swapped, name) == pytest.approx(-getattr(row, name), abs=1e-12)
        assert getattr(swapped, f"{name}_low") == pytest.approx(
            -getattr(row, f"{name}_high"), abs=0.03
        )
    assert swapped.auc == pytest.approx(1 - row.auc, abs=1e-12)
    assert swapped.sign_agreement == pytest.approx(1 - row.sign_agreement, abs=1e-12)


def test_floating_point_noise_is_a_tie() -> None:
    votes = votes_of(q1=[1], q2=[0], q3=[-1])
    noisy = only(votes, deltas_of(q1=0.1 + 0.2, q2=0.3, q3=1e-13))
    clean = only(votes, deltas_of(q1=0.3, q2=0.3, q3=0.0))
    assert noisy.kendall == clean.kendall
    assert noisy.confusion == clean.confusion


def test_the_seed_moves_intervals_and_no_point() -> None:
    votes, deltas = simulated(60)
    first, second = only(votes, deltas, seed=1), only(votes, deltas, seed=2)
    assert first.kendall == second.kendall
    assert first.kendall_low != second.kendall_low
    assert first == only(votes, deltas, seed=1)


# ------------------------------------------------------------------ what does not exist


def test_people_of_one_opinion_correlate_with_nothing() -> None:
    votes = votes_of(**{f"q{at}": [1] for at in range(12)})
    row = only(votes, deltas_of(**{f"q{at}": at / 10 for at in range(12)}))
    assert [getattr(row, name) for name in ("kendall", "spearman", "pearson")] == [None] * 3
    assert (row.kappa, row.auc) == (0.0, None)
    assert row.note == (
        "no correlation: people's preferences are all equal; no AUC: people call no query Bad; "
        "κ is 0 because people always say Good"
    )


def test_a_measure_that_never_moves_correlates_with_nobody() -> None:
    votes = votes_of(**{f"q{at}": [(-1) ** at] for at in range(24)})
    row = only(votes, deltas_of(**{f"q{at}": 0.0 for at in range(24)}))
    assert (row.kendall, row.kendall_low, row.sign_agreement) == (None, None, None)
    assert (row.auc, row.auc_low) == (0.5, None)
    assert row.note == ("no correlation: the Δ are all equal; κ is 0 because Δ always says Same")


def test_both_always_saying_the_same_have_no_kappa() -> None:
    votes = votes_of(**{f"q{at}": [0] for at in range(12)})
    row = only(votes, deltas_of(**{f"q{at}": 0.0 for at in range(12)}))
    assert (row.kappa, row.agreement) == (None, 1.0)
    assert "no κ: both sides always say the same" in row.note


def test_a_perfect_order_has_no_interval_rather_than_one_without_width() -> None:
    votes = votes_of(**{f"q{at}": [(at > 12) - (at < 12)] for at in range(25)})
    row = only(votes, deltas_of(**{f"q{at}": float((at > 12) - (at < 12)) for at in range(25)}))
    assert (row.kendall, row.kendall_low, row.kendall_high) == (1.0, None, None)
    assert "no interval of τ-b, ρ, r, κ, AUC: no resample changes it" in row.note


def test_few_good_or_bad_queries_have_an_auc_without_interval() -> None:
    votes = votes_of(**{f"q{at}": [1 if at < 3 else -1] for at in range(30)})
    row = only(votes, deltas_of(**{f"q{at}": (at * 7 % 11) / 10 for at in range(30)}))
    assert row.auc is not None
    assert (row.auc_low, row.auc_high) == (None, None)
    assert "no interval of AUC: fewer than 10 Good or 10 Bad queries" in row.note


@pytest.mark.parametrize("moved", [9, 10, 19, 20])
@pytest.mark.parametrize("of", ["Δ", "people's preference"])
def test_an_interval_needs_queries_on_which_something_moves(of: str, moved: int) -> None:
    """200 queries of which 9 move say as little as 9 queries do."""
    rng = np.random.default_rng(5)
    few = [int(at < moved) for at in rng.permutation(200)]
    many = rng.integers(-1, 2, 200).tolist()
    said, found = (many, few) if of == "Δ" else (few, many)
    row = only(
        votes_of(**{f"q{at}": [value] for at, value in enumerate(said)}),
        deltas_of(**{f"q{at}": float(value) for at, value in enumerate(found)}),
    )
    assert (row.kendall_low is None) == (moved < 10)
    assert (f"fewer than 10 queries {of} is another than on most" in row.note) == (moved < 10)
    assert (f"on fewer than 20 queries {of}" in row.note) == (10 <= moved < 20)


def test_a_difference_on_one_query_has_no_interval() -> None:
    votes = votes_of(**{f"q{at}": [(-1) ** at] for at in range(40)})
    row = only(votes, deltas_of(**{f"q{at}": float(at == 0) for at in range(40)}))
    assert (row.kendall_low, row.pearson_low) == (None, None)


def test_one_query_has_nothing_to_correlate() -> None:
    row = only(votes_of(q1=[1]), deltas_of(q1=0.5))
    assert (row.queries, row.kendall, row.agreement, row.sign_low) == (1, None, 1.0, None)


def test_no_draws_have_no_bootstrap_interval_and_the_same_figures() -> None:
    votes, deltas = simulated(40)
    without, with_ = only(votes, deltas, draws=0), only(votes, deltas)
    assert without.kendall_low is None
    assert without.kendall == with_.kendall
    assert without.sign_low == with_.sign_low


# ------------------------------------------------------------------ the margin


def test_the_margin_that_people_use_is_found_by_both_halves() -> None:
    rng = np.random.default_rng(3)
    delta = {f"q{at:03}": float(value) for at, value in enumerate(rng.integers(-5, 6, 300) / 10)}
    # people see no difference up to 0.2
    votes = votes_of(**{query: [plain.sign(d) * (abs(d) > 0.21)] for query, d in delta.items()})
    row = only(votes, deltas_of(**delta))
    assert (row.margin, row.margin_other) == (0.2, 0.2)
    assert row.margin_agreement == 1.0
    zero = sum(not 0 < abs(value) < 0.21 for value in delta.values()) / 300
    assert row.margin_agreement_at_zero == row.agreement == pytest.approx(zero)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([-0.3, -0.1, 0.0, 0.1, 0.2])),
        min_size=10,
        max_size=30,
    ),
    st.integers(0, 3),
)
def test_margins_are_what_trying_all_of_them_finds(
    rows: list[tuple[int, float]], seed: int
) -> None:
    said, delta = [row[0] for row in rows], [row[1] for row in rows]
    ids = [f"q{at:02}" for at in range(len(rows))]
    votes = votes_of(**{query: [vote] for query, vote in zip(ids, said, strict=True)})
    row = only(votes, deltas_of(**dict(zip(ids, delta, strict=True))), seed=seed, draws=0)
    mixed = np.random.default_rng(seed).permutation(len(rows))
    halves = [mixed[: len(rows) // 2], mixed[len(rows) // 2 :]]
    parts = [([said[at] for at in half], [delta[at] for at in half]) for half in halves]
    first, second = (plain.best_margin(*part) for part in parts)
    assert (row.margin, row.margin_other) == (first, second)
    met = plain.agreement(*parts[0], second) + plain.agreement(*parts[1], first)
    assert row.margin_agreement == pytest.approx(met / len(rows))


def test_a_margin_beyond_every_difference_is_pointed_out() -> None:
    votes = votes_of(**{f"q{at}": [0] if at else [1] for at in range(20)})
    row = only(votes, deltas_of(**{f"q{at}": (-1) ** at / 10 for at in range(20)}))
    assert row.margin == row.margin_other == 0.1
    assert "at the margins chosen, Δ calls every query Same" in row.note


# ------------------------------------------------------------------ which queries

KINDS = pa.table(
    {
        "query_id": ["q1", "q2", "q3", "q4", "q4", "q5", "q6", "q7"],
        "annotator": ["ann", "ann", "ann", "ann", "bob", "ann", "ann", None],
        "preference": [1, -1, 0, 1, -1, 1, 1, 0],
        "kind": ["real", "real", "real", "real", "gold", "practice", "real", "automatic"],
        "set_aside": [False] * 6 + [True, False],
    }
)


def test_only_votes_that_count_are_compared() -> None:
    found = correlate(KINDS, deltas_of(q1=0.1, q2=-0.1, q3=0, q4=0.2, q5=1, q6=1, q7=1, q9=1))
    assert found.per_query["query_id"].to_pylist() == ["q1", "q2", "q3", "q4"]
    assert found.rows[0].confusion == ((1, 0, 0), (0, 1, 0), (0, 0, 2))
    assert found.human == {
        "votes": 4, "queries": 4, "annotators": 1, "automatic": 1, "scale": 3,
    }  # fmt: skip
    assert found.left_out == {"gold": 1, "practice": 1, "set_aside": 1}


def test_queries_of_one_side_are_counted() -> None:
    found = correlate(KINDS, deltas_of(q1=0.1, q2=-0.1, q5=1, q6=1, q7=1, q8=0.5, q9=1))
    assert found.warnings == [
        "1 query has identical lists and so no vote of a person: left out.",
        "1 query has votes, but none that counts: left out.",
        "2 queries have votes, but no Δ ('q3', 'q4'): left out.",
        "3 queries have a Δ, but no votes ('q5', 'q8', 'q9'): left out.",
    ]


def test_a_missing_difference_leaves_the_query_out_of_that_measure_only() -> None:
    deltas = pa.concat_tables(
        [deltas_of("ndcg", q1=0.1, q2=None, q3=0.2), deltas_of("recall", q1=0.1, q2=0.3, q3=0.2)]
    )
    found = correlate(votes_of(q1=[1], q2=[0], q3=[-1]), deltas)
    assert [row.queries for row in found.rows] == [2, 3]
    assert found.rows[0].note.startswith("no Δ on 1 of the queries")
    assert [row.queries for row in found.ranking] == [2, 2]
    assert found.warnings == [
        "The ranking is over the 2 of 3 queries on which every measure has a Δ."
    ]


def test_a_measure_without_any_difference_keeps_its_row() -> None:
    deltas = pa.concat_tables(
        [deltas_of("ndcg", q1=None, q2=None), deltas_of("mrr", None, q1=1, q2=0)]
    )
    found = correlate(votes_of(q1=[1], q2=[0]), deltas)
    assert [(row.measure, row.queries, row.note) for row in found.rows[:1]] == [
        ("ndcg", 0, "no query with votes has a Δ of it")
    ]
    assert [row.measure for row in found.ranking] == ["mrr"]


def test_no_query_in_common_is_refused_with_examples_of_both() -> None:
    with pytest.raises(MetricsError) as refused:
        correlate(VOTES, deltas_of(**{f"query-{at}": 0.1 for at in range(5)}))
    assert str(refused.value) == (
        "votes and per-query table share no query: people voted on 'q1', 'q2', 'q3', …, the table "
        "has 'query-0', 'query-1', 'query-2', …; are they of the same query set?"
    )


def test_segments_come_from_the_table_or_else_from_the_votes() -> None:
    votes, deltas = simulated(60)
    of_votes = correlate(votes, deltas, by=["type"])
    assert [row.segment for row in of_votes.rows] == [
        {}, {"type": "type0"}, {"type": "type1"}, {"type": "type2"},
    ]  # fmt: skip
    assert [row.queries for row in of_votes.rows] == [60, 20, 20, 20]
    types = [f"type{int(query[1:]) % 3}" for query in deltas["query_id"].to_pylist()]
    of_table = correlate(
        votes.drop(["type"]), deltas.append_column("type", pa.array(types)), by=["type"]
    )
    assert of_table.to_json() == of_votes.to_json()


def test_queries_of_one_side_do_not_shift_the_segments_of_others() -> None:
    deltas = deltas_of(a=0.5, b=0.0, q2=0.1, q3=0.2)
    deltas = deltas.append_column("shop", pa.array(["x", "x", "y", "z"]))
    assert correlate(VOTES, deltas, by=["shop"]).per_query["shop"].to_pylist() == ["y", "z"]
    of_votes = votes_of(q2=[0], q3=[-1]).append_column("shop", pa.array(["y", "z"]))
    found = correlate(of_votes, deltas.drop(["shop"]), by=["shop"])
    assert found.per_query["shop"].to_pylist() == ["y", "z"]


def test_a_segment_is_what_its_queries_alone_give() -> None:
    votes, deltas = simulated(90)
    row = correlate(votes, deltas, by=["type"]).rows[2]
    kept = votes.filter(pa.compute.equal(votes["type"], "type1"))
    assert correlate(kept, deltas).rows[0].to_dict() == {**row.to_dict(), "segment": {}}


def test_numbers_and_missing_values_are_segments_in_order() -> None:
    deltas = deltas_of(q1=0.1, q2=0.2, q3=0.3, q4=-0.1).append_column(
        "length", pa.array([10, 9, None, 9])
    )
    found = correlate(VOTES, deltas, by=["length"])
    assert [row.segment for row in found.rows] == [
        {},
        {"length": 9},
        {"length": 10},
        {"length": None},
    ]
    assert found.points("ndcg", 10, segment={"length": 9})["query_id"] == ["q2", "q4"]


def test_measures_and_cutoffs_can_be_chosen() -> None:
    there = [("zeal", 10), ("ndcg", 20), ("ndcg", 5), ("mrr", None), ("item_goodrate", 5)]
    deltas = pa.concat_tables([deltas_of(*figure, q1=0.1, q2=0.0) for figure in there])
    votes = votes_of(q1=[1], q2=[0])

    def figures(**chosen: Any) -> list[tuple[str, int | None]]:
        return [(row.measure, row.cutoff) for row in correlate(votes, deltas, **chosen).rows]

    assert figures() == [
        ("item_goodrate", 5), ("ndcg", 5), ("ndcg", 20), ("mrr", None), ("zeal", 10),
    ]  # fmt: skip
    assert figures(measures=["mrr", "ndcg"]) == [("mrr", None), ("ndcg", 5), ("ndcg", 20)]
    assert figures(cutoffs=[20]) == [("ndcg", 20), ("mrr", None)]


# ------------------------------------------------------------------ the ranking


def test_measures_are_ranked_by_how_well_they_predict() -> None:
    votes, deltas = simulated(200, measures=3)
    found = correlate(votes, deltas)
    taus = {row.measure: row.kendall for row in found.rows}
    assert [row.measure for row in found.ranking] == sorted(taus, key=lambda name: -taus[name])
    best, *others = found.ranking
    assert (best.behind, best.behind_low) == (0.0, None)
    for row in others:
        assert row.behind == pytest.approx(best.kendall - row.kendall)
        assert row.behind_low < row.behind < row.behind_high


def test_a_difference_of_alike_measures_is_surer_than_either() -> None:
    votes, deltas = simulated(150)
    rng = np.random.default_rng(0)
    noise = 0.1 * (rng.random(deltas.num_rows) < 0.1)
    other = deltas.set_column(1, "measure", pa.array(["twin"] * deltas.num_rows))
    other = other.set_column(3, "delta", pa.array(other["delta"].to_numpy() + noise))
    found = correlate(votes, pa.concat_tables([deltas, other]))
    behind, row = found.ranking[1], found.rows[0]
    assert behind.behind_high - behind.behind_low < (row.kendall_high - row.kendall_low) / 2


def test_measures_of_few_queries_are_ranked_without_intervals() -> None:
    votes, deltas = simulated(9, measures=2)
    second = correlate(votes, deltas).ranking[1]
    assert second.behind > 0
    assert (second.behind_low, second.behind_high) == (None, None)


def test_equal_measures_are_behind_by_nothing() -> None:
    votes, deltas = simulated(50)
    twin = deltas.set_column(1, "measure", pa.array(["twin"] * deltas.num_rows))
    second = correlate(votes, pa.concat_tables([deltas, twin])).ranking[1]
    assert (second.behind, second.behind_low, second.behind_high) == (0.0, None, None)


def test_a_constant_measure_comes_last() -> None:
    votes, deltas = simulated(50)
    flat = deltas.set_column(1, "measure", pa.array(["flat"] * 50))
    flat = flat.set_column(3, "delta", pa.array(np.zeros(50)))
    last = correlate(votes, pa.concat_tables([flat, deltas])).ranking[-1]
    assert (last.measure, last.kendall, last.behind) == ("flat", None, None)


# ------------------------------------------------------------------ frames and results


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "duckdb", "pyarrow"])
def test_every_kind_of_frame_gives_the_same_bytes_and_gets_its_own_kind_back(kind: str) -> None:
    votes, deltas = simulated(30)
    connection = duckdb.connect()
    make: dict[str, Any] = {
        "pandas": lambda table: table.to_pandas(),
        "polars": pl.from_arrow,
        "lazy": lambda table: pl.from_arrow(table).lazy(),
        "duckdb": lambda table: connection.from_arrow(table),
        "pyarrow": lambda table: table,
    }
    found = correlate(make[kind](votes), make[kind](deltas), by=["type"])
    assert found.to_json() == correlate(votes, deltas, by=["type"]).to_json()
    assert type(found.per_query) is type(make[kind](votes))
    assert type(found.table) is type(make[kind](votes))


def test_frames_of_two_libraries_may_meet() -> None:
    votes, deltas = simulated(30)
    found = correlate(votes.to_pandas(), pl.from_arrow(deltas))
    assert found.to_json() == correlate(votes, deltas).to_json()
    assert isinstance(found.per_query, pd.DataFrame)


def test_numbers_as_ids_meet_the_same_ids_as_text() -> None:
    votes = pd.DataFrame({"query_id": [1, 2], "annotator": "ann", "preference": [1, 0]})
    assert correlate(votes, deltas_of(**{"1": 0.1, "2": 0.0})).rows[0].queries == 2


def test_measures_of_whole_lists_need_no_cutoff_column() -> None:
    row = only(VOTES, DELTAS.drop(["cutoff"]))
    assert (row.cutoff, row.kendall) == (None, only(VOTES, DELTAS).kendall)


def test_the_table_of_a_comparison_is_what_correlate_takes() -> None:
    def run(*items: tuple[str, str]) -> pd.DataFrame:
        table = pd.DataFrame(items, columns=["query_id", "product_id"])
        return table.assign(rank=table.groupby("query_id").cumcount() + 1)

    judgments = pd.DataFrame(
        {"query_id": ["q1", "q1", "q2", "q2"], "product_id": list("abab"), "grade": [1, 0, 1, 0]}
    )
    compared = compare_runs(
        run(("q1", "b"), ("q2", "a")), run(("q1", "a"), ("q2", "b")), judgments, cutoffs=(1,),
        measures=("item_goodrate", "mrr"),
    )  # fmt: skip
    found = correlate(votes_of(q1=[1], q2=[-1]), compared.per_query)
    assert [(row.measure, row.cutoff, row.kendall) for row in found.rows] == [
        ("item_goodrate", 1, 1.0), ("mrr", None, 1.0),
    ]  # fmt: skip


def test_the_document_has_every_key_and_no_number_that_json_lacks() -> None:
    votes, deltas = simulated(40, measures=2)
    found = correlate(votes, deltas, by=["type"], seed=7, draws=200)
    document = json.loads(found.to_json())
    assert list(document) == ["settings", "human", "left_out", "warnings", "results", "ranking"]
    assert document["settings"] == {
        "by": ["type"], "measures": ["measure0", "measure1"], "cutoffs": [10],
        "confidence": 0.95, "draws": 200, "seed": 7,
    }  # fmt: skip
    assert document == found.to_dict()
    assert {len(row) for row in document["results"]} == {33}
    assert document["results"][0]["confusion"] == [list(row) for row in found.rows[0].confusion]
    assert list(document["ranking"][0]) == [
        "measure", "cutoff", "queries", "kendall", "behind", "behind_low", "behind_high",
    ]  # fmt: skip


def test_the_table_spells_out_the_confusion() -> None:
    row = correlate(VOTES, DELTAS).table.to_pylist()[0]
    assert (row["segment"], row["confusion_same_good"], row["confusion_good_bad"]) == ("all", 1, 0)
    assert "confusion" not in row


def test_a_prompt_shows_the_figures_and_the_warnings() -> None:
    found = correlate(KINDS, deltas_of(q1=0.1, q2=-0.1, q3=0, q4=0.2))
    text = repr(found)
    assert text.splitlines()[0].split()[:4] == ["measure", "segment", "queries", "tau-b"]
    assert "ndcg@10  all" in text
    assert "! 1 query has identical lists" in text
    assert "<td>ndcg@10</td>" in found._repr_html_()


# ------------------------------------------------------------------ refused


def with_column(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, pa.array(values))
    return table.append_column(name, pa.array(values))


@pytest.mark.parametrize(
    ("deltas", "message"),
    [
        (DELTAS.drop(["delta"]), "column 'delta' not found in the per-query table"),
        (DELTAS.rename_columns(["query_id", "measure", "cutoff", "value"]), "of single runs"),
        (DELTAS.drop(["measure"]), "column 'measure' not found"),
        (DELTAS.slice(0, 0), "the per-query table has no rows"),
        (pa.concat_tables([DELTAS, DELTAS]), "has query 'q1', ndcg@10 twice; keep those of one"),
        (with_column(DELTAS, "query_id", ["q1", "", "q3", "q4", "q5"]), "holds an empty query_id"),
        (with_column(DELTAS, "measure", ["a", None, "c", "d", "e"]), "holds an empty measure"),
        (with_column(DELTAS, "delta", [1.0, 2, float("inf"), 1, 1]), "'q3', ndcg@10: delta is not"),
        (with_column(DELTAS, "delta", list("abcde")), "delta of the per-query table holds no numb"),
        (with_column(DELTAS, "cutoff", list("abcde")), "cutoff of the per-query table holds no nu"),
        (with_column(DELTAS, "cutoff", [10, 2.5, 1, 1, 1]), "'q2', ndcg@2.5: a cutoff is a whole"),
        (with_column(DELTAS, "delta", [None] * 5), "no query with votes has a Δ of the measures"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(deltas: pa.Table, message: str) -> None:
    with pytest.raises(MetricsError, match=message):
        correlate(VOTES, deltas)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"measures": ["mrr"]}, "measure 'mrr' is not in the per-query table; it has: ndcg"),
        ({"measures": []}, "no measure is asked for"),
        ({"cutoffs": [5]}, "cutoff 5 is not in the per-query table; it has: 10"),
        ({"by": ["shop"]}, "column 'shop' not found in votes"),
        ({"by": ["delta"]}, "column 'delta' cannot be a segment"),
        ({"by": ["type", "type"]}, "segments are named twice"),
        ({"draws": -1}, "draws must be 0 or more, not -1"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(MetricsError, match=message):
        correlate(VOTES, DELTAS, **settings_)


def test_votes_of_nobody_are_refused() -> None:
    votes = pa.table({"query_id": ["q1"], "annotator": [None], "preference": [0],
                      "kind": ["automatic"]})  # fmt: skip
    with pytest.raises(MetricsError, match="no vote of a person counts"):
        correlate(votes, DELTAS)


def test_a_query_with_two_values_of_a_segment_is_refused() -> None:
    deltas = pa.concat_tables([DELTAS, with_column(DELTAS, "measure", ["mrr"] * 5)])
    deltas = deltas.append_column("shop", pa.array(["a"] * 9 + ["b"]))
    with pytest.raises(MetricsError, match="query 'q5' has several values of 'shop'"):
        correlate(VOTES, deltas, by=["shop"])


def test_points_of_what_is_not_there_are_refused() -> None:
    found = correlate(VOTES, DELTAS)
    with pytest.raises(MetricsError, match="mrr was not correlated; there are: ndcg@10"):
        found.points("mrr")
    with pytest.raises(MetricsError, match="'shop' is no segment column; there are: none"):
        found.points("ndcg", 10, segment={"shop": "a"})
    with pytest.raises(TypeError, match="the per-query table must be a data frame"):
        correlate(VOTES, [1, 2])
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        correlate(VOTES, DELTAS, confidence=95)
