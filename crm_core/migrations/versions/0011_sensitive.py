"""Sensitive words: categories, words, hits, WeCom's own rules, trials.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TABLES = (
    "sensitive_trials",
    "sensitive_remote_rules",
    "sensitive_rules",
    "sensitive_hits",
    "sensitive_words",
    "sensitive_categories",
    "sensitive_books",
)


def upgrade() -> None:
    op.create_table(
        "sensitive_books",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("version", BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("corp_id", name=op.f("pk_sensitive_books")),
    )
    op.create_table(
        "sensitive_categories",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("owner_userid", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("departments", JSON, nullable=False),
        sa.Column("kinds", JSON, nullable=False),
        sa.Column("chats", sa.String(), nullable=False),
        sa.Column("chat_ids", JSON, nullable=False),
        sa.Column("tells_supervisor", sa.Boolean(), nullable=False),
        sa.Column("tells_staff", sa.Boolean(), nullable=False),
        sa.Column("intercept", sa.Integer(), nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.Column("detectors", JSON, nullable=False),
        sa.Column("acts", JSON, nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensitive_categories")),
    )
    op.create_index("ix_sensitive_categories_corp", "sensitive_categories", ["corp_id", "is_deleted"])
    op.create_table(
        "sensitive_words",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("category_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensitive_words")),
        sa.UniqueConstraint(
            "corp_id", "category_id", "kind", "text", name=op.f("uq_sensitive_words_corp_id_category_id_kind_text")
        ),
    )
    op.create_table(
        "sensitive_hits",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("category_id", BIG_ID, nullable=False),
        sa.Column("category_name", sa.String(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("word_id", BIG_ID, nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("msgid", sa.String(), nullable=False),
        sa.Column("position", BIG_ID, nullable=False),
        sa.Column("conversation_kind", sa.String(), nullable=False),
        sa.Column("conversation_key", sa.String(), nullable=False),
        sa.Column("sender_kind", sa.String(), nullable=False),
        sa.Column("sender_id", sa.String(), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("department", sa.Integer(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hit_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("week", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("assignee", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_by", sa.String(), nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensitive_hits")),
        sa.UniqueConstraint(
            "corp_id", "msgid", "category_id", name=op.f("uq_sensitive_hits_corp_id_msgid_category_id")
        ),
    )
    op.create_index("ix_sensitive_hits_staff", "sensitive_hits", ["corp_id", "staff_userid", "id"])
    op.create_index("ix_sensitive_hits_state", "sensitive_hits", ["corp_id", "state", "id"])
    op.create_index("ix_sensitive_hits_user", "sensitive_hits", ["corp_id", "external_userid"])
    op.create_index("ix_sensitive_hits_week", "sensitive_hits", ["corp_id", "week", "category_id"])
    op.create_table(
        "sensitive_rules",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("category_id", BIG_ID, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("wanted", JSON, nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "category_id", "part", name=op.f("pk_sensitive_rules")),
    )
    op.create_table(
        "sensitive_remote_rules",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("shown", JSON, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "rule_id", name=op.f("pk_sensitive_remote_rules")),
    )
    op.create_table(
        "sensitive_trials",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("task_id", BIG_ID, nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("hit", sa.Integer(), nullable=False),
        sa.Column("counts", JSON, nullable=False),
        sa.Column("examples", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensitive_trials")),
    )
    op.create_index("ix_sensitive_trials_task", "sensitive_trials", ["corp_id", "task_id"])


def downgrade() -> None:
    for name in TABLES:
        op.drop_table(name)
