"""微信客服: accounts, sessions and those who wrote.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def moment(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "kf_accounts",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("open_kfid", sa.String(), nullable=False),
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("avatar", sa.String(), nullable=False),
        sa.Column("is_listed", sa.Boolean(), nullable=False),
        sa.Column("is_manageable", sa.Boolean(), nullable=False),
        sa.Column("is_bot_on", sa.Boolean(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("reception", sa.String(), nullable=False),
        sa.Column("welcome", sa.Text(), nullable=False),
        sa.Column("away", sa.Text(), nullable=False),
        sa.Column("is_survey_on", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.String(), nullable=False),
        sa.Column("rung", BIG_ID, nullable=False),
        sa.Column("heard", BIG_ID, nullable=False),
        sa.Column("sync_owner", sa.String(), nullable=False),
        moment("sync_until"),
        moment("synced_at"),
        moment("changed_at", nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "open_kfid", name=op.f("pk_kf_accounts")),
    )
    op.create_table(
        "kf_sessions",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("open_kfid", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("standing", sa.Integer(), nullable=False),
        sa.Column("servicer", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        moment("opened_at", nullable=False),
        moment("last_customer_at"),
        sa.Column("used", sa.Integer(), nullable=False),
        moment("waiting_since"),
        moment("accepted_at"),
        moment("ended_at"),
        sa.Column("end_reason", sa.String(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("rating", sa.Integer(), nullable=False),
        moment("rated_at"),
        moment("away_told_at"),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kf_sessions")),
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_kf_sessions_open",
        "kf_sessions",
        ["corp_id", "open_kfid", "external_userid"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("ix_kf_sessions_opened", "kf_sessions", ["corp_id", "opened_at", "id"])
    op.create_index("ix_kf_sessions_customer", "kf_sessions", ["corp_id", "external_userid", "opened_at"])
    op.create_table(
        "kf_customers",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("nickname", sa.String(), nullable=False),
        sa.Column("avatar", sa.String(), nullable=False),
        moment("asked_at", nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "external_userid", name=op.f("pk_kf_customers")),
    )


def downgrade() -> None:
    op.drop_table("kf_customers")
    op.drop_table("kf_sessions")
    op.drop_table("kf_accounts")
