"""`evalkit synthesize queries` as a process."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    Spawn = Callable[..., subprocess.CompletedProcess[str]]

PRODUCTS = Path(__file__).parents[2] / "sample_data" / "products.jsonl"


def test_queries_are_made_with_a_manifest_and_a_report(spawn: Spawn, tmp_path: Path) -> None:
    output, report = tmp_path / "queries.csv", tmp_path / "report.md"
    options = ("--per-type", 25, "--seed", 7, "-o", output, "--report", report)
    done = spawn("synthesize", "queries", "--products", PRODUCTS, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "negative: 25 queries" in done.stderr
    assert "100 queries in" in done.stderr
    with open(output, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 100
    assert json.loads(rows[0]["structure"])["query_type"] == rows[0]["query_type"]
    manifest = json.loads((tmp_path / "queries.csv.manifest.json").read_text())
    assert manifest["seeds"] == {"seed": 7}
    assert manifest["counts"]["alternative"] == 25
    assert report.read_text().startswith("# Typed queries")
    again = spawn("synthesize", "queries", "--products", PRODUCTS, *options)
    assert "up to date" in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--products", "none.jsonl"), "none.jsonl: cannot be read"),
        (("--products", PRODUCTS, "--types", "odd"), "--types names 'odd'"),
        (("--products", PRODUCTS, "--source", "llm"), "--source llm needs a model"),
        (("--products", PRODUCTS, "--report", "report.pdf"), "must end in .md or .json"),
        (("--products", PRODUCTS, "--settings", "bad.yaml"), "bad.yaml"),
        (("--products", PRODUCTS, "--triples", "bad.csv"), "bad.csv"),
        (("--products", PRODUCTS, "--per-type", 0), "--per-type"),
        (("--products", PRODUCTS, "--similarity", 2), "--similarity"),
        (("--products", PRODUCTS, "-o", "missing/queries.csv"), "does not exist"),
    ],
)
def test_bad_input_is_told_in_one_line(
    spawn: Spawn, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    (tmp_path / "bad.yaml").write_text("colours: [red]\n")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    output = () if "-o" in options else ("-o", "queries.csv")
    done = spawn("synthesize", "queries", *options, *output, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "queries.csv").exists()


def test_help_ends_with_an_example(spawn: Spawn) -> None:
    done = spawn("synthesize", "queries", "--help")
    assert done.returncode == 0
    assert "Example: evalkit synthesize queries" in " ".join(done.stdout.split())
    group = spawn("synthesize", "--help")
    assert all(name in group.stdout for name in ("queries", "pairs", "all"))
