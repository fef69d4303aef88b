"""Rewriting at query time, on a small real catalogue."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.cli import main
from evalkit.errors import SettingsError
from evalkit.manifest import read_manifest
from evalkit.retrieval import LexicalSettings, SentenceEncoder, VectorIndexSettings, index_products
from evalkit.retrieval.constrained import ConstraintSettings
from evalkit.retrieval.retrieving import retrieve_run
from evalkit.retrieval.rewritten import SearchedRewrites
from tests.retrieval.conftest import write_products

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kettles and lamps in three materials; no word of theirs is in the query "boils water"."""
    rows: list[dict[str, object]] = [
        {
            "product_id": f"{kind}-{material}",
            "title": f"{material.title()} {kind}",
            "kind": kind,
            "price": 20.0 + 10 * number,
            "attributes": {"material": material},
        }
        for kind in ("kettle", "lamp")
        for number, material in enumerate(("steel", "glass", "plastic"))
    ]
    return write_products(tmp_path_factory.mktemp("shop") / "products.jsonl", rows)


@pytest.fixture(scope="module")
def lexical(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "lexical"
    index_products(shop, folder, LexicalSettings())
    return folder


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.csv"
    path.write_text("query_id,query\nq1,boils water\nq2,glass lamp\nq3,steel lamp\n", "utf-8")
    return path


@pytest.fixture
def rewrites(tmp_path: Path) -> Path:
    """Of q1 three, of which one was not accepted; of q2 one; of a query that is not asked one."""
    path = tmp_path / "accepted.parquet"
    rows = [
        ("q1", "glass kettle", 2, True),
        ("q1", "steel kettle", 1, True),
        ("q1", "plastic lamp", 3, False),
        ("q2", "Glass  LAMP", 1, True),
        ("q9", "lamp", 1, True),
    ]
    names = ("query_id", "rewrite", "place", "accepted")
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), path)
    return path


def rows_of(path: Path, query_id: str) -> list[dict[str, object]]:
    return [row for row in pq.read_table(path).to_pylist() if row["query_id"] == query_id]


def found(path: Path, query_id: str) -> list[object]:
    return [row["product_id"] for row in rows_of(path, query_id)]


def test_the_lists_of_text_and_accepted_rewrites_are_fused(
    lexical: Path, queries: Path, rewrites: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.parquet"
    retrieve_run(queries, lexical, out, rewrites=SearchedRewrites(rewrites))
    best = rows_of(out, "q1")
    # "steel kettle" finds the steel kettle, the steel lamp (fewer products are of steel than are
    # kettles), then the other kettles, a tie by id descending; "glass kettle" likewise; the words
    # of q1 itself find nothing.
    assert [(row["product_id"], row["rank"]) for row in best] == [
        ("kettle-steel", 1), ("kettle-glass", 2), ("kettle-plastic", 3), ("lamp-steel", 4),
        ("lamp-glass", 5),
    ]  # fmt: skip
    assert [row["score"] for row in best] == pytest.approx(
        [1 / 61 + 1 / 63, 1 / 61 + 1 / 64, 1 / 63 + 1 / 64, 1 / 62, 1 / 62], rel=1e-12
    )
    assert "lamp-plastic" not in found(out, "q1"), "that rewrite was not accepted"
    assert {row["system"] for row in pq.read_table(out).to_pylist()} == {"bm25+rewrites"}
    manifest = read_manifest(out)
    assert manifest.counts["rewrites"] == 2
    assert manifest.counts["queries_rewritten"] == 1
    assert manifest.counts["rewrites_of_other_queries"] == 1
    assert [item.role for item in manifest.inputs] == ["queries", "index", "rewrites"]


def test_a_query_without_rewrites_is_searched_by_itself(
    lexical: Path, queries: Path, rewrites: Path, tmp_path: Path
) -> None:
    plain, out = tmp_path / "plain.parquet", tmp_path / "run.parquet"
    retrieve_run(queries, lexical, plain)
    retrieve_run(queries, lexical, out, rewrites=SearchedRewrites(rewrites))
    assert found(plain, "q1") == []
    assert found(out, "q3") == found(plain, "q3")
    assert found(out, "q2") == found(plain, "q2"), "its rewrite says the same as the query"
    assert [row["score"] for row in rows_of(out, "q3")] == [
        1 / (60 + place) for place in range(1, len(found(out, "q3")) + 1)
    ]


def test_the_best_rewrites_count_first(
    lexical: Path, queries: Path, rewrites: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run.parquet"
    retrieve_run(queries, lexical, out, rewrites=SearchedRewrites(rewrites, n=1))
    assert found(out, "q1")[0] == "kettle-steel"
    assert "lamp-glass" not in found(out, "q1")
    assert read_manifest(out).counts["rewrites"] == 1


def test_a_rewrite_that_is_said_twice_searches_once(
    lexical: Path, queries: Path, rewrites: Path, tmp_path: Path
) -> None:
    once, twice = tmp_path / "once.parquet", tmp_path / "twice.parquet"
    rows = pq.read_table(rewrites)
    more = [
        row | {"rewrite": row["rewrite"].upper(), "place": row["place"] + 10}
        for row in rows.to_pylist()
    ]
    pq.write_table(
        pa.concat_tables([rows, pa.Table.from_pylist(more, rows.schema)]),
        tmp_path / "again.parquet",
    )
    retrieve_run(queries, lexical, once, rewrites=SearchedRewrites(rewrites))
    told = retrieve_run(
        queries, lexical, twice, rewrites=SearchedRewrites(tmp_path / "again.parquet")
    )
    assert told.counts["rewrites"] == 2
    assert rows_of(twice, "q1") == rows_of(once, "q1")


def test_k_is_kept(lexical: Path, queries: Path, rewrites: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.parquet"
    retrieve_run(queries, lexical, out, k=1, rewrites=SearchedRewrites(rewrites))
    assert [row["rank"] for row in pq.read_table(out).to_pylist()] == [1, 1, 1]


def test_what_fails_the_query_is_taken_out_after_fusing(
    shop: Path, lexical: Path, rewrites: Path, tmp_path: Path
) -> None:
    asked, out = tmp_path / "asked.csv", tmp_path / "run.parquet"
    asked.write_text(
        "query_id,query,structure\n"
        'q1,boils water,"{""query_type"": ""general"", ""price_max"": 25}"\n',
        "utf-8",
    )
    retrieve_run(
        asked,
        lexical,
        out,
        k=2,
        products=shop,
        constraints=ConstraintSettings(filter=True),
        rewrites=SearchedRewrites(rewrites),
    )
    assert found(out, "q1") == ["kettle-steel", "lamp-steel"], "the others cost 30 and more"
    assert [row["rank"] for row in rows_of(out, "q1")] == [1, 2]
    assert rows_of(out, "q1")[0]["system"] == "bm25+rewrites+filter"


def test_a_dense_index_is_searched_by_command_with_rewrites(
    shop: Path, encoder: SentenceEncoder, queries: Path, rewrites: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    index_products(shop, tmp_path / "dense", VectorIndexSettings(), encoder=encoder)
    out = tmp_path / "run.parquet"
    words = ["evalkit", "retrieve", "--queries", queries, "--index", tmp_path / "dense"]
    words += ["--rewrites", rewrites, "--rewrites-n", 2, "--k", 4, "-o", out]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    main()
    assert set(found(out, "q1")[:2]) == {"kettle-steel", "kettle-glass"}
    assert {row["system"] for row in pq.read_table(out).to_pylist()} == {"flat+rewrites"}
    assert len(found(out, "q1")) == 4


def test_the_run_does_not_depend_on_batches(
    lexical: Path, queries: Path, rewrites: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for size in (500, 1):
        monkeypatch.setattr("evalkit.retrieval.rewritten._BATCH", size)
        out = tmp_path / f"run{size}.parquet"
        retrieve_run(queries, lexical, out, rewrites=SearchedRewrites(rewrites))
        runs.append(out.read_bytes())
    assert runs[0] == runs[1]


def test_other_rewrites_make_the_run_again(
    lexical: Path, queries: Path, rewrites: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run.parquet"
    retrieve_run(queries, lexical, out)
    retrieve_run(queries, lexical, out, rewrites=SearchedRewrites(rewrites))
    retrieve_run(queries, lexical, out, rewrites=SearchedRewrites(rewrites, n=1))
    assert "up to date" not in capsys.readouterr().err
    retrieve_run(queries, lexical, out, rewrites=SearchedRewrites(rewrites, n=1))
    assert "up to date" in capsys.readouterr().err


def test_rewrites_of_other_queries_only_are_told(
    lexical: Path, queries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("query_id,rewrite\nx1,steel kettle\n", "utf-8")
    retrieve_run(queries, lexical, tmp_path / "run.parquet", rewrites=SearchedRewrites(other))
    assert "None of the queries has a rewrite in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "weight", "told"),
    [(SearchedRewrites("r", n=0), None, "--rewrites-n is 0"), (SearchedRewrites("r"), 0.4, "two")],
)
def test_settings_that_do_not_fit_are_refused(
    lexical: Path, queries: Path, tmp_path: Path,
    settings: SearchedRewrites, weight: float | None, told: str,
) -> None:  # fmt: skip
    with pytest.raises(SettingsError, match=told):
        retrieve_run(
            queries,
            lexical,
            tmp_path / "run.parquet",
            constraints=ConstraintSettings(weight=weight),
            rewrites=settings,
        )
