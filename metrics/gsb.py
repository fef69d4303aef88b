"""GSB: for how many queries is the treatment better (Good), the same, or worse (Bad)?

Here the verdicts are automatic, computed from judgments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from metrics.measures import distribution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from metrics.goodrate import Scoring

    Array = NDArray[np.float64]
    Columns = Mapping[str, Array]

__all__ = ["automatic_verdicts"]


def automatic_verdicts(
    control: Columns, treatment: Columns, cutoff: int, scoring: Scoring
) -> tuple[Array, Array]:
    """Call every query Good or Bad by its number of good products inside the cutoff.

    Good when g(treatment) − g(control) > margin, Bad when < −margin, otherwise Same.

    Args:
        control: the control's per-query table, float64[q] a column.
        treatment: the treatment's.
        cutoff: depth.
        scoring: how runs are scored; with `ties="expected"` the verdicts are probabilities over
            all orders of each run's tied products.

    Returns:
        (good, bad), float64[q]: 1.0 or 0.0, or probabilities.
    """
    margin = scoring.margin
    tied = any(f"tie_size_{cutoff}" in columns for columns in (control, treatment))
    if scoring.ties != "expected" or not tied:
        difference = treatment[f"good_{cutoff}"] - control[f"good_{cutoff}"]
        return (difference > margin).astype(np.float64), (difference < -margin).astype(np.float64)
    of_control = distribution(control, cutoff)
    of_treatment = distribution(treatment, cutoff)
    below = np.concatenate(
        [np.zeros((len(of_treatment), 1)), np.cumsum(of_treatment, axis=1)], axis=1
    )
    counts = np.arange(cutoff + 1)
    most_of_bad = np.ceil(counts - margin).astype(np.int64) - 1
    most_of_same = np.floor(counts + margin).astype(np.int64)
    bad = below[:, np.clip(most_of_bad + 1, 0, cutoff + 1)]
    good = 1.0 - below[:, np.clip(most_of_same + 1, 0, cutoff + 1)]
    return (of_control * good).sum(axis=1), (of_control * bad).sum(axis=1)
