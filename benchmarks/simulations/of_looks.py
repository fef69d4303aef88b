"""Figures that may be looked at every day: do they hold at all looks together?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from benchmarks.simulations.of_votes import truths
from benchmarks.simulations.rows import Coverage, Rejections, Row, Subject
from benchmarks.simulations.study import Study
from benchmarks.simulations.voters import electorate
from metrics import sequential_gsb
from metrics.proportions import sign_test_p, trinomial_interval
from metrics.sequential import mean_sequence, win_rate_sequence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["STUDIES"]

GROUP = "Looked at every day"
_ALPHA = 0.05
_MIXTURE, _BETTING = "beta mixture", "betting sequence"
# values of h_q with three votes a query, and how frequent they are
_VALUES = np.array([-1.0, -2 / 3, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.0])
_POPULATIONS = {
    "no difference": np.array([0.12, 0.08, 0.13, 0.34, 0.13, 0.08, 0.12]),
    "treatment better": np.array([0.08, 0.06, 0.10, 0.34, 0.15, 0.11, 0.16]),
    "nearly all Same": np.array([0.01, 0.005, 0.01, 0.93, 0.02, 0.01, 0.015]),
}


def _after_every_query(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    for name, shares in _POPULATIONS.items():
        population = f"{name}, looks after each of 400 queries"
        decided = shares[_VALUES != 0].sum()
        win = Coverage(
            Subject(GROUP, "win rate", _MIXTURE, "win_rate_sequence", population),
            float(shares[_VALUES > 0].sum() / decided),
            kind="sequence",
        )
        mean = Coverage(
            Subject(GROUP, "GSB", _BETTING, "mean_sequence", population),
            float(shares @ _VALUES),
            kind="sequence",
        )
        for _ in range(repetitions):
            h = rng.choice(_VALUES, size=400, p=shares)
            _, low, high = win_rate_sequence(np.sign(h), _ALPHA)
            # intersected over time, so the last ends tell whether any look missed
            win.add(float(low[-1]), float(high[-1]))
            low, high = mean_sequence((h + 1) / 2, _ALPHA)
            mean.add(2 * float(low[-1]) - 1, 2 * float(high[-1]) - 1)
        rows += [win.row(), mean.row()]
    return rows


def _e_value(rng: np.random.Generator, repetitions: int) -> list[Row]:
    population = "no difference, looks after each of 400 queries"
    counted = Rejections(
        Subject("Tests", "win rate", "e-value", "win_rate_sequence", population),
        "win rate 60%, 7 in 10 queries decided",
    )
    for _ in range(repetitions):
        for win, add in ((0.5, counted.add), (0.6, counted.add_alternative)):
            signs = rng.choice([-1.0, 0.0, 1.0], size=400, p=[0.7 * (1 - win), 0.3, 0.7 * win])
            # decided at the level a once the e-value has reached 1/a
            add(1 / max(1.0, float(win_rate_sequence(signs, _ALPHA)[0].max())))
    return [counted.row()]


def _every_day(rng: np.random.Generator, repetitions: int) -> list[Row]:
    """Votes that come in over 20 days, queries finished a little out of turn."""
    rows = []
    better = replace(electorate(), missing=0.0)
    counted_test = Rejections(
        Subject(
            "Tests", "win rate", "e-value", "sequential_gsb", "160 queries, overlap 3, 20 days"
        ),
        "treatment better",
        at_01=False,
    )
    for name, population in (
        ("no difference", better.without_difference()),
        ("treatment better", better),
    ):
        true = truths(population)
        size = f"{name}, 160 queries, overlap 3, 20 days"
        win = Coverage(
            Subject(GROUP, "win rate", _MIXTURE, "sequential_gsb", size),
            true["win"],
            kind="sequence",
        )
        mean = Coverage(
            Subject(GROUP, "GSB", _BETTING, "sequential_gsb", size), true["mean"], kind="sequence"
        )
        for _ in range(repetitions):
            table = population.draw(rng, 160).table()
            position = table["position"].to_numpy()
            come = position / 8 + rng.exponential(1.0, size=len(position))
            ends = []
            decided = False
            for day in range(1, 21):
                now = sequential_gsb(table.filter(pa.array(come <= day)), alpha=_ALPHA, overlap=3)
                ends.append((now.win_low, now.win_high, now.gsb_low, now.gsb_high))
                decided |= now.decided
            lows, highs = np.max(ends, axis=0), np.min(ends, axis=0)
            win.add(float(lows[0]), float(highs[1]))
            mean.add(float(lows[2]), float(highs[3]))
            p = 0.0 if decided else 1.0
            (counted_test.add if name == "no difference" else counted_test.add_alternative)(p)
        rows += [win.row(), mean.row()]
    return [*rows, counted_test.row()]


def _contrast(rng: np.random.Generator, repetitions: int) -> list[Row]:
    """What evalkit does not do."""
    group = "For contrast"
    peeking = Rejections(
        Subject(
            group,
            "win rate",
            "sign test, read daily",
            "sign_test_p",
            "no difference, looks after every 10th of 400 queries",
            contrast=True,
        )
    )
    population = electorate()
    alone = Coverage(
        Subject(
            group,
            "GSB, votes",
            "every vote a query of its own",
            "trinomial_interval",
            "150 queries, overlap 3",
            contrast=True,
        ),
        truths(population)["votes"],
    )
    for _ in range(repetitions):
        signs = rng.choice([-1, 0, 1], size=400, p=[0.35, 0.3, 0.35])
        won, lost = (signs > 0).cumsum()[9::10], (signs < 0).cumsum()[9::10]
        peeking.add(min(sign_test_p(int(w), int(b)) for w, b in zip(won, lost, strict=True)))
        good, bad, votes = (int(each.sum()) for each in population.draw(rng, 150).tallies())
        alone.add_estimate(trinomial_interval(good, votes - good - bad, bad))
    return [alone.row(), peeking.row()]


STUDIES = (
    Study("looks", _after_every_query, 2_000, quick=50),
    Study("e-value", _e_value, 4_000, quick=100),
    Study("looks-daily", _every_day, 400, quick=3),
    Study("contrast", _contrast, 4_000, quick=150),
)
