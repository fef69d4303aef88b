"""Catalogues that have changed: written to a file as any other catalogue is.

Products vanish, prices move, brands appear, statements are lost, and sellers write into their
descriptions what they think a judge wants to read. What happens to a product follows from a hash
of the seed and its id, so the same product meets the same fate in every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem
from evalkit.synthesis.stress_texts import inject_instruction

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from evalkit.knowledge.settings import CatalogueSettings
    from evalkit.tables import Table

__all__ = ["CLONED", "SHOPS", "Change", "Changed", "NotPossible", "change_catalogue"]

SHOPS = (
    "injection",
    "vanished",
    "prices-moved",
    "prices-up",
    "new-brands",
    "attributes-lost",
)
CLONED = "-new"  # what the id of a clone ends in
_UP = 1.3
_LOWEST, _WIDTH = 0.5, 4.0  # factors of a price are from 0.5 to 2, evenly on the log scale
_BRANDS = ("Zorvex", "Quendal", "Brimloe", "Tavisk", "Oxmire", "Feldana", "Yarrowby", "Kestine")
_USUAL = {
    "title": ("title", "name"),
    "description": ("description", "long_description"),
    "brand": ("brand", "manufacturer"),
    "price": ("price", "price_cents", "list_price", "sale_price"),
    "attributes": ("attributes", "specs", "features"),
}


class NotPossible(Exception):  # noqa: N818 - not an error: the catalogue lacks what would change
    """A catalogue lacks what a perturbation changes; says what is needed."""


@dataclass(frozen=True)
class Change:
    """What changes.

    Attributes:
        name: one of `SHOPS`.
        share: share of products that vanish or get a clone, or of statements that are lost.
        seed: of all chance.
        injected: product_id to the words that its seller stuffs into the description.
    """

    name: str
    share: float = 0.2
    seed: int = 0
    injected: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True)
class Changed:
    """A catalogue that has changed.

    Attributes:
        path: the file; its columns have their canonical names.
        rows: products in it.
        changed: products that vanished, moved, or appeared; statements that were lost.
        of: what `changed` counts.
    """

    path: Path
    rows: int
    changed: int
    of: str


def change_catalogue(
    change: Change,
    products: str | os.PathLike[str],
    target: Path,
    connection: DuckDBPyConnection,
    settings: CatalogueSettings,
    *,
    reading: Mapping[str, Any] | None = None,
) -> Changed:
    """Write a changed catalogue.

    Args:
        change: what changes.
        products: the catalogue as it is.
        target: the file to write (Parquet).
        connection: a DuckDB connection that reads and writes.
        settings: how the catalogue is understood.
        reading: keyword arguments of `evalkit.tables.read`.

    Raises:
        InputError: the catalogue cannot be used, or no product would be left.
        NotPossible: it has no prices, brands, attributes or descriptions to change.
    """
    from evalkit.tables import read, write

    table = read("products", products, connection, **(reading or {}))
    table.relation.create_view("evalkit_stress", replace=True)
    makers: dict[str, Callable[[_Shop], tuple[str, str, str]]] = {
        "injection": _inject,
        "vanished": _vanish,
        "prices-moved": _move_prices,
        "prices-up": _move_prices,
        "new-brands": _clone,
        "attributes-lost": _lose_attributes,
    }
    shop = _Shop(table, settings, change, connection)
    sql, counting, of = makers[change.name](shop)
    rows = connection.sql(f"{sql} ORDER BY product_id").to_arrow_table()
    if not rows.num_rows:
        raise InputError(
            str(products),
            [Problem("no product would be left")],
            remedy="Use a smaller --share.",
        )
    counted = connection.sql(counting).fetchone()
    target.parent.mkdir(parents=True, exist_ok=True)
    write(rows, target, kind="products", connection=connection)
    return Changed(target, rows.num_rows, int(counted[0] or 0) if counted else 0, of)


@dataclass(frozen=True)
class _Shop:
    """The catalogue as a view `evalkit_stress`, and what is known of its columns."""

    table: Table
    settings: CatalogueSettings
    change: Change
    connection: DuckDBPyConnection

    def column(self, name: str) -> str:
        """Return the column that is the title, brand, price and so on.

        Raises:
            NotPossible: there is none.
        """
        wanted = (self.settings.fields.get(name), *_USUAL[name])
        found = next((each for each in wanted if each in self.table.columns), None)
        if found is None:
            raise NotPossible(f"a column {name} in the catalogue")
        return found

    def chance(self, *keys: str) -> str:
        """Return the SQL of a number from 0 to 1 that follows from seed and keys."""
        said = f"{self.change.seed}|{self.change.name}".replace("'", "''")
        text = " || '|' || ".join((f"'{said}'", *keys))
        return f"(md5_number_lower({text}) / 18446744073709551616.0)"


def _vanish(shop: _Shop) -> tuple[str, str, str]:
    gone = f"{shop.chance('product_id')} < {shop.change.share!r}"
    return (
        f"SELECT * FROM evalkit_stress WHERE NOT {gone}",
        f"SELECT count(*) FROM evalkit_stress WHERE {gone}",
        "products gone",
    )


def _move_prices(shop: _Shop) -> tuple[str, str, str]:
    name = shop.column("price")
    price = f"TRY_CAST({_quoted(name)} AS DOUBLE)"
    factor = repr(_UP)
    if shop.change.name == "prices-moved":
        factor = f"{_LOWEST} * power({_WIDTH}, {shop.chance('product_id')})"
    digits = 0 if name.endswith("_cents") else 2
    return (
        f"SELECT * REPLACE (round({price} * {factor}, {digits}) AS {_quoted(name)}) "
        "FROM evalkit_stress",
        f"SELECT count({price}) FROM evalkit_stress",
        "prices moved",
    )


def _clone(shop: _Shop) -> tuple[str, str, str]:
    """Offer some products again: under an invented brand, as its second edition."""
    brand, title = _quoted(shop.column("brand")), _quoted(shop.column("title"))
    taken = {
        str(row[0]).casefold()
        for row in shop.connection.sql(f"SELECT DISTINCT {brand} FROM evalkit_stress").fetchall()
    }
    free = [name for name in _BRANDS if name.casefold() not in taken]
    names = ", ".join(f"'{name}'" for name in free or ["Zorvexon"])
    new = (
        f"list_extract([{names}], 1 + CAST(floor({shop.chance('product_id', repr('brand'))} * "
        f"{len(free) or 1}) AS INTEGER))"
    )
    old = f"coalesce(CAST({brand} AS VARCHAR), '')"
    called = (
        f"CASE WHEN {old} <> '' AND contains(CAST({title} AS VARCHAR), {old}) "
        f"THEN replace(CAST({title} AS VARCHAR), {old}, {new}) "
        f"ELSE {new} || ' ' || CAST({title} AS VARCHAR) END || ' II'"
    )
    replaced = [
        f"product_id || '{CLONED}' AS product_id", f"{new} AS {brand}", f"{called} AS {title}",
    ]  # fmt: skip
    try:
        said = _quoted(shop.column("description"))
        text = f"CAST({said} AS VARCHAR)"
        replaced.append(
            f"CASE WHEN {old} <> '' THEN replace({text}, {old}, {new}) ELSE {text} END AS {said}"
        )
    except NotPossible:
        pass  # nothing to rename there
    chosen = f"{shop.chance('product_id')} < {shop.change.share!r}"
    return (
        f"SELECT * FROM evalkit_stress UNION ALL BY NAME "
        f"SELECT * REPLACE ({', '.join(replaced)}) FROM evalkit_stress WHERE {chosen}",
        f"SELECT count(*) FROM evalkit_stress WHERE {chosen}",
        "products of new brands",
    )


def _lose_attributes(shop: _Shop) -> tuple[str, str, str]:
    share = repr(shop.change.share)
    replaced, counted = [], []
    try:
        name = _quoted(shop.column("attributes"))
    except NotPossible:
        if not shop.settings.columns:
            raise
    else:
        text = f"CAST({name} AS VARCHAR)"
        plain = (
            f"CASE WHEN json_type(to_json({name})) = 'OBJECT' THEN to_json({name}) "
            f"WHEN json_valid({text}) AND json_type(CAST({text} AS JSON)) = 'OBJECT' "
            f"THEN CAST({text} AS JSON) ELSE '{{}}'::JSON END"
        )
        entries = (
            f"list_filter(map_entries(CAST({plain} AS MAP(VARCHAR, JSON))), "
            "lambda entry: entry.value IS NOT NULL AND json_type(entry.value) <> 'NULL')"
        )
        chance = shop.chance("product_id", "entry.key")
        kept = f"list_filter({entries}, lambda entry: {chance} >= {share})"
        replaced.append(f"CAST(to_json(map_from_entries({kept})) AS VARCHAR) AS {name}")
        counted.append(f"coalesce(sum(len({entries}) - len({kept})), 0)")
    for column in shop.settings.columns:
        gone = f"{shop.chance('product_id', repr(column))} < {share}"
        quoted = _quoted(column)
        replaced.append(f"CASE WHEN NOT {gone} THEN {quoted} END AS {quoted}")
        counted.append(f"count({quoted}) FILTER ({gone})")
    return (
        f"SELECT * REPLACE ({', '.join(replaced)}) FROM evalkit_stress",
        f"SELECT {' + '.join(counted)} FROM evalkit_stress",
        "statements lost",
    )


def _inject(shop: _Shop) -> tuple[str, str, str]:
    import pyarrow as pa

    injected = dict(sorted((shop.change.injected or {}).items()))
    name = _quoted(shop.column("description"))
    shop.connection.register(
        "evalkit_injected",
        pa.table(
            {
                "product_id": pa.array(list(injected), pa.string()),
                "evalkit_said": pa.array(
                    [inject_instruction("", asked) for asked in injected.values()], pa.string()
                ),
            }
        ),
    )
    joined: DuckDBPyRelation = shop.connection.sql(
        "SELECT * FROM evalkit_stress LEFT JOIN evalkit_injected USING (product_id)"
    )
    joined.create_view("evalkit_stress_injected", replace=True)
    said = f"nullif(concat_ws(' ', evalkit_said, CAST({name} AS VARCHAR)), '')"
    return (
        f"SELECT * EXCLUDE (evalkit_said) REPLACE ({said} AS {name}) FROM evalkit_stress_injected",
        "SELECT count(evalkit_said) FROM evalkit_stress_injected",
        "descriptions with an instruction",
    )


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
