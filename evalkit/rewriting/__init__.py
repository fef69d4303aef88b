"""Several product-language rewrites of a query, from the catalogue or by a language model."""

from evalkit.constraints import TypedQuery, read_typed_queries
from evalkit.rewriting.opening import open_rewriter
from evalkit.rewriting.rewriter import Rewrite, Rewriter
from evalkit.rewriting.rewriting import RewriteSettings, rewrite_queries
from evalkit.rewriting.rules import breaks

__all__ = [
    "Rewrite",
    "RewriteSettings",
    "Rewriter",
    "TypedQuery",
    "breaks",
    "open_rewriter",
    "read_typed_queries",
    "rewrite_queries",
]
