"""How well measures predict people: votes against the automated Δ of every query.

Queries are the sample. Where the two part, query by query, is told by :mod:`metrics.disagreement`,
and what whole studies say by :mod:`metrics.system_correlation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from metrics._bootstrap import bootstrap, distinct
from metrics._points import collect_points
from metrics.association import Pairs, auc, kappa, kendall, pearson, snapped, spearman
from metrics.correlation_results import Correlated, Correlations, MeasureRanked
from metrics.errors import MetricsError
from metrics.inference import checked_confidence
from metrics.proportions import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from metrics._bootstrap import Scale
    from metrics._points import Points

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Mask = NDArray[np.bool_]

__all__ = ["correlate"]

_FEWEST = 10
"""Fewer queries have no interval and no margin: neither would mean anything."""

_FIGURES = ("kendall", "spearman", "pearson", "kappa", "auc")
_SYMBOLS = {"kendall": "τ-b", "spearman": "ρ", "pearson": "r", "kappa": "κ", "auc": "AUC"}
_WORDS = ("Bad", "Same", "Good")
_MANY_UNDEFINED = 0.05


def correlate(
    votes: Any,
    per_query: Any,
    *,
    by: Sequence[str] = (),
    measures: Sequence[str] | None = None,
    cutoffs: Sequence[int] | None = None,
    confidence: float = 0.95,
    draws: int = 1_000,
    seed: int = 0,
) -> Correlations:
    """Compare people's votes with the automated differences of measures, query by query.

    h is the mean of a query's counted votes: in [−1, 1], or in [−2, 2] where anybody said "much
    better". Its verdict is that of the majority, a tie is Same. Δ is the measure's treatment −
    control on the query, and its verdict Good above 0, Bad below; differences below 1e-12 are the
    same. Queries with identical lists, which nobody voted on, are left out, and so are those of
    which only one side is known; warnings count them.

    - Kendall's τ-b, Spearman's ρ (mid-ranks) and Pearson's r of h and Δ; None where one side is
      constant.
    - Sign agreement over the queries with h ≠ 0 and Δ ≠ 0, with Wilson's interval.
    - Confusion of the two verdicts, the share on which they agree, and Cohen's κ.
    - AUC: how well Δ tells the queries called Good from those called Bad.
    - Margin: what |Δ| must exceed to be more than a Same, so that verdicts agree most. The queries
      of a row are split in two random halves (seeded). Each half chooses among 0 and the |Δ| that
      it has, the smallest where several do equally well, and each is judged by the margin that the
      other chose: `margin_agreement` is the share of all queries on which verdicts then agree, none
      of which helped to choose its own margin. `margin` is the choice of the first half,
      `margin_other` that of the second.

    Intervals are ± t bootstrap standard errors over queries, on Fisher's z scale (for AUC on the
    logit scale), so they stay within bounds and are not symmetric. A query is drawn with its votes
    as they are: the intervals speak of other queries voted on by as many people, not of votes
    without error. Fewer than 10 queries have none (AUC: fewer than 10 Good or 10 Bad), nor have
    rows of which fewer than 10 queries have another h, or another Δ, than most (mostly 0): the
    others tell next to nothing. Below 20 of these a note says so. A figure that no resample changes
    has none either.

    The ranking takes the queries on which all measures have a Δ. It compares each measure with the
    best on the same resamples; the best was picked from these data, so its lead is a little
    flattered.

    Args:
        votes: frame (pandas, Polars, PyArrow, DuckDB) with `query_id, annotator, preference` and
            the optional columns of a votes table.
        per_query: frame with `query_id, measure, delta` and optionally `cutoff`, a row a query,
            measure and cutoff, such as `compare_runs(...).per_query`. Rows without a Δ do not
            count.
        by: segment columns of the per-query table, or of the votes where it has none of that name.
        measures: only these measures, in this order; otherwise all.
        cutoffs: only these cutoffs, and measures of whole lists; otherwise all.
        confidence: the coverage of the intervals, between 0 and 1.
        draws: resamples of the bootstrap; 0 for no bootstrap intervals.
        seed: of the resamples and of the halves.

    Returns:
        The rows, overall first, and the ranking; `.table`, `.per_query`, `.points()`,
        `.to_json()`.

    Raises:
        TypeError: an argument is not a data frame.
        MetricsError: a column is missing, a value cannot be meant, or the two share no query.
        ValueError: the confidence does not lie between 0 and 1.

    >>> import pandas as pd
    >>> votes = pd.DataFrame({"query_id": ["q1", "q2", "q3", "q4"], "annotator": "ann",
    ...                       "preference": [1, 0, -1, 1]})
    >>> deltas = pd.DataFrame({"query_id": ["q1", "q2", "q3", "q4"], "measure": "ndcg",
    ...                        "cutoff": 10, "delta": [0.4, 0.1, -0.2, 0.0]})
    >>> row = correlate(votes, deltas).rows[0]
    >>> round(row.kendall, 4), row.agreement, row.auc, row.sign_agreement
    (0.5477, 0.5, 1.0, 1.0)
    """
    checked_confidence(confidence)
    for name, value in (("draws", draws), ("seed", seed)):
        if value < 0:
            raise MetricsError(f"{name} must be 0 or more, not {value}", setting=name)
    points = collect_points(votes, per_query, by, measures, cutoffs)
    automated = np.sign(points.delta)
    ranking = _ranking(points, confidence=confidence, draws=draws, seed=seed)
    row = partial(_row, points, confidence=confidence, draws=draws, seed=seed)
    return Correlations(
        settings={
            "by": list(by),
            "measures": list(dict.fromkeys(measure for measure, _ in points.figures)),
            "cutoffs": sorted({cutoff for _, cutoff in points.figures if cutoff is not None}),
            "confidence": confidence,
            "draws": draws,
            "seed": seed,
        },
        human=points.said,
        left_out=points.left_out,
        warnings=[*points.warnings, *_ranked_fewer(points, ranking)],
        rows=[
            row(figure, segment, mask)
            for segment, mask in points.cells()
            for figure in range(len(points.figures))
        ],
        ranking=ranking,
        per_query_columns=_per_query(points, automated),
        frames=points.frames,
    )


@dataclass(frozen=True)
class _Verdicts:
    """Verdicts of both sides on the same queries, int64[queries] each, and h and Δ."""

    human: Floats
    delta: Floats
    said: Ints
    found: Ints


def _row(
    points: Points,
    figure: int,
    segment: dict[str, Any],
    mask: Mask,
    *,
    confidence: float,
    draws: int,
    seed: int,
) -> Correlated:
    measure, cutoff = points.figures[figure]
    known = ~np.isnan(points.delta[figure])
    here = mask & known
    unknown = int((mask & ~known).sum())
    notes = [f"no Δ on {unknown:,} of the queries"] if unknown else []
    named: dict[str, Any] = {"measure": measure, "cutoff": cutoff, "segment": segment}
    if not here.any():
        return Correlated(**named, queries=0, note="no query with votes has a Δ of it")
    delta = points.delta[figure, here]
    both = _Verdicts(
        points.human[here], delta, points.verdict[here], np.sign(delta).astype(np.int64)
    )
    size = len(delta)
    coefficients = _coefficients(both, notes, confidence=confidence, draws=draws, seed=seed)
    confusion = np.zeros((3, 3), dtype=np.int64)
    np.add.at(confusion, (both.said + 1, both.found + 1), 1)
    return Correlated(
        **named,
        queries=size,
        **coefficients,
        **_signs(both, confidence),
        agreement=float((both.said == both.found).mean()),
        confusion=tuple(tuple(counts) for counts in confusion.tolist()),
        good=int((both.said > 0).sum()),
        same=int((both.said == 0).sum()),
        bad=int((both.said < 0).sum()),
        **_margins(both, notes, seed),
        note="; ".join(notes),
    )


def _coefficients(
    both: _Verdicts, notes: list[str], *, confidence: float, draws: int, seed: int
) -> dict[str, Any]:
    """τ-b, ρ, r, κ and AUC with their intervals; what does not exist is told in the notes."""
    (human, delta, said), copies = distinct(both.human, both.delta, both.said.astype(np.float64))
    pairs, good, bad = Pairs(human, delta), said > 0, said < 0
    verdicts = said.astype(np.int64), np.sign(delta).astype(np.int64)

    def figures(weights: Floats) -> Floats:
        return np.stack(
            [
                kendall(pairs, weights),
                spearman(pairs, weights),
                pearson(pairs, weights),
                kappa(*verdicts, weights),
                auc(pairs.of_y, good, bad, weights),
            ]
        )

    size = len(both.human)
    fewest = {"Δ": _moved(both.delta), "people's preference": _moved(both.human)}
    enough = min(fewest.values()) >= _FEWEST
    resampled = bootstrap(figures, copies, seed=seed, draws=draws if enough else 0)
    if size < _FEWEST:
        notes.append(f"no interval: fewer than {_FEWEST} queries")
    constant = [
        text
        for groups, text in ((pairs.of_x, "people's preferences"), (pairs.of_y, "the Δ"))
        if groups.count < 2
    ]
    if constant:
        notes.append(f"no correlation: {' and '.join(constant)} are all equal")
    elif draws > 0 and size >= _FEWEST:
        few = [name for name, count in fewest.items() if count < _FEWEST]
        some = [name for name, count in fewest.items() if count < 2 * _FEWEST]
        if few:
            notes.append(
                f"no interval: on fewer than {_FEWEST} queries {' and '.join(few)} is another than "
                "on most"
            )
        elif some:
            notes.append(
                f"on fewer than {2 * _FEWEST} queries {' and '.join(some)} is another than on "
                "most: the intervals are rough"
            )
    wanted = draws > 0 and enough
    without = _without_interval(both) if draws > 0 and size >= _FEWEST else {}
    found: dict[str, Any] = {}
    flat, undefined = [], []
    for at, name in enumerate(_FIGURES):
        point = float(resampled.points[at])
        exists = not np.isnan(point)
        interval = None
        if wanted and exists and name not in without:
            scale: Scale = "share" if name == "auc" else "correlation"
            interval = resampled.interval(at, confidence, scale=scale)
            if interval is None:
                flat.append(_SYMBOLS[name])
            elif resampled.undefined(at) > _MANY_UNDEFINED:
                undefined.append(_SYMBOLS[name])
        found |= {
            name: point if exists else None,
            f"{name}_low": interval.low if interval else None,
            f"{name}_high": interval.high if interval else None,
        }
    if found["kappa"] is None:
        notes.append("no κ: both sides always say the same")
    if found["auc"] is None:
        none = [word for word, there in (("Good", good), ("Bad", bad)) if not there.any()]
        notes.append(f"no AUC: people call no query {' or '.join(none)}")
    notes += [why for name, why in without.items() if found[name] is not None]
    if flat:
        notes.append(f"no interval of {', '.join(flat)}: no resample changes it")
    if undefined:
        notes.append(f"many resamples have no {', '.join(undefined)}; the interval is of the rest")
    return found


def _moved(values: Floats) -> int:
    """Queries with another value than most have: on these alone a correlation rests."""
    return len(values) - int(np.unique(snapped(values), return_counts=True)[1].max())


def _without_interval(both: _Verdicts) -> dict[str, str]:
    """Figures for whose interval there is too little, and why."""
    found = {}
    if min((both.said > 0).sum(), (both.said < 0).sum()) < _FEWEST:
        found["auc"] = f"no interval of AUC: fewer than {_FEWEST} Good or {_FEWEST} Bad queries"
    for said, who in ((both.said, "people always say"), (both.found, "Δ always says")):
        if np.ptp(said) == 0:
            found["kappa"] = f"κ is 0 because {who} {_WORDS[said[0] + 1]}"
    return found


def _signs(both: _Verdicts, confidence: float) -> dict[str, Any]:
    signs = np.sign(both.human), both.found
    decided = (signs[0] != 0) & (signs[1] != 0)
    count, equal = int(decided.sum()), int((decided & (signs[0] == signs[1])).sum())
    interval = wilson_interval(equal, count, confidence=confidence)
    return {
        "sign_agreement": equal / count if count else None,
        "sign_low": interval.low if interval else None,
        "sign_high": interval.high if interval else None,
        "sign_queries": count,
    }


def _margins(both: _Verdicts, notes: list[str], seed: int) -> dict[str, Any]:
    """The margin that each half chooses, and how well they do on the half that did not."""
    count = len(both.delta)
    if count < _FEWEST:
        return {}
    mixed = np.random.default_rng(seed).permutation(count)
    halves = mixed[: count // 2], mixed[count // 2 :]
    size = snapped(np.abs(both.delta))
    margins = [_best_margin(size[rows], both.said[rows], both.found[rows]) for rows in halves]
    if min(margins) >= size.max() > 0:
        notes.append("at the margins chosen, Δ calls every query Same")
    met = sum(
        int((np.where(size[rows] > margin, both.found[rows], 0) == both.said[rows]).sum())
        for rows, margin in zip(halves[::-1], margins, strict=True)
    )
    return {
        "margin": margins[0],
        "margin_other": margins[1],
        "margin_agreement": met / count,
        "margin_agreement_at_zero": float((both.said == both.found).mean()),
    }


def _best_margin(size: Floats, said: Ints, found: Ints) -> float:
    """Of 0 and the |Δ| that occur, the smallest margin that reproduces most verdicts."""
    margins = np.unique(np.append(size, 0.0))
    same, decided = np.sort(size[said == 0]), np.sort(size[(said != 0) & (said == found)])
    # a Same is met where |Δ| stays within the margin, a Good or Bad where it goes beyond
    met = np.searchsorted(same, margins, side="right")
    met += len(decided) - np.searchsorted(decided, margins, side="right")
    return float(margins[int(met.argmax())])


def _ranking(points: Points, *, confidence: float, draws: int, seed: int) -> list[MeasureRanked]:
    """Measures by τ-b over the queries that all of them know, best first."""
    known = ~np.isnan(points.delta)
    used = np.flatnonzero(known.any(axis=1))
    here = known[used].all(axis=0)
    size = int(here.sum())
    if not size:
        return []
    (human, *deltas), copies = distinct(points.human[here], *points.delta[used][:, here])
    pairs = [Pairs(human, delta) for delta in deltas]
    enough = size >= _FEWEST and len(used) > 1 and _moved(points.human[here]) >= _FEWEST
    resampled = bootstrap(
        lambda weights: np.stack([kendall(pair, weights) for pair in pairs]),
        copies,
        seed=seed,
        draws=draws if enough else 0,
    )
    taus = resampled.points
    order = np.argsort(-np.nan_to_num(taus, nan=-np.inf), kind="stable")
    best = int(order[0])
    moves = [_moved(delta) >= _FEWEST for delta in points.delta[used][:, here]]
    behind = resampled.behind(best)
    rows = []
    for at in order:
        measure, cutoff = points.figures[used[at]]
        exists = not np.isnan(taus[at])
        compared = exists and at != best and enough and draws and moves[at] and moves[best]
        interval = behind.interval(int(at), confidence, scale="difference") if compared else None
        rows.append(
            MeasureRanked(
                measure=measure,
                cutoff=cutoff,
                queries=size,
                kendall=float(taus[at]) if exists else None,
                behind=float(behind.points[at]) if exists else None,
                behind_low=interval.low if interval else None,
                behind_high=interval.high if interval else None,
            )
        )
    return rows


def _ranked_fewer(points: Points, ranking: Sequence[MeasureRanked]) -> list[str]:
    size = ranking[0].queries if ranking else 0
    if size == len(points.queries):
        return []
    if not size:
        return ["No ranking: there is no query on which every measure has a Δ."]
    return [
        f"The ranking is over the {size:,} of {len(points.queries):,} queries on which every "
        "measure has a Δ."
    ]


def _per_query(points: Points, automated: Floats) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("query_id", *points.segments, "measure", "cutoff", "delta", "preference")
    }
    columns |= {name: [] for name in (*points.counts, "verdict", "automated")}
    for figure, (measure, cutoff) in enumerate(points.figures):
        rows = np.flatnonzero(~np.isnan(points.delta[figure]))
        columns["query_id"] += [points.queries[at] for at in rows]
        for name, values in points.segments.items():
            columns[name] += [values[at] for at in rows]
        columns["measure"] += [measure] * len(rows)
        columns["cutoff"] += [cutoff] * len(rows)
        columns["delta"] += points.delta[figure, rows].tolist()
        columns["preference"] += points.human[rows].tolist()
        for name, counts in points.counts.items():
            columns[name] += counts[rows].tolist()
        columns["verdict"] += points.verdict[rows].tolist()
        columns["automated"] += automated[figure, rows].astype(np.int64).tolist()
    return columns
