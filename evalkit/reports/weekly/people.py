"""What people said in a week: the recorded studies as the weekly report shows them.

A study that has all its votes speaks through figures for one look at the end. Until then only the
figures that hold at any look may decide, and where the serving order depended on votes there are
none. The report travels, so annotators stand in it without their names.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from evalkit.reports.score_numbers import count, share
from evalkit.store import find_study, studies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalkit.store import Evaluation, Store

__all__ = [
    "deciding",
    "live_study",
    "recorded_studies",
    "said",
    "same_change",
    "study_names",
    "systems_of",
    "votes_of",
]

_SHARED = 10
"""Queries that two annotators must share before their kappa is shown."""

_TENTATIVE = 0.667
"""Krippendorff's least alpha for tentative conclusions."""

_DESIGN = ("name", "kind", "state", "scale", "depth", "overlap", "policy", "control", "treatment",
           "seed")  # fmt: skip
_PROGRESS = ("tasks", "slots", "done", "complete", "automatic", "votes", "surplus", "annotators",
             "share", "first_vote_at", "last_vote_at")  # fmt: skip
_ANNOTATOR = ("votes", "agreement", "gold_answered", "gold_accuracy", "twins", "self_consistency",
              "median_seconds", "too_fast", "left_share", "set_aside",
              "set_aside_reason")  # fmt: skip


def recorded_studies(
    evaluations: Iterable[Evaluation], systems: Mapping[str, str]
) -> list[Evaluation]:
    """The latest record of every study of a week, the one that decides first.

    Side-by-side studies come before grades, those with votes before those without, those of the
    scored systems before others, and then the latest recorded.

    Args:
        evaluations: all records of kind `study` of one week and name, replaced ones too: a week
            may have votes of several studies.
        systems: names of `control` and `treatment` in the score of the week.
    """
    latest: dict[str, Evaluation] = {}
    for each in sorted(evaluations, key=lambda each: each.id):
        latest[each.document["study"]["name"]] = each

    def rank(each: Evaluation) -> tuple[bool, bool, bool, int]:
        study = each.document["study"]
        other = not same_change(study, systems)
        return study["kind"] != "sbs", votes_of(each.document) is None, other, -each.id

    return sorted(latest.values(), key=rank)


def same_change(study: Mapping[str, Any], systems: Mapping[str, str]) -> bool:
    """Whether a study compares the scored systems, each in its role.

    Example:
        >>> same_change({"control": "b", "treatment": "a"}, {"control": "a", "treatment": "b"})
        False
    """
    return all(study.get(role) == name for role, name in systems.items())


def deciding(votes: Sequence[Evaluation], scores: Sequence[Evaluation]) -> dict[str, Evaluation]:
    """The study that speaks for people, by week; weeks without votes are left out.

    A study of other systems than the score of its week, or of swapped ones, does not speak.

    Args:
        votes: records of kind `study`, replaced ones too, by week.
        scores: records of kind `score`, one a week.
    """
    systems = {each.week: systems_of(each.document) for each in scores}
    found = {}
    for week in dict.fromkeys(each.week for each in votes):
        of_week = [each for each in votes if each.week == week]
        scored = systems.get(week, {})
        first = recorded_studies(of_week, scored)[0]
        if votes_of(first.document) is not None and same_change(first.document["study"], scored):
            found[week] = first
    return found


def systems_of(document: Mapping[str, Any]) -> dict[str, str]:
    """What control and treatment of a score are called."""
    named = document.get("systems") or {}
    return {role: str(named.get(role) or role) for role in ("control", "treatment")}


def live_study(store: Store, name: str) -> dict[str, Any]:
    """A study as it stands; what the report prints of it changes only with its votes.

    Raises:
        StoreError: there is no such study.
        SettingsError: its votes cannot be scored.
    """
    from evalkit.reports.study import study_summary

    return {"kind": "study", **study_summary(store, find_study(store, name).id)}


def study_names(store: Store) -> list[str]:
    """The side-by-side studies of the database, newest first."""
    return [study.name for study in studies(store) if study.design.kind == "sbs"]


def votes_of(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The votes of a study as the verdict hears them; None where nobody has voted.

    Returns:
        `study`, `basis` (`final` when every query has all its votes, `anytime` when figures that
        hold at any look speak, `interim` when none may), `gsb`, `low`, `high`, `p`, `queries`,
        `votes`, `share` of the votes that are in, `reason` where there is none that may speak.
    """
    found, stands = document.get("gsb"), document["progress"]
    if found is None:
        return None
    overall, sequence = found["overall"], document["sequential"]
    said = {
        "study": document["study"]["name"],
        "basis": "final",
        "gsb": overall["gsb"],
        "low": overall["ci_low"],
        "high": overall["ci_high"],
        "p": overall["p"],
        "queries": overall["queries"],
        "votes": overall["votes"],
        "share": stands["share"],
        "reason": None,
    }
    if stands["complete"] >= stands["tasks"]:
        return said
    if sequence["available"] and sequence["queries"]:
        return said | {
            "basis": "anytime",
            "gsb": sequence["gsb"],
            "low": sequence["gsb_low"],
            "high": sequence["gsb_high"],
            "p": None,
            "queries": sequence["queries"],
            "votes": sequence["votes"],
        }
    reason = sequence.get("reason") or "no query has all its votes yet"
    return said | {
        "basis": "interim",
        "low": None,
        "high": None,
        "p": None,
        "reason": f"{reason[0].upper()}{reason[1:]}",
    }


def said(document: Mapping[str, Any], *, week: str | None) -> dict[str, Any]:
    """All that the report prints of a study.

    Args:
        document: the study's record, or what `live_study` gives.
        week: the week it was recorded in, None for a study that is not recorded.

    Returns:
        `study`, `week`, `votes` (see `votes_of`), `progress`, `gsb` (`overall` and `segments`),
        `position_bias`, `agreement` (with `kappa_median`, `kappa_low`, `kappa_high`,
        `kappa_pairs`), `sequential`, `annotators` (rows without names), `gold` (`answered`,
        `accuracy`, `lowest`), `set_aside` (`votes`, `people`, `reasons`), `left_out`, `reasons`,
        `skips`, `flags`, `grades`, `needs` (sentences), `notes` (sentences), `warnings`.
    """
    quality = document["quality"]
    agreement = document.get("agreement")
    rows = list(document.get("annotators") or ())
    return {
        "study": {key: document["study"].get(key) for key in _DESIGN},
        "week": week,
        "votes": votes_of(document),
        "progress": {key: document["progress"].get(key) for key in _PROGRESS},
        "gsb": document.get("gsb"),
        "position_bias": document.get("position_bias"),
        "agreement": None if agreement is None else _agreed(agreement),
        "sequential": {
            key: value for key, value in document["sequential"].items() if key != "path"
        },
        "stopping": document.get("stopping") or {"available": False},
        "annotators": _nameless(rows),
        "gold": _gold(rows),
        "set_aside": {
            "votes": quality["left_out"].get("set_aside", 0),
            "people": len(quality["set_aside"]),
            "reasons": list(dict.fromkeys(each["reason"] for each in quality["set_aside"])),
        },
        "left_out": dict(quality["left_out"]),
        "reasons": dict(quality["reasons"]),
        "skips": quality["skips"],
        "flags": quality["flags"],
        "grades": document.get("grades"),
        "needs": _needs(document),
        "notes": _notes(document, agreement),
        "warnings": list(document.get("warnings") or ()),
    }


def _agreed(found: Mapping[str, Any]) -> dict[str, Any]:
    kappas = [
        pair["kappa"]
        for pair in found.get("pairs") or ()
        if pair["shared"] >= _SHARED and pair["kappa"] is not None
    ]
    kept = {key: value for key, value in found.items() if key not in ("pairs", "annotators")}
    return kept | {
        "kappa_median": statistics.median(kappas) if kappas else None,
        "kappa_low": min(kappas) if kappas else None,
        "kappa_high": max(kappas) if kappas else None,
        "kappa_pairs": len(kappas),
        "kappa_shared": _SHARED,
    }


def _nameless(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Annotators by the number of their votes, numbered instead of named."""
    ordered = sorted(rows, key=lambda row: (-row["votes"], str(row["annotator"])))
    return [
        {
            "annotator": f"annotator {number}",
            **{key: row.get(key) for key in _ANNOTATOR},
        }
        for number, row in enumerate(ordered, 1)
    ]


def _gold(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Gold answers of all annotators together, and the lowest accuracy of one."""
    asked = [row for row in rows if row.get("gold_answered")]
    if not asked:
        return None
    answered = sum(row["gold_answered"] for row in asked)
    right = sum(round(row["gold_accuracy"] * row["gold_answered"]) for row in asked)
    return {
        "answered": answered,
        "accuracy": right / answered,
        "lowest": min(row["gold_accuracy"] for row in asked),
    }


def _needs(document: Mapping[str, Any]) -> list[str]:
    """What the study still needs, in sentences."""
    stands, stopping, study = document["progress"], document.get("stopping"), document["study"]
    places, queries = stands["slots"] - stands["done"], stands["tasks"] - stands["complete"]
    if not places:
        return ["Every query has all its votes."]
    found = []
    if study["state"] == "closed":
        found.append(
            f"Closed without {_number(places, 'vote')} on {_number(queries, 'query', 'queries')}."
        )
        return found
    found.append(
        f"Missing: {_number(places, 'vote')} on {_number(queries, 'query', 'queries')}"
        f" ({share(stands['share'])}% of the votes are in)."
    )
    if not stopping or not stopping.get("available"):
        return found
    if stopping["may_stop"]:
        found.append(f"It may stop now: {' and '.join(stopping['reasons'])}.")
        return found
    for goal, name in (
        ("decision", "a decision on the win rate"),
        ("width", f"GSB within {stopping['stop_width'] or 0:g} points"),
    ):
        if goal == "width" and stopping.get("stop_width") is None:
            continue
        needed, votes = stopping[f"queries_to_{goal}"], stopping[f"votes_to_{goal}"]
        if needed is None:
            found.append(f"When there will be {name} cannot be foreseen from the votes so far.")
        elif needed:
            sentence = (
                f"About {_number(votes, 'vote')} on {_number(needed, 'query', 'queries')} to"
                f" {name}, if later queries are like those so far"
            )
            if needed > stopping["queries_to_come"]:
                to_come = _number(stopping["queries_to_come"], "query", "queries")
                sentence += f"; the study has only {to_come} to come"
            found.append(f"{sentence}.")
        else:
            found.append(f"There is {name}.")
    return found


def _notes(document: Mapping[str, Any], agreement: Mapping[str, Any] | None) -> list[str]:
    """What the figures of the study leave open."""
    notes = []
    votes = votes_of(document)
    if votes is not None and votes["basis"] == "anytime":
        notes.append(
            "The study is not complete. Its anytime figures hold however often one looks; the 95%"
            " intervals and p of the tables are for one look at the end."
        )
    alpha = None if agreement is None else agreement.get("alpha_nominal")
    if alpha is not None and alpha < _TENTATIVE:
        notes.append(
            f"Annotators agree little (α {alpha:.2f}, nominal; Krippendorff asks for at least"
            f" {_TENTATIVE} for tentative conclusions)."
        )
    return notes


def _number(value: float, one: str, many: str | None = None) -> str:
    return f"{count(value)} {one if value == 1 else many or one + 's'}"
