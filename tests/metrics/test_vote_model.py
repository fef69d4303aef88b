"""What other votes on a query would have brought."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import MetricsError, agreement
from metrics.aggregation import majority_verdicts
from metrics.vote_model import VoteModel, assume_votes, fit_votes
from metrics.votes import Tally

FOLDER = Path(os.environ.get("EVALKIT_VOTES_DATA") or "absent") / "llmfao"


def kinds(rng: np.random.Generator, queries: int, votes: int) -> np.ndarray:
    """Half of the queries are the same to everybody, on the others 8 of 10 see what is so."""
    truth = rng.choice([0, 1, 2], size=queries, p=[0.25, 0.5, 0.25])
    shares = np.array([[0.8, 0.1, 0.1], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]])
    return rng.multinomial(votes, shares[truth])


def fitted(counts: np.ndarray, **how) -> VoteModel:
    model = fit_votes(*counts.T.astype(float), **how)
    assert model is not None
    return model


def test_shares_are_means_over_queries_and_agreement_over_pairs() -> None:
    # q1: 2 Good 1 Bad, q2: 3 Same, q3: 1 Good
    model = fitted(np.array([[2, 0, 1], [0, 3, 0], [1, 0, 0]]), identical=1)
    assert model.good == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert model.same == pytest.approx(1 / 3)
    assert model.bad == pytest.approx(1 / 9)
    assert model.agreement == pytest.approx((1 + 3) / 6)
    assert model.identical == 0.25
    assert model.gsb == pytest.approx(0.75 * (5 / 9 - 1 / 9))


def test_the_agreement_is_the_one_that_agreement_prints() -> None:
    counts = kinds(np.random.default_rng(1), 60, 3)
    said = [
        (f"q{query}", f"a{place}", preference)
        for query, (good, same, bad) in enumerate(counts.tolist())
        for place, preference in enumerate([1] * good + [0] * same + [-1] * bad)
    ]
    names = ("query_id", "annotator", "preference")
    table = pa.table(dict(zip(names, zip(*said, strict=True), strict=True)))
    assert fitted(counts).agreement == pytest.approx(agreement(table).percent)


def test_single_votes_are_as_the_shares_say() -> None:
    model = assume_votes(0.4, 0.3, 0.3)
    found = model.at(0.2, 1)
    assert (found.ahead, found.behind) == (pytest.approx(0.45), pytest.approx(0.25))
    assert (found.good, found.bad) == (found.ahead, found.behind)


def test_queries_with_identical_lists_are_ties_whatever_the_overlap() -> None:
    counts = kinds(np.random.default_rng(2), 200, 3)
    all_differ, half = fitted(counts), fitted(counts, identical=200)
    for overlap in (1, 2, 5):
        whole, part = all_differ.at(0.2, overlap), half.at(0.1, overlap)
        assert part.ahead == pytest.approx(whole.ahead / 2)
        assert part.bad == pytest.approx(whole.bad / 2)


def test_where_all_queries_are_alike_votes_add_up_like_coins() -> None:
    # agreement by chance alone: 0.5² + 2 · 0.25²; two votes are ahead with 2 Good, or Good and Same
    model = fitted(np.random.default_rng(3).multinomial(4, [0.25, 0.5, 0.25], size=20_000))
    found = model.at(0.0, 2)
    assert found.ahead == pytest.approx(0.25**2 + 2 * 0.25 * 0.5, abs=0.01)
    assert found.good == pytest.approx(0.25**2, abs=0.01)


def test_where_all_votes_on_a_query_agree_further_votes_say_nothing_new() -> None:
    model = fitted(3 * np.repeat(np.eye(3, dtype=int), [30, 40, 30], axis=0))
    one = model.at(0.1, 1)
    for overlap in (2, 3, 5):
        found = model.at(0.1, overlap)
        assert found.ahead == pytest.approx(one.ahead, abs=2e-3)
        assert found.behind == pytest.approx(one.behind, abs=2e-3)


@pytest.mark.parametrize("overlap", [1, 2, 3, 5])
def test_a_fitted_model_foretells_other_overlaps(overlap: int) -> None:
    model = fitted(kinds(np.random.default_rng(4), 4_000, 3))
    good, same, bad = kinds(np.random.default_rng(5), 200_000, overlap).T
    found = model.at(0.0, overlap)
    assert found.ahead == pytest.approx((good > bad).mean(), abs=0.02)
    assert found.behind == pytest.approx((good < bad).mean(), abs=0.02)
    assert found.good == pytest.approx(((good > bad) & (good > same)).mean(), abs=0.02)


@pytest.mark.parametrize("overlap", [1, 2, 3, 4])
@pytest.mark.parametrize("gsb", [0.0, 0.15, -0.4])
def test_drawn_votes_come_out_as_computed(overlap: int, gsb: float) -> None:
    model = fitted(kinds(np.random.default_rng(6), 300, 3), identical=100)
    drawn = model.draw(gsb, 100_000, overlap, np.random.default_rng(7)).astype(float)
    good, same, bad = drawn.T
    none = np.zeros(len(drawn))
    verdict = majority_verdicts(Tally(drawn.sum(axis=1), good, same, bad, none, none))
    found = model.at(gsb, overlap)
    shares = [(good > bad).mean(), (good < bad).mean(), (verdict > 0).mean(), (verdict < 0).mean()]
    expected = [found.ahead, found.behind, found.good, found.bad]
    assert shares == pytest.approx(expected, abs=5 * 0.5 / 100_000**0.5)
    assert ((good - bad) / overlap).mean() == pytest.approx(gsb, abs=0.01)


@given(st.floats(-0.9, 0.9), st.sampled_from([1, 2, 3, 5]))
def test_exchanging_the_runs_exchanges_the_outcomes(gsb: float, overlap: int) -> None:
    model = assume_votes(0.3, 0.4, 0.3, agreement=0.6)
    found, mirrored = model.at(gsb, overlap), model.at(-gsb, overlap)
    assert found.ahead == pytest.approx(mirrored.behind, abs=1e-6)
    assert found.good == pytest.approx(mirrored.bad, abs=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_assumed_votes_agree_as_often_as_was_said(share: float) -> None:
    model = assume_votes(0.25, 0.5, 0.25, agreement=share)
    good, same, bad = model.draw(0.0, 100_000, 2, np.random.default_rng(8)).T
    alike = (good == 2) | (same == 2) | (bad == 2)
    assert alike.mean() == pytest.approx(share, abs=0.03)


def test_a_greater_difference_than_decided_votes_takes_just_enough_of_them() -> None:
    found = assume_votes(0.05, 0.9, 0.05).at(0.2, 1)
    assert (found.ahead, found.behind) == (pytest.approx(0.2), pytest.approx(0.0))


def test_one_vote_a_query_says_nothing_of_two() -> None:
    model = fitted(np.eye(3, dtype=int))
    assert model.agreement is None
    with pytest.raises(MetricsError, match="two votes on a query need to be known"):
        model.at(0.1, 2)
    assert fitted(np.eye(3, dtype=int), agreement=0.7).at(0.1, 2).ahead > 0.2


def test_a_difference_beyond_the_queries_whose_lists_differ_is_refused() -> None:
    with pytest.raises(MetricsError, match=r"0\.6 cannot be: 50\.0% of the queries"):
        fitted(np.eye(3, dtype=int), identical=3).at(0.6, 1)


def test_without_votes_there_is_no_model() -> None:
    none = np.zeros(2)
    assert fit_votes(none, none, none, identical=4) is None


@pytest.mark.skipif(
    not (FOLDER / "crowd-comparisons.csv").is_file(),
    reason="EVALKIT_VOTES_DATA names no folder with llmfao",
)
@pytest.mark.parametrize("overlap", [1, 2, 3, 4])
def test_a_crowds_votes_are_foretold_from_other_overlaps(overlap: int) -> None:
    """2,139 pairs, mostly 3 to 5 votes each; fitted to 3 of them, compared with all subsets."""
    said = defaultdict(list)
    with open(FOLDER / "crowd-comparisons.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            shown = {"left": -1, "tie": 0, "right": 1}[row["winner"]]
            said[row["id"]].append(shown if int(row["id"]) % 2 == 0 else -shown)
    rng = np.random.default_rng(0)

    def some(votes: int) -> np.ndarray:
        rows = [rng.permutation(row)[:votes] for row in said.values() if len(row) >= votes]
        chosen = np.array(rows)
        return np.stack([(chosen == vote).sum(axis=1) for vote in (1, 0, -1)], axis=1)

    model = fitted(some(3))
    seen = np.mean([(some(overlap) @ [1, 0, -1] != 0).mean() for _ in range(20)])
    found = model.at(model.gsb, overlap)
    assert found.ahead + found.behind == pytest.approx(seen, abs=0.025)
