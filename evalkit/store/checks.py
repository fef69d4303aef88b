"""Look for damage in a study database."""

from __future__ import annotations

import sqlalchemy as sa

from evalkit.store.opening import open_store
from evalkit.store.schema import APPEND_ONLY, assignment, slot, study, task, vote

__all__ = ["check"]


def check(url: str | None = None) -> list[str]:
    """Look for damage: the schema, the file, and what must hold among the rows.

    Returns:
        What is wrong, a sentence each; empty when all is well.

    Raises:
        StoreError: the database cannot be opened.
    """
    with open_store(url) as store, store.reading() as connection:
        found = _damage(connection)
        for text, count in _BROKEN_RULES:
            wrong = connection.execute(count).scalar_one()
            if wrong:
                found.append(f"{wrong:,} {text}.")
    return found


def _damage(connection: sa.Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        found = [
            f"The file is damaged: {row[0]}."
            for row in connection.exec_driver_sql("PRAGMA integrity_check")
            if row[0] != "ok"
        ]
        found += [
            f"A row of {row[0]} points to a {row[2]} that is not there."
            for row in connection.exec_driver_sql("PRAGMA foreign_key_check")
        ]
        triggers = sa.text("SELECT tbl_name FROM sqlite_master WHERE type = 'trigger'")
    else:
        found = []
        triggers = sa.text(
            "SELECT relname FROM pg_trigger JOIN pg_class ON tgrelid = pg_class.oid "
            "WHERE NOT tgisinternal AND tgenabled <> 'D'"
        )
    guarded = set(connection.execute(triggers).scalars())
    found += [
        f"Table {name} is not guarded against changes."
        for name in APPEND_ONLY
        if name not in guarded
    ]
    return found


_latest_action = (
    sa.select(vote.c.action)
    .where(vote.c.assignment_id == assignment.c.id)
    .order_by(vote.c.revision.desc())
    .limit(1)
    .scalar_subquery()
)
_held = slot.join(assignment, slot.c.assignment_id == assignment.c.id)
_BROKEN_RULES: tuple[tuple[str, sa.Select[int]], ...] = (
    (
        "filled places belong to no vote",
        sa.select(sa.func.count())
        .select_from(slot.outerjoin(assignment, slot.c.assignment_id == assignment.c.id))
        .where(
            slot.c.state == "done",
            sa.or_(assignment.c.id.is_(None), sa.func.coalesce(_latest_action, "") != "vote"),
        ),
    ),
    (
        "places are held for a task of another study or query",
        sa.select(sa.func.count()).select_from(_held).where(slot.c.task_id != assignment.c.task_id),
    ),
    (
        "free places are held by somebody",
        sa.select(sa.func.count())
        .select_from(slot)
        .where(slot.c.state == "free", slot.c.assignment_id.is_not(None)),
    ),
    (
        "answered tasks have no answer",
        sa.select(sa.func.count())
        .select_from(assignment)
        .where(assignment.c.state != "open", _latest_action.is_(None)),
    ),
    (
        "votes are of a revision that was never opened",
        sa.select(sa.func.count())
        .select_from(vote.join(assignment, vote.c.assignment_id == assignment.c.id))
        .where(vote.c.revision > assignment.c.revision),
    ),
    (
        "real tasks have more places than the overlap of their study",
        sa.select(sa.func.count()).select_from(
            sa.select(task.c.id)
            .join(study, task.c.study_id == study.c.id)
            .join(slot, slot.c.task_id == task.c.id)
            .group_by(task.c.id, study.c.overlap)
            .having(sa.func.count() > study.c.overlap)
            .subquery()
        ),
    ),
)
