"""How a value of an attribute is spoken: in front of the kind, behind it, or denied."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

from evalkit.constraints import Condition
from evalkit.synthesis.queries_facts import BRAND, is_absent
from evalkit.synthesis.templates_grammar import article, read_wording

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.synthesis.queries_facts import Statements

__all__ = ["Phrase", "phrases_of", "way_of"]

_DENIED = frozenset({"substance", "ingredient", "part", "with", "colour", "style", "brand"})
_UNIT = re.compile(
    r"^\d[\d.,]*\s?(?:[mcdk]?m|[mc]?l|[mk]?g|k?w|m?ah|wh|v|a|[kmgt]b|[kmg]?hz|rpm|db|hrc|nm|km/h|%|"
    r"°?[cf]|inch(?:es)?|in|ft|lb|oz|hours?|h|min(?:utes)?|pieces?|steps?|players?|bars?|cups?|"
    r"seats?|sheets?|pages|bit)$"
)
_COUNTED = re.compile(r"(piece|step|player|bar|cup|seat|port|core|bean)s$")
_TWICE = re.compile(r"\b(\w+) \1\b")
_PLAIN = re.compile(r"^[a-z][a-z0-9 .+'éèüöäøåëâç-]+$")
_PARENTHESES = re.compile(r"^(.*?)\s*\(([^()]*)\)$")


@dataclass(frozen=True)
class Phrase:
    """A property of products and the words for it.

    Attributes:
        group: what sort of property it is; see `wording/attributes.yaml`.
        condition: the property as a machine checks it.
        label: `attribute=value`, for balance and families.
        before: words in front of the kind, or "".
        after: words behind the kind, or "".
        thing: the noun that is denied, or "".
        a_thing: with its article.
        quality: the adjective or name that is denied, or "".
        need: the purpose it serves as a noun, or "".
        clause: the purpose as a sentence, or "".
        products: how many products of the kind have it.
    """

    group: str
    condition: Condition
    label: str
    before: str = ""
    after: str = ""
    thing: str = ""
    a_thing: str = ""
    quality: str = ""
    need: str = ""
    clause: str = ""
    products: int = 0

    @property
    def deniable(self) -> bool:
        """Whether somebody could want a product without it."""
        return self.group in _DENIED and bool(self.thing or self.quality)


@cache
def way_of(attribute: str) -> Mapping[str, Any] | None:
    """Return how an attribute is spoken of, or None where nothing is known of it."""
    if attribute == BRAND:
        return {"group": "brand"}
    for entry in read_wording("attributes"):
        if any(fnmatchcase(attribute, name) for name in entry["names"]):
            return dict(entry)
    return None


def phrases_of(statements: Statements, kind: str) -> list[Phrase]:
    """Return the properties of a kind that an attribute gives, most frequent values first."""
    way = way_of(statements.name)
    counts = statements.counts()
    if way is None:
        way = _guess(statements.name, counts)
    group = way["group"]
    if group == "skip" or ("of" in way and not re.search(way["of"], kind)):
        return []
    if group in ("part", "quality"):
        return _flag(statements, way)
    found: dict[str, Phrase] = {}
    for value, products in counts.items():
        spoken = _spoken(value)
        if group == "measure":
            phrase = _measure(statements.name, value, products, way)
        elif spoken is None or is_absent(value) or _is_dull(group, spoken):
            continue
        elif group == "age":
            phrase = _age(statements.name, value, products)
        elif group == "brand":
            phrase = Phrase(
                group, Condition(BRAND, (value,)), f"brand={value}", value, "", "", "", value, "",
                "", products,
            )  # fmt: skip
        else:
            phrase = _value(statements.name, value, spoken, products, way)
        if phrase is not None:
            found.setdefault(phrase.label, phrase)
    if group == "substance":
        for phrase in _heads(statements.name, counts, way):
            found.setdefault(phrase.label, phrase)
    return sorted(found.values(), key=lambda phrase: (-phrase.products, phrase.label))


def _is_dull(group: str, spoken: str) -> bool:
    values = read_wording("values")
    return (group == "ingredient" and spoken in values["dull"]) or (
        group == "colour" and spoken in values["colours"]
    )


def _guess(name: str, counts: Mapping[str, int]) -> Mapping[str, Any]:
    """Treat an attribute that nobody described: only what can hardly go wrong.

    A measure goes with the attribute's name: "26 g pasta" is no pasta with 26 g of protein.
    """
    plain = len(name) <= 14 and all(len(word) > 1 for word in name.split("_"))
    if plain and all(_UNIT.match(value) for value in counts):
        return {"group": "measure", "after": "with {value} {name}"}
    return {"group": "skip"}


def _spoken(value: str) -> str | None:
    """Return a value as one says it, or None where nobody would."""
    found = _PARENTHESES.match(value)
    if found:
        short = found[2].strip()
        value = short if short.isalpha() and len(short) <= 4 else found[1]
    if value in read_wording("grammar")["empty"] or not _PLAIN.match(value):
        return None
    words = value.split()
    return value if len(words) <= 3 and len(value) <= 28 and " x " not in value else None


def _fill(pattern: str | None, name: str, value: str) -> str:
    text = (pattern or "").replace("{value}", value).replace("{name}", name.replace("_", " "))
    return _TWICE.sub(r"\1", text)


def _value(name: str, value: str, spoken: str, products: int, way: Mapping[str, Any]) -> Phrase:
    group = way["group"]
    noun = spoken if group in ("substance", "ingredient", "with") else ""
    if "thing" in way:
        noun = _fill(way["thing"], name, spoken)
    quality = spoken if group in ("substance", "colour") else ""
    if group == "style" and not way.get("keep"):
        quality = _COUNTED.sub(r"\1", _fill(way.get("before"), name, spoken))
    if "free" in spoken or spoken.startswith(("no ", "non")):
        noun = quality = ""  # what lacks something cannot be lacked
    plain = group != "with" or way.get("mass") or noun == spoken or noun.endswith("s")
    need = _fill(way.get("need"), name, spoken)
    if group == "purpose" and need == spoken:
        need = read_wording("values")["needs"].get(spoken, spoken) or ""
    return Phrase(
        group,
        Condition(name, (value if group in ("purpose", "device") else spoken,)),
        f"{name}={spoken}",
        _COUNTED.sub(r"\1", _fill(way.get("before"), name, spoken)),
        _fill(way.get("after") if need or group != "purpose" else None, name, need or spoken)
        if group == "purpose" and way.get("need") == "{value}"
        else _fill(way.get("after"), name, spoken),
        noun,
        noun if plain else f"{article(noun)} {noun}",
        quality,
        need,
        _fill(way.get("clause"), name, spoken),
        products,
    )


def _measure(name: str, value: str, products: int, way: Mapping[str, Any]) -> Phrase | None:
    bare = value.replace(",", "")
    if "only" in way and not re.match(way["only"], value):
        return None
    if _UNIT.match(value):
        words = value
    elif re.fullmatch(r"\d+(?:\.\d{1,2})?", bare) and ("number" in way or "{value} " in str(way)):
        words = _fill(way.get("number"), name, value) or value
    elif way.get("before") == "{value}" and _spoken(value) and any(map(str.isdigit, value)):
        words = value
    else:
        return None
    if words.startswith(("set ", "pack ")):
        return Phrase(
            "measure", Condition(name, (value,)), f"{name}={value}", "", words, products=products
        )
    return Phrase(
        "measure",
        Condition(name, (value,)),
        f"{name}={value}",
        _COUNTED.sub(r"\1", _fill(way.get("before"), name, words)),
        _fill(way.get("after"), name, words),
        products=products,
    )


def _age(name: str, value: str, products: int) -> Phrase | None:
    found = re.match(r"^(\d+)\s?\+$", value)
    if not found or not 1 <= int(found[1]) <= 12:
        return None
    years = found[1]
    a = article(f"{years} year old")
    return Phrase(
        "person",
        Condition(name, (value,)),
        f"{name}={value}",
        after=f"for age {years}",
        need=f"{a} {years} year old",
        products=products,
    )


def _flag(statements: Statements, way: Mapping[str, Any]) -> list[Phrase]:
    """Return the phrase of a thing that a product has or not, if both occur or one is stated."""
    name = statements.name
    group = way["group"]
    thing = _fill(way.get("thing"), name, "") if group == "part" else ""
    plain = bool(way.get("mass")) or thing.endswith("s")
    condition = Condition(name, ())
    products = int(statements.holds(lambda value: not is_absent(value)).sum())
    return [
        Phrase(
            group,
            condition,
            f"{name}=yes",
            _fill(way.get("before"), name, ""),
            ""
            if way.get("unwanted")
            else _fill(way.get("after"), name, "") or (f"with {thing}" if thing else ""),
            thing,
            thing if plain or not thing else f"{article(thing)} {thing}",
            products=products,
        )
    ]


def _heads(name: str, counts: Mapping[str, int], way: Mapping[str, Any]) -> list[Phrase]:
    """Return the last words that several values share: leather of cowhide and lambskin leather."""
    times: dict[str, list[int]] = {}
    for value, products in counts.items():
        words = (_spoken(value) or "").split()
        if len(words) > 1 and words[-1].isalpha() and len(words[-1]) > 3:
            times.setdefault(words[-1], []).append(products)
    return [
        _value(name, head, head, sum(products), way)
        for head, products in times.items()
        if head not in read_wording("grammar")["empty"]
    ]
