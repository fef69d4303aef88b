"""The words that a parser knows: those of the package and those of a catalogue.

Built once over the distinct kinds, brands, attributes and values of the catalogue; a query is then
looked up phrase by phrase, the longest first, whatever the size of the catalogue.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints.checking_senses import MADE_OF, speaks_of_something_else
from evalkit.constraints.checking_text import TextIndex, index_texts
from evalkit.constraints.parsing_text import keys_of, tokenise
from evalkit.constraints.parsing_words import Phrases, exact_words, shop_words, stop_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints.structure import Structure
    from evalkit.knowledge.catalogue import Catalogue
    from evalkit.knowledge.graph import Graph

__all__ = ["GENERAL", "Vocabulary", "title_words"]

GENERAL = ("parts", "substances", "colours", "materials")
_SAY_NOTHING = frozenset(("yes", "no", "none", "true", "false", "n/a", "unknown"))
# An attribute that lists what is not in a product says the opposite of its values.
_INVERSE = ("free_from", "free", "without", "does_not_contain", "not_contained", "no")
_LONGEST_VALUE = 5  # words; a longer value is a description
_MOST_ATTRIBUTES = 200  # compared for one word
# What a product is made of is said of all of it; a word may also name the sole or the lining.
_OF_ALL = ("material", "ingredient", "colour", "color")
_WHOLE = 4
_LEAST_PARTIAL = 3  # letters


@dataclass
class Vocabulary:
    """Phrases by what they name.

    Attributes:
        kinds: phrase to kinds of the catalogue.
        brands: phrase to brand, as the catalogue writes it.
        attributes: phrase to attribute.
        values: phrase to the (attribute, value) pairs that it states in full.
        partial: word to the attributes in whose values it occurs, with those values' places.
        models: word to the one brand in whose titles it occurs.
        things: phrases that are known to be things beyond the package's words.
        unwanted: words that a structure excludes; what names them is a negation in any case.
        catalogue: what it was built from, or None.
    """

    kinds: Phrases[tuple[str, ...]] = field(default_factory=Phrases)
    brands: Phrases[str] = field(default_factory=Phrases)
    attributes: Phrases[str] = field(default_factory=Phrases)
    values: Phrases[tuple[tuple[str, str], ...]] = field(default_factory=Phrases)
    partial: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    things: Phrases[str] = field(default_factory=Phrases)
    unwanted: frozenset[str] = frozenset()
    catalogue: Catalogue | None = None

    @staticmethod
    def of_catalogue(catalogue: Catalogue, graph: Graph | None = None) -> Vocabulary:
        """Index a catalogue; with a graph, its words for kinds and the user's facts as well."""
        known = Vocabulary(catalogue=catalogue)
        _add_kinds(known, catalogue, graph)
        _add_brands(known, catalogue)
        _add_values(known, catalogue)
        _add_models(known, catalogue)
        return known

    @staticmethod
    def of_structure(structure: Structure) -> Vocabulary:
        """Know only what a structure names."""
        known = Vocabulary()
        for kind in structure.kinds:
            known.kinds.add(kind, (kind,))
        for condition in (*structure.excluded, *structure.required):
            for value in condition.values or (str(condition.attribute).replace("_", " "),):
                known.things.add(value, value)
        words = [value for item in structure.excluded
                 for value in item.values or (str(item.attribute).replace("_", " "),)]  # fmt: skip
        known.unwanted = frozenset(key for word in words for key in keys_of(word))
        if structure.reference is not None and structure.reference.brand:
            known.brands.add(structure.reference.brand, structure.reference.brand)
        return known

    def thing_at(self, keys: Sequence[str], place: int) -> int:
        """Return the length of the longest known property, part or substance at a place, or 0."""
        found = [shop_words(section).at(keys, place) for section in GENERAL]
        found += [index.at(keys, place) for index in (self.attributes, self.things, self.brands)]
        values = self.values.at(keys, place)
        longest = max((match[0] for match in found if match is not None), default=0)
        return max(longest, values[0] if values is not None else 0)

    def product_at(self, keys: Sequence[str], place: int) -> int:
        """Return the length of the longest kind or product word at a place, or 0."""
        found = (self.kinds.at(keys, place), shop_words("products").at(keys, place))
        return max((match[0] for match in found if match is not None), default=0)

    def attribute_of(self, pairs: Mapping[str, Sequence[int]], kinds: Sequence[str]) -> str | None:
        """Choose the attribute with which most products of the kinds say a word.

        Args:
            pairs: attribute to the places of the values that say it; no places mean any value.
            kinds: kinds of the catalogue; all products where there are none.

        Returns:
            The attribute, or None where no product of these kinds says it.
        """
        if self.catalogue is None:
            return None
        wanted = np.array([self.catalogue.kinds.index(kind) for kind in kinds], dtype=np.int64)
        best: tuple[int, str] | None = None
        for name in sorted(pairs)[:_MOST_ATTRIBUTES]:
            attribute = self.catalogue.attributes[name]
            saying = np.ones(len(attribute.value), dtype=bool)
            if len(pairs[name]):
                saying = np.isin(attribute.value, np.array(pairs[name], dtype=np.int64))
            if len(wanted):
                saying &= np.isin(self.catalogue.kind[attribute.product], wanted)
            count = int(saying.sum()) * (_WHOLE if name.rstrip("s") in _OF_ALL else 1)
            if count and (best is None or count > best[0]):
                best = count, name
        return None if best is None else best[1]

    def in_doubt(
        self, keys: tuple[str, ...], name: str, places: Sequence[int], kinds: Sequence[str]
    ) -> bool:
        """Tell whether words need not mean the attribute that `attribute_of` chose for the kinds.

        They may be a value of another one as well ("adjustable" arms, "adjustable" lumbar support),
        name a material that the kind states only of a part, or have another sense in titles.
        """
        if self.catalogue is None or not kinds or name.rstrip("s") in MADE_OF:
            return False
        mine = np.isin(self.catalogue.kind, [self.catalogue.kinds.index(kind) for kind in kinds])
        whole = name.rstrip("s") in _OF_ALL
        for other, at in self.places_of(self.values.meanings.get(keys, ())).items():
            rival = other != name and (not whole or other.rstrip("s") in _OF_ALL)
            if rival and (self._stating(other, at)[mine] == 1).any():
                return True
        if keys in shop_words("materials").meanings and not any(
            keys in shop_words(section).meanings for section in ("colours", "parts")
        ):
            made_of = self.catalogue.attributes.get("material")
            if made_of is not None and mine[made_of.product].any():
                return True
        word = " ".join(keys)
        titled = self._titles.mention([word]).said
        other_sense = speaks_of_something_else(
            name, word, self._stating(name, places), titled, np.where(mine, 0, -1)
        )
        return bool(other_sense.any())

    def _stating(self, name: str, places: Sequence[int]) -> NDArray[np.int8]:
        """Return 1 where products state one of the values, -1 where another, int8[n]."""
        assert self.catalogue is not None  # noqa: S101 - asked only with one
        attribute = self.catalogue.attributes[name]
        stated = np.zeros(len(self.catalogue), dtype=np.int8)
        stated[attribute.product] = -1
        stated[attribute.product[np.isin(attribute.value, np.array(places, np.int64))]] = 1
        return stated

    @cached_property
    def _titles(self) -> TextIndex:
        return index_texts(self.catalogue.titles if self.catalogue is not None else ())

    def places_of(self, pairs: Iterable[tuple[str, str]]) -> dict[str, list[int]]:
        """Return for (attribute, value) pairs where the attributes have the values."""
        found: dict[str, list[int]] = {}
        if self.catalogue is not None:
            for name, value in pairs:
                place = self.catalogue.attributes[name].values.index(value)
                found.setdefault(name, []).append(place)
        return found

    def known_kinds(self, kinds: Iterable[str]) -> tuple[str, ...]:
        """Return those that are kinds of the catalogue."""
        if self.catalogue is None:
            return ()
        return tuple(kind for kind in kinds if keys_of(kind) in self.kinds.meanings and
                     kind in self.catalogue.kinds)  # fmt: skip


def _add_kinds(known: Vocabulary, catalogue: Catalogue, graph: Graph | None) -> None:
    from evalkit.knowledge.words import read_words

    words = graph.words if graph is not None else read_words()
    for kind in catalogue.kinds:
        known.kinds.add(kind, (kind,))
    for kind in catalogue.kinds:
        for name in words.synonyms(kind):
            known.kinds.add(name, (kind,))
    # "pan" for a frying pan, but only where the catalogue has no plain pan; "shoes" for work shoes
    # and for everything else that is a shoe.
    last: dict[str, list[str]] = {}
    for kind in catalogue.kinds:
        keys = keys_of(kind)
        if len(keys) > 1:
            last.setdefault(keys[-1], []).append(kind)
    for word, kinds in last.items():
        if not any((word,) in shop_words(name).meanings for name in ("products", "parts")):
            continue
        family = {keys_of(name) for name in words.family(word)}
        known.kinds.add(
            (word,), tuple(kind for kind in catalogue.kinds
                           if kind in kinds or keys_of(kind) in family)
        )  # fmt: skip
    for kind in catalogue.kinds:
        for name in words.family(kind):
            known.kinds.add(name, (kind,))


def _add_brands(known: Vocabulary, catalogue: Catalogue) -> None:
    brands = sorted({brand for brand in catalogue.brands if brand})
    for brand in brands:
        known.brands.add(brand, brand)
    first = Counter(keys_of(brand)[0] for brand in brands if keys_of(brand))
    for brand in brands:
        keys = keys_of(brand)
        # "steinbach" for Steinbach & Kind; a word that means something else never does.
        if len(keys) > 1 and first[keys[0]] == 1 and len(keys[0]) >= 5 and not _common(keys[0]):
            known.brands.add(keys[:1], brand)


def _common(key: str) -> bool:
    sections = (*GENERAL, "products", "conditions", "audiences", "fillers", "persons")
    return any((key,) in shop_words(section).meanings for section in sections)


def _add_values(known: Vocabulary, catalogue: Catalogue) -> None:
    stated: dict[tuple[str, ...], dict[tuple[str, str], None]] = {}
    for name, attribute in catalogue.attributes.items():
        if name.startswith(_INVERSE) and name.removesuffix("s") in _INVERSE:
            continue
        if not name.endswith("_free"):
            known.attributes.add(name.replace("_", " "), name)
        for place, value in enumerate(attribute.values):
            if value in _SAY_NOTHING or value.replace(".", "").isdigit():
                continue
            keys = keys_of(value)
            words = [key for key in keys if len(key) >= _LEAST_PARTIAL and key.isalpha()]
            if len(keys) <= _LONGEST_VALUE:
                stated.setdefault(keys, {})[(name, value)] = None
                if len(keys) > 1:
                    ends = {keys[0], keys[-1]}
                    for word in words:
                        # "specialist leather clean" says little about leather
                        if not _says_little(word) and (word in ends or len(keys) > 3):
                            known.partial.setdefault(word, {}).setdefault(name, []).append(place)
    for keys, pairs in stated.items():
        known.values.add(keys, tuple(pairs))


def _says_little(word: str) -> bool:
    return (
        (word,) in shop_words("fillers").meanings
        or word in stop_words()
        or word in ("none", "not", "no", "may", "all", "other", "without", "free")
    )


def _add_models(known: Vocabulary, catalogue: Catalogue) -> None:
    """Find the words of titles that only one brand uses; they are names of its models."""
    import pyarrow as pa
    import pyarrow.compute as pc

    titles = pc.split_pattern_regex(
        pc.utf8_lower(pa.array(catalogue.titles, pa.string())), r"[^\p{L}\p{N}]+"
    )
    words = pc.list_flatten(titles)
    brand = pa.array(catalogue.brands, pa.string()).take(pc.list_parent_indices(titles))
    pairs = pa.table({"word": words, "brand": brand}).group_by(["word", "brand"]).aggregate([])
    one = pairs.group_by("word").aggregate([("brand", "min"), ("brand", "count")])
    one = one.filter(pc.equal(one.column("brand_count"), 1)).sort_by("word")
    for word, name in zip(
        one.column("word").to_pylist(), one.column("brand_min").to_pylist(), strict=True
    ):
        keys = keys_of(word)
        if name and len(word) >= 4 and len(keys) == 1 and word.isalpha() and not (
            _common(keys[0]) or word in exact_words("reference cues")
            or keys in known.values.meanings or keys in known.kinds.meanings
            or keys in known.attributes.meanings or keys[0] in known.partial
        ):  # fmt: skip
            known.models[keys[0]] = name


def title_words(title: str) -> frozenset[str]:
    """Return the words of a title in the form for comparing."""
    return frozenset(token.key for token in tokenise(title))
