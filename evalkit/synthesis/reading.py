"""What several stages of synthesis read in the same way: accepted rewrites and products' texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.knowledge import Catalogue

__all__ = ["read_accepted", "read_product_texts"]


def read_accepted(
    path: str | os.PathLike[str],
    connection: DuckDBPyConnection,
    *,
    reading: Mapping[str, Any] | None = None,
) -> dict[str, list[str]]:
    """Read the rewrites of each query, best first; where there is a column `accepted`, only those.

    Raises:
        InputError: the file cannot be used.
    """
    from evalkit.tables import read

    table = read("rewrites", path, connection, **(reading or {}))
    rows = table.relation
    if "accepted" in table.columns:
        rows = rows.filter("CAST(accepted AS BOOLEAN)")
    order = "query_id, place, rewrite" if "place" in table.columns else "query_id, rewrite"
    found: dict[str, list[str]] = {}
    for query_id, rewrite in rows.order(order).select("query_id, rewrite").fetchall():
        found.setdefault(query_id, []).append(rewrite)
    return found


def read_product_texts(
    products: str | os.PathLike[str],
    connection: DuckDBPyConnection,
    catalogue: Catalogue,
    fields: Sequence[str] | None,
    *,
    reading: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Return each product's text by its number in the catalogue; empty where it has none.

    Args:
        products: the file of the catalogue.
        connection: a DuckDB connection that reads it.
        catalogue: what the file says.
        fields: columns that make a text; None for those that products usually have.
        reading: keyword arguments of `evalkit.tables.read`.

    Raises:
        InputError: the file cannot be used.
    """
    from evalkit.tables import read
    from evalkit.tables.product_text import choose_fields, store_texts

    table = read("products", products, connection, **(reading or {}))
    relation, _, _ = store_texts(connection, table, choose_fields(table.columns, fields))
    found = dict(relation.fetchall())
    return tuple(found.get(product_id, "") for product_id in catalogue.product_ids)
