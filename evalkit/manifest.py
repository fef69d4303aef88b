"""What an artefact was made from, written beside it, so that nothing is made twice or mixed up.

An artefact is a file (`run.parquet`, with `run.parquet.manifest.json` beside it) or a folder (an
index, with `artefact.manifest.json` inside, so that the two travel together). Artefacts appear
whole or not at all: they are written under a temporary name in the same folder and then renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.errors import InputError, Problem
from evalkit.files import FOLDER_MANIFEST, replacing_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "Input",
    "Manifest",
    "fingerprint",
    "finished_before",
    "manifest_path",
    "read_manifest",
]

_FORMAT = 1


@dataclass(frozen=True)
class Input:
    """A file that a stage read.

    Attributes:
        role: what it was used as (`products`, `queries`, `run`, `index`).
        path: the file as the user gave it.
        fingerprint: `sha256:<hex>` of its bytes.
        rows: rows read from it, or None where that has no meaning.
    """

    role: str
    path: str
    fingerprint: str
    rows: int | None = None


@dataclass(frozen=True)
class Manifest:
    """How an artefact was made.

    Attributes:
        command: the stage (`evalkit index`).
        settings: every setting that can change the artefact, defaults included.
        inputs: the files read, in order.
        models: for each model its id, revision, fingerprint and where it came from.
        seeds: every seed used.
        counts: rows, texts encoded, texts truncated and so on.
        warnings: what the user was told.
        outputs: for each file of the artefact its size in bytes and fingerprint.
        wall_seconds: how long the stage took.
        finished: when it ended, ISO 8601 in UTC.
        version: version of evalkit-search that wrote it.
    """

    command: str
    settings: Mapping[str, Any]
    inputs: tuple[Input, ...]
    models: tuple[Mapping[str, Any], ...] = ()
    seeds: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wall_seconds: float = 0.0
    finished: str = ""
    version: str = __version__

    def identity(self) -> dict[str, Any]:
        """Return what must be equal for two stages to make the same artefact.

        Paths are left out: a file that was moved is still the same file.
        """
        return {
            "command": self.command,
            "settings": dict(self.settings),
            "inputs": [[item.role, item.fingerprint] for item in self.inputs],
            "models": [[model.get("role"), model["fingerprint"]] for model in self.models],
            "seeds": dict(self.seeds),
            "version": self.version,
        }

    def write(self, artefact: Path, *, started: float) -> None:
        """Write the manifest of a finished artefact, atomically; standard output (`-`) gets none.

        Args:
            artefact: the file or folder it describes; its outputs are fingerprinted here.
            started: `time.monotonic()` at the start of the stage.
        """
        if artefact.name == "-":
            return
        document = {
            "manifest": _FORMAT,
            "package": "evalkit-search",
            **asdict(self),
            "outputs": _describe(artefact),
            "wall_seconds": round(time.monotonic() - started, 3),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with replacing_file(manifest_path(artefact)) as partial:
            partial.write_text(
                json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )


def fingerprint(path: str | os.PathLike[str]) -> str:
    """Return `sha256:<hex>` of a file's bytes as they are stored.

    Raises:
        InputError: the file cannot be read.

    Example:
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "empty.csv")
        ...     _ = file.write_bytes(b"")
        ...     fingerprint(file)[:19]
        'sha256:e3b0c44298fc'
    """
    if os.fspath(path) == "-":
        return "stdin"  # known only once it has been read; equals no recorded fingerprint
    try:
        with open(path, "rb") as stream:
            return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            os.fspath(path),
            [Problem(f"cannot be read ({error.strerror})")],
            remedy="Check the path.",
        ) from error


def manifest_path(artefact: Path) -> Path:
    """Return where the manifest of a file or a folder is.

    Example:
        >>> from pathlib import Path
        >>> manifest_path(Path("runs/dense.parquet")).as_posix()
        'runs/dense.parquet.manifest.json'
    """
    if artefact.is_dir():
        return artefact / FOLDER_MANIFEST
    return artefact.with_name(artefact.name + ".manifest.json")


def read_manifest(artefact: Path) -> Manifest:
    """Read the manifest of an artefact.

    Raises:
        InputError: there is none, or it is not one of ours.
    """
    path = manifest_path(artefact)
    remedy = "Make the artefact again with the command that wrote it."
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(str(path), [Problem("there is no manifest here")], remedy=remedy) from None
    except (OSError, ValueError) as error:
        problem = Problem(f"the manifest cannot be read ({error})")
        raise InputError(str(path), [problem], remedy=remedy) from error
    if not isinstance(document, dict) or document.get("manifest") != _FORMAT:
        problem = Problem(f"not an evalkit manifest of format {_FORMAT}")
        raise InputError(str(path), [problem], remedy=remedy)
    try:
        fields = {name: document[name] for name in Manifest.__dataclass_fields__}
        fields["inputs"] = tuple(Input(**item) for item in document["inputs"])
    except (KeyError, TypeError) as error:
        problem = Problem(f"the manifest lacks a field ({error})")
        raise InputError(str(path), [problem], remedy=remedy) from error
    fields["models"] = tuple(document["models"])
    fields["warnings"] = tuple(document["warnings"])
    return Manifest(**fields)


def finished_before(artefact: Path, wanted: Manifest) -> Manifest | None:
    """Return the manifest of an artefact that need not be made again, else None.

    It must have been made by the same stage from the same inputs, settings, models and version,
    and the artefact's files must be what the manifest says they are.
    """
    if not manifest_path(artefact).is_file():
        return None
    try:
        found = read_manifest(artefact)
    except InputError:
        return None
    # Compared as JSON: a tuple of a setting comes back from the file as a list.
    if json.dumps(found.identity(), sort_keys=True) != json.dumps(
        wanted.identity(), sort_keys=True
    ):
        return None
    return found if artefact.exists() and _describe(artefact) == found.outputs else None


def _describe(artefact: Path) -> dict[str, dict[str, Any]]:
    files = (
        sorted(item for item in artefact.iterdir() if item.is_file())
        if artefact.is_dir()
        else [artefact]
    )
    return {
        item.name: {"bytes": item.stat().st_size, "fingerprint": fingerprint(item)}
        for item in files
        if item.name != FOLDER_MANIFEST
    }
