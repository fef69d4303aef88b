"""From a catalogue and queries to runs, with the real model."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from evalkit.errors import InputError, ModelError, SettingsError
from evalkit.manifest import Manifest, read_manifest
from evalkit.retrieval import (
    EncoderSettings,
    LexicalSettings,
    SentenceEncoder,
    VectorIndexSettings,
    index_products,
    open_encoder,
    open_index,
    retrieve_run,
)
from tests.retrieval.conftest import catalogue, write_products

Rows = list[dict[str, object]]


def rows_of(path: Path) -> Rows:
    return pq.read_table(path).to_pylist()


def ids_of(path: Path, query_id: str) -> list[object]:
    return [row["product_id"] for row in rows_of(path) if row["query_id"] == query_id]


@pytest.fixture(scope="session")
def dense(
    products: Path, encoder: SentenceEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "dense"
    index_products(products, folder, VectorIndexSettings(), encoder=encoder)
    return folder


@pytest.fixture(scope="session")
def lexical(products: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "lexical"
    index_products(products, folder, LexicalSettings())
    return folder


def test_a_dense_run_is_the_order_of_all_cosines(
    dense: Path, queries: Path, encoder: SentenceEncoder, tmp_path: Path
) -> None:
    retrieve_run(queries, dense, tmp_path / "run.parquet", k=90)
    texts = {
        str(row["product_id"]): "\n".join(
            [
                str(row["title"]),
                str(row["brand"]),
                str(row["description"]),
                "; ".join(f"{name}: {value}" for name, value in row["attributes"].items()),  # type: ignore[attr-defined]
            ]
        )
        for row in catalogue()
    }
    vectors = encoder.encode(list(texts.values()), "document")
    query = encoder.encode(["water boiler for tea"], "query")[0]
    scores = dict(zip(texts, vectors @ query, strict=True))
    found = [row for row in rows_of(tmp_path / "run.parquet") if row["query_id"] == "q2"]
    assert {row["product_id"] for row in found} == set(texts)
    for row in found:
        assert row["score"] == pytest.approx(scores[str(row["product_id"])], abs=2e-6)
    assert [row["rank"] for row in found] == list(range(1, 91))
    assert (np.diff([float(str(row["score"])) for row in found]) <= 0).all()
    assert str(texts[str(found[0]["product_id"])]).split("\n")[0].endswith("kettle")


def test_products_with_the_same_text_have_equal_scores_and_go_by_id(
    dense: Path, lexical: Path, queries: Path, tmp_path: Path
) -> None:
    for index in (dense, lexical):
        retrieve_run(queries, index, tmp_path / "run.parquet", force=True)
        for query_id in ("q1", "q10"):
            found = {
                row["product_id"]: (row["score"], row["rank"])
                for row in rows_of(tmp_path / "run.parquet")
                if row["query_id"] == query_id
            }
            if "p008" in found:
                assert found["p008"][0] == found["p007"][0]
                assert int(str(found["p007"][1])) == int(str(found["p008"][1])) + 1


def test_a_lexical_run_has_only_products_that_share_a_word(
    lexical: Path, queries: Path, tmp_path: Path
) -> None:
    retrieve_run(queries, lexical, tmp_path / "run.parquet", k=90)
    blue_headphones = {
        row["product_id"]
        for row in catalogue()
        if "blue" in str(row).lower() or "headphones" in str(row)
    }
    assert set(ids_of(tmp_path / "run.parquet", "q10")) == blue_headphones
    assert {row["system"] for row in rows_of(tmp_path / "run.parquet")} == {"bm25"}


def test_the_run_and_the_index_have_the_same_bytes_a_second_time(
    products: Path, queries: Path, tmp_path: Path, encoder: SentenceEncoder
) -> None:
    for method in (LexicalSettings(), VectorIndexSettings("hnsw")):
        own = encoder if isinstance(method, VectorIndexSettings) else None
        runs, indexes = [], []
        for turn in ("1", "2"):
            index = tmp_path / type(method).__name__ / turn
            built = index_products(products, index, method, encoder=own)
            assert built.counts["products"] == 90
            indexes.append(read_manifest(index).outputs)
            retrieve_run(queries, index, tmp_path / f"{turn}.parquet", force=True)
            runs.append((tmp_path / f"{turn}.parquet").read_bytes())
        assert indexes[0] == indexes[1]
        assert runs[0] == runs[1]


def test_what_is_up_to_date_is_not_made_again_unless_forced(
    products: Path, queries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, run = tmp_path / "index", tmp_path / "run.parquet"

    def both(**settings: bool) -> tuple[int, int]:
        index_products(products, index, LexicalSettings(), **settings)  # type: ignore[arg-type]
        retrieve_run(queries, index, run, **settings)  # type: ignore[arg-type]
        return index.stat().st_ino, run.stat().st_mtime_ns

    first = both()
    capsys.readouterr()
    assert both() == first
    assert capsys.readouterr().err.count("is up to date") == 2
    again = both(force=True)
    assert again[0] != first[0]
    assert again[1] != first[1]


def test_changed_settings_or_inputs_make_it_again(
    products: Path, queries: Path, tmp_path: Path
) -> None:
    index, run = tmp_path / "index", tmp_path / "run.parquet"
    index_products(products, index, LexicalSettings())
    retrieve_run(queries, index, run)
    before = run.read_bytes()
    index_products(products, index, LexicalSettings(), fields=["title"])
    assert read_manifest(index).settings["fields"] == ["title"]
    retrieve_run(queries, index, run)
    assert run.read_bytes() != before


def test_the_manifest_tells_what_the_run_was_made_from(
    dense: Path, queries: Path, tmp_path: Path
) -> None:
    retrieve_run(queries, dense, tmp_path / "run.parquet", k=5)
    found = json.loads((tmp_path / "run.parquet.manifest.json").read_text())
    assert found["command"] == "evalkit retrieve"
    assert found["counts"]["queries"] == 4
    assert found["counts"]["rows"] == 20
    assert [item["role"] for item in found["inputs"]] == ["queries", "index"]
    assert found["models"][0]["id"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert found["models"][0]["revision"] == "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
    assert read_manifest(dense).counts["dimension"] == 384


def test_a_query_prefix_may_be_changed_and_changes_the_run(
    dense: Path, queries: Path, tmp_path: Path
) -> None:
    retrieve_run(queries, dense, tmp_path / "run.parquet")
    plain = ids_of(tmp_path / "run.parquet", "q3")
    prefixed = EncoderSettings(query_prefix="a lamp for the desk: ")
    retrieve_run(queries, dense, tmp_path / "run.parquet", settings=prefixed)
    assert ids_of(tmp_path / "run.parquet", "q3") != plain
    own = open_encoder(settings=prefixed)
    retrieve_run(queries, dense, tmp_path / "own.parquet", encoder=own)
    assert rows_of(tmp_path / "own.parquet") == rows_of(tmp_path / "run.parquet")


def test_another_model_is_refused(dense: Path, queries: Path, tmp_path: Path) -> None:
    other = open_encoder(settings=EncoderSettings(max_length=16))
    with pytest.raises(ModelError, match=r"was built with .*MiniLM.* and cannot be searched with"):
        open_index(dense, encoder=other)


def test_a_model_that_changed_since_is_refused(
    encoder: SentenceEncoder, products: Path, tmp_path: Path
) -> None:
    import shutil

    mine = Path(shutil.copytree(encoder.files.folder, tmp_path / "mine"))
    index_products(
        products, tmp_path / "index", VectorIndexSettings(), encoder=open_encoder(str(mine))
    )
    open_index(tmp_path / "index")
    weights = mine / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelError, match="index the products again"):
        open_index(tmp_path / "index")


def test_a_lexical_index_takes_no_model(lexical: Path) -> None:
    with pytest.raises(ModelError, match="is a lexical index, which has no model"):
        open_index(lexical, model="all-MiniLM-L6-v2")


def test_another_catalogue_is_refused(
    lexical: Path, products: Path, queries: Path, tmp_path: Path
) -> None:
    open_index(lexical, products=products)
    other = write_products(tmp_path / "other.jsonl", catalogue()[:50])
    with pytest.raises(InputError, match=r"built from another catalogue: .*90 products.*Build it"):
        retrieve_run(queries, lexical, tmp_path / "run.parquet", products=other)
    assert not (tmp_path / "run.parquet").exists()


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no index here.*evalkit index --products"):
        open_index(tmp_path / "nowhere")
    with pytest.raises(InputError, match="there is no manifest here"):
        open_index(tmp_path)


def test_a_damaged_index_is_refused(products: Path, tmp_path: Path) -> None:
    index_products(products, tmp_path / "index", LexicalSettings())
    file = tmp_path / "index" / "data.csc.index.npy"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"data\.csc\.index\.npy: has .* bytes, and should have"):
        open_index(tmp_path / "index")
    file.unlink()
    with pytest.raises(InputError, match="is missing"):
        open_index(tmp_path / "index")


def test_a_query_without_text_gets_no_results_and_is_told(
    lexical: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "q.csv").write_text('query_id,query\nq1,\nq2,"   "\nq3,kettle\n')
    built = retrieve_run(tmp_path / "q.csv", lexical, tmp_path / "run.parquet")
    assert {row["query_id"] for row in rows_of(tmp_path / "run.parquet")} == {"q3"}
    assert built.counts["queries_without_text"] == 2
    assert "2 of 3 queries have no text" in capsys.readouterr().err


def test_queries_without_any_text_give_an_empty_run(dense: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text('query_id,query\nq1,\nq2,""\n')
    assert retrieve_run(tmp_path / "q.csv", dense, tmp_path / "run.parquet").counts["rows"] == 0
    table = pq.read_table(tmp_path / "run.parquet")
    assert table.column_names == ["query_id", "product_id", "rank", "score", "system"]


def test_repeated_query_ids_are_refused(lexical: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("query_id,query\nq1,kettle\nq1,lamp\n")
    with pytest.raises(InputError, match="q1"):
        retrieve_run(tmp_path / "q.csv", lexical, tmp_path / "run.parquet")
    assert not (tmp_path / "run.parquet").exists()


def test_queries_without_a_text_column_are_refused(lexical: Path, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("query_id,kind\nq1,kettle\n")
    with pytest.raises(InputError, match=r"no column query.*--map query=COLUMN"):
        retrieve_run(tmp_path / "q.csv", lexical, tmp_path / "run.parquet")


def test_more_results_than_products_are_told(
    dense: Path, queries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built = retrieve_run(queries, dense, tmp_path / "run.parquet", k=1_000)
    assert built.counts["rows"] == 4 * 90
    assert "--k 1,000 is more than the 90 products" in capsys.readouterr().err


def test_less_than_one_result_is_refused(lexical: Path, queries: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--k is 0"):
        retrieve_run(queries, lexical, tmp_path / "run.parquet", k=0)


def test_one_product_unicode_ids_and_a_very_long_text(
    encoder: SentenceEncoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"product_id": "Ä 7/é", "title": "Кофеварка ☕", "description": "steel kettle " * 5_000}
    one = write_products(tmp_path / "one.jsonl", [row])
    (tmp_path / "q.csv").write_text("query_id,query\nю,kettle\n", "utf-8")
    for method in (VectorIndexSettings(), VectorIndexSettings("hnsw"), LexicalSettings()):
        own = encoder if isinstance(method, VectorIndexSettings) else None
        built = index_products(one, tmp_path / "index", method, encoder=own, force=True)
        retrieve_run(tmp_path / "q.csv", tmp_path / "index", tmp_path / "r.parquet", k=10)
        found = rows_of(tmp_path / "r.parquet")
        assert [(row["query_id"], row["product_id"]) for row in found] == [("ю", "Ä 7/é")]
        if own is not None:
            assert built.counts["texts_truncated"] == 1
            assert "1 of 1 product texts are longer than the model" in capsys.readouterr().err


def test_products_without_text_are_told_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[dict[str, object]] = [
        {"product_id": "1", "title": "kettle"},
        {"product_id": "2", "title": ""},
    ]
    products = write_products(tmp_path / "p.jsonl", rows)
    built = index_products(products, tmp_path / "index", LexicalSettings())
    assert (built.counts["products"], built.counts["without_text"]) == (1, 1)
    assert "1 of 2 products have no text in title" in capsys.readouterr().err


def test_another_folder_is_not_overwritten(products: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match="exists and is not an evalkit index"):
        index_products(products, tmp_path, LexicalSettings())
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_too_few_products_for_ivfpq_are_refused_before_anything_is_encoded(
    products: Path, encoder: SentenceEncoder, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(SettingsError, match="at least 1,000 products"):
        index_products(
            products, tmp_path / "i", VectorIndexSettings("ivfpq"), encoder=encoder, cache=cache
        )
    assert sorted(item.name for item in tmp_path.iterdir()) == []


def test_no_connection_is_opened(
    products: Path,
    queries: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something wants the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    index_products(
        products,
        tmp_path / "index",
        VectorIndexSettings(),
        encoder=open_encoder(),
        cache=tmp_path / "cache",
    )
    run = retrieve_run(queries, tmp_path / "index", tmp_path / "run.parquet", k=3)
    assert run.counts["rows"] == 12


def start_indexing(products: Path, folder: Path, cache: Path) -> "subprocess.Popen[bytes]":
    program = "from evalkit.cli import main; main()"
    arguments = ["index", "--products", str(products), "-o", str(folder)]
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "EVALKIT_CACHE": str(cache), "OMP_NUM_THREADS": "2"},
        stderr=subprocess.DEVNULL,
    )


def test_a_killed_index_goes_on_where_it_stopped(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"product_id": f"p{n:04d}", "title": f"{n} " + "long product title " * 4}
        for n in range(900)
    ]
    products = write_products(tmp_path / "p.jsonl", rows)
    cache, folder = tmp_path / "cache", tmp_path / "index"
    process = start_indexing(products, folder, cache)
    deadline = time.monotonic() + 120
    while len(list(cache.rglob("*.arrow"))) < 2 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not folder.exists()
    kept = 256 * len(list(cache.rglob("*.arrow")))
    assert 512 <= kept < 900
    assert start_indexing(products, folder, cache).wait() == 0
    built: Manifest = read_manifest(folder)
    assert built.counts["texts_reused"] == kept
    assert built.counts["texts_encoded"] == 900 - kept
    assert not list(tmp_path.glob(".index.*"))
