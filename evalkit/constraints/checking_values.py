"""What the attributes of a catalogue state of a thing: that it is so, that it is not, or nothing.

One attribute at a time, over its distinct values; `-1` where a product states the attribute and
says otherwise. `none`, `no` and the like say that the thing is absent; `unknown` and `n/a` say
nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evalkit.knowledge.catalogue import Attribute
    from evalkit.knowledge.words import Words

__all__ = [
    "asks_for_absence",
    "denies_any",
    "is_absence",
    "is_presence",
    "lists_claims",
    "quantity",
    "same_quantity",
    "states_any",
    "states_thing",
    "takes_larger",
    "value_says",
]

_ABSENCE = re.compile(
    r"(?:no|none|not|without|never|lacks?)(?:\b[^a-z].*)?|n|0|false|absent|excluded"
)
# "may contain nuts" speaks of nuts: whoever must not have them cannot have it
_HEDGE = re.compile(
    r"^(?:may|can|could)\s+contain\s+(?:traces\s+of\s+)?|^(?:with\s+)?traces\s+of\s+"
)
_ABSENCE_WORDS = frozenset(
    ("no", "none", "n", "0", "false", "not included", "without", "absent", "never")
)
_PRESENCE = frozenset(
    (
        "yes", "y", "true", "included", "built-in", "built", "integrated", "available",
        "supported", "present", "with", "1",
    )
)  # fmt: skip
_NOTHING = frozenset(
    (
        "not applicable", "not available", "not specified", "unknown", "unspecified", "n/a",
        "na", "other", "others", "-", "?", ".",
    )
)  # fmt: skip
_CLAIMS = frozenset(
    (
        "tag", "label", "claim", "feature", "badge", "highlight", "benefit", "certification",
        "certificate", "keyword", "characteristic", "attribute", "usp",
    )
)  # fmt: skip
_SEVERAL = 0.05  # share of values that stand beside another of the same product, for a list
_QUANTITY = re.compile(
    r"(?P<number>\d[\d.,]*)\s*(?P<unit>[a-zµ\"″%°]+(?:/[a-z]+)?|)(?P<rest>.*)", re.DOTALL
)
_EQUAL, _ROUNDED = 1e-9, 0.005
# Unit to (family, factor); a unit that is not here only equals itself.
_UNITS = {
    "mm": ("length", 0.001), "cm": ("length", 0.01), "m": ("length", 1.0), "km": ("length", 1e3),
    "inch": ("length", 0.0254), "in": ("length", 0.0254), "inches": ("length", 0.0254),
    '"': ("length", 0.0254), "″": ("length", 0.0254), "ft": ("length", 0.3048),
    "feet": ("length", 0.3048), "metre": ("length", 1.0), "metres": ("length", 1.0),
    "mg": ("mass", 1e-6), "g": ("mass", 0.001), "kg": ("mass", 1.0), "lb": ("mass", 0.45359237),
    "lbs": ("mass", 0.45359237), "oz": ("mass", 0.028349523), "gram": ("mass", 0.001),
    "ml": ("volume", 0.001), "cl": ("volume", 0.01), "dl": ("volume", 0.1), "l": ("volume", 1.0),
    "litre": ("volume", 1.0), "litres": ("volume", 1.0), "liter": ("volume", 1.0),
    "w": ("power", 1.0), "kw": ("power", 1e3), "watt": ("power", 1.0), "watts": ("power", 1.0),
    "mah": ("charge", 0.001), "ah": ("charge", 1.0), "kb": ("bytes", 1e3), "mb": ("bytes", 1e6),
    "gb": ("bytes", 1e9), "tb": ("bytes", 1e12), "s": ("time", 1.0), "min": ("time", 60.0),
    "minutes": ("time", 60.0), "minute": ("time", 60.0), "h": ("time", 3600.0),
    "hours": ("time", 3600.0), "hour": ("time", 3600.0), "hz": ("frequency", 1.0),
    "khz": ("frequency", 1e3), "mhz": ("frequency", 1e6), "ghz": ("frequency", 1e9),
}  # fmt: skip


def is_absence(value: str) -> bool:
    """Tell whether a value says that the thing is not there.

    Example:
        >>> [is_absence(value) for value in ("none", "not included", "no", "none, oiled", "nylon")]
        [True, True, True, True, False]
    """
    return _ABSENCE.fullmatch(value) is not None


def asks_for_absence(value: str) -> bool:
    """Tell whether a wanted value is no more than a word for absence.

    Example:
        >>> [asks_for_absence(value) for value in ("none", "not included", "none, pre-seasoned")]
        [True, True, False]
    """
    return value in _ABSENCE_WORDS


def is_presence(value: str) -> bool:
    """Tell whether a value says no more than that the thing is there.

    Example:
        >>> [is_presence(value) for value in ("yes", "built in", "included", "detachable")]
        [True, True, True, False]
    """
    return value in _PRESENCE or value.split()[:1] in (["built"], ["included"])


def quantity(text: str) -> tuple[float, str] | None:
    """Return the number and unit that a value consists of, or None if it is something else.

    Example:
        >>> quantity("28 cm"), quantity("5,000 mAh"), quantity("3 steps"), quantity("size 8")
        ((28.0, 'cm'), (5000.0, 'mah'), (3.0, 'steps'), None)
    """
    found = _QUANTITY.fullmatch(text.strip().lower())
    if found is None or found["rest"].strip():
        return None
    number = found["number"].rstrip(".,")
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", number):
        number = number.replace(",", "")
    try:
        return float(number.replace(",", ".")), found["unit"]
    except ValueError:
        return None


def same_quantity(one: tuple[float, str], other: tuple[float, str]) -> bool:
    """Tell whether two quantities are the same; a missing unit fits any.

    Half a percent is allowed where one unit was turned into another: people round then.

    Example:
        >>> same_quantity((28, "cm"), (0.28, "m")), same_quantity((11, "inch"), (28, "cm"))
        (True, True)
        >>> same_quantity((28, "cm"), (28, "w")), same_quantity((2023, ""), (2025, ""))
        (False, False)
    """
    number, unit = one
    wanted, wanted_unit = other
    allowed = _EQUAL
    if unit != wanted_unit and unit and wanted_unit:
        known, wish = _UNITS.get(unit), _UNITS.get(wanted_unit)
        if known is None or wish is None or known[0] != wish[0]:
            return False
        if known[1] != wish[1]:
            number, wanted, allowed = number * known[1], wanted * wish[1], _ROUNDED
    return abs(number - wanted) <= allowed * max(abs(number), abs(wanted))


def takes_larger(name: str) -> bool:
    """Tell whether an attribute states the greatest of what fits, so that more will do.

    Example:
        >>> takes_larger("maximum_screen_size"), takes_larger("screen_size")
        (True, False)
    """
    return name.startswith(("max_", "maximum_"))


def value_says(words: Words, value: str, wanted: str, *, at_least: bool = False) -> bool:
    """Tell whether a value states the wanted one: in words, or as the same quantity.

    Args:
        words: which words mean what.
        value: what the catalogue states.
        wanted: what is asked for.
        at_least: whether a larger number will do, as for a greatest size that fits.
    """
    wish = quantity(wanted)
    stated = quantity(value) if wish is not None else None
    if wish is None or stated is None:
        return words.says(_HEDGE.sub("", value), wanted)
    larger = at_least and stated[1] == wish[1] and stated[0] >= wish[0]
    return larger or same_quantity(stated, wish)


def states_any(
    attribute: Attribute, wanted: str, words: Words, products: int, *, at_least: bool = False
) -> NDArray[np.int8]:
    """Return 1 where a product states the wanted value, -1 where only others, else 0; int8[n].

    Of a list of claims it is -1 only where one of them denies the wanted value.
    """
    said = np.fromiter(
        (value_says(words, value, wanted, at_least=at_least) for value in attribute.values),
        np.bool_,
        len(attribute.values),
    )
    result = _of_products(attribute, said, products)
    if lists_claims(attribute):
        denied = denies_any(attribute, wanted, words, products, nothing=False)
        result[(result == -1) & ~denied] = 0
    return result


def lists_claims(attribute: Attribute) -> bool:
    """Tell whether an attribute lists claims or tags, of which none is complete.

    A list of ingredients names them all; who tags lipsticks "vegan" has not said whether they
    have gluten. It is one by its name, or where it lists several values and some are "X free".
    """
    words = attribute.name.replace("-", "_").split("_")
    if any(word.removesuffix("s") in _CLAIMS for word in words):
        return True
    if not any(value.endswith((" free", "-free")) for value in attribute.values):
        return False
    several = int((np.diff(attribute.product) == 0).sum())
    return several > _SEVERAL * len(attribute.product)


def states_thing(attribute: Attribute, products: int) -> NDArray[np.int8]:
    """Return 1 where an attribute says that the thing is there, -1 where not, 0 unstated."""
    there = np.fromiter(
        (not is_absence(value) for value in attribute.values), np.bool_, len(attribute.values)
    )
    return _of_products(attribute, there, products)


def denies_any(
    attribute: Attribute, wanted: str, words: Words, products: int, *, nothing: bool
) -> NDArray[np.bool_]:
    """Return the products of which an attribute says in so many words that the thing is absent.

    Args:
        attribute: the attribute.
        wanted: the thing.
        words: which words mean what.
        products: how many there are.
        nothing: whether `none` and the like speak of this thing.
    """
    absent = np.fromiter(
        (
            (nothing and is_absence(value)) or words.states(value, wanted) == -1
            for value in attribute.values
        ),
        np.bool_,
        len(attribute.values),
    )
    result = np.zeros(products, dtype=np.bool_)
    result[attribute.product[absent[attribute.value]]] = True
    return result


def _of_products(attribute: Attribute, said: NDArray[np.bool_], products: int) -> NDArray[np.int8]:
    tells = np.fromiter(
        (value not in _NOTHING for value in attribute.values), np.bool_, len(attribute.values)
    )
    result = np.zeros(products, dtype=np.int8)
    result[attribute.product[tells[attribute.value]]] = -1
    result[attribute.product[(said & tells)[attribute.value]]] = 1
    return result
