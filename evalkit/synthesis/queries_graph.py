"""Typed queries from structured knowledge: the graph of a catalogue and a user's own triples.

They differ from those of the templates in what they are about, not in their wordings: kinds and
values under their other names, materials by their family ("leather" for cowhide), brands by their
price tier, needs from the table of needs, devices that a product says it goes with.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.constraints import Condition
from evalkit.synthesis.queries_part import WHOLE
from evalkit.synthesis.templates import EACH, TemplateSource
from evalkit.synthesis.templates_drafting import Need
from evalkit.synthesis.templates_grammar import read_wording

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.knowledge import Graph
    from evalkit.synthesis.queries_facts import Facts, KindFacts
    from evalkit.synthesis.queries_part import QueryPart
    from evalkit.synthesis.templates_phrases import Phrase

__all__ = ["form_of", "graph_source"]

_RENAMED = frozenset({"substance", "ingredient", "colour"})
_NO_DEVICE = re.compile(r"electromagnetic|operating_system|mac_|windows")
_DEVICE = re.compile(r"(^|_)(compatib\w*|fits|works_with|suitable_for_model|for_model)(_|$)")
_SPELLING = {"gray": "grey", "multicolor": "multicolour"}
_PIECE = re.compile(r"[,;|/\n•]+|\\n")
_DEVICES = 40  # devices of one kind, those that most products name
_RELATIVE = re.compile(r"^(?:\w+ ){1,3}(?:that|who|to) ")
_QUESTION = re.compile(r"^(what|which|how|where|who)\b")
_SENTENCE = re.compile(r"^(?:i|i'm|it|they|my|we|no|nothing|nobody|too)\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"^(i|i'm|i've|it|they|he|she|we|can't|cannot|don't|no|not|nothing|nobody|too|worried|never)\b"
    r"|(?<= )(is|are|isn't|aren't|was|am|gets?|keeps?|hurts?|won't|can't|doesn't|don't|never|"
    r"always|slides?|falls?|breaks?|smells?|feels?|looks?|leaks?|prints?|runs? out|goes|sweats?|"
    r"needs?|wants?|refuses?|rolls?|takes?|stings?|itches|hates?|loves?|has|lives?|sits?|stops|"
    r"dies|makes?|gives?|cannot|could|killed|react|sink|tip|upsets?|lacks?|switches|came|must|"
    r"dries me)\b",
    re.IGNORECASE,
)


def graph_source(
    facts: Facts, graph: Graph, wanted: int = 3, *, part: QueryPart = WHOLE, each: int = EACH
) -> TemplateSource:
    """Return the source `graph`.

    Args:
        facts: of the catalogue, with the graph's `says`.
        graph: what is known about it.
        wanted: products that must satisfy a query.
        part: which queries and wordings are made.
        each: wordings of one topic.
    """

    def more(phrase: Phrase) -> Sequence[Phrase]:
        return _renamed(graph, phrase)

    needs = [*_stated_needs(graph), *_devices(facts, wanted)]
    return TemplateSource(
        facts,
        wanted,
        name="graph",
        more=more,
        names_of=_names(graph),
        tier=graph.tier,
        needs=needs,
        part=part,
        each=each,
    )


def _names(graph: Graph) -> Callable[[str], Sequence[str]]:
    kinds = set(graph.catalogue.kinds)

    def names(kind: str) -> Sequence[str]:
        # A synonym that is another kind of this catalogue would name that one.
        found = graph.kind_words(kind)
        return (
            kind,
            *(
                word
                for word in found
                if word not in kinds and len(word.split()) <= 3 and "free" not in word
            ),
        )

    return names


def _renamed(graph: Graph, phrase: Phrase) -> Sequence[Phrase]:
    """Return a property under its own, its other and its families' names."""
    if phrase.group not in _RENAMED or len(phrase.condition.values) != 1:
        return (phrase,)
    value = phrase.condition.values[0]
    found = [phrase]
    others = list(graph.words.synonyms(value)[:2])
    if phrase.group == "colour":  # grey and gray, but not silver and silvery
        others = [
            word for word in others if _SPELLING.get(word, word) == _SPELLING.get(value, value)
        ]
    else:
        others += graph.words.broader(value)[:2]
    refused = read_wording("values")["families"]
    same = set(graph.words.synonyms(value))
    for word in others:
        if word == value or not len(word) > 3 or len(word.split()) > 2:
            continue
        if word in refused[phrase.group]:
            continue
        wanted = phrase.group != "ingredient" or word in same
        change: Callable[[str], str] = lambda text, word=word: text.replace(value, word)  # type: ignore[misc] # noqa: E731
        found.append(
            replace(
                phrase,
                condition=Condition(phrase.condition.attribute, (word,)),
                label=f"{phrase.condition.attribute}={word}",
                # One avoids grain, and asks for oats.
                before=change(phrase.before) if wanted else "",
                after=change(phrase.after) if wanted else "",
                thing=change(phrase.thing),
                a_thing=change(phrase.a_thing),
                quality=change(phrase.quality),
            )
        )
    return found


def form_of(text: str) -> str:
    """Tell whether a need is a question, a sentence of its own, or completes "something for ...".

    Example:
        >>> form_of("my feet hurt after a shift"), form_of("a walk in the rain")
        ('clause', 'noun')
    """
    if _QUESTION.match(text):
        return "question"
    if _RELATIVE.match(text) and not _SENTENCE.match(text):
        return "noun"
    return "clause" if _CLAUSE.search(text) else "noun"


def _stated_needs(graph: Graph) -> list[Need]:
    found = []
    for need in graph.needs:
        kinds: dict[tuple[str | None, tuple[str, ...]], list[str]] = {}
        for answer in need.answers:
            kinds.setdefault((answer.attribute, answer.values), []).append(answer.kind)
        for answer in need.answers:
            conditions = (Condition(answer.attribute, answer.values),) if answer.attribute else ()
            found += [
                Need(
                    phrase,
                    form_of(phrase),
                    answer.kind,
                    conditions,
                    need.name,
                    need.name,
                    tuple(kinds[answer.attribute, answer.values]),
                )
                for phrase in need.phrases
            ]
    return found


def _devices(facts: Facts, wanted: int) -> list[Need]:
    """Return the devices that enough products of a kind say they are for."""
    found = []
    for kind in facts.kinds.values():
        for name in sorted(kind.statements):
            if _DEVICE.search(name) and not _NO_DEVICE.search(name):
                found += [
                    Need(device, "device", kind.kind, (Condition(name, (device,)),), device, device)
                    for device in _named_devices(kind, name, wanted)
                ]
    return found


def _named_devices(kind: KindFacts, name: str, wanted: int) -> list[str]:
    statements = kind.statements[name]
    times: Counter[str] = Counter()
    for value, products in statements.counts().items():
        pieces = {" ".join(piece.split()).strip(" -.:") for piece in _PIECE.split(value)}
        for piece in pieces:
            words = piece.split()
            if 1 < len(words) <= 4 and len(piece) <= 28 and re.search(r"\d", piece):
                times[piece] += products
    empty = read_wording("grammar")["empty"]
    often = sorted(times.items(), key=lambda item: (-item[1], item[0]))
    return [
        piece
        for piece, products in often[:_DEVICES]
        if products >= wanted
        and piece not in empty
        and re.fullmatch(r"[a-z][a-z0-9 .+&/-]*", piece)
    ]
