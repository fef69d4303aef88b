"""What a query asks for: its structure, reading it from words, and which products satisfy it."""

from evalkit.constraints.structure import (
    QUERY_TYPES,
    Condition,
    QueryType,
    Reference,
    Structure,
)

__all__ = ["QUERY_TYPES", "Condition", "QueryType", "Reference", "Structure"]
