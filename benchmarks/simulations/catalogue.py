"""Every study, in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.simulations import (
    of_agreement,
    of_calibration,
    of_comparisons,
    of_correlations,
    of_drift,
    of_looks,
    of_plans,
    of_ratios,
    of_shares,
    of_swaps,
    of_votes,
)

if TYPE_CHECKING:
    from benchmarks.simulations.study import Study

__all__ = ["STUDIES"]

STUDIES: dict[str, Study] = {
    study.name: study
    for module in (
        of_ratios,
        of_shares,
        of_swaps,
        of_comparisons,
        of_votes,
        of_agreement,
        of_correlations,
        of_calibration,
        of_drift,
        of_looks,
        of_plans,
    )
    for study in module.STUDIES
}
