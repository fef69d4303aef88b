"""Which queries of an evaluation people have graded: completely, in part, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from metrics._human_grades import ALIKE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from metrics._queries import RunTable

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["Labels"]


@dataclass(frozen=True)
class Labels:
    """Which queries people have graded at one cutoff.

    Attributes:
        labelled: everything that both runs show is graded, and something is shown.
        partly: something is graded, but not everything.
        empty: neither run shows anything, so that nothing is left to people.
    """

    labelled: Mask
    partly: Mask
    empty: Mask

    @classmethod
    def of(
        cls, automated: Mapping[str, RunTable], people: Mapping[str, RunTable], n: int
    ) -> Labels:
        """Compare what runs show down to a cutoff with what people graded of it.

        Args:
            automated: per run its sums.
            people: the same by people's grades.
            n: the cutoff.
        """
        shown = np.stack([table.columns[f"shown_{n}"] for table in automated.values()])
        graded = np.stack([people[name].columns[f"judged_{n}"] for name in automated])
        empty = (shown == 0).all(axis=0)
        whole = (graded == shown).all(axis=0) & ~empty
        return cls(whole, (graded > 0).any(axis=0) & ~whole, empty)

    def design(self, given: Array | None, mask: Mask | slice) -> Array:
        """Probabilities for the estimate: 1 where there is nothing to grade."""
        labelled, empty = self.labelled[mask], self.empty[mask]
        p = np.full(len(labelled), np.nan)
        known = None if given is None else given[mask]
        if known is None or not labelled.any() or np.ptp(known[labelled]) <= ALIKE:
            some = int((~empty).sum())
            p[:] = labelled.sum() / some if some else 1.0
        else:
            p[:] = known
        p[empty] = 1.0
        return p
