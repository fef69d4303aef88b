"""Needs, and what answers them in a catalogue."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evalkit.knowledge import Answer, Graph, Triple, build_graph, read_catalogue

Product = dict[str, Any]


def graph(folder: Path, products: list[Product], *triples: Triple) -> Graph:
    path = folder / "products.jsonl"
    rows = [
        {"product_id": f"p{number}", "title": "x", **product}
        for number, product in enumerate(products)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return build_graph(read_catalogue(path, duckdb.connect()), triples)


def answers(found: Graph, need: str) -> tuple[Answer, ...]:
    return next((known.answers for known in found.needs if known.name == need), ())


def test_a_need_is_kept_where_kind_and_value_exist_under_any_name(tmp_path: Path) -> None:
    found = graph(
        tmp_path,
        [
            {"kind": "usb cable", "attributes": {"connector_2": "USB Type-B"}},
            {"kind": "usb cable", "attributes": {"connector_2": "Micro-USB B"}},
            {"kind": "parka", "attributes": {"warmth": "very warm"}},
        ],
    )
    assert answers(found, "a scanner's square socket") == (
        Answer("usb cable", "connector_2", ("usb type-b",)),
    )
    # a parka is a jacket
    assert answers(found, "freezing winter mornings") == (
        Answer("parka", "warmth", ("very warm",)),
    )


def test_a_need_is_dropped_where_kind_or_value_is_missing(tmp_path: Path) -> None:
    found = graph(tmp_path, [{"kind": "jacket", "attributes": {"warmth": "warm"}}])
    assert answers(found, "freezing winter mornings") == ()
    assert answers(found, "a scanner's square socket") == ()


def test_where_no_property_is_named_the_kind_is_the_answer(tmp_path: Path) -> None:
    found = graph(tmp_path, [{"kind": "docking station"}])
    assert answers(found, "one plug for the whole desk") == (Answer("docking station"),)


def test_a_need_has_several_phrasings_and_is_found_by_kind(tmp_path: Path) -> None:
    found = graph(tmp_path, [{"kind": "docking station"}])
    assert {need.name for need in found.needs_of("docking station")} == {
        "more usb sockets",
        "one plug for the whole desk",
    }
    assert all(len(need.phrases) >= 2 for need in found.needs)
    assert all(need.phrases[0] == need.name for need in found.needs)
    assert found.needs_of("sofa") == ()


@pytest.mark.parametrize(
    "triple",
    [
        Triple("jacket:lining=fleece", "implies", "a night in a tent"),
        Triple("a night in a tent", "implies", "jacket:lining=fleece"),
        Triple("lining=fleece", "implies", "a night in a tent"),
    ],
)
def test_a_users_fact_makes_a_need(tmp_path: Path, triple: Triple) -> None:
    found = graph(
        tmp_path,
        [
            {"kind": "jacket", "attributes": {"lining": "Fleece"}},
            {"kind": "jacket", "attributes": {"lining": "silk"}},
        ],
        triple,
    )
    assert answers(found, "a night in a tent") == (Answer("jacket", "lining", ("fleece",)),)


def test_a_users_fact_may_name_just_a_kind(tmp_path: Path) -> None:
    found = graph(tmp_path, [{"kind": "tent"}], Triple("tent", "implies", "a night outside"))
    assert answers(found, "a night outside") == (Answer("tent"),)


def test_the_sample_shop_has_needs_in_every_department(tmp_path: Path) -> None:
    shop = Path(__file__).parents[2] / "sample_data" / "products.jsonl"
    found = build_graph(read_catalogue(shop, duckdb.connect()))
    assert len(found.needs) >= 100
    answered = {answer.kind for need in found.needs for answer in need.answers}
    assert len(answered) >= 0.8 * len(found.catalogue.kinds)
    for need in found.needs:
        for answer in need.answers:
            if answer.attribute is not None:
                assert set(answer.values) <= set(found.values(answer.kind, answer.attribute))
