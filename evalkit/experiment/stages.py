"""The stages of an experiment: what each makes, what it needs, and whether that has been done.

A stage stands for one section of the YAML file and has its name (`retrievers/distilled`), so that
`--only` and the progress speak of what the user has written. The functions that a stage calls skip
what is up to date by their own manifests; what is recorded here, in `stages/`, only tells a plan
whether a stage was finished with the same settings, files and earlier stages. It does not ask the
manifests: a model of the hub, the base of a rewriter and the numbers that modules raise when they
make something else are known to the functions alone, so what a plan calls done may be made again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.errors import InputError, SettingsError
from evalkit.files import write_text
from evalkit.manifest import fingerprint, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Stage", "behind", "check_needs", "choose", "identities", "is_done", "record", "seconds"]


@dataclass(frozen=True)
class Stage:
    """One step of an experiment.

    Attributes:
        name: the section of the YAML file that it stands for, as in `queries/written`.
        make: does the work; what is up to date is left alone.
        makes: files and folders that there are afterwards.
        needs: names of the stages whose results it reads.
        files: the user's files that it reads.
        settings: what the YAML file says about it.
    """

    name: str
    make: Callable[[], object]
    makes: tuple[Path, ...]
    needs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def choose(stages: Sequence[Stage], only: Sequence[str] | None) -> list[Stage]:
    """Return the stages that were asked for, by name or by the part of it before the slash.

    Raises:
        SettingsError: there is no such stage.

    Example:
        >>> both = [Stage("queries/a", print, ()), Stage("queries/b", print, ())]
        >>> [stage.name for stage in choose(both, ["queries/b"])]
        ['queries/b']
        >>> len(choose(both, ["queries"]))
        2
    """
    if only is None:
        return list(stages)
    groups = dict.fromkeys(stage.name.partition("/")[0] for stage in stages)
    names = {stage.name: stage for stage in stages}
    for name in only:
        if name not in groups and name not in names:
            raise SettingsError(f"--only {name}: there is no such stage; there are "
                                f"{', '.join(dict.fromkeys([*groups, *names]))}.")  # fmt: skip
    return [stage for stage in stages if {stage.name, stage.name.partition("/")[0]} & set(only)]


def check_needs(
    stages: Sequence[Stage],
    chosen: Sequence[Stage],
    found: Mapping[str, str],
    root: Path,
) -> None:
    """Refuse stages that read what neither they nor an earlier run have made as it is described.

    Args:
        stages: all of them.
        chosen: which are made.
        found: what `identities` returned.
        root: the folder of the experiment.

    Raises:
        SettingsError: there is such a stage.
    """
    names = {stage.name: stage for stage in stages}
    coming = {stage.name for stage in chosen}
    for stage in chosen:
        missing = [
            name
            for name in behind(stages, [stage])
            if name not in coming and not is_done(names[name], found[name], root)
        ]
        if missing:
            first = names[missing[0]]
            why = (
                "was made with other settings, files or earlier stages"
                if _there(first)
                else "is not there"
            )
            raise SettingsError(
                f"--only: {stage.name} needs what {first.name} makes, and that {why}; "
                f"add {','.join(missing)}."
            )


def behind(stages: Sequence[Stage], some: Iterable[Stage]) -> list[str]:
    """Return the names of all stages that some read from, directly or not, in their order.

    Example:
        >>> three = [Stage("a", print, ()), Stage("b", print, (), ("a",)), Stage("c", print, ())]
        >>> behind(three, three[1:])
        ['a']
    """
    wanted = {name for stage in some for name in stage.needs}
    for stage in reversed(stages):
        if stage.name in wanted:
            wanted.update(stage.needs)
    return [stage.name for stage in stages if stage.name in wanted]


def identities(stages: Sequence[Stage]) -> dict[str, str]:
    """Return what tells of each stage whether it would make the same as before.

    Raises:
        InputError: a file cannot be read.
    """
    found: dict[str, str] = {}
    prints: dict[Path, str] = {}
    for stage in stages:
        for path in stage.files:
            if path not in prints:
                prints[path] = _print(path)
        document = {
            "version": __version__,
            "name": stage.name,
            "settings": stage.settings,
            "files": [prints[path] for path in stage.files],
            "needs": [found[name] for name in stage.needs],
        }
        text = json.dumps(document, sort_keys=True, default=str)
        found[stage.name] = hashlib.sha256(text.encode()).hexdigest()
    return found


def is_done(stage: Stage, identity: str, root: Path) -> bool:
    """Tell whether the stage was finished with this identity and its results are there."""
    path = _record(stage, root)
    return path.is_file() and path.read_text(encoding="utf-8").strip() == identity and _there(stage)


def record(stage: Stage, identity: str, root: Path) -> None:
    """Note that a stage is finished; a note that says so already stays as it is."""
    if not is_done(stage, identity, root):
        path = _record(stage, root)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(identity + "\n", path)


def seconds(stage: Stage) -> float:
    """Return how long it took to make what a stage makes, as the manifests say."""
    total = 0.0
    for path in stage.makes:
        try:
            total += read_manifest(path).wall_seconds
        except InputError:
            continue  # a page or a database has no manifest
    return total


def _there(stage: Stage) -> bool:
    return all(path.exists() for path in stage.makes)


def _record(stage: Stage, root: Path) -> Path:
    return root / "stages" / stage.name


def _print(path: Path) -> str:
    if not path.is_dir():
        return fingerprint(path)
    return ",".join(_prints(path.rglob("*")))


def _prints(paths: Iterable[Path]) -> list[str]:
    return [f"{path.name}={fingerprint(path)}" for path in sorted(paths) if path.is_file()]
