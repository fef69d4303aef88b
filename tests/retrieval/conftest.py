"""A small catalogue, a model and a cache folder, made once."""

import json
import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

from evalkit.retrieval import SentenceEncoder, open_encoder

KINDS = ["running shoes", "hair dryer", "kettle", "headphones", "desk lamp", "garden hose"]
COLOURS = ["red", "blue", "black", "white", "green"]
MATERIALS = ["leather", "steel", "cotton"]


def catalogue() -> list[dict[str, object]]:
    """90 products: every kind in every colour and material, two of them with the same text."""
    rows: list[dict[str, object]] = []
    for kind in KINDS:
        for colour in COLOURS:
            for material in MATERIALS:
                number = len(rows)
                rows.append(
                    {
                        "product_id": f"p{number:03d}",
                        "title": f"{colour.title()} {kind}",
                        "brand": ["Norvik", "Almo", "Tessera"][number % 3],
                        "description": f"A {material} {kind} for every day.",
                        "attributes": {"material": material, "colour": colour},
                    }
                )
    twin = {name: rows[7][name] for name in ("title", "brand", "description", "attributes")}
    rows[8] = {"product_id": "p008", **twin}
    return rows


def write_products(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep embeddings of this test session away from the user's."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["EVALKIT_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def encoder() -> SentenceEncoder:
    """The default model, loaded once."""
    return open_encoder()


@pytest.fixture(scope="session")
def products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_products(tmp_path_factory.mktemp("shop") / "products.jsonl", catalogue())


@pytest.fixture(scope="session")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("asked") / "queries.csv"
    path.write_text(
        "query_id,query\nq1,red leather running shoes\nq2,water boiler for tea\n"
        "q3,something to dry my hair\nq10,blue headphones\n",
        "utf-8",
    )
    return path
