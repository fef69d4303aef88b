"""How far chance moves the Δ of a comparison: standard error, interval, detectable effect.

One calculation for two callers: `compare_runs` prints what a comparison found, `plan_comparison`
what the next one will need. Which interval and which test a figure has is decided by them; here is
what each of the three ways comes to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from metrics.inference import SAME, Interval, minimal_detectable_effect, paired_ratio_interval
from metrics.proportions import (
    mcnemar_standard_error,
    sign_test_p,
    tango_interval,
    trinomial_interval,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Spread", "Test", "pair_spread"]

Test = Literal["swap", "mcnemar", "sign"]
"""The swap test; or exactly, of shares of queries and of verdicts."""


@dataclass(frozen=True)
class Spread:
    """The Δ of a comparison and how far chance moves it.

    Attributes:
        test: the test that its p is of.
        queries: queries that it is over.
        delta: treatment − control, or GSB.
        standard_error: of Δ; for McNemar's test that of no true difference. None with fewer than
            2 queries.
        interval: the 95% interval, None with fewer than 2 queries.
        ahead: queries on which the treatment is better.
        behind: queries on which the control is better.
    """

    test: Test
    queries: int
    delta: float
    standard_error: float | None
    interval: Interval | None
    ahead: int
    behind: int

    @property
    def p(self) -> float | None:
        """The exact p; None for the swap test, which needs the values themselves."""
        return None if self.test == "swap" else sign_test_p(self.ahead, self.behind)

    def error_at(self, queries: int) -> float | None:
        """The standard error that so many queries of the same kind would have."""
        if self.standard_error is None:
            return None
        return self.standard_error * math.sqrt(self.queries / queries)

    def mde(
        self, *, queries: int | None = None, alpha: float = 0.05, power: float = 0.8
    ) -> float | None:
        """The smallest true Δ that is found; see `minimal_detectable_effect`.

        Args:
            queries: how many there would be; those of the comparison by default.
            alpha: two-sided level of the test, not adjusted for a family.
            power: the probability of finding it.
        """
        error = self.error_at(self.queries if queries is None else queries)
        return minimal_detectable_effect(error, alpha=alpha, power=power)


def pair_spread(
    num_control: Array,
    den_control: Array,
    num_treatment: Array,
    den_treatment: Array,
    *,
    test: Test,
) -> Spread | None:
    """Measure the spread of Δ = Σ num / Σ den of the treatment minus that of the control.

    Args:
        num_control: float[n], weighted numerators of the control, one a query.
        den_control: float[n], weighted denominators of the control.
        num_treatment: float[n], the treatment's, in the same order of queries. For verdicts the
            control's numerators are 0, these 1 (Good), 0 or −1 (Bad).
        den_treatment: float[n], the treatment's.
        test: `swap` has the linearised interval (for means the paired t), `mcnemar` Tango's
            interval of paired shares, `sign` the trinomial interval of verdicts. The last two
            take queries whose denominator is not 0, unweighted.

    Returns:
        The spread; None when either run has Σ den = 0.

    >>> import numpy as np
    >>> ones = np.ones(4)
    >>> before, after = np.array([0.0, 0, 1, 1]), np.array([1.0, 0, 1, 1])
    >>> spread = pair_spread(before, ones, after, ones, test="mcnemar")
    >>> spread.delta, spread.standard_error, round(spread.mde(), 4)
    (0.25, 0.25, 0.7004)
    """
    change = _values(num_treatment, den_treatment) - _values(num_control, den_control)
    ahead, behind = int((change > SAME).sum()), int((change < -SAME).sum())
    if test == "swap":
        estimate = paired_ratio_interval(num_control, den_control, num_treatment, den_treatment)
        if estimate is None:
            return None
        error, interval = estimate.standard_error, estimate.interval
        return Spread(test, len(change), estimate.value, error, interval, ahead, behind)
    queries = int((den_control > 0).sum())
    if queries == 0:
        return None
    if test == "mcnemar":
        found = tango_interval(ahead, behind, queries)
        null = mcnemar_standard_error(ahead, behind, queries) if queries > 1 else None
        return Spread(test, queries, (ahead - behind) / queries, null, found, ahead, behind)
    verdicts = trinomial_interval(ahead, queries - ahead - behind, behind)
    if verdicts is None:
        return None
    error, interval = verdicts.standard_error, verdicts.interval
    return Spread(test, queries, verdicts.value, error, interval, ahead, behind)


def _values(num: Array, den: Array) -> Array:
    return np.divide(num, den, out=np.zeros_like(num), where=den > 0)
