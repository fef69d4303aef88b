"""What a query wants something like, or cheaper than: a brand, or a product of one.

A cue alone is not enough ("like new", "oat milk alternative"): there must be a brand of the
catalogue, a name of one of its models, or words that no shop sells as such.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints.parsing_text import keys_of, plain, tokenise, words_between
from evalkit.constraints.parsing_vocabulary import title_words
from evalkit.constraints.parsing_words import shop_words, stop_words
from evalkit.constraints.structure import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints.parsing_text import Token
    from evalkit.constraints.parsing_vocabulary import Vocabulary

__all__ = ["Wish", "cue_spans", "find_reference", "with_product"]

_BEFORE = re.compile(
    r"\b(?:(?:much |way )?cheaper (?:[\w-]+ ){0,3}than(?!\s+[$€£]?\s?\d)|"
    r"less (?:expensive|money|costly)?\s?than(?!\s+[$€£]?\s?\d)|"
    r"for less than(?= [^\d$€£\s])|dupes? (?:for|of|to)|poor ?man'?s|something like|anything like|"
    r"similar to|comparable to|alternatives? (?:to|for|of)|looks? (?:just )?like|"
    r"look-?\s?a-?likes? (?:of|for|to)|knock-?\s?offs? (?:of|for)|knock-?\s?off|"
    r"clones? of|cop(?:y|ies) of|imitations? of|replicas? of|equivalents? (?:of|to|for)|"
    r"(?:cheap|cheaper|budget|affordable|low cost|inexpensive) (?:versions?|alternatives?|"
    r"dupes?|copy|take) (?:of|on|to|for)|substitutes? for|instead of|"
    r"(?:price|cost|much) (?:of|as))\s+"
    r"(?:(?:an?|the|my)\s+)?"
)
_LIKE = re.compile(r"\b(?:in the style of|like)\s+(?:(?:an?|the|my)\s+)?")
_AFTER = re.compile(
    r"\s*-?\b(?:dupes?|alternatives?|look-?\s?a-?likes?|knock-?\s?offs?|clones?|cop(?:y|ies)|"
    r"imitations?|replicas?|equivalents?|inspired)\b"
)
_ABOUT = re.compile(
    r"\bbut (?:not (?:that|so|as) (?:expensive|dear|pricey)|(?:much |way )?cheaper|affordable|"
    r"less|only|(?:for )?under|a (?:third|half|quarter|fraction)|half|[$€£]?\d)[\w\s$€£.]*|"
    r"\bbut i'?m not paying\b[\s$€£\d]*|"
    r"\b(?:can'?t|cannot|couldn'?t) afford\b(?: (?:it|one|them))?|"
    r"\bon a budget\b|\b(?:is |are )?(?:way |far |well )?"
    r"(?:over (?:my )?budget|out of reach(?: for me)?|too (?:expensive|dear|pricey)|"
    r"un?affordable)|(?:\bisn'?t|\bnot(?: at| for)?|\bwithout(?: the)?)\s+(?:[\w&-]+\s+){1,4}"
    r"(?:money|prices?)\b|\b(?:anything|something) (?:similar|comparable|like it)\b|\bcheaper\b|"
    r"\bless than [\w ]+ (?:asks|charges|costs)\b|\b(?:is|costs?) [$€£]?\d+\b"
)
_BY = frozenset(("by", "from", "of"))


@dataclass(frozen=True)
class Wish:
    """A reference and where the query states it.

    Attributes:
        reference: what it is.
        spans: by characters, with the cue; first and after the last.
    """

    reference: Reference
    spans: tuple[tuple[int, int], ...]


def find_reference(query: str, tokens: Sequence[Token], known: Vocabulary) -> Wish | None:
    """Find what the query wants something like or cheaper than."""
    text = plain(query)
    before = list(_BEFORE.finditer(text))
    named = _brand(tokens, known)
    cues = [match.span() for match in before]
    cues += [match.span() for match in _ABOUT.finditer(text)]
    if named is None:
        return _unknown(query, tokens, known, before)
    first, last, brand = named
    inside = [match.span() for match in _LIKE.finditer(text) if match.end() == tokens[first].start]
    after = _AFTER.match(text, tokens[last - 1].end)
    cues += inside + ([after.span()] if after else [])
    if not cues and re.search(r"\b(?:alternative|dupe|lookalike|cheaper)\b", text) is None:
        return None
    words = tokens[first:last]
    return Wish(
        Reference(words_between(query, words), brand), (*cues, (words[0].start, words[-1].end))
    )


def cue_spans(query: str) -> tuple[tuple[int, int], ...]:
    """Return where a query says that it wants something like or cheaper than another."""
    text = plain(query)
    return tuple(match.span() for pattern in (_BEFORE, _AFTER, _ABOUT)
                 for match in pattern.finditer(text))  # fmt: skip


def _brand(tokens: Sequence[Token], known: Vocabulary) -> tuple[int, int, str] | None:
    """Find a brand and the names of its model around it: first token, after the last, brand."""
    keys = [token.key for token in tokens]
    named = [(place, known.brands.at(keys, place)) for place in range(len(keys))]
    named = [entry for entry in named if entry[1] is not None]
    if not named:
        named = [(place, (1, known.models[key])) for place, key in enumerate(keys)
                 if key in known.models]  # fmt: skip
    for place, found in named[:1]:
        length, brand = found or (1, "")
        names = _title_words(brand, known)
        end = place + length
        while end < len(keys) and _belongs(tokens, end, names, known):
            end += 1
        start = place
        if start >= 2 and keys[start - 1] in _BY and keys[start - 2] in names:
            start -= 2
            while start and keys[start - 1] in names and _belongs(tokens, start - 1, names, known):
                start -= 1
        else:
            while start and known.models.get(keys[start - 1]) == brand:
                start -= 1
        return start, end, brand
    return None


def _belongs(tokens: Sequence[Token], place: int, names: frozenset[str], known: Vocabulary) -> bool:
    """Tell whether a word beside a brand is the name of a model."""
    keys = [token.key for token in tokens]
    if not tokens[place].is_word or keys[place] not in names:
        return False
    if known.product_at(keys, place) or known.values.at(keys, place):
        return False
    return (keys[place],) not in shop_words("fillers").meanings or keys[place - 1] in names


def _title_words(brand: str, known: Vocabulary) -> frozenset[str]:
    if known.catalogue is None:
        return frozenset()
    places = np.flatnonzero(np.array(known.catalogue.brands, dtype=object) == brand)
    titles = [known.catalogue.titles[place] for place in places[:500]]
    return frozenset().union(*(title_words(title) for title in titles)) - set(keys_of(brand))


def with_product(reference: Reference, kinds: Sequence[str], known: Vocabulary) -> Reference:
    """Name the one product of the brand whose title has all the words, if there is one.

    A name that products of several kinds have is that of the kinds asked for.
    """
    if known.catalogue is None or reference.brand is None:
        return reference
    brand = reference.brand
    tokens = tokenise(reference.text)
    wanted = {token.key for token in tokens if token.is_word} - set(keys_of(brand)) - _BY
    if not wanted:
        return reference
    places = np.flatnonzero(np.array(known.catalogue.brands, dtype=object) == brand)
    fitting = [place for place in places if wanted <= title_words(known.catalogue.titles[place])]
    if len(fitting) > 1:
        own = [known.catalogue.kinds.index(kind) for kind in known.known_kinds(kinds)]
        fitting = [place for place in fitting if known.catalogue.kind[place] in own]
    if len(fitting) != 1:
        return reference
    return replace(reference, product_id=known.catalogue.product_ids[fitting[0]])


def _unknown(
    query: str, tokens: Sequence[Token], known: Vocabulary, before: Sequence[re.Match[str]]
) -> Wish | None:
    """Take words beside a cue that no shop sells as such for a name."""
    text = plain(query)
    for match in before:
        run = _run(tokens, [place for place, token in enumerate(tokens)
                            if token.start >= match.end()], known)  # fmt: skip
        if run:
            reference = Reference(words_between(query, run))
            return Wish(reference, (match.span(), (run[0].start, run[-1].end)))
    for match in _LIKE.finditer(text):
        run = _run(tokens, [place for place, token in enumerate(tokens)
                            if token.start >= match.end()], known)  # fmt: skip
        if run and run[0].capital and run[0].text not in ("i", "i'm"):
            reference = Reference(words_between(query, run))
            return Wish(reference, (match.span(), (run[0].start, run[-1].end)))
    for match in _AFTER.finditer(text):
        places = [place for place, token in enumerate(tokens) if token.end <= match.start() + 1]
        run = _run(tokens, places, known)
        if run and len(run) == len(places) and run[-1] is tokens[places[-1]]:
            reference = Reference(words_between(query, run))
            return Wish(reference, (match.span(), (run[0].start, run[-1].end)))
    return None


def _run(tokens: Sequence[Token], places: Sequence[int], known: Vocabulary) -> list[Token]:
    """Return the words from the first place on that could be a name."""
    keys = [token.key for token in tokens]
    found: list[Token] = []
    for place in places:
        token = tokens[place]
        usual = known.product_at(keys, place) or known.thing_at(keys, place)
        filler = (token.key,) in shop_words("fillers").meanings or token.text in stop_words()
        if not token.is_word or filler or (token.is_number and not found):
            break
        if usual:
            # "airwrap styler": the kind ends the name; a kind at its start means no name at all.
            break
        found.append(token)
    return found[:4]
