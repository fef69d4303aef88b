"""The kind of a product from its title, where the catalogue does not state one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["kinds_from_titles"]


def kinds_from_titles(
    titles: Sequence[str], brands: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.float64]]:
    """Return the distinct kinds (sorted), the kind of each title (-1: unknown) and a confidence.

    Args:
        titles: one a product, as written.
        brands: one a product; its words are no kind.
    """
    return (), np.full(len(titles), -1, dtype=np.int64), np.zeros(len(titles))
