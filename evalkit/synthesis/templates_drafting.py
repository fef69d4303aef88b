"""Writing one typed query: a wording, the words in it, and what they ask for.

Every query is checked against the catalogue when it is made: enough products satisfy it, and of
what it excludes some products of the kind have it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from evalkit.constraints import Condition, Reference, Structure
from evalkit.constraints.families import families, join_families
from evalkit.synthesis.queries_part import FAMILY_OF_NEED, WHOLE
from evalkit.synthesis.queries_source import SyntheticQuery
from evalkit.synthesis.templates_fitting import (
    fits_words,
    held_words,
    joined,
    long_words,
    offers,
    round_down,
    round_up,
    same_words,
)
from evalkit.synthesis.templates_frames import choose, finish, speak
from evalkit.synthesis.templates_grammar import mistype

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator

    from evalkit.constraints import QueryType
    from evalkit.synthesis.queries_part import QueryPart
    from evalkit.synthesis.templates_frames import Frame, Spoken
    from evalkit.synthesis.templates_phrases import Phrase
    from evalkit.synthesis.templates_references import Named
    from evalkit.synthesis.templates_topics import KindTopics

__all__ = ["FAMILY_OF_NEED", "Draft", "Need", "family_of"]

_LONG_NEED = 4  # words from which on a need says enough without a kind
_TYPOS = 0.04
_KIND_SLOTS = ("kind", "kinds", "a_kind", "wanted")


def family_of(structure: Structure) -> str:
    """Return the column `family` of a query: its families, joined.

    Example:
        >>> hood = Condition("hood")
        >>> family_of(Structure("negative", ("jacket",), excluded=(hood,)))
        'negative|jacket|hood='
    """
    return join_families(families(structure))


@dataclass(frozen=True)
class Need:
    """A need of customers and what answers it.

    Attributes:
        text: in their words.
        form: noun, clause, person or device; see `wording/knowledge.yaml`.
        kind: the kind that answers it.
        conditions: which of its products do.
        family: its name, by which all ways to put it belong together.
        kinds: all kinds whose products answer it in the same way, for wordings that name none.
        kin: the name of all that says the same, by which its part is drawn.
    """

    text: str
    form: str
    kind: str
    conditions: tuple[Condition, ...]
    family: str
    kin: str
    kinds: tuple[str, ...] = ()


@dataclass
class Draft:
    """One series of queries: what draws them, and how often each wording was used.

    Attributes:
        source: what the queries' column `source` says.
        wanted: products that must satisfy a query.
        generator: draws everything.
        dropped: counts what is thrown away, by reason.
        names_of: the words for a kind, its own name first.
        part: which queries and wordings are for it.
    """

    source: str
    wanted: int
    generator: Generator
    dropped: Counter[str]
    names_of: Callable[[str], Sequence[str]] | None = None
    part: QueryPart = WHOLE
    _used: Counter[str] = field(default_factory=Counter)

    def negative(self, topics: KindTopics, phrase: Phrase) -> SyntheticQuery | None:
        """Write a query that excludes a property; None where nothing fits."""
        second = self._second(topics, phrase) if self.generator.random() < 0.2 else None
        frames = [
            frame
            for frame in self.part.wordings("negative")
            if bool(frame.more.get("two")) == (second is not None)
            and phrase.group in frame.more["fits"]
            and (second is None or second.group in frame.more["fits"])
            and fits_words(frame, phrase)
            and (second is None or fits_words(frame, second))
        ]
        frame = choose(frames, self.generator, self._used)
        if frame is None:
            return self._drop("no wording fits")
        structure = Structure(
            "negative",
            (topics.facts.kind,),
            excluded=joined(phrase.condition, second.condition if second else None),
        )
        before, after = "", ""
        draw = self.generator.random()
        if draw < 0.35:
            extra = self._extra(topics, structure, phrase, before=draw < 0.28)
            if extra is not None:
                structure = replace(structure, required=(extra.condition,))
                before, after = (extra.before, "") if draw < 0.28 else ("", extra.after)
        elif draw < 0.42:
            price = self._price(topics, structure)
            if price is not None:
                structure = replace(structure, price_max=price)
                after = f"under {price:g}"
        spoken = self._speak(
            frame,
            self._name(topics.facts.kind, f"{before} {phrase.thing} {phrase.quality}"),
            before=before,
            thing=phrase.thing,
            a_thing=phrase.a_thing,
            quality=phrase.quality or phrase.thing,
            thing2=second.thing if second else "",
            quality2=(second.quality or second.thing) if second else "",
        )
        if after:
            joint = " " if after.startswith("under") or self.generator.random() < 0.4 else ", "
            text = spoken.text + joint + after
            spoken = replace(spoken, text=text, template=spoken.template + "+tail")
        return self._checked(topics, structure, spoken, frame)

    def alternative(self, topics: KindTopics, named: Named) -> SyntheticQuery | None:
        """Write a query for something like a product or brand, for less."""
        kind = topics.facts.kind
        of = "brand" if named.product_id is None else "product"
        frames = [
            frame
            for frame in self.part.wordings("alternative")
            if of in frame.more["of"] and (not named.several or any(map(frame.has, _KIND_SLOTS)))
        ]
        frame = choose(frames, self.generator, self._used)
        if frame is None:
            return self._drop("no wording fits")
        structure = Structure(
            "alternative",
            (kind,),
            reference=Reference(named.text, named.brand, named.product_id),
        )
        words = {"ref": named.text, "ref_price": f"{round_down(named.price):g}"}
        limit = frame.more.get("limit")
        if isinstance(limit, float):
            structure = replace(structure, price_share=limit)
        elif limit is not None:
            price = self._price(topics, structure, below=0.75 * named.price)
            if price is None:
                return self._drop("no round price limit leaves enough products")
            structure = replace(structure, price_max=price)
            words["price"] = self._money(price)
        before = ""
        if frame.more.get("wanted"):
            extra = self._extra(topics, structure, None, before=True, named=named)
            if extra is None:
                return self._drop("no property goes with the reference")
            structure = replace(structure, required=(extra.condition,))
            before = extra.before
        name = self._name(kind, before)
        words["wanted"] = f"{before} {name}".strip()
        spoken = self._speak(frame, name, **words)
        return self._checked(topics, structure, spoken, frame, named)

    def general(self, topics: KindTopics, phrase: Phrase) -> SyntheticQuery | None:
        """Write a query of the control group."""
        structure = Structure("general", (topics.facts.kind,), required=(phrase.condition,))
        other = self._extra(topics, structure, phrase, before=self.generator.random() < 0.6)
        is_brand = phrase.group == "brand"
        frames = [
            frame
            for frame in self.part.wordings("general")
            if offers(frame, phrase, other) and bool(frame.more.get("brand")) == is_brand
        ]
        frame = choose(frames, self.generator, self._used)
        if frame is None:
            return self._drop("no wording fits")
        needs = frame.more["need"]
        words = {"brand": phrase.before}
        first, second = (other, None) if is_brand else (phrase, other)
        if needs and first is not None:
            words |= {"first": first.before, "after": first.after}
        if is_brand and needs and first is not None:
            structure = replace(structure, required=(phrase.condition, first.condition))
        elif len(needs) == 2 and second is not None:
            structure = replace(structure, required=(phrase.condition, second.condition))
            words |= {"second": second.before, "after2": second.after}
        if frame.more.get("price"):
            price = self._price(topics, structure)
            if price is None:
                return self._drop("no round price limit leaves enough products")
            structure = replace(structure, price_max=price)
            words["price"] = self._money(price)
        in_front = bool(frame.more.get("head")) and bool(needs) and needs[0] == "before"
        before = first.before if in_front and first is not None else ""
        name = self._name(topics.facts.kind, " ".join(words.values()))
        spoken = self._speak(frame, name, before=before, **words)
        return self._checked(topics, structure, spoken, frame)

    def knowledge(self, topics: KindTopics, need: Need) -> SyntheticQuery | None:
        """Write a query that tells a need."""
        long = need.form != "noun" or len(need.text.split()) >= _LONG_NEED
        # "phone case for bank cards in the phone cover": such a need names its product already
        named = long and bool(long_words(need.text) & long_words(topics.facts.kind))
        frames = [
            frame
            for frame in self.part.wordings("knowledge")
            if frame.more["form"] == need.form
            and (long or not frame.more.get("kindless"))
            # What any product of a kind answers is a need only where nobody names the kind.
            and (frame.more.get("kindless") or not (named or not need.conditions))
        ]
        frame = choose(frames, self.generator, self._used)
        if frame is None:
            return self._drop("no wording fits")
        kinds = need.kinds if frame.more.get("kindless") and need.kinds else (need.kind,)
        structure = Structure("knowledge", kinds, required=need.conditions, need=need.text)
        if self.generator.random() < 0.12:
            price = self._price(topics, structure)
            structure = replace(structure, price_max=price)
        name = self._name(topics.facts.kind, need.text)
        spoken = self._speak(frame, name, need=need.text)
        if structure.price_max is not None:
            joint = (" under ", ", max ", " for less than ")[int(self.generator.integers(3))]
            text = spoken.text + joint + self._money(structure.price_max)
            spoken = replace(spoken, text=text, template=spoken.template + "+tail")
        family = FAMILY_OF_NEED + need.family
        return self._checked(
            topics, structure, spoken, frame, family=family, kin=FAMILY_OF_NEED + need.kin
        )

    def takes(self, kind: str, phrase: Phrase, query_type: QueryType) -> bool:
        """Tell whether a query that excludes or wants a property is of the part."""
        conditions = (phrase.condition,)
        if query_type == "negative":
            return self.part.takes(Structure("negative", (kind,), excluded=conditions))
        need = phrase.need or phrase.clause
        # "glue for wood" wants a use, and tells a need.
        return self.part.takes(Structure("general", (kind,), required=conditions)) and (
            not need or self.part.takes(Structure("knowledge", (kind,), need=need))
        )

    def takes_reference(self, kind: str, named: Named) -> bool:
        """Tell whether a query that refers to something is of the part."""
        reference = Reference(named.text, named.brand, named.product_id)
        return self.part.takes(Structure("alternative", (kind,), reference=reference))

    def takes_need(self, need: Need) -> bool:
        """Tell whether a query that tells a need is of the part."""
        structure = Structure("knowledge", (need.kind,), need=need.text)
        return self.part.takes(structure, FAMILY_OF_NEED + need.kin)

    def _speak(self, frame: Frame, name: str, **words: str) -> Spoken:
        openings = self.part.wordings("openings")
        return speak(frame, name, self.generator, self._used, openings=openings, **words)

    def _checked(
        self,
        topics: KindTopics,
        structure: Structure,
        spoken: Spoken,
        frame: Frame,
        named: Named | None = None,
        family: str | None = None,
        kin: str = "",
    ) -> SyntheticQuery | None:
        if not self.part.takes(structure, kin):
            return self._drop("of another part, or of both")
        if self._satisfying(topics, structure, named) < self.wanted:
            return self._drop("too few products satisfy it")
        for part in spoken.template.partition("~")[0].split("+"):
            self._used[part] += 1
        held = held_words(structure, spoken.text)
        written = finish(
            spoken,
            self.generator,
            lambda text: mistype(text, self.generator, held),
            typos=_TYPOS,
        )
        return SyntheticQuery(
            written.text,
            structure,
            family or family_of(structure),
            self.source,
            written.template,
        )

    def _satisfying(self, topics: KindTopics, structure: Structure, named: Named | None) -> int:
        good = topics.facts.satisfies(
            structure,
            reference_price=named.price if named else None,
            reference_number=named.number if named else None,
        )
        return int(good.sum())

    def _drop(self, reason: str) -> SyntheticQuery | None:
        self.dropped[reason] += 1
        return None

    def _name(self, kind: str, beside: str = "") -> str:
        """Draw a word for a kind, none that repeats the words beside it."""
        said = set(beside.split())
        names = [
            name
            for name in (self.names_of(kind) if self.names_of else (kind,))
            if not said & set(name.split())
        ] or [kind]
        if len(names) == 1 or self.generator.random() < 0.6:
            return names[0]
        return names[int(self.generator.integers(len(names)))]

    def _money(self, price: float) -> str:
        draw = self.generator.random()
        return f"${price:g}" if draw < 0.25 else f"{price:g}"

    def _second(self, topics: KindTopics, phrase: Phrase) -> Phrase | None:
        """Draw another thing to be without, that can be said in the same breath."""
        fit = [
            other
            for other in topics.deniable
            if other.label != phrase.label
            and (bool(other.thing), bool(other.quality))
            == (bool(phrase.thing), bool(phrase.quality))
            and (other.group == phrase.group or not phrase.quality)
            and (not phrase.quality or other.condition.attribute == phrase.condition.attribute)
            and not same_words(other, phrase)
            and self.takes(topics.facts.kind, other, "negative")
        ]
        if not fit:
            return None
        other = fit[int(self.generator.integers(len(fit)))]
        facts = topics.facts
        good = facts.lacks(phrase.condition) & facts.lacks(other.condition)
        mine, yours = facts.has(phrase.condition), facts.has(other.condition)
        # Of oak and wood one says it all.
        apart = bool((mine & ~yours).any() and (yours & ~mine).any())
        return other if apart and int(good.sum()) >= self.wanted else None

    def _extra(
        self,
        topics: KindTopics,
        structure: Structure,
        phrase: Phrase | None,
        *,
        before: bool,
        named: Named | None = None,
    ) -> Phrase | None:
        """Draw a further property to ask for, of another attribute, that enough products have."""
        taken = {condition.attribute for condition in (*structure.required, *structure.excluded)}
        fit = [
            other
            for other in topics.wantable
            if other.condition.attribute not in taken
            and other.group != "brand"
            and (
                phrase is None or other.group != phrase.group or other.group in ("part", "quality")
            )
            and (other.before if before else other.after)
            and (phrase is None or not same_words(other, phrase))
            # Beside an exclusion, need or reference a wanted value is of no family.
            and (
                structure.query_type != "general" or self.takes(topics.facts.kind, other, "general")
            )
        ]
        order: list[int] = self.generator.permutation(len(fit))[:4].tolist()
        for place in order:
            whole = replace(structure, required=(*structure.required, fit[place].condition))
            if self._satisfying(topics, whole, named) >= self.wanted:
                return fit[place]
        return None

    def _price(
        self, topics: KindTopics, structure: Structure, below: float | None = None
    ) -> float | None:
        """Draw a round limit that leaves enough products and shuts some out."""
        plain = replace(structure, reference=None, price_share=None)
        good = topics.facts.satisfies(plain)
        prices = np.sort(topics.facts.prices[good])
        prices = prices[~np.isnan(prices)]
        if len(prices) < self.wanted + 1:
            return None
        low, high = prices[self.wanted - 1], prices[-1]
        high = high if below is None else min(high, below)
        drawn = float(np.quantile(prices, self.generator.uniform(0.3, 0.75)))
        price = round_up(max(low, min(drawn, high)))
        return price if price < high else None
