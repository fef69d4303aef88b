"""What is known of a pair of texts without a trained cross-encoder.

A cross-encoder that has seen a thousand pairs knows less of closeness in meaning than the encoder
it began as, and little of words that it never saw. Two numbers tell it: the cosine of the frozen
encoder's vectors, and the share of the query's words (stemmed, as for BM25) that the other text
has. A classifier's calibration weighs them beside the scores.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import ModelError
from evalkit.models import cache_folder, locate_encoder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from evalkit.models import ModelFiles
    from evalkit.retrieval import Encoder

__all__ = ["FEATURES", "PairFeatures", "encoder_beside", "encoder_of", "open_features"]

FEATURES = ("cosine", "shared_words")


@dataclass(frozen=True)
class PairFeatures:
    """Two numbers of a pair, by an encoder that is opened; see `open_features`."""

    files: ModelFiles
    encoder: Encoder

    def of(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Return cosine and share of shared words of each pair, float64[n, 2]."""
        from evalkit.retrieval.lexical_index import split_words

        if not len(pairs):
            return np.zeros((0, len(FEATURES)))
        sides = []
        for texts, kind in (([one for one, _ in pairs], "query"),
                            ([two for _, two in pairs], "document")):  # fmt: skip
            vectors = self.encoder.encode(texts, "query" if kind == "query" else "document")
            sides.append((vectors, split_words(texts)))
        (one, asked), (two, said) = sides
        # Digits that depend on a batch's other texts are left out.
        cosine = np.round(np.einsum("ij,ij->i", one, two, dtype=np.float64), 4)
        shared = [
            len(set(wanted) & set(found)) / max(len(set(wanted)), 1)
            for wanted, found in zip(asked, said, strict=True)
        ]
        return np.column_stack([cosine, np.asarray(shared, dtype=np.float64)])

    def nearness(self, queries: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the cosine of every query and every text, float64[queries, texts]."""
        one, two = self.encoder.encode(queries, "query"), self.encoder.encode(texts, "document")
        return np.round(one.astype(np.float64) @ two.astype(np.float64).T, 4)

    def to_json(self) -> dict[str, Any]:
        """Return what a calibration's file says of it."""
        return {"names": list(FEATURES), "encoder": self.files.to_manifest("features")}


def open_features(files: ModelFiles, device: str = "auto") -> PairFeatures:
    """Open the features by an encoder's files; its weights are loaded at the first new text."""
    from evalkit.retrieval.embedding_cache import CachedEncoder
    from evalkit.retrieval.encoder import EncoderSettings, SentenceEncoder

    encoder = SentenceEncoder(files, EncoderSettings(device=device))
    return PairFeatures(files, CachedEncoder(encoder, cache_folder() / "embeddings"))


def encoder_beside(base: ModelFiles) -> ModelFiles:
    """Return the encoder of the features: the base, or the default where that is no encoder.

    Raises:
        ModelError: the default is needed and not there.
    """
    file = base.folder / "config.json"
    heads = json.loads(file.read_text("utf-8")).get("architectures") if file.is_file() else None
    classifies = any(str(head).endswith("ForSequenceClassification") for head in heads or ())
    return locate_encoder() if classifies else base


def encoder_of(document: Mapping[str, Any]) -> ModelFiles:
    """Find the encoder that `to_json` named.

    Raises:
        ModelError: it is not there, or is another one by now.
    """
    try:
        names, named = document["names"], document["encoder"]
        model, revision, wanted = named["id"], named["revision"], named["fingerprint"]
    except (KeyError, TypeError) as error:
        raise ModelError(f"the calibration's features have no {error}") from error
    if list(names) != list(FEATURES):
        raise ModelError(f"the calibration reads features {names}, known are {list(FEATURES)}")
    found = locate_encoder(model, revision=revision if named.get("source") == "hub" else None)
    if found.fingerprint != wanted:
        raise ModelError(
            f"{model} is another encoder than the one that the classifier was calibrated with; "
            "train the classifier again."
        )
    return found
