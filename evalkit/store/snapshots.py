"""What annotators see of a product, taken from the catalogue once and for all.

A study can so be re-read as it was shown, whatever becomes of the catalogue. Columns with a meaning
on the page (title, brand, price, image, description, url) are found by name; all others become
attributes, and a nested `attributes` column becomes one attribute for each of its keys.
"""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from evalkit.errors import SettingsError
from evalkit.tables.quoting import identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from evalkit.tables import Table

__all__ = ["attribute_text", "choose_columns", "shown_products"]

# The first of these that the catalogue has fills the place on the page.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "title": ("title",),
    "brand": ("brand",),
    "price": ("price",),
    "image": ("image", "image_url", "main_image", "thumbnail", "picture", "images"),
    "description": ("description", "product_description", "long_description", "text"),
    "url": ("url", "product_url", "link"),
}
_BATCH = 10_000


def choose_columns(
    columns: Sequence[str], types: Sequence[str], fields: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the columns of the catalogue that are shown, in the catalogue's order.

    Args:
        columns: the columns of the catalogue.
        types: their DuckDB types.
        fields: the user's choice; None takes all but vectors and bytes.

    Raises:
        SettingsError: a chosen column does not exist.

    Example:
        >>> choose_columns(["product_id", "title", "vector"], ["VARCHAR", "VARCHAR", "FLOAT[]"],
        ...                None)
        ('title',)
    """
    others = [name for name in columns if name != "product_id"]
    if fields is None:
        kinds = dict(zip(columns, types, strict=True))
        unread = ("FLOAT[", "DOUBLE[", "BLOB")
        return tuple(name for name in others if not kinds[name].startswith(unread))
    unknown = [name for name in fields if name not in others]
    if unknown:
        raise SettingsError(
            f"--fields: {', '.join(unknown)} is not a column of the products; they have: "
            f"{', '.join(others) or 'only product_id'}."
        )
    return tuple(name for name in others if name in fields)


def shown_products(
    connection: DuckDBPyConnection,
    products: Table,
    wanted: str,
    fields: Sequence[str] | None,
) -> dict[str, dict[str, Any]]:
    """Look up what is shown of some products.

    Args:
        connection: where the catalogue is.
        products: the catalogue.
        wanted: name of a table of the connection with the column `product_id`.
        fields: columns that may be shown; None for all.

    Returns:
        For each wanted product of the catalogue, ready for JSON: `title`, `brand`, `price`,
        `image`, `description`, `url` (None where there is none) and `attributes`, a dict of texts.

    Raises:
        SettingsError: a chosen column does not exist.
    """
    types = [str(kind) for kind in products.relation.types]
    columns = choose_columns(products.relation.columns, types, fields)
    if fields is None:  # a line holds few: those of the product before those of its department
        columns = tuple(sorted(columns, key=lambda name: name != "attributes"))
    names = ", ".join(["product_id", *(identifier(name) for name in columns)])
    cursor = connection.execute(
        f"SELECT {names} FROM {products.name} WHERE product_id IN (SELECT product_id FROM {wanted})"
    )
    found: dict[str, dict[str, Any]] = {}
    while batch := cursor.fetchmany(_BATCH):
        for product_id, *values in batch:
            found[product_id] = _shown(dict(zip(columns, values, strict=True)))
    return found


def attribute_text(value: object) -> str:
    """Write a value as an annotator reads it; empty where there is nothing to say.

    Example:
        >>> attribute_text(["Bluetooth", "cable"]), attribute_text(4.0), attribute_text(True)
        ('Bluetooth, cable', '4', 'yes')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dict):
        parts = ((key, attribute_text(inner)) for key, inner in value.items())
        return "; ".join(f"{_label(key)}: {text}" for key, text in parts if text)
    if isinstance(value, (list, tuple)):
        return ", ".join(text for text in map(attribute_text, value) if text)
    return str(value).strip()


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    item: dict[str, Any] = {}
    used = set()
    for place, candidates in _PLACES.items():
        name = next((name for name in candidates if name in row), None)
        used.add(name)
        value = _unpacked(row[name]) if name is not None else None
        item[place] = _price(value) if place == "price" else _first(value)
    attributes: dict[str, str] = {}
    for name, raw in row.items():
        if name in used:
            continue
        value = _unpacked(raw)
        parts: Iterable[tuple[object, object]] = [(name, value)]
        if name == "attributes" and isinstance(value, dict):
            parts = value.items()
        for key, inner in parts:
            text = attribute_text(inner)
            if text:
                attributes[_label(key)] = text
    item["attributes"] = attributes
    return item


def _unpacked(value: object) -> Any:
    """Objects and lists that a text file holds as JSON."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _first(value: object) -> str | None:
    """A text; of several (images) the first."""
    if isinstance(value, (list, tuple)):
        value = next((each for each in value if each), None)
    return attribute_text(value) or None


def _price(value: object) -> float | int | str | None:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime, dict)):
        return attribute_text(value) or None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value if math.isfinite(value) else None
    return _first(value)


def _label(name: object) -> str:
    return " ".join(str(name).replace("_", " ").split())
