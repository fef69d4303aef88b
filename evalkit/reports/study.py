"""Everything there is to say about a study, as one JSON-ready dict.

`evalkit study status` prints it and the pages of the app draw it, so that both say the same. The
figures come from `metrics`, the votes from the store; nothing is computed here but counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from evalkit.errors import SettingsError, StoreError
from evalkit.reports.study_grades import graders_of, grades_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from evalkit.store import Person, Progress, Store, Study

__all__ = ["study_summary"]

_BIAS = (
    "left_votes",
    "left_share",
    "left_low",
    "left_high",
    "gsb_treatment_left",
    "gsb_treatment_right",
    "gsb_side_adjusted",
)


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
    """Sum up a study as it stands.

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
        - `progress`: the fields of `store.Progress`, `share` (places filled, 0 to 1) and
          `hours_left` at the pace of the last hour.
        - `gsb`: `overall` (a row of `metrics.VoteScored`), `segments` (rows), `settings`.
        - `position_bias`: `left_votes, left_share, left_low, left_high, gsb_treatment_left,
          gsb_treatment_right, gsb_side_adjusted`.
        - `sequential`: `available`; if not, `reason`; else the fields of `metrics.Sequential`
          with its path, as lists.
        - `stopping`: `available`; if so `stop_width, stop_when_decided, may_stop, reasons`
          (sentences), `queries_to_come` and the fields of `metrics.Remaining`.
        - `agreement`: the fields of `metrics.Agreement` with `pairs`; `annotators`: rows of
          `metrics.AnnotatorScored` with `set_aside_reason`.
        - `quality`: `left_out` (votes by reason), `set_aside` (`name, reason, at, by`), `skips`,
          `flags`, `reasons` (reason tag to number of votes that give it).
        - `grades`: for grade studies `items` (grade, word, number), `pages` (system, good, mid,
          bad), `agreement` (the fields of `metrics.GradeAgreement`); else None.
        - `warnings`: sentences.

    Raises:
        StoreError: there is no such study, or the person may not read results.
        SettingsError: the tasks have no such segment.
    """
    from evalkit.store import (
        export_judgments,
        export_page_grades,
        export_votes,
        flags,
        progress,
        set_asides,
        studies,
    )
    from metrics import MetricsError

    study = next((each for each in studies(store) if each.id == study_id), None)
    if study is None:
        raise StoreError(f"There is no study with the number {study_id}.")
    stands = progress(store, study_id, actor=actor, now=now)
    aside = set_asides(store, study_id, actor=actor)
    votes = None if study.design.kind == "grade" else export_votes(store, study_id, actor=actor)
    summary: dict[str, Any] = {
        "study": _described(study),
        "progress": _paced(stands),
        "gsb": None,
        "position_bias": None,
        "sequential": {"available": False, "reason": "there are no votes yet"},
        "stopping": {"available": False},
        "agreement": None,
        "annotators": [],
        "quality": {
            "left_out": {},
            "set_aside": [asdict(each) for each in aside],
            "skips": stands.skips,
            "flags": len(flags(store, study_id, actor=actor)),
            "reasons": {} if votes is None else _reasons(votes),
        },
        "grades": None,
        "warnings": list(_warnings(study, stands)),
    }
    try:
        if votes is None:
            items = export_judgments(store, study_id, actor=actor)
            pages = export_page_grades(store, study_id, actor=actor)
            summary["grades"] = grades_of(items, pages, study, confidence=confidence, seed=seed)
            summary["annotators"] = graders_of(store, study, items, actor=actor)
        elif votes.num_rows:
            segments = _segments(study, votes, by)
            _add_figures(summary, votes, aggregate, segments, confidence, seed)
            _add_sequence(
                summary,
                study,
                stands,
                votes,
                study.design.stop_width if stop_width is None else stop_width,
                study.design.stop_when_decided if stop_when_decided is None else stop_when_decided,
                seed,
            )
    except MetricsError as error:
        raise SettingsError(f"{study.name}: {error}.") from error
    told = {each.name: each.reason for each in aside}
    for row in summary["annotators"]:
        row["set_aside_reason"] = told.get(row["annotator"])
    return summary


def _described(study: Study) -> dict[str, Any]:
    design = study.design
    return {
        "id": study.id,
        "name": study.name,
        "kind": design.kind,
        "state": study.state,
        "scale": design.scale,
        "levels": [list(level) for level in design.levels],
        "depth": design.depth,
        "overlap": design.overlap,
        "policy": design.policy,
        "identical": design.identical,
        "seed": design.seed,
        "control": design.control_system,
        "treatment": design.treatment_system,
        "segments": list(design.segments),
        "created_at": study.created_at,
        "created_by": study.created_by,
    }


def _paced(stands: Progress) -> dict[str, Any]:
    pace, left = stands.votes_per_hour, stands.slots - stands.done
    return {
        **asdict(stands),
        "share": stands.done / stands.slots if stands.slots else None,
        "hours_left": left / pace if pace else None,
    }


def _warnings(study: Study, stands: Progress) -> Iterator[str]:
    """What a reader must know before any figure of an unfinished study."""
    design = study.design
    unfinished = stands.complete < stands.tasks
    if unfinished and stands.votes and design.policy != "random":
        yield (
            f"Queries were served by --policy {design.policy}, not at random: figures before the "
            "end are not those of the query set, and their intervals and p do not hold."
        )
    if unfinished and stands.votes and stands.automatic:
        yield (
            f"All {stands.automatic:,} queries with identical lists count as the same already, but "
            f"only {stands.complete:,} of the {stands.tasks:,} others have all their votes; until "
            "the end GSB is too close to 0, and GSB without identical lists is the fairer one."
        )
    if stands.set_aside:
        yield f"{stands.set_aside:,} votes are set aside and enter no figure."


def _segments(study: Study, votes: pa.Table, by: Sequence[str] | None) -> list[str]:
    there = [name for name in study.design.segments if name in votes.column_names]
    if by is None:
        return there
    unknown = [name for name in by if name not in there]
    if unknown:
        has = ", ".join(there) or "none"
        raise SettingsError(
            f"--by {', '.join(unknown)}: {study.name} has no such segment; it has: {has}."
        )
    return list(by)


def _add_figures(
    summary: dict[str, Any],
    votes: pa.Table,
    aggregate: Literal["majority", "votes", "dawid_skene"],
    by: Sequence[str],
    confidence: float,
    seed: int,
) -> None:
    """GSB, position bias and agreement, where there is a vote that counts."""
    from metrics import MetricsError, agreement, gsb_from_votes

    if aggregate == "dawid_skene" and not _of_people(votes):
        aggregate = "majority"  # the model needs a vote; without any, both say the same
    try:
        found = gsb_from_votes(
            votes, aggregate=aggregate, by=by, confidence=confidence, seed=seed
        ).to_dict()
    except MetricsError as error:
        if "none of the votes counts" not in str(error):
            raise
        found = None
    if found is not None:
        overall, *segments = found["results"]
        summary["gsb"] = {"overall": overall, "segments": segments, "settings": found["settings"]}
        summary["position_bias"] = {name: overall[name] for name in _BIAS}
        summary["warnings"] += found["warnings"]
        summary["quality"]["left_out"] = found["left_out"]
        low, high = overall["left_low"], overall["left_high"]
        if low is not None and not low <= 0.5 <= high:
            summary["warnings"].append(
                f"Of the decided votes {100 * overall['left_share']:.1f}% went to the left list; "
                "sides are balanced, so GSB is not moved by it, but look at the annotators."
            )
    agreed = agreement(votes, confidence=confidence, seed=seed).to_dict()
    summary["annotators"] = agreed.pop("annotators")
    summary["agreement"] = agreed
    if found is None:
        summary["quality"]["left_out"] = agreed["left_out"]


def _of_people(votes: pa.Table) -> bool:
    """Whether a vote of a person counts."""
    import pyarrow.compute as pc

    real = pc.equal(votes["kind"], "real")
    counted = pc.and_not(pc.and_(real, votes["counts"]), votes["set_aside"])
    return bool(pc.any(counted).as_py())


def _add_sequence(
    summary: dict[str, Any],
    study: Study,
    stands: Progress,
    votes: pa.Table,
    stop_width: float | None,
    stop_when_decided: bool,
    seed: int,
) -> None:
    """What may be concluded before the end, and when the study may stop."""
    from metrics import sequential_gsb, votes_to_decide

    policy, overlap = study.design.policy, study.design.overlap
    if policy != "random":
        summary["sequential"] = {
            "available": False,
            "reason": f"the serving order depends on votes (--policy {policy}), so no interval "
            "holds before the end",
        }
        return
    found = sequential_gsb(votes, overlap=overlap)
    summary["sequential"] = {"available": True, **found.to_dict(path=True)}
    width = None if stop_width is None else stop_width / 100
    remaining = votes_to_decide(votes, width=width, overlap=overlap, seed=seed)
    reasons = []
    if stop_when_decided and found.decided:
        reasons.append("the win rate is decided")
    if width is not None and found.gsb_high - found.gsb_low <= width:
        reasons.append(f"GSB is known within {stop_width:g} points")
    summary["stopping"] = {
        "available": True,
        "stop_width": stop_width,
        "stop_when_decided": stop_when_decided,
        "may_stop": bool(reasons),
        "reasons": reasons,
        "queries_to_come": stands.tasks - stands.complete,
        **remaining.to_dict(),
    }


def _reasons(votes: pa.Table) -> dict[str, int]:
    """How many of the latest votes give each reason."""
    given = Counter(
        reason.strip()
        for text in votes["reasons"].to_pylist()
        for reason in (text or "").split(";")
        if reason.strip()
    )
    return dict(given.most_common())
