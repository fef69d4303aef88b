"""From a catalogue to training pairs in one command, with a small model and with a real one."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import conftest
import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from conftest import write_queries, write_rows

from evalkit.cli import cli
from evalkit.constraints import Structure
from evalkit.constraints.checking import Checker
from evalkit.constraints.families import split_families
from evalkit.errors import SettingsError
from evalkit.knowledge import build_graph, read_catalogue
from evalkit.manifest import read_manifest
from evalkit.relevance import open_classifier
from evalkit.relevance.rewrite_scorers import TOPIC_THRESHOLD
from evalkit.synthesis.chain import ChainSettings, synthesize_all

if TYPE_CHECKING:
    from conftest import Shop

    Rows = list[dict[str, Any]]

SAMPLE = Path(__file__).parents[2] / "sample_data" / "products.jsonl"
KINDS = ("headphones", "jacket", "kettle", "lamp", "boots", "smartphone", "sofa")
TABLES = ("queries", "rewrites", "accepted", "graded-queries", "grades", "candidates", "pairs")
FOLDERS = ("lexical.index", "dense.index", "classifier")


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A few kinds of the sample catalogue, and a small encoder that knows their words."""
    folder = tmp_path_factory.mktemp("some")
    with SAMPLE.open(encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["kind"] in KINDS]
    words = {word for row in rows for word in re.findall("[a-z]+", row["title"].lower())}
    encoder = conftest.save_small_model(folder / "encoder", words=sorted(words))
    return write_rows(folder / "products.jsonl", rows), encoder


def chain(products: Path, folder: Path, *more: str) -> Result:
    arguments = ["synthesize", "all", "--products", str(products), "-o", str(folder), *more]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def check(products: Path, folder: Path) -> None:
    """Check what must hold of every chain, whatever the models."""
    queries: Rows = pq.read_table(folder / "queries.parquet").to_pylist()
    pairs: Rows = pq.read_table(folder / "pairs.parquet").to_pylist()
    structures = {row["query_id"]: Structure.from_json(row["structure"]) for row in queries}
    catalogue = read_catalogue(products, duckdb.connect())
    checker = Checker(catalogue, build_graph(catalogue))
    kept: dict[str, list[str]] = defaultdict(list)
    splits: dict[str, set[str]] = defaultdict(set)
    threshold = read_manifest(folder / "pairs.parquet").settings["threshold"]
    for row in pairs:
        for family in split_families(row["family"]):
            splits[family].add(row["split"])
        if row["label"]:
            kept[row["query_id"]].append(row["product_id"])
            assert row["check"] == "pass"
            assert row["probability"] >= threshold
    for query_id, products_kept in kept.items():
        found = checker.check(structures[query_id], catalogue.numbers_of(products_kept))
        assert found.verdict.tolist() == [1] * len(products_kept), query_id
    assert {len(found) for found in splits.values()} == {1}
    assert {row["query_id"] for row in pairs} == kept.keys()
    types = {row["query_type"] for row in pairs if row["label"]}
    assert types == {"alternative", "general", "knowledge", "negative"}
    accepted = {(row["query_id"], row["rewrite"])
                for row in pq.read_table(folder / "accepted.parquet").to_pylist()
                if row["accepted"]}  # fmt: skip
    found_by = {(row["query_id"], row["rewrite"]) for row in pairs if row["rewrite_place"]}
    assert found_by
    assert found_by <= accepted


def test_one_command_goes_from_a_catalogue_to_pairs(
    some: tuple[Path, Path], tmp_path: Path
) -> None:
    products, encoder = some
    folder = tmp_path / "training"
    options = ("--per-type", "6", "--model", str(encoder), "--threshold", "0.2")
    done = chain(products, folder, *options)
    assert done.exit_code == 0, done.output
    check(products, folder)
    for name in TABLES:
        assert read_manifest(folder / f"{name}.parquet").outputs
    for name in FOLDERS:
        assert read_manifest(folder / name).outputs
    assert len(pq.read_table(folder / "queries.parquet")) == 24
    # every step was made with the model that was given
    fingerprint = read_manifest(folder / "dense.index").models[0]["fingerprint"]
    for name in ("classifier", "accepted.parquet"):
        assert read_manifest(folder / name).models[0]["fingerprint"] == fingerprint
    assert read_manifest(folder / "accepted.parquet").settings["threshold"] == TOPIC_THRESHOLD
    assert not (folder / "rewrite-classifier").exists()
    # the pairs name the judge that filtered them
    judge = read_manifest(folder / "pairs.parquet").models[0]["fingerprint"]
    assert judge == open_classifier(folder / "classifier").fingerprint
    for name in ("card.html", "card.md", "queries.md"):
        assert (folder / name).stat().st_size > 1000

    before = {path: (path.stat().st_mtime_ns, path.read_bytes())
              for path in folder.rglob("*") if path.is_file()}  # fmt: skip
    again = chain(products, folder, *options)
    assert again.exit_code == 0, again.output
    assert again.stderr.count("is up to date") == 8
    assert "Training" not in again.stderr
    for path, (modified, content) in before.items():
        assert path.read_bytes() == content, path
        assert path.name.startswith("card.") or path.stat().st_mtime_ns == modified, path

    # what was lost is made again, and nothing else
    (folder / "rewrites.parquet").unlink()
    third = chain(products, folder, *options)
    assert third.stderr.count("is up to date") == 7
    for path, (modified, content) in before.items():
        if path.name != "rewrites.parquet.manifest.json":  # it says when
            assert path.read_bytes() == content, path
        if not path.name.startswith(("card.", "rewrites.")):
            assert path.stat().st_mtime_ns == modified, path


def test_models_that_are_there_are_not_trained(
    shop: Shop, some: tuple[Path, Path], tmp_path: Path
) -> None:
    products, encoder = some
    held_out = write_queries(tmp_path / "held.jsonl", {"e": conftest.QUERIES["jacket"]})
    done = chain(
        products, tmp_path / "out", "--per-type", "4", "--n", "2", "--model", str(encoder),
        "--threshold", "0", "--classifier", str(shop.classifier),
        "--rewrite-classifier", str(shop.rewrite_classifier), "--held-out", str(held_out),
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Training" not in done.stderr
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made.isdisjoint({"classifier", "grades.parquet"})
    filtered = read_manifest(tmp_path / "out" / "accepted.parquet")
    judge = open_classifier(shop.rewrite_classifier)
    assert filtered.models[0]["fingerprint"] == judge.fingerprint
    assert filtered.settings["threshold"] == 0.5
    manifest = read_manifest(tmp_path / "out" / "pairs.parquet")
    assert manifest.models[0]["fingerprint"] == open_classifier(shop.classifier).fingerprint
    assert "held_out" in {item.role for item in manifest.inputs}
    rewrites = pq.read_table(tmp_path / "out" / "rewrites.parquet").to_pylist()
    assert max(row["place"] for row in rewrites) == 2


def test_a_few_queries_of_each_type_are_enough_to_try_it(
    some: tuple[Path, Path], tmp_path: Path
) -> None:
    products, encoder = some
    folder = tmp_path / "training"
    some_of = ("--part", "train", "--test-share", "0.3", "--per-family", "4")
    done = chain(products, folder, "--per-type", "2", "--n", "2", "--model", str(encoder), *some_of)
    assert done.exit_code == 0, done.output
    made = read_manifest(folder / "queries.parquet").settings
    assert (made["part"], made["test_share"], made["per_family"]) == ("train", 0.3, 4)
    assert set(open_classifier(folder / "classifier").thresholds.values()) == {None}
    assert "too few queries for a threshold of precision 0.9" in done.stderr
    assert read_manifest(folder / "pairs.parquet").settings["threshold"] == 0.5
    pairs = pq.read_table(folder / "pairs.parquet").to_pylist()
    assert min(row["probability"] for row in pairs if row["label"]) >= 0.5


def test_judgments_need_their_queries(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--judgments and --judged-queries belong together"):
        synthesize_all(shop.products, tmp_path, ChainSettings(), judgments="grades.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_sample_catalogue_becomes_pairs_of_eight_hundred_queries(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    done = chain(SAMPLE, folder, "--per-type", "200", "--n", "3", "--judged", "10")
    assert done.exit_code == 0, done.output
    check(SAMPLE, folder)
    manifest = read_manifest(folder / "pairs.parquet")
    assert manifest.counts["queries"] >= 800
    assert manifest.counts["queries_with_pairs"] >= 600
    assert manifest.counts["pairs"] >= 2000
    assert 0 < manifest.counts["dev_pairs"] < manifest.counts["pairs"] / 2
    accepted = pq.read_table(folder / "accepted.parquet").column("accepted").to_pylist()
    assert sum(accepted) / len(accepted) > 0.5
