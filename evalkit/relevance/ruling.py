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
        ids = np.array(pairs.column("query_id").to_pylist(), dtype=object)
        numbers = self.checker.catalogue.numbers_of(pairs.column("product_id").to_pylist())
        verdict = np.zeros(len(ids), dtype=np.int8)
        by_data = np.zeros(len(ids), dtype=np.bool_)
        for query_id in dict.fromkeys(ids.tolist()):
            structure = self.structures.get(query_id)
            if structure is not None:
                here = np.flatnonzero((ids == query_id) & (numbers >= 0))
                checks = self.checker.check(structure, numbers[here])
                verdict[here] = checks.verdict
                by_data[here] = (checks.verdict == -1) & ~checks.by_text
        return verdict, by_data


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
