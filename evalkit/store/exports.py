"""Votes and grades as tables, sides resolved.

One row a vote, joined in the database; `evalkit.tables` writes them to files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from evalkit.errors import StoreError
from evalkit.store.counting import latest_votes
from evalkit.store.rights import require
from evalkit.store.schema import task, vote_reason
from evalkit.store.studies import study_by_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from evalkit.store.engine import Store
    from evalkit.store.schema import AnyRow
    from evalkit.store.values import Person, Study

__all__ = ["VOTE_COLUMNS", "export_judgments", "export_page_grades", "export_votes"]


def export_votes(
    store: Store,
    study_id: int,
    *,
    latest_only: bool = True,
    actor: Person | None = None,
) -> pa.Table:
    """Return the canonical votes table of a study.

    Rows of kind real and automatic (identical lists, no annotator, preference 0) are what GSB is
    made of; gold, twin and practice votes are for quality control. `preference` is for the
    treatment. `items` is a JSON object of `good` or `bad` by product id, null where none is marked.
    `gold_preference` is the accepted sign; of several, the vote's own if it is one of them, else
    the first. Times are timestamps in UTC.

    Args:
        store: the database.
        study_id: a side-by-side study.
        latest_only: leave out votes that a later answer replaced; else they have `counts` false.
        actor: an analyst, or None for the command line.

    Raises:
        NotAllowed: the actor is not an analyst.
        StoreError: there is no such study, or it collects grades.
    """
    with store.reading() as connection:
        require(connection, actor, "analyst")
        study = study_by_id(connection, study_id)
        if study.design.kind != "sbs":
            raise StoreError(
                f"Study {study.name!r} collects grades, not votes; export its judgments instead."
            )
        rows = connection.execute(_votes(study, all_revisions=not latest_only)).all()
        automatic = connection.execute(_automatic(study)).all()
        accepted = {
            task_id: answer["preferences"]
            for task_id, answer in connection.execute(
                sa.select(task.c.id, task.c.answer).where(
                    task.c.study_id == study_id, task.c.answer.is_not(None)
                )
            )
        }
    return _votes_table(study, rows, automatic, accepted)


def export_judgments(store: Store, study_id: int, *, actor: Person | None = None) -> pa.Table:
    """Return item grades as a judgments table: what people said of single products.

    Only votes on real tasks that count and are not set aside. In a side-by-side study an item
    marked good has grade 1, one marked bad 0.

    Args:
        store: the database.
        study_id: the study.
        actor: an analyst, or None for the command line.

    Returns:
        `query_id`, `product_id`, `grade`, `source` (`human`), `annotator`,
        `inclusion_probability`.

    Raises:
        NotAllowed: the actor is not an analyst.
        StoreError: there is no such study.
    """
    import pyarrow as pa

    with store.reading() as connection:
        require(connection, actor, "analyst")
        study = study_by_id(connection, study_id)
        votes = latest_votes(study_id)
        sqlite = connection.dialect.name == "sqlite"
        unpack = sa.func.json_each if sqlite else sa.func.json_each_text
        marks = unpack(votes.c["items"]).table_valued("key", "value", name="marks")
        grade: sa.ColumnElement[Any] = sa.cast(marks.c.value, sa.Integer)
        if study.design.kind == "sbs":
            grade = sa.case((marks.c.value == "good", 1), else_=0)
        rows = connection.execute(
            sa.select(
                votes.c.query_id,
                marks.c.key,
                grade,
                votes.c.annotator,
                votes.c.inclusion_probability,
            )
            .join(marks, sa.true())
            .where(*_in_figures(votes))
            .order_by(votes.c.position, votes.c.annotator, marks.c.key)
        ).all()
    queries, products, grades, annotators, probabilities = _columns(rows, 5)
    return pa.table(
        {
            "query_id": pa.array(queries, pa.string()),
            "product_id": pa.array(products, pa.string()),
            "grade": pa.array(grades, pa.int64()),
            "source": pa.array(["human"] * len(rows), pa.string()),
            "annotator": pa.array(annotators, pa.string()),
            "inclusion_probability": pa.array(probabilities, pa.float64()),
        }
    )


def export_page_grades(store: Store, study_id: int, *, actor: Person | None = None) -> pa.Table:
    """Return what people said of whole lists: `query_id`, `system`, `page_grade`, `annotator`.

    Only votes on real tasks that count and are not set aside.

    Raises:
        NotAllowed: the actor is not an analyst.
        StoreError: there is no such study.
    """
    import pyarrow as pa

    with store.reading() as connection:
        require(connection, actor, "analyst")
        study = study_by_id(connection, study_id)
        votes = latest_votes(study_id)
        systems = {
            "control": study.design.control_system,
            "treatment": study.design.treatment_system,
        }
        halves = [
            sa.select(
                votes.c.position,
                votes.c.query_id,
                sa.literal(name).label("system"),
                votes.c.pages[side].as_string().label("page_grade"),
                votes.c.annotator,
            ).where(*_in_figures(votes), votes.c.pages[side].as_string().is_not(None))
            for side, name in systems.items()
        ]
        pages = sa.union_all(*halves).subquery()
        rows = connection.execute(
            sa.select(
                pages.c.query_id, pages.c.system, pages.c.page_grade, pages.c.annotator
            ).order_by(pages.c.position, pages.c.annotator, pages.c.system)
        ).all()
    names = ("query_id", "system", "page_grade", "annotator")
    return pa.table(
        {
            name: pa.array(column, pa.string())
            for name, column in zip(names, _columns(rows, 4), strict=True)
        }
    )


def _in_figures(votes: sa.Subquery) -> tuple[sa.ColumnElement[bool], ...]:
    return (votes.c.kind == "real", votes.c.counts, ~votes.c.set_aside)


def _segments(study: Study) -> list[str]:
    return [name for name in study.design.segments if name not in VOTE_COLUMNS]


def _votes(study: Study, *, all_revisions: bool) -> sa.Select[*tuple[Any, ...]]:
    votes = latest_votes(study.id, all_revisions=all_revisions)
    ordered = sa.select(vote_reason).order_by(vote_reason.c.vote_id, vote_reason.c.id).subquery()
    reasons = (
        sa.select(
            ordered.c.vote_id, sa.func.aggregate_strings(ordered.c.reason, ";").label("reasons")
        )
        .group_by(ordered.c.vote_id)
        .subquery("reasons")
    )
    shown = sa.case(
        (votes.c.side == "right", votes.c.preference), (votes.c.side == "left", -votes.c.preference)
    )
    return (
        sa.select(
            votes.c.task_id,
            votes.c.kind,
            votes.c.position,
            votes.c.twin_of,
            votes.c.query_id,
            votes.c.query_type,
            *(votes.c.segments[name].as_string() for name in _segments(study)),
            votes.c.annotator,
            votes.c.preference,
            votes.c.both_bad,
            votes.c.side,
            shown,
            votes.c.counts,
            votes.c.set_aside,
            (votes.c.submitted_at - votes.c.shown_at) / sa.literal(1000.0),
            reasons.c.reasons,
            votes.c.comment,
            votes.c["items"],
            votes.c.assignment_id,
            votes.c.revision,
            votes.c.submitted_at,
            votes.c.shown_at,
            votes.c.active_ms,
            votes.c.input_method,
            votes.c.viewport,
            votes.c.app_version,
            votes.c.guideline_version,
        )
        .outerjoin(reasons, reasons.c.vote_id == votes.c.id)
        .order_by(votes.c.position, votes.c.assignment_id, votes.c.revision)
    )


def _automatic(study: Study) -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            task.c.id,
            task.c.position,
            task.c.query_id,
            task.c.query_type,
            *(task.c.segments[name].as_string() for name in _segments(study)),
        )
        .where(task.c.study_id == study.id, task.c.kind == "automatic")
        .order_by(task.c.position)
    )


def _votes_table(
    study: Study,
    rows: Sequence[AnyRow],
    automatic: Sequence[AnyRow],
    accepted: dict[int, list[int]],
) -> pa.Table:
    import pyarrow as pa

    segments = _segments(study)
    names = [
        "task_id", "kind", "position", "twin_of", "query_id", "query_type", *segments, "annotator",
        "preference", "both_bad", "treatment_side", "shown", "counts", "set_aside", "seconds",
        "reasons", "comment", "items", "assignment_id", "revision", "submitted_at", "shown_at",
        "active_ms", "input_method", "viewport", "app_version", "guideline_version",
    ]  # fmt: skip
    columns: dict[str, list[Any]] = dict(
        zip(names, map(list, _columns(rows, len(names))), strict=True)
    )
    columns["items"] = [
        json.dumps(items, ensure_ascii=False, sort_keys=True) if items else None
        for items in columns["items"]
    ]
    columns["gold_preference"] = [
        _expected(accepted.get(task_id), preference)
        for task_id, preference in zip(columns["task_id"], columns["preference"], strict=True)
    ]
    same = len(automatic)
    known = ("task_id", "position", "query_id", "query_type", *segments)
    for name, values in zip(known, _columns(automatic, len(known)), strict=True):
        columns[name] += values
    constants = {
        "kind": "automatic", "annotator": "", "preference": 0, "both_bad": False, "counts": True,
        "set_aside": False, "comment": "",
    }  # fmt: skip
    for name, column in columns.items():
        if name not in known:
            column += [constants.get(name)] * same
    columns["study"] = [study.name] * len(columns["kind"])
    columns["scale"] = [study.design.scale] * len(columns["kind"])
    if not any(columns["query_type"]):
        del columns["query_type"]
    order = [name for name in (*VOTE_COLUMNS, *segments) if name in columns]
    table = pa.table(
        {name: pa.array(columns[name], _arrow(VOTE_COLUMNS.get(name, "string"))) for name in order}
    )
    return table.sort_by([("position", "ascending"), ("assignment_id", "ascending")])


def _expected(accepted: list[int] | None, preference: int | None) -> int | None:
    if not accepted or preference is None:
        return None
    sign = (preference > 0) - (preference < 0)
    return sign if sign in accepted else accepted[0]


def _columns(rows: Sequence[AnyRow], number: int) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) if rows else [()] * number


def _arrow(name: str) -> pa.DataType:
    import pyarrow as pa

    return pa.timestamp("ms", tz="UTC") if name == "time" else getattr(pa, name)()


# the columns in the order of the table; segments follow
VOTE_COLUMNS = {
    "study": "string",
    "query_id": "string",
    "annotator": "string",
    "preference": "int64",
    "both_bad": "bool_",
    "treatment_side": "string",
    "kind": "string",
    "counts": "bool_",
    "set_aside": "bool_",
    "position": "int64",
    "task_id": "int64",
    "gold_preference": "int64",
    "twin_of": "int64",
    "seconds": "float64",
    "reasons": "string",
    "comment": "string",
    "items": "string",
    "assignment_id": "int64",
    "revision": "int64",
    "shown": "int64",
    "scale": "int64",
    "submitted_at": "time",
    "shown_at": "time",
    "active_ms": "int64",
    "input_method": "string",
    "viewport": "string",
    "app_version": "string",
    "guideline_version": "int64",
    "query_type": "string",
}
