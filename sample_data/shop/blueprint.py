"""The catalogue's source files as typed objects: departments, brands, kinds, builds, options.

A *build* is what a product really is (a leather jacket, a leather-look jacket of polyurethane)
with the sentences a shop would write about it. An *option* is a property that any build of the
kind may have (a hood, a battery). README.md explains the source format.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).resolve().parent.parent / "source"

TIERS: Mapping[str, float] = {"budget": 0.5, "mid": 1.0, "premium": 1.8, "luxury": 3.2}

Facts = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Brand:
    """A maker, its price tier, its product lines and a sentence it likes to say."""

    name: str
    tier: str
    models: tuple[str, ...]
    voice: tuple[str, ...]


@dataclass(frozen=True)
class Build:
    """What a product is made as: titles, facts, price factor, sentences, share of the shelf."""

    name: str
    titles: tuple[str, ...]
    price: float
    shown: Facts
    said: Facts
    texts: tuple[str, ...]
    tiers: tuple[str, ...]
    weight: int


@dataclass(frozen=True)
class OptionValue:
    """One value of an option, the sentences that state it and its price factor."""

    value: tuple[str, ...]
    texts: tuple[str, ...]
    price: float


@dataclass(frozen=True)
class Option:
    """A property that varies between products of a kind and is unknown for a share of them."""

    name: str
    values: tuple[OptionValue, ...]
    missing: float


@dataclass(frozen=True)
class Flagship:
    """A product written out by hand, usually the one that alternatives are compared with."""

    brand: str
    model: str
    build: str
    title: str
    price: float
    facts: Facts
    text: str


@dataclass(frozen=True)
class Kind:
    """A product type with everything needed to fill its shelf."""

    name: str
    department: str
    count: int
    base_price: float
    tails: tuple[str, ...]
    plain: Mapping[str, tuple[str, ...]]
    openers: tuple[str, ...]
    closers: tuple[str, ...]
    builds: tuple[Build, ...]
    options: tuple[Option, ...]
    flagships: tuple[Flagship, ...]


@dataclass(frozen=True)
class Department:
    """A department of the shop: its id prefix, brands and kinds."""

    name: str
    code: str
    brands: tuple[Brand, ...]
    kinds: tuple[Kind, ...]


def read_departments(source: Path = SOURCE) -> tuple[Department, ...]:
    """All departments, in the order of their file names."""
    files = sorted((source / "departments").glob("*.toml"), key=lambda path: path.name)
    return tuple(_department(path) for path in files)


def as_tuple(value: Any) -> tuple[str, ...]:
    """A value of a source file as a tuple of strings."""
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)


def as_facts(table: Mapping[str, Any]) -> Facts:
    """A table of a source file as facts: every value a tuple of strings."""
    return {name: as_tuple(value) for name, value in table.items()}


def _department(path: Path) -> Department:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    name = str(table["name"])
    return Department(
        name=name,
        code=str(table["code"]),
        brands=tuple(_brand(row) for row in table["brand"]),
        kinds=tuple(_kind(row, name) for row in table["kind"]),
    )


def _brand(row: Mapping[str, Any]) -> Brand:
    if row["tier"] not in TIERS:
        raise ValueError(f"brand {row['name']} has the tier {row['tier']}; use one of {[*TIERS]}")
    return Brand(row["name"], row["tier"], as_tuple(row["models"]), as_tuple(row.get("voice", [])))


def _kind(row: Mapping[str, Any], department: str) -> Kind:
    return Kind(
        name=row["name"],
        department=department,
        count=row.get("count", 20),
        base_price=float(row["base"]),
        tails=as_tuple(row.get("tails", [""])),
        plain=as_facts(row.get("plain", {})),
        openers=as_tuple(row.get("openers", [])),
        closers=as_tuple(row.get("closers", [])),
        builds=tuple(_build(name, table) for name, table in row["build"].items()),
        options=tuple(_option(name, table) for name, table in row.get("option", {}).items()),
        flagships=tuple(_flagship(table) for table in row.get("flagship", [])),
    )


def _build(name: str, row: Mapping[str, Any]) -> Build:
    return Build(
        name=name,
        titles=as_tuple(row["title"]),
        price=float(row.get("price", 1.0)),
        shown=as_facts(row.get("is", {})),
        said=as_facts(row.get("says", {})),
        texts=as_tuple(row["text"]),
        tiers=as_tuple(row.get("tiers", [*TIERS])),
        weight=int(row.get("weight", 1)),
    )


def _option(name: str, row: Mapping[str, Any]) -> Option:
    values = tuple(
        OptionValue(as_tuple(value["v"]), as_tuple(value.get("t", [])), float(value.get("p", 1.0)))
        for value in row["values"]
    )
    return Option(name, values, float(row.get("missing", 0.12)))


def _flagship(row: Mapping[str, Any]) -> Flagship:
    return Flagship(
        brand=row["brand"],
        model=row["model"],
        build=row["build"],
        title=row["title"],
        price=float(row["price"]),
        facts=as_facts(row.get("is", {})),
        text=row["text"],
    )
