"""What each query asks for, in the words of the catalogue's attributes, and the grade it gives.

An intent is a set of constraints (see README.md). A fact that is unknown never satisfies one:
the product is then related at best (grade 1), never good.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from shop.blueprint import SOURCE, Facts, as_facts, as_tuple

if TYPE_CHECKING:
    from pathlib import Path

    from shop.catalogue import Product

QUERY_TYPES = ("knowledge", "negative", "alternative", "general")

Constraint = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Intent:
    """The structured meaning of one query."""

    query_id: str
    query: str
    query_type: str
    department: str
    need: str = ""
    kinds: tuple[str, ...] = ()
    substitutes: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    confusable: tuple[str, ...] = ()
    must: Constraint = field(default_factory=dict)
    every: Constraint = field(default_factory=dict)
    avoid: Constraint = field(default_factory=dict)
    want: Constraint = field(default_factory=dict)
    prefer: Constraint = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    limit_cents: int | None = None
    not_product: str = ""
    not_brand: str = ""


def read_intents(products: Sequence[Product], source: Path = SOURCE) -> list[Intent]:
    """All intents, numbered in the order of the query files."""
    needs = tomllib.loads((source / "needs.toml").read_text(encoding="utf-8"))
    intents: list[Intent] = []
    for query_type in QUERY_TYPES:
        path = source / "queries" / f"{query_type}.toml"
        for row in tomllib.loads(path.read_text(encoding="utf-8"))["query"]:
            query_id = f"q{len(intents) + 1:03d}"
            need = needs[row["need"]] if "need" in row else {}
            intents.append(_intent(query_id, query_type, {**need, **row}, products))
    return intents


def grade(intent: Intent, product: Product) -> tuple[int, str]:
    """The grade that the rules give a product, and the reason in a few words."""
    kinds = intent.kinds + intent.substitutes
    if product.kind not in kinds + intent.near:
        return 0, f"kind={product.kind}, not {'/'.join(intent.kinds)}"
    if broken := _broken(intent, product):
        return 0, broken
    if product.kind in intent.near:
        return 1, f"kind={product.kind} is only near {'/'.join(intent.kinds)}"
    if unknown := _unknown(intent, product.facts):
        return 1, f"{unknown} unknown"
    for name, terms in intent.want.items():
        if not holds_any(product.facts.get(name, ()), terms):
            return 1, f"{name} is {_shown(product.facts, name)}, not {_words(terms)}"
    if product.kind in intent.substitutes:
        return 2, f"substitute: {_rule(intent, product.kind)}"
    for name, terms in intent.prefer.items():
        if not holds_any(product.facts.get(name, ()), terms):
            return 2, f"{_rule(intent, product.kind)}, but {name} not {_words(terms)}"
    return 3, _rule(intent, product.kind)


def holds_any(values: Sequence[str], terms: Sequence[str]) -> bool:
    """True when a term stands in one of the values as whole words.

    A term that begins with ``=`` must be the whole value.

    >>> holds_any(["Orbix Nova 12 Pro"], ["Orbix Nova 12"])
    True
    >>> holds_any(["Orbix Nova 12 Pro"], ["=Orbix Nova 12"])
    False
    """
    return any(
        term[1:] == value if term.startswith("=") else _pattern(term).search(value) is not None
        for term in terms
        for value in values
    )


def _broken(intent: Intent, product: Product) -> str:
    """The hard constraint that the product is known to break, or nothing."""
    facts = product.facts
    if intent.not_product and product.key == intent.not_product:
        return "is the reference product itself"
    if intent.not_brand and product.brand == intent.not_brand:
        return f"brand={product.brand}, another brand asked"
    if intent.limit_cents is not None and product.price_cents > intent.limit_cents:
        return f"price {_money(product.price_cents)} > {_money(intent.limit_cents)}"
    for name, terms in intent.avoid.items():
        if holds_any(facts.get(name, ()), terms):
            return f"{name} is {_shown(facts, name)}, excluded {_words(terms)}"
    if product.kind in intent.near:
        return ""
    for name, terms in intent.must.items():
        if name in facts and not holds_any(facts[name], terms):
            return f"{name} is {_shown(facts, name)}, not {_words(terms)}"
    for name, terms in intent.every.items():
        if name in facts and not all(holds_any(facts[name], [term]) for term in terms):
            return f"{name} is {_shown(facts, name)}, not {' & '.join(terms)}"
    for name, bound in intent.at_least.items():
        if name in facts and number(facts[name][0]) < bound:
            return f"{name} is {facts[name][0]}, under {bound:g}"
    for name, bound in intent.at_most.items():
        if name in facts and number(facts[name][0]) > bound:
            return f"{name} is {facts[name][0]}, over {bound:g}"
    return ""


def _unknown(intent: Intent, facts: Facts) -> str:
    """The first attribute that a hard constraint needs and nobody states, or nothing."""
    for name in (
        *intent.must,
        *intent.every,
        *intent.avoid,
        *intent.at_least,
        *intent.at_most,
    ):
        if name not in facts:
            return name
    return ""


def number(value: str) -> float:
    """The first number in a value such as ``"9 kg"`` or ``"5,000 mAh"``.

    >>> number("5,000 mAh")
    5000.0
    """
    found = re.search(r"\d+(?:\.\d+)?", value.replace(",", ""))
    if found is None:
        raise ValueError(f"{value!r} holds no number; a bound cannot be applied to it")
    return float(found.group())


def _rule(intent: Intent, kind: str) -> str:
    parts = [f"kind={kind}"]
    parts += [f"{name}={_words(terms)}" for name, terms in intent.must.items()]
    parts += [f"{name}={' & '.join(terms)}" for name, terms in intent.every.items()]
    parts += [f"{name} excludes {_words(terms)}" for name, terms in intent.avoid.items()]
    parts += [f"{name}={_words(terms)}" for name, terms in intent.want.items()]
    parts += [f"{name}>={bound:g}" for name, bound in intent.at_least.items()]
    parts += [f"{name}<={bound:g}" for name, bound in intent.at_most.items()]
    if intent.limit_cents is not None:
        parts.append(f"price<={_money(intent.limit_cents)}")
    return f"{'need ' + intent.need + ': ' if intent.need else ''}{' & '.join(parts)}"


def _words(terms: Sequence[str]) -> str:
    return "/".join(terms[:3]) + ("/..." if len(terms) > 3 else "")


def _shown(facts: Facts, name: str) -> str:
    return "+".join(facts[name]) if name in facts else "unknown"


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


@cache
def _pattern(term: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(term)}(?![\w-])", re.IGNORECASE)


def _intent(
    query_id: str, query_type: str, row: Mapping[str, Any], products: Sequence[Product]
) -> Intent:
    must = as_facts(row.get("must", {}))
    prefer = as_facts(row.get("prefer", {}))
    limit, not_product, not_brand = _reference(row, products, must, prefer)
    return Intent(
        query_id=query_id,
        query=row["q"],
        query_type=query_type,
        department=row["d"],
        need=row.get("need", "").replace("_", " "),
        kinds=as_tuple(row["kinds"]),
        substitutes=as_tuple(row.get("substitutes", [])),
        near=as_tuple(row.get("near", [])),
        confusable=as_tuple(row.get("confusable", [])),
        must=must,
        every=as_facts(row.get("every", {})),
        avoid=as_facts(row.get("avoid", {})),
        want=as_facts(row.get("want", {})),
        prefer=prefer,
        at_least=row.get("at_least", {}),
        at_most=row.get("at_most", {}),
        limit_cents=limit,
        not_product=not_product,
        not_brand=not_brand,
    )


def _reference(
    row: Mapping[str, Any],
    products: Sequence[Product],
    must: dict[str, tuple[str, ...]],
    prefer: dict[str, tuple[str, ...]],
) -> tuple[int | None, str, str]:
    """The price limit and what is excluded, from the product or brand that is referred to.

    A product as the reference also gives the attributes to keep (``keep``, hard) and to resemble
    (``like``, soft). With a brand as the reference, the limit is a share of the brand's median
    price in that kind.
    """
    limit = int(row["max_price"] * 100) if "max_price" in row else None
    share = row.get("share", 1.0)
    if "ref" in row:
        key = f"{row['kinds'][0]}/{row['ref']}"
        found = [product for product in products if product.key == key]
        if len(found) != 1:
            raise ValueError(f"query {row['q']!r} refers to {key}, which is no product")
        reference = found[0]
        for name in row.get("keep", []):
            must[name] = reference.facts[name]
        for name in row.get("like", []):
            prefer[name] = reference.facts[name]
        below = int(reference.price_cents * share) - (1 if share == 1.0 else 0)
        return min(below, limit or below), key, "" if row.get("own_brand") else reference.brand
    if "ref_brand" in row:
        prices = sorted(
            product.price_cents
            for product in products
            if product.brand == row["ref_brand"] and product.kind in row["kinds"]
        )
        below = int(prices[(len(prices) - 1) // 2] * row.get("share", 0.6))
        return min(below, limit or below), "", row["ref_brand"]
    return limit, "", ""
