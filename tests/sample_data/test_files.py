"""The shape of the sample shop's files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]

FILES = ("products.jsonl", "queries.csv", "judgments.csv")
LIMIT_BYTES = 3_000_000


def test_the_generator_reproduces_every_file_byte_for_byte(folder: Path, generated: Path) -> None:
    for name in FILES:
        assert (generated / name).read_bytes() == (folder / name).read_bytes(), (
            f"{name} differs; run python sample_data/generate.py and commit the result"
        )


def test_the_generator_does_not_depend_on_the_order_of_hashes(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(folder / "generate.py"), "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_generator_leaves_no_temporary_file(generated: Path) -> None:
    assert sorted(path.name for path in generated.iterdir()) == sorted(FILES)


def test_the_whole_folder_stays_under_three_megabytes(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < LIMIT_BYTES


def test_there_are_about_1200_products_in_twelve_departments(products: dict[str, Row]) -> None:
    assert 1_150 <= len(products) <= 1_250
    departments = Counter(row["department"] for row in products.values())
    assert len(departments) == 12
    assert min(departments.values()) >= 80


def test_ids_are_well_formed(products: dict[str, Row], queries: dict[str, Row]) -> None:
    assert all(re.fullmatch(r"[A-Z]{2}\d{4}", product_id) for product_id in products)
    assert list(queries) == [f"q{number:03d}" for number in range(1, 161)]


def test_every_product_has_the_fields_of_the_data_card(products: dict[str, Row]) -> None:
    fields = {
        "product_id",
        "title",
        "brand",
        "department",
        "kind",
        "price",
        "description",
        "attributes",
    }
    for row in products.values():
        assert set(row) == fields
        assert row["title"].strip() == row["title"]
        assert row["brand"] in row["title"]
        assert 0 < row["price"] < 10_000
        assert round(row["price"], 2) == row["price"]
        assert row["description"]
        assert "{" not in row["title"] + row["description"]
        for value in row["attributes"].values():
            assert isinstance(value, str) or all(isinstance(item, str) for item in value)


def test_no_two_products_share_a_title_or_a_description(products: dict[str, Row]) -> None:
    for field in ("title", "description"):
        texts = Counter((row[field], row["kind"]) for row in products.values())
        assert texts.most_common(1)[0][1] == 1


def test_there_are_forty_queries_of_each_type(queries: dict[str, Row]) -> None:
    types = Counter(row["query_type"] for row in queries.values())
    assert types == {"knowledge": 40, "negative": 40, "alternative": 40, "general": 40}
    assert len({row["query"] for row in queries.values()}) == 160


def test_every_judgment_refers_to_a_query_and_a_product(
    judgments: list[Row], queries: dict[str, Row], products: dict[str, Row]
) -> None:
    assert all(row["query_id"] in queries for row in judgments)
    assert all(row["product_id"] in products for row in judgments)


def test_no_pair_is_judged_twice(judgments: list[Row]) -> None:
    pairs = Counter((row["query_id"], row["product_id"]) for row in judgments)
    assert pairs.most_common(1)[0][1] == 1


def test_judgments_have_one_source_no_annotator_and_a_rule(judgments: list[Row]) -> None:
    assert {row["source"] for row in judgments} == {"import"}
    assert {row["annotator"] for row in judgments} == {""}
    assert {row["grade"] for row in judgments} == {0, 1, 2, 3}
    assert all(0 < len(row["rule"]) <= 200 for row in judgments)


def test_every_query_has_good_products_except_those_that_the_card_names(
    judgments: list[Row], queries: dict[str, Row], folder: Path
) -> None:
    good = Counter(row["query_id"] for row in judgments if row["grade"] >= 2)
    without = [query_id for query_id in queries if good[query_id] == 0]
    assert 3 <= len(without) <= 5
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"`{query_id}`" in card for query_id in without)
    assert all(3 <= good[query_id] <= 40 for query_id in queries if query_id not in without)


def test_the_data_card_states_the_counts(
    folder: Path, products: dict[str, Row], queries: dict[str, Row], judgments: list[Row]
) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"{len(products):,} products of" in card
    assert f"{len(judgments):,} graded pairs" in card
    asked = Counter(row["department"] for row in queries.values())
    for department, count in Counter(row["department"] for row in products.values()).items():
        assert f"| {department} | {count} | {asked[department]} |" in card
    grades = Counter((queries[row["query_id"]]["query_type"], row["grade"]) for row in judgments)
    for query_type in ("knowledge", "negative", "alternative", "general"):
        counts = " | ".join(f"{grades[query_type, grade]:,}" for grade in range(4))
        assert f"| {counts} |" in card
    by_hand = sum(row["rule"].startswith("hand: ") for row in judgments)
    assert f"{by_hand} pairs in `source/hand.toml`" in card
