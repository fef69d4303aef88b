"""Votes only grow, held by triggers; recorded evaluations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TABLES = ("vote", "vote_reason", "audit")

POSTGRESQL_FUNCTION = """
CREATE FUNCTION evalkit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed nor deleted', TG_TABLE_NAME;
END
$$
"""


def upgrade() -> None:
    """Make the triggers and the table of evaluations."""
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for change in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{change} BEFORE {change.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed nor deleted'); "
                    "END"
                )
    else:
        op.execute(POSTGRESQL_FUNCTION)
        for table in TABLES:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
                f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION evalkit_append_only()"
            )
    op.create_table(
        "evaluation",
        sa.Column("id", KEY, nullable=False),
        sa.Column("week", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_by", KEY),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name="fk_evaluation_recorded_by_person"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_evaluation"),
        sa.UniqueConstraint(
            "week", "name", "fingerprint", name="uq_evaluation_week_name_fingerprint"
        ),
    )
