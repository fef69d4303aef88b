"""Recorded evaluations have a kind and values a query, and only grow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

KINDS = "kind IN ('score', 'study', 'judge', 'calibration', 'correlation')"

# as 0002 made it; SQLite copies the table, and would forget what it cannot reflect
BEFORE = sa.Table(
    "evaluation",
    sa.MetaData(),
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
    sa.UniqueConstraint("week", "name", "fingerprint", name="uq_evaluation_week_name_fingerprint"),
)

# what was recorded under one week and name is numbered in the order in which it came
NUMBERED = """
UPDATE evaluation SET revision = (
    SELECT count(*) FROM evaluation AS other
    WHERE other.week = evaluation.week AND other.name = evaluation.name
    AND other.id <= evaluation.id
)
"""


def upgrade() -> None:
    """Add the columns, number the rows that are there, and guard them."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("evaluation", copy_from=BEFORE) as batch:
        batch.drop_constraint("uq_evaluation_week_name_fingerprint", type_="unique")
        batch.add_column(sa.Column("kind", sa.Text(), nullable=False, server_default="score"))
        batch.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
        batch.add_column(sa.Column("query_set", sa.Text()))
        batch.add_column(sa.Column("judge", sa.Text()))
        batch.add_column(sa.Column("values", sa.LargeBinary()))
    op.execute(NUMBERED)
    with op.batch_alter_table("evaluation") as batch:
        batch.alter_column("kind", existing_type=sa.Text(), server_default=None)
        batch.alter_column("revision", existing_type=sa.Integer(), server_default=None)
        batch.create_check_constraint(op.f("ck_evaluation_kind"), KINDS)
        batch.create_unique_constraint(
            "uq_evaluation_week_name_kind_revision", ["week", "name", "kind", "revision"]
        )
    if sqlite:
        for change in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER evaluation_no_{change} BEFORE {change.upper()} ON evaluation "
                "BEGIN SELECT RAISE(ABORT, 'rows of evaluation are never changed nor deleted'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER evaluation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
            "ON evaluation FOR EACH STATEMENT EXECUTE FUNCTION evalkit_append_only()"
        )
