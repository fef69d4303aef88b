"""A few kinds of the sample shop, what people ask of them, and an encoder of their words."""

from __future__ import annotations

import csv
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAMPLE = Path(__file__).parents[2] / "sample_data"
KINDS = ("headphones", "jacket", "kettle", "lamp", "boots", "smartphone", "sofa")


@dataclass(frozen=True)
class Place:
    """A folder with products.jsonl, queries.csv, judgments.csv and encoder/."""

    folder: Path

    def describe(self, text: str, name: str = "experiment.yaml") -> Path:
        """Write an experiment beside the files."""
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Embeddings of these tests are kept apart from the user's."""
    before = os.environ.get("EVALKIT_CACHE")
    os.environ["EVALKIT_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["EVALKIT_CACHE"]
    else:
        os.environ["EVALKIT_CACHE"] = before


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("shop")
    lines = (SAMPLE / "products.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["kind"] in KINDS]
    (folder / "products.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    products = {row["product_id"] for row in rows}
    grades = read_rows(SAMPLE / "judgments.csv")
    kept = [row for row in grades if row["product_id"] in products]
    good = {row["query_id"] for row in kept if float(row["grade"]) >= 2}
    queries = [row for row in read_rows(SAMPLE / "queries.csv") if row["query_id"] in good]
    write_rows(folder / "queries.csv", queries)
    write_rows(folder / "judgments.csv", [row for row in kept if row["query_id"] in good])
    words = {word for row in rows for word in re.findall("[a-z]+", row["title"].lower())}
    save_small_model(folder / "encoder", sorted(words))
    return Place(folder)


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def save_small_model(folder: Path, words: Sequence[str]) -> None:
    """Save a very small BERT of random weights."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir()
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(known) + "\n", "utf-8")
    torch.manual_seed(6)
    config = BertConfig(
        vocab_size=len(known),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=128,
        initializer_range=0.5,  # so that different texts have different scores
    )
    BertModel(config).save_pretrained(folder)
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=128)
    tokenizer.save_pretrained(folder)
