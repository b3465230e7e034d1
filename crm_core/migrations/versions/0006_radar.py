"""radar.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "business_cards",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("company", sa.String(), nullable=False),
        sa.Column("intro", sa.Text(), nullable=False),
        sa.Column("mobile", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("photo_key", sa.String(), nullable=False),
        sa.Column(
            "picks", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("contact_way_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "staff_userid", name=op.f("pk_business_cards")),
    )
    op.create_table(
        "interest_points",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("rule_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("material_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "corp_id", "external_userid", "rule_id", "material_id", name=op.f("pk_interest_points")
        ),
    )
    with op.batch_alter_table("interest_points", schema=None) as batch_op:
        batch_op.create_index("ix_interest_points_rule", ["corp_id", "rule_id"], unique=False)

    op.create_table(
        "radar_links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("material_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("chat_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tell_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "pending", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_radar_links")),
    )
    with op.batch_alter_table("radar_links", schema=None) as batch_op:
        batch_op.create_index("ix_radar_links_external", ["corp_id", "external_userid"], unique=False)
        batch_op.create_index(
            "ix_radar_links_target",
            ["corp_id", "subject", "material_id", "staff_userid", "external_userid", "chat_id", "channel"],
            unique=True,
            sqlite_where=sa.text("revoked_at IS NULL"),
            postgresql_where=sa.text("revoked_at IS NULL"),
        )
        batch_op.create_index(
            "ix_radar_links_tell",
            ["tell_at"],
            unique=False,
            sqlite_where=sa.text("tell_at IS NOT NULL"),
            postgresql_where=sa.text("tell_at IS NOT NULL"),
        )
        batch_op.create_index("ix_radar_links_token", ["token"], unique=True)

    op.create_table(
        "radar_readers",
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("parent_ref", sa.String(), nullable=False),
        sa.Column("opens", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("link_id", "ref", name=op.f("pk_radar_readers")),
    )
    with op.batch_alter_table("radar_readers", schema=None) as batch_op:
        batch_op.create_index("ix_radar_readers_parent", ["link_id", "parent_ref"], unique=False)

    op.create_table(
        "radar_rules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("seed_key", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("material_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("folder_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("condition", sa.String(), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column(
            "tag_ids", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_radar_rules")),
    )
    with op.batch_alter_table("radar_rules", schema=None) as batch_op:
        batch_op.create_index("ix_radar_rules_seed", ["corp_id", "seed_key"], unique=True)

    op.create_table(
        "radar_sends",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("send_key", sa.String(), nullable=False),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("material_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "send_key", name=op.f("pk_radar_sends")),
    )
    with op.batch_alter_table("radar_sends", schema=None) as batch_op:
        batch_op.create_index("ix_radar_sends_material", ["corp_id", "material_id", "sent_at"], unique=False)

    op.create_table(
        "radar_views",
        sa.Column("view_id", sa.String(), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("forwarded", sa.Boolean(), nullable=False),
        sa.Column("material_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_userid", sa.String(), nullable=False),
        sa.Column("external_userid", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("active_ms", sa.Integer(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("contact_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("view_id", name=op.f("pk_radar_views")),
    )
    with op.batch_alter_table("radar_views", schema=None) as batch_op:
        batch_op.create_index("ix_radar_views_external", ["corp_id", "external_userid", "material_id"], unique=False)
        batch_op.create_index("ix_radar_views_link", ["link_id", "ref"], unique=False)
        batch_op.create_index("ix_radar_views_material", ["corp_id", "material_id", "opened_at"], unique=False)
        batch_op.create_index("ix_radar_views_opened", ["corp_id", "opened_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("radar_views", schema=None) as batch_op:
        batch_op.drop_index("ix_radar_views_opened")
        batch_op.drop_index("ix_radar_views_material")
        batch_op.drop_index("ix_radar_views_link")
        batch_op.drop_index("ix_radar_views_external")

    op.drop_table("radar_views")
    with op.batch_alter_table("radar_sends", schema=None) as batch_op:
        batch_op.drop_index("ix_radar_sends_material")

    op.drop_table("radar_sends")
    with op.batch_alter_table("radar_rules", schema=None) as batch_op:
        batch_op.drop_index("ix_radar_rules_seed")

    op.drop_table("radar_rules")
    with op.batch_alter_table("radar_readers", schema=None) as batch_op:
        batch_op.drop_index("ix_radar_readers_parent")

    op.drop_table("radar_readers")
    with op.batch_alter_table("radar_links", schema=None) as batch_op:
        batch_op.drop_index("ix_radar_links_token")
        batch_op.drop_index(
            "ix_radar_links_tell",
            sqlite_where=sa.text("tell_at IS NOT NULL"),
            postgresql_where=sa.text("tell_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_radar_links_target",
            sqlite_where=sa.text("revoked_at IS NULL"),
            postgresql_where=sa.text("revoked_at IS NULL"),
        )
        batch_op.drop_index("ix_radar_links_external")

    op.drop_table("radar_links")
    with op.batch_alter_table("interest_points", schema=None) as batch_op:
        batch_op.drop_index("ix_interest_points_rule")

    op.drop_table("interest_points")
    op.drop_table("business_cards")
