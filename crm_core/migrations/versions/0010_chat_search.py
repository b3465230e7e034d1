"""Conversations, the blind index of messages, and the watch over replies.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "chat_conversations",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("last_position", BIG_ID, nullable=False),
        sa.Column("from_staff", sa.Integer(), nullable=False),
        sa.Column("from_customers", sa.Integer(), nullable=False),
        sa.Column("from_others", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "kind", "key", name=op.f("pk_chat_conversations")),
    )
    op.create_index("ix_chat_conversations_last", "chat_conversations", ["corp_id", "last_position"])
    op.create_index("ix_chat_conversations_staff", "chat_conversations", ["corp_id", "staff_userid", "last_position"])
    op.create_index("ix_chat_conversations_customer", "chat_conversations", ["corp_id", "external_userid"])
    op.create_index("ix_chat_messages_revokes", "chat_messages", ["corp_id", "revokes"],
        sqlite_where=sa.text("revokes <> ''"), postgresql_where=sa.text("revokes <> ''"))  # fmt: skip
    op.create_index("ix_chat_messages_kind_sent", "chat_messages", ["conversation_kind", "sent_at"])
    op.create_table(
        "chat_secrets",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_chat_secrets")),
    )
    _create_words()
    _create_watch()


def _create_words() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE chat_words USING fts5"
            "(hashes, content='', detail=none, columnsize=0, tokenize='ascii')")  # fmt: skip
        return
    op.execute("CREATE TABLE chat_words (message_id bigint PRIMARY KEY, hashes integer[] NOT NULL)")
    op.execute("CREATE INDEX ix_chat_words_hashes ON chat_words USING gin (hashes)")


def _create_watch() -> None:
    op.create_table(
        "reply_waits",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("position", BIG_ID, nullable=False),
        sa.Column("asked_last_at", MOMENT, nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("answered_by", sa.String(), nullable=False),
        sa.Column("worked_seconds", sa.Integer(), nullable=True),
        sa.Column("steps_done", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("told", JSON, nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply_waits")),
        sa.UniqueConstraint(
            "corp_id", "kind", "key", "position", name=op.f("uq_reply_waits_corp_id_kind_key_position")
        ),
    )
    op.create_index("ix_reply_waits_due", "reply_waits", ["next_at"],
        sqlite_where=sa.text("next_at IS NOT NULL"), postgresql_where=sa.text("next_at IS NOT NULL"))  # fmt: skip
    op.create_index("ix_reply_waits_since", "reply_waits", ["corp_id", "since"])
    op.create_index("ix_reply_waits_conversation", "reply_waits", ["corp_id", "kind", "key", "since"])
    op.create_table(
        "reply_days",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("from_staff", sa.Integer(), nullable=False),
        sa.Column("from_customers", sa.Integer(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "day", "kind", "key", name=op.f("pk_reply_days")),
    )
    op.create_table(
        "reply_rules",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("rules", JSON, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", name=op.f("pk_reply_rules")),
    )


def downgrade() -> None:
    for name in ("reply_rules", "reply_days", "reply_waits"):
        op.drop_table(name)
    op.execute("DROP TABLE chat_words")
    op.drop_table("chat_secrets")
    op.drop_index("ix_chat_messages_kind_sent", "chat_messages")
    op.drop_index("ix_chat_messages_revokes", "chat_messages")
    op.drop_table("chat_conversations")
