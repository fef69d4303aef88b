"""From a catalogue to typed queries, and from rewritten queries to training pairs."""

from evalkit.synthesis.queries import SOURCES, QuerySettings, synthesize_queries
from evalkit.synthesis.queries_source import QuerySource, SyntheticQuery

__all__ = ["SOURCES", "QuerySettings", "QuerySource", "SyntheticQuery", "synthesize_queries"]
