"""The audit log and recorded evaluations."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from evalkit.errors import StoreError
from evalkit.store.engine import milliseconds
from evalkit.store.findings import AuditEntry, Evaluation
from evalkit.store.rights import log, require
from evalkit.store.schema import audit as audit_table
from evalkit.store.schema import evaluation, person, study
from evalkit.store.values import EVALUATION_KINDS
from evalkit.store.weeks import check_week

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from evalkit.store.engine import Store
    from evalkit.store.values import EvaluationKind, Person

__all__ = [
    "audit",
    "document_fingerprint",
    "evaluation_values",
    "evaluations",
    "note_export",
    "record_evaluation",
]


def audit(store: Store, *, limit: int = 100, actor: Person | None = None) -> list[AuditEntry]:
    """Return who did what, newest first.

    Raises:
        NotAllowed: the actor is not an admin.
    """
    with store.reading() as connection:
        require(connection, actor, "admin")
        rows = connection.execute(
            sa.select(
                audit_table.c.id,
                audit_table.c.at,
                person.c.name,
                audit_table.c.action,
                study.c.name,
                audit_table.c.details,
            )
            .select_from(audit_table)
            .outerjoin(person, audit_table.c.person_id == person.c.id)
            .outerjoin(study, audit_table.c.study_id == study.c.id)
            .order_by(audit_table.c.id.desc())
            .limit(limit)
        ).all()
    return [AuditEntry(*row) for row in rows]


def note_export(
    store: Store,
    study_id: int,
    what: str,
    rows: int,
    *,
    actor: Person | None = None,
    now: int | None = None,
) -> None:
    """Write into the audit log that data left the database; figures on a page are no export.

    Args:
        store: the database.
        study_id: the study.
        what: what was handed out (`votes`, `judgments`, `page grades`).
        rows: how many rows.
        actor: an analyst, or None for the command line.
        now: UTC milliseconds.

    Raises:
        NotAllowed: the actor is not an analyst.
    """
    with store.writing() as connection:
        require(connection, actor, "analyst")
        log(
            connection,
            actor,
            "exported",
            now=milliseconds(now),
            study_id=study_id,
            what=what,
            rows=rows,
        )


def record_evaluation(
    store: Store,
    *,
    kind: EvaluationKind = "score",
    week: str,
    name: str,
    document: Mapping[str, Any],
    fingerprint: str,
    query_set: str | None = None,
    judge: str | None = None,
    values: pa.Table | None = None,
    actor: Person | None = None,
    now: int | None = None,
) -> Evaluation:
    """Record an evaluation; the one that counts, recorded a second time, changes nothing.

    The latest record of a week, name and kind counts: of every study, and of every judge that was
    checked. Earlier ones stay.

    Args:
        store: the database.
        kind: `score`, `study`, `judge`, `calibration` or `correlation`.
        week: ISO week (`2026-W47`).
        name: what was evaluated; evaluations of one name form a trend.
        document: its document, ready for JSON.
        fingerprint: `sha256:...` of what it was made from; tells a repetition from a change.
        query_set: `sha256:...` of the query set.
        judge: who judged.
        values: the values of every query, or the grades of a judge.
        actor: an analyst, or None for the command line.
        now: UTC milliseconds.

    Returns:
        The record that counts now.

    Raises:
        NotAllowed: the actor is not an analyst.
        StoreError: there is no such week or kind, or the name is empty.
    """
    now = milliseconds(now)
    check_week(week)
    if not name.strip():
        raise StoreError("An evaluation is recorded under a name.")
    if kind not in EVALUATION_KINDS:
        known = ", ".join(EVALUATION_KINDS)
        raise StoreError(f"Evaluations of the kind {kind!r} are not recorded; there are: {known}.")
    packed = None if values is None else _packed(values)
    with store.writing() as connection:
        require(connection, actor, "analyst")
        there = _EVALUATIONS.where(
            evaluation.c.week == week, evaluation.c.name == name, evaluation.c.kind == kind
        ).order_by(evaluation.c.revision)
        every = connection.execute(there).all()
        subject = _subject(kind, document, judge)
        same = [each for each in _counted(every) if _key(each)[-1] == subject]
        before = same[-1] if same else None
        if before is not None and before.fingerprint == fingerprint:
            return before
        connection.execute(
            sa.insert(evaluation).values(
                {
                    "kind": kind,
                    "week": week,
                    "name": name,
                    "revision": 1 if not every else every[-1].earlier + 2,
                    "document": dict(document),
                    "fingerprint": fingerprint,
                    "query_set": query_set,
                    "judge": judge,
                    "values": packed,
                    "recorded_at": now,
                    "recorded_by": None if actor is None else actor.id,
                }
            )
        )
        made = _counted(connection.execute(there).all())[-1]
        details: dict[str, Any] = {"kind": kind, "week": week, "name": name, "evaluation": made.id}
        if before is not None:
            details["instead_of"] = before.id
        log(connection, actor, "evaluation recorded", now=now, **details)
        return made


def evaluations(
    store: Store,
    *,
    kind: EvaluationKind | None = None,
    name: str | None = None,
    week: str | None = None,
    latest_only: bool = True,
    actor: Person | None = None,
) -> list[Evaluation]:
    """Return recorded evaluations, by week and then as they were recorded.

    Args:
        store: the database.
        kind: only of this kind.
        name: only of this name.
        week: only of this week.
        latest_only: leave out records that a later one of the same week, name and kind replaces;
            of studies one of the same study, of checks of a judge one of the same judge.
        actor: an analyst, or None for the command line.

    Raises:
        NotAllowed: the actor is not an analyst.
    """
    wanted = _EVALUATIONS.order_by(evaluation.c.week, evaluation.c.id)
    for column, value in (("kind", kind), ("name", name), ("week", week)):
        if value is not None:
            wanted = wanted.where(evaluation.c[column] == value)
    with store.reading() as connection:
        require(connection, actor, "analyst")
        found = _counted(connection.execute(wanted).all())
    if not latest_only:
        return found
    last = {_key(each): each.id for each in found}
    return [each for each in found if last[_key(each)] == each.id]


def evaluation_values(
    store: Store, evaluation_id: int, actor: Person | None = None
) -> pa.Table | None:
    """Return the values of every query that were recorded with an evaluation; None without any.

    Raises:
        NotAllowed: the actor is not an analyst.
        StoreError: there is no such evaluation.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with store.reading() as connection:
        require(connection, actor, "analyst")
        row = connection.execute(
            sa.select(evaluation.c["values"]).where(evaluation.c.id == evaluation_id)
        ).one_or_none()
    if row is None:
        raise StoreError(f"There is no recorded evaluation with the number {evaluation_id}.")
    packed: bytes | None = row[0]
    return None if packed is None else pq.read_table(pa.BufferReader(packed))


def document_fingerprint(document: Mapping[str, Any]) -> str:
    """Return `sha256:<hex>` of a document, without what says how or from where it was called.

    The command line and the paths of the inputs are left out: the same files in another folder
    make the same evaluation.

    Example:
        >>> here = {"kind": "score", "inputs": [{"path": "a", "rows": 1}], "command": "evalkit a"}
        >>> there = {"inputs": [{"rows": 1, "path": "b"}], "kind": "score"}
        >>> document_fingerprint(here) == document_fingerprint(there)
        True
    """
    content = {key: value for key, value in document.items() if key != "command"}
    if content.get("inputs"):
        content["inputs"] = [
            {key: value for key, value in each.items() if key != "path"}
            for each in content["inputs"]
        ]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _subject(kind: str, document: Mapping[str, Any], judge: str | None) -> str | None:
    """What a record is of, beside its week, name and kind."""
    if kind == "study":
        name: str | None = (document.get("study") or {}).get("name")
        return name
    return judge if kind == "judge" else None


def _key(each: Evaluation) -> tuple[str | None, ...]:
    """Of records with the same key the latest counts."""
    return each.week, each.name, each.kind, _subject(each.kind, each.document, each.judge)


def _counted(rows: Iterable[Sequence[Any]]) -> list[Evaluation]:
    """Take every row of a week, name and kind in order, and count what each replaces."""
    seen: Counter[tuple[str | None, ...]] = Counter()
    found = []
    for row in rows:
        each = Evaluation(*row)
        found.append(replace(each, earlier=seen[_key(each)]))
        seen[_key(each)] += 1
    return found


def _packed(values: pa.Table) -> bytes:
    import io

    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(values, sink, compression="zstd")
    return sink.getvalue()


_EVALUATIONS = sa.select(  # in the order of the fields of Evaluation
    evaluation.c.id,
    evaluation.c.week,
    evaluation.c.name,
    evaluation.c.document,
    evaluation.c.fingerprint,
    evaluation.c.recorded_at,
    person.c.name.label("recorded_by"),
    evaluation.c.kind,
    evaluation.c.query_set,
    evaluation.c.judge,
    (evaluation.c.revision - 1).label("earlier"),
).outerjoin(person, evaluation.c.recorded_by == person.c.id)
