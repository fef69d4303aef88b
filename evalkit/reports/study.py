"""Everything there is to say about a study, as one JSON-ready dict.

`evalkit study status` prints it and the pages of the app draw it, so that both say the same. The
figures come from `metrics`, the votes from the store; nothing is computed here but counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.store import Person, Store

__all__ = ["study_summary"]


def study_summary(
    store: Store,
    study_id: int,
    *,
    by: Sequence[str] | None = None,
    aggregate: Literal["majority", "votes", "dawid_skene"] = "majority",
    confidence: float = 0.95,
    seed: int = 0,
    stop_width: float | None = None,
    stop_when_decided: bool | None = None,
    actor: Person | None = None,
    now: int | None = None,
) -> dict[str, Any]:
    """Sum up a study.

    Args:
        store: the study database.
        study_id: the study.
        by: segment columns to report by; those of the study by default.
        aggregate: how several votes on a query become one.
        confidence: level of the intervals.
        seed: seed of the bootstrap.
        stop_width: width of the GSB sequence, in points, at which the study may stop; the
            study's own setting by default.
        stop_when_decided: whether it may stop once the win rate is decided; the study's own
            setting by default.
        actor: who asks (an analyst or admin), None for the command line.
        now: UTC milliseconds; the clock by default.

    Returns:
        A dict with these keys, None or empty where there are no votes yet:

        - `study`: `id, name, kind, state, scale, levels, depth, overlap, policy, identical, seed,
          control, treatment, segments, created_at, created_by`.
        - `progress`: the fields of `store.Progress` and `share` (places filled, 0 to 1).
        - `gsb`: `overall` (a row of `metrics.VoteScored`), `segments` (rows), `settings`.
        - `position_bias`: `left_votes, left_share, left_low, left_high, gsb_treatment_left,
          gsb_treatment_right, gsb_side_adjusted`.
        - `sequential`: `available`; if not, `reason`; else the fields of `metrics.Sequential`
          with its path.
        - `stopping`: `stop_width, stop_when_decided, may_stop, reasons, queries_left,
          votes_left`.
        - `agreement`: fields of `metrics.Agreement` with `pairs`; `annotators`: one row each.
        - `quality`: `set_aside` (`name, reason, at, by, votes`), `surplus`, `skips`, `flags`.
        - `grades`: for grade studies `items, pages, levels, agreement`; else None.
        - `warnings`: sentences.

    Raises:
        StoreError: there is no such study, or the person may not read results.
        SettingsError: the tasks have no such segment.
    """
    raise NotImplementedError
