"""The checker against a plain loop over products that follows the rules one by one."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.constraints import Condition, Structure
from evalkit.constraints.checking import Checker
from evalkit.knowledge import read_catalogue, says

MATERIALS = ["cowhide leather", "faux leather", "cotton", "wool", "none", "polyester"]
COLOURS = ["red", "blue", "black"]
PRODUCT = st.fixed_dictionaries(
    {
        "material": st.lists(st.sampled_from(MATERIALS), unique=True, max_size=2),
        "colour": st.sampled_from([None, *COLOURS]),
        "hood": st.sampled_from([None, "none", "fixed", "no", "detachable"]),
        "price": st.sampled_from([None, 5.0, 10.0, 20.0]),
        "kind": st.sampled_from(["jacket", "shoe"]),
    }
)


def structure_of(
    kind: str | None, colours: list[str], materials: list[str], hood: bool, price: float | None
) -> Structure:
    required = [Condition("colour", tuple(colours))] if colours else []
    excluded = [Condition("material", tuple(materials))] if materials else []
    excluded += [Condition("hood")] if hood else []
    kinds = (kind,) if kind else ()
    return Structure("negative", kinds, tuple(required), tuple(excluded), price_max=price)


STRUCTURE = st.builds(
    structure_of,
    st.sampled_from([None, "jacket", "shoes"]),
    st.lists(st.sampled_from(COLOURS), unique=True, max_size=2),
    st.lists(st.sampled_from(["leather", "wool", "cotton"]), unique=True, max_size=2),
    st.booleans(),
    st.sampled_from([None, 10.0]),
)


def has(stated: list[str], value: str) -> int:
    """1 if a statement says the value, -1 if there are statements and none does."""
    if not stated:
        return 0
    return 1 if any(says(one, value) for one in stated) else -1


def by_hand(product: dict[str, Any], structure: Structure, colours: set[str]) -> int:
    verdicts = []
    if structure.kinds:
        verdicts.append(1 if structure.kinds[0].rstrip("s") == product["kind"] else -1)
    for condition in structure.required:
        stated = [product["colour"]] if product["colour"] else []
        # a value that no product states refutes nothing
        found = [has(stated, value) if value in colours else 0 for value in condition.values]
        verdicts.append(1 if 1 in found else -1 if set(found) == {-1} else 0)
    for condition in structure.excluded:
        if condition.values:
            found = [has(product["material"], value) for value in condition.values]
            verdicts.append(-1 if 1 in found else 1 if set(found) == {-1} else 0)
        elif product["hood"] is None:
            verdicts.append(0)
        else:
            verdicts.append(1 if product["hood"] in ("none", "no") else -1)
    if structure.price_max is not None:
        price = product["price"]
        verdicts.append(0 if price is None else 1 if price <= structure.price_max else -1)
    return min(verdicts, default=0)


def checker_of(products: list[dict[str, Any]]) -> Checker:
    rows = []
    for number, product in enumerate(products):
        stated = {name: product[name] for name in ("material", "colour", "hood") if product[name]}
        row = {"product_id": f"p{number}", "title": "Thing", "kind": product["kind"]}
        rows.append(
            {**row, "price": product["price"] or 0, "attributes": {"shelf": "left", **stated}}
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "products.jsonl"
        file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return Checker(read_catalogue(file, duckdb.connect()))


@settings(max_examples=60, deadline=None)
@given(st.lists(PRODUCT, min_size=1, max_size=8), st.lists(STRUCTURE, min_size=1, max_size=4))
def test_all_products_at_once_get_what_each_gets_by_hand(
    products: list[dict[str, Any]], structures: list[Structure]
) -> None:
    checker = checker_of(products)
    colours = {product["colour"] for product in products if product["colour"]}
    kinds = {product["kind"] for product in products}
    for structure in structures:
        if structure.kinds and structure.kinds[0].rstrip("s") not in kinds:
            continue  # the title decides then, which is another test
        expected = [by_hand(product, structure, colours) for product in products]
        assert checker.check(structure).verdict.tolist() == expected
        backwards = np.arange(len(products), dtype=np.int64)[::-1]
        assert checker.check(structure, backwards).verdict.tolist() == expected[::-1]
