"""The seam `Retriever`, and `open_index`, which opens whatever index is in a folder.

An index knows what it was built from. It is opened with the same model, and for the same
catalogue, or not at all: vectors of two models cannot be compared, and a run over another
catalogue would name products that do not exist.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evalkit.errors import InputError, ModelError, Problem, SettingsError
from evalkit.manifest import Manifest, fingerprint, read_manifest
from evalkit.models import cache_folder
from evalkit.retrieval.embedding_cache import CachedEncoder
from evalkit.retrieval.encoder import EncoderSettings, open_encoder
from evalkit.retrieval.hits import to_run
from evalkit.retrieval.lexical_index import open_words, search_words
from evalkit.retrieval.vector_index import open_vectors, search_vectors

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from evalkit.retrieval.encoder import Encoder

__all__ = ["DenseRetriever", "LexicalRetriever", "Retriever", "index_fingerprint", "open_index"]

VECTORS_FILE = "vectors.faiss"
PRODUCTS_FILE = "products.arrow"


class Retriever(Protocol):
    """Anything that finds products for queries."""

    def search(
        self,
        queries: pa.Table,
        k: int,
        *,
        system: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> pa.Table:
        """Return a run.

        Args:
            queries: columns query_id and query, both text.
            k: products a query at most.
            system: what the run calls its system; None takes the retriever's own name.
            progress: called with the number of queries done each time some are.

        Returns:
            Columns query_id, product_id, rank (from 1), score and system; queries in the given
            order, best products first, equal scores by product_id descending.
        """
        ...


@dataclass(frozen=True)
class DenseRetriever:
    """Finds products by the cosine of query and product vectors."""

    manifest: Manifest
    index: Any
    product_ids: Any
    encoder: CachedEncoder
    search_effort: int | None = None

    def search(
        self,
        queries: pa.Table,
        k: int,
        *,
        system: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> pa.Table:
        """Return a run; see `Retriever.search`."""
        _check_k(k)
        vectors = self.encoder.encode(queries.column("query").to_pylist(), "query")
        return self.nearest(
            queries.column("query_id"), vectors, k, system=system, progress=progress
        )

    def nearest(
        self,
        query_ids: Any,
        vectors: NDArray[np.float32],
        k: int,
        *,
        system: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> pa.Table:
        """Return a run for vectors of the caller's own, unit rows, one for each query id."""
        _check_k(k)
        if len(vectors) and vectors.shape[1] != self.index.d:
            raise ModelError(
                f"The model gives {vectors.shape[1]} dimensions and the index has {self.index.d}."
            )
        hits = search_vectors(
            self.index, vectors, k, search_effort=self.search_effort, progress=progress
        )
        name = system or str(self.manifest.settings["index"]["kind"])
        return to_run(query_ids, self.product_ids, hits, name)


@dataclass(frozen=True)
class LexicalRetriever:
    """Finds products by the words they share with the query (BM25)."""

    manifest: Manifest
    index: Any
    product_ids: Any

    def search(
        self,
        queries: pa.Table,
        k: int,
        *,
        system: str | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> pa.Table:
        """Return a run; see `Retriever.search`."""
        _check_k(k)
        texts = queries.column("query").to_pylist()
        hits = search_words(self.index, texts, k, progress=progress)
        return to_run(queries.column("query_id"), self.product_ids, hits, system or "bm25")


def open_index(
    folder: str | os.PathLike[str],
    *,
    encoder: Encoder | None = None,
    model: str | None = None,
    revision: str | None = None,
    settings: EncoderSettings | None = None,
    products: str | os.PathLike[str] | None = None,
    search_effort: int | None = None,
    allow_pickle: bool = False,
    cache: Path | None = None,
) -> DenseRetriever | LexicalRetriever:
    """Open an index that `evalkit index` wrote.

    Args:
        folder: the index.
        encoder: what encodes queries; None opens `model`.
        model: a folder or hub id; None takes the one that the index was built with.
        revision: of `model`.
        settings: query prefix, device and batch size when `encoder` is None; what must be as it
            was for the products (number format, backend, length) is taken from the index.
        products: a catalogue that the index must have been built from.
        search_effort: see `evalkit.retrieval.vector_index.search_vectors`.
        allow_pickle: accept a model whose weights are pickles.
        cache: folder for embeddings; None takes the default one.

    Raises:
        InputError: there is no index, it is damaged, or it is of another catalogue.
        ModelError: it was built with another model, or the model cannot be opened.
    """
    place = Path(folder)
    if not place.is_dir():
        raise InputError(
            str(place),
            [Problem("there is no index here")],
            remedy=f"Build one with evalkit index --products FILE -o {place}.",
        )
    manifest = read_manifest(place)
    _check_files(place, manifest)
    if products is not None:
        _check_catalogue(place, manifest, products)
    product_ids = _read_product_ids(place / PRODUCTS_FILE)
    if manifest.settings["kind"] == "lexical":
        if encoder is not None or model is not None:
            raise ModelError(f"{place} is a lexical index, which has no model; leave it out.")
        return LexicalRetriever(manifest, open_words(place), product_ids)
    if encoder is None:
        built_with = manifest.settings["encoder"]
        chosen = settings or EncoderSettings()
        prefix = built_with["query_prefix"] if chosen.query_prefix is None else chosen.query_prefix
        recorded = manifest.models[0]
        own = EncoderSettings(
            query_prefix=prefix,
            document_prefix=built_with["document_prefix"],
            max_length=built_with["max_length"],
            device=chosen.device,
            dtype=built_with["dtype"],
            backend=built_with["backend"],
            batch_size=chosen.batch_size,
        )
        if model is None:
            model = recorded["id"]
            revision = recorded["revision"] if recorded["source"] != "path" else None
        encoder = open_encoder(model, own, revision=revision, allow_pickle=allow_pickle)
    check_model(place, manifest, encoder)
    cached = CachedEncoder(encoder, cache or cache_folder() / "embeddings")
    return DenseRetriever(
        manifest, open_vectors(place / VECTORS_FILE), product_ids, cached, search_effort
    )


def index_fingerprint(manifest: Manifest) -> str:
    """Identify the content of an index by the fingerprints of its files."""
    content = json.dumps(manifest.outputs, sort_keys=True)
    return "sha256:" + hashlib.sha256(content.encode()).hexdigest()


def check_model(folder: Path, manifest: Manifest, encoder: Encoder) -> None:
    """Raise a `ModelError` unless the encoder is the one that the index was built with."""
    built_with = manifest.models[0]
    if encoder.fingerprint == built_with["fingerprint"]:
        return
    files = getattr(encoder, "files", None)
    name = files.id if files is not None else type(encoder).__name__
    raise ModelError(
        f"The index {folder} was built with {built_with['id']} "
        f"({_short(built_with['fingerprint'])}) and cannot be searched with {name} "
        f"({_short(encoder.fingerprint)}): their vectors have nothing to do with each other. "
        f"Search with {built_with['id']}, or index the products again with {name}."
    )


def _check_catalogue(folder: Path, manifest: Manifest, products: str | os.PathLike[str]) -> None:
    built_from = manifest.inputs[0]
    found = fingerprint(products)
    if found != built_from.fingerprint:
        raise InputError(
            str(folder),
            [
                Problem(
                    f"the index was built from another catalogue: {built_from.path} "
                    f"({_short(built_from.fingerprint)}, {built_from.rows:,} products), and "
                    f"{products} is {_short(found)}"
                )
            ],
            remedy=f"Build it again: evalkit index --products {products} -o {folder} "
            "(only new texts are encoded).",
        )


def _check_files(folder: Path, manifest: Manifest) -> None:
    """Compare sizes only: an index can be large, and it is opened for every run."""
    for name, facts in manifest.outputs.items():
        file = folder / name
        size = file.stat().st_size if file.is_file() else None
        if size != facts["bytes"]:
            there = "is missing" if size is None else f"has {size:,} bytes"
            raise InputError(
                str(file),
                [Problem(f"{there}, and should have {facts['bytes']:,} bytes")],
                remedy="The index is damaged; build it again with evalkit index --force.",
            )


def _read_product_ids(file: Path) -> Any:
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_file(source).read_all().column("product_id").combine_chunks()


def _check_k(k: int) -> None:
    if k < 1:
        raise SettingsError(f"--k is {k}; it must be 1 or more.")


def _short(value: str) -> str:
    """Shorten the hash inside a fingerprint for reading."""
    head, _, rest = value.partition(":")
    digest, plus, settings = rest.partition("+")
    return f"{head}:{digest[:12]}{plus}{settings}" if rest else value[:19]
