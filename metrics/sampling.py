"""Which queries to send to people: random samples with known, unequal probabilities.

A query is worth a label where the two runs differ, and where the judge is unsure of what differs.
Such queries are drawn with a larger probability, which is known and later divided by, so that the
estimate stays without bias; no query is left without a chance. How many labels are needed is in
:mod:`metrics.label_plans`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from metrics._human_grades import collect_people, collect_probabilities, fitting, lazy_inputs
from metrics._labels import Labels, moved_products
from metrics._plan import make_plan
from metrics._queries import align, collect_table
from metrics.errors import MetricsError
from metrics.goodrate import Scoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from metrics._frames import Frames
    from metrics._plan import Plan

    Array = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Lazy = nw.LazyFrame[Any]

__all__ = [
    "LabelSample",
    "draw_labels",
    "inclusion_probabilities",
    "queries_to_label",
    "systematic_sample",
]

EVENLY = 0.2
"""Share of the labels that is spread over all queries alike, so that no probability is near 0."""
_UNKNOWN = 0.25  # p(1 − p) of a product of which nothing is known


def inclusion_probabilities(size: npt.ArrayLike, count: int) -> Array:
    """Return probabilities in proportion to a size that add up to a number of labels.

    Where the proportion would be above 1 it is 1, and the rest is shared among the others.

    Args:
        size: float[N], above 0.
        count: labels, at most N.

    Returns:
        float[N], each above 0 and at most 1, with sum `count`.

    Raises:
        ValueError: a size is not a finite number above 0, or count is not between 0 and N.

    Examples:
        >>> inclusion_probabilities([1, 1, 2, 12], 2).tolist()
        [0.25, 0.25, 0.5, 1.0]
    """
    sizes = np.asarray(size, dtype=np.float64)
    if sizes.ndim != 1 or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise ValueError("every size is a finite number above 0.")
    if not 0 <= count <= len(sizes):
        raise ValueError(f"{count} labels cannot be drawn from {len(sizes)} queries.")
    return np.minimum(1.0, _scale(sizes, count) * sizes)


def systematic_sample(probabilities: npt.ArrayLike, *, seed: int) -> Ints:
    """Draw a sample of fixed size in which every query has exactly its probability.

    Randomised systematic sampling (Goodman and Kish 1950, JASA 45:350-372; Madow 1949): queries in
    random order are laid end to end, each as long as its probability, and those are taken in which
    the points u, u + 1, u + 2, … fall, u uniform on [0, 1). The random order gives the design the
    entropy that the variance of :func:`prediction_powered_ratio` supposes.

    Args:
        probabilities: float[N], from 0 to 1, with a whole number as their sum.
        seed: of the order and of u.

    Returns:
        Positions of the drawn queries, ascending.

    Raises:
        ValueError: a probability lies outside [0, 1], or the sum is no whole number.

    Examples:
        >>> systematic_sample([0.25, 0.25, 0.5, 1.0], seed=3).tolist()
        [2, 3]
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("every probability lies between 0 and 1.")
    count = round(float(p.sum()))
    if abs(float(p.sum()) - count) > 1e-6:
        raise ValueError(f"the probabilities must add up to a whole number, not {p.sum()}.")
    rng = np.random.default_rng(seed)
    certain, open_ = np.flatnonzero(p == 1), np.flatnonzero((p > 0) & (p < 1))
    rest = count - len(certain)
    order = rng.permutation(open_)
    ends = np.cumsum(p[order])
    if rest:
        ends[-1] = rest  # exact, so that the last point falls inside
    at = np.searchsorted(ends, rng.random() + np.arange(rest), side="right")
    found: Ints = np.sort(np.concatenate([certain, order[at]])).astype(np.int64)
    return found


def draw_labels(
    size: npt.ArrayLike,
    labelled: npt.ArrayLike,
    count: int,
    *,
    before: npt.ArrayLike | None = None,
    seed: int,
) -> tuple[Ints, Array]:
    """Draw queries by size among those not labelled, and say how likely each is labelled by now.

    Four fifths of the labels go by size, one fifth to all queries alike. Overall a query has the
    probability ``π₁ + (1 − π₁)·π₂`` of being labelled: earlier, or else now. π₂ of those that are
    labelled already is what it would have been; it depends a little on which these are, and that
    is left out of account.

    Args:
        size: float[N], from 0 up: how much a label of each query will tell.
        labelled: bool[N], whether it is labelled already.
        count: queries to draw.
        before: float[N], π₁, 0 where nothing was labelled so far.
        seed: of the draw.

    Returns:
        (positions of the drawn queries, ascending; float[N] overall probabilities).

    Raises:
        ValueError: a size is negative or no finite number, or there are not so many to draw from.

    Examples:
        >>> drawn, overall = draw_labels([4, 0, 0, 0], [False] * 4, 2, seed=1)
        >>> overall.round(3).tolist()
        [1.0, 0.333, 0.333, 0.333]
    """
    sizes, known = np.asarray(size, dtype=np.float64), np.asarray(labelled, dtype=np.bool_)
    if not (np.isfinite(sizes) & (sizes >= 0)).all():
        raise ValueError("every size is a finite number from 0 up.")
    if not 0 < count <= int((~known).sum()):
        raise ValueError(f"{count} of {int((~known).sum())} unlabelled queries cannot be drawn.")
    total = float(sizes.sum())
    shares = (1 - EVENLY) * sizes / total if total > 0 else sizes
    shares = shares + EVENLY / len(shares)
    now = np.minimum(1.0, _scale(shares[~known], count) * shares)
    drawn = np.flatnonzero(~known)[systematic_sample(now[~known], seed=seed)]
    earlier = np.zeros(len(sizes)) if before is None else np.asarray(before, dtype=np.float64)
    return drawn, earlier + (1 - earlier) * now


@dataclass(frozen=True)
class LabelSample:
    """Queries to send to people.

    Attributes:
        settings: everything needed to draw them again, the seed included.
        drawn: ids of the drawn queries.
        columns: `query_id` and `inclusion_probability` of every query that can be labelled: the
            probability of having been drawn by now, in this draw or before.
        frames: the kind of frame that is given back.
    """

    settings: Mapping[str, Any]
    drawn: tuple[str, ...]
    columns: Mapping[str, Any] = field(repr=False)
    frames: Frames = field(repr=False)

    @property
    def probabilities(self) -> Any:
        """`query_id, inclusion_probability` of all queries, as a frame of the caller's kind."""
        return self.frames.from_columns(dict(self.columns))


def queries_to_label(
    control: Any,
    treatment: Any,
    judgments: Any,
    human: Any = None,
    queries: Any = None,
    *,
    count: int,
    probabilities: Any = None,
    cutoff: int = 10,
    human_good: float | None = None,
    seed: int = 0,
    check: bool = True,
    **scoring: Any,
) -> LabelSample:
    """Draw the queries that people should grade next, and say how likely each was to be drawn.

    A query's size is ``w·sqrt(Σ p(1 − p))`` over the products of the top N that one run shows and
    the other does not, with p the judge's probability that the product is good (1/2 where it gives
    none, so that the sum counts products): about the standard deviation of what a label will tell
    of Δ, in proportion to which the variance of Δ is smallest (Neyman 1934; Cassel, Särndal and
    Wretman 1976). How they are drawn, and what is left out of account, says :func:`draw_labels`;
    a query that people have graded is not drawn again.

    Args:
        control: as in `calibrate`.
        treatment: as in `calibrate`; None for a single run, all of whose products count.
        judgments: as in `calibrate`; a column `probability` is p.
        human: as in `calibrate`: what has been labelled already; None where nothing has.
        queries: as in `compare_runs`.
        count: queries to draw.
        probabilities: `query_id, inclusion_probability` of the earlier draws, of all queries;
            without it, what is labelled counts as a simple random sample.
        cutoff: depth N that people will grade.
        human_good: as in `calibrate`.
        seed: of the draw.
        check: as in `compare_runs`.
        **scoring: fields of `Scoring`.

    Returns:
        The drawn queries, and the overall probability of every query.

    Raises:
        TypeError: an argument is not a frame.
        MetricsError: more are asked for than there are, or an earlier probability is missing.

    >>> import pandas as pd
    >>> def run(*p): return pd.DataFrame({"query_id": ["q1", "q2", "q3"], "product_id": p,
    ...                                   "rank": 1})
    >>> grades = pd.DataFrame({"query_id": ["q1", "q2", "q3"], "product_id": "p", "grade": 1})
    >>> found = queries_to_label(run("p", "p", "p"), run("p", "x", "p"), grades, count=1, seed=1)
    >>> found.drawn
    ('q2',)
    >>> found.probabilities["inclusion_probability"].round(4).tolist()
    [0.0667, 0.8667, 0.0667]
    """
    runs, lazy, frames = lazy_inputs(
        control,
        treatment,
        judgments=judgments,
        human=human,
        queries=queries,
        probabilities=probabilities,
    )
    settings = Scoring(**{**scoring, "cutoffs": (cutoff,)})
    plan, tables = make_plan(
        {name: lazy[name] for name in runs}, lazy["judgments"], lazy.get("queries"), None,
        fitting(settings, lazy["judgments"], None), ("item_goodrate",), (), (), "default", 0, check,
    )  # fmt: skip
    people = collect_people(plan, lazy.get("human grades"), settings, human_good, check)
    labels = Labels.of(tables, people.tables, cutoff)
    before = _before(plan, labels, collect_probabilities(plan, lazy.get("probabilities")))
    there, open_ = ~labels.empty, ~labels.empty & ~labels.labelled
    if not 0 < count <= int(open_.sum()):
        raise MetricsError(
            f"{count:,} queries cannot be drawn: {int(open_.sum()):,} are not labelled yet",
            setting="labels",
        )
    size = plan.queries.weights * np.sqrt(_uncertain(plan, lazy["judgments"], cutoff))
    at, overall = draw_labels(
        size[there], labels.labelled[there], count, before=before[there], seed=seed
    )
    ids = plan.queries.ids.filter(pa.array(there))
    return LabelSample(
        settings={
            "count": count, "cutoff": cutoff, "seed": seed, "evenly": EVENLY,
            "labelled": int(labels.labelled.sum()), "queries": int(there.sum()),
        },
        drawn=tuple(ids.take(pa.array(at)).to_pylist()),
        columns={"query_id": ids.to_pylist(), "inclusion_probability": overall.tolist()},
        frames=frames,
    )  # fmt: skip


def _scale(sizes: Array, count: int) -> float:
    """The factor that makes probabilities of sizes, capped at 1, add up to a number."""
    certain = np.zeros(len(sizes), dtype=np.bool_)
    while not certain.all():
        scale = (count - int(certain.sum())) / float(sizes[~certain].sum())
        above = ~certain & (scale * sizes >= 1)
        if not above.any():
            return scale
        certain |= above
    return 1 / float(sizes.min()) if len(sizes) else 0.0


def _before(plan: Plan, labels: Labels, given: Array | None) -> Array:
    """The probability with which each query was to be labelled until now."""
    labelled, there = labels.labelled, ~labels.empty
    if not labelled.any():
        return np.zeros(len(labelled))
    if given is None or labels.one_sample(given):
        return np.full(len(labelled), labelled.sum() / there.sum())
    missing = np.flatnonzero(np.isnan(given) & there)
    if len(missing):
        raise MetricsError(
            f"query {plan.queries.ids[int(missing[0])].as_py()!r} has no inclusion_probability, "
            f"{len(missing):,} such queries in all: to draw again, those of all queries are needed",
            setting="probabilities",
        )
    return np.nan_to_num(given, nan=0.0)


def _uncertain(plan: Plan, judgments: Lazy, cutoff: int) -> Array:
    """Σ p(1 − p) of every query, over the products of which Δ depends."""
    keys = ["query_id", "product_id"]
    moved = moved_products(plan, cutoff)
    if "probability" in judgments.collect_schema().names():
        query, product = (nw.col(key).cast(nw.String) for key in keys)
        p = nw.col("probability").cast(nw.Float64)
        known = judgments.select(query, product, p=p)
        wrong = collect_table(known.filter((nw.col("p") < 0) | (nw.col("p") > 1)).head(1))
        if len(wrong):
            row = wrong.to_pylist()[0]
            raise MetricsError(
                f"the probability of query {row['query_id']!r}, product {row['product_id']!r} must "
                f"lie between 0 and 1, not {row['p']}"
            )
        moved = moved.join(known, on=keys, how="left").with_columns(
            doubt=(nw.col("p") * (1 - nw.col("p"))).fill_null(_UNKNOWN)
        )
    else:
        moved = moved.with_columns(doubt=nw.lit(_UNKNOWN, nw.Float64))
    table = collect_table(moved.group_by("query_id").agg(doubt=nw.col("doubt").sum()))
    return align(table, replace(plan.queries, columns={})).columns["doubt"]
