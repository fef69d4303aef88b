"""Two language models as judges against a crowd: figures of real votes, to three decimals.

The data is not ours to ship: set EVALKIT_VOTES_DATA to a folder with `llmfao/`
(https://github.com/dustalov/llmfao, CC BY 4.0) to run these tests. A pair of answers is a query;
124 people and each judge said which of the two is better. The expected figures were computed apart
from this package, with pandas, SciPy and scikit-learn.
"""

from __future__ import annotations

import csv
import os
from functools import cache
from pathlib import Path

import numpy as np
import plain_votes
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from metrics import Correlations, correlate, disagreements, roc

FOLDER = Path(os.environ.get("EVALKIT_VOTES_DATA") or "absent") / "llmfao"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "crowd-comparisons.csv").is_file(),
    reason="EVALKIT_VOTES_DATA names no such folder",
)

SHOWN = {"left": -1, "tie": 0, "right": 1}
FIGURES = {
    "gpt3": {
        "kendall": 0.181, "spearman": 0.221, "pearson": 0.223, "sign_agreement": 0.616,
        "agreement": 0.336, "kappa": 0.090, "auc": 0.630,
    },
    "gpt4": {
        "kendall": 0.291, "spearman": 0.347, "pearson": 0.363, "sign_agreement": 0.661,
        "agreement": 0.387, "kappa": 0.177, "auc": 0.746,
    },
}  # fmt: skip


def read(name: str) -> list[dict[str, str]]:
    with open(FOLDER / name, encoding="utf-8") as file:
        return list(csv.DictReader(file))


def preference(row: dict[str, str]) -> int:
    """The answer on the right as the treatment for even pairs, as the control for odd ones."""
    return SHOWN[row["winner"]] * (1 if int(row["id"]) % 2 == 0 else -1)


@cache
def crowd() -> list[plain_votes.Vote]:
    return [
        {"query_id": row["id"], "annotator": row["worker"], "preference": preference(row)}
        for row in read("crowd-comparisons.csv")
    ]


@cache
def judged() -> dict[str, dict[str, int]]:
    return {
        judge: {row["id"]: preference(row) for row in read(f"{judge}-crowd-comparisons.csv")}
        for judge in FIGURES
    }


@cache
def found() -> Correlations:
    prompts = {row["id"]: int(row["prompt"]) for row in read("crowd-comparisons.csv")}
    rows = [
        (query, judge, delta, prompts[query])
        for judge, deltas in judged().items()
        for query, delta in deltas.items()
    ]
    names = ("query_id", "measure", "delta", "prompt")
    deltas = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    return correlate(pa.table(plain_votes.columns(crowd())), deltas, by=["prompt"])


@pytest.mark.parametrize("judge", FIGURES)
def test_a_judge_against_the_crowd(judge: str) -> None:
    row = next(row for row in found().rows if row.measure == judge)
    assert row.queries == 2_139
    assert {name: round(getattr(row, name), 3) for name in FIGURES[judge]} == FIGURES[judge]
    for name in ("kendall", "spearman", "pearson", "kappa", "auc"):
        low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
        assert low < FIGURES[judge][name] < high
        assert high - low < 0.09


def test_the_crowd_calls_half_of_the_pairs_the_same_and_the_judges_hardly_any() -> None:
    gpt3, gpt4 = found().rows[:2]
    assert gpt3.confusion == ((313, 43, 181), (473, 106, 501), (177, 45, 300))
    assert gpt4.confusion == ((388, 9, 140), (524, 50, 506), (125, 7, 390))
    # so calling everything the same agrees more often than either judge does
    for row in (gpt3, gpt4):
        assert (row.margin, row.margin_other) == (1.0, 1.0)
        assert row.margin_agreement == row.same / row.queries == pytest.approx(0.505, abs=5e-4)
        assert row.note == "at the margins chosen, Δ calls every query Same"


def test_the_larger_judge_predicts_the_crowd_better() -> None:
    best, other = found().ranking
    assert (best.measure, other.measure) == ("gpt4", "gpt3")
    assert other.behind == pytest.approx(0.110, abs=5e-4)
    assert 0.05 < other.behind_low < other.behind < other.behind_high < 0.17


@pytest.mark.parametrize("judge", FIGURES)
def test_every_segment_is_what_scipy_and_sklearn_find(judge: str) -> None:
    signs = plain_votes.by_query(crowd())
    prompt = {row["id"]: int(row["prompt"]) for row in read("crowd-comparisons.csv")}
    rows = [row for row in found().rows if row.measure == judge]
    assert len(rows) == 1 + len(set(prompt.values()))
    for row in rows:
        ids = [query for query in signs if row.segment in ({}, {"prompt": prompt[query]})]
        human = [np.mean(signs[query]) for query in ids]
        said = [plain_votes.majority(signs[query]) for query in ids]
        delta = [judged()[judge][query] for query in ids]
        clear = [(one > 0, value) for one, value in zip(said, delta, strict=True) if one]
        expected = {
            "kendall": stats.kendalltau(human, delta)[0],
            "spearman": stats.spearmanr(human, delta)[0],
            "pearson": stats.pearsonr(human, delta)[0],
            "kappa": cohen_kappa_score(said, delta),
            "auc": roc_auc_score(*zip(*clear, strict=True)),
        }
        for name, value in expected.items():
            assert getattr(row, name) == pytest.approx(value, abs=1e-9), (row.segment, name)


def test_the_worst_disagreements_are_of_one_mind_each() -> None:
    for row in disagreements(found(), "gpt4", count=5):
        assert row.opposite
        assert (row.verdict, row.automated) in ((1, -1), (-1, 1))
        assert abs(row.human) == abs(row.delta) == 1
    curve = roc(found(), "gpt4")
    assert curve is not None
    assert (curve.good, curve.bad, round(curve.auc, 3)) == (522, 537, 0.746)
