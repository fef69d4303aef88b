"""A classifier of products and one of rewrites are not taken for each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

TABLES = {
    "products.csv": "product_id,title,kind\np1,red jacket,jacket\n",
    "queries.csv": "query_id,query\nq1,red jacket\n",
    "rewrites.csv": "query_id,rewrite\nq1,red coat\n",
    "run.csv": "query_id,product_id,rank\nq1,p1,1\n",
}
SHOP = "--queries queries.csv --products products.csv"
OF_PRODUCTS = {
    "judge": f"judge --run run.csv {SHOP} --classifier of-rewrites -o out.csv",
    "pairs": f"synthesize pairs {SHOP} --rewrites rewrites.csv --index i --classifier of-rewrites "
    "-o out.csv",
    "chain": "synthesize all --products products.csv --classifier of-rewrites -o out",
    "stress": f"stress {SHOP} --classifier of-rewrites -o out.csv",
}
OF_REWRITES = {
    "rewrites": "relevance rewrites --queries queries.csv --rewrites rewrites.csv "
    "--classifier of-products -o out.csv",
    "chain": "synthesize all --products products.csv --rewrite-classifier of-products -o out",
    "stress": f"stress {SHOP} --rewrite-classifier of-products -o out.csv",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from safetensors.numpy import save_file

    for name, text in TABLES.items():
        (tmp_path / name).write_text(text, "utf-8")
    for use in ("products", "rewrites"):
        folder = tmp_path / f"of-{use}"
        folder.mkdir()
        document = {
            "calibration": 1, "use": use, "grades": [0, 1], "good": 1, "max_length": 32,
            "method": "temperature", "temperature": 1.0, "curves": [], "thresholds": [],
        }  # fmt: skip
        (folder / "calibration.json").write_text(json.dumps(document))
        (folder / "config.json").write_text("{}")
        save_file({}, folder / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(command: str) -> str:
    with pytest.raises(ModelError) as caught:
        CliRunner().invoke(cli, command.split(), catch_exceptions=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", OF_PRODUCTS)
def test_a_classifier_of_rewrites_does_not_judge_products(name: str, here: Path) -> None:
    message = refused(OF_PRODUCTS[name])
    assert "of-rewrites is a classifier of rewrites, and one of products is needed" in message
    assert "--judgments" in message
    assert not list(here.glob("out*/*"))


@pytest.mark.parametrize("name", OF_REWRITES)
def test_a_classifier_of_products_does_not_judge_rewrites(name: str, here: Path) -> None:
    message = refused(OF_REWRITES[name])
    assert "of-products is a classifier of products, and one of rewrites is needed" in message
    assert "--pairs rewrites" in message
    assert not list(here.glob("out*/*"))
