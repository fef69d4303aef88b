"""The folder of a trained model: made once, whole or not at all, with what it was made from.

Every trainer fills its folder in here, whatever it learns. So a model that is up to date is never
trained again, one seed is on record, and where it was computed is no part of what it is. Of several
processes that train it together, the main one fills it; the others fill folders that are thrown
away.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.files import check_replaceable, replacing_folder
from evalkit.manifest import Input, Manifest, fingerprint, finished_before, read_manifest
from evalkit.progress import say
from evalkit.training.processes import as_setting, is_main, taking_part, wait_for_all

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

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
    base: ModelFiles | Mapping[str, Any],
    chosen: Mapping[str, Any],
    settings: DataclassInstance,
    *,
    others: Sequence[Mapping[str, Any]] = (),
    without_effect: Sequence[str] = (),
) -> Manifest:
    """Return the manifest of a model that is to be trained.

    Args:
        command: the stage.
        files: what it learns from, by role; several of one role in a list.
        base: the model that it begins with, or what a manifest says of one that is made first.
        chosen: settings of the examples.
        settings: of the training; they have a `seed`.
        others: further models that take part, as a manifest names them.
        without_effect: settings that change the last bits at most, as the device does.
    """
    named = [
        (role, path)
        for role, given in files.items()
        for path in ([given] if isinstance(given, (str, PathLike)) else given)
    ]
    plain = asdict(settings)
    for name in ("device", *without_effect):
        plain.pop(name, None)
    return Manifest(
        command=command,
        settings={**chosen, **plain, **as_setting()},
        inputs=tuple(Input(role, str(path), fingerprint(path)) for role, path in named),
        models=(base if isinstance(base, Mapping) else base.to_manifest("base"), *others),
        seeds={"training": plain["seed"]},
    )


def fill_model_folder(
    output: str | os.PathLike[str],
    wanted: Manifest,
    train: Callable[[Path], Trained],
    *,
    device: str = "auto",
    force: bool = False,
) -> Manifest:
    """Train a model into a folder, unless it is there already.

    Args:
        output: the folder; it appears when it is complete.
        wanted: what `planned` gave.
        train: trains, and writes all files of the model into the folder it is given. Each of
            several processes runs it; what others than the main one write is thrown away.
        device: where it is trained, which several processes must know before.
        force: train again in any case.

    Raises:
        SettingsError: the folder is somebody else's, or several processes cannot train there.
        ModelError: another process has ended.
    """
    started = time.monotonic()
    target = Path(output)
    with taking_part(device):
        check_replaceable(target)
        done = None if force else finished_before(target, wanted)
        wait_for_all()  # nobody changes the folder before all have looked at it
        if done is not None:
            say(
                f"{target} is up to date (same inputs, model and settings); --force trains it "
                "again."
            )
            return done
        with _filling(target) as partial:
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
            wait_for_all()  # the folder appears if nobody failed
        wait_for_all()  # and nobody goes on before it is there
        say(f"Wrote {target} in {time.monotonic() - started:.0f} s. {trained.figures}")
        for note in trained.notes:
            say(note)
    return finished if is_main() else read_manifest(target)


@contextmanager
def _filling(target: Path) -> Iterator[Path]:
    if is_main():
        with replacing_folder(target) as partial:
            yield partial
    else:
        with tempfile.TemporaryDirectory(prefix="evalkit-train-") as thrown_away:
            yield Path(thrown_away)
