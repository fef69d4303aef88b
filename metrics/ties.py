"""What tied scores leave open: expected values and ranges over all orders of the tied products.

Only one group of equal scores can straddle a cutoff, so four counts per query and cutoff tell
everything about the good products inside it: those surely inside, and of the straddling group
its size, its good ones and the places that are left for it. For these the number of good ones
inside is hypergeometric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from metrics.ranking import discount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["good_distribution", "tie_groups", "tied_dcg"]

Lazy = nw.LazyFrame[Any]


def tie_groups(ranked: Lazy, graded: Lazy, cutoffs: Sequence[int]) -> Lazy:
    """Count, per query and cutoff, the good products that are sure and those a tie decides.

    Args:
        ranked: `query_id, product_id, score, position`.
        graded: `query_id, product_id, judged, good, gain`.
        cutoffs: depths.

    Returns:
        `query_id` and per cutoff `sure_good_N, sure_judged_N, tie_size_N, tie_good_N,
        tie_judged_N, tie_slots_N`.
    """
    lists = ranked.join(graded, on=["query_id", "product_id"], how="left")
    groups = lists.group_by("query_id", "score").agg(
        size=nw.col("position").count(),
        last=nw.col("position").max(),
        good=nw.col("good").fill_null(0.0).sum(),
        judged=nw.col("judged").fill_null(0.0).sum(),
    )
    size, last = nw.col("size").cast(nw.Float64), nw.col("last").cast(nw.Float64)
    sums = {}
    for n in cutoffs:
        inside = last <= n
        straddles = (last > n) & (last - size < n)
        sums[f"sure_good_{n}"] = nw.when(inside).then(nw.col("good")).otherwise(0.0).sum()
        sums[f"sure_judged_{n}"] = nw.when(inside).then(nw.col("judged")).otherwise(0.0).sum()
        sums[f"tie_size_{n}"] = nw.when(straddles).then(size).otherwise(0.0).sum()
        sums[f"tie_good_{n}"] = nw.when(straddles).then(nw.col("good")).otherwise(0.0).sum()
        sums[f"tie_judged_{n}"] = nw.when(straddles).then(nw.col("judged")).otherwise(0.0).sum()
        sums[f"tie_slots_{n}"] = nw.when(straddles).then(n - (last - size)).otherwise(0.0).sum()
    return groups.group_by("query_id").agg(**sums)


def tied_dcg(ranked: Lazy, graded: Lazy, cutoffs: Sequence[int]) -> Lazy:
    """DCG over the orders of tied products: its mean, its least and its greatest value.

    The mean puts the average discount of a tie group's places on each of its products; the least
    and the greatest sort every group by gain.

    Returns:
        `query_id` and per cutoff `dcg_mean_N, dcg_low_N, dcg_high_N`.
    """
    lists = ranked.join(graded, on=["query_id", "product_id"], how="left").with_columns(
        gain=nw.col("gain").fill_null(0.0)
    )
    lists = lists.with_columns(loss=-nw.col("gain"))
    high = nw.col("product_id").cum_count(reverse=True)
    low = nw.col("product_id").cum_count(reverse=True)
    lists = lists.with_columns(
        high=high.over("query_id", order_by=["score", "gain", "product_id"]),
        low=low.over("query_id", order_by=["score", "loss", "product_id"]),
    )
    weights = {}
    for n in cutoffs:
        place = nw.col("position")
        weights[f"weight_{n}"] = nw.when(place <= n).then(discount("position")).otherwise(0.0)
    lists = lists.with_columns(**weights).with_columns(
        **{f"mean_{n}": nw.col(f"weight_{n}").mean().over("query_id", "score") for n in cutoffs}
    )
    sums = {}
    for n in cutoffs:
        sums[f"dcg_mean_{n}"] = (nw.col("gain") * nw.col(f"mean_{n}")).sum()
        for end in ("low", "high"):
            term = nw.col("gain") * discount(end)
            sums[f"dcg_{end}_{n}"] = nw.when(nw.col(end) <= n).then(term).otherwise(0.0).sum()
    return lists.group_by("query_id").agg(**sums)


def good_distribution(
    sure: NDArray[np.float64],
    size: NDArray[np.float64],
    good: NDArray[np.float64],
    slots: NDArray[np.float64],
    cutoff: int,
) -> NDArray[np.float64]:
    """Probability of every number of good products inside the cutoff, over all orders of ties.

    Args:
        sure: good products surely inside, float64[q].
        size: size of the straddling tie group (0 when there is none), float64[q].
        good: good products in that group, float64[q].
        slots: places inside the cutoff that are left for the group, float64[q].
        cutoff: depth.

    Returns:
        float64[q, cutoff + 1]: column k is the probability of exactly k good ones; hypergeometric
        in the straddling group.

    >>> import numpy as np
    >>> one = np.array([1.0])
    >>> good_distribution(one, 2 * one, one, one, cutoff=3).round(2).tolist()
    [[0.0, 0.5, 0.5, 0.0]]
    """
    from scipy.special import gammaln

    def log_choose(n: Any, k: Any) -> Any:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    drawn = np.arange(cutoff + 1, dtype=np.float64)[None, :] - sure[:, None]
    size, good, slots = size[:, None], good[:, None], slots[:, None]
    possible = (drawn >= np.maximum(0, slots - (size - good))) & (drawn <= np.minimum(good, slots))
    k = np.where(possible, drawn, np.minimum(good, slots))
    log_mass = log_choose(good, k) + log_choose(size - good, slots - k) - log_choose(size, slots)
    mass: NDArray[np.float64] = np.where(possible, np.exp(log_mass), 0.0)
    mass /= mass.sum(axis=1, keepdims=True)
    return mass
