"""What rewrites of a query are worth, as pure functions over embeddings.

The formulas are ours; the paper (arXiv 2602.23620) names the parts: semantic relevance to the
query, alignment with the products' distribution, and diversity. Format and constraint are ours
altogether.

B outputs are rewarded at once. Each has K places for candidates, and a vector of d dimensions and
length 1 in each place; what stands where nothing was said does not matter. All shares are of K,
so that a candidate which does not count costs what it would have earned. Who decides which
candidates count is `evalkit.training.rewarding`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.floating[Any]]
    Marks = NDArray[np.bool_]

__all__ = [
    "DIGITS",
    "calibrated_gate",
    "constraint_penalty",
    "cosines",
    "diversity",
    "format_penalty",
    "nearest_products",
    "product_alignment",
    "query_semantic_relevance",
    "repeats",
]

DIGITS = 6
"""Decimal places of a cosine; those behind depend on how many texts a batch had."""

_BLOCK = 4096  # products whose cosines are in memory at once


def cosines(queries: Numbers, candidates: Numbers) -> NDArray[np.float64]:
    """Return the cosine of each candidate and its query, float64[B, K], from -1 to 1.

    Args:
        queries: unit vectors, [B, d].
        candidates: unit vectors, [B, K, d].

    Example:
        >>> cosines(np.array([[1.0, 0.0]]), np.array([[[0.6, 0.8], [0.0, 1.0]]])).tolist()
        [[0.6, 0.0]]
    """
    one, other = np.asarray(queries, np.float64), np.asarray(candidates, np.float64)
    return np.asarray(np.round(np.einsum("bd,bkd->bk", one, other), DIGITS).clip(-1.0, 1.0))


def query_semantic_relevance(
    queries: Numbers, candidates: Numbers, accepted: Marks
) -> NDArray[np.float64]:
    """Return how near the candidates are to what the query wants (QSR), float64[B], from 0 to 1.

    Formula: sum over the accepted candidates of clip(cos(query, candidate), 0, 1), over K. Ours;
    the paper (arXiv 2602.23620) names the part. The query's vector is to be that of what it wants:
    "running shoes without leather" is nearer to "leather running shoes" than to "mesh running
    shoes".

    Args:
        queries: unit vectors, [B, d].
        candidates: unit vectors, [B, K, d].
        accepted: which of them count, [B, K].

    Example:
        >>> query = np.array([[1.0, 0.0]])
        >>> said = np.array([[[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]]])
        >>> query_semantic_relevance(query, said, np.array([[True, True, True]])).round(3).tolist()
        [0.533]
        >>> query_semantic_relevance(query, said, np.array([[True, False, True]])).round(3).tolist()
        [0.333]
    """
    return _share(cosines(queries, candidates).clip(0.0, 1.0), accepted)


def nearest_products(candidates: Numbers, products: Numbers, k: int = 5) -> NDArray[np.float64]:
    """Return the mean of each candidate's k largest cosines with products, float64[n], 0 to 1.

    With fewer than k products it is the mean of all of them. Sums are of float64, so that the
    figure of a candidate does not depend on the others beside it.

    Args:
        candidates: unit vectors, [n, d].
        products: unit vectors, [products, d], at least one.
        k: how many neighbours; 1 or more.

    Example:
        >>> products = np.array([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0]])
        >>> nearest_products(np.array([[1.0, 0.0], [-0.6, 0.8]]), products, k=2).tolist()
        [0.9, 0.3]
    """
    if k < 1 or not len(products):
        raise ValueError("nearest products need k of 1 or more and at least one product")
    one = np.asarray(candidates, np.float64)
    best = np.empty((len(one), 0))
    for start in range(0, len(products), _BLOCK):
        block = np.asarray(products[start : start + _BLOCK], np.float64)
        best = np.concatenate([best, one @ block.T], axis=1)
        if best.shape[1] > k:
            best = np.partition(best, best.shape[1] - k, axis=1)[:, -k:]
    # The order of equal sums is left to `partition`; sorted, the mean has the same bits always.
    mean = np.sort(best, axis=1).mean(axis=1)
    return np.asarray(np.round(mean, DIGITS).clip(0.0, 1.0))


def product_alignment(nearest: Numbers, accepted: Marks) -> NDArray[np.float64]:
    """Return how much the candidates speak as products do (PDA), float64[B], from 0 to 1.

    Formula: sum over the accepted candidates of the mean of the k = 5 largest cosines with
    products, clipped to 0..1, over K. Ours; the paper (arXiv 2602.23620) names the part.

    Args:
        nearest: `nearest_products` of each candidate, [B, K].
        accepted: which of them count, [B, K].

    Example:
        >>> product_alignment(np.array([[0.9, 0.3]]), np.array([[True, False]])).tolist()
        [0.45]
    """
    return _share(np.asarray(nearest, np.float64).clip(0.0, 1.0), accepted)


def repeats(candidates: Numbers, said: Marks, repeat: float = 0.95) -> Marks:
    """Tell which candidates are above a cosine to an earlier one of their output, bool[B, K].

    Args:
        candidates: unit vectors, [B, K, d].
        said: where a candidate stands, [B, K].
        repeat: the cosine.

    Example:
        >>> said = np.array([[[1.0, 0.0], [0.6, 0.8], [1.0, 0.0]]])
        >>> repeats(said, np.array([[True, True, True]])).tolist()
        [[False, False, True]]
    """
    same = _pairwise(candidates) > repeat
    same &= said[:, :, None] & said[:, None, :]
    places = np.arange(said.shape[1])
    return np.asarray((same & (places[:, None] > places[None, :])).any(axis=2))


def diversity(candidates: Numbers, accepted: Marks, repeat: float = 0.95) -> NDArray[np.float64]:
    """Return how much the candidates differ from each other, float64[B], from 0 to 1.

    Formula: clip(1 - mean pairwise cosine, 0, 1) · m / K over the m accepted candidates that are
    no repeats (see `repeats`); 0 where m is below 2. Ours; the paper (arXiv 2602.23620) names the
    part.

    Args:
        candidates: unit vectors, [B, K, d].
        accepted: which of them count, [B, K].
        repeat: cosine to an earlier accepted candidate above which one does not count.

    Example:
        >>> said = np.array([[[1.0, 0.0], [0.6, 0.8], [1.0, 0.0]]])
        >>> diversity(said, np.array([[True, True, True]])).round(3).tolist()  # 0.4 · 2 / 3
        [0.267]
        >>> diversity(said, np.array([[True, False, False]])).tolist()
        [0.0]
    """
    kept = accepted & ~repeats(candidates, accepted, repeat)
    count = kept.sum(axis=1)
    both = kept[:, :, None] & kept[:, None, :]
    both &= ~np.eye(kept.shape[1], dtype=bool)
    total = np.where(both, _pairwise(candidates), 0.0).sum(axis=(1, 2))
    mean = total / np.maximum(count * (count - 1), 1)
    result = (1.0 - mean).clip(0.0, 1.0) * count / max(kept.shape[1], 1)
    return np.asarray(np.where(count < 2, 0.0, result))


def format_penalty(said: Marks, repeated: Marks, echoed: Marks) -> NDArray[np.float64]:
    """Return -1 for each place that is empty, a repeat or the query itself, over K: float64[B].

    Range -1 to 0. Ours.

    Args:
        said: where a candidate stands, [B, K].
        repeated: which repeat an earlier one, [B, K].
        echoed: which are the query, [B, K].

    Example:
        >>> no = np.array([[False, False]])
        >>> format_penalty(np.array([[True, False]]), no, no).tolist()
        [-0.5]
    """
    return 0.0 - _share(np.ones(said.shape), ~said | repeated | echoed)


def constraint_penalty(breaks: Marks) -> NDArray[np.float64]:
    """Return -1 for each candidate that states what the query excludes, over K: float64[B].

    Range -1 to 0. Ours.

    Args:
        breaks: which candidates do, [B, K].

    Example:
        >>> constraint_penalty(np.array([[True, False, False, False]])).tolist()
        [-0.25]
    """
    return 0.0 - _share(np.ones(breaks.shape), breaks)


def calibrated_gate(known_good: Numbers, keep: float = 0.8) -> float:
    """Return the largest cosine that a share of known-good rewrites reaches.

    Args:
        known_good: cosines of rewrites that are known to be good, [n], at least one.
        keep: the share, above 0 and up to 1.

    Example:
        >>> calibrated_gate(np.array([0.9, 0.8, 0.7, 0.6, 0.1]), keep=0.8)
        0.6
    """
    if not 0.0 < keep <= 1.0 or not len(known_good):
        raise ValueError("a gate needs known-good cosines and a share above 0 and up to 1")
    ordered = np.sort(np.asarray(known_good, np.float64))[::-1]
    # 0.8 · 10 is 8, whatever the last bit of 0.8 says
    return float(ordered[math.ceil(round(keep * len(ordered), 9)) - 1])


def _share(values: Numbers, counted: Marks) -> NDArray[np.float64]:
    """Return the sum of the counted values over the number of places, float64[B]."""
    return np.asarray(np.where(counted, values, 0.0).sum(axis=1) / max(counted.shape[1], 1))


def _pairwise(candidates: Numbers) -> NDArray[np.float64]:
    """Return the cosines of an output's candidates with each other, float64[B, K, K]."""
    each = np.asarray(candidates, np.float64)
    return np.asarray(np.round(np.einsum("bid,bjd->bij", each, each), DIGITS))
