"""The graph of a catalogue, against counts worked by hand."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evalkit.knowledge import (
    CatalogueSettings,
    Graph,
    Triple,
    build_graph,
    read_catalogue,
)

Product = dict[str, Any]


def graph(
    folder: Path,
    products: list[Product],
    settings: CatalogueSettings | None = None,
    triples: tuple[Triple, ...] = (),
) -> Graph:
    path = folder / "products.jsonl"
    rows = [
        {"product_id": f"p{number:03d}", "title": "x", **product}
        for number, product in enumerate(products)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return build_graph(read_catalogue(path, duckdb.connect(), settings), triples)


def jacket(**attributes: Any) -> Product:
    return {"kind": "jacket", "attributes": attributes}


JACKETS = [
    jacket(material="cowhide leather", hood="none", ean="4001", origin="x"),
    jacket(material="nappa", hood="fixed", ean="4002", origin="x"),
    jacket(material=["cotton", "leather"], hood="fixed", ean="4003", origin="x"),
    jacket(material=["cotton", "polyester"], hood="none", ean="4004", origin="x"),
    jacket(material="cotton", ean="4005", origin="x"),
    jacket(material="faux leather", ean="4006", origin="x"),
    jacket(),
    {"kind": "mug", "attributes": {"material": "steel"}},
]


def test_values_of_a_kind_are_counted_the_most_frequent_first(tmp_path: Path) -> None:
    found = graph(tmp_path, JACKETS)
    assert list(found.values("jacket", "material").items()) == [
        ("cotton", 3),
        ("cowhide leather", 1),
        ("faux leather", 1),
        ("leather", 1),
        ("nappa", 1),
        ("polyester", 1),
    ]
    assert found.values("mug", "material") == {"steel": 1}
    assert found.values("mug", "hood") == {}
    assert found.values("sofa", "hood") == {}
    assert found.kinds() == ("jacket", "mug")


def test_coverage_is_the_share_of_products_that_state_it(tmp_path: Path) -> None:
    found = graph(tmp_path, JACKETS)
    assert found.coverage("jacket", "material") == pytest.approx(6 / 7)
    assert found.coverage("jacket", "hood") == pytest.approx(4 / 7)
    assert found.coverage("mug", "hood") == 0


def test_usefulness_is_coverage_times_difference_times_what_is_not_unique(tmp_path: Path) -> None:
    found = graph(tmp_path, JACKETS)
    # hood: 4 of 7 state it, two values of two each: 4/7 · (1 − 1/4 − 1/4) · 4/4
    assert found.usefulness("jacket", "hood") == pytest.approx(4 / 7 * 0.5)
    # material: 8 statements, squares 9+5·1, three of them not unique
    expected = 6 / 7 * (1 - (9 + 5) / 64) * 3 / 8
    assert found.usefulness("jacket", "material") == pytest.approx(expected)


def test_constant_unique_and_technical_attributes_fall_out(tmp_path: Path) -> None:
    found = graph(
        tmp_path,
        [
            *JACKETS,
            jacket(package_weight="1 kg", operating_temperature="cold"),
            jacket(package_weight="1 kg", operating_temperature="cold"),
            jacket(package_weight="2 kg", operating_temperature="hot"),
        ],
    )
    assert found.attributes("jacket") == ("hood", "material")
    assert set(found.all_attributes("jacket")) == {
        "ean", "hood", "material", "operating_temperature", "origin", "package_weight",
    }  # fmt: skip
    assert found.attributes("sofa") == ()


def test_siblings_are_what_the_others_are_instead(tmp_path: Path) -> None:
    found = graph(tmp_path, JACKETS)
    # the cotton jacket with leather parts does not count; faux leather is no leather
    assert list(found.siblings("jacket", "material", "leather").items()) == [
        ("cotton", 2),
        ("faux leather", 1),
        ("polyester", 1),
    ]
    assert found.siblings("jacket", "hood", "fixed") == {"none": 2}
    # "leather" may be nappa, so it is not what a product is instead of nappa
    assert "leather" not in found.siblings("jacket", "material", "nappa")
    assert found.siblings("jacket", "colour", "red") == {}
    assert "cotton" in found.siblings("jacket", "material", "velvet")


def priced(brand: str, *prices: float) -> list[Product]:
    return [{"kind": "kettle", "brand": brand, "price": price} for price in prices]


KETTLES = [
    *priced("Aba", 10, 12),
    *priced("Bebe", 30, 34),
    *priced("Cece", 70, 80),
    *priced("Dodo", 300, 310),
    {"kind": "kettle", "brand": "Eko"},
]


def test_tiers_are_places_of_a_brands_median_among_the_prices_of_its_kind(tmp_path: Path) -> None:
    found = graph(tmp_path, KETTLES)
    # medians 11, 32, 75, 305 of 8 prices: 1/8, 3/8, 5/8, 7/8
    assert [found.tier(brand, "kettle") for brand in ("aba", "Bebe", "CECE", "Dodo")] == [
        "budget",
        "mid",
        "mid",
        "premium",
    ]
    assert found.tier("Eko", "kettle") is None
    assert found.tier("Nobody", "kettle") is None
    assert found.tier("Dodo") == "premium"
    assert found.brand_median("bebe", "kettle") == 32
    assert found.brand_median("Eko", "kettle") is None
    assert found.brands_of("kettle") == {"aba": 2, "bebe": 2, "cece": 2, "dodo": 2, "eko": 1}


def test_settings_and_facts_decide_a_tier_before_prices(tmp_path: Path) -> None:
    settings = CatalogueSettings(brand_tiers={"ABA": "luxury"}, tier_quantiles=(0.1, 0.2, 0.7))
    found = graph(tmp_path, KETTLES, settings, (Triple("eko", "tier", "budget"),))
    assert found.tier("Aba", "kettle") == "luxury"
    assert found.tier("Eko", "kettle") == "budget"
    assert found.tier("Bebe", "kettle") == "premium"
    assert found.tier("Dodo", "kettle") == "luxury"


def test_a_brand_like_all_others_stands_in_the_middle(tmp_path: Path) -> None:
    found = graph(tmp_path, priced("Aba", 20, 20) + priced("Bebe", 20, 20, 20))
    assert found.tier("Aba", "kettle") == found.tier("Bebe", "kettle") == "mid"


def test_few_prices_make_no_tiers(tmp_path: Path) -> None:
    found = graph(tmp_path, KETTLES[:4])
    assert found.tier("Aba", "kettle") is None


def test_cheaper_brands_and_quantiles_of_price(tmp_path: Path) -> None:
    found = graph(tmp_path, KETTLES)
    assert found.cheaper_brands("kettle", "cece") == ("aba", "bebe")
    assert found.cheaper_brands("kettle", "Aba") == ()
    assert found.cheaper_brands("kettle", "Eko") == ()
    assert found.price_quantiles("kettle", (0.0, 0.5, 1.0)) == (10, 52, 310)
    assert found.price_quantiles("sofa") == ()


def test_a_word_names_kinds_by_synonym_family_and_last_word(tmp_path: Path) -> None:
    kinds = ["sneakers", "boots", "work shoes", "network cable", "hdmi cable", "cases & clips"]
    found = graph(tmp_path, [{"kind": kind} for kind in kinds])
    assert found.kinds_named("trainers") == ("sneakers",)
    assert set(found.kinds_named("shoes")) == {"sneakers", "boots", "work shoes"}
    assert set(found.kinds_named("cable")) == {"network cable", "hdmi cable"}
    assert found.kinds_named("Network Cables") == ("network cable",)
    assert found.kinds_named("case") == ("cases & clips",)
    assert found.kinds_named("kettle") == ()
    assert set(found.kinds_named("")) == set(kinds)


def test_a_kind_of_that_very_name_goes_before_others(tmp_path: Path) -> None:
    found = graph(tmp_path, [{"kind": "toner"}, {"kind": "toner cartridge"}])
    assert found.kinds_named("toner") == ("toner",)


def test_things_that_go_together_come_from_attributes_and_facts(tmp_path: Path) -> None:
    found = graph(
        tmp_path,
        [
            {"kind": "phone case", "attributes": {"fits": "Orbix Nova"}},
            {"kind": "phone case", "attributes": {"fits": ["Orbix Nova", "Kliq A4"]}},
            {"kind": "charger", "attributes": {"suits": "tablet"}},
            {"kind": "smartphone", "title": "Orbix Nova 64 GB"},
            {"kind": "tablet"},
            {"kind": "mug"},
        ],
        triples=(Triple("mug", "compatible with", "charger"),),
    )
    assert found.compatible_with("phone case") == {"orbix nova": 2, "kliq a4": 1}
    assert found.compatible_kinds("phone case") == ("smartphone",)
    assert found.compatible_kinds("charger") == ("mug", "tablet")
    assert found.compatible_kinds("mug") == ("charger",)


def test_values_named_finds_who_says_a_word(tmp_path: Path) -> None:
    found = graph(tmp_path, JACKETS)
    assert found.values_named("leather", "jacket") == (
        ("material", "cowhide leather"),
        ("material", "leather"),
        ("material", "nappa"),
    )
    assert found.values_named("steel") == (("material", "steel"),)


def test_products_without_a_kind_or_attributes_make_a_graph(tmp_path: Path) -> None:
    found = graph(tmp_path, [{"title": "X1"}, {"title": "X2"}])
    assert found.kinds() == ()
    assert found.needs == ()
    assert found.price_quantiles("kettle") == ()
