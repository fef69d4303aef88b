"""Correlation documents for the tests: simulated votes and Δ, and texts that mean harm."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa

from evalkit.reports.correlation.document import correlation_document
from evalkit.reports.correlation.sources import Automated, People

HOSTILE = "<script>alert(1)</script></script><img src=x onerror=alert(2)>"


def sides(queries: int = 60, *, text: str = "", noise: float = 0.15) -> tuple[People, Automated]:
    """Three votes a query, and two measures of which `ndcg` follows them more closely.

    Args:
        queries: how many.
        text: is added to every text that comes from outside.
        noise: of item_goodrate, as a share.
    """
    draw = random.Random(7)
    votes: dict[str, list[Any]] = {"query_id": [], "annotator": [], "preference": []}
    values: dict[str, list[Any]] = {
        name: [] for name in ("query_id", "query_type", "measure", "cutoff", "delta")
    }
    lists = {}
    for at in range(queries):
        query = f"q{at:03}{text}"
        worth = draw.gauss(0, 0.2)
        for who in ("ann", "bob", "cy"):
            seen = worth + draw.gauss(0, 0.1)
            votes["query_id"].append(query)
            votes["annotator"].append(f"{who}{text}")
            votes["preference"].append(0 if abs(seen) < 0.08 else 1 if seen > 0 else -1)
        for measure, spread in (("item_goodrate", noise), ("ndcg", 0.02)):
            values["query_id"].append(query)
            values["query_type"].append(f"{'negative' if at % 2 else 'general'}{text}")
            values["measure"].append(measure)
            values["cutoff"].append(10)
            values["delta"].append(round(worth + draw.gauss(0, spread), 1))
        lists[query] = {
            "query": f"words {at}{text}",
            "control": [_item(f"c{at}", rank, text) for rank in range(1, 4)],
            "treatment": [_item(f"t{at}", rank, text) for rank in range(1, 4)],
        }
    inputs = ({"path": f"votes{text}.csv", "rows": 3 * queries, "fingerprint": "sha256:00"},)
    people = People(pa.table(votes), f"study shoes{text}", "sha256:00", lists, inputs)
    scores = Automated(pa.table(values), f"per-query{text}.parquet", "sha256:01")
    return people, scores


def correlated(
    people: People, automated: Automated, **settings: Any
) -> tuple[dict[str, Any], Any, dict[str, str]]:
    """The document, the queries behind it, and their texts."""
    given: dict[str, Any] = {"by": ["query_type"], "draws": 200} | settings
    document, found = correlation_document(people, automated, **given)
    return document, found, {key: each["query"] for key, each in people.lists.items()}


def _item(product: str, rank: int, text: str) -> dict[str, Any]:
    return {
        "product_id": f"{product}-{rank}",
        "rank": rank,
        "title": f"Product {product} {rank}{text}",
        "brand": f"Brand{text}",
        "price": f"9.99{text}",
        "image": "https://example.org/spy.png",
    }
