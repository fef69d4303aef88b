"""A shop of two dozen products, small enough to know by heart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb

from evalkit.constraints import Condition, Reference, Structure
from evalkit.knowledge import build_graph, read_catalogue
from evalkit.rewriting import TypedQuery

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.knowledge import Graph

# title, brand, kind, price, description, attributes
_ROWS: list[tuple[str, str, str, float, str, dict[str, Any]]] = [
    ("Maison Orle Atelier nappa leather jacket, black", "Maison Orle", "jacket", 1200, "",
     {"material": "nappa leather", "hood": "none", "colour": "black"}),
    ("Corvina Rua nappa leather jacket, brown", "Corvina", "jacket", 180, "",
     {"material": "nappa leather", "hood": "none", "colour": "brown"}),
    ("Baska Lumo nappa leather jacket, brown", "Baska", "jacket", 150, "",
     {"material": "nappa leather", "hood": "none", "colour": "brown"}),
    ("Corvina Vega biker jacket, black", "Corvina", "jacket", 90, "",
     {"material": ["polyurethane", "polyester"], "hood": "none", "colour": "black"}),
    ("Baska Neo biker jacket, black", "Baska", "jacket", 80, "",
     {"material": ["polyurethane", "polyester"], "hood": "none", "colour": "black"}),
    ("Corvina Miro waxed cotton field jacket, olive", "Corvina", "jacket", 120, "",
     {"material": "waxed cotton", "hood": "fixed", "colour": "olive"}),
    ("Harrow Moor waxed cotton field jacket, black", "Harrow", "jacket", 110, "",
     {"material": "waxed cotton", "hood": "fixed", "colour": "black"}),
    ("Harrow Fell quilted down jacket, blue", "Harrow", "jacket", 160,
     "For freezing wind on a mountain.", {"material": "nylon", "hood": "fixed", "colour": "blue"}),
    ("Baska Alp quilted down jacket, red", "Baska", "jacket", 170,
     "Keeps freezing wind out.", {"material": "nylon", "hood": "fixed", "colour": "red"}),
    ("Vantrel Aria glass kettle, 1.7 l", "Vantrel", "kettle", 200, "",
     {"material": "glass", "power": "mains"}),
    ("Hemi Uno glass kettle, 1.7 l", "Hemi", "kettle", 30, "",
     {"material": "glass", "power": "mains"}),
    ("Potluck Due steel kettle, 1 l", "Potluck", "kettle", 25, "",
     {"material": "stainless steel", "power": "hob"}),
    ("Hemi Tre steel kettle, 1 l", "Hemi", "kettle", 28, "",
     {"material": "stainless steel", "power": "hob"}),
    ("Hemi Quad oak table", "Hemi", "table", 300, "", {"material": "oak"}),
    ("Byggd Penta oak table", "Byggd", "table", 280, "", {"material": "oak"}),
]  # fmt: skip


def write_shop(folder: Path) -> Path:
    path = folder / "products.jsonl"
    path.write_text(
        "".join(
            json.dumps({"product_id": f"p{number:02d}", "title": title, "brand": brand,
                        "kind": kind, "price": price, "description": text, "attributes": stated})
            + "\n"
            for number, (title, brand, kind, price, text, stated) in enumerate(_ROWS)
        )
    )  # fmt: skip
    return path


def make_graph(folder: Path) -> Graph:
    with duckdb.connect() as connection:
        return build_graph(read_catalogue(write_shop(folder), connection))


def negative(query: str, *excluded: Condition, **more: Any) -> TypedQuery:
    kinds = more.pop("kinds", ("jacket",))
    return TypedQuery("q1", query, Structure("negative", kinds, excluded=excluded, **more))


def alternative(query: str, reference: Reference, **more: Any) -> TypedQuery:
    return TypedQuery("q1", query, Structure("alternative", reference=reference, **more))
