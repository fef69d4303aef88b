"""Retrieval that heeds what queries ask for: decomposed vectors, and results that must not fail.

The structure of a query comes from the column `structure` of its table, or is read from its words
by rules with the catalogue at hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.constraints.parsing_stage import RULES
from evalkit.constraints.typed_queries import stated_structures
from evalkit.errors import SettingsError
from evalkit.knowledge import CatalogueFiles
from evalkit.retrieval.retriever import DenseRetriever

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from evalkit.constraints.structure import Structure
    from evalkit.manifest import Input
    from evalkit.retrieval.retriever import LexicalRetriever

__all__ = ["ConstraintSettings", "Heeding", "open_heeding"]

_BATCH = 500  # queries searched deeply at once


@dataclass(frozen=True)
class ConstraintSettings:
    """How retrieval heeds what queries ask for.

    Attributes:
        weight: of the excluded part (`evalkit.retrieval.decomposing`); None does not decompose.
        filter: take out results that fail a condition.
        depth: how many times k is searched for that.
        settings: YAML file of what is special about the catalogue, or None.
        triples: CSV file of the user's own facts, or None.
    """

    weight: float | None = None
    filter: bool = False
    depth: int = 5
    settings: str | None = None
    triples: str | None = None

    @property
    def used(self) -> bool:
        """Whether anything is asked for."""
        return self.weight is not None or self.filter

    def check(self, products: str | None, *, dense: bool) -> None:
        """Refuse combinations that mean nothing.

        Raises:
            SettingsError: says which.
        """
        from evalkit.retrieval.decomposing import decompose

        if self.weight is not None:
            import numpy as np

            row = np.ones((1, 1), dtype=np.float32)
            decompose(row, -row, self.weight)
            if not dense:
                raise SettingsError(
                    "--decompose-negation changes vectors, and a lexical index has none; leave it "
                    "out, or take a dense index."
                )
        if self.filter and products is None:
            raise SettingsError("--filter-constraints looks into the catalogue; name --products.")
        if self.depth < 1:
            raise SettingsError(f"--depth is {self.depth}; it must be 1 or more.")
        if (self.settings or self.triples) and (products is None or not self.used):
            option = "--settings" if self.settings else "--triples"
            raise SettingsError(
                f"{option} says how the catalogue is understood; it needs --products and "
                "--decompose-negation or --filter-constraints."
            )

    def system(self, kind: str) -> str:
        """Return what a run calls its system, unless the user says.

        Example:
            >>> ConstraintSettings(weight=0.6, filter=True).system("flat")
            'flat+decomposition+filter'
        """
        parts = ["+decomposition"] if self.weight is not None else []
        return kind + "".join([*parts, "+filter"] if self.filter else parts)

    def to_manifest(self) -> dict[str, Any]:
        """Return the settings that a manifest records; none where nothing is asked for."""
        if not self.used:
            return {}
        found: dict[str, Any] = {"rules": RULES}
        if self.weight is not None:
            from evalkit.constraints.topic import TOPIC

            found |= {"lambda": self.weight, "topic": TOPIC}
        if self.filter:
            from evalkit.constraints.checking import CHECKS

            found |= {"filter_constraints": True, "depth": self.depth, "checks": CHECKS}
        return found

    def inputs(self, products: str | None) -> tuple[Input, ...]:
        """Return the files that are read besides queries and index."""
        if not self.used or products is None:
            return ()
        return CatalogueFiles(products, self.settings, self.triples).inputs()


@dataclass(frozen=True)
class Heeding:
    """The structures of the queries of one command, and what checks results.

    Attributes:
        settings: how they are heeded.
        structures: by query_id.
        checker: of the catalogue; None where nothing is filtered.
    """

    settings: ConstraintSettings
    structures: dict[str, Structure]
    checker: Any

    def search(
        self,
        retriever: DenseRetriever | LexicalRetriever,
        queries: pa.Table,
        k: int,
        *,
        system: str,
        progress: Callable[[int], object] | None = None,
    ) -> tuple[pa.Table, dict[str, int]]:
        """Return a run, and counts; see `evalkit.retrieval.retriever.Retriever.search`.

        Counts are `queries_decomposed`, and with a filter `rows_passed`, `rows_unknown`,
        `rows_failed` (taken out), `rows_unchecked`, `queries_with_fewer` than k results because
        of it, and among them `queries_with_none` at all.
        """
        import pyarrow as pa

        size = _BATCH if self.settings.filter else max(1, queries.num_rows)
        parts = []
        counts: dict[str, int] = {}
        for start in range(0, max(1, queries.num_rows), size):
            some = queries.slice(start, size)
            part, found = self._search(retriever, some, k, system, progress)
            parts.append(part)
            counts = {name: counts.get(name, 0) + value for name, value in found.items()}
        return pa.concat_tables(parts), counts

    def _search(
        self,
        retriever: DenseRetriever | LexicalRetriever,
        queries: pa.Table,
        k: int,
        system: str,
        progress: Callable[[int], object] | None,
    ) -> tuple[pa.Table, dict[str, int]]:
        counts: dict[str, int] = {}
        deep = k * self.settings.depth if self.settings.filter else k
        if self.settings.weight is not None and isinstance(retriever, DenseRetriever):
            from evalkit.retrieval.decomposing import decomposed_vectors

            ids = queries.column("query_id").to_pylist()
            vectors, counts["queries_decomposed"] = decomposed_vectors(
                retriever.encoder,
                queries.column("query").to_pylist(),
                [self.structures.get(query_id) for query_id in ids],
                self.settings.weight,
            )
            run = retriever.nearest(
                queries.column("query_id"), vectors, deep, system=system, progress=progress
            )
        else:
            run = retriever.search(queries, deep, system=system, progress=progress)
        if not self.settings.filter:
            return run, counts
        from evalkit.retrieval.filtering import filter_run

        filtered, verdicts = filter_run(run, self.structures, self.checker, k)
        for name in ("passed", "unknown", "failed", "unchecked"):
            counts[f"rows_{name}"] = verdicts[name]
        counts["queries_with_fewer"], counts["queries_with_none"] = _fewer(run, filtered, k)
        return filtered, counts

    def warnings(self, counts: dict[str, int], k: int) -> list[str]:
        """Return what the user must know of a filtered run, from the counts of `search`."""
        fewer, none = counts.get("queries_with_fewer", 0), counts.get("queries_with_none", 0)
        if not fewer:
            return []
        have_none = f", and {none:,} of them {'has' if none == 1 else 'have'} none" if none else ""
        return [
            f"{fewer:,} {'query has' if fewer == 1 else 'queries have'} fewer than {k:,} results"
            f"{have_none}, since the others of the first {k * self.settings.depth:,} fail; a "
            "larger --depth looks further, and evalkit parse queries shows what was read."
        ]


def open_heeding(
    settings: ConstraintSettings,
    products: str | None,
    reading: dict[str, Any],
    queries: pa.Table,
    path: str,
    connection: DuckDBPyConnection,
) -> Heeding:
    """Read the catalogue where there is one, and the structures of the queries.

    Args:
        settings: how queries are heeded.
        products: the catalogue that the index was built from, or None.
        reading: keyword arguments of `evalkit.tables.read` for the catalogue.
        queries: columns query_id, query and, where known, structure.
        path: the file of the queries, for messages.
        connection: for reading.

    Raises:
        InputError: a structure is not understood, or the catalogue cannot be used.
        SettingsError: there are no structures, and no catalogue to read them with.
    """
    catalogue = graph = checker = None
    if products is not None:
        files = CatalogueFiles(products, settings.settings, settings.triples, reading)
        catalogue, graph = files.open(connection)
    ids = queries.column("query_id").to_pylist()
    stated: Sequence[str | None] = [None] * len(ids)
    if "structure" in queries.column_names:
        stated = queries.column("structure").to_pylist()
    structures = stated_structures(ids, stated, path)
    missing = [place for place, query_id in enumerate(ids) if query_id not in structures]
    if missing:
        if catalogue is None:
            raise SettingsError(
                f"--decompose-negation needs the structure of every query, and {path} has none for "
                f"{len(missing):,}; name --products, or write them with evalkit parse queries."
            )
        from evalkit.constraints.parsing import RuleParser

        texts = queries.column("query").to_pylist()
        found = RuleParser(catalogue, graph).parse([texts[place] for place in missing])
        structures |= {ids[place]: item for place, item in zip(missing, found, strict=True)}
    if settings.filter and catalogue is not None:
        from evalkit.constraints.checking import Checker

        checker = Checker(catalogue, graph)
    return Heeding(settings, structures, checker)


def _fewer(run: pa.Table, filtered: pa.Table, k: int) -> tuple[int, int]:
    """Count the queries that lost results and have fewer than k, and those that have none."""
    import pyarrow.compute as pc

    def sizes(table: pa.Table) -> dict[str, int]:
        counts = pc.value_counts(table.column("query_id"))
        return {item["values"]: item["counts"] for item in counts.to_pylist()}

    before, after = sizes(run), sizes(filtered)
    fewer = sum(after.get(query_id, 0) < min(k, count) for query_id, count in before.items())
    return fewer, len(before.keys() - after.keys())
