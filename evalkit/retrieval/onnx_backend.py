"""Int8 inference on CPUs: the transformer through ONNX Runtime, the rest by sentence-transformers.

The export and the quantisation are done here and not by optimum, whose ONNX part is tied to
transformers 4 (optimum-onnx 0.1.0 requires transformers<4.58). The quantised file is kept in the
cache folder, keyed by the model's fingerprint.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import tempfile
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import ModelError
from evalkit.files import replacing_file
from evalkit.models import ModelFiles, cache_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

__all__ = ["QuantisedBody", "open_quantised", "require_onnx"]

_OPSET = 18
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def require_onnx() -> None:
    """Raise a `ModelError` with the line that installs what `--backend onnx-int8` needs."""
    needed = ("onnx", "onnxruntime", "onnxscript")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"--backend onnx-int8 needs {', '.join(missing)}; run: "
            "pip install 'evalkit-search[models,onnx]'"
        )


@dataclass(frozen=True)
class QuantisedBody:
    """The transformer of a model as a quantised ONNX graph."""

    session: Any
    inputs: tuple[str, ...]

    def encode(
        self, model: SentenceTransformer, texts: list[str], prompt: str, batch_size: int
    ) -> NDArray[np.float32]:
        """Encode texts; pooling and all later modules are the model's own."""
        import torch

        # The pooling may have to leave the prompt out, which the model does itself.
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        rows: list[NDArray[np.float32]] = []
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                batch = [texts[place] for place in order[start : start + batch_size]]
                features = model.preprocess(batch, prompt=prompt or None)
                feed = {name: features[name].numpy() for name in self.inputs}
                tokens = self.session.run(None, feed)[0]
                features["token_embeddings"] = torch.from_numpy(tokens)
                for module in list(model)[1:]:
                    features = module(features)
                rows.append(features["sentence_embedding"].float().numpy())
        vectors = np.concatenate(rows)
        result = np.empty_like(vectors)
        result[np.asarray(order)] = vectors
        return result


def open_quantised(model: SentenceTransformer, files: ModelFiles) -> QuantisedBody:
    """Open the quantised graph of a loaded model, making it the first time.

    Raises:
        ModelError: the model's architecture cannot be exported.
    """
    import torch

    onnxruntime: Any = importlib.import_module("onnxruntime")

    target = cache_folder() / "onnx" / f"{files.fingerprint.removeprefix('sha256:')}.int8.onnx"
    features = model.preprocess(["a first text", "a second, somewhat longer text"], prompt=None)
    inputs = tuple(name for name in _INPUTS if name in features)
    if not target.is_file():
        try:
            _export(model, {name: features[name] for name in inputs}, target)
        except Exception as error:
            raise ModelError(
                f"{files.id} could not be converted to ONNX int8 ({type(error).__name__}: "
                f"{error}); use --backend torch."
            ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        os.fspath(target), options, providers=["CPUExecutionProvider"]
    )
    return QuantisedBody(session, inputs)


def _export(model: SentenceTransformer, example: dict[str, Any], target: Path) -> None:
    import torch

    quantisation: Any = importlib.import_module("onnxruntime.quantization")

    class Body(torch.nn.Module):
        """The transformer with positional inputs and its last hidden state as only output."""

        def __init__(self, transformer: torch.nn.Module) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, *tensors: torch.Tensor) -> Any:
            named = dict(zip(example, tensors, strict=True))
            return self.transformer(**named).last_hidden_state

    transformer = model.transformers_model
    if transformer is None:
        raise TypeError("the model has no transformer")
    longest = model.max_seq_length or 512
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens", max=longest)}
    with tempfile.TemporaryDirectory() as folder, replacing_file(target) as partial:
        exported = str(Path(folder, "float32.onnx"))
        # Both libraries talk about their inner steps; what matters is raised.
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            with warnings.catch_warnings(), redirect_stdout(StringIO()):
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    Body(transformer).eval(),
                    tuple(example.values()),
                    exported,
                    input_names=list(example),
                    output_names=["token_embeddings"],
                    dynamo=True,
                    dynamic_shapes={"tensors": tuple(axes for _ in example)},
                    external_data=False,
                    opset_version=_OPSET,
                    verbose=False,
                )
                # Unsigned and per channel: signed weights saturate on CPUs without VNNI.
                quantisation.quantize_dynamic(
                    exported, partial, weight_type=quantisation.QuantType.QUInt8, per_channel=True
                )
        finally:
            logging.disable(level)
