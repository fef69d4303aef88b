"""Words that a catalogue states as values, and that say something else where they stand.

A wrong requirement costs more than one that is left out: it takes good products away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.constraints.parsing_words import shop_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints.parsing_text import Token
    from evalkit.constraints.parsing_vocabulary import Vocabulary

__all__ = ["VERBS", "follows_for", "is_aside"]

# Verbs around what is wished; by themselves they require nothing.
VERBS = frozenset(
    ("fit", "go", "work", "love", "can't", "cant", "cannot", "afford", "trying", "shopping", "lack")
)
# Before these a word of values is an adverb: "straight into a meeting", "flat against the wall".
_WHERETO = frozenset(("into", "after", "away", "through", "against", "towards", "onto", "ahead"))
# With a colour before them these are names: green tea, white noise, red wine.
_NAMED_BY_COLOUR = frozenset(
    ("tea", "coffee", "wine", "noise", "rice", "bean", "pepper", "bread", "chocolate", "olive")
)
_ARTICLES = frozenset(("a", "an", "the", "my", "our", "her", "his", "your"))


def follows_for(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a word is what something is for: "for orbix", "fits my orbix"."""
    before = place - 1
    while before > 0 and tokens[before].text in _ARTICLES:
        before -= 1
    return before > 0 and tokens[before].text in ("for", "fits", "fit", "fitting")


def is_aside(
    tokens: Sequence[Token], start: int, end: int, known: Vocabulary, kinds: Sequence[str]
) -> bool:
    """Tell whether words of values, from `start` to before `end`, say something else here.

    They are half of a word ("round-edged"), an adverb ("straight into a meeting") or part of a
    name that no product of the kinds bears out ("green tea").
    """
    if end >= len(tokens):
        return False
    word, keys = tokens[end], [token.key for token in tokens]
    if word.text in _WHERETO:
        return True
    if not word.is_word or word.is_number:
        return False
    if word.key in _NAMED_BY_COLOUR and shop_words("colours").at(keys, start) is not None:
        own = known.known_kinds(kinds)
        pairs = known.values.meanings.get(tuple(keys[start:end]), ())
        return not own or known.attribute_of(known.places_of(pairs), own) is None
    is_known = known.product_at(keys, end) or known.thing_at(keys, end) or word.key in known.partial
    return word.glued and not is_known
