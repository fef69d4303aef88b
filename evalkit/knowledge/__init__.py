"""What a catalogue says about its products, and what else is known about them."""

from evalkit.knowledge.catalogue import Attribute, Catalogue, normalise, read_catalogue
from evalkit.knowledge.graph import Graph, build_graph
from evalkit.knowledge.kinds import kinds_from_titles
from evalkit.knowledge.needs import Answer, Need
from evalkit.knowledge.opening import CatalogueFiles
from evalkit.knowledge.settings import TIERS, CatalogueSettings, read_settings
from evalkit.knowledge.triples import RELATIONS, Triple, read_triples
from evalkit.knowledge.wordnet import wordnet_synonyms
from evalkit.knowledge.words import Words, broader, family, read_words, says, stem, synonyms

__all__ = [
    "RELATIONS",
    "TIERS",
    "Answer",
    "Attribute",
    "Catalogue",
    "CatalogueFiles",
    "CatalogueSettings",
    "Graph",
    "Need",
    "Triple",
    "Words",
    "broader",
    "build_graph",
    "family",
    "kinds_from_titles",
    "normalise",
    "read_catalogue",
    "read_settings",
    "read_triples",
    "read_words",
    "says",
    "stem",
    "synonyms",
    "wordnet_synonyms",
]
