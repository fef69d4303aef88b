"""Texts to unit vectors with any sentence-transformers or transformers model.

The seam is `Encoder`; `open_encoder` is its factory. Opening checks the model's files and is
quick: torch is imported and the weights are loaded at the first text that must be encoded.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from evalkit.errors import ModelError, SettingsError
from evalkit.models import ModelFiles, locate_encoder, require_models_extra, usable_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

__all__ = ["Encoder", "EncoderSettings", "SentenceEncoder", "TextKind", "open_encoder"]

TextKind = Literal["query", "document"]


class Encoder(Protocol):
    """Anything that turns texts into unit vectors."""

    @property
    def fingerprint(self) -> str:
        """Identify what is computed: equal fingerprints, comparable vectors."""
        ...

    def encode(self, texts: Sequence[str], kind: TextKind) -> NDArray[np.float32]:
        """Return one row of unit length for each text, float32[len(texts), dimension]."""
        ...

    def truncated(self, texts: Sequence[str], kind: TextKind) -> NDArray[np.bool_]:
        """Tell for each text whether the model sees only its beginning."""
        ...


@dataclass(frozen=True)
class EncoderSettings:
    """How texts are encoded.

    Attributes:
        query_prefix: put before every query; None takes the model's own query prompt, if any.
        document_prefix: put before every product text; None takes the model's own prompt.
        max_length: longest text in tokens; None takes the model's own limit.
        device: `auto` (cuda, then mps, then cpu) or a torch device.
        dtype: of the weights and the computation; vectors are float32 in any case.
        backend: `torch`, or `onnx-int8` for CPUs.
        batch_size: texts a batch.
    """

    query_prefix: str | None = None
    document_prefix: str | None = None
    max_length: int | None = None
    device: str = "auto"
    dtype: Literal["float32", "float16"] = "float32"
    backend: Literal["torch", "onnx-int8"] = "torch"
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise SettingsError(f"--batch-size is {self.batch_size}; it must be 1 or more.")
        if self.max_length is not None and self.max_length < 1:
            raise SettingsError(f"--max-length is {self.max_length}; it must be 1 or more.")
        if self.backend == "onnx-int8" and self.dtype != "float32":
            raise SettingsError("--backend onnx-int8 has its own number format; leave --dtype out.")
        if self.backend == "onnx-int8" and self.device not in ("auto", "cpu"):
            raise SettingsError(f"--backend onnx-int8 runs on the CPU, not on {self.device}.")

    def prefix(self, kind: TextKind) -> str | None:
        """Return the chosen prefix of a kind of text."""
        return self.query_prefix if kind == "query" else self.document_prefix


def open_encoder(
    model: str | None = None,
    settings: EncoderSettings | None = None,
    *,
    revision: str | None = None,
    allow_pickle: bool = False,
) -> SentenceEncoder:
    """Open an encoder by hub id or folder; None is all-MiniLM-L6-v2.

    Raises:
        ModelError: the model cannot be found or trusted, or a package is missing.
    """
    chosen = settings or EncoderSettings()
    require_models_extra("Dense retrieval", "torch", "transformers", "sentence_transformers")
    if chosen.backend == "onnx-int8":
        from evalkit.retrieval.onnx_backend import require_onnx

        require_onnx()
    files = locate_encoder(model, revision=revision, allow_pickle=allow_pickle)
    return SentenceEncoder(files, chosen, allow_pickle)


@dataclass
class SentenceEncoder:
    """An encoder that sentence-transformers loads; see `open_encoder`."""

    files: ModelFiles
    settings: EncoderSettings
    allow_pickle: bool = False
    _model: SentenceTransformer | None = field(default=None, init=False, repr=False)
    _quantised: Any = field(default=None, init=False, repr=False)

    @property
    def fingerprint(self) -> str:
        """Identify the vectors: the model's files, number format, backend and length limit.

        Prefixes are not part of it: they belong to the text. The device is not: it changes the
        last bits only.
        """
        own = (self.settings.dtype, self.settings.backend, self.settings.max_length)
        if own == ("float32", "torch", None):
            return self.files.fingerprint
        length = "own" if self.settings.max_length is None else str(self.settings.max_length)
        return f"{self.files.fingerprint}+{self.settings.dtype}+{self.settings.backend}+{length}"

    @property
    def device(self) -> str:
        """Where the model runs (loads it)."""
        return str(self._loaded().device)

    @property
    def model(self) -> SentenceTransformer:
        """The model itself, for training it (loads it)."""
        return self._loaded()

    def encode(self, texts: Sequence[str], kind: TextKind) -> NDArray[np.float32]:
        """Return one row of unit length for each text, float32[len(texts), dimension]."""
        model = self._loaded()
        if not texts:
            return np.zeros((0, model.get_embedding_dimension() or 0), dtype=np.float32)
        prompt = self._prompt(kind)
        if self._quantised is not None:
            rows = self._quantised.encode(model, list(texts), prompt, self.settings.batch_size)
        else:
            # encode_query and encode_document also route models with two towers. Batches are
            # made from texts sorted by length there, so that little is padding.
            encode = model.encode_query if kind == "query" else model.encode_document
            rows = encode(
                list(texts),
                prompt=prompt,
                batch_size=self.settings.batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        vectors = np.asarray(rows, dtype=np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise ModelError(
                f"{self.files.id} gave vectors that are not finite; "
                + (
                    "try --dtype float32."
                    if self.settings.dtype == "float16"
                    else "its weights may be damaged."
                )
            )
        return np.asarray(vectors / np.maximum(lengths, np.float32(1e-12)), dtype=np.float32)

    def truncated(self, texts: Sequence[str], kind: TextKind) -> NDArray[np.bool_]:
        """Tell for each text whether it has more tokens than the model reads."""
        model = self._loaded()
        limit = model.max_seq_length
        if limit is None or not texts:
            return np.zeros(len(texts), dtype=np.bool_)
        prompt = self._prompt(kind)
        tokens = model.tokenizer(
            [prompt + text for text in texts],
            add_special_tokens=True,
            truncation=False,
            padding=False,
            return_attention_mask=False,
            verbose=False,
        )["input_ids"]
        return np.fromiter((len(row) > limit for row in tokens), dtype=np.bool_, count=len(tokens))

    def prompt(self, kind: TextKind) -> str:
        """Return what is put before each text: the chosen prefix, or the model's own (loads it)."""
        return self._prompt(kind)

    def _prompt(self, kind: TextKind) -> str:
        chosen = self.settings.prefix(kind)
        if chosen is not None:
            return chosen
        model = self._loaded()
        names = ["query"] if kind == "query" else ["document", "passage", "corpus"]
        own = [model.prompts[name] for name in names if model.prompts.get(name)]
        if own:
            return str(own[0])
        return str(model.prompts.get(model.default_prompt_name or "") or "")

    def _loaded(self) -> SentenceTransformer:
        if self._model is None:
            self._model = self._load()
        return self._model

    def _load(self) -> SentenceTransformer:
        import torch
        from sentence_transformers import SentenceTransformer

        transformers_logging: Any = importlib.import_module("transformers.utils.logging")

        device = _device(self.settings)
        weights: dict[str, Any] = {"dtype": getattr(torch, self.settings.dtype)}
        if not self.allow_pickle:
            weights["use_safetensors"] = True
        bars = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = SentenceTransformer(
                    str(self.files.folder),
                    device=device,
                    model_kwargs=weights,
                    trust_remote_code=False,
                )
        except Exception as error:  # loaders of all kinds of files raise all kinds of errors
            raise ModelError(
                f"{self.files.id} ({self.files.folder}) could not be loaded: {error}"
            ) from error
        finally:
            if bars:
                transformers_logging.enable_progress_bar()
        if self.settings.max_length is not None:
            own = model.max_seq_length
            if own is not None and self.settings.max_length > own:
                raise SettingsError(
                    f"--max-length {self.settings.max_length} is more than the {own} tokens that "
                    f"{self.files.id} reads."
                )
            model.max_seq_length = self.settings.max_length
        model.eval()
        if self.settings.backend == "onnx-int8":
            from evalkit.retrieval.onnx_backend import open_quantised

            self._quantised = open_quantised(model, self.files)
        return model


def _device(settings: EncoderSettings) -> str:
    if settings.backend == "onnx-int8":
        return "cpu"
    return usable_device(settings.device)
