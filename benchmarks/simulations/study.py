"""One simulation: a name, how often it repeats, and what it counts."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.simulations.rows import Row

__all__ = ["Study"]


@dataclass(frozen=True)
class Study:
    """A simulation.

    Attributes:
        name: of `--only`.
        run: takes a generator of random numbers and the number of repetitions.
        repetitions: in a full run.
        quick: with `--quick`.
    """

    name: str
    run: Callable[[np.random.Generator, int], list[Row]]
    repetitions: int
    quick: int = 100

    def rows(self, seed: int, *, quick: bool = False) -> list[Row]:
        """Run it; its random numbers depend on the seed and its name only."""
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        return self.run(rng, self.quick if quick else self.repetitions)
