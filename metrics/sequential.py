"""Looking at a study every day without fooling oneself: figures that hold at every moment.

A test that is repeated until it rejects will reject. The e-value and the confidence sequences here
keep their error over all looks together, however many there are and whenever one stops, as long as
the order in which queries are served does not depend on votes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics.errors import MetricsError
from metrics.sequential_results import Remaining, Sequential
from metrics.votes import collect_votes, tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["mean_sequence", "sequential_gsb", "votes_to_decide", "win_rate_sequence"]

PRIOR = 10.0
"""Both parameters of the beta mixture: most of its weight on win rates of 0.3 to 0.7."""

GRID = 1_000
"""Steps of the mean's range [0, 1] that the betting sequence tries."""

_BLOCK = 2_000_000  # capital of a block of the grid: 16 MB
_BISECTIONS = 60


def sequential_gsb(votes: Any, *, alpha: float = 0.05, overlap: int | None = None) -> Sequential:
    """Say what may be concluded from the votes so far, however often one has looked.

    A query is one unit and enters once, in serving order, when it has all its votes. Its sign is
    that of G_q − B_q, its value h_q = (G_q − B_q)/votes in [−1, 1].

    - **Win rate.** With W queries won and L lost, ties left out, the e-value against one half is
      ``E = B(10 + W, 10 + L)/B(10, 10) · 2^(W + L)``, a beta-binomial mixture (Robbins 1970, Annals
      of Mathematical Statistics 41:1397-1409). By Ville's inequality it ever reaches 1/alpha with
      chance alpha at most if there is no difference. Win rates that the mixture does not reject
      are the confidence sequence.
    - **GSB.** The hedged betting sequence of the mean of h_q, with a predictable plug-in bet
      (Waudby-Smith and Ramdas 2024, JRSS B 86:1-27, section 4).

    Both sequences are intersected over time. Identical lists (kind `automatic`) are Sames and
    enter as far as serving has come: those before the last complete query, and those that follow
    it at once. A query stays complete when votes of it are set aside, because nobody is asked in
    their place; its value is that of the others, and without any it does not enter.

    Args:
        votes: frame with `query_id, annotator, preference, position` (the seeded serving order)
            and the optional columns of a votes table.
        alpha: the chance of an error over all looks together, between 0 and 1.
        overlap: votes that complete a query, set aside or not; without it every query with a vote
            is complete.

    Returns:
        The figures of now, and their path.

    Raises:
        TypeError: votes is not a data frame.
        MetricsError: a column is missing, a query has no position, or a value cannot be meant.

    >>> import pandas as pd
    >>> votes = pd.DataFrame({"query_id": [f"q{i}" for i in range(60)], "annotator": "ann",
    ...                       "preference": [1, 1, 1, -1] * 15, "position": range(60)})
    >>> now = sequential_gsb(votes)
    >>> round(now.e_value, 2), now.decided, round(now.gsb, 2)
    (170.51, True, 0.5)
    >>> round(now.win_low, 2), round(now.win_high, 2)
    (0.55, 0.9)
    """
    if not 0 < alpha < 1:
        raise MetricsError(f"alpha must lie between 0 and 1, not {alpha}", setting="alpha")
    if overlap is not None and overlap < 1:
        raise MetricsError(f"overlap must be 1 or more, not {overlap}", setting="overlap")
    collected, frames = collect_votes(votes)
    counts, present = tally(collected), collected.present
    unplaced = present & np.isnan(collected.position)
    if unplaced.any():
        query = collected.queries[int(unplaced.argmax())]
        raise MetricsError(
            f"query {query!r} has no position; the sequential figures need the order in which "
            "queries were served, as a column `position`"
        )
    given = collected.live & collected.is_kind("real")
    gathered = np.bincount(collected.query[given], minlength=len(collected.queries))
    full = gathered >= (1 if overlap is None else overlap)
    complete = full & (counts.votes > 0)
    automatic = collected.automatic & (
        collected.position <= _reached(collected.position, full, collected.automatic)
    )
    enters = np.flatnonzero(complete | automatic)
    order = enters[np.lexsort((enters, collected.position[enters]))]
    signs = np.sign(counts.good - counts.bad)[order]
    values = counts.mean_sign[order]
    e_values, win_low, win_high = win_rate_sequence(signs, alpha)
    low, high = mean_sequence((values + 1) / 2, alpha)
    size = len(order)
    wins, losses = int((signs > 0).sum()), int((signs < 0).sum())
    path = {
        "queries": np.arange(1, size + 1),
        "e_value": e_values,
        "win_low": win_low,
        "win_high": win_high,
        "gsb": np.cumsum(values) / np.arange(1, size + 1),
        "gsb_low": 2 * low - 1,
        "gsb_high": 2 * high - 1,
    }
    empty = size > 0 and (win_low[-1] > win_high[-1] or low[-1] > high[-1])
    notes = []
    if not size:
        notes.append("no query is complete yet")
    if empty:
        notes.append(
            "early and late queries contradict each other: the order was not random, or this is "
            "the one case in 1/alpha"
        )
    return Sequential(
        alpha=alpha,
        overlap=overlap,
        queries=size,
        automatic=int(collected.automatic[order].sum()),
        incomplete=int((present & ~collected.automatic & ~complete).sum()),
        votes=int(counts.votes[order].sum()),
        wins=wins,
        losses=losses,
        e_value=float(e_values[-1]) if size else 1.0,
        win_rate=wins / (wins + losses) if wins + losses else None,
        win_low=float(win_low[-1]) if size else 0.0,
        win_high=float(win_high[-1]) if size else 1.0,
        gsb=float(values.mean()) if size else None,
        gsb_low=float(path["gsb_low"][-1]) if size else -1.0,
        gsb_high=float(path["gsb_high"][-1]) if size else 1.0,
        decided=bool((e_values >= 1 / alpha).any()),
        path=path,
        note="; ".join(notes),
        frames=frames,
    )


def _reached(position: Floats, full: Mask, automatic: Mask) -> float:
    """How far serving has come: to the last query with all its votes, and the Sames behind it."""
    last = float(position[full].max(initial=-np.inf))
    behind = np.unique(position[automatic & (position > last)])
    following = behind == last + np.arange(1, len(behind) + 1)
    return last + float(np.logical_and.accumulate(following).sum())


def win_rate_sequence(signs: Floats, alpha: float) -> tuple[Floats, Floats, Floats]:
    """The e-value against one half and the confidence sequence of the win rate.

    Args:
        signs: float64[queries], 1 won, −1 lost, 0 tied, in serving order.
        alpha: the error.

    Returns:
        e-values, lower ends, upper ends after every query; the ends are intersected over time.
    """
    from scipy.special import betaln

    won, lost = np.cumsum(signs > 0), np.cumsum(signs < 0)
    mixture = betaln(PRIOR + won, PRIOR + lost) - betaln(PRIOR, PRIOR)
    # at most 1e304, so that JSON can hold it
    e_values = np.exp(np.minimum(mixture + (won + lost) * math.log(2), 700.0))
    centre = np.where(won + lost > 0, won / np.maximum(won + lost, 1), 0.5)
    ends = [_boundary(won, lost, mixture, centre, end, alpha) for end in (0.0, 1.0)]
    return e_values, np.maximum.accumulate(ends[0]), np.minimum.accumulate(ends[1])


def _boundary(
    won: Any, lost: Any, mixture: Floats, centre: Floats, end: float, alpha: float
) -> Floats:
    """Bisect between the estimate, which is kept, and one end, for every moment at once."""
    from scipy.special import xlog1py, xlogy

    def rejected(p: Floats) -> Mask:
        found: Mask = mixture - xlogy(won, p) - xlog1py(lost, -p) >= math.log(1 / alpha)
        return found

    kept, out = centre.copy(), np.full(len(centre), end)
    at_end = ~rejected(out)
    for _ in range(_BISECTIONS):
        middle = (kept + out) / 2
        beyond = rejected(middle)
        out, kept = np.where(beyond, middle, out), np.where(beyond, kept, middle)
    # the outer point: what is reported always holds what is not rejected
    return np.where(at_end, end, out)


def mean_sequence(values: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Hedged betting confidence sequence of a mean (Waudby-Smith and Ramdas 2024, section 4.4).

    Two players bet against every candidate mean m, one that it is larger and one that it is
    smaller, each with half the money. The stakes follow the variance seen so far and never risk
    more than half of what a player has. Candidates at which the players never got 1/alpha times
    their money are the sequence.

    Args:
        values: float64[n] in [0, 1], in order.
        alpha: the error.

    Returns:
        Lower and upper ends after every value, intersected over time, rounded outward to 1/1000.
    """
    n = len(values)
    if n == 0:
        return np.empty(0), np.empty(0)
    t = np.arange(1, n + 1)
    means = (0.5 + np.cumsum(values)) / (t + 1)
    variances = (0.25 + np.cumsum((values - means) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    stakes = np.sqrt(2 * math.log(2 / alpha) / (before * t * np.log(t + 1)))
    grid = np.arange(GRID + 1) / GRID
    first = np.full(GRID + 1, n)  # place of the value at which a candidate is rejected
    block = max(1, _BLOCK // n)
    limit = math.log(2 / alpha)
    for start in range(0, GRID + 1, block):
        m = grid[start : start + block, None]
        with np.errstate(divide="ignore"):
            more = np.minimum(stakes, 0.5 / m)
            less = np.minimum(stakes, 0.5 / (1 - m))
        up = np.cumsum(np.log1p(more * (values - m)), axis=1)
        down = np.cumsum(np.log1p(-less * (values - m)), axis=1)
        lost = np.maximum(up, down) >= limit
        first[start : start + block] = np.where(lost.any(axis=1), lost.argmax(axis=1), n)
    # candidate i is in the sequence after value t if it is rejected later than t
    alive_low, alive_high = _first_alive(first, n), _first_alive(first[::-1], n)
    low = np.maximum(alive_low - 1, 0) / GRID
    high = 1 - np.maximum(alive_high - 1, 0) / GRID
    return low, high


def _first_alive(first: Any, n: int) -> Floats:
    """After every value, the first candidate from this end that has not been rejected."""
    reach = np.maximum.accumulate(first)  # the latest rejection among the candidates so far
    places: Floats = np.searchsorted(reach, np.arange(n), side="right").astype(np.float64)
    return places


def votes_to_decide(
    votes: Any,
    *,
    width: float | None = None,
    alpha: float = 0.05,
    overlap: int | None = None,
    seed: int = 0,
    limit: int = 20_000,
) -> Remaining:
    """Estimate how many further queries a decision, or a narrow enough interval, will take.

    Later queries are supposed to be like those so far: the win rate's e-value is carried on with
    the observed shares of won, lost and tied queries, and the sequence of GSB with values drawn
    from the observed ones. With few queries this is a rough guess.

    Args:
        votes: as for `sequential_gsb`.
        width: width of the confidence sequence of GSB from end to end that would do (0.1 is ten
            points); None asks for the decision only.
        alpha: as for `sequential_gsb`.
        overlap: as for `sequential_gsb`.
        seed: of the draws.
        limit: queries beyond which nothing is estimated.

    Returns:
        Further queries and votes until each; None where it is not in sight.

    Raises:
        TypeError: votes is not a data frame.
        MetricsError: as `sequential_gsb`, or a width that is not above 0.

    >>> import pandas as pd
    >>> votes = pd.DataFrame({"query_id": [f"q{i}" for i in range(20)], "annotator": "ann",
    ...                       "preference": [1, 1, 1, -1] * 5, "position": range(20)})
    >>> votes_to_decide(votes).queries_to_decision
    21
    """
    if width is not None and not width > 0:
        raise MetricsError(f"width must be above 0, not {width}", setting="width")
    now = sequential_gsb(votes, alpha=alpha, overlap=overlap)
    people = now.queries - now.automatic
    each = float(overlap) if overlap is not None else (now.votes / people if people else 1.0)
    decision = 0 if now.decided else _to_decision(now, limit)
    narrow = None if width is None else _to_width(now, width, seed, limit)
    share = people / now.queries if now.queries else 1.0

    def in_votes(queries: int | None) -> int | None:
        return None if queries is None else math.ceil(queries * share * each)

    return Remaining(
        queries_to_decision=decision,
        votes_to_decision=in_votes(decision),
        queries_to_width=narrow,
        votes_to_width=in_votes(narrow),
        width=width,
        votes_per_query=each,
        limit=limit,
    )


def _to_decision(now: Sequential, limit: int) -> int | None:
    """Queries until the e-value reaches 1/alpha at the shares seen so far."""
    from scipy.special import betaln

    if not now.queries or now.wins == now.losses:
        return None
    further = np.arange(1, limit + 1)
    won = now.wins + further * now.wins / now.queries
    lost = now.losses + further * now.losses / now.queries
    logs = betaln(PRIOR + won, PRIOR + lost) - betaln(PRIOR, PRIOR) + (won + lost) * math.log(2)
    reached = logs >= math.log(1 / now.alpha)
    return int(further[reached.argmax()]) if reached.any() else None


def _to_width(now: Sequential, width: float, seed: int, limit: int) -> int | None:
    """Queries until the sequence of GSB is narrow, with values drawn from those seen."""
    if not now.queries:
        return None
    if now.gsb_high - now.gsb_low <= width:
        return 0
    seen = np.diff(now.path["gsb"] * now.path["queries"], prepend=0.0)
    further = np.random.default_rng(seed).choice(np.sort(seen), size=limit)
    low, high = mean_sequence((np.concatenate([seen, further]) + 1) / 2, now.alpha)
    narrow = np.flatnonzero(2 * (high - low) <= width)
    return max(0, int(narrow[0]) + 1 - now.queries) if len(narrow) else None
