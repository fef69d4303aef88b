"""Five products, three queries: what a stress test says of them can be worked out by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from evalkit.constraints import Condition, Structure
from evalkit.tables import write

if TYPE_CHECKING:
    from pathlib import Path

# id, title, brand, kind, price, attributes
PRODUCTS: tuple[tuple[str, str, str, str, float, dict[str, str]], ...] = (
    ("k1", "Ado glass kettle", "Ado", "kettle", 25.0, {"material": "glass"}),
    ("k2", "Bru steel kettle", "Bru", "kettle", 50.0, {"material": "stainless steel"}),
    ("k3", "Cor plastic kettle", "Cor", "kettle", 10.0, {"material": "plastic"}),
    ("k4", "Dov kettle", "Dov", "kettle", 40.0, {}),
    ("t1", "Ado oak table", "Ado", "table", 100.0, {"material": "oak"}),
)
QUERIES = (
    ("q1", "kettle without plastic",
     Structure("negative", ("kettle",), excluded=(Condition("material", ("plastic",)),))),
    ("q2", "kettle under $30", Structure("general", ("kettle",), price_max=30.0)),
    ("q3", "glass kettle",
     Structure("general", ("kettle",), (Condition("material", ("glass",)),))),
)  # fmt: skip
GOOD = {"q1": ("k1", "k2"), "q2": ("k1", "k3"), "q3": ("k1",)}
REWRITES = (("q1", "glass kettle", 1), ("q2", "small kettle", 1), ("q3", "clear glass kettle", 1))
PAIRS = (("q1", "k1", 1), ("q1", "k3", 0), ("q2", "k1", 1), ("q3", "k1", 1))


def write_products(folder: Path) -> Path:
    path = folder / "products.jsonl"
    names = ("product_id", "title", "brand", "kind", "price", "attributes")
    path.write_text(
        "".join(
            json.dumps({**dict(zip(names, row, strict=True)), "description": "Holds 1.7 l."}) + "\n"
            for row in PRODUCTS
        )
    )
    return path


def write_files(folder: Path) -> dict[str, Path]:
    """Write products, queries, judgments, rewrites and pairs; return them by role."""
    tables = {
        "queries": {
            "query_id": [row[0] for row in QUERIES],
            "query": [row[1] for row in QUERIES],
            "structure": [row[2].to_json() for row in QUERIES],
        },
        "judgments": {
            "query_id": [query for query in GOOD for _ in PRODUCTS],
            "product_id": [row[0] for _ in GOOD for row in PRODUCTS],
            "grade": [2 if row[0] in GOOD[query] else 1 for query in GOOD for row in PRODUCTS],
        },
        "rewrites": dict(
            zip(("query_id", "rewrite", "place"), map(list, zip(*REWRITES, strict=True)),
                strict=True)
        ),
        "pairs": dict(
            zip(("query_id", "product_id", "label"), map(list, zip(*PAIRS, strict=True)),
                strict=True)
        ),
    }  # fmt: skip
    files = {"products": write_products(folder)}
    connection = duckdb.connect()
    for kind, columns in tables.items():
        files[kind] = folder / f"{kind}.parquet"
        write(pa.table(columns), files[kind], kind=kind, connection=connection)  # type: ignore[arg-type]
    return files
