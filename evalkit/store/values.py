"""What goes into the store and comes out of it, as plain frozen values.

Nothing here knows the database. Times are UTC milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "POLICIES",
    "ROLES",
    "STATES",
    "Answer",
    "AuditEntry",
    "Ballot",
    "Comparison",
    "Draft",
    "Evaluation",
    "Finished",
    "Flag",
    "Guideline",
    "Imported",
    "Item",
    "MyVote",
    "Outcome",
    "Person",
    "Policy",
    "Progress",
    "Role",
    "Served",
    "SetAside",
    "State",
    "Study",
    "StudyDesign",
    "StudyKind",
    "TaskDraft",
    "TaskKind",
    "VoteOnQuery",
]

Role = Literal["annotator", "analyst", "admin"]
State = Literal["draft", "open", "paused", "closed"]
StudyKind = Literal["sbs", "grade"]
TaskKind = Literal["real", "gold", "twin", "practice", "automatic"]
Policy = Literal["random", "disagreement", "uncertain"]

ROLES: tuple[Role, ...] = get_args(Role)
STATES: tuple[State, ...] = get_args(State)
POLICIES: tuple[Policy, ...] = get_args(Policy)


@dataclass(frozen=True)
class Person:
    """Somebody who may sign in.

    Attributes:
        id: key in this database.
        name: unique; the `annotator` of exported votes.
        role: `annotator`, `analyst` (reads results) or `admin` (also changes studies).
        email: the address that an OpenID provider vouches for, lower case, or None.
        active: False once the person's access was revoked.
    """

    id: int
    name: str
    role: Role
    email: str | None = None
    active: bool = True


@dataclass(frozen=True)
class Item:
    """A product as it stands in a list, frozen when the study was made.

    Attributes:
        product_id: id of the product.
        rank: 1-based place in the list (in a pool: place in the seeded order).
        title: the product's title; all text is untrusted.
        brand: brand or None.
        price: as shown, a number or a text with its currency.
        attributes: further fields by name.
        image: address of an image or None.
        url: address of the product's page or None.
        description: long text or None.
    """

    product_id: str
    rank: int
    title: str = ""
    brand: str | None = None
    price: float | str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    url: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Answer:
    """What is right on a gold or practice task, whichever side the treatment stands on.

    Attributes:
        preferences: accepted signs for the treatment (1 better, 0 same, -1 worse), best first.
        grades: accepted grades by product id (grade studies).
        explanation: said after a practice task.
    """

    preferences: tuple[int, ...] = ()
    grades: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    explanation: str = ""


@dataclass(frozen=True)
class StudyDesign:
    """Everything that is fixed about a study when it is made.

    Attributes:
        name: unique name.
        kind: `sbs` (which list is better) or `grade` (grades of items and pages).
        scale: 3 or 5 points of preference.
        levels: grades and their words, in order (grade studies).
        depth: items a list.
        overlap: votes wanted for a query.
        seed: seed of order, sides and schedule.
        policy: `random`, `disagreement` or `uncertain`.
        identical: whether identical lists are counted as the same (`skip`) or served (`show`).
        lease_ms: how long a served task is kept for its annotator.
        min_dwell_ms: a vote sooner than this after its task was shown is ignored.
        stop_width: width of the GSB sequence (points) at which the study may stop, or None.
        stop_when_decided: whether it may stop once the win rate is decided.
        control_system: name of the control run; never shown to annotators.
        treatment_system: name of the treatment run; never shown to annotators.
        segments: names of the segment columns of the tasks.
        image_hosts: hosts from which images may come; None allows any http(s) address.
        reasons: reason tags offered with a vote.
        design: fingerprints, counts and versions of what the study was made from.
    """

    name: str
    kind: StudyKind = "sbs"
    scale: int = 3
    levels: tuple[tuple[int, str], ...] = ((0, "Bad"), (1, "Partial"), (2, "Good"))
    depth: int = 10
    overlap: int = 3
    seed: int = 0
    policy: Policy = "random"
    identical: Literal["skip", "show"] = "skip"
    lease_ms: int = 1_800_000
    min_dwell_ms: int = 600
    stop_width: float | None = None
    stop_when_decided: bool = False
    control_system: str = "control"
    treatment_system: str = "treatment"
    segments: tuple[str, ...] = ()
    image_hosts: tuple[str, ...] | None = None
    reasons: tuple[str, ...] = ()
    design: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskDraft:
    """One query with its two lists, before it is in the database.

    Attributes:
        kind: `real`, `gold`, `twin`, `practice` or `automatic` (identical lists).
        query_id: id of the query.
        query: its text.
        query_type: its type or None; picks the guideline.
        segments: values of the study's segment columns by name.
        control: the control's list.
        treatment: the treatment's list.
        answer: what is right (gold and practice).
        automated_delta: automated score of the treatment minus the control's, or None.
        inclusion_probability: probability with which the query was drawn, or None for all.
        twin_of_index: for a twin, the place of the original in the list of drafts; the twin
            takes its query and lists from there.
    """

    kind: TaskKind
    query_id: str
    query: str
    query_type: str | None = None
    segments: Mapping[str, str] = field(default_factory=dict)
    control: tuple[Item, ...] = ()
    treatment: tuple[Item, ...] = ()
    answer: Answer | None = None
    automated_delta: float | None = None
    inclusion_probability: float | None = None
    twin_of_index: int | None = None


@dataclass(frozen=True)
class Study:
    """A study in the database.

    Attributes:
        id: key in this database.
        state: `draft`, `open`, `paused` or `closed`.
        design: what was fixed when it was made.
        created_at: UTC milliseconds.
        created_by: name of the person, or None for the command line.
    """

    id: int
    state: State
    design: StudyDesign
    created_at: int
    created_by: str | None = None

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.design.name


@dataclass(frozen=True)
class Ballot:
    """One answer as it was given on the screen; nothing here says which side is which.

    Attributes:
        shown: -2 left much better ... +2 right much better; 0 the same; None in grade studies.
        both_bad: the same because both lists are bad (`shown` is then 0).
        items: `good` or `bad` by product id; in grade studies the grade.
        pages: page grade (`good`, `mid`, `bad`) of `left` and `right`.
        reasons: reason tags.
        comment: free text.
        active_ms: milliseconds the page was in the foreground, or None.
        input_method: `key`, `mouse`, `touch`, ... or None.
        viewport: size of the window (`1366x768`) or None.
        app_version: version of the app or None.
        guideline_version: version of the guideline that was at hand or None.
    """

    shown: int | None = None
    both_bad: bool = False
    items: Mapping[str, str | int] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    comment: str = ""
    active_ms: int | None = None
    input_method: str | None = None
    viewport: str | None = None
    app_version: str | None = None
    guideline_version: int | None = None


@dataclass(frozen=True)
class Draft:
    """What an annotator had typed and marked before voting.

    Attributes:
        comment: the comment so far.
        items: marks or grades of items so far.
    """

    comment: str = ""
    items: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True)
class Served:
    """A task on an annotator's screen: no run name, no side, not whether it is gold or a twin.

    Attributes:
        assignment_id: key under which the vote is submitted.
        revision: which revision of the vote this page submits.
        study_id: the study.
        study_name: its name.
        study_kind: `sbs` or `grade`.
        query: text of the query.
        query_type: its type or None.
        left: the list on the left.
        right: the list on the right.
        scale: 3 or 5.
        levels: grades and their words (grade studies).
        pooled: in a grade study the products of both lists in a seeded order, else empty.
        reasons: reason tags offered.
        image_hosts: hosts from which images may come; None allows any http(s) address.
        draft: what was typed before a refresh, or None.
        previous: the answer that this revision replaces, or None.
        guideline_version: version of the guideline for this type; 0 where there is none.
        my_done: tasks of this study that the person has answered.
        my_left: tasks of this study that the person could still be given.
        study_done: places of the study that are filled.
        study_total: places of the study.
        practice: whether this is a practice task.
    """

    assignment_id: int
    revision: int
    study_id: int
    study_name: str
    study_kind: StudyKind
    query: str
    query_type: str | None
    left: tuple[Item, ...]
    right: tuple[Item, ...]
    scale: int
    levels: tuple[tuple[int, str], ...]
    pooled: tuple[Item, ...]
    reasons: tuple[str, ...]
    image_hosts: tuple[str, ...] | None
    draft: Draft | None
    previous: Ballot | None
    guideline_version: int
    my_done: int
    my_left: int
    study_done: int
    study_total: int
    practice: bool


@dataclass(frozen=True)
class Finished:
    """There is nothing to serve now.

    Attributes:
        reason: `done` (this person has no task left), `waiting` (what is left is with others
            and may come back), `paused`, `closed` or `draft`.
        my_done: tasks of this study that the person has answered.
    """

    reason: Literal["done", "waiting", "paused", "closed", "draft"]
    my_done: int = 0


@dataclass(frozen=True)
class Outcome:
    """What became of a submitted answer.

    Attributes:
        status: `stored`; `duplicate` (this revision was stored before, nothing changed);
            `too_fast` (sooner than the minimum dwell, ignored); `closed` (the study is closed).
        feedback: what to say after a practice task, or None.
        vote_id: the stored vote, or None.
    """

    status: Literal["stored", "duplicate", "too_fast", "closed"]
    feedback: str | None = None
    vote_id: int | None = None


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
        name: what was evaluated.
        document: the score document.
        fingerprint: `sha256:...` of what it was made from.
        recorded_at: UTC milliseconds.
        recorded_by: name; None for the command line.
    """

    id: int
    week: str
    name: str
    document: Mapping[str, Any]
    fingerprint: str
    recorded_at: int
    recorded_by: str | None
