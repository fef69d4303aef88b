"""What words of products mean: which are the same, which are kinds of others, and who says them.

`says("cowhide leather", "leather")` is true; `says("faux leather", "leather")` is not. Words are
compared without their endings; the tables stand in `words.yaml`, and a user's own triples add to
them (`synonym`, `is a`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.knowledge.models import is_model, longer_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalkit.knowledge.triples import Triple

__all__ = ["Words", "broader", "family", "read_words", "says", "stem", "synonyms"]

# a number is one word with its decimals: "2" does not stand in "2.5"
_WORD = re.compile(r"[^\W_]*\d(?:\.\d+)+[^\W_]*|[^\W_]+(?:['’][^\W_]+)*")
_NUMBER = re.compile(r"(?<![\d.,])\d+(?:[.,]\d+)+")
_CLAUSE = re.compile(r"[,;:()\[\]|]|\.\s|\n|\bbut\b|(?<!\d )\bplus\b|\bwith\b|\bexcept\b| - ")
# How many words a negation reaches: "non" only the next, "not suitable for induction" further.
_NEGATIONS = {
    "no": 3, "not": 4, "without": 4, "non": 1, "zero": 1, "anti": 1, "never": 4, "lacks": 3,
    "lacking": 3, "isn't": 4, "doesn't": 4, "don't": 4, "cannot": 4, "can't": 4, "nor": 3,
    "neither": 3, "minus": 2, "excluding": 3, "excl": 3,
}  # fmt: skip
_NO_NEGATION_BEFORE = frozenset(("only", "more", "less", "just"))  # "not only", "no more than"
_FAKE_BEFORE = frozenset(
    ("faux", "fake", "imitation", "artificial", "mock", "simulated", "vegan", "pseudo", "replica")
)
_FAKE_AFTER = frozenset(
    ("look", "effect", "like", "style", "alternative", "substitute", "imitation", "replacement")
)
_PLURALS = {
    "knives": "knife", "shelves": "shelf", "scarves": "scarf", "leaves": "leaf", "halves": "half",
    "loaves": "loaf", "feet": "foot", "men": "man", "women": "woman", "children": "child",
    "mice": "mouse", "teeth": "tooth", "dice": "die", "wolves": "wolf",
}  # fmt: skip


@dataclass(frozen=True, eq=False)  # compared and hashed as the object that it is
class Words:
    """Tables of words; everything in lower case.

    Attributes:
        same: the other words for a word, by its stems.
        narrower: the words that are kinds of a word, by its stems, not only the nearest.
        wider: the words that a word is a kind of, by its stems, nearest first.
        unlike: phrases that contain a word and are something else, by the word's stems
            (`wood wool` is no wool).
        loose: what a short name may mean, by its stems (`toner`: toner cartridge, toner lotion).
        whole: words that state a word only where they are the whole value, by its stems (a coating
            that is `ceramic` is non-stick; a ceramic hob says nothing of it).
    """

    same: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    narrower: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wider: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unlike: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    loose: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    whole: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def synonyms(self, word: str) -> tuple[str, ...]:
        """Return other words for the same thing; empty where none is known."""
        return self.same.get(stem(word), ())

    def family(self, word: str) -> tuple[str, ...]:
        """Return the words for kinds of it, and their synonyms, without itself."""
        return self.narrower.get(stem(word), ())

    def broader(self, word: str) -> tuple[str, ...]:
        """Return the words that it is a kind of, nearest first."""
        return self.wider.get(stem(word), ())

    def meanings(self, name: str) -> tuple[str, ...]:
        """Return what a short, ambiguous name of a product may mean (`pc`: desktop computer)."""
        return self.loose.get(stem(name), ())

    def short_names(self, word: str) -> tuple[str, ...]:
        """Return the short, ambiguous names of a product (desktop computer: `pc`)."""
        return tuple(name for name, meant in self.loose.items() if word in meant)

    def names(self, word: str) -> tuple[str, ...]:
        """Return every wording that states the word: itself, its synonyms, its family."""
        found = dict.fromkeys((word, *self.synonyms(word), *self.family(word)))
        return tuple(found)

    def other_things(self, word: str) -> tuple[str, ...]:
        """Return the phrases that contain the word and are something else."""
        return (*self.unlike.get(stem(word), ()), *longer_models(word))

    def states(self, text: str, wanted: str) -> int:
        """Return 1 where a text states the wanted thing, -1 where it denies it, 0 where neither.

        A text that does both, in different places, states it. What denies a kind of the thing
        does not deny the thing: without peanuts is not without nuts.
        """
        plain = " ".join(text.lower().replace("w/o", "without").split())
        wish = " ".join(wanted.lower().split())
        if not wish or not plain:
            return 0
        if plain == wish or stem(plain) in map(stem, self.whole.get(stem(wish), ())):
            return 1
        denied = _denied(wish)
        if denied is not None:
            # "oil-free" is stated by what denies oil, and denied by what states it.
            same = any(_search(plain, sought) == 1 for sought in _sought(self, wish, False))
            return 1 if same else -self.states(plain, denied)
        best = 0
        own = _sought(self, wish, False)
        for sought in _sought(self, wish, True):
            found = _search(plain, sought)
            if found == 1:
                return 1
            if sought in own:
                best = found or best
        return best

    def says(self, value: str, wanted: str) -> bool:
        """Tell whether a value of the catalogue states the wanted word; see `says`."""
        return self.states(value, wanted) == 1


def says(value: str, wanted: str) -> bool:
    """Tell whether a value of the catalogue states the wanted word.

    Whole words, whatever their endings; kinds of the wanted thing count, what is denied, imitated
    or merely looks like it does not.

    Example:
        >>> [says(value, "leather") for value in ("Nappa", "faux leather", "leather-free", "none")]
        [True, False, False, False]
    """
    return read_words().says(value, wanted)


def synonyms(word: str) -> tuple[str, ...]:
    """Return other words for the same thing, from the project's own table.

    Example:
        >>> "moisturizer" in synonyms("moisturiser")
        True
    """
    return read_words().synonyms(word)


def family(word: str) -> tuple[str, ...]:
    """Return the words for kinds of it.

    Example:
        >>> "nappa" in family("leather")
        True
    """
    return read_words().family(word)


def broader(word: str) -> tuple[str, ...]:
    """Return the words that it is a kind of, nearest first.

    Example:
        >>> "wood" in broader("oak")
        True
    """
    return read_words().broader(word)


def read_words(triples: Sequence[Triple] = ()) -> Words:
    """Return the project's table of words, with the user's `synonym` and `is a` facts added."""
    return _read(tuple(triple for triple in triples if triple.relation in ("synonym", "is a")))


@cache
def _read(triples: tuple[Triple, ...]) -> Words:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with (Path(__file__).parent / "words.yaml").open(encoding="utf-8") as stream:
        document: dict[str, Any] = yaml.load(stream, Loader=loader)  # noqa: S506
    groups: list[Sequence[str]] = list(document["synonyms"])
    groups += [(fact.subject, fact.object) for fact in triples if fact.relation == "synonym"]
    below = {word: list(parts) for word, parts in document["families"].items()}
    for triple in triples:
        if triple.relation == "is a":
            below.setdefault(triple.object, []).append(triple.subject)
    unlike = {stem(word): tuple(phrases) for word, phrases in document["unlike"].items()}
    same = _joined(groups)
    narrower, wider = _closed(below, same)
    loose: dict[str, tuple[str, ...]] = {}
    for word, names in document["loose"].items():
        for name in names:
            loose[stem(name)] = (*loose.get(stem(name), ()), word)
    whole = {stem(word): tuple(names) for word, names in document["whole"].items()}
    return Words(same, narrower, wider, unlike, loose, whole)


def _joined(groups: Iterable[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return the other members of its groups for each word.

    Groups that share a word stay apart: it may mean two things.
    """
    found: dict[str, dict[str, None]] = {}
    for group in groups:
        for word in group:
            found.setdefault(stem(word), {}).update(dict.fromkeys(group))
    return {key: tuple(word for word in group if stem(word) != key) for key, group in found.items()}


def _closed(
    below: Mapping[str, Sequence[str]], same: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Return all words below and above each word, whatever the number of steps."""
    # Families of two synonyms are one family.
    children: dict[str, dict[str, None]] = {}
    for word, parts in below.items():
        for name in (word, *same.get(stem(word), ())):
            children.setdefault(stem(name), {}).update(dict.fromkeys(parts))
    narrower = {}
    for key in sorted(children):
        found: dict[str, None] = {}
        open_words = list(children[key])
        seen = {key}
        while open_words:
            word = open_words.pop(0)
            if stem(word) in seen:
                continue
            seen.add(stem(word))
            found.update(dict.fromkeys((word, *same.get(stem(word), ()))))
            open_words += list(children.get(stem(word), {}))
        narrower[key] = tuple(name for name in found if stem(name) != key)
    above: dict[str, dict[str, int]] = {}
    for word in below:
        for part in narrower[stem(word)]:
            above.setdefault(stem(part), {})[word] = len(narrower[stem(word)])
    wider = {
        key: tuple(sorted(found, key=lambda name, found=found: (found[name], name)))  # type: ignore[misc]
        for key, found in above.items()
    }
    return narrower, wider


def stem(text: str) -> str:
    """Return the words of a text without their endings, by which words are compared.

    Example:
        >>> stem("Running Shoes"), stem("kitchen knives"), stem("cushioned")
        ('running shoe', 'kitchen knife', 'cushion')
    """
    return " ".join(_stems(text))


@lru_cache(1 << 17)
def _stems(text: str) -> tuple[str, ...]:
    found = _WORD.findall(_plain_numbers(text.lower().replace("’", "'")))
    return tuple(_stem_word(word) for word in found)


def _plain_numbers(text: str) -> str:
    """Write numbers in one way: 2,500 as 2500, 2,5 and 2.50 as 2.5; "38,39,40" is a list."""
    return _NUMBER.sub(_plain_number, text)


def _plain_number(match: re.Match[str]) -> str:
    number = match.group()
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", number):
        number = number.replace(",", "")
    if number.count(",") + number.count(".") != 1:
        return number
    return number.replace(",", ".").rstrip("0").rstrip(".")


@lru_cache(1 << 18)
def _stem_word(word: str) -> str:
    """Return the Snowball stem where enough is left of the word, else the singular.

    A short stem joins what has little in common: a coat and a coating, heat and heated.
    """
    singular = _singular(word.removesuffix("'s"))
    if len(singular) > 4 and singular.isalpha():
        found = str(_stemmer().stemWord(singular))
        if len(found) > 4:
            return found
    return singular


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


def _singular(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(1 << 14)
def _denied(wish: str) -> str | None:
    """Return what a wanted word denies: oil for `oil-free`, `no oil`, `without oil`."""
    found = re.fullmatch(
        r"(?:no|not|non|without|zero|free (?:of|from))[\s-]+(?P<after>.+)|(?P<before>.+)[\s-]free",
        wish,
    )
    if found is None or found["after"] in ("slip", "stick"):
        return None
    return found["after"] or found["before"]


@dataclass(frozen=True)
class _Sought:
    """One wording of a wanted thing: its stems, and the phrases in which they are another thing.

    A further number after a model's name makes it another thing, too.
    """

    stems: tuple[str, ...]
    unlike: tuple[tuple[str, ...], ...]
    model: bool


@lru_cache(1 << 12)
def _sought(words: Words, wish: str, with_family: bool) -> tuple[_Sought, ...]:
    names = words.names(wish) if with_family else (wish, *words.synonyms(wish))
    found: dict[_Sought, None] = {}
    for name in names:
        keys = dict.fromkeys((stem(wish), stem(name)))
        phrases = dict.fromkeys(phrase for key in keys for phrase in words.other_things(key))
        if _stems(name):
            unlike = tuple(_stems(phrase) for phrase in phrases)
            found[_Sought(_stems(name), unlike, is_model(name))] = None
    return tuple(found)


@lru_cache(1 << 15)
def _clauses(
    text: str,
) -> tuple[tuple[tuple[tuple[str, ...], tuple[str, ...]], ...], frozenset[str]]:
    """Return the clauses of a text, each its words and their stems, and all stems."""
    parts = _CLAUSE.split(_plain_numbers(text.replace("’", "'")))
    found = [_WORD.findall(part) for part in parts if part]
    clauses = tuple(
        (tuple(words), tuple(_stem_word(word) for word in words)) for words in found if words
    )
    return clauses, frozenset(part for _, stems in clauses for part in stems)


def _search(text: str, sought: _Sought) -> int:
    """Return 1 if a text states what is sought, -1 if it only denies it, else 0."""
    clauses, there = _clauses(text)
    if not there.issuperset(sought.stems):
        return 0
    best = 0
    for words, stems in clauses:
        found = _find(words, stems, sought)
        if found == 1:
            return 1
        best = found or best
    return best


def _find(words: tuple[str, ...], stems: tuple[str, ...], sought: _Sought) -> int:
    best = 0
    size = len(sought.stems)
    for start in range(len(words) - size + 1):
        if stems[start : start + size] != sought.stems:
            continue
        if any(_covers(stems, start, size, phrase) for phrase in sought.unlike):
            continue
        before, after = words[:start], words[start + size : start + size + 1]
        if before and before[-1] in _FAKE_BEFORE:
            continue
        if after and (after[0] in _FAKE_AFTER or (sought.model and after[0].isdigit())):
            continue
        if not _is_denied(before, after):
            return 1
        best = -1
    return best


def _covers(stems: tuple[str, ...], start: int, size: int, phrase: tuple[str, ...]) -> bool:
    """Tell whether a phrase stands in the text around the found words."""
    length = len(phrase)
    first = max(0, start + size - length)
    return any(
        stems[place : place + length] == phrase
        for place in range(first, min(start, len(stems) - length) + 1)
    )


def _is_denied(before: Sequence[str], after: Sequence[str]) -> bool:
    if after and after[0] == "free":
        return True
    for distance, word in enumerate(reversed(before), start=1):
        place = len(before) - distance
        following = before[place + 1] if distance > 1 else ""
        if word == "free" and following in ("of", "from"):
            return True
        if distance <= _NEGATIONS.get(word, 0) and following not in _NO_NEGATION_BEFORE:
            return True
    return False
