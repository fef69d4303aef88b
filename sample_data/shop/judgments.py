"""Grades for every query and pooled product: by rule, or by hand where a rule cannot tell."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shop.blueprint import SOURCE
from shop.intents import Intent, grade
from shop.pool import make_pools

if TYPE_CHECKING:
    from pathlib import Path

    from shop.catalogue import Product


@dataclass(frozen=True)
class Judgment:
    """One line of judgments.csv. ``annotator`` stays empty: nobody voted."""

    query_id: str
    product_id: str
    grade: int
    rule: str
    source: str = "import"
    annotator: str = ""


Hand = Mapping[tuple[str, str], tuple[int, str]]


def read_hand(source: Path = SOURCE) -> Hand:
    """Decisions made by reading the product's page: (query text, product key) to (grade, why)."""
    table = tomllib.loads((source / "hand.toml").read_text(encoding="utf-8"))
    return {
        (block["query"], str(key)): (int(mark), str(why))
        for block in table["decision"]
        for key, mark, why in block["products"]
    }


def make_judgments(
    intents: Sequence[Intent], products: Sequence[Product], hand: Hand
) -> list[Judgment]:
    """Judgments of all pools, in the order of queries and catalogue."""
    known = {product.key for product in products}
    asked = {intent.query for intent in intents}
    for query, key in hand:
        if query not in asked or key not in known:
            raise ValueError(f"hand.toml decides {key!r} for {query!r}; one of them does not exist")
    rows: list[Judgment] = []
    by_key = {product.key: product for product in products}
    for intent, pool in zip(intents, make_pools(intents, products), strict=True):
        decided = {key: value for (query, key), value in hand.items() if query == intent.query}
        chosen = {product.key: product for product in pool} | {key: by_key[key] for key in decided}
        for key, product in chosen.items():
            if key in decided:
                mark, why = decided[key]
                rule = f"hand: {why}"
            else:
                mark, rule = grade(intent, product)
            rows.append(Judgment(intent.query_id, product.product_id, mark, rule))
    return rows
