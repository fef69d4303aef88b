"""BM25 over stemmed words, by bm25s (Lucene's formula).

    score(q, d) = Σ_t  ln(1 + (N − df_t + 0.5)/(df_t + 0.5)) · tf/(tf + k1·(1 − b + b·|d|/avgdl))

summed over the words of the query, repeated words repeatedly. Robertson and Zaragoza 2009; the
form without the constant factor k1 + 1 is the one in Lucene 8 and later, described by Kamphuis et
al. 2020. Text is made NFKC and lower case, split into runs of letters and digits, Lucene's 33
English stop words are removed, and Snowball's English stemmer is applied.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import InputError, Problem, SettingsError
from evalkit.retrieval.hits import Hits, best_of_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

__all__ = ["LexicalSettings", "build_words", "open_words", "search_words", "split_words"]

# An apostrophe stays inside its word, so that the stemmer can take off a possessive.
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by for if in into is it no not of on or such that the their "
        "then there these they this to was will with",
    )
)


@dataclass(frozen=True)
class LexicalSettings:
    """Parameters of BM25.

    Attributes:
        k1: how soon repetitions of a word stop counting, > 0.
        b: how much long texts are discounted, 0 to 1.
    """

    k1: float = 1.5
    b: float = 0.75

    def __post_init__(self) -> None:
        if not self.k1 > 0 or not 0 <= self.b <= 1:
            raise SettingsError(
                f"BM25 needs --k1 above 0 and --b from 0 to 1; they are {self.k1} and {self.b}."
            )


def split_words(texts: Iterable[str]) -> list[list[str]]:
    """Return the stemmed words of each text, stop words removed.

    Example:
        >>> split_words(["Running shoes for the runner's ﬁrst 10 km", "The"])
        [['run', 'shoe', 'runner', 'first', '10', 'km'], []]
    """
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    stems: dict[str, str] = {}
    result = []
    for text in texts:
        words = _WORD.findall(unicodedata.normalize("NFKC", text).lower().replace("’", "'"))
        kept = [word for word in words if word not in _STOP_WORDS]
        new = [word for word in dict.fromkeys(kept) if word not in stems]
        stems.update(zip(new, stemmer.stemWords(new), strict=True))
        result.append([stems[word] for word in kept])
    return result


def build_words(words: Sequence[Sequence[str]], settings: LexicalSettings) -> Any:
    """Build a BM25 index over the words of each product.

    Raises:
        InputError: no product has a word.
    """
    import bm25s

    # Sorted, since the order of a set of strings changes from process to process.
    distinct = sorted({word for row in words for word in row})
    vocabulary = {word: place for place, word in enumerate(distinct)}
    if not vocabulary:
        raise InputError(
            "products",
            [Problem("no product has a word that can be searched")],
            remedy="Choose other fields with --fields.",
        )
    index = bm25s.BM25(k1=settings.k1, b=settings.b, method="lucene", dtype="float32")
    index.index(
        ([[vocabulary[word] for word in row] for row in words], vocabulary),
        create_empty_token=False,
        show_progress=False,
    )
    return index


def save_words(index: Any, folder: Path) -> None:
    """Save an index as NumPy arrays and JSON; no pickle."""
    index.save(folder, show_progress=False)


def open_words(folder: Path) -> Any:
    """Open a saved index, memory-mapped.

    Raises:
        InputError: a file is missing or damaged.
    """
    import bm25s

    try:
        return bm25s.BM25.load(folder, mmap=True, load_corpus=False, show_progress=False)
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise InputError(
            str(folder),
            [Problem(f"the lexical index cannot be read ({error})")],
            remedy="Build it again with evalkit index --force.",
        ) from error


def search_words(
    index: Any,
    queries: Sequence[str],
    k: int,
    progress: Callable[[int], object] | None = None,
) -> Hits:
    """Return the k best products of each query that share a word with it.

    Equal scores are ordered by position; a product with score 0 is not a result.
    """
    parts = []
    for place, words in enumerate(split_words(queries)):
        known = [index.vocab_dict[word] for word in words if word in index.vocab_dict]
        if known:
            scores = index.get_scores_from_ids(known)
            best = best_of_row(scores, k)
            parts.append(Hits(np.full(len(best), place, np.int64), best, scores[best]))
        if progress is not None:
            progress(1)
    return Hits.joined(parts)
