"""What a query asks for, in a form that a machine can check.

Every stage carries it as JSON in the column `structure` of a queries table. Words are lower case.
A condition's attribute is None where the query does not say which one it means; its values are
empty where the thing itself is meant ("no hood": the attribute hood, no values).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from evalkit.errors import SettingsError

__all__ = ["QUERY_TYPES", "Condition", "QueryType", "Reference", "Structure"]

QueryType = Literal["knowledge", "negative", "alternative", "general"]
QUERY_TYPES: tuple[QueryType, ...] = get_args(QueryType)


@dataclass(frozen=True)
class Condition:
    """A property of a product.

    Attributes:
        attribute: its name in the catalogue, or None where only the words are known.
        values: one of these; none means the thing itself (has it, or is it).
    """

    attribute: str | None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """A product or a brand that a query names to be like, or cheaper than.

    Attributes:
        text: the words of the query.
        brand: the brand, where it is known.
        product_id: the product, where it is known.
    """

    text: str
    brand: str | None = None
    product_id: str | None = None


@dataclass(frozen=True)
class Structure:
    """What a query asks for.

    Attributes:
        query_type: knowledge, negative, alternative or general.
        kinds: kinds of product that fit; empty when the query names none.
        required: conditions that must all hold.
        excluded: conditions of which none may hold.
        price_max: highest price, inclusive, in the catalogue's currency.
        price_min: lowest price, inclusive.
        price_share: highest price as a share of the reference's price, 0 to 1.
        reference: what it shall be like or cheaper than.
        need: the problem, occasion or person of a knowledge query, in its words.
    """

    query_type: QueryType
    kinds: tuple[str, ...] = ()
    required: tuple[Condition, ...] = ()
    excluded: tuple[Condition, ...] = ()
    price_max: float | None = None
    price_min: float | None = None
    price_share: float | None = None
    reference: Reference | None = None
    need: str | None = None

    def to_json(self) -> str:
        """Return it as JSON, with the same bytes for the same structure.

        Example:
            >>> Structure("negative", ("jacket",), excluded=(Condition("hood"),)).to_json()[:60]
            '{"query_type": "negative", "kinds": ["jacket"], "required": '
        """
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Structure:
        """Read what `to_json` wrote; absent fields have their defaults.

        Raises:
            SettingsError: not JSON, or not of this form; says what is wrong.

        Example:
            >>> Structure.from_json('{"query_type": "general", "kinds": ["kettle"]}').kinds
            ('kettle',)
        """
        try:
            document = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"the structure is not JSON ({error})") from error
        if not isinstance(document, dict):
            raise SettingsError("the structure is not a JSON object")
        unknown = document.keys() - Structure.__dataclass_fields__.keys()
        if unknown:
            raise SettingsError(f"the structure has unknown fields: {', '.join(sorted(unknown))}")
        kind = document.get("query_type")
        if kind not in QUERY_TYPES:
            raise SettingsError(
                f"query_type is {kind!r}; it must be one of {', '.join(QUERY_TYPES)}"
            )
        return Structure(
            kind,
            _words(document, "kinds"),
            _conditions(document, "required"),
            _conditions(document, "excluded"),
            _number(document, "price_max"),
            _number(document, "price_min"),
            _number(document, "price_share"),
            _reference(document.get("reference")),
            _text(document, "need"),
        )


def _words(document: dict[str, Any], name: str) -> tuple[str, ...]:
    found = document.get(name) or ()
    if not isinstance(found, list | tuple) or not all(isinstance(item, str) for item in found):
        raise SettingsError(f"{name} is not a list of texts")
    return tuple(found)


def _conditions(document: dict[str, Any], name: str) -> tuple[Condition, ...]:
    found = document.get(name) or ()
    if not isinstance(found, list | tuple) or not all(isinstance(item, dict) for item in found):
        raise SettingsError(f"{name} is not a list of objects with attribute and values")
    return tuple(Condition(_text(item, "attribute"), _words(item, "values")) for item in found)


def _number(document: dict[str, Any], name: str) -> float | None:
    found = document.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1e12:
        raise SettingsError(f"{name} is {found!r}; it must be a number from 0")
    return float(found)


def _text(document: dict[str, Any], name: str) -> str | None:
    found = document.get(name)
    if found is not None and not isinstance(found, str):
        raise SettingsError(f"{name} is {found!r}; it must be a text")
    return found


def _reference(found: Any) -> Reference | None:
    if found is None:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise SettingsError("reference is not an object with text")
    return Reference(found["text"], _text(found, "brand"), _text(found, "product_id"))
