"""Rewrites by a language model, with words of the catalogue beside the question.

The model sees the query, its structure and titles and values of the kinds it asks for, and answers
`{"rewrites": [...]}`. A small model often writes a list in lines instead; those are read too. What
breaks a rule, repeats or echoes, or says words that no product uses is dropped and counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from evalkit.rewriting.asking import open_reader
from evalkit.rewriting.rewriter import Rewrite
from evalkit.rewriting.rules import MOST_WORDS, breaks
from evalkit.rewriting.selection import is_absent
from evalkit.rewriting.wording import CONNECTORS, split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.constraints import TypedQuery
    from evalkit.knowledge import Catalogue
    from evalkit.knowledge.graph import Graph
    from evalkit.llm import LanguageModel

__all__ = ["LanguageModelRewriter", "read_lines"]

_MOST_TITLES = 6
_MOST_ATTRIBUTES = 4
_MOST_VALUES = 8
_TOKENS_EACH = 24
_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):]|[a-e][.)])\s*")
_PREAMBLE = re.compile(
    r"^(sure|here|okay|ok|of course|certainly|note|query|reading|words|rewrites?|answer|json)\b",
    re.IGNORECASE,
)


class LanguageModelRewriter:
    """Asks a language model; see the module.

    Args:
        model: answers messages; has its own cache and budget.
        catalogue: whose words are shown to it.
        graph: what is known about it.
        seed: of the sampling.
        temperature: 0 takes the likeliest words.
    """

    def __init__(
        self,
        model: LanguageModel,
        catalogue: Catalogue,
        graph: Graph,
        *,
        seed: int = 0,
        temperature: float = 0.7,
    ) -> None:
        from evalkit.llm import load_prompt

        self._model = model
        self._graph = graph
        self._reader = open_reader(catalogue, graph)
        self._titles = self._reader.sources.titles
        self._prompt = load_prompt("rewrite")
        self._seed = seed
        self._temperature = temperature
        self._counts: Counter[str] = Counter(
            answers_invalid=0, answers_as_lines=0, answers_failed=0, rewrites_dropped=0
        )

    @property
    def name(self) -> str:
        """`llm:` and the model."""
        return f"llm:{self.models[0].get('id', 'model')}"

    @property
    def models(self) -> tuple[Mapping[str, Any], ...]:
        """The language model and the prompt, for the manifest."""
        identity = self._prompt.identity
        prompt = {
            "role": "prompt",
            "id": identity.id,
            "version": identity.version,
            "fingerprint": f"sha256:{identity.sha256}",
        }
        return (self._model.to_manifest("rewriter"), prompt)

    def counts(self) -> Mapping[str, int]:
        """Count answers that were no JSON, came as lines or were refused, and rewrites dropped."""
        return dict(self._counts)

    def rewrite(self, queries: Sequence[TypedQuery], n: int) -> list[list[Rewrite]]:
        """Return up to n rewrites for each query, in the model's order.

        Raises:
            ModelError: an answer never came.
        """
        from evalkit.llm import need_answers

        asked = [
            self._prompt.fill(
                n=n,
                query=query.query,
                structure=_reading(query),
                words=self._words(query),
            )
            for query in queries
        ]
        answers = self._model.generate(
            asked,
            temperature=self._temperature,
            max_tokens=32 + _TOKENS_EACH * n,
            seed=self._seed,
            schema=self._prompt.schema,
            prompt=self._prompt.identity,
        )
        need_answers(answers, "queries")
        found = []
        for query, answer in zip(queries, answers, strict=True):
            parsed = answer.parsed[0] if answer.parsed else None
            text = answer.texts[0] if answer.texts else ""
            if parsed is not None:
                texts = [str(item) for item in parsed["rewrites"]]
            elif not text:
                self._counts["answers_failed"] += 1
                texts = []
            else:
                texts = read_lines(text)
                self._counts["answers_as_lines" if texts else "answers_invalid"] += 1
            found.append(self._kept(query, texts, n))
        return found

    def _kept(self, query: TypedQuery, texts: Sequence[str], n: int) -> list[Rewrite]:
        kept: list[str] = []
        for text in texts:
            plain = " ".join(split(text))
            broken = breaks(
                query, plain, earlier=kept, graph=self._graph, is_name=self._titles.is_name
            )
            if len(kept) < n and not broken and self._is_of_the_shop(plain):
                kept.append(plain)
            else:
                self._counts["rewrites_dropped"] += 1
        return [Rewrite(text, "llm") for text in kept]

    def _is_of_the_shop(self, text: str) -> bool:
        """Tell whether half of the words are used by products; small models write of anything."""
        words = [word for word in split(text) if word not in CONNECTORS]
        return 2 * sum(map(self._titles.is_of_the_shop, words)) >= len(words) > 0

    def _words(self, query: TypedQuery) -> str:
        """Return kinds, values and titles of products that fit; values that are excluded are left.

        The model must see what the excluded thing is called, to keep it out.
        """
        asked = self._reader.read(query)
        lines = []
        for kind in asked.kinds:
            numbers = asked.products[kind]
            lines.append(f"kind: {kind}")
            wished = [
                condition.attribute
                for condition in (*query.structure.required, *query.structure.excluded)
                if condition.attribute in self._graph.catalogue.attributes
            ]
            names = [*wished, *self._graph.attributes(kind)]
            for name in list(dict.fromkeys(names))[:_MOST_ATTRIBUTES]:
                values = [
                    value for value in self._graph.values(kind, str(name)) if not is_absent(value)
                ]
                if values and values != ["yes"]:
                    shown = ", ".join(values[:_MOST_VALUES])
                    lines.append(f"{str(name).replace('_', ' ')}: {shown}")
            for draft in self._reader.sources.from_titles(kind, numbers, (), "llm")[:_MOST_TITLES]:
                lines.append(f"title: {draft.text}")  # noqa: PERF401 - reads better
        return "\n".join(lines)


def read_lines(text: str) -> list[str]:
    r"""Read rewrites from an answer that is not the JSON that was asked for.

    The items of a list in it, or else its lines without bullets, numbers and quotes; what is too
    long for a query, or talks about the task, is left out.

    Example:
        >>> read_lines('Sure! Here are:\n1. "waxed cotton jacket"\n2. down jacket')
        ['waxed cotton jacket', 'down jacket']
        >>> read_lines('{"rewrites": ["oak table", "pine table"')
        ['oak table', 'pine table']
    """
    listed = re.search(r"\[(.*)", text, re.DOTALL)
    if listed is not None:
        items = re.findall(r'"((?:[^"\\]|\\.)*)"', listed[1].partition("]")[0])
        if items:
            return [_plain(item) for item in items if _plain(item)]
    found = []
    for line in text.splitlines():
        plain = _plain(_BULLET.sub("", line))
        if plain and not _PREAMBLE.match(plain) and not line.rstrip().endswith((":", "{", "}")):
            found.append(plain)
    return [item for item in found if len(item.split()) <= MOST_WORDS]


def _plain(text: str) -> str:
    return text.strip().strip("\"'`.,;* ").strip()


def _reading(query: TypedQuery) -> str:
    """Return the structure as JSON without its empty fields."""
    document = json.loads(query.structure.to_json())
    return json.dumps(
        {name: value for name, value in document.items() if value not in (None, [])},
        ensure_ascii=False,
    )
