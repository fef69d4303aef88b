"""Where people and one measure part: the queries that disagree most, and the ROC curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from metrics.association import Groups, snapped
from metrics.correlation_results import Correlations, Disagreement, Roc
from metrics.errors import MetricsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["disagreements", "roc"]


def disagreements(
    correlations: Correlations,
    measure: str,
    cutoff: int | None = None,
    count: int = 10,
    *,
    segment: Mapping[str, Any] | None = None,
) -> list[Disagreement]:
    """List the queries on which people and a measure disagree most.

    h and Δ have no common unit, so they are compared by rank: among the queries, each has a
    mid-rank of h and one of Δ, scaled to [0, 1], and the gap is the first less the second. A gap
    above 0 says that people like the treatment better than the measure does. Queries whose h and Δ
    have opposite signs come first, then the others; within both the larger gap, then the query
    with more votes, then the smaller id.

    Args:
        correlations: what `correlate` returned.
        measure: name of the measure.
        cutoff: its depth, None for measures of whole lists.
        count: how many queries at most.
        segment: {column: value}, only these queries; ranks are then among them.

    Returns:
        The queries, the greatest disagreement first; those without any gap and without opposite
        signs are left out.

    Raises:
        MetricsError: there is no such measure, cutoff or segment column, or a negative count.

    >>> import pandas as pd
    >>> from metrics.correlation import correlate
    >>> votes = pd.DataFrame({"query_id": ["q1", "q2", "q3"], "annotator": "ann",
    ...                       "preference": [1, 0, -1]})
    >>> deltas = pd.DataFrame({"query_id": ["q1", "q2", "q3"], "measure": "mrr",
    ...                        "delta": [-0.5, 0.0, 0.5]})
    >>> [(row.query_id, row.gap) for row in disagreements(correlate(votes, deltas), "mrr")]
    [('q1', 1.0), ('q3', -1.0)]
    """
    if count < 0:
        raise MetricsError(f"count must be 0 or more, not {count}", setting="count")
    columns = correlations.points(measure, cutoff, segment=segment)
    human, delta = (np.array(columns[name], dtype=float) for name in ("preference", "delta"))
    opposite = human * delta < 0
    gap = _scaled_ranks(human) - _scaled_ranks(delta)
    ids, size = columns["query_id"], snapped(np.abs(gap))
    order = sorted(
        np.flatnonzero(opposite | (size > 0)).tolist(),
        key=lambda at: (not opposite[at], -size[at], -columns["votes"][at], ids[at]),
    )
    return [
        Disagreement(
            query_id=ids[at],
            measure=measure,
            cutoff=cutoff,
            segment={name: columns[name][at] for name in correlations.settings["by"]},
            human=columns["preference"][at],
            delta=columns["delta"][at],
            **{
                name: columns[name][at]
                for name in ("votes", "good", "same", "bad", "verdict", "automated")
            },
            opposite=bool(opposite[at]),
            gap=float(gap[at]),
        )
        for at in order[:count]
    ]


def roc(
    correlations: Correlations,
    measure: str,
    cutoff: int | None = None,
    *,
    segment: Mapping[str, Any] | None = None,
) -> Roc | None:
    """Compute the ROC curve of Δ for Good against Bad, by people's verdicts; Sames stay out.

    Args:
        correlations: what `correlate` returned.
        measure: name of the measure.
        cutoff: its depth, None for measures of whole lists.
        segment: {column: value}, only these queries.

    Returns:
        The curve; None where people call no query Good or none Bad.

    Raises:
        MetricsError: there is no such measure, cutoff or segment column.

    >>> import pandas as pd
    >>> from metrics.correlation import correlate
    >>> votes = pd.DataFrame({"query_id": ["q1", "q2", "q3"], "annotator": "ann",
    ...                       "preference": [1, 1, -1]})
    >>> deltas = pd.DataFrame({"query_id": ["q1", "q2", "q3"], "measure": "mrr",
    ...                        "delta": [0.5, 0.0, 0.0]})
    >>> curve = roc(correlate(votes, deltas), "mrr")
    >>> curve.thresholds, curve.true_positive, curve.false_positive, curve.auc
    ([None, 0.5, 0.0], [0.0, 0.5, 1.0], [0.0, 0.0, 1.0], 0.75)
    """
    columns = correlations.points(measure, cutoff, segment=segment)
    verdict, delta = np.array(columns["verdict"]), np.array(columns["delta"], dtype=float)
    good, bad = int((verdict > 0).sum()), int((verdict < 0).sum())
    if not good or not bad:
        return None
    decided = verdict != 0
    thresholds, place = np.unique(delta[decided], return_inverse=True)
    found = np.zeros((2, len(thresholds)), dtype=np.int64)
    np.add.at(found, ((verdict[decided] < 0).astype(np.int64), place), 1)
    # from the largest Δ down
    true, false = np.cumsum(found[:, ::-1], axis=1) / np.array([[good], [bad]])
    true, false = np.append(0.0, true), np.append(0.0, false)
    return Roc(
        measure=measure,
        cutoff=cutoff,
        thresholds=[None, *thresholds[::-1].tolist()],
        true_positive=true.tolist(),
        false_positive=false.tolist(),
        good=good,
        bad=bad,
        auc=float((np.diff(false) * (true[1:] + true[:-1])).sum() / 2),
    )


def _scaled_ranks(values: Floats) -> Floats:
    """Mid-ranks from 0 to 1; one half where there is a single value."""
    groups = Groups.of(values)
    ranks = groups.ranks(groups.sums(np.ones((len(values), 1))))[groups.code, 0]
    scaled: Floats = ranks / max(len(values) - 1, 1) + 0.5
    return scaled
