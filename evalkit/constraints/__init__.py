"""What a query asks for: its structure, reading it from words, and which products satisfy it."""

from evalkit.constraints.structure import (
    QUERY_TYPES,
    Condition,
    QueryType,
    Reference,
    Structure,
)
from evalkit.constraints.typed_queries import TypedQuery, read_typed_queries

__all__ = [
    "QUERY_TYPES",
    "Condition",
    "QueryType",
    "Reference",
    "Structure",
    "TypedQuery",
    "read_typed_queries",
]
