"""A classifier's folder with a very small BERT of random weights, and a shop to judge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

WORDS = [
    "red",
    "blue",
    "black",
    "jacket",
    "kettle",
    "lamp",
    "shoe",
    "boot",
    "cotton",
    "leather",
    "steel",
    "for",
    "with",
    "without",
]


def save_tiny_bert(folder: Path, labels: int = 3) -> Path:
    """Save an encoder with a vocabulary of a few words; weights are the same every time."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", "utf-8")
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        num_labels=labels,
        initializer_range=0.5,  # so that different texts have different scores
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_classifier(folder: Path, **changes: Any) -> Path:
    """Save a classifier that knows the grades 0, 1 and 2."""
    save_tiny_bert(folder)
    document = {
        "calibration": 1,
        "use": "products",
        "grades": [0.0, 1.0, 2.0],
        "good": 1.0,
        "max_length": 32,
        "fields": ["title"],
        "method": "temperature",
        "temperature": 1.0,
        "curves": [],
        "thresholds": [
            {"precision": 0.8, "threshold": 0.6},
            {"precision": 0.95, "threshold": None},
        ],
    } | changes
    (folder / "calibration.json").write_text(json.dumps(document), "utf-8")
    return folder


def write_shop(folder: Path, queries: int = 4, products: int = 6) -> dict[str, Path]:
    """Write queries, products and a run of every product for every query."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [f"{WORDS[number % 3]} {WORDS[3 + number % 5]}" for number in range(products)]
    paths = {name: folder / f"{name}.jsonl" for name in ("queries", "products", "run")}
    structure = {
        "query_type": "negative",
        "kinds": [],
        "excluded": [{"attribute": "material", "values": ["leather"]}],
    }
    rows: dict[str, list[dict[str, Any]]] = {
        "queries": [
            {"query_id": f"q{number:03d}", "query": f"{WORDS[number % 8]} without leather",
             "structure": json.dumps(structure)}
            for number in range(queries)
        ],
        "products": [
            {"product_id": f"p{number:03d}", "title": text, "kind": text.split()[1],
             "attributes": {"material": ["leather", "cotton", "steel"][number % 3]}}
            for number, text in enumerate(texts)
        ],
        "run": [
            {"query_id": f"q{one:03d}", "product_id": f"p{two:03d}", "rank": two + 1}
            for one in range(queries)
            for two in range(products)
        ],
    }  # fmt: skip
    for name, path in paths.items():
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[name]), "utf-8")
    return paths
