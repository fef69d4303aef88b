"""How many queries people must grade for an interval as narrow as wanted."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from metrics._prediction import degrees_of, t_quantile, unseen
from metrics.calibration_results import LabelPlan
from metrics.errors import MetricsError
from metrics.inference import SAME

if TYPE_CHECKING:
    from metrics.calibration_results import Calibration, PredictionPowered

__all__ = ["labels_for_width", "plan_labels"]


def labels_for_width(estimate: PredictionPowered, width: float) -> int | None:
    """Say how many labels in all make the prediction-powered interval as narrow as wanted.

    The smallest n with ``2·t·sqrt(floor + S²·(1/n − 1/N) + unseen) ≤ width``, where S² is what one
    label was worth so far and *unseen* the allowance of `prediction_powered_ratio`. It holds if
    labels to come are like those there are; labels drawn where the runs differ usually do better.

    Args:
        estimate: what there is so far, with at least 2 labelled queries.
        width: of the whole interval, in the unit of the figure (0.03 is 3 points).

    Returns:
        The number of labels, those there are included; None if labelling every query is not
        enough, which can only be with the target `population`, or if nothing is known yet.

    Raises:
        ValueError: if the width is not a finite number above 0.

    Examples:
        >>> from metrics import prediction_powered_mean
        >>> human = [1, 0, 0, 1] + [float("nan")] * 96
        >>> labels_for_width(prediction_powered_mean([1, 0] * 50, human), 0.2)
        58
    """
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"a width is a finite number above 0; got {width}.")
    if estimate.interval is None:
        return None
    most, spread = estimate.drawn_from, estimate.spread
    if estimate.interval.high - estimate.interval.low <= width + SAME:
        return estimate.labelled
    if spread is None:
        return None

    def enough(n: int) -> bool:
        variance = estimate.floor + spread * max(0.0, 1 / n - 1 / most) + unseen(estimate, n)
        t = t_quantile(estimate.confidence, degrees_of(estimate, n))
        return 2 * t * math.sqrt(variance) <= width + SAME

    low, high = estimate.labelled - estimate.certain, most
    if not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high + estimate.certain


def plan_labels(
    calibration: Calibration,
    width: float,
    *,
    measure: str | None = None,
    cutoff: int | None = None,
    of: str | None = None,
) -> LabelPlan:
    """Say how many more queries people must grade for an interval of a width, over all queries.

    Args:
        calibration: what there is so far.
        width: of the whole interval, a fraction (0.03 is 3 points).
        measure: of which figure; the first by default.
        cutoff: at which depth; the first by default.
        of: `control`, `treatment` or `delta`; by default delta, or the single run.

    Returns:
        How many labels are needed and how many of them are still to be made, or why that cannot
        be said.

    Raises:
        MetricsError: there is no such figure.
        ValueError: the width is not a finite number above 0.

    >>> import pandas as pd
    >>> from metrics import calibrate
    >>> def grades(g): return pd.DataFrame({"query_id": [f"q{i:03}" for i in range(len(g))],
    ...                                     "product_id": "p", "grade": g})
    >>> judged = grades([1, 0] * 50)
    >>> run = judged.drop(columns="grade").assign(rank=1)
    >>> plan = plan_labels(calibrate(run, None, judged, grades([1, 0, 0, 1])), 0.2)
    >>> plan.labelled, plan.needed, plan.more
    (4, 60, 56)
    """
    kind = of or ("delta" if any(row.of == "delta" for row in calibration.rows) else "run")
    rows = [
        row
        for row in calibration.rows
        if not row.segment
        and row.of == kind
        and measure in (None, row.measure)
        and cutoff in (None, row.cutoff)
    ]
    if not rows:
        there = dict.fromkeys(f"{row.measure}@{row.cutoff} of {row.of}" for row in calibration.rows)
        raise MetricsError(f"there is no such figure to plan for; there are: {', '.join(there)}")
    row = rows[0]
    estimate = row.detail
    found = LabelPlan(
        measure=row.measure, cutoff=row.cutoff, of=row.of, target_width=width,
        width_now=None, labelled=row.labelled, needed=None, more=None,
    )  # fmt: skip
    if estimate is None or estimate.interval is None:
        labels_for_width(estimate, width) if estimate else None
        return replace(
            found, note="nothing is known of its spread yet: have some 30 queries labelled first"
        )
    found = replace(found, width_now=estimate.interval.high - estimate.interval.low)
    needed = labels_for_width(estimate, width)
    if needed is None:
        degrees = degrees_of(estimate, estimate.drawn_from)
        least = 2 * t_quantile(estimate.confidence, degrees) * estimate.floor**0.5
        return replace(
            found,
            note="cannot be reached: with every query labelled the interval of the population is "
            f"still {100 * least:.2f} points wide; more queries are needed",
        )
    more = needed - estimate.labelled
    note = estimate.note
    if not more:
        note = "the interval is as narrow already"
    elif needed >= estimate.queries:
        note = "every query must be labelled"
    return replace(found, needed=row.labelled + more, more=more, note=note)
