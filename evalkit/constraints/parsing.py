"""From the words of a query to its structure: a seam, and a parser by rules.

The rules look for price clauses first, then for a reference, then for what is excluded; what is
left names the kind, the conditions and the need. With a catalogue its own words come first:
"without polyurethane" becomes the attribute material. See `parsing_negation` for what excludes and
what does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evalkit.constraints.parsing_conditions import excluded_condition, required_conditions
from evalkit.constraints.parsing_kinds import find_kinds
from evalkit.constraints.parsing_need import find_need
from evalkit.constraints.parsing_negation import Negations, find_negations
from evalkit.constraints.parsing_price import Prices, find_prices
from evalkit.constraints.parsing_query import is_request
from evalkit.constraints.parsing_reference import Wish, cue_spans, find_reference, with_product
from evalkit.constraints.parsing_text import Token, tokenise
from evalkit.constraints.parsing_vocabulary import Vocabulary
from evalkit.constraints.parsing_words import stop_words
from evalkit.constraints.structure import Condition, QueryType, Structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalkit.knowledge.catalogue import Catalogue
    from evalkit.knowledge.graph import Graph

__all__ = ["Parser", "Reading", "RuleParser", "read_query"]


class Parser(Protocol):
    """Anything that understands queries."""

    def parse(self, queries: Sequence[str]) -> list[Structure]:
        """Return the structure of every query, in order."""
        ...


@dataclass(frozen=True)
class Reading:
    """Where a query says what, before it becomes a structure.

    Attributes:
        query: as it was given.
        tokens: its words.
        prices: what is said about the price.
        wish: the reference, if any.
        negations: what is excluded, and properties that look like it.
    """

    query: str
    tokens: tuple[Token, ...]
    prices: Prices
    wish: Wish | None
    negations: Negations

    def inside(self, spans: Sequence[tuple[int, int]]) -> frozenset[int]:
        """Return the tokens that lie in spans of characters."""
        return frozenset(
            place
            for place, token in enumerate(self.tokens)
            if any(token.start < end and start < token.end for start, end in spans)
        )

    @property
    def negated(self) -> frozenset[int]:
        """Tokens of exclusions, with their cues."""
        return frozenset(
            place
            for negation in self.negations.excluding
            for place in range(negation.start, negation.end)
        )

    @property
    def taken(self) -> frozenset[int]:
        """Tokens that speak of the price, the reference or an exclusion."""
        spans = self.prices.spans
        if self.wish is not None:
            spans = (*spans, *self.wish.spans, *cue_spans(self.query))
        return self.inside(spans) | self.negated


def read_query(query: str, known: Vocabulary) -> Reading:
    """Find the price clauses, the reference and the exclusions of a query."""
    tokens = tokenise(query)
    prices = find_prices(query)
    wish = find_reference(query, tokens, known)
    first = Reading(query, tokens, prices, wish, Negations((), ()))
    return Reading(query, tokens, prices, wish, find_negations(tokens, known, first.taken))


class RuleParser:
    """Understands queries by rules; deterministic, no model.

    Example:
        >>> found = RuleParser().parse(["black leather belt without buckle under $30"])[0]
        >>> found.query_type, found.kinds, found.price_max
        ('negative', ('belt',), 30.0)
        >>> found.excluded
        (Condition(attribute=None, values=('buckle',)),)
    """

    def __init__(self, catalogue: Catalogue | None = None, graph: Graph | None = None) -> None:
        """Index the catalogue's words; without one, only the package's lists are known."""
        self.known = (
            Vocabulary() if catalogue is None else Vocabulary.of_catalogue(catalogue, graph)
        )

    def parse(self, queries: Sequence[str]) -> list[Structure]:
        """Return the structure of every query, in order."""
        return [self._parse(query) for query in queries]

    def _parse(self, query: str) -> Structure:
        known = self.known
        reading = read_query(query, known)
        kinds, used = find_kinds(
            reading.tokens, known, reading.taken,
            guess=bool(reading.negations.excluding) or is_request(reading.tokens),
        )  # fmt: skip
        excluded = _distinct(
            excluded_condition(reading.tokens, item, negation, known, kinds)
            for negation in reading.negations.excluding
            for item in negation.items
        )
        reference = reading.wish.reference if reading.wish is not None else None
        if reference is not None:
            reference = with_product(reference, kinds, known)
        need = find_need(query, reading.tokens, kinds, reading.negated)
        if need is not None and _last(reading.tokens, need, 0) <= reading.inside(
            reading.prices.spans
        ):
            need = None  # "does any case fit it for less than 20"
        if reading.negations.idle and known.catalogue is None and "?" not in query:
            need = None  # a title is no question: "why not me"
        query_type: QueryType = "general"
        # A child with an allergy is a reason, not a wish: then the need is what is asked for.
        soft = {negation.family for negation in reading.negations.excluding} == {"allergy"}
        if excluded and not (soft and need is not None):
            query_type = "negative"
        elif reference is not None:
            query_type = "alternative"
        elif need is not None:
            query_type = "knowledge"
        # The words of a title or a slogan are no conditions.
        title = reading.negations.idle > 0 and not excluded and not is_request(reading.tokens)
        taken = reading.taken | used | _replaced(reading.tokens, used)
        named = kinds
        if query_type == "knowledge":
            # A need is no condition; only words before it are.
            taken |= _last(reading.tokens, need or "")
            if known.catalogue is not None:
                taken |= _apart(reading.tokens, used)
                # what one has and complains of is not what one looks for: "my shoe falls apart"
                kinds = () if _own(reading.tokens, used) else known.known_kinds(kinds)
        required = required_conditions(
            reading.tokens, taken, reading.negations.properties, known, named,
            only_known=query_type == "knowledge" or title,
        )  # fmt: skip
        return Structure(
            query_type,
            kinds,
            required,
            excluded,
            reading.prices.highest,
            reading.prices.lowest,
            reading.prices.share,
            reference,
            need if query_type == "knowledge" else None,
        )


def _last(tokens: Sequence[Token], text: str, more: int = 1) -> frozenset[int]:
    """Return the tokens at the end of a query that a text is made of, and some before them."""
    count = len(tokenise(text)) + more
    return frozenset(range(max(0, len(tokens) - count), len(tokens)))


def _beside(tokens: Sequence[Token], used: frozenset[int]) -> tuple[int, int]:
    """Return the stretch of words around a kind that nothing parts from it; first, after last."""
    if not used:
        return 0, 0

    def parts(token: Token) -> bool:
        return not token.is_word or token.text in stop_words()

    start, end = min(used), max(used) + 1
    while start and not parts(tokens[start - 1]):
        start -= 1
    while end < len(tokens) and not parts(tokens[end]):
        end += 1
    return start, end


def _apart(tokens: Sequence[Token], used: frozenset[int]) -> frozenset[int]:
    """Return the tokens that do not stand beside the kind; all where there is none."""
    start, end = _beside(tokens, used)
    return frozenset(place for place in range(len(tokens)) if not start <= place < end)


def _own(tokens: Sequence[Token], used: frozenset[int]) -> bool:
    """Tell whether the kind is something that somebody has: "my shoe", "in her old coat"."""
    start, _ = _beside(tokens, used)
    before = tokens[start : min(used)] if used else ()
    return any(token.text in ("my", "our", "her", "his", "their") for token in before)


def _replaced(tokens: Sequence[Token], used: frozenset[int]) -> frozenset[int]:
    """Return the words before a kind that names what shall be replaced: "oat milk alternative"."""
    names = ("alternative", "alternatives", "substitute", "substitutes", "replacement")
    last = max(used) if used else len(tokens)
    if not any(token.text in names for token in tokens[last : last + 2]):
        return frozenset()
    return frozenset(range(_beside(tokens, used)[0], min(last + 2, len(tokens))))


def _distinct(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    return tuple(dict.fromkeys(conditions))
