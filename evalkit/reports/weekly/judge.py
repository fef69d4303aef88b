"""What stands behind the automated judge of a week: agreement with people, correction, drift.

Reads recorded correlations, calibrations and checks of a judge; computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.reports.calibration.findings import findings as labels_said
from evalkit.reports.calibration.findings import plan_line
from evalkit.reports.correlation.findings import findings
from evalkit.reports.weekly.evidence import side_of

if TYPE_CHECKING:
    from evalkit.store import Evaluation

__all__ = ["agreement_of", "agreement_with_people", "calibration", "drift"]

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
    judges = {_judge_name(record.document), _judge_name(score.document)} - {None}
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


def _judge_name(document: Mapping[str, Any]) -> str | None:
    """Name and source of the judge, where the document tells them."""
    judge = document.get("judge") or (document.get("automated") or {}).get("judge") or {}
    if not isinstance(judge, Mapping):
        return str(judge)
    parts = [str(judge[key]) for key in ("name", "source") if judge.get(key)]
    return " ".join(parts) or None


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


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row.get(key) for key in _AGREEMENT}


def calibration(record: Evaluation | None, score: Evaluation) -> dict[str, Any] | None:
    """The human-corrected figures of the week.

    Args:
        record: the recorded calibration of the week.
        score: the score of the week; a calibration of another query set, or made from none of its
            files, is warned of.

    Returns:
        `week`, `labelled`, `findings` (sentences), `rows` (over all queries: control, treatment
        and Δ of every measure, and whether it `decides` anything), `deltas` (those of Δ), `plan` (a
        sentence), `warnings`; None without a record.
    """
    if record is None:
        return None
    document = record.document
    rows = [
        {**row, "decides": side_of(row) != "none"}
        for row in document["results"]
        if not row.get("segment")
    ]
    warnings = list(document.get("warnings") or ())
    if record.query_set and score.query_set and record.query_set != score.query_set:
        warnings.append("The calibration is of another query set than the score of this week.")
    elif not _shared_inputs(document, score.document):
        warnings.append("The calibration was made from other files than the score of this week.")
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


def _shared_inputs(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a file is in both, or one of them does not tell its files."""
    found = [
        {item.get("fingerprint") for item in document.get("inputs") or ()} - {None}
        for document in (one, other)
    ]
    return not all(found) or bool(found[0] & found[1])


def drift(records: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """How each judge has graded the same gold pairs, week by week.

    Args:
        records: recorded checks up to the week, in order.

    Returns:
        Per judge `judge`, `gold`, `points` (a week each; a later record of a week counts),
        `chart` and `warnings` of its latest record, `alarms` (weeks with a signal).
    """
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        document = record.document
        name = str(document.get("judge") or record.judge or "the judge")
        before = found.get(name)
        points = {} if before is None else before["points"]
        points.update({point["week"]: dict(point) for point in document["results"]})
        found[name] = {
            "judge": name,
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
