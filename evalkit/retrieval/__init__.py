"""From a catalogue and queries to runs: encoders, vector and lexical indexes, fusion."""

from evalkit.retrieval.encoder import Encoder, EncoderSettings, SentenceEncoder, open_encoder
from evalkit.retrieval.fusion import fuse_runs
from evalkit.retrieval.indexing import index_products
from evalkit.retrieval.lexical_index import LexicalSettings
from evalkit.retrieval.retriever import Retriever, open_index
from evalkit.retrieval.retrieving import retrieve_run
from evalkit.retrieval.vector_index import VectorIndexSettings

__all__ = [
    "Encoder",
    "EncoderSettings",
    "LexicalSettings",
    "Retriever",
    "SentenceEncoder",
    "VectorIndexSettings",
    "fuse_runs",
    "index_products",
    "open_encoder",
    "open_index",
    "retrieve_run",
]
