"""Write the sample shop: products.jsonl, queries.csv and judgments.csv.

    python sample_data/generate.py             # into this folder
    python sample_data/generate.py --out DIR   # somewhere else

The result is the same, byte for byte, on every platform and Python from 3.11 on. Nothing but the
standard library is needed. What the shop sells and what people ask for stands in source/.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from shop.blueprint import read_departments
from shop.catalogue import Product, make_catalogue
from shop.intents import Intent, read_intents
from shop.judgments import Judgment, make_judgments, read_hand

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HERE = Path(__file__).resolve().parent


def make_files() -> dict[str, bytes]:
    """The content of every generated file by its name."""
    products = make_catalogue(read_departments())
    intents = read_intents(products)
    judgments = make_judgments(intents, products, read_hand())
    return {
        "products.jsonl": _products(products),
        "queries.csv": _queries(intents),
        "judgments.csv": _judgments(judgments),
    }


def write_files(files: dict[str, bytes], folder: Path) -> None:
    """Write each file under a temporary name and rename it when it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        temporary = folder / f".{name}.part"
        temporary.write_bytes(content)
        os.replace(temporary, folder / name)
        lines = content.count(b"\n")
        print(f"{folder / name}: {lines:,} lines, {len(content):,} bytes")


def _products(products: Sequence[Product]) -> bytes:
    lines = (json.dumps(product.as_row(), ensure_ascii=False) for product in products)
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _queries(intents: Sequence[Intent]) -> bytes:
    rows = ((item.query_id, item.query, item.query_type, item.department) for item in intents)
    return _csv(("query_id", "query", "query_type", "department"), rows)


def _judgments(judgments: Sequence[Judgment]) -> bytes:
    rows = (
        (row.query_id, row.product_id, row.grade, row.source, row.annotator, row.rule)
        for row in judgments
    )
    return _csv(("query_id", "product_id", "grade", "source", "annotator", "rule"), rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, generate, write, say what was written."""
    parser = argparse.ArgumentParser(description="Write the sample shop's files.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the files")
    write_files(make_files(), parser.parse_args(arguments).out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
