"""Imported votes need not say the side; an answer that came too fast restarts the clock."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# as 0001 made it; SQLite copies the table, and would forget what it cannot reflect
BEFORE = sa.Table(
    "assignment",
    sa.MetaData(),
    sa.Column("id", KEY, nullable=False),
    sa.Column("task_id", KEY, nullable=False),
    sa.Column("person_id", KEY, nullable=False),
    sa.Column("side", sa.Text(), nullable=False),
    sa.Column("state", sa.Text(), nullable=False),
    sa.Column("revision", sa.Integer(), nullable=False),
    sa.Column("claimed_at", sa.BigInteger(), nullable=False),
    sa.Column("opened_at", sa.BigInteger(), nullable=False),
    sa.Column("shown_at", sa.BigInteger()),
    sa.CheckConstraint("side IN ('left', 'right')", name="ck_assignment_side"),
    sa.CheckConstraint("state IN ('open', 'voted', 'skipped')", name="ck_assignment_state"),
    sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_assignment_person_id_person"),
    sa.ForeignKeyConstraint(["task_id"], ["task.id"], name="fk_assignment_task_id_task"),
    sa.PrimaryKeyConstraint("id", name="pk_assignment"),
    sa.UniqueConstraint("task_id", "person_id", name="uq_assignment_task_id_person_id"),
    sa.Index("ix_assignment_person_id_state", "person_id", "state"),
)


def upgrade() -> None:
    """Let the side be unknown, and keep when an answer was ignored."""
    with op.batch_alter_table("assignment", copy_from=BEFORE) as batch:
        batch.alter_column("side", existing_type=sa.Text(), nullable=True)
        batch.add_column(sa.Column("hurried_at", sa.BigInteger()))
