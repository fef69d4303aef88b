"""What alternatives can be asked for: names that are clear, kinds that need not fit anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from evalkit.knowledge import read_catalogue
from evalkit.synthesis.queries_facts import Facts
from evalkit.synthesis.templates_references import dear_products, must_fit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Product = tuple[str, str, float, dict[str, Any]]  # title, kind, price, attributes


def facts_of(folder: Path, products: Sequence[Product]) -> Facts:
    """Facts of a shop of one brand."""
    names = ("title", "kind", "price", "attributes")
    path = folder / "products.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {"product_id": f"p{number}", "brand": "Ado", **dict(zip(names, row, strict=True))}
            )
            + "\n"
            for number, row in enumerate(products)
        )
    )
    return Facts(read_catalogue(path, duckdb.connect()))


def test_a_name_is_unclear_where_a_product_of_another_kind_has_its_words(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path,
        [
            ("Ado K-50 oak table", "table", 300, {}),
            ("Ado M-70 oak table", "table", 300, {}),
            ("Ado small table", "table", 20, {}),
            ("Shelf, Ado (K-50)", "bookcase", 90, {}),
            ("Ado M-7 bookcase", "bookcase", 10, {}),
        ],
    )
    found = dear_products(facts, facts.kinds["table"], 1)
    assert {named.text: named.several for named in found} == {"ado k-50": True, "ado m-70": False}
    assert facts.kinds_titled("ado k-50") == ("bookcase", "table")
    assert facts.kinds_titled("ado k-5") == ()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("toner cartridge", True),
        ("adapter/inverter", True),
        ("camera batteries", True),
        ("power supply", True),
        ("toner", False),  # of a perfumery,
        ("sofa", False),
    ],
)
def test_kinds_that_must_fit_are_known_by_their_words(
    tmp_path: Path, kind: str, expected: bool
) -> None:
    facts = facts_of(tmp_path, [("Ado Model1", kind, 10, {})])
    assert must_fit(facts.kinds[kind]) == expected


def test_a_kind_must_fit_when_enough_of_it_say_what_it_goes_with(tmp_path: Path) -> None:
    fits = {"compatibility": "Model9"}
    often = [("Ado holster", "holster", 10, fits)] + [("Ado holster", "holster", 10, {})] * 4
    rarely = [("Ado kettle", "kettle", 10, fits)] + [("Ado kettle", "kettle", 10, {})] * 5
    facts = facts_of(tmp_path, [*often, *rarely])
    assert must_fit(facts.kinds["holster"])
    assert not must_fit(facts.kinds["kettle"])
