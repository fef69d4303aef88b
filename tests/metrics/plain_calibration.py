"""Prediction-powered ratios in plain loops, straight from the formulas, to compare with.

One query is `(j, y, d, p)` for each run: automated and human numerators (None where no person gave
one), the denominator, and the probability with which the query was to be labelled.
"""

from __future__ import annotations

from math import sqrt

from scipy import stats

Row = tuple[float, float | None, float, float]


def ratio(pairs: list[tuple[float, float, float]]) -> float:
    """Σ a·num / Σ a·den."""
    return sum(a * num for a, num, _ in pairs) / sum(a * den for a, _, den in pairs)


def simple_sample(rows: list[Row]) -> tuple[float, float, float, float]:
    """λ, estimate, standard error and that of people alone, for equal probabilities."""
    size, labelled = len(rows), [row for row in rows if row[1] is not None]
    n = len(labelled)
    scale = sum(row[2] for row in rows) / size
    people = ratio([(1, y, d) for _, y, d, _ in labelled])
    judge = ratio([(1, j, d) for j, _, d, _ in labelled])
    everywhere = ratio([(1, j, d) for j, _, d, _ in rows])
    e_y = [(y - people * d) / scale for _, y, d, _ in labelled]
    e_j = [(j - judge * d) / scale for j, _, d, _ in labelled]
    both = sum(one * other for one, other in zip(e_y, e_j, strict=True))
    own = sum(one * one for one in e_j)
    lam = min(max(both / own, 0), 1) if own else 0
    residual = [one - lam * other for one, other in zip(e_y, e_j, strict=True)]

    def error(values: list[float]) -> float:
        mean = sum(values) / n
        spread = sum((value - mean) ** 2 for value in values) / (n - 1)
        return sqrt((1 - n / size) * spread / n)

    return lam, people + lam * (everywhere - judge), error(residual), error(e_y)


def weighted_sample(rows: list[Row], lam: float) -> tuple[float, float]:
    """Estimate and standard error at a given λ, for unequal probabilities below 1."""
    labelled = [row for row in rows if row[1] is not None]
    n = len(labelled)
    scale = sum(row[2] for row in rows) / len(rows)
    stand_for = sum(1 / p for *_, p in labelled)
    people = ratio([(1 / p, y, d) for _, y, d, p in labelled])
    judge = ratio([(1 / p, j, d) for j, _, d, p in labelled])
    everywhere = ratio([(1, j, d) for j, _, d, _ in rows])
    residual = [((y - people * d) - lam * (j - judge * d)) / scale / p for j, y, d, p in labelled]
    shares = [1 - p for *_, p in labelled]
    middle = sum(s * r for s, r in zip(shares, residual, strict=True)) / sum(shares)
    total = sum(s * (r - middle) ** 2 for s, r in zip(shares, residual, strict=True))
    return people + lam * (everywhere - judge), sqrt(n / (n - 1) * total) / stand_for


def weighted_slope(rows: list[Row]) -> float:
    """cov(Y, J)/var(J) over the labelled queries, each as often as it stands for."""
    labelled = [row for row in rows if row[1] is not None]
    people = ratio([(1 / p, y, d) for _, y, d, p in labelled])
    judge = ratio([(1 / p, j, d) for j, _, d, p in labelled])
    both = sum((y - people * d) * (j - judge * d) / p for j, y, d, p in labelled)
    return both / sum((j - judge * d) ** 2 / p for j, _, d, p in labelled)


def interval(value: float, error: float, df: int) -> tuple[float, float]:
    """The 95% interval by t."""
    half = float(stats.t.ppf(0.975, df)) * error
    return value - half, value + half
