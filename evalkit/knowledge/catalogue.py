"""A catalogue in memory: what every product states, by kind, attribute, value, brand and price.

Products are numbered by their place in ascending order of product_id; arrays over products have
that order. Values are lower case with single spaces; a boolean is `yes` or `no`, a number is
written without needless zeros; a list, or words joined by commas without spaces, is several
values. A product that does not state an attribute is not among those that lack it: unknown is
unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import InputError, Problem, SettingsError
from evalkit.knowledge.kinds import kinds_of
from evalkit.knowledge.prices import price_sql, usable_prices
from evalkit.knowledge.settings import CatalogueSettings
from evalkit.progress import say

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from evalkit.tables import Table

__all__ = ["Attribute", "Catalogue", "normalise", "read_catalogue"]

_KINDS = ("kind", "product_type", "category", "categories")
_PRICES = ("price", "price_cents", "list_price", "sale_price")
_NO_ATTRIBUTE = ("attributes", "specs", "features")

_PLAIN = "lower(regexp_replace(trim(part), '\\s+', ' ', 'g'))"


def normalise(text: str) -> str:
    r"""Return a word or value as the catalogue keeps it: lower case, single spaces.

    Example:
        >>> normalise("  Full-Grain\tLeather ")
        'full-grain leather'
    """
    return " ".join(text.lower().split())


@dataclass(frozen=True, eq=False)
class Attribute:
    """One attribute: which products state it, and what they say.

    Attributes:
        name: its name, lower case with underscores (`power_source`).
        values: its distinct values, sorted.
        product: product numbers, int64[statements], ascending; a list states several values.
        value: the value of each statement as an index of `values`, int64[statements].
        number: the value as a number, float64[len(values)]; NaN where it is none.
    """

    name: str
    values: tuple[str, ...]
    product: NDArray[np.int64]
    value: NDArray[np.int64]
    number: NDArray[np.float64]

    def positions(self, value: str) -> NDArray[np.int64]:
        """Return the numbers of the products that state exactly this value."""
        place = int(np.searchsorted(np.array(self.values, dtype=object), value))
        if place == len(self.values) or self.values[place] != value:
            return np.zeros(0, dtype=np.int64)
        return np.unique(self.product[self.value == place])

    def stated(self) -> NDArray[np.int64]:
        """Return the numbers of the products that state the attribute at all."""
        return np.unique(self.product)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All products and what they state; see `read_catalogue`.

    Attributes:
        path: the file.
        fingerprint: of its bytes.
        product_ids: ascending; the place is the product's number everywhere else.
        titles: one each, as written.
        descriptions: one each, as written; empty where there is none.
        brands: one each, as written; empty where there is none.
        prices: in the catalogue's currency, float64[n]; NaN where unknown.
        kinds: the distinct kinds, sorted, lower case.
        kind: index of `kinds` of each product, int64[n]; -1 where unknown.
        kind_confidence: 1 where the catalogue states the kind, less where it comes from the
            title, 0 where unknown; float64[n].
        attributes: by name.
        settings: how the catalogue was understood.
    """

    path: str
    fingerprint: str
    product_ids: tuple[str, ...]
    titles: tuple[str, ...]
    descriptions: tuple[str, ...]
    brands: tuple[str, ...]
    prices: NDArray[np.float64]
    kinds: tuple[str, ...]
    kind: NDArray[np.int64]
    kind_confidence: NDArray[np.float64]
    attributes: Mapping[str, Attribute]
    settings: CatalogueSettings

    def __len__(self) -> int:
        return len(self.product_ids)

    def numbers_of(self, product_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of products by id, int64[len(product_ids)]; -1 for unknown ones."""
        known = np.array(self.product_ids, dtype=object)
        wanted = np.array(list(product_ids), dtype=object)
        if not len(wanted):
            return np.zeros(0, dtype=np.int64)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[place] == wanted, place, -1).astype(np.int64)

    def of_kind(self, kind: str) -> NDArray[np.int64]:
        """Return the numbers of the products of a kind, ascending."""
        if kind not in self.kinds:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.kind == self.kinds.index(kind)).astype(np.int64)


def read_catalogue(
    products: str | os.PathLike[str],
    connection: DuckDBPyConnection,
    settings: CatalogueSettings | None = None,
    *,
    reading: Mapping[str, Any] | None = None,
) -> Catalogue:
    """Read a catalogue and understand its fields.

    The kind is a column kind, product_type, category or categories (the last part of a path
    `A > B`), or else, of products without one, the head noun of the title; the price a column
    price, price_cents, list_price or sale_price, where 0 is no price but an unknown one;
    attributes stand in an object called attributes, specs or features.

    Args:
        products: the file, in any format that `evalkit.tables.read` takes.
        connection: the DuckDB connection that reads it.
        settings: what is special; see `evalkit.knowledge.settings`.
        reading: keyword arguments of `evalkit.tables.read`.

    Raises:
        InputError: the file cannot be used.
        SettingsError: the settings name a column that does not exist, or there is no title.
    """
    from evalkit.tables import read

    chosen = settings or CatalogueSettings()
    table = read("products", products, connection, **(reading or {}))
    title = _column(table, chosen, "title", ("title", "name"))
    if title is None:
        raise SettingsError(
            f"{table.path} has no title; name its column in the catalogue's settings "
            f"(fields: {{title: ...}}). It has: {', '.join(table.columns)}."
        )
    price = _column(table, chosen, "price", _PRICES)
    scale = chosen.price_scale
    if scale is None:
        scale = 0.01 if price is not None and price.endswith("_cents") else 1.0
    kind = _column(table, chosen, "kind", _KINDS)
    texts = {
        "title": title,
        "description": _column(table, chosen, "description", ("description", "long_description")),
        "brand": _column(table, chosen, "brand", ("brand", "manufacturer")),
        "kind": kind,
    }
    types = dict(zip(table.relation.columns, map(str, table.relation.types), strict=True))
    parts = [
        f"coalesce({_text(column, types[column])}, '') AS {name}" if column else f"'' AS {name}"
        for name, column in texts.items()
    ]
    value, priced = "CAST(NULL AS DOUBLE)", "false"
    if price is not None:
        value = f"{price_sql(_quoted(price), types[price])} * {scale!r}"
        priced = f"coalesce(trim(CAST({_quoted(price)} AS VARCHAR)), '') <> ''"
    rows = table.relation.select(
        f"product_id, {', '.join(parts)}, {value} AS price, {priced} AS priced"
    ).order("product_id")
    found = rows.to_arrow_table()
    titles = tuple(found.column("title").to_pylist())
    brands = tuple(part.strip() for part in found.column("brand").to_pylist())
    prices = np.asarray(found.column("price").to_numpy(zero_copy_only=False), dtype=np.float64)
    priced_rows = np.asarray(found.column("priced").to_numpy(zero_copy_only=False), dtype=np.bool_)
    prices = usable_prices(prices, priced_rows, str(table.path))
    attributes = _attributes(table, connection, chosen)
    column = [_last_part(text) for text in found.column("kind").to_pylist()]
    distinct, numbers, confidence = kinds_of(column, titles, brands, attributes)
    return Catalogue(
        table.path,
        table.fingerprint,
        tuple(found.column("product_id").to_pylist()),
        titles,
        tuple(found.column("description").to_pylist()),
        brands,
        prices,
        distinct,
        numbers,
        confidence,
        attributes,
        chosen,
    )


def _column(
    table: Table, settings: CatalogueSettings, name: str, usual: Sequence[str]
) -> str | None:
    wanted = settings.fields.get(name)
    if wanted is not None:
        if wanted not in table.columns:
            raise SettingsError(
                f"The catalogue's settings name a column {wanted!r} for {name}, and {table.path} "
                f"has none; it has: {', '.join(table.columns)}."
            )
        return wanted
    return next((column for column in usual if column in table.columns), None)


def _attributes(
    table: Table, connection: DuckDBPyConnection, settings: CatalogueSettings
) -> dict[str, Attribute]:
    """Collect all statements; an attribute's values are sorted, its statements by product."""
    place = _column(table, settings, "attributes", _NO_ATTRIBUTE)
    table.relation.create_view("evalkit_catalogue", replace=True)
    parts = []
    if place is not None:
        parts.append(
            "SELECT product_id, entry.key AS name, entry.value AS value FROM (SELECT product_id, "
            "unnest(map_entries(CAST(to_json_object(" + _quoted(place) + ") AS "
            "MAP(VARCHAR, JSON)))) AS entry FROM evalkit_catalogue)"
        )
    for column in settings.columns:
        _column(table, CatalogueSettings(fields={"kind": column}), "kind", ())
        parts.append(
            f"SELECT product_id, '{column.replace(chr(39), chr(39) * 2)}' AS name, "
            f"to_json({_quoted(column)}) AS value FROM evalkit_catalogue "
            f"WHERE {_quoted(column)} IS NOT NULL"
        )
    if not parts:
        return {}
    connection.execute(
        "CREATE OR REPLACE TEMP MACRO to_json_object(value) AS CASE "
        "WHEN json_type(to_json(value)) = 'OBJECT' THEN to_json(value) "
        "WHEN json_valid(CAST(value AS VARCHAR)) "
        "AND json_type(CAST(CAST(value AS VARCHAR) AS JSON)) = 'OBJECT' "
        "THEN CAST(CAST(value AS VARCHAR) AS JSON) ELSE '{}'::JSON END"
    )
    if place is not None:
        _check_attributes(table, place, connection)
    names = [
        row[0]
        for row in connection.execute(
            f"SELECT DISTINCT name FROM ({' UNION ALL '.join(parts)}) ORDER BY name"
        ).fetchall()
    ]
    known = [(name, settings.attribute_name(name)) for name in names]
    import pyarrow as pa

    renamed = pa.table(
        {
            "name": pa.array([name for name, plain in known if plain], pa.string()),
            "plain": pa.array([plain for _, plain in known if plain], pa.string()),
        }
    )
    connection.register("evalkit_attribute_names", renamed)
    statements = connection.execute(
        f"""
        WITH numbered AS (
            SELECT product_id, row_number() OVER (ORDER BY product_id) - 1 AS product
            FROM evalkit_catalogue
        ),
        said AS ({" UNION ALL ".join(parts)}),
        parsed AS (
            -- a list may stand as JSON text in a cell: ["vegan", "natural"]
            SELECT product_id, name, CASE WHEN json_type(value) = 'VARCHAR'
                AND starts_with(value ->> '$', '[') AND json_valid(value ->> '$')
                THEN CAST(value ->> '$' AS JSON) ELSE value END AS value FROM said
        ),
        single AS (
            SELECT product_id, name, unnest(CASE WHEN json_type(value) = 'ARRAY'
                THEN CAST(value AS JSON[]) ELSE [value] END) AS value FROM parsed
        ),
        written AS (
            SELECT product, plain, unnest(CASE json_type(value)
                WHEN 'BOOLEAN' THEN [CASE WHEN CAST(value AS BOOLEAN) THEN 'yes' ELSE 'no' END]
                WHEN 'DOUBLE' THEN [regexp_replace(CAST(value AS VARCHAR), '[.]0+$', '')]
                WHEN 'VARCHAR' THEN CASE
                    -- words joined by bare commas are a list; "1,400 mAh" and "white, matt" are not
                    WHEN regexp_full_match(value ->> '$', '[^,0-9]+(,[^\\s,0-9][^,0-9]*)+')
                    THEN list_transform(string_split(value ->> '$', ','), lambda part: {_PLAIN})
                    ELSE list_transform([value ->> '$'], lambda part: {_PLAIN}) END
                ELSE [lower(value ->> '$')] END) AS value
            FROM single JOIN numbered USING (product_id)
            JOIN evalkit_attribute_names USING (name)
            WHERE value IS NOT NULL AND json_type(value) NOT IN ('NULL', 'OBJECT')
        )
        SELECT DISTINCT plain, value, product FROM written WHERE value <> ''
        ORDER BY plain, value, product
        """
    ).to_arrow_table()
    connection.unregister("evalkit_attribute_names")
    return _split(statements)


def _check_attributes(table: Table, place: str, connection: DuckDBPyConnection) -> None:
    """Tell of cells that hold something else than an object; raise where none holds an object."""
    text = f"trim(CAST({_quoted(place)} AS VARCHAR))"
    other = f"{text} NOT IN ('', '{{}}', 'null') AND to_json_object({_quoted(place)}) = '{{}}'"
    found = connection.execute(
        f"SELECT count(*) FILTER (to_json_object({_quoted(place)}) <> '{{}}'), "
        f"count(*) FILTER ({other}), min(CAST(product_id AS VARCHAR)) FILTER ({other}), "
        f"arg_min({text}, CAST(product_id AS VARCHAR)) FILTER ({other}) FROM evalkit_catalogue"
    ).fetchone()
    objects, others, product_id, value = found or (0, 0, None, None)
    if not others:
        return
    if not objects:
        raise InputError(
            table.path,
            [Problem("is no object of names and values", column=place, value=str(value)[:60])],
            remedy='Write {"colour": "red"}, or name another column in the catalogue\'s settings '
            "(fields: {attributes: ...}; attributes: {columns: [...]}).",
        )
    say(
        f"Warning: {others:,} of {objects + others:,} cells of {place} in {table.path} are no JSON "
        f"object and say nothing of their product (first: product {product_id}, "
        f"{str(value)[:40]!r}); correct them."
    )


def _split(statements: Any) -> dict[str, Attribute]:
    """Cut the sorted statements at each new attribute."""
    plain = np.array(statements.column("plain").to_pylist(), dtype=object)
    values = np.array(statements.column("value").to_pylist(), dtype=object)
    products = np.asarray(statements.column("product"), dtype=np.int64)
    if not len(plain):
        return {}
    result = {}
    starts = np.flatnonzero(np.r_[True, plain[1:] != plain[:-1]]).tolist()
    for start, end in zip(starts, [*starts[1:], len(plain)], strict=True):
        distinct, index = np.unique(values[start:end], return_inverse=True)
        order = np.lexsort((index, products[start:end]))
        result[str(plain[start])] = Attribute(
            str(plain[start]),
            tuple(str(value) for value in distinct),
            products[start:end][order],
            index.astype(np.int64)[order],
            np.fromiter((_number(value) for value in distinct), np.float64, len(distinct)),
        )
    return result


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return float("nan")


def _text(column: str, kind: str) -> str:
    """Return the SQL of a column's text; of a list it is the last item, the narrowest category."""
    name = _quoted(column)
    if kind.endswith("[]"):
        return f"CAST({name}[-1] AS VARCHAR)"
    text = f"CAST({name} AS VARCHAR)"
    return (
        f"CASE WHEN starts_with({text}, '[') AND json_valid({text}) "
        f"THEN CAST({text} AS JSON) ->> '$[#-1]' ELSE {text} END"
    )


def _last_part(text: str) -> str:
    """Return the kind that a path such as `Hair > Dryers` or a name such as `lip_liner` says."""
    return normalise(text.rpartition(">")[2].replace("_", " "))


def _quoted(column: str | None) -> str:
    return '"' + str(column).replace('"', '""') + '"'
