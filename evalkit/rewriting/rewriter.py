"""What a rewriter is.

A rewriter turns a query into several that speak as product titles do, so that a retriever which
does not understand "without leather" or "for my sore back" finds the right products all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.constraints import TypedQuery

__all__ = ["METHODS", "Method", "Rewrite", "Rewriter"]

Method = Literal[
    "paraphrase", "lexical", "synonym", "specification", "positive", "cheaper", "llm", "policy"
]
METHODS: tuple[Method, ...] = (
    "paraphrase", "lexical", "synonym", "specification", "positive", "cheaper", "llm", "policy",
)  # fmt: skip


@dataclass(frozen=True)
class Rewrite:
    """One rewrite.

    Attributes:
        text: in lower case, as a product title would say it.
        method: how it came about: `positive` says what a product is instead of what it is not,
            `specification` answers a need, `cheaper` names other brands or the features of a
            reference without its name, `synonym` and `lexical` change words, `paraphrase` their
            order, `llm` and `policy` were written by a model.
    """

    text: str
    method: Method


class Rewriter(Protocol):
    """Anything that rewrites queries."""

    @property
    def name(self) -> str:
        """What stands in the column `rewriter` (`catalogue`, `llm:<model>`)."""
        ...

    @property
    def models(self) -> tuple[Mapping[str, Any], ...]:
        """The models behind it, for the manifest; each has a fingerprint."""
        ...

    def rewrite(self, queries: Sequence[TypedQuery], n: int) -> list[list[Rewrite]]:
        """Return up to n rewrites for each query, best first, distinct, none of them the query."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return what has been counted since it was opened (`answers_invalid`)."""
        ...
