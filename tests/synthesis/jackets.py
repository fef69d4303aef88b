"""A catalogue small enough to be counted by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb

from evalkit.knowledge import read_catalogue
from evalkit.synthesis.queries_facts import Facts

if TYPE_CHECKING:
    from pathlib import Path

# id, brand, price, attributes
ROWS = (
    (
        "j1",
        "Ado",
        20,
        {"hood": "none", "material": "cowhide leather", "sleeve_length": "2", "zipper": "none"},
    ),
    (
        "j2",
        "Ado",
        30,
        {"hood": "none", "material": "cotton", "sleeve_length": "2.5", "zipper": "none"},
    ),
    ("j3", "Bru", 40, {"hood": "none", "material": ["cotton", "faux leather"], "zipper": "none"}),
    ("j4", "Bru", 50, {"hood": "fixed", "material": "nylon", "zipper": "none"}),
    ("j5", "Lux", 200, {"hood": "detachable", "material": "nappa leather"}),
    ("j6", "Lux", 300, {"material": "wool"}),
    ("j7", "Lux", None, {}),
)


def write_jackets(folder: Path) -> Path:
    """Write the catalogue and return its file."""
    path = folder / "jackets.jsonl"
    path.write_text(
        "".join(
            json.dumps(
                {
                    "product_id": product,
                    "title": f"{brand} Model{product.upper()} jacket",
                    "brand": brand,
                    "kind": "jacket",
                    "price": price,
                    "attributes": attributes,
                }
            )
            + "\n"
            for product, brand, price, attributes in ROWS
        )
    )
    return path


def facts_of(folder: Path) -> Facts:
    """Read the catalogue's facts."""
    return Facts(read_catalogue(write_jackets(folder), duckdb.connect()))
