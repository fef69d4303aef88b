"""People against a measure, over lists and pair by pair, from the definitions and nothing else.

A figure that does not exist is None. Two values are equal when they differ by less than 1e-12.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CLASSES = (-1, 0, 1)


def sign(value: float) -> int:
    return (value > 1e-12) - (value < -1e-12)


def kendall(x: Sequence[float], y: Sequence[float]) -> float | None:
    """tau-b: concordant less discordant, over pairs apart in x and pairs apart in y."""
    balance = apart_x = apart_y = 0
    for i in range(len(x)):
        for j in range(i):
            of_x, of_y = sign(x[i] - x[j]), sign(y[i] - y[j])
            balance += of_x * of_y
            apart_x += of_x != 0
            apart_y += of_y != 0
    return balance / math.sqrt(apart_x * apart_y) if apart_x and apart_y else None


def ranks(values: Sequence[float]) -> list[float]:
    """Each value's mean place among all, from 1."""
    return [
        sum(sign(value - other) > 0 for other in values)
        + (1 + sum(sign(value - other) == 0 for other in values)) / 2
        for value in values
    ]


def pearson(x: Sequence[float], y: Sequence[float]) -> float | None:
    if all(sign(value - x[0]) == 0 for value in x) or all(sign(value - y[0]) == 0 for value in y):
        return None
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    together = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    spread = math.fsum((a - mean_x) ** 2 for a in x) * math.fsum((b - mean_y) ** 2 for b in y)
    return together / math.sqrt(spread)


def spearman(x: Sequence[float], y: Sequence[float]) -> float | None:
    return pearson(ranks(x), ranks(y))


def confusion(said: Sequence[int], found: Sequence[int]) -> list[list[int]]:
    pairs = list(zip(said, found, strict=True))
    return [[pairs.count((row, column)) for column in CLASSES] for row in CLASSES]


def kappa(said: Sequence[int], found: Sequence[int]) -> float | None:
    count = len(said)
    chance = sum(said.count(k) * found.count(k) for k in CLASSES) / count**2
    agree = sum(a == b for a, b in zip(said, found, strict=True)) / count
    return (agree - chance) / (1 - chance) if chance < 1 else None


def auc(said: Sequence[int], delta: Sequence[float]) -> float | None:
    good = [value for verdict, value in zip(said, delta, strict=True) if verdict > 0]
    bad = [value for verdict, value in zip(said, delta, strict=True) if verdict < 0]
    wins = sum((1 + sign(a - b)) / 2 for a in good for b in bad)
    return wins / (len(good) * len(bad)) if good and bad else None


def agreement(said: Sequence[int], delta: Sequence[float], margin: float) -> int:
    """Queries on which the verdicts agree at a margin."""
    return sum(
        verdict == (sign(value) if abs(value) > margin + 1e-12 else 0)
        for verdict, value in zip(said, delta, strict=True)
    )


def best_margin(said: Sequence[int], delta: Sequence[float]) -> float:
    margins = sorted({0.0, *map(abs, delta)})
    return max(margins, key=lambda margin: (agreement(said, delta, margin), -margin))
