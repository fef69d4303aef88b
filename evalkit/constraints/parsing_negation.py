"""What a query does not want: the cues of negation, and which of them exclude nothing.

Much that looks like a negation is a title, a slogan or a property ("make love not war shirt",
"non slip"). So a cue counts only where the query names a product before it, or a thing after it
that products have or are made of, and where no person speaks or is spoken to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.constraints.parsing_query import QueryWords
from evalkit.constraints.parsing_reach import nouns_after, nouns_before, without_product
from evalkit.constraints.parsing_text import SIGNS
from evalkit.constraints.parsing_words import cue_families, exact_words, shop_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints.parsing_query import Span
    from evalkit.constraints.parsing_text import Token
    from evalkit.constraints.parsing_vocabulary import Vocabulary

__all__ = ["Negation", "Negations", "find_negations"]

_LONGEST_CUE = 4


@dataclass(frozen=True)
class Negation:
    """One phrase that excludes something.

    Attributes:
        start: first token, with the cue.
        end: after the last token.
        items: what is excluded: first token and the one after the last, of each.
        family: which sort of cue it is.
        named: the attribute that the query names with it ("any colour but black"), or None.
    """

    start: int
    end: int
    items: tuple[Span, ...]
    family: str
    named: str | None = None


@dataclass(frozen=True)
class Negations:
    """What was found.

    Attributes:
        excluding: phrases that exclude something, in order.
        properties: phrases that look like it and are properties ("cruelty free", "non slip").
        idle: cues that exclude nothing and are no property, as in titles and slogans.
    """

    excluding: tuple[Negation, ...]
    properties: tuple[Span, ...]
    idle: int = 0


def find_negations(
    tokens: Sequence[Token], known: Vocabulary, taken: frozenset[int] = frozenset()
) -> Negations:
    """Find what the query excludes.

    Args:
        tokens: of the query.
        known: what is a thing.
        taken: tokens that say something else already (price, reference).
    """
    scan = _Scan(QueryWords(tokens, known, taken))
    place = 0
    while place < len(tokens):
        place = max(place + 1, scan.at(place))
    found = tuple(sorted(scan.excluding, key=lambda item: item.start))
    return Negations(found, tuple(scan.properties), scan.idle)


class _Scan:
    """One pass over a query."""

    def __init__(self, words: QueryWords) -> None:
        self.words = words
        self.tokens = words.tokens
        self.keys = words.keys
        self.excluding: list[Negation] = []
        self.properties: list[Span] = []
        self.idle = 0

    def at(self, place: int) -> int:
        """Look at one token; return the place to go on."""
        text = self.tokens[place].text
        if place in self.words.taken:
            return place + 1
        if text in SIGNS:
            return self.sign(place)
        if text == "free":
            return self.free(place)
        if text.startswith(("allerg", "intoleran")):
            found = self.allergy(place)
            if found:
                return found
        if text.endswith("less") and _is_less(self.words, place):
            self.excluding.append(Negation(place, place + 1, ((place, place + 1),), "less"))
            return place + 1
        if _is_but(self.words, place):
            return self.after(place, place + 1, "except")
        for length in range(min(_LONGEST_CUE, len(self.tokens) - place), 0, -1):
            cue = " ".join(token.text for token in self.tokens[place : place + length])
            family = cue_families().get(cue)
            if family == "idle":
                self.idle += 1
                return place + length
            if family == "non":
                return self.non(place)
            if family == "no":
                return self.no(place)
            if family is not None:
                return self.after(place, place + length, family)
        return place + 1

    # --- families of cues

    def after(self, place: int, start: int, family: str) -> int:
        """A cue before what it excludes."""
        items = nouns_after(self.words, start, family)
        if items and _accepts(self.words, place, items, family):
            items = without_product(self.words, place, items, family)
            before = [token.text for token in self.tokens[max(0, place - 2) : place]]
            every = len(before) == 2 and before[0] in ("any", "all", "every")
            named = self.keys[place - 1] if every and family == "except" else None
            start = place - 2 if named is not None else place
            self.excluding.append(Negation(start, items[-1][1], items, family, named))
            return items[-1][1]
        self.idle += 1
        return start

    def sign(self, place: int) -> int:
        """`-X`, `!X`, `-"X Y"`: one word with what hyphens join to it, or what is quoted."""
        tokens, start = self.tokens, place + 1
        before = tokens[place - 1].end if place else -1
        if start >= len(tokens) or tokens[start].start > tokens[place].end or (
            before == tokens[place].start
        ):  # fmt: skip
            return start
        if tokens[start].text == '"':
            start += 1
            quoted = [at for at in range(start, len(tokens)) if tokens[at].text == '"']
            end, after = (quoted[0], quoted[0] + 1) if quoted else (len(tokens), len(tokens))
        else:
            end = start + 1
            while end < len(tokens) and tokens[end].glued:
                end += 1
            after = end
        if start < end and all(token.is_word for token in tokens[start:end]):
            self.excluding.append(Negation(place, after, ((start, end),), "sign"))
        return max(after, start)

    def no(self, place: int) -> int:
        """`no X`: an exclusion, a property ("no show socks"), a number ("no. 3") or a title."""
        start = place + 1
        if start >= len(self.tokens):
            return start
        following = self.tokens[start]
        if not following.is_word or following.is_number:
            return start + 1
        known = self.words.thing(start) or self.words.known.product_at(self.keys, start)
        named = (following.key,) in shop_words("no properties").meanings
        if named and (not self.words.thing(start) or not self.words.headed(place)):
            if self.words.known_product_within(start + 1, 3):
                self.properties.append((place, start + 1))
            else:
                self.idle += 1
            return start + 1
        items = nouns_after(self.words, start, "no")
        if not items:
            return start
        spoken = self.words.spoken()
        if self.words.unwanted(items):
            accepted = True
        elif self.words.headed(place) or self.words.request:
            accepted = bool(known) or self.words.thing_in(items) or not spoken
        elif place == 0 or not self.tokens[place - 1].is_word:
            # "no bluetooth mp3 player": a product must follow, or the thing be known.
            accepted = not spoken and (
                self.words.known_product_within(start, 4) or bool(self.words.thing(start))
            )
            items = without_product(self.words, place, items, "no")
        else:
            accepted = self.words.thing_in(items) and not spoken
        if accepted:
            self.excluding.append(Negation(place, items[-1][1], items, "no"))
            return items[-1][1]
        self.idle += 1
        return start

    def non(self, place: int) -> int:
        """`non X`: excludes a substance or part, else it is a property."""
        start = place + 1
        if start >= len(self.tokens) or not self.tokens[start].is_word:
            return start
        length = self.words.thing(start)
        if not length or (self.keys[start],) in shop_words("non properties").meanings:
            self.properties.append((place, start + 1))
            return start + 1
        item = (start, start + length)
        self.excluding.append(Negation(place, start + length, (item,), "non"))
        return start + length

    def free(self, place: int) -> int:
        """`X free` excludes X, with what is listed before it; `free of X` as well."""
        tokens = self.tokens
        following = self.words.text(place + 1)
        if following in ("of", "from") and place + 2 < len(tokens):
            if following == "of" and tokens[place + 2].text in ("charge", "cost"):
                return place + 3
            return self.after(place, place + 2, "free of")
        if place == 0 or (following in exact_words("after free") and not tokens[place].glued):
            return place + 1
        last = self.keys[place - 1]
        if (last,) in shop_words("free properties").meanings or not tokens[place - 1].is_word:
            if tokens[place - 1].is_word:
                self.properties.append((place - 1, place + 1))
            return place + 1
        items = nouns_before(self.words, place)
        if items:
            self.excluding.append(Negation(items[0][0], place + 1, items, "free"))
        elif tokens[place].glued:
            self.properties.append((place - 1, place + 1))
        return place + 1

    def allergy(self, place: int) -> int | None:
        """`latex allergy`, `allergic to wool`."""
        if self.words.text(place + 1) == "to":
            return self.after(place, place + 2, "allergy")
        start = self.words.thing_before(place)
        if start is None:
            return None
        self.excluding.append(Negation(start, place + 1, ((start, place),), "allergy"))
        return place + 1


def _is_less(words: QueryWords, place: int) -> bool:
    """Tell whether a word like "clampless" lacks a thing that the catalogue knows."""
    key = words.keys[place]
    stem = words.tokens[place].text.removesuffix("less")
    if len(stem) < 3 or (key,) in words.known.values.meanings or key in words.known.partial:
        return False
    named = (stem,) in words.known.attributes.meanings or stem in words.known.unwanted
    return named or (stem,) in words.known.things.meanings


def _is_but(words: QueryWords, place: int) -> bool:
    """Tell whether "but" means except: "any colour but black", "all colors but red"."""
    before = [token.text for token in words.tokens[max(0, place - 4) : place]]
    return words.tokens[place].text == "but" and any(
        word in ("any", "anything", "all", "every", "everything") for word in before
    )


def _accepts(words: QueryWords, place: int, items: Sequence[Span], family: str) -> bool:
    """Tell whether a cue excludes what it reaches."""
    first = words.tokens[items[0][0]].text
    if words.unwanted(items):
        return True
    if (
        first in exact_words("people")
        or first in exact_words("not only")
        or words.tokens[items[0][0]].is_number
    ):
        return False
    headed = words.headed(place)
    thing = words.thing_in(items) if headed or words.request else words.stuff_in(items)
    if family in ("free of", "neither", "allergy"):
        return headed or thing or words.request
    if headed and family in ("without", "except"):
        return thing or not words.slogan(items[-1][1])
    if headed and thing:
        return True
    if headed and family == "not" and not words.spoken() and not words.slogan(0):
        return len(items) == 1
    if family == "except" and thing and words.known_product_within(items[0][0], 4):
        return not words.spoken()
    if words.request:
        return headed or thing or words.tokens[place + 1].text in ("a", "an", "too")
    if words.spoken() and not headed:
        return False
    if family == "from":
        return headed or (thing and place > 0)
    if family == "not":
        return _chooses(words, place, items)
    return thing and place > 0 and words.tokens[0].text not in ("a", "an", "the")


def _chooses(words: QueryWords, place: int, items: Sequence[Span]) -> bool:
    """Tell whether "X not Y" chooses between two things, as "n95 not kn95 masks" does."""
    product = words.known_product_within(items[0][0], 4)
    before = any(
        words.thing(earlier) or any(character.isdigit() for character in words.keys[earlier])
        for earlier in range(place)
    )
    coded = any(character.isdigit() for character in words.keys[items[0][0]])
    thing = words.stuff_in(items)
    if words.slogan(items[-1][1] - 1):
        return False
    return (before and (thing or (coded and product))) or (place == 0 and thing and product)
