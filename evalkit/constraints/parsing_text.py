"""Words of a query with their places, and the form in which words are compared.

Hyphens part words ("non-pvc" is "non" and "pvc"), so that a phrase is found however it is written.
Only one that begins a word stays, as search engines read it: "jacket -leather".
The form for comparing is singular and has one spelling; what a parser returns are the query's own
words.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "SIGNS",
    "Token",
    "keys_of",
    "plain",
    "singular",
    "singular_noun",
    "tokenise",
    "words_between",
]

_WORD = re.compile(
    r"[$€£]\s?\d+(?:[.,]\d+)*|\d+/\d+|"
    r"\d+(?:[.,]\d+)*(?=(?:mah|wh|gb|tb|mb|ml|cl|cm|mm|kg|lbs?|oz|inch|in|ft|hz|ghz|mp|[lmgwv])\b)|"
    r"\d+(?:[.,]\d+)*[^\W\d_]*|w/o|[^\W_]+(?:['&][^\W_]+)*|[^\w\s]"
)
SIGNS = ("-", "!")  # right before a word, and not after another, they exclude it
_SIGN = re.compile(r"(?<!\S)[-!](?=[^\W\d_]|\"\s?[^\W_])")
_THOUSANDS = re.compile(r",(?=\d{3}\b)")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "“": '"', "”": '"', "–": "-", "—": "-"})
_IRREGULAR = {
    "men": "man", "women": "woman", "mens": "man", "womens": "woman", "men's": "man",
    "women's": "woman", "children": "child", "childrens": "child", "feet": "foot",
    "teeth": "tooth", "mice": "mouse", "knives": "knife", "shelves": "shelf", "scarves": "scarf",
    "leaves": "leaf", "loaves": "loaf", "halves": "half", "wolves": "wolf", "shoes": "shoe",
    "aches": "ache", "lens": "lens", "jeans": "jeans", "series": "series", "gas": "gas",
    "iris": "iris", "plus": "plus", "canvas": "canvas", "christmas": "christmas",
    "always": "always", "movies": "movie", "cookies": "cookie", "hoodies": "hoodie",
    "beanies": "beanie", "onesies": "onesie", "smoothies": "smoothie", "undies": "undie",
    "selfies": "selfie", "brownies": "brownie", "veggies": "veggie",
}  # fmt: skip
_SPELLINGS = {
    "aluminum": "aluminium", "color": "colour", "colored": "coloured", "flavor": "flavour",
    "flavored": "flavoured", "gray": "grey", "fiber": "fibre", "odor": "odour",
    "sulfate": "sulphate", "sulfite": "sulphite", "moisturizer": "moisturiser", "hoody": "hoodie",
    "mold": "mould",
    "jewelry": "jewellery", "pajama": "pyjama", "canceling": "cancelling", "doughnut": "donut",
    "gelatine": "gelatin", "soya": "soy",
    "silicon": "silicone",
}  # fmt: skip


@dataclass(frozen=True)
class Token:
    """A word or sign of a query.

    Attributes:
        text: lower case.
        key: singular, in one spelling; for comparing.
        start: place of its first character in the query.
        end: place after its last character.
        capital: it begins with a capital in a query that is not all capitals.
        glued: a hyphen stands before it ("free" of "leather-free").
    """

    text: str
    key: str
    start: int
    end: int
    capital: bool = False
    glued: bool = False

    @property
    def is_word(self) -> bool:
        """Whether it has a letter or a digit."""
        return any(character.isalnum() for character in self.text)

    @property
    def is_number(self) -> bool:
        """Whether it begins like a number."""
        return self.text.lstrip("$€£ ")[:1].isdigit()


def plain(query: str) -> str:
    """Return the query in lower case with straight quotes, every character at its place."""
    lowered = "".join(
        character.lower() if len(character.lower()) == 1 else character for character in query
    )
    return lowered.translate(_QUOTES)


def tokenise(query: str) -> tuple[Token, ...]:
    """Return the words and signs of a query in order; hyphens within words only part them.

    Example:
        >>> [token.text for token in tokenise("Non-PVC boots, w/o 2 laces")]
        ['non', 'pvc', 'boots', ',', 'w/o', '2', 'laces']
        >>> [token.text for token in tokenise("t-shirt - red -cotton")]
        ['t', 'shirt', 'red', '-', 'cotton']
        >>> tokenise("knives")[0].key
        'knife'
    """
    text = plain(query)
    shouting = query.upper() == query
    found = []
    for match in _WORD.finditer(text):
        word = match.group()
        if word == "-" and _SIGN.match(text, match.start()) is None:
            continue
        start, end = match.span()
        glued = start > 1 and text[start - 1] == "-" and text[start - 2].isalnum()
        capital = query[start].isupper() and not shouting
        found.append(Token(word, singular(word), start, end, capital, glued))
    return tuple(found)


def keys_of(phrase: str) -> tuple[str, ...]:
    """Return a phrase in the form for comparing.

    Example:
        >>> keys_of("Aluminum knives")
        ('aluminium', 'knife')
    """
    return tuple(token.key for token in tokenise(phrase))


@lru_cache(maxsize=65536)
def singular(word: str) -> str:
    """Return the singular of an English noun in the spelling used for comparing.

    It is for comparing only: "glasses" and "glass" become the same.

    Example:
        >>> singular("glasses"), singular("batteries"), singular("boxes"), singular("hoses")
        ('glass', 'battery', 'box', 'hose')
    """
    if word[:1].isdigit():
        return _THOUSANDS.sub("", word)
    found = _singular(_without_accents(word).removesuffix("'s"))
    return _SPELLINGS.get(found, found)


def singular_noun(word: str) -> str:
    """Return the singular in the word's own spelling.

    Example:
        >>> singular_noun("sulfates")
        'sulfate'
    """
    return _singular(word)


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    parts = unicodedata.normalize("NFD", word)
    return "".join(part for part in parts if not unicodedata.combining(part))


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is", "ous")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else word[:-1]
    if word.endswith(("sses", "xes", "ches", "shes", "oes", "zzes")):
        return word[:-2]
    return word[:-1]


def words_between(query: str, tokens: Sequence[Token]) -> str:
    """Return the query's words from the first to the last token, lower case, single spaces."""
    if not tokens:
        return ""
    return " ".join(plain(query)[tokens[0].start : tokens[-1].end].split())
