"""`evalkit train rewriter`: what is refused, and what the folder holds."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.append(str(Path(__file__).parents[1] / "training"))

from policy_shop import write_policy_shop
from small_bert import save_small_bert

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def train(evalkit: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    paths = write_policy_shop(tmp_path)
    given = [word for name, path in paths.items() for word in (f"--{name}", path)]

    def run(*more: object) -> Any:
        return evalkit("train", "rewriter", *given, "-o", tmp_path / "rewriter", *more)

    return run


def test_the_group_lists_its_trainers(evalkit: Callable[..., Any]) -> None:
    told = evalkit("train", "--help")
    assert told.code == 0
    assert "classifier" in told.out
    assert "rewriter" in told.out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--weights", "quality=1"], "--weights has 'quality=1'"),
        (["--weights", "relevance=much"], "--weights has 'relevance=much'"),
        (["--weights", "diversity=-1"], "diversity"),
        (["--held-out", "0.95"], "--held-out is 0.95"),
        (["--base", "./nowhere"], "./nowhere is not a folder"),
        (["--classifier", "."], "not a classifier's folder"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    train: Callable[..., Any], more: list[str], said: str
) -> None:
    done = train(*more)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_the_folder_holds_model_log_page_and_what_it_was_made_from(
    train: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    encoder = save_small_bert(tmp_path / "encoder")
    quick = ("--encoder", encoder, "--sft-epochs", 1, "--steps", 1, "--prompts", 2)
    weights = ("--samples", 2, "--candidates", 3, "--weights", "diversity=2")
    done = train(*quick, *weights)
    assert done.code == 0, done.err
    assert done.out == ""
    assert "On held-out queries: reward" in done.err
    folder = tmp_path / "rewriter"
    assert {path.name for path in folder.iterdir()} >= {
        *("model.safetensors", "config.json", "tokenizer.json", "policy.json", "log.jsonl"),
        *("tensorboard", "curves.html", "artefact.manifest.json"),
    }
    document = json.loads((folder / "policy.json").read_text())
    assert document["candidates"] == 3
    assert document["rewards"]["diversity"] == 2.0
    assert document["rewards"]["relevance"] == 1.0
    again = train(*quick, *weights)
    assert "is up to date" in again.err
