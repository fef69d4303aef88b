"""Recorded weeks for the tests of the weekly report: scores, studies, labels, checks of a judge.

Votes are drawn and summed up by `metrics`; the rest is made up, in the shapes that the commands
record.
"""

from __future__ import annotations

import random
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from score_documents import large, result_lists

from evalkit.reports.query_moves import biggest_moves
from evalkit.store import Evaluation, Store, document_fingerprint, record_evaluation
from metrics import agreement, gsb_from_votes, sequential_gsb, votes_to_decide

if TYPE_CHECKING:
    from collections.abc import Sequence

MONDAY = 1_794_816_000_000  # 2026-11-16 08:00 UTC, the Monday of 2026-W47
DAY = 86_400_000
WEEK = 7 * DAY
QUERY_SET = "sha256:" + "4d" * 32
TYPES = ("knowledge", "negative constraint", "affordable alternative", "general")


def score(seed: int = 7, **more: Any) -> tuple[dict[str, Any], pa.Table]:
    """A score document as it is recorded, with lists, and its per-query table."""
    document, values = _score(seed)
    return deepcopy(document) | more, values


@cache
def _score(seed: int) -> tuple[dict[str, Any], pa.Table]:
    document, columns = large(seed=seed)
    document["settings"] |= {"primary": ["item_goodrate", "query_goodrate"], "cutoffs": [10, 5]}
    for row in document["results"]:
        declared = row["measure"] in document["settings"]["primary"] and row["cutoff"] == 10
        row["p_holm"] = min(1.0, 10 * row["p"]) if declared else None
    document["results"].sort(key=lambda row: row["cutoff"] == 5)
    values = pa.table(columns)
    wins, losses = biggest_moves(values, "item_goodrate", 10)
    moved = [*wins, *losses]
    lists = result_lists(columns)
    document |= {
        "kind": "score",
        "judge": {
            "name": "classifier v1",
            "source": "classifier",
            "aggregate": None,
            "judgments": "sha256:" + "2c" * 32,
        },
        "systems": {"control": "lexical", "treatment": "dense"},
        "command": "evalkit score --control lexical.parquet --treatment dense.parquet --judgments"
        " judgments.csv --queries queries.csv --by query_type --record --week 2026-W47",
        "lists": {
            **{move.query_id: lists[move.query_id] for move in moved},
            "moves": [
                {
                    "query_id": move.query_id,
                    "delta": move.delta,
                    "control": move.control,
                    "treatment": move.treatment,
                }
                for move in moved
            ],
        },
    }
    document["query_set"]["fingerprint"] = QUERY_SET
    return document, values


def votes(
    queries: int = 120, overlap: int = 3, lean: float = 0.3, seed: int = 5, automatic: int = 10
) -> pa.Table:
    """Drawn votes of six people on the first queries of a study, in serving order."""
    draw = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(queries):
        kind = TYPES[number % 4]
        common = {
            "query_id": f"q{number:03}",
            "query_type": kind,
            "position": number,
            "counts": True,
            "set_aside": False,
        }
        if number < automatic:
            rows.append(
                {**common, "annotator": "", "preference": 0, "kind": "automatic",
                 "treatment_side": None, "seconds": None}
            )  # fmt: skip
            continue
        true = draw.gauss(lean if kind != "general" else -lean / 2, 0.6)
        for person in draw.sample(range(6), overlap):
            seen = true + draw.gauss(0, 0.5)
            rows.append(
                {
                    **common,
                    "annotator": f"Person {'ABCDEF'[person]}",
                    "preference": 0 if abs(seen) < 0.25 else (1 if seen > 0 else -1),
                    "kind": "real",
                    "treatment_side": "left" if (number + person) % 2 else "right",
                    "seconds": round(draw.uniform(6, 30), 1),
                }
            )
    return pa.Table.from_pylist(rows)


def study(
    name: str = "pages",
    *,
    complete: int | None = None,
    policy: str = "random",
    lean: float = 0.3,
    seed: int = 5,
    **more: Any,
) -> dict[str, Any]:
    """A study record; with `complete`, only so many of its queries have all their votes."""
    made = deepcopy(_study(complete, policy, lean, seed))
    made["study"]["name"] = name
    return made | {"command": f"evalkit study record {name} --week 2026-W47"} | more


@cache
def _study(complete: int | None, policy: str, lean: float, seed: int) -> dict[str, Any]:
    total, overlap = 120, 3
    automatic = min(10, total)
    served = total if complete is None else complete + automatic
    given = votes(served, overlap, lean, seed, automatic)
    scored = gsb_from_votes(given, by=["query_type"]).to_dict()
    overall, *segments = scored["results"]
    agreed = agreement(given, draws=50).to_dict()
    annotators = agreed.pop("annotators")
    for row in annotators:
        row |= {"gold_answered": 10, "gold_accuracy": 0.9, "set_aside_reason": None}
    annotators[-1] |= {"gold_accuracy": 0.5, "set_aside": 12, "set_aside_reason": "gold below 60%"}
    tasks, done = total - automatic, (served - automatic) * overlap
    sequence: dict[str, Any] = {"available": False, "reason": "the serving order depends on votes"}
    stopping: dict[str, Any] = {"available": False}
    if policy == "random":
        sequence = {"available": True, **sequential_gsb(given, overlap=overlap).to_dict()}
        left = votes_to_decide(given, width=0.2, overlap=overlap)
        stopping = {
            "available": True,
            "stop_width": 20.0,
            "stop_when_decided": True,
            "may_stop": False,
            "reasons": [],
            "queries_to_come": tasks - (served - automatic),
            **left.to_dict(),
        }
    return {
        "kind": "study",
        "study": {
            "id": 1, "name": "", "kind": "sbs", "state": "open", "scale": 3, "levels": [],
            "depth": 10, "overlap": overlap, "policy": policy, "identical": "skip", "seed": 7,
            "control": "lexical", "treatment": "dense", "segments": ["query_type"],
            "created_at": MONDAY, "created_by": None,
        },
        "progress": {
            "tasks": tasks, "slots": tasks * overlap, "done": done, "leased": 0,
            "free": tasks * overlap - done, "complete": served - automatic, "automatic": automatic,
            "gold": 10, "twins": 0, "practice": 3, "votes": done, "surplus": 0, "set_aside": 0,
            "annotators": 6, "active": 0, "votes_per_hour": None, "skips": 4, "flags": 2,
            "left_share": 0.5, "first_vote_at": MONDAY, "last_vote_at": MONDAY + DAY,
            "share": done / (tasks * overlap), "hours_left": None,
        },
        "gsb": {"overall": overall, "segments": segments, "settings": scored["settings"]},
        "position_bias": {key: overall[key] for key in overall if "left" in key or "side" in key},
        "sequential": sequence,
        "stopping": stopping,
        "agreement": agreed,
        "annotators": annotators,
        "quality": {
            "left_out": {"gold": 60, "set_aside": 12},
            "set_aside": [
                {"name": "Person F", "reason": "gold below 60%", "at": MONDAY, "by": None}
            ],
            "skips": 4,
            "flags": 2,
            "reasons": {"relevance": 51, "price": 17},
        },
        "grades": None,
        "warnings": ["12 votes are set aside and enter no figure."],
    }  # fmt: skip


def correlation(**more: Any) -> dict[str, Any]:
    """A correlation record of the Goodrates and nDCG, overall and for one type of query."""

    def row(measure: str, kendall: float, sign: float, **segment: str) -> dict[str, Any]:
        return {
            "measure": measure, "cutoff": 10, "segment": segment, "queries": 110,
            "kendall": kendall, "kendall_low": kendall - 0.1, "kendall_high": kendall + 0.1,
            "spearman": kendall + 0.1, "spearman_low": kendall, "spearman_high": kendall + 0.2,
            "pearson": kendall + 0.1, "pearson_low": kendall, "pearson_high": kendall + 0.2,
            "sign_agreement": sign, "sign_low": sign - 0.1, "sign_high": sign + 0.1,
            "sign_queries": 80, "agreement": 0.6, "kappa": 0.31, "kappa_low": 0.2,
            "kappa_high": 0.42, "confusion": [[20, 5, 4], [9, 12, 10], [5, 8, 37]], "auc": 0.78,
            "auc_low": 0.68, "auc_high": 0.87, "good": 50, "same": 31, "bad": 29, "margin": 0.1,
            "margin_agreement": 0.62, "margin_agreement_at_zero": 0.6, "note": "",
        }  # fmt: skip

    return {
        "kind": "correlation",
        "settings": {"seed": 0, "draws": 1000, "confidence": 0.95, "by": ["query_type"]},
        "human": {
            "source": "pages", "votes": 330, "queries": 110, "annotators": 6, "automatic": 10,
            "scale": 3, "fingerprint": "sha256:" + "5e" * 32,
        },
        "automated": {"source": "2026-W46 weekly", "fingerprint": "sha256:" + "6f" * 32},
        "warnings": [],
        "results": [
            row("item_goodrate", 0.42, 0.78),
            row("query_goodrate", 0.21, 0.7),
            row("ndcg", 0.47, 0.8),
            row("item_goodrate", 0.35, 0.75, query_type="knowledge"),
        ],
        "ranking": [
            {"measure": name, "cutoff": 10, "kendall": tau, "behind": 0.47 - tau,
             "behind_low": None, "behind_high": None}
            for name, tau in (("ndcg", 0.47), ("item_goodrate", 0.42), ("query_goodrate", 0.21))
        ],
        "disagreements": [
            {
                "measure": "item_goodrate", "cutoff": 10, "query_id": "q007",
                "query": "rain jacket without membrane", "segment": {}, "human": -1.0,
                "delta": 0.4, "good": 0, "same": 0, "bad": 3, "control": [], "treatment": [],
            }
        ],
        "systems": None,
        "inputs": [],
        "command": "evalkit correlate --study pages --record --week 2026-W46",
        **more,
    }  # fmt: skip


def calibration(
    item: tuple[float, float, float] = (0.061, 0.018, 0.104),
    query: tuple[float, float, float] = (0.05, -0.02, 0.12),
    **more: Any,
) -> dict[str, Any]:
    """A calibration record: estimate and interval of Δ of both Goodrates."""

    def row(measure: str, of: str, estimate: float, low: float, high: float) -> dict[str, Any]:
        return {
            "measure": measure, "cutoff": 10, "segment": {}, "of": of, "queries": 160,
            "labelled": 40, "automated": estimate + 0.01, "human": estimate - 0.01,
            "human_low": low - 0.05, "human_high": high + 0.05, "estimate": estimate,
            "ci_low": low, "ci_high": high, "lambda": 0.8, "narrower": 0.3,
            "effective_labels": 82.0, "labels_saved": 42.0, "note": "",
        }  # fmt: skip

    return {
        "kind": "calibration",
        "settings": {"cutoffs": [10], "good": 1, "target": "population", "confidence": 0.95},
        "query_set": {"size": 160, "fingerprint": QUERY_SET},
        "judge": deepcopy(_score(7)[0]["judge"]),
        "systems": {"control": "lexical", "treatment": "dense"},
        "labelled": 40,
        "warnings": [],
        "results": [
            row("item_goodrate", "control", 0.43, 0.39, 0.47),
            row("item_goodrate", "treatment", 0.49, 0.45, 0.53),
            row("item_goodrate", "delta", *item),
            row("query_goodrate", "delta", *query),
        ],
        "plan": {
            "measure": "item_goodrate", "cutoff": 10, "of": "delta", "target_width": 0.06,
            "width_now": 0.086, "labelled": 40, "needed": 74, "more": 34, "note": "",
        },
        "inputs": deepcopy(_score(7)[0]["inputs"]),
        "command": "evalkit calibrate --human human.csv --record --week 2026-W47",
        **more,
    }  # fmt: skip


def check(
    weeks: Sequence[str], values: Sequence[float], signals: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """A judge's agreement with the gold set, week by week."""
    return {
        "kind": "judge",
        "judge": "classifier v1",
        "gold": {"pairs": 300, "fingerprint": "sha256:" + "7a" * 32, "path": "gold.csv"},
        "results": [
            {
                "week": week, "pairs": 300, "agreement": value, "agreement_low": value - 0.04,
                "agreement_high": value + 0.04, "kappa": 0.7, "good_gold": 0.4,
                "good_judge": 0.42, "bias": 0.02, "changed": 3, "better": 1, "worse": 2,
                "p_agreement": 0.5, "p_bias": 0.5,
                "signal": "agreement below the limit" if week in signals else None, "note": "",
            }
            for week, value in zip(weeks, values, strict=True)
        ],
        "chart": {"centre": 0.88, "low": 0.83, "high": 0.93, "baseline": list(weeks[:3])},
        "warnings": [],
        "command": "evalkit drift --gold gold.csv --record --week 2026-W47",
        **more,
    }  # fmt: skip


def keep(
    store: Store,
    kind: str,
    week: str,
    document: dict[str, Any],
    *,
    name: str = "weekly",
    values: pa.Table | None = None,
    query_set: str | None = QUERY_SET,
    judge: str | None = "classifier v1",
    at: int = MONDAY,
) -> Evaluation:
    """Record a document under its own fingerprint."""
    judges = {"study": "people", "judge": None}
    return record_evaluation(
        store,
        kind=kind,  # type: ignore[arg-type]
        week=week,
        name=name,
        document=document,
        fingerprint=document_fingerprint(document),
        query_set=query_set,
        judge=judges.get(kind, judge),
        values=values,
        now=at,
    )


def full_history(store: Store) -> None:
    """Eight weeks with all there can be: a missing week, and a query set that changes."""
    weeks = ("2026-W39", "2026-W40", "2026-W41", "2026-W43", "2026-W44", "2026-W45", "2026-W46",
             "2026-W47")  # fmt: skip
    for number, week in enumerate(weeks):
        document, values = score(seed=number + 1)
        query_set = QUERY_SET if number > 3 else "sha256:" + "0e" * 32
        document["query_set"] |= {"fingerprint": query_set, "size": 160 if number > 3 else 120}
        at = MONDAY + (number - 7) * WEEK
        keep(store, "score", week, document, values=values, query_set=query_set, at=at)
        if number in (2, 4, 5, 7):
            said = study(f"pages {week}", lean=0.1 * number, seed=number)
            of_study = "sha256:" + ("9c" if number > 3 else "9b") * 32
            keep(store, "study", week, said, query_set=of_study, at=at + DAY)
    keep(store, "correlation", "2026-W46", correlation(), at=MONDAY - WEEK)
    keep(store, "calibration", "2026-W47", calibration(), at=MONDAY + DAY)
    agreement_by_week = (0.88, 0.89, 0.87, 0.88, 0.9, 0.88, 0.86, 0.81)
    keep(store, "judge", "2026-W47", check(weeks, agreement_by_week, ["2026-W47"]))
