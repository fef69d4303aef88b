"""The kind of a product from its title, where the catalogue does not state one.

An English title names the kind at the end of a phrase: in "Acme K200 wireless keyboard black USB
for Mac" it is the noun before the colour, before "for". Known nouns (`kinds.yaml`, `words.yaml`)
count most, then words that end the phrases of many titles, then what the other words of the title
and the attributes of the product mostly go with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.knowledge.words import read_words, stem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.knowledge.catalogue import Attribute

__all__ = ["kinds_from_titles", "kinds_of"]

# What ends the part of a title that names the product itself.
_CUT = re.compile(
    r"\b(?:for|with|without|compatible|equivalent|replaces|replacement for|by|including|incl|"
    r"suitable|featuring|designed)\b|\bw/|[.](?=\s)"
)
_SEGMENT = re.compile(r"[,;:|–—]|\s-\s|\s/\s|\)")
_BRACKETS = re.compile(r"[(\[][^)\]]*(?:[)\]]|$)")
_COUNT = re.compile(r"\b[0-9]+\s*(?:pcs|(?:pc|sheet|page|piece|roll)\(s\))")  # "1 pc(s)" is no PC
_TOKEN = re.compile(r"[^\W_]+(?:[-'’/+.&][^\W_]+)*(?:\(s\))?")
_LONGEST = 4  # words of a kind
_OFTEN = 5  # titles that a word must end to be a kind of its own
_BRANDS = 3  # brands that must use a capitalised word for it to be no name of one
_SURE = 0.6  # confidence from which a kind is believed, and teaches what goes with it
_STATED = 20  # products that must state a type for it to be believed


@dataclass(frozen=True)
class _Nouns:
    """The known nouns by their stems, with the kind that each names; and what stands behind."""

    kinds: dict[str, str]
    behind: frozenset[str]
    vague: frozenset[str]


def kinds_from_titles(
    titles: Sequence[str],
    brands: Sequence[str],
    *,
    stated: Sequence[str] | None = None,
    hints: Sequence[Sequence[str]] | None = None,
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.float64]]:
    """Return the distinct kinds (sorted), the kind of each title (-1: unknown) and a confidence.

    The confidence is 0 where the kind is unknown, about 0.65 to 0.95 for a known noun at the end
    of a phrase (more where many titles have it), 0.3 to 0.7 for a word that merely ends many
    phrases, and up to 0.7 for a kind that follows from the title's other words and the hints.

    Args:
        titles: one a product, as written.
        brands: one a product; its words are no kind.
        stated: what the product says its type is, one a product, or an empty text.
        hints: anything else that goes with a kind, as names of attributes; some a product.

    Example:
        >>> kinds, kind, _ = kinds_from_titles(
        ...     ["Acme K200 keyboard black", "Acme chargers, 2 m", "X1 42"], ["Acme"] * 3
        ... )
        >>> kinds, kind.tolist()
        (('charger', 'keyboard'), [1, 0, -1])
    """
    nouns = _nouns()
    strong: list[str] = []
    weak: list[list[str]] = []
    for title, brand in zip(titles, brands, strict=True):
        noun, ends = _read_title(title, brand, nouns)
        strong.append(noun)
        weak.append(ends)
    weak = _without_names(titles, brands, weak)
    found, sure = _settle(strong, weak)
    if stated is not None:
        _believe(found, sure, stated, nouns)
    names = tuple(sorted({kind for kind in found if kind}))
    place = {kind: number for number, kind in enumerate(names)}
    kind = np.fromiter((place.get(name, -1) for name in found), np.int64, len(found))
    confidence = np.array(sure, dtype=np.float64)
    _vote(titles, brands, hints, len(names), kind, confidence)
    return names, kind, confidence


def kinds_of(
    column: Sequence[str],
    titles: Sequence[str],
    brands: Sequence[str],
    attributes: Mapping[str, Attribute],
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.float64]]:
    """Return the distinct kinds, each product's (-1: unknown) and a confidence.

    A stated kind has confidence 1; products without one get that of their title.

    Args:
        column: the kinds that the catalogue states, or empty texts; one a product.
        titles: one a product.
        brands: one a product.
        attributes: of the catalogue, by name.
    """
    stated = np.array([bool(text) for text in column], dtype=np.bool_)
    found: tuple[str, ...] = ()
    kind, confidence = np.full(len(column), -1), np.zeros(len(column))
    if not stated.all():
        types, hints = _hints(attributes, len(titles))
        types = [text or other for text, other in zip(column, types, strict=True)]
        found, kind, confidence = kinds_from_titles(titles, brands, stated=types, hints=hints)
    # "kettle" in a title is what the column calls "kettles"
    same = {stem(text): text for text in sorted(set(column) - {""})}
    names = [same.get(stem(text), text) for text in found]
    of_title = [names[number] if number >= 0 else "" for number in kind.tolist()]
    each = [text or other for text, other in zip(column, of_title, strict=True)]
    distinct = tuple(sorted(set(each) - {""}))
    place = {text: number for number, text in enumerate(distinct)}
    numbers = np.fromiter((place.get(text, -1) for text in each), np.int64, len(each))
    return distinct, numbers, np.where(stated, 1.0, confidence)


def _hints(attributes: Mapping[str, Attribute], products: int) -> tuple[list[str], list[list[str]]]:
    """Return what each product says its type is, and the names of the attributes it states."""
    stated = [""] * products
    for name in ("type", "product_type"):
        if name in attributes:
            found = attributes[name]
            for product, value in zip(found.product.tolist(), found.value.tolist(), strict=True):
                stated[product] = found.values[value]
    hints: list[list[str]] = [[] for _ in range(products)]
    for name in sorted(attributes):
        for product in attributes[name].stated().tolist():
            hints[product].append(name)
    return stated, hints


def _read_title(title: str, brand: str, nouns: _Nouns) -> tuple[str, list[str]]:
    """Return the known kind at the end of a phrase, or "", and the words that end phrases."""
    text = _COUNT.sub(" 1 ", title.lower().replace("’", "'"))
    start = brand.lower().strip()
    if start and text.startswith(start):
        text = text[len(start) :]
    cut = _CUT.split(_BRACKETS.sub(" , ", text), maxsplit=1)
    if not cut[0].strip(" ,"):
        cut = _CUT.split(cut[-1], maxsplit=1)
    ends: list[str] = []
    # What stands behind "for" or "with" is asked only where the rest names no kind.
    for segment in _SEGMENT.split(cut[0]) + _SEGMENT.split(cut[-1])[1:]:
        noun = ""
        for run in _runs(segment):
            name, words = _end_of(run, nouns)
            if name and (not noun or name not in nouns.vague):
                noun = name
            if not name and words:
                ends.append(words)
        if noun:
            return noun, ends
    return "", ends


def _runs(text: str) -> list[list[str]]:
    """Return the words of a phrase, cut at codes and numbers."""
    runs: list[list[str]] = [[]]
    for token in _TOKEN.findall(text):
        if any(letter.isdigit() for letter in token):
            runs.append([])
        else:
            runs[-1].append(token)
    return [run for run in runs if run]


def _end_of(run: list[str], nouns: _Nouns) -> tuple[str, str]:
    """Return the kind that a run ends with, or "", and the last words that might be one."""
    end = len(run)
    vague = ""
    while end:
        for size in range(min(_LONGEST, end), 0, -1):
            kind = nouns.kinds.get(stem(" ".join(run[end - size : end])))
            if kind is not None:
                break
        if kind is not None and kind not in nouns.vague:
            return kind, ""
        vague = vague or kind or ""
        if run[end - 1] not in nouns.behind:
            break
        end -= 1
    if vague:
        return vague, ""
    # "usb cable usb type a": words that are not known stand behind; one word would say too little
    for last in range(end - 1, 1, -1):
        for size in range(min(_LONGEST, last), 1, -1):
            kind = nouns.kinds.get(stem(" ".join(run[last - size : last])))
            if kind is not None:
                return kind, ""
    if not end or len(run[end - 1]) < 3:
        return "", ""
    two = end > 1 and len(run[end - 2]) > 2 and run[end - 2] not in nouns.behind
    return "", " ".join(run[end - 2 : end] if two else run[end - 1 : end])


def _without_names(
    titles: Sequence[str], brands: Sequence[str], weak: list[list[str]]
) -> list[list[str]]:
    """Leave out the words that are names of a brand's products: capitals, and one brand only."""
    users: dict[str, set[str]] = {}
    small: dict[str, int] = {}
    total: dict[str, int] = {}
    for title, brand, ends in zip(titles, brands, weak, strict=True):
        for word in {_last(phrase) for phrase in ends}:
            users.setdefault(word, set()).add(brand.lower())
            total[word] = total.get(word, 0) + 1
            small[word] = small.get(word, 0) + (word in title)
    good = {
        word
        for word, number in total.items()
        if small[word] * 2 >= number or len(users[word]) >= _BRANDS
    }
    return [[phrase for phrase in ends if _last(phrase) in good] for ends in weak]


def _settle(strong: list[str], weak: list[list[str]]) -> tuple[list[str], list[float]]:
    """Choose a kind for each title, with its confidence, from how often each is named."""
    counts = _counted(strong)
    strong = [_merged(kind, counts) for kind in strong]
    counts = _counted(strong)
    # A word that ends phrases is a kind where many titles without a known noun have it.
    lonely = [ends if not kind else [] for kind, ends in zip(strong, weak, strict=True)]
    pairs = _counted([phrase for ends in lonely for phrase in set(ends)])
    singles = _counted([name for ends in lonely for name in {_last(phrase) for phrase in ends}])
    often_enough = max(_OFTEN, len(strong) // 2000)
    found: list[str] = []
    sure: list[float] = []
    for kind, ends in zip(strong, lonely, strict=True):
        if kind:
            found.append(kind)
            sure.append(0.65 + 0.3 * counts[kind] / (counts[kind] + 10))
            continue
        best, often = "", 0
        for phrase in ends:
            last = _last(phrase)
            name, number = last, singles[last]
            if phrase != last and pairs[phrase] >= max(_OFTEN, singles[last] / 2):
                name, number = phrase, pairs[phrase]
            if number >= often_enough and number > often:
                best, often = name, number
        found.append(best)
        sure.append(0.25 + 0.4 * often / (often + 40) if best else 0.0)
    return found, sure


def _counted(names: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        if name:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _last(phrase: str) -> str:
    return phrase.rpartition(" ")[2]


def _merged(kind: str, counts: dict[str, int]) -> str:
    """Return what a short name means in this catalogue (`toner`: toner cartridge)."""
    meanings = [name for name in read_words().meanings(kind) if name in counts]
    return max(meanings, key=lambda name: (counts[name], name)) if meanings else kind


def _believe(found: list[str], sure: list[float], stated: Sequence[str], nouns: _Nouns) -> None:
    """Take the stated type where the title names no kind, if it is a known noun or frequent."""
    counts = _counted(stated)
    named = _counted(found)
    for row, value in enumerate(stated):
        known = nouns.kinds.get(stem(value)) if value else None
        if known is None and value:
            # "frameless display privacy filter" ends with a known noun
            known, _ = _end_of(_TOKEN.findall(value), nouns)
        if not known:
            continue
        known = _merged(known, named)
        if found[row] and stem(known) == stem(found[row]):
            sure[row] = max(sure[row], 0.95)
        elif not found[row] or sure[row] < _SURE:
            found[row] = known
            sure[row] = 0.85 if counts[value] >= _STATED else 0.7


def _vote(
    titles: Sequence[str],
    brands: Sequence[str],
    hints: Sequence[Sequence[str]] | None,
    kinds: int,
    kind: NDArray[np.int64],
    confidence: NDArray[np.float64],
) -> None:
    """Give unsure titles the kind that their words and hints mostly go with, in place.

    Each feature votes with the share of its products that have its most frequent kind, to the
    fourth power, so that what is nearly always of one kind decides.
    """
    open_rows = confidence < _SURE
    if not kinds or not np.any(open_rows):
        return
    product, feature, features = _features(titles, brands, hints)
    taught = ~open_rows[product]
    cell = feature[taught] * kinds + kind[product[taught]]
    cells, counts = np.unique(cell, return_counts=True)
    total = np.bincount(cells // kinds, weights=counts, minlength=features)
    order = np.lexsort((cells, counts))
    best = np.full(features, -1, dtype=np.int64)
    most = np.zeros(features)
    best[cells[order] // kinds] = cells[order] % kinds
    most[cells[order] // kinds] = counts[order]
    share = most / (total + 2)
    voting = open_rows[product] & (share[feature] >= 0.4)
    weight = share[feature[voting]] ** 4
    ballot = product[voting] * kinds + best[feature[voting]]
    ballots, index = np.unique(ballot, return_inverse=True)
    votes = np.bincount(index, weights=weight)
    sums = np.bincount(ballots // kinds, weights=votes, minlength=len(kind))
    order = np.lexsort((-ballots, votes))
    winner = np.full(len(kind), -1, dtype=np.int64)
    won = np.zeros(len(kind))
    winner[ballots[order] // kinds] = ballots[order] % kinds
    won[ballots[order] // kinds] = votes[order]
    certainty = np.where(sums > 0, 0.75 * won / np.maximum(sums, 1e-9) * sums / (sums + 0.2), 0.0)
    good = open_rows & (winner >= 0) & (certainty >= np.maximum(confidence, 0.3))
    kind[good] = winner[good]
    confidence[good] = certainty[good]


def _features(
    titles: Sequence[str], brands: Sequence[str], hints: Sequence[Sequence[str]] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return (product, feature) pairs, without repetition, and the number of features."""
    product: list[int] = []
    names: list[str] = []
    for row, (title, brand) in enumerate(zip(titles, brands, strict=True)):
        # The brand alone tells nothing, but the name of one of its lines means little elsewhere.
        name = brand.lower()
        own = frozenset(_TOKEN.findall(name))
        found = {
            f"{name} {token}"
            for token in _TOKEN.findall(title.lower())
            if token not in own and not token.isdigit()
        }
        found |= {f"~{hint}" for hint in hints[row]} if hints is not None else set()
        product += [row] * len(found)
        names += sorted(found)
    place = {name: number for number, name in enumerate(dict.fromkeys(names))}
    feature = np.fromiter((place[name] for name in names), np.int64, len(names))
    return np.array(product, dtype=np.int64), feature, len(place)


@cache
def _nouns() -> _Nouns:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with (Path(__file__).parent / "kinds.yaml").open(encoding="utf-8") as stream:
        document: dict[str, Any] = yaml.load(stream, Loader=loader)  # noqa: S506
    words = read_words()
    usual: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for noun in (noun for nouns in document["nouns"].values() for noun in nouns):
        if stem(noun) in usual:
            continue
        # the first of a group of synonyms in the list names the kind
        same = words.synonyms(noun)
        name = next((usual[stem(other)] for other in same if stem(other) in usual), noun)
        usual[stem(noun)] = name
        kinds.setdefault(stem(noun), name)
        for other in same:
            kinds.setdefault(stem(other), name)
    behind = frozenset((*document["ends"], *document["colours"]))
    for noun, others in document["same"].items():
        for other in others:
            kinds[stem(other)] = usual.get(stem(noun), noun)
    for noun in list(usual):
        for short in words.short_names(usual[noun]):
            if short not in behind:
                kinds.setdefault(stem(short), short)
    return _Nouns(kinds, behind, frozenset(document["vague"]))
