"""Real grades: on Chorus, one grader is the judge and the adjudicated grades are the truth.

EVALKIT_CHORUS_DATA names the folder of the data; without it the tests are skipped.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from metrics import prediction_powered_difference, prediction_powered_ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DATA = os.environ.get("EVALKIT_CHORUS_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="EVALKIT_CHORUS_DATA names no folder")

DEPTH, GOOD, LABELS, REPEATS = 10, 2, 40, 600


@dataclass
class Chorus:
    """Good items of the top ten of two runs: by the truth, and by each of three graders."""

    den: tuple[Array, Array]
    truth: tuple[Array, Array]
    graders: dict[str, tuple[Array, Array]]


def rows(name: str) -> list[dict[str, str]]:
    with open(Path(DATA, name), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def chorus() -> Chorus:
    """Two runs over the products that all three graded: by words of the title, of all texts."""
    said: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows("graders.csv"):
        pair = row["query_id"], row["product_id"]
        said.setdefault(pair, {})[row["annotator"]] = float(row["grade"])
    truth = {(r["query_id"], r["product_id"]): float(r["grade"]) for r in rows("judgments.csv")}
    texts: dict[str, list[list[str]]] = {}
    with gzip.open(Path(DATA, "products.jsonl.gz"), "rt", encoding="utf-8") as file:
        for line in file:
            product = json.loads(line)
            fields = [str(product.get(name) or "").lower() for name in ("title", "description")]
            texts[str(product["id"])] = [fields[0].split(), " ".join(fields).split()]
    queries = {row["query_id"]: row["query"].lower().split() for row in rows("queries.csv")}
    graded: dict[str, list[str]] = {}
    for query, product_id in said:
        graded.setdefault(query, []).append(product_id)
    ids = sorted(graded)

    def top(query: str, run: int) -> list[str]:
        def words(product_id: str) -> float:
            text = texts.get(product_id, [[], []])[run]
            return sum(text.count(word) > 0 for word in queries[query]) + 1 / (2 + len(text))

        return sorted(graded[query], key=lambda p: (-words(p), p))[:DEPTH]

    tops = [[top(query, run) for query in ids] for run in (0, 1)]

    def good(grade: Any) -> tuple[Array, Array]:
        found = [
            np.array(
                [sum(grade(q, p) >= GOOD for p in each) for q, each in zip(ids, lists, strict=True)]
            )
            for lists in tops
        ]
        return found[0].astype(float), found[1].astype(float)

    names = sorted(next(iter(said.values())))
    return Chorus(
        den=tuple(np.array([float(len(each)) for each in lists]) for lists in tops),  # type: ignore[arg-type]
        truth=good(lambda q, p: truth[q, p]),
        graders={name: good(lambda q, p, name=name: said[q, p][name]) for name in names},
    )


def repeated(chorus: Chorus, judge: str, of: str) -> dict[str, float]:
    """Coverage, width against people alone and labels saved, over random samples of labels."""
    rng = np.random.default_rng(5)
    values = chorus.graders[judge]
    ratios = [float(y.sum() / d.sum()) for y, d in zip(chorus.truth, chorus.den, strict=True)]
    truth = ratios[1] - ratios[0] if of == "delta" else ratios[0]
    size, step = len(chorus.den[0]), 1 / float(min(d.mean() for d in chorus.den))
    hits, alone, warned, width, people_width, saved = 0, 0, 0, 0.0, 0.0, []
    for _ in range(REPEATS):
        at = rng.choice(size, LABELS, replace=False)
        human = []
        for y in chorus.truth:
            known = np.full(size, np.nan)
            known[at] = y[at]
            human.append(known)
        if of == "delta":
            found = prediction_powered_difference(
                values[0], human[0], chorus.den[0], values[1], human[1], chorus.den[1], step=step
            )
        else:
            found = prediction_powered_ratio(values[0], human[0], chorus.den[0], step=step)
        assert found is not None
        assert found.interval is not None
        assert found.human_interval is not None
        hits += found.interval.low <= truth <= found.interval.high
        alone += found.human_interval.low <= truth <= found.human_interval.high
        width += found.interval.high - found.interval.low
        people_width += found.human_interval.high - found.human_interval.low
        saved.append(found.labels_saved or 0.0)
        warned += bool(found.note)
    return {
        "coverage": hits / REPEATS,
        "people": alone / REPEATS,
        "narrower": 1 - width / people_width,
        "saved": float(np.mean(saved)),
        "warned": warned / REPEATS,
    }


@pytest.mark.parametrize("judge", ["agent_1", "agent_2", "agent_3"])
def test_a_grader_as_the_judge_saves_labels_and_the_interval_holds_the_truth(
    chorus: Chorus, judge: str
) -> None:
    found = repeated(chorus, judge, "run")
    print(f"\n{judge}: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    # 89 queries, 40 labels; standard error .009
    assert found["coverage"] > 0.95 - 0.04
    assert found["people"] > 0.95 - 0.04
    assert found["narrower"] > 0.4
    assert found["saved"] > 20


@pytest.mark.parametrize("judge", ["agent_1", "agent_2", "agent_3"])
def test_where_few_queries_differ_between_the_runs_people_are_as_unsure(
    chorus: Chorus, judge: str
) -> None:
    """Δ rests on a handful of queries: the interval of people alone holds too little as well."""
    found = repeated(chorus, judge, "delta")
    print(f"\n{judge} delta: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    assert found["coverage"] > 0.86
    assert found["coverage"] > found["people"] - 0.04
    assert found["saved"] > 5


def test_a_grader_that_is_biased_alone_is_not_far_off_when_corrected(chorus: Chorus) -> None:
    """A judge's own figure has no interval and may lie anywhere; the correction takes it home."""
    truth = chorus.truth[0].sum() / chorus.den[0].sum()
    for values in chorus.graders.values():
        lenient = np.minimum(values[0] + 2, chorus.den[0])
        rng = np.random.default_rng(1)
        corrected = []
        for _ in range(100):
            human = np.full(len(lenient), np.nan)
            at = rng.choice(len(lenient), LABELS, replace=False)
            human[at] = chorus.truth[0][at]
            found = prediction_powered_ratio(lenient, human, chorus.den[0])
            assert found is not None
            corrected.append(found.value)
        assert lenient.sum() / chorus.den[0].sum() - truth > 0.1
        assert abs(float(np.mean(corrected)) - truth) < 0.01  # type: ignore[arg-type]
