"""What every plan is asked, and what the plans of scores and of votes share."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from metrics.errors import MetricsError
from metrics.inference import normal_quantile

__all__ = ["Asked", "small_pilot", "trinomial_width"]

_FEW = 100  # on the average, plans of 80% had 75% to 78% from pilots of 50 (docs/statistics.md)


@dataclass(frozen=True)
class Asked:
    """What is asked of every figure.

    Attributes:
        delta: the true difference to be found, a fraction, or None.
        power: the probability of finding it.
        alpha: two-sided level of the test.
        queries: how many there are, or None for the pilot's.
        simulate: samples to draw.
        seed: of what is drawn.

    Raises:
        MetricsError: one of them cannot be meant.
    """

    delta: float | None
    power: float
    alpha: float
    queries: int | None
    simulate: int
    seed: int

    def __post_init__(self) -> None:
        if self.delta is None and self.queries is None:
            raise MetricsError("say which difference is to be found, or how many queries there are")
        if self.delta is not None and not (self.delta >= 1e-4 and math.isfinite(self.delta)):
            raise MetricsError(
                f"delta must be at least 0.0001 (a hundredth of a point), not {self.delta:g}",
                setting="delta",
            )
        for name in ("power", "alpha"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise MetricsError(f"{name} must lie between 0 and 1, not {value:g}", setting=name)
        if self.queries is not None and self.queries < 2:
            raise MetricsError(f"queries must be 2 or more, not {self.queries}", setting="queries")
        if self.simulate < 0 or self.seed < 0:
            raise MetricsError("simulate and seed must be 0 or more")

    def rng(self, place: int) -> np.random.Generator:
        """The generator of a row."""
        return np.random.default_rng([self.seed, place])

    def queries_of(self, share: float, pilot: int | None) -> int | None:
        """Queries there are in a segment that has a share of all; by default as in the pilot."""
        return pilot if self.queries is None else max(2, round(self.queries * share))

    def settings(self) -> dict[str, Any]:
        """The settings as a plan records them."""
        return asdict(self)


def small_pilot(queries: int) -> list[str]:
    """Warn of a pilot from which the spread cannot be told well."""
    if queries >= _FEW:
        return []
    return [
        f"The pilot has {queries} {'query' if queries == 1 else 'queries'}: how much queries vary "
        "is itself uncertain, so take more than the plan says."
    ]


def trinomial_width(good: float, bad: float, queries: int) -> float:
    """Width of the 95% interval of GSB with so many queries."""
    variance = max(good + bad - (good - bad) ** 2, 0.0) / queries
    return 2 * normal_quantile(0.95) * math.sqrt(variance)
