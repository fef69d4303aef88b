"""Whether a query states a need (a question, problem, person or occasion) and which.

"Shoes for a nurse on her feet all day" says why, not what; no word of it is in a catalogue.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.constraints.parsing_query import is_request
from evalkit.constraints.parsing_text import plain
from evalkit.constraints.parsing_words import shop_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints.parsing_text import Token

__all__ = ["find_need"]

_QUESTION = re.compile(
    r"^(?:(?:i |dad |mum |my \w+ )?can'?t \w+|what|which|how|who|where|when|why|is there|"
    r"are there|can (?:i|you)|should i|do i|does)\b"
    r"|\?|,\s*(?:what|which)\b"
)
_SPEAKING = re.compile(
    r"\b(?:my (?!size|own|budget)\w+ (?:\w+ )?(?:hurts?|aches?|kills?|always|goes|rolls?|gets?|"
    r"keeps?|tastes?|inwards)|i (?:am|can|can't|cant|get|wear|work|sit|stand|cycle|run|walk|"
    r"travel|lie|sleep|have to|keep|arrive)\b|when you are|when i|while i|she only|he only|"
    r"who (?:has|cries|sleeps|works|hates|loves|only|never|always)|so that i|"
    r"in my (?!size|budget)\w+|on (?:her|his|my) feet|"
    r"need to \w+|needs to \w+|have to \w+|don'?t want to \w+|that i can|"
    r"going \w+ing|not annoy|what do i|coming off|there is a|for \w+ing (?:on|in|at) an?|"
    r"between my)\b"
)
_FOR_PERSON = re.compile(
    r"\bfor (?:an? |my |our |the |her |his )*(?:\w+ )?(?P<person>\w+)\b(?P<rest>.*)$"
)
_AGED = re.compile(r"\b(?:a|my) \d+ (?:year|month)s? old\b")
_DOING = re.compile(
    r"\bwhile \w+ing\b|^(?:taking|listen|listening|carrying|keeping|cut|cutting|cook|"
    r"cooking|clean|cleaning|get|getting|hang|hanging|sleep|sleeping|music)\b.*\b(?:to|on|while|and|in|next)\b"
)
_NEED = re.compile(r"^(?P<kind>.*?)(?:\b(?:for|that|to)\b|,)\s*(?P<need>.+)$")


def find_need(
    query: str,
    tokens: Sequence[Token],
    kinds: Sequence[str],
    negated: frozenset[int] = frozenset(),
) -> str | None:
    """Return the need in the query's words, or None where it states none.

    An exclusion by itself (`negated`, its tokens) is no need: "work gloves, latex allergy".

    Example:
        >>> from evalkit.constraints.parsing_text import tokenise
        >>> query = "shoes for nurse on her feet all day"
        >>> find_need(query, tokenise(query), ["shoes"])
        'nurse on her feet all day'
    """
    text = " ".join(plain(query).split())
    if is_request(tokens) and kinds:
        return None
    wished = [token for place, token in enumerate(tokens) if place not in negated]
    said = " ".join(token.text for token in wished) if negated else text
    if not (_QUESTION.search(said) or _SPEAKING.search(said) or _states(said, wished, kinds)):
        return None
    match = _NEED.match(text)
    if match and kinds and any(kind.split()[-1] in match["kind"] for kind in kinds):
        return match["need"].strip()
    return text.strip(" ?")


def _states(text: str, tokens: Sequence[Token], kinds: Sequence[str]) -> bool:
    keys = [token.key for token in tokens]
    needs = any(shop_words("needs").at(keys, place) for place in range(len(keys)))
    occasion = any(
        shop_words("occasions").at(keys, place)
        and {"for", "to", "on", "at", "my"} & set(keys[max(0, place - 3) : place])
        for place in range(len(keys))
    )
    person = _FOR_PERSON.search(text)
    known = shop_words("persons")
    named = person is not None and any(
        known.at(keys, place) for place in range(len(keys)) if "for" in keys[:place]
    )
    # With a product's name, a person or an age alone is a size: "toys for 1 year old".
    aged = not kinds and bool(_AGED.search(text))
    who = named and len(tokens) > (3 if kinds else 2)
    return needs or occasion or who or aged or bool(_DOING.search(text))
