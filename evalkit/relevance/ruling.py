"""What the catalogue decides about pairs of query and product before a judge is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import InputError, Problem
from evalkit.progress import say

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from evalkit.constraints.checking import Checker
    from evalkit.constraints.structure import Structure

__all__ = ["Ruling", "open_ruling"]


@dataclass(frozen=True)
class Ruling:
    """A checker of products, and what each query asks for.

    Attributes:
        checker: of the catalogue.
        structures: by query_id; queries without one are not ruled on.
    """

    checker: Checker
    structures: Mapping[str, Structure]

    def verdicts(self, pairs: pa.Table) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """Return 1, 0 or -1 for every pair, and which -1 are by data; one check a query.

        Args:
            pairs: query_id and product_id.
        """
        verdict, by_text = self.checks(pairs)
        return verdict, (verdict == -1) & ~by_text

    def checks(self, pairs: pa.Table) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """Return 1, 0 or -1 for every pair, and which verdicts only the words of a text decide.

        Args:
            pairs: query_id and product_id; one that the catalogue has not is unknown.
        """
        queries, query = _encoded(pairs, "query_id")
        products, product = _encoded(pairs, "product_id")
        numbers = self.checker.catalogue.numbers_of(products)[product]
        verdict = np.zeros(len(query), dtype=np.int8)
        by_text = np.zeros(len(query), dtype=np.bool_)
        order = np.argsort(query, kind="stable")
        ends = np.cumsum(np.bincount(query, minlength=len(queries)))
        for name, rows in zip(queries, np.split(order, ends[:-1]), strict=True):
            structure = self.structures.get(name)
            if structure is not None:
                here = rows[numbers[rows] >= 0]
                checks = self.checker.check(structure, numbers[here])
                verdict[here] = checks.verdict
                by_text[here] = checks.by_text
        return verdict, by_text


def _encoded(pairs: pa.Table, name: str) -> tuple[list[str], NDArray[np.int64]]:
    """Return the distinct values of a column, and which of them each row has."""
    column = pairs.column(name).combine_chunks()
    if not hasattr(column, "indices"):
        column = column.dictionary_encode()
    return column.dictionary.to_pylist(), column.indices.to_numpy().astype(np.int64)


def open_ruling(
    connection: DuckDBPyConnection,
    table: pa.Table,
    queries: str | os.PathLike[str],
    products: str | os.PathLike[str],
    catalogue_settings: str | os.PathLike[str] | None,
    reading: Mapping[str, Mapping[str, Any]] | None,
) -> Ruling:
    """Read the catalogue and the structures of the queries of a table of pairs.

    Args:
        connection: for reading.
        table: query_id and structure of every pair.
        queries: the file that they are from, for messages.
        products: the catalogue.
        catalogue_settings: YAML of what is special about it.
        reading: keyword arguments of `evalkit.tables.read` by kind of table.

    Raises:
        InputError: there is no column structure, or a file cannot be used.
    """
    from evalkit.constraints.checking import Checker
    from evalkit.constraints.typed_queries import stated_structures
    from evalkit.knowledge import CatalogueFiles

    if "structure" not in table.column_names:
        raise InputError(
            str(queries),
            [Problem("there is no column structure, which --constraints reads")],
            remedy="Make it with evalkit parse queries.",
        )
    texts = dict(
        zip(
            table.column("query_id").to_pylist(), table.column("structure").to_pylist(), strict=True
        )
    )
    structures = stated_structures(list(texts), list(texts.values()), str(queries))
    say("Reading the catalogue for the constraints.")
    shop = CatalogueFiles(
        products, catalogue_settings, reading=dict((reading or {}).get("products", {}))
    )
    return Ruling(Checker(*shop.open(connection)), structures)
