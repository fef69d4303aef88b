"""The stage behind `evalkit run`: an experiment from its YAML file to its report."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.experiment.checking import read_experiment
from evalkit.experiment.folder import Work
from evalkit.experiment.leaks import possible_leaks
from evalkit.experiment.plan import plan
from evalkit.experiment.reading import read_values
from evalkit.experiment.results import write_results
from evalkit.experiment.stages import behind, check_needs, choose, identities, is_done, record
from evalkit.progress import say

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["planned", "run_experiment"]

_HIDDEN = "…"


def planned(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    variables: Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
) -> list[tuple[str, tuple[Path, ...], bool]]:
    """Return the stages of an experiment without making any: name, results, whether it is done.

    Args:
        path: the YAML file.
        folder: where everything goes.
        variables: what `${NAME}` in the file stands for.
        only: names of stages, or their part before the slash; None is all.

    Raises:
        InputError: the file cannot be used.
        SettingsError: there is no such stage or variable.
    """
    work = Work(read_experiment(path, variables), Path(folder))
    stages = plan(work)
    found = identities(stages)
    return [
        (stage.name, stage.makes, is_done(stage, found[stage.name], work.root))
        for stage in choose(stages, only)
    ]


def run_experiment(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    variables: Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
    force: bool = False,
    memory_limit: str = "2GB",
) -> None:
    """Make an experiment, or some of its stages; what is up to date is not made again.

    An experiment that was interrupted goes on where it stopped.

    Args:
        path: the YAML file.
        folder: where everything goes.
        variables: what `${NAME}` in the file stands for.
        only: names of stages, or their part before the slash; None is all.
        force: make the stages again in any case.
        memory_limit: for tables.

    Raises:
        InputError: a file cannot be used.
        SettingsError: settings that do not fit.
        ModelError: a model cannot be used.
    """
    started = time.monotonic()
    work = Work(read_experiment(path, variables), Path(folder), force, memory_limit)
    stages = plan(work)
    chosen = choose(stages, only)
    found = identities(stages)
    check_needs(stages, chosen, found, work.root)
    work.root.mkdir(parents=True, exist_ok=True)
    for warning in possible_leaks(work.experiment):
        say(f"Warning: {warning}")
    for number, stage in enumerate(chosen, start=1):
        say(f"== {number}/{len(chosen)} {stage.name}")
        stage.make()
        record(stage, found[stage.name], work.root)
    scored = [stage for stage in stages if stage.name.startswith("scores/")]
    needed = {*behind(stages, scored), *(stage.name for stage in scored)}
    if all(is_done(each, found[each.name], work.root) for each in stages if each.name in needed):
        values = read_values(path, variables or {})
        write_results(work, stages, _command(path, values), _shown(values))
    say(f"The experiment took {time.monotonic() - started:.0f} s.")


def _command(path: str | os.PathLike[str], values: Mapping[str, tuple[str, str | None]]) -> str:
    """Return the command that makes the experiment again, without the places of this machine.

    Example:
        >>> _command("experiments/a.yaml", {"N": ("5", "9"), "M": ("1", "1"), "P": ("/x", None)})
        'evalkit run experiments/a.yaml --set N=5 --set P=… -o FOLDER'
    """
    shown = _shown(values)
    given = "".join(
        f" --set {name}={_HIDDEN if shown[name] == _HIDDEN else shlex.quote(value)}"
        for name, (value, default) in values.items()
        if value != default
    )
    file = Path(path)
    return f"evalkit run {file.name if file.is_absolute() else file.as_posix()}{given} -o FOLDER"


def _shown(values: Mapping[str, tuple[str, str | None]]) -> dict[str, str]:
    """Return the values of variables; of what may be a path, only that there is one."""
    return {
        name: _HIDDEN if "/" in value or "\\" in value else value
        for name, (value, _) in values.items()
    }
