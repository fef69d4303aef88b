"""The words of one query: which name things and products, who speaks, what is printed.

Negations ask this before they exclude anything; whether a query is a request is of use elsewhere,
too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from evalkit.constraints.parsing_words import exact_words, shop_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.constraints.parsing_text import Token
    from evalkit.constraints.parsing_vocabulary import Vocabulary

__all__ = ["QueryWords", "Span", "is_request"]

Span = tuple[int, int]


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


@dataclass(frozen=True)
class QueryWords:
    """A query beside what is known.

    Attributes:
        tokens: of the query.
        known: what is a thing.
        taken: tokens that say something else already (price, reference).
    """

    tokens: Sequence[Token]
    known: Vocabulary
    taken: frozenset[int] = frozenset()

    @cached_property
    def keys(self) -> list[str]:
        """The words in the form for comparing."""
        return [token.key for token in self.tokens]

    @cached_property
    def request(self) -> bool:
        """Whether it begins like a request to a person."""
        return is_request(self.tokens)

    def text(self, place: int) -> str:
        """Return a word as it was typed; "" after the last."""
        return self.tokens[place].text if place < len(self.tokens) else ""

    def thing(self, place: int) -> int:
        """Return the length of a known thing; a word within a catalogue's values counts, too."""
        length = self.known.thing_at(self.keys, place)
        return length or int(self.keys[place] in self.known.partial)

    def thing_before(self, end: int) -> int | None:
        """Return where the longest known thing that ends at a place begins."""
        for start in range(max(0, end - 3), end):
            if self.thing(start) == end - start and start not in self.taken:
                return start
        return None

    def stuff_in(self, items: Sequence[Span]) -> bool:
        """Like `thing_in`, but a product is no part of another one: "rebel without a suit"."""
        return any(self.thing(place) for place in _places(items))

    def thing_in(self, items: Sequence[Span]) -> bool:
        """Tell whether a thing or a product is named."""
        return self.stuff_in(items) or any(
            self.known.product_at(self.keys, place) for place in _places(items)
        )

    def unwanted(self, items: Sequence[Span]) -> bool:
        """Tell whether the words are known to be excluded."""
        return any(self.keys[place] in self.known.unwanted for place in _places(items))

    def headed(self, place: int) -> bool:
        """Tell whether the query names a product before a place."""
        return any(
            self.known.product_at(self.keys, earlier)
            for earlier in range(place)
            if earlier not in self.taken
            and earlier + self.known.product_at(self.keys, earlier) <= place
        )

    def known_product_within(self, start: int, count: int) -> bool:
        """Tell whether a product begins among the next words."""
        stop = min(len(self.keys), start + count)
        return any(self.known.product_at(self.keys, place) for place in range(start, stop))

    def slogan(self, start: int) -> bool:
        """Tell whether what follows is something that slogans are printed on."""
        places = range(max(start, 0), len(self.keys))
        return any(shop_words("slogan products").at(self.keys, place) for place in places)

    def spoken(self) -> bool:
        """Tell whether somebody speaks or is spoken to, as in titles and slogans."""
        return not self.request and any(
            token.text in exact_words("people") or token.text in exact_words("verbs of slogans")
            for token in self.tokens
        )


def _places(spans: Sequence[Span]) -> Iterator[int]:
    return (place for start, end in spans for place in range(start, end))
