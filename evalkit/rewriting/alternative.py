"""Something like a named product, without its name: its kind, its features, cheaper brands.

Retrievers do not read prices, so no price is put into a rewrite: what is cheaper is said by the
names of cheaper brands and by what the affordable products are called; the limit itself is the
constraint checker's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evalkit.rewriting.drafts import Draft, choose, value_words
from evalkit.rewriting.query_words import reference_words
from evalkit.rewriting.wording import bag, fold, join, split, stems

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evalkit.constraints import TypedQuery
    from evalkit.rewriting.asking import Asked, Reader

__all__ = ["find_reference", "rewrite_alternative"]

Allowed = Callable[[str, Sequence[str]], bool]
_LONGEST = 6


def rewrite_alternative(
    asked: Asked, n: int, reader: Reader, allowed: Allowed, seed: int
) -> list[Draft]:
    """Return up to n drafts: what the reference is, cheaper brands, what those are called."""
    sources, query = reader.sources, asked.query
    catalogue = sources.graph.catalogue
    references = find_reference(query, reader)
    kinds = query.structure.kinds and asked.kinds
    if not kinds:
        stated = [int(kind) for kind in catalogue.kind[references] if kind >= 0]
        kinds = (catalogue.kinds[int(np.argmax(np.bincount(stated)))],) if stated else asked.kinds
    chosen: list[Draft] = []
    drafts: list[Draft] = []
    for kind in kinds:
        models = references[catalogue.kind[references] == catalogue.kinds.index(kind)]
        inside = _affordable(query, reader, kind, references)
        inside = np.intersect1d(inside, reader.fitting(query, kind)) if len(inside) else inside
        banned = reference_words(query, reader.name_of((kind,)))
        cores = _cores(reader, kind, models, asked.lead, banned)
        lead = asked.lead
        drafts += [Draft(text, frozenset(inside.tolist()), "cheaper", 1.5) for text in cores]
        for brand, nearest in _brands(reader, kind, inside, models)[: max(2, n // 2)]:
            theirs = [n for n in inside.tolist() if catalogue.brands[n] == brand]
            own = _called(reader, kind, nearest, lead)
            text = join([" ".join(split(brand)), own])
            drafts.append(Draft(text, frozenset(theirs), "cheaper", 1.6))
        like = _features(reader, kind, models)
        for draft in sources.from_titles(kind, inside, lead, "cheaper"):
            near = len(bag(draft.text) & like) / max(len(bag(draft.text)), 1)
            drafts.append(replace(draft, weight=draft.weight * (0.4 + near)))
        for attribute in sources.graph.attributes(kind):
            words = [set(stems(text)) for text in _stated(reader, attribute, models)]
            for draft in sources.from_values(
                kind, inside, lead, "cheaper", attributes=[attribute], weight=0.5
            ):
                shared = any(each <= set(stems(draft.text)) for each in words)
                drafts.append(replace(draft, weight=draft.weight * (1.4 if shared else 0.3)))
        if cores and not chosen and allowed(cores[0], []):
            chosen = [Draft(cores[0], frozenset(), "cheaper")]
    return choose(drafts, n, query=query, allowed=allowed, seed=seed, earlier=chosen)


def find_reference(query: TypedQuery, reader: Reader) -> NDArray[np.int64]:
    """Return the products that a query names: by id, by brand and words, or all of the brand.

    Of products of the brand those whose titles share most of the reference's other words.
    """
    reference = query.structure.reference
    catalogue = reader.sources.graph.catalogue
    none = np.zeros(0, dtype=np.int64)
    if reference is None:
        return none
    if reference.product_id is not None:
        number = int(catalogue.numbers_of([reference.product_id])[0])
        if number >= 0:
            return np.array([number], dtype=np.int64)
    brands = reader.sources.graph.brands
    brand = (reference.brand or "").lower()
    pool = np.arange(len(catalogue), dtype=np.int64)
    if brand in brands:
        pool = np.flatnonzero(reader.sources.graph.brand == brands.index(brand))
    words = set(stems(reference.text)) - set(stems(brand))
    if not words:
        return pool if brand in brands else none
    shared = reader.sources.selection.sharing(sorted(words))[pool]
    if not len(shared) or shared.max() < (1 if brand in brands else max(1, len(words) - 1)):
        return pool if brand in brands else none
    return np.asarray(pool[shared == shared.max()], dtype=np.int64)


def _affordable(
    query: TypedQuery, reader: Reader, kind: str, references: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return products of the kind by other brands within the limit; the cheaper half if none is."""
    catalogue, structure = reader.sources.graph.catalogue, query.structure
    numbers = catalogue.of_kind(kind)
    named = {catalogue.brands[number] for number in references.tolist()}
    if structure.reference is not None and structure.reference.brand:
        named.add(structure.reference.brand)
    named = {fold(name) for name in named if name}
    others = [fold(catalogue.brands[number]) not in named for number in numbers.tolist()]
    numbers = numbers[np.array(others, dtype=bool)] if len(numbers) else numbers
    prices = catalogue.prices[numbers]
    limits = []
    if structure.price_max is not None:
        limits.append(structure.price_max)
    models = references[catalogue.kind[references] == catalogue.kinds.index(kind)]
    reference = catalogue.prices[models] if len(models) else np.zeros(0)
    if np.isfinite(reference).any():
        share = structure.price_share if structure.price_share is not None else 1.0
        limits.append(float(np.nanmedian(reference)) * share)
    if limits:
        kept = numbers[prices <= min(limits)]
        if len(kept):
            return kept
    if np.isfinite(prices).any():
        return numbers[prices <= np.nanmedian(prices)]
    return numbers


def _cores(
    reader: Reader,
    kind: str,
    models: NDArray[np.int64],
    lead: Sequence[str],
    banned: Sequence[str],
) -> list[str]:
    """Return what the titles of the reference say besides its name, the commonest first."""
    sources = reader.sources
    found: dict[str, int] = {}
    names = {part for name in banned for part in split(name)}
    is_name = reader.name_of((kind,))
    for number in models.tolist()[:50]:
        for words in sources.titles.segments(number):
            kept = " ".join(
                word for word in words if word not in names and (" " in word or not is_name(word))
            )
            if sources.names_kind(kept, kind) and len(kept.split()) > 1:
                text = sources.phrase([*lead, kept], kind)
                found[text] = found.get(text, 0) + 1
    ordered = sorted(found, key=lambda text: (-found[text], text))
    base = sources.phrase(lead, kind)
    return [*ordered[:3], base] if len(base.split()) > 1 else ordered[:3]


def _called(reader: Reader, kind: str, number: int, lead: Sequence[str]) -> str:
    """Return what the title of a product says that it is, with the wished words."""
    sources = reader.sources
    for words in sources.titles.segments(number):
        text = " ".join(words)
        if sources.names_kind(text, kind) and len(words) <= _LONGEST:
            return sources.phrase([*lead, text], kind)
    return sources.phrase(lead, kind)


def _brands(
    reader: Reader, kind: str, inside: NDArray[np.int64], models: NDArray[np.int64]
) -> list[tuple[str, int]]:
    """Return cheap brands, each with its product that has most of the reference's features.

    Brands with the best such product come first.
    """
    graph = reader.sources.graph
    catalogue = graph.catalogue
    like = _features(reader, kind, models)
    prices = catalogue.prices[inside]
    limit = float(np.nanmax(prices)) if np.isfinite(prices).any() else None
    points: dict[str, list[tuple[float, int]]] = {}
    for number in inside.tolist():
        brand = catalogue.brands[number]
        if brand:
            words = bag(" ".join(" ".join(part) for part in reader.sources.titles.segments(number)))
            points.setdefault(brand, []).append((len(words & like) / max(len(words), 1), -number))
    for brand in list(points):
        usual = graph.brand_median(brand, kind)
        if limit is not None and usual is not None and usual > limit:
            del points[brand]  # one cheap model makes no cheap brand
    best = {brand: max(found) for brand, found in points.items()}
    order = sorted(best, key=lambda brand: (-best[brand][0], -len(points[brand]), brand))
    return [(brand, -best[brand][1]) for brand in order]


def _features(reader: Reader, kind: str, models: NDArray[np.int64]) -> frozenset[str]:
    """Return the words of the reference's titles and values, names left out."""
    words: set[str] = set(bag(kind))
    for number in models.tolist()[:50]:
        for part in reader.sources.titles.segments(number):
            words |= bag(" ".join(part))
    for attribute in reader.sources.graph.attributes(kind):
        for text in _stated(reader, attribute, models):
            words |= bag(text)
    return frozenset(words)


def _stated(reader: Reader, attribute: str, models: NDArray[np.int64]) -> list[str]:
    sources = reader.sources
    values = sources.selection.values(models, sources.graph.catalogue.attributes[attribute])
    return [words for value in values if (words := value_words(attribute, value))]
