"""What the manifest of accepted rewrites names, when the chain makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from evalkit.manifest import read_manifest
from evalkit.rewriting.rules import RULES
from evalkit.synthesis.chain import ChainSettings, synthesize_all
from evalkit.synthesis.pairs import PairSettings

if TYPE_CHECKING:
    import pytest
    from conftest import Shop

SAMPLE = Path(__file__).parents[2] / "sample_data" / "products.jsonl"


def test_rewrites_are_filtered_again_when_what_is_known_changes(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in SAMPLE.read_text("utf-8").splitlines()]
    some = [row for row in rows if row["kind"] in ("jacket", "kettle", "smartphone")]
    products, folder = tmp_path / "products.jsonl", tmp_path / "made"
    products.write_text("".join(json.dumps(row) + "\n" for row in some), "utf-8")
    triples = tmp_path / "facts.csv"
    triples.write_text("subject,relation,object\nzorbane,is a,leather\n")
    chosen = ChainSettings(
        per_type=3,
        rewrites=2,
        model=str(shop.encoder),
        pairs=PairSettings(threshold=0.0, dev_share=0.0),
    )

    def made(**more: Any) -> tuple[str, Any]:
        capsys.readouterr()
        synthesize_all(
            products, folder, chosen, classifier=shop.classifier,
            rewrite_classifier=shop.rewrite_classifier, **more,
        )  # fmt: skip
        return capsys.readouterr().err, read_manifest(folder / "accepted.parquet")

    kept = f"{folder / 'accepted.parquet'} is up to date"
    _, first = made()
    assert first.settings["rules"] == RULES
    said, again = made()
    assert kept in said
    rewrites = pq.read_table(folder / "rewrites.parquet")
    said, known = made(triples=triples)
    assert pq.read_table(folder / "rewrites.parquet").equals(rewrites)  # only the rules differ
    assert kept not in said
    assert again.identity() == first.identity()
    assert {item.role for item in known.inputs} - {item.role for item in first.inputs} == {
        "triples"
    }
    said, other = made(reading={"mapping": {"product_id": "product_id"}})
    assert kept not in said
    assert other.settings["reading"] != first.settings["reading"]
