"""Everything there is to say about a table of votes, as one JSON-ready dict.

`evalkit gsb` prints it. The figures come from `metrics`; nothing is computed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metrics.vote_gsb import Aggregate

__all__ = ["vote_document"]


def vote_document(
    votes: Any,
    *,
    aggregate: Aggregate = "majority",
    by: Sequence[str] = (),
    seed: int = 0,
    sequential: bool = False,
    overlap: int | None = None,
    stop_width: float | None = None,
) -> dict[str, Any]:
    """Sum up votes: GSB, position bias, agreement, and what may be concluded while they come in.

    Args:
        votes: a canonical votes table, as a frame.
        aggregate: how several votes on a query become one.
        by: segment columns.
        seed: of the bootstraps.
        sequential: add the anytime-valid figures; the votes need a `position`.
        overlap: votes that complete a query, for these.
        stop_width: width of the GSB sequence that would do, a fraction.

    Returns:
        `settings`, `left_out`, `warnings`, `results` (rows of `metrics.VoteScored`), `agreement`
        (fields of `metrics.Agreement` with pairs and annotators) and, if asked for, `sequential`
        and `remaining` (fields of `metrics.Sequential` and `metrics.Remaining`).

    Raises:
        MetricsError: the votes cannot be scored.

    Example:
        >>> import pyarrow
        >>> votes = {"query_id": ["q1", "q2"], "annotator": ["ann", "ann"], "preference": [1, 0]}
        >>> document = vote_document(pyarrow.table(votes))
        >>> document["results"][0]["gsb"]
        0.5
    """
    from metrics import agreement, gsb_from_votes, sequential_gsb, votes_to_decide

    document = gsb_from_votes(votes, aggregate=aggregate, by=by, seed=seed).to_dict()
    document["agreement"] = agreement(votes, seed=seed).to_dict()
    if sequential:
        document["sequential"] = sequential_gsb(votes, overlap=overlap).to_dict()
        left = votes_to_decide(votes, width=stop_width, overlap=overlap, seed=seed)
        document["remaining"] = left.to_dict()
    return document
