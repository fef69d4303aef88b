"""The weekly report as one plain dict: all that its page and its Markdown twin print.

Made from what is recorded in the database, and from a study as it stands where that is asked for.
Chooses, pairs and orders; figures are taken as they were recorded, and there is no layout here
(see `page` and `markdown`). No clock is read: the same database gives the same dict.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from evalkit.errors import SettingsError, StoreError
from evalkit.reports import score_document as read
from evalkit.reports.definitions import definitions
from evalkit.reports.headline import overall_rows, reasons
from evalkit.reports.query_moves import SAME, biggest_moves, moves
from evalkit.reports.weekly import judge as judged
from evalkit.reports.weekly import people
from evalkit.reports.weekly.history import since, trends, votes_over_weeks
from evalkit.reports.weekly.notes import missing, warnings
from evalkit.reports.weekly.sources import moment, source, used
from evalkit.reports.weekly.terms import terms
from evalkit.reports.weekly.verdict import verdict
from evalkit.store import check_week, evaluation_values, evaluations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.store import Evaluation, Store

__all__ = ["weekly_document"]

_ROW = ("queries", "control", "treatment", "delta", "ci_low", "ci_high", "p", "p_holm",
        "judged_control", "judged_treatment", "note")  # fmt: skip
_JUDGE = ("name", "source", "judgments")
_MOVES = 10
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip


def weekly_document(
    store: Store,
    week: str,
    name: str = "weekly",
    *,
    studies: Sequence[str] = (),
    title: str | None = None,
) -> dict[str, Any]:
    """Gather the report of a week.

    Args:
        store: the database.
        week: ISO week (`2026-W47`); a comparison must be recorded for it.
        name: the name under which evaluations are recorded; those of one name form a trend.
        studies: names of the studies to report on, as recorded in the week, or as they stand. The
            first one of the scored systems speaks for people, and the others beside it. By default
            all that are recorded for the week.
        title: a heading of one's own.

    Returns:
        A dict ready for JSON. Shares are fractions; `None` or empty where nothing is recorded.

        - `week`, `name`, `title`, `dates` (in words), `systems`, `recorded` (`at`, `by`,
          `earlier`), `query_set`, `judge`
        - `verdict`: the fields of `verdict.Verdict`
        - `cards`: `kind` (`measure`, `people`, `labels`) and what the card says
        - `read_first`: warnings for page one; `notes`: further ones
        - `since`: what changed since the last recorded week (see `history.since`)
        - `figures`: `overall` (rows of the score, each with `label`, `where`, `standing` and
          `agreement`), `segments` (blocks of groups of such rows), `primary`
        - `trends`, `votes_trend`: see `history`
        - `moves`: `label`, `measure`, `cutoff`, `wins` and `losses`, each query with its lists
        - `people`: studies (see `people.said`), the deciding one first
        - `agreement`, `calibration`, `drift`: see `judge`
        - `missing`: `what` is not there, and the `command` that adds it
        - `terms`, `settings`, `sources` (every record used, with its command and inputs), `score`

    Raises:
        StoreError: there is no such week, nothing is recorded for it, or no such study.
        SettingsError: what is recorded compares nothing.
    """
    check_week(week)
    scores = evaluations(store, kind="score", name=name)
    score = _of_week(scores, week)
    if score is None:
        raise StoreError(_nothing(store, scores, week, name))
    if not read.is_comparison(score.document):
        raise SettingsError(
            f"{week} {name} holds single runs, and the report compares two; record a score with"
            " --control and --treatment."
        )
    past = [each for each in scores if each.week <= week]
    votes = [
        each
        for each in evaluations(store, kind="study", name=name, latest_only=False)
        if each.week <= week
    ]
    correlation = _latest(store, "correlation", name, week)
    calibrated = _latest(store, "calibration", name, week)
    this_calibration = calibrated if calibrated and calibrated.week == week else None
    checks = [each for each in evaluations(store, kind="judge", name=name) if each.week <= week]

    document = score.document
    systems = people.systems_of(document)
    told, of_people = _studies(store, votes, week, score, studies)
    voted = [
        each
        for each in told
        if each["study"]["kind"] == "sbs" and people.same_change(each["study"], systems)
    ]
    voted.sort(key=lambda each: each["votes"] is None)
    said = [each["votes"] for each in voted if each["votes"] is not None]
    heard = people.deciding(votes, past)
    if studies:
        heard.pop(week, None)
        for record in of_people:
            if said and record.document["study"]["name"] == said[0]["study"]:
                heard[week] = record
    labels = judged.calibration(this_calibration, score)
    decided = verdict(
        overall_rows(score.document),
        said[0] if said else None,
        [] if labels is None else labels["deltas"],
        _primary_segments(score.document),
        said[1:],
    )
    agreement = judged.agreement_with_people(correlation, score)
    elsewhere = judged.other_systems(correlation, votes, score)
    beside = None if elsewhere else correlation
    drift = judged.drift(checks)
    others = people.recorded_studies([each for each in votes if each.week == week], systems)
    recorded = [each.document["study"] for each in others]
    before = past[-2] if len(past) > 1 else None
    read_first, notes = warnings(score, told, labels, agreement, drift, systems, recorded, before)
    notes += [elsewhere] if elsewhere else []
    return {
        "kind": "weekly",
        "week": week,
        "name": name,
        "title": title or f"Week {week}: {systems['treatment']} against {systems['control']}",
        "dates": _dates(week),
        "systems": systems,
        "recorded": {
            "at": moment(score.recorded_at),
            "by": score.recorded_by,
            "earlier": score.earlier,
        },
        "query_set": {"size": None, "fingerprint": None, **(document.get("query_set") or {})},
        "judge": {**dict.fromkeys(_JUDGE), **(document.get("judge") or {})},
        "verdict": asdict(decided),
        "cards": list(_cards(document, voted, labels, calibrated, beside)),
        "read_first": read_first,
        "notes": notes,
        "since": since(past, heard),
        "figures": _figures(document, beside),
        "trends": trends(past),
        "votes_trend": votes_over_weeks(heard),
        "moves": _moved(store, score),
        "people": told,
        "agreement": agreement,
        "calibration": labels,
        "drift": drift,
        "missing": list(missing(store, score, told, labels, calibrated, correlation, checks, name)),
        "terms": [*definitions(document), *terms(told, labels, agreement, drift)],
        "settings": read.setting_items(document, every=True),
        "sources": [
            source(each)
            for each in used(score, of_people, this_calibration, correlation, checks, past, votes)
        ],
        "score": {key: document[key] for key in document if key not in ("command", "lists")},
    }


def _of_week(records: Sequence[Evaluation], week: str) -> Evaluation | None:
    return next((each for each in records if each.week == week), None)


def _latest(store: Store, kind: Any, name: str, week: str) -> Evaluation | None:
    """The latest record of a kind up to a week."""
    found = [each for each in evaluations(store, kind=kind, name=name) if each.week <= week]
    return found[-1] if found else None


def _nothing(store: Store, scores: Sequence[Evaluation], week: str, name: str) -> str:
    named = "" if name == "weekly" else f" --name {name}"
    remedy = (
        "Record one: evalkit score --control C --treatment T --judgments J --queries Q --record"
        f" --week {week}{named}"
    )
    if scores:
        weeks = ", ".join(dict.fromkeys(each.week for each in scores))
        return f"No score is recorded for {week} ({name}); there are: {weeks}. {remedy}"
    others = sorted({each.name for each in evaluations(store, kind="score")})
    there = f"there are the names {', '.join(others)}" if others else "nothing is recorded yet"
    return f"No score is recorded for {week} ({name}); {there}. {remedy}"


def _primary_segments(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Rows of the primary measures in segments, at the declared cutoff."""
    primary = {
        (measure, read.first_cutoff(document, measure))
        for measure in read.primary_measures(document)
    }
    return [
        row
        for row in document["results"]
        if row.get("segment") and (row["measure"], row.get("cutoff")) in primary
    ]


def _studies(
    store: Store,
    records: Sequence[Evaluation],
    week: str,
    score: Evaluation,
    wanted: Sequence[str],
) -> tuple[list[dict[str, Any]], list[Evaluation]]:
    """The studies of the week and the records they come from; the one that decides first."""
    of_week = [each for each in records if each.week == week]
    found = people.recorded_studies(of_week, people.systems_of(score.document))
    if not wanted:
        return [people.said(each.document, week=week) for each in found], found
    by_name = {each.document["study"]["name"]: each for each in found}
    told = []
    for study in dict.fromkeys(wanted):
        record = by_name.get(study)
        document = people.live_study(store, study) if record is None else record.document
        told.append(people.said(document, week=None if record is None else week))
    told.sort(key=lambda each: each["study"]["kind"] != "sbs")
    names = [each["study"]["name"] for each in told]
    return told, [by_name[name] for name in names if name in by_name]


def _figures(document: Mapping[str, Any], correlation: Evaluation | None) -> dict[str, Any]:
    """Rows at the cutoff that each measure gives first; primary measures only in segments."""
    primary = read.primary_measures(document)
    overall: list[dict[str, Any]] = []
    segments: list[dict[str, Any]] = []
    for block in read.blocks(document):
        rows = [
            row
            for group in block.groups
            for row in group
            if row.get("cutoff") == read.first_cutoff(document, row["measure"])
            and (not block.columns or row["measure"] in primary)
        ]
        rows.sort(key=lambda row: _place(row["measure"], primary))
        shown = [_figure(row, correlation) for row in rows]
        if block.columns:
            groups = [
                {"label": label, "rows": [row for row in shown if row["label"] == label]}
                for label in dict.fromkeys(row["label"] for row in shown)
            ]
            segments.append({"title": block.title, "groups": groups})
        else:
            overall = shown
    return {"overall": overall, "segments": segments, "primary": primary}


def _place(measure: str, primary: Sequence[str]) -> int:
    return primary.index(measure) if measure in primary else len(primary)


def _figure(row: Mapping[str, Any], correlation: Evaluation | None) -> dict[str, Any]:
    return {
        **dict.fromkeys(_ROW),
        **row,
        "label": read.measure_label(row),
        "where": read.segment_label(row),
        "standing": read.standing(row),
        "agreement": judged.agreement_of(correlation, row),
    }


def _cards(
    document: Mapping[str, Any],
    studies: Sequence[Mapping[str, Any]],
    labels: Mapping[str, Any] | None,
    calibrated: Evaluation | None,
    correlation: Evaluation | None,
) -> Iterator[dict[str, Any]]:
    """Page one: a card for each primary measure, one for people, one for human labels."""
    for row in overall_rows(document):
        yield {
            "kind": "measure",
            "row": _figure(row, correlation),
            "reasons": reasons(row),
        }
    voted = studies[0] if studies else None
    yield {
        "kind": "people",
        "study": None if voted is None else voted["study"]["name"],
        "votes": None if voted is None else voted["votes"],
        "overall": voted["gsb"]["overall"] if voted and voted["gsb"] else None,
        "alpha": voted["agreement"]["alpha_nominal"] if voted and voted["agreement"] else None,
    }
    primary = {(row["measure"], row.get("cutoff")) for row in overall_rows(document)}
    deltas = [] if labels is None else labels["deltas"]
    yield {
        "kind": "labels",
        "rows": [row for row in deltas if (row["measure"], row.get("cutoff")) in primary],
        "earlier": None if labels is not None or calibrated is None else calibrated.week,
    }


def _moved(store: Store, score: Evaluation) -> dict[str, Any] | None:
    """The biggest wins and losses of the first primary measure, with both lists where recorded."""
    measures = read.primary_measures(score.document)
    if not measures:
        return None
    measure = measures[0]
    cutoff = read.first_cutoff(score.document, measure)
    lists = dict(score.document.get("lists") or {})
    listed = lists.pop("moves", None)
    values = evaluation_values(store, score.id)
    if listed is None and values is None:
        return None
    found = (
        {} if values is None else {move.query_id: move for move in moves(values, measure, cutoff)}
    )
    if listed is None:
        wins, losses = biggest_moves(values, measure, cutoff, count=_MOVES)
        listed = [
            {key: getattr(move, key) for key in ("query_id", "delta", "control", "treatment")}
            for move in (*wins, *losses)
        ]
    shown = [
        {
            **move,
            "segment": dict(found[key].segment) if (key := move["query_id"]) in found else {},
            "lists": lists.get(key),
        }
        for move in listed
    ]
    return {
        "label": read.cutoff_label(measure, cutoff),
        "measure": measure,
        "cutoff": cutoff,
        "wins": [move for move in shown if move["delta"] > SAME],
        "losses": [move for move in shown if move["delta"] < -SAME],
    }


def _dates(week: str) -> str:
    """The days of a week in words.

    Example:
        >>> _dates("2026-W47"), _dates("2026-W53")
        ('16 to 22 November 2026', '28 December 2026 to 3 January 2027')
    """
    year, number = int(week[:4]), int(week[6:])
    first = date.fromisocalendar(year, number, 1)
    last = date.fromisocalendar(year, number, 7)
    end = f"{last.day} {_MONTHS[last.month - 1]} {last.year}"
    if (first.month, first.year) == (last.month, last.year):
        return f"{first.day} to {end}"
    month = f"{first.day} {_MONTHS[first.month - 1]}"
    return f"{month} to {end}" if first.year == last.year else f"{month} {first.year} to {end}"
