"""What goes into the store and comes out of it, as plain frozen values.

Nothing here knows the database. Times are UTC milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EVALUATION_KINDS",
    "POLICIES",
    "ROLES",
    "STATES",
    "Answer",
    "Ballot",
    "Draft",
    "EvaluationKind",
    "Finished",
    "Item",
    "Outcome",
    "Person",
    "Policy",
    "Role",
    "Served",
    "Side",
    "State",
    "Study",
    "StudyDesign",
    "StudyKind",
    "TaskDraft",
    "TaskKind",
]

Role = Literal["annotator", "analyst", "admin"]
State = Literal["draft", "open", "paused", "closed"]
StudyKind = Literal["sbs", "grade"]
TaskKind = Literal["real", "gold", "twin", "practice", "automatic"]
Policy = Literal["random", "disagreement", "uncertain"]
Side = Literal["left", "right"]
EvaluationKind = Literal["score", "study", "judge", "calibration", "correlation"]

ROLES: tuple[Role, ...] = get_args(Role)
STATES: tuple[State, ...] = get_args(State)
POLICIES: tuple[Policy, ...] = get_args(Policy)
EVALUATION_KINDS: tuple[EvaluationKind, ...] = get_args(EvaluationKind)


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
