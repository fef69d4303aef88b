"""Studies, tasks, places, people, votes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "person",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("email", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.CheckConstraint(
            "role IN ('annotator', 'analyst', 'admin')", name=op.f("ck_person_role")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.UniqueConstraint("email", name="uq_person_email"),
        sa.UniqueConstraint("name", name="uq_person_name"),
    )
    op.create_table(
        "sign_in_attempt",
        sa.Column("id", KEY, nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_attempt"),
    )
    op.create_index("ix_sign_in_attempt_client_at", "sign_in_attempt", ["client", "at"])
    op.create_table(
        "invite",
        sa.Column("id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_invite_person_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_invite"),
        sa.UniqueConstraint("token_hash", name="uq_invite_token_hash"),
    )
    op.create_index("ix_invite_person_id", "invite", ["person_id"])
    op.create_table(
        "study",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("scale", sa.Integer(), nullable=False),
        sa.Column("levels", sa.JSON(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("overlap", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("identical", sa.Text(), nullable=False),
        sa.Column("lease_ms", sa.Integer(), nullable=False),
        sa.Column("min_dwell_ms", sa.Integer(), nullable=False),
        sa.Column("stop_width", sa.Float()),
        sa.Column("stop_when_decided", sa.Boolean(), nullable=False),
        sa.Column("control_system", sa.Text(), nullable=False),
        sa.Column("treatment_system", sa.Text(), nullable=False),
        sa.Column("segments", sa.JSON(), nullable=False),
        sa.Column("image_hosts", sa.JSON()),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("design", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", KEY),
        sa.CheckConstraint("identical IN ('skip', 'show')", name=op.f("ck_study_identical")),
        sa.CheckConstraint("kind IN ('sbs', 'grade')", name=op.f("ck_study_kind")),
        sa.CheckConstraint(
            "policy IN ('random', 'disagreement', 'uncertain')", name=op.f("ck_study_policy")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'open', 'paused', 'closed')", name=op.f("ck_study_state")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name="fk_study_created_by_person"),
        sa.PrimaryKeyConstraint("id", name="pk_study"),
        sa.UniqueConstraint("name", name="uq_study_name"),
    )
    op.create_table(
        "audit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person_id", KEY),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("study_id", KEY),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_audit_person_id_person"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_audit_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_table(
        "guideline",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("query_type", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("saved_by", KEY),
        sa.ForeignKeyConstraint(["saved_by"], ["person.id"], name="fk_guideline_saved_by_person"),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_guideline_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_guideline"),
        sa.UniqueConstraint(
            "study_id", "query_type", "version", name="uq_guideline_study_id_query_type_version"
        ),
    )
    op.create_table(
        "set_aside",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", KEY),
        sa.Column("restored_at", sa.BigInteger()),
        sa.Column("restored_by", KEY),
        sa.ForeignKeyConstraint(["by"], ["person.id"], name="fk_set_aside_by_person"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_set_aside_person_id_person"),
        sa.ForeignKeyConstraint(
            ["restored_by"], ["person.id"], name="fk_set_aside_restored_by_person"
        ),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_set_aside_study_id_study"),
        sa.PrimaryKeyConstraint("id", name="pk_set_aside"),
    )
    op.create_index(
        "uq_set_aside_now",
        "set_aside",
        ["study_id", "person_id"],
        unique=True,
        sqlite_where=sa.text("restored_at IS NULL"),
        postgresql_where=sa.text("restored_at IS NULL"),
    )
    op.create_table(
        "task",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("twin_of", KEY),
        sa.Column("query_id", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("query_type", sa.Text()),
        sa.Column("segments", sa.JSON(), nullable=False),
        sa.Column("control_items", sa.JSON(), nullable=False),
        sa.Column("treatment_items", sa.JSON(), nullable=False),
        sa.Column("pooled", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON()),
        sa.Column("automated_delta", sa.Float()),
        sa.Column("inclusion_probability", sa.Float()),
        sa.Column("priority", sa.Float(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('real', 'gold', 'twin', 'practice', 'automatic')", name=op.f("ck_task_kind")
        ),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_task_study_id_study"),
        sa.ForeignKeyConstraint(["twin_of"], ["task.id"], name="fk_task_twin_of_task"),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
        sa.UniqueConstraint("study_id", "kind", "query_id", name="uq_task_study_id_kind_query_id"),
        sa.UniqueConstraint("study_id", "position", name="uq_task_study_id_position"),
    )
    op.create_index(
        "ix_task_study_id_kind_priority_position",
        "task",
        ["study_id", "kind", "priority", "position"],
    )
    op.create_index("ix_task_twin_of", "task", ["twin_of"])
    op.create_table(
        "assignment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("shown_at", sa.BigInteger()),
        sa.CheckConstraint("side IN ('left', 'right')", name=op.f("ck_assignment_side")),
        sa.CheckConstraint(
            "state IN ('open', 'voted', 'skipped')", name=op.f("ck_assignment_state")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name="fk_assignment_person_id_person"
        ),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_assignment_task_id_task"),
        sa.PrimaryKeyConstraint("id", name="pk_assignment"),
        sa.UniqueConstraint("task_id", "person_id", name="uq_assignment_task_id_person_id"),
    )
    op.create_index("ix_assignment_person_id_state", "assignment", ["person_id", "state"])
    op.create_table(
        "draft",
        sa.Column("id", KEY, nullable=False),
        sa.Column("assignment_id", KEY, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name="fk_draft_assignment_id_assignment"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_draft"),
        sa.UniqueConstraint("assignment_id", name="uq_draft_assignment_id"),
    )
    op.create_table(
        "flag",
        sa.Column("id", KEY, nullable=False),
        sa.Column("assignment_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name="fk_flag_assignment_id_assignment"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_flag"),
    )
    op.create_index("ix_flag_assignment_id", "flag", ["assignment_id"])
    op.create_table(
        "slot",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("task_id", KEY, nullable=False),
        sa.Column("slot_no", sa.Integer(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("assignment_id", KEY),
        sa.Column("lease_until", sa.BigInteger()),
        sa.CheckConstraint("side IN ('left', 'right')", name=op.f("ck_slot_side")),
        sa.CheckConstraint("state IN ('free', 'leased', 'done')", name=op.f("ck_slot_state")),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name="fk_slot_assignment_id_assignment"
        ),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name="fk_slot_study_id_study"),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_slot_task_id_task"),
        sa.PrimaryKeyConstraint("id", name="pk_slot"),
        sa.UniqueConstraint("assignment_id", name="uq_slot_assignment_id"),
        sa.UniqueConstraint("task_id", "slot_no", name="uq_slot_task_id_slot_no"),
    )
    op.create_index(
        "ix_slot_unfilled",
        "slot",
        ["study_id", "task_id"],
        sqlite_where=sa.text("state <> 'done'"),
        postgresql_where=sa.text("state <> 'done'"),
    )
    op.create_table(
        "vote",
        sa.Column("id", KEY, nullable=False),
        sa.Column("assignment_id", KEY, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("preference", sa.Integer()),
        sa.Column("both_bad", sa.Boolean(), nullable=False),
        sa.Column("skip_reason", sa.Text()),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("pages", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("side", sa.Text()),
        sa.Column("shown_at", sa.BigInteger()),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.Column("active_ms", sa.Integer()),
        sa.Column("input_method", sa.Text()),
        sa.Column("viewport", sa.Text()),
        sa.Column("app_version", sa.Text()),
        sa.Column("guideline_version", sa.Integer()),
        sa.CheckConstraint("action IN ('vote', 'skip')", name=op.f("ck_vote_action")),
        sa.CheckConstraint("side IN ('left', 'right')", name=op.f("ck_vote_side")),
        sa.CheckConstraint("NOT both_bad OR preference = 0", name=op.f("ck_vote_both_bad")),
        sa.CheckConstraint("preference BETWEEN -2 AND 2", name=op.f("ck_vote_preference")),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignment.id"], name="fk_vote_assignment_id_assignment"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_vote"),
        sa.UniqueConstraint("assignment_id", "revision", name="uq_vote_assignment_id_revision"),
    )
    op.create_table(
        "vote_reason",
        sa.Column("id", KEY, nullable=False),
        sa.Column("vote_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["vote_id"], ["vote.id"], name="fk_vote_reason_vote_id_vote"),
        sa.PrimaryKeyConstraint("id", name="pk_vote_reason"),
        sa.UniqueConstraint("vote_id", "reason", name="uq_vote_reason_vote_id_reason"),
    )
