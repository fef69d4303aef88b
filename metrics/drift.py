"""Has a judge changed? The same gold pairs, judged week after week, on a control chart.

A judge is a classifier or a language model that grades products. Its provider may exchange it, a
prompt may be edited, an index may feed it other texts. Every figure that rests on its grades moves
with it, and would be taken for a change of the search. Whether the judge is any good is told by
`calibrate`; here it is asked whether it is still the one it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from metrics._frames import as_lazy_together
from metrics._human_grades import grade_as, verdict_agreement
from metrics._queries import collect_table
from metrics.drift_results import Drift, JudgeWeek
from metrics.errors import MetricsError
from metrics.goodrate import Scoring
from metrics.inference import SAME
from metrics.proportions import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Lazy = nw.LazyFrame[Any]

__all__ = ["Exchange", "exchange_test", "judge_drift"]

THREE_SIGMA = 0.0027
"""How often a normal variable is three standard deviations or more away."""
MOST_PAIRS = 2
"""More gold pairs a query, on average, are too many to take mistakes as independent."""
_KEYS = ["query_id", "product_id"]


def judge_drift(
    gold: Any,
    weeks: Mapping[str, Any],
    *,
    baseline: Sequence[str] = (),
    judge_good: float | None = None,
    level: float = THREE_SIGMA,
    check: bool = True,
    **scoring: Any,
) -> Drift:
    """Compare a judge with a gold set week by week, and every week with the baseline weeks.

    A pair counts as good or not. Two exact tests of paired verdicts ask, for every week after the
    baseline, whether the judge is right as often as then (`p_agreement`) and whether it finds as
    much good as then (`p_bias`); see :func:`exchange_test`. Each has half the level, so that a
    judge that has not changed gives a signal in at most 0.27% of the weeks, as on a chart with
    limits at three standard deviations (Shewhart 1931). That holds where the judge errs on each
    pair by itself. Where its mistakes of a week come together in a query, signals for nothing are
    more frequent: choose one or two pairs a query. A warning says where there are more.

    Args:
        gold: frame with `query_id, product_id, grade`, one row a pair: grades taken for right.
        weeks: per week the judge's grades as such a frame; pairs outside the gold set are left out.
        baseline: weeks that show the judge as it should be; the first one by default.
        judge_good: smallest grade of the judge that is good, where its scale is another one.
        level: chance of a false signal in a week.
        check: as in `compare_runs`.
        **scoring: `good` or `good_labels`, as in `Scoring`.

    Returns:
        The weeks: `.table`, `.rows`, `.chart`, `.to_json()`.

    Raises:
        TypeError: an argument is not a frame.
        MetricsError: no week, a baseline week that is not there, or frames that are refused.

    >>> import pandas as pd
    >>> def grades(text): return pd.DataFrame({"query_id": "q", "product_id": range(len(text)),
    ...                                        "grade": [int(mark) for mark in text]})
    >>> gold = grades("1111111111110000")
    >>> found = judge_drift(gold, {"2026-W40": gold, "2026-W41": grades("0000000000000000")})
    >>> row = found.rows[1]
    >>> row.agreement, row.worse, row.better, row.bias, round(row.p_agreement, 6)
    (0.25, 12, 0, -0.75, 0.000488)
    >>> row.signal
    'agreement fell; finds less good'
    """
    if not 0 < level < 1:
        raise MetricsError(f"level must lie between 0 and 1, not {level}")
    settings = Scoring(**scoring)
    chosen = tuple(baseline) or tuple(weeks)[:1]
    missing = [week for week in chosen if week not in weeks]
    if not weeks or missing:
        raise MetricsError(
            f"there are no grades of the baseline week {missing[0]!r}; there are: "
            f"{', '.join(weeks)}"
            if missing
            else "there is no week of the judge",
            setting="baseline" if missing else None,
        )
    lazy, frames = as_lazy_together(
        {"gold": gold, **{f"week {week}": frame for week, frame in weeks.items()}}
    )
    truth = _verdicts(lazy["gold"], "gold set", settings, None, check)
    pairs = collect_table(truth.sort(*_KEYS))
    good = np.asarray(pairs["good"].to_numpy(), dtype=np.float64)
    if not len(good):
        raise MetricsError("the gold set holds no pair that is judged")
    said = {
        week: _on_gold(truth, lazy[f"week {week}"], week, settings, judge_good, check)
        for week in weeks
    }
    each = len(good) / len(set(pairs["query_id"].to_pylist()))
    warnings = []
    if each > MOST_PAIRS:
        warnings.append(
            f"the gold set has {each:.1f} pairs a query: where the judge's mistakes come together "
            "in a query, signals for nothing are more frequent than the level says; choose one or "
            "two pairs a query."
        )
    for week, verdicts in said.items():
        lacking = int(np.isnan(verdicts).sum())
        if lacking == len(good):
            raise MetricsError(f"week {week}: the judge graded no pair of the gold set")
        if lacking:
            warnings.append(
                f"{week}: the judge did not grade {lacking:,} of the {len(good):,} gold pairs; "
                "they are left out of that week and of its comparison."
            )
    first = {week: said[week] for week in chosen}
    return Drift(
        settings={
            "good": settings.good,
            "good_labels": None if settings.good_labels is None else list(settings.good_labels),
            "judge_good": judge_good,
            "level": level,
            "baseline": list(chosen),
        },
        pairs=len(good),
        chart=_chart(good, first, level),
        warnings=warnings,
        rows=[_week(week, good, verdicts, first, level) for week, verdicts in said.items()],
        frames=frames,
    )


@dataclass(frozen=True)
class Exchange:
    """An exact test that this week's verdicts are like those of earlier weeks.

    Attributes:
        p: two-sided, twice the smaller tail and at most 1.
        total: this week's sum of verdicts.
        least: the least sum that is possible, given what the weeks have in common.
        mass: probabilities of that sum and of those above it, float64[sums].
    """

    p: float
    total: int
    least: int
    mass: Array

    def kept(self, tail: float) -> tuple[int, int]:
        """The least and the greatest sum of which both tails are larger than this."""
        below, above = np.cumsum(self.mass), np.cumsum(self.mass[::-1])[::-1]
        inside = self.least + np.flatnonzero((below > tail) & (above > tail))
        return int(inside[0]), int(inside[-1])


def exchange_test(before: Sequence[npt.ArrayLike], now: npt.ArrayLike) -> Exchange:
    """Test exactly that this week's verdicts on pairs are like those of B earlier weeks.

    If nothing has changed, the weeks of a pair can be exchanged, however noisy the judge is on it:
    given that k of its B + 1 verdicts are 1, this week's is 1 with probability k/(B + 1). The sum
    over pairs is then a sum of independent binomials, one for each k, and its distribution is
    known without approximation. With a single earlier week only pairs that changed count, with
    probability 1/2: the exact test of McNemar (1947, Psychometrika 12:153-157). With several it is
    its extension to several controls for a case (Cochran 1950, Biometrika 37:256-266).

    Args:
        before: B arrays of 0 and 1, float64[pairs] each.
        now: float64[pairs], this week's.

    Returns:
        p with the distribution that it is read from.

    Raises:
        ValueError: no earlier week, or arrays of different length.

    Examples:
        >>> found = exchange_test([[1, 1, 1, 0]], [0, 0, 1, 0])
        >>> round(found.p, 4), found.total, found.least, found.mass.round(4).tolist()
        (0.5, 1, 1, [0.25, 0.5, 0.25])
    """
    this = np.asarray(now, dtype=np.float64)
    weeks = [np.asarray(week, dtype=np.float64) for week in before]
    if not weeks or any(week.shape != this.shape for week in weeks):
        raise ValueError("at least one earlier week is needed, each with a verdict on every pair.")
    times = len(weeks) + 1
    ones = np.rint(np.sum(weeks, axis=0) + this).astype(np.int64)
    mass = np.ones(1)
    for k in range(1, times):
        size = int((ones == k).sum())
        mass = np.convolve(mass, _binomial(size, k / times))
    least, total = int((ones == times).sum()), round(float(this.sum()))
    at = total - least
    tail = min(float(mass[: at + 1].sum()), float(mass[at:].sum()))
    return Exchange(min(1.0, 2 * tail), total, least, mass)


def _binomial(size: int, p: float) -> Array:
    """Probabilities of 0 to `size` successes."""
    from scipy.special import gammaln

    k = np.arange(size + 1)
    ways = gammaln(size + 1) - gammaln(k + 1) - gammaln(size - k + 1)
    found: Array = np.exp(ways + k * math.log(p) + (size - k) * math.log1p(-p))
    return found


def _verdicts(frame: Lazy, name: str, scoring: Scoring, good: float | None, check: bool) -> Lazy:
    """Judged pairs of a frame: `query_id, product_id, good`."""
    _, graded = grade_as(frame, name, scoring, good, check)
    return graded.filter(nw.col("judged") > 0).select(*_KEYS, "good")


def _on_gold(
    truth: Lazy, frame: Lazy, week: str, scoring: Scoring, good: float | None, check: bool
) -> Array:
    """The judge's verdict on every gold pair, in the order of their ids, NaN where it has none."""
    said = _verdicts(frame, f"week {week}", scoring, good, check).rename({"good": "said"})
    joined = collect_table(truth.join(said, on=_KEYS, how="left").sort(*_KEYS))
    return np.asarray(joined["said"].to_numpy(), dtype=np.float64)


def _chart(good: Array, baseline: Mapping[str, Array], level: float) -> dict[str, Any]:
    """Centre and widest limits: the variance of a judge that decides every pair anew each week."""
    from scipy.special import ndtri

    shares = [float((said == good)[~np.isnan(said)].mean()) for said in baseline.values()]
    centre = sum(shares) / len(shares)
    error = math.sqrt((1 + 1 / len(shares)) * centre * (1 - centre) / len(good))
    half = float(ndtri(1 - level / 4)) * error
    return {
        "centre": centre,
        "low": max(0.0, centre - half),
        "high": min(1.0, centre + half),
        "baseline": list(baseline),
    }


def _week(
    week: str, good: Array, said: Array, baseline: Mapping[str, Array], level: float
) -> JudgeWeek:
    there = ~np.isnan(said)
    right = int((said == good)[there].sum())
    count = int(there.sum())
    interval = wilson_interval(right, count)
    agreement, kappa = verdict_agreement(good[there], said[there])
    of_gold, of_judge = float(good[there].mean()), float(said[there].mean())
    row = {
        "week": week, "pairs": count, "agreement": agreement, "kappa": kappa,
        "agreement_low": interval.low if interval else None,
        "agreement_high": interval.high if interval else None,
        "good_gold": of_gold, "good_judge": of_judge, "bias": of_judge - of_gold,
    }  # fmt: skip
    if week in baseline:
        return JudgeWeek(**row, note="baseline")  # type: ignore[arg-type]
    both = there & ~np.isnan(list(baseline.values())).any(axis=0)
    if not both.any():
        return JudgeWeek(**row, note="no pair was graded in the baseline weeks too")  # type: ignore[arg-type]
    before, now, gold = [each[both] for each in baseline.values()], said[both], good[both]
    # of as many weeks with one verdict as with the other, the last decides
    mean = np.mean(before, axis=0)
    usual = np.where(np.abs(mean - 0.5) <= SAME, before[-1], mean > 0.5)
    of_right = exchange_test([each == gold for each in before], now == gold)
    of_good = exchange_test(before, now)
    usually = float(np.mean([(each == gold).mean() for each in before]))
    # with another sum for this week, the same pairs leave another mean for the baseline weeks
    low, high = (
        (of_right.total + (1 + 1 / len(before)) * (total - of_right.total)) / len(now)
        for total in of_right.kept(level / 4)
    )
    signals = []
    if of_right.p <= level / 2:
        rose = of_right.total / len(now) > usually
        signals.append("agreement rose" if rose else "agreement fell")
    if of_good.p <= level / 2:
        signals.append("finds more good" if now.mean() > np.mean(before) else "finds less good")
    return JudgeWeek(
        **row,  # type: ignore[arg-type]
        changed=int((now != usual).sum()),
        better=int(((now == gold) & (usual != gold)).sum()),
        worse=int(((now != gold) & (usual == gold)).sum()),
        p_agreement=of_right.p,
        p_bias=of_good.p,
        limit_low=max(0.0, low),
        limit_high=min(1.0, high),
        signal="; ".join(signals) or None,
    )
