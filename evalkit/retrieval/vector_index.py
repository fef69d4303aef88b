"""FAISS indexes over unit vectors: exact, HNSW and IVF-PQ; inner product is the cosine.

Building is deterministic: HNSW is built by one thread (its graph depends on the order of
insertion), the k-means of IVF-PQ has a seed. Saved indexes are opened memory-mapped.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evalkit.errors import InputError, Problem, SettingsError
from evalkit.retrieval.hits import Hits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "VectorIndexSettings",
    "VectorKind",
    "build_vectors",
    "check_size",
    "open_vectors",
    "search_vectors",
]

VectorKind = Literal["flat", "hnsw", "ivfpq"]

_LEAST_FOR_PQ = 1_000
_BLOCK = 8_192
_QUERIES = 64
_CODE_BITS = 8
# Two ways of adding 384 float32 products differ by less; used to decide whether a tie at the last
# place could be hidden by rounding.
_ROUNDING = 1e-5
_TRAINING = 100_000


@dataclass(frozen=True)
class VectorIndexSettings:
    """How vectors are indexed.

    Attributes:
        kind: `flat` compares with every product (exact); `hnsw` walks a graph (fast, as large as
            flat); `ivfpq` keeps a few bytes a product (small, least exact).
        hnsw_links: links of a product in the graph.
        hnsw_build_effort: candidates looked at for each link.
        lists: cells of IVF; None takes about 4·√products.
        code_bytes: bytes a product in IVF-PQ; it must divide the dimension. None takes a quarter
            of the dimension, or the next smaller divisor.
        seed: of the k-means of IVF-PQ.
    """

    kind: VectorKind = "flat"
    hnsw_links: int = 32
    hnsw_build_effort: int = 200
    lists: int | None = None
    code_bytes: int | None = None
    seed: int = 0


def check_size(settings: VectorIndexSettings, count: int) -> None:
    """Raise a `SettingsError` when there are too few products for what was asked."""
    if settings.kind != "ivfpq":
        return
    if count < _LEAST_FOR_PQ:
        raise SettingsError(
            f"--index ivfpq needs at least {_LEAST_FOR_PQ:,} products to learn its codes, and "
            f"there are {count:,}; use --index flat, which is exact and fast at this size."
        )
    if settings.lists is not None and settings.lists > count:
        raise SettingsError(f"--lists {settings.lists} is more than the {count:,} products.")


def build_vectors(
    vectors: NDArray[np.float32],
    settings: VectorIndexSettings,
    progress: Callable[[int], object] | None = None,
) -> Any:
    """Build a FAISS index.

    Args:
        vectors: unit rows, float32[products, dimension]; may be memory-mapped.
        settings: which index, and how.
        progress: called with the number of products added each time some are.

    Raises:
        SettingsError: there are too few products for IVF-PQ, or a setting does not fit.
    """
    faiss = _faiss()

    count, dimension = vectors.shape
    metric = faiss.METRIC_INNER_PRODUCT
    if settings.kind == "flat":
        index = faiss.IndexFlatIP(dimension)
    elif settings.kind == "hnsw":
        index = faiss.IndexHNSWFlat(dimension, settings.hnsw_links, metric)
        index.hnsw.efConstruction = settings.hnsw_build_effort
    else:
        index = _trained_ivfpq(vectors, settings)
    threads = faiss.omp_get_max_threads()
    try:
        if settings.kind == "hnsw":
            faiss.omp_set_num_threads(1)
        for start in range(0, count, _BLOCK):
            block = np.ascontiguousarray(vectors[start : start + _BLOCK])
            index.add(block)
            if progress is not None:
                progress(len(block))
    finally:
        faiss.omp_set_num_threads(threads)
    return index


def open_vectors(file: Path) -> Any:
    """Open a saved index, memory-mapped.

    Raises:
        InputError: FAISS cannot read it.
    """
    faiss = _faiss()

    try:
        return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise InputError(
            str(file),
            [Problem(f"FAISS cannot read this index ({str(error).splitlines()[0][:200]})")],
            remedy="Build it again with evalkit index --force.",
        ) from error


def search_vectors(
    index: Any,
    queries: NDArray[np.float32],
    k: int,
    *,
    search_effort: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Hits:
    """Return the k best products of each query, equal scores by position.

    Scores of `flat` and `hnsw` are computed anew from the stored vectors in float64 and then
    rounded to float32, so that they do not depend on which queries share a batch, and equal
    vectors have equal scores. Scores of `ivfpq` are FAISS's estimates.

    Args:
        index: an opened index.
        queries: unit rows, float32[queries, dimension].
        k: results a query at most; all products when there are fewer.
        search_effort: candidates that HNSW keeps (at least 2k), or cells that IVF-PQ visits; None
            takes max(128, 2k) and an eighth of the cells (at least 8).
        progress: called with the number of queries done each time some are.
    """
    parts = []
    for start in range(0, len(queries), _QUERIES):
        batch = np.ascontiguousarray(queries[start : start + _QUERIES])
        found = _search_batch(index, batch, k, search_effort)
        parts.append(Hits(found.query + start, found.position, found.score))
        if progress is not None:
            progress(len(batch))
    return Hits.joined(parts)


def _faiss() -> Any:
    # Its type stubs lack what its C++ side adds when it is loaded.
    return importlib.import_module("faiss")


def _search_batch(
    index: Any, queries: NDArray[np.float32], k: int, search_effort: int | None
) -> Hits:
    total = int(index.ntotal)
    wanted = min(k, total)
    fetch = min(total, wanted + 16)
    open_queries = np.arange(len(queries))
    parts: list[Hits] = []
    while len(open_queries):
        rows = queries[open_queries]
        score, position = _candidates(index, rows, fetch, search_effort)
        # Positions that FAISS leaves empty (-1) come last, whatever their score.
        score = np.where(position < 0, np.float32(-np.inf), score)
        order = np.lexsort((position, -score), axis=1)
        score = np.take_along_axis(score, order, axis=1)
        position = np.take_along_axis(position, order, axis=1)
        # When the last candidate may tie with the k-th, others beyond it may as well.
        settled = (
            (fetch == total)
            | (position[:, -1] < 0)
            | (score[:, -1] < score[:, wanted - 1] - np.float32(_ROUNDING))
        )
        keep = position[settled][:, :wanted]
        valid = keep >= 0
        parts.append(
            Hits(
                np.broadcast_to(open_queries[settled][:, None], keep.shape)[valid].astype(np.int64),
                keep[valid].astype(np.int64),
                score[settled][:, :wanted][valid].astype(np.float32),
            )
        )
        open_queries = open_queries[~settled]
        fetch = min(total, fetch * 4)
    hits = Hits.joined(parts)
    order = np.argsort(hits.query, kind="stable")
    return Hits(hits.query[order], hits.position[order], hits.score[order])


def _candidates(
    index: Any, queries: NDArray[np.float32], fetch: int, search_effort: int | None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    faiss = _faiss()

    if isinstance(index, faiss.IndexHNSW):
        effort = max(search_effort or 128, 2 * fetch)
        score, position = index.search(
            queries, fetch, params=faiss.SearchParametersHNSW(efSearch=effort)
        )
    elif isinstance(index, faiss.IndexIVF):
        effort = min(index.nlist, search_effort or max(8, index.nlist // 8))
        score, position = index.search(
            queries, fetch, params=faiss.SearchParametersIVF(nprobe=effort)
        )
        return score, position
    else:
        score, position = index.search(queries, fetch)
    return _exact(index, queries, position), position


def _exact(
    index: Any, queries: NDArray[np.float32], position: NDArray[np.int64]
) -> NDArray[np.float32]:
    result = np.empty(position.shape, dtype=np.float32)
    for row, places in enumerate(position):
        vectors = index.reconstruct_batch(np.maximum(places, 0)).astype(np.float64)
        result[row] = (vectors * queries[row].astype(np.float64)).sum(axis=1)
    return result


def _trained_ivfpq(vectors: NDArray[np.float32], settings: VectorIndexSettings) -> Any:
    faiss = _faiss()

    count, dimension = vectors.shape
    check_size(settings, count)
    lists = settings.lists or max(1, min(round(4 * math.sqrt(count)), count // 39))
    code_bytes = settings.code_bytes or next(
        size for size in range(max(1, dimension // 4), 0, -1) if dimension % size == 0
    )
    if dimension % code_bytes:
        raise SettingsError(
            f"--code-bytes {code_bytes} does not divide the dimension {dimension} of the model."
        )
    quantiser = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFPQ(
        quantiser, dimension, lists, code_bytes, _CODE_BITS, faiss.METRIC_INNER_PRODUCT
    )
    quantiser.this.disown()
    index.own_fields = True
    for clustering in (index.cp, index.pq.cp):
        clustering.seed = settings.seed
        # FAISS would print a warning about small catalogues, for which we chose the cells.
        clustering.min_points_per_centroid = 1
    generator = np.random.default_rng(settings.seed)
    sample = (
        vectors
        if count <= _TRAINING
        else vectors[np.sort(generator.choice(count, _TRAINING, replace=False))]
    )
    index.train(np.ascontiguousarray(sample))
    return index
