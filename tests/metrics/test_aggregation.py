"""Majority, and Dawid and Skene's model against a plain implementation and (if there) crowd-kit."""

from __future__ import annotations

from typing import Any

import numpy as np
import plain_votes as plain
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings

from metrics import MetricsError, dawid_skene, majority


def frame(votes: list[plain.Vote]) -> pl.DataFrame:
    return pl.DataFrame(plain.columns(votes), infer_schema_length=None)


def crowd(
    *, seed: int, queries: int = 60, skill: tuple[float, ...] = (0.9, 0.8, 0.7, 0.4, 0.35)
) -> tuple[list[plain.Vote], dict[str, int]]:
    """Votes of people who are right with probability `skill`, and the truth."""
    rng = np.random.default_rng(seed)
    votes: list[plain.Vote] = []
    truth = {}
    for number in range(queries):
        query = f"q{number:03}"
        truth[query] = int(rng.choice([-1, 0, 1], p=[0.25, 0.35, 0.4]))
        for person, right in enumerate(skill):
            if rng.random() < 0.8:
                others = [each for each in (-1, 0, 1) if each != truth[query]]
                said = truth[query] if rng.random() < right else int(rng.choice(others))
                votes.append({"query_id": query, "annotator": f"a{person}", "preference": said})
    return votes, truth


# ------------------------------------------------------------------ majority


@pytest.mark.parametrize(
    ("preferences", "verdict"),
    [
        *[([1], 1), ([1, 1, -1], 1), ([2, 1, 0], 1), ([-2, -1, 2], -1), ([0, 0, 1], 0)],
        *[([1, 0], 0), ([1, -1], 0), ([1, 0, -1], 0), ([1, 1, -1, -1], 0), ([1, 1, 0, 0], 0)],
        ([1, 1, 0, -1], 1),  # the most votes suffice, they need not be half
    ],
)
def test_the_majority_is_the_most_frequent_verdict(preferences: list[int], verdict: int) -> None:
    votes = [
        {"query_id": "q", "annotator": f"a{place}", "preference": preference}
        for place, preference in enumerate(preferences)
    ]
    assert majority(frame(votes))["verdict"].to_list() == [verdict]


def test_the_majority_lists_counts_and_identical_lists() -> None:
    votes = [
        {"query_id": "b", "annotator": "ann", "preference": 1, "kind": "real"},
        {"query_id": "a", "annotator": None, "preference": 0, "kind": "automatic"},
        {"query_id": "c", "annotator": "ann", "preference": 1, "kind": "gold"},
    ]
    found = majority(frame(votes))
    assert found.to_dict(as_series=False) == {
        "query_id": ["a", "b"],
        "votes": [0, 1],
        "good": [0, 1],
        "same": [0, 0],
        "bad": [0, 0],
        "verdict": [0, 1],
    }


# ------------------------------------------------------------------ Dawid and Skene


@settings(max_examples=40, deadline=None)
@given(plain.tables())
def test_the_model_is_that_of_a_plain_implementation(votes: list[plain.Vote]) -> None:
    expected = plain.dawid_skene(votes)
    labels = dawid_skene(frame(votes)).labels.rows_by_key("query_id", named=True, unique=True)
    for query, classes in expected.items():
        row = labels[query]
        for name, truth in (("p_bad", -1), ("p_same", 0), ("p_good", 1)):
            assert row[name] == pytest.approx(classes[truth], abs=1e-4)
    assert labels.keys() - expected.keys() == {
        vote["query_id"] for vote in votes if vote["kind"] == "automatic"
    }


def test_a_larger_crowd_gets_the_same_labels_from_both() -> None:
    votes, _ = crowd(seed=3)
    expected = plain.dawid_skene(votes)
    model = dawid_skene(frame(votes))
    assert model.converged
    for row in model.labels.rows(named=True):
        probable = max(expected[row["query_id"]], key=expected[row["query_id"]].__getitem__)
        assert row["verdict"] == probable


def test_knowing_who_is_reliable_finds_the_truth_more_often_than_the_majority() -> None:
    right: dict[str, int] = {"model": 0, "majority": 0}
    for seed in range(10):
        votes, truth = crowd(seed=seed, skill=(0.95, 0.9, 0.4, 0.35, 0.35))
        for name, labels in (
            ("model", dawid_skene(frame(votes)).labels),
            ("majority", majority(frame(votes))),
        ):
            verdicts = zip(labels["query_id"], labels["verdict"], strict=True)
            right[name] += sum(truth[query] == verdict for query, verdict in verdicts)
    # about 600 queries: 0.83 and 0.62
    assert right["model"] > right["majority"] + 60


def test_two_equally_probable_classes_are_same() -> None:
    votes = [
        {"query_id": "q", "annotator": "ann", "preference": 1},
        {"query_id": "q", "annotator": "bob", "preference": -1},
    ]
    (row,) = dawid_skene(frame(votes)).labels.rows(named=True)
    assert row["p_good"] == pytest.approx(row["p_bad"])
    assert row["verdict"] == 0


def test_the_order_of_rows_changes_no_digit() -> None:
    votes, _ = crowd(seed=5, queries=150)
    mixed = [votes[place] for place in np.random.default_rng(0).permutation(len(votes))]
    first, second = (dawid_skene(frame(each)) for each in (votes, mixed))
    assert first.labels.equals(second.labels)
    assert first.confusion == second.confusion


def test_confusion_matrices_hold_what_each_annotator_does() -> None:
    votes, _ = crowd(seed=1, queries=300, skill=(0.9, 0.9, 0.9, 0.5))
    model = dawid_skene(frame(votes))
    matrices = np.array(model.confusion)
    assert matrices.shape == (4, 3, 3)
    assert matrices.sum(axis=2) == pytest.approx(np.ones((4, 3)))
    accuracy = np.trace(matrices, axis1=1, axis2=2) / 3
    # 240 answers each: standard errors of .02 and .03
    assert accuracy == pytest.approx([0.9, 0.9, 0.9, 0.5], abs=0.1)
    assert model.prior == pytest.approx([0.25, 0.35, 0.4], abs=0.1)


def test_identical_lists_are_same_and_teach_nothing() -> None:
    votes, _ = crowd(seed=2)
    same = {"query_id": "z", "annotator": None, "preference": 0, "kind": "automatic"}
    without = dawid_skene(frame([{**vote, "kind": "real"} for vote in votes]))
    with_one = dawid_skene(frame([{**vote, "kind": "real"} for vote in votes] + [same]))
    assert with_one.labels.rows()[-1] == ("z", 0, 0.0, 1.0, 0.0)
    assert with_one.confusion == without.confusion
    assert with_one.prior == without.prior


def test_without_any_vote_there_is_no_model() -> None:
    votes: dict[str, list[Any]] = {
        "query_id": ["q"], "annotator": [""], "preference": [0], "kind": ["automatic"],
    }  # fmt: skip
    with pytest.raises(MetricsError, match="no vote of a person counts"):
        dawid_skene(pa.table(votes))


@pytest.mark.filterwarnings("ignore")  # crowd-kit's own, of newer pandas
@pytest.mark.parametrize("seed", range(3))
def test_crowd_kit_finds_the_same_labels(seed: int) -> None:
    aggregation = pytest.importorskip("crowdkit.aggregation", exc_type=ImportError)
    votes, _ = crowd(seed=seed, queries=200)
    table = frame(votes).to_pandas()
    table.columns = ["task", "worker", "label"]
    theirs = aggregation.DawidSkene(n_iter=500, tol=1e-9).fit_predict(table)
    ours = dawid_skene(frame(votes)).labels
    same = [
        theirs[query] == verdict
        for query, verdict in zip(ours["query_id"], ours["verdict"], strict=True)
    ]
    # theirs has no pseudo-count, which may turn a query that is nearly undecided
    assert np.mean(same) >= 0.98
