"""Retrieval that heeds what queries exclude, on a tiny real index and as a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from evalkit.constraints import Condition, Structure
from evalkit.constraints.topic import TOPIC
from evalkit.errors import InputError, SettingsError
from evalkit.manifest import read_manifest
from evalkit.retrieval import (
    LexicalSettings,
    SentenceEncoder,
    VectorIndexSettings,
    index_products,
)
from evalkit.retrieval.constrained import ConstraintSettings
from evalkit.retrieval.decomposing import decompose, decomposed_vectors
from evalkit.retrieval.embedding_cache import CachedEncoder
from evalkit.retrieval.retrieving import retrieve_run
from tests.retrieval.conftest import write_products

ROOT = Path(__file__).parents[2]
MATERIALS = ["leather", "cotton", "wool", "nylon", "linen", "denim"]
LEATHER = {"jacket-leather", "boots-leather"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 products: jackets and boots in six materials, with prices."""
    rows: list[dict[str, object]] = [
        {
            "product_id": f"{kind}-{material}",
            "title": f"{material.title()} {kind}",
            "kind": kind,
            "brand": "Zippa",
            "price": 20.0 + 10 * number,
            "attributes": {"material": material},
        }
        for kind in ("jacket", "boots")
        for number, material in enumerate(MATERIALS)
    ]
    return write_products(tmp_path_factory.mktemp("shop") / "products.jsonl", rows)


@pytest.fixture(scope="module")
def dense(shop: Path, encoder: SentenceEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "dense"
    index_products(shop, folder, VectorIndexSettings(), encoder=encoder)
    return folder


@pytest.fixture(scope="module")
def lexical(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "lexical"
    index_products(shop, folder, LexicalSettings())
    return folder


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.csv"
    path.write_text(
        "query_id,query\nq1,jacket without leather\nq2,wool jacket\nq3,boots under 45 dollars\n",
        encoding="utf-8",
    )
    return path


def found(path: Path, query_id: str) -> list[str]:
    rows = pq.read_table(path).to_pylist()
    return [row["product_id"] for row in rows if row["query_id"] == query_id]


def retrieve(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    code = "from evalkit.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "retrieve", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


def test_the_vector_is_the_difference_with_length_one() -> None:
    positive = np.array([[1.0, 0.0], [0.6, 0.8]], dtype=np.float32)
    negative = np.array([[0.0, 1.0], [0.6, 0.8]], dtype=np.float32)
    vectors = decompose(positive, negative, 0.5)
    assert vectors[0] == pytest.approx(np.array([1.0, -0.5]) / np.sqrt(1.25))
    assert vectors[1] == pytest.approx(positive[1])
    assert vectors.dtype == np.float32


def test_where_nothing_is_left_the_positive_part_stays() -> None:
    row = np.array([[0.6, 0.8]], dtype=np.float32)
    assert decompose(row, row, 1.0).tolist() == row.tolist()


@pytest.mark.parametrize("weight", [0.0, -0.5, 2.5, float("nan")])
def test_a_weight_out_of_range_is_refused(weight: float) -> None:
    row = np.ones((1, 1), dtype=np.float32)
    with pytest.raises(SettingsError, match="--lambda"):
        decompose(row, row, weight)


def test_only_queries_that_exclude_something_are_decomposed(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    cached = CachedEncoder(encoder, tmp_path)
    texts = ["jacket without leather", "wool jacket", "no structure"]
    structures = [
        Structure("negative", ("jacket",), excluded=(Condition("material", ("leather",)),)),
        Structure("general", ("jacket",)),
        None,
    ]
    vectors, count = decomposed_vectors(cached, texts, structures, 0.5)
    plain = encoder.encode(texts, "query")
    parts = encoder.encode(["jacket", "leather"], "query").astype(np.float64)
    wanted = parts[0] - 0.5 * parts[1]
    assert count == 1
    assert vectors[0] == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)
    assert vectors[1:] == pytest.approx(plain[1:], abs=1e-5)


def test_the_violating_product_falls(
    shop: Path, dense: Path, encoder: SentenceEncoder, queries: Path, tmp_path: Path
) -> None:
    plain, split = tmp_path / "plain.parquet", tmp_path / "split.parquet"
    retrieve_run(queries, dense, plain, k=12, encoder=encoder)
    retrieve_run(
        queries,
        dense,
        split,
        k=12,
        encoder=encoder,
        products=shop,
        constraints=ConstraintSettings(weight=0.6),
    )
    assert found(plain, "q1")[0] == "jacket-leather", "an encoder overlooks the negation"
    assert found(split, "q1").index("jacket-leather") >= 5
    assert found(split, "q1")[0].startswith("jacket-")
    assert found(split, "q2") == found(plain, "q2")
    assert found(split, "q3") == found(plain, "q3")
    manifest = read_manifest(split)
    assert manifest.counts["queries_decomposed"] == 1
    assert manifest.settings["lambda"] == 0.6
    assert manifest.settings["topic"] == TOPIC
    assert {row["system"] for row in pq.read_table(split).to_pylist()} == {"flat+decomposition"}


def test_decomposition_and_filter_by_the_command(
    shop: Path, dense: Path, queries: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.parquet"
    options = ["--products", shop, "--decompose-negation", "--filter-constraints", "--k", "4"]
    done = retrieve("--queries", queries, "--index", dense, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    assert len(found(out, "q1")) == 4
    assert "jacket-leather" not in found(out, "q1")
    assert all(item.startswith("jacket-") for item in found(out, "q1"))
    assert found(out, "q2") == ["jacket-wool"], "a jacket of another material fails"
    assert set(found(out, "q3")) == {"boots-leather", "boots-cotton", "boots-wool"}
    ranks = [row["rank"] for row in pq.read_table(out).to_pylist() if row["query_id"] == "q1"]
    assert ranks == [1, 2, 3, 4]
    manifest = json.loads((tmp_path / "run.parquet.manifest.json").read_text("utf-8"))
    assert [item["role"] for item in manifest["inputs"]] == ["queries", "index", "products"]
    assert manifest["inputs"][2]["fingerprint"].startswith("sha256:")
    assert manifest["counts"]["queries_with_fewer"] == 2
    assert "2 queries have fewer than 4 results" in done.stderr
    systems = {row["system"] for row in pq.read_table(out).to_pylist()}
    assert systems == {"flat+decomposition+filter"}
    again = retrieve("--queries", queries, "--index", dense, "-o", out, *options)
    assert "is up to date" in again.stderr
    other = retrieve("--queries", queries, "--index", dense, "-o", out, *options, "--lambda", "1")
    assert "Wrote" in other.stderr


def test_queries_of_which_nothing_is_left_are_told_apart(
    shop: Path, lexical: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "asked.csv"
    asked.write_text(
        "query_id,query,structure\n"
        'q1,wool jacket,"{""query_type"": ""general"", ""price_max"": 0.01}"\n'
        'q2,cotton jacket,"{""query_type"": ""general""}"\n',
        encoding="utf-8",
    )
    out = tmp_path / "run.parquet"
    options = ["--products", shop, "--filter-constraints", "--k", "4"]
    done = retrieve("--queries", asked, "--index", lexical, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    assert found(out, "q1") == []
    manifest = read_manifest(out)
    assert manifest.counts["queries_with_none"] == manifest.counts["queries_with_fewer"] == 1
    assert "1 query has fewer than 4 results, and 1 of them has none" in done.stderr


def test_a_lexical_index_can_be_filtered(
    shop: Path, lexical: Path, queries: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.parquet"
    options = ["--products", shop, "--filter-constraints", "--system", "mine"]
    done = retrieve("--queries", queries, "--index", lexical, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    assert found(out, "q1")
    assert not LEATHER & set(found(out, "q1"))
    assert {row["system"] for row in pq.read_table(out).to_pylist()} == {"mine"}


def test_the_structure_of_the_table_is_believed(
    dense: Path, encoder: SentenceEncoder, tmp_path: Path
) -> None:
    path, out = tmp_path / "queries.jsonl", tmp_path / "run.parquet"
    structure = Structure("negative", ("jacket",), excluded=(Condition("material", ("wool",)),))
    row = {"query_id": "q1", "query": "warm jacket, wool", "structure": structure.to_json()}
    path.write_text(json.dumps(row), encoding="utf-8")
    settings = ConstraintSettings(weight=0.6)
    retrieve_run(path, dense, out, k=12, encoder=encoder, constraints=settings)
    assert found(out, "q1").index("jacket-wool") >= 5


def test_the_run_does_not_depend_on_batches(
    shop: Path, dense: Path, encoder: SentenceEncoder, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "queries.csv"
    lines = [
        f"q{number},{kind} without {material}"
        for number, (kind, material) in enumerate(
            (kind, material) for kind in ("jacket", "boots") for material in MATERIALS
        )
    ]
    path.write_text("\n".join(["query_id,query", *lines]), encoding="utf-8")
    settings = ConstraintSettings(weight=0.4, filter=True)
    runs = []
    for size in (500, 5):
        monkeypatch.setattr("evalkit.retrieval.constrained._BATCH", size)
        out = tmp_path / f"run{size}.parquet"
        retrieve_run(path, dense, out, k=3, encoder=encoder, products=shop, constraints=settings)
        runs.append(pq.read_table(out).to_pylist())
    assert runs[0] == runs[1]
    assert len(runs[0]) == 36


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("lexical", ["--products", "SHOP", "--decompose-negation"], "take a dense index"),
        ("dense", ["--filter-constraints"], "--filter-constraints looks into the catalogue"),
        ("dense", ["--decompose-negation"], "name --products, or write them with evalkit parse"),
        ("dense", ["--lambda", "1"], "--lambda is for --decompose-negation"),
        ("dense", ["--depth", "2"], "--depth is for --filter-constraints"),
        ("dense", ["--triples", "t.csv"], "--triples says how the catalogue is understood"),
        ("dense", ["--products", "SHOP", "--settings", "s.yaml"], "--settings says how the"),
        (
            "dense",
            ["--products", "SHOP", "--decompose-negation", "--lambda", "0"],
            "--lambda is 0; it must be above 0",
        ),
    ],
)
def test_combinations_that_mean_nothing_are_refused_in_one_line(
    shop: Path, dense: Path, lexical: Path, queries: Path, tmp_path: Path,
    kind: str, options: list[str], told: str,
) -> None:  # fmt: skip
    index = dense if kind == "dense" else lexical
    chosen = [str(shop) if option == "SHOP" else option for option in options]
    out = tmp_path / "run.parquet"
    done = retrieve("--queries", queries, "--index", index, "-o", out, *chosen)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not out.exists()


def test_a_structure_that_is_not_understood_names_the_query(
    dense: Path, encoder: SentenceEncoder, tmp_path: Path
) -> None:
    path = tmp_path / "queries.csv"
    path.write_text('query_id,query,structure\nq7,mug,"{""query_type"": ""odd""}"\n', "utf-8")
    settings = ConstraintSettings(weight=0.6)
    with pytest.raises(InputError, match=r"q7.*query_type is 'odd'"):
        retrieve_run(path, dense, tmp_path / "run.parquet", encoder=encoder, constraints=settings)
