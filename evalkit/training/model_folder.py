"""The folder of a trained model: made once, whole or not at all, with what it was made from.

Every trainer fills its folder in here, whatever it learns. So a model that is up to date is never
trained again, one seed is on record, and where it was computed is no part of what it is.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.files import check_replaceable, replacing_folder
from evalkit.manifest import Input, Manifest, fingerprint, finished_before
from evalkit.progress import say

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed import DataclassInstance

    from evalkit.models import ModelFiles

__all__ = ["Trained", "fill_model_folder", "planned"]


@dataclass(frozen=True)
class Trained:
    """What a trainer says of a folder that it filled.

    Attributes:
        counts: for the manifest.
        figures: what the model is worth, in a sentence.
        notes: what else the user is told, a line each.
        rows: rows read from an input, by its path or its role.
        warnings: what the user was told meanwhile.
    """

    counts: Mapping[str, int]
    figures: str
    notes: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def planned(
    command: str,
    files: Mapping[str, str | os.PathLike[str] | Sequence[str | os.PathLike[str]]],
    base: ModelFiles,
    chosen: Mapping[str, Any],
    settings: DataclassInstance,
    *,
    others: Sequence[Mapping[str, Any]] = (),
) -> Manifest:
    """Return the manifest of a model that is to be trained.

    Args:
        command: the stage.
        files: what it learns from, by role; several of one role in a list.
        base: the model that it begins with.
        chosen: settings of the examples.
        settings: of the training; they have a `seed`.
        others: further models that take part, as a manifest names them.
    """
    named = [
        (role, path)
        for role, given in files.items()
        for path in ([given] if isinstance(given, (str, PathLike)) else given)
    ]
    plain = asdict(settings)
    plain.pop("device", None)  # changes the last bits at most
    return Manifest(
        command=command,
        settings={**chosen, **plain},
        inputs=tuple(Input(role, str(path), fingerprint(path)) for role, path in named),
        models=(base.to_manifest("base"), *others),
        seeds={"training": plain["seed"]},
    )


def fill_model_folder(
    output: str | os.PathLike[str],
    wanted: Manifest,
    train: Callable[[Path], Trained],
    *,
    force: bool = False,
) -> Manifest:
    """Train a model into a folder, unless it is there already.

    Args:
        output: the folder; it appears when it is complete.
        wanted: what `planned` gave.
        train: trains, and writes all files of the model into the folder it is given.
        force: train again in any case.

    Raises:
        SettingsError: the folder is somebody else's.
    """
    started = time.monotonic()
    target = Path(output)
    check_replaceable(target)
    done = None if force else finished_before(target, wanted)
    if done is not None:
        say(f"{target} is up to date (same inputs, model and settings); --force trains it again.")
        return done
    with replacing_folder(target) as partial:
        trained = train(partial)
        finished = replace(
            wanted,
            inputs=tuple(
                replace(item, rows=trained.rows.get(item.path, trained.rows.get(item.role)))
                for item in wanted.inputs
            ),
            counts=trained.counts,
            warnings=trained.warnings,
        )
        finished.write(partial, started=started)
    say(f"Wrote {target} in {time.monotonic() - started:.0f} s. {trained.figures}")
    for note in trained.notes:
        say(note)
    return finished
