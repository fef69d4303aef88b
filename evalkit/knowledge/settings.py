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
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            name,
            [Problem(str(error))],
            remedy="The fields are described in docs/synthesis.md.",
        ) from error


def _settings(document: Any) -> CatalogueSettings:
    if not isinstance(document, dict):
        raise ValueError("is not a mapping of names to values")
    known = {"fields", "price_scale", "attributes", "brand_tiers", "tier_quantiles"}
    _refuse_unknown("", document, known)
    attributes = document.get("attributes") or {}
    _refuse_unknown("attributes.", attributes, {"columns", "strip", "ignore", "same"})
    fields = {str(name): str(column) for name, column in (document.get("fields") or {}).items()}
    _refuse_unknown("fields.", fields, set(_FIELDS))
    tiers = {str(brand): str(tier) for brand, tier in (document.get("brand_tiers") or {}).items()}
    wrong = sorted(set(tiers.values()) - set(TIERS))
    if wrong:
        raise ValueError(f"brand_tiers: {wrong[0]!r} is not one of {', '.join(TIERS)}")
    scale = document.get("price_scale")
    quantiles = tuple(float(part) for part in document.get("tier_quantiles") or (0.35, 0.7, 0.9))
    if len(quantiles) != len(TIERS) - 1 or sorted(set(quantiles)) != list(quantiles):
        raise ValueError("tier_quantiles must be three rising numbers between 0 and 1")
    return CatalogueSettings(
        fields,
        None if scale is None else float(scale),
        _names(attributes, "columns"),
        _names(attributes, "strip"),
        _names(attributes, "ignore"),
        {str(name): tuple(map(str, same)) for name, same in (attributes.get("same") or {}).items()},
        tiers,
        (quantiles[0], quantiles[1], quantiles[2]),
    )


def _names(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = document.get(name) or []
    if not isinstance(found, list):
        raise ValueError(f"attributes.{name} must be a list")
    return tuple(str(item) for item in found)


def _refuse_unknown(where: str, document: Mapping[str, Any], known: set[str]) -> None:
    for name in document:
        if name not in known:
            raise ValueError(f"{where}{name} is unknown; known are {', '.join(sorted(known))}")
