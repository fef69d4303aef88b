"""Intervals of `correlate`: how well measures predict people, over queries and over studies."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from benchmarks.simulations.rows import Coverage, Rejections, Row, Subject
from benchmarks.simulations.study import Study
from benchmarks.simulations.voters import electorate
from metrics.correlation import correlate
from metrics.system_correlation import correlate_systems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.simulations.voters import Ballots
    from metrics.correlation_results import Correlations

__all__ = ["STUDIES"]

GROUP = "People against metrics"
_FISHER = "bootstrap, t on Fisher's z"
_FIGURES = {
    "kendall": ("τ-b", _FISHER),
    "spearman": ("ρ", _FISHER),
    "pearson": ("r", _FISHER),
    "kappa": ("κ of verdicts", _FISHER),
    "auc": ("AUC", "bootstrap, t on the logit"),
    "sign": ("sign agreement", "Wilson"),
}
_MANY = 60_000


def _deltas(rng: np.random.Generator, ballots: Ballots) -> pa.Table:
    """Two measures that follow the lean: tenths with many zeros, and a finer, better one."""
    names = [f"q{at:05}" for at in range(len(ballots.lean))]
    coarse = ballots.lean + rng.normal(0, 1.2, size=len(names))
    fine = ballots.lean + rng.normal(0, 0.9, size=len(names))
    return pa.table(
        {
            "query_id": names * 2,
            "measure": ["item_goodrate"] * len(names) + ["ndcg"] * len(names),
            "cutoff": [10] * (2 * len(names)),
            "delta": np.concatenate([np.round(coarse) / 10, 0.1 * fine]),
        }
    )


def _study(rng: np.random.Generator, queries: int, draws: int) -> Correlations:
    ballots = electorate().draw(rng, queries)
    seed = int(rng.integers(2**31))
    return correlate(ballots.table(), _deltas(rng, ballots), draws=draws, seed=seed)


@cache
def _true() -> Mapping[tuple[str, str], float]:
    found = _study(np.random.default_rng(20_008), _MANY, draws=0)
    true = {}
    for row in found.rows:
        for name in _FIGURES:
            value = getattr(row, "sign_agreement" if name == "sign" else name)
            assert value is not None
            true[row.measure, name] = float(value)
    return true


def _queries(rng: np.random.Generator, repetitions: int) -> list[Row]:
    rows = []
    true = _true()
    for queries in (30, 100, 250):
        # four of five have lists that differ, and votes
        size = f"about {queries * 4 // 5} queries, overlap 3"
        counted = {
            (measure, name): Coverage(
                Subject(GROUP, *_FIGURES[name], "correlate", f"{size}; {kind}"),
                true[measure, name],
            )
            for measure, kind, names in (
                ("item_goodrate", "Δ in tenths", _FIGURES),
                ("ndcg", "fine Δ", ("kendall", "pearson")),
            )
            for name in names
            # with fewer than 10 Good or 10 Bad there is none
            if not (name == "auc" and queries < 100)
        }
        behind = Coverage(
            Subject(GROUP, "τ-b behind the best", "bootstrap, t", "correlate", size), 0.0
        )
        for _ in range(repetitions):
            found = _study(rng, queries, draws=1_000)
            values: Mapping[str, Any] = {row.measure: row.to_dict() for row in found.rows}
            for (measure, name), counter in counted.items():
                ends = values[measure]
                counter.add(ends[f"{name}_low"], ends[f"{name}_high"])
            best, other = found.ranking
            apart = true[best.measure, "kendall"] - true[other.measure, "kendall"]
            behind.add(other.behind_low, other.behind_high, apart)
        rows += [each.row() for each in counted.values()]
        rows.append(behind.row())
    return rows


def _systems(rng: np.random.Generator, repetitions: int) -> list[Row]:
    """Kendall's τ-b of normal pairs, which is 2/π·asin(r), and its test where r is 0."""
    rows = []
    of_tests = []
    r = 0.7
    for studies in (8, 16):
        names = [f"w{at:02}" for at in range(studies)]
        counted = Coverage(
            Subject(
                GROUP,
                "system-level τ-b",
                _FISHER,
                "correlate_systems",
                f"{studies} studies, r = {r}",
            ),
            float(2 / np.pi * np.arcsin(r)),
        )
        tested = Rejections(
            Subject(
                "Tests",
                "system-level τ-b",
                "permutation test",
                "correlate_systems",
                f"{studies} studies",
            ),
            f"r = {r}",
        )
        for _ in range(repetitions):
            for true in (0.0, r):
                gsb, noise = rng.normal(size=(2, studies))
                delta = true * gsb + np.sqrt(1 - true**2) * noise
                [row] = correlate_systems(
                    pa.table({"study": names, "gsb": gsb, "delta": delta}),
                    draws=1_000 if true else 0,
                    seed=int(rng.integers(2**31)),
                ).rows
                if true:
                    counted.add(row.kendall_low, row.kendall_high)
                    tested.add_alternative(row.p)
                else:
                    tested.add(row.p)
        rows.append(counted.row())
        of_tests.append(tested.row())
    return [*rows, *of_tests]


STUDIES = (
    Study("correlation", _queries, 1_500, quick=5),
    Study("system-correlation", _systems, 800, quick=5),
)
