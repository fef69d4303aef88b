"""`evalkit train retriever`, and that its folder indexes and retrieves."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "training"))
os.environ["HF_HUB_OFFLINE"] = "1"

from retriever_shop import write_shop
from small_bert import save_small_bert

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    return {**write_shop(tmp_path / "shop"), "base": save_small_bert(tmp_path / "base")}


def test_the_trained_folder_indexes_and_retrieves(
    shop: dict[str, Path], tmp_path: Path, evalkit: Callable[..., Any]
) -> None:
    out, index, run = (tmp_path / name for name in ("retriever", "index", "run.jsonl"))
    done = evalkit(
        *("train", "retriever", "--pairs", shop["pairs"], "--queries", shop["queries"]),
        *("--products", shop["products"], "--model", shop["base"], "-o", out, "--fields", "title"),
        *("--batch-size", 8, "--learning-rate", 0.003, "--max-length", 16, "--general-share", -1),
        *("--cached", "--mini-batch", 4, "--hard-negatives", "once", "--epochs", 3),
    )
    assert (done.code, done.out) == (0, "")
    assert "s. mean (6 dev queries): Item Goodrate@10" in done.err
    settings = json.loads((out / "retriever.json").read_text("utf-8"))["settings"]
    assert (settings["cached"], settings["general_share"]) == (True, None)
    done = evalkit("index", "--products", shop["products"], "--model", out, "--fields", "title",
                   "-o", index)  # fmt: skip
    assert done.code == 0, done.err
    done = evalkit("retrieve", "--queries", shop["queries"], "--index", index, "--k", 3, "-o", run)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in run.read_text("utf-8").splitlines()]
    assert len(rows) == 32 * 3
    learnt = [row for row in rows if row["query_id"] == "g-jacket-black" and row["rank"] == 1]
    assert learnt[0]["product_id"].startswith("jacket-black")


def test_a_missing_column_is_told_in_a_line(
    shop: dict[str, Path], tmp_path: Path, evalkit: Callable[..., Any]
) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("query_id,product_id,query,label\nq,lamp-red-steel,lamp,1\n", "utf-8")
    done = evalkit(
        *("train", "retriever", "--pairs", file, "--products", shop["products"]),
        *("--model", shop["base"], "-o", tmp_path / "out"),
    )
    assert done.code == 2
    assert "no column split" in done.err
    assert not (tmp_path / "out").exists()
