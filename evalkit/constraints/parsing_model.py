"""A parser that asks a language model; the prompt is `evalkit/llm/prompts/parse_query.v1.md`.

What the model says is checked as every structure is. A query whose answer cannot be used gets the
structure of the rules, and is counted in `fallbacks`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evalkit.constraints.parsing import RuleParser
from evalkit.constraints.structure import Structure
from evalkit.errors import SettingsError
from evalkit.llm.messages import need_answers
from evalkit.llm.prompting import load_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.knowledge.catalogue import Catalogue
    from evalkit.llm.messages import LanguageModel
    from evalkit.llm.prompting import Prompt

__all__ = ["LanguageModelParser"]

_ATTRIBUTES = 60  # names told to the model, those that most products state
_LONGEST_ANSWER = 400  # tokens


class LanguageModelParser:
    """Understands queries by a language model.

    Attributes:
        prompt: the prompt that is used; its identity belongs into a manifest.
        fallbacks: queries so far whose answer could not be used.
    """

    def __init__(self, model: LanguageModel, catalogue: Catalogue | None = None) -> None:
        """Take a model; with a catalogue, its attributes are told to it."""
        self.prompt: Prompt = load_prompt("parse_query")
        self.fallbacks = 0
        self._model = model
        self._rules = RuleParser(catalogue)
        self._attributes = ", ".join(_usual(catalogue)) if catalogue is not None else ""

    def parse(
        self, queries: Sequence[str], progress: Callable[[int], object] | None = None
    ) -> list[Structure]:
        """Return the structure of every query, in order.

        Raises:
            ModelError: an answer never came. One that came and is no structure is a fallback.
        """
        asked = [self.prompt.fill(attributes=self._attributes, query=query) for query in queries]
        answers = self._model.generate(
            asked,
            temperature=0.0,
            max_tokens=_LONGEST_ANSWER,
            schema=self.prompt.schema,
            prompt=self.prompt.identity,
            progress=progress,
        )
        need_answers(answers, "queries")
        found = []
        for query, answer in zip(queries, answers, strict=True):
            structure = _structure(answer.parsed[0] if answer.parsed else None)
            if structure is None:
                self.fallbacks += 1
                structure = self._rules.parse([query])[0]
            found.append(structure)
        return found


def _usual(catalogue: Catalogue) -> list[str]:
    """Return the names of the attributes that most products state, sorted."""
    sizes = {name: len(attribute.stated()) for name, attribute in catalogue.attributes.items()}
    return sorted(sorted(sizes, key=lambda name: (-sizes[name], name))[:_ATTRIBUTES])


def _structure(answer: Any) -> Structure | None:
    """Return a valid structure with lower-case words, or None."""
    if not isinstance(answer, dict):
        return None
    try:
        return Structure.from_json(json.dumps(_lowered(answer)))
    except SettingsError:
        return None


def _lowered(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.lower().split())
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    if isinstance(value, dict):
        return {key: item if key == "brand" else _lowered(item) for key, item in value.items()}
    return value
