"""A shop of four things in four colours, and pairs whose labels follow from the colours.

Each is there in several materials, so that there are more products than a query shows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = ["red", "blue", "black", "white"]
MATERIALS = ["cotton", "leather", "steel"]
THINGS = ["jacket", "kettle", "lamp", "shoe"]
HELD_BACK = {("lamp", "white"), ("shoe", "red"), ("kettle", "black")}
"""Things and colours whose queries are for development."""


def write_shop(folder: Path) -> dict[str, Path]:
    """Write products, typed queries and pairs.

    For each thing and colour there is "red jacket" (red ones are right, the next colour is wrong)
    and "jacket without red" (the other colours in cotton are right, red is wrong). The general
    queries have no hard negatives where the colour is white.
    """
    folder.mkdir(parents=True, exist_ok=True)
    products = [
        {
            "product_id": f"{thing}-{colour}-{material}",
            "title": f"{colour} {thing} {material}",
            "kind": thing,
            "attributes": {"colour": colour},
        }
        for thing in THINGS
        for colour in COLOURS
        for material in MATERIALS
    ]
    queries, pairs = [], []
    for thing in THINGS:
        for colour in COLOURS:
            split = "dev" if (thing, colour) in HELD_BACK else "train"
            others = [each for each in COLOURS if each != colour]
            own = [f"{colour}-{material}" for material in MATERIALS]
            cotton = [f"{each}-cotton" for each in others]
            near = cotton[:2] if colour != "white" else []
            for kind, text, right, wrong in (
                ("general", f"{colour} {thing}", own, near),
                ("negative", f"{thing} without {colour}", cotton, own[:2]),
            ):
                query_id = f"{kind[0]}-{thing}-{colour}"
                condition = [{"attribute": "colour", "values": [colour]}]
                structure = {
                    "query_type": kind,
                    "kinds": [thing],
                    "required" if kind == "general" else "excluded": condition,
                }
                family = f"{kind}|{thing}|colour={colour}"
                queries.append([query_id, text, kind, json.dumps(structure), family])
                pairs += [
                    [query_id, text, f"{thing}-{each}", str(label), kind, family, split]
                    for label, shown in ((1, right), (0, wrong))
                    for each in shown
                ]
    files = {
        "products": folder / "products.jsonl",
        "queries": folder / "queries.tsv",
        "pairs": folder / "pairs.tsv",
    }
    files["products"].write_text("".join(json.dumps(row) + "\n" for row in products), "utf-8")
    write_rows(
        files["queries"], ["query_id", "query", "query_type", "structure", "family"], queries
    )
    write_rows(files["pairs"], PAIR_COLUMNS, pairs)
    return files


PAIR_COLUMNS = ["query_id", "query", "product_id", "label", "query_type", "family", "split"]


def write_rows(path: Path, columns: list[str], rows: list[list[str]]) -> None:
    """Write a table as TSV, with quotes doubled."""
    lines = [columns, *rows]
    path.write_text(
        "".join(
            "\t".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\n" for line in lines
        ),
        "utf-8",
    )
