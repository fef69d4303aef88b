"""Who says how likely a rewrite keeps what its query asks for; `Scorer` is the seam.

There are three: an encoder that nobody trained for it (`TopicCosine`), a cross-encoder that
`evalkit train classifier --pairs rewrites` made (`TrainedScorer`), and a language model
(`RewriteAsker`). The stage that asks them is `evalkit.relevance.rewrite_filter`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evalkit.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evalkit.constraints import TypedQuery
    from evalkit.models import ModelFiles
    from evalkit.relevance.classifier import Classifier
    from evalkit.relevance.llm_judge import LanguageModelJudge
    from evalkit.retrieval import Encoder

__all__ = [
    "COSINE",
    "TOPIC_THRESHOLD",
    "RewriteAsker",
    "Scorer",
    "TopicCosine",
    "TrainedScorer",
    "open_topic_cosine",
]

TOPIC_THRESHOLD = 0.35
"""Cosine from which `TopicCosine` with the default encoder finds that a rewrite keeps the intent.

From the 300 rewrites graded by hand (`benchmarks/rewrite_filter.py`): behind the rules kappa is .43
to .47 at every cut from .30 to .425, and .37 without one. It is the knowledge queries that gain
(.05 to .28); the other types are much the same at every cut up to .45, so that they need none of
their own. Cuts above .5 refuse most right rewrites of knowledge queries.
"""

COSINE = 2  # raised when `TopicCosine` may score the same pair otherwise, for manifests


class Scorer(Protocol):
    """What of a relevance model is needed to filter rewrites."""

    def score(
        self, asked: Sequence[TypedQuery], rewrites: Sequence[str]
    ) -> NDArray[np.floating[Any]]:
        """Return how likely each rewrite keeps its query's intent; NaN where it cannot say.

        Args:
            asked: the query of each rewrite, n of them.
            rewrites: the rewrites, n of them.
        """
        ...


@dataclass(frozen=True)
class TopicCosine:
    """The cosine of what the query wants and the rewrite, from 0 to 1.

    What it wants is in the words of its structure: the required values and the kinds, or its
    positive part where no kind is known (`evalkit.constraints.topic.wanted`). "i cannot follow the
    dialogue" is not near to "soundbar with speech mode", what it wants is.

    Attributes:
        encoder: of queries; its vectors have unit length.
        files: of the encoder, for manifests.
    """

    encoder: Encoder
    files: ModelFiles

    def score(self, asked: Sequence[TypedQuery], rewrites: Sequence[str]) -> NDArray[np.float64]:
        """Return the cosine of each pair, cut off below 0, float64[n]."""
        if not asked:
            return np.zeros(0)
        wanted = {query: _wanted(query) for query in dict.fromkeys(asked)}
        texts = list(dict.fromkeys((*wanted.values(), *rewrites)))
        place = {text: number for number, text in enumerate(texts)}
        vectors = self.encoder.encode(texts, "query").astype(np.float64)
        one = vectors[[place[wanted[query]] for query in asked]]
        other = vectors[[place[text] for text in rewrites]]
        # Digits that depend on a batch's other texts are left out.
        cosine = np.round(np.einsum("ij,ij->i", one, other), 4)
        return np.asarray(cosine.clip(0.0, 1.0), dtype=np.float64)

    def to_manifest(self, role: str) -> dict[str, Any]:
        """Return what a manifest records of it; the fingerprint covers the encoder's settings."""
        return {
            **self.files.to_manifest(role),
            "fingerprint": self.encoder.fingerprint,
            "cosine": COSINE,
        }


def _wanted(query: TypedQuery) -> str:
    from evalkit.constraints.topic import wanted

    return wanted(query.query, query.structure)


def open_topic_cosine(
    model: str | None = None, *, device: str = "auto", batch_size: int = 64
) -> TopicCosine:
    """Open the cosine by an encoder; its weights are loaded at the first text that is not cached.

    Args:
        model: folder or hub id of the encoder; None is all-MiniLM-L6-v2.
        device: `auto` (cuda, then mps, then cpu) or a torch device.
        batch_size: texts a batch.

    Raises:
        ModelError: the encoder cannot be found or trusted, or a package is missing.
    """
    from evalkit.models import cache_folder
    from evalkit.retrieval import EncoderSettings, open_encoder
    from evalkit.retrieval.embedding_cache import CachedEncoder

    encoder = open_encoder(model, EncoderSettings(device=device, batch_size=batch_size))
    return TopicCosine(CachedEncoder(encoder, cache_folder() / "embeddings"), encoder.files)


@dataclass(frozen=True)
class TrainedScorer:
    """A trained classifier of rewrites, which reads the words of query and rewrite alone."""

    classifier: Classifier

    def score(self, asked: Sequence[TypedQuery], rewrites: Sequence[str]) -> NDArray[np.float32]:
        """Return the calibrated probability of each rewrite, float32[n]."""
        words = [query.query for query in asked]
        return self.classifier.score(list(zip(words, rewrites, strict=True)))


@dataclass(frozen=True)
class RewriteAsker:
    """A language model as the judge of rewrites: 1 keeps the intent, 0 does not."""

    judge: LanguageModelJudge

    def score(self, asked: Sequence[TypedQuery], rewrites: Sequence[str]) -> NDArray[np.float64]:
        """Return 1, 0, or NaN where the answer is not valid, float64[n].

        Raises:
            ModelError: an answer never came.
        """
        import pyarrow as pa

        numbers = [str(place) for place in range(len(rewrites))]
        table = pa.table(
            {
                "query_id": numbers,
                "query": [query.query for query in asked],
                "rewrite": list(rewrites),
            }
        )
        said = self.judge.keeps(table)
        if said.reasons:
            reason, times = next(iter(said.reasons.items()))
            say(
                f"Warning: {said.failed:,} of {len(rewrites):,} rewrites have no valid answer "
                f"({times:,} times: {reason}) and are dropped."
            )
        result = np.full(len(rewrites), np.nan)
        places = [int(number) for number in said.table.column("query_id").to_pylist()]
        result[places] = np.asarray(said.table.column("keeps").to_pylist(), dtype=np.float64)
        return result
