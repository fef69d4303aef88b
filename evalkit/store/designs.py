"""What a study must be like before it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from evalkit.errors import SettingsError, StoreError
from evalkit.store.values import POLICIES, StudyKind, TaskKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.store.values import Item, StudyDesign, TaskDraft

__all__ = ["check_design", "check_tasks"]


def check_design(design: StudyDesign) -> None:
    """Refuse settings that make no study.

    Raises:
        SettingsError: with the setting and what it may be.
    """
    levels = [grade for grade, _ in design.levels]
    rules = (
        (bool(design.name.strip()), "A study needs a name."),
        (design.kind in get_args(StudyKind), f"A study is sbs or grade, not {design.kind}."),
        (design.scale in (3, 5), f"The scale has 3 or 5 points, not {design.scale}."),
        (design.depth >= 1, f"The depth is at least 1, not {design.depth}."),
        (design.overlap >= 1, f"The overlap is at least 1, not {design.overlap}."),
        (
            design.policy in POLICIES,
            f"The policy is {', '.join(POLICIES)}, not {design.policy}.",
        ),
        (
            design.identical in ("skip", "show"),
            f"Identical lists are skip or show, not {design.identical}.",
        ),
        (
            0 < design.lease_ms < 2**31,
            "A lease lasts longer than nothing and at most 35,000 minutes.",
        ),
        (
            0 <= design.min_dwell_ms < 2**31,
            "The minimum dwell is not negative and at most 35,000 minutes.",
        ),
        (abs(design.seed) < 2**63, "The seed is a whole number of at most 18 digits."),
        (design.stop_width is None or design.stop_width > 0, "The width to stop at is positive."),
        (
            design.control_system != design.treatment_system,
            f"Both runs are named {design.control_system!r}; give them different names.",
        ),
        (
            design.kind != "grade" or (2 <= len(levels) <= 4 and levels == sorted(set(levels))),
            "A grade study has 2, 3 or 4 grades, each once, from the worst to the best.",
        ),
        (
            all(reason.strip() and ";" not in reason for reason in design.reasons),
            "A reason is a few words without a semicolon.",
        ),
    )
    for holds, sentence in rules:
        if not holds:
            raise SettingsError(sentence)


def check_tasks(design: StudyDesign, tasks: Sequence[TaskDraft]) -> None:
    """Refuse tasks that cannot be served or counted.

    Raises:
        StoreError: with the query and what is wrong with it.
    """
    seen: set[tuple[str, str]] = set()
    for draft in tasks:
        problem = _problem(design, draft, tasks)
        original = draft if draft.twin_of_index is None or problem else tasks[draft.twin_of_index]
        key = (draft.kind, original.query_id)
        if problem is None and key in seen:
            problem = f"it is there twice as a {draft.kind} task"
        if problem is not None:
            raise StoreError(f"Query {draft.query_id!r} cannot be a task: {problem}.")
        seen.add(key)


def _problem(design: StudyDesign, draft: TaskDraft, tasks: Sequence[TaskDraft]) -> str | None:
    if draft.kind not in get_args(TaskKind):
        return f"{draft.kind!r} is no kind of task"
    if draft.kind == "twin":
        index = draft.twin_of_index
        if index is None or not 0 <= index < len(tasks) or tasks[index].kind != "real":
            return "a twin needs the place of a real task among the drafts"
        return "only side-by-side studies have twins" if design.kind == "grade" else None
    if not draft.query_id:
        return "its query_id is empty"
    control, treatment = _ids(draft.control), _ids(draft.treatment)
    if len(set(control)) < len(control) or len(set(treatment)) < len(treatment):
        return "a list has the same product twice"
    if not control and not treatment and draft.kind != "automatic":
        return "both lists are empty"
    if draft.kind == "automatic" and control != treatment:
        return "its lists differ, so it must be shown"
    if draft.kind in ("gold", "practice"):
        answer = draft.answer
        if answer is None or not (answer.grades if design.kind == "grade" else answer.preferences):
            return f"a {draft.kind} task needs its answer"
    return None


def _ids(items: Sequence[Item]) -> list[str]:
    return [item.product_id for item in items]
