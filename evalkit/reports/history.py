"""What is recorded, a figure over the weeks, and two weeks side by side, as JSON-ready dicts.

Figures are those that were recorded. Whether weeks may be compared is decided in `comparable`.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evalkit.errors import SettingsError
from evalkit.reports import score_document as read
from evalkit.reports.comparable import changes, size_of, systems_of, unnamed
from evalkit.reports.headline import overall_rows
from evalkit.reports.trends import figures, trend
from evalkit.reports.week_changes import week_change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalkit.store import Evaluation, Store

__all__ = ["history_document", "trend_document", "weeks_document"]

_JUDGED_APART = 0.05
_UNNAMED = (
    "No judge is named, and the judgments of {weeks} differ: they may have grown, or be another "
    "judge's. --judge names it."
)
_VALUES = (
    "queries",
    "control",
    "treatment",
    "delta",
    "value",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "judged_control",
    "judged_treatment",
    "judged",
)


def history_document(store: Store, *, name: str | None = None, kind: Any = None) -> dict[str, Any]:
    """List what is recorded, by week.

    Args:
        store: the study database.
        name: only evaluations of this name.
        kind: only of this kind.

    Returns:
        `kind: "history"`, `name`, and `evaluations`, each with `id, week, kind, name, systems,
        queries, query_set, judge, figures` (of the primary measures over the whole query set),
        `recorded_at, recorded_by, earlier, command`, `since` (the week recorded before it under
        its name and kind, or None) and `changes` (why the two cannot be compared); and `warnings`.

    Raises:
        StoreError: the database cannot be read.
        SettingsError: nothing of this name or kind is recorded.
    """
    from evalkit.store import evaluations

    found = evaluations(store, name=name, kind=kind)
    if not found:
        raise SettingsError(_nothing(store, name, kind))
    before: dict[tuple[str, str], list[Evaluation]] = {}
    rows, pairs = [], []
    for each in found:
        those = before.setdefault((each.name, each.kind), [])
        last = next((one for one in reversed(those) if one.week != each.week), None)
        if last is not None:
            pairs.append((last, each))
        rows.append(
            {
                **_described(each),
                "figures": [_figure(row) for row in _primary(each)],
                "since": None if last is None else last.week,
                "changes": [] if last is None else changes(last, each),
            }
        )
        those.append(each)
    return {
        "kind": "history",
        "name": name,
        "evaluations": rows,
        "warnings": list(_unnamed(pairs)),
    }


def trend_document(
    store: Store,
    *,
    name: str,
    kind: Any = "score",
    measure: str,
    cutoff: int | None = None,
    segment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Follow one figure over the weeks.

    Args:
        store: the study database.
        name: name of the evaluations.
        kind: their kind.
        measure: name of the measure; of studies `gsb`.
        cutoff: depth; by default the first that the latest evaluation with the measure has.
        segment: {} or None overall, otherwise {column: value}.

    Returns:
        `kind: "trend"`, `name`, `of` (the kind of the evaluations), `measure`, `cutoff`,
        `segment`, `warnings` and `trends`: one for a comparison, one per run for single runs, each
        with `system` (None for a comparison) and the fields of `trends.Trend`.

    Raises:
        StoreError: the database cannot be read.
        SettingsError: nothing of this name is recorded, or no week has the figure.
    """
    from evalkit.store import evaluations

    found = evaluations(store, name=name, kind=kind)
    if not found:
        raise SettingsError(_nothing(store, name, kind))
    rows = [row for each in reversed(found) for row in figures(each)]
    if cutoff is None:
        cutoff = read.first_cutoff({"results": rows}, measure)
    systems = dict.fromkeys(row.get("system") for row in rows)
    lines = [
        (system, trend(found, measure=measure, cutoff=cutoff, segment=segment, system=system))
        for system in systems
    ]
    lines = [(system, line) for system, line in lines if line.points]
    if not lines:
        raise SettingsError(_no_figure(rows, name, measure, cutoff, segment or {}))
    return {
        "kind": "trend",
        "name": name,
        "of": kind,
        "measure": measure,
        "cutoff": cutoff,
        "segment": dict(segment or {}),
        "warnings": list(_unnamed(pairwise(found))),
        "trends": [{"system": system, **asdict(line)} for system, line in lines],
    }


def weeks_document(
    store: Store, before: str, after: str, *, name: str, kind: Any = "score"
) -> dict[str, Any]:
    """Set two recorded weeks side by side.

    Args:
        store: the study database.
        before: the one week.
        after: the other.
        name: name of the evaluations.
        kind: their kind.

    Returns:
        `kind: "weeks"`, `name`, `of`, `before` and `after` (as in `history_document`, without
        figures), `changes` (why they cannot be compared, empty where they can), `warnings` and
        `rows`: `measure, cutoff, segment, system`, the recorded figures `before` and `after` (None
        where a week lacks it), and `change`: per run `value, ci_low, ci_high, queries`, None where
        the weeks cannot be compared or the values of the queries are not recorded.

    Raises:
        StoreError: there is no such week, or the database cannot be read.
        SettingsError: nothing is recorded for a week, or of this name.
    """
    from evalkit.store import evaluation_values

    one, other = (_of_week(store, week, name, kind) for week in (before, after))
    why = changes(one, other)
    values = [] if why else [evaluation_values(store, each.id) for each in (one, other)]
    known = bool(values) and all(each is not None for each in values)
    earlier = {_key(row): row for row in figures(one)}
    later = {_key(row): row for row in figures(other)}
    rows = []
    for key in dict.fromkeys([*later, *earlier]):
        old, new = earlier.get(key), later.get(key)
        row: Mapping[str, Any] = new or old or {}
        rows.append(
            {
                "measure": row["measure"],
                "cutoff": row.get("cutoff"),
                "segment": dict(row["segment"]),
                "system": row.get("system"),
                "before": None if old is None else _figure(old),
                "after": None if new is None else _figure(new),
                "change": _change(values, row) if known and old and new else None,
            }
        )
    return {
        "kind": "weeks",
        "name": name,
        "of": kind,
        "before": _described(one),
        "after": _described(other),
        "changes": why,
        "warnings": [
            *_unnamed([(one, other)]),
            *_renamed(one, other, rows),
            *_warnings(rows, known=known, comparable=not why),
        ],
        "rows": rows,
    }


def _described(evaluation: Evaluation) -> dict[str, Any]:
    document = evaluation.document
    return {
        "id": evaluation.id,
        "week": evaluation.week,
        "kind": evaluation.kind,
        "name": evaluation.name,
        "systems": systems_of(evaluation),
        "queries": size_of(evaluation),
        "query_set": evaluation.query_set,
        "judge": evaluation.judge,
        "recorded_at": evaluation.recorded_at,
        "recorded_by": evaluation.recorded_by,
        "earlier": evaluation.earlier,
        "command": document.get("command"),
    }


def _primary(evaluation: Evaluation) -> list[Mapping[str, Any]]:
    """The figures to name a week by."""
    if evaluation.kind == "score":
        return list(overall_rows(evaluation.document))
    return [row for row in figures(evaluation) if not row["segment"]]


def _figure(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: row.get(name) for name in _VALUES}
    return {
        "measure": row["measure"],
        "cutoff": row.get("cutoff"),
        "system": row.get("system"),
        **kept,
        "standing": read.standing(row),
    }


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    segment = tuple((name, read.segment_name(value)) for name, value in row["segment"].items())
    return row["measure"], row.get("cutoff"), segment, row.get("system")


def _change(values: Sequence[Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The change of every run's value, and of GSB's own."""
    if row.get("system") is not None:
        runs: tuple[str, ...] = ("value",)
    else:
        runs = ("delta",) if row["measure"] == "gsb" else ("control", "treatment")
    return {
        of: week_change(
            *values,
            measure=row["measure"],
            cutoff=row.get("cutoff"),
            segment=row["segment"],
            of=of,
            system=row.get("system"),
        )
        for of in runs
    }


def _unnamed(pairs: Iterable[tuple[Evaluation, Evaluation]]) -> Iterator[str]:
    """One sentence for all neighbours whose judge nobody named."""
    found = [(one.week, other.week) for one, other in pairs if unnamed(one, other)]
    weeks = sorted({week for pair in found for week in pair})
    if len(weeks) == 2:
        yield _UNNAMED.format(weeks=" and ".join(weeks))
    elif weeks:
        yield _UNNAMED.format(weeks=f"weeks from {weeks[0]} to {weeks[-1]}")


def _renamed(
    before: Evaluation, after: Evaluation, rows: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """A run that is named otherwise may be another system."""
    if not any(row["change"] for row in rows):
        return
    old, new = systems_of(before), systems_of(after)
    for role in ("control", "treatment"):
        if role in old and role in new and old[role] != new[role]:
            yield (
                f"The {role} is {old[role]} in {before.week} and {new[role]} in {after.week}: what "
                "stands between the weeks is the difference of the two, not the change of one."
            )


def _warnings(rows: Sequence[Mapping[str, Any]], *, known: bool, comparable: bool) -> Iterator[str]:
    if comparable and not known:
        yield (
            "The values of every query are not recorded for both weeks, so no change has an "
            "interval; evalkit score --record records them."
        )
    if not comparable:
        return
    for row in rows:
        if row["segment"] or row["before"] is None or row["after"] is None:
            continue
        for judged, run in (
            ("judged_control", "the control"),
            ("judged_treatment", "the treatment"),
            ("judged", row["system"]),
        ):
            shares = [row[week][judged] for week in ("before", "after")]
            if None not in shares and abs(shares[1] - shares[0]) > _JUDGED_APART:
                yield (
                    f"{read.cutoff_label(row['measure'], row['cutoff'])}: of what {run} shows, "
                    f"{read.share(shares[0])}% were judged, then {read.share(shares[1])}%; part of "
                    "its change may be that of the judgments."
                )


def _of_week(store: Store, week: str, name: str, kind: Any) -> Evaluation:
    from evalkit.store import check_week, evaluations

    check_week(week)
    every = evaluations(store, name=name, kind=kind)
    if not every:
        raise SettingsError(_nothing(store, name, kind))
    found = [each for each in every if each.week == week]
    if not found:
        weeks = ", ".join(dict.fromkeys(each.week for each in every))
        raise SettingsError(
            f"no {kind} is recorded as {name!r} for {week}; recorded weeks: {weeks}."
        )
    return found[-1]  # of several studies the one recorded last, as in a trend


def _nothing(store: Store, name: str | None, kind: str | None) -> str:
    """What there is instead of what was asked for."""
    from evalkit.store import evaluations

    every = evaluations(store)
    if not every:
        return "nothing is recorded yet; evalkit score --record keeps an evaluation."
    there: dict[str, list[str]] = {}
    for each in every:
        weeks = there.setdefault(f"{each.kind} {each.name!r}", [])
        if each.week not in weeks:
            weeks.append(each.week)
    listed = "; ".join(
        f"{what} ({weeks[0]} to {weeks[-1]})" if len(weeks) > 1 else f"{what} ({weeks[0]})"
        for what, weeks in there.items()
    )
    asked = " ".join(filter(None, [kind or "evaluation", name and f"{name!r}"]))
    return f"no {asked} is recorded; there are: {listed}."


def _no_figure(
    rows: Sequence[Mapping[str, Any]],
    name: str,
    measure: str,
    cutoff: int | None,
    segment: Mapping[str, str],
) -> str:
    asked = f"{measure}{'' if cutoff is None else f'@{cutoff}'}"
    there = [row for row in rows if row["measure"] == measure and row.get("cutoff") == cutoff]
    if there:
        named = dict.fromkeys(
            f"{column}={read.segment_name(value)}"
            for row in there
            for column, value in row["segment"].items()
        )
        of = " ".join(f"{column}={value}" for column, value in segment.items())
        listed = ", ".join(named) or "none"
        return f"no week of {name!r} has {asked} for {of}; recorded segments: {listed}."
    known = dict.fromkeys(
        f"{row['measure']}{'' if row.get('cutoff') is None else '@' + str(row['cutoff'])}"
        for row in rows
    )
    if not known:
        return f"nothing recorded as {name!r} has figures that form a trend."
    return f"no week of {name!r} has {asked}; recorded figures: {', '.join(known)}."
