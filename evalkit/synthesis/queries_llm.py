"""Typed queries that a language model writes from snippets of a catalogue.

Nothing is taken on trust: the answer must fulfil the prompt's schema, kinds, attributes and values
must be the catalogue's, the query itself must say what the model says that it asks for, read
by the rules of `RuleParser`, and enough products must satisfy it. What fails is counted by reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.constraints import QUERY_TYPES, Condition, Reference, Structure
from evalkit.constraints.parsing import RuleParser
from evalkit.errors import SettingsError
from evalkit.knowledge import normalise
from evalkit.knowledge.words import stem
from evalkit.progress import progress_bar
from evalkit.synthesis.queries_part import WHOLE
from evalkit.synthesis.queries_source import SyntheticQuery
from evalkit.synthesis.templates_drafting import family_of
from evalkit.synthesis.templates_phrases import phrases_of
from evalkit.synthesis.templates_references import must_fit, short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.random import Generator

    from evalkit.constraints import QueryType
    from evalkit.knowledge import Graph
    from evalkit.llm import LanguageModel
    from evalkit.synthesis.queries_facts import Facts, KindFacts
    from evalkit.synthesis.queries_part import QueryPart

__all__ = ["LanguageModelSource"]

_PRODUCTS = 6  # shown to the model at a time
_EACH = 4  # queries asked for at a time
_ATTRIBUTES = 8  # said of each product
_LONGEST = 200  # characters of a query
_LONGEST_ANSWER = 160 * _EACH  # tokens; a query with its structure takes about 110


@dataclass
class LanguageModelSource:
    """The source `llm`; see the module.

    Attributes:
        facts: of the catalogue.
        graph: other names of kinds.
        model: writes the queries.
        wanted: products that must satisfy a query.
        part: which queries are kept.
        temperature: of the model.
    """

    facts: Facts
    graph: Graph
    model: LanguageModel
    wanted: int = 3
    part: QueryPart = WHOLE
    temperature: float = 0.9
    name: str = "llm"
    _dropped: Counter[str] = field(default_factory=Counter)

    def dropped(self) -> Mapping[str, int]:
        """Return how many answers and queries were thrown away, by reason."""
        return dict(sorted(self._dropped.items()))

    def queries(
        self, count_by_type: Mapping[QueryType, int], seed: int
    ) -> Iterator[SyntheticQuery]:
        """Ask for queries of kinds in turn; see `QuerySource.queries`.

        Raises:
            ModelError: an answer never came.
        """
        from evalkit.llm import load_prompt, need_answers

        prompt = load_prompt("synthesize_queries")
        generator = np.random.default_rng([seed, 3])
        kinds = [kind for kind in self.facts.kinds.values() if len(kind.products) > self.wanted]
        asked: list[QueryType] = []
        messages = []
        for query_type in QUERY_TYPES if kinds else ():
            order = generator.permutation(len(kinds))
            for number in range(-(-count_by_type.get(query_type, 0) // _EACH)):
                kind = kinds[order[number % len(kinds)]]
                asked.append(query_type)
                messages.append(
                    prompt.fill(
                        n=_EACH, query_type=query_type, products=self._snippets(kind, generator)
                    )
                )
        with progress_bar(len(messages), "asking the model", "prompts") as update:
            answers = self.model.generate(
                messages,
                temperature=self.temperature,
                max_tokens=_LONGEST_ANSWER,
                seed=seed,
                schema=prompt.schema,
                prompt=prompt.identity,
                progress=update,
            )
        need_answers(answers, "prompts")
        template = f"{prompt.id}.v{prompt.version}"
        for query_type, answer in zip(asked, answers, strict=True):
            parsed = answer.parsed[0] if answer.parsed else None
            if not isinstance(parsed, dict) or not isinstance(parsed.get("queries"), list):
                self._dropped[
                    "the answer is no valid JSON" if any(answer.texts) else "no answer"
                ] += 1
                continue
            for said in parsed["queries"]:
                found = self._understood(said, query_type)
                if isinstance(found, str):
                    self._dropped[found] += 1
                else:
                    query, structure = found
                    yield SyntheticQuery(
                        query, structure, family_of(structure), self.name, template
                    )

    def _snippets(self, kind: KindFacts, generator: Generator) -> str:
        """Say a few products of a kind: title, price and what is worth saying of them."""
        catalogue = self.facts.catalogue
        count = min(_PRODUCTS, len(kind.products))
        places = np.sort(generator.choice(len(kind.products), count, replace=False))
        spoken = [
            statements
            for name, statements in sorted(kind.statements.items())
            if name != "brand" and phrases_of(statements, kind.kind)
        ]
        lines = []
        for place in places.tolist():
            number = int(kind.products[place])
            parts = [catalogue.titles[number], f"kind: {kind.kind}"]
            if not np.isnan(kind.prices[place]):
                parts.append(f"price: {kind.prices[place]:g}")
            for statements in spoken:
                values = statements.value[statements.product == place]
                if len(values) and sum(": " in part for part in parts) < _ATTRIBUTES:
                    said = ", ".join(statements.values[value] for value in values[:3])
                    parts.append(f"{statements.name}: {said}")
            lines.append(" | ".join(parts))
        return "\n".join(lines)

    def _understood(self, said: Any, asked: QueryType) -> tuple[str, Structure] | str:
        """Return the query and its structure, or why it is not used."""
        if not isinstance(said, dict) or not isinstance(said.get("query"), str):
            return "no query in the answer"
        query = " ".join(said["query"].split())
        if not 3 <= len(query) <= _LONGEST:
            return "the query is empty or too long"
        if said.get("query_type") != asked:
            return "another type than asked for"
        named = normalise(str(said.get("kind", "")))
        kind = self.facts.kinds.get(named)
        if kind is None:
            kind = next(
                (self.facts.kinds[name] for name in self.graph.kinds_named(named)[:1]), None
            )
        if kind is None or not named:
            return "a kind that the catalogue has not"
        required = _conditions(said.get("required"))
        excluded = _conditions(said.get("excluded"))
        for condition in (*required, *excluded):
            if condition.attribute not in kind.statements:
                return "an attribute that the kind has not"
            if not kind.has(condition).any():
                return "a value that no product of the kind states"
        if asked == "negative" and not excluded:
            return "nothing is excluded"
        if asked != "negative" and excluded:
            return "something is excluded, and it is not negative"
        need = said.get("need")
        if asked == "knowledge" and not (isinstance(need, str) and need.strip()):
            return "no need"
        price = said.get("price_max")
        reference = None
        if asked == "alternative":
            if must_fit(kind):
                return "an alternative of a kind that must fit something"
            reference = self._reference(said.get("reference"), kind, query)
            if reference is None:
                return "a reference that the catalogue has not"
        structure = Structure(
            asked,
            (kind.kind,),
            required,
            excluded,
            price_max=float(price) if isinstance(price, int | float) else None,
            reference=reference,
            need=normalise(need) if asked == "knowledge" and isinstance(need, str) else None,
        )
        try:
            structure = Structure.from_json(structure.to_json())
        except SettingsError:
            return "a structure that cannot be"
        untrue = self._untrue(query, structure)
        if untrue:
            return untrue
        if not self.part.takes(structure):
            return "of another part, or of both"
        if len(self.facts.satisfying(structure)) < self.wanted:
            return "too few products satisfy it"
        return query, structure

    @cached_property
    def _parser(self) -> RuleParser:
        return RuleParser(self.facts.catalogue, self.graph)

    def _untrue(self, query: str, said: Structure) -> str:
        """Return where the words of a query and what the model says of them differ, or ""."""
        (read,) = self._parser.parse([query])
        words = _words(query)
        if said.query_type == "knowledge":  # speaks of a need, not in the words of products
            need = _words(said.need or "")
            return "" if 2 * len(need & words) >= len(need) else "a need that the query has not"
        if said.query_type != "alternative" and not set(said.kinds) & set(read.kinds):
            return "a kind that the query has not"
        for condition in said.required:
            if not words & _words(*_said_of(condition)):
                return "a value that the query has not"
            if any(_is_same(condition, other) for other in read.excluded):
                return "a value that the query excludes"
        if not all(any(_is_same(one, other) for other in read.excluded) for one in said.excluded):
            return "the query does not exclude it"
        # "not paying that much" of an alternative excludes nothing.
        if said.query_type != "alternative" and not all(
            any(_is_same(one, other) for one in said.excluded) for other in read.excluded
        ):
            return "the query excludes more"
        if said.price_max != read.price_max and (
            said.price_max is None or read.price_max or f"{said.price_max:g}" not in words
        ):
            return "another price than the query's"
        return ""

    def _reference(self, said: Any, kind: KindFacts, query: str) -> Reference | None:
        """Find a product by what people call it, else a brand; it must stand in the query."""
        if not isinstance(said, str) or not said.strip():
            return None
        text = normalise(said)
        if text not in normalise(query):
            return None
        catalogue = self.facts.catalogue
        best: int | None = None
        for place, number in enumerate(kind.products.tolist()):
            name = short_name(
                catalogue.titles[number],
                catalogue.brands[number],
                kind.kind,
                capitalised=self.facts.capitalised,
            )
            if name is not None and name in text and not np.isnan(kind.prices[place]):
                best = number
                break
        if best is not None:
            return Reference(text, catalogue.brands[best], catalogue.product_ids[best])
        brands = sorted({brand for brand in kind.brands.tolist() if brand and brand in text})
        if not brands:
            return None
        longest = max(brands, key=len)
        number = int(kind.products[int(np.flatnonzero(kind.brands == longest)[0])])
        return Reference(text, catalogue.brands[number])


def _words(*texts: str) -> set[str]:
    return {word for text in texts for word in stem(text.replace("_", " ")).split()}


def _said_of(condition: Condition) -> tuple[str, ...]:
    """Return what a query says for a condition: a value, or without one the attribute."""
    values = tuple(value for value in condition.values if value not in ("yes", "no"))
    return values or (condition.attribute or "",)


def _is_same(one: Condition, other: Condition) -> bool:
    """Tell whether two conditions may speak of the same thing, said in other words.

    Example:
        >>> _is_same(Condition("hood", ("fixed",)), Condition(None, ("hood",)))
        True
        >>> _is_same(Condition("material", ("wool",)), Condition("material", ("leather",)))
        False
    """
    common = _words(one.attribute or "", *one.values) & _words(other.attribute or "", *other.values)
    if one.values and other.values and one.attribute == other.attribute:
        common -= _words(one.attribute or "")
    return bool(common)


def _conditions(said: Any) -> tuple[Condition, ...]:
    if not isinstance(said, list):
        return ()
    return tuple(
        Condition(
            normalise(str(part.get("attribute", ""))).replace(" ", "_"),
            tuple(normalise(str(value)) for value in part.get("values") or ()),
        )
        for part in said
        if isinstance(part, dict)
    )
