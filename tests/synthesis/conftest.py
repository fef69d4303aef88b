"""A shop of 29 products, what people ask of it, its indexes and a small classifier."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

from evalkit.constraints import Condition, Reference, Structure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from making_pairs import Rows

# id, title, kind, brand, price, attributes
PRODUCTS: tuple[tuple[str, str, str, str, float | None, dict[str, str]], ...] = (
    ("b1", "black rubber boots", "boots", "Almo", 40, {"material": "rubber"}),
    ("b2", "green rubber boots", "boots", "Almo", 42, {"material": "rubber"}),
    ("b3", "red rubber boots", "boots", "Norvik", 44, {"material": "rubber"}),
    ("b4", "blue rubber boots", "boots", "Norvik", 46, {"material": "rubber"}),
    ("b5", "yellow rubber boots", "boots", "Tessera", 48, {"material": "rubber"}),
    ("b6", "white rubber boots", "boots", "Tessera", 50, {"material": "rubber"}),
    ("j1", "black leather jacket", "jacket", "Almo", 200, {"material": "leather"}),
    ("j2", "red leather jacket", "jacket", "Norvik", 220, {"material": "leather"}),
    ("j3", "blue leather jacket", "jacket", "Tessera", 240, {"material": "leather"}),
    ("j4", "red cotton jacket", "jacket", "Almo", 60, {"material": "cotton"}),
    ("j5", "blue cotton jacket", "jacket", "Norvik", 62, {"material": "cotton"}),
    ("j6", "black nylon jacket", "jacket", "Tessera", 80, {"material": "nylon"}),
    ("j7", "green nylon jacket", "jacket", "Almo", 82, {"material": "nylon"}),
    ("j8", "white wool jacket", "jacket", "Norvik", 90, {"material": "wool"}),
    ("j9", "yellow jacket", "jacket", "Tessera", 55, {}),
    ("k1", "red steel kettle", "kettle", "Almo", 30, {"colour": "red", "material": "steel"}),
    ("k2", "red glass kettle", "kettle", "Norvik", 32, {"colour": "red", "material": "glass"}),
    ("k3", "blue steel kettle", "kettle", "Tessera", 34, {"colour": "blue", "material": "steel"}),
    ("k4", "blue glass kettle", "kettle", "Almo", 36, {"colour": "blue", "material": "glass"}),
    ("k5", "black steel kettle", "kettle", "Norvik", 38, {"colour": "black", "material": "steel"}),
    ("k6", "white steel kettle", "kettle", "Tessera", 39, {"colour": "white", "material": "steel"}),
    ("k7", "green glass kettle", "kettle", "Almo", 41, {"colour": "green", "material": "glass"}),
    ("k8", "yellow glass kettle", "kettle", "Norvik", 43,
     {"colour": "yellow", "material": "glass"}),
    ("l1", "vantrel steel lamp", "lamp", "Vantrel", 300, {"material": "steel"}),
    ("l2", "vantrel glass lamp", "lamp", "Vantrel", 300, {"material": "glass"}),
    ("l3", "almo steel lamp", "lamp", "Almo", 50, {"material": "steel"}),
    ("l4", "norvik glass lamp", "lamp", "Norvik", 60, {"material": "glass"}),
    ("l5", "tessera steel lamp", "lamp", "Tessera", 400, {"material": "steel"}),
    ("l6", "norvik steel lamp", "lamp", "Norvik", None, {"material": "steel"}),
)  # fmt: skip
TITLES = {row[0]: row[1] for row in PRODUCTS}

QUERIES: dict[str, tuple[str, Structure]] = {
    "boots": (
        "boots without rubber",
        Structure("negative", ("boots",), excluded=(Condition("material", ("rubber",)),)),
    ),
    "jacket": (
        "jacket without leather",
        Structure("negative", ("jacket",), excluded=(Condition("material", ("leather",)),)),
    ),
    "kettle": (
        "red kettle",
        Structure("general", ("kettle",), required=(Condition("colour", ("red",)),)),
    ),
    "lamp": (
        "lamp cheaper than vantrel",
        Structure("alternative", ("lamp",), reference=Reference("vantrel", "Vantrel")),
    ),
    "tea": (
        "something for a cosy tea",
        Structure(
            "knowledge",
            ("kettle",),
            required=(Condition("material", ("glass",)),),
            need="a cosy tea",
        ),
    ),
}
REWRITES: dict[str, tuple[str, ...]] = {
    "boots": ("leather boots",),
    "jacket": ("cotton jacket", "nylon jacket"),
    "kettle": ("red steel kettle",),
    "lamp": ("almo lamp", "norvik lamp"),
    "tea": ("glass kettle", "green kettle"),
}
# what the catalogue states, read by a person
PASS = {
    "boots": set(),
    "jacket": {"j4", "j5", "j6", "j7", "j8"},
    "kettle": {"k1", "k2"},
    "lamp": {"l3", "l4"},
    "tea": {"k2", "k4", "k7", "k8"},
}
UNKNOWN = {"boots": set(), "jacket": {"j9"}, "kettle": set(), "lamp": {"l6"}, "tea": set()}
WORDS = sorted({word for title in TITLES.values() for word in title.split()} | {"for", "tea"})


def save_small_model(folder: Path, labels: int | None = None, words: Sequence[str] = WORDS) -> Path:
    """Save a very small BERT of random weights: an encoder, or with labels a cross-encoder."""
    import torch
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        BertModel,
        BertTokenizerFast,
    )

    folder.mkdir(parents=True)
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
        num_labels=labels or 2,
        initializer_range=0.5,  # so that different texts have different scores
    )
    model = BertModel(config) if labels is None else BertForSequenceClassification(config)
    model.save_pretrained(folder)
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=128)
    tokenizer.save_pretrained(folder)
    return folder


def save_small_classifier(folder: Path, use: str = "products") -> Path:
    """Save a classifier of the grades 0 and 1, with a threshold for precision 0.8 only."""
    save_small_model(folder, labels=2)
    document = {
        "calibration": 1,
        "use": use,
        "grades": [0.0, 1.0],
        "good": 1.0,
        "max_length": 64,
        "fields": ["title"],
        "method": "temperature",
        "temperature": 1.0,
        "curves": [],
        "thresholds": [
            {"precision": 0.8, "threshold": 0.5},
            {"precision": 0.9, "threshold": None},
        ],
    }
    (folder / "calibration.json").write_text(json.dumps(document), "utf-8")
    return folder


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_queries(path: Path, queries: Mapping[str, tuple[str, Structure]]) -> Path:
    return write_rows(
        path,
        [
            {
                "query_id": query_id,
                "query": query,
                "query_type": structure.query_type,
                "structure": structure.to_json(),
            }
            for query_id, (query, structure) in queries.items()
        ],
    )


def write_rewrites(path: Path, rewrites: Mapping[str, Sequence[str]], **more: Any) -> Path:
    return write_rows(
        path,
        [
            {"query_id": query_id, "rewrite": text, "place": place, **more}
            for query_id, texts in rewrites.items()
            for place, text in enumerate(texts, start=1)
        ],
    )


@dataclass(frozen=True)
class Shop:
    """Files and folders of the shop."""

    folder: Path
    products: Path
    queries: Path
    rewrites: Path
    lexical: Path
    dense: Path
    encoder: Path
    classifier: Path
    rewrite_classifier: Path

    def pairs(self, output: Path, **changes: Any) -> Any:
        """Make pairs of the shop; return the manifest."""
        from evalkit.synthesis.pairs import synthesize_pairs

        given: dict[str, Any] = {
            "queries": self.queries,
            "rewrites": self.rewrites,
            "products": self.products,
            "indexes": (self.lexical, self.dense),
            "classifier": self.classifier,
        }
        return synthesize_pairs(output=output, **(given | changes))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    from evalkit.retrieval import (
        LexicalSettings,
        VectorIndexSettings,
        index_products,
        open_encoder,
    )

    folder = tmp_path_factory.mktemp("shop")
    os.environ["EVALKIT_CACHE"] = str(folder / "cache")
    names = ("product_id", "title", "kind", "brand", "price", "attributes")
    products = write_rows(
        folder / "products.jsonl", [dict(zip(names, row, strict=True)) for row in PRODUCTS]
    )
    encoder = save_small_model(folder / "encoder")
    index_products(products, folder / "lexical.index", LexicalSettings())
    index_products(
        products, folder / "dense.index", VectorIndexSettings(), encoder=open_encoder(str(encoder))
    )
    return Shop(
        folder,
        products,
        write_queries(folder / "queries.jsonl", QUERIES),
        write_rewrites(folder / "rewrites.jsonl", REWRITES),
        folder / "lexical.index",
        folder / "dense.index",
        encoder,
        save_small_classifier(folder / "classifier"),
        save_small_classifier(folder / "rewrite-classifier", "rewrites"),
    )


@pytest.fixture(scope="session")
def both(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Rows]:
    """Pairs and candidates of the shop with the probability 0.5 and no development split."""
    from making_pairs import made

    return made(shop, tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="session")
def scores(shop: Shop) -> Any:
    """The probability that the classifier gives a text and a product."""
    from evalkit.relevance import open_classifier

    classifier = open_classifier(shop.classifier)
    return lambda text, product: float(classifier.score([(text, TITLES[product])])[0])
