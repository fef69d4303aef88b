from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from studying import MINUTE, NOW, annotator, one, open_study, real_tasks, rows, task

from evalkit.errors import NotAllowed, RateLimited, StoreError
from evalkit.store import (
    Person,
    Store,
    StudyDesign,
    audit,
    comparisons,
    create_study,
    evaluation_values,
    evaluations,
    export_judgments,
    export_page_grades,
    export_votes,
    flags,
    import_votes,
    invite,
    note_export,
    people,
    person_by_email,
    progress,
    record_evaluation,
    restore,
    revoke,
    save_guideline,
    set_aside,
    set_asides,
    set_role,
    set_state,
    sign_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_link_signs_its_person_in(store: Store) -> None:
    person, token = invite(store, " Ann Lee ", role="analyst", email="Ann@Example.com")
    assert (person.name, person.role, person.email) == ("Ann Lee", "analyst", "ann@example.com")
    assert len(token) >= 43
    assert sign_in(store, token, client="1.2.3.4") == person
    assert sign_in(store, token[:-1], client="1.2.3.4") is None
    assert sign_in(store, "", client="1.2.3.4") is None


def test_the_token_itself_is_nowhere_in_the_database(store: Store) -> None:
    _, token = invite(store, "ann")
    for (table,) in [("invite",), ("audit",), ("person",)]:
        assert token not in repr(rows(store, f"SELECT * FROM {table}"))


def test_a_new_link_ends_the_earlier_one(store: Store) -> None:
    person, first = invite(store, "ann")
    again, second = invite(store, "ann")
    assert again == person
    assert sign_in(store, first, client="c") is None
    assert sign_in(store, second, client="c") == person
    assert people(store) == [person]


def test_a_role_is_kept_unless_the_invitation_names_one(store: Store) -> None:
    invite(store, "ann", role="analyst")
    assert invite(store, "ann")[0].role == "analyst"
    assert invite(store, "ann", role="admin")[0].role == "admin"


def test_revoking_ends_access_and_inviting_gives_it_back(store: Store) -> None:
    person, token = invite(store, "ann", email="ann@example.com")
    assert person_by_email(store, " ANN@example.com ") == person
    revoke(store, person.id)
    assert sign_in(store, token, client="c") is None
    assert person_by_email(store, "ann@example.com") is None
    assert [found.active for found in people(store)] == [False]
    again, token = invite(store, "ann")
    assert sign_in(store, token, client="c") == again == person


def test_an_address_belongs_to_one_person(store: Store) -> None:
    invite(store, "ann", email="a@example.com")
    with pytest.raises(StoreError, match="belongs to 'ann'"):
        invite(store, "bob", email="A@example.com")
    assert [person.name for person in people(store)] == ["ann"]


@pytest.mark.parametrize(
    ("name", "role", "said"), [(" ", None, "needs a name"), ("ann", "boss", "annotator, analyst")]
)
def test_who_cannot_be_invited(store: Store, name: str, role: Any, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        invite(store, name, role=role)
    assert people(store) == []


def test_ten_failures_a_minute_lock_a_client_out_for_a_minute(store: Store) -> None:
    person, token = invite(store, "ann")
    for number in range(10):
        assert sign_in(store, f"guess {number}", client="1.2.3.4", now=NOW + number) is None
    with pytest.raises(RateLimited, match="wait a minute"):
        sign_in(store, token, client="1.2.3.4", now=NOW + 20)
    assert sign_in(store, token, client="5.6.7.8", now=NOW + 20) == person
    assert sign_in(store, token, client="1.2.3.4", now=NOW + MINUTE) == person
    sign_in(store, "guess", client="1.2.3.4", now=NOW + 3 * MINUTE)
    assert one(store, "SELECT count(*) FROM sign_in_attempt") == 1  # old ones are gone


def test_a_new_role_holds_at_once_for_a_person_who_is_signed_in(store: Store) -> None:
    root = annotator(store, "root", role="admin")
    ann = annotator(store, "ann", role="admin")
    create_study(store, StudyDesign("one"), real_tasks(1), actor=ann)
    assert set_role(store, ann.id, "annotator", actor=root).role == "annotator"
    with pytest.raises(NotAllowed, match="needs the role admin; yours is annotator"):
        create_study(store, StudyDesign("two"), real_tasks(1), actor=ann)
    entry = audit(store)[0]
    assert (entry.action, entry.actor, entry.details) == (
        "role changed",
        "root",
        {"name": "ann", "before": "admin", "after": "annotator"},
    )


def test_nobody_changes_or_ends_their_own_access(store: Store) -> None:
    root = annotator(store, "root", role="admin")
    with pytest.raises(StoreError, match="their own role"):
        set_role(store, root.id, "annotator", actor=root)
    with pytest.raises(StoreError, match="their own access"):
        revoke(store, root.id, actor=root)
    with pytest.raises(StoreError, match="no person 99"):
        revoke(store, 99, actor=root)
    with pytest.raises(StoreError, match="A role is"):
        set_role(store, root.id, "boss")  # type: ignore[arg-type]


# who may do what

Call = "Callable[[Store, int, Person], object]"

NEEDS_ADMIN: dict[str, Callable[[Store, int, Person], object]] = {
    "create_study": lambda s, _, a: create_study(s, StudyDesign("x"), real_tasks(1), actor=a),
    "set_state": lambda s, study, a: set_state(s, study, "closed", actor=a),
    "save_guideline": lambda s, study, a: save_guideline(s, study, None, "x", actor=a),
    "set_aside": lambda s, study, a: set_aside(s, study, a.id, "x", actor=a),
    "restore": lambda s, study, a: restore(s, study, a.id, actor=a),
    "invite": lambda s, _, a: invite(s, "x", actor=a),
    "revoke": lambda s, _, a: revoke(s, 1, actor=a),
    "set_role": lambda s, _, a: set_role(s, 1, "admin", actor=a),
    "import_votes": lambda s, study, a: import_votes(s, study, None, actor=a),  # type: ignore[arg-type]
    "audit": lambda s, _, a: audit(s, actor=a),
}
NEEDS_ANALYST: dict[str, Callable[[Store, int, Person], object]] = {
    "progress": lambda s, study, a: progress(s, study, actor=a),
    "flags": lambda s, study, a: flags(s, study, actor=a),
    "set_asides": lambda s, study, a: set_asides(s, study, actor=a),
    "export_votes": lambda s, study, a: export_votes(s, study, actor=a),
    "export_judgments": lambda s, study, a: export_judgments(s, study, actor=a),
    "export_page_grades": lambda s, study, a: export_page_grades(s, study, actor=a),
    "comparisons": lambda s, study, a: comparisons(s, study, actor=a),
    "people": lambda s, _, a: people(s, actor=a),
    "evaluations": lambda s, _, a: evaluations(s, actor=a),
    "note_export": lambda s, study, a: note_export(s, study, "votes", 1, actor=a),
    "record_evaluation": lambda s, _, a: record_evaluation(
        s, week="2026-W47", name="n", document={}, fingerprint="f", actor=a
    ),
    "evaluation_values": lambda s, _, a: evaluation_values(s, 1, actor=a),
}


def everything(store: Store) -> list[Any]:
    tables = ("study", "person", "invite", "guideline", "set_aside", "evaluation", "audit")
    return [rows(store, f"SELECT * FROM {table} ORDER BY id") for table in tables]


@pytest.mark.parametrize("name", NEEDS_ADMIN)
@pytest.mark.parametrize("role", ["annotator", "analyst"])
def test_studies_and_people_are_changed_by_admins_only(store: Store, name: str, role: str) -> None:
    study = open_study(store, real_tasks(1))
    person = annotator(store, "somebody", role=role)
    before = everything(store)
    with pytest.raises(NotAllowed, match=f"needs the role admin; yours is {role}"):
        NEEDS_ADMIN[name](store, study.id, person)
    assert everything(store) == before


@pytest.mark.parametrize("name", NEEDS_ANALYST)
def test_results_are_for_analysts(store: Store, name: str) -> None:
    study = open_study(store, real_tasks(1))
    ann, analyst = annotator(store), annotator(store, "analyst", role="analyst")
    task(store, study, ann)
    record_evaluation(store, week="2026-W46", name="n", document={}, fingerprint="f")
    before = everything(store)
    with pytest.raises(NotAllowed, match="needs the role analyst; yours is annotator"):
        NEEDS_ANALYST[name](store, study.id, ann)
    assert everything(store) == before
    NEEDS_ANALYST[name](store, study.id, analyst)


@pytest.mark.parametrize("name", NEEDS_ADMIN | NEEDS_ANALYST)
def test_whose_access_has_ended_may_do_nothing(store: Store, name: str) -> None:
    study = open_study(store, real_tasks(1))
    root = annotator(store, "root", role="admin")
    revoke(store, root.id)
    with pytest.raises(NotAllowed, match="access has ended"):
        (NEEDS_ADMIN | NEEDS_ANALYST)[name](store, study.id, root)
