"""Watching a judge: signals where nothing has changed, and the interval of its agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from benchmarks.simulations.rows import Coverage, Rejections, Row, Subject
from benchmarks.simulations.study import Study
from metrics.drift import THREE_SIGMA, exchange_test, judge_drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["STUDIES"]

PAIRS = 200


def _verdicts(rng: np.random.Generator, weeks: int, fallen: float = 0.0) -> tuple[Floats, Floats]:
    """Gold float64[pairs], and what a judge says week by week, float64[weeks, pairs].

    Of most pairs the judge is nearly sure, of some it is not; every week it decides anew. In the
    last week it gets a share of the pairs wrong that it had right.
    """
    gold = (rng.random(PAIRS) < 0.6).astype(np.float64)
    sure = rng.random(PAIRS) < 0.85
    right = np.where(sure, rng.choice([0.02, 0.98], p=[0.08, 0.92], size=PAIRS), 0.5)
    said = np.where(rng.random((weeks, PAIRS)) < right, gold, 1 - gold)
    wrong = (rng.random(PAIRS) < fallen) & (said[-1] == gold)
    said[-1, wrong] = 1 - gold[wrong]
    return gold, said


def _p_values(gold: Floats, said: Floats) -> tuple[float, float]:
    """Of agreement and of bias, as `judge_drift` has them."""
    before: Sequence[Floats] = list(said[:-1])
    agreement = exchange_test([week == gold for week in before], said[-1] == gold)
    return agreement.p, exchange_test(before, said[-1]).p


def _tests(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    for baseline in (1, 4):
        size = f"{PAIRS} gold pairs, {baseline} baseline week{'s' if baseline > 1 else ''}"
        alternative = "of the pairs that were right, 8% wrong"
        names = ("agreement of a judge", "bias of a judge")
        counted = [
            Rejections(
                Subject("Tests", name, "exact exchange test", "exchange_test", size), alternative
            )
            for name in names
        ]
        signal = Rejections(
            Subject("Tests", "signal of a week", "two exact tests", "exchange_test", size),
            alternative,
            level=THREE_SIGMA,
            at_01=False,
        )
        for fallen in (0.0, 0.08):
            for _ in range(repetitions):
                found = _p_values(*_verdicts(rng, baseline + 1, fallen))
                for each, p in zip(counted, found, strict=True):
                    (each.add_alternative if fallen else each.add)(p)
                # either of the two at half the level
                (signal.add_alternative if fallen else signal.add)(min(1.0, 2 * min(found)))
        rows += [each.row() for each in (*counted, signal)]
    return rows


def _agreement(rng: np.random.Generator, repetitions: int) -> list[Row]:
    """Wilson's interval takes gold pairs as independent; those of a query need not be."""
    rows = []
    for each, name in ((1, "200 pairs of 200 queries"), (10, "200 pairs of 20 queries")):
        counted = Coverage(
            Subject("Corrected by people", "agreement of a judge", "Wilson", "judge_drift", name),
            0.85,
        )
        keys = {
            "query_id": [f"q{at // each}" for at in range(PAIRS)],
            "product_id": [f"p{at % each}" for at in range(PAIRS)],
        }
        gold = pa.table({**keys, "grade": np.arange(PAIRS) % 2})
        for _ in range(repetitions):
            # some queries are harder for the judge than others
            right = np.repeat(rng.beta(8.5, 1.5, size=PAIRS // each), each)
            said = np.where(
                rng.random(PAIRS) < right, np.arange(PAIRS) % 2, 1 - np.arange(PAIRS) % 2
            )
            [row] = judge_drift(gold, {"2026-W40": pa.table({**keys, "grade": said})}).rows
            counted.add(row.agreement_low, row.agreement_high)
        rows.append(counted.row())
    return rows


STUDIES = (
    Study("drift", _tests, 10_000, quick=200),
    Study("judge-agreement", _agreement, 1_000, quick=10),
)
