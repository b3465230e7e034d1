"""Script recommendation: lessons, customers' last words, unanswered questions.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _lessons() -> None:
    op.create_table(
        "script_lessons",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("lesson_key", sa.String(), nullable=False),
        sa.Column("script_id", BIG_ID, nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("customer_token", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("replied", sa.Boolean(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_script_lessons")),
        sa.UniqueConstraint("corp_id", "lesson_key", name=op.f("uq_script_lessons_corp_id_lesson_key")),
    )
    op.create_index("ix_script_lessons_new", "script_lessons", ["corp_id", "happened_at", "replied"])
    op.create_index("ix_script_lessons_customer", "script_lessons", ["corp_id", "customer_token", "replied"])


def _turns() -> None:
    op.create_table(
        "customer_turns",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("conversation_kind", sa.String(), nullable=False),
        sa.Column("conversation_key", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("position", BIG_ID, nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "conversation_kind", "conversation_key", name=op.f("pk_customer_turns")),
    )
    op.create_index("ix_customer_turns_customer", "customer_turns", ["corp_id", "external_userid"])


def _gaps() -> None:
    op.create_table(
        "script_gaps",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("label", sa.LargeBinary(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("script_id", BIG_ID, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_script_gaps")),
    )
    op.create_index("ix_script_gaps_state", "script_gaps", ["corp_id", "state", "asked", "id"])
    op.create_table(
        "script_gap_cases",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("position", BIG_ID, nullable=False),
        sa.Column("gap_id", BIG_ID, nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "position", name=op.f("pk_script_gap_cases")),
    )
    op.create_index("ix_script_gap_cases_gap", "script_gap_cases", ["gap_id", "position"])


def upgrade() -> None:
    op.add_column("script_vectors", sa.Column("made_in", BIG_ID, server_default="0", nullable=False))
    op.create_index("ix_script_vectors_made", "script_vectors", ["corp_id", "model", "made_in"])
    _lessons()
    _turns()
    _gaps()


def downgrade() -> None:
    for table in ("script_gap_cases", "script_gaps", "customer_turns", "script_lessons"):
        op.drop_table(table)
    op.drop_index("ix_script_vectors_made", "script_vectors")
    with op.batch_alter_table("script_vectors") as batch:
        batch.drop_column("made_in")
