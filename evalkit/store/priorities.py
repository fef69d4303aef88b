"""Which real task goes first under a policy that looks at votes; lower goes sooner.

`disagreement` looks at the signs of a task's votes: where they differ, one more narrows the
interval of GSB most or settles a tie. `uncertain` looks at how far the votes are from the sign of
the automated score. A task without votes stands in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from evalkit.store.schema import assignment, task, vote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.store.values import Policy

__all__ = ["first_priority", "priority", "update_priority"]


def first_priority(policy: Policy, automated_delta: float | None) -> float:
    """Return the priority of a task without votes."""
    return priority(policy, automated_delta, ())


def priority(policy: Policy, automated_delta: float | None, preferences: Sequence[int]) -> float:
    """Return the priority of a task, 0 under `random`, else from -1 (next) to 0 (last).

    Args:
        policy: of the study.
        automated_delta: automated score of the treatment minus the control's, or None.
        preferences: its votes for the treatment.

    Example:
        >>> priority("disagreement", None, [2, -1]), priority("disagreement", None, [1, 1])
        (-1.0, 0.0)
        >>> priority("uncertain", 0.3, [-1, -2]), priority("uncertain", 0.3, [1])
        (-1.0, 0.0)
    """
    if policy == "random":
        return 0.0
    signs = [(value > 0) - (value < 0) for value in preferences]
    mean = sum(signs) / len(signs) if signs else 0.0
    if policy == "disagreement":
        if not signs:
            return -0.5
        return mean * mean - sum(sign * sign for sign in signs) / len(signs)
    delta = automated_delta or 0.0
    if not signs:
        return -0.5 / (1.0 + abs(delta))
    return 0.0 - abs((delta > 0) - (delta < 0) - mean) / 2


def update_priority(connection: sa.Connection, policy: Policy, task_id: int) -> None:
    """Recompute the priority of a task whose row the caller has locked."""
    if policy == "random":
        return
    latest = (
        sa.select(sa.func.max(vote.c.revision))
        .where(vote.c.assignment_id == assignment.c.id)
        .correlate(assignment)
        .scalar_subquery()
    )
    preferences = (
        connection.execute(
            sa.select(vote.c.preference)
            .join(assignment, vote.c.assignment_id == assignment.c.id)
            .where(
                assignment.c.task_id == task_id,
                vote.c.revision == latest,
                vote.c.action == "vote",
                vote.c.preference.is_not(None),
            )
        )
        .scalars()
        .all()
    )
    delta = connection.execute(
        sa.select(task.c.automated_delta).where(task.c.id == task_id)
    ).scalar()
    connection.execute(
        sa.update(task)
        .where(task.c.id == task_id)
        .values(priority=priority(policy, delta, [int(value) for value in preferences]))
    )
