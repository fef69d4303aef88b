"""Training a classifier: what is learnt, what is held out, what the folder holds."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from small_bert import save_small_bert

os.environ["HF_HUB_OFFLINE"] = "1"

from evalkit.cli import cli
from evalkit.errors import InputError, SettingsError
from evalkit.manifest import read_manifest
from evalkit.relevance import open_classifier
from evalkit.training.classifier import (
    ClassifierSettings,
    train_classifier,
    train_rewrite_classifier,
)

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = ["red", "blue", "black", "white"]
THINGS = ["jacket", "kettle", "lamp", "shoe"]
QUICK = ClassifierSettings(epochs=1, batch_size=16, max_length=16, heldout=0.3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_bert(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Queries for a thing in a colour; grade 2 has both, 1 the thing only, 0 neither."""
    folder = tmp_path_factory.mktemp("shop")
    products = [(f"{thing}-{colour}", f"{colour} {thing}", thing, colour)
                for thing in THINGS for colour in COLOURS]  # fmt: skip
    files = {name: folder / f"{name}.csv" for name in ("queries", "products", "judgments")}
    lines = ["product_id,title", *(f"{key},{title}" for key, title, _, _ in products)]
    files["products"].write_text("\n".join(lines) + "\n", "utf-8")
    lines = ["query_id,query", *(f"q-{key},{title}" for key, title, _, _ in products)]
    files["queries"].write_text("\n".join(lines) + "\n", "utf-8")
    lines = ["query_id,product_id,grade"]
    for one in products:
        for two in products:
            grade = 2 if one == two else int(one[2] == two[2])
            if grade or (len(one[0]) + len(two[0])) % 3 == 0:
                lines.append(f"q-{one[0]},{two[0]},{grade}")
    files["judgments"].write_text("\n".join(lines) + "\n", "utf-8")
    return files


def trained(out: Path, shop: dict[str, Path], base: Path, **changes: object) -> Path:
    arguments = {"settings": QUICK, "model": str(base), **changes}
    train_classifier(out, shop["judgments"], shop["queries"], shop["products"], **arguments)  # type: ignore[arg-type]
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shop: dict[str, Path], base: Path) -> Path:
    return trained(tmp_path_factory.mktemp("trained") / "classifier", shop, base)


def test_the_folder_opens_as_a_classifier_of_the_grades(folder: Path) -> None:
    classifier = open_classifier(folder)
    assert classifier.grades == (0.0, 1.0, 2.0)
    assert (classifier.good, classifier.max_length, classifier.fields) == (1.0, 16, ("title",))
    found = classifier.probabilities([("red jacket", "red jacket"), ("red jacket", "blue lamp")])
    assert found.sum(axis=1) == pytest.approx(np.ones(2))


def test_the_folder_holds_no_pickle_and_all_figures(folder: Path) -> None:
    names = {item.name for item in folder.iterdir()}
    assert {"model.safetensors", "calibration.json", "artefact.manifest.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl", ".pth"))]
    document = json.loads((folder / "calibration.json").read_text("utf-8"))
    assert document["method"] == "stacked"
    assert document["features"]["names"] == ["cosine", "shared_words"]
    assert document["features"]["encoder"]["fingerprint"].startswith("sha256:")
    assert [row["precision"] for row in document["thresholds"]] == [0.8, 0.9, 0.95]
    for when in ("before", "after"):
        figures = document["reliability"][when]
        assert 0 <= figures["brier"] <= 1
        assert sum(row["pairs"] for row in figures["bins"]) == document["heldout"]["pairs"]
    assert sum(map(sum, document["agreement"]["confusion"]["pairs"])) == figures["pairs"]


def test_the_manifest_says_what_it_was_made_of(folder: Path, shop: dict[str, Path]) -> None:
    manifest = read_manifest(folder)
    assert [item.role for item in manifest.inputs] == ["judgments", "queries", "products"]
    assert manifest.models[0]["role"] == "base"
    counts = manifest.counts
    lines = len(shop["judgments"].read_text("utf-8").splitlines()) - 1
    assert counts["learned"] + counts["heldout"] == counts["pairs"] == lines
    assert counts["learned_groups"] + counts["heldout_groups"] == 16


def test_the_same_seed_gives_the_same_bytes(
    folder: Path, shop: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    again = trained(tmp_path / "again", shop, base)
    for name in ("model.safetensors", "calibration.json", "config.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name


def test_what_is_up_to_date_is_not_trained_again(
    folder: Path, shop: dict[str, Path], base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "model.safetensors").stat().st_mtime_ns
    trained(folder, shop, base)
    assert "is up to date" in capsys.readouterr().err
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_another_seed_is_another_classifier(
    folder: Path, shop: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    out = trained(tmp_path / "other", shop, base, settings=replace(QUICK, seed=1))
    assert (out / "model.safetensors").read_bytes() != (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_rare_grades_can_count_more(
    balance: str, shop: dict[str, Path], base: Path, folder: Path, tmp_path: Path
) -> None:
    settings = replace(QUICK, balance=balance)  # type: ignore[arg-type]
    out = trained(tmp_path / "balanced", shop, base, settings=settings)
    assert (out / "model.safetensors").read_bytes() != (folder / "model.safetensors").read_bytes()


def test_training_stops_when_held_out_loss_stops_falling(
    shop: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    # far too fast a learner gets worse at once, so its best epoch is an early one
    settings = replace(QUICK, epochs=6, batch_size=8, learning_rate=0.5, patience=1)
    out = trained(tmp_path / "stopped", shop, base, settings=settings)
    assert open_classifier(out).score([("red jacket", "red jacket")]).shape == (1,)


def test_a_word_for_a_grade_needs_its_number(
    shop: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    words = tmp_path / "words.csv"
    text = shop["judgments"].read_text("utf-8")
    for number, word in enumerate("ISE"):
        text = text.replace(f",{number}\n", f",{word}\n")
    words.write_text(text, "utf-8")
    named = shop | {"judgments": words}
    with pytest.raises(InputError, match="--gains"):
        trained(tmp_path / "out", named, base)
    out = trained(tmp_path / "out", named, base, gains={"I": 0, "S": 1, "E": 3})
    assert open_classifier(out).grades == (0.0, 1.0, 3.0)


def test_good_must_divide_the_grades(shop: dict[str, Path], base: Path, tmp_path: Path) -> None:
    for good in (0.0, 3.0):
        with pytest.raises(SettingsError, match="--good"):
            trained(tmp_path / "out", shop, base, good=good)


def test_a_folder_of_somebody_else_is_not_replaced(
    shop: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it", "utf-8")
    with pytest.raises(SettingsError):
        trained(tmp_path / "mine", shop, base)
    assert (tmp_path / "mine" / "thesis.txt").read_text("utf-8") == "all of it"


# rewrites


def test_labelled_rewrites_train_a_classifier_of_two_grades(base: Path, tmp_path: Path) -> None:
    rows = ["query_id,query,rewrite,label,family"]
    for number, thing in enumerate(THINGS * 3):
        query = f"{thing} without leather"
        for text, label in ((f"cotton {thing}", 1), (f"leather {thing}", 0)):
            rows.append(f"q{number},{query},{text},{label},{thing}")
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("\n".join(rows) + "\n", "utf-8")
    settings = ClassifierSettings(epochs=1, max_length=16, heldout=0.25)
    done = train_rewrite_classifier(tmp_path / "out", labelled, settings=settings, model=str(base))
    classifier = open_classifier(tmp_path / "out")
    assert (classifier.grades, classifier.good, classifier.fields) == ((0.0, 1.0), 1.0, None)
    assert done.counts["heldout_groups"] == 1  # a whole family: one thing
    assert done.counts["heldout"] == 6


def test_a_label_is_nought_or_one(base: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("query_id,query,rewrite,label\nq1,a,b,1\nq2,a,c,maybe\n", "utf-8")
    with pytest.raises(InputError, match="neither 0 nor 1"):
        train_rewrite_classifier(tmp_path / "out", labelled, model=str(base))
    labelled.write_text("query_id,query,rewrite\nq1,a,b\n", "utf-8")
    with pytest.raises(InputError, match="no column label"):
        train_rewrite_classifier(tmp_path / "out", labelled, model=str(base))


def test_the_command_wants_one_kind_of_examples(tmp_path: Path) -> None:
    words = ["train", "classifier", "-o", str(tmp_path / "out")]
    for more in ([], ["--judgments", "j.csv", "--rewrites", "r.csv"]):
        found = CliRunner().invoke(cli, [*words, *more])
        assert isinstance(found.exception, SettingsError)
        assert "Give one of" in str(found.exception)
    found = CliRunner().invoke(cli, [*words, "--judgments", "j.csv", "--queries", "q.csv"])
    assert "--products" in str(found.exception)


@pytest.mark.slow
def test_minilm_learns_which_products_are_of_the_wanted_kind(
    shop: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "classifier"
    settings = ClassifierSettings(epochs=4, batch_size=8, max_length=16, heldout=0.3)
    train_classifier(out, shop["judgments"], shop["queries"], shop["products"], settings=settings)
    document = json.loads((out / "calibration.json").read_text("utf-8"))
    assert document["agreement"]["kappa_good"] > 0.3
    assert document["agreement"]["auc"] > 0.7
    classifier = open_classifier(out)
    right, wrong = classifier.score([("red lamp", "red lamp"), ("red lamp", "blue shoe")])
    assert right > wrong
