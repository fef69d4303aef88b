"""From phrases to conditions: which attribute a word belongs to, and what the query requires."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.constraints.parsing_aside import VERBS, follows_for, is_aside
from evalkit.constraints.parsing_text import keys_of, singular_noun
from evalkit.constraints.parsing_words import cue_families, shop_words, stop_words
from evalkit.constraints.structure import Condition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints.parsing_negation import Negation
    from evalkit.constraints.parsing_text import Token
    from evalkit.constraints.parsing_vocabulary import Vocabulary

__all__ = ["excluded_condition", "required_conditions"]

# Words that say which attribute is meant, whatever the catalogue.
_NAMED = {
    "colour": "colour", "coloured": "colour", "size": "size", "sized": "size", "fabric": "fabric",
    "flavour": "flavour", "flavoured": "flavour", "scent": "scent", "scented": "scent",
    "pattern": "pattern", "brand": "brand",
}  # fmt: skip
_UNITS = frozenset(
    [
        "inch",
        "inche",
        "in",
        "cm",
        "mm",
        "m",
        "ft",
        "foot",
        "feet",
        "yard",
        "meter",
        "metre",
        "oz",
        "ounce",
        "lb",
        "lbs",
        "pound",
        "kg",
        "g",
        "gram",
        "ml",
        "l",
        "litre",
        "liter",
        "gallon",
        "quart",
        "count",
        "ct",
        "pack",
        "pc",
        "pcs",
        "piece",
        "panel",
        "w",
        "watt",
        "v",
        "volt",
        "a",
        "amp",
        "mah",
        "gb",
        "tb",
        "mb",
        "hz",
        "ghz",
        "mp",
        "year",
        "month",
        "day",
        "hour",
        "min",
        "k",
        "cu",
        "sq",
        "percent",
        "%",
        '"',
        "'",
        "”",
        "x",
        "by",
        "spf",
    ]
)
_JOINS = frozenset(("x", "by", "-", "/", "cu", "sq", "fl", '"', "'", "to"))


def excluded_condition(
    tokens: Sequence[Token],
    item: tuple[int, int],
    negation: Negation,
    known: Vocabulary,
    kinds: Sequence[str],
) -> Condition:
    """Return what an excluded phrase says, with the catalogue's attribute where it has one."""
    words = list(tokens[item[0] : item[1]])
    if negation.family == "less":
        stem = words[0].text.removesuffix("less")
        return Condition(_attribute_named((stem,), known) or stem)
    text = _phrase(words)
    keys = tuple(token.key for token in words)
    brand = known.brands.meanings.get(keys)
    if brand is not None:
        return Condition("brand", (brand.lower(),))
    attribute = _attribute_named(keys, known)
    if attribute is not None and (known.catalogue is None or _stated(attribute, known, kinds)):
        return Condition(attribute)
    if len(keys) > 1 and keys[-1] in _NAMED:
        return Condition(_own_name(_NAMED[keys[-1]], known), (_phrase(words[:-1]),))
    near = _attribute_before(tokens, item[0], known)
    if near is None and negation.named is not None:
        near = _own_name(_NAMED.get(negation.named, negation.named), known)
    pair = _value(keys, known, kinds, near)
    if pair is not None:
        return Condition(pair[0], (pair[1],))
    if negation.named is not None:
        return Condition(near, (text,))
    if len(keys) > 1:
        attribute = _attribute_named(keys[-1:], known)
        if attribute is not None and _stated(attribute, known, kinds):
            return Condition(attribute, (_phrase(words[:-1]),))
        whole = [key for key in keys if key in known.partial or (key,) in known.values.meanings]
        found = _value(tuple(whole[-1:]), known, kinds, near) if whole else None
        if found is not None:
            # "battery powered" is a battery, "fake leather" is something else than leather.
            exact = keys[0] == whole[-1] and keys[-1] not in known.partial
            return Condition(found[0], (found[1] if exact else text,))
    return Condition(None, (text,))


def required_conditions(
    tokens: Sequence[Token],
    taken: frozenset[int],
    properties: Sequence[tuple[int, int]],
    known: Vocabulary,
    kinds: Sequence[str],
    *,
    only_known: bool,
) -> tuple[Condition, ...]:
    """Return what the rest of the query requires.

    Args:
        tokens: of the query.
        taken: tokens that say something else.
        properties: phrases that are properties as they stand ("cruelty free").
        known: the words of the catalogue.
        kinds: the kinds asked for; they decide between attributes.
        only_known: leave out words that the catalogue does not know.
    """
    keys = [token.key for token in tokens]
    found: list[Condition] = []
    starts = dict(properties)
    foreign = only_known and bool(kinds) and not known.known_kinds(kinds)
    place = 0
    while place < len(tokens):
        if place in taken or (not tokens[place].is_word and not tokens[place].is_number):
            place += 1
            continue
        if place in starts:
            found.append(Condition(None, (_phrase(tokens[place : starts[place]], False),)))
            place = starts[place]
            continue
        length, condition = _condition(tokens, keys, place, taken, known, kinds)
        if foreign and condition is not None and condition.attribute != "brand":
            # what colour has green tea where no tea is sold? the attribute is of other things
            condition = Condition(None, condition.values) if condition.values else None
        if condition is not None and (not only_known or condition.attribute is not None):
            found.append(condition)
        place += length
    said = {condition.attribute for condition in found if condition.values}
    # "speakers built in" says more than that it has speakers.
    found = [item for item in found if item.values or item.attribute not in said]
    return tuple(dict.fromkeys(found))


def _condition(
    tokens: Sequence[Token],
    keys: list[str],
    place: int,
    taken: frozenset[int],
    known: Vocabulary,
    kinds: Sequence[str],
) -> tuple[int, Condition | None]:
    """Return how many words a condition takes, and the condition."""
    brand = known.brands.at(keys, place)
    longer = known.values.at(keys, place)
    if brand is not None and (longer is None or longer[0] <= brand[0]):
        if follows_for(tokens, place):
            # "case for orbix": what it is used with, and who made it is open
            pair = _value(tuple(keys[place : place + brand[0]]), known, kinds, None)
            used_with = pair is not None and pair[0] not in ("brand", "manufacturer")
            return brand[0], Condition(pair[0], (pair[1],)) if pair and used_with else None
        return brand[0], Condition("brand", (brand[1].lower(),))
    named = _named(tokens, keys, place, taken, known)
    if named is not None:
        return named
    values, attribute = known.values.at(keys, place), known.attributes.at(keys, place)
    phrase = shop_words("conditions").at(keys, place)
    if phrase is not None and phrase[0] > max(
        (match[0] for match in (values, attribute) if match is not None), default=0
    ):
        # "milk frother" is not the attribute milk; but "oily skin" is the value oily.
        whole = tuple(keys[place : place + values[0]]) if values is not None else ()
        near = _attribute_after(tokens, place + len(whole), known)
        exact = _value(whole, known, kinds, near) if whole else None
        if exact is not None and keys_of(exact[1]) == whole and whole in known.values.meanings:
            return phrase[0], Condition(exact[0], (exact[1],))
        return phrase[0], Condition(None, (_phrase(tokens[place : place + phrase[0]]),))
    length = values[0] if values is not None else int(keys[place] in known.partial)
    if length and is_aside(tokens, place, place + length, known, kinds):
        return length + int(place + length < len(tokens) and tokens[place + length].glued), None
    if values is not None and (attribute is None or attribute[0] < values[0]):
        words = tuple(keys[place : place + values[0]])
        near = _attribute_before(tokens, place, known) or (
            _attribute_after(tokens, place + values[0], known)
        )
        pair = _value(words, known, kinds, near)
        if pair is not None:
            return values[0], Condition(pair[0], (pair[1],))
        return values[0], Condition(None, (_phrase(tokens[place : place + values[0]]),))
    if attribute is not None:
        # The word names an attribute, and may be a value of another that the kind states.
        words = tuple(keys[place : place + attribute[0]])
        own = attribute[1] if _stated(attribute[1], known, kinds) else None
        pair = None if own is not None else _value(words, known, kinds, None)
        if own is not None or pair is not None:
            found = Condition(own) if pair is None else Condition(pair[0], (pair[1],))
            return attribute[0], found
        if keys[place] in VERBS and attribute[0] == 1:
            return 1, None
        return attribute[0], Condition(None, (_phrase(tokens[place : place + attribute[0]]),))
    if tokens[place].is_number:
        return _measure(tokens, keys, place, taken)
    if keys[place] in known.partial:
        pair = _value((keys[place],), known, kinds, None)
        if pair is not None:
            return 1, Condition(pair[0], (pair[1],))
    colour = shop_words("colours").at(keys, place) or shop_words("materials").at(keys, place)
    if colour is not None:
        return colour[0], Condition(None, (_phrase(tokens[place : place + colour[0]]),))
    if tokens[place].text in stop_words() or tokens[place].text in cue_families():
        return 1, None
    if keys[place] in VERBS:
        return 1, None
    if any((word,) in shop_words(section).meanings for word in (keys[place], tokens[place].text)
           for section in ("fillers", "needs")):  # fmt: skip
        return 1, None
    return 1, Condition(None, (_phrase(tokens[place : place + 1]),))


def _named(
    tokens: Sequence[Token],
    keys: list[str],
    place: int,
    taken: frozenset[int],
    known: Vocabulary,
) -> tuple[int, Condition] | None:
    """Read "size 9", "navy blue color", "color: red"."""

    def filler(at: int) -> bool:
        return (keys[at],) in shop_words("fillers").meanings or tokens[at].text in stop_words()

    end = place
    while end < len(tokens) and end - place < 3 and end not in taken and not filler(end) and (
        tokens[end].is_word and keys[end] not in _NAMED
    ):  # fmt: skip
        end += 1
    if place < end < len(tokens) and keys[end] in _NAMED and end not in taken:
        colour = shop_words("colours").at(keys, place)
        single = end - place == 1 or (colour is not None and place + colour[0] == end)
        if single or _NAMED[keys[end]] == "colour":
            name = _own_name(_NAMED[keys[end]], known)
            return end - place + 1, Condition(name, (_phrase(tokens[place:end]),))
    if keys[place] in ("size", "colour", "brand", "flavour") and place + 1 < len(tokens):
        start = place + 1
        while start < len(tokens) and tokens[start].text in (":", "of", "is"):
            start += 1
        if start < len(tokens) and start not in taken and tokens[start].is_word:
            length = 1
            if tokens[start].is_number:
                length = _measure(tokens, keys, start, taken)[0]
            phrase = _phrase(tokens[start : start + length], False)
            return start + length - place, Condition(_own_name(_NAMED[keys[place]], known),
                                                     (phrase,))  # fmt: skip
    return None


def _measure(
    tokens: Sequence[Token], keys: list[str], place: int, taken: frozenset[int]
) -> tuple[int, Condition]:
    """Join a number with its units and factors: "11 x 24 inches"."""
    end = place + 1
    while end < len(tokens) and end not in taken and (
        keys[end] in _UNITS or tokens[end].text in _JOINS
        or (tokens[end].is_number and tokens[end - 1].text in _JOINS)
    ):  # fmt: skip
        end += 1
    while end > place + 1 and tokens[end - 1].text in ("by", "to", "-", "/", "x", "in", "a"):
        end -= 1
    return end - place, Condition(None, (_phrase(tokens[place:end]),))


def _stated(attribute: str, known: Vocabulary, kinds: Sequence[str]) -> bool:
    """Tell whether products of the kinds state an attribute."""
    return known.attribute_of({attribute: ()}, known.known_kinds(kinds)) is not None


def _attribute_named(keys: tuple[str, ...], known: Vocabulary) -> str | None:
    return known.attributes.meanings.get(keys)


def _attribute_before(tokens: Sequence[Token], place: int, known: Vocabulary) -> str | None:
    """Return the attribute named right before a cue: "in any colour but black"."""
    for start in range(max(0, place - 2), place):
        keys = tuple(token.key for token in tokens[start:place])
        found = _attribute_named(keys, known)
        if found is not None:
            return found
    return None


def _attribute_after(tokens: Sequence[Token], place: int, known: Vocabulary) -> str | None:
    """Return the attribute named right after a value: "rubber sole", but not "20 w power bank"."""
    if place < len(tokens) and known.product_at([token.key for token in tokens], place) > 1:
        return None
    return _attribute_named(tuple(token.key for token in tokens[place : place + 1]), known)


def _own_name(name: str, known: Vocabulary) -> str:
    """Return the catalogue's name of an attribute that is named in other words."""
    return known.attributes.meanings.get(keys_of(name), name)


def _value(
    keys: tuple[str, ...], known: Vocabulary, kinds: Sequence[str], near: str | None
) -> tuple[str, str] | None:
    """Return attribute and value of a phrase that the catalogue's values state, or hold."""
    full = dict(reversed(known.values.meanings.get(keys, ())))
    places: dict[str, list[int]] = {}
    if known.catalogue is not None:
        for name, value in full.items():
            places[name] = [known.catalogue.attributes[name].values.index(value)]
    for name, inside in (known.partial.get(keys[0], {}) if len(keys) == 1 else {}).items():
        places[name] = places.get(name, []) + inside
    if near in places:
        chosen: str | None = near
    else:
        own = known.known_kinds(kinds)
        chosen = known.attribute_of(places, own)
        if chosen is not None and known.in_doubt(keys, chosen, places[chosen], own):
            return None
    if chosen is None:
        return None
    return chosen, full.get(chosen, " ".join(keys))


def _phrase(tokens: Sequence[Token], as_noun: bool = True) -> str:
    """Return the words of tokens; a hyphen stands where the query has one."""
    text = ""
    for before, token in zip((None, *tokens), tokens, strict=False):
        close = before is not None and before.end == token.start
        gap = "-" if token.glued else "" if close else " "
        text += f"{gap if text else ''}{token.text}"
    if as_noun and tokens and tokens[-1].text.isalpha():
        text = _singular_noun(text, tokens[-1])
    return re.sub(r"\s+", " ", text)


def _singular_noun(text: str, last: Token) -> str:
    """Put the last word into the singular, in the query's own spelling."""
    word = singular_noun(last.text)
    # Words with a plural of their own stay as they are: "mens" is no "man".
    return text.removesuffix(last.text) + (word if last.text.startswith(word[:3]) else last.text)
