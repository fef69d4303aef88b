"""A plain scorer over dicts, written from the definitions and from nothing else.

Slow and obvious: one query after the other, one product after the other. What is left open by
unjudged products or by tied scores is found by going through every case.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Lists = dict[str, list[str]]
Grades = dict[str, dict[str, float]]


def by_query(rows: list[tuple[str, str, float]]) -> Grades:
    """Rows as a dict of dicts: the scores of a run, or the grades of judgments."""
    nested: Grades = {}
    for query, product, value in rows:
        nested.setdefault(query, {})[product] = value
    return nested


def in_order(scores: Grades) -> Lists:
    """Score descending, then product id descending, byte by byte."""
    return {
        query: sorted(products, key=lambda p: (products[p], p.encode()), reverse=True)
        for query, products in scores.items()
    }


def parts(
    name: str, ranking: list[str], grades: dict[str, float], n: int, **how: Any
) -> tuple[float, float]:
    """Numerator and denominator that one query, unweighted, adds to a measure."""
    good = how.get("good", 1)
    known = {product: grade for product, grade in grades.items() if grade >= 0}
    if name == "judged":
        return sum(product in known for product in ranking[:n]), len(ranking[:n])
    if how.get("unjudged") == "drop":
        ranking = [product for product in ranking if product in known]
    top = ranking[:n]
    hits = [known.get(product, -math.inf) >= good for product in ranking]
    found, relevant = sum(hits[:n]), sum(grade >= good for grade in known.values())
    if name == "item_goodrate":
        if how.get("depth") == "fixed":
            return found, n
        if how.get("average") == "query":
            return (found / len(top), 1) if top else (0, 0)
        return found, len(top)
    if name == "query_goodrate":
        return found >= how.get("min_good", 1), 1
    if name == "success":
        return found >= 1, 1
    if name == "precision":
        return found / n, 1
    if name == "recall":
        return (found / relevant if relevant else 0), 1
    if name == "mrr":
        return (1 / (1 + hits.index(True)) if any(hits) else 0), 1
    if name == "map":
        total = sum(sum(hits[: at + 1]) / (at + 1) for at, hit in enumerate(hits) if hit)
        return (total / relevant if relevant else 0), 1
    if name == "ndcg":
        ideal = sorted(known.values(), reverse=True)[:n]
        best = gain(ideal)
        return (gain([known.get(product, 0) for product in top]) / best if best else 0), 1
    raise KeyError(name)


def gain(grades: list[float]) -> float:
    """Discounted cumulative gain of a list of grades."""
    return sum(max(grade, 0) / math.log2(at + 2) for at, grade in enumerate(grades))


def figure(
    name: str, lists: Lists, judged: Grades, queries: dict[str, float], n: int, **how: Any
) -> float | None:
    """A measure of a run over a query set with weights; None where nothing is counted."""
    num = den = 0.0
    for query, weight in queries.items():
        weight = 1 if name == "judged" else weight
        over, under = parts(name, lists.get(query, []), judged.get(query, {}), n, **how)
        num, den = num + weight * over, den + weight * under
    return num / den if den else None


def delta(
    name: str,
    control: Lists,
    treatment: Lists,
    judged: Grades,
    queries: dict[str, float],
    n: int,
    **how: Any,
) -> float | None:
    """Treatment − control of a measure; for `gsb` the mean of the verdicts."""
    if name == "gsb":
        votes = verdicts(control, treatment, judged, queries, n, **how)
        return sum(queries[query] * vote for query, vote in votes.items()) / sum(queries.values())
    before = figure(name, control, judged, queries, n, **how)
    after = figure(name, treatment, judged, queries, n, **how)
    return None if before is None or after is None else after - before


def verdicts(
    control: Lists,
    treatment: Lists,
    judged: Grades,
    queries: dict[str, float],
    n: int,
    margin: float = 0,
    **how: Any,
) -> dict[str, int]:
    """Good (1), Same (0) or Bad (−1) for every query, by the number of good products."""

    def found(lists: Lists, query: str) -> float:
        how_many = {**how, "depth": "fixed"}
        return parts("item_goodrate", lists.get(query, []), judged.get(query, {}), n, **how_many)[0]

    change = {query: found(treatment, query) - found(control, query) for query in queries}
    return {query: (c > margin) - (c < -margin) for query, c in change.items()}


def different(
    control: Lists, treatment: Lists, queries: dict[str, float], n: int
) -> dict[str, float]:
    """The queries, with their weights, for which the two runs do not show the same top n."""
    return {
        query: weight
        for query, weight in queries.items()
        if control.get(query, [])[:n] != treatment.get(query, [])[:n]
    }


def assignments(judged: Grades, *runs: Lists, good: float = 1) -> Iterator[Grades]:
    """The judgments completed by every assignment of good and bad to the unjudged products."""
    shown = {(query, product) for lists in runs for query in lists for product in lists[query]}
    unjudged = sorted(
        (query, product) for query, product in shown if judged.get(query, {}).get(product, -1) < 0
    )
    for grades in itertools.product([0.0, good], repeat=len(unjudged)):
        complete = {query: dict(products) for query, products in judged.items()}
        for (query, product), grade in zip(unjudged, grades, strict=True):
            complete.setdefault(query, {})[product] = grade
        yield complete


def orders(scores: Grades) -> list[Lists]:
    """Every way to put a run in order: scores descend, products of one score in any order."""
    ways: list[list[list[str]]] = []
    for products in scores.values():
        groups = [
            [product for product in products if products[product] == score]
            for score in sorted(set(products.values()), reverse=True)
        ]
        ways.append(
            [
                list(itertools.chain(*order))
                for order in itertools.product(*(itertools.permutations(g) for g in groups))
            ]
        )
    return [dict(zip(scores, way, strict=True)) for way in itertools.product(*ways)]


def mean(values: list[float | None]) -> float | None:
    """The mean over equally likely cases."""
    return None if None in values else math.fsum(values) / len(values)  # type: ignore[arg-type]


def ends(cases: Iterator[float | None] | list[float | None]) -> tuple[float | None, float | None]:
    """The least and the greatest value over all cases."""
    values = list(cases)
    if None in values:
        return None, None
    return min(values), max(values)  # type: ignore[type-var]
