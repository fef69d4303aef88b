"""Spot checks of the grades against what the product pages say, written without the generator."""

from __future__ import annotations

from typing import Any

import pytest

Row = dict[str, Any]


def values(product: Row, name: str) -> list[str]:
    value = product["attributes"].get(name, [])
    return [value] if isinstance(value, str) else value


def good_products(
    query: str, queries: dict[str, Row], judgments: list[Row], products: dict[str, Row]
) -> list[Row]:
    (query_id,) = (row["query_id"] for row in queries.values() if row["query"] == query)
    return [
        products[row["product_id"]]
        for row in judgments
        if row["query_id"] == query_id and row["grade"] >= 2
    ]


@pytest.mark.parametrize(
    ("query", "attribute", "excluded"),
    [
        ("leather jacket without polyurethane", "material", ["polyurethane"]),
        ("non-pvc raincoat", "material", ["PVC"]),
        ("dress in any colour but black", "colour", ["black"]),
        ("jacket without a hood", "hood", ["fixed", "detachable"]),
        ("boots not made of leather", "material", ["cowhide leather", "suede", "pigskin lining"]),
        (
            "frying pan anything but aluminium",
            "material",
            ["aluminium", "aluminium with steel base"],
        ),
        ("non stick pan no teflon", "coating", ["PTFE"]),
        ("plastic-free lunchbox", "material", ["polypropylene", "copolyester plastic"]),
        ("moka pot not aluminum", "material", ["aluminium"]),
        ("headphones without bluetooth", "connection", ["Bluetooth"]),
        ("fragrance free moisturizer", "ingredients", ["parfum", "lavender oil"]),
        ("alcohol free toner", "ingredients", ["alcohol denat"]),
        (
            "deodorant w/o aluminium",
            "ingredients",
            ["aluminium chlorohydrate", "potassium alum (aluminium salt)"],
        ),
        ("sunscreen free of oxybenzone and octinoxate", "filters", ["oxybenzone", "octinoxate"]),
        ("weedkiller not glyphosate", "active", ["glyphosate"]),
        ("work gloves, latex allergy", "material", ["natural latex"]),
        ("real wood table, no mdf no veneer", "material", ["MDF", "oak veneer"]),
        ("sugar free bars but no maltitol", "ingredients", ["maltitol", "sugar", "honey"]),
    ],
)
def test_no_good_product_contains_what_the_query_excludes(
    query: str,
    attribute: str,
    excluded: list[str],
    queries: dict[str, Row],
    judgments: list[Row],
    products: dict[str, Row],
) -> None:
    good = good_products(query, queries, judgments, products)
    assert good
    assert not [row["title"] for row in good if set(values(row, attribute)) & set(excluded)]


@pytest.mark.parametrize(
    ("query", "attribute"),
    [
        ("weedkiller not glyphosate", "active"),
        ("deodorant w/o aluminium", "ingredients"),
        ("alcohol free toner", "ingredients"),
    ],
)
def test_a_product_that_does_not_say_what_is_in_it_is_not_good_under_an_exclusion(
    query: str,
    attribute: str,
    queries: dict[str, Row],
    judgments: list[Row],
    products: dict[str, Row],
) -> None:
    (asked,) = (row for row in queries.values() if row["query"] == query)
    silent = {
        row["product_id"]: row["grade"]
        for row in judgments
        if row["query_id"] == asked["query_id"] and row["rule"] == f"{attribute} unknown"
    }
    assert silent
    assert set(silent.values()) == {1}
    for product_id in silent:
        assert attribute not in products[product_id]["attributes"]
        assert "free_from" not in products[product_id]["attributes"]


@pytest.mark.parametrize(
    ("query", "limit", "brand"),
    [
        ("cheaper than a Dovane Airloop", 598.99, "Dovane"),
        ("dovane airloop dupe under 120", 120, "Dovane"),
        ("vantrel quietus but under 150, noise cancelling a must", 150, "Vantrel"),
        ("creme souveraine dupe", 155, "Celestine Paris"),
        ("kantor aero but a third of the price", 459, "Kantor"),
        ("fancy chocolates like fauchette ballotin for under 10", 10, "Fauchette"),
        ("meisterhand titan clone under 150 with batteries", 150, "Meisterhand"),
    ],
)
def test_every_good_alternative_is_of_another_brand_and_within_the_price(
    query: str,
    limit: float,
    brand: str,
    queries: dict[str, Row],
    judgments: list[Row],
    products: dict[str, Row],
) -> None:
    good = good_products(query, queries, judgments, products)
    assert good
    assert all(row["price"] <= limit for row in good)
    assert brand not in {row["brand"] for row in good}


def test_the_leather_look_jacket_of_polyurethane_is_no_leather_jacket(
    queries: dict[str, Row], judgments: list[Row], products: dict[str, Row]
) -> None:
    good = good_products("black leather jacket", queries, judgments, products)
    assert good
    for row in good:
        assert set(values(row, "material")) & {"cowhide leather", "lambskin"}


def test_a_page_that_mentions_the_excluded_thing_in_order_to_deny_it_is_good(
    queries: dict[str, Row], judgments: list[Row], products: dict[str, Row]
) -> None:
    good = good_products("weedkiller not glyphosate", queries, judgments, products)
    assert any("no glyphosate" in row["description"] for row in good)


def test_brands_keep_their_price_tier_within_a_kind(products: dict[str, Row]) -> None:
    budget, luxury = "Bopp", "Vantrel"
    prices: dict[str, list[float]] = {budget: [], luxury: []}
    for row in products.values():
        if row["kind"] == "headphones" and row["brand"] in prices:
            prices[row["brand"]].append(row["price"])
    assert max(prices[budget]) < min(prices[luxury])
