"""What the figures mean, in the words that the page prints as footnotes.

Each sentence says the same as the project's page of definitions; only those that the document
needs are chosen, and where a setting changes a meaning, the sentence says which one was used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.reports.score_document import bounds, is_comparison, measure_name

if TYPE_CHECKING:
    from evalkit.reports.score_document import Document

__all__ = ["definitions"]


def definitions(document: Document) -> list[tuple[str, str]]:
    """Terms with their meanings, in the order of reading.

    Example:
        >>> rows = [{"measure": "mrr", "cutoff": None, "system": "a"}]
        >>> [term for term, _ in definitions({"results": rows})]
        ['Query set', 'Good', 'MRR', 'Interval', 'Judged']
    """
    settings = document.get("settings") or {}
    rows = list(document.get("results", ()))
    measures = dict.fromkeys(row["measure"] for row in rows)
    compared = is_comparison(document)
    found = [("Query set", _QUERY_SET), ("Good", _good(settings))]
    for measure in measures:
        if measure == "item_goodrate":
            found.append((measure_name(measure), _item_goodrate(settings)))
        elif measure == "query_goodrate":
            found.append((measure_name(measure), _query_goodrate(settings)))
        elif measure in _MEASURES:
            found.append((measure_name(measure), _MEASURES[measure]))
    if compared:
        found += [
            ("Δ", "Treatment − control, in points. Relative is Δ as a share of the control."),
            ("Interval", _interval(settings)),
            ("p", _p(settings)),
            ("Holm", _HOLM),
            ("mde", _MDE),
            ("+/=/−", "Queries improved, the same, and worse; differences below 1e-12 are none."),
        ]
    else:
        found.append(("Interval", _single_interval(settings)))
    if any(bounds(row, "unjudged") for row in rows):
        found.append(("Bounds", _BOUNDS))
    if any(bounds(row, "ties") for row in rows):
        found.append(("Bounds of ties", "The worst and the best order of items with equal scores."))
    if settings.get("unjudged") == "drop":
        found.append(("Unjudged", _DROP))
    found.append(("Judged", _JUDGED))
    return found


_QUERY_SET = (
    "The queries under evaluation: the queries file; without one, the queries with at least one"
    " judgment. Queries are the sampling units."
)
_INTERVAL = (
    "95% interval of Δ over queries, runs paired by query. Item Goodrate: delta method on query"
    " clusters, t quantile. Query Goodrate and success: Tango's score interval for paired"
    " proportions. Means of per-query values: t on paired differences. GSB: trinomial variance over"
    " queries."
)
_P = (
    "Two-sided, raw. Item Goodrate: swap test, which exchanges whole queries between the runs and"
    " recomputes the figure. Query Goodrate and success: exact McNemar. Means: swap test on the"
    " values. GSB: exact sign test over queries."
)
_HOLM = (
    "Holm's correction runs over the declared family only: the primary measures at the first"
    " cutoff, overall and in every segment. A star marks significance at 0.05 after it. All other"
    " rows are exploratory (marked ·): their p is raw and decides nothing."
)
_MDE = (
    "Minimal detectable effect: the true difference that this comparison would have found with 80%"
    " power at an unadjusted level of 0.05. “No difference shown” says nothing about smaller ones."
)
_BOUNDS = (
    "The range of a figure, and of Δ, over all assignments of good and bad to unjudged products; a"
    " product has one grade in both runs. Point, interval and p count unjudged items as bad."
)
_DROP = (
    "Condensed lists: after ordering, unjudged items are removed and the rest close ranks before"
    " the cutoff."
)
_JUDGED = (
    "The share of the items shown down to the cutoff that carry a judgment, always of the"
    " uncondensed list. A difference above 5 points between the runs warns that the comparison"
    " leans toward the better-judged one."
)
_MEASURES = {
    "gsb": (
        "(G − B)/(G + S + B), from −100 to +100 points. A query is Good when the treatment shows"
        " more good items than the control by more than the margin, Bad when fewer, otherwise the"
        " Same. The win rate is G/(G + B). Where the two lists of some queries are identical, GSB"
        " without those queries stands beside it."
    ),
    "ndcg": (
        "Discounted gain of the grades down to the cutoff as a share of the ideal order's gain,"
        " with trec_eval's semantics; mean over queries."
    ),
    "precision": (
        "Good items down to the cutoff divided by the cutoff (trec_eval's P); mean over queries."
    ),
    "recall": "Share of a query's good items that stand above the cutoff; mean over queries.",
    "success": "Share of queries with at least one good item down to the cutoff.",
    "mrr": "Reciprocal rank of the first good item, 0 without one; mean over queries.",
    "map": (
        "Average precision: precision at each good item, averaged over all good items of the"
        " query; mean over queries."
    ),
    "bpref": (
        "How often judged bad items stand above good ones, unjudged items ignored, with"
        " trec_eval's semantics; mean over queries."
    ),
}


def _good(settings: Document) -> str:
    labels = settings.get("good_labels")
    if labels:
        names = labels if isinstance(labels, str) else ", ".join(map(str, labels))
        what = f"A judged item whose label is one of {names}."
    else:
        what = f"A judged item whose grade reaches {settings.get('good', 1):g}."
    unjudged = settings.get("unjudged", "bad")
    return what + (" Unjudged items count as bad." if unjudged in ("bad", "bounds") else "")


def _item_goodrate(settings: Document) -> str:
    if settings.get("depth") == "fixed":
        return "Good items shown divided by cutoff × queries: trec_eval's P for binary grades."
    if settings.get("average") == "query":
        return (
            "The share of the items shown for a query that is good, averaged over the queries that"
            " showed any."
        )
    return (
        "Of the items shown, the share that is good, pooled over queries. A query without results"
        " contributes no items."
    )


def _query_goodrate(settings: Document) -> str:
    if settings.get("query_goodrate_from") == "page grades":
        return (
            "From people's grades of result pages: the share of queries whose page most annotators"
            " called good or mid, over the queries whose pages were graded in every run."
        )
    least = settings.get("min_good") or 1
    items = "one good item" if least == 1 else f"{least} good items"
    return (
        f"The share of queries with at least {items} down to the cutoff; a query without results"
        " is not good."
    )


def _interval(settings: Document) -> str:
    units = _families(settings) or "queries"
    if settings.get("ci") == "bootstrap":
        return f"95% interval of Δ: paired BCa bootstrap over {units}, seeded."
    if _families(settings):
        return (
            f"95% interval of Δ over {units}, runs paired by query: linearised, with what the"
            " queries of a family share (cluster-robust), and the t quantile of families − 1."
        )
    if _linearised(settings):
        return "95% interval of Δ over queries, runs paired by query: weighted and linearised."
    return _INTERVAL


def _single_interval(settings: Document) -> str:
    if settings.get("ci") == "bootstrap":
        return "95%: BCa bootstrap over queries, seeded."
    if _linearised(settings):
        return "95% over queries, weighted and linearised."
    return (
        "95% over queries. Item Goodrate: delta method on query clusters. Query Goodrate: Wilson."
        " Means of per-query values: t."
    )


def _p(settings: Document) -> str:
    if settings.get("ci") == "bootstrap":
        return "Not given with bootstrap intervals."
    if _families(settings):
        return "Two-sided, raw: swap test, which exchanges whole families between the runs."
    if _linearised(settings):
        return "Two-sided, raw: swap test, which exchanges whole queries between the runs."
    return _P


def _families(settings: Document) -> str:
    """What is sampled where queries belong together; empty where each is for itself."""
    return f"families of queries ({settings['cluster']})" if settings.get("cluster") else ""


def _linearised(settings: Document) -> bool:
    """Whether weights or expected ties took the place of the exact intervals and tests."""
    return bool(settings.get("weighted")) or settings.get("ties") == "expected"
