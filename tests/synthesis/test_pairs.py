"""The stage that makes pairs: what it reads and refuses, its manifest, going on after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from conftest import QUERIES, REWRITES, TITLES, write_queries, write_rewrites, write_rows
from making_pairs import TRAIN, ids, made

from evalkit.cli import cli
from evalkit.errors import EvalkitError, SettingsError
from evalkit.manifest import read_manifest
from evalkit.synthesis.pairs import PairSettings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shop
    from making_pairs import Rows


# Rewrites and their queries


def test_rewrites_that_were_not_accepted_search_nothing(shop: Shop, tmp_path: Path) -> None:
    rewrites = write_rows(
        tmp_path / "accepted.jsonl",
        [
            {"query_id": "jacket", "rewrite": "nylon jacket", "place": 1, "accepted": False},
            {"query_id": "jacket", "rewrite": "wool jacket", "place": 10, "accepted": True},
            {"query_id": "jacket", "rewrite": "cotton jacket", "place": 2, "accepted": True},
        ],
    )
    _, candidates = made(shop, tmp_path, rewrites=rewrites)
    used = {(row["rewrite_place"], row["rewrite"]) for row in candidates
            if row["query_id"] == "jacket"}  # fmt: skip
    assert used == {(0, "jacket"), (1, "cotton jacket"), (2, "wool jacket")}
    assert read_manifest(tmp_path / "pairs.parquet").counts["rewrites"] == 2


def test_rewrites_of_which_none_was_accepted_are_refused(shop: Shop, tmp_path: Path) -> None:
    rewrites = write_rewrites(tmp_path / "none.jsonl", REWRITES, accepted=False)
    text = refusal(shop, tmp_path, rewrites=rewrites)
    assert text.startswith(f"{rewrites}: there is no accepted rewrite.")


def test_rewrites_of_other_queries_are_counted_and_left_out(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], both: tuple[Rows, Rows]
) -> None:
    more = dict(REWRITES) | {"zebra": ("a", "b"), "yak": ("c",)}
    rewrites = write_rewrites(tmp_path / "more.jsonl", more)
    pairs, _ = made(shop, tmp_path, rewrites=rewrites)
    warning = (
        "3 rewrites belong to 2 queries that are not among the queries, such as yak; they are "
        "left out."
    )
    assert f"Warning: {rewrites}: {warning}" in capsys.readouterr().err
    assert read_manifest(tmp_path / "pairs.parquet").warnings == (f"{rewrites}: {warning}",)
    assert pairs == both[0]


def test_rewrites_of_other_queries_only_are_refused(shop: Shop, tmp_path: Path) -> None:
    rewrites = write_rewrites(tmp_path / "strange.jsonl", {"yak": ("c",)})
    assert "no rewrite belongs to any of the queries" in refusal(shop, tmp_path, rewrites=rewrites)


def refusal(shop: Shop, folder: Path, **changes: Any) -> str:
    with pytest.raises(EvalkitError) as error:
        made(shop, folder, **changes)
    text = str(error.value)
    assert "\n" not in text
    assert not (folder / "pairs.parquet").exists()
    return text


# Indexes


def test_two_indexes_of_one_kind_are_refused(shop: Shop, tmp_path: Path) -> None:
    text = refusal(shop, tmp_path, indexes=(shop.lexical, shop.lexical))
    assert "is an index of words already" in text
    text = refusal(shop, tmp_path, indexes=(shop.dense, shop.lexical, shop.dense))
    assert "is an index of meaning already" in text
    assert "no index to search" in refusal(shop, tmp_path, indexes=())


def test_an_index_of_another_catalogue_is_refused(shop: Shop, tmp_path: Path) -> None:
    other = tmp_path / "products.jsonl"
    other.write_text(shop.products.read_text("utf-8").replace("kettle", "teapot"), "utf-8")
    assert "was built from another catalogue" in refusal(shop, tmp_path, products=other)


def test_an_index_that_was_read_in_another_way_is_refused(shop: Shop, tmp_path: Path) -> None:
    from evalkit.retrieval import LexicalSettings, index_products

    rows = [{"sku": f"s{n}", "code": f"c{n}", "title": title, "kind": title.split()[-1]}
            for n, title in enumerate(TITLES.values())]  # fmt: skip
    products = write_rows(tmp_path / "products.jsonl", rows)
    index = tmp_path / "by-sku.index"
    reading = {"mapping": {"product_id": "sku"}}
    index_products(products, index, LexicalSettings(), fields=["title"], reading=reading)
    text = refusal(
        shop,
        tmp_path,
        products=products,
        indexes=(index,),
        reading={"mapping": {"product_id": "code"}},
    )
    assert "a product that the catalogue has not" in text


def test_a_folder_that_is_no_index_is_refused(shop: Shop, tmp_path: Path) -> None:
    refusal(shop, tmp_path, indexes=(shop.folder,))


# What is written


def test_the_manifest_counts_what_became_of_products(
    shop: Shop, both: tuple[Rows, Rows], tmp_path: Path
) -> None:
    pairs, candidates = both
    made(shop, tmp_path)
    manifest = read_manifest(tmp_path / "pairs.parquet")
    doubted = [row for row in candidates if row["check"] == "pass" and row["probability"] < 0.5]
    assert manifest.counts == {
        "queries": 5,
        "rewrites": 8,
        "looked_at": 145,
        "check_pass": 13,
        "check_unknown": 2,
        "check_fail": 130,
        "judged": 13 + 5 * 3,  # three violators of each query
        "doubted": len(doubted),
        "pairs": sum(row["label"] for row in pairs),
        "hard_negatives": sum(not row["label"] for row in pairs),
        "queries_with_pairs": len({row["query_id"] for row in pairs}),
        "dev_pairs": 0,
    }
    classifier, checker = manifest.models
    assert (classifier["role"], checker["role"]) == ("relevance", "relevance")
    assert (classifier["id"], checker["id"]) == (str(shop.classifier), "checker")
    assert read_manifest(tmp_path / "candidates.parquet").identity() == manifest.identity()


def test_the_threshold_is_the_classifiers_own_for_a_precision(
    shop: Shop, tmp_path: Path, both: tuple[Rows, Rows]
) -> None:
    pairs, _ = made(shop, tmp_path, PairSettings(precision=0.8, dev_share=0.0))  # it says 0.5
    assert pairs == both[0]
    with pytest.raises(SettingsError, match=r"never reached precision 0\.9"):
        made(shop, tmp_path, PairSettings(precision=0.9))


def test_nothing_kept_is_refused_and_the_candidates_say_why(shop: Shop, tmp_path: Path) -> None:
    text = refusal(shop, tmp_path, settings=replace(TRAIN, threshold=1.0))
    assert "no pair was kept" in text
    rows = pq.read_table(tmp_path / "candidates.parquet").to_pylist()
    assert {row["decision"] for row in rows} == {"dropped"}
    assert any(row["reason"].startswith("classifier: 0.") for row in rows)


def test_what_is_up_to_date_is_not_made_again(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(shop, tmp_path)
    before = (tmp_path / "pairs.parquet").stat().st_mtime_ns
    capsys.readouterr()
    made(shop, tmp_path)
    assert "is up to date" in capsys.readouterr().err
    assert (tmp_path / "pairs.parquet").stat().st_mtime_ns == before
    made(shop, tmp_path, force=True)
    assert "is up to date" not in capsys.readouterr().err
    assert (tmp_path / "pairs.parquet").stat().st_mtime_ns > before


def test_candidates_of_another_run_do_not_pass_for_these(shop: Shop, tmp_path: Path) -> None:
    _, fresh = made(shop, tmp_path)
    (tmp_path / "other").mkdir()
    made(shop, tmp_path / "other", replace(TRAIN, threshold=0.9))
    shutil.copy(tmp_path / "other" / "candidates.parquet", tmp_path / "candidates.parquet")
    assert made(shop, tmp_path)[1] == fresh


# Killed and resumed


def options(shop: Shop, folder: Path, *more: str) -> list[str]:
    return [
        "synthesize", "pairs", "--queries", str(shop.queries), "--rewrites", str(shop.rewrites),
        "--products", str(shop.products), "--index", str(shop.lexical), "--index",
        str(shop.dense), "--classifier", str(shop.classifier), "--threshold", "0.5",
        "--dev-share", "0", "-o", str(folder / "pairs.parquet"), *more,
    ]  # fmt: skip


def many(folder: Path) -> tuple[Path, Path]:
    """Write 500 queries and their rewrites: five chunks."""
    names = [(f"{key}-{number:03d}", key) for number in range(100) for key in QUERIES]
    queries = {name: (f"{QUERIES[key][0]} {name[-3:]}", QUERIES[key][1]) for name, key in names}
    return (
        write_queries(folder / "queries.jsonl", queries),
        write_rewrites(folder / "rewrites.jsonl", {name: REWRITES[key] for name, key in names}),
    )


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(shop: Shop, tmp_path: Path) -> None:
    queries, rewrites = many(tmp_path)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()

    def command(folder: Path, threshold: float = 0.5) -> list[str]:
        candidates = str(folder / "candidates.parquet")
        given = replace(shop, queries=queries, rewrites=rewrites)
        return options(given, folder, "--candidates", candidates, "--threshold", str(threshold))

    def finish(folder: Path, threshold: float = 0.5) -> str:
        done = CliRunner().invoke(cli, command(folder, threshold))
        assert done.exit_code == 0, done.output
        return done.stderr

    program = [sys.executable, "-c", "from evalkit.cli import main; main()", *command(killed)]
    first = killed / ".pairs.parquet.chunks" / "000000.arrow"
    with subprocess.Popen(program, stderr=subprocess.PIPE) as process:
        end = time.monotonic() + 120
        while not first.is_file() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    finished = sorted(first.parent.glob("0*.arrow"))
    assert 1 <= len(finished) < 5
    assert not (killed / "pairs.parquet").exists()
    other = tmp_path / "other"
    shutil.copytree(killed, other)

    assert f"Going on after {len(finished)} finished chunks of 100 queries." in finish(killed)
    assert not first.parent.exists()
    finish(whole)
    for name in ("pairs.parquet", "candidates.parquet"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    # j4, j6, j7, j8, k2, k4 and k8 are kept, each fifty times
    assert len(ids(pq.read_table(whole / "pairs.parquet").to_pylist(), label=1)) == 350

    assert "Going on" not in finish(other, threshold=0.3)  # chunks of 0.5 are thrown away
    pairs = pq.read_table(other / "pairs.parquet").to_pylist()
    assert min(row["probability"] for row in pairs if row["label"]) < 0.5


# The command


def test_the_command_writes_what_the_function_writes(
    shop: Shop, tmp_path: Path, both: tuple[Rows, Rows]
) -> None:
    more = ("--candidates", str(tmp_path / "candidates.parquet"), "--card")
    done = CliRunner().invoke(cli, options(shop, tmp_path, *more, str(tmp_path / "card.md")))
    assert done.exit_code == 0, done.output
    assert pq.read_table(tmp_path / "pairs.parquet").to_pylist() == both[0]
    assert pq.read_table(tmp_path / "candidates.parquet").to_pylist() == both[1]
    assert (tmp_path / "card.md").read_text("utf-8").startswith("# Data card")


def test_a_card_is_refused_before_any_work(shop: Shop, tmp_path: Path) -> None:
    for more, reason in (
        (("--card", str(tmp_path / "card.html")), "name --candidates too"),
        (("--candidates", str(tmp_path / "c.parquet"), "--card", str(tmp_path / "card.pdf")),
         "name it .html or .md"),
    ):  # fmt: skip
        done = CliRunner().invoke(cli, options(shop, tmp_path, *more))
        assert done.exit_code != 0
        assert reason in (done.output or "") + str(done.exception)
        assert not (tmp_path / "pairs.parquet").exists()
