"""Tags from chats: rules, what they found, and the learner.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    _rules()
    _suggestions()
    _learner()


def _rules() -> None:
    op.create_table(
        "chat_tag_rules",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("conditions", JSON, nullable=False),
        sa.Column("tag_id", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("lesson", JSON, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_tag_rules")),
    )
    op.create_index(op.f("ix_chat_tag_rules_corp_id"), "chat_tag_rules", ["corp_id"])
    op.create_table(
        "chat_tag_hits",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("rule_id", BIG_ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("position", BIG_ID, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_tag_hits")),
        sa.UniqueConstraint("rule_id", "version", "position", name=op.f("uq_chat_tag_hits_rule_id_version_position")),
    )
    op.create_index(
        "ix_chat_tag_hits_follow", "chat_tag_hits", ["rule_id", "version", "staff_userid", "external_userid"]
    )
    op.create_index("ix_chat_tag_hits_customer", "chat_tag_hits", ["corp_id", "external_userid"])
    op.create_table(
        "chat_tag_vectors",
        sa.Column("rule_id", BIG_ID, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("is_counter", sa.Boolean(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("text_mark", sa.String(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "place", name=op.f("pk_chat_tag_vectors")),
    )
    op.create_index(op.f("ix_chat_tag_vectors_corp_id"), "chat_tag_vectors", ["corp_id"])


def _suggestions() -> None:
    op.create_table(
        "tag_suggestions",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("tag_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("position", BIG_ID, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("settled_by", sa.String(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_suggestions")),
        sa.UniqueConstraint(
            "corp_id",
            "staff_userid",
            "external_userid",
            "tag_id",
            "source",
            name=op.f("uq_tag_suggestions_once"),
        ),
    )
    op.create_index("ix_tag_suggestions_customer", "tag_suggestions", ["corp_id", "external_userid"])
    op.create_index("ix_tag_suggestions_source", "tag_suggestions", ["corp_id", "source", "state"])
    op.create_index("ix_tag_suggestions_state", "tag_suggestions", ["corp_id", "state", "settled_at"])


def _learner() -> None:
    op.create_table(
        "tag_models",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("report", JSON, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_models")),
    )
    op.create_index("ix_tag_models_corp", "tag_models", ["corp_id", "state", "id"])
    op.create_table(
        "learned_tags",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("tag_id", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "tag_id", name=op.f("pk_learned_tags")),
    )


def downgrade() -> None:
    for table in (
        "learned_tags",
        "tag_models",
        "tag_suggestions",
        "chat_tag_vectors",
        "chat_tag_hits",
        "chat_tag_rules",
    ):
        op.drop_table(table)
