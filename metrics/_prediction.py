"""How a few human values and many automated ones become one estimate: design, λ, variance.

The formulas, their sources and the meaning of the arguments stand in
:mod:`metrics.prediction_powered`; this is what its functions share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from metrics.calibration_results import PredictionPowered
from metrics.inference import SAME, Interval, checked_columns

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]
    Side = tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]
    Columns = tuple[FloatArray, FloatArray, FloatArray]

__all__ = ["Design", "Target", "degrees_of", "estimate", "t_quantile", "unseen"]

Target = Literal["queries", "population"]

FEW = 30
"""Below so many labelled queries the interval is known to be somewhat too narrow."""
RARE = 10
"""As many labelled queries must have a value of their own where nothing is allowed for others."""
_ALIKE = 1e-9


@dataclass(frozen=True, slots=True)
class Design:
    """How the labelled queries came in.

    Attributes:
        p: the probability with which each labelled query was to be labelled, float64[n].
        equal: whether it is one simple random sample.
        size: how many queries there are.
    """

    p: FloatArray
    equal: bool
    size: int

    @property
    def certain(self) -> int:
        """Labelled queries that were sure to be labelled."""
        return int((self.p >= 1).sum())

    @property
    def drawn(self) -> int:
        """Labelled queries that were not: the sample."""
        return len(self.p) - self.certain

    @property
    def drawn_from(self) -> int:
        """What these were drawn from."""
        return self.size - self.certain

    def contributions(self, column: FloatArray) -> FloatArray:
        """What each drawn query adds to Hájek's variance of an estimated mean."""
        at = self.p < 1
        n = int(at.sum())
        if n < 2 or np.ptp(column) <= SAME:
            return np.zeros(n)
        p, share = self.p[at], 1 - self.p[at]
        x = column[at] / p
        x = x - (share @ x) / share.sum()
        found: FloatArray = n / (n - 1) * share * x**2 / (1 / self.p).sum() ** 2
        return found

    def variance(self, column: FloatArray) -> float:
        """Hájek's variance of an estimated mean, from the labelled queries' values."""
        return float(self.contributions(column).sum())

    def degrees(self, column: FloatArray) -> float:
        """Degrees of freedom of that variance."""
        most = max(self.drawn or len(self.p), 2) - 1.0
        parts = self.contributions(column)
        if self.equal or not parts.any():
            return most
        return min(max(2 * float(parts.sum()) ** 2 / float(parts @ parts), 1.0), most)

    def slope(self, one: FloatArray, other: FloatArray) -> float:
        """cov(one, other)/var(other) over the queries that could be drawn; 0 without variance."""
        at = self.p < 1
        if not at.any() or np.ptp(other[at]) <= SAME:
            return 0.0
        a = 1 / self.p[at]
        x, z = (values - (a @ values) / a.sum() for values in (one[at], other[at]))
        return float((a * x) @ z / ((a * z) @ z))

    def over_queries(self, column: FloatArray) -> float:
        """The variance of a column over all queries, estimated from the labelled ones."""
        a, n = 1 / self.p, len(self.p)
        return float(n / (n - 1) * (a @ (column - (a @ column) / a.sum()) ** 2) / a.sum())


def estimate(
    sides: list[Side],
    probabilities: npt.ArrayLike | None,
    target: Target,
    lambda_: float | None,
    confidence: float,
    step: float,
) -> PredictionPowered | None:
    """Estimate one ratio, or the first ratio less the second.

    Args:
        sides: automated numerators, human numerators and denominators of each ratio.
        probabilities: see `prediction_powered_mean`, as for the rest.
        target: as there.
        lambda_: as there.
        confidence: as there, checked.
        step: as in `prediction_powered_ratio`.
    """
    if not (math.isfinite(step) and step >= 0):
        raise ValueError(f"a step is a finite number from 0 up; got {step}.")
    if target not in ("queries", "population"):
        raise ValueError(f"target must be queries or population, not {target!r}.")
    if lambda_ is not None and not 0 <= lambda_ <= 1:
        raise ValueError(f"lambda must lie between 0 and 1; got {lambda_}.")
    columns, labelled = _checked(sides)
    size, count = len(labelled), int(labelled.sum())
    automated = _difference([_ratio(j, d, np.ones(size)) for j, _, d in columns])
    if automated is None:
        return None
    design = _design(probabilities, labelled)
    plain = PredictionPowered(
        queries=size,
        labelled=count,
        automated=automated,
        certain=design.certain,
        drawn_from=design.drawn_from,
        confidence=confidence,
        step=step * design.drawn_from / size if size else step,
        finite=target == "queries",
    )
    if not count:
        return replace(plain, note="no labelled query")
    a = 1 / design.p
    human, e_human = _linearised([(y, d) for _, y, d in columns], a, labelled)
    judge, e_judge = _linearised([(j, d) for j, _, d in columns], a, labelled)
    if human is None or judge is None:
        return replace(plain, note="the labelled queries show nothing")
    unlabelled = size - count
    if count < 2 or (unlabelled and design.drawn < 2):
        return replace(plain, human=human, note="no interval: fewer than 2 labelled queries")

    of_population = target == "population"
    beyond = design.over_queries(e_human) / size if of_population else 0.0
    # a simple random sample of a sample: the two parts are independent, as the page has it
    apart = of_population and design.equal and unlabelled > 1
    if lambda_ is None:
        follows = design.slope(e_human, e_judge) / (1 + count / unlabelled if apart else 1.0)
        lambda_ = min(max(follows, 0.0), 1.0)
    residual = e_human - lambda_ * e_judge
    if apart:
        rest, e_rest = _linearised([(j, d) for j, _, d in columns], np.ones(unlabelled), ~labelled)
        value = human + lambda_ * ((rest or 0.0) - judge)
        variance = lambda_**2 * _of_mean(e_rest) + _of_mean(residual)
        alone = _of_mean(e_human)
    else:
        value = human + lambda_ * (automated - judge)
        variance = beyond + design.variance(residual)
        alone = beyond + design.variance(e_human)
    plain = replace(plain, degrees=design.degrees(residual))
    of_people = replace(plain, degrees=design.degrees(e_human))
    allowed = unseen(plain, design.drawn) if unlabelled else 0.0
    variance, alone = variance + allowed, alone + allowed
    half = t_quantile(confidence, plain.degrees) * math.sqrt(variance)
    human_half = t_quantile(confidence, of_people.degrees) * math.sqrt(alone)
    return replace(
        plain,
        human=human,
        human_error=math.sqrt(alone),
        human_interval=Interval(human - human_half, human + human_half),
        value=value,
        standard_error=math.sqrt(variance),
        interval=Interval(value - half, value + half),
        lambda_=lambda_,
        narrower=1 - half / human_half if human_half > 0 else None,
        effective_labels=_effective(of_people, alone - allowed, half),
        spread=_spread(plain, variance - beyond - allowed),
        floor=beyond,
        note=_remark(columns, labelled, residual, step) if unlabelled else "",
    )


def t_quantile(confidence: float, df: float) -> float:
    """Quantile of Student's t at the upper end of a two-sided interval; df need not be whole."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + confidence / 2))


def _checked(sides: list[Side]) -> tuple[list[Columns], Mask]:
    columns, masks = [], []
    for automated, human, den in sides:
        y = np.asarray(human, dtype=np.float64)
        missing = np.isnan(y)
        j, y, d = checked_columns(automated=automated, human=np.where(missing, 0, y), den=den)
        columns.append((j, y, d))
        masks.append(~missing)
    if any(mask.shape != masks[0].shape or (mask != masks[0]).any() for mask in masks):
        raise ValueError("the two runs need human values for the same queries.")
    return columns, masks[0]


def _design(probabilities: npt.ArrayLike | None, labelled: Mask) -> Design:
    """Probabilities as given where they differ; a simple random sample where they do not."""
    size, count = len(labelled), int(labelled.sum())
    even = Design(np.full(count, count / size if size else 1.0), True, size)
    if probabilities is None or count in (0, size):
        return even  # with every query labelled nothing is left to chance
    p = np.asarray(probabilities, dtype=np.float64)
    if p.shape != labelled.shape:
        raise ValueError(
            f"probabilities need one entry for each of the {size} queries; their shape is "
            f"{p.shape}."
        )
    alike = np.ptp(p[~np.isnan(p)]) <= _ALIKE if not np.isnan(p).all() else True
    p = p[labelled]
    wrong = ~((p > 0) & (p <= 1))
    if wrong.any():
        raise ValueError(
            "every labelled query needs its probability, above 0 and at most 1; one was "
            f"{p[wrong][0]}."
        )
    return even if alike else Design(p, False, size)


def _ratio(num: FloatArray, den: FloatArray, a: FloatArray) -> float | None:
    total = float(a @ den)
    return float(a @ num) / total if total > 0 else None


def _difference(ratios: list[float | None]) -> float | None:
    known = [ratio for ratio in ratios if ratio is not None]
    return known[0] - sum(known[1:]) if len(known) == len(ratios) else None


def _linearised(
    columns: list[tuple[FloatArray, FloatArray]], a: FloatArray, at: Mask
) -> tuple[float | None, FloatArray]:
    """The ratio (or difference of two) over some queries weighted by `a`, and their e_q."""
    ratios = [_ratio(num[at], den[at], a) for num, den in columns]
    parts = [
        (num[at] - (ratio or 0.0) * den[at]) / den.mean()
        for (num, den), ratio in zip(columns, ratios, strict=True)
    ]
    e: FloatArray = parts[0] if len(parts) == 1 else parts[0] - parts[1]
    return _difference(ratios), e


def _of_mean(column: FloatArray) -> float:
    """The variance of the mean of a simple random sample without end."""
    return 0.0 if np.ptp(column) <= SAME else float(np.var(column, ddof=1)) / len(column)


def _spread(plain: PredictionPowered, variance: float) -> float | None:
    """S² of ``variance = S²·(1/n − 1/N)``; None where every query is labelled."""
    n, most = plain.labelled - plain.certain, plain.drawn_from
    return None if n < 2 or n >= most else max(variance, 0.0) / (1 / n - 1 / most)


def _effective(of_people: PredictionPowered, alone: float, half: float) -> float | None:
    """Labels of people alone, drawn alike, whose interval would have this half width.

    Solves ``t(x)²·(S²·(1/x − 1/N) + unseen(x)) = half²`` for x, with S² and t of people alone.
    """
    n, most = of_people.labelled - of_people.certain, of_people.drawn_from
    if n < 2 or n >= most or alone + of_people.step == 0 or (half == 0 and not of_people.finite):
        return None
    beyond = 1 / most if of_people.finite else 0.0
    spread = alone / (1 / n - beyond)

    def enough(count: float) -> bool:
        t = t_quantile(of_people.confidence, degrees_of(of_people, count))
        there = spread * max(0.0, 1 / count - beyond) + unseen(of_people, count)
        return t**2 * there <= half**2 * (1 + SAME)

    low, high = 1.0, float(n)
    while not enough(high):
        low, high = high, min(2 * high, most) if of_people.finite else 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high + of_people.certain


def degrees_of(estimate: PredictionPowered, labels: float) -> float:
    """Degrees of freedom with another number of labels that are drawn alike."""
    now = estimate.labelled - estimate.certain
    return max(estimate.degrees * (labels - 1) / (now - 1), 1.0)


def unseen(estimate: PredictionPowered, labels: float) -> float:
    """Variance of what labels have not shown: two more are made up, a step too high and too low.

    A good judge makes few mistakes, and people may say the same of nearly every query; then the
    variance of a sample is often 0, and not so elsewhere. Two made-up labels put that right, as
    they do for shares (Agresti and Coull 1998, The American Statistician 52:119-126) and for their
    differences (Agresti and Min 2005, Statistics in Medicine 24:729-740). They count for 1/n², and
    soon vanish beside the variance itself.
    """
    open_ = 1 - labels / estimate.drawn_from if estimate.finite else 1.0
    return 2 * estimate.step**2 * max(0.0, open_) / ((labels + 1) * (labels + 2))


def _remark(columns: list[Columns], labelled: Mask, residual: FloatArray, step: float) -> str:
    """Why the interval may promise too much: it rests on the variance of a handful of values."""
    signs = (1, -1)[: len(columns)]
    sides = list(zip(signs, columns, strict=True))
    people = sum((sign * (y / d.mean())[labelled] for sign, (_, y, d) in sides), np.zeros(1))
    judge = sum((sign * (j / d.mean())[labelled] for sign, (j, _, d) in sides), np.zeros(1))
    differ = int((np.abs(people - judge) > SAME).sum())
    usual = np.unique(np.round(people, 9), return_counts=True)[1].max()
    vary = len(people) - int(usual)
    if np.ptp(residual) <= SAME:
        what = "people say the same of every labelled query"
        if differ == 0 and vary:
            what = "people and the automated values agree on every labelled query"
        rests = "the interval rests on an allowance for what they have not shown yet"
        return f"{what}: {rests if step else 'an interval without width is no certainty'}"
    narrow = "the interval is likely too narrow"
    if differ < RARE and not step:
        return f"people and the automated values differ on {_queries(differ)} only: {narrow}"
    if vary < RARE and not step:
        return f"people's values vary on {_queries(vary)} only: {narrow}"
    if len(people) < FEW:
        return f"fewer than {FEW} labelled queries: the interval may be too narrow"
    return ""


def _queries(number: int) -> str:
    return "1 labelled query" if number == 1 else f"{number} labelled queries"
