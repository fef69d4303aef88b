"""What a query asks for in the catalogue's words: kinds, words to keep, products that fit."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from evalkit.rewriting.drafts import Sources, value_words
from evalkit.rewriting.nearest import FILLER, Nearest
from evalkit.rewriting.query_words import excluded_words, kind_names, reference_words
from evalkit.rewriting.selection import Selection, is_absent
from evalkit.rewriting.titles import UNIT, TitleLanguage
from evalkit.rewriting.wording import CONNECTORS, fold, split, stems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints import Condition, TypedQuery
    from evalkit.knowledge import Catalogue
    from evalkit.knowledge.graph import Graph

__all__ = ["Asked", "Reader", "open_reader", "required_words"]

_MOST_KINDS = 3
_UNIT = re.compile(r"\b(\d+)([a-z]{1,4})\b")  # 28cm
# Words that say how something is wanted, and not what.
_CUE_WORDS = """
         no not non without free minus except excluding excl avoid lacks lack lacking neither
    nor     never other than anything else but only cheap cheaper cheapest affordable budget
    alternative     dupe lookalike knock off similar like instead under below max maximum less
    price priced poor     man mans clone version expensive look looks one new ok i im allergic
    allergy any must want     wants need needs big small large fancy nice great dont doesnt isnt
    cant please half third over much money dollars euros bucks     usd eur made contain contains
    containing zero anti plus way still also real
"""
_CUES = frozenset(_CUE_WORDS.split())


@dataclass(frozen=True)
class Asked:
    """A query in the catalogue's words.

    Attributes:
        query: what was asked.
        kinds: kinds of the catalogue, at most three, likeliest first.
        lead: words that every rewrite says, unless a narrower word says them.
        products: those that fit, by kind; an exclusion is known to hold.
        barred: those of the kind that have what is excluded, by kind.
    """

    query: TypedQuery
    kinds: tuple[str, ...]
    lead: tuple[str, ...]
    products: dict[str, NDArray[np.int64]]
    barred: dict[str, NDArray[np.int64]]


def open_reader(catalogue: Catalogue, graph: Graph) -> Reader:
    """Return a reader of queries against this catalogue and its titles."""
    return Reader(Sources(graph, TitleLanguage(catalogue), Selection(catalogue, graph.words)))


class Reader:
    """Reads queries against a catalogue."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._stated: dict[str, frozenset[str]] = {}
        self._vocabularies: dict[str, Counter[str]] = {}

    @cached_property
    def nearest(self) -> Nearest:
        """The index of words, built when the first query needs it."""
        return Nearest(self.sources.graph.catalogue)

    def read(self, query: TypedQuery) -> Asked:
        """Find the kinds, the words to keep and the products of a query."""
        kinds = self.kinds(query)
        products, barred = {}, {}
        for kind in kinds:
            products[kind] = self.fitting(query, kind)
            barred[kind] = np.setdiff1d(
                self.sources.graph.catalogue.of_kind(kind),
                self._without_excluded(query, kind, known=False),
            )
        lead = self._lead(query, kinds)
        return Asked(query, kinds, lead, products, barred)

    def kinds(self, query: TypedQuery) -> tuple[str, ...]:
        """Return the kinds that a query names, or else those of the products nearest to it."""
        graph = self.sources.graph
        named: dict[str, None] = {}
        for word in query.structure.kinds:
            found = (word,) if word in graph.catalogue.kinds else graph.kinds_named(word)
            named.update(dict.fromkeys(found))
        if named:
            sizes = {kind: len(self.fitting(query, kind)) for kind in named}
            order = sorted(named, key=lambda kind: -min(sizes[kind], 1))
            return tuple(order[:_MOST_KINDS])
        return self.kinds_near(query)

    def kinds_near(self, query: TypedQuery) -> tuple[str, ...]:
        """Return the kinds of the products whose words are nearest, the likeliest first."""
        catalogue = self.sources.graph.catalogue
        text = query.query
        numbers = self.nearest.products(text)
        scores = self.nearest.score(text)
        weight: dict[str, float] = {}
        for number in numbers.tolist():
            if catalogue.kind[number] >= 0:
                kind = catalogue.kinds[catalogue.kind[number]]
                weight[kind] = weight.get(kind, 0.0) + float(scores[number])
        best = sorted(weight, key=lambda kind: (-weight[kind], kind))
        return tuple(kind for kind in best if weight[kind] >= 0.5 * weight[best[0]])[:_MOST_KINDS]

    def name_of(self, kinds: Sequence[str]) -> Callable[[str], bool]:
        """Return what tells names: words of one brand only, in all of the catalogue or in kinds."""
        titles = self.sources.titles
        stated = frozenset().union(*(self._value_words(kind) for kind in kinds))

        def is_name(word: str) -> bool:
            if titles.is_name(word):
                return True
            return not titles.is_shared(word, kinds) and not set(stems(word)) <= stated

        return is_name

    def vocabulary(self, kind: str) -> Counter[str]:
        """Count the word stems of a kind's titles and values, one a product that says it."""
        found = self._vocabularies.get(kind)
        if found is None:
            graph = self.sources.graph
            found = Counter()
            for number in graph.catalogue.of_kind(kind).tolist():
                found.update(set(stems(graph.catalogue.titles[number])))
            for name in graph.all_attributes(kind):
                for value, count in graph.values(kind, name).items():
                    for word in set(stems(value)):
                        found[word] += count
            self._vocabularies[kind] = found
        return found

    def _value_words(self, kind: str) -> frozenset[str]:
        found = self._stated.get(kind)
        if found is None:
            graph = self.sources.graph
            values = (
                value for name in graph.attributes(kind) for value in graph.values(kind, name)
            )
            found = frozenset(part for value in values for part in stems(value))
            self._stated[kind] = found
        return found

    def fitting(self, query: TypedQuery, kind: str) -> NDArray[np.int64]:
        """Return the products of a kind that fit; wishes that none fulfils are dropped one by one.

        Wishes whose attribute is unknown are dropped first, then the last one: queries name what
        matters most first.
        """
        selection, structure = self.sources.selection, query.structure
        inside = self._without_excluded(query, kind, known=True)
        wishes = list(structure.required)
        while True:
            kept = inside
            for condition in wishes:
                kept = np.intersect1d(kept, np.flatnonzero(selection.having(condition)))
            if len(kept) or not wishes:
                return kept
            wishes.pop(next((-n for n, it in enumerate(wishes[::-1], 1) if not it.attribute), -1))

    def _without_excluded(self, query: TypedQuery, kind: str, *, known: bool) -> NDArray[np.int64]:
        bare = replace(query.structure, required=(), price_max=None, price_min=None)
        found = self.sources.selection.matching(bare, (kind,), known=known)
        if known and not len(found):
            return self.sources.selection.matching(bare, (kind,), known=False)
        return found

    def _lead(self, query: TypedQuery, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """Return the single wished values, and words of the query that the kind's titles use."""
        words = self.sources.graph.words
        wished: list[str] = []
        vague = query.structure.query_type == "knowledge"
        for condition in query.structure.required:
            if condition.attribute is None:
                text = "" if vague else self._usual(condition, query, kinds)
            elif not condition.values and not self._differs(condition.attribute, kinds):
                continue
            else:
                text = required_words(condition) or _measured(condition, query.query)
            if text and not any(words.says(known, text) for known in wished):
                wished.append(text)
        kept = [] if query.structure.query_type == "knowledge" else self._kept(query, kinds)
        said = {part for text in wished for part in stems(text)}
        free = [word for word in kept if not set(stems(word)) <= said]
        return (*free, *wished)

    def _differs(self, attribute: str, kinds: tuple[str, ...]) -> bool:
        """Tell whether some products have a thing and others do not: every dress has a colour."""
        graph = self.sources.graph
        if attribute not in graph.catalogue.attributes:
            return True
        values = [value for kind in kinds for value in graph.values(kind, attribute)]
        return any(value in ("yes", "no") or is_absent(value) for value in values)

    def _usual(self, condition: Condition, query: TypedQuery, kinds: tuple[str, ...]) -> str:
        """Return the words of a wish without an attribute that the kinds' titles or values use."""
        names = {
            part
            for kind in (*query.structure.kinds, *kinds)
            for name in kind_names(self.sources.graph, kind)
            for part in stems(name)
        }
        known = [self.vocabulary(kind) for kind in kinds]
        tokens = split(_opened(" ".join(condition.values[:1])))
        wanted = [
            token
            for token in tokens
            if token not in _CUES
            and token not in FILLER
            and not self.sources.titles.is_name(token)
            and not set(stems(token)) <= names
        ]
        if all(any(all(words[part] for part in stems(it)) for words in known) for it in wanted):
            return " ".join(wanted)
        return ""  # half of "machine washable" means something else

    def _kept(self, query: TypedQuery, kinds: tuple[str, ...]) -> list[str]:
        graph, titles = self.sources.graph, self.sources.titles
        structure = query.structure
        priced = any(
            limit is not None
            for limit in (structure.price_max, structure.price_min, structure.price_share)
        )
        taken: set[str] = set()
        for kind in (*structure.kinds, *kinds):
            for name in kind_names(graph, kind):
                taken.update(stems(name))
        for word in excluded_words(query):
            for name in graph.words.names(word):
                taken.update(stems(name))
        for condition in (*structure.excluded, *structure.required):
            if condition.attribute:
                taken.update(stems(condition.attribute.replace("_", " ")))
            for value in condition.values:
                taken.update(stems(value))
        for name in reference_words(query, titles.is_name):
            taken.update(stems(name))
        if structure.reference is not None:
            taken.update(stems(structure.reference.text))
        vocabularies = [self.vocabulary(kind) for kind in kinds]
        kept: list[str] = []
        before = ""
        for token in split(_opened(query.query)):
            parts = stems(token)
            negated, last, before = before == "non", before, token
            if UNIT.fullmatch(token) and kept[-1:] != [last]:
                continue  # of a number that no title says
            if (
                not parts
                or negated
                or token in CONNECTORS
                or token.replace("'", "") in _CUES
                or token in FILLER
                or set(parts) & taken
                or (priced and token.replace(".", "").isdigit())
                or titles.is_name(token)
            ):
                continue
            if any(all(known[part] >= 2 for part in parts) for known in vocabularies):
                kept.append(token)
        return list(dict.fromkeys(kept))


def _measured(condition: Condition, query: str) -> str:
    """Return a wished number with the unit that the query gives it, or ``.

    Example:
        >>> from evalkit.constraints import Condition
        >>> _measured(Condition("length", ("3.05",)), "3.05m power cord")
        '3.05 m'
    """
    if len(condition.values) != 1:
        return ""
    found = re.search(rf"(?<![\w.]){re.escape(condition.values[0])} ?([a-z]+)\b", query.lower())
    return f"{condition.values[0]} {found[1]}" if found is not None else ""


def _opened(text: str) -> str:
    """Write `28cm` as `28 cm` and `non stick` as `non-stick`.

    Example:
        >>> _opened("28cm non stick pan")
        '28 cm non-stick pan'
    """
    return re.sub(r"\bnon (?=\w)", "non-", _UNIT.sub(r"\1 \2", text), flags=re.IGNORECASE)


def required_words(condition: Condition) -> str:
    """Return the words of a wish with one value; "" where there are several, or it wants a lack.

    Example:
        >>> from evalkit.constraints import Condition
        >>> [required_words(Condition(*it)) for it in (("hammer", ("yes",)), ("hue", ("red",)))]
        ['hammer', 'red']
    """
    name = fold((condition.attribute or "").replace("_", " "))
    if not condition.values:
        return name
    if len(condition.values) > 1 or is_absent(condition.values[0]):
        return ""
    value = condition.values[0]
    if value in ("yes", "true"):
        return name
    words = value_words(condition.attribute or "", value)
    return words or ("" if value.replace(".", "").isdigit() else " ".join(split(value)))
