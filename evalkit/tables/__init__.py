"""Reading, checking and writing the tables that every stage takes and makes."""

from evalkit.tables.readers import Table, need_column, read
from evalkit.tables.schema import FORMATS, KINDS, Format, Kind, Order
from evalkit.tables.writers import write

__all__ = ["FORMATS", "KINDS", "Format", "Kind", "Order", "Table", "need_column", "read", "write"]
