"""A catalogue as a user names it: its file, what is said and known about it, how it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit.knowledge.catalogue import read_catalogue
from evalkit.knowledge.graph import build_graph
from evalkit.knowledge.settings import read_settings
from evalkit.knowledge.triples import read_triples
from evalkit.manifest import Input, fingerprint

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from duckdb import DuckDBPyConnection

    from evalkit.knowledge.catalogue import Catalogue
    from evalkit.knowledge.graph import Graph

__all__ = ["CatalogueFiles"]


@dataclass(frozen=True)
class CatalogueFiles:
    """A catalogue and what is said about it.

    Attributes:
        products: the catalogue.
        settings: YAML file of what is special about it, or None.
        triples: CSV file of the user's own facts, or None.
        reading: keyword arguments of `evalkit.tables.read` for the catalogue.
    """

    products: str | os.PathLike[str]
    settings: str | os.PathLike[str] | None = None
    triples: str | os.PathLike[str] | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    def paths(self) -> dict[str, str]:
        """Return the files that there are by the role that manifests give them.

        Example:
            >>> CatalogueFiles("shop.jsonl", triples="facts.csv").paths()
            {'products': 'shop.jsonl', 'triples': 'facts.csv'}
        """
        files = {
            "products": self.products,
            "catalogue_settings": self.settings,
            "triples": self.triples,
        }
        return {role: str(path) for role, path in files.items() if path is not None}

    def inputs(self) -> tuple[Input, ...]:
        """Return the files as a manifest records them."""
        return tuple(Input(role, path, fingerprint(path)) for role, path in self.paths().items())

    def open(self, connection: DuckDBPyConnection) -> tuple[Catalogue, Graph]:
        """Read the catalogue and build its graph.

        Raises:
            InputError: a file cannot be used.
        """
        triples = read_triples(self.triples) if self.triples is not None else None
        catalogue = read_catalogue(
            self.products, connection, read_settings(self.settings), reading=self.reading
        )
        return catalogue, build_graph(catalogue, triples)
