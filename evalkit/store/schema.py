"""The tables of the study database.

Times are UTC milliseconds. `vote`, `vote_reason`, `audit` and `evaluation` only grow: triggers
made by the migrations refuse any change. No foreign key deletes what hangs on it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import sqlalchemy as sa

__all__ = [
    "APPEND_ONLY",
    "UNFILLED",
    "AnyRow",
    "assignment",
    "audit",
    "draft",
    "evaluation",
    "flag",
    "guideline",
    "invite",
    "metadata",
    "person",
    "set_aside",
    "sign_in_attempt",
    "slot",
    "study",
    "task",
    "vote",
    "vote_reason",
]

AnyRow: TypeAlias = sa.Row[*tuple[Any, ...]]

APPEND_ONLY = ("vote", "vote_reason", "audit", "evaluation")
"""Tables whose rows are never changed nor deleted."""

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts INTEGER keys only
_Json = sa.JSON(none_as_null=True)  # not JSONB, which forgets the order of keys
_Time = sa.BigInteger()


def _id() -> sa.Column[int]:
    return sa.Column("id", _Key, primary_key=True)


def _to(name: str, target: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, _Key, sa.ForeignKey(f"{target}.id"), nullable=nullable)


def _one_of(column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


person = sa.Table(
    "person",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("email", sa.Text, unique=True),
    sa.Column("created_at", _Time, nullable=False),
    sa.Column("revoked_at", _Time),
    _one_of("role", "annotator", "analyst", "admin"),
)

invite = sa.Table(
    "invite",
    metadata,
    _id(),
    _to("person_id", "person"),
    sa.Column("token_hash", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", _Time, nullable=False),
    sa.Column("revoked_at", _Time),
    sa.Index(None, "person_id"),
)

sign_in_attempt = sa.Table(  # those that failed; pruned
    "sign_in_attempt",
    metadata,
    _id(),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("at", _Time, nullable=False),
    sa.Index(None, "client", "at"),
)

study = sa.Table(
    "study",
    metadata,
    _id(),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("scale", sa.Integer, nullable=False),
    sa.Column("levels", _Json, nullable=False),
    sa.Column("depth", sa.Integer, nullable=False),
    sa.Column("overlap", sa.Integer, nullable=False),
    sa.Column("seed", _Time, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("identical", sa.Text, nullable=False),
    sa.Column("lease_ms", sa.Integer, nullable=False),
    sa.Column("min_dwell_ms", sa.Integer, nullable=False),
    sa.Column("stop_width", sa.Float),
    sa.Column("stop_when_decided", sa.Boolean, nullable=False),
    sa.Column("control_system", sa.Text, nullable=False),
    sa.Column("treatment_system", sa.Text, nullable=False),
    sa.Column("segments", _Json, nullable=False),
    sa.Column("image_hosts", _Json),
    sa.Column("reasons", _Json, nullable=False),
    sa.Column("design", _Json, nullable=False),
    sa.Column("created_at", _Time, nullable=False),
    _to("created_by", "person", nullable=True),
    _one_of("kind", "sbs", "grade"),
    _one_of("state", "draft", "open", "paused", "closed"),
    _one_of("policy", "random", "disagreement", "uncertain"),
    _one_of("identical", "skip", "show"),
)

task = sa.Table(
    "task",
    metadata,
    _id(),
    _to("study_id", "study"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    _to("twin_of", "task", nullable=True),
    sa.Column("query_id", sa.Text, nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.Column("query_type", sa.Text),
    sa.Column("segments", _Json, nullable=False),
    sa.Column("control_items", _Json, nullable=False),
    sa.Column("treatment_items", _Json, nullable=False),
    sa.Column("pooled", _Json, nullable=False),
    sa.Column("answer", _Json),
    sa.Column("automated_delta", sa.Float),
    sa.Column("inclusion_probability", sa.Float),
    sa.Column("priority", sa.Float, nullable=False),  # lower is served sooner
    _one_of("kind", "real", "gold", "twin", "practice", "automatic"),
    sa.UniqueConstraint("study_id", "position"),
    sa.UniqueConstraint("study_id", "kind", "query_id"),
    sa.Index(None, "study_id", "kind", "priority", "position"),
    sa.Index(None, "twin_of"),
)

assignment = sa.Table(
    "assignment",
    metadata,
    _id(),
    _to("task_id", "task"),
    _to("person_id", "person"),
    sa.Column("side", sa.Text),  # where the treatment stands; null in imports that do not say
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # the one now open, or last answered
    sa.Column("claimed_at", _Time, nullable=False),
    sa.Column("opened_at", _Time, nullable=False),  # of this revision
    sa.Column("shown_at", _Time),  # of this revision
    sa.Column("hurried_at", _Time),  # last answer that was ignored as too fast
    _one_of("side", "left", "right"),
    _one_of("state", "open", "voted", "skipped"),
    sa.UniqueConstraint("task_id", "person_id"),
    sa.Index(None, "person_id", "state"),
)

slot = sa.Table(
    "slot",
    metadata,
    _id(),
    _to("study_id", "study"),  # that of the task, for counting without a join
    _to("task_id", "task"),
    sa.Column("slot_no", sa.Integer, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("assignment_id", _Key, sa.ForeignKey("assignment.id"), unique=True),
    sa.Column("lease_until", _Time),
    _one_of("side", "left", "right"),
    _one_of("state", "free", "leased", "done"),
    sa.UniqueConstraint("task_id", "slot_no"),
    sa.Index(
        "ix_slot_unfilled",
        "study_id",
        "task_id",
        sqlite_where=sa.text("state <> 'done'"),
        postgresql_where=sa.text("state <> 'done'"),
    ),
)

UNFILLED = slot.c.state != sa.literal_column("'done'")
"""A place without a vote, in the words of its index; SQLite does not look into parameters."""

vote = sa.Table(
    "vote",
    metadata,
    _id(),
    _to("assignment_id", "assignment"),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("preference", sa.Integer),
    sa.Column("both_bad", sa.Boolean, nullable=False),
    sa.Column("skip_reason", sa.Text),
    sa.Column("items", _Json, nullable=False),
    sa.Column("pages", _Json, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("side", sa.Text),
    sa.Column("shown_at", _Time),
    sa.Column("submitted_at", _Time, nullable=False),
    sa.Column("active_ms", sa.Integer),
    sa.Column("input_method", sa.Text),
    sa.Column("viewport", sa.Text),
    sa.Column("app_version", sa.Text),
    sa.Column("guideline_version", sa.Integer),
    _one_of("action", "vote", "skip"),
    _one_of("side", "left", "right"),
    sa.CheckConstraint("preference BETWEEN -2 AND 2", name="preference"),
    sa.CheckConstraint("NOT both_bad OR preference = 0", name="both_bad"),
    sa.UniqueConstraint("assignment_id", "revision"),
)

vote_reason = sa.Table(
    "vote_reason",
    metadata,
    _id(),
    _to("vote_id", "vote"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", _Time, nullable=False),
    sa.UniqueConstraint("vote_id", "reason"),
)

flag = sa.Table(
    "flag",
    metadata,
    _id(),
    _to("assignment_id", "assignment"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("at", _Time, nullable=False),
    sa.Index(None, "assignment_id"),
)

draft = sa.Table(
    "draft",
    metadata,
    _id(),
    sa.Column("assignment_id", _Key, sa.ForeignKey("assignment.id"), nullable=False, unique=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("items", _Json, nullable=False),
    sa.Column("saved_at", _Time, nullable=False),
)

guideline = sa.Table(
    "guideline",
    metadata,
    _id(),
    _to("study_id", "study"),
    sa.Column("query_type", sa.Text, nullable=False),  # empty: for all types
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("saved_at", _Time, nullable=False),
    _to("saved_by", "person", nullable=True),
    sa.UniqueConstraint("study_id", "query_type", "version"),
)

set_aside = sa.Table(
    "set_aside",
    metadata,
    _id(),
    _to("study_id", "study"),
    _to("person_id", "person"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", _Time, nullable=False),
    _to("by", "person", nullable=True),
    sa.Column("restored_at", _Time),
    _to("restored_by", "person", nullable=True),
    sa.Index(
        "uq_set_aside_now",
        "study_id",
        "person_id",
        unique=True,
        sqlite_where=sa.text("restored_at IS NULL"),
        postgresql_where=sa.text("restored_at IS NULL"),
    ),
)

audit = sa.Table(
    "audit",
    metadata,
    _id(),
    sa.Column("at", _Time, nullable=False),
    _to("person_id", "person", nullable=True),
    sa.Column("action", sa.Text, nullable=False),
    _to("study_id", "study", nullable=True),
    sa.Column("details", _Json, nullable=False),
)

evaluation = sa.Table(
    "evaluation",
    metadata,
    _id(),
    sa.Column("week", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("document", _Json, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("recorded_at", _Time, nullable=False),
    _to("recorded_by", "person", nullable=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # the latest of week, name and kind counts
    sa.Column("query_set", sa.Text),
    sa.Column("judge", sa.Text),
    sa.Column("values", sa.LargeBinary),  # Parquet
    _one_of("kind", "score", "study", "judge", "calibration", "correlation"),
    sa.UniqueConstraint("week", "name", "kind", "revision"),
)
