"""Looking every day: the e-value and the confidence sequences, by hand and under peeking."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import plain_votes as plain
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from scipy import integrate, optimize, special, stats

from metrics import MetricsError, sequential_gsb, votes_to_decide
from metrics.sequential import mean_sequence, win_rate_sequence


def study(
    signs: list[int], *, people: int = 1, positions: list[int] | None = None, **more: list[Any]
) -> pa.Table:
    """A query for each sign, everybody of one opinion."""
    rows = [(f"q{place:05}", f"a{who}") for place in range(len(signs)) for who in range(people)]
    return pa.table(
        {
            "query_id": [query for query, _ in rows],
            "annotator": [who for _, who in rows],
            "preference": np.repeat(signs, people),
            "position": np.repeat(positions or list(range(len(signs))), people),
            **more,
        }
    )


# ------------------------------------------------------------------ the win rate


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 0), (7, 2), (30, 10), (12, 40)])
def test_the_e_value_is_the_likelihood_ratio_mixed_over_a_beta(won: int, lost: int) -> None:
    def ratio(p: float) -> float:
        return float(stats.beta.pdf(p, 10, 10) * (2 * p) ** won * (2 * (1 - p)) ** lost)

    expected, _ = integrate.quad(ratio, 0, 1)
    found = sequential_gsb(study([1] * won + [-1] * lost + [0]))
    assert found.e_value == pytest.approx(expected, rel=1e-6)
    assert (found.wins, found.losses, found.queries) == (won, lost, won + lost + 1)


def test_the_sequence_holds_the_win_rates_that_the_mixture_does_not_reject() -> None:
    def rejected(p: float) -> float:
        """Log of the likelihood of the mixture over that of p, less log 20."""
        mixed = stats.betabinom.logpmf(30, 40, 10, 10) - stats.binom.logpmf(30, 40, p)
        return float(mixed) - math.log(20)

    lower = optimize.brentq(rejected, 1e-9, 0.75)
    upper = optimize.brentq(rejected, 0.75, 1 - 1e-9)
    # wins last: no earlier moment had a higher lower end, and losses last the other way round
    _, low, _ = win_rate_sequence(np.array([-1.0] * 10 + [1.0] * 30), 0.05)
    assert low[-1] == pytest.approx(lower, abs=1e-9)
    _, _, high = win_rate_sequence(np.array([1.0] * 30 + [-1.0] * 10), 0.05)
    assert high[-1] == pytest.approx(upper, abs=1e-9)


def test_it_is_decided_when_the_e_value_has_reached_one_over_alpha() -> None:
    path = sequential_gsb(study([1] * 40)).path["e_value"]
    needed = int((path >= 20).argmax()) + 1
    before, after = (sequential_gsb(study([1] * count)) for count in (needed - 1, needed))
    assert before.e_value < 20 <= after.e_value
    assert (before.decided, after.decided) == (False, True)
    assert before.win_low < 0.5 < after.win_low
    assert not sequential_gsb(study([1] * needed), alpha=0.01).decided


def test_what_was_decided_once_stays_decided() -> None:
    found = sequential_gsb(study([1] * 15 + [-1] * 9))
    assert found.e_value < 20
    assert found.decided
    assert found.path["e_value"].max() >= 20


def test_ties_are_left_out_of_the_win_rate_but_count_in_gsb() -> None:
    few, many = sequential_gsb(study([1, -1, 1])), sequential_gsb(study([1, -1, 1] + [0] * 30))
    assert (few.e_value, few.win_low, few.win_high) == (many.e_value, many.win_low, many.win_high)
    assert few.gsb == pytest.approx(1 / 3)
    assert many.gsb == pytest.approx(1 / 33)


def test_nothing_complete_says_nothing() -> None:
    found = sequential_gsb(study([1, 1]), overlap=3)
    assert (found.queries, found.incomplete, found.e_value) == (0, 2, 1.0)
    assert (found.win_low, found.win_high, found.gsb_low, found.gsb_high) == (0.0, 1.0, -1.0, 1.0)
    assert (found.gsb, found.win_rate, found.decided) == (None, None, False)
    assert found.note == "no query is complete yet"


# ------------------------------------------------------------------ GSB


def capital(values: list[float], m: float, alpha: float) -> float:
    """The most that either of two players ever had of the stake, played out one by one."""
    rich, poor, most = 1.0, 1.0, 0.0
    seen: list[float] = []
    deviations = 0.0
    for t, x in enumerate(values, 1):
        variance = (0.25 + deviations) / t
        stake = math.sqrt(2 * math.log(2 / alpha) / (variance * t * math.log(t + 1)))
        rich *= 1 + min(stake, 0.5 / m) * (x - m)
        poor *= 1 - min(stake, 0.5 / (1 - m)) * (x - m)
        most = max(most, rich / 2, poor / 2)
        seen.append(x)
        deviations += (x - (0.5 + sum(seen)) / (t + 1)) ** 2
    return most


def test_the_sequence_of_the_mean_is_that_of_two_players() -> None:
    values = [1.0, 0.5, 1.0, 0.75, 1.0, 0.5, 1.0, 1.0, 0.0, 1.0] * 5
    low, high = mean_sequence(np.array(values), 0.05)
    kept = [m for m in np.arange(1, 1000) / 1000 if capital(values, m, 0.05) < 20]
    assert low[-1] == pytest.approx(min(kept) - 0.001, abs=1e-9)
    assert high[-1] == pytest.approx(max(kept) + 0.001, abs=1e-9)


@settings(deadline=None)
@given(plain.tables())
def test_sequences_only_narrow_and_stay_in_bounds(votes: list[plain.Vote]) -> None:
    path = sequential_gsb(pl.DataFrame(plain.columns(votes), infer_schema_length=None)).path
    for name, least, most in (("win", 0, 1), ("gsb", -1, 1)):
        low, high = path[f"{name}_low"], path[f"{name}_high"]
        assert (np.diff(low) >= 0).all()
        assert (np.diff(high) <= 0).all()
        assert (low >= least).all()
        assert (high <= most).all()


@settings(deadline=None)
@given(plain.tables())
def test_exchanging_control_and_treatment_mirrors_both_sequences(votes: list[plain.Vote]) -> None:
    one, other = (
        sequential_gsb(pl.DataFrame(plain.columns(each), infer_schema_length=None))
        for each in (votes, plain.mirrored(votes))
    )
    assert other.e_value == pytest.approx(one.e_value)
    assert (other.gsb_low, other.gsb_high) == (
        pytest.approx(-one.gsb_high, abs=1e-9), pytest.approx(-one.gsb_low, abs=1e-9),
    )  # fmt: skip
    assert other.win_low == pytest.approx(1 - one.win_high, abs=1e-9)


def test_gsb_is_the_mean_over_queries_of_the_mean_sign() -> None:
    votes = pa.table(
        {
            "query_id": ["q1", "q1", "q1", "q2"],
            "annotator": ["ann", "bob", "cy", "ann"],
            "preference": [2, 1, -1, 0],
            "position": [1, 1, 1, 2],
        }
    )
    assert sequential_gsb(votes).gsb == pytest.approx((1 / 3 + 0) / 2)


# ------------------------------------------------------------------ which queries enter


def test_a_query_enters_when_it_has_all_its_votes() -> None:
    votes = pa.table(
        {
            "query_id": ["q1", "q1", "q2", "q3", "q3"],
            "annotator": ["ann", "bob", "ann", "ann", "bob"],
            "preference": [1, 1, -1, 1, 0],
            "position": [3, 3, 2, 1, 1],
        }
    )
    found = sequential_gsb(votes, overlap=2)
    assert (found.queries, found.incomplete, found.votes) == (2, 1, 4)
    # in serving order: q3 with 1/2, then q1 with 1
    assert found.path["gsb"].tolist() == [0.5, 0.75]
    assert sequential_gsb(votes).queries == 3


def test_identical_lists_enter_as_far_as_serving_has_come() -> None:
    votes = pa.table(
        {
            "query_id": ["q1", "s1", "s2"],
            "annotator": ["ann", None, None],
            "preference": [1, 0, 0],
            "position": [5, 3, 9],
            "kind": ["real", "automatic", "automatic"],
        }
    )
    found = sequential_gsb(votes)
    assert (found.queries, found.automatic, found.votes) == (2, 1, 1)
    assert found.path["gsb"].tolist() == [0.0, 0.5]


def test_identical_lists_after_the_last_query_enter_with_it() -> None:
    votes = pa.table(
        {
            "query_id": ["q1", "s1", "s2", "q2", "s3"],
            "annotator": ["ann", None, None, "ann", None],
            "preference": [1, 0, 0, 1, 0],
            "position": [0, 1, 2, 3, 4],
            "kind": ["real", "automatic", "automatic", "real", "automatic"],
        }
    )
    whole = sequential_gsb(votes)
    assert (whole.queries, whole.automatic) == (5, 3)
    # q2 is served next: the lists before it are behind, those after it are not
    begun = sequential_gsb(votes.filter(pa.array([True, True, True, False, True])))
    assert (begun.queries, begun.automatic) == (3, 2)
    # a query that waits for a vote is not passed over
    waiting = sequential_gsb(pa.concat_tables([votes, votes.slice(0, 1).set_column(
        1, "annotator", pa.array(["bob"])
    )]), overlap=2)  # fmt: skip
    assert (waiting.queries, waiting.automatic, waiting.incomplete) == (3, 2, 1)


def test_a_query_stays_complete_when_a_vote_of_it_is_set_aside() -> None:
    votes = pa.table(
        {
            "query_id": ["q1", "q1", "q2", "q2", "q3", "q3", "q4"],
            "annotator": ["ann", "bob"] * 3 + ["ann"],
            "preference": [1, -1, 1, -1, -1, 1, 1],
            "position": [1, 1, 2, 2, 3, 3, 4],
            "set_aside": [False, True, False, True, True, True, False],
        }
    )
    found = sequential_gsb(votes, overlap=2)
    # q3 has nothing left to say, and q4 still waits for its second vote
    assert (found.queries, found.votes, found.incomplete) == (2, 2, 1)
    assert (found.gsb, found.wins) == (1.0, 2)
    assert sequential_gsb(votes).queries == 3


def test_votes_that_do_not_count_complete_nothing() -> None:
    votes = pa.table(
        {
            "query_id": ["q1", "q1"],
            "annotator": ["ann", "bob"],
            "preference": [1, 1],
            "position": [1, 1],
            "counts": [True, False],
        }
    )
    assert sequential_gsb(votes, overlap=2).queries == 0


def test_votes_without_a_serving_order_are_refused() -> None:
    votes = study([1]).drop_columns(["position"])
    with pytest.raises(MetricsError, match="query 'q00000' has no position"):
        sequential_gsb(votes)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"alpha": 0.0}, "alpha must lie between 0 and 1"), ({"overlap": 0}, "overlap must be 1")],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(MetricsError, match=message):
        sequential_gsb(study([1]), **options)


def test_queries_that_contradict_each_other_leave_an_empty_sequence_and_a_note() -> None:
    found = sequential_gsb(study([1] * 200 + [-1] * 200))
    assert found.win_low > found.win_high
    assert "contradict" in found.note


def test_the_path_is_a_table_of_the_callers_kind_and_the_figures_are_json() -> None:
    found = sequential_gsb(pl.from_arrow(study([1, 0, -1])))
    assert isinstance(found.table, pl.DataFrame)
    assert found.table.columns == [
        "queries", "e_value", "win_low", "win_high", "gsb", "gsb_low", "gsb_high",
    ]  # fmt: skip
    document = found.to_dict(path=True)
    assert document["path"]["queries"] == [1, 2, 3]
    assert "path" not in found.to_dict()


def test_a_thousand_wins_have_an_e_value_that_json_can_hold() -> None:
    assert math.isfinite(sequential_gsb(study([1] * 1_200)).e_value)


# ------------------------------------------------------------------ how much is left


def test_the_queries_left_are_those_until_the_e_value_reaches_its_mark() -> None:
    signs = [1, 1, 1, -1, 0] * 4
    left = votes_to_decide(study(signs))
    assert left.queries_to_decision is not None

    def e_value(queries: int) -> float:
        won, lost = 12 * queries / 20, 4 * queries / 20
        mixture = special.betaln(10 + won, 10 + lost) - special.betaln(10, 10)
        return float(np.exp(mixture) * 2 ** (won + lost))

    assert e_value(20 + left.queries_to_decision) >= 20 > e_value(19 + left.queries_to_decision)
    assert left.votes_to_decision == left.queries_to_decision


def test_votes_left_are_queries_times_overlap() -> None:
    left = votes_to_decide(study([1, 1, 1, -1] * 5, people=3), overlap=3)
    assert left.votes_to_decision == 3 * left.queries_to_decision


def test_nothing_is_left_when_it_is_decided_and_narrow() -> None:
    left = votes_to_decide(study([1] * 200), width=0.5)
    assert (left.queries_to_decision, left.queries_to_width) == (0, 0)


def test_an_even_split_is_never_decided() -> None:
    left = votes_to_decide(study([1, -1] * 10), width=0.001, limit=500)
    assert (left.queries_to_decision, left.queries_to_width) == (None, None)
    assert votes_to_decide(study([1, 1]), overlap=2, width=0.2).queries_to_width is None


def test_the_queries_left_to_a_width_are_about_what_it_takes() -> None:
    rng = np.random.default_rng(8)
    signs = rng.choice([-1, 0, 1], size=3_000, p=[0.25, 0.4, 0.35]).tolist()
    left = votes_to_decide(study(signs[:200]), width=0.2)
    path = sequential_gsb(study(signs)).path
    took = int((path["gsb_high"] - path["gsb_low"] <= 0.2).argmax()) + 1
    assert left.queries_to_width is not None
    assert 200 + left.queries_to_width == pytest.approx(took, rel=0.35)


def test_a_width_is_above_zero() -> None:
    with pytest.raises(MetricsError, match="width must be above 0"):
        votes_to_decide(study([1]), width=0.0)
