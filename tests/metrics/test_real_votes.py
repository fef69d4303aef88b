"""Real votes of crowds: figures against values that are computed here in another way.

The data is not ours to ship: set EVALKIT_VOTES_DATA to a folder with `llmfao/`
(https://github.com/dustalov/llmfao, CC BY 4.0), `pandalm/` (https://github.com/WeOpenML/PandaLM)
and `evalica_golden/` (https://github.com/dustalov/evalica) to run these tests.
"""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import plain_votes as plain
import pyarrow as pa
import pytest
from scipy import stats

from metrics import agreement, gsb_from_votes, krippendorff_alpha, sequential_gsb

FOLDER = Path(os.environ.get("EVALKIT_VOTES_DATA") or "absent")
pytestmark = pytest.mark.skipif(
    not (FOLDER / "llmfao" / "crowd-comparisons.csv").is_file(),
    reason="EVALKIT_VOTES_DATA names no such folder",
)

SHOWN = {"left": -1, "tie": 0, "right": 1}


@cache
def comparisons() -> list[dict[str, str]]:
    with open(FOLDER / "llmfao" / "crowd-comparisons.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def crowd() -> list[plain.Vote]:
    """The answer on the left as the control for even pairs, as the treatment for odd ones."""
    votes = []
    for row in comparisons():
        right = int(row["id"]) % 2 == 0
        shown = SHOWN[row["winner"]]
        votes.append(
            {
                "query_id": row["id"],
                "annotator": row["worker"],
                "preference": shown if right else -shown,
                "treatment_side": "right" if right else "left",
                "position": int(row["id"]),
            }
        )
    return votes


def frame(votes: list[plain.Vote]) -> pa.Table:
    return pa.table(plain.columns(votes))


def test_the_crowds_votes_are_all_there() -> None:
    row = gsb_from_votes(frame(crowd())).rows[0]
    assert (row.votes, row.queries, row.annotators) == (8_931, 2_139, 124)


def test_left_tie_and_right_are_counted() -> None:
    winners = Counter(row["winner"] for row in comparisons())
    assert winners == {"tie": 3_471, "left": 2_911, "right": 2_549}
    row = gsb_from_votes(frame(crowd()), aggregate="votes").rows[0]
    assert row.same == winners["tie"]
    assert row.left_votes == winners["left"] + winners["right"]
    assert row.left_share == pytest.approx(winners["left"] / row.left_votes, abs=1e-12)
    exact = stats.binomtest(winners["left"], row.left_votes).proportion_ci(method="exact")
    assert (row.left_low, row.left_high) == (
        pytest.approx(exact.low, abs=1e-9), pytest.approx(exact.high, abs=1e-9),
    )  # fmt: skip


def test_krippendorffs_alpha_of_the_crowd() -> None:
    # as shown: left, tie, right
    shown = [{**vote, "preference": SHOWN[row["winner"]]}
             for vote, row in zip(crowd(), comparisons(), strict=True)]  # fmt: skip
    found = agreement(frame(shown))
    assert found.alpha_nominal == pytest.approx(0.2906, abs=1e-4)
    assert found.alpha_nominal_low < 0.2906 < found.alpha_nominal_high
    # half the width of the interval: about two standard errors of .009
    assert found.alpha_nominal_high - found.alpha_nominal_low == pytest.approx(0.037, abs=0.008)


def test_gsb_of_the_crowd_is_what_plain_counting_finds() -> None:
    votes = crowd()
    verdicts = [plain.majority(signs) for signs in plain.by_query(votes).values()]
    row = gsb_from_votes(frame(votes)).rows[0]
    assert (row.good, row.same, row.bad) == tuple(verdicts.count(sign) for sign in (1, 0, -1))
    assert row.p == pytest.approx(plain.sign_test(votes))
    value, error = plain.clustered(votes)
    together = gsb_from_votes(frame(votes), aggregate="votes").rows[0]
    assert error is not None
    assert together.gsb == pytest.approx(value)
    half = stats.t.ppf(0.975, row.queries - 1) * error
    assert together.ci_high == pytest.approx(value + half)
    # which answer stood left was not chosen by quality, so the true GSB is about 0
    assert row.ci_low < 0 < row.ci_high


def test_gsb_left_and_right_differ_by_the_bias_and_the_adjusted_one_is_between() -> None:
    votes = crowd()
    row = gsb_from_votes(frame(votes), aggregate="votes").rows[0]
    of_side = {
        side: [vote["preference"] for vote in votes if vote["treatment_side"] == side]
        for side in ("left", "right")
    }
    means = {side: sum(values) / len(values) for side, values in of_side.items()}
    assert row.gsb_treatment_left == pytest.approx(means["left"])
    assert row.gsb_treatment_right == pytest.approx(means["right"])
    assert row.gsb_side_adjusted == pytest.approx(sum(means.values()) / 2)


@pytest.mark.slow
def test_dawid_skene_of_the_crowd_is_that_of_a_plain_implementation() -> None:
    votes = [vote for vote in crowd() if int(vote["query_id"]) < 150]
    expected = plain.dawid_skene(votes)
    table = gsb_from_votes(frame(votes), aggregate="dawid_skene").per_query.to_pylist()
    for row in table:
        assert row["p_good"] == pytest.approx(expected[row["query_id"]][1], abs=1e-3)


def test_nothing_is_decided_where_nothing_is_compared() -> None:
    found = sequential_gsb(frame(crowd()))
    assert not found.decided
    assert found.gsb_low < 0 < found.gsb_high
    assert found.win_low < 0.5 < found.win_high


def test_annotators_of_the_crowd_agree_as_plain_counting_finds() -> None:
    votes = crowd()
    found = agreement(frame(votes), draws=0)
    assert len(found.annotators) == 124
    busiest = max(found.annotators, key=lambda row: (row.votes, row.annotator))
    same = pairs = 0
    for vote in votes:
        if vote["annotator"] == busiest.annotator:
            others = [
                other["preference"]
                for other in votes
                if other["query_id"] == vote["query_id"] and other is not vote
            ]
            pairs += len(others)
            same += others.count(vote["preference"])
    assert (busiest.compared, busiest.agreement) == (pairs, pytest.approx(same / pairs))


@pytest.mark.parametrize(
    ("level", "value"),
    [("nominal", 0.7434), ("ordinal", 0.8154), ("interval", 0.8491), ("ratio", 0.7974)],
)
def test_alpha_of_the_golden_codings(level: Any, value: float) -> None:
    with open(FOLDER / "evalica_golden" / "codings.csv", encoding="utf-8") as file:
        codings = [[float(cell or "nan") for cell in row] for row in csv.reader(file)]
    assert krippendorff_alpha(codings, level=level).value == pytest.approx(value, abs=5e-5)


def test_three_annotators_of_pandalm() -> None:
    pairs = json.loads((FOLDER / "pandalm" / "testset-v1.json").read_text(encoding="utf-8"))
    verdicts = {0: 0, 1: -1, 2: 1}
    votes: list[plain.Vote] = [
        {
            "query_id": str(pair["idx"]),
            "annotator": f"annotator{number}",
            "preference": verdicts[pair[f"annotator{number}"]],
        }
        for pair in pairs
        for number in (1, 2, 3)
    ]
    row = gsb_from_votes(frame(votes)).rows[0]
    assert (row.queries, row.votes, row.annotators) == (999, 2_997, 3)
    majorities = Counter(plain.majority(signs) for signs in plain.by_query(votes).values())
    assert (row.good, row.same, row.bad) == (majorities[1], majorities[0], majorities[-1])
    found = agreement(frame(votes))
    assert [pair.shared for pair in found.pairs] == [999, 999, 999]
    answers = {
        name: [vote["preference"] for vote in votes if vote["annotator"] == name]
        for name in ("annotator1", "annotator2", "annotator3")
    }
    units = list(zip(*answers.values(), strict=True))
    assert found.alpha_nominal == pytest.approx(alpha_of_complete(units), abs=1e-9)
    first = found.pairs[0]
    assert first.kappa == pytest.approx(kappa(answers["annotator1"], answers["annotator2"]))


def alpha_of_complete(units: list[tuple[int, ...]]) -> float:
    """Nominal alpha where everybody answered everything, from counts."""
    people, values = len(units[0]), Counter(value for unit in units for value in unit)
    total = sum(values.values())
    observed = sum(
        sum(a != b for place, a in enumerate(unit) for b in unit[place + 1 :]) for unit in units
    ) / (len(units) * people * (people - 1) / 2)
    expected = 1 - sum(count * (count - 1) for count in values.values()) / (total * (total - 1))
    return 1 - observed / expected


def kappa(one: list[int], other: list[int]) -> float:
    count, of_one, of_other = len(one), Counter(one), Counter(other)
    agree = sum(a == b for a, b in zip(one, other, strict=True)) / count
    chance = sum(of_one[value] * of_other[value] for value in of_one) / count**2
    return (agree - chance) / (1 - chance)
