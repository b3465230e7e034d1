"""console customers.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("corp_id", "token", name=op.f("pk_erasures")),
    )
    op.create_table(
        "list_columns",
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("userid", sa.String(), nullable=False),
        sa.Column("list_key", sa.String(), nullable=False),
        sa.Column(
            "columns", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint("corp_id", "userid", "list_key", name=op.f("pk_list_columns")),
    )
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("list_key", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_filters")),
        sa.UniqueConstraint(
            "corp_id", "list_key", "owner", "name", name=op.f("uq_saved_filters_corp_id_list_key_owner_name")
        ),
    )
    op.create_table(
        "tag_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_changes")),
    )
    with op.batch_alter_table("tag_changes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tag_changes_corp_id"), ["corp_id"], unique=False)

    op.create_table(
        "tag_rules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column(
            "conditions", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "tag_ids", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("marked_count", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_rules")),
    )
    with op.batch_alter_table("tag_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tag_rules_corp_id"), ["corp_id"], unique=False)

    op.create_table(
        "task_items",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column(
            "undo", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_items")),
        sa.UniqueConstraint("task_id", "item", name=op.f("uq_task_items_task_id_item")),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("corp_id", sa.String(), nullable=False),
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column(
            "asked", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column(
            "scope", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=True
        ),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("done_count", sa.Integer(), nullable=False),
        sa.Column("failed_count", sa.Integer(), nullable=False),
        sa.Column("total_count", sa.Integer(), nullable=False),
        sa.Column(
            "cursor", sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"), nullable=False
        ),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("file_key", sa.String(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("file_bytes", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by_task", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index("ix_tasks_corp", ["corp_id", "id"], unique=False)
        batch_op.create_index("ix_tasks_expiry", ["expires_at"], unique=False)

    with op.batch_alter_table("contact_ways", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_single", sa.Boolean(), server_default=sa.true(), nullable=False))
    _tell_codes_for_several()

    with op.batch_alter_table("external_users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sounds", sa.String(), server_default="", nullable=False))
        batch_op.create_index("ix_external_users_stage", ["corp_id", "lifecycle_stage"], unique=False)

    with op.batch_alter_table("follows", schema=None) as batch_op:
        batch_op.add_column(sa.Column("remark_sounds", sa.String(), server_default="", nullable=False))
        batch_op.drop_index(batch_op.f("ix_follows_contact_way"))
        batch_op.create_index("ix_follows_contact_way", ["corp_id", "contact_way_id", "started_at", "id"], unique=False)
        batch_op.create_index("ix_follows_ended", ["corp_id", "ended_at", "id"], unique=False)
        batch_op.create_index("ix_follows_staff_started", ["corp_id", "staff_userid", "started_at", "id"], unique=False)
        batch_op.create_index("ix_follows_started", ["corp_id", "started_at", "id"], unique=False)


def _tell_codes_for_several() -> None:
    ways = sa.table(
        "contact_ways",
        sa.column("id", sa.BigInteger()),
        sa.column("staff", sa.JSON()),
        sa.column("departments", sa.JSON()),
        sa.column("is_single", sa.Boolean()),
    )
    connection = op.get_bind()
    rows = connection.execute(sa.select(ways.c.id, ways.c.staff, ways.c.departments)).all()
    several = [row.id for row in rows if len(row.staff) != 1 or row.departments]
    connection.execute(sa.update(ways).where(ways.c.id.in_(several)).values(is_single=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("contact_ways", schema=None) as batch_op:
        batch_op.drop_column("is_single")
    op.drop_table("tag_changes")
    with op.batch_alter_table("follows", schema=None) as batch_op:
        batch_op.drop_index("ix_follows_started")
        batch_op.drop_index("ix_follows_staff_started")
        batch_op.drop_index("ix_follows_ended")
        batch_op.drop_index("ix_follows_contact_way")
        batch_op.create_index(batch_op.f("ix_follows_contact_way"), ["contact_way_id"], unique=False)
        batch_op.drop_column("remark_sounds")

    with op.batch_alter_table("external_users", schema=None) as batch_op:
        batch_op.drop_index("ix_external_users_stage")
        batch_op.drop_column("sounds")

    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.drop_index("ix_tasks_expiry")
        batch_op.drop_index("ix_tasks_corp")

    op.drop_table("tasks")
    op.drop_table("task_items")
    with op.batch_alter_table("tag_rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tag_rules_corp_id"))

    op.drop_table("tag_rules")
    op.drop_table("saved_filters")
    op.drop_table("list_columns")
    op.drop_table("erasures")
