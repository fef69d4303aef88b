"""What the store tells annotators of their own answers, and analysts and admins of a study.

Times are UTC milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.store.values import EvaluationKind, Item, TaskKind

__all__ = [
    "AuditEntry",
    "Comparison",
    "Evaluation",
    "Flag",
    "Guideline",
    "Imported",
    "MyVote",
    "Progress",
    "SetAside",
    "VoteOnQuery",
]


@dataclass(frozen=True)
class MyVote:
    """One line of an annotator's own history.

    Attributes:
        assignment_id: key for `reopen`.
        vote_id: the latest vote or skip.
        revision: its revision.
        action: `vote` or `skip`.
        query: text of the query.
        query_type: its type or None.
        shown: -2 ... +2 as it was displayed, or None.
        both_bad: whether both were bad.
        words: the answer in words (`Left better`, `Same`, `Both bad`, `Skipped: ...`).
        submitted_at: UTC milliseconds.
        comment: the comment.
        reasons: reason tags.
        can_edit: whether it may be reopened.
    """

    assignment_id: int
    vote_id: int
    revision: int
    action: Literal["vote", "skip"]
    query: str
    query_type: str | None
    shown: int | None
    both_bad: bool
    words: str
    submitted_at: int
    comment: str
    reasons: tuple[str, ...]
    can_edit: bool


@dataclass(frozen=True)
class Guideline:
    """The instructions for a type of query.

    Attributes:
        version: 1 and up; 0 where nothing was written yet.
        text: Markdown.
        query_type: the type it is for; empty for all types.
    """

    version: int
    text: str
    query_type: str = ""


@dataclass(frozen=True)
class Progress:
    """Where a study stands.

    Attributes:
        tasks: real tasks.
        slots: places for votes on them (tasks x overlap).
        done: places that are filled.
        leased: places that somebody is looking at now.
        free: places that are free or whose lease has run out.
        complete: real tasks all of whose places are filled.
        automatic: queries with identical lists, counted as the same.
        gold: gold tasks.
        twins: flipped twins.
        practice: practice tasks.
        votes: latest votes of people on real tasks.
        surplus: those of them that the overlap does not need.
        set_aside: those of them whose annotator was set aside.
        annotators: people with at least one vote.
        active: people with a vote in the last 15 minutes.
        votes_per_hour: pace over the last hour with votes, None without any.
        skips: latest answers that are skips.
        flags: problems flagged.
        left_share: share of the real votes whose treatment stood on the left, None without any.
        first_vote_at: UTC milliseconds or None.
        last_vote_at: UTC milliseconds or None.
    """

    tasks: int
    slots: int
    done: int
    leased: int
    free: int
    complete: int
    automatic: int
    gold: int
    twins: int
    practice: int
    votes: int
    surplus: int
    set_aside: int
    annotators: int
    active: int
    votes_per_hour: float | None
    skips: int
    flags: int
    left_share: float | None
    first_vote_at: int | None
    last_vote_at: int | None


@dataclass(frozen=True)
class Flag:
    """A problem that an annotator reported.

    Attributes:
        id: key in this database.
        query_id: the query.
        query: its text.
        annotator: who reported it.
        reason: what is wrong, in a word.
        comment: free text.
        at: UTC milliseconds.
    """

    id: int
    query_id: str
    query: str
    annotator: str
    reason: str
    comment: str
    at: int


@dataclass(frozen=True)
class SetAside:
    """Votes of one annotator that enter no figure.

    Attributes:
        person_id: the annotator.
        name: the annotator's name.
        reason: why.
        at: UTC milliseconds.
        by: who did it; None for the command line.
    """

    person_id: int
    name: str
    reason: str
    at: int
    by: str | None


@dataclass(frozen=True)
class VoteOnQuery:
    """One latest vote on a query, as analysts see it.

    Attributes:
        annotator: name.
        preference: -2 ... +2 for the treatment, or None in grade studies.
        both_bad: whether both were bad.
        side: where the treatment stood, or None where that is not known.
        reasons: reason tags.
        comment: free text.
        items: marks or grades by product id.
        counts: False for a vote that the overlap does not need.
        set_aside: whether its annotator was set aside.
        submitted_at: UTC milliseconds.
    """

    annotator: str
    preference: int | None
    both_bad: bool
    side: Literal["left", "right"] | None
    reasons: tuple[str, ...]
    comment: str
    items: Mapping[str, str | int]
    counts: bool
    set_aside: bool
    submitted_at: int


@dataclass(frozen=True)
class Comparison:
    """One query with its lists and votes, as analysts see it.

    Attributes:
        task_id: key in this database.
        kind: kind of the task.
        position: seeded serving order.
        query_id: the query.
        query: its text.
        query_type: its type or None.
        segments: values of the segment columns.
        control: the control's list.
        treatment: the treatment's list.
        automated_delta: automated score of the treatment minus the control's, or None.
        votes: latest votes, first given first.
    """

    task_id: int
    kind: TaskKind
    position: int
    query_id: str
    query: str
    query_type: str | None
    segments: Mapping[str, str]
    control: tuple[Item, ...]
    treatment: tuple[Item, ...]
    automated_delta: float | None
    votes: tuple[VoteOnQuery, ...]


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        votes: votes added.
        already: votes that were there before, exactly so.
        annotators: people made for them.
        tasks: tasks made for them.
    """

    votes: int
    already: int
    annotators: int
    tasks: int


@dataclass(frozen=True)
class AuditEntry:
    """Who did what.

    Attributes:
        id: key in this database.
        at: UTC milliseconds.
        actor: name; None for the command line.
        action: what, in words (`study opened`).
        study: name of the study or None.
        details: what else there is to know.
    """

    id: int
    at: int
    actor: str | None
    action: str
    study: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """A recorded evaluation.

    Attributes:
        id: key in this database.
        week: ISO week (`2026-W47`).
        name: what was evaluated; evaluations of one name form a trend.
        document: its document, as plain JSON.
        fingerprint: `sha256:...` of what it was made from.
        recorded_at: UTC milliseconds.
        recorded_by: name; None for the command line.
        kind: `score`, `study`, `judge`, `calibration` or `correlation`.
        query_set: `sha256:...` of the query set, or None.
        judge: who judged: the name of a model, `people`, or None where that is not known.
        earlier: how many records of this week, name, kind and study or judge it replaces.
    """

    id: int
    week: str
    name: str
    document: Mapping[str, Any]
    fingerprint: str
    recorded_at: int
    recorded_by: str | None
    kind: EvaluationKind = "score"
    query_set: str | None = None
    judge: str | None = None
    earlier: int = 0
