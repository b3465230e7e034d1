"""The chat store.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "chat_heads",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("position", BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("corp_id", name=op.f("pk_chat_heads")),
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("position", BIG_ID, nullable=False),
        sa.Column("msgid", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("conversation_kind", sa.String(), nullable=False),
        sa.Column("conversation_key", sa.String(), nullable=False),
        sa.Column("sender_kind", sa.String(), nullable=False),
        sa.Column("sender_id", sa.String(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("revokes", sa.String(), nullable=False),
        sa.Column("seq", BIG_ID, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_messages")),
        sa.UniqueConstraint("corp_id", "msgid", name=op.f("uq_chat_messages_corp_id_msgid")),
        sa.UniqueConstraint("corp_id", "position", name=op.f("uq_chat_messages_corp_id_position")),
    )
    op.create_index(
        "ix_chat_messages_conversation",
        "chat_messages",
        ["corp_id", "conversation_kind", "conversation_key", "position"],
    )
    op.create_index("ix_chat_messages_sent", "chat_messages", ["corp_id", "sent_at"])


def downgrade() -> None:
    op.drop_table("chat_messages")
    op.drop_table("chat_heads")
