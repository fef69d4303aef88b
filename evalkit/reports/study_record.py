"""How a study stands, as the history keeps it: its summary, and what tells it from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports.study import study_summary

if TYPE_CHECKING:
    from evalkit.store import Person, Store

__all__ = ["study_record"]

_OF_THE_MOMENT = ("leased", "free", "active", "votes_per_hour", "hours_left")


def study_record(
    store: Store, study_id: int, *, actor: Person | None = None
) -> tuple[dict[str, Any], str, str]:
    """Sum up a study for the history.

    Args:
        store: the study database.
        study_id: the study.
        actor: who asks (an analyst or admin), None for the command line.

    Returns:
        (document, fingerprint, query set). The document is that of `study_summary` with
        `"kind": "study"`, without the path of the sequence. The fingerprint is the same as long
        as no vote is added: who is voting at the moment does not change it.

    Raises:
        StoreError: there is no such study, or the person may not read results.
    """
    import pyarrow as pa

    from evalkit.store import comparisons, document_fingerprint
    from evalkit.tables.query_sets import fingerprint_queries

    summary = study_summary(store, study_id, actor=actor)
    summary["sequential"].pop("path", None)
    document = {"kind": "study", **summary}
    lasting = {
        key: value for key, value in document["progress"].items() if key not in _OF_THE_MOMENT
    }
    tasks = comparisons(store, study_id, actor=actor)
    ids = sorted({each.query_id for each in tasks if each.kind in ("real", "automatic")})
    return (
        document,
        document_fingerprint({**document, "progress": lasting}),
        fingerprint_queries(pa.chunked_array([ids], pa.string()))["fingerprint"],
    )
