"""Why the figures of two recorded evaluations are not figures of the same thing.

A figure of another query set, judge or setting is another figure. Here that is found and told in
sentences; what is done about it is decided by who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.reports.score_document import OF_SCORING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.store import Evaluation

__all__ = ["SETTINGS_THAT_MATTER", "changes", "exchanged", "size_of", "systems_of", "unnamed"]

SETTINGS_THAT_MATTER = (
    *OF_SCORING,
    "aggregate",
    "weighted",
    "query_goodrate_from",
    "map",
    "target",
    "human_good",
    "human_source",
)
"""Settings that move a figure, beside the source, which belongs to the judge."""

_OF_A_STUDY = ("scale", "depth", "identical", "overlap")


def changes(before: Evaluation, after: Evaluation) -> list[str]:
    """Say why the figures of two evaluations are not figures of the same thing.

    Compared are the query set, the judge, the settings that move a figure, whether control and
    treatment were exchanged, and of studies whether all votes were in. Other systems, more
    judgments, another seed or further segments are no change.

    Returns:
        A sentence each, without a full stop; empty where the two may be joined.
    """
    if before.kind != after.kind:
        return [f"the kind changed: {before.kind} → {after.kind}"]
    return [
        *_query_set_changes(before, after),
        *_judge_changes(before, after),
        *_setting_changes(before, after),
        *exchanged(before, after),
        *_standing_changes(before, after),
    ]


def _standing_changes(before: Evaluation, after: Evaluation) -> Iterator[str]:
    """Figures of a study with all its votes are not those of one that goes on."""
    if before.kind != "study":
        return
    old, new = _standing_of(before), _standing_of(after)
    if None in (old, new):
        return
    if old != new:
        yield f"the votes changed: {old} → {new}"
    elif old != "all in":
        policies = [(each.document.get("study") or {}).get("policy") for each in (before, after)]
        if policies[0] != policies[1]:
            served = " → ".join(_written(each) for each in policies)
            yield f"the order of serving changed: {served}, with votes still to come"


def _standing_of(study: Evaluation) -> str | None:
    progress, sequence = (study.document.get(key) or {} for key in ("progress", "sequential"))
    if progress.get("complete") is None or progress.get("tasks") is None:
        return None
    if progress["complete"] >= progress["tasks"]:
        return "all in"
    anytime = sequence.get("available") and sequence.get("queries")
    return "not all in, figures hold at any look" if anytime else "not all in"


def exchanged(before: Evaluation, after: Evaluation) -> Iterator[str]:
    """Say it where control and treatment have each other's names."""
    one, other = systems_of(before), systems_of(after)
    old, new = one.get("control"), one.get("treatment")
    if None in (old, new) or old == new:
        return
    if (other.get("control"), other.get("treatment")) == (new, old):
        yield (
            f"control and treatment were exchanged: {old} → {new} in {before.week}, "
            f"{new} → {old} in {after.week}"
        )


def _query_set_changes(before: Evaluation, after: Evaluation) -> Iterator[str]:
    one, other = (each.document.get("query_set") or {} for each in (before, after))
    old, new = one.get("columns") or {}, other.get("columns") or {}
    shared = [name for name in old if name in new]
    if shared:
        # a column that only one of them was told of says nothing about the other
        changed = [name for name in shared if old[name] != new[name]]
        if ("query" in old) != ("query" in new) and one.get("source") != other.get("source"):
            changed.append("source")
    else:
        same = _set_of(before, one) == _set_of(after, other)
        changed = [] if same else ["query_id"]
    if not changed:
        return
    sizes = [size_of(each) for each in (before, after)]
    if None not in sizes and sizes[0] != sizes[1]:
        yield f"the query set changed: {sizes[0]:,} → {sizes[1]:,} queries"
    elif "query_id" in changed:
        many = "" if sizes[1] is None else f", {sizes[1]:,} as before"
        yield f"the query set changed: other queries{many}"
    elif changed == ["source"]:
        yield f"the query set changed: {one['source']} → {other['source']}"
    else:
        named = {"query": "other texts", "weight": "other weights", "source": "another source"}
        what = [named.get(name, f"other values of {name}") for name in changed]
        yield f"the query set changed: {', '.join(what)}"


def _set_of(evaluation: Evaluation, query_set: Mapping[str, Any]) -> str | None:
    return evaluation.query_set or query_set.get("fingerprint")


def _judge_changes(before: Evaluation, after: Evaluation) -> Iterator[str]:
    one, other = ({"name": each.judge, **_judge_of(each)} for each in (before, after))
    if one["name"] != other["name"]:
        yield f"the judge changed: {one['name'] or 'not named'} → {other['name'] or 'not named'}"
    elif None not in (one.get("model"), other.get("model")) and one["model"] != other["model"]:
        yield f"the judge changed: {other['name']} is another model under the same name"
    if one.get("source") != other.get("source"):
        sources = [each.get("source") or "not named" for each in (one, other)]
        yield f"the source of the judgments changed: {sources[0]} → {sources[1]}"


def unnamed(before: Evaluation, after: Evaluation) -> bool:
    """Whether no judge is named and the judgments differ: grown, or another judge's."""
    files = [_judge_of(each).get("judgments") for each in (before, after)]
    return before.judge is after.judge is None and None not in files and files[0] != files[1]


def _judge_of(evaluation: Evaluation) -> Mapping[str, Any]:
    judge = evaluation.document.get("judge")
    return {key: judge[key] for key in judge if judge[key]} if isinstance(judge, dict) else {}


def _setting_changes(before: Evaluation, after: Evaluation) -> Iterator[str]:
    if before.kind == "study":
        old, new = (each.document.get("study") or {} for each in (before, after))
        names: tuple[str, ...] = _OF_A_STUDY
        votes = [(each.document.get("gsb") or {}).get("settings") for each in (before, after)]
        if all(votes):
            old = {**old, "aggregate": votes[0]["aggregate"]}  # type: ignore[index]
            new = {**new, "aggregate": votes[1]["aggregate"]}  # type: ignore[index]
            names = (*names, "aggregate")
    else:
        old, new = (each.document.get("settings") or {} for each in (before, after))
        names = SETTINGS_THAT_MATTER
    changed = [
        f"{name.replace('_', '-')} {_written(old.get(name))} → {_written(new.get(name))}"
        for name in names
        if old.get(name) != new.get(name)
        and not (name == "map" and not old.get(name) and not new.get(name))
    ]
    if changed:
        yield f"settings changed: {', '.join(changed)}"


def _written(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ",".join(_pairs(value)) or "none"
    if isinstance(value, list | tuple):
        return ",".join(map(_written, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _pairs(value: Mapping[str, Any]) -> Iterator[str]:
    """`grade=stars`, and of one table only `judgments.grade=stars`, as --map has them."""
    for name, each in value.items():
        if isinstance(each, dict):
            yield from (f"{name}.{pair}" for pair in _pairs(each))
        else:
            yield f"{name}={_written(each)}"


def systems_of(evaluation: Evaluation) -> dict[str, str]:
    """Return what the runs of an evaluation are called, by their part in it."""
    study = evaluation.document.get("study")
    if evaluation.kind == "study" and study:
        return {"control": study["control"], "treatment": study["treatment"]}
    return dict(evaluation.document.get("systems") or {})


def size_of(evaluation: Evaluation) -> int | None:
    """Return how many queries an evaluation was over, None where it does not say."""
    document = evaluation.document
    if evaluation.kind == "study":
        progress = document.get("progress") or {}
        return progress["tasks"] + progress["automatic"] if progress else None
    query_set = document.get("query_set")
    return query_set.get("size") if isinstance(query_set, dict) else None
