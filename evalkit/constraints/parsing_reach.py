"""What a cue of negation reaches: the nouns after it or before it, and where their list ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.constraints.parsing_words import cue_families, exact_words, shop_words, stop_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints.parsing_query import QueryWords, Span

__all__ = ["nouns_after", "nouns_before", "without_product"]

_LISTED = frozenset(("and", "or", "nor", "&", "/"))


def nouns_after(words: QueryWords, start: int, family: str) -> tuple[Span, ...]:
    """Return the nouns from a place on that a cue of a family reaches."""
    found: list[Span] = []
    following = _noun(words, _skip(words, start))
    while following is not None:
        found.append(following)
        following = _next_in_list(words, found, family)
    return tuple(found)


def nouns_before(words: QueryWords, end: int) -> tuple[Span, ...]:
    """Return the known thing that ends at a place, after those listed before it; () without one."""
    start = words.thing_before(end)
    if start is None:
        return ()
    items = [(start, end)]
    while start >= 2 and words.text(start - 1) in (*_LISTED, ","):
        closed = words.text(start - 1) in _LISTED and words.text(start - 2) == ","
        stop = start - (2 if closed else 1)
        earlier = words.thing_before(stop)
        if earlier is None or not words.taken.isdisjoint(range(earlier, start)):
            break
        items.insert(0, (earlier, stop))
        start = earlier
    return tuple(items)


def without_product(
    words: QueryWords, place: int, items: tuple[Span, ...], family: str
) -> tuple[Span, ...]:
    """Leave the product out of what is excluded: "no bluetooth mp3 player"."""
    if words.headed(place) or family not in ("no", "not", "neither", "except"):
        return items
    start, end = items[-1]
    for later in range(start + 1, end):
        length = words.known.product_at(words.keys, later)
        if length and later + length >= end:
            return (*items[:-1], (start, later))
    return items


def _skip(words: QueryWords, place: int) -> int:
    while words.text(place) in exact_words("skipped after a cue") and (
        words.known.thing_at(words.keys, place) < 2  # "very warm" is a value of its own
    ):
        place += 1
    return place


def _next_in_list(words: QueryWords, found: Sequence[Span], family: str) -> Span | None:
    """Return the next noun that the same cue excludes, or None where its reach ends."""
    place = found[-1][1]
    if place >= len(words.tokens) - 1:
        return None
    sign = words.tokens[place].text
    if sign == "," and words.tokens[place + 1].text in _LISTED:
        place, sign = place + 1, words.tokens[place + 1].text
    if sign not in _LISTED and sign != ",":
        return None
    first = _skip(words, place + 1)
    if "with" in map(words.text, range(place + 1, first)):
        return None
    following = _noun(words, first)
    if following is None:
        return None
    places = range(*following)
    if any(words.text(at) in cue_families() or at in words.taken for at in places):
        return None
    if words.text(following[1]) == "free":
        return None
    if sign in ("or", "nor") or family == "neither":
        return following
    if not _alike(words, found[0], following):
        return None
    if sign == ",":
        # A comma alone begins a new wish, unless the list is closed by "and" or "or".
        rest = [token.text for token in words.tokens[following[1] : following[1] + 4]]
        if not any(word in _LISTED for word in rest[:2]):
            return None
    return following


def _alike(words: QueryWords, one: Span, other: Span) -> bool:
    """Tell whether two nouns are things of one sort."""

    def sorts(span: Span) -> set[str]:
        found: set[str] = set()
        for place in range(*span):
            for section in ("parts", "substances", "colours", "materials"):
                if shop_words(section).at(words.keys, place):
                    found.add("substances" if section == "materials" else section)
            values = words.known.values.at(words.keys, place)
            if values:
                found |= {attribute for attribute, _ in values[1]}
            found |= set(words.known.partial.get(words.keys[place], ()))
            if words.known.brands.at(words.keys, place):
                found.add("brand")
        return found

    return bool(sorts(one) & sorts(other))


def _noun(words: QueryWords, place: int) -> Span | None:
    """Return the noun phrase at a place: what is known, or the next words."""
    tokens, keys = words.tokens, words.keys
    stop = place
    while (
        stop < len(tokens)
        and stop - place < 4
        and stop not in words.taken
        and tokens[stop].text not in stop_words()
        and tokens[stop].text not in _LISTED
        and tokens[stop].text != ","
        and (stop == place or tokens[stop].text not in exact_words("ends of a noun"))
    ):
        stop += 1
    if stop == place or not tokens[place].is_word:
        return None
    length = words.known.thing_at(keys, place) or words.known.product_at(keys, place)
    if not length:
        for later in range(place + 1, min(stop, place + 3)):
            length = words.thing(later)
            if length:
                # "removable bottom", "glass beads": words before the thing belong to it.
                return place, min(later + length, stop)
        single = words.thing(place) or stop - place > 2
        return place, (place + 1 if single else stop)
    end = min(place + length, stop)
    while end < stop and end - place < 3 and _continues(words, end):
        end += 1
    return place, end


def _continues(words: QueryWords, place: int) -> bool:
    """Tell whether a word after a known thing still names it: "mesh liner", "drain hole"."""
    key = (words.keys[place],)
    other = ("colours", "materials", "audiences", "conditions", "fillers")
    if any(key in shop_words(section).meanings for section in other):
        return False
    return key in shop_words("parts").meanings
