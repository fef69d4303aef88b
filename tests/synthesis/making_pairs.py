"""Make pairs of the shop in `conftest`, and find rows among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from evalkit.synthesis.pairs import PairSettings

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Shop

    Rows = list[dict[str, Any]]

TRAIN = PairSettings(threshold=0.5, dev_share=0.0)


def made(
    shop: Shop, folder: Path, settings: PairSettings = TRAIN, **more: Any
) -> tuple[Rows, Rows]:
    """Make pairs in a folder; return them and all candidates."""
    files = folder / "pairs.parquet", folder / "candidates.parquet"
    shop.pairs(files[0], candidates=files[1], settings=settings, **more)
    return pq.read_table(files[0]).to_pylist(), pq.read_table(files[1]).to_pylist()


def ids(rows: Rows, **wanted: Any) -> set[tuple[str, str]]:
    return {
        (row["query_id"], row["product_id"])
        for row in rows
        if all(row[name] == value for name, value in wanted.items())
    }


def row_of(rows: Rows, query_id: str, product_id: str) -> dict[str, Any]:
    return next(
        row for row in rows if (row["query_id"], row["product_id"]) == (query_id, product_id)
    )
