"""The positive part of a query, and the words of what it excludes.

A retriever reads "jacket without a hood" as "jacket, hood". So the topic is the query without its
negated phrases, price clauses and reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.constraints.parsing import read_query
from evalkit.constraints.parsing_reference import cue_spans
from evalkit.constraints.parsing_text import keys_of, words_between
from evalkit.constraints.parsing_vocabulary import Vocabulary
from evalkit.constraints.parsing_words import stop_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints.parsing_text import Token
    from evalkit.constraints.structure import Condition, Structure

__all__ = ["negated", "topic"]

# Words that say nothing at the edge of a stretch that was cut.
_EDGES = stop_words() | frozenset(
    (",", "-", "&", "and", "or", "nor", "have", "the", "a", "an", "of", "any", "it", "be")
)
# Words of wishing that may be left of a clause; no shop sells them.
_WISHES = frozenset(
    (
        "i", "i'm", "im", "i'd", "we", "we're", "am", "love", "loved", "adore", "want", "wanted",
        "need", "shopping", "looking", "searching", "hunting", "trying", "hoping", "wishing", "to",
        "for", "find", "get", "buy", "can't", "cant", "cannot", "couldn't", "can", "not", "afford",
        "similar", "something", "anything", "please", "the", "a", "an", "my", "it", "them", "some",
        "any", "but", "and", "or", "that", "this", "there", "there's", "theres", "where", "which",
        "who", "is", "are", "be", "me", "show", "help", "of", "really", "just",
    )
)  # fmt: skip
# Words at the end of what stays that led to what was cut.
_LEADING_ON = _WISHES | frozenset(
    (
        "lacks", "lack", "lacking", "with", "without", "has", "have", "having", "hasn't", "isn't",
        "aren't", "comes", "come", "doesn't", "don't", "do", "does", "from", "by", "no", "made",
        "contains", "whose", "as", "than", "like", "instead", "avoiding", "except", "so", "if",
        "allergic",
    )
)  # fmt: skip


def topic(query: str, structure: Structure) -> str:
    """Return the query without what it excludes, its price and its reference.

    Words of wishing at the edges of what stays go too ("trying to find"). Where nothing would be
    left, it is the kinds, or else the reference, and the required words; or the query.

    Example:
        >>> from evalkit.constraints.parsing import RuleParser
        >>> query = "black jacket without a hood under $80"
        >>> topic(query, RuleParser().parse([query])[0])
        'black jacket'
    """
    reading = read_query(query, Vocabulary.of_structure(structure))
    gone: set[int] = set()
    if structure.price_max is not None or structure.price_min is not None or structure.price_share:
        gone |= reading.inside(reading.prices.spans)
    if structure.reference is not None:
        spans = reading.wish.spans if reading.wish is not None else ()
        gone |= reading.inside((*spans, *cue_spans(query)))
        gone |= _named(reading.tokens, structure.reference.text)
    excluded = {key for item in structure.excluded for key in keys_of(_words(item))}
    for negation in reading.negations.excluding:
        words = {
            token.key.removesuffix("less") if negation.family == "less" else token.key
            for start, end in negation.items
            for token in reading.tokens[start:end]
        }
        if words & excluded:
            gone |= set(range(negation.start, negation.end))
    # What a model found and the rules did not: at least its words must go.
    for item in structure.excluded:
        gone |= _named(reading.tokens, _words(item), _wanted(structure))
    if not gone:
        return " ".join(query.split())
    kept = _tidy(query, reading.tokens, gone)
    if kept:
        return kept
    wanted = [*structure.kinds, *(_words(item) for item in structure.required)]
    if structure.reference is not None and not structure.kinds:
        wanted.insert(0, structure.reference.text)
    return " ".join(word for word in wanted if word) or " ".join(query.split())


def negated(query: str, structure: Structure) -> str:
    """Return the words of everything that is excluded, in order; "" where nothing is.

    Example:
        >>> from evalkit.constraints.structure import Condition, Structure
        >>> out = (Condition("material", ("pvc", "leather")), Condition("hood"))
        >>> negated("...", Structure("negative", excluded=out))
        'pvc leather hood'
    """
    reading = read_query(query, Vocabulary.of_structure(structure))
    stated = [
        words_between(query, reading.tokens[start:end])
        for negation in reading.negations.excluding
        if negation.family != "less"
        for start, end in negation.items
    ]
    found: dict[str, None] = {}
    for item in structure.excluded:
        keys = set(keys_of(_words(item)))
        # The query's own words, where it has them: "separate subwoofer" rather than "separate".
        own = [text for text in stated if keys & set(keys_of(text))]
        found.update(dict.fromkeys(own or [_words(item)]))
    return " ".join(found)


def _words(condition: Condition) -> str:
    if condition.values:
        return " ".join(condition.values)
    return (condition.attribute or "").replace("_", " ")


def _wanted(structure: Structure) -> frozenset[str]:
    words = [*structure.kinds, *(_words(item) for item in structure.required)]
    return frozenset(key for word in words for key in keys_of(word))


def _named(tokens: Sequence[Token], phrase: str, spared: frozenset[str] = frozenset()) -> set[int]:
    """Return the places of a phrase's words where they stand together."""
    keys = keys_of(phrase)
    texts = [token.key for token in tokens]
    found: set[int] = set()
    for place in range(len(texts) - len(keys) + 1):
        if keys and tuple(texts[place : place + len(keys)]) == keys and not spared & set(keys):
            found |= set(range(place, place + len(keys)))
    return found


def _tidy(query: str, tokens: Sequence[Token], gone: set[int]) -> str:
    """Join the stretches that stay, without the words that now hang at their ends."""
    stretches: list[list[Token]] = [[]]
    for place, token in enumerate(tokens):
        if place in gone:
            stretches.append([])
        else:
            stretches[-1].append(token)
    kept = []
    for number, stretch in enumerate(stretches):
        while stretch and stretch[-1].text in _EDGES and number < len(stretches) - 1:
            stretch.pop()
        while stretch and stretch[0].text in _EDGES and number > 0:
            stretch.pop(0)
        while stretch and (stretch[-1].text in _LEADING_ON or not stretch[-1].is_word):
            stretch.pop()
        while stretch and (stretch[0].text in _WISHES or not stretch[0].is_word):
            stretch.pop(0)
        if any(token.is_word for token in stretch):
            kept.append(query[stretch[0].start : stretch[-1].end])
    return " ".join(" ".join(kept).split())
