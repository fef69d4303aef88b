"""From a catalogue to a trained retriever and its scores by one command, with tiny models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Place

TRAINING = """\
name: training
catalogue: {products: products.jsonl, model: encoder}
queries:
  written: {file: queries.csv, judgments: judgments.csv, good: 2}
  synthesized: {per_type: 3, part: test}
  training: {per_type: 6, part: train}
classifiers:
  weak: {queries: training, settings: {epochs: 1, max_length: 32}}
  cross_encoder: {pairs: default, settings: {epochs: 1, max_length: 32, heldout: 0.4}}
  of_rewrites: {use: rewrites, queries: training, settings: {epochs: 1, max_length: 32}}
rewriters:
  policy:
    queries: training
    classifier: of_rewrites
    rewrites: 3
    settings: {candidates: 2, sft_epochs: 2, steps: 2, prompts: 2, samples: 2, checkpoint_every: 1}
training_data:
  default:
    queries: training
    rewriter: policy
    rewrites: 2
    classifier: weak
    held_out: [written, synthesized]
    settings: {threshold: 0, judged: 10, per_query: 3, dev_share: 0.2}
  raw: {like: default, rewriter: none}
retrievers:
  distilled: {pairs: [default], seeds: [0, 1], settings: {batch_size: 4, pool: 50, evaluations: 1}}
  raw: {like: distilled, pairs: [raw], seeds: [0], checked: false}
systems:
  control: {retriever: base}
  treatment: {retriever: distilled}
  raw: {retriever: raw}
  query_time: {rewriter: policy, rewrites: 2, as_pairs: true}
  reranked: {rerank: cross_encoder, top: 5}
comparisons: {cutoff: 5, depth: 10}
study: {queries: written, sample: 5, depth: 5}
"""


def grades_queries(folder: Path) -> list[dict[str, str]]:
    table = pq.read_table(folder / "classifiers" / "cross_encoder-grades/graded-queries.parquet")
    rows: list[dict[str, str]] = table.to_pylist()
    return rows


@pytest.mark.slow
def test_one_command_trains_and_compares(place: Place, tmp_path: Path) -> None:
    path = place.describe(TRAINING, "training.yaml")
    arguments = ["run", str(path), "-o", str(tmp_path)]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    # what is trained is trained on what the file says
    pairs = read_manifest(tmp_path / "training_data" / "default" / "pairs.parquet")
    assert {item.role for item in pairs.inputs} >= {"queries", "rewrites", "held_out", "products"}
    rewrites = pq.read_table(tmp_path / "rewrites" / "training-policy-2-seed0.parquet")
    assert set(rewrites.column("method").to_pylist()) == {"policy"}
    # a classifier without a part in the rewards says what it thinks of them, before and after
    policy = json.loads((tmp_path / "rewriters" / "policy" / "policy.json").read_text("utf-8"))
    assert all(0 <= policy[when]["all"]["kept"] <= 1 for when in ("before", "after"))
    trained = read_manifest(tmp_path / "rewriters" / "policy")
    assert [model["role"] for model in trained.models] == ["base", "encoder", "classifier"]
    # the cross-encoder learns the very pairs, asked as people ask
    table = pq.read_table(tmp_path / "training_data" / "default" / "pairs.parquet").to_pylist()
    grades = pq.read_table(tmp_path / "classifiers" / "cross_encoder-grades" / "grades.parquet")
    assert {(row["query_id"], row["product_id"], row["grade"]) for row in grades.to_pylist()} == {
        (row["query_id"], row["product_id"], 2.0 * row["label"]) for row in table
    }
    assert set(grades.column("grade").to_pylist()) == {0, 2}
    graded = grades_queries(tmp_path)
    assert {row["query"] for row in graded} == {row["query"] for row in table}
    made = read_manifest(tmp_path / "classifiers" / "cross_encoder")
    assert made.settings["good"] == 2
    ordered = read_manifest(tmp_path / "runs" / "written" / "reranked.parquet")
    assert "cross_encoder" in ordered.models[-1]["id"]
    raw = pq.read_table(tmp_path / "rewrites" / "training-none-2-seed0.parquet")
    asked = pq.read_table(tmp_path / "queries" / "training.parquet")
    assert sorted(raw.column("rewrite").to_pylist()) == sorted(asked.column("query").to_pylist())
    weights = [
        (tmp_path / "retrievers" / f"distilled-seed{seed}" / "model.safetensors").read_bytes()
        for seed in (0, 1)
    ]
    assert weights[0] != weights[1]
    # the catalogue has a part in one training, and none in the other
    for name, roles in (("distilled", 1), ("raw", 0)):
        trained = read_manifest(tmp_path / "retrievers" / f"{name}-seed0")
        assert [item.role for item in trained.inputs].count("queries") == roles
    for name in ("treatment-seed0", "treatment-seed1", "raw-seed0", "query_time", "reranked"):
        for queries in ("written", "synthesized"):
            run = pq.read_table(tmp_path / "runs" / queries / f"{name}.parquet")
            assert set(run.column("system").to_pylist()) == {name.partition("-")[0]}
    # both seeds are one comparison, and the checker has judged what has no judgments
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert results["systems"]["treatment"] == {"seeds": [0, 1]}
    assert {row["set"] for row in results["results"]} == {"written", "synthesized"}
    judged = pq.read_table(tmp_path / "judgments" / "synthesized.parquet")
    assert set(judged.column("source").to_pylist()) == {"checker"}
    document = json.loads(
        (tmp_path / "scores" / "synthesized-control-vs-treatment.json").read_text("utf-8")
    )
    assert (document["settings"]["good"], document["judge"]["name"]) == (2.0, "checker")
    assert all(row["judged_control"] == 1 for row in document["results"])
    text = (tmp_path / "results.md").read_text("utf-8")
    assert "| treatment (2 seeds) |" in text

    before = {
        each: (each.stat().st_mtime_ns, each.read_bytes())
        for each in tmp_path.rglob("*")
        if each.is_file()
    }
    again = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert again.exit_code == 0, again.output
    assert "Wrote" not in again.stderr
    after = {
        each: (each.stat().st_mtime_ns, each.read_bytes())
        for each in tmp_path.rglob("*")
        if each.is_file()
    }
    assert after == before
