"""Answers: stored once, never changed.

The key of an answer is (assignment, revision). Everything that follows from it, the place, the
priority of the task, is in the same transaction, which is on the disk before `stored` is returned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from evalkit.errors import StoreError
from evalkit.store.ballots import accepted, check_ballot, clean, preference_of, shown_answer
from evalkit.store.engine import milliseconds
from evalkit.store.priorities import update_priority
from evalkit.store.rights import act_for, not_yours
from evalkit.store.schema import assignment, draft, task, vote, vote_reason
from evalkit.store.schema import flag as flag_table
from evalkit.store.slots import fill, release
from evalkit.store.studies import study_by_id
from evalkit.store.values import Ballot, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.store.engine import Store
    from evalkit.store.schema import AnyRow
    from evalkit.store.values import Person, Study

__all__ = ["add_reasons", "flag", "save_draft", "skip", "submit"]

_LONGEST_REASON = 200


def submit(
    store: Store,
    assignment_id: int,
    revision: int,
    ballot: Ballot,
    person: Person,
    *,
    now: int | None = None,
) -> Outcome:
    """Store an answer; a second submission of the same revision changes nothing.

    Args:
        store: the database.
        assignment_id: from `Served`.
        revision: from `Served`.
        ballot: the answer as it was given on the screen.
        person: whose answer it is.
        now: UTC milliseconds.

    Returns:
        `stored` or `duplicate` with the vote; `too_fast` for an answer sooner than the minimum
        dwell after the task was shown, or after the last one that was too fast, so that a key that
        is held never votes; `closed` for a study that is closed. The last two store nothing.

    Raises:
        NotAllowed: the assignment is not the person's, or their access has ended.
        StoreError: the answer does not fit the task.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        row, study, refusal = _open_for(connection, assignment_id, revision, person, now)
        if refusal is not None:
            return refusal
        products = {item["product_id"] for item in (*row.control_items, *row.treatment_items)}
        check_ballot(study.design, ballot, products)
        both_bad = ballot.both_bad
        preference = preference_of(study.design, ballot, row.side)
        pages = {
            "treatment" if place == row.side else "control": grade
            for place, grade in ballot.pages.items()
        }
        vote_id = _store(
            connection,
            row,
            ballot,
            now,
            action="vote",
            preference=preference,
            both_bad=both_bad,
            items=dict(ballot.items),
            pages=pages,
        )
        _add_reasons(connection, study, vote_id, ballot.reasons, now)
        _answered(connection, assignment_id, "voted")
        if row.kind == "real":
            fill(connection, assignment_id, row.task_id, row.side, now=now)
            update_priority(connection, study.design.policy, row.task_id)
    feedback = None
    if row.kind == "practice":
        right = accepted(row.answer, preference, ballot.items)
        feedback = shown_answer(row.answer, row.side, right=right)
    return Outcome("stored", feedback, vote_id)


def skip(
    store: Store,
    assignment_id: int,
    revision: int,
    reason: str,
    person: Person,
    *,
    ballot: Ballot | None = None,
    now: int | None = None,
) -> Outcome:
    """Pass on a task with a reason; its place is free for others.

    Args:
        store: the database.
        assignment_id: from `Served`.
        revision: from `Served`.
        reason: why.
        person: who passes.
        ballot: carries comment, active time, input method, viewport and versions.
        now: UTC milliseconds.

    Returns:
        As `submit`.

    Raises:
        NotAllowed: the assignment is not the person's, or their access has ended.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        row, study, refusal = _open_for(connection, assignment_id, revision, person, now)
        if refusal is not None:
            return refusal
        vote_id = _store(
            connection,
            row,
            ballot or Ballot(),
            now,
            action="skip",
            preference=None,
            both_bad=False,
            skip_reason=clean(reason),
            items={},
            pages={},
        )
        _answered(connection, assignment_id, "skipped")
        if row.kind == "real":
            release(connection, assignment_id)
            update_priority(connection, study.design.policy, row.task_id)
    return Outcome("stored", None, vote_id)


def flag(
    store: Store,
    assignment_id: int,
    reason: str,
    comment: str,
    person: Person,
    *,
    now: int | None = None,
) -> None:
    """Report a problem with a task, beside any vote.

    Raises:
        NotAllowed: the assignment is not the person's, or their access has ended.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        act_for(connection, person)
        _own(connection, assignment_id, person)
        connection.execute(
            sa.insert(flag_table).values(
                assignment_id=assignment_id, reason=clean(reason), comment=clean(comment), at=now
            )
        )


def add_reasons(
    store: Store,
    vote_id: int,
    reasons: Sequence[str],
    person: Person,
    *,
    now: int | None = None,
) -> None:
    """Add reason tags to a vote of one's own; those it has already stay as they are.

    Raises:
        NotAllowed: the vote is not the person's, or their access has ended.
        StoreError: the study is closed, or a reason is not one that it offers.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        act_for(connection, person)
        row = connection.execute(
            sa.select(task.c.study_id)
            .select_from(vote)
            .join(assignment, vote.c.assignment_id == assignment.c.id)
            .join(task, assignment.c.task_id == task.c.id)
            .where(vote.c.id == vote_id, assignment.c.person_id == person.id)
        ).one_or_none()
        if row is None:
            raise not_yours(vote_id)
        study = study_by_id(connection, row.study_id, lock="answer")
        if study.state == "closed":
            raise StoreError(f"Study {study.name!r} is closed; votes can no longer be changed.")
        _add_reasons(connection, study, vote_id, reasons, now)


def save_draft(
    store: Store,
    assignment_id: int,
    person: Person,
    *,
    comment: str | None = None,
    items: Mapping[str, str | int] | None = None,
    now: int | None = None,
) -> None:
    """Keep what was typed and marked so far, so that a refresh does not lose it.

    Args:
        store: the database.
        assignment_id: from `Served`.
        person: whose it is.
        comment: the comment so far; None leaves it as it was.
        items: the marks so far; None leaves them as they were.
        now: UTC milliseconds.

    Raises:
        NotAllowed: the assignment is not the person's, or their access has ended.
    """
    now = milliseconds(now)
    with store.writing() as connection:
        act_for(connection, person)
        revision = _own(connection, assignment_id, person).revision
        row = connection.execute(
            sa.select(draft).where(draft.c.assignment_id == assignment_id)
        ).one_or_none()
        kept = row if row is not None and row.revision == revision else None
        values: dict[str, Any] = {
            "revision": revision,
            "comment": clean(comment) if comment is not None else (kept.comment if kept else ""),
            "items": dict(items) if items is not None else (kept.items if kept else {}),
            "saved_at": now,
        }
        if row is None:
            connection.execute(sa.insert(draft).values(assignment_id=assignment_id, **values))
        else:
            connection.execute(sa.update(draft).where(draft.c.id == row.id).values(**values))


def _own(connection: sa.Connection, assignment_id: int, person: Person) -> AnyRow:
    row = connection.execute(
        sa.select(assignment).where(
            assignment.c.id == assignment_id, assignment.c.person_id == person.id
        )
    ).one_or_none()
    if row is None:
        raise not_yours(assignment_id)
    return row


def _open_for(
    connection: sa.Connection, assignment_id: int, revision: int, person: Person, now: int
) -> tuple[AnyRow, Study, Outcome | None]:
    """The assignment and its task, locked, and what to answer if nothing may be stored."""
    act_for(connection, person)
    task_id = _own(connection, assignment_id, person).task_id
    # votes on a task take turns; places are locked only after it, so nobody waits in a circle
    connection.execute(
        sa.select(task.c.id).where(task.c.id == task_id).with_for_update(key_share=True)
    )
    row = connection.execute(
        sa.select(
            assignment,
            task.c.study_id,
            task.c.kind,
            task.c.control_items,
            task.c.treatment_items,
            task.c.answer,
        )
        .join(task, assignment.c.task_id == task.c.id)
        .where(assignment.c.id == assignment_id)
    ).one()
    study = study_by_id(connection, row.study_id, lock="answer")
    before = connection.execute(
        sa.select(vote.c.id).where(
            vote.c.assignment_id == assignment_id, vote.c.revision == revision
        )
    ).scalar()
    if before is not None:
        return row, study, Outcome("duplicate", None, before)
    if study.state not in ("open", "paused"):
        return row, study, Outcome("closed")
    if row.state != "open" or row.revision != revision:
        raise StoreError(
            f"Revision {revision} of assignment {assignment_id} was never opened; reload the page."
        )
    shown = row.opened_at if row.shown_at is None else row.shown_at
    if now - max(shown, row.hurried_at or shown) < study.design.min_dwell_ms:
        connection.execute(
            sa.update(assignment).where(assignment.c.id == assignment_id).values(hurried_at=now)
        )
        return row, study, Outcome("too_fast")
    return row, study, None


def _store(connection: sa.Connection, row: AnyRow, ballot: Ballot, now: int, **answer: Any) -> int:
    vote_id: int = connection.execute(
        sa.insert(vote)
        .values(
            assignment_id=row.id,
            revision=row.revision,
            comment=clean(ballot.comment),
            side=row.side,
            shown_at=row.shown_at,
            submitted_at=now,
            active_ms=_bounded(ballot.active_ms),
            input_method=_text(ballot.input_method),
            viewport=_text(ballot.viewport),
            app_version=_text(ballot.app_version),
            guideline_version=ballot.guideline_version,
            **answer,
        )
        .returning(vote.c.id)
    ).scalar_one()
    return vote_id


def _bounded(number: int | None) -> int | None:
    """A browser's figure as a column holds it: no vote is lost over a clock that has gone mad."""
    return None if number is None else max(0, min(number, 2**31 - 1))


def _text(text: str | None) -> str | None:
    return None if text is None else clean(text)


def _answered(connection: sa.Connection, assignment_id: int, state: str) -> None:
    connection.execute(
        sa.update(assignment).where(assignment.c.id == assignment_id).values(state=state)
    )


def _add_reasons(
    connection: sa.Connection, study: Study, vote_id: int, reasons: Sequence[str], now: int
) -> None:
    wanted = dict.fromkeys(clean(reason).strip() for reason in reasons)
    for reason in wanted:
        offered = not study.design.reasons or reason in study.design.reasons
        if not offered or not reason or ";" in reason or len(reason) > _LONGEST_REASON:
            offers = ", ".join(study.design.reasons) or "any few words without a semicolon"
            raise StoreError(f"{reason!r} is no reason of this study; it offers: {offers}.")
    had = set(
        connection.execute(
            sa.select(vote_reason.c.reason).where(vote_reason.c.vote_id == vote_id)
        ).scalars()
    )
    rows = [
        {"vote_id": vote_id, "reason": reason, "at": now} for reason in wanted if reason not in had
    ]
    if rows:
        connection.execute(sa.insert(vote_reason), rows)
