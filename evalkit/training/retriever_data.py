"""What a retriever learns from: labelled pairs with the texts that the index will hold.

A product's text is the catalogue's, made of the same fields as `evalkit index` makes it, so that
what is learnt is what is searched.

A product that a classifier alone finds wrong, while the catalogue says that it satisfies the query
(label 0, check `pass`), is left out: the classifier may have learned from the catalogue's checks,
and then such a doubt is its error. What people label has no column check and counts as it stands.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import InputError, Problem

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

__all__ = ["LabelledPairs", "pool_fingerprint", "read_pairs"]

_SPLITS = ("train", "dev")
_POOL_SEED = 0  # of every pool, so that the figures of trainings can be compared


@dataclass(frozen=True)
class LabelledPairs:
    """Pairs of queries and products, by number; see `read_pairs`.

    Attributes:
        query_ids: of the queries, ascending.
        queries: their texts.
        types: their query types.
        families: what they are about; queries of one family may want the same products.
        splits: `train` or `dev`.
        product_ids: of the products of the pairs and of the pool, descending as in an index.
        texts: of the products.
        pool: numbers of the products among which the dev queries search, ascending.
        query: number of the query of each pair, int64[n].
        product: number of its product, int64[n].
        label: whether the product is right, bool[n].
        counts: for the manifest.
        rows: rows of each file.
        warnings: what the user is to be told.
    """

    query_ids: tuple[str, ...]
    queries: tuple[str, ...]
    types: tuple[str, ...]
    families: tuple[str, ...]
    splits: tuple[str, ...]
    product_ids: tuple[str, ...]
    texts: tuple[str, ...]
    pool: NDArray[np.int64]
    query: NDArray[np.int64]
    product: NDArray[np.int64]
    label: NDArray[np.bool_]
    counts: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def of_split(self, split: str) -> NDArray[np.int64]:
        """Return the numbers of the queries of a split, ascending."""
        return np.flatnonzero(np.array(self.splits, dtype=object) == split)


def read_pairs(
    connection: DuckDBPyConnection,
    files: Sequence[str | os.PathLike[str]],
    products: str | os.PathLike[str],
    *,
    pool: int,
    fields: Sequence[str] | None = None,
    reading: Mapping[str, Mapping[str, Any]] | None = None,
) -> LabelledPairs:
    """Read labelled pairs and the texts of their products, and draw the pool of dev queries.

    Args:
        connection: for reading and joining.
        files: tables with query_id, query, product_id, label (1 or 0) and split (train or dev);
            query_type, family, text and check where known. Of a pair in two of them the first
            counts.
        products: the catalogue. A product that it lacks keeps the text that its pairs have.
        pool: how many products of the catalogue dev queries search. They are drawn with a seed of
            their own, whatever the pairs are, so that trainings with other pairs or seeds of
            training search the same products, and their figures can be compared.
        fields: columns that make a product's text; None takes the usual ones.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.

    Raises:
        InputError: a file cannot be used, or no pair is left.
    """
    from evalkit.tables import read
    from evalkit.tables.product_text import choose_fields, store_texts

    arguments = dict(reading or {})
    parts = [
        _part(connection, path, number, arguments.get("pairs", {}))
        for number, path in enumerate(files)
    ]
    whole = " UNION ALL ".join(
        f"SELECT *, {number} AS file FROM evalkit_pairs_{number}" for number in range(len(files))
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE evalkit_all_pairs AS {whole}")
    doubted = _count(
        connection, "SELECT count(*) FROM evalkit_all_pairs WHERE label = 0 AND passes"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE evalkit_pairs AS SELECT * EXCLUDE (passes) "
        "FROM evalkit_all_pairs WHERE NOT (label = 0 AND passes) "
        "QUALIFY row_number() OVER (PARTITION BY query_id, product_id ORDER BY file) = 1"
    )
    _check_queries(connection, files)
    torn, contradicted = _torn_families(connection), _contradictions(connection)
    catalogue = read("products", products, connection, **arguments.get("products", {}))
    store_texts(connection, catalogue, choose_fields(catalogue.columns, fields))
    drawn = _draw_pool(connection, pool)
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE evalkit_known AS
        SELECT product_id, text FROM evalkit_texts
        WHERE product_id IN (SELECT product_id FROM evalkit_pairs)
            OR product_id IN (SELECT product_id FROM evalkit_pool)
        UNION ALL
        SELECT product_id, min(text) FROM evalkit_pairs
        WHERE trim(coalesce(text, '')) <> ''
            AND product_id NOT IN (SELECT product_id FROM evalkit_texts)
        GROUP BY product_id
        """
    )
    known = connection.execute(
        "SELECT product_id, text FROM evalkit_known ORDER BY product_id DESC"
    ).to_arrow_table()
    table = connection.execute(
        "SELECT p.* FROM evalkit_pairs p SEMI JOIN evalkit_known k ON p.product_id = k.product_id "
        "ORDER BY query_id, label DESC, place, product_id"
    ).to_arrow_table()
    if not table.num_rows:
        raise InputError(
            str(files[0]),
            [Problem("not one product of the pairs is in the catalogue, nor has it a text")],
            remedy="Give the products that the pairs are of.",
        )
    result = _numbered(table, known, drawn)
    total = _count(connection, "SELECT count(*) FROM evalkit_pairs")
    without = total - table.num_rows
    outside = _count(
        connection,
        "SELECT count(DISTINCT product_id) FROM evalkit_pairs ANTI JOIN evalkit_texts "
        "USING (product_id)",
    )
    warnings = []
    if torn:
        warnings.append(
            f"{len(torn):,} families of queries are in train and in dev, such as {torn[0]!r}: dev "
            "queries are about what is learnt. Make all pairs with one seed of the split."
        )
    if contradicted:
        warnings.append(
            f"{contradicted:,} pairs have label 1 and label 0; the first of them counts."
        )
    if without:
        warnings.append(
            f"{without:,} of {total:,} pairs are left out: their products are not in the catalogue."
        )
    elif outside:
        warnings.append(
            f"{outside:,} products of the pairs are not in the catalogue; they are learnt with the "
            "text that their pairs have."
        )
    rows = dict(zip(map(str, files), parts, strict=True)) | {str(products): catalogue.rows}
    return LabelledPairs(
        **result,
        counts={
            "pairs_read": total,
            "pairs_without_product": without,
            "negatives_that_pass": doubted,
            "pairs_contradicted": contradicted,
            "families_in_both_splits": len(torn),
            "pool": len(result["pool"]),
        },
        rows=rows,
        warnings=tuple(warnings),
    )


def _part(
    connection: DuckDBPyConnection, path: Any, number: int, reading: Mapping[str, Any]
) -> int:
    """Store the pairs of a file in a table of their own; return how many rows it has."""
    from evalkit.tables import need_column, read

    table = read("pairs", path, connection, **reading)
    need_column(table, "query")
    need_column(table, "label", remedy="Add it: 1 where the product is right, 0 where it is wrong.")
    need_column(table, "split", remedy="Add it: train, or dev for queries that stop the training.")
    have = set(table.columns)
    label = "lower(trim(CAST(label AS VARCHAR)))"
    either = {
        "text": "CAST(text AS VARCHAR)" if "text" in have else "NULL::VARCHAR",
        "query_type": "coalesce(CAST(query_type AS VARCHAR), '')" if "query_type" in have else "''",
        "family": "coalesce(nullif(CAST(family AS VARCHAR), ''), query_id)"
        if "family" in have
        else "query_id",
        "place": "coalesce(CAST(fused_rank AS BIGINT), 0)" if "fused_rank" in have else "0::BIGINT",
        "passes": "coalesce(lower(CAST(\"check\" AS VARCHAR)) = 'pass', false)"
        if "check" in have
        else "false",
    }
    name = f"evalkit_pairs_{number}"
    table.relation.select(
        "query_id, CAST(query AS VARCHAR) AS query, product_id, "
        f"CASE WHEN {label} IN ('1', '1.0', 'true') THEN 1 WHEN {label} IN ('0', '0.0', 'false') "
        "THEN 0 END AS label, lower(trim(CAST(split AS VARCHAR))) AS split, "
        + ", ".join(f"{cell} AS {column}" for column, cell in either.items())
    ).create_view("evalkit_pairs_source", replace=True)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM evalkit_pairs_source")
    for condition, problem, remedy in (
        ("label IS NULL", "have a label that is neither 0 nor 1", "Write 1 or 0."),
        (
            f"split IS NULL OR split NOT IN {_SPLITS}",
            "have a split that is neither train nor dev",
            "Write train or dev.",
        ),
        ("trim(coalesce(query, '')) = ''", "have no query", "Give every pair its query's text."),
    ):
        found = _count(connection, f"SELECT count(*) FROM {name} WHERE {condition}")
        if found:
            raise InputError(table.path, [Problem(f"{found:,} rows {problem}")], remedy=remedy)
    return int(table.rows)


def _check_queries(connection: DuckDBPyConnection, files: Sequence[Any]) -> None:
    """Refuse a query with two texts or in two splits.

    Raises:
        InputError: names the queries.
    """
    torn = connection.execute(
        "SELECT query_id FROM evalkit_pairs GROUP BY query_id "
        "HAVING count(DISTINCT query) > 1 OR count(DISTINCT split) > 1 ORDER BY query_id"
    ).fetchall()
    if torn:
        raise InputError(
            " and ".join(map(str, files)),
            [Problem("has two texts, or is in two splits", query_id=row[0]) for row in torn[:10]],
            remedy="One query has one text and one split; give other queries other ids.",
            total=len(torn),
        )


def _torn_families(connection: DuckDBPyConnection) -> list[str]:
    """Return the families with queries for training and for development."""
    from evalkit.constraints.families import split_families

    of_split: dict[str, set[str]] = {split: set() for split in _SPLITS}
    rows = connection.execute("SELECT DISTINCT family, split FROM evalkit_pairs").fetchall()
    for family, split in rows:
        of_split[split].update(split_families(family))
    return sorted(set.intersection(*of_split.values()))


def _contradictions(connection: DuckDBPyConnection) -> int:
    """Count the pairs of which one row says right and another wrong."""
    return _count(
        connection,
        "SELECT count(*) FROM (SELECT 1 FROM evalkit_all_pairs WHERE NOT (label = 0 AND passes) "
        "GROUP BY query_id, product_id HAVING count(DISTINCT label) > 1)",
    )


def _draw_pool(connection: DuckDBPyConnection, size: int) -> set[str]:
    """Draw products of the catalogue; a larger pool holds all of a smaller one."""
    import pyarrow as pa

    known = connection.execute("SELECT product_id FROM evalkit_texts ORDER BY product_id")
    ids = known.to_arrow_table().column("product_id")
    places = np.random.default_rng(_POOL_SEED).permutation(len(ids))[:size]
    drawn = ids.take(pa.array(np.sort(places)))
    connection.register("evalkit_pool", pa.table({"product_id": drawn}))
    return set(drawn.to_pylist())


def pool_fingerprint(pairs: LabelledPairs) -> str:
    """Return what tells the pool from others: SHA-256 of its ids and texts, in order."""
    pool = [[pairs.product_ids[place], pairs.texts[place]] for place in pairs.pool.tolist()]
    return f"sha256:{hashlib.sha256(json.dumps(pool).encode()).hexdigest()}"


def _numbered(table: Any, known: Any, pool: set[str]) -> dict[str, Any]:
    """Turn the tables of pairs and of products into numbers."""
    product_ids = known.column("product_id").to_pylist()
    number = {product_id: place for place, product_id in enumerate(product_ids)}
    ids = np.array(table.column("query_id").to_pylist(), dtype=object)
    query_ids, first, query = np.unique(ids, return_index=True, return_inverse=True)

    def of_queries(column: str) -> tuple[str, ...]:
        return tuple(np.array(table.column(column).to_pylist(), dtype=object)[first].tolist())

    return {
        "query_ids": tuple(query_ids.tolist()),
        "queries": of_queries("query"),
        "types": of_queries("query_type"),
        "families": of_queries("family"),
        "splits": of_queries("split"),
        "product_ids": tuple(product_ids),
        "texts": tuple(known.column("text").to_pylist()),
        "pool": np.array(sorted(number[each] for each in pool if each in number), dtype=np.int64),
        "query": query.astype(np.int64),
        "product": np.array(
            [number[each] for each in table.column("product_id").to_pylist()], dtype=np.int64
        ),
        "label": np.asarray(table.column("label").to_numpy() == 1),
    }


def _count(connection: DuckDBPyConnection, query: str) -> int:
    found = connection.execute(query).fetchone()
    return int(found[0]) if found else 0
