"""Products from blueprints: who makes what, at which price, and what its page says.

A fact of a product may stand in its attributes, in its description, in both, or nowhere. What
stands nowhere is unknown and is kept out of ``Product.facts``, so that no rule can use it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shop.blueprint import TIERS, Brand, Build, Department, Facts, Flagship, Kind, OptionValue
from shop.draw import Deck, Draw

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_SENTENCES = 4
TITLE_FORMS = (
    "{brand} {model} {title}, {tail}",
    "{brand} {model} {title}, {tail}",
    "{brand} {title} {model} ({tail})",
    "{Title} {model} by {brand}, {tail}",
    "{brand} {model} {Title} - {tail}",
)


@dataclass(frozen=True)
class Product:
    """One product: what the shop shows, and the facts that can be known from what it shows."""

    product_id: str
    title: str
    brand: str
    model: str
    tier: str
    department: str
    kind: str
    price_cents: int
    description: str
    attributes: Mapping[str, str | list[str]]
    facts: Facts

    @property
    def key(self) -> str:
        """The name by which source files refer to the product."""
        return f"{self.kind}/{self.brand}/{self.model}"

    def as_row(self) -> dict[str, object]:
        """The product's line in products.jsonl."""
        return {
            "product_id": self.product_id,
            "title": self.title,
            "brand": self.brand,
            "department": self.department,
            "kind": self.kind,
            "price": self.price_cents / 100,
            "description": self.description,
            "attributes": dict(self.attributes),
        }


def make_catalogue(departments: Sequence[Department]) -> list[Product]:
    """All products of the shop in the order of department, kind and making."""
    taken: set[str] = set()
    products: list[Product] = []
    for department in departments:
        for kind in department.kinds:
            products.extend(_fill_shelf(department, kind, taken))
    return products


def _fill_shelf(department: Department, kind: Kind, taken: set[str]) -> list[Product]:
    brands = {brand.name: brand for brand in department.brands}
    decks = _Decks(department, kind)
    products = []
    for flagship in kind.flagships:
        decks.used.add((flagship.brand, flagship.model))
        brand = brands[flagship.brand]
        products.append(_flagship(department, kind, brand, flagship, taken))
    while len(products) < kind.count:
        brand = decks.brands.deal()
        model = decks.models[brand.name].deal()
        if (brand.name, model) in decks.used:
            continue
        decks.used.add((brand.name, model))
        build = decks.builds.deal()
        for _ in range(3 * len(kind.builds)):
            if brand.tier in build.tiers:
                break
            build = decks.builds.deal()
        products.append(_product(department, kind, brand, model, build, decks, taken))
    return products


class _Decks:
    """The decks of one shelf."""

    def __init__(self, department: Department, kind: Kind) -> None:
        self.used: set[tuple[str, str]] = set()
        self.pages: set[str] = set()
        self.brands = Deck(department.brands, kind.name, "brands")
        self.models = {
            brand.name: Deck(brand.models, kind.name, brand.name) for brand in department.brands
        }
        builds = [build for build in kind.builds for _ in range(build.weight)]
        self.builds = Deck(builds, kind.name, "builds")
        self.texts = {
            build.name: Deck(build.texts, kind.name, build.name, "texts") for build in kind.builds
        }
        self.openers = Deck(kind.openers or ("",), kind.name, "openers")
        self.closers = Deck(kind.closers or ("",), kind.name, "closers")
        self.options = {
            option.name: Deck(option.values, kind.name, option.name) for option in kind.options
        }
        self.option_texts = {
            (option.name, value.value): Deck(value.texts, kind.name, option.name, *value.value)
            for option in kind.options
            for value in option.values
            if value.texts
        }
        self.plain = {
            name: Deck(values, kind.name, "plain", name) for name, values in kind.plain.items()
        }


def _product(
    department: Department,
    kind: Kind,
    brand: Brand,
    model: str,
    build: Build,
    decks: _Decks,
    taken: set[str],
) -> Product:
    draw = Draw(kind.name, brand.name, model)
    shown: Facts = dict(build.shown)
    known: Facts = {**build.shown, **build.said}
    for name, deck in decks.plain.items():
        value = deck.deal()
        if name not in known:
            shown[name] = known[name] = (value,)
    told, optional, price = _options(kind, decks, draw, shown, known)
    words = {name: ", ".join(values) for name, values in known.items()}
    words |= {"brand": brand.name, "model": model}
    cents = _price(kind, brand, build, draw, price)
    sentences = _arrange(
        decks.texts[build.name].deal(),
        told,
        optional,
        decks.openers.deal() if draw.chance(0.35) else "",
        decks.closers.deal() if draw.chance(0.45) else "",
        draw.pick(brand.voice) if brand.voice and draw.chance(0.16) else "",
        draw,
    )
    while (page := " ".join(sentences)) in decks.pages:
        sentences.append(decks.closers.deal())
    decks.pages.add(page)
    return Product(
        product_id=_product_id(department.code, kind.name, brand.name, model, taken),
        title=_title(draw, brand.name, model, draw.pick(build.titles), kind.tails, words),
        brand=brand.name,
        model=model,
        tier=brand.tier,
        department=department.name,
        kind=kind.name,
        price_cents=cents,
        description=page.format_map(words),
        attributes=_attributes(shown),
        facts=known,
    )


def _options(
    kind: Kind, decks: _Decks, draw: Draw, shown: Facts, known: Facts
) -> tuple[list[str], list[str], float]:
    """Deal the options: sentences that must be told, sentences that may be, the price factor."""
    told: list[str] = []
    optional: list[str] = []
    price = 1.0
    for option in kind.options:
        value: OptionValue = decks.options[option.name].deal()
        if option.name in known or draw.chance(option.missing):
            continue
        price *= value.price
        known[option.name] = value.value
        deck = decks.option_texts.get((option.name, value.value))
        place = draw.share()
        if deck is None or place < 0.2:
            shown[option.name] = value.value
        elif place < 0.45:
            told.append(deck.deal())
        else:
            shown[option.name] = value.value
            optional.append(deck.deal())
    return told, optional, price


def _arrange(
    text: str,
    told: list[str],
    optional: list[str],
    opener: str,
    closer: str,
    voice: str,
    draw: Draw,
) -> list[str]:
    """The description's sentences: what must be said, then what fits."""
    middle = draw.shuffled([text, *told]) if told and draw.chance(0.25) else [text, *told]
    room = MAX_SENTENCES - sum(_sentences(part) for part in middle)
    for part in (*optional, opener, closer, voice):
        size = _sentences(part)
        if not part or size > room or (part not in optional and room < MAX_SENTENCES - 2):
            continue
        room -= size
        middle = [part, *middle] if part == opener else [*middle, part]
    return middle


def _sentences(text: str) -> int:
    return sum(text.count(mark + " ") for mark in ".!?") + 1 if text else 0


def _price(kind: Kind, brand: Brand, build: Build, draw: Draw, option_price: float) -> int:
    """A price in cents that looks like one: budget shops end in 9, luxury ones in whole dollars."""
    dollars = kind.base_price * TIERS[brand.tier] * build.price * option_price
    dollars *= 0.88 + 0.24 * draw.share()
    if brand.tier == "luxury" and dollars >= 20:
        return 500 * max(1, int(dollars / 5 + 0.5)) if dollars >= 100 else 100 * int(dollars + 0.5)
    if dollars >= 60:
        return 100 * int(dollars + 0.5) - 1
    endings = (49, 79, 99) if brand.tier == "budget" else (50, 90, 95, 99)
    return 100 * max(1, int(dollars)) + draw.pick(endings)


def _title(
    draw: Draw,
    brand: str,
    model: str,
    title: str,
    tails: Sequence[str],
    words: Mapping[str, str],
) -> str:
    form = draw.pick(TITLE_FORMS)
    tail = draw.pick(tails).format_map(words) if tails and draw.chance(0.8) else ""
    title = title.format_map(words)
    text = form.format(
        brand=brand, model=model, title=title, Title=title[:1].upper() + title[1:], tail=tail
    )
    return text if tail else text.removesuffix(" ()").removesuffix(" - ").removesuffix(", ")


def _flagship(
    department: Department, kind: Kind, brand: Brand, flagship: Flagship, taken: set[str]
) -> Product:
    builds = {build.name: build for build in kind.builds}
    build = builds[flagship.build]
    shown: Facts = {**build.shown, **flagship.facts}
    return Product(
        product_id=_product_id(department.code, kind.name, brand.name, flagship.model, taken),
        title=f"{brand.name} {flagship.model} {flagship.title}",
        brand=brand.name,
        model=flagship.model,
        tier=brand.tier,
        department=department.name,
        kind=kind.name,
        price_cents=int(flagship.price * 100 + 0.5),
        description=flagship.text,
        attributes=_attributes(shown),
        facts={**shown},
    )


def _attributes(shown: Facts) -> dict[str, str | list[str]]:
    return {
        name: values[0] if len(values) == 1 else list(values)
        for name, values in sorted(shown.items())
    }


def _product_id(code: str, kind: str, brand: str, model: str, taken: set[str]) -> str:
    """An id that looks like a shop's and stays when other products come or go."""
    number = zlib.crc32(f"{kind}/{brand}/{model}".encode()) % 9000
    while (product_id := f"{code}{1000 + number}") in taken:
        number = (number + 1) % 9000
    taken.add(product_id)
    return product_id
