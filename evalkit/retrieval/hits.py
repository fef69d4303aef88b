"""Search results as arrays, and as a run.

Products stand in an index in descending order of product_id, byte-wise. So "equal scores are
ordered by product_id, descending", the scorer's rule, is "equal scores are ordered by position".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Hits", "best_of_row", "run_columns", "to_run"]

run_columns = ("query_id", "product_id", "rank", "score", "system")


@dataclass(frozen=True)
class Hits:
    """Results of several queries, best first within a query.

    Attributes:
        query: which query, int64[n], ascending.
        position: which product of the index, int64[n].
        score: higher is better, float32[n].
    """

    query: NDArray[np.int64]
    position: NDArray[np.int64]
    score: NDArray[np.float32]

    @staticmethod
    def joined(parts: Sequence[Hits]) -> Hits:
        """Join results of batches of queries, in order."""
        if not parts:
            empty = np.zeros(0, dtype=np.int64)
            return Hits(empty, empty, np.zeros(0, dtype=np.float32))
        return Hits(
            np.concatenate([part.query for part in parts]),
            np.concatenate([part.position for part in parts]),
            np.concatenate([part.score for part in parts]),
        )


def best_of_row(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the positions of the k best positive scores, best first, ties by position.

    Args:
        scores: one score for each product, float32[products].
        k: how many at most.
    """
    found = np.flatnonzero(scores > 0)
    if len(found) > k:
        # Everything that ties with the k-th stays in until the sort has decided.
        threshold = np.partition(scores[found], len(found) - k)[len(found) - k]
        found = found[scores[found] >= threshold]
    order = np.argsort(-scores[found], kind="stable")
    return found[order][:k].astype(np.int64)


def to_run(query_ids: Any, product_ids: Any, hits: Hits, system: str) -> Any:
    """Return a run as a `pyarrow.Table` with the columns of `run_columns`.

    Args:
        query_ids: Arrow array of the queries that were searched.
        product_ids: Arrow array of the products of the index, by position.
        hits: what was found.
        system: name of what produced it.
    """
    import pyarrow as pa

    count = len(hits.query)
    starts = np.flatnonzero(np.diff(hits.query, prepend=-1))
    sizes = np.diff(starts, append=count)
    rank = np.arange(count) - np.repeat(starts, sizes) + 1
    return pa.table(
        {
            "query_id": query_ids.take(pa.array(hits.query)),
            "product_id": product_ids.take(pa.array(hits.position)),
            "rank": pa.array(rank, pa.int32()),
            "score": pa.array(hits.score, pa.float32()).cast(pa.float64()),
            "system": pa.array([system]).take(pa.array(np.zeros(count, dtype=np.int64))),
        }
    )
