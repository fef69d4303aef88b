"""What is special about a catalogue, from a small YAML file.

    fields: {kind: category, price: price_cents, description: long_text}
    price_scale: 0.01
    attributes:
      columns: [colour]            # columns that are attributes, besides the object `attributes`
      strip: ["t_", "n_", "b_"]    # prefixes that say nothing
      ignore: [package_weight]     # nobody searches by them
      same: {colour: [product_colour, cable_colour]}
    brand_tiers: {Vantrel: luxury}

Everything has a default, and most catalogues need no such file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit.errors import InputError, Problem

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["TIERS", "CatalogueSettings", "read_settings"]

TIERS = ("budget", "mid", "premium", "luxury")
_FIELDS = ("title", "description", "brand", "kind", "price", "attributes")


@dataclass(frozen=True)
class CatalogueSettings:
    """How a catalogue is to be understood.

    Attributes:
        fields: which column is the title, description, brand, kind, price or attributes, where
            its name does not tell.
        price_scale: what a price is multiplied by; None is 0.01 for a column that ends in
            `_cents` and 1 otherwise.
        columns: columns that are attributes.
        strip: prefixes taken off the names of attributes.
        ignore: attributes left out, by their name without prefix.
        same: names of attributes that mean the same, by the name that they get.
        brand_tiers: tier of a brand where its prices do not tell: one of `TIERS`.
        tier_quantiles: upper quantiles, within a kind, of the tiers but the last.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    price_scale: float | None = None
    columns: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    same: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    brand_tiers: Mapping[str, str] = field(default_factory=dict)
    tier_quantiles: tuple[float, float, float] = (0.35, 0.7, 0.9)

    def attribute_name(self, name: str) -> str | None:
        """Return the name that an attribute of the file gets, or None if it is left out.

        Example:
            >>> settings = CatalogueSettings(strip=("t_",), same={"colour": ("product_colour",)})
            >>> settings.attribute_name("t_product_colour")
            'colour'
        """
        plain = name.strip().lower().replace(" ", "_").replace("-", "_")
        for prefix in self.strip:
            if plain.startswith(prefix) and len(plain) > len(prefix):
                plain = plain[len(prefix) :]
                break
        for wanted, names in self.same.items():
            if plain in names:
                plain = wanted
        return None if plain in self.ignore else plain


def read_settings(path: str | os.PathLike[str] | None) -> CatalogueSettings:
    """Read the YAML file; None gives the defaults.

    Raises:
        InputError: it cannot be read, or says something that is not understood.
    """
    if path is None:
        return CatalogueSettings()
    import yaml

    name = str(path)
    try:
        with open(path, encoding="utf-8") as stream:
            document = yaml.safe_load(stream) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            name, [Problem(f"cannot be read ({reason})")], remedy="It must be a YAML file."
        ) from error
    try:
        return _settings(document)
    except ValueError as error:
        raise InputError(
            name,
            [Problem(str(error))],
            remedy="The fields are described in docs/synthesis.md.",
        ) from error


def _settings(document: Any) -> CatalogueSettings:
    if not isinstance(document, dict):
        raise ValueError("it is not a mapping of names to values")
    known = {"fields", "price_scale", "attributes", "brand_tiers", "tier_quantiles"}
    _refuse_unknown("", document, known)
    attributes = _mapping(document, "attributes")
    _refuse_unknown("attributes.", attributes, {"columns", "strip", "ignore", "same"})
    fields = {name: str(column) for name, column in _mapping(document, "fields").items()}
    _refuse_unknown("fields.", fields, set(_FIELDS))
    tiers = {brand: str(tier) for brand, tier in _mapping(document, "brand_tiers").items()}
    wrong = sorted(set(tiers.values()) - set(TIERS))
    if wrong:
        raise ValueError(f"brand_tiers: {wrong[0]!r} is not one of {', '.join(TIERS)}")
    scale = document.get("price_scale")
    if scale is not None and not (_is_number(scale) and scale > 0):
        raise ValueError(f"price_scale is {scale!r}; it must be a number above 0")
    quantiles = document.get("tier_quantiles", [0.35, 0.7, 0.9])
    if (
        not isinstance(quantiles, list)
        or len(quantiles) != len(TIERS) - 1
        or not all(_is_number(part) and 0 < part < 1 for part in quantiles)
        or sorted(set(quantiles)) != quantiles
    ):
        raise ValueError("tier_quantiles must be three rising numbers between 0 and 1")
    same = _mapping(attributes, "same", "attributes.")
    return CatalogueSettings(
        fields,
        None if scale is None else float(scale),
        _names(attributes, "columns"),
        _names(attributes, "strip"),
        _names(attributes, "ignore"),
        {name: _names(same, name, "attributes.same.") for name in same},
        tiers,
        (float(quantiles[0]), float(quantiles[1]), float(quantiles[2])),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mapping(document: Mapping[str, Any], name: str, where: str = "") -> dict[str, Any]:
    found = document.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{where}{name} is not a mapping of names to values")
    return {str(key): value for key, value in found.items()}


def _names(document: Mapping[str, Any], name: str, where: str = "attributes.") -> tuple[str, ...]:
    found = document.get(name) or []
    if not isinstance(found, list):
        raise ValueError(f"{where}{name} must be a list")
    return tuple(str(item) for item in found)


def _refuse_unknown(where: str, document: Mapping[str, Any], known: set[str]) -> None:
    for name in document:
        if name not in known:
            raise ValueError(f"{where}{name} is unknown; known are {', '.join(sorted(known))}")
