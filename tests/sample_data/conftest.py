"""The committed files of the sample shop, and the generator's own view of it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "sample_data"

Row = dict[str, Any]


@pytest.fixture(scope="session")
def folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def products() -> dict[str, Row]:
    lines = (FOLDER / "products.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({row["product_id"] for row in rows}) == len(rows), "a product_id occurs twice"
    return {row["product_id"]: row for row in rows}


@pytest.fixture(scope="session")
def queries() -> dict[str, Row]:
    rows = _csv_rows("queries.csv")
    assert len({row["query_id"] for row in rows}) == len(rows), "a query_id occurs twice"
    return {row["query_id"]: row for row in rows}


@pytest.fixture(scope="session")
def judgments() -> list[Row]:
    return [{**row, "grade": int(row["grade"])} for row in _csv_rows("judgments.csv")]


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with freshly generated files, made from another working directory."""
    target = tmp_path_factory.mktemp("shop")
    command = [sys.executable, str(FOLDER / "generate.py"), "--out", str(target)]
    subprocess.run(command, check=True, cwd=target, capture_output=True)
    return target


def _csv_rows(name: str) -> list[Row]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
