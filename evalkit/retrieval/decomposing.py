"""Queries that exclude something, as vectors that point away from it.

An encoder puts "jacket without leather" close to leather jackets: it reads the words and hardly the
negation. So such a query is split, and its vector is

    v = e(positive part) - weight · e(excluded words),   divided by its length,

with `evalkit.constraints.topic` for the parts. Splitting a query into positive and negative parts
without training is the idea of DEO (arXiv 2603.09185), which goes on to optimise the query's vector
against both; one subtraction with a fixed weight is ours, and so is the weight of 0.4. A larger one
also pushes away what the excluded thing has in common with the wanted one: a vector of "leather" is
not far from one of "jacket". The weight deserves a try on judged queries of one's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints.topic import negated, topic
from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evalkit.constraints.structure import Structure
    from evalkit.retrieval.embedding_cache import CachedEncoder

__all__ = ["DEFAULT_WEIGHT", "decompose", "decomposed_vectors"]

DEFAULT_WEIGHT = 0.4
_LARGEST = 2.0
_NOTHING = 1e-6  # a shorter difference has no direction


def decompose(
    positive: NDArray[np.float32], negative: NDArray[np.float32], weight: float = DEFAULT_WEIGHT
) -> NDArray[np.float32]:
    """Return `positive - weight * negative`, each row of unit length.

    Where the difference has no length, the positive row stays.

    Args:
        positive: unit rows, float32[n, dimension].
        negative: unit rows, float32[n, dimension].
        weight: how much is subtracted, above 0 and at most 2.

    Raises:
        SettingsError: the weight is not in that range.

    Example:
        >>> import numpy as np
        >>> wanted = np.array([[0.8, 0.6]], dtype=np.float32)
        >>> unwanted = np.array([[0.0, 1.0]], dtype=np.float32)
        >>> decompose(wanted, unwanted, 0.6).round(3).tolist()
        [[1.0, 0.0]]
    """
    if not 0 < weight <= _LARGEST:
        raise SettingsError(f"--lambda is {weight:g}; it must be above 0 and at most {_LARGEST:g}.")
    difference = positive.astype(np.float64) - weight * negative.astype(np.float64)
    length = np.linalg.norm(difference, axis=1, keepdims=True)
    unit = difference / np.maximum(length, _NOTHING)
    return np.where(length > _NOTHING, unit, positive).astype(np.float32)


def decomposed_vectors(
    encoder: CachedEncoder,
    queries: Sequence[str],
    structures: Sequence[Structure | None],
    weight: float = DEFAULT_WEIGHT,
) -> tuple[NDArray[np.float32], int]:
    """Return a vector for each query, and how many were decomposed.

    A query that excludes nothing, or has no structure, keeps the vector of its text.

    Args:
        encoder: of the index.
        queries: their texts.
        structures: what they ask for, in the same order.
        weight: see `decompose`.
    """
    pairs = [
        (topic(query, structure), negated(query, structure))
        if structure is not None and structure.excluded
        else (query, "")
        for query, structure in zip(queries, structures, strict=True)
    ]
    split = np.array([bool(negative) for _, negative in pairs], dtype=np.bool_)
    vectors = encoder.encode([positive for positive, _ in pairs], "query")
    if split.any():
        vectors = np.array(vectors, dtype=np.float32)
        away = encoder.encode([negative for _, negative in pairs if negative], "query")
        vectors[split] = decompose(vectors[split], away, weight)
    return vectors, int(split.sum())
