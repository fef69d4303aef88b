"""The positive part of a query, and the words of what it excludes.

A retriever reads "jacket without a hood" as "jacket, hood". So the topic is the query without its
negated phrases, price clauses and reference, and without the talk about them ("substitute", "not
paying 40"). It is what is searched instead of the query, and what a rewrite is compared with.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.constraints.parsing import read_query
from evalkit.constraints.parsing_reference import cue_spans
from evalkit.constraints.parsing_text import keys_of, plain, words_between
from evalkit.constraints.parsing_vocabulary import Vocabulary
from evalkit.constraints.parsing_words import stop_words
from evalkit.knowledge.words import read_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalkit.constraints.parsing_text import Token
    from evalkit.constraints.structure import Condition, Structure

__all__ = ["TOPIC", "negated", "topic", "wanted"]

TOPIC = 2  # raised when the same query may get another topic, for manifests

_ANSWERS = frozenset(("yes", "no", "none", "true", "false"))
# Words that say nothing at the edge of a stretch that was cut.
_EDGES = stop_words() | frozenset(
    (
        ",", "-", "&", "and", "or", "nor", "have", "the", "a", "an", "of", "any", "it", "be",
        "one", "ones", "style", "needed", "powered", "filling", "preferably", "absolutely",
    )
)  # fmt: skip
# Words of wishing that may be left of a clause; no shop sells them.
_WISHES = frozenset(
    (
        "i", "i'm", "im", "i'd", "we", "we're", "am", "love", "loved", "adore", "want", "wanted",
        "need", "shopping", "looking", "searching", "hunting", "trying", "hoping", "wishing", "to",
        "for", "find", "get", "buy", "can't", "cant", "cannot", "couldn't", "can", "not", "afford",
        "similar", "something", "anything", "please", "the", "a", "an", "my", "it", "them", "some",
        "any", "but", "and", "or", "that", "this", "there", "there's", "theres", "where", "which",
        "who", "is", "are", "be", "me", "show", "help", "of", "really", "just", "what", "what's",
        "whats", "do", "does", "you", "sell", "would", "could", "like", "recommend", "suggest",
        "gift", "other", "others", "people", "on", "at",
    )
)  # fmt: skip
# Words at the end of what stays that led to what was cut.
_LEADING_ON = _WISHES | frozenset(
    (
        "lacks", "lack", "lacking", "with", "without", "has", "have", "having", "hasn't", "isn't",
        "aren't", "comes", "come", "doesn't", "don't", "do", "does", "from", "by", "no", "made",
        "contains", "whose", "as", "than", "like", "instead", "avoiding", "except", "so", "if",
        "in", "allergic",
    )
)  # fmt: skip
# What is said about a price, a reference or an exclusion besides itself.
_SUM = r"[$€£]?\d[\d.,]*"
_DIGITS = re.compile(r"[^\d.]|\.$")
_TALK = re.compile(
    r"\bfor (?:less|cheaper)(?: money)?\b|\bless money\b|\b(?:just )?as good(?: as)?\b|"
    r"\bcomes? close(?: to)?\b|\b(?:but )?costs? (?:\w+ )?less\b|\bhalf of what\b|"
    r"\b(?:(?:that|which) )?(?:won'?t|doesn'?t|does not|will not) cost\b|\bcosts?\b|"
    r"\bas much(?: as)?\b|\bprice(?: tag)?s?\b|"
    r"\b(?:is |are )?out of (?:my |our |the )?(?:budget|price range|reach)\b|"
    rf"\b(?:not )?(?:pay|spend)(?:ing)?\b(?: {_SUM})?(?: on)?|\bfor (?P<sum>{_SUM})(?!\w)|"
    r"\b(?:but )?my (?:limit|maximum)\b|\bbut affordable\b|"
    r"\b(?:cheap(?:er|est)?|affordable|inexpensive|low[ -]cost|less expensive|budget|generic)\b|"
    r"\bwhat(?:'?s| is) similar\b|\bwhat else is there(?: in)?\b|"
    r"\b(?:can|could|should|do) (?:i|you|we) (?:buy|get|use|take|have|sell|recommend)\b|"
    r"\bare there$|\b(?:doesn'?t|does not) suit me\b|"
    r"\b(?:in|from|by) (?:an? |any )?(?:other|different) (?:colou?rs?|materials?|brands?|makers?)\b"
)


def topic(query: str, structure: Structure) -> str:
    """Return the query without what it excludes, its price and its reference.

    Words of wishing at the edges of what stays go too ("trying to find"). Where neither a kind nor
    a required word is left, the structure speaks, or else the reference, or the query. A
    need ("feet get cold") keeps its own words.

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
    excluded = _keys(name for item in structure.excluded for name in _names(item))
    for negation in reading.negations.excluding:
        words = {
            token.key.removesuffix("less") if negation.family == "less" else token.key
            for start, end in negation.items
            for token in reading.tokens[start:end]
        }
        if words & excluded:
            gone |= set(range(negation.start, negation.end))
    # What a model found and the rules did not: at least its words must go.
    sought = _keys(_sought(structure))
    for item in structure.excluded:
        for name in _names(item):
            gone |= _named(reading.tokens, name, sought)
    if not gone:
        return " ".join(query.split())
    talk = reading.inside(_talk(query, structure))
    gone |= {place for place in talk if reading.tokens[place].key not in sought}
    kept = _tidy(query, reading.tokens, gone)
    if kept and (structure.query_type == "knowledge" or _says_what(kept, structure)):
        return kept
    said = " ".join(_sought(structure))
    if structure.reference is not None and not structure.kinds:
        said = f"{structure.reference.text} {said}".strip()
    return said or kept or " ".join(query.split())


def wanted(query: str, structure: Structure) -> str:
    """Return the required values and the kinds of a structure as words; its topic without a kind.

    Example:
        >>> from evalkit.constraints.structure import Condition, Structure
        >>> wanted("the rain", Structure("knowledge", ("coat",), (Condition("hood", ("yes",)),)))
        'hood coat'
    """
    return " ".join(_sought(structure)) if structure.kinds else topic(query, structure)


def _sought(structure: Structure) -> list[str]:
    """Return the required values and the kinds."""
    return [*(name for item in structure.required for name in _names(item)), *structure.kinds]


def _talk(query: str, structure: Structure) -> tuple[tuple[int, int], ...]:
    """Return where a query talks about a price, a reference or an exclusion."""
    limits = (structure.price_max, structure.price_min)
    return tuple(
        match.span()
        for match in _TALK.finditer(plain(query))
        if match["sum"] is None or float(_DIGITS.sub("", match["sum"])) in limits
    )


def _says_what(text: str, structure: Structure) -> bool:
    """Tell whether a text has a word of the kinds, or a required word and others."""
    words, keys = read_words(), set(keys_of(text))
    named = _keys(name for kind in structure.kinds for name in words.names(kind))
    required = _keys(name for item in structure.required for name in _names(item))
    return not structure.kinds or bool(named & keys) or bool(required & keys and keys - required)


def _keys(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(key for text in texts for key in keys_of(text))


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
        for name in _names(item):
            # The query's own words, where it has them: "separate subwoofer" rather than "separate".
            own = [text for text in stated if set(keys_of(name)) & set(keys_of(text))]
            found.update(dict.fromkeys(own or [name]))
    return " ".join(found)


def _names(condition: Condition) -> tuple[str, ...]:
    """Return what a condition names: its values, or its attribute where they only say yes."""
    named = tuple(value for value in condition.values if value not in _ANSWERS)
    if named or set(condition.values) & {"no", "none", "false"} or not condition.attribute:
        return named
    return (condition.attribute.replace("_", " "),)


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
            if len(stretch) > 1 and stretch[1].glued:
                break  # "in-ear"
            stretch.pop(0)
        while stretch and (stretch[-1].text in _LEADING_ON or not stretch[-1].is_word):
            stretch.pop()
        while stretch and (stretch[0].text in _WISHES or not stretch[0].is_word):
            stretch.pop(0)
        if any(token.is_word for token in stretch):
            kept.append(query[stretch[0].start : stretch[-1].end])
    return " ".join(" ".join(kept).split())
