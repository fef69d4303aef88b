"""A shop of four dozen products, queries of two types, and rewrites that were accepted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.constraints import Condition, Structure

if TYPE_CHECKING:
    from pathlib import Path

MATERIALS = {
    "jacket": ["cotton", "leather", "wool", "nylon"],
    "kettle": ["steel", "glass", "copper", "plastic"],
    "lamp": ["brass", "paper", "glass", "oak"],
    "table": ["oak", "pine", "marble", "steel"],
    "bag": ["canvas", "leather", "nylon", "straw"],
    "mug": ["porcelain", "glass", "steel", "bamboo"],
}
COLOURS = ["black", "white"]
ASKED = ["{} without {}", "{} but no {}", "{} not {}"]


def write_policy_shop(folder: Path) -> dict[str, Path]:
    """Write products, queries and rewrites; return their paths by these names."""
    products, queries, rewrites = [], [], []
    for kind, materials in MATERIALS.items():
        for material in materials:
            for colour in COLOURS:
                products.append(
                    {
                        "product_id": f"p{len(products):03d}",
                        "title": f"{colour} {material} {kind}".capitalize(),
                        "kind": kind,
                        "attributes": {"material": material, "colour": colour},
                    }
                )
            stated = (Condition("material", (material,)),)
            without = Structure("negative", (kind,), excluded=stated)
            others = [f"{each} {kind}" for each in materials if each != material]
            for words in ASKED:
                family = f"negative|{kind}|material={material}"
                queries.append((words.format(kind, material), without, family))
                rewrites.append([*others, f"{COLOURS[0]} {others[0]}"])
            of = Structure("general", (kind,), required=stated)
            queries.append((f"{material} {kind}s", of, f"general|{kind}|material={material}"))
            said = f"{material} {kind}"
            rewrites.append([said, *(f"{colour} {said}" for colour in COLOURS)])
    paths = {name: folder / f"{name}.parquet" for name in ("queries", "rewrites")}
    paths["products"] = folder / "products.jsonl"
    paths["products"].write_text("".join(json.dumps(each) + "\n" for each in products))
    ids = [f"q{number:03d}" for number in range(len(queries))]
    pq.write_table(
        pa.table(
            {
                "query_id": ids,
                "query": [query for query, _, _ in queries],
                "query_type": [structure.query_type for _, structure, _ in queries],
                "structure": [structure.to_json() for _, structure, _ in queries],
                "family": [family for _, _, family in queries],
            }
        ),
        paths["queries"],
    )
    rows = [
        (query_id, text, place)
        for query_id, texts in zip(ids, rewrites, strict=True)
        for place, text in enumerate(texts, start=1)
    ]
    rows.append((ids[0], "leather kettle", 9))
    pq.write_table(
        pa.table(
            {
                "query_id": [row[0] for row in rows],
                "rewrite": [row[1] for row in rows],
                "place": [row[2] for row in rows],
                "accepted": [row[2] < 9 for row in rows],
            }
        ),
        paths["rewrites"],
    )
    return paths
