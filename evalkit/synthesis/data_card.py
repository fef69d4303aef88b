"""What became of queries, rewrites and products on their way to pairs, for a person to look at.

The card is a document (plain JSON values). `evalkit.reports.data_card` draws it as Markdown and as
a page. Examples are drawn with a seed, so that the same files give the same card.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.engines import open_engine
from evalkit.manifest import read_manifest

if TYPE_CHECKING:
    import os

    from duckdb import DuckDBPyConnection

    from evalkit.tables import Table

__all__ = ["make_card"]

# what is drawn of each, a name and a condition on the candidates
_GROUPS = (
    ("kept", "decision = 'kept'"),
    ("hard negative", "decision = 'negative'"),
    ("checker passes, classifier doubts", "\"check\" = 'pass' AND starts_with(reason, 'classif')"),
    ("checker cannot tell", "\"check\" = 'unknown'"),
    ("checker refuses", "\"check\" = 'fail' AND decision = 'dropped'"),
)


def make_card(
    queries: str | os.PathLike[str],
    rewrites: str | os.PathLike[str],
    candidates: str | os.PathLike[str],
    pairs: str | os.PathLike[str],
    *,
    examples: int = 3,
    seed: int = 0,
    memory_limit: str = "1GB",
) -> dict[str, Any]:
    """Count and sample what every filter let through and held back.

    Args:
        queries: the typed queries.
        rewrites: their rewrites, with `accepted` and `reason` where they were filtered.
        candidates: every product looked at, as `evalkit synthesize pairs --candidates` wrote it.
        pairs: the pairs.
        examples: a type and a group.
        seed: of the examples.
        memory_limit: for reading.

    Returns:
        A document with `types` (counts of each query type, in order of the way), `rewrites`
        (reasons why rewrites were dropped), `reasons` (why products were), `violations` (what hard
        negatives violate), `examples` and `settings`.

    Raises:
        InputError: a file cannot be used.
    """
    from evalkit.tables import read

    with open_engine(memory_limit) as connection:
        read("pairs", candidates, connection).relation.create_view("card_candidates")
        _view_queries(connection, read("queries", queries, connection))
        filtered = _view_rewrites(read("rewrites", rewrites, connection))
        manifest = read_manifest(Path(pairs))
        return {
            "kind": "data_card",
            "version": __version__,
            "pairs": str(pairs),
            "counts": dict(manifest.counts),
            "settings": dict(manifest.settings),
            "models": [dict(model) for model in manifest.models],
            "inputs": [
                {"role": item.role, "path": item.path, "fingerprint": item.fingerprint}
                for item in manifest.inputs
            ],
            "types": _types(connection, filtered),
            "rewrites": _rewrite_reasons(connection) if filtered else [],
            "reasons": _reasons(connection),
            "violations": _violations(connection),
            "examples": _examples(connection, examples, seed),
            "rewrite_examples": _rewrite_examples(connection, examples, seed) if filtered else [],
            "seed": seed,
        }


def _view_queries(connection: DuckDBPyConnection, table: Table) -> None:
    """Give each query the type that the pairs have it by; the file may not say it."""
    stated = "CAST(query_type AS VARCHAR)" if "query_type" in table.columns else "NULL"
    table.relation.select(f"query_id, query, {stated} AS stated").create_view("card_stated")
    connection.execute(
        """
        CREATE TEMP VIEW card_queries AS
        SELECT query_id, query, coalesce(found.query_type, stated, '') AS query_type
        FROM card_stated LEFT JOIN (
            SELECT DISTINCT query_id, query_type FROM card_candidates
        ) AS found USING (query_id)
        """
    )


def _view_rewrites(table: Table) -> bool:
    """Add the columns that somebody's own filter does not write; tell whether there was one."""
    absent = [
        f"CAST(NULL AS {kind}) AS {name}"
        for name, kind in (("relevance", "DOUBLE"), ("reason", "VARCHAR"))
        if name not in table.columns
    ]
    table.relation.select(", ".join(["*", *absent])).create_view("card_rewrites")
    return "accepted" in table.columns


def _types(connection: DuckDBPyConnection, filtered: bool) -> list[dict[str, Any]]:
    accepted = "count(*) FILTER (CAST(accepted AS BOOLEAN))" if filtered else "count(*)"
    return _rows(
        connection,
        f"""
        WITH rewritten AS (
            SELECT query_type, count(*) AS rewrites, {accepted} AS accepted
            FROM card_rewrites JOIN card_queries USING (query_id) GROUP BY query_type
        ),
        looked AS (
            SELECT query_type, count(*) AS products, count(*) FILTER ("check" = 'pass') AS passed,
                count(*) FILTER ("check" = 'unknown') AS unknown,
                count(*) FILTER ("check" = 'fail') AS failed, count(probability) AS judged,
                count(probability) FILTER ("check" = 'pass') AS judged_passed,
                count(*) FILTER (starts_with(reason, 'classif') AND "check" = 'pass') AS doubted,
                count(*) FILTER (decision = 'kept') AS kept,
                count(*) FILTER (decision = 'kept' AND split = 'dev') AS kept_dev,
                count(*) FILTER (decision = 'negative') AS negatives,
                count(DISTINCT query_id) FILTER (decision = 'kept') AS queries_with_pairs,
                count(DISTINCT product_id) FILTER (decision = 'kept') AS products_kept
            FROM card_candidates GROUP BY query_type
        ),
        asked AS (SELECT query_type, count(*) AS queries FROM card_queries GROUP BY query_type)
        SELECT asked.*, rewritten.* EXCLUDE (query_type), looked.* EXCLUDE (query_type)
        FROM asked LEFT JOIN rewritten USING (query_type) LEFT JOIN looked USING (query_type)
        ORDER BY query_type
        """,
    )


def _rewrite_reasons(connection: DuckDBPyConnection) -> list[dict[str, Any]]:
    return _rows(
        connection,
        """
        SELECT query_type, regexp_replace(reason, '''[^'']*''', '…', 'g') AS reason,
            count(*) AS rewrites
        FROM card_rewrites JOIN card_queries USING (query_id)
        WHERE NOT CAST(accepted AS BOOLEAN)
        GROUP BY ALL ORDER BY query_type, rewrites DESC, 2
        """,
    )


def _reasons(connection: DuckDBPyConnection) -> list[dict[str, Any]]:
    return _rows(
        connection,
        """
        SELECT query_type, decision,
            CASE WHEN "check" <> 'pass' THEN 'checker: ' || "check"
                ELSE trim(regexp_replace(reason, ':.*$', '')) END AS reason,
            count(*) AS products
        FROM card_candidates WHERE decision <> 'kept'
        GROUP BY ALL ORDER BY query_type, decision, products DESC, 3
        """,
    )


def _violations(connection: DuckDBPyConnection) -> list[dict[str, Any]]:
    return _rows(
        connection,
        """
        SELECT query_type, violates, count(*) AS products
        FROM card_candidates WHERE decision = 'negative'
        GROUP BY ALL ORDER BY query_type, products DESC, violates
        """,
    )


def _examples(connection: DuckDBPyConnection, count: int, seed: int) -> list[dict[str, Any]]:
    found = []
    for name, condition in _GROUPS:
        found += _rows(
            connection,
            f"""
            SELECT query_type, '{name}' AS "group", query, rewrite, product_id,
                left(split_part(text, chr(10), 1), 160) AS title, "check", probability, reason
            FROM card_candidates WHERE {condition}
            QUALIFY row_number() OVER (
                PARTITION BY query_type ORDER BY hash({seed}::BIGINT || query_id || product_id)
            ) <= {count}
            ORDER BY query_type, query, product_id
            """,
        )
    return found


def _rewrite_examples(
    connection: DuckDBPyConnection, count: int, seed: int
) -> list[dict[str, Any]]:
    return _rows(
        connection,
        f"""
        SELECT query_type, query, rewrite, CAST(accepted AS BOOLEAN) AS accepted, relevance, reason
        FROM card_rewrites JOIN card_queries USING (query_id)
        QUALIFY row_number() OVER (
            PARTITION BY query_type, CAST(accepted AS BOOLEAN)
            ORDER BY hash({seed}::BIGINT || query_id || rewrite)
        ) <= {count}
        ORDER BY query_type, accepted DESC, query, rewrite
        """,
    )


def _rows(connection: DuckDBPyConnection, statement: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = connection.execute(statement).to_arrow_table().to_pylist()
    return rows
