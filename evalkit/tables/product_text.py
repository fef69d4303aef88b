"""The text of a product that is indexed: chosen fields, one a line, attributes made readable.

Attributes are a JSON object (or a struct or map). `{"heel_height_cm": 4.0, "vegan": true,
"lined": false, "colours": ["red", "blue"]}` becomes `heel height cm: 4; vegan; colours: red,
blue`: a true attribute is its name; a false one is left out, since naming what a product lacks
makes searches for it find the product, and so is one without a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.errors import InputError, Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from evalkit.tables import Table

__all__ = ["DEFAULT_FIELDS", "choose_fields", "store_texts"]

DEFAULT_FIELDS = ("title", "brand", "kind", "category", "description", "attributes")

_MACROS = r"""
CREATE OR REPLACE TEMP MACRO evalkit_value(value) AS CASE json_type(value)
    WHEN 'VARCHAR' THEN value ->> '$'
    WHEN 'ARRAY' THEN array_to_string(
        list_transform(
            CAST(value AS JSON[]),
            lambda item: regexp_replace(item ->> '$', '^(-?[0-9]+)\.0+$', '\1')
        ), ', ')
    WHEN 'DOUBLE' THEN regexp_replace(CAST(value AS VARCHAR), '^(-?[0-9]+)\.0+$', '\1')
    ELSE CAST(value AS VARCHAR)
END;
CREATE OR REPLACE TEMP MACRO evalkit_attribute(name, value) AS CASE
    WHEN value IS NULL OR json_type(value) = 'NULL' THEN NULL
    WHEN json_type(value) = 'BOOLEAN'
        THEN CASE WHEN CAST(value AS BOOLEAN) THEN trim(regexp_replace(name, '_+', ' ', 'g')) END
    WHEN trim(evalkit_value(value)) = '' THEN NULL
    ELSE trim(regexp_replace(name, '_+', ' ', 'g')) || ': ' || trim(evalkit_value(value))
END;
CREATE OR REPLACE TEMP MACRO evalkit_attributes(object) AS array_to_string(
    list_filter(
        list_transform(
            map_entries(CAST(object AS MAP(VARCHAR, JSON))),
            lambda entry: evalkit_attribute(entry.key, entry.value)
        ),
        lambda part: part IS NOT NULL
    ), '; ');
"""


def choose_fields(columns: Sequence[str], fields: Sequence[str] | None) -> tuple[str, ...]:
    """Return the fields that make the text, in order.

    Args:
        columns: the columns of the catalogue.
        fields: the user's choice; None takes those of `DEFAULT_FIELDS` that exist.

    Raises:
        SettingsError: a chosen field does not exist, or there is none to choose.

    Example:
        >>> choose_fields(["product_id", "brand", "title", "price"], None)
        ('title', 'brand')
    """
    there = ", ".join(columns)
    if fields is None:
        chosen = tuple(name for name in DEFAULT_FIELDS if name in columns)
        if not chosen:
            raise SettingsError(
                f"None of {', '.join(DEFAULT_FIELDS)} is a column of the products; they have: "
                f"{there}. Choose with --fields."
            )
        return chosen
    unknown = [name for name in fields if name not in columns]
    if unknown:
        raise SettingsError(
            f"--fields: {', '.join(unknown)} is not a column of the products; they have: {there}."
        )
    if not fields:
        raise SettingsError(f"--fields is empty; the products have: {there}.")
    return tuple(dict.fromkeys(fields))


def store_texts(
    connection: DuckDBPyConnection, products: Table, fields: Sequence[str]
) -> tuple[DuckDBPyRelation, int, int]:
    """Write the texts of all products to a temporary table.

    Rows are in descending order of product_id, byte-wise, so that of two products with equal
    scores the one at the smaller position comes first, which is the scorer's rule for ties.

    Returns:
        A relation with product_id and text in that order; how many products have a text; how
        many do not (they are left out: there is nothing to find them by).

    Raises:
        InputError: no product has a text.
    """
    connection.execute(_MACROS)
    kinds = dict(zip(products.relation.columns, map(str, products.relation.types), strict=True))
    parts = ", ".join(f"nullif(trim({_rendered(name, kinds[name])}), '')" for name in fields)
    connection.execute("DROP TABLE IF EXISTS evalkit_texts")
    source = products.relation.select(f"product_id, concat_ws(chr(10), {parts}) AS text")
    source.create_view("evalkit_texts_source", replace=True)
    connection.execute(
        "CREATE TEMP TABLE evalkit_texts AS SELECT * FROM evalkit_texts_source WHERE text <> ''"
    )
    found = connection.execute("SELECT count(*) FROM evalkit_texts").fetchone()
    count = int(found[0]) if found else 0
    if not count:
        raise InputError(
            products.path,
            [Problem(f"no product has a text in {', '.join(fields)}")],
            remedy="Choose other fields with --fields.",
        )
    texts = connection.sql("SELECT product_id, text FROM evalkit_texts ORDER BY product_id DESC")
    return texts, count, products.rows - count


def _rendered(name: str, kind: str) -> str:
    column = '"' + name.replace('"', '""') + '"'
    if kind.startswith(("STRUCT", "MAP")) and not kind.endswith("]"):
        return f"evalkit_attributes(to_json({column}))"
    if kind.endswith("]"):
        return f"array_to_string(list_transform({column}, lambda x: CAST(x AS VARCHAR)), ', ')"
    if kind in ("VARCHAR", "JSON"):
        text = f"CAST({column} AS VARCHAR)"
        is_json = f"json_valid({text})"
        return (
            f"CASE WHEN starts_with(ltrim({text}), '{{') AND {is_json} "
            f"THEN evalkit_attributes(CAST({text} AS JSON)) "
            f"WHEN starts_with(ltrim({text}), '[') AND {is_json} "
            f"THEN evalkit_value(CAST({text} AS JSON)) ELSE {text} END"
        )
    return f"CAST({column} AS VARCHAR)"
