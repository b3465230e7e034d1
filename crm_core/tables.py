"""Private storage of the ground floor. Only this room reads or writes it; others call its services."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlalchemy import true as sa_true
from sqlmodel import Field, SQLModel

import crm_core.record_tables  # noqa: F401 - one import of this module knows every table of the room
from crm_core import (  # noqa: F401 - of this room's metadata
    archive_tables,
    chat_tables,
    console_tables,
    kf_tables,
    sensitive_tables,
)
from crm_core.db import BigId, Json, UtcDateTime
from crm_core.lease import WorkRow

OPEN_WORK = text("state IN ('ready', 'leased')")


def open_work_index(name: str) -> Index:
    """The partial index that makes a claim's cost follow the open rows, not all rows."""
    return Index(name, "lane", "priority", "run_at", sqlite_where=OPEN_WORK, postgresql_where=OPEN_WORK)


class OutboxRow(WorkRow, table=True):
    """One act on the outside. kind names the call, payload its arguments, result what came back."""

    __tablename__ = "outbox"
    __table_args__ = (
        open_work_index("ix_outbox_open"),
        Index("ix_outbox_state_finished", "state", "finished_ms"),
    )

    app_key: str
    kind: str
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    result: dict[str, Any] | None = Field(default=None, sa_type=Json)
    cause: str = ""


class JobRow(WorkRow, table=True):
    """One piece of work inside the house, enqueued by the clock or by a person."""

    __tablename__ = "jobs"
    __table_args__ = (open_work_index("ix_jobs_open"), Index("ix_jobs_state_finished", "state", "finished_ms"))

    kind: str
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class DepartmentRow(SQLModel, table=True):
    """部门."""

    __tablename__ = "departments"

    corp_id: str = Field(primary_key=True)
    dept_id: int = Field(primary_key=True)
    name: str = ""
    parent_id: int = 0
    sort_order: int = Field(default=0, sa_type=BigId)
    synced_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class StaffRow(SQLModel, table=True):
    """成员. status: 1 active, 2 disabled, 4 not activated, 5 left."""

    __tablename__ = "staff"

    corp_id: str = Field(primary_key=True)
    userid: str = Field(primary_key=True)
    name: str = ""
    alias: str = ""
    avatar_url: str = ""
    position: str = ""
    departments: list[int] = Field(default_factory=list, sa_type=Json)
    main_department: int = 0
    status: int = 1
    can_contact: bool = False
    synced_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class StaffRoleRow(SQLModel, table=True):
    """What a member is in this product; role and scope are values of ``crm_core.roles``."""

    __tablename__ = "staff_roles"

    corp_id: str = Field(primary_key=True)
    userid: str = Field(primary_key=True)
    role: str
    scope: str
    given_by: str
    given_at: datetime = Field(sa_type=UtcDateTime)


class CustomerRow(SQLModel, table=True):
    """One ID: one person, however many staff and corps they met. corp_id: where we first met."""

    __tablename__ = "customers"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    merged_into: int | None = Field(default=None, sa_type=BigId)


class IdentityRow(SQLModel, table=True):
    """What tells that two external users are one customer. kind: external | unionid | mobile.

    corp_id is "" for unionid and mobile, which mean the same person in every corp.
    """

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("kind", "corp_id", "value"), Index("ix_identities_customer", "customer_id"))

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    kind: str
    corp_id: str = ""
    value: str
    customer_id: int = Field(sa_type=BigId)


class CustomerMergeRow(SQLModel, table=True):
    """A merge of two customers with all that is needed to undo it."""

    __tablename__ = "customer_merges"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    kept_id: int = Field(sa_type=BigId)
    merged_id: int = Field(sa_type=BigId)
    reason: str
    moved: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    merged_at: datetime = Field(sa_type=UtcDateTime)
    undone_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ExternalUserRow(SQLModel, table=True):
    """外部联系人 as one corp knows them, belonging to one customer. sounds: the name as typed by its sound.

    kind: 1 WeChat, 2 WeCom. fetched_at is None until WeCom told us more than the id.
    """

    __tablename__ = "external_users"
    __table_args__ = (
        Index("ix_external_users_customer", "customer_id"),
        Index("ix_external_users_name", "corp_id", "name"),
        Index("ix_external_users_unionid", "corp_id", "unionid"),
        Index("ix_external_users_stage", "corp_id", "lifecycle_stage"),
    )

    corp_id: str = Field(primary_key=True)
    external_userid: str = Field(primary_key=True)
    customer_id: int = Field(sa_type=BigId)
    name: str = ""
    sounds: str = Field(default="", sa_column_kwargs={"server_default": ""})
    avatar_url: str = ""
    kind: int = 1
    gender: int = 0
    unionid: str = ""
    corp_name: str = ""
    position: str = ""
    lifecycle_stage: str = "new"
    created_at: datetime = Field(sa_type=UtcDateTime)
    fetched_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class FollowRow(SQLModel, table=True):
    """跟进关系. status: half | active | ended. ended_by: customer | staff | transfer, "" while it lasts."""

    __tablename__ = "follows"
    __table_args__ = (
        UniqueConstraint("corp_id", "staff_userid", "external_userid"),
        Index("ix_follows_external", "corp_id", "external_userid"),
        Index("ix_follows_contact_way", "corp_id", "contact_way_id", "started_at", "id"),
        Index("ix_follows_started", "corp_id", "started_at", "id"),
        Index("ix_follows_staff_started", "corp_id", "staff_userid", "started_at", "id"),
        Index("ix_follows_ended", "corp_id", "ended_at", "id"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    staff_userid: str
    external_userid: str
    status: str = "active"
    started_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_by: str = ""
    remark: str = ""
    remark_sounds: str = Field(default="", sa_column_kwargs={"server_default": ""})
    description: str = ""
    remark_corp_name: str = ""
    remark_mobiles: list[str] = Field(default_factory=list, sa_type=Json)
    add_way: int = 0
    oper_userid: str = ""
    state: str = ""
    contact_way_id: int | None = Field(default=None, sa_type=BigId)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    synced_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ContactWayRow(SQLModel, table=True):
    """渠道活码. status: creating | active | changing | deleting | failed | unknown | deleted.

    is_single: made for one staff member, which WeCom never turns into a code for several. memo goes to WeCom's own
    remark (≤ 30 chars); customer_remark is written on the follow, with {昵称}.
    """

    __tablename__ = "contact_ways"
    __table_args__ = (UniqueConstraint("corp_id", "state"), Index("ix_contact_ways_config", "corp_id", "config_id"))

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    app_key: str
    name: str
    state: str
    staff: list[str] = Field(default_factory=list, sa_type=Json)
    departments: list[int] = Field(default_factory=list, sa_type=Json)
    is_single: bool = Field(default=True, sa_column_kwargs={"server_default": sa_true()})
    skip_verify: bool = True
    memo: str = ""
    customer_remark: str = ""
    tag_ids: list[str] = Field(default_factory=list, sa_type=Json)
    welcome: dict[str, Any] | None = Field(default=None, sa_type=Json)
    config_id: str = ""
    qr_url: str = ""
    status: str = "creating"
    last_error: str = ""
    created_by: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)


class WelcomeMessageRow(SQLModel, table=True):
    """欢迎语 of a staff member, or of the corp where staff_userid is ""."""

    __tablename__ = "welcome_messages"

    corp_id: str = Field(primary_key=True)
    staff_userid: str = Field(default="", primary_key=True)
    message: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    changed_at: datetime = Field(sa_type=UtcDateTime)


class CustomerGroupRow(SQLModel, table=True):
    """客户群. status: active | dismissed. member_version is WeCom's opaque mark."""

    __tablename__ = "customer_groups"

    corp_id: str = Field(primary_key=True)
    chat_id: str = Field(primary_key=True)
    name: str = ""
    owner: str = ""
    notice: str = Field(default="", sa_type=Text)
    member_version: str = ""
    status: str = "active"
    created_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    synced_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class GroupMemberRow(SQLModel, table=True):
    """One member of a customer group. kind: 1 staff, 2 external. left_at is None while inside."""

    __tablename__ = "group_members"
    __table_args__ = (Index("ix_group_members_member", "corp_id", "member_id"),)

    corp_id: str = Field(primary_key=True)
    chat_id: str = Field(primary_key=True)
    member_id: str = Field(primary_key=True)
    kind: int = 2
    name: str = ""
    unionid: str = ""
    join_scene: int = 0
    invitor: str = ""
    state: str = ""
    joined_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    left_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class TimelineRow(SQLModel, table=True):
    """客户动态: append-only. kind is a glossary word with a dot, e.g. follow.started."""

    __tablename__ = "timeline"
    __table_args__ = (
        UniqueConstraint("corp_id", "dedupe_key"),
        Index("ix_timeline_customer", "corp_id", "external_userid", "at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    external_userid: str
    staff_userid: str = ""
    kind: str
    at: datetime = Field(sa_type=UtcDateTime)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    dedupe_key: str


class SyncProgressRow(SQLModel, table=True):
    """How far a sync stage has come. status: running | stopped | done | failed. cursor: where to go on."""

    __tablename__ = "sync_progress"

    corp_id: str = Field(primary_key=True)
    stage: str = Field(primary_key=True)
    status: str = "running"
    cursor: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    done_count: int = 0
    total_count: int = 0
    started_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_error: str = Field(default="", sa_type=Text)


class DoctorReportRow(SQLModel, table=True):
    """The last doctor's report of a corp. status: waiting | running | done; findings in reading order."""

    __tablename__ = "doctor_reports"

    corp_id: str = Field(primary_key=True)
    status: str = "waiting"
    findings: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    asked_by: str = ""
    asked_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AuditRow(SQLModel, table=True):
    """Who did what to which object."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_object", "corp_id", "object_kind", "object_id"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    corp_id: str
    actor: str
    act: str
    object_kind: str
    object_id: str
    at: datetime = Field(sa_type=UtcDateTime)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
