"""Opening a rewriter by name; a new sort of rewriter gets its line here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import SettingsError

if TYPE_CHECKING:
    from evalkit.knowledge import Catalogue
    from evalkit.knowledge.graph import Graph
    from evalkit.llm import LanguageModel
    from evalkit.rewriting.rewriter import Rewriter

__all__ = ["open_rewriter"]


def open_rewriter(
    spec: str,
    *,
    catalogue: Catalogue,
    graph: Graph | None = None,
    language_model: LanguageModel | None = None,
    seed: int = 0,
) -> Rewriter:
    """Open a rewriter.

    Args:
        spec: `catalogue`: from what the catalogue says, offline; `llm:MODEL`: a language model,
            which the caller has opened; or the folder of a trained policy.
        catalogue: the products that the rewrites shall find.
        graph: what is known about them; None builds it.
        language_model: for `llm:MODEL`.
        seed: of choices between equals, and of the language model.

    Raises:
        SettingsError: there is no such rewriter, or it lacks its model.
        ModelError: the policy cannot be loaded.
    """
    if graph is None:
        from evalkit.knowledge.graph import build_graph

        graph = build_graph(catalogue)
    if spec == "catalogue":
        from evalkit.rewriting.catalogue import CatalogueRewriter

        return CatalogueRewriter(catalogue, graph, seed=seed)
    if spec == "llm" or spec.startswith("llm:"):
        from evalkit.rewriting.llm import LanguageModelRewriter

        if language_model is None:
            raise SettingsError("The rewriter llm needs a language model; name one with --llm.")
        return LanguageModelRewriter(language_model, catalogue, graph, seed=seed)
    if Path(spec).is_dir():
        from evalkit.rewriting.policy import PolicyRewriter, locate_policy

        return PolicyRewriter(locate_policy(spec), graph, seed=seed)
    raise SettingsError(
        f"There is no rewriter {spec!r}; use catalogue, llm:MODEL or a trained rewriter's folder."
    )
