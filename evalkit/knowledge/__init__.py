"""What a catalogue says about its products, and what else is known about them."""

from evalkit.knowledge.catalogue import Attribute, Catalogue, normalise, read_catalogue
from evalkit.knowledge.settings import TIERS, CatalogueSettings, read_settings

__all__ = [
    "TIERS",
    "Attribute",
    "Catalogue",
    "CatalogueSettings",
    "normalise",
    "read_catalogue",
    "read_settings",
]
