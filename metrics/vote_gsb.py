"""GSB of people's votes, with intervals and tests that take queries, not votes, as the sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from metrics.aggregation import Model, fit, majority_verdicts, refits
from metrics.errors import MetricsError
from metrics.inference import Interval, checked_confidence, ratio_interval
from metrics.proportions import (
    clopper_pearson_interval,
    sign_test_p,
    trinomial_interval,
    wilson_interval,
)
from metrics.vote_results import VoteComparison, VoteScored
from metrics.votes import collect_votes, tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from metrics.votes import Tally, Votes

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["Aggregate", "gsb_from_votes"]

Aggregate = Literal["majority", "votes", "dawid_skene"]

_DRAWS = 1_000


def gsb_from_votes(
    votes: Any,
    *,
    aggregate: Aggregate = "majority",
    by: Sequence[str] = (),
    confidence: float = 0.95,
    seed: int = 0,
) -> VoteComparison:
    """Compute GSB = (G − B)/(G + S + B) from people's votes.

    A vote counts by its sign: above 0 Good (the treatment is better), 0 Same, below 0 Bad. Only
    rows of kind `real` and `automatic` enter, and of these none that is set aside or does not
    count; the result says how many were left out and why. A query with identical lists (kind
    `automatic`) is a Same.

    How several annotators on a query are put together, and what the interval is:

    - `majority`: the verdict with most votes, a tie is Same; trinomial variance over queries,
      Wilson's interval for the win rate.
    - `votes`: every vote by itself, an automatic Same as one; delta method on query clusters.
    - `dawid_skene`: the most probable verdict under Dawid and Skene's model, fitted to all
      queries; percentile bootstrap over queries, the model refitted to each of 1,000 resamples.

    p is always the exact sign test over queries on the sign of G_q − B_q. The share of decided
    votes for the left list has an exact binomial interval (Clopper and Pearson).

    Args:
        votes: frame (pandas, Polars, PyArrow, DuckDB) with `query_id, annotator, preference` (−2
            to 2, above 0 for the treatment) and optionally `both_bad, treatment_side, kind,
            set_aside, counts, task_id`, and columns for segments.
        aggregate: how several votes on a query are put together.
        by: columns of the votes; every value of each is a segment. They are properties of the
            query.
        confidence: the coverage of the intervals, between 0 and 1.
        seed: of the bootstrap of `dawid_skene`.

    Returns:
        The rows, overall first; `.table`, `.per_query`, `.left_out`, `.to_json()`.

    Raises:
        TypeError: votes is not a data frame.
        MetricsError: a column is missing, a value cannot be meant, a vote stands twice, or no vote
            counts.
        ValueError: the confidence does not lie between 0 and 1.

    >>> import pandas as pd
    >>> votes = pd.DataFrame({"query_id": ["q1", "q1", "q2", "q3", "q3"],
    ...                       "annotator": ["ann", "bob", "ann", "ann", "bob"],
    ...                       "preference": [1, 1, 0, -1, 0]})
    >>> row = gsb_from_votes(votes).rows[0]
    >>> row.good, row.same, row.bad, round(row.gsb, 4)
    (1, 2, 0, 0.3333)
    >>> gsb_from_votes(votes, aggregate="votes").rows[0].gsb
    0.2
    """
    if aggregate not in get_args(Aggregate):
        raise MetricsError(
            f"aggregate must be one of {', '.join(get_args(Aggregate))}, not {aggregate!r}",
            setting="aggregate",
        )
    checked_confidence(confidence)
    collected, frames = collect_votes(votes, by)
    if not collected.present.any():
        raise MetricsError("none of the votes counts: " + _reasons(collected))
    counts = tally(collected)
    model = fit(collected) if aggregate == "dawid_skene" else None
    verdict = model.verdict if model is not None else majority_verdicts(counts)
    cells = list(collected.cells())
    draws = _Draws.of(collected, cells, seed) if model is not None else None
    rows = [
        _row(collected, counts, verdict, aggregate, segment, mask, confidence, draws, place)
        for place, (segment, mask) in enumerate(cells)
    ]
    return VoteComparison(
        settings={
            "aggregate": aggregate,
            "by": list(by),
            "confidence": confidence,
            "seed": seed,
            **({"draws": _DRAWS} if model is not None else {}),
        },
        left_out=collected.left_out,
        warnings=_warnings(collected, model),
        rows=rows,
        per_query_columns=_per_query(collected, counts, verdict, model),
        frames=frames,
    )


@dataclass(frozen=True)
class _Draws:
    """G, B and queries of every cell in every refit, float64[cells, draws] each."""

    good: Floats
    bad: Floats
    queries: Floats

    @classmethod
    def of(cls, votes: Votes, cells: Sequence[tuple[dict[str, Any], Mask]], seed: int) -> _Draws:
        masks = np.stack([mask for _, mask in cells]).astype(np.float64)
        found = [
            (masks @ (weights * (said > 0)), masks @ (weights * (said < 0)), masks @ weights)
            for weights, said in refits(votes, seed=seed, draws=_DRAWS)
        ]
        return cls(*(np.concatenate(each, axis=1) for each in zip(*found, strict=True)))

    def gsb(self, place: int, confidence: float) -> Interval | None:
        return _percentiles(
            self.good[place] - self.bad[place], self.queries[place], confidence=confidence
        )

    def win_rate(self, place: int, confidence: float) -> Interval | None:
        decided = self.good[place] + self.bad[place]
        return _percentiles(self.good[place], decided, confidence=confidence)


def _percentiles(num: Floats, den: Floats, *, confidence: float) -> Interval | None:
    known = den > 0
    if not known.any():
        return None
    tail = (1 - confidence) / 2
    low, high = np.quantile(num[known] / den[known], [tail, 1 - tail])
    return Interval(float(low), float(high))


def _row(
    votes: Votes,
    counts: Tally,
    verdict: Ints,
    aggregate: Aggregate,
    segment: dict[str, Any],
    mask: Mask,
    confidence: float,
    draws: _Draws | None,
    place: int,
) -> VoteScored:
    here = mask & votes.present
    seen = here & ~votes.automatic
    queries, automatic = int(here.sum()), int((here & votes.automatic).sum())
    rows = votes.counted & mask[votes.query]
    if aggregate == "votes":
        good, same, bad = (
            int(column[here].sum()) for column in (counts.good, counts.same, counts.bad)
        )
        same += automatic
    else:
        good, bad = int((verdict[here] > 0).sum()), int((verdict[here] < 0).sum())
        same = queries - good - bad
    total, without = good + same + bad, good + same + bad - automatic
    gsb, win = _intervals(counts, votes.automatic, here, good, same, bad, aggregate, confidence)
    if draws is not None and queries > 1:
        gsb, win = draws.gsb(place, confidence), draws.win_rate(place, confidence)
    ahead, behind = counts.good[here] > counts.bad[here], counts.good[here] < counts.bad[here]
    sides = _sides(votes, rows, confidence)
    notes = []
    if queries < 2:
        notes.append("no interval: fewer than 2 queries")
    elif gsb is not None and gsb.low == gsb.high:
        notes.append("all queries agree, so the interval has no width; it is too narrow")
    if rows.any() and not sides["left_votes"]:
        notes.append("no position bias: no decided vote has a treatment_side")
    return VoteScored(
        segment=segment,
        queries=queries,
        votes=int(rows.sum()),
        annotators=len(np.unique(votes.annotator[rows])),
        good=good,
        same=same,
        bad=bad,
        both_bad=int(counts.both_bad[here].sum()),
        automatic=automatic,
        gsb=(good - bad) / total,
        ci_low=gsb.low if gsb else None,
        ci_high=gsb.high if gsb else None,
        p=sign_test_p(int(ahead.sum()), int(behind.sum())),
        win_rate=good / (good + bad) if good + bad else None,
        win_low=win.low if win else None,
        win_high=win.high if win else None,
        ratio=(good + same) / (bad + same) if bad + same else None,
        mean_preference=float(counts.mean_preference[here].mean()),
        gsb_without_automatic=(good - bad) / without if seen.any() else None,
        set_aside=int((votes.set_aside & mask[votes.query]).sum()),
        surplus=int((votes.surplus & mask[votes.query]).sum()),
        note="; ".join(notes),
        **sides,
    )


def _intervals(
    counts: Tally,
    automatic: Mask,
    here: Mask,
    good: int,
    same: int,
    bad: int,
    aggregate: Aggregate,
    confidence: float,
) -> tuple[Interval | None, Interval | None]:
    """Intervals of GSB and of the win rate, in closed form."""
    if aggregate != "votes":
        estimate = trinomial_interval(good, same, bad, confidence=confidence)
        return (
            estimate.interval if estimate else None,
            wilson_interval(good, good + bad, confidence=confidence),
        )
    difference = (counts.good - counts.bad)[here]
    decided = (counts.good + counts.bad)[here]
    size = counts.votes[here] + automatic[here]
    gsb = ratio_interval(difference, size, confidence=confidence)
    win = ratio_interval(counts.good[here], decided, confidence=confidence)
    return (
        _clipped(gsb.interval if gsb else None, -1.0),
        _clipped(win.interval if win else None, 0.0),
    )


def _clipped(interval: Interval | None, low: float) -> Interval | None:
    return interval and Interval(max(low, interval.low), min(1.0, interval.high))


def _sides(votes: Votes, rows: Mask, confidence: float) -> dict[str, Any]:
    """Position bias, from the votes whose sides are known."""
    sign, side = votes.sign[rows], votes.side[rows]
    decided = (sign != 0) & (side != 0)
    # the vote went to the side where the better list stood: side of the treatment times sign
    left, count = int((sign * side < 0).sum()), int(decided.sum())
    interval = clopper_pearson_interval(left, count, confidence=confidence)
    of_left = float(sign[side < 0].mean()) if (side < 0).any() else None
    of_right = float(sign[side > 0].mean()) if (side > 0).any() else None
    both = of_left is not None and of_right is not None
    return {
        "left_share": left / count if count else None,
        "left_low": interval.low if interval else None,
        "left_high": interval.high if interval else None,
        "left_votes": count,
        "gsb_treatment_left": of_left,
        "gsb_treatment_right": of_right,
        "gsb_side_adjusted": (of_left + of_right) / 2 if both else None,  # type: ignore[operator]
    }


def _reasons(votes: Votes) -> str:
    names = {"set_aside": "set aside", "surplus": "surplus"}
    return ", ".join(f"{count:,} {names.get(why, why)}" for why, count in votes.left_out.items())


def _warnings(votes: Votes, model: Model | None) -> list[str]:
    warnings = []
    real = np.zeros(len(votes.queries), dtype=bool)
    real[votes.query[votes.is_kind("real")]] = True
    lost = int((real & ~votes.present).sum())
    if lost:
        warnings.append(
            f"{lost:,} {'query has' if lost == 1 else 'queries have'} votes, but none that counts, "
            "and so enter no figure."
        )
    if model is not None and not model.converged:
        warnings.append(
            f"Dawid and Skene's model had not settled after {model.steps} steps; prefer majority."
        )
    return warnings


def _per_query(
    votes: Votes, counts: Tally, verdict: Ints, model: Model | None
) -> dict[str, list[Any]]:
    there = np.flatnonzero(votes.present)
    columns: dict[str, list[Any]] = {"query_id": [votes.queries[at] for at in there]}
    columns |= {name: [values[at] for at in there] for name, values in votes.segments.items()}
    columns["automatic"] = votes.automatic[there].tolist()
    for name in ("votes", "good", "same", "bad", "both_bad"):
        columns[name] = getattr(counts, name)[there].astype(np.int64).tolist()
    columns["mean_sign"] = counts.mean_sign[there].tolist()
    columns["mean_preference"] = counts.mean_preference[there].tolist()
    columns["verdict"] = verdict[there].tolist()
    if model is not None:
        for place, name in enumerate(("p_bad", "p_same", "p_good")):
            columns[name] = model.posterior[there, place].tolist()
    return columns
