"""Queries with what they ask for: the one way in which tables of them are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from evalkit.constraints.structure import QueryType, Structure
from evalkit.errors import InputError, Problem, SettingsError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.knowledge import Catalogue, Graph

__all__ = ["TypedQuery", "read_typed_queries", "stated_structures"]

_MADE_BY = "Make it with evalkit synthesize queries or evalkit parse queries."


@dataclass(frozen=True)
class TypedQuery:
    """A query and what it asks for.

    Attributes:
        query_id: its id; with the seed it decides every choice between equals.
        query: its words.
        structure: its type and conditions.
        family: what must not be on both sides of a split, as its table says; empty where that
            says nothing.
    """

    query_id: str
    query: str
    structure: Structure
    family: str = ""


def read_typed_queries(
    path: str | os.PathLike[str],
    connection: DuckDBPyConnection,
    catalogue: Catalogue | None = None,
    graph: Graph | None = None,
    *,
    reading: Mapping[str, Any] | None = None,
    stated: bool = False,
) -> list[TypedQuery]:
    """Read queries with their structures, by query_id; queries without text are left out.

    A query without a structure is read by rules, in the words of the catalogue if there is one. A
    column query_type overrules the type that was read.

    Args:
        path: a table with query_id and query; structure, query_type and family where known.
        connection: for reading.
        catalogue: for the rules.
        graph: of the catalogue.
        reading: keyword arguments of `evalkit.tables.read`.
        stated: leave out queries without a structure instead.

    Raises:
        InputError: a column is missing, or a structure is not understood.
    """
    from evalkit.tables import need_column, read

    table = read("queries", path, connection, **(reading or {}))
    need_column(table, "query")
    if stated:
        need_column(table, "structure", remedy=_MADE_BY)
    names = ("structure", "query_type", "family")
    more = [
        f"CAST({name if name in table.columns else 'NULL'} AS VARCHAR) AS {name}" for name in names
    ]
    found = table.relation.select(f"query_id, CAST(query AS VARCHAR) AS query, {', '.join(more)}")
    found = found.filter("trim(query) <> ''")
    if stated:
        found = found.filter("trim(structure) <> ''")
    rows = found.order("query_id").fetchall()
    structures = stated_structures([row[0] for row in rows], [row[2] for row in rows], table.path)
    unread = [row for row in rows if row[0] not in structures]
    if unread:
        from evalkit.constraints.parsing import RuleParser

        parsed = RuleParser(catalogue, graph).parse([row[1] for row in unread])
        structures |= {row[0]: structure for row, structure in zip(unread, parsed, strict=True)}
    result = []
    for query_id, query, _, query_type, family in rows:
        structure = structures[query_id]
        if query_type in get_args(QueryType) and query_type != structure.query_type:
            structure = replace(structure, query_type=query_type)
        result.append(TypedQuery(query_id, query, structure, family or ""))
    return result


def stated_structures(
    query_ids: Sequence[str], texts: Sequence[str | None], path: str
) -> dict[str, Structure]:
    """Return the structures that a table states, by query_id; queries without one are left out.

    Args:
        query_ids: of the queries.
        texts: the column structure: JSON, empty or null.
        path: the file, for the message.

    Raises:
        InputError: a structure is not understood; names the queries.

    Example:
        >>> found = stated_structures(["a", "b"], ['{"query_type": "general"}', None], "q.csv")
        >>> {query_id: structure.query_type for query_id, structure in found.items()}
        {'a': 'general'}
    """
    found, problems = {}, []
    for query_id, text in zip(query_ids, texts, strict=True):
        if not (text or "").strip():
            continue
        try:
            found[query_id] = Structure.from_json(str(text))
        except SettingsError as error:
            problems.append(Problem(str(error), column="structure", query_id=query_id))
    if problems:
        raise InputError(
            path,
            problems[:10],
            total=len(problems),
            remedy="Write the structures with evalkit parse queries.",
        )
    return found
