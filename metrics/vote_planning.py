"""How many queries and votes it takes to find a difference in GSB.

Planned is the power of the exact sign test over queries on the sign of G_q − B_q, the p that
`gsb_from_votes` prints however votes are put together; the width of the interval of GSB by majority
stands beside. More votes a query make its sign surer, but cost votes that other queries could have
had; so every number of votes a query (overlap) has its row.

A plan supposes that queries are as ambiguous as those of the pilot, and that a better treatment
means more of the queries on which people prefer it (:mod:`metrics.vote_model`). The difference is
GSB of single votes, since that of majorities changes with the overlap.

With one vote a query the power is exact, given the pilot's shares. With more it rests on how
queries differ and on which of them get better, which a pilot shows only in part: in simulations of
four kinds of populations (`tests/metrics/test_planned_power.py`), plans of 80% for 2 to 5 votes a
query had 77% to 86%.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics._asked import Asked, small_pilot, trinomial_width
from metrics._frames import Frames
from metrics._simulated_power import simulate_votes
from metrics.errors import MetricsError
from metrics.planning_results import Planned, SamplePlan
from metrics.power import sign_power, sign_queries
from metrics.vote_model import assume_votes, fit_votes
from metrics.votes import collect_votes, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from metrics.vote_model import VoteModel

    Array = NDArray[np.float64]

__all__ = ["plan_shares", "plan_votes"]

OVERLAPS = (1, 2, 3, 4, 5)
_MOST_OVERLAP = 25


def plan_votes(
    votes: Any,
    *,
    delta: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    queries: int | None = None,
    overlaps: Sequence[int] = OVERLAPS,
    agreement: float | None = None,
    by: Sequence[str] = (),
    simulate: int = 0,
    seed: int = 0,
) -> SamplePlan:
    """Say how many queries and votes a difference in GSB needs, from a pilot's votes.

    Args:
        votes: frame with `query_id, annotator, preference` and the optional columns of a votes
            table; which votes count is as in `gsb_from_votes`.
        delta: GSB of single votes to be found, a fraction, either way; queries with identical
            lists are part of it. (The GSB of majorities depends on the overlap; this one does
            not.) None asks only what `queries` can find.
        power: the probability that the sign test finds it.
        alpha: two-sided level of the test.
        queries: how many there are, for `mde` and `power`; the pilot's by default.
        overlaps: numbers of votes a query to compare.
        agreement: share of pairs of votes on one query that say the same; that of the pilot by
            default.
        by: segment columns.
        simulate: studies to draw for `simulated_power`; 0 for none.
        seed: of the simulation.

    Returns:
        The plan, a row for every segment and overlap; the overlap with fewest votes is marked.

    Raises:
        TypeError: votes is not a data frame.
        MetricsError: as `gsb_from_votes`; or a setting that cannot be meant.

    >>> import pandas as pd
    >>> votes = pd.DataFrame({"query_id": [f"q{i // 2}" for i in range(80)],
    ...                       "annotator": ["ann", "bob"] * 40,
    ...                       "preference": [1, 1, 1, 0, 0, 0, -1, -1] * 10})
    >>> plan = plan_votes(votes, delta=0.2, overlaps=(1, 3))
    >>> [(row.overlap, row.needed_queries, row.needed_votes) for row in plan.rows]
    [(1, 130, 130), (3, 120, 360)]
    """
    asked = Asked(delta, power, alpha, queries, simulate, seed)
    _check_overlaps(overlaps, agreement)
    collected, frames = collect_votes(votes, by)
    if not collected.present.any():
        raise MetricsError("none of the votes counts")
    counts = tally(collected)
    rows: list[Planned] = []
    whole = int(collected.present.sum())
    fitted = None
    for segment, mask in collected.cells():
        here = mask & collected.present
        seen = here & ~collected.automatic
        said = counts.good[seen], counts.same[seen], counts.bad[seen]
        model = fit_votes(*said, identical=int((here & ~seen).sum()), agreement=agreement)
        deepest = int(np.quantile(np.sum(said, axis=0), 0.9, method="lower")) if model else 0
        fitted = model if fitted is None else fitted
        size = int(here.sum())
        error = _votes_error(*said, identical=size - int(seen.sum()))
        base = Planned(
            measure="gsb",
            cutoff=None,
            segment=segment,
            method="sign_test",
            pilot_queries=size,
            pilot_delta=model.gsb if model else 0.0,
            standard_error=error,
        )
        known = deepest if agreement is None else _MOST_OVERLAP
        rows += _voted(base, model, overlaps, known, size / whole, asked, len(rows))
    settings = {"overlaps": list(overlaps), "agreement": agreement, "by": list(by)}
    return SamplePlan(
        settings=asked.settings() | settings,
        pilot={"from": "votes", "queries": whole, "votes": int(collected.counted.sum())}
        | _described(fitted),
        warnings=small_pilot(whole),
        rows=rows,
        frames=frames,
    )


def plan_shares(
    good: float,
    same: float,
    bad: float,
    *,
    agreement: float | None = None,
    delta: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    queries: int | None = None,
    overlaps: Sequence[int] = OVERLAPS,
    simulate: int = 0,
    seed: int = 0,
) -> SamplePlan:
    """Say how many queries and votes a difference in GSB needs, without a pilot.

    Args:
        good: share of votes that will be Good; the three are divided by their sum.
        same: share that will be Same.
        bad: share that will be Bad.
        agreement: as for `plan_votes`; without it one vote a query is planned.
        delta: as for `plan_votes`; that of the shares by default.
        power: as for `plan_votes`.
        alpha: as for `plan_votes`.
        queries: as for `plan_votes`; there is no default.
        overlaps: as for `plan_votes`.
        simulate: as for `plan_votes`.
        seed: as for `plan_votes`.

    Returns:
        The plan, a row an overlap; its `.table` is a PyArrow table.

    Raises:
        MetricsError: a share is below 0, or all are; the shares of Good and Bad are equal and no
            delta is given; or a setting cannot be meant.

    >>> plan_shares(30, 50, 20, overlaps=[1]).rows[0].needed_queries
    408
    """
    total = good + same + bad
    if min(good, same, bad) < 0 or not (0 < total < math.inf):
        raise MetricsError(
            f"the shares of Good, Same and Bad are numbers from 0, not {good:g}, {same:g}, {bad:g}"
        )
    _check_overlaps(overlaps, agreement)
    model = assume_votes(good / total, same / total, bad / total, agreement=agreement)
    if delta is None and queries is None:
        if good == bad:
            raise MetricsError("Good and Bad are equal, so say which delta is to be found")
        delta = abs(model.gsb)
    asked = Asked(delta, power, alpha, queries, simulate, seed)
    base = Planned(measure="gsb", cutoff=None, segment={}, method="sign_test")
    return SamplePlan(
        settings=asked.settings() | {"overlaps": list(overlaps), "agreement": agreement},
        pilot={"from": "shares", "queries": None} | _described(model),
        warnings=[],
        rows=_voted(base, model, overlaps, _MOST_OVERLAP, 1.0, asked, 0),
        frames=Frames("pyarrow", eager=True),
    )


def _voted(
    base: Planned,
    model: VoteModel | None,
    overlaps: Sequence[int],
    known: int,
    share: float,
    asked: Asked,
    place: int,
) -> list[Planned]:
    """One segment of votes, a row an overlap, the cheapest marked.

    Cheapest are the fewest votes with which the difference is found; where a number of queries was
    given, of the overlaps that make do with them.
    """
    queries = asked.queries_of(share, base.pilot_queries)
    base = replace(base, queries=queries)
    if model is None:
        return [replace(base, note="all lists are identical in the pilot: nobody voted")]
    rows = []
    for at, overlap in enumerate(dict.fromkeys(overlaps)):
        row = replace(base, overlap=overlap)
        if overlap > 1 and model.agreement is None:
            why = "no query of the pilot has two votes: nothing tells how annotators agree"
            rows.append(replace(row, note=why))
            continue
        row = _one_overlap(row, model, overlap, asked, place + at)
        if overlap > max(known, 1):
            far = f"extrapolated: few queries of the pilot have more than {known} votes"
            row = replace(row, note="; ".join(filter(None, (row.note, far))))
        rows.append(row)

    def votes(row: Planned) -> float:
        given = asked.queries is not None and row.queries is not None
        if row.needed_votes is None or row.needed_queries is None:
            return math.inf
        within = not given or row.needed_queries <= (row.queries or 0)
        return row.needed_votes if within else math.inf

    fewest = min(map(votes, rows))
    return [replace(row, cheapest=votes(row) == fewest < math.inf) for row in rows]


def _one_overlap(row: Planned, model: VoteModel, overlap: int, asked: Asked, place: int) -> Planned:
    voted = 1 - model.identical
    if row.queries is not None:
        row = replace(row, mde=_mde(model, overlap, row.queries, asked))
    if asked.delta is None:
        seen, size = model.at(model.gsb, overlap), row.queries or 1
        return replace(row, interval_width=trinomial_width(seen.good, seen.bad, size))
    if asked.delta > voted:
        why = f"{model.identical:.1%} of the queries have identical lists: no such GSB can be"
        return replace(row, note=why)
    found = model.at(asked.delta, overlap)
    needed = sign_queries(found.ahead, found.behind, power=asked.power, alpha=asked.alpha)
    if needed is None:
        return replace(row, note="votes tell nothing of queries")
    row = replace(
        row,
        needed_queries=needed,
        needed_votes=math.ceil(needed * voted - 1e-9) * overlap,
        interval_width=trinomial_width(found.good, found.bad, needed),
    )
    if asked.delta > model.decided:
        why = f"more votes are decided than the pilot's {model.decided:.1%}: just enough"
        row = replace(row, note=why)
    if row.queries is not None:
        power = sign_power(found.ahead, found.behind, row.queries, alpha=asked.alpha)
        row = replace(row, power=power)
    if asked.simulate:
        size = needed if asked.queries is None else row.queries or needed
        simulated = simulate_votes(
            model, asked.delta, overlap, size, asked.simulate, asked.alpha, asked.rng(place)
        )
        row = replace(row, simulated_power=simulated)
    return row


def _mde(model: VoteModel, overlap: int, queries: int, asked: Asked) -> float | None:
    """The smallest GSB that is found, to a hundredth of a point; None where none is."""

    def found(gsb: float) -> bool:
        seen = model.at(gsb, overlap)
        return sign_power(seen.ahead, seen.behind, queries, alpha=asked.alpha) >= asked.power

    low, high = 0.0, 1 - model.identical
    if not found(high):
        return None
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def _votes_error(good: Array, same: Array, bad: Array, *, identical: int) -> float | None:
    """Standard error of the mean over queries of (Good − Bad)/votes, identical lists being 0."""
    votes = good + same + bad
    said = votes > 0
    values = np.concatenate([((good - bad)[said] / votes[said]), np.zeros(identical)])
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None


def _check_overlaps(overlaps: Iterable[int], agreement: float | None) -> None:
    for overlap in overlaps:
        if not 1 <= overlap <= _MOST_OVERLAP:
            raise MetricsError(
                f"overlap must be 1 to {_MOST_OVERLAP} votes a query, not {overlap}",
                setting="overlaps",
            )
    if agreement is not None and not 0 <= agreement <= 1:
        raise MetricsError(
            f"agreement is a share between 0 and 1, not {agreement:g}", setting="agreement"
        )


def _described(model: VoteModel | None) -> dict[str, Any]:
    names = ("good", "same", "bad", "agreement", "identical")
    return {name: getattr(model, name, None) for name in names}
