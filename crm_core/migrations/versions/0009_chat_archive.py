"""The chat archive beside its messages.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.create_table(
        "archive_consents",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "external_userid", "staff_userid", name=op.f("pk_archive_consents")),
    )
    op.create_index("ix_archive_consents_changed", "archive_consents", ["corp_id", "changed_at"])

    op.create_table(
        "archive_cursors",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("seq", BIG_ID, nullable=False),
        sa.Column("messages", BIG_ID, nullable=False),
        sa.Column("newest_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("caught_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("page_limit", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("trouble", sa.String(), nullable=False),
        sa.Column("says", sa.String(), nullable=False),
        sa.Column("code_seen", sa.Integer(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("health", JSON, nullable=False),
        sa.PrimaryKeyConstraint("corp_id", name=op.f("pk_archive_cursors")),
    )
    op.create_table(
        "archive_gaps",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("first_seq", BIG_ID, nullable=False),
        sa.Column("last_seq", BIG_ID, nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archive_gaps")),
        sa.UniqueConstraint("corp_id", "first_seq", name=op.f("uq_archive_gaps_corp_id_first_seq")),
    )
    op.create_table(
        "archive_media",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("file_print", sa.String(), nullable=False),
        sa.Column("sdkfileid", sa.Text(), nullable=False),
        sa.Column("msgid", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("md5", sa.String(), nullable=False),
        sa.Column("size_told", BIG_ID, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("next_index", sa.Text(), nullable=False),
        sa.Column("bytes_done", BIG_ID, nullable=False),
        sa.Column("part_name", sa.String(), nullable=False),
        sa.Column("file_key", sa.String(), nullable=False),
        sa.Column("says", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("wanted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archive_media")),
        sa.UniqueConstraint("corp_id", "file_print", name=op.f("uq_archive_media_corp_id_file_print")),
    )
    op.create_index("ix_archive_media_key", "archive_media", ["file_key"])
    op.create_index("ix_archive_media_state", "archive_media", ["corp_id", "state", "id"])

    op.create_table(
        "archive_undecided",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("seq", BIG_ID, nullable=False),
        sa.Column("msgid", sa.String(), nullable=False),
        sa.Column("version", BIG_ID, nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("sealed_message", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("tried_with", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archive_undecided")),
        sa.UniqueConstraint("corp_id", "seq", name=op.f("uq_archive_undecided_corp_id_seq")),
    )
    op.create_index("ix_archive_undecided_version", "archive_undecided", ["corp_id", "version"])


def downgrade() -> None:
    for table in ("archive_undecided", "archive_media", "archive_gaps", "archive_cursors", "archive_consents"):
        op.drop_table(table)
