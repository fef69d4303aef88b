"""A trained relevance classifier: pairs of texts to probabilities.

The seam is `RelevanceModel`; `open_classifier` is its factory. A classifier is a folder that
`evalkit train classifier` wrote: a cross-encoder of sentence-transformers (safetensors),
`calibration.json` and a manifest. Where the calibration weighs more of a pair than the scores, it
names the encoder that is needed for it. Nothing in it is a pickle, and one that holds a pickle is
refused. Opening checks the files and is quick; the weights are loaded at the first pair.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from evalkit.errors import ModelError, SettingsError
from evalkit.models import ModelFiles, locate_encoder, require_models_extra, usable_device
from evalkit.relevance.calibrating import Calibration
from evalkit.relevance.pair_features import PairFeatures, encoder_of, open_features

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from sentence_transformers import CrossEncoder

__all__ = [
    "CALIBRATION_FILE",
    "Classifier",
    "RelevanceModel",
    "Use",
    "judge_identity",
    "load_cross_encoder",
    "open_classifier",
    "quiet_transformers",
    "score_pairs",
]

Use = Literal["products", "rewrites"]
CALIBRATION_FILE = "calibration.json"
CALIBRATION_FORMAT = 1
_MADE_WITH = {"products": "--judgments", "rewrites": "--pairs rewrites"}
_WEIGHTS: dict[str, Any] = {"use_safetensors": True}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")


class RelevanceModel(Protocol):
    """Anything that says how likely the second text is what the first asks for."""

    @property
    def fingerprint(self) -> str:
        """Identify what is computed."""
        ...

    def score(
        self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float32]:
        """Return the probability of being good of each pair, float32[n] in [0, 1]."""
        ...

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float32]:
        """Return the probability of every grade, float32[n, grades]."""
        ...


def judge_identity(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Return the id and the fingerprint of a classifier, without loading it.

    Two classifiers of one fingerprint judge alike, whatever their folders are called.

    Raises:
        ModelError: it is not a classifier's folder.
    """
    opened = open_classifier(folder)
    return {"id": opened.files.id, "fingerprint": opened.fingerprint}


def open_classifier(
    folder: str | os.PathLike[str],
    *,
    use: Use | None = None,
    device: str = "auto",
    batch_size: int = 32,
) -> Classifier:
    """Open a classifier that `evalkit train classifier` wrote.

    Args:
        folder: the classifier's folder.
        use: what it must have learned to judge; None for either. One that does not say what it
            has learned is taken for both.
        device: `auto` (cuda, then mps, then cpu) or a torch device.
        batch_size: pairs a batch.

    Raises:
        ModelError: it is not a classifier's folder, is of the other use, or holds what must not
            be loaded.
    """
    place = Path(folder)
    file = place / CALIBRATION_FILE
    if not file.is_file():
        raise ModelError(
            f"{place} is not a classifier's folder: it has no {CALIBRATION_FILE}. Make one with "
            "evalkit train classifier."
        )
    pickles = sorted(item.name for item in place.rglob("*") if item.suffix in _PICKLES)
    if pickles:
        raise ModelError(
            f"{place} holds {pickles[0]}, a pickle, which can run code when it is loaded; a "
            "classifier's folder never needs one. Remove it, or train the classifier again."
        )
    if batch_size < 1:
        raise SettingsError(f"--batch-size is {batch_size}; it must be 1 or more.")
    require_models_extra("A classifier", "torch", "transformers", "sentence_transformers")
    files = locate_encoder(str(place))
    text = file.read_text("utf-8")
    try:
        document = json.loads(text)
        _check_use(place, document.get("use"), use)
        grades = tuple(float(grade) for grade in document["grades"])
        if document["calibration"] != CALIBRATION_FORMAT or list(grades) != sorted(set(grades)):
            raise SettingsError(f"not a calibration of format {CALIBRATION_FORMAT}")
        calibration = Calibration.from_json(document, len(grades))
        good, max_length = float(document["good"]), int(document["max_length"])
        thresholds = {
            float(row["precision"]): row["threshold"] for row in document.get("thresholds", ())
        }
    except (KeyError, TypeError, ValueError, SettingsError) as error:
        raise ModelError(f"{file} cannot be used ({error}); train the classifier again.") from error
    features = None
    if document.get("features"):
        try:
            features = open_features(encoder_of(document["features"]), device)
        except ModelError as error:
            raise ModelError(f"{file} cannot be used: {error}") from error
    digest = hashlib.sha256(f"{files.fingerprint}\n{text}".encode()).hexdigest()
    return Classifier(
        files,
        f"sha256:{digest}",
        calibration,
        grades,
        good,
        max_length,
        thresholds,
        document,
        device,
        batch_size,
        features,
    )


def _check_use(place: Path, found: object, wanted: Use | None) -> None:
    """Refuse a classifier that learned to judge something else.

    Raises:
        ModelError: with what it judges, and how the wanted one is made.
    """
    if wanted is None or found not in _MADE_WITH or found == wanted:
        return
    raise ModelError(
        f"{place} is a classifier of {found}, and one of {wanted} is needed here; make it with "
        f"evalkit train classifier {_MADE_WITH[wanted]}."
    )


@dataclass
class Classifier:
    """A classifier that is opened; see `open_classifier`.

    Attributes:
        files: of the cross-encoder.
        fingerprint: of weights and calibration.
        calibration: from scores to probabilities.
        grades: the grades it knows, ascending.
        good: products of this grade or more are good.
        max_length: tokens of a pair that are read; the rest is cut off.
        thresholds: target precision to the probability that reached it on held-out pairs, or
            None where none did.
        document: all that `calibration.json` says.
        device: where it runs.
        batch_size: pairs a batch.
        features: what else the calibration reads of a pair; None where it reads the scores alone.
    """

    files: ModelFiles
    fingerprint: str
    calibration: Calibration
    grades: tuple[float, ...]
    good: float
    max_length: int
    thresholds: Mapping[float, float | None]
    document: Mapping[str, Any]
    device: str = "auto"
    batch_size: int = 32
    features: PairFeatures | None = None
    _model: CrossEncoder | None = field(default=None, init=False, repr=False)

    @property
    def fields(self) -> tuple[str, ...] | None:
        """Columns that made a product's text when it was trained; None where it reads none."""
        found = self.document.get("fields")
        return tuple(map(str, found)) if isinstance(found, list) else None

    def to_manifest(self, role: str) -> dict[str, Any]:
        """Return what a manifest records of it; the fingerprint covers the calibration too."""
        return {
            **self.files.to_manifest(role),
            "fingerprint": self.fingerprint,
            "weights": self.files.fingerprint,
        }

    def threshold(self, precision: float) -> float:
        """Return the probability from which pairs were good with this precision.

        Raises:
            SettingsError: it was not asked for in training, or not reached.
        """
        if precision not in self.thresholds:
            known = ", ".join(f"{each:g}" for each in self.thresholds)
            raise SettingsError(
                f"{self.files.id} has no threshold for precision {precision:g}; it has {known}."
            )
        found = self.thresholds[precision]
        if found is None:
            raise SettingsError(
                f"{self.files.id} never reached precision {precision:g} on held-out pairs; take a "
                "lower one, or a probability."
            )
        return float(found)

    def score(
        self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float32]:
        """Return the calibrated probability of being good of each pair, float32[n]."""
        return self.good_of(self.probabilities(pairs, progress))

    def good_of(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of being good from those of the grades, float32[n]."""
        wanted = np.asarray(self.grades) >= self.good
        summed = np.asarray(probabilities, dtype=np.float64)[:, wanted].sum(axis=1)
        return np.asarray(summed.clip(0.0, 1.0), dtype=np.float32)

    def grades_of(
        self, probabilities: NDArray[np.float32], threshold: float = 0.5
    ) -> NDArray[np.float64]:
        """Choose a grade for each pair, float64[n].

        The probability of being good decides on which side of `good` the grade lies; there it is
        the most probable one. So the grade never contradicts the probability.
        """
        good = np.asarray(self.grades) >= self.good
        accepted = self.good_of(probabilities) >= threshold
        allowed = good[None, :] == accepted[:, None]
        best = np.argmax(np.where(allowed, probabilities, -1.0), axis=1)
        return np.asarray(np.asarray(self.grades)[best], dtype=np.float64)

    def probabilities(
        self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], object] | None = None
    ) -> NDArray[np.float32]:
        """Return the calibrated probability of every grade, float32[n, grades]."""
        if not len(pairs):
            return np.zeros((0, len(self.grades)), dtype=np.float32)
        logits = score_pairs(self._loaded(), pairs, self.batch_size, progress)
        known = self.features.of(pairs) if self.features is not None else None
        return np.asarray(self.calibration.probabilities(logits, known), dtype=np.float32)

    def _loaded(self) -> CrossEncoder:
        if self._model is None:
            model = load_cross_encoder(self.files, self.max_length, device=self.device)
            if model.num_labels != len(self.grades):
                raise ModelError(
                    f"{self.files.id} gives {model.num_labels} scores and {CALIBRATION_FILE} "
                    f"names {len(self.grades)} grades; train the classifier again."
                )
            self._model = model
        return self._model


def load_cross_encoder(
    files: ModelFiles,
    max_length: int,
    *,
    labels: int | None = None,
    device: str = "auto",
    seed: int = 0,
) -> CrossEncoder:
    """Load a cross-encoder in float32; with `labels`, make one of any encoder.

    One made of a sentence encoder with mean pooling keeps the pooling under a fresh linear layer:
    the token that a sequence classifier reads has never been trained there.

    Args:
        files: of the model.
        max_length: tokens of a pair that are read.
        labels: scores a pair; what is missing gets fresh weights. None takes the model's own.
        device: `auto` or a torch device.
        seed: of fresh weights.

    Raises:
        ModelError: it cannot be loaded.
        SettingsError: the device cannot be used.
    """
    # Threads that spin while they wait take the cores from those that work.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    import torch
    from sentence_transformers import CrossEncoder

    chosen = usable_device(device)
    torch.manual_seed(seed)
    try:
        with quiet_transformers():
            if labels is not None and _pools_by_mean(files.folder):
                return _on_mean_pooling(files.folder, max_length, labels, chosen)
            model: CrossEncoder = CrossEncoder(
                str(files.folder),
                num_labels=labels,
                max_length=max_length,
                device=chosen,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs=_WEIGHTS | {"dtype": torch.float32},
            )
    except Exception as error:  # loaders of all kinds of files raise all kinds of errors
        raise ModelError(f"{files.id} ({files.folder}) could not be loaded: {error}") from error
    model.eval()
    return model


def _pools_by_mean(folder: Path) -> bool:
    """Tell whether a folder holds a sentence encoder that takes the mean of its tokens."""
    pooling = folder / "1_Pooling" / "config.json"
    if not (folder / "modules.json").is_file() or not pooling.is_file():
        return False
    document = json.loads(pooling.read_text("utf-8"))
    return bool(document.get("pooling_mode_mean_tokens") or document.get("pooling_mode") == "mean")


def _on_mean_pooling(folder: Path, max_length: int, labels: int, device: str) -> CrossEncoder:
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    body = Transformer(
        str(folder),
        model_kwargs=_WEIGHTS | {"dtype": torch.float32},
        processor_kwargs={"model_max_length": max_length},
    )
    width = body.get_embedding_dimension()
    head = Dense(
        width, labels, activation_function=torch.nn.Identity(), module_output_name="scores"
    )
    made: CrossEncoder = CrossEncoder(
        modules=[body, Pooling(width, pooling_mode="mean"), head], device=device
    )
    made.eval()
    return made


def score_pairs(
    model: CrossEncoder,
    pairs: Sequence[tuple[str, str]],
    batch_size: int,
    progress: Callable[[int], object] | None = None,
) -> NDArray[np.float64]:
    """Return the model's raw scores, float64[n, labels].

    Batches are made of pairs of similar length, so that little is padding. Equal texts are
    batched in the order given: the same pairs have the same scores to the last bit.
    """
    import torch

    lengths = np.fromiter((len(one) + len(two) for one, two in pairs), np.int64, len(pairs))
    order = np.argsort(-lengths, kind="stable")
    result = np.zeros((len(pairs), model.num_labels), dtype=np.float64)
    for start in range(0, len(pairs), batch_size):
        places = order[start : start + batch_size]
        rows = model.predict(
            [pairs[place] for place in places],
            batch_size=batch_size,
            activation_fn=torch.nn.Identity(),
            show_progress_bar=False,
        )
        result[places] = np.asarray(rows, dtype=np.float64).reshape(len(places), -1)
        if progress is not None:
            progress(len(places))
    if not np.isfinite(result).all():
        raise ModelError("the classifier gave scores that are not finite; train it again.")
    return result


class quiet_transformers:  # noqa: N801 - used as a context manager, as a function would be
    """Keep the loading library's bars, reports and warnings from the user for a while."""

    def __enter__(self) -> None:
        self._logging: Any = importlib.import_module("transformers.utils.logging")
        self._bars = self._logging.is_progress_bar_enabled()
        self._level = self._logging.get_verbosity()
        self._logging.disable_progress_bar()
        self._logging.set_verbosity_error()
        self._own = logging.getLogger("sentence_transformers")
        self._own_level = self._own.level
        self._own.setLevel(logging.ERROR)
        self._caught = warnings.catch_warnings()
        self._caught.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *error: object) -> None:
        self._caught.__exit__(None, None, None)
        self._logging.set_verbosity(self._level)
        self._own.setLevel(self._own_level)
        if self._bars:
            self._logging.enable_progress_bar()
