"""What a source of typed queries is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.constraints import QueryType, Structure

__all__ = ["QuerySource", "SyntheticQuery", "name_query"]


@dataclass(frozen=True)
class SyntheticQuery:
    """A query that was made, with what it asks for.

    Attributes:
        query: its words.
        structure: what they mean.
        family: what must not leak between splits of the data.
        source: `templates`, `graph` or `llm`.
        template: the wording that made it, or the prompt's version.
    """

    query: str
    structure: Structure
    family: str
    source: str
    template: str


class QuerySource(Protocol):
    """Anything that makes typed queries for a catalogue."""

    name: str

    def queries(
        self, count_by_type: Mapping[QueryType, int], seed: int
    ) -> Iterator[SyntheticQuery]:
        """Make about so many queries of each type; fewer where the catalogue gives no more.

        The same catalogue, counts and seed give the same queries.
        """
        ...

    def dropped(self) -> Mapping[str, int]:
        """Return how many were thrown away since the source was made, by reason."""
        ...


def name_query(query: str, query_type: str) -> str:
    """Return an id that depends on nothing but the query.

    Example:
        >>> name_query("black kettle", "general")
        'g-...'
    """
    return f"{query_type[0]}-{hashlib.sha256(query.encode()).hexdigest()[:10]}"
