"""What people need, and which property of which kind of product answers it.

The project's own table is `needs.yaml`, by department. A need is kept for a catalogue only where
the catalogue has the kind and states a value that answers it; a user's triples (`implies`) add
needs of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.knowledge.triples import Triple

__all__ = ["Answer", "Need", "known_needs"]

_TABLE = Path(__file__).parent / "needs.yaml"


@dataclass(frozen=True)
class Answer:
    """A kind of product with a property, as the catalogue states it.

    Attributes:
        kind: a kind of the catalogue.
        attribute: an attribute of the catalogue, or None where the kind alone is the answer.
        values: values of that attribute, any of which will do; most frequent first.
    """

    kind: str
    attribute: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Need:
    """A problem, occasion, person or thing to go with, and the products that answer it.

    Attributes:
        name: short, in lower case, unique.
        phrases: how customers put it; each completes "something for ..." or stands alone.
        answers: what answers it in this catalogue; one each kind and attribute.
    """

    name: str
    phrases: tuple[str, ...]
    answers: tuple[Answer, ...]


class Vocabulary(Protocol):
    """What `known_needs` asks of a graph."""

    def kinds_named(self, word: str) -> tuple[str, ...]:
        """Return the kinds of the catalogue that a word names."""

    def values(self, kind: str, attribute: str) -> dict[str, int]:
        """Return the values that products of a kind state, with counts."""

    def all_attributes(self, kind: str) -> tuple[str, ...]:
        """Return the names of everything that products of a kind state."""

    def says(self, value: str, wanted: str) -> bool:
        """Tell whether a value states a word."""


def known_needs(graph: Vocabulary, triples: Sequence[Triple] = ()) -> tuple[Need, ...]:
    """Return the needs that a catalogue can answer, in the order of the table, then the user's."""
    found: dict[str, tuple[dict[str, None], dict[Answer, None]]] = {}
    for entry in _table():
        answers = [
            answer
            for kind in dict.fromkeys(
                kind for word in entry["kinds"] for kind in graph.kinds_named(word)
            )
            for answer in _answers(graph, kind, entry.get("implies") or {})
        ]
        _add(found, entry["need"], (entry["need"], *entry["phrases"]), answers)
    for triple in triples:
        if triple.relation == "implies":
            need, answers = _of_triple(graph, triple)
            _add(found, need, (need,), answers)
    return tuple(
        Need(name, tuple(phrases), tuple(answers))
        for name, (phrases, answers) in found.items()
        if answers
    )


def _add(
    found: dict[str, tuple[dict[str, None], dict[Answer, None]]],
    name: str,
    phrases: Sequence[str],
    answers: Sequence[Answer],
) -> None:
    known_phrases, known_answers = found.setdefault(name, ({}, {}))
    known_phrases.update(dict.fromkeys(phrases))
    known_answers.update(dict.fromkeys(answers))


def _answers(graph: Vocabulary, kind: str, implies: Mapping[str, Sequence[str]]) -> list[Answer]:
    if not implies:
        return [Answer(kind)]
    result = []
    there = graph.all_attributes(kind)
    for names, wanted in implies.items():
        for name in names.split("|"):
            if name not in there:
                continue
            values = tuple(
                value
                for value in graph.values(kind, name)
                if any(graph.says(value, word) for word in wanted)
            )
            if values:
                result.append(Answer(kind, name, values))
    return result


def _of_triple(graph: Vocabulary, triple: Triple) -> tuple[str, list[Answer]]:
    """Read `kind:attribute=value implies need`, or the other way round."""
    stated, need = triple.subject, triple.object
    if "=" in need or ("=" not in stated and not graph.kinds_named(stated)):
        stated, need = need, stated
    kind, colon, rest = stated.partition(":")
    if "=" not in stated:
        return need, [Answer(name) for name in graph.kinds_named(stated)]
    kinds = graph.kinds_named(kind) if colon else graph.kinds_named("")
    attribute, _, value = (rest if colon else stated).partition("=")
    name = attribute.strip().replace(" ", "_").replace("-", "_")
    return need, [
        answer for kind in kinds for answer in _answers(graph, kind, {name: (value.strip(),)})
    ]


@cache
def _table() -> tuple[dict[str, Any], ...]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with _TABLE.open(encoding="utf-8") as stream:
        document = yaml.load(stream, Loader=loader)  # noqa: S506
    return tuple(entry for department in document.values() for entry in department)
