"""Which kinds of product a query asks for."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from evalkit.constraints.parsing_text import keys_of
from evalkit.constraints.parsing_words import shop_words, stop_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.constraints.parsing_text import Token
    from evalkit.constraints.parsing_vocabulary import Vocabulary

__all__ = ["find_kinds"]

_PARTING = frozenset((",", "and", "&"))
_MOST_KINDS = 3000  # compared one by one for misspelt words
_LEAST_LETTERS = 6


def find_kinds(
    tokens: Sequence[Token], known: Vocabulary, taken: frozenset[int], *, guess: bool = False
) -> tuple[tuple[str, ...], frozenset[int]]:
    """Return the kinds and the tokens that name them.

    It is the last product of the first stretch of words that has one: "wall charger" in "wall
    charger for a phone". Words of the catalogue come first. With `guess`, it is the last noun of
    the first stretch where no product is known.
    """
    keys = [token.key for token in tokens]
    found = _search(tokens, keys, known, taken)
    if found is not None:
        return found
    close = _misspelt(tokens, keys, known, taken)
    if close is None and guess and known.catalogue is None:
        close = _last_noun(tokens, keys, taken)
    return close or ((), frozenset())


def _search(
    tokens: Sequence[Token], keys: list[str], known: Vocabulary, taken: frozenset[int]
) -> tuple[tuple[str, ...], frozenset[int]] | None:
    best: tuple[int, int, tuple[str, ...]] | None = None
    own = aside = False
    place = 0
    while place < len(tokens):
        text = tokens[place].text
        if text in ("with", "plus"):
            # What comes with a product is not what is asked for.
            aside = True
        elif not tokens[place].is_word:
            aside = False
        if place in taken or aside or text in stop_words() or text in _PARTING:
            if best is not None and place not in taken:
                break
            place += 1
            continue
        listed = shop_words("products").at(keys, place)
        listed = listed or shop_words("slogan products").at(keys, place)
        phrase = shop_words("conditions").at(keys, place)
        if phrase is not None and phrase[0] > (listed[0] if listed is not None else 0):
            place += phrase[0]  # "plant based" is no plant
            continue
        found = known.kinds.at(keys, place)
        if found is not None and listed is not None and listed[0] > found[0]:
            # "phone stand" is no phone, though the catalogue has phones and no stands
            found = None
        length, names = found or ((listed[0], (listed[1],)) if listed is not None else (0, ()))
        if not length or any(item in taken for item in range(place, place + length)):
            place += 1
            continue
        if best is not None and names == best[2]:
            pass  # "jumper roll neck": the first word for it stays
        elif found is not None or not own:
            best, own = (place, length, names), found is not None
        place += length
    if best is None:
        return None
    start, length, names = best
    return names, frozenset(range(_head(keys, known, start, length, names), start + length))


def _head(
    keys: list[str], known: Vocabulary, start: int, length: int, names: tuple[str, ...]
) -> int:
    """Return where the kind itself begins: "leather jacket" is a jacket of leather."""
    phrase = tuple(keys[start : start + length])
    last = start + length - 1
    if length > 1 and names and phrase not in {keys_of(name) for name in names}:
        named = known.kinds.meanings.get((keys[last],))
        if named is not None:
            return last
    return start


def _last_noun(
    tokens: Sequence[Token], keys: list[str], taken: frozenset[int]
) -> tuple[tuple[str, ...], frozenset[int]] | None:
    """Return the last word of the first stretch that could name a product nobody listed."""
    passed = ("fillers", "colours", "materials", "audiences", "conditions")
    best: int | None = None
    for place, token in enumerate(tokens):
        if place in taken or token.text in stop_words() or token.text in _PARTING:
            if best is not None:
                break
            continue
        known = any((keys[place],) in shop_words(section).meanings for section in passed)
        if token.text.isalpha() and len(token.text) > 2 and not known and (
            (token.text,) not in shop_words("fillers").meanings
        ):  # fmt: skip
            best = place
    return None if best is None else ((keys[best],), frozenset((best,)))


def _misspelt(
    tokens: Sequence[Token], keys: list[str], known: Vocabulary, taken: frozenset[int]
) -> tuple[tuple[str, ...], frozenset[int]] | None:
    single = {words[0]: kinds for words, kinds in known.kinds.meanings.items() if len(words) == 1}
    if not single or len(single) > _MOST_KINDS:
        return None
    for place, key in enumerate(keys):
        if place in taken or len(key) < _LEAST_LETTERS or known.thing_at(keys, place):
            continue
        close = get_close_matches(key, list(single), n=1, cutoff=0.88)
        if close:
            return single[close[0]], frozenset((place,))
    return None
