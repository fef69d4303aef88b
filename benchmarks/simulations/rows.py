"""What a simulation counts, and when the count falls short of what was promised."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metrics.inference import Estimate, Interval

__all__ = [
    "ABOVE",
    "ALARM",
    "BELOW",
    "WITHIN",
    "Coverage",
    "Planned",
    "Rejections",
    "Row",
    "Subject",
    "monte_carlo_error",
]

ALARM = 0.0005
"""A row is called a failure if its count, or a worse one, had less than this chance were the
promise kept. With 200 rows that all keep it, a false alarm is expected in one of ten runs, in less
where intervals are wider than they need to be."""

WITHIN, BELOW, ABOVE = "within error or above", "below nominal", "above nominal"

_STRICT = 0.01  # the second level at which tests are looked at
_SLACK = 1e-9


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        group: heading under which the row is shown.
        figure: the figure, as it is called in reports.
        method: how its interval or p is computed.
        call: the function that was called.
        population: what was drawn, and how much of it.
        contrast: what evalkit does not do, shown to tell what would go wrong.
    """

    group: str
    figure: str
    method: str
    call: str
    population: str
    contrast: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Attributes:
        subject: what is looked at.
        kind: `interval`, `sequence` (covers at all looks together), `test`, or `power`.
        nominal: promised share: the coverage, the level of the test, or the planned power.
        trials: repetitions that had a figure.
        hits: intervals that held the truth; rejections of a true null; rejections of a false one.
        missing: repetitions without interval or p.
        low: intervals that lay wholly below the truth.
        high: intervals that lay wholly above it.
        width: mean width of the intervals, in the unit of the figure.
        hits_at_01: of a test, rejections at 0.01.
        power: of a test, the share of rejections at the nominal level where the null is false.
        alternative: what the population was for that share.
    """

    subject: Subject
    kind: str
    nominal: float
    trials: int
    hits: int
    missing: int = 0
    low: int = 0
    high: int = 0
    width: float | None = None
    hits_at_01: int | None = None
    power: float | None = None
    alternative: str = ""

    @property
    def measured(self) -> float:
        """Share of hits."""
        return self.hits / self.trials if self.trials else math.nan

    @property
    def error(self) -> float:
        """Monte-Carlo standard error of `measured`."""
        return monte_carlo_error(self.measured, self.trials)

    @property
    def verdict(self) -> str:
        """Whether the promise was kept, as far as this many repetitions can tell."""
        if self.kind != "test":
            kept = _at_most(self.hits, self.trials, self.nominal) >= ALARM
            return WITHIN if kept else BELOW
        counts = [(self.hits, self.nominal)]
        if self.hits_at_01 is not None:
            counts.append((self.hits_at_01, _STRICT))
        kept = all(
            _at_most(self.trials - hits, self.trials, 1 - level) >= ALARM for hits, level in counts
        )
        return "within error or below" if kept else ABOVE

    @property
    def short(self) -> float:
        """How far the measured share lies on the wrong side of the nominal one; below 0 it kept."""
        return self.measured - self.nominal if self.kind == "test" else self.nominal - self.measured

    @property
    def failed(self) -> bool:
        """Whether the promise was broken."""
        return self.verdict in (BELOW, ABOVE)

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it, with what follows from the counts."""
        return {
            **asdict(self),
            "measured": self.measured,
            "error": self.error,
            "verdict": self.verdict,
        }

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Row:
        """Back from `as_dict`."""
        derived = ("measured", "error", "verdict")
        given = {name: value for name, value in found.items() if name not in derived}
        return cls(**{**given, "subject": Subject(**found["subject"])})


def monte_carlo_error(share: float, trials: int) -> float:
    """Standard error of a share of trials."""
    return math.sqrt(share * (1 - share) / trials) if trials else math.nan


def _at_most(hits: int, trials: int, chance: float) -> float:
    from scipy.special import bdtr

    return float(bdtr(hits, trials, chance)) if trials else 1.0


class Coverage:
    """Counts how often an interval holds the truth.

    Args:
        subject: what is looked at.
        truth: the true figure.
        nominal: promised coverage.
        kind: `interval` or `sequence`.
    """

    def __init__(
        self, subject: Subject, truth: float, *, nominal: float = 0.95, kind: str = "interval"
    ) -> None:
        self.subject, self.truth, self.nominal, self.kind = subject, truth, nominal, kind
        self._hits = self._missing = self._low = self._high = 0
        self._width = 0.0

    def add(self, low: float | None, high: float | None, truth: float | None = None) -> None:
        """Count one interval; None where there is none."""
        if low is None or high is None:
            self._missing += 1
            return
        true = self.truth if truth is None else truth
        self._width += high - low
        if high < true - _SLACK:
            self._low += 1
        elif low > true + _SLACK:
            self._high += 1
        else:
            self._hits += 1

    def add_interval(self, interval: Interval | None) -> None:
        """Count an interval of `metrics`."""
        self.add(*((interval.low, interval.high) if interval else (None, None)))

    def add_estimate(self, estimate: Estimate | None) -> None:
        """Count the interval of an estimate of `metrics`."""
        self.add_interval(estimate.interval if estimate else None)

    def row(self) -> Row:
        """What was counted."""
        trials = self._hits + self._low + self._high
        return Row(
            subject=self.subject,
            kind=self.kind,
            nominal=self.nominal,
            trials=trials,
            hits=self._hits,
            missing=self._missing,
            low=self._low,
            high=self._high,
            width=self._width / trials if trials else None,
        )


class Rejections:
    """Counts how often a test rejects a null hypothesis that is true, and one that is not.

    Args:
        subject: what is looked at.
        alternative: the population of `add_alternative`.
        level: of the test.
        at_01: also count at 0.01.
    """

    def __init__(
        self,
        subject: Subject,
        alternative: str = "",
        *,
        level: float = 0.05,
        at_01: bool = True,
    ) -> None:
        self.subject, self.alternative = subject, alternative
        self.level, self.at_01 = level, at_01
        self._sizes: list[float] = []
        self._powers: list[float] = []
        self._missing = 0

    def add(self, p: float | None) -> None:
        """Count a p under a true null hypothesis."""
        if p is None:
            self._missing += 1
        else:
            self._sizes.append(p)

    def add_alternative(self, p: float | None) -> None:
        """Count a p under the alternative; none is no rejection."""
        self._powers.append(1.0 if p is None else p)

    def row(self) -> Row:
        """What was counted."""
        rejected = [sum(p <= level for p in self._sizes) for level in (self.level, _STRICT)]
        powers = self._powers
        return Row(
            subject=self.subject,
            kind="test",
            nominal=self.level,
            trials=len(self._sizes),
            hits=rejected[0],
            missing=self._missing,
            hits_at_01=rejected[1] if self.at_01 else None,
            power=sum(p <= self.level for p in powers) / len(powers) if powers else None,
            alternative=self.alternative if powers else "",
        )


class Planned:
    """Counts how often a test finds a difference of the size that was planned for.

    Args:
        subject: what is looked at.
        nominal: planned power.
    """

    def __init__(self, subject: Subject, *, nominal: float = 0.8) -> None:
        self.subject, self.nominal = subject, nominal
        self._found = self._trials = 0

    def add(self, p: float | None, level: float = 0.05) -> None:
        """Count a p; none finds nothing."""
        self._trials += 1
        self._found += p is not None and p <= level

    def row(self) -> Row:
        """What was counted."""
        return Row(
            subject=self.subject,
            kind="power",
            nominal=self.nominal,
            trials=self._trials,
            hits=self._found,
        )
