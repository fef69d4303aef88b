"""What a rewriter's training keeps beside its output until that stands, and whose it is.

A training that was stopped goes on from there if it is the same one. It may have another number of
steps: the warm start does not depend on it, and neither does a step on how many will follow. What
another training left is not touched, since hours may have gone into it.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from evalkit.constraints.families import FAMILIES
from evalkit.constraints.parsing_stage import RULES as PARSING
from evalkit.constraints.topic import TOPIC
from evalkit.errors import SettingsError
from evalkit.files import write_text
from evalkit.progress import say
from evalkit.rewriting.policy import FORMAT
from evalkit.rewriting.rules import RULES
from evalkit.training.model_folder import planned
from evalkit.training.policy_settings import SCRATCH_BASE
from evalkit.training.rewarding import REWARDS
from evalkit.training.supervised import SCRATCH

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from evalkit.manifest import Manifest
    from evalkit.models import ModelFiles
    from evalkit.training.policy_settings import PolicySettings

__all__ = ["TRAINING", "is_kept", "open_kept", "planned_policy"]

TRAINING = 2  # raised when the same settings may train another rewriter, for manifests

_MARK = "identity.json"
_OF_ALL_STEPS = ("after.json",)


def planned_policy(
    files: Mapping[str, str | os.PathLike[str]],
    base: ModelFiles | None,
    others: Sequence[Mapping[str, Any]],
    settings: PolicySettings,
    reading: Mapping[str, Any],
) -> Manifest:
    """Return the manifest of a rewriter that is to be trained.

    Args:
        files: what it learns from, by role.
        base: the model that it begins with; None makes one.
        others: further models that take part, as a manifest names them.
        settings: complete ones.
        reading: how the files are read.
    """
    new = {
        "role": "base", "id": SCRATCH_BASE, "revision": None, "source": SCRATCH_BASE,
        "fingerprint": f"{SCRATCH_BASE}{SCRATCH}",
    }  # fmt: skip
    versions = {
        "training": TRAINING,
        "format": FORMAT,
        "rewarding": REWARDS,
        "rules": RULES,
        "topic": TOPIC,
        "parsing": PARSING,
        "families": FAMILIES,
    }
    return planned(
        "evalkit train rewriter",
        files,
        new if base is None else base.to_manifest("base"),
        {**versions, "reading": dict(reading)},
        settings,
        others=others,
        without_effect=("checkpoint_every", "rows_per_pass"),
    )


def is_kept(folder: Path) -> bool:
    """Tell whether a folder is what a training keeps."""
    return (folder / _MARK).is_file()


def open_kept(folder: Path, wanted: Manifest, *, force: bool) -> None:
    """Keep what an earlier, equal training left, or make the folder.

    Args:
        folder: beside the output.
        wanted: what `planned_policy` gave.
        force: begin anew, whatever a training left.

    Raises:
        SettingsError: the folder is of another training, or of no training at all.
    """
    mark = folder / _MARK
    identity = json.loads(json.dumps(wanted.identity()))
    steps = identity["settings"].pop("steps")
    if folder.exists() and not mark.is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(
            f"{folder} is where the checkpoints go, but it is there already and not of a training; "
            "move it, or name another output."
        )
    if mark.is_file() and not force:
        before = json.loads(mark.read_text("utf-8"))
        if before["identity"] != identity:
            raise SettingsError(
                f"{folder} holds what an interrupted training with another "
                f"{_difference(before['identity'], identity)} has left; name another output, or "
                "give --force to begin anew without it."
            )
        say(f"Going on with what an interrupted training left in {folder}.")
        if before["steps"] != steps:
            for name in _OF_ALL_STEPS:
                (folder / name).unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    write_text(json.dumps({"identity": identity, "steps": steps}, sort_keys=True), mark)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Name what differs: settings by their names, other things by their sort."""
    names = {**before["settings"], **now["settings"]}
    settings = [
        name.replace("_", " ")
        for name in names
        if before["settings"].get(name) != now["settings"].get(name)
    ]
    sorts = {"inputs": "input", "models": "model", "version": "version of evalkit"}
    others = [said for name, said in sorts.items() if before.get(name) != now[name]]
    return " and other ".join([*settings, *others]) or "command"
