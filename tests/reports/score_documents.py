"""Score documents for the tests: the worked figures of metrics.md, and a larger made-up one."""

from __future__ import annotations

import random
from typing import Any

NEGATIVE = {"query_type": "negative"}
KNOWLEDGE = {"query_type": "knowledge"}


def row(measure: str, cutoff: int | None = 3, segment: dict[str, Any] | None = None, **fields: Any):
    base = dict.fromkeys(
        [
            "control",
            "treatment",
            "delta",
            "relative",
            "ci_low",
            "ci_high",
            "p",
            "p_holm",
            "improved",
            "same",
            "worse",
            "mde",
            "judged_control",
            "judged_treatment",
        ]
    )
    return {
        "measure": measure,
        "cutoff": cutoff,
        "segment": segment or {},
        "queries": 4 if not segment else 2,
        **base,
        **fields,
    }


def worked(*, bounds: bool = False) -> dict[str, Any]:
    """Control and treatment of metrics.md at cutoff 3; intervals, p and mde are made up."""
    judged = {"judged_control": 8 / 9, "judged_treatment": 10 / 11}
    item = row(
        "item_goodrate",
        control=4 / 9,
        treatment=6 / 11,
        delta=6 / 11 - 4 / 9,
        relative=(6 / 11) / (4 / 9) - 1,
        ci_low=-0.5231,
        ci_high=0.7251,
        p=0.75,
        p_holm=1.0,
        improved=2,
        same=2,
        worse=0,
        mde=0.5496,
        **judged,
    )
    if bounds:
        item |= {
            "lower_control": 4 / 9,
            "upper_control": 5 / 9,
            "lower_treatment": 6 / 11,
            "upper_treatment": 7 / 11,
            "lower_delta": 6 / 11 - 5 / 9,
            "upper_delta": 7 / 11 - 4 / 9,
        }
    query = row(
        "query_goodrate",
        control=0.5,
        treatment=0.75,
        delta=0.25,
        relative=0.5,
        ci_low=-0.3134,
        ci_high=0.6989,
        p=1.0,
        p_holm=1.0,
        improved=1,
        same=3,
        worse=0,
        mde=0.7,
        **judged,
    )
    gsb = row(
        "gsb",
        delta=0.5,
        ci_low=-0.4187,
        ci_high=1.0,
        p=0.5,
        improved=2,
        same=2,
        worse=0,
        mde=0.81,
        good=2,
        bad=0,
        win_rate=1.0,
        good_or_same_ratio=2.0,
        **judged,
    )
    ndcg = row("ndcg", note="no numeric grades: nDCG needs --gains", **judged)
    negative = row(
        "item_goodrate",
        segment=NEGATIVE,
        control=1 / 6,
        treatment=3 / 5,
        delta=3 / 5 - 1 / 6,
        relative=2.6,
        ci_low=-0.9,
        ci_high=1.7667,
        p=0.5,
        p_holm=1.0,
        improved=2,
        same=0,
        worse=0,
        mde=0.88,
        judged_control=5 / 6,
        judged_treatment=4 / 5,
    )
    knowledge = row(
        "item_goodrate",
        segment=KNOWLEDGE,
        control=1.0,
        treatment=0.5,
        delta=-0.5,
        relative=-0.5,
        ci_low=-1.0,
        ci_high=0.5,
        p=1.0,
        p_holm=1.0,
        improved=0,
        same=2,
        worse=0,
        mde=None,
        judged_control=1.0,
        judged_treatment=1.0,
    )
    return {
        "settings": {
            "good": 1,
            "good_labels": None,
            "min_good": 1,
            "order": None,
            "ties": "id",
            "unjudged": "bounds" if bounds else "bad",
            "average": "pooled",
            "depth": "shown",
            "margin": 0,
            "primary": ["item_goodrate", "query_goodrate"],
            "ci": "default",
            "seed": 0,
            "cutoffs": [3],
            "weighted": False,
            "memory_limit": "600MB",
        },
        "query_set": {
            "source": "queries.csv",
            "size": 4,
            "judged": 4,
            "in_control": 3,
            "in_treatment": 4,
            "in_both": 3,
        },
        "warnings": ["items shown differ by 22%: control 9, treatment 11"],
        "runs": [
            {
                "system": "control",
                "order": "rank",
                "items_shown": {"3": 9},
                "queries_without_results": 1,
                "item_goodrate_fixed_depth": {"3": 4 / 12},
                "tied_share": {"3": 0.0},
                "queries_outside": 0,
            },
            {
                "system": "treatment",
                "order": "rank",
                "items_shown": {"3": 11},
                "queries_without_results": 0,
                "item_goodrate_fixed_depth": {"3": 6 / 12},
                "tied_share": {"3": 0.0},
                "queries_outside": 0,
            },
        ],
        "inputs": [
            {"path": "control.csv", "fingerprint": "sha256:" + "0a" * 32, "rows": 9},
            {"path": "treatment.csv", "fingerprint": "sha256:" + "1b" * 32, "rows": 11},
            {"path": "judgments.csv", "fingerprint": "sha256:" + "2c" * 32, "rows": 18},
        ],
        "results": [item, query, gsb, ndcg, negative, knowledge],
    }


def single(systems: tuple[str, ...] = ("lexical", "dense")) -> dict[str, Any]:
    """Two runs on their own, with the control's and treatment's values of metrics.md."""
    values = {"item_goodrate": (4 / 9, 6 / 11), "query_goodrate": (0.5, 0.75)}
    results = [
        {
            "system": system,
            "measure": measure,
            "cutoff": 3,
            "segment": segment,
            "queries": 2 if segment else 4,
            "value": values[measure][index % 2],
            "ci_low": values[measure][index % 2] - 0.2,
            "ci_high": values[measure][index % 2] + 0.2,
            "judged": (8 / 9, 10 / 11)[index % 2],
        }
        for segment in ({}, NEGATIVE, KNOWLEDGE)
        for measure in values
        for index, system in enumerate(systems)
    ]
    document = worked()
    return {
        **document,
        "query_set": {"source": "judgments", "size": 4, "judged": 4},
        "results": results,
    }


MEASURES = ("item_goodrate", "query_goodrate", "gsb", "ndcg", "mrr")
TYPES = ("knowledge", "negative constraint", "affordable alternative", "general")


def large(queries: int = 160, seed: int = 7) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """A made-up comparison of realistic size: the document and its per-query columns."""
    draw = random.Random(seed)
    columns: dict[str, list[Any]] = {
        name: []
        for name in [
            "query_id",
            "query_type",
            "language",
            "measure",
            "cutoff",
            "control",
            "treatment",
            "delta",
            "judged_control",
            "judged_treatment",
        ]
    }
    shift = dict(zip(TYPES, (0.16, 0.22, 0.03, -0.09), strict=True))
    for number in range(queries):
        kind = TYPES[number % 4]
        for measure in MEASURES:
            for cutoff in (None,) if measure == "mrr" else (5, 10):
                depth = cutoff or 10
                control = round(min(1, max(0, draw.gauss(0.45, 0.25))) * depth) / depth
                moved = draw.random() < 0.6
                treatment = control + (draw.gauss(shift[kind], 0.2) if moved else 0)
                treatment = round(min(1, max(0, treatment)) * depth) / depth
                if measure == "query_goodrate":
                    control, treatment = float(control > 0.3), float(treatment > 0.3)
                delta = treatment - control
                if measure == "gsb":
                    delta = float((delta > 0) - (delta < 0))
                values = (
                    f"q{number:03}",
                    kind,
                    ("de", "en")[number % 2],
                    measure,
                    cutoff,
                    None if measure == "gsb" else control,
                    None if measure == "gsb" else treatment,
                    delta,
                    0.97,
                    0.91,
                )
                for name, value in zip(columns, values, strict=True):
                    columns[name].append(value)
    return {**_summary(columns, queries)}, columns


def _summary(columns: dict[str, list[Any]], queries: int) -> dict[str, Any]:
    results = []
    records = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    segments: list[dict[str, Any]] = [{}]
    segments += [{"query_type": kind} for kind in TYPES] + [{"language": "de"}, {"language": "en"}]
    for segment in segments:
        for measure in MEASURES:
            for cutoff in (None,) if measure == "mrr" else (5, 10):
                rows = [
                    r
                    for r in records
                    if r["measure"] == measure
                    and r["cutoff"] == cutoff
                    and all(r[key] == value for key, value in segment.items())
                ]
                results.append(_aggregate(rows, measure, cutoff, segment))
    document = worked()
    document["settings"] |= {"cutoffs": [5, 10], "by": ["query_type", "language"]}
    document["query_set"] = {
        "source": "queries.csv",
        "size": queries,
        "judged": queries - 2,
        "in_control": queries,
        "in_treatment": queries,
        "in_both": queries,
    }
    document["warnings"] = [
        "judged@10 differs by 6.0 points (control 97.0%, treatment 91.0%): the comparison leans"
        " toward the better-judged run",
        "3 queries of the treatment are outside the query set: q901, q902, q903",
    ]
    for run in document["runs"]:
        run |= {"items_shown": {"5": 798, "10": 1580}, "tied_share": {"5": 0.0, "10": 0.021}}
        run["item_goodrate_fixed_depth"] = {"5": 0.47, "10": 0.46}
    document["results"] = results
    return document


def _aggregate(rows, measure, cutoff, segment):
    n = len(rows)
    deltas = [r["delta"] for r in rows]
    delta = sum(deltas) / n
    spread = (sum((d - delta) ** 2 for d in deltas) / (n - 1)) ** 0.5 / n**0.5
    declared = measure in ("item_goodrate", "query_goodrate") and cutoff == 5
    p = min(1.0, 2.0 * 2.718281828 ** (-((delta / spread) ** 2) / 1.6)) if spread else 1.0
    control = None if measure == "gsb" else sum(r["control"] for r in rows) / n
    treatment = None if measure == "gsb" else sum(r["treatment"] for r in rows) / n
    better, worse = sum(d > 0 for d in deltas), sum(d < 0 for d in deltas)
    result = row(
        measure,
        cutoff,
        segment,
        control=control,
        treatment=treatment,
        delta=delta,
        relative=None if not control else treatment / control - 1,
        ci_low=delta - 1.98 * spread,
        ci_high=delta + 1.98 * spread,
        p=p,
        p_holm=min(1.0, 6 * p) if declared else None,
        improved=better,
        same=n - better - worse,
        worse=worse,
        mde=2.8 * spread,
        judged_control=0.97,
        judged_treatment=0.91,
    )
    result["queries"] = n
    if measure == "gsb":
        result |= {"good": better, "bad": worse, "win_rate": better / max(1, better + worse)}
    return result


def result_lists(columns: dict[str, list[Any]], seed: int = 3) -> dict[str, dict[str, Any]]:
    """Made-up result lists of ten for every query of `large`."""
    draw = random.Random(seed)
    kinds = ("kettle", "rain jacket", "garden hose", "desk lamp", "trail shoe", "hair dryer")
    brands = ("Brivo", "Halden", "Nuvia", "Korvo", "Tessel")
    found = {}
    for number, query_id in enumerate(dict.fromkeys(columns["query_id"])):
        kind = kinds[number % len(kinds)]
        pool = [
            {
                "product_id": f"P{number:03}{place:02}",
                "title": f"{draw.choice(brands)} {kind} with a rather long descriptive name"
                f" in colour {place}",
                "brand": draw.choice(brands),
                "price": round(draw.uniform(9, 120), 2),
                "grade": (grade := draw.choice([0, 0, 1, 2, 3, None])),
                "good": None if grade is None else grade >= 1,
                "score": 1.0,
            }
            for place in range(16)
        ]
        found[query_id] = {
            "query": f"{kind} without plastic under {10 + number} euros",
            **{
                side: [{**item, "rank": rank} for rank, item in enumerate(draw.sample(pool, 10), 1)]
                for side in ("control", "treatment")
            },
        }
    return found
