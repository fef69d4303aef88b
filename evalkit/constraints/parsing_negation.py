"""What a query does not want: cues of negation, what they reach, and which exclude nothing.

Much that looks like a negation is a title, a slogan or a property ("make love not war shirt",
"non slip"). So a cue counts only where the query names a product before it, or a thing after it
that products have or are made of, and where no person speaks or is spoken to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.constraints.parsing_words import cue_families, exact_words, shop_words, stop_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints.parsing_text import Token
    from evalkit.constraints.parsing_vocabulary import Vocabulary

__all__ = ["Negation", "Negations", "find_negations", "is_request"]

Span = tuple[int, int]

_LONGEST_CUE = 4
_LISTED = frozenset(("and", "or", "nor", "&", "/"))


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


def is_request(tokens: Sequence[Token]) -> bool:
    """Tell whether a query begins like a request to a person ("i am looking for ...")."""
    words = [token.text for token in tokens[:6]]
    for word, following in zip(words, [*words, ""][1:], strict=True):
        if words[0] not in exact_words("first words of requests"):
            break
        if word in ("need", "needs") and following == "to":
            # "i need to hang a shelf" is a need, "i need to buy a shelf" is not.
            return bool({"buy", "find", "get", "order", "purchase"} & set(words))
        if word in exact_words("words of requests"):
            return True
    start = " ".join(words) + " "
    return start.startswith(tuple(f"{opening} " for opening in exact_words("openings")))


def find_negations(
    tokens: Sequence[Token], known: Vocabulary, taken: frozenset[int] = frozenset()
) -> Negations:
    """Find what the query excludes.

    Args:
        tokens: of the query.
        known: what is a thing.
        taken: tokens that say something else already (price, reference).
    """
    scan = _Scan(tokens, known, taken)
    place = 0
    while place < len(tokens):
        place = max(place + 1, scan.at(place))
    found = tuple(sorted(scan.excluding, key=lambda item: item.start))
    return Negations(found, tuple(scan.properties), scan.idle)


class _Scan:
    """One pass over a query."""

    def __init__(self, tokens: Sequence[Token], known: Vocabulary, taken: frozenset[int]) -> None:
        self.tokens = tokens
        self.keys = [token.key for token in tokens]
        self.known = known
        self.taken = taken
        self.request = is_request(tokens)
        self.excluding: list[Negation] = []
        self.properties: list[Span] = []
        self.idle = 0

    def at(self, place: int) -> int:
        """Look at one token; return the place to go on."""
        text = self.tokens[place].text
        if place in self.taken:
            return place + 1
        if text == "free":
            return self.free(place)
        if text.startswith(("allerg", "intoleran")):
            found = self.allergy(place)
            if found:
                return found
        if text.endswith("less") and self.is_less(place):
            self.excluding.append(Negation(place, place + 1, ((place, place + 1),), "less"))
            return place + 1
        if self.is_but(place):
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
        items, _ = self.items(start, family)
        if items and self.accepts(place, items, family):
            items = self.before_product(place, items, family)
            before = [token.text for token in self.tokens[max(0, place - 2) : place]]
            every = len(before) == 2 and before[0] in ("any", "all", "every")
            named = self.keys[place - 1] if every and family == "except" else None
            start = place - 2 if named is not None else place
            self.excluding.append(Negation(start, items[-1][1], items, family, named))
            return items[-1][1]
        self.idle += 1
        return start

    def no(self, place: int) -> int:
        """`no X`: an exclusion, a property ("no show socks"), a number ("no. 3") or a title."""
        start = place + 1
        if start >= len(self.tokens):
            return start
        following = self.tokens[start]
        if not following.is_word or following.is_number:
            return start + 1
        known = self.thing(start) or self.known.product_at(self.keys, start)
        named = (following.key,) in shop_words("no properties").meanings
        if named and (not self.thing(start) or not self.headed(place)):
            if self.known_product_within(start + 1, 3):
                self.properties.append((place, start + 1))
            else:
                self.idle += 1
            return start + 1
        items, _ = self.items(start, "no")
        if not items:
            return start
        spoken = self.spoken()
        if self.unwanted(items):
            accepted = True
        elif self.headed(place) or self.request:
            accepted = bool(known) or self.thing_in(items) or not spoken
        elif place == 0 or not self.tokens[place - 1].is_word:
            # "no bluetooth mp3 player": a product must follow, or the thing be known.
            accepted = not spoken and (
                self.known_product_within(start, 4) or bool(self.thing(start))
            )
            items = self.before_product(place, items, "no")
        else:
            accepted = self.thing_in(items) and not spoken
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
        length = self.thing(start)
        if not length or (self.keys[start],) in shop_words("non properties").meanings:
            self.properties.append((place, start + 1))
            return start + 1
        item = (start, start + length)
        self.excluding.append(Negation(place, start + length, (item,), "non"))
        return start + length

    def free(self, place: int) -> int:
        """`X free` excludes X, with what is listed before it; `free of X` as well."""
        tokens = self.tokens
        following = tokens[place + 1].text if place + 1 < len(tokens) else ""
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
        start = self.thing_before(place)
        if start is None:
            if tokens[place].glued:
                self.properties.append((place - 1, place + 1))
            return place + 1
        items = [(start, place)]
        while start >= 2 and (tokens[start - 1].text in (*_LISTED, ",")):
            step = 2 if tokens[start - 1].text in _LISTED and tokens[start - 2].text == "," else 1
            earlier = self.thing_before(start - step)
            if earlier is None or any(place in self.taken for place in range(earlier, start)):
                break
            items.insert(0, (earlier, start - step))
            start = earlier
        self.excluding.append(Negation(start, place + 1, tuple(items), "free"))
        return place + 1

    def allergy(self, place: int) -> int | None:
        """`latex allergy`, `allergic to wool`."""
        following = self.tokens[place + 1].text if place + 1 < len(self.tokens) else ""
        if following == "to":
            return self.after(place, place + 2, "allergy")
        start = self.thing_before(place)
        if start is None:
            return None
        self.excluding.append(Negation(start, place + 1, ((start, place),), "allergy"))
        return place + 1

    def is_less(self, place: int) -> bool:
        """Tell whether a word like "clampless" lacks a thing that the catalogue knows."""
        key = self.keys[place]
        stem = self.tokens[place].text.removesuffix("less")
        if len(stem) < 3 or (key,) in self.known.values.meanings or key in self.known.partial:
            return False
        named = (stem,) in self.known.attributes.meanings or stem in self.known.unwanted
        return named or (stem,) in self.known.things.meanings

    def is_but(self, place: int) -> bool:
        """Tell whether "but" means except: "any colour but black", "all colors but red"."""
        before = [token.text for token in self.tokens[max(0, place - 4) : place]]
        return self.tokens[place].text == "but" and any(
            word in ("any", "anything", "all", "every", "everything") for word in before
        )

    # --- what a cue reaches

    def items(self, start: int, family: str) -> tuple[tuple[Span, ...], int]:
        """Return the nouns from a place on, and the place after the last."""
        place = start
        while place < len(self.tokens) and self.tokens[place].text in exact_words(
            "skipped after a cue"
        ):
            place += 1
        first = self.noun(place)
        if first is None:
            return (), start
        found = [first]
        while True:
            following = self.next_in_list(found, family)
            if following is None:
                break
            found.append(following)
        return tuple(found), found[-1][1]

    def next_in_list(self, found: Sequence[Span], family: str) -> Span | None:
        """Return the next noun that the same cue excludes, or None where its reach ends."""
        place = found[-1][1]
        if place >= len(self.tokens) - 1:
            return None
        sign = self.tokens[place].text
        if sign == "," and self.tokens[place + 1].text in _LISTED:
            place, sign = place + 1, self.tokens[place + 1].text
        if sign not in _LISTED and sign != ",":
            return None
        place += 1
        while place < len(self.tokens) and self.tokens[place].text in exact_words(
            "skipped after a cue"
        ):
            if self.tokens[place].text == "with":
                return None
            place += 1
        following = self.noun(place)
        if following is None or place >= len(self.tokens):
            return None
        words = range(*following)
        if any(self.tokens[word].text in cue_families() or word in self.taken for word in words):
            return None
        if following[1] < len(self.tokens) and self.tokens[following[1]].text == "free":
            return None
        if sign in ("or", "nor") or family == "neither":
            return following
        if not self.alike(found[0], following):
            return None
        if sign == ",":
            # A comma alone begins a new wish, unless the list is closed by "and" or "or".
            rest = [token.text for token in self.tokens[following[1] : following[1] + 4]]
            if not any(word in _LISTED for word in rest[:2]):
                return None
        return following

    def alike(self, one: Span, other: Span) -> bool:
        """Tell whether two nouns are things of one sort."""

        def sorts(span: Span) -> set[str]:
            found: set[str] = set()
            for place in range(*span):
                for section in ("parts", "substances", "colours", "materials"):
                    if shop_words(section).at(self.keys, place):
                        found.add("substances" if section == "materials" else section)
                values = self.known.values.at(self.keys, place)
                if values:
                    found |= {attribute for attribute, _ in values[1]}
                found |= set(self.known.partial.get(self.keys[place], ()))
            return found

        return bool(sorts(one) & sorts(other))

    def noun(self, place: int) -> Span | None:
        """Return the noun phrase at a place: what is known, or the next words."""
        tokens, keys = self.tokens, self.keys
        stop = place
        while (
            stop < len(tokens)
            and stop - place < 4
            and stop not in self.taken
            and tokens[stop].text not in stop_words()
            and tokens[stop].text not in _LISTED
            and tokens[stop].text != ","
            and (stop == place or tokens[stop].text not in exact_words("ends of a noun"))
        ):
            stop += 1
        if stop == place or not tokens[place].is_word:
            return None
        length = self.known.thing_at(keys, place) or self.known.product_at(keys, place)
        if not length:
            for later in range(place + 1, min(stop, place + 3)):
                length = self.thing(later)
                if length:
                    # "removable bottom", "glass beads": words before the thing belong to it.
                    return place, min(later + length, stop)
            single = self.thing(place) or stop - place > 2
            return place, (place + 1 if single else stop)
        end = min(place + length, stop)
        while end < stop and end - place < 3 and self.continues(end):
            end += 1
        return place, end

    def continues(self, place: int) -> bool:
        """Tell whether a word after a known thing still names it: "mesh liner", "drain hole"."""
        key = (self.keys[place],)
        other = ("colours", "materials", "audiences", "conditions", "fillers")
        if any(key in shop_words(section).meanings for section in other):
            return False
        return key in shop_words("parts").meanings

    # --- what speaks for and against an exclusion

    def accepts(self, place: int, items: Sequence[Span], family: str) -> bool:
        first = self.tokens[items[0][0]].text
        if self.unwanted(items):
            return True
        if (
            first in exact_words("people")
            or first in exact_words("not only")
            or self.tokens[items[0][0]].is_number
        ):
            return False
        headed = self.headed(place)
        thing = self.thing_in(items) if headed or self.request else self.stuff_in(items)
        if family in ("free of", "neither", "allergy"):
            return headed or thing or self.request
        if headed and family in ("without", "except"):
            return thing or not self.slogan(items[-1][1])
        if headed and thing:
            return True
        if headed and family == "not" and not self.spoken() and not self.slogan(0):
            return len(items) == 1
        if family == "except" and thing and self.known_product_within(items[0][0], 4):
            return not self.spoken()
        if self.request:
            return headed or thing or self.tokens[place + 1].text in ("a", "an", "too")
        if self.spoken() and not headed:
            return False
        if family == "from":
            return headed or (thing and place > 0)
        if family == "not":
            return self.chooses(place, items)
        return thing and place > 0 and self.tokens[0].text not in ("a", "an", "the")

    def chooses(self, place: int, items: Sequence[Span]) -> bool:
        """Tell whether "X not Y" chooses between two things, as "n95 not kn95 masks" does."""
        product = self.known_product_within(items[0][0], 4)
        before = any(
            self.thing(earlier) or any(character.isdigit() for character in self.keys[earlier])
            for earlier in range(place)
        )
        coded = any(character.isdigit() for character in self.keys[items[0][0]])
        thing = self.stuff_in(items)
        if self.slogan(items[-1][1] - 1):
            return False
        return (before and (thing or (coded and product))) or (place == 0 and thing and product)

    def before_product(self, place: int, items: tuple[Span, ...], family: str) -> tuple[Span, ...]:
        """Leave the product out of what is excluded: "no bluetooth mp3 player"."""
        if self.headed(place) or family not in ("no", "not", "neither", "except"):
            return items
        start, end = items[-1]
        for later in range(start + 1, end):
            length = self.known.product_at(self.keys, later)
            if length and later + length >= end:
                return (*items[:-1], (start, later))
        return items

    def headed(self, place: int) -> bool:
        """Tell whether the query names a product before a place."""
        return any(
            self.known.product_at(self.keys, earlier)
            for earlier in range(place)
            if earlier not in self.taken
            and earlier + self.known.product_at(self.keys, earlier) <= place
        )

    def known_product_within(self, start: int, count: int) -> bool:
        stop = min(len(self.keys), start + count)
        return any(self.known.product_at(self.keys, place) for place in range(start, stop))

    def slogan(self, start: int) -> bool:
        """Tell whether what follows is something that slogans are printed on."""
        places = range(max(start, 0), len(self.keys))
        return any(shop_words("slogan products").at(self.keys, place) for place in places)

    def spoken(self) -> bool:
        """Tell whether somebody speaks or is spoken to, as in titles and slogans."""
        if self.request:
            return False
        return any(
            token.text in exact_words("people") or token.text in exact_words("verbs of slogans")
            for token in self.tokens
        )

    def thing(self, place: int) -> int:
        """Return the length of a known thing; a word within a catalogue's values counts, too."""
        length = self.known.thing_at(self.keys, place)
        return length or int(self.keys[place] in self.known.partial)

    def unwanted(self, items: Sequence[Span]) -> bool:
        """Tell whether the words are known to be excluded."""
        return any(
            self.keys[place] in self.known.unwanted
            for start, end in items
            for place in range(start, end)
        )

    def thing_in(self, items: Sequence[Span]) -> bool:
        return any(
            self.thing(place) or self.known.product_at(self.keys, place)
            for start, end in items
            for place in range(start, end)
        )

    def stuff_in(self, items: Sequence[Span]) -> bool:
        """Like `thing_in`, but a product is no part of another one: "rebel without a suit"."""
        return any(self.thing(place) for start, end in items for place in range(start, end))

    def thing_before(self, end: int) -> int | None:
        """Return where the longest known thing that ends at a place begins."""
        for start in range(max(0, end - 3), end):
            if self.thing(start) == end - start and start not in self.taken:
                return start
        return None
