"""What stands behind the automated judge of a week: agreement with people, correction, drift.

Reads recorded correlations, calibrations and checks of a judge; computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evalkit.reports.calibration.findings import findings as labels_said
from evalkit.reports.calibration.findings import plan_line
from evalkit.reports.correlation.findings import findings
from evalkit.reports.trends import changes
from evalkit.reports.weekly.evidence import side_of

if TYPE_CHECKING:
    from evalkit.store import Evaluation

__all__ = ["agreement_of", "agreement_with_people", "calibration", "drift", "judge_of",
           "other_systems"]  # fmt: skip

_DISAGREEMENTS = 5
_AGREEMENT = ("queries", "kendall", "kendall_low", "kendall_high", "sign_agreement", "sign_low",
              "sign_high", "sign_queries", "kappa", "kappa_low", "kappa_high", "auc", "auc_low",
              "auc_high", "note")  # fmt: skip


def agreement_with_people(record: Evaluation | None, score: Evaluation) -> dict[str, Any] | None:
    """How well measures predicted people's votes when that was last looked at.

    Args:
        record: the latest recorded correlation up to the week.
        score: the score of the week.

    Returns:
        `week`, `human` (what the votes were), `findings` (sentences), `rows` (a measure each, over
        all queries, the best predictor first where there is a ranking), `disagreements` (at most
        five queries), `same_judge`, `warnings`; None without a record.
    """
    if record is None:
        return None
    document = record.document
    order = {
        (row["measure"], row.get("cutoff")): place
        for place, row in enumerate(document.get("ranking") or ())
    }
    rows = [
        {"measure": row["measure"], "cutoff": row.get("cutoff"), **_kept(row)}
        for row in document["results"]
        if not row.get("segment")
    ]
    rows.sort(key=lambda row: order.get((row["measure"], row["cutoff"]), len(order)))
    judges = {judge_of(record), judge_of(score)} - {None}
    return {
        "week": record.week,
        "human": dict(document.get("human") or {}),
        "rows": rows,
        "disagreements": [
            {
                key: row.get(key)
                for key in (
                    "measure",
                    "cutoff",
                    "query_id",
                    "query",
                    "human",
                    "delta",
                    "good",
                    "same",
                    "bad",
                )
            }
            for row in list(document.get("disagreements") or ())[:_DISAGREEMENTS]
        ],
        "findings": findings(document) if document["results"] else [],
        "same_judge": len(judges) < 2,
        "warnings": list(document.get("warnings") or ()),
    }


def judge_of(record: Evaluation) -> str | None:
    """Who judged; a correlation has it beside its document only."""
    judge = record.document.get("judge")
    return record.judge or (judge.get("name") if isinstance(judge, Mapping) else None)


def agreement_of(record: Evaluation | None, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """How well the figure of one row predicted people, or None where nobody looked.

    Args:
        record: the latest recorded correlation.
        row: a result row of a score document; measure, cutoff and segment must be the same.
    """
    if record is None:
        return None
    wanted = (row["measure"], row.get("cutoff"), dict(row.get("segment") or {}))
    for found in record.document["results"]:
        if (found["measure"], found.get("cutoff"), dict(found.get("segment") or {})) == wanted:
            if found.get("kendall") is None and found.get("sign_agreement") is None:
                return None
            return {"week": record.week, **_kept(found)}
    return None


def other_systems(
    record: Evaluation | None, votes: Sequence[Evaluation], score: Evaluation
) -> str | None:
    """Say it where a correlation is of other systems than the score, as far as that is known.

    Args:
        record: the latest recorded correlation.
        votes: the recorded studies; the correlation's own of the same week says its systems.
        score: the score of the week.
    """
    systems = score.document.get("systems") or {}
    if record is None or not systems.get("control") or not systems.get("treatment"):
        return None
    source = (record.document.get("human") or {}).get("source")
    studies = [
        each.document["study"]
        for each in votes
        if each.week == record.week and each.document["study"]["name"] == source
    ]
    compared = [(study.get("control"), study.get("treatment")) for study in studies]
    scored = (systems["control"], systems["treatment"])
    # exchanged systems are the same ones: their signs agree as often
    if not compared or any(None in pair or {*pair} == {*scored} for pair in compared):
        return None
    theirs, ours = " → ".join(compared[-1]), " → ".join(scored)
    return (
        f"Agreement with people was measured in {record.week} on {theirs} (study {source}), the"
        f" score is of {ours}: beside its figures stands that this is not checked."
    )


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row.get(key) for key in _AGREEMENT}


def calibration(record: Evaluation | None, score: Evaluation) -> dict[str, Any] | None:
    """The human-corrected figures of the week.

    Args:
        record: the recorded calibration of the week.
        score: the score of the week. A calibration of anything else decides nothing, nor does one
            that speaks of the query set alone: it says nothing of the queries to come.

    Returns:
        `week`, `labelled`, `findings` (sentences), `rows` (over all queries: control, treatment
        and Δ of every measure, whether it `decides` anything, in `note` why not, and whether it is
        known `here`, for these queries only), `deltas` (those of Δ), `plan` (a sentence),
        `warnings`; None without a record.
    """
    if record is None:
        return None
    document = record.document
    other = _other_than(record, score)
    unheard = list(other)
    target = document["settings"].get("target")
    if target != "population":
        unheard.append("it speaks of these queries only; --target population speaks of the change")
    rows = []
    for row in document["results"]:
        if not row.get("segment"):
            note = "; ".join([*([row["note"]] if row.get("note") else []), *unheard])
            noted = {**row, "note": note}
            here = target != "population" and not other and side_of(row) != "none"
            rows.append(noted | {"decides": side_of(noted) != "none", "here": here})
    warnings = list(document.get("warnings") or ())
    if other:
        warnings.insert(0, f"The human labels decide nothing: {'; '.join(other)}.")
    return {
        "week": record.week,
        "labelled": document.get("labelled"),
        "rows": rows,
        "deltas": [row for row in rows if row["of"] == "delta"],
        "findings": _paragraphs(labels_said(document)),
        "plan": plan_line(document),
        "warnings": warnings,
    }


def _paragraphs(sentences: Sequence[str]) -> list[str]:
    """Sentences with those that are indented below them, since they belong to one figure.

    Example:
        >>> _paragraphs(["one.", "  more.", "two."])
        ['one. more.', 'two.']
    """
    found: list[str] = []
    for sentence in sentences:
        if sentence.startswith(" ") and found:
            found[-1] += f" {sentence.strip()}"
        else:
            found.append(sentence)
    return found


def _other_than(record: Evaluation, score: Evaluation) -> list[str]:
    """Why a calibration is not of the score's comparison; empty where it is."""
    ours, theirs = score.document, record.document
    found = []
    one, other = (document.get("systems") or {} for document in (ours, theirs))
    if not other:
        found.append("the calibration does not say of which systems it is")
    elif one != other:
        found.append(f"the calibration is of {_arrow(other)}, the score of {_arrow(one)}")
    elif not _runs(ours) or _runs(ours) != _runs(theirs):
        found.append("the calibration is of other run files than the score")
    told = changes(
        replace(score, document=_compared(ours, theirs)),
        replace(record, kind="score", document=_compared(theirs, ours)),
    )
    found += [f"from the score to the calibration {reason}" for reason in told]
    judgments = [(document.get("judge") or {}).get("judgments") for document in (ours, theirs)]
    if judgments[0] is None or judgments[0] != judgments[1]:
        found.append("the calibration is of other judgments than the score")
    return found


def _compared(document: Mapping[str, Any], beside: Mapping[str, Any]) -> dict[str, Any]:
    """What of a document `trends.changes` compares, with the settings that both have."""
    settings, others = document["settings"], beside["settings"]
    return {
        "query_set": document.get("query_set"),
        "judge": document.get("judge"),
        "settings": {name: settings[name] for name in settings if name in others},
        "results": [],
    }


def _runs(document: Mapping[str, Any]) -> list[str | None]:
    """Fingerprints of control and treatment, the first two files of a comparison."""
    return [item.get("fingerprint") for item in list(document.get("inputs") or ())[:2]]


def _arrow(systems: Mapping[str, str]) -> str:
    return " → ".join(str(name) for name in systems.values())


def drift(records: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """How each judge has graded the same gold pairs, week by week.

    Args:
        records: recorded checks up to the week, in order.

    Returns:
        Per judge `judge`, `named` (None where nobody named it), `gold`, `points` (a week each; a
        later record of a week counts), `chart` and `warnings` of its latest record, `alarms`
        (weeks with a signal).
    """
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        document = record.document
        named = document.get("judge") or record.judge
        name = str(named or "the judge")
        before = found.get(name)
        points = {} if before is None else before["points"]
        points.update({point["week"]: dict(point) for point in document["results"]})
        found[name] = {
            "judge": name,
            "named": named,
            "gold": dict(document.get("gold") or {}),
            "points": points,
            "chart": document.get("chart"),
            "warnings": list(document.get("warnings") or ()),
        }
    judges = []
    for judge in found.values():
        points = [judge["points"][week] for week in sorted(judge["points"])]
        alarms = [point["week"] for point in points if point.get("signal")]
        judges.append(judge | {"points": points, "alarms": alarms})
    return judges
