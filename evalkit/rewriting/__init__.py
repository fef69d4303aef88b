"""Several product-language rewrites of a query, from the catalogue or by a language model."""

from evalkit.rewriting.rewriter import Rewrite, Rewriter, TypedQuery, open_rewriter
from evalkit.rewriting.rules import breaks

__all__ = ["Rewrite", "Rewriter", "TypedQuery", "breaks", "open_rewriter"]
