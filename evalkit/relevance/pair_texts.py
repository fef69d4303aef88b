"""The two texts of every pair of query and product: what a classifier or a judge reads.

A product's text is rendered as for an index (`evalkit.tables.product_text`), from chosen fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem
from evalkit.tables.product_text import choose_fields, store_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

__all__ = ["join_texts"]


def join_texts(
    connection: DuckDBPyConnection,
    pairs: DuckDBPyRelation,
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    *,
    fields: Sequence[str] | None = None,
    columns: Sequence[str] = (),
    of_query: Sequence[str] = (),
    reading: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[pa.Table, dict[str, int], tuple[str, ...]]:
    """Give every pair the text of its query and of its product.

    Args:
        connection: of `pairs`.
        pairs: query_id, product_id and whatever `columns` names.
        queries: a table with query_id and query.
        products: the catalogue.
        fields: columns that make a product's text; None takes the usual ones.
        columns: further columns of `pairs` that are kept.
        of_query: further columns of `queries` that are kept where they exist.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.

    Returns:
        A table with query_id, product_id, query, text and the kept columns, by query_id and
        product_id; how many pairs there were, and how many are left out because their query or
        their product is unknown or has no text; the fields of the text.

    Raises:
        InputError: a file cannot be used, or no pair has both texts.
    """
    from evalkit.tables import need_column, read

    arguments = dict(reading or {})
    asked = read("queries", queries, connection, **arguments.get("queries", {}))
    need_column(asked, "query")
    catalogue = read("products", products, connection, **arguments.get("products", {}))
    chosen = choose_fields(catalogue.columns, fields)
    texts, _, _ = store_texts(connection, catalogue, chosen)
    pairs.create_view("evalkit_pairs_asked", replace=True)
    asked.relation.create_view("evalkit_queries_asked", replace=True)
    texts.create_view("evalkit_product_texts", replace=True)
    kept = [f', p."{name}" AS "{name}"' for name in columns]
    kept += [f', q."{name}" AS "{name}"' for name in of_query if name in asked.columns]
    # Not an outer join alone: what is missing is counted by its reason.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE evalkit_pair_texts AS SELECT p.query_id, p.product_id, "
        "CASE WHEN trim(q.query) <> '' THEN CAST(q.query AS VARCHAR) END AS query, t.text"
        f"{''.join(kept)} FROM evalkit_pairs_asked p LEFT JOIN evalkit_queries_asked q "
        "USING (query_id) LEFT JOIN evalkit_product_texts t USING (product_id)"
    )
    row = connection.execute(
        "SELECT count(*), count_if(query IS NULL), count_if(query IS NOT NULL AND text IS NULL) "
        "FROM evalkit_pair_texts"
    ).fetchone() or (0, 0, 0)
    counts = {
        "pairs": int(row[0]),
        "without_query": int(row[1]),
        "without_product": int(row[2]),
    }
    if counts["pairs"] == counts["without_query"] + counts["without_product"]:
        raise InputError(
            catalogue.path,
            [
                Problem(
                    f"of {counts['pairs']:,} pairs, {counts['without_query']:,} have no query in "
                    f"{asked.path} and {counts['without_product']:,} no product here"
                )
            ],
            remedy="Give the queries and products that the pairs are of.",
        )
    order = ", ".join(["query_id", "product_id", *(f'"{name}"' for name in columns)])
    table = connection.sql(
        "SELECT * FROM evalkit_pair_texts WHERE query IS NOT NULL AND text IS NOT NULL "
        f"ORDER BY {order}"
    ).to_arrow_table()
    return table, counts, chosen
