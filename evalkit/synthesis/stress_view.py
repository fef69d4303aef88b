"""A shop as every measurement sees it: its catalogue, its checker and its indexes.

There is one view of the shop as it is, and one for each way in which its catalogue changes. What
was searched is kept, since many figures look at the same lists.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import InputError, Problem
from evalkit.synthesis.reading import read_product_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from evalkit.constraints import Structure
    from evalkit.constraints.checking import Checker
    from evalkit.knowledge import Catalogue, Graph
    from evalkit.knowledge.settings import CatalogueSettings
    from evalkit.knowledge.triples import Triple
    from evalkit.retrieval.retriever import DenseRetriever, LexicalRetriever

    Truth = Mapping[tuple[str, str], bool]

__all__ = ["Knowledge", "View", "index_again", "open_indexes", "open_view", "read_truth"]


@dataclass(frozen=True)
class Knowledge:
    """How a catalogue is understood, before and after it changes.

    Attributes:
        settings: what is special about it.
        triples: what else is known.
    """

    settings: CatalogueSettings
    triples: Sequence[Triple] | None = None


@dataclass(frozen=True)
class View:
    """A shop; see `open_view`.

    Attributes:
        products: its file.
        reading: how the file is read.
        catalogue: what it says.
        graph: what is known about it.
        checker: which products satisfy what.
        retrievers: by name, `bm25` and `dense` usually.
    """

    products: Path
    reading: Mapping[str, Any]
    catalogue: Catalogue
    graph: Graph
    checker: Checker
    retrievers: Mapping[str, DenseRetriever | LexicalRetriever]
    _searched: dict[tuple[str, str], pa.Table] = field(default_factory=dict)

    def search(self, what: str, index: str, texts: Mapping[str, str], k: int) -> pa.Table:
        """Search for texts by id; a search of the same name is done once.

        Returns:
            query_id (the id of the text), product_id and rank.
        """
        import pyarrow as pa

        key = (what, index)
        if key not in self._searched:
            asked = pa.table(
                {
                    "query_id": pa.array(list(texts), pa.string()),
                    "query": pa.array(list(texts.values()), pa.string()),
                }
            )
            found = self.retrievers[index].search(asked, k, system=index)
            self._searched[key] = found.select(["query_id", "product_id", "rank"])
        return self._searched[key]

    def verdicts(
        self, run: pa.Table, structures: Mapping[str, Structure]
    ) -> dict[str, NDArray[np.int8]]:
        """Return the checker's verdicts (1, 0, -1) on what each text found, best first."""
        ids = np.array(run.column("query_id").to_pylist(), dtype=object)
        numbers = self.catalogue.numbers_of(run.column("product_id").to_pylist())
        first = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])) if len(ids) else ids
        starts: list[int] = first.tolist()
        found = dict.fromkeys(structures, np.zeros(0, dtype=np.int8))
        for start, end in zip(starts, [*starts[1:], len(ids)], strict=len(starts) > 0):
            text = str(ids[start])
            found[text] = self.checker.check(structures[text], numbers[start:end]).verdict
        return found

    def texts(
        self, fields: Sequence[str] | None, connection: DuckDBPyConnection
    ) -> tuple[str, ...]:
        """Return each product's text by its number in the catalogue; empty where it has none."""
        return read_product_texts(
            self.products, connection, self.catalogue, fields, reading=self.reading
        )


def open_view(
    products: str | os.PathLike[str],
    connection: DuckDBPyConnection,
    knowledge: Knowledge,
    retrievers: Mapping[str, DenseRetriever | LexicalRetriever],
    *,
    reading: Mapping[str, Any] | None = None,
) -> View:
    """Read a catalogue and what follows from it.

    Raises:
        InputError: the file cannot be used.
        SettingsError: it cannot be understood.
    """
    from evalkit.constraints.checking import Checker
    from evalkit.knowledge import build_graph, read_catalogue

    catalogue = read_catalogue(products, connection, knowledge.settings, reading=reading)
    graph = build_graph(catalogue, knowledge.triples)
    return View(
        Path(products), dict(reading or {}), catalogue, graph, Checker(catalogue, graph), retrievers
    )


def open_indexes(
    folders: Sequence[str | os.PathLike[str]], products: str | os.PathLike[str]
) -> dict[str, DenseRetriever | LexicalRetriever]:
    """Open indexes of one catalogue by name: `bm25`, `dense`, or the folder's where that is taken.

    Raises:
        InputError: there is no index, or it is of another catalogue.
        ModelError: its model cannot be opened.
    """
    from evalkit.retrieval import open_index

    found: dict[str, DenseRetriever | LexicalRetriever] = {}
    for folder in folders:
        opened = open_index(folder, products=products)
        name = "bm25" if opened.manifest.settings["kind"] == "lexical" else "dense"
        found[Path(folder).stem if name in found else name] = opened
    return found


def index_again(
    products: Path, folder: Path, like: Mapping[str, DenseRetriever | LexicalRetriever]
) -> dict[str, DenseRetriever | LexicalRetriever]:
    """Index a changed catalogue as the one before it was; embeddings of known texts are reused."""
    from evalkit.retrieval import (
        LexicalSettings,
        VectorIndexSettings,
        index_products,
        open_index,
    )
    from evalkit.retrieval.retriever import DenseRetriever

    found: dict[str, DenseRetriever | LexicalRetriever] = {}
    for name, retriever in like.items():
        known = retriever.manifest.settings
        encoder = None
        method: LexicalSettings | VectorIndexSettings = LexicalSettings()
        if isinstance(retriever, DenseRetriever):
            encoder, method = retriever.encoder.encoder, VectorIndexSettings(**known["index"])
        else:
            method = LexicalSettings(**known["index"])
        target = folder / f"{name}.index"
        index_products(products, target, method, encoder=encoder, fields=known["fields"])
        found[name] = open_index(target, encoder=encoder, products=products)
    return found


def read_truth(
    path: str | os.PathLike[str],
    connection: DuckDBPyConnection,
    good: float,
    *,
    reading: Mapping[str, Any] | None = None,
) -> dict[tuple[str, str], bool]:
    """Read which products are good for which query.

    Raises:
        InputError: the file cannot be used, a pair has several grades, or grades are no numbers.
    """
    from evalkit.tables import read
    from metrics import MetricsError, one_grade

    table = read("judgments", path, connection, **(reading or {}))
    try:
        rows = one_grade(table.relation).order("query_id, product_id").fetchall()
    except MetricsError as error:
        raise InputError(
            table.path, [Problem(str(error))], remedy="Give one grade a query and product."
        ) from error
    if rows and not isinstance(rows[0][2], int | float):
        raise InputError(
            table.path,
            [Problem("the grades are no numbers", column="grade", value=str(rows[0][2]))],
            remedy="Give grades as numbers, and with --good the smallest that is good.",
        )
    return {(query_id, product_id): grade >= good for query_id, product_id, grade in rows}
