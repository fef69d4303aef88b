"""The stage behind `evalkit index`: a catalogue becomes an index in a folder."""

from __future__ import annotations

import importlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.engines import open_engine
from evalkit.errors import SettingsError
from evalkit.files import check_replaceable, replacing_folder
from evalkit.manifest import (
    Input,
    Manifest,
    fingerprint,
    finished_before,
)
from evalkit.models import cache_folder
from evalkit.progress import progress_bar, say
from evalkit.retrieval.embedding_cache import CachedEncoder
from evalkit.retrieval.lexical_index import (
    LexicalSettings,
    build_words,
    save_words,
    split_words,
)
from evalkit.retrieval.retriever import PRODUCTS_FILE, VECTORS_FILE
from evalkit.retrieval.vector_index import VectorIndexSettings, build_vectors, check_size
from evalkit.tables.product_text import choose_fields, store_texts

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from duckdb import DuckDBPyRelation

    from evalkit.retrieval.encoder import Encoder
    from evalkit.tables import Table

__all__ = ["index_products"]

_BLOCK = 16_384


def index_products(
    products: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    method: LexicalSettings | VectorIndexSettings,
    *,
    encoder: Encoder | None = None,
    fields: Sequence[str] | None = None,
    reading: Mapping[str, Any] | None = None,
    force: bool = False,
    memory_limit: str = "600MB",
    threads: int | None = None,
    cache: Path | None = None,
) -> Manifest:
    """Index a catalogue; what is already as it should be is not made again.

    Args:
        products: the catalogue, in any format that `evalkit.tables.read` takes.
        folder: where the index goes; it appears when it is complete.
        method: which index: `LexicalSettings` or `VectorIndexSettings`.
        encoder: what encodes products; needed for vectors, refused for words.
        fields: columns that make a product's text; None takes the usual ones.
        reading: keyword arguments of `evalkit.tables.read` (format, mapping, on_duplicate).
        force: make it again in any case.
        memory_limit: for reading and joining; see `evalkit.engines.open_engine`.
        threads: of DuckDB.
        cache: folder for embeddings; None takes the default one.

    Returns:
        The manifest of the index.

    Raises:
        InputError: the catalogue cannot be used.
        SettingsError: settings that do not fit, or `folder` holds something else.
        ModelError: the model cannot be loaded.
    """
    from evalkit.tables import read

    started = time.monotonic()
    target = Path(folder)
    check_replaceable(target)
    dense = isinstance(method, VectorIndexSettings)
    if dense != (encoder is not None):
        raise SettingsError("A vector index needs an encoder, and a lexical index takes none.")
    wanted = Manifest(
        command="evalkit index",
        settings={
            "kind": "dense" if dense else "lexical",
            "index": asdict(method),
            "encoder": _encoder_settings(encoder),
            "fields": list(fields) if fields is not None else None,
            "reading": dict(reading or {}),
        },
        inputs=(Input("products", str(products), fingerprint(products)),),
        models=(_model(encoder),) if encoder is not None else (),
        seeds={"index": method.seed} if isinstance(method, VectorIndexSettings) else {},
    )
    done = None if force else finished_before(target, wanted)
    if done is not None:
        say(f"{target} is up to date (same products, model and settings); --force makes it again.")
        return done
    with open_engine(memory_limit, threads) as connection:
        table = read("products", products, connection, **(reading or {}))
        chosen = choose_fields(table.columns, fields)
        texts, count, empty = store_texts(connection, table, chosen)
        if isinstance(method, VectorIndexSettings):
            check_size(method, count)
        warnings = []
        if empty:
            warnings.append(
                f"{empty:,} of {table.rows:,} products have no text in {', '.join(chosen)} and "
                "cannot be found."
            )
        counts = {"products": count, "without_text": empty}
        say(f"Indexing {count:,} products by {', '.join(chosen)}.")
        with replacing_folder(target) as partial:
            _write_product_ids(texts, partial / PRODUCTS_FILE)
            if encoder is None:
                counts |= _index_words(texts, count, method, partial)
            else:
                cached = CachedEncoder(encoder, cache or cache_folder() / "embeddings")
                counts |= _index_vectors(texts, count, method, cached, partial)
                if counts["texts_truncated"]:
                    warnings.append(
                        f"{counts['texts_truncated']:,} of {count:,} product texts are longer "
                        "than the model reads; their ends were cut off. Fewer --fields, or the "
                        "most telling first, help."
                    )
            finished = _with(wanted, table, counts, warnings)
            finished.write(partial, started=started)
    for warning in warnings:
        say(f"Warning: {warning}")
    say(f"Wrote {target}: {count:,} products in {time.monotonic() - started:.1f} s.")
    return finished


def _with(wanted: Manifest, table: Table, counts: dict[str, int], warnings: list[str]) -> Manifest:
    source = Input("products", table.path, table.fingerprint, table.rows)
    return Manifest(
        wanted.command,
        wanted.settings,
        (source,),
        wanted.models,
        wanted.seeds,
        counts,
        tuple(warnings),
    )


def _index_words(texts: DuckDBPyRelation, count: int, method: Any, folder: Path) -> dict[str, int]:
    words: list[list[str]] = []
    with progress_bar(count, "Reading words", "products") as moved:
        for batch in texts.select("text").to_arrow_reader(_BLOCK):
            words += split_words(batch.column("text").to_pylist())
            moved(batch.num_rows)
    index = build_words(words, method)
    save_words(index, folder)
    return {"words": len(index.vocab_dict)}


def _index_vectors(
    texts: DuckDBPyRelation, count: int, method: Any, encoder: CachedEncoder, folder: Path
) -> dict[str, int]:
    faiss: Any = importlib.import_module("faiss")

    # On disk while it is built: a million products of a large model do not fit in memory twice.
    scratch = folder / "vectors.float32"
    vectors: Any = None
    start = 0
    with progress_bar(count, "Encoding", "products") as moved:
        for batch in texts.select("text").to_arrow_reader(_BLOCK):
            rows = encoder.encode(batch.column("text").to_pylist(), "document", progress=moved)
            if vectors is None:
                shape = (count, rows.shape[1])
                vectors = np.memmap(scratch, dtype=np.float32, mode="w+", shape=shape)
            vectors[start : start + len(rows)] = rows
            start += len(rows)
    with progress_bar(count, "Indexing", "products") as moved:
        index = build_vectors(vectors, method, progress=moved)
    faiss.write_index(index, str(folder / VECTORS_FILE))
    dimension = int(vectors.shape[1])
    del vectors
    scratch.unlink()
    return {
        "dimension": dimension,
        "texts_encoded": encoder.encoded,
        "texts_reused": encoder.reused,
        "texts_truncated": encoder.truncated_texts,
    }


def _write_product_ids(texts: DuckDBPyRelation, file: Path) -> None:
    import pyarrow as pa

    schema = pa.schema([("product_id", pa.string())])
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in texts.select("product_id").to_arrow_reader(_BLOCK):
            writer.write_batch(batch.cast(schema))


def _encoder_settings(encoder: Encoder | None) -> dict[str, Any]:
    """Return the settings of an encoder; one of the user's own has none that we know."""
    settings = getattr(encoder, "settings", None)
    if settings is None:
        return {"query_prefix": None, "document_prefix": None}
    chosen = asdict(settings)
    # Where and in what portions it is computed changes the last bits at most.
    return {name: chosen[name] for name in chosen if name not in ("device", "batch_size")}


def _model(encoder: Encoder) -> dict[str, Any]:
    files = getattr(encoder, "files", None)
    if files is None:
        own = {"role": "encoder", "id": type(encoder).__name__, "revision": None, "source": "own"}
        return {**own, "fingerprint": encoder.fingerprint}
    # The folder's full path, since the index may be opened from elsewhere.
    name = str(files.folder) if files.source == "path" else files.id
    return {**files.to_manifest("encoder"), "id": name, "fingerprint": encoder.fingerprint}
