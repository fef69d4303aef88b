"""The rewriter that needs no model: what the catalogue says, in the words of its titles.

Every rewrite describes products that the query's structure asks for, and obeys
`evalkit.rewriting.rules`. A query gets fewer than n only when the catalogue has no more to say.
Equal structures with equal seeds give equal rewrites, wherever a query stands in its file.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from evalkit.rewriting.alternative import rewrite_alternative
from evalkit.rewriting.asking import Asked, open_reader
from evalkit.rewriting.drafts import Draft, choose
from evalkit.rewriting.general import rewrite_general
from evalkit.rewriting.knowledge_needs import rewrite_need
from evalkit.rewriting.negative import rewrite_negative
from evalkit.rewriting.rewriter import Rewrite
from evalkit.rewriting.rules import breaks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.constraints import TypedQuery
    from evalkit.knowledge import Catalogue
    from evalkit.knowledge.graph import Graph

__all__ = ["CatalogueRewriter"]

_MOST_WORDS = 12


class CatalogueRewriter:
    """Rewrites from catalogue knowledge; see the module.

    Args:
        catalogue: the products.
        graph: what is known about them.
        seed: of choices between equals.
    """

    def __init__(self, catalogue: Catalogue, graph: Graph, *, seed: int = 0) -> None:
        self._graph = graph
        self._reader = open_reader(catalogue, graph)
        self._seed = seed
        self._counts: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """`catalogue`."""
        return "catalogue"

    @property
    def models(self) -> tuple[Mapping[str, Any], ...]:
        """None."""
        return ()

    def rewrite(self, queries: Sequence[TypedQuery], n: int) -> list[list[Rewrite]]:
        """Return up to n rewrites for each query, best first."""
        return [self._rewrite(query, n) for query in queries]

    def counts(self) -> Mapping[str, int]:
        """Return nothing: this rewriter has no answers that could be invalid."""
        return {}

    def _rewrite(self, query: TypedQuery, n: int) -> list[Rewrite]:
        asked = self._reader.read(query)
        others = self._reader.name_of(asked.kinds)

        def allowed(text: str, earlier: Sequence[str]) -> bool:
            return 1 < len(text.split()) <= _MOST_WORDS and not breaks(
                query, text, earlier=earlier, graph=self._graph, is_name=others
            )

        sources = self._reader.sources
        kind = query.structure.query_type
        if kind == "negative":
            found = rewrite_negative(asked, n, sources, allowed, self._seed)
        elif kind == "knowledge":
            found = rewrite_need(asked, n, self._reader, allowed, self._seed)
        elif kind == "alternative":
            found = rewrite_alternative(asked, n, self._reader, allowed, self._seed)
        else:
            found = rewrite_general(asked, n, sources, allowed, self._seed)
        # What was not chosen for a need or an exclusion says nothing about it.
        sure = kind in ("general", "alternative") or bool(query.structure.required)
        if len(found) < n and kind != "negative" and sure:
            found = choose(
                self._more(asked, found[0].method if found else "paraphrase"),
                n,
                query=query,
                allowed=allowed,
                seed=self._seed,
                earlier=found,
            )
        return [Rewrite(draft.text, draft.method) for draft in found]

    def _more(self, asked: Asked, method: Any) -> list[Draft]:
        """Return what single titles say, and the kind's other names: less sure, but more."""
        sources = self._reader.sources
        drafts: list[Draft] = []
        for kind in asked.kinds:
            inside = asked.products[kind]
            everything = frozenset(inside.tolist())
            drafts += sources.from_titles(kind, inside, asked.lead, method, least=1)
            drafts += sources.from_values(kind, inside, asked.lead, method)
            drafts += [
                Draft(sources.phrase([*asked.lead, name], kind), everything, "synonym")
                for name in sources.graph.words.synonyms(kind)
            ]
        return drafts
