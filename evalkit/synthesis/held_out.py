"""Which queries must not be trained on, because an evaluation asks the same.

Queries of an evaluation are written by people and read by rules; those of the training data are
made with their structure. Both are brought to one form before they are compared: a kind and a
value by what the catalogue's words mean, whatever the attribute; a need by its name in the
catalogue's graph; a reference by its product, and by its brand within the kind. That is the kind
which the query names, or else the product's: who looks for something cheaper than a sofa of a
brand does not keep its lamps out of training. A brand without any kind is held out in every kind.
Since rules misread, a query that says nearly the same words is held out too, whatever was
understood.

When in doubt a query is held out: that costs a few pairs, and a leak costs the evaluation.
"""

from __future__ import annotations

import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING

from evalkit.constraints.families import split_families
from evalkit.constraints.parsing_words import stop_words
from evalkit.knowledge import stem
from evalkit.knowledge.catalogue import normalise
from evalkit.synthesis.duplicates import repeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalkit.constraints import Condition, Reference, TypedQuery
    from evalkit.knowledge import Catalogue, Graph

__all__ = ["GUARD", "SIMILARITY", "HeldOut"]

GUARD = 2  # raised when another query may be held out, for manifests
SIMILARITY = 0.8  # Jaccard similarity of words from which on two queries are one
_NEED = "need|"
_ANY = "*"


class HeldOut:
    """What the queries of an evaluation ask for.

    Args:
        queries: of the evaluation.
        catalogue: which both sides are about.
        graph: of the catalogue.
    """

    def __init__(self, queries: Sequence[TypedQuery], catalogue: Catalogue, graph: Graph) -> None:
        self._texts = [query.query for query in queries]
        self._same = {_plain(text) for text in self._texts}
        self._reader = _Reader(catalogue, graph)
        self._names: set[str] = set()
        self._uses: set[str] = set()
        self._brands: set[tuple[str, str]] = set()
        self._values: dict[tuple[str, str], dict[str, None]] = {}
        self._asked: dict[str, set[int]] = {}
        for number, query in enumerate(queries):
            self._names |= self._reader.names(query)
            self._uses |= self._reader.uses(query)
            for kind, brand in self._reader.brands(query):
                self._brands |= {(kind, brand), (_ANY, brand)}
            for word in _content(query.query):
                self._asked.setdefault(word, set()).add(number)
            for group, kind, value in self._reader.values(query):
                for place in {kind, _ANY}:
                    self._values.setdefault((group, place), {})[value] = None

    def reasons(self, queries: Sequence[TypedQuery]) -> list[str]:
        """Say of each query why it is held out; empty where it is not."""
        found = repeated([query.query for query in queries], self._texts, SIMILARITY)
        return [
            "the query is held out"
            if _plain(query.query) in self._same
            else "nearly the same query is held out"
            if near >= 0
            else "the family is held out"
            if self.shares_family(query)
            else ""
            for query, near in zip(queries, found.tolist(), strict=True)
        ]

    def shares_family(self, query: TypedQuery) -> bool:
        """Tell whether a query is about the same as one that is held out, whatever its words."""
        return (
            bool((self._names | self._uses) & self._reader.names(query))
            or bool(self._names & self._reader.uses(query))
            or any(
                (kind or _ANY, brand) in self._brands or ("", brand) in self._brands
                for kind, brand in self._reader.brands(query)
            )
            or self._says_need(query.structure.need or "")
            or any(
                self._reader.alike(value, other)
                for group, kind, value in self._reader.values(query)
                for other in self._near(group, kind)
            )
        )

    def _says_need(self, need: str) -> bool:
        """Tell whether a query that is held out has all words of a need, if there are several."""
        words = [self._asked.get(word, set()) for word in _content(need)]
        return len(words) > 1 and bool(set.intersection(*words))

    def _near(self, group: str, kind: str) -> Iterable[str]:
        """Values that are held out for a kind; who excludes without a kind excludes in all."""
        if group == "not" and not kind:
            return self._values.get((group, _ANY), {})
        everywhere = self._values.get((group, ""), {}) if group == "not" else {}
        return {**self._values.get((group, kind), {}), **everywhere}


class _Reader:
    """Says in one form what a query is about, whoever wrote its structure."""

    def __init__(self, catalogue: Catalogue, graph: Graph) -> None:
        self.catalogue = catalogue
        self.graph = graph
        self._kinds: dict[str, tuple[str, ...]] = {}

    def names(self, query: TypedQuery) -> set[str]:
        """Return the needs, and the product or the unknown thing that a query refers to."""
        structure = query.structure
        found = {_NEED + stem(name) for name in self._needs(query)}
        if structure.reference is not None:
            found |= self._referred(structure.reference)
        return found

    def uses(self, query: TypedQuery) -> set[str]:
        """Return what may be a need: "trousers for cycling" states a use, to who reads by rules.

        Two queries that want one value of different kinds tell no need with it.
        """
        structure = query.structure
        if structure.reference is not None or structure.excluded or structure.need is not None:
            return set()
        return {_NEED + stem(value) for each in structure.required for value in _said(each)}

    def brands(self, query: TypedQuery) -> set[tuple[str, str]]:
        """Return the brand that a query refers to, with each kind that it is about; "" is none."""
        reference = query.structure.reference
        if reference is None:
            return set()
        named = {name for kind in query.structure.kinds for name in self._named(kind)}
        place = self._place(reference)
        if not named and place >= 0 and self.catalogue.kind[place] >= 0:
            named = set(self._named(self.catalogue.kinds[self.catalogue.kind[place]]))
        return {(kind, brand) for kind in named or {""} for brand in self._brands_of(reference)}

    def values(self, query: TypedQuery) -> set[tuple[str, str, str]]:
        """Return what a query excludes (`not`) and, where that is all, wants (`is`), by kind."""
        structure = query.structure
        kinds = {name for kind in structure.kinds for name in self._named(kind)} or {""}
        free = {
            denied
            for each in structure.required
            for value in _said(each)
            if (denied := _denied(value))
        }
        excluded = {value for each in structure.excluded for value in _said(each)}
        found = {("not", kind, value) for kind in kinds for value in excluded | free}
        if structure.reference is None and structure.need is None and not structure.excluded:
            wanted = {value for each in structure.required for value in _said(each)} or {""}
            found |= {("is", kind, value) for kind in kinds for value in wanted}
        return found

    def alike(self, value: str, other: str) -> bool:
        """Tell whether one of two values says the other."""
        return (
            stem(value) == stem(other)
            or self.graph.says(value, other)
            or self.graph.says(other, value)
        )

    def _named(self, kind: str) -> tuple[str, ...]:
        if kind not in self._kinds:
            self._kinds[kind] = self.graph.kinds_named(kind) or (stem(kind),)
        return self._kinds[kind]

    def _needs(self, query: TypedQuery) -> set[str]:
        """Name a need as the table states it, as it was put, and as the catalogue calls it."""
        need = query.structure.need or ""
        stated = [
            part.removeprefix(_NEED)
            for part in split_families(query.family)
            if part.startswith(_NEED)
        ]
        found = {*stated, *([need] if need else [])}
        asked, put = _content(query.query), _content(need)
        named = {
            name
            for name, words in self._phrases
            if words <= asked or (len(put) > 1 and put <= words)
        }
        if need and not named and not stated:
            wanted = {(each.attribute, each.values) for each in query.structure.required}
            kinds = {name for kind in query.structure.kinds for name in self._named(kind)}
            named = {
                each.name
                for each in self.graph.needs
                if any(
                    answer.kind in kinds and (answer.attribute, answer.values) in wanted
                    for answer in each.answers
                )
            }
        return found | named

    def _referred(self, reference: Reference) -> set[str]:
        if reference.product_id:
            return {f"reference|product|{reference.product_id}"}
        return set() if self._brands_of(reference) else {f"reference|text|{stem(reference.text)}"}

    def _place(self, reference: Reference) -> int:
        """The number of the product that is referred to, or -1."""
        return self._numbers.get(reference.product_id or "", -1)

    def _brands_of(self, reference: Reference) -> set[str]:
        """The brand that is referred to; more than one where only the words tell."""
        place = self._place(reference)
        brand = reference.brand or (self.catalogue.brands[place] if place >= 0 else "")
        if brand:
            return {stem(brand)}
        text = f"{stem(reference.text)} "
        return {stem(each) for each in self._brands if text.startswith(f"{stem(each)} ")}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {product: number for number, product in enumerate(self.catalogue.product_ids)}

    @cached_property
    def _phrases(self) -> list[tuple[str, frozenset[str]]]:
        """Every way to put a need, as its name and the words that matter."""
        return [
            (need.name, words)
            for need in self.graph.needs
            for phrase in need.phrases
            if (words := _content(phrase))
        ]

    @cached_property
    def _brands(self) -> tuple[str, ...]:
        return tuple(sorted({brand for brand in self.catalogue.brands if stem(brand)}))


def _said(condition: Condition) -> list[str]:
    """The values of a condition; the thing itself where there are none or they only affirm it."""
    thing = normalise((condition.attribute or "").replace("_", " "))
    values = [normalise(value.replace("_", " ")) for value in condition.values]
    return [thing if value in ("", "yes", "true") else value for value in values or [""]]


def _denied(value: str) -> str:
    """What a value denies: of "gluten free", gluten."""
    words = value.replace("-", " ").split()
    return " ".join(words[:-1]) if len(words) > 1 and words[-1] == "free" else ""


def _content(text: str) -> frozenset[str]:
    """The words of a text that matter."""
    return frozenset(word for word in stem(text).split() if word not in stop_words())


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
