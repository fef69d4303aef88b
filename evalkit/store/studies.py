"""Studies: made whole, then only their state changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.store.engine import Store
    from evalkit.store.values import (
        Flag,
        Guideline,
        Person,
        Progress,
        SetAside,
        State,
        Study,
        StudyDesign,
        TaskDraft,
    )

__all__ = [
    "create_study",
    "find_study",
    "flags",
    "guideline",
    "guidelines",
    "progress",
    "restore",
    "save_guideline",
    "set_aside",
    "set_asides",
    "set_state",
    "studies",
]


def create_study(
    store: Store,
    design: StudyDesign,
    tasks: Sequence[TaskDraft],
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Study:
    """Store a study with its tasks, in state draft. Needs admin."""
    raise NotImplementedError


def studies(store: Store) -> list[Study]:
    """Return all studies, newest first."""
    raise NotImplementedError


def find_study(store: Store, name: str) -> Study:
    """Return the study of this name."""
    raise NotImplementedError


def set_state(
    store: Store,
    study_id: int,
    state: State,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Study:
    """Move a study: draft to open, open to paused and back, open or paused to closed."""
    raise NotImplementedError


def progress(
    store: Store, study_id: int, *, actor: Person | None = None, now: int | None = None
) -> Progress:
    """Say where a study stands. Needs analyst."""
    raise NotImplementedError


def flags(store: Store, study_id: int, *, actor: Person | None = None) -> list[Flag]:
    """Return the problems that annotators reported, newest first. Needs analyst."""
    raise NotImplementedError


def guideline(store: Store, study_id: int, query_type: str | None = None) -> Guideline:
    """Return the newest guideline of a type, else that of all types, else version 0."""
    raise NotImplementedError


def guidelines(store: Store, study_id: int) -> list[Guideline]:
    """Return the newest guideline of every type that has one."""
    raise NotImplementedError


def save_guideline(
    store: Store,
    study_id: int,
    query_type: str | None,
    text: str,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> Guideline:
    """Store the next version of a guideline. Needs admin."""
    raise NotImplementedError


def set_aside(
    store: Store,
    study_id: int,
    person_id: int,
    reason: str,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> None:
    """Let an annotator's votes enter no figure of this study. Needs admin."""
    raise NotImplementedError


def restore(
    store: Store,
    study_id: int,
    person_id: int,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> None:
    """Let an annotator's votes enter the figures again. Needs admin."""
    raise NotImplementedError


def set_asides(store: Store, study_id: int, *, actor: Person | None = None) -> list[SetAside]:
    """Return whose votes are set aside, and why. Needs analyst."""
    raise NotImplementedError
