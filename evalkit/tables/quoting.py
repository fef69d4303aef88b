"""Names and texts from outside, made safe inside SQL."""

from __future__ import annotations

from itertools import count

__all__ = ["identifier", "literal", "new_name"]

_numbers = count(1)


def identifier(name: str) -> str:
    """Quote a column or table name.

    >>> identifier("price (net)")
    '"price (net)"'
    """
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """Quote a text value, where DuckDB takes no parameter (views, table functions).

    >>> print(literal("O'Neill"))
    'O''Neill'
    """
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def new_name(what: str) -> str:
    """Make a table name that no other read of this process uses."""
    return f"evalkit_{what}_{next(_numbers)}"
