"""Products and brands that are dear in their kind, and what people call them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalkit.knowledge import stem
from evalkit.synthesis.templates_grammar import read_wording

if TYPE_CHECKING:
    from evalkit.synthesis.queries_facts import Facts, KindFacts

__all__ = ["Named", "dear_brands", "dear_products", "must_fit", "short_name"]

_WORD = re.compile(r"[^\s,;()\[\]|\"™®]+")
_MODEL = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w/.-]{4,}|\d{3,5}")
_NO_MODEL = re.compile(
    r"\d+-in-\d+|rs\d{3}|hd\d\d|\d+-[a-z]+|\d+/\d+|\d+[.,]?\d*x\d.*|\d+[.,]\d+|cat\d\w?(?:/cat\d\w?)*|\d+[kmg]b/s|[a-z]+/[a-z]+"
)
_FITTED = 0.2  # share of a kind that says what it goes with, from which on all of the kind must fit
_DEAR = 0.6  # quantile of the prices of a kind from which on somebody looks for something cheaper
_UNITS = frozenset(
    ("gb", "mb", "tb", "kb", "ghz", "mhz", "hz", "mm", "cm", "m", "ft", "in", "inch", "w", "kw",
     "v", "va", "kva", "a", "l", "ml", "g", "kg", "pc", "pcs", "x", "dpi")
)  # fmt: skip


@dataclass(frozen=True)
class Named:
    """Something that a query can refer to.

    Attributes:
        text: what people call it, lower case.
        brand: as the catalogue writes it.
        product_id: the product, or None for a brand.
        number: its number in the catalogue, or None.
        price: of the product, or the median of the brand in the kind.
        several: products of other kinds are called so, too; only with the kind it is clear.
    """

    text: str
    brand: str
    product_id: str | None
    number: int | None
    price: float
    several: bool = False


def must_fit(kind: KindFacts) -> bool:
    """Whether a product of the kind is of use only with what it fits: a toner, a lens hood.

    Of such a kind, one that is cheaper is no alternative until it fits, too.
    """
    words = [kind.kind, *re.split(r"[\s/-]+", kind.kind)]
    grammar = read_wording("grammar")
    if set(map(stem, words)) & set(map(stem, grammar["fitted"])):
        return True
    stated = np.zeros(len(kind.products), dtype=bool)
    for name in grammar["fits"]:
        if name in kind.statements:
            stated |= kind.statements[name].stated
    return bool(stated.mean() >= _FITTED)


def short_name(title: str, brand: str, kind: str = "", *, capitalised: bool = False) -> str | None:
    """Return how people call a product: brand and model; None where the title shows no model.

    Args:
        title: as written.
        brand: as written.
        kind: its words are no model.
        capitalised: all words of the catalogue's titles begin with capitals, so that only a number
            tells a model from a description.

    Example:
        >>> short_name("Vantrel Quietus II wireless headphones, black", "Vantrel")
        'vantrel quietus ii'
        >>> short_name("Vegetable knife Mori by Ishikoro, 9 cm", "Ishikoro", "kitchen knife")
        'ishikoro mori'
    """
    if not brand:
        return None
    main = re.split(r" - |,|\(", title)[0]
    by = re.search(rf"\s+by\s+{re.escape(brand)}\b", main, re.IGNORECASE)
    place = main.lower().find(brand.lower())
    if by:
        words = _WORD.findall(main[: by.start()])
        model: list[str] = []
        while len(words) > 1 and _is_name(words[-1], kind) and len(model) < 3:
            model.insert(0, words.pop())
    elif place >= 0:
        words = _WORD.findall(main[place + len(brand) :])
        while words and not _is_name(words[0], kind):
            words.pop(0)
        model = []
        for word in words:
            if not _is_name(word, kind) or len(model) == 3:
                break
            model.append(word)
            if any(map(str.isdigit, word)) and any(map(str.isalpha, word)):
                break
    else:
        return None
    text = " ".join(model)
    if len(text) < 3 or text.isdigit():
        return None
    if capitalised and not any(_MODEL.fullmatch(word) for word in model):
        return None
    return f"{brand} {text}".lower()


def _is_name(word: str, kind: str) -> bool:
    plain = word.lower().strip(".:-")
    if not plain or plain in kind.split() or plain.rstrip("s") in kind or plain in _UNITS:
        return False
    if word.endswith(".") or _NO_MODEL.fullmatch(plain):
        return False
    if re.fullmatch(r"\d+([.,]\d+)?[a-z]{0,4}", plain) or re.fullmatch(r"\d+x\d+.*", plain):
        letters = plain.lstrip("0123456789.,")
        return bool(re.fullmatch(r"\d{2,4}[a-z]{1,3}|\d{3,4}", plain)) and letters not in _UNITS
    return word[0].isupper() or any(map(str.isdigit, word)) or word[1:2].isupper()


def dear_products(facts: Facts, kind: KindFacts, wanted: int) -> list[Named]:
    """Return products with a name of their own that cost more than most of their kind.

    Args:
        facts: of the whole catalogue.
        kind: of the kind.
        wanted: how many cheaper ones there must be.
    """
    catalogue = facts.catalogue
    prices = kind.prices
    if np.count_nonzero(~np.isnan(prices)) <= wanted:
        return []
    limit = np.nanquantile(prices, _DEAR)
    found: dict[str, Named] = {}
    for place in np.flatnonzero(prices >= limit).tolist():
        number = int(kind.products[place])
        text = short_name(
            catalogue.titles[number],
            catalogue.brands[number],
            kind.kind,
            capitalised=facts.capitalised,
        )
        price = float(prices[place])
        if text is None or np.count_nonzero(prices < price) < wanted:
            continue
        named = Named(
            text,
            catalogue.brands[number],
            catalogue.product_ids[number],
            number,
            price,
            several=len(facts.kinds_titled(text)) > 1,
        )
        known = found.get(text)
        # Of one name's variants the cheapest, so that none of them is "cheaper than itself".
        if known is None or named.price < known.price:
            found[text] = named
    return list(found.values())


def dear_brands(facts: Facts, kind: KindFacts, wanted: int) -> list[Named]:
    """Return brands whose median price is above that of most products of the kind.

    Args:
        facts: of the whole catalogue.
        kind: of the kind.
        wanted: how many cheaper products of other brands there must be.
    """
    prices = kind.prices
    if np.count_nonzero(~np.isnan(prices)) <= wanted:
        return []
    limit = np.nanquantile(prices, _DEAR)
    written = {facts.catalogue.brands[number].lower(): number for number in kind.products.tolist()}
    found = []
    for brand, number in sorted(written.items()):
        price = facts.brand_price(kind.kind, brand) if brand else None
        if price is None or price < limit or len(brand) > 24:
            continue
        if np.count_nonzero((prices < price) & (kind.brands != brand)) >= wanted:
            found.append(Named(brand, facts.catalogue.brands[number], None, None, price))
    return found
