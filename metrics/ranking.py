"""Ranked lists and what judgments say about them, as expressions on any frame.

One sort that every measure uses, and the standard measures with trec_eval's semantics: linear
gains, log2(rank + 1) discounts, ideal lists from all judged products, unjudged is not good,
a negative grade is pooled but not judged. Nothing here collects a frame.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw

from metrics._frames import require_columns
from metrics.errors import MetricsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Order",
    "count_same_places",
    "discount",
    "grade_pairs",
    "ideal_dcg",
    "rank_products",
    "sum_lists",
]

Order = Literal["rank", "score"]
Lazy = nw.LazyFrame[Any]

_KEYS = ["query_id", "product_id"]


# Engines read a bare 1.0 as a decimal and would sum decimals.
_ONE, _ZERO = nw.lit(1.0, nw.Float64), nw.lit(0.0, nw.Float64)


def _flag(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(_ONE).otherwise(_ZERO)


def discount(position: str) -> nw.Expr:
    """1 / log2(rank + 1) of a column of ranks."""
    return _ONE / (nw.col(position) + 1.0).log(2)


def rank_products(run: Lazy, order: Order, *, ties: bool = False) -> Lazy:
    """Put every product of a run in its place.

    Args:
        run: `query_id, product_id` and `score` or `rank`.
        order: `score` sorts by score descending, ties by product id descending, byte by byte
            (trec_eval's rule); `rank` sorts by rank ascending.
        ties: also tell which rows share their score with another of the same query.

    Returns:
        `query_id, product_id, score?, position` (1-based), and with `ties` the column `tied`
        (1.0 or 0.0).
    """
    keys = [nw.col("query_id").cast(nw.String), nw.col("product_id").cast(nw.String)]
    if order == "rank":
        place = nw.col("product_id").cum_count().over("query_id", order_by=["rank"])
        ranked = run.select(*keys, nw.col("rank").cast(nw.Float64)).with_columns(position=place)
        ranked = ranked.select("query_id", "product_id", nw.col("position").cast(nw.Float64))
        return ranked.with_columns(tied=_ZERO) if ties else ranked
    # Counted from the end of the ascending order, so that an engine sorts once for everything.
    within = ["score", "product_id"]
    behind = nw.col("score").cum_count().over("query_id", order_by=within)
    columns = {"behind": behind, "listed": nw.len().over("query_id")}
    if ties:
        columns["before"] = nw.col("score").shift(1).over("query_id", order_by=within)
        columns["after"] = nw.col("score").shift(-1).over("query_id", order_by=within)
    ranked = run.select(*keys, nw.col("score").cast(nw.Float64)).with_columns(**columns)
    place = (nw.col("listed") - nw.col("behind") + 1).cast(nw.Float64)
    kept = ["query_id", "product_id", "score"]
    if not ties:
        return ranked.select(*kept, position=place)
    same = (nw.col("score") == nw.col("before")) | (nw.col("score") == nw.col("after"))
    return ranked.select(*kept, position=place, tied=_flag(same))


def count_same_places(control: Lazy, treatment: Lazy, cutoffs: Sequence[int]) -> Lazy:
    """Count the products that stand in the same place of both lists.

    Two lists are identical down to a cutoff when that many products are in the same place as are
    shown of each.

    Args:
        control: what `rank_products` returns.
        treatment: the same of the other run.
        cutoffs: depths.

    Returns:
        `query_id` and `same_places_N` for every cutoff; queries without any are absent.
    """
    place = [*_KEYS, "position"]
    top, other = (
        run.filter(nw.col("position") <= max(cutoffs)).select(*place)
        for run in (control, treatment)
    )
    same = top.join(other, on=place, how="inner")
    return same.group_by("query_id").agg(
        **{f"same_places_{n}": _flag(nw.col("position") <= n).sum() for n in cutoffs}
    )


def grade_pairs(
    judgments: Lazy,
    *,
    good: float = 1.0,
    good_labels: Sequence[str] | None = None,
    gains: Mapping[str, float] | None = None,
) -> Lazy:
    """Say of every judged pair whether it is good and what it gains.

    Args:
        judgments: `query_id, product_id, grade`, one row a pair; grades are numbers or labels.
        good: smallest grade that is good (numeric grades).
        good_labels: labels that are good (text grades).
        gains: gain of every label, for nDCG (text grades, or numeric grades written as text).

    Returns:
        `query_id, product_id, judged, good, gain`: floats 1.0 or 0.0, gain >= 0. With labels
        and no `gains` there is no gain, and the column is null.

    Raises:
        MetricsError: no `grade` column, or text grades without `good_labels` and `gains`.
    """
    require_columns(judgments, "judgments", [*_KEYS, "grade"])
    keys = [nw.col("query_id").cast(nw.String), nw.col("product_id").cast(nw.String)]
    if not judgments.collect_schema()["grade"].is_numeric():
        label = nw.col("grade").cast(nw.String)
        if not good_labels and not gains:
            raise MetricsError(
                "the grades in judgments are text: say which labels are good",
                setting="good_labels",
            )
        gain = nw.lit(None).cast(nw.Float64)
        if gains:
            gain = label.replace_strict(
                list(gains),
                [float(value) for value in gains.values()],
                default=None,
                return_dtype=nw.Float64,
            )
        is_good = label.is_in(list(good_labels)) if good_labels else gain >= good
        return judgments.select(*keys, judged=_ONE, good=_flag(is_good), gain=gain)
    grade = nw.col("grade").cast(nw.Float64)
    judged = grade >= 0
    gain = grade
    if gains:
        pairs = {float(name): float(value) for name, value in gains.items()}
        gain = nw.when(judged).then(
            grade.replace_strict(
                list(pairs), list(pairs.values()), default=None, return_dtype=nw.Float64
            )
        )
    return judgments.select(
        *keys,
        judged=_flag(judged),
        good=_flag(judged & (grade >= good)),
        gain=nw.when(gain > 0).then(gain).otherwise(_ZERO),
    )


def ideal_dcg(graded: Lazy, cutoffs: Sequence[int]) -> Lazy:
    """DCG of the best list that the judgments allow, per query and cutoff.

    Args:
        graded: what `grade_pairs` returns.
        cutoffs: depths.

    Returns:
        `query_id` and `ideal_dcg_N` for every cutoff; queries without a positive gain are absent.
    """
    alike = graded.filter(nw.col("gain") > 0).group_by("query_id", "gain").agg(products=nw.len())
    last = nw.col("products").cum_sum(reverse=True).over("query_id", order_by=["gain"])
    places = alike.with_columns(last=last.cast(nw.Int64)).with_columns(
        first=nw.col("last") - nw.col("products").cast(nw.Int64)
    )

    def discounts(place: str, cutoff: int) -> nw.Expr:
        """Sum of the discounts of all ranks down to a place, at most to the cutoff."""
        terms = [1.0 / math.log2(rank + 1) for rank in range(1, cutoff + 1)]
        down_to = nw.when(nw.col(place) < cutoff).then(nw.col(place)).otherwise(nw.lit(cutoff))
        return down_to.replace_strict(
            list(range(cutoff + 1)),
            [0.0, *accumulate(terms)],
            default=None,
            return_dtype=nw.Float64,
        )

    return places.group_by("query_id").agg(
        **{
            f"ideal_dcg_{n}": (
                nw.col("gain") * (discounts("last", n) - discounts("first", n))
            ).sum()
            for n in cutoffs
        }
    )


def sum_lists(
    ranked: Lazy,
    graded: Lazy,
    cutoffs: Sequence[int],
    *,
    condensed: bool,
    graded_gains: bool,
    whole_lists: bool,
    order_counts: bool,
    first_unjudged: bool,
) -> Lazy:
    """Sum up each query's list: the counts and sums from which all measures are computed.

    Args:
        ranked: what `rank_products` returns, with `tied`.
        graded: what `grade_pairs` returns.
        cutoffs: depths.
        condensed: remove unjudged products after ordering, so that the rest close ranks.
        graded_gains: also sum discounted gains (nDCG).
        whole_lists: also look below the largest cutoff (MRR).
        order_counts: also count what stands above each good product (MAP, bpref).
        first_unjudged: with `whole_lists`, also find the first unjudged product.

    Returns:
        `query_id`; per cutoff `shown_N, judged_N, tied_N` of the uncondensed list, `good_N` and
        `dcg_N` of the list that is scored, and `retrieved_N` where that is condensed; with
        `whole_lists` `first_good` and `first_unjudged` (null when none); with `order_counts`
        `precision_sum` and `bpref_sum` before division by the number of good products.
    """
    deep = whole_lists or order_counts
    if not deep and not condensed:
        ranked = ranked.filter(nw.col("position") <= max(cutoffs))
    lists = ranked.join(graded, on=_KEYS, how="left").with_columns(
        nw.col("judged").fill_null(_ZERO), nw.col("good").fill_null(_ZERO), nw.col("gain")
    )
    place = "position"
    if condensed:
        kept = nw.col("judged").cum_sum().over("query_id", order_by=["position"])
        lists = lists.with_columns(kept=kept).with_columns(
            condensed=nw.when(nw.col("judged") > 0).then(nw.col("kept"))
        )
        place = "condensed"
    if order_counts:
        bad = nw.col("judged") - nw.col("good")
        lists = lists.with_columns(
            good_so_far=nw.col("good").cum_sum().over("query_id", order_by=["position"]),
            bad=bad,
        ).with_columns(bad_so_far=nw.col("bad").cum_sum().over("query_id", order_by=["position"]))
    at, original = nw.col(place), nw.col("position")
    sums: dict[str, nw.Expr] = {}
    for n in cutoffs:
        inside = at <= n
        if condensed:
            sums[f"retrieved_{n}"] = _flag(inside).sum()
        sums[f"good_{n}"] = nw.when(inside).then(nw.col("good")).otherwise(_ZERO).sum()
        sums[f"shown_{n}"] = _flag(original <= n).sum()
        sums[f"judged_{n}"] = nw.when(original <= n).then(nw.col("judged")).otherwise(_ZERO).sum()
        sums[f"tied_{n}"] = nw.when(original <= n).then(nw.col("tied")).otherwise(_ZERO).sum()
        if graded_gains:
            term = nw.col("gain").fill_null(_ZERO) * discount(place)
            sums[f"dcg_{n}"] = nw.when(inside).then(term).otherwise(_ZERO).sum()
    if whole_lists:
        sums["first_good"] = nw.when(nw.col("good") > 0).then(at).min()
    if whole_lists and first_unjudged:
        sums["first_unjudged"] = nw.when(nw.col("judged") == 0).then(original).min()
    if order_counts:
        sums["precision_sum"] = (nw.col("good") * nw.col("good_so_far") / at).sum()
        return _with_bpref(lists, graded, sums)
    return lists.group_by("query_id").agg(**sums)


def _with_bpref(lists: Lazy, graded: Lazy, sums: Mapping[str, nw.Expr]) -> Lazy:
    """Add bpref's sum, which weighs what stands above by min(R, judged bad) of the query.

    Source: trec_eval m_bpref.c; a good product with no judged bad one above it adds 1.
    """
    totals = graded.group_by("query_id").agg(
        all_good=nw.col("good").sum(), all_judged=nw.col("judged").sum()
    )
    lists = lists.join(totals, on="query_id", how="left")
    all_good, all_bad = nw.col("all_good"), nw.col("all_judged") - nw.col("all_good")
    share = nw.min_horizontal(nw.col("bad_so_far"), all_good) / nw.min_horizontal(all_bad, all_good)
    credit = nw.when(nw.col("bad_so_far") > 0).then(1.0 - share).otherwise(_ONE)
    term = nw.when(nw.col("good") > 0).then(credit).otherwise(_ZERO)
    return lists.group_by("query_id").agg(**sums, bpref_sum=term.sum())
