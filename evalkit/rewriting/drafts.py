"""Drafts of rewrites: phrases that describe some of the products that a query asks for.

Each draft knows which products it describes. Choosing rewrites is then covering: every next one
is the draft that describes most products which no earlier one does, so that five rewrites speak
of five sorts of product rather than five times of the commonest.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from evalkit.rewriting.query_words import kind_names
from evalkit.rewriting.selection import is_absent
from evalkit.rewriting.wording import CONNECTORS, bag, contains, fold, is_near, join, split, stems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from evalkit.constraints import TypedQuery
    from evalkit.knowledge.graph import Graph
    from evalkit.rewriting.rewriter import Method
    from evalkit.rewriting.selection import Selection
    from evalkit.rewriting.titles import TitleLanguage

__all__ = ["Draft", "Sources", "choose", "rest", "value_words"]

# Attributes whose values speak for themselves: "cotton jacket", but "detachable hood jacket".
_PLAIN = re.compile(
    r"(^|_)(material|colou?r|type|style|filling|scent|flavou?r|texture|format|technology|"
    r"animal|motif|mode|weather|warmth|finish|shape|filters|pattern|form_factor|waterproof|spf)(_|$)"
)
# Parts, whose material is not that of the product: "silk lining jacket".
_PART = re.compile(
    r"(^|_)(lining|sole|heel|toe|handle|hood|frame|legs|lid|motor|blade|edge|plates|barrel|upper|"
    r"back|drive|microphone|subwoofer|preamp|grinder|battery|screen|display|port|storage|memory|"
    r"processor|strap|coating)(_|$)"
)
_SORT = re.compile(r"(?!product|device|connector)([a-z]+)_type$")
_FREE = re.compile(r"free (from|of)$")
# What nobody searches by unless asked.
_NEVER = re.compile(r"(^|_)(care|assembly|allergens|warranty|delivery|country|runtime|dries)(_|$)")
_LATE = re.compile(
    r"(^|_)(colou?r|size|width|height|depth|length|weight|diameter|volume|capacity|pieces|cups|age)"
    r"(_|$)"
)
_VAGUE_WORDS = """
    open active single light rich built in separate fixed all other standard normal regular full
    partly internal external detachable removable adjustable included integrated optional
    medium automatic manual digital dual double high low large small wide quiet strong soft hard
    long short
"""
_VAGUE = frozenset(_VAGUE_WORDS.split())
_LATE_WEIGHT = 0.2
_UNIT = re.compile(r"^[\d.,]+ ?[^\W\d]+", re.UNICODE)


@dataclass(frozen=True)
class Draft:
    """A possible rewrite.

    Attributes:
        text: its words.
        products: the numbers of products that it describes.
        method: how it came about.
        weight: how good its words are, about 1.
    """

    text: str
    products: frozenset[int]
    method: Method
    weight: float = 1.0


@dataclass(frozen=True)
class Sources:
    """What drafts are made from.

    Attributes:
        graph: kinds, attributes, values, brands.
        titles: the language of the titles.
        selection: finds products.
        late_values: sizes and colours of kinds that have been looked at.
    """

    graph: Graph
    titles: TitleLanguage
    selection: Selection
    late_values: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def called(self, kind: str) -> str:
        """Return what titles call a kind: its name, which a catalogue may write in the plural."""
        return fold(kind)

    def names_kind(self, text: str, kind: str) -> bool:
        """Tell whether a text says what kind of product it is about."""
        if set(stems(text)) & self.titles.heads(kind):
            return True
        return any(contains(text, name) for name in self.graph.words.synonyms(kind))

    def from_titles(
        self,
        kind: str,
        numbers: NDArray[np.int64],
        lead: Sequence[str],
        method: Method,
        least: int = 2,
    ) -> list[Draft]:
        """Make drafts from what the titles of products have in common.

        Args:
            kind: their kind; named at the end of a phrase that does not name it.
            numbers: the products.
            lead: words that every draft must say.
            method: of the drafts.
            least: brands that must say a phrase.
        """
        found = []
        late = self._late_values(kind)
        names = [bag(name) for name in kind_names(self.graph, kind)]
        for phrase in self.titles.phrases(numbers, self.titles.heads(kind), least):
            digits = sum(any(letter.isdigit() for letter in word) for word in phrase.words)
            named = self.names_kind(phrase.text, kind)
            said = bag(phrase.text)
            if not said or (digits and not named) or any(said <= name for name in names):
                continue
            text = self.phrase([*self._unsaid(lead, phrase.text), phrase.text], kind)
            weight = (1.0 if named else 0.6) * (0.7 if digits else 1.0)
            if phrase.text in late:
                if method not in ("lexical", "paraphrase"):
                    continue
                weight *= _LATE_WEIGHT
            weight *= 1.0 if len(text.split()) > 1 else 0.6
            found.append(Draft(text, frozenset(phrase.products), method, weight))
        return found

    def from_values(
        self,
        kind: str,
        numbers: NDArray[np.int64],
        lead: Sequence[str],
        method: Method,
        *,
        attributes: Iterable[str] | None = None,
        asked: bool = False,
        weight: float = 1.0,
    ) -> list[Draft]:
        """Make drafts from the values that products state.

        Args:
            kind: their kind.
            numbers: the products.
            lead: words that every draft must say.
            method: of the drafts.
            attributes: only these; those worth asking for otherwise.
            asked: the query is about these attributes.
            weight: of the drafts. Sizes and colours that nobody asked for make none, and for
                general queries lighter ones.
        """
        graph = self.graph
        found = []
        for name in graph.attributes(kind) if attributes is None else attributes:
            attribute = graph.catalogue.attributes.get(name)
            if attribute is None or _NEVER.search(name):
                continue
            late = _LATE_WEIGHT if not asked and _LATE.search(name) else 1.0
            if late < 1.0 and method not in ("lexical", "paraphrase"):
                continue
            size = max(len(graph.catalogue.of_kind(kind)), 1)
            shares = graph.values(kind, name)
            for value in self.selection.values(numbers, attribute):
                words = value_words(name, value)
                if not words:
                    continue
                # what nearly all of the kind are says little
                late_here = late * max(0.05, 1.0 - shares.get(value, 0) / size) ** 0.5
                products = np.intersect1d(attribute.positions(value), numbers)
                text = self.phrase([*self._unsaid(lead, words), words], kind)
                found.append(Draft(text, frozenset(products.tolist()), method, weight * late_here))
        return found

    def _late_values(self, kind: str) -> frozenset[str]:
        """Return the sizes and colours of a kind: any product has one, and few are asked for."""
        found = self.late_values.get(kind)
        if found is None:
            found = self.late_values[kind] = frozenset(
                words
                for name in self.graph.all_attributes(kind)
                if _LATE.search(name)
                for value in self.graph.values(kind, name)
                if (words := value_words(name, value))
            )
        return found

    def phrase(self, parts: Sequence[str], kind: str) -> str:
        """Join words to a phrase that names the kind, at its end or before its `with`."""
        words = join(parts)
        name = self.called(kind)
        if self.names_kind(words, kind):
            return words
        return join([words, name]) if words else name

    def _unsaid(self, lead: Sequence[str], text: str) -> list[str]:
        """Leave out what a text says already, also by a narrower word."""
        return [word for word in lead if not self.graph.words.says(text, word)]


def value_words(attribute: str, value: str) -> str:
    """Return how a title would state a value, or "" where it would not.

    Example:
        >>> value_words("material", "cowhide leather"), value_words("hood", "detachable")
        ('cowhide leather', 'detachable hood')
        >>> value_words("leakproof", "yes"), value_words("hood", "none"), value_words("cups", "4")
        ('leakproof', '', '')
        >>> value_words("skin_type", "dry"), value_words("free_from", "fragrance")
        ('dry skin', 'fragrance-free')
    """
    name = fold(attribute.replace("_", " "))
    if is_absent(value):
        return ""
    if value in ("yes", "y", "true"):
        return name if len(name.split()) <= 3 else ""
    if _FREE.match(name):
        return f"{' '.join(split(value))}-free" if len(split(value)) <= 2 else ""
    plain = fold(re.split(r"[,;(]", value)[0]).strip()
    words = split(plain)
    numbers = sum(word.replace(".", "").replace("/", "").isdigit() for word in words)
    if (
        numbers > 1
        or numbers == len(words)
        or any(len(word) == 1 and word.isalpha() for word in words[:1])
    ):
        return ""  # "100 - 240", "16:9", a size of one letter
    if not words or words[0] in CONNECTORS or len(words) > 4 or plain.replace(".", "").isdigit():
        return ""
    sort = _SORT.match(attribute)
    if sort is not None and len(words) <= 2:
        return join([" ".join(words), fold(sort[1].replace("_", " "))])  # dry skin
    if _UNIT.match(plain) or _PLAIN.search(attribute):
        return " ".join(words)
    if set(words) <= _VAGUE or _PART.search(attribute):
        return join([" ".join(words), name]) if len(name.split()) <= 2 else ""
    return " ".join(words)


def choose(
    drafts: Iterable[Draft],
    n: int,
    *,
    query: TypedQuery,
    allowed: Callable[[str, Sequence[str]], bool],
    seed: int,
    earlier: Sequence[Draft] = (),
) -> list[Draft]:
    """Choose up to n drafts that describe many products and differ from each other.

    Args:
        drafts: in any order.
        n: how many, with those of `earlier`.
        query: whose id and the seed decide between equals.
        allowed: tells whether a text may follow earlier ones.
        seed: see `query`.
        earlier: already chosen; they stand first in what is returned.
    """
    chosen = list(earlier)
    covered: set[int] = set().union(*(draft.products for draft in chosen))
    salt = f"{seed}:{query.query_id}:"
    pool: dict[frozenset[str], Draft] = {}
    for draft in drafts:
        key = bag(draft.text)
        known = pool.get(key)
        if known is None or (draft.weight, draft.text) > (known.weight, known.text):
            pool[key] = draft
    waiting = sorted(
        pool.values(), key=lambda draft: hashlib.sha256((salt + draft.text).encode()).digest()
    )
    while waiting and len(chosen) < n:
        gains = [
            draft.weight
            * (len(draft.products - covered) + 0.2 * len(draft.products & covered)) ** 0.5
            for draft in waiting
        ]
        best = int(np.argmax(gains))
        draft = waiting.pop(best)
        if allowed(draft.text, [each.text for each in chosen]):
            chosen.append(draft)
            covered |= draft.products
    return chosen


def rest(chosen: Sequence[Draft], drafts: Iterable[Draft]) -> list[Draft]:
    """Return the drafts that are not nearly the same as a chosen one."""
    taken = [bag(draft.text) for draft in chosen]
    return [
        draft for draft in drafts if not any(is_near(bag(draft.text), known) for known in taken)
    ]
