"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import glob
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import InputError, Problem, SettingsError
from evalkit.interruption import stop_if_asked

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FOLDER_MANIFEST",
    "check_replaceable",
    "check_target",
    "is_alive",
    "make_folder_of",
    "replacing_file",
    "replacing_folder",
    "write_text",
]

FOLDER_MANIFEST = "artefact.manifest.json"
"""The file by which a folder is known as one that evalkit made."""


def check_target(path: str | os.PathLike[str]) -> None:
    """Refuse a place where no file can be written, before any work is done for it.

    Raises:
        InputError: it is a folder, its folder does not exist, or that is not writable.
    """
    name = os.fspath(path)
    folder = os.path.dirname(os.path.realpath(name))
    if not name:
        raise InputError("the output", [Problem("has no name")], remedy="Name a file.")
    if os.path.isdir(name):
        raise InputError(name, [Problem("is a folder")], remedy="Name a file.")
    if _is_device(name):
        return
    if not os.path.isdir(folder):
        raise InputError(name, [Problem(f"the folder {folder} does not exist")], remedy="Make it.")
    if not os.access(folder, os.W_OK):
        raise InputError(name, [Problem("cannot be written")], remedy="Check the permissions.")


def make_folder_of(path: str | os.PathLike[str]) -> None:
    """Make the folder that a file shall be in, where it is not there.

    Raises:
        InputError: it cannot be made.
    """
    folder = Path(os.path.realpath(path)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            os.fspath(path),
            [Problem(f"its folder cannot be made ({error.strerror or error})")],
            remedy="Name another place.",
        ) from error


def write_text(text: str, path: str | os.PathLike[str]) -> None:
    """Write a text file (UTF-8, lines end in a newline only); an old one is replaced at the end.

    A device or a pipe, such as /dev/null, is written to and stays what it is.

    Raises:
        InputError: it cannot be written.
    """
    check_target(path)
    try:
        if _is_device(path):
            Path(path).write_text(text, encoding="utf-8", newline="\n")
            return
        with replacing_file(Path(path)) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            os.fspath(path),
            [Problem(f"cannot be written ({error.strerror or error})")],
            remedy="Check the permissions and the space that is left.",
        ) from error


def _is_device(path: str | os.PathLike[str]) -> bool:
    return os.path.exists(path) and not os.path.isfile(path)


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, renamed to it when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    try:
        yield partial
        stop_if_asked()
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `path`, renamed to it when the block ends well.

    Raises:
        SettingsError: `path` exists and is not an evalkit index, so replacing it could lose
            something.
    """
    check_replaceable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    partial.mkdir()
    try:
        yield partial
        stop_if_asked()
        if path.exists():
            old = _partial(path, "old")
            os.rename(path, old)
            os.rename(partial, path)
            shutil.rmtree(old)
        else:
            os.rename(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_replaceable(path: Path) -> None:
    """Refuse to replace a file, or a folder that evalkit did not make.

    Raises:
        SettingsError: with the reason and what to do.
    """
    if not path.exists():
        return
    ours = path.is_dir() and ((path / FOLDER_MANIFEST).is_file() or not any(path.iterdir()))
    if not ours:
        raise SettingsError(
            f"{path} exists and is not an evalkit index; give another folder, or remove it first."
        )


def _partial(path: Path, purpose: str = "partial") -> Path:
    """Name a temporary sibling by process id, and clear those whose process is gone."""
    prefix = f".{path.name}.{purpose}-"
    for leftover in path.parent.glob(f"{glob.escape(prefix)}*"):
        owner = leftover.name.removeprefix(prefix)
        if owner.isdigit() and not is_alive(int(owner)):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
    return path.with_name(f"{prefix}{os.getpid()}")


def is_alive(process: int) -> bool:
    """Tell whether a process of this machine still runs; on Windows yes, since nobody can ask."""
    if os.name == "nt":  # os.kill(pid, 0) would end the process there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
