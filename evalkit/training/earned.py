"""What outputs of a policy earned: the parts of their rewards, and tables of them by query type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints.structure import QUERY_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["COMPONENTS", "Rewards", "order_of_type"]

COMPONENTS = (
    "reward", "relevance", "alignment", "diversity", "format", "constraint",
    "accepted", "echoed", "excluded", "repeated",
)  # fmt: skip
"""What is said of an output, in the order of tables: the sum, its parts, then shares of K."""


@dataclass(frozen=True)
class Rewards:
    """What B outputs earned, and what became of the K candidates of each.

    Attributes:
        total: the weighted sum, float64[B].
        relevance: 0 to 1, float64[B], before it is weighed; so are the next two.
        alignment: 0 to 1, float64[B].
        diversity: 0 to 1, float64[B].
        format: -1 to 0, float64[B].
        constraint: -1 to 0, float64[B].
        accepted: which candidates are, bool[B, K].
        echoed: which are the query itself, bool[B, K].
        excluded: which state what the query excludes, bool[B, K].
        repeated: which repeat an earlier one, bool[B, K].
    """

    total: NDArray[np.float64]
    relevance: NDArray[np.float64]
    alignment: NDArray[np.float64]
    diversity: NDArray[np.float64]
    format: NDArray[np.float64]
    constraint: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    echoed: NDArray[np.bool_]
    excluded: NDArray[np.bool_]
    repeated: NDArray[np.bool_]

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """Return every one of `COMPONENTS`, float64[B]; marks as the share of K."""
        found = {name: getattr(self, "total" if name == "reward" else name) for name in COMPONENTS}
        return {
            name: values if values.ndim == 1 else values.mean(axis=1)
            for name, values in found.items()
        }

    def rows(self, types: Sequence[str]) -> list[dict[str, str | float]]:
        """Return one row for each output: query_type, then `COMPONENTS`.

        Args:
            types: the query type of each output.
        """
        columns = {name: values.tolist() for name, values in self.columns().items()}
        return [
            {"query_type": kind, **{name: values[place] for name, values in columns.items()}}
            for place, kind in enumerate(types)
        ]

    def means_by_type(self, types: Sequence[str]) -> dict[str, dict[str, float]]:
        """Return the mean of every component by query type, types in their usual order.

        Args:
            types: the query type of each output.
        """
        named = np.array(list(types), dtype=object)
        columns = self.columns()
        return {
            kind: {name: float(values[named == kind].mean()) for name, values in columns.items()}
            for kind in sorted(set(types), key=order_of_type)
        }

    def figures(self, types: Sequence[str]) -> dict[str, float]:
        """Return the means as flat figures for a log: `relevance`, `relevance/negative`, ….

        A figure's name without a type is the mean of all outputs.

        Args:
            types: the query type of each output.
        """
        found = {name: float(values.mean()) for name, values in self.columns().items()}
        for kind, means in self.means_by_type(types).items():
            found |= {f"{name}/{kind}": value for name, value in means.items()}
        return found


def order_of_type(query_type: str) -> tuple[int, str]:
    """Return what sorts query types: the usual order, then unknown ones by name."""
    known: tuple[str, ...] = QUERY_TYPES
    return (known.index(query_type) if query_type in known else len(known), query_type)
